//! Ice crystals on a window.
//!
//! ImageNet-C blends the image with a part of one of five photographs. They cannot be shipped, so we draw feathers of ice on glass that is
//! unevenly white. Their mean brightness, contrast and tint are in the range of the photographs' (measured on crops of 224 pixels: means 0.44
//! to 0.80, standard deviations 0.06 to 0.14, more blue than red).

use super::blur::gaussian_blur;
use super::picture::{Picture, fold};
use super::weather::fractal;
use super::{CorruptionKind, Entry, Operation};
use crate::views::Draws;

pub(super) const ENTRY: Entry = Entry {
    name: "frost",
    summary: "ice crystals, drawn by us where ImageNet-C has photographs",
    source: "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261",
    item: CorruptionKind {
        family: "weather",
        is_random: true,
    },
};

#[derive(Debug)]
pub(super) struct Frost {
    /// Weight of the image.
    pub(super) keep: f32,
    /// Weight of the ice.
    pub(super) ice: f32,
}

/// Added to red, green and blue ice.
const TINT: [f32; 3] = [-0.05, 0.01, 0.04];

/// Mean brightness of ice, drawn between these.
const BRIGHTNESS: [f64; 2] = [0.45, 0.8];

/// Standard deviation of its brightness.
const CONTRAST: f32 = 0.11;

/// Pixels for each feather.
const PER_FEATHER: usize = 170;

impl Operation for Frost {
    fn apply(&self, picture: &mut Picture, draws: &mut Draws) {
        let ice = picture.reduced(ice(picture.layer_dims(), draws));
        let tint = match picture.channels {
            3 => TINT.to_vec(),
            n => vec![0.0; n],
        };
        let pixels = picture.values.chunks_exact_mut(picture.channels);
        for (pixel, ice) in pixels.zip(ice) {
            for (v, tint) in pixel.iter_mut().zip(&tint) {
                *v = self.keep * *v + self.ice * (ice + tint).clamp(0.0, 1.0);
            }
        }
    }
}

/// Brightness of ice, `[height, width]`.
fn ice([height, width]: [usize; 2], draws: &mut Draws) -> Vec<f32> {
    let side = height.max(width).next_power_of_two();
    let glass = fractal(side, 1.6, draws);
    let mut crystals = vec![0.0; height * width];
    for _ in 0..(height * width).div_ceil(PER_FEATHER) {
        feather(&mut crystals, [height, width], draws);
    }
    gaussian_blur(&mut crystals, [height, width, 1], 0.6, 1.0, &mut vec![]);
    let rows = crystals.chunks_exact(width).zip(glass.chunks_exact(side));
    let both = rows.flat_map(|(crystals, glass)| {
        let pixels = crystals.iter().zip(glass);
        pixels.map(|(crystal, glass)| crystal + 0.5 * glass)
    });
    let both: Vec<f32> = both.collect();
    let n = both.len() as f32;
    let mean = fold(&both, 0.0, |a, b| a + b) / n;
    let squares: Vec<f32> = both.iter().map(|v| (v - mean).powi(2)).collect();
    let variance = fold(&squares, 0.0, |a, b| a + b) / n;
    let brightness = draws.between(BRIGHTNESS) as f32;
    let factor = CONTRAST / variance.sqrt().max(1e-3);
    let level = |v: f32| brightness + factor * (v - mean);
    both.into_iter().map(level).collect()
}

/// A stem with needles at 60° to both sides, shorter towards its end.
fn feather(crystals: &mut [f32], [height, width]: [usize; 2], draws: &mut Draws) {
    let root = [height, width].map(|side| draws.between([0.0, side as f64]) as f32);
    let angle = draws.between([0.0, std::f64::consts::TAU]) as f32;
    let length = draws.between([10.0, 55.0]) as f32;
    let brightness = draws.between([0.3, 1.0]) as f32;
    let mut line = |from: [f32; 2], angle: f32, length: f32, brightness: f32| {
        let (sin, cos) = angle.sin_cos();
        for i in 0..length as usize {
            let [y, x] = [from[0] + i as f32 * sin, from[1] + i as f32 * cos];
            if y >= 0.0 && x >= 0.0 && (y as usize) < height && (x as usize) < width {
                let at = &mut crystals[y as usize * width + x as usize];
                *at = at.max(brightness * (1.0 - 0.5 * i as f32 / length));
            }
        }
    };
    line(root, angle, length, brightness);
    let side = std::f32::consts::FRAC_PI_3;
    for i in (2..length as usize).step_by(3) {
        let along = i as f32;
        let from = [root[0] + along * angle.sin(), root[1] + along * angle.cos()];
        let needle = (length - along) * draws.between([0.2, 0.45]) as f32;
        line(from, angle + side, needle, 0.8 * brightness);
        line(from, angle - side, needle, 0.8 * brightness);
    }
}
