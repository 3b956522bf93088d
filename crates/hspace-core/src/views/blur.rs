//! Gaussian blur, one direction after the other.
//!
//! Weights are `exp(-x² / 2σ²)` up to three standard deviations, normalised; beyond the border the
//! picture is continued by its mirror image. Truncation leaves out 0.3 % of the mass.

use serde::{Deserialize, Serialize};

use super::config::Problems;
use super::{Canvas, Draws, Takes, View, ViewEntry, ViewOperation};

pub(super) const ENTRY: ViewEntry = ViewEntry {
    name: "blur",
    summary: "Gaussian blur",
    source: "Chen et al. 2020 (SimCLR), arXiv:2002.05709",
    item: ViewOperation {
        takes: Takes::Images,
        of: |config| &config.blur,
        show: |config| {
            config.blur.p = 1.0;
            config.blur.sigma = [10.0, 14.0];
        },
    },
};

/// Settings of the blur.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Blur {
    /// Probability.
    pub p: f64,
    /// Standard deviation, least and most, in pixels of a picture 224 pixels high. It is scaled
    /// with the height, so that small pictures keep what large ones do.
    pub sigma: [f64; 2],
}

impl Default for Blur {
    fn default() -> Self {
        Blur {
            p: 0.0,
            sigma: [0.1, 2.0],
        }
    }
}

impl View for Blur {
    fn on(&self) -> bool {
        self.p > 0.0
    }

    fn validate(&self) -> Vec<String> {
        Problems::default()
            .probability("p", self.p)
            .range("sigma", self.sigma, [1e-3, 100.0])
            .list()
    }

    fn image(&self, canvas: &mut Canvas, draws: &mut Draws) {
        if draws.chance(self.p) {
            let sigma = draws.between(self.sigma) * canvas.height as f64 / 224.0;
            blur(canvas, sigma);
        }
    }
}

/// The middle weight and those to one side.
fn weights(sigma: f64, longest: usize) -> Vec<f32> {
    let reach = ((3.0 * sigma).ceil() as usize).min(longest);
    let raw: Vec<f64> = (0..=reach)
        .map(|x| (-0.5 * (x as f64 / sigma).powi(2)).exp())
        .collect();
    let sum = 2.0 * raw.iter().sum::<f64>() - raw[0];
    raw.iter().map(|w| (w / sum) as f32).collect()
}

/// Blurs by `sigma` pixels.
fn blur(canvas: &mut Canvas, sigma: f64) {
    let (height, width) = (canvas.height, canvas.width);
    // A mirror image is as long as the picture, less the border itself.
    let weights = weights(sigma, height.min(width) - 1);
    let reach = weights.len() - 1;
    if reach == 0 {
        return;
    }
    let room = width + 2 * reach;
    canvas.spare.clear();
    canvas.spare.resize(height * width + room, 0.0);
    let (columns, row) = canvas.spare.split_at_mut(height * width);
    for plane in canvas.pixels.chunks_exact_mut(height * width) {
        for (y, to) in columns.chunks_exact_mut(width).enumerate() {
            let source = |y: usize| &plane[y * width..(y + 1) * width];
            for (to, from) in to.iter_mut().zip(source(y)) {
                *to = weights[0] * from;
            }
            for (x, w) in weights.iter().enumerate().skip(1) {
                let above = source(y.abs_diff(x));
                let below = source(mirror(y + x, height));
                for ((to, a), b) in to.iter_mut().zip(above).zip(below) {
                    *to += w * (a + b);
                }
            }
        }
        for (from, to) in columns
            .chunks_exact(width)
            .zip(plane.chunks_exact_mut(width))
        {
            row[reach..reach + width].copy_from_slice(from);
            for x in 1..=reach {
                row[reach - x] = from[x];
                row[reach + width - 1 + x] = from[width - 1 - x];
            }
            for (to, from) in to.iter_mut().zip(&row[reach..]) {
                *to = weights[0] * from;
            }
            for (x, w) in weights.iter().enumerate().skip(1) {
                for ((to, a), b) in to.iter_mut().zip(&row[reach - x..]).zip(&row[reach + x..]) {
                    *to += w * (a + b);
                }
            }
        }
    }
}

/// Index `i` reflected at the last of `n` entries.
fn mirror(i: usize, n: usize) -> usize {
    if i < n { i } else { 2 * n - 2 - i }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blurred(height: usize, width: usize, sigma: f64, pixels: &[f32]) -> Vec<f32> {
        let mut out = pixels.to_vec();
        let mut canvas = Canvas {
            channels: pixels.len() / (height * width),
            height,
            width,
            pixels: &mut out,
            spare: &mut Vec::new(),
        };
        blur(&mut canvas, sigma);
        out
    }

    #[test]
    fn agrees_with_its_obvious_twin() {
        let (height, width) = (9, 13);
        let pixels: Vec<f32> = (0..2 * height * width)
            .map(|i| (i * 37 % 101) as f32 / 101.0)
            .collect();
        for sigma in [0.3, 0.9, 1.7] {
            let out = blurred(height, width, sigma, &pixels);
            let reach = (3.0 * sigma).ceil() as isize;
            let weight = |d: isize| (-0.5 * (d as f64 / sigma).powi(2)).exp();
            let at = |i: isize, n: usize| mirror(i.unsigned_abs(), n);
            for (i, value) in out.iter().enumerate() {
                let (plane, y, x) = (i / (height * width), i / width % height, i % width);
                let (mut sum, mut mass) = (0.0, 0.0);
                for dy in -reach..=reach {
                    for dx in -reach..=reach {
                        let (y, x) = (at(y as isize + dy, height), at(x as isize + dx, width));
                        let w = weight(dy) * weight(dx);
                        sum += w * f64::from(pixels[(plane * height + y) * width + x]);
                        mass += w;
                    }
                }
                assert!((f64::from(*value) - sum / mass).abs() < 1e-5, "{i}");
            }
        }
    }

    #[test]
    fn flat_pictures_and_tiny_ones_survive() {
        for (height, width) in [(1, 1), (1, 7), (2, 3), (32, 32)] {
            let out = blurred(height, width, 3.0, &vec![0.5; height * width]);
            assert!(out.iter().all(|v| (v - 0.5).abs() < 1e-5));
        }
    }
}
