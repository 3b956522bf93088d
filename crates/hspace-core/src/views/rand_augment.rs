//! RandAugment: a few operations drawn from a list, each at a random magnitude.
//!
//! The list and the ranges are those of FixMatch (Sohn et al. 2020, arXiv:2001.07685, appendix E), which draws the magnitude of each
//! operation afresh within its range; the operations are Pillow's. We compute in floating point, where Pillow rounds to 8 bits, except for
//! `equalize` and `posterize`, which are made of them; rotation, shear and shift interpolate linearly and fill with grey. The identity of
//! the paper's list is what happens with probability 1 − `p`.

use serde::{Deserialize, Serialize};

use super::affine::Map;
use super::color::{adjust_brightness, adjust_contrast, adjust_saturation};
use super::config::Problems;
use super::solarize::solarize;
use super::{Canvas, Draws, Takes, View, ViewEntry, ViewOperation};

pub(super) const ENTRY: ViewEntry = ViewEntry {
    name: "rand_augment",
    summary: "a few operations of a list, at random strength",
    source: "Cubuk et al. 2019, arXiv:1909.13719; Sohn et al. 2020 (FixMatch)",
    item: ViewOperation {
        takes: Takes::Images,
        of: |config| &config.rand_augment,
        show: |config| config.rand_augment.operations = 3,
    },
};

/// Settings of RandAugment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandAugment {
    /// Operations drawn for each view, one after the other; 0: none.
    pub operations: usize,
    /// Probability that a drawn operation is done.
    pub p: f64,
    /// Largest magnitude, as a share of the paper's ranges.
    pub magnitude: f64,
}

impl Default for RandAugment {
    fn default() -> Self {
        RandAugment {
            operations: 0,
            p: 1.0,
            magnitude: 1.0,
        }
    }
}

impl View for RandAugment {
    fn on(&self) -> bool {
        self.operations > 0 && self.p > 0.0
    }

    fn validate(&self) -> Vec<String> {
        Problems::default()
            .within("operations", self.operations as f64, [0.0, 100.0])
            .probability("p", self.p)
            .within("magnitude", self.magnitude, [0.0, 1.0])
            .list()
    }

    fn image(&self, canvas: &mut Canvas, draws: &mut Draws) {
        for _ in 0..self.operations {
            let operation = OPERATIONS[draws.below(OPERATIONS.len())];
            let strength = self.magnitude * draws.uniform();
            let sign = if draws.chance(0.5) { 1.0 } else { -1.0 };
            if draws.chance(self.p) {
                operation(canvas, strength, sign);
            }
        }
    }
}

/// Changes a picture by a strength in 0..=1 and a sign of ±1; some take no sign, some neither.
type Operation = fn(&mut Canvas, f64, f64);

/// What is drawn from.
const OPERATIONS: [Operation; 13] = [
    |canvas, _, _| auto_contrast(canvas),
    |canvas, _, _| equalize(canvas),
    |canvas, strength, sign| {
        let degrees = 30.0 * strength * sign;
        Map {
            degrees,
            ..Map::STILL
        }
        .apply(canvas, FILL);
    },
    |canvas, strength, sign| {
        let shear = (0.3 * strength * sign).atan().to_degrees();
        Map {
            shear,
            ..Map::STILL
        }
        .apply(canvas, FILL);
    },
    |canvas, strength, sign| {
        let shear_y = (0.3 * strength * sign).atan().to_degrees();
        Map {
            shear_y,
            ..Map::STILL
        }
        .apply(canvas, FILL);
    },
    |canvas, strength, sign| {
        let shift = [0.3 * strength * sign, 0.0];
        Map {
            shift,
            ..Map::STILL
        }
        .apply(canvas, FILL);
    },
    |canvas, strength, sign| {
        let shift = [0.0, 0.3 * strength * sign];
        Map {
            shift,
            ..Map::STILL
        }
        .apply(canvas, FILL);
    },
    |canvas, strength, _| solarize(canvas.pixels, 1.0 - strength as f32),
    |canvas, strength, _| posterize(canvas.pixels, 8 - (4.0 * strength).round() as u32),
    |canvas, strength, _| adjust_brightness(canvas.pixels, factor(strength)),
    |canvas, strength, _| adjust_contrast(canvas, factor(strength)),
    |canvas, strength, _| adjust_saturation(canvas, factor(strength)),
    |canvas, strength, _| sharpness(canvas, factor(strength)),
];

/// What comes in from outside: grey.
const FILL: f32 = 0.5;

/// From 1, the picture as it is, down to .05.
fn factor(strength: f64) -> f32 {
    (1.0 - 0.95 * strength) as f32
}

/// Stretches each channel to 0..=1.
fn auto_contrast(canvas: &mut Canvas) {
    let plane = canvas.plane();
    for channel in canvas.pixels.chunks_exact_mut(plane) {
        let low = channel.iter().copied().fold(f32::INFINITY, f32::min);
        let high = channel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if high > low {
            let scale = 1.0 / (high - low);
            channel
                .iter_mut()
                .for_each(|v| *v = ((*v - low) * scale).clamp(0.0, 1.0));
        }
    }
}

