//! From the samples of a page, as stored, to pixels.

use std::borrow::Cow;

use image::metadata::Orientation;

use super::page::{Colour, Page};
use crate::dataset::decode::{Value, blended, blended_associated};
use crate::dataset::{Image, Pixels};

/// The image of a page of 8 bits or fewer. `samples` are stored rows, each in whole bytes.
pub fn image_of_bytes(page: &Page, samples: Vec<u8>) -> Image<'static> {
    let samples = if page.bits < 8 {
        unpacked(page, &samples)
    } else {
        samples
    };
    let pixels = pixels(page, samples);
    oriented_image(page, |channels| {
        Pixels::U8(Cow::Owned(oriented(
            pixels,
            [page.height, page.width],
            channels,
            page.orientation,
        )))
    })
}

/// The image of a page of 16 bits.
pub fn image_of_words(page: &Page, samples: Vec<u16>) -> Image<'static> {
    let pixels = pixels(page, samples);
    oriented_image(page, |channels| {
        Pixels::U16(Cow::Owned(oriented(
            pixels,
            [page.height, page.width],
            channels,
            page.orientation,
        )))
    })
}

fn oriented_image(page: &Page, pixels: impl FnOnce(usize) -> Pixels<'static>) -> Image<'static> {
    let ([height, width], channels) = (page.size(), page.channels());
    Image {
        width,
        height,
        channels,
        pixels: pixels(channels),
    }
}

/// Values of fewer than 8 bits, each in a byte of its own; grey ones from 0 to 255.
fn unpacked(page: &Page, packed: &[u8]) -> Vec<u8> {
    let bits = page.bits as usize;
    let (each, largest) = (8 / bits, (1u16 << bits) - 1);
    let scale = match page.colour {
        Colour::Palette(_) => 1,
        _ => (255 / largest) as u8,
    };
    let mut out = Vec::with_capacity(page.width * page.height);
    for row in packed.chunks_exact(page.width.div_ceil(each)) {
        out.extend((0..page.width).map(|x| {
            let shift = 8 - bits * (x % each + 1);
            (row[x / each] >> shift & largest as u8) * scale
        }));
    }
    out
}

/// Interleaved channels: colours converted, alpha blended, other samples as they are.
fn pixels<T: Value>(page: &Page, samples: Vec<T>) -> Vec<T> {
    let samples = if page.planar {
        interleaved(&samples, page.samples)
    } else {
        samples
    };
    if page.alpha.is_none() && matches!(page.colour, Colour::Grey | Colour::Rgb) {
        return samples;
    }
    let mut out = Vec::with_capacity(page.width * page.height * page.channels());
    for pixel in samples.chunks_exact(page.samples) {
        let (colour, extra) = pixel.split_at(page.colour.samples());
        let start = out.len();
        convert(&page.colour, colour, &mut out);
        match page.alpha {
            None => out.extend_from_slice(extra),
            Some(alpha) => {
                let blend = if alpha.associated {
                    blended_associated
                } else {
                    blended
                };
                out[start..]
                    .iter_mut()
                    .for_each(|value| *value = blend(*value, extra[alpha.place]));
                out.extend_from_slice(&extra[..alpha.place]);
                out.extend_from_slice(&extra[alpha.place + 1..]);
            }
        }
    }
    out
}

fn interleaved<T: Value>(planes: &[T], count: usize) -> Vec<T> {
    let plane = planes.len() / count;
    (0..planes.len())
        .map(|i| planes[i % count * plane + i / count])
        .collect()
}

/// Appends the grey or RGB values of one pixel's colour.
fn convert<T: Value>(colour: &Colour, pixel: &[T], out: &mut Vec<T>) {
    let white = T::WHITE;
    match colour {
        Colour::Grey | Colour::Rgb => out.extend_from_slice(pixel),
        Colour::InvertedGrey => out.push(T::of(white - pixel[0].into())),
        Colour::Palette(colours) => {
            let index: u64 = pixel[0].into();
            out.extend(colours[index as usize].map(|v| T::of(v.into())));
        }
        Colour::Cmyk => {
            let share = |v: T| v.into() as f32;
            let light = 1.0 - share(pixel[3]) / white as f32;
            let value = |ink: &T| T::of(((white as f32 - share(*ink)) * light) as u64);
            out.extend(pixel[..3].iter().map(value));
        }
        // JFIF 1.02
        Colour::YCbCr => {
            let [y, cb, cr] = [0, 1, 2].map(|i| pixel[i].into() as f32);
            let (cb, cr) = (cb - 128.0, cr - 128.0);
            let rgb = [
                y + 1.402 * cr,
                y - 0.344_136 * cb - 0.714_136 * cr,
                y + 1.772 * cb,
            ];
            out.extend(rgb.map(|v| T::of(v.round().clamp(0.0, 255.0) as u64)));
        }
    }
}

/// Turns and mirrors an image `[height, width, channels]`.
fn oriented<T: Value>(
    pixels: Vec<T>,
    [height, width]: [usize; 2],
    channels: usize,
    orientation: Orientation,
) -> Vec<T> {
    use Orientation as O;
    // Where the pixel at (x, y) of the result comes from.
    let (right, bottom) = (width - 1, height - 1);
    let from = |x: usize, y: usize| match orientation {
        O::NoTransforms => (x, y),
        O::FlipHorizontal => (right - x, y),
        O::FlipVertical => (x, bottom - y),
        O::Rotate180 => (right - x, bottom - y),
        O::Rotate90 => (y, bottom - x),
        O::Rotate270 => (right - y, x),
        O::Rotate90FlipH => (y, x),
        O::Rotate270FlipH => (right - y, bottom - x),
    };
    let (rows, columns) = match orientation {
        O::NoTransforms => return pixels,
        O::FlipHorizontal | O::FlipVertical | O::Rotate180 => (height, width),
        O::Rotate90 | O::Rotate270 | O::Rotate90FlipH | O::Rotate270FlipH => (width, height),
    };
    let mut out = Vec::with_capacity(pixels.len());
    for y in 0..rows {
        for x in 0..columns {
            let (x, y) = from(x, y);
            let start = (y * width + x) * channels;
            out.extend_from_slice(&pixels[start..start + channels]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, RgbImage};

    use super::*;

    #[test]
    fn every_orientation_agrees_with_the_image_crate() {
        let bytes: Vec<u8> = (0..5 * 3 * 3).collect();
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).unwrap();
            let mut reference =
                DynamicImage::from(RgbImage::from_raw(5, 3, bytes.clone()).unwrap());
            reference.apply_orientation(orientation);
            let found = oriented(bytes.clone(), [3, 5], 3, orientation);
            assert_eq!(found, reference.into_rgb8().into_raw(), "{orientation:?}");
        }
    }
}
