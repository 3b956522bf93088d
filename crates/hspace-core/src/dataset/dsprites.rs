//! `builtin:dsprites`: the factor lattice of dSprites, drawn when asked for.
//!
//! 3 shapes × 6 scales × 40 orientations × 32 × 32 positions = 737,280 images of 64×64, white on
//! black, every combination once and the last factor fastest, with the values of the original
//! (Matthey, Higgins, Hassabis & Lerchner 2017, <https://github.com/google-deepmind/dsprites-dataset>).
//! As there, pixels are black or white: one is white where its centre lies inside the outline. And as
//! there, orientations run from 0 to 2π with both ends, so that the first and the last show the same.
//!
//! Deviation: the program that drew the original is not published, so the outlines are ours. All three
//! shapes have the same area (a square of 18 pixels at scale 1), so that brightness does not tell them
//! apart; they turn about their centres of area, which lie from 16.5 to 47.5 pixels, one pixel a step.

use std::borrow::Cow;
use std::f32::consts::{FRAC_PI_4, PI, SQRT_2};

use rayon::prelude::*;

use crate::dataset::{
    Column, Dataset, Entry, Format, Image, Kind, OpenOptions, Pixels, Role, Sample,
};
use crate::dataset::{Samples, Shape, Values, split};
use crate::error::{Error, Result};

/// The line in the list of datasets.
pub const ENTRY: Entry = Entry {
    name: "builtin:dsprites",
    summary: "737,280 generated 64x64 images of a square, an ellipse or a heart on dSprites' factor \
              lattice, all factors known",
    source: "",
    item: Format { open },
};

const SIDE: usize = 64;
const SHAPES: [&str; 3] = ["square", "ellipse", "heart"];
const SCALES: usize = 6;
const ORIENTATIONS: usize = 40;
const PLACES: usize = 32;
/// Shape, scale, orientation, x, y: how many values each has.
const SIZES: [usize; 5] = [SHAPES.len(), SCALES, ORIENTATIONS, PLACES, PLACES];
const COUNT: usize = SHAPES.len() * SCALES * ORIENTATIONS * PLACES * PLACES;

/// Side of the square at scale 1, in pixels; the other shapes have its area.
const SQUARE: f32 = 18.0;
/// An ellipse is so many times as long as it is wide.
const ELONGATION: f32 = 1.8;
/// The centre at x = 0 or y = 0, in pixels.
const FIRST_CENTRE: f32 = 16.5;

/// Which value of shape, scale, orientation, x and y sample `index` has.
fn factors(index: usize) -> [usize; 5] {
    let mut rest = index;
    let mut at = [0; 5];
    for (at, size) in at.iter_mut().zip(SIZES).rev() {
        *at = rest % size;
        rest /= size;
    }
    at
}

/// Value `i` of `count` evenly spaced ones with both ends.
fn spaced(low: f64, high: f64, count: usize, i: usize) -> f64 {
    low + (high - low) * i as f64 / (count - 1) as f64
}

fn scale(i: usize) -> f64 {
    spaced(0.5, 1.0, SCALES, i)
}

fn orientation(i: usize) -> f64 {
    spaced(0.0, std::f64::consts::TAU, ORIENTATIONS, i)
}

fn place(i: usize) -> f64 {
    spaced(0.0, 1.0, PLACES, i)
}

fn open(source: &str, options: &OpenOptions) -> Option<Result<Dataset>> {
    (source == ENTRY.name).then(|| Ok(dsprites(options)))
}

fn dsprites(options: &OpenOptions) -> Dataset {
    let id = |index| {
        let [shape, scale, orientation, x, y] = factors(index);
        format!(
            "{}-s{scale}-o{orientation:02}-x{x:02}-y{y:02}",
            SHAPES[shape]
        )
    };
    let ids: Vec<String> = (0..COUNT).into_par_iter().map(id).collect();
    let numbers = |name: &str, factor: usize, value: fn(usize) -> f64| Column {
        name: name.into(),
        role: Role::Factor,
        values: Values::Numbers(
            (0..COUNT)
                .map(|i| Some(value(factors(i)[factor])))
                .collect(),
        ),
    };
    let shape = Column {
        name: "shape".into(),
        role: Role::Label,
        values: Values::Classes {
            names: SHAPES.map(String::from).to_vec(),
            index: (0..COUNT)
                .map(|i| u32::try_from(factors(i)[0]).ok())
                .collect(),
        },
    };
    Dataset {
        name: ENTRY.name.into(),
        kind: Kind::Digits,
        shape: Shape::Image {
            channels: 1,
            height: SIDE,
            width: SIDE,
        },
        split: split::by_hash(&ids, options.holdout),
        ids,
        columns: vec![
            shape,
            numbers("scale", 1, scale),
            numbers("orientation", 2, orientation),
            numbers("x", 3, place),
            numbers("y", 4, place),
        ],
        bad: Vec::new(),
        reading: Default::default(),
        samples: Box::new(Drawn),
    }
}

