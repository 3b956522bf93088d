//! Blur of a camera that moves towards the scene.

use super::picture::Picture;
use super::{CorruptionKind, Entry, Operation};
use crate::views::Draws;

pub(super) const ENTRY: Entry = Entry {
    name: "zoom_blur",
    summary: "a camera that moves towards the scene: the mean over enlarged images",
    source: "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261",
    item: CorruptionKind {
        family: "blur",
        is_random: false,
    },
};

#[derive(Debug)]
pub(super) struct ZoomBlur {
    /// Number of enlarged images; the first is not enlarged.
    pub(super) steps: usize,
    /// By which the factor of enlargement grows.
    pub(super) step: f64,
}

impl Operation for ZoomBlur {
    fn apply(&self, picture: &mut Picture, _: &mut Draws) {
        // As NumPy's `arange`, whose rounding decides the size of a crop.
        let step = (1.0 + self.step) - 1.0;
        let mut sum = picture.values.clone();
        for i in 0..self.steps {
            let factor = 1.0 + i as f64 * step;
            add_enlarged(
                &mut sum,
                &picture.values,
                picture.dims(),
                factor,
                picture.scale,
            );
        }
        let weight = 1.0 / (self.steps + 1) as f32;
        picture.values = sum.into_iter().map(|v| weight * v).collect();
    }
}

/// Which part of a side is enlarged, and where its pixels come from.
pub(super) struct Enlarged {
    /// First pixel of the part that is enlarged, and its number of pixels, at the published size.
    pub(super) part: [usize; 2],
    /// For each pixel: the pixel before it, and the share of the next one.
    places: Vec<(usize, f32)>,
}

impl Enlarged {
    /// The middle of `n` pixels, enlarged by `factor`. Its size is rounded as for images of n / scale pixels.
    pub(super) fn new(n: usize, factor: f64, scale: f64) -> Self {
        let full = n as f64 / scale;
        let size = full.round();
        let part = (size / factor).ceil();
        let start = ((size - part) / 2.0).floor();
        let last = (part * factor).round() - 1.0;
        let step = if last > 0.0 { (part - 1.0) / last } else { 0.0 };
        let place = |i: usize| {
            // Centres of pixels, from this size to the published one and back.
            let published = (i as f64 + 0.5) / scale - 0.5;
            let from = start + (published * step).clamp(0.0, (part - 1.0).max(0.0));
            let place = ((from + 0.5) * scale - 0.5).clamp(0.0, (n - 1) as f64);
            let before = (place as usize).min(n.saturating_sub(2));
            (before, (place - before as f64) as f32)
        };
        Enlarged {
            part: [start as usize, part as usize],
            places: (0..n).map(place).collect(),
        }
    }
}

/// Adds `values`, enlarged about the middle and cropped to the same size, to `sum`.
pub(super) fn add_enlarged(
    sum: &mut [f32],
    values: &[f32],
    dims: [usize; 3],
    factor: f64,
    scale: f64,
) {
    let [height, width, channels] = dims;
    let [rows, columns] = [height, width].map(|n| Enlarged::new(n, factor, scale).places);
    let add = match channels {
        1 => add_row::<1>,
        3 => add_row::<3>,
        _ => add_row_of_any,
    };
    let length = width * channels;
    // The last pixel's share of the one behind it is 0.
    let mut row = vec![0.0; length + channels];
    for (to, (before, share)) in sum.chunks_exact_mut(length).zip(rows) {
        let first = &values[before * length..][..length];
        let next = values[before * length..].chunks_exact(length).nth(1);
        let next = next.unwrap_or(first);
        for ((v, a), b) in row.iter_mut().zip(first).zip(next) {
            *v = a + share * (b - a);
        }
        add(to, &row, &columns, channels);
    }
}

fn add_row<const CHANNELS: usize>(to: &mut [f32], row: &[f32], columns: &[(usize, f32)], _: usize) {
    let (pixels, _) = to.as_chunks_mut::<CHANNELS>();
    let (row, _) = row.as_chunks::<CHANNELS>();
    for (pixel, &(before, share)) in pixels.iter_mut().zip(columns) {
        let (a, b) = (row[before], row[before + 1]);
        for c in 0..CHANNELS {
            pixel[c] += a[c] + share * (b[c] - a[c]);
        }
    }
}

fn add_row_of_any(to: &mut [f32], row: &[f32], columns: &[(usize, f32)], channels: usize) {
    for (pixel, &(before, share)) in to.chunks_exact_mut(channels).zip(columns) {
        let (a, b) = row[before * channels..].split_at(channels);
        for ((v, a), b) in pixel.iter_mut().zip(a).zip(b) {
            *v += a + share * (b - a);
        }
    }
}
