//! Image files to pixels, and every reason why that may fail.
//!
//! PNG, JPEG, TIFF, BMP and WebP, told by their content, not their name. Grey stays grey, palettes
//! and CMYK become RGB, 16 bits stay 16 bits. Alpha is blended onto white and the EXIF orientation
//! applied. Of a TIFF with several pages the first is read; animated PNG and WebP are refused,
//! since which of their frames is the sample is not ours to guess.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use image::codecs::{png::PngDecoder, webp::WebPDecoder};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::dataset::{Image, Pixels};

/// What is said of a file that cannot be used.
pub type Reason = String;

/// Extensions of image files, in lower case.
pub const EXTENSIONS: &[&str] = &[
    "png", "apng", "jpg", "jpeg", "jpe", "jfif", "tif", "tiff", "bmp", "webp",
];
/// Extensions of images that are reported as unsupported instead of being passed over.
pub const UNSUPPORTED: &[&str] = &[
    "gif", "heic", "heif", "avif", "jxl", "jp2", "dcm", "psd", "svg", "tga", "ico",
];

/// So much of a file is read to learn its size; for most files that is enough.
const HEAD: u64 = 64 * 1024;

/// What a file's header says, orientation applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Whether it is in colour.
    pub colour: bool,
}

/// Reads the header alone.
///
/// # Errors
/// When the file is not readable, not an image, animated, or of more than `max_pixels`.
pub fn header(path: &Path, max_pixels: u64) -> Result<Header, Reason> {
    let file = open(path, max_pixels)?;
    let mut head = Vec::new();
    (&file)
        .take(HEAD)
        .read_to_end(&mut head)
        .map_err(unreadable)?;
    let format = format(&head)?;
    let whole = (head.len() as u64) < HEAD;
    let found = describe(Cursor::new(head), format, max_pixels);
    if found.is_ok() || whole {
        return found;
    }
    // Some headers come late (TIFF directories, large colour profiles): read on.
    describe(BufReader::new(open(path, max_pixels)?), format, max_pixels)
}

fn describe<R: BufRead + Seek>(reader: R, format: ImageFormat, max: u64) -> Result<Header, Reason> {
    let (decoder, orientation) = decoder(reader, format, max)?;
    let (width, height) = decoder.dimensions();
    let (mut width, mut height) = (width as usize, height as usize);
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    if matches!(
        orientation,
        Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH
    ) {
        (width, height) = (height, width);
    }
    Ok(Header {
        width,
        height,
        colour: decoder.color_type().has_color(),
    })
}

/// Reads and decodes a file.
///
/// # Errors
/// As [`header`], and when what follows the header is cut short or damaged.
pub fn read(path: &Path, max_pixels: u64) -> Result<Image<'static>, Reason> {
    let mut bytes = Vec::new();
    open(path, max_pixels)?
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    decode(&bytes, max_pixels)
}

/// Decodes the bytes of an image file.
///
/// # Errors
/// As [`read`].
pub fn decode(bytes: &[u8], max_pixels: u64) -> Result<Image<'static>, Reason> {
    let format = format(bytes)?;
    // The JPEG decoder fills what is missing with grey and says nothing.
    if format == ImageFormat::Jpeg && !jpeg_is_complete(bytes) {
        return Err("damaged: the JPEG data are cut short".into());
    }
    let (decoder, orientation) = decoder(Cursor::new(bytes), format, max_pixels)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width() as usize, image.height() as usize);
    use DynamicImage as D;
    let (channels, pixels) = match image {
        D::ImageLuma8(i) => (1, Pixels::U8(Cow::Owned(i.into_raw()))),
        D::ImageRgb8(i) => (3, Pixels::U8(Cow::Owned(i.into_raw()))),
        D::ImageLumaA8(i) => (1, Pixels::U8(Cow::Owned(on_white::<2, u8>(&i, 0xff)))),
        D::ImageRgba8(i) => (3, Pixels::U8(Cow::Owned(on_white::<4, u8>(&i, 0xff)))),
        D::ImageLuma16(i) => (1, Pixels::U16(Cow::Owned(i.into_raw()))),
        D::ImageRgb16(i) => (3, Pixels::U16(Cow::Owned(i.into_raw()))),
        D::ImageLumaA16(i) => (1, Pixels::U16(Cow::Owned(on_white::<2, u16>(&i, 0xffff)))),
        D::ImageRgba16(i) => (3, Pixels::U16(Cow::Owned(on_white::<4, u16>(&i, 0xffff)))),
        _ => return Err("pixels are floating-point numbers; save them with 8 or 16 bits".into()),
    };
    Ok(Image {
        width,
        height,
        channels,
        pixels,
    })
}

