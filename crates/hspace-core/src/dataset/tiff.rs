//! TIFF: pages, and pixels of any number of channels.
//!
//! Values of 8 and 16 bits in any number of samples, and grey or palettes of 1, 2 and 4 bits; strips or tiles, planes or
//! interleaved, with the compressions of the `tiff` crate (LZW, Deflate, PackBits, JPEG, fax group 4). A sample beyond the
//! colour's is blended as alpha if the file says that it is alpha (ExtraSamples 1 or 2), and is else a channel like any other.
//! Floating-point and signed values are refused. GIS and microscopes' metadata are not read.
//!
//! The decoder is shown a file whose first page is the one that is wanted and whose samples are all grey
//! ([`Patched`]): so it returns all of them, as they are stored, and what they mean is decided here.

mod directory;
mod page;
mod samples;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::{Read, Seek};

use ::tiff::TiffError;
use ::tiff::decoder::{Decoder, DecodingResult, Limits};

use crate::dataset::decode::{Header, Reason, memory};
use crate::dataset::pages::Part;
use crate::dataset::{Image, Pixels};
use directory::{Directory, Patched, Tiff};
use page::Page;

/// Where the directories of all pages begin.
///
/// # Errors
/// If the list is damaged or empty.
pub fn pages(reader: impl Read + Seek) -> Result<Vec<u64>, Reason> {
    all_pages(&mut Tiff::open(reader)?)
}

fn all_pages<R: Read + Seek>(tiff: &mut Tiff<R>) -> Result<Vec<u64>, Reason> {
    match tiff.pages(usize::MAX) {
        (pages, None) => Ok(pages),
        (_, Some(reason)) => Err(reason),
    }
}

/// Reads the header of a sample.
///
/// # Errors
/// If there is no such page, if its pixels cannot be read, or are more than `max_pixels`.
pub fn header(reader: impl Read + Seek, part: Part, max_pixels: u64) -> Result<Header, Reason> {
    let mut tiff = Tiff::open(reader)?;
    let pages = wanted(&mut tiff, part, max_pixels)?;
    let [height, width] = pages[0].1.size();
    Ok(Header {
        width,
        height,
        channels: match part {
            Part::Channels => pages.len(),
            Part::First | Part::Page { .. } => pages[0].1.channels(),
        },
        pages: match part {
            Part::First => tiff.pages(usize::MAX).0.len(),
            Part::Page { .. } | Part::Channels => 1,
        },
    })
}

/// Reads and decodes a sample.
///
/// # Errors
/// As [`header`], and if its pixels are damaged or cut short.
pub fn read(
    reader: impl Read + Seek,
    part: Part,
    max_pixels: u64,
) -> Result<Image<'static>, Reason> {
    let mut tiff = Tiff::open(reader)?;
    let pages = wanted(&mut tiff, part, max_pixels)?;
    let mut images = Vec::with_capacity(pages.len());
    for (directory, page) in &pages {
        images.push(decode(&mut tiff, directory, page, max_pixels)?);
    }
    match part {
        Part::Channels => stacked(images),
        Part::First | Part::Page { .. } => Ok(images.swap_remove(0)),
    }
}

/// The pages that a sample is made of, at least one.
fn wanted<R: Read + Seek>(
    tiff: &mut Tiff<R>,
    part: Part,
    max_pixels: u64,
) -> Result<Vec<(Directory, Page)>, Reason> {
    let places = match part {
        Part::Page { directory, .. } => vec![directory],
        Part::Channels => all_pages(tiff)?,
        // A list that is damaged later is no reason to lose the first page.
        Part::First => match tiff.pages(1) {
            (pages, Some(damage)) if pages.is_empty() => return Err(damage),
            (pages, _) => pages,
        },
    };
    let mut pages: Vec<(Directory, Page)> = Vec::with_capacity(places.len());
    for (number, place) in (1..).zip(places) {
        let directory = tiff.directory(place)?;
        let page = Page::read(tiff, &directory, max_pixels)?;
        if part == Part::Channels {
            same_kind(
                pages.first().map_or(&page, |(_, first)| first),
                &page,
                number,
            )?;
        }
        pages.push((directory, page));
    }
    let values = pages
        .iter()
        .map(|(_, page)| page.width * page.height * page.samples * 2);
    if values.sum::<usize>() as u64 > memory(max_pixels) {
        return Err(
            "its pages together are too large to decode; raise the limit with --max-pixels".into(),
        );
    }
    Ok(pages)
}

