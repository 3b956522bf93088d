//! The decoders of the `image` crate for all but TIFF, and where they say too little.

use std::borrow::Cow;
use std::io::{BufRead, Cursor, Seek, SeekFrom};

use image::codecs::{bmp::BmpDecoder, png::PngDecoder, webp::WebPDecoder};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::alpha::on_white;
use super::content::Format;
use super::{Header, Reason, check_size, gif, memory};
use crate::dataset::{Image, Pixels};

/// Reads a header.
pub fn header<R: BufRead + Seek>(reader: R, format: Format, max: u64) -> Result<Header, Reason> {
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
    let colour = decoder.color_type().has_color();
    Ok(Header {
        width,
        height,
        channels: if colour { 3 } else { 1 },
        pages: 1,
    })
}

/// Decodes the bytes of a file.
pub fn decode(bytes: &[u8], format: Format, max_pixels: u64) -> Result<Image<'static>, Reason> {
    // The JPEG decoder fills what is missing with grey and says nothing.
    if format == Format::Image(ImageFormat::Jpeg) && !jpeg_is_complete(bytes) {
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
        D::ImageLumaA8(i) => (1, Pixels::U8(Cow::Owned(on_white::<2, u8>(&i)))),
        D::ImageRgba8(i) => (3, Pixels::U8(Cow::Owned(on_white::<4, u8>(&i)))),
        D::ImageLuma16(i) => (1, Pixels::U16(Cow::Owned(i.into_raw()))),
        D::ImageRgb16(i) => (3, Pixels::U16(Cow::Owned(i.into_raw()))),
        D::ImageLumaA16(i) => (1, Pixels::U16(Cow::Owned(on_white::<2, u16>(&i)))),
        D::ImageRgba16(i) => (3, Pixels::U16(Cow::Owned(on_white::<4, u16>(&i)))),
        _ => return Err("pixels are floating-point numbers; save them with 8 or 16 bits".into()),
    };
    Ok(Image {
        width,
        height,
        channels,
        pixels,
    })
}

/// A decoder ready to decode, within limits, and the orientation to apply afterwards.
fn decoder<'a, R: BufRead + Seek + 'a>(
    mut reader: R,
    format: Format,
    max_pixels: u64,
) -> Result<(Box<dyn ImageDecoder + 'a>, Orientation), Reason> {
    let (mut decoder, animated): (Box<dyn ImageDecoder + 'a>, bool) = match format {
        Format::Dib => {
            let decoder = BmpDecoder::new_without_file_header(reader).map_err(damaged)?;
            (Box::new(decoder), false)
        }
        Format::Image(ImageFormat::Png) => {
            let decoder = PngDecoder::new(reader).map_err(damaged)?;
            let animated = decoder.is_apng().map_err(damaged)?;
            (Box::new(decoder), animated)
        }
        Format::Image(ImageFormat::WebP) => {
            let decoder = WebPDecoder::new(reader).map_err(damaged)?;
            let animated = decoder.has_animation();
            (Box::new(decoder), animated)
        }
        Format::Image(ImageFormat::Gif) => {
            let frames = gif::frames(&mut reader).map_err(|e| damaged(ImageError::IoError(e)))?;
            reader
                .seek(SeekFrom::Start(0))
                .map_err(|e| damaged(ImageError::IoError(e)))?;
            (by_format(reader, ImageFormat::Gif)?, frames > 1)
        }
        Format::Image(format) => (by_format(reader, format)?, false),
    };
    if animated {
        return Err("animated (several frames); save the frame you mean as a still image".into());
    }
    let (width, height) = decoder.dimensions();
    check_size(width.into(), height.into(), max_pixels)?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(memory(max_pixels));
    decoder.set_limits(limits).map_err(damaged)?;
    // Metadata that cannot be understood are no reason to lose the image.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder, orientation))
}

fn by_format<'a, R: BufRead + Seek + 'a>(
    reader: R,
    format: ImageFormat,
) -> Result<Box<dyn ImageDecoder + 'a>, Reason> {
    let reader = ImageReader::with_format(reader, format);
    Ok(Box::new(reader.into_decoder().map_err(damaged)?))
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

fn damaged(error: ImageError) -> Reason {
    let text = match error {
        ImageError::Unsupported(e) => format!("cannot be decoded: {e}"),
        ImageError::Limits(e) => format!("too large to decode: {e}"),
        e => format!("damaged or cut short: {e}"),
    };
    // Some decoders' messages run over several lines.
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
