//! An image in floating point, and layers that are drawn over it.

use super::Lengths;
use super::resize::resize_box;
use crate::dataset::{Image, Pixels};
use crate::error::{Error, Result};

/// The side in pixels for which lengths are published.
const PUBLISHED_SIDE: f64 = 224.0;

/// Images below 28 pixels have the lengths of 28.
const LEAST_SCALE: f64 = 1.0 / 8.0;

/// Added before rounding down, in levels: more than rounding errors of single precision, and nothing that shows.
const SLACK: f32 = 0.02;

/// An image with values in 0..=1.
pub(super) struct Picture {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    /// `[height, width, channels]`
    pub(super) values: Vec<f32>,
    /// Largest level of the stored image: 255 or 65535.
    pub(super) levels: f32,
    /// By which published lengths are multiplied, in 1/8..=1.
    pub(super) scale: f64,
    /// Room to work in; whatever it holds may be overwritten.
    pub(super) room: Vec<f32>,
}

impl Picture {
    /// Converts an image.
    ///
    /// # Errors
    /// No pixels, or another number of values than its shape says.
    pub(super) fn read(image: &Image<'_>, lengths: Lengths) -> Result<Picture> {
        let (height, width, channels) = (image.height, image.width, image.channels);
        let (values, levels): (Vec<f32>, f32) = match &image.pixels {
            Pixels::U8(v) => {
                let values = v.iter().map(|&v| f32::from(v) * (1.0 / 255.0));
                (values.collect(), 255.0)
            }
            Pixels::U16(v) => {
                let values = v.iter().map(|&v| f32::from(v) * (1.0 / 65535.0));
                (values.collect(), 65535.0)
            }
        };
        let shape = height
            .checked_mul(width)
            .and_then(|n| n.checked_mul(channels));
        if values.is_empty() || shape != Some(values.len()) {
            return Err(Error::data(format!(
                "cannot corrupt an image of {height} × {width} pixels and {channels} channels that has {} values; give \
                 height × width × channels values, at least one",
                values.len()
            )));
        }
        let scale = match lengths {
            Lengths::Published => 1.0,
            Lengths::Scaled => (height.min(width) as f64 / PUBLISHED_SIDE).clamp(LEAST_SCALE, 1.0),
        };
        Ok(Picture {
            channels,
            height,
            width,
            values,
            levels,
            scale,
            room: vec![],
        })
    }

    /// The stored image: clipped, then rounded down to whole levels.
    pub(super) fn write(self) -> Image<'static> {
        let levels = self.levels;
        let level = self.values.iter().map(|&v| level(v, levels));
        let pixels = match levels > 255.0 {
            false => Pixels::U8(level.map(|v| v as u8).collect()),
            true => Pixels::U16(level.map(|v| v as u16).collect()),
        };
        Image {
            width: self.width,
            height: self.height,
            channels: self.channels,
            pixels,
        }
    }

    /// `[height, width, channels]`
    pub(super) fn dims(&self) -> [usize; 3] {
        [self.height, self.width, self.channels]
    }

    /// Luma of RGB, otherwise the mean of the channels, `[height, width]`.
    pub(super) fn luma(&self) -> Vec<f32> {
        match self.channels {
            1 => self.values.clone(),
            3 => {
                let (pixels, _) = self.values.as_chunks::<3>();
                pixels.iter().map(|&pixel| luma(pixel)).collect()
            }
            n => {
                let pixels = self.values.chunks_exact(n);
                let mean = |pixel: &[f32]| pixel.iter().sum::<f32>() / n as f32;
                pixels.map(mean).collect()
            }
        }
    }

    /// Changes each value by a random number of its own, which `fill` writes.
    pub(super) fn with_noise(
        &mut self,
        mut fill: impl FnMut(&mut [f32]),
        mut change: impl FnMut(f32, f32) -> f32,
    ) {
        // Few enough at once to stay in the nearest cache.
        let mut noise = [0.0; 2048];
        for values in self.values.chunks_mut(noise.len()) {
            let noise = &mut noise[..values.len()];
            fill(noise);
            for (v, noise) in values.iter_mut().zip(noise) {
                *v = change(*v, *noise);
            }
        }
    }

    /// Three equal channels from one.
    pub(super) fn grey_to_rgb(&mut self) {
        self.values = self.values.iter().flat_map(|&v| [v; 3]).collect();
        self.channels = 3;
    }

    /// Clips values and rounds them down to whole levels.
    pub(super) fn round_down(&mut self) {
        let levels = self.levels;
        for v in &mut self.values {
            *v = (level(*v, levels) as i32) as f32 / levels;
        }
    }

    /// The luma of channels of whole levels, rounded to the nearest level.
    pub(super) fn rgb_to_grey(&mut self) {
        self.round_down();
        let levels = self.levels;
        let (pixels, _) = self.values.as_chunks::<3>();
        // To the nearest level.
        let grey = pixels
            .iter()
            .map(|&pixel| level(luma(pixel) + 0.5 / levels, levels));
        self.values = grey.map(|v| v as f32 / levels).collect();
        self.channels = 1;
    }

    /// `[height, width]` of layers: as large as the image would be with published lengths.
    pub(super) fn layer_dims(&self) -> [usize; 2] {
        [self.height, self.width].map(|side| (side as f64 / self.scale).round() as usize)
    }

    /// A layer `[layer_dims]`, averaged down to the image, `[height, width]`.
    pub(super) fn reduced(&self, layer: Vec<f32>) -> Vec<f32> {
        let [height, width] = self.layer_dims();
        if [height, width] == [self.height, self.width] {
            return layer;
        }
        resize_box(&layer, [height, width, 1], [self.height, self.width])
    }
}

/// The level of a value: clipped, then rounded down.
fn level(v: f32, levels: f32) -> u32 {
    // From 2^23 to 2^24 single precision has whole numbers only, and rounds to the nearest: the last bits are the level. Unlike a cast,
    // this takes several values at once.
    let whole = v.clamp(0.0, 1.0) * levels + (SLACK - 0.5) + 12_582_912.0;
    whole.to_bits() & 0xffff
}

/// A sum, least or largest value: `f` over all values, in 16 lanes, which the compiler turns into vectors.
pub(super) fn fold(values: &[f32], start: f32, f: impl Fn(f32, f32) -> f32) -> f32 {
    let (chunks, rest) = values.as_chunks::<16>();
    let mut lanes = [start; 16];
    for chunk in chunks {
        lanes
            .iter_mut()
            .zip(chunk)
            .for_each(|(lane, v)| *lane = f(*lane, *v));
    }
    lanes.iter().chain(rest).fold(start, |a, &b| f(a, b))
}

/// The smaller number, in one instruction.
pub(super) fn least(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The larger number, in one instruction.
pub(super) fn most(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// Luma by the weights of ITU-R BT.601.
pub(super) fn luma([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}