struct Drawn;

impl Samples for Drawn {
    fn get(&self, index: usize) -> Result<Sample<'_>> {
        if index >= COUNT {
            return Err(Error::data(format!("there is no sample {index}")));
        }
        Ok(Sample::Image(Image {
            width: SIDE,
            height: SIDE,
            channels: 1,
            pixels: Pixels::U8(Cow::Owned(draw(factors(index)))),
        }))
    }
}

/// Draws one image `[64, 64]`, 0 or 255.
fn draw([shape, size, turn, x, y]: [usize; 5]) -> Vec<u8> {
    let scale = scale(size) as f32;
    let (sin, cos) = (orientation(turn) as f32).sin_cos();
    let centre = |i: usize| FIRST_CENTRE + i as f32;
    let canvas = Canvas {
        x: centre(x),
        y: centre(y),
        // To the outline's own coordinates: turned back and at scale 1.
        sin: sin / scale,
        cos: cos / scale,
        reach: scale,
    };
    match SHAPES[shape] {
        "square" => canvas.fill(SQUARE * SQRT_2 / 2.0, |u, v| {
            u.abs().max(v.abs()) <= SQUARE / 2.0
        }),
        "ellipse" => {
            // π a b is the square's area.
            let long = SQUARE * (ELONGATION / PI).sqrt();
            let wide = long / ELONGATION;
            let (a, b) = (1.0 / (long * long), 1.0 / (wide * wide));
            canvas.fill(long, move |u, v| a * u * u + b * v * v <= 1.0)
        }
        _ => {
            // A square on its corner with a half disc on each upper side: s² (1 + π/4) is its area.
            let side = SQUARE / (1.0 + FRAC_PI_4).sqrt();
            let radius = side / 2.0;
            let lobe = radius / SQRT_2;
            // From the middle of the square up to the centre of area.
            let rise = (lobe + 4.0 * radius / (3.0 * PI * SQRT_2)) * FRAC_PI_4 / (1.0 + FRAC_PI_4);
            canvas.fill(side / SQRT_2 + rise, move |u, v| {
                // Rows count downwards.
                let up = rise - v;
                let (across, along) = (u.abs() - lobe, up - lobe);
                let disc = across * across + along * along <= radius * radius;
                disc | (u.abs() + up.abs() <= side / SQRT_2)
            })
        }
    }
}

/// Where an outline lies, and how to get from pixels to its own coordinates.
struct Canvas {
    x: f32,
    y: f32,
    sin: f32,
    cos: f32,
    reach: f32,
}

