//! Brightness, contrast, gamma and saturation.

use super::picture::{Picture, luma};
use super::{CorruptionKind, Entry, Operation};
use crate::views::Draws;

const KIND: CorruptionKind = CorruptionKind {
    family: "intensity",
    is_random: false,
};

const IMAGENET_C: &str = "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261";
const MEDMNIST_C: &str = "Di Salvo et al. 2024 (MedMNIST-C), arXiv:2406.17536";

/// A line of the list.
const fn entry(name: &'static str, summary: &'static str, source: &'static str) -> Entry {
    Entry {
        name,
        summary,
        source,
        item: KIND,
    }
}

pub(super) const BRIGHTNESS: Entry = entry(
    "brightness",
    "brighter: a constant added to the value of HSV",
    IMAGENET_C,
);
pub(super) const CONTRAST: Entry = entry(
    "contrast",
    "less contrast, about the mean of each channel",
    IMAGENET_C,
);
pub(super) const SATURATE: Entry = entry("saturate", "less or more saturation of HSV", IMAGENET_C);
pub(super) const BRIGHTNESS_UP: Entry = entry("brightness_up", "brighter by a factor", MEDMNIST_C);
pub(super) const BRIGHTNESS_DOWN: Entry =
    entry("brightness_down", "darker by a factor", MEDMNIST_C);
pub(super) const CONTRAST_UP: Entry = entry(
    "contrast_up",
    "more contrast, about the mean luma",
    MEDMNIST_C,
);
pub(super) const CONTRAST_DOWN: Entry = entry(
    "contrast_down",
    "less contrast, about the mean luma",
    MEDMNIST_C,
);
pub(super) const GAMMA_UP: Entry = entry(
    "gamma_corr_up",
    "darker: values to a power above 1",
    MEDMNIST_C,
);
pub(super) const GAMMA_DOWN: Entry = entry(
    "gamma_corr_down",
    "brighter: values to a power below 1",
    MEDMNIST_C,
);

#[derive(Debug)]
pub(super) struct AddValue {
    /// Added to the value of HSV, in 0..=1.
    pub(super) value: f32,
}

impl Operation for AddValue {
    /// Hue and saturation stay, so all channels of a pixel are multiplied by one factor.
    fn apply(&self, picture: &mut Picture, _: &mut Draws) {
        each_pixel(picture, |pixel| {
            let value = largest(pixel);
            let brighter = (value + self.value).min(1.0);
            let factor = brighter / value;
            for v in pixel {
                *v = if value > 0.0 { *v * factor } else { brighter };
            }
        });
    }
}

#[derive(Debug)]
pub(super) struct Saturate {
    /// By which the saturation of HSV is multiplied.
    pub(super) factor: f32,
    /// Then added to it.
    pub(super) shift: f32,
}

impl Operation for Saturate {
    /// Hue and value stay. Grey has the hue 0, which is red.
    fn apply(&self, picture: &mut Picture, _: &mut Draws) {
        each_pixel(picture, |pixel| {
            let value = largest(pixel);
            let least = pixel.iter().fold(value, |a: f32, &v| a.min(v));
            let range = value - least;
            // Saturation is range / value.
            let wanted = (self.factor * range + self.shift * value).clamp(0.0, value);
            if range > 0.0 {
                let factor = wanted / range;
                for v in pixel {
                    *v = value - factor * (value - *v);
                }
            } else {
                pixel.iter_mut().skip(1).for_each(|v| *v -= wanted);
            }
        });
    }
}

/// Changes each pixel; the compiler unrolls what is done to RGB.
fn each_pixel(picture: &mut Picture, change: impl Fn(&mut [f32])) {
    match picture.channels {
        3 => {
            let (pixels, _) = picture.values.as_chunks_mut::<3>();
            pixels.iter_mut().for_each(|pixel| change(pixel));
        }
        n => picture.values.chunks_exact_mut(n).for_each(change),
    }
}

fn largest(pixel: &[f32]) -> f32 {
    pixel.iter().fold(0.0, |a: f32, &v| a.max(v))
}

#[derive(Debug)]
pub(super) struct ChannelContrast {
    /// By which differences from a channel's mean are multiplied.
    pub(super) factor: f32,
}

impl Operation for ChannelContrast {
    fn apply(&self, picture: &mut Picture, _: &mut Draws) {
        let shifts = means(picture).into_iter();
        let shifts: Vec<f32> = shifts.map(|mean| (1.0 - self.factor) * mean).collect();
        each_pixel(picture, |pixel| {
            for (v, shift) in pixel.iter_mut().zip(&shifts) {
                *v = self.factor * *v + shift;
            }
        });
    }
}

#[derive(Debug)]
pub(super) struct Brightness {
    /// By which all values are multiplied.
    pub(super) factor: f32,
}

impl Operation for Brightness {
    fn apply(&self, picture: &mut Picture, _: &mut Draws) {
        picture.values.iter_mut().for_each(|v| *v *= self.factor);
    }
}

#[derive(Debug)]
pub(super) struct Contrast {
    /// By which differences from the mean luma are multiplied.
    pub(super) factor: f32,
}

impl Operation for Contrast {
    fn apply(&self, picture: &mut Picture, _: &mut Draws) {
        let means = means(picture);
        let mean = match means[..] {
            [r, g, b] => luma([r, g, b]),
            _ => means.iter().sum::<f32>() / means.len() as f32,
        };
        let shift = (1.0 - self.factor) * mean;
        let values = picture.values.iter_mut();
        values.for_each(|v| *v = self.factor * *v + shift);
    }
}

#[derive(Debug)]
pub(super) struct Gamma {
    /// The exponent.
    pub(super) gamma: f32,
}

impl Operation for Gamma {
    fn apply(&self, picture: &mut Picture, _: &mut Draws) {
        let levels = picture.levels as usize;
        if picture.values.len() <= levels {
            let values = picture.values.iter_mut();
            values.for_each(|v| *v = v.powf(self.gamma));
            return;
        }
        let power = |level| (level as f32 / picture.levels).powf(self.gamma);
        let table: Vec<f32> = (0..=levels).map(power).collect();
        for v in &mut picture.values {
            *v = table[(*v * picture.levels + 0.5) as usize];
        }
    }
}

/// The mean of each channel.
fn means(picture: &Picture) -> Vec<f32> {
    let n = picture.channels;
    let mut means = vec![0.0_f64; n];
    for row in picture.values.chunks_exact(picture.width * n) {
        // Values of a row, in single precision.
        let mut sums = vec![0.0_f32; n];
        if let (3, (pixels, _)) = (n, row.as_chunks::<3>()) {
            let mut sum = [0.0; 3];
            for pixel in pixels {
                (0..3).for_each(|c| sum[c] += pixel[c]);
            }
            sums.copy_from_slice(&sum);
        } else {
            let pixels = row.chunks_exact(n);
            pixels.for_each(|pixel| sums.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += v));
        }
        let sums = sums.into_iter().map(f64::from);
        means
            .iter_mut()
            .zip(sums)
            .for_each(|(mean, sum)| *mean += sum);
    }
    let pixels = (picture.height * picture.width) as f64;
    means.into_iter().map(|sum| (sum / pixels) as f32).collect()
}
