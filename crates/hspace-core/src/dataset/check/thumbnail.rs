//! A small picture of an image, to find images that are equal but for encoding, size, brightness or a shift.
//!
//! 16 × 16 values of brightness, of mean 0 and compared by their angle, so that brightness and contrast of the whole image do
//! not count; the mean colour relative to the contrast; and hashes of the image without its border, which find an image that
//! was shifted by one pixel. About 290 bytes a sample of the training set and 360 of another.

use std::collections::BTreeMap;

use crate::dataset::{Image, Pixels};
use crate::views::resize::{Taps, luma, resize};

/// Pixels along each side.
const SIDE: usize = 16;
/// Values of brightness.
const VALUES: usize = SIDE * SIDE;
/// Blocks of 4 × 8 values whose means are compared first.
const BLOCKS: usize = 8;
/// Images with a side shorter than this have no thumbnail.
const SHORTEST: usize = 8;
/// Images whose brightness deviates less than this, in steps of the stored values, have none: they show nothing but noise.
const LEAST_CONTRAST: f32 = 2.0;
/// Mean colours that differ by more than this, in units of the contrast, are different.
const TINT: f32 = 0.15;
/// Shifts are looked for in images of at most so many pixels. In larger ones a pixel hardly changes the thumbnail.
const SHIFTED: usize = 128 * 128;
/// Values that must differ from the first where images are compared after a shift.
const LEAST_PIXELS: usize = 16;
/// Where the part of an image begins that a shift by one pixel moves to its middle.
const SHIFTS: [[usize; 2]; 8] = [
    [0, 0],
    [0, 1],
    [0, 2],
    [1, 0],
    [1, 2],
    [2, 0],
    [2, 1],
    [2, 2],
];

/// What is kept of an image.
#[derive(Clone, Debug)]
pub struct Thumbnail {
    /// Index of the sample.
    pub index: usize,
    values: [i8; VALUES],
    norm: f32,
    tint: [f32; 2],
    /// Hash of the image without a border of one pixel; `None` for large images and empty ones.
    pub core: Option<u64>,
    /// `core` of this image shifted by one pixel in each of 8 directions, where asked for.
    pub shifted: Vec<u64>,
}

/// Makes thumbnails, keeping the filters of the sizes it has met.
#[derive(Default)]
pub struct Maker {
    taps: BTreeMap<usize, Taps>,
    line: Vec<f32>,
}

impl Maker {
    /// The thumbnail of an image; `None` for tiny images and for those without contrast. `shifted`: with the hashes of the
    /// shifted images.
    pub fn make(&mut self, index: usize, image: &Image, shifted: bool) -> Option<Thumbnail> {
        let (width, height, channels) = (image.width, image.height, image.channels);
        if width.min(height) < SHORTEST {
            return None;
        }
        for side in [width, height] {
            self.taps.entry(side).or_insert_with(|| {
                let mut taps = Taps::default();
                taps.set(side, [0.0, side as f64], SIDE, 1.0);
                taps
            });
        }
        let taps = [&self.taps[&height], &self.taps[&width]];
        let mut small = vec![0.0f32; channels * VALUES];
        let to = &mut small[..];
        match &image.pixels {
            Pixels::U8(all) => resize(all, [width, channels], taps, channels, &mut self.line, to),
            Pixels::U16(all) => resize(all, [width, channels], taps, channels, &mut self.line, to),
        }
        let rgb = |i: usize| [0, 1, 2].map(|c| small[c.min(channels - 1) * VALUES + i]);
        let grey: [f32; VALUES] = std::array::from_fn(|i| luma(rgb(i)));
        let mean = grey.iter().sum::<f32>() / VALUES as f32;
        let centred = grey.map(|v| v - mean);
        let contrast = (centred.iter().map(|v| v * v).sum::<f32>() / VALUES as f32).sqrt();
        let largest = centred.iter().fold(0.0f32, |a, v| a.max(v.abs()));
        if contrast < LEAST_CONTRAST {
            return None;
        }
        let values = centred.map(|v| (v * 127.0 / largest).round() as i8);
        let squares: i32 = values.iter().map(|&v| i32::from(v).pow(2)).sum();
        // Blue and red against brightness.
        let colour = |c: usize| {
            let sum: f32 = (0..VALUES).map(|i| rgb(i)[c] - grey[i]).sum();
            sum / VALUES as f32 / contrast
        };
        let (mut core, mut moved) = (None, Vec::new());
        if width * height <= SHIFTED {
            core = hash_inside(image, [1, 1]);
            if shifted {
                moved = SHIFTS
                    .iter()
                    .filter_map(|corner| hash_inside(image, *corner))
                    .collect();
            }
        }
        Some(Thumbnail {
            index,
            values,
            norm: (squares as f32).sqrt(),
            tint: [colour(0), colour(2)],
            core,
            shifted: moved,
        })
    }
}