impl Canvas {
    /// White where a pixel's centre is `inside`, which is asked no further than `radius` away.
    fn fill(&self, radius: f32, inside: impl Fn(f32, f32) -> bool) -> Vec<u8> {
        let radius = radius * self.reach;
        let range = |centre: f32| {
            let (low, high) = (centre - radius, centre + radius);
            (low.max(0.0) as usize, (high.ceil() as usize).min(SIDE))
        };
        let ((left, right), (top, bottom)) = (range(self.x), range(self.y));
        let mut pixels = vec![0; SIDE * SIDE];
        for row in top..bottom {
            let dy = row as f32 + 0.5 - self.y;
            let line = &mut pixels[row * SIDE..(row + 1) * SIDE];
            for (col, pixel) in line[left..right].iter_mut().enumerate() {
                let dx = (left + col) as f32 + 0.5 - self.x;
                let u = self.cos * dx + self.sin * dy;
                let v = self.cos * dy - self.sin * dx;
                *pixel = 255 * u8::from(inside(u, v));
            }
        }
        pixels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Split;

    fn white(pixels: &[u8]) -> Vec<(f64, f64)> {
        let on = (0..SIDE * SIDE).filter(|&i| pixels[i] > 0);
        on.map(|i| ((i % SIDE) as f64 + 0.5, (i / SIDE) as f64 + 0.5))
            .collect()
    }

    #[test]
    fn the_lattice_is_the_original_s() {
        let dataset = dsprites(&OpenOptions::default());
        assert_eq!(dataset.len(), 737_280);
        let distinct: std::collections::HashSet<_> = dataset.ids.iter().collect();
        assert_eq!(distinct.len(), COUNT);
        let test = dataset.indices(Split::Test).len() as f64 / COUNT as f64;
        assert!((test - 0.2).abs() < 0.005, "{test}");
        assert_eq!(dataset.ids[33], "square-s0-o00-x01-y01");
        let last = |name: &str| match &dataset
            .columns
            .iter()
            .find(|c| c.name == name)
            .map(|c| &c.values)
        {
            Some(Values::Numbers(numbers)) => (numbers[0], numbers[COUNT - 1]),
            _ => (None, None),
        };
        assert_eq!(last("scale"), (Some(0.5), Some(1.0)));
        assert_eq!(
            last("orientation"),
            (Some(0.0), Some(std::f64::consts::TAU))
        );
        assert_eq!(last("y"), (Some(0.0), Some(1.0)));
        assert!(dataset.samples.get(COUNT).is_err());
    }

    /// Whatever the orientation, a shape has its area and its centre: the factors are independent.
    #[test]
    fn areas_and_centres_do_not_depend_on_the_other_factors() {
        for shape in 0..SHAPES.len() {
            for size in 0..SCALES {
                for turn in 0..ORIENTATIONS {
                    for (x, y) in [(0, 0), (31, 7), (16, 31)] {
                        let on = white(&draw([shape, size, turn, x, y]));
                        let area = f64::from(SQUARE * SQUARE) * scale(size).powi(2);
                        let n = on.len() as f64;
                        assert!(
                            (n / area - 1.0).abs() < 0.13,
                            "{shape} {size} {turn}: {n} of {area}"
                        );
                        let centre = |i: usize| f64::from(FIRST_CENTRE) + i as f64;
                        let (mx, my) = on
                            .iter()
                            .fold((0.0, 0.0), |m, p| (m.0 + p.0 / n, m.1 + p.1 / n));
                        let off = (mx - centre(x)).hypot(my - centre(y));
                        assert!(off < 0.35, "{shape} {size} {turn}: {off} pixels off");
                        let edge = on.iter().any(|p| p.0.min(p.1) < 1.0 || p.0.max(p.1) > 63.0);
                        assert!(!edge, "{shape} {size} {turn} touches the edge");
                    }
                }
            }
        }
    }

    #[test]
    fn moving_by_a_step_is_moving_by_a_pixel() {
        let here = draw([2, 5, 7, 10, 20]);
        let there = draw([2, 5, 7, 11, 21]);
        for i in 0..SIDE * (SIDE - 1) - 1 {
            assert_eq!(here[i], there[i + SIDE + 1]);
        }
        // Both ends of the orientations show the same.
        assert_eq!(draw([2, 3, 0, 4, 4]), draw([2, 3, 39, 4, 4]));
        assert_ne!(draw([1, 3, 0, 4, 4]), draw([1, 3, 10, 4, 4]));
    }

    #[test]
    fn a_heart_points_down_and_is_the_same_on_both_sides() {
        let pixels = draw([2, 5, 0, 15, 15]);
        let row = |r: usize| {
            pixels[r * SIDE..(r + 1) * SIDE]
                .iter()
                .filter(|&&p| p > 0)
                .count()
        };
        let rows: Vec<usize> = (0..SIDE).filter(|&r| row(r) > 0).collect();
        assert!(row(rows[2]) > 2 * row(rows[rows.len() - 3]));
        for r in 0..SIDE {
            // The centre is at 31.5: column 31 − i mirrors 31 + i.
            assert!((1..31).all(|i| pixels[r * SIDE + 31 - i] == pixels[r * SIDE + 31 + i]));
        }
    }
}