/// Refuses pages that are no channels of one image.
fn same_kind(first: &Page, page: &Page, number: usize) -> Result<(), Reason> {
    let advice = "--pages samples reads each page as a sample";
    if page.channels() != 1 {
        return Err(format!(
            "page {number} is not grey, so it is no channel; {advice}"
        ));
    }
    let kind = |page: &Page| {
        let [height, width] = page.size();
        format!("{width}x{height} pixels of {} bits", page.bits.max(8))
    };
    if kind(first) != kind(page) {
        let (a, b) = (kind(first), kind(page));
        return Err(format!(
            "page 1 has {a} and page {number} {b}, so they are no channels of one image; {advice}"
        ));
    }
    Ok(())
}

/// Decodes one page.
fn decode<R: Read + Seek>(
    tiff: &mut Tiff<R>,
    directory: &Directory,
    page: &Page,
    max_pixels: u64,
) -> Result<Image<'static>, Reason> {
    let patches = tiff.as_grey_samples(directory);
    let reader = Patched::new(tiff.reader(), patches)?;
    let mut limits = Limits::default();
    let most = usize::try_from(memory(max_pixels)).unwrap_or(usize::MAX);
    (limits.decoding_buffer_size, limits.intermediate_buffer_size) = (most, most);
    limits.ifd_value_size = most;
    let mut decoder = Decoder::new(reader).map_err(damaged)?.with_limits(limits);
    let mut samples = DecodingResult::U8(Vec::new());
    decoder
        .read_image_to_buffer(&mut samples)
        .map_err(damaged)?;
    let row = (page.width * page.samples * page.bits as usize).div_ceil(8);
    match samples {
        DecodingResult::U8(bytes) if bytes.len() == row * page.height => {
            Ok(samples::image_of_bytes(page, bytes))
        }
        DecodingResult::U16(words) if 2 * words.len() == row * page.height => {
            Ok(samples::image_of_words(page, words))
        }
        _ => Err("damaged: its pixels are not as many as its size says".into()),
    }
}

/// Grey images of one size as the channels of one.
fn stacked(images: Vec<Image<'static>>) -> Result<Image<'static>, Reason> {
    let (width, height, channels) = (images[0].width, images[0].height, images.len());
    let (mut bytes, mut words) = (Vec::new(), Vec::new());
    for image in images {
        match image.pixels {
            Pixels::U8(values) => bytes.push(values),
            Pixels::U16(values) => words.push(values),
        }
    }
    fn interleave<T: Copy>(planes: &[Cow<[T]>], size: usize) -> Vec<T> {
        (0..size)
            .flat_map(|i| planes.iter().map(move |plane| plane[i]))
            .collect()
    }
    let pixels = match words.is_empty() {
        true => Pixels::U8(Cow::Owned(interleave(&bytes, width * height))),
        false => Pixels::U16(Cow::Owned(interleave(&words, width * height))),
    };
    Ok(Image {
        width,
        height,
        channels,
        pixels,
    })
}

fn damaged(error: TiffError) -> Reason {
    match error {
        TiffError::UnsupportedError(e) => format!("cannot be decoded: {e}"),
        TiffError::LimitsExceeded => {
            "too large to decode; raise the limit with --max-pixels".into()
        }
        e => format!("damaged or cut short: {e}"),
    }
}
