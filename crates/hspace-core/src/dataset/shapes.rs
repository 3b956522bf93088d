//! `builtin:shapes`: 24×24 images of blue or red squares or circles, all generating factors known.
//!
//! The smallest set on which an entangled and a disentangled space can be distinguished: every
//! combination of colour, shape, position and size occurs exactly once, so the factors are
//! independent. Square and circle of one size have the same area, so that brightness alone does
//! not tell them apart. Images are drawn when asked for, antialiased, on black.
//!
//! The column `mask` holds a mask for each image: 0 for the background, 1 for a circle, 2 for a square, at pixels of which at least half lies
//! inside.

use std::borrow::Cow;

use crate::columns::cells;
use crate::dataset::{
    Column, Dataset, Entry, Format, Image, Kind, Mask, OpenOptions, Pixels, Role, Sample,
};
use crate::dataset::{Samples, Shape, Values, split};
use crate::error::{Error, Result};

/// The line in the list of datasets.
pub const ENTRY: Entry = Entry {
    name: "builtin:shapes",
    summary: "1,600 generated 24x24 images of blue or red squares or circles, all factors known",
    source: "",
    item: Format { open },
};

/// Name of the column of masks.
const MASK: &str = "mask";
const SIDE: usize = 24;
const COLOURS: [&str; 2] = ["blue", "red"];
const SHAPES: [&str; 2] = ["circle", "square"];
/// Centres in pixels along each axis: 7, 8, ..., 16.
const PLACES: std::ops::Range<usize> = 7..17;
/// Radii of the circles in pixels: 3, 4, 5, 6.
const SIZES: std::ops::Range<usize> = 3..7;

/// The factors of one image: indices of colour and shape; centre and radius in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Factors {
    colour: usize,
    shape: usize,
    x: usize,
    y: usize,
    size: usize,
}

/// The whole lattice, the last factor fastest.
fn lattice() -> Vec<Factors> {
    let mut all = Vec::new();
    for colour in 0..COLOURS.len() {
        for shape in 0..SHAPES.len() {
            for x in PLACES {
                for y in PLACES {
                    all.extend(SIZES.map(|size| Factors {
                        colour,
                        shape,
                        x,
                        y,
                        size,
                    }));
                }
            }
        }
    }
    all
}

fn open(source: &str, options: &OpenOptions) -> Option<Result<Dataset>> {
    (source == ENTRY.name).then(|| Ok(shapes(options)))
}

fn shapes(options: &OpenOptions) -> Dataset {
    let all = lattice();
    let id = |f: &Factors| {
        let (colour, shape) = (COLOURS[f.colour], SHAPES[f.shape]);
        format!("{colour}-{shape}-x{:02}-y{:02}-r{}", f.x, f.y, f.size)
    };
    let ids: Vec<String> = all.iter().map(id).collect();
    let classes = |name: &str, names: &[&str], of: fn(&Factors) -> usize| Column {
        name: name.into(),
        role: Role::Label,
        values: Values::Classes {
            names: names.iter().map(|n| n.to_string()).collect(),
            index: all.iter().map(|f| u32::try_from(of(f)).ok()).collect(),
        },
    };
    let numbers = |name: &str, of: fn(&Factors) -> usize| Column {
        name: name.into(),
        role: Role::Factor,
        values: Values::Numbers(all.iter().map(|f| Some(of(f) as f64)).collect()),
    };
    let columns = vec![
        classes("shape", &SHAPES, |f| f.shape),
        classes("colour", &COLOURS, |f| f.colour),
        numbers("x", |f| f.x),
        numbers("y", |f| f.y),
        numbers("size", |f| f.size),
        Column {
            name: MASK.into(),
            role: Role::Mask,
            values: cells::classes(&ids),
        },
    ];
    Dataset {
        name: ENTRY.name.into(),
        kind: Kind::Photo,
        shape: Shape::Image {
            channels: 3,
            height: SIDE,
            width: SIDE,
        },
        split: split::by_hash(&ids, options.holdout),
        ids,
        columns,
        bad: Vec::new(),
        reading: Default::default(),
        samples: Box::new(Drawn(all)),
    }
}

struct Drawn(Vec<Factors>);

impl Drawn {
    fn factors(&self, index: usize) -> Result<&Factors> {
        let factors = self.0.get(index);
        factors.ok_or_else(|| Error::data(format!("there is no sample {index}")))
    }
}