/// Blends interleaved pixels of `N` values, the last of them alpha, onto white.
fn on_white<const N: usize, T>(pixels: &[T], white: u64) -> Vec<T>
where
    T: Copy + Into<u64> + TryFrom<u64> + Default,
{
    let mut out = Vec::with_capacity(pixels.len() / N * (N - 1));
    for pixel in pixels.chunks_exact(N) {
        let alpha: u64 = pixel[N - 1].into();
        for &value in &pixel[..N - 1] {
            let blend = (value.into() * alpha + white * (white - alpha) + white / 2) / white;
            out.push(T::try_from(blend).unwrap_or_default());
        }
    }
    out
}

fn open(path: &Path, max_pixels: u64) -> Result<File, Reason> {
    let size = fs::metadata(path).map_err(unreadable)?.len();
    // 8 bytes hold the largest pixel, 16-bit RGBA; the rest is for metadata.
    if size > max_pixels.saturating_mul(8).saturating_add(64 << 20) {
        return Err(format!(
            "{size} bytes: larger than any image of {max_pixels} pixels"
        ));
    }
    File::open(path).map_err(unreadable)
}

fn format(bytes: &[u8]) -> Result<ImageFormat, Reason> {
    if bytes.is_empty() {
        return Err("empty file (0 bytes)".into());
    }
    use ImageFormat::{Bmp, Jpeg, Png, Tiff, WebP};
    match image::guess_format(bytes) {
        Ok(format @ (Png | Jpeg | Tiff | Bmp | WebP)) => Ok(format),
        Ok(other) => Err(unsupported(&format!("{other:?}"))),
        Err(_) => Err("not an image (it starts like no PNG, JPEG, TIFF, BMP or WebP file)".into()),
    }
}

/// A decoder ready to decode, within limits, and the orientation to apply afterwards.
fn decoder<'a, R: BufRead + Seek + 'a>(
    reader: R,
    format: ImageFormat,
    max_pixels: u64,
) -> Result<(Box<dyn ImageDecoder + 'a>, Orientation), Reason> {
    let (mut decoder, animated): (Box<dyn ImageDecoder + 'a>, bool) = match format {
        ImageFormat::Png => {
            let decoder = PngDecoder::new(reader).map_err(damaged)?;
            let animated = decoder.is_apng().map_err(damaged)?;
            (Box::new(decoder), animated)
        }
        ImageFormat::WebP => {
            let decoder = WebPDecoder::new(reader).map_err(damaged)?;
            let animated = decoder.has_animation();
            (Box::new(decoder), animated)
        }
        _ => {
            let reader = ImageReader::with_format(reader, format);
            (Box::new(reader.into_decoder().map_err(damaged)?), false)
        }
    };
    if animated {
        return Err("animated (several frames); save the frame you mean as a still image".into());
    }
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(format!("an image without pixels ({width}x{height})"));
    }
    if u64::from(width) * u64::from(height) > max_pixels {
        let size = format!("{width}x{height}");
        return Err(format!(
            "{size} is more than {max_pixels} pixels; shrink it or raise max_pixels"
        ));
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(max_pixels.saturating_mul(16).saturating_add(64 << 20));
    decoder.set_limits(limits).map_err(damaged)?;
    // Metadata that cannot be understood are no reason to lose the image.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder, orientation))
}

/// Whether the markers of a JPEG lead to its end-of-image marker.
///
/// Segments carry their length; the compressed data after a start-of-scan run up to the next
/// marker that is neither a stuffed zero nor a restart (ITU T.81, B.1.1).
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(gap) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|&b| b == 0xff))
    {
        at += gap + 1;
        match bytes.get(at) {
            Some(0xd9) => return true,
            Some(0x00 | 0x01 | 0xd0..=0xd8) => at += 1,
            // A fill byte: the marker is still to come.
            Some(0xff) => {}
            Some(_) => {
                let Some(&[high, low]) = bytes.get(at + 1..at + 3) else {
                    return false;
                };
                at += 1 + usize::from(u16::from_be_bytes([high, low]));
            }
            None => return false,
        }
    }
    false
}

/// What is said of an image in a format we do not read.
pub fn unsupported(format: &str) -> Reason {
    let format = format.to_uppercase();
    format!("{format} is not supported; save it as PNG, JPEG, TIFF, BMP or WebP")
}

