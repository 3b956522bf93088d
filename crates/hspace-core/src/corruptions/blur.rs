//! Blurs by a kernel: Gaussian, out of focus, in motion.

use std::collections::BTreeMap;

use super::filter::{Border, Padded, Tap, convolve, gaussian, scaled, separable};
use super::picture::Picture;
use super::{CorruptionKind, Entry, Operation};
use crate::views::Draws;

pub(super) const DEFOCUS: Entry = Entry {
    name: "defocus_blur",
    summary: "out of focus: the mean over a disk",
    source: "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261",
    item: CorruptionKind {
        family: "blur",
        is_random: false,
    },
};

pub(super) const MOTION: Entry = Entry {
    name: "motion_blur",
    summary: "a camera in motion, at a random angle",
    source: "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261",
    item: CorruptionKind {
        family: "blur",
        is_random: true,
    },
};

pub(super) const GAUSSIAN: Entry = Entry {
    name: "gaussian_blur",
    summary: "the mean over a normal density; by its kernel's size in MedMNIST-C",
    source: "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261",
    item: CorruptionKind {
        family: "blur",
        is_random: false,
    },
};

#[derive(Debug)]
pub(super) struct GaussianBlur {
    /// Standard deviation in pixels.
    pub(super) sigma: f64,
}

impl Operation for GaussianBlur {
    fn apply(&self, picture: &mut Picture, _: &mut Draws) {
        let (dims, scale) = (picture.dims(), picture.scale);
        let (values, room) = (&mut picture.values, &mut picture.room);
        gaussian_blur(values, dims, self.sigma, scale, room);
    }
}

/// Blurs up to 4 standard deviations, with the pixels of the border beyond it.
pub(super) fn gaussian_blur(
    values: &mut [f32],
    dims: [usize; 3],
    sigma: f64,
    scale: f64,
    room: &mut Vec<f32>,
) {
    let weights = gaussian(sigma, (4.0 * sigma + 0.5) as usize);
    separable(values, dims, [&weights; 2], Border::Clamp, scale, room);
}

#[derive(Debug)]
pub(super) struct GaussianKernel {
    /// Odd number of pixels.
    pub(super) size: usize,
}

impl Operation for GaussianKernel {
    /// The standard deviation follows from the size, as in torchvision.
    fn apply(&self, picture: &mut Picture, _: &mut Draws) {
        let weights = gaussian(0.15 * self.size as f64 + 0.35, self.size / 2);
        let (dims, scale) = (picture.dims(), picture.scale);
        let (values, room) = (&mut picture.values, &mut picture.room);
        separable(values, dims, [&weights; 2], Border::Mirror, scale, room);
    }
}

#[derive(Debug)]
pub(super) struct DefocusBlur {
    /// Radius of the disk in pixels.
    pub(super) radius: usize,
    /// Standard deviation, in pixels, of the Gaussian that smooths the disk's edge.
    pub(super) edge: f64,
}

impl Operation for DefocusBlur {
    /// A disk is cheap to sum without its smooth edge, so the image is smoothed before. The published kernel differs a little at its own
    /// border, which is added.
    fn apply(&self, picture: &mut Picture, _: &mut Draws) {
        let (dims, scale) = (picture.dims(), picture.scale);
        let radius = self.radius as isize;
        let smooth = gaussian(self.edge, if radius <= 8 { 1 } else { 2 });
        // Half the published kernel's side.
        let half = radius.max(8);
        let (values, room) = (&mut picture.values, &mut picture.room);
        if scale < 1.0 {
            let taps = scaled(disk(radius, half, &smooth), scale);
            convolve(values, dims, &taps, Border::Mirror, room);
            return;
        }
        let rest = (radius >= half).then(|| {
            let rest = difference(disk(radius, half, &smooth), disk(radius, half + 2, &smooth));
            let mut values = values.clone();
            convolve(&mut values, dims, &rest, Border::Mirror, room);
            values
        });
        if smooth[smooth.len() / 2] < 1.0 - 1e-6 {
            separable(values, dims, [&smooth; 2], Border::Mirror, 1.0, room);
        }
        disk_mean(values, dims, radius, room);
        if let Some(rest) = rest {
            values.iter_mut().zip(rest).for_each(|(v, rest)| *v += rest);
        }
    }
}

