//! Snow and fog.

use super::blur::MotionBlur;
use super::draw::{Normals, centred};
use super::filter::{Border, convolve};
use super::picture::{Picture, fold, least, most};
use super::zoom::{Enlarged, add_enlarged};
use super::{CorruptionKind, Entry, Operation};
use crate::views::Draws;

const KIND: CorruptionKind = CorruptionKind {
    family: "weather",
    is_random: true,
};

pub(super) const SNOW: Entry = Entry {
    name: "snow",
    summary: "falling snow, blurred by its motion, and less colour",
    source: "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261",
    item: KIND,
};

pub(super) const FOG: Entry = Entry {
    name: "fog",
    summary: "fog: a fractal of the diamond-square algorithm",
    source: "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261",
    item: KIND,
};

#[derive(Debug)]
pub(super) struct Snow {
    /// Mean of the noise that becomes flakes.
    pub(super) mean: f32,
    /// Its standard deviation.
    pub(super) std: f32,
    /// Pixels of a flake.
    pub(super) size: f64,
    /// Noise below it is no flake.
    pub(super) threshold: f32,
    /// Motion of the flakes.
    pub(super) motion: MotionBlur,
    /// Weight of the image, against the image without colour and brighter.
    pub(super) keep: f32,
}

impl Operation for Snow {
    fn apply(&self, picture: &mut Picture, draws: &mut Draws) {
        let [height, width] = picture.layer_dims();
        let flakes = self.flakes([height, width], draws);
        let turned = flakes.iter().rev();
        let both = flakes.iter().zip(turned).map(|(a, b)| a + b).collect();
        let snow = picture.reduced(both);
        let bright = picture.luma();
        let pixels = picture.values.chunks_exact_mut(picture.channels);
        for ((pixel, bright), snow) in pixels.zip(bright).zip(snow) {
            let bright = 1.5 * bright + 0.5;
            for v in pixel {
                *v = self.keep * *v + (1.0 - self.keep) * v.max(bright) + snow;
            }
        }
    }
}

impl Snow {
    /// Blurred flakes in 0..=1, `[height, width]`.
    fn flakes(&self, dims: [usize; 2], draws: &mut Draws) -> Vec<f32> {
        let [height, width] = dims;
        let mut noise = vec![0.0; height * width];
        // Only the rows that are enlarged need noise.
        let rows = Enlarged::new(height, self.size, 1.0).part;
        Normals::new().fill(
            draws,
            &mut noise[rows[0] * width..(rows[0] + rows[1]) * width],
        );
        noise
            .iter_mut()
            .for_each(|v| *v = self.mean + self.std * *v);
        let mut flakes = vec![0.0; height * width];
        add_enlarged(&mut flakes, &noise, [height, width, 1], self.size, 1.0);
        for v in &mut flakes {
            *v = if *v < self.threshold { 0.0 } else { v.min(1.0) };
        }
        let angle = draws.between([-135.0, -45.0]);
        let taps = self.motion.taps(angle, 1.0);
        convolve(
            &mut flakes,
            [height, width, 1],
            &taps,
            Border::Clamp,
            &mut noise,
        );
        flakes
    }
}

#[derive(Debug)]
pub(super) struct Fog {
    /// Added brightness of the densest fog.
    pub(super) strength: f32,
    /// By which random heights shrink where the distance of points is halved; 1 would be roughest.
    pub(super) decay: f32,
}

impl Operation for Fog {
    fn apply(&self, picture: &mut Picture, draws: &mut Draws) {
        let side = picture.height.max(picture.width).next_power_of_two();
        let heights = fractal(side, self.decay, draws);
        let largest = fold(&picture.values, 0.0, most);
        let keep = match largest > 0.0 {
            true => largest / (largest + self.strength),
            false => 0.0,
        };
        let row = picture.width * picture.channels;
        let rows = picture.values.chunks_exact_mut(row);
        for (row, heights) in rows.zip(heights.chunks_exact(side)) {
            for (pixel, height) in row.chunks_exact_mut(picture.channels).zip(heights) {
                for v in pixel {
                    *v = keep * (*v + self.strength * height);
                }
            }
        }
    }
}

/// Heights of a fractal landscape in 0..=1, `[side, side]`, of which opposite borders meet; `side` is a power of two.
///
/// The diamond-square algorithm (Fournier, Fussell & Carpenter 1982): the middle of a square, then of each edge, is the mean of its four
/// neighbours and a random number.
pub(super) fn fractal(side: usize, decay: f32, draws: &mut Draws) -> Vec<f32> {
    let mut heights = vec![0.0_f32; side * side];
    let mut random = centred(draws, side * side, 1.0).into_iter();
    let wrap = side - 1;
    // The published code multiplies two factors that both shrink.
    let mut range = 1.0_f32;
    let mut step = side;
    while step >= 2 {
        let half = step / 2;
        let mut around = |a: f32, b: f32, c: f32, d: f32| {
            0.25 * (a + b + c + d) + range * random.next().unwrap_or(0.0)
        };
        for y in (0..side).step_by(step) {
            let (row, next) = (y * side, ((y + step) & wrap) * side);
            for x in (0..side).step_by(step) {
                let right = (x + step) & wrap;
                let corners = [row + x, row + right, next + x, next + right];
                let [a, b, c, d] = corners.map(|at| heights[at]);
                heights[row + half * side + x + half] = around(a, b, c, d);
            }
        }
        for y in (0..side).step_by(half) {
            let row = y * side;
            let (above, below) = (
                ((y + side - half) & wrap) * side,
                ((y + half) & wrap) * side,
            );
            let first = if y & half == 0 { half } else { 0 };
            for x in (first..side).step_by(step) {
                let (left, right) = (row + ((x + side - half) & wrap), row + ((x + half) & wrap));
                let [a, b, c, d] = [above + x, below + x, left, right].map(|at| heights[at]);
                heights[row + x] = around(a, b, c, d);
            }
        }
        step = half;
        range /= decay * decay;
    }
    let low = fold(&heights, f32::INFINITY, least);
    let high = fold(&heights, f32::NEG_INFINITY, most);
    let per_range = if high > low { 1.0 / (high - low) } else { 0.0 };
    heights.iter_mut().for_each(|v| *v = per_range * (*v - low));
    heights
}