fn byte(value: f32) -> usize {
    (value * 255.0).round().clamp(0.0, 255.0) as usize
}

/// Makes the values of each channel about equally frequent, as `PIL.ImageOps.equalize`.
fn equalize(canvas: &mut Canvas) {
    let plane = canvas.plane();
    for channel in canvas.pixels.chunks_exact_mut(plane) {
        let mut counts = [0usize; 256];
        channel.iter().for_each(|&v| counts[byte(v)] += 1);
        let last = counts.iter().rev().find(|&&n| n > 0).copied().unwrap_or(0);
        let step = (plane - last) / 255;
        if step == 0 {
            continue;
        }
        let mut before = step / 2;
        let table = counts.map(|count| {
            let value = (before / step).min(255);
            before += count;
            value as f32 / 255.0
        });
        channel.iter_mut().for_each(|v| *v = table[byte(*v)]);
    }
}

/// Keeps the highest `bits` of 8.
fn posterize(pixels: &mut [f32], bits: u32) {
    let mask = 0xff << (8 - bits) & 0xff;
    pixels
        .iter_mut()
        .for_each(|v| *v = (byte(*v) & mask) as f32 / 255.0);
}

/// Blends with the smoothed picture: 0 is that, 1 the picture as it is, 2 as much sharper. The outermost pixels stay
/// (`PIL.ImageEnhance.Sharpness`).
fn sharpness(canvas: &mut Canvas, factor: f32) {
    let (height, width, plane) = (canvas.height, canvas.width, canvas.plane());
    for channel in canvas.pixels.chunks_exact_mut(plane) {
        canvas.spare.clear();
        canvas.spare.extend_from_slice(channel);
        let at = |y: usize, x: usize| canvas.spare[y * width + x];
        for y in 1..height.saturating_sub(1) {
            for x in 1..width.saturating_sub(1) {
                let row = |y: usize| at(y, x - 1) + at(y, x) + at(y, x + 1);
                let own = at(y, x);
                let smooth = (row(y - 1) + row(y) + row(y + 1) + 4.0 * own) / 13.0;
                channel[y * width + x] = (smooth + factor * (own - smooth)).clamp(0.0, 1.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 24 × 24 values of one channel, as bytes: (7 i² + 3 i) mod 199 + 20.
    fn bytes() -> Vec<usize> {
        (0..576).map(|i| (7 * i * i + 3 * i) % 199 + 20).collect()
    }

    fn changed(by: impl Fn(&mut Canvas)) -> Vec<usize> {
        let mut pixels: Vec<f32> = bytes().iter().map(|&b| b as f32 / 255.0).collect();
        let mut canvas = Canvas {
            channels: 1,
            height: 24,
            width: 24,
            pixels: &mut pixels,
            spare: &mut vec![],
        };
        by(&mut canvas);
        pixels.into_iter().map(byte).collect()
    }

    /// Checksums of Pillow's results: tests/golden/rand_augment.py.
    fn checksum(bytes: &[usize]) -> usize {
        bytes
            .iter()
            .fold(0, |sum, &b| (sum * 31 + b) % 1_000_000_007)
    }

    #[test]
    fn operations_are_pillow_s() {
        assert_eq!(checksum(&bytes()), GOLDEN[0]);
        assert_eq!(checksum(&changed(equalize)), GOLDEN[1]);
        assert_eq!(checksum(&changed(|c| posterize(c.pixels, 5))), GOLDEN[2]);
        let solarized = changed(|c| solarize(c.pixels, 128.0 / 255.0));
        assert_eq!(checksum(&solarized), GOLDEN[3]);
        // These Pillow rounds, and so by one of 255: sums of the values.
        for (found, golden) in [
            (changed(auto_contrast), GOLDEN[4]),
            (changed(|c| sharpness(c, 0.3)), GOLDEN[5]),
            (changed(|c| sharpness(c, 1.7)), GOLDEN[6]),
        ] {
            let sum: usize = found.iter().enumerate().map(|(i, b)| (i % 7 + 1) * b).sum();
            assert!(sum.abs_diff(golden) < 576 * 2, "{sum} {golden}");
        }
    }

    const GOLDEN: [usize; 7] = [
        685_694_424,
        897_285_268,
        853_786_995,
        240_887_025,
        283_479,
        265_599,
        267_468,
    ];

    #[test]
    fn a_channel_of_one_value_stays() {
        let mut pixels = [0.25; 16];
        let mut canvas = Canvas {
            channels: 1,
            height: 4,
            width: 4,
            pixels: &mut pixels,
            spare: &mut vec![],
        };
        auto_contrast(&mut canvas);
        equalize(&mut canvas);
        sharpness(&mut canvas, 1.9);
        assert!(pixels.iter().all(|v| (v - 0.25).abs() < 1e-6));
    }
}
