//! Samples as pictures: tiles, sheets of them, files.

use std::io::Cursor;

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, ImageFormat, Rgb, RgbImage};

use crate::dataset::Shape;
use crate::error::{Error, Result};

/// Smallest side of a tile, in pixels.
const TILE: usize = 64;
/// White between two tiles.
const GUTTER: usize = 4;
/// White between the first column, where it is set apart, and the others.
const GAP: usize = 12;
/// Milliseconds that a frame of an animation is shown.
const FRAME: u32 = 120;

/// One sample of `shape`: images from values in 0..1, channels first, small ones enlarged without
/// smoothing, coloured as [`shown`] says; a vector as stripes, one a number: white at 0, red above and blue below, darkest at 3.
///
/// ```
/// use hspace_core::dataset::Shape;
/// use hspace_core::picture::tile;
///
/// let grey = tile(Shape::Image { channels: 1, height: 1, width: 2 }, &[0.0, 1.0]);
/// assert_eq!(grey.get_pixel(0, 0).0, [0; 3]);
/// let vector = tile(Shape::Vector { dim: 2 }, &[3.0, -3.0]);
/// assert_eq!(vector.get_pixel(0, 0).0, [255, 0, 0]);
/// ```
pub fn tile(shape: Shape, values: &[f32]) -> RgbImage {
    match shape {
        Shape::Image {
            channels,
            height,
            width,
        } => {
            let times = TILE.div_ceil(height.min(width).max(1));
            let byte = |channel: usize, pixel: usize| {
                (values[channel * height * width + pixel] * 255.0).round() as u8
            };
            blank(width * times, height * times, |x, y| {
                let pixel = y / times * width + x / times;
                Rgb(shown(channels).map(|channel| channel.map_or(0, |c| byte(c, pixel))))
            })
        }
        Shape::Vector { dim } => {
            let stripe = (2 * TILE).div_ceil(dim.max(1));
            blank(dim * stripe, TILE, |x, _| stripe_color(values[x / stripe]))
        }
    }
}

/// Which of so many channels are shown as red, green and blue: 1 as grey, 2 as red and green with no blue, of 3 and more the
/// first three.
///
/// ```
/// use hspace_core::picture::shown;
///
/// assert_eq!(shown(1), [Some(0), Some(0), Some(0)]);
/// assert_eq!(shown(13), [Some(0), Some(1), Some(2)]);
/// ```
pub fn shown(channels: usize) -> [Option<usize>; 3] {
    match channels {
        1 => [Some(0); 3],
        2 => [Some(0), Some(1), None],
        _ => [Some(0), Some(1), Some(2)],
    }
}

/// White at 0, red at 3, blue at -3.
fn stripe_color(value: f32) -> Rgb<u8> {
    let strength = (value / 3.0).clamp(-1.0, 1.0);
    let fade = ((1.0 - strength.abs()) * 255.0).round() as u8;
    if strength >= 0.0 {
        Rgb([255, fade, fade])
    } else {
        Rgb([fade, fade, 255])
    }
}

/// A small picture enlarged without smoothing, as [`tile`] does.
pub(crate) fn enlarged(picture: &RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let times = (TILE as u32).div_ceil(width.min(height).max(1));
    blank(
        (width * times) as usize,
        (height * times) as usize,
        |x, y| *picture.get_pixel(x as u32 / times, y as u32 / times),
    )
}

fn blank(width: usize, height: usize, pixel: impl Fn(usize, usize) -> Rgb<u8>) -> RgbImage {
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        pixel(x as usize, y as usize)
    })
}

/// Rows of tiles of one size on white; the first column is set apart, if asked for.
///
/// ```
/// use hspace_core::dataset::Shape;
/// use hspace_core::picture::{sheet, tile};
///
/// let shape = Shape::Image { channels: 1, height: 64, width: 64 };
/// let black = tile(shape, &[0.0; 64 * 64]);
/// let picture = sheet(&[vec![black.clone(), black.clone()], vec![black]], false)?;
/// assert!(picture.width() >= 128 && picture.height() >= 128);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// If there is no tile.
pub fn sheet(rows: &[Vec<RgbImage>], apart: bool) -> Result<RgbImage> {
    let Some(first) = rows.first().and_then(|row| row.first()) else {
        return Err(Error::data("a sheet without pictures cannot be drawn"));
    };
    let (width, height) = (first.width() as usize, first.height() as usize);
    let gap = if apart { GAP - GUTTER } else { 0 };
    let left =
        |column: usize| GUTTER + column * (width + GUTTER) + if column > 0 { gap } else { 0 };
    let top = |row: usize| GUTTER + row * (height + GUTTER);
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut sheet = blank(left(columns), top(rows.len()), |_, _| Rgb([255; 3]));
    for (y, row) in rows.iter().enumerate() {
        for (x, tile) in row.iter().enumerate() {
            image::imageops::replace(&mut sheet, tile, left(x) as i64, top(y) as i64);
        }
    }
    Ok(sheet)
}