/// 64 bits of the hash of the part `[height - 2, width - 2]` of an image that begins at row and column `corner`; `None` where
/// fewer than [`LEAST_PIXELS`] of its values differ from the first, so that images without content there are not equal.
fn hash_inside(image: &Image, [top, left]: [usize; 2]) -> Option<u64> {
    let rows = (top..top + image.height - 2).map(|y| {
        let start = (y * image.width + left) * image.channels;
        start..start + (image.width - 2) * image.channels
    });
    let bytes: Vec<u8> = match &image.pixels {
        Pixels::U8(values) => rows.flat_map(|row| values[row].iter().copied()).collect(),
        Pixels::U16(values) => {
            let parts = rows.flat_map(|row| &values[row]);
            parts.flat_map(|v| v.to_le_bytes()).collect()
        }
    };
    let different = bytes.iter().filter(|&&b| b != bytes[0]).count();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(image.width as u64).to_le_bytes());
    hasher.update(&(image.channels as u64).to_le_bytes());
    hasher.update(&bytes);
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    (different >= LEAST_PIXELS).then(|| u64::from_le_bytes(first))
}

impl Thumbnail {
    /// Distance of two images: `√(2 − 2r)` with the correlation r of their brightness, in `0..=2`; infinite for different
    /// colours.
    pub fn distance(&self, other: &Thumbnail) -> f32 {
        let tint: f32 = (0..2).map(|c| (self.tint[c] - other.tint[c]).powi(2)).sum();
        if tint > TINT * TINT {
            return f32::INFINITY;
        }
        let pairs = self.values.iter().zip(&other.values);
        let product: i32 = pairs.map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
        (2.0 - 2.0 * product as f32 / (self.norm * other.norm))
            .max(0.0)
            .sqrt()
    }

    /// Means of blocks, scaled so that their distance is never larger than [`Thumbnail::distance`].
    pub fn blocks(&self) -> [f32; BLOCKS] {
        let (rows, columns) = (SIDE / 4, SIDE / 2);
        let scale = ((rows * columns) as f32).sqrt() * self.norm;
        let mut blocks = [0.0; BLOCKS];
        for (i, &value) in self.values.iter().enumerate() {
            blocks[i / SIDE / rows * 2 + i % SIDE / columns] += f32::from(value) / scale;
        }
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(side: usize, value: impl Fn(usize, usize) -> [u8; 3]) -> Image<'static> {
        let pixels = (0..side * side).flat_map(|i| value(i / side, i % side));
        Image {
            width: side,
            height: side,
            channels: 3,
            pixels: Pixels::U8(pixels.collect()),
        }
    }

    fn make(image: &Image) -> Option<Thumbnail> {
        Maker::default().make(0, image, true)
    }

    #[test]
    fn brightness_and_contrast_do_not_count_but_colour_does() {
        let wave = |y: usize, x: usize| 40 + (y * 5 + x * x) % 120;
        let plain = make(&image(32, |y, x| [wave(y, x) as u8; 3])).unwrap();
        let brighter = make(&image(32, |y, x| [(wave(y, x) / 2 + 90) as u8; 3])).unwrap();
        assert!(
            plain.distance(&brighter) < 0.02,
            "{}",
            plain.distance(&brighter)
        );
        let red = make(&image(32, |y, x| {
            [wave(y, x) as u8, wave(y, x) as u8 / 2, 0]
        }))
        .unwrap();
        assert_eq!(plain.distance(&red), f32::INFINITY);
        assert!(make(&image(32, |_, _| [7; 3])).is_none());
        assert!(make(&image(7, |y, x| [wave(y, x) as u8; 3])).is_none());
    }

    #[test]
    fn blocks_are_never_further_apart_than_the_images() {
        let made = |seed: usize| {
            let value = |y: usize, x: usize| ((y * 7 + x * 13 + seed * y * x) % 251) as u8;
            make(&image(24, |y, x| [value(y, x); 3])).unwrap()
        };
        for seed in 0..20 {
            let (a, b) = (made(seed), made(seed + 1));
            let pairs = a.blocks().into_iter().zip(b.blocks());
            let blocks = pairs.map(|(x, y)| (x - y).powi(2)).sum::<f32>().sqrt();
            assert!(
                blocks <= a.distance(&b) + 1e-4,
                "{blocks} {}",
                a.distance(&b)
            );
        }
    }

    #[test]
    fn a_shifted_image_has_the_core_of_the_original() {
        let value = |y: usize, x: usize| [((y * y * 3 + x * 17) % 255) as u8; 3];
        let plain = make(&image(20, |y, x| value(y + 5, x + 5))).unwrap();
        for (dy, dx) in [(4, 4), (4, 5), (6, 5), (5, 6), (6, 6)] {
            let moved = make(&image(20, |y, x| value(y + dy, x + dx))).unwrap();
            assert!(moved.shifted.contains(&plain.core.unwrap()), "{dy} {dx}");
        }
        let far = make(&image(20, |y, x| value(y + 7, x + 5))).unwrap();
        assert!(!far.shifted.contains(&plain.core.unwrap()) && far.core != plain.core);
    }
}
