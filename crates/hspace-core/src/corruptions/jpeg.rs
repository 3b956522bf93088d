//! JPEG: what is lost, without the file.
//!
//! Only quantisation and the halved resolution of colour lose anything, so nothing is coded. The arithmetic is libjpeg's in whole numbers
//! (its slow transform of 13 bits, and its smooth enlargement of colour), since a coefficient next to a rounding boundary would otherwise
//! become another, which shows in 64 pixels.

use super::picture::Picture;
use super::{CorruptionKind, Entry, Operation};
use crate::views::Draws;

pub(super) const ENTRY: Entry = Entry {
    name: "jpeg_compression",
    summary: "JPEG of low quality",
    source: "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261",
    item: CorruptionKind {
        family: "digital",
        is_random: false,
    },
};

#[derive(Debug)]
pub(super) struct Jpeg {
    /// In 1..=100, as in libjpeg.
    pub(super) quality: i32,
}

impl Operation for Jpeg {
    fn apply(&self, picture: &mut Picture, _: &mut Draws) {
        let [height, width, channels] = picture.dims();
        let byte = |v: &f32| (v * 255.0 + 0.5) as i32;
        if channels == 3 {
            let (pixels, _) = picture.values.as_chunks_mut::<3>();
            let rgb: Vec<[i32; 3]> = pixels
                .iter()
                .map(|p| [0, 1, 2].map(|c| byte(&p[c])))
                .collect();
            let rgb = lossy_rgb(&rgb, [height, width], self.quality);
            for (pixel, rgb) in pixels.iter_mut().zip(rgb) {
                *pixel = rgb.map(|v| v as f32 / 255.0);
            }
            return;
        }
        let steps = quantisation(&LUMA_STEPS, self.quality);
        for c in 0..channels {
            let plane = picture.values.iter().skip(c).step_by(channels);
            let plane = Plane::new(plane.map(byte).collect(), height, width);
            let plane = plane.lossy(&steps).values;
            let values = picture.values.iter_mut().skip(c).step_by(channels);
            values
                .zip(plane)
                .for_each(|(v, new)| *v = new as f32 / 255.0);
        }
    }
}

/// Whole numbers `[height, width]`.
struct Plane {
    values: Vec<i32>,
    height: usize,
    width: usize,
}

impl Plane {
    fn new(values: Vec<i32>, height: usize, width: usize) -> Self {
        Plane {
            values,
            height,
            width,
        }
    }

    /// Each block of 8 × 8 transformed, quantised and transformed back. Blocks beyond the border repeat it.
    fn lossy(mut self, steps: &[i32; 64]) -> Self {
        let (height, width) = (self.height, self.width);
        for top in (0..height).step_by(8) {
            for left in (0..width).step_by(8) {
                let row = |y: usize| (top + y).min(height - 1) * width;
                let place = |y: usize, x: usize| row(y) + (left + x).min(width - 1);
                let mut block = [[0; 8]; 8];
                for (y, to) in block.iter_mut().enumerate() {
                    match self.values[row(y) + left..row(y) + width].first_chunk::<8>() {
                        Some(from) => *to = from.map(|v| v - 128),
                        None => (0..8).for_each(|x| to[x] = self.values[place(y, x)] - 128),
                    }
                }
                let block = super::jpeg_block::lossy(block, steps);
                for (y, from) in block.iter().enumerate().take(height - top) {
                    let wide = (width - left).min(8);
                    let to = &mut self.values[row(y) + left..][..wide];
                    to.copy_from_slice(&from[..wide]);
                }
            }
        }
        self
    }
}