/// As the bytes of a PNG file.
///
/// ```
/// use hspace_core::dataset::Shape;
/// use hspace_core::picture::{png, tile};
///
/// let picture = tile(Shape::Vector { dim: 3 }, &[0.0, 1.0, -1.0]);
/// assert!(png(&picture)?.starts_with(b"\x89PNG"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// If it cannot be encoded.
pub fn png(picture: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let written = picture.write_to(&mut bytes, ImageFormat::Png);
    written.map_err(|e| Error::data(format!("a picture could not be encoded: {e}")))?;
    Ok(bytes.into_inner())
}

/// Pictures one after the other, back and forth without end, as the bytes of a GIF file.
///
/// ```
/// use hspace_core::dataset::Shape;
/// use hspace_core::picture::{animation, tile};
///
/// let frame = |value| tile(Shape::Image { channels: 1, height: 1, width: 1 }, &[value]);
/// assert!(animation(&[frame(0.0), frame(0.5), frame(1.0)])?.starts_with(b"GIF89a"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// If they cannot be encoded.
pub fn animation(frames: &[RgbImage]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let failed = |e| Error::data(format!("an animation could not be encoded: {e}"));
    {
        let mut encoder = GifEncoder::new_with_speed(&mut bytes, 10);
        encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
        let back = frames
            .iter()
            .rev()
            .skip(1)
            .take(frames.len().saturating_sub(2));
        for frame in frames.iter().chain(back) {
            let rgba = image::DynamicImage::from(frame.clone()).into_rgba8();
            let delay = Delay::from_numer_denom_ms(FRAME, 1);
            let frame = Frame::from_parts(rgba, 0, 0, delay);
            encoder.encode_frame(frame).map_err(failed)?;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: Shape = Shape::Image {
        channels: 1,
        height: 2,
        width: 4,
    };

    #[test]
    fn small_images_are_enlarged_and_vectors_striped() {
        let picture = tile(IMAGE, &[0.0, 1.0, 0.5, 0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!((picture.width(), picture.height()), (128, 64));
        assert_eq!(picture.get_pixel(40, 10).0, [255; 3]);
        assert_eq!(picture.get_pixel(5, 40).0, [255; 3]);
        let stripes = tile(Shape::Vector { dim: 2 }, &[3.0, -3.0]);
        assert_eq!(stripes.get_pixel(0, 0).0, [255, 0, 0]);
        assert_eq!(stripes.get_pixel(127, 0).0, [0, 0, 255]);
    }

    #[test]
    fn other_numbers_of_channels_are_shown_as_colours() {
        let shape = |channels| Shape::Image {
            channels,
            height: 1,
            width: 1,
        };
        let values = [0.2, 0.4, 0.6, 0.8, 1.0];
        for (channels, colour) in [
            (1, [51; 3]),
            (2, [51, 102, 0]),
            (3, [51, 102, 153]),
            (5, [51, 102, 153]),
        ] {
            let picture = tile(shape(channels), &values[..channels]);
            assert_eq!(picture.get_pixel(0, 0).0, colour, "{channels} channels");
        }
    }

    #[test]
    fn sheets_and_animations_can_be_read_back() {
        let picture = tile(IMAGE, &[0.5; 8]);
        let rows = vec![vec![picture.clone(); 3], vec![picture.clone()]];
        let sheet = sheet(&rows, true).expect("a sheet");
        let size = (sheet.width() as usize, sheet.height() as usize);
        assert_eq!(size, (4 * 4 + 8 + 3 * 128, 3 * 4 + 2 * 64));
        let back = image::load_from_memory(&png(&sheet).expect("PNG")).expect("a picture");
        assert_eq!(back.into_rgb8(), sheet);
        let bytes = animation(&[picture.clone(), picture]).expect("GIF");
        assert!(bytes.starts_with(b"GIF89a"));
        assert!(super::sheet(&[], false).is_err());
    }
}
