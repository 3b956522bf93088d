//! Elastic deformation and pixelation.

use super::draw::centred;
use super::filter::{Border, gaussian, separable};
use super::picture::Picture;
use super::resize::resize_box;
use super::{CorruptionKind, Entry, Operation};
use crate::views::Draws;

pub(super) const ELASTIC: Entry = Entry {
    name: "elastic_transform",
    summary: "smooth random displacements",
    source: "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261",
    item: CorruptionKind {
        family: "digital",
        is_random: true,
    },
};

pub(super) const PIXELATE: Entry = Entry {
    name: "pixelate",
    summary: "fewer, larger pixels",
    source: "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261",
    item: CorruptionKind {
        family: "digital",
        is_random: false,
    },
};

#[derive(Debug)]
pub(super) struct Elastic {
    /// By which smoothed noise in pixels is multiplied.
    pub(super) strength: f32,
}

impl Operation for Elastic {
    fn apply(&self, picture: &mut Picture, draws: &mut Draws) {
        let dims = picture.layer_dims();
        let mut field = || {
            let layer = self.displacements(dims, draws);
            let field = picture.reduced(layer).into_iter();
            field.map(|v| v * picture.scale as f32).collect::<Vec<_>>()
        };
        let (dx, dy) = (field(), field());
        let dims = picture.dims();
        let [_, _, channels] = dims;
        let mut out = vec![0.0; picture.values.len()];
        match channels {
            1 => displace::<1>(&picture.values, dims, [&dy, &dx], &mut out, 0),
            3 => displace::<3>(&picture.values, dims, [&dy, &dx], &mut out, 0),
            // One by one.
            n => (0..n).for_each(|c| displace::<1>(&picture.values, dims, [&dy, &dx], &mut out, c)),
        }
        picture.values = out;
    }
}

/// Reads `N` channels from the `first` on at displacements `[y, x]` in pixels, between pixels, mirrored at the border.
fn displace<const N: usize>(
    values: &[f32],
    [height, width, channels]: [usize; 3],
    [dy, dx]: [&[f32]; 2],
    out: &mut [f32],
    first: usize,
) {
    // Both neighbours, and the share of the second.
    let around = |place: f32, n: usize| {
        // Rounded down; no displacement is as long as this.
        let beyond = n + 64;
        let before = (place + beyond as f32) as i32 as isize - beyond as isize;
        let at = |i: isize| Border::Symmetric.index(i, n);
        (at(before), at(before + 1), place - before as f32)
    };
    for y in 0..height {
        for x in 0..width {
            let i = y * width + x;
            let (top, below, down) = around(y as f32 + dy[i], height);
            let (left, right, along) = around(x as f32 + dx[i], width);
            let corners = [(top, left), (top, right), (below, left), (below, right)];
            let corners = corners.map(|(y, x)| &values[(y * width + x) * channels + first..][..N]);
            let [a, b, c, d] = corners;
            let to = &mut out[i * channels + first..][..N];
            for i in 0..N {
                let upper = a[i] + along * (b[i] - a[i]);
                let lower = c[i] + along * (d[i] - c[i]);
                to[i] = upper + down * (lower - upper);
            }
        }
    }
}

impl Elastic {
    /// Smoothed uniform noise in pixels, `[height, width]`.
    fn displacements(&self, [height, width]: [usize; 2], draws: &mut Draws) -> Vec<f32> {
        let most = self.strength * 0.005 * height as f32;
        let mut noise = centred(draws, height * width, most);
        let [down, across] = [height, width].map(|side| {
            let sigma = 0.01 * side as f64;
            gaussian(sigma, (3.0 * sigma + 0.5) as usize)
        });
        let (dims, room) = ([height, width, 1], &mut vec![]);
        separable(
            &mut noise,
            dims,
            [&down, &across],
            Border::Symmetric,
            1.0,
            room,
        );
        noise
    }
}

#[derive(Debug)]
pub(super) struct Pixelate {
    /// Pixels of a side, as a part of the image's.
    pub(super) ratio: f64,
    /// How they become as many as before.
    pub(super) up: Up,
}

/// How to get more pixels.
#[derive(Clone, Copy, Debug)]
pub(super) enum Up {
    /// The pixel under the centre, as in ImageNet-C.
    Nearest,
    /// Pillow's box filter, as in MedMNIST-C.
    Box,
}

impl Operation for Pixelate {
    fn apply(&self, picture: &mut Picture, _: &mut Draws) {
        let [height, width, channels] = picture.dims();
        let few = [height, width].map(|side| ((side as f64 * self.ratio) as usize).max(1));
        let small = resize_box(&picture.values, picture.dims(), few);
        let small_dims = [few[0], few[1], channels];
        picture.values = match self.up {
            Up::Box => resize_box(&small, small_dims, [height, width]),
            Up::Nearest => {
                let nearest = |i: usize, from: usize, to: usize| (2 * i + 1) * from / (2 * to);
                let columns: Vec<usize> = (0..width).map(|x| nearest(x, few[1], width)).collect();
                let mut out = Vec::with_capacity(picture.values.len());
                for y in 0..height {
                    let row = nearest(y, few[0], height) * few[1];
                    for x in &columns {
                        out.extend(&small[(row + x) * channels..][..channels]);
                    }
                }
                out
            }
        };
    }
}