/// RGB in 0..=255 `[height, width]`, with colour at half the resolution.
fn lossy_rgb(rgb: &[[i32; 3]], [height, width]: [usize; 2], quality: i32) -> Vec<[i32; 3]> {
    let half = 1 << 15;
    // Weights in 16 bits.
    let luma = |&[r, g, b]: &[i32; 3]| (19595 * r + 38470 * g + 7471 * b + half) >> 16;
    let blue =
        |&[r, g, b]: &[i32; 3]| (32768 * b - 11059 * r - 21709 * g + (128 << 16) + half - 1) >> 16;
    let red =
        |&[r, g, b]: &[i32; 3]| (32768 * r - 27439 * g - 5329 * b + (128 << 16) + half - 1) >> 16;
    let y = Plane::new(rgb.iter().map(luma).collect(), height, width);
    let y = y.lossy(&quantisation(&LUMA_STEPS, quality));
    let steps = quantisation(&COLOR_STEPS, quality);
    let color = |values: Vec<i32>| {
        let plane = halved(&Plane::new(values, height, width));
        enlarged(&plane.lossy(&steps), [height, width])
    };
    let blue = color(rgb.iter().map(blue).collect());
    let red = color(rgb.iter().map(red).collect());
    let colors = blue.into_iter().zip(red);
    let pixel = |(&y, (blue, red)): (&i32, (i32, i32))| {
        let (blue, red) = (blue - 128, red - 128);
        [
            y + ((91881 * red + half) >> 16),
            y + ((half - 22554 * blue - 46802 * red) >> 16),
            y + ((116130 * blue + half) >> 16),
        ]
        .map(|v| v.clamp(0, 255))
    };
    y.values.iter().zip(colors).map(pixel).collect()
}

/// Means of 2 × 2 pixels, rounded down and up in turn. The last pixel of a row is repeated to fill whole blocks.
fn halved(plane: &Plane) -> Plane {
    let height = plane.height.div_ceil(2);
    let width = plane.width.div_ceil(2).next_multiple_of(8);
    let mut values = Vec::with_capacity(height * width);
    for y in 0..height {
        let row = |y: usize| &plane.values[y.min(plane.height - 1) * plane.width..][..plane.width];
        let (a, b) = (row(2 * y), row(2 * y + 1));
        let sum = |x: usize| a[x] + b[x];
        for x in 0..width {
            let [left, right] = [2 * x, 2 * x + 1].map(|x| x.min(plane.width - 1));
            values.push((sum(left) + sum(right) + 1 + (x as i32 & 1)) >> 2);
        }
    }
    Plane::new(values, height, width)
}

/// Twice as many pixels, interpolated linearly with weights 3 and 1, in each direction.
fn enlarged(plane: &Plane, [height, width]: [usize; 2]) -> Vec<i32> {
    let mut out = Vec::with_capacity(height * width);
    let half = width.div_ceil(2);
    let row = |y: usize| &plane.values[y * plane.width..][..half];
    let last = half - 1;
    for y in 0..height {
        let near = row(y / 2);
        if half <= 2 {
            // libjpeg does not interpolate so few.
            out.extend((0..width).map(|x| near[x / 2]));
            continue;
        }
        let far = match y % 2 {
            0 => row((y / 2).saturating_sub(1)),
            _ => row((y / 2 + 1).min(plane.height - 1)),
        };
        let sums: Vec<i32> = near.iter().zip(far).map(|(a, b)| 3 * a + b).collect();
        let start = out.len();
        for x in 0..=last {
            let (before, next) = (sums[x.saturating_sub(1)], sums[(x + 1).min(last)]);
            out.push((3 * sums[x] + before + 8) >> 4);
            out.push((3 * sums[x] + next + 7) >> 4);
        }
        out.truncate(start + width);
    }
    out
}

/// Steps of coefficients at a quality, in rows of 8, from those at quality 50.
fn quantisation(base: &[u8; 64], quality: i32) -> [i32; 64] {
    let percent = match quality < 50 {
        true => 5000 / quality.max(1),
        false => 200 - 2 * quality,
    };
    base.map(|step| ((i32::from(step) * percent + 50) / 100).clamp(1, 255))
}

/// Of the luma at quality 50 (ITU-T T.81, table K.1).
#[rustfmt::skip]
const LUMA_STEPS: [u8; 64] = [
    16, 11, 10, 16,  24,  40,  51,  61,
    12, 12, 14, 19,  26,  58,  60,  55,
    14, 13, 16, 24,  40,  57,  69,  56,
    14, 17, 22, 29,  51,  87,  80,  62,
    18, 22, 37, 56,  68, 109, 103,  77,
    24, 35, 55, 64,  81, 104, 113,  92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103,  99,
];

/// Of colour at quality 50 (ITU-T T.81, table K.2).
#[rustfmt::skip]
const COLOR_STEPS: [u8; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
];
