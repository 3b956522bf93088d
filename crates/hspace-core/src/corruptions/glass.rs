//! Frosted glass: pixels copied from places nearby.

use super::blur::gaussian_blur;
use super::picture::Picture;
use super::{CorruptionKind, Entry, Operation};
use crate::views::Draws;

pub(super) const ENTRY: Entry = Entry {
    name: "glass_blur",
    summary: "frosted glass: pixels copied from random places nearby, between two Gaussian blurs",
    source: "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261",
    item: CorruptionKind {
        family: "blur",
        is_random: true,
    },
};

#[derive(Debug)]
pub(super) struct GlassBlur {
    /// Standard deviation of both blurs in pixels.
    pub(super) sigma: f64,
    /// Displacements are whole numbers in -reach..reach, in pixels.
    pub(super) reach: usize,
    /// How often all pixels are displaced.
    pub(super) times: usize,
}

impl Operation for GlassBlur {
    fn apply(&self, picture: &mut Picture, draws: &mut Draws) {
        let (dims, scale) = (picture.dims(), picture.scale);
        let sigma = self.sigma;
        gaussian_blur(&mut picture.values, dims, sigma, scale, &mut picture.room);
        picture.round_down();
        for _ in 0..self.times {
            self.displace(picture, draws);
        }
        gaussian_blur(&mut picture.values, dims, sigma, scale, &mut picture.room);
    }
}

impl GlassBlur {
    /// From the last pixel to the first, each becomes the one at a random offset, which may have been displaced before.
    fn displace(&self, picture: &mut Picture, draws: &mut Draws) {
        let [height, width, channels] = picture.dims();
        let margin = (self.reach as f64 * picture.scale).ceil() as usize;
        let values = &mut picture.values;
        let mut offset = || draws.below(2 * self.reach) as isize - self.reach as isize;
        for y in (margin + 1..(height + 1).saturating_sub(margin)).rev() {
            for x in (margin + 1..(width + 1).saturating_sub(margin)).rev() {
                let (dx, dy) = (offset(), offset());
                let to = (y * width + x) * channels;
                if picture.scale == 1.0 {
                    let from = (y as isize + dy) as usize * width + (x as isize + dx) as usize;
                    let from = from * channels;
                    for c in 0..channels {
                        values[to + c] = values[from + c];
                    }
                    continue;
                }
                let (top, below) = between(y, dy, picture.scale, height);
                let (left, right) = between(x, dx, picture.scale, width);
                for c in 0..channels {
                    let at = |y: usize, x: usize| values[(y * width + x) * channels + c];
                    let across = |y: usize| {
                        let (a, b) = (at(y, left), at(y, (left + 1).min(width - 1)));
                        a + right * (b - a)
                    };
                    let (a, b) = (across(top), across((top + 1).min(height - 1)));
                    values[to + c] = a + below * (b - a);
                }
            }
        }
    }
}

/// The pixel before `i + scale · offset` and the share of the next one.
fn between(i: usize, offset: isize, scale: f64, n: usize) -> (usize, f32) {
    let place = (i as f64 + scale * offset as f64).clamp(0.0, (n - 1) as f64);
    (place as usize, place.fract() as f32)
}
