//! Image files to pixels, and every reason why that may fail.
//!
//! PNG, JPEG, TIFF, BMP, WebP, GIF, PNM, ICO, QOI and farbfeld, recognised by their content, not their name; TGA and DIB by
//! their extension, since they have no mark. Grey stays grey, palettes and CMYK become RGB, 16 bits stay 16 bits.
//! Alpha is blended onto white and the EXIF orientation applied. A TIFF may have any number of channels and several
//! pages (see [`tiff`]). Of an ICO the largest picture is read. Animated PNG, WebP and GIF are refused, since which of
//! their frames is the sample is not ours to guess.
//!
//! A folder is listed in three steps: [`looks_like_picture`] says which files are pictures, [`parts`] which
//! samples a file holds, [`header`] whether a sample can be read and how large it is.

mod alpha;
mod codec;
mod content;
mod gif;
mod names;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use image::ImageFormat;

pub(super) use alpha::{Value, blended, blended_associated};
use content::Format;
pub use names::looks_like_picture;

use crate::dataset::pages::{Pages, Part};
use crate::dataset::{Image, tiff};

/// What is said of a file that cannot be used.
pub type Reason = String;

const TIFF: Format = Format::Image(ImageFormat::Tiff);

/// So much of a file is read to learn its size; for most files that is enough.
const HEAD: u64 = 64 * 1024;

/// What a file's header says, orientation applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Channels of the image as it is read: alpha is none, a palette is 3.
    pub channels: usize,
    /// Pages of the file, if all of it was asked for ([`Part::First`]); else 1.
    pub pages: usize,
}

/// The samples of a file: one, or with [`Pages::Samples`] one for each page where there are several.
///
/// # Errors
/// If the file is unreadable or no image, or the list of its pages is damaged; never with [`Pages::First`], which opens nothing.
pub fn parts(path: &Path, pages: Pages) -> Result<Vec<Part>, Reason> {
    if pages == Pages::First {
        return Ok(vec![Part::First]);
    }
    let directories = directories(path)?;
    Ok(match pages {
        _ if directories.len() < 2 => vec![Part::First],
        Pages::Samples => (1..)
            .zip(directories)
            .map(|(number, directory)| Part::Page { number, directory })
            .collect(),
        Pages::Channels | Pages::First => vec![Part::Channels],
    })
}

/// Where the directories of a TIFF's pages lie; none if it is no TIFF.
fn directories(path: &Path) -> Result<Vec<u64>, Reason> {
    let (file, head) = content::head(path, 16)?;
    match content::format(path, &head)? {
        TIFF => tiff::pages(BufReader::new(file)),
        _ => Ok(Vec::new()),
    }
}

/// Reads the header of a sample alone.
///
/// # Errors
/// When the file is unreadable, not an image, animated, or of more than `max_pixels`.
pub fn header(path: &Path, part: Part, max_pixels: u64) -> Result<Header, Reason> {
    let (file, head) = content::head(path, HEAD)?;
    let format = content::format(path, &head)?;
    if format == TIFF {
        return tiff::header(BufReader::new(file), part, max_pixels);
    }
    small_enough(&file, max_pixels)?;
    one_page(part)?;
    let whole = (head.len() as u64) < HEAD;
    // Whether a GIF has a second frame is known at its end.
    if whole || format != Format::Image(ImageFormat::Gif) {
        let found = codec::header(Cursor::new(head), format, max_pixels);
        if found.is_ok() || whole {
            return found;
        }
    }
    // Some headers come late (large colour profiles): read on.
    let file = File::open(path).map_err(unreadable)?;
    codec::header(BufReader::new(file), format, max_pixels)
}

/// Reads and decodes a sample.
///
/// # Errors
/// As [`header`], and when what follows the header is cut short or damaged.
pub fn read(path: &Path, part: Part, max_pixels: u64) -> Result<Image<'static>, Reason> {
    let (mut file, mut bytes) = content::head(path, 16)?;
    let format = content::format(path, &bytes)?;
    if format == TIFF {
        return tiff::read(
            BufReader::with_capacity(HEAD as usize, file),
            part,
            max_pixels,
        );
    }
    small_enough(&file, max_pixels)?;
    one_page(part)?;
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    codec::decode(&bytes, format, max_pixels)
}

/// Refuses a file that is too long to be read into memory. Of a TIFF only what is needed is read.
fn small_enough(file: &File, max_pixels: u64) -> Result<(), Reason> {
    let size = file.metadata().map_err(unreadable)?.len();
    // 8 bytes hold the largest pixel, 16-bit RGBA; the rest is for metadata.
    if size > max_pixels.saturating_mul(8).saturating_add(64 << 20) {
        return Err(format!(
            "{size} bytes: larger than any image of {max_pixels} pixels; shrink it, or raise the limit with --max-pixels"
        ));
    }
    Ok(())
}

fn one_page(part: Part) -> Result<(), Reason> {
    match part {
        Part::Page { number: 2.., .. } => Err("has one page only".into()),
        _ => Ok(()),
    }
}

/// Refuses images without pixels and those of more than `max_pixels`.
pub(super) fn check_size(width: u64, height: u64, max_pixels: u64) -> Result<(), Reason> {
    let size = format!("{width}x{height}");
    if width == 0 || height == 0 {
        return Err(format!("an image without pixels ({size})"));
    }
    if width.saturating_mul(height) > max_pixels {
        return Err(format!(
            "{size} is more than {max_pixels} pixels; shrink it, or raise the limit with --max-pixels"
        ));
    }
    Ok(())
}

/// Bytes that decoding an image of `max_pixels` may take.
pub(super) fn memory(max_pixels: u64) -> u64 {
    max_pixels.saturating_mul(16).saturating_add(64 << 20)
}

pub(super) fn unreadable(error: std::io::Error) -> Reason {
    format!("cannot be read: {error}")
}