impl Samples for Drawn {
    fn get(&self, index: usize) -> Result<Sample<'_>> {
        let factors = self.factors(index)?;
        Ok(Sample::Image(Image {
            width: SIDE,
            height: SIDE,
            channels: 3,
            pixels: Pixels::U8(Cow::Owned(draw(factors))),
        }))
    }

    fn mask(&self, index: usize, _: &str) -> Result<Mask> {
        let factors = self.factors(index)?;
        let class = |points: usize| match 2 * points >= POINTS * POINTS {
            true => 1 + factors.shape as u8,
            false => 0,
        };
        Ok(Mask {
            width: SIDE,
            height: SIDE,
            classes: points_inside(factors).map(class).collect(),
        })
    }
}

/// Points along each side of a pixel.
const POINTS: usize = 4;

/// Of each pixel `[24, 24]` how many of its 4×4 points lie inside the shape.
fn points_inside(f: &Factors) -> impl Iterator<Item = usize> {
    let f = *f;
    let radius = f.size as f32;
    let half_side = radius * std::f32::consts::PI.sqrt() / 2.0;
    let inside = move |x: f32, y: f32| match SHAPES[f.shape] {
        "circle" => x * x + y * y <= radius * radius,
        _ => x.abs().max(y.abs()) <= half_side,
    };
    let offset = move |i: usize, centre: usize| (i as f32 + 0.5) / POINTS as f32 - centre as f32;
    (0..SIDE * SIDE).map(move |i| {
        let (row, col) = (i / SIDE * POINTS, i % SIDE * POINTS);
        let point =
            |k: &usize| inside(offset(col + k % POINTS, f.x), offset(row + k / POINTS, f.y));
        (0..POINTS * POINTS).filter(point).count()
    })
}

/// Draws one image `[24, 24, 3]`; each pixel is the mean of 4×4 points in it.
fn draw(f: &Factors) -> Vec<u8> {
    let channel = if COLOURS[f.colour] == "red" { 0 } else { 2 };
    let mut pixels = vec![0; SIDE * SIDE * 3];
    for (pixel, points) in pixels.chunks_exact_mut(3).zip(points_inside(f)) {
        pixel[channel] = (255 * points / (POINTS * POINTS)) as u8;
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Split;

    #[test]
    fn the_lattice_is_full_and_split() {
        let dataset = shapes(&OpenOptions::default());
        assert_eq!(dataset.len(), 1_600);
        let distinct: std::collections::HashSet<_> = dataset.ids.iter().collect();
        assert_eq!(distinct.len(), 1_600);
        let test = dataset.indices(Split::Test).len();
        assert!((250..390).contains(&test), "{test}");
        assert!(
            dataset
                .columns
                .iter()
                .all(|c| c.name != "shape" || c.role == Role::Label)
        );
    }

    #[test]
    fn a_mask_has_the_class_of_the_shape_where_the_image_is_bright() {
        let dataset = shapes(&OpenOptions::default());
        assert_eq!(dataset.columns.last().map(|c| c.role), Some(Role::Mask));
        for index in [0, 777, 1_599] {
            let mask = dataset.samples.mask(index, MASK).unwrap();
            let f = lattice()[index];
            assert!(mask.classes.contains(&(1 + f.shape as u8)) && mask.classes.contains(&0));
            for (class, pixel) in mask.classes.iter().zip(draw(&f).chunks_exact(3)) {
                let bright = pixel.iter().any(|&x| x >= 127);
                assert_eq!(*class, u8::from(bright) * (1 + f.shape as u8));
            }
        }
    }

    #[test]
    fn shapes_stay_inside_and_have_the_areas_they_should() {
        for f in lattice() {
            let pixels = draw(&f);
            let channel = if f.colour == 1 { 0 } else { 2 };
            let on: f64 = pixels.iter().map(|&p| f64::from(p) / 255.0).sum();
            let area = std::f64::consts::PI * (f.size * f.size) as f64;
            assert!((on / area - 1.0).abs() < 0.08, "{f:?}: {on} of {area}");
            for (i, pixel) in pixels.chunks_exact(3).enumerate() {
                let edge =
                    [0, SIDE - 1].contains(&(i / SIDE)) || [0, SIDE - 1].contains(&(i % SIDE));
                assert!(!edge || pixel == [0; 3], "{f:?} touches the edge");
                assert!((0..3).all(|c| c == channel || pixel[c] == 0));
            }
        }
    }
}