/// The taps of `a - b`, but for rounding errors.
fn difference(a: Vec<Tap>, b: Vec<Tap>) -> Vec<Tap> {
    let mut weights: BTreeMap<_, f64> = BTreeMap::new();
    let signed = a.into_iter().map(|tap| (tap, 1.0));
    for (tap, sign) in signed.chain(b.into_iter().map(|tap| (tap, -1.0))) {
        *weights.entry((tap.dy, tap.dx)).or_default() += sign * tap.weight;
    }
    let tap = |((dy, dx), weight)| Tap { dy, dx, weight };
    let taps = weights.into_iter().map(tap);
    taps.filter(|tap| tap.weight.abs() > 1e-6).collect()
}

/// Rows of a disk, with half their width in whole pixels.
fn rows(radius: isize) -> impl Iterator<Item = (isize, isize)> + Clone {
    let half = move |dy: isize| ((radius * radius - dy * dy) as usize).isqrt() as isize;
    (-radius..=radius).map(move |dy| (dy, half(dy)))
}

/// A disk of sum 1 in a square of 2 · `half` + 1 pixels, smoothed. At the square's border, which it may touch, the published code mirrors
/// it, so that the sum exceeds 1 by up to one part in 70.
fn disk(radius: isize, half: isize, smooth: &[f64]) -> Vec<Tap> {
    let side = (2 * half + 1) as usize;
    let mut square = vec![0.0_f32; side * side];
    for (dy, width) in rows(radius) {
        let start = (dy + half) * side as isize + half - width;
        square[start as usize..][..(2 * width + 1) as usize].fill(1.0);
    }
    let count: f32 = square.iter().sum();
    let room = &mut vec![];
    separable(
        &mut square,
        [side, side, 1],
        [smooth; 2],
        Border::Mirror,
        1.0,
        room,
    );
    let tap = |(i, weight): (usize, f32)| Tap {
        dy: (i / side) as isize - half,
        dx: (i % side) as isize - half,
        weight: f64::from(weight / count),
    };
    let taps = square.into_iter().enumerate().map(tap);
    taps.filter(|tap| tap.weight > 0.0).collect()
}

/// Replaces each pixel by the mean of all within `radius`.
fn disk_mean(values: &mut [f32], dims: [usize; 3], radius: isize, room: &mut Vec<f32>) {
    let count: isize = rows(radius).map(|(_, half)| 2 * half + 1).sum();
    let weight = 1.0 / count as f64;
    // Sums along a row up to each pixel: those of any run are a difference of two.
    let reach = radius as usize;
    let by = [reach, reach, reach + 1, reach];
    let padded = Padded::new(values, dims, by, Border::Mirror, room);
    let channels = dims[2];
    for row in padded.values.chunks_exact_mut(padded.stride) {
        for i in channels..row.len() {
            row[i] += row[i - channels];
        }
    }
    let taps = rows(radius).flat_map(|(dy, half)| {
        [(half, weight), (-half - 1, -weight)].map(|(dx, weight)| Tap { dy, dx, weight })
    });
    let taps: Vec<Tap> = taps.collect();
    padded.sums(&taps, values, dims[1] * channels);
}

#[derive(Debug)]
pub(super) struct MotionBlur {
    /// Length of the kernel: 2 · radius + 1 pixels.
    pub(super) radius: usize,
    /// Standard deviation in pixels; the kernel is the half of a normal density.
    pub(super) sigma: f64,
}

impl Operation for MotionBlur {
    fn apply(&self, picture: &mut Picture, draws: &mut Draws) {
        let angle = draws.between([-45.0, 45.0]);
        let (dims, scale) = (picture.dims(), picture.scale);
        let (values, room) = (&mut picture.values, &mut picture.room);
        convolve(values, dims, &self.taps(angle, scale), Border::Clamp, room);
    }
}

impl MotionBlur {
    /// The kernel along `angle` in degrees: 0 from the pixel to the right, 90 downwards.
    pub(super) fn taps(&self, angle: f64, scale: f64) -> Vec<Tap> {
        let weights = gaussian(self.sigma, 2 * self.radius);
        let weights = &weights[2 * self.radius..];
        let sum: f64 = weights.iter().sum();
        let (sin, cos) = angle.to_radians().sin_cos();
        let taps = weights.iter().enumerate().map(|(i, weight)| {
            let along = |part: f64| (i as f64 * part - 0.5).ceil() as isize;
            Tap {
                dy: along(sin),
                dx: along(cos),
                weight: weight / sum,
            }
        });
        scaled(taps.collect(), scale)
    }
}