fn damaged(error: image::ImageError) -> Reason {
    let text = match error {
        image::ImageError::Unsupported(e) => format!("cannot be decoded: {e}"),
        image::ImageError::Limits(e) => format!("too large to decode: {e}"),
        e => format!("damaged or cut short: {e}"),
    };
    // Some decoders' messages run over several lines.
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unreadable(error: std::io::Error) -> Reason {
    format!("cannot be read: {error}")
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, Luma, LumaA, Rgb, Rgba};

    use super::*;

    const MAX: u64 = 1_000_000;

    fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn noise(width: u32, height: u32) -> image::RgbImage {
        ImageBuffer::from_fn(width, height, |x, y| {
            let v = x * 7919 + y * 104_729;
            Rgb([(v % 251) as u8, (v / 3 % 241) as u8, (v / 7 % 239) as u8])
        })
    }

    #[test]
    fn every_format_is_read_and_every_cut_is_seen() {
        use ImageFormat::{Bmp, Jpeg, Png, Tiff, WebP};
        for format in [Png, Jpeg, Tiff, Bmp, WebP] {
            let bytes = encode(noise(61, 33), format);
            let image = decode(&bytes, MAX).unwrap();
            assert_eq!(
                (image.width, image.height, image.channels),
                (61, 33, 3),
                "{format:?}"
            );
            for share in [4, 2] {
                let cut = decode(&bytes[..bytes.len() - bytes.len() / share], MAX);
                assert!(cut.is_err(), "{format:?} without its last 1/{share}");
            }
            for end in 1..40 {
                assert!(
                    decode(&bytes[..end], MAX).is_err(),
                    "{format:?} cut to {end} bytes"
                );
            }
        }
    }

    #[test]
    fn depth_and_channels_are_kept_and_alpha_is_blended() {
        let png = |image: DynamicImage| decode(&encode(image, ImageFormat::Png), MAX).unwrap();
        let grey = png(ImageBuffer::from_pixel(2, 1, Luma([40_000u16])).into());
        assert_eq!(grey.pixels, Pixels::U16(Cow::Owned(vec![40_000; 2])));
        assert_eq!(grey.channels, 1);
        let veil = png(ImageBuffer::from_pixel(1, 1, Rgba([0u8, 100, 255, 128])).into());
        assert_eq!(veil.pixels, Pixels::U8(Cow::Owned(vec![127, 177, 255])));
        let clear = png(ImageBuffer::from_pixel(1, 1, LumaA([0u16, 0])).into());
        assert_eq!(clear.pixels, Pixels::U16(Cow::Owned(vec![65_535])));
        let float = DynamicImage::ImageRgb32F(ImageBuffer::from_pixel(1, 1, Rgb([0.5f32; 3])));
        let text = decode(&encode(float, ImageFormat::Tiff), MAX).unwrap_err();
        assert!(text.contains("floating-point"), "{text}");
    }

    #[test]
    fn orientation_is_applied() {
        // EXIF with the one entry orientation (0x0112) = 6: turn by 90 degrees clockwise.
        let jpeg = encode(noise(20, 10), ImageFormat::Jpeg);
        let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0".to_vec();
        exif.extend(b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0");
        let length = (exif.len() + 2) as u16;
        let mut turned = jpeg[..2].to_vec();
        turned.extend([0xff, 0xe1]);
        turned.extend(length.to_be_bytes());
        turned.append(&mut exif);
        turned.extend(&jpeg[2..]);
        let (plain, turned_image) = (decode(&jpeg, MAX).unwrap(), decode(&turned, MAX).unwrap());
        assert_eq!((turned_image.width, turned_image.height), (10, 20));
        let (Pixels::U8(a), Pixels::U8(b)) = (&plain.pixels, &turned_image.pixels) else {
            panic!("8 bits expected")
        };
        // The first pixel goes to the upper right corner.
        assert_eq!(a[..3], b[9 * 3..10 * 3]);
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &turned).unwrap();
        let found = header(file.path(), MAX).unwrap();
        assert_eq!((found.width, found.height, found.colour), (10, 20, true));
    }

    #[test]
    fn reasons_are_plain() {
        let reason = |bytes: &[u8]| decode(bytes, 100).unwrap_err();
        assert_eq!(reason(b""), "empty file (0 bytes)");
        assert!(reason(b"hello, world, this is text").starts_with("not an image"));
        assert!(reason(b"GIF89a\x01\0\x01\0\0\0\0").contains("GIF is not supported"));
        let text = reason(&encode(noise(11, 10), ImageFormat::Png));
        assert!(text.starts_with("11x10 is more than 100 pixels"), "{text}");
    }

    #[test]
    fn headers_beyond_the_first_block_are_found() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), encode(noise(300, 200), ImageFormat::Tiff)).unwrap();
        let found = header(file.path(), MAX).unwrap();
        assert_eq!((found.width, found.height), (300, 200));
    }
}
