//! What one page of a TIFF holds, as its fields say.

use std::io::{Read, Seek};

use image::metadata::Orientation;

use super::directory::{Directory, Tiff, tag};
use crate::dataset::decode::{Reason, check_size, memory};

/// A page.
pub struct Page {
    /// Columns as stored.
    pub width: usize,
    /// Rows as stored.
    pub height: usize,
    /// Values of a pixel as stored.
    pub samples: usize,
    /// Bits of a value: 1, 2, 4 (one sample only), 8 or 16.
    pub bits: u64,
    /// Whether each sample is stored as a plane of its own.
    pub planar: bool,
    /// What the first samples mean.
    pub colour: Colour,
    /// Which of the samples after the colour is alpha.
    pub alpha: Option<Alpha>,
    /// To be applied after decoding.
    pub orientation: Orientation,
}

/// What the first samples of a pixel mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Colour {
    /// One sample, 0 is black.
    Grey,
    /// One sample, 0 is white.
    InvertedGrey,
    /// One sample, an index into these RGB colours.
    Palette(Vec<[u8; 3]>),
    /// Three samples.
    Rgb,
    /// Four samples.
    Cmyk,
    /// Three samples, of a JPEG.
    YCbCr,
}

impl Colour {
    /// Samples as stored.
    pub fn samples(&self) -> usize {
        match self {
            Colour::Grey | Colour::InvertedGrey | Colour::Palette(_) => 1,
            Colour::Rgb | Colour::YCbCr => 3,
            Colour::Cmyk => 4,
        }
    }

    /// Channels they become.
    fn channels(&self) -> usize {
        match self {
            Colour::Grey | Colour::InvertedGrey => 1,
            _ => 3,
        }
    }
}

/// A sample that says how opaque a pixel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alpha {
    /// Its place after the colour's samples.
    pub place: usize,
    /// Whether the colours have been multiplied by it.
    pub associated: bool,
}

impl Page {
    /// Channels of the image.
    pub fn channels(&self) -> usize {
        let extra = self.samples - self.colour.samples();
        self.colour.channels() + extra - usize::from(self.alpha.is_some())
    }

    /// `[height, width]` after the orientation.
    pub fn size(&self) -> [usize; 2] {
        use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        match self.orientation {
            Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH => [self.width, self.height],
            _ => [self.height, self.width],
        }
    }

    /// Reads the fields of a directory.
    ///
    /// # Errors
    /// If pixels of this kind are not read, or are more than `max_pixels`.
    pub fn read<R: Read + Seek>(
        tiff: &mut Tiff<R>,
        of: &Directory,
        max_pixels: u64,
    ) -> Result<Page, Reason> {
        let needed = |found: Option<u64>, what: &str| {
            found.ok_or(format!("damaged: a page without its {what}"))
        };
        let width = needed(tiff.number(of, tag::WIDTH)?, "width")?;
        let height = needed(tiff.number(of, tag::HEIGHT)?, "height")?;
        check_size(width, height, max_pixels)?;
        let samples = tiff.number(of, tag::SAMPLES)?.unwrap_or(1);
        unsigned(&tiff.numbers(of, tag::SAMPLE_FORMAT)?)?;
        let bits = bits(&tiff.numbers(of, tag::BITS)?, samples)?;
        let bytes = (width * height).saturating_mul(bits.div_ceil(8));
        if bytes.saturating_mul(samples) > memory(max_pixels) {
            return Err(format!(
                "{width}x{height} pixels of {samples} values are too large to decode; shrink it, or raise the limit \
                 with --max-pixels"
            ));
        }
        let jpeg = tiff.number(of, tag::COMPRESSION)? == Some(7);
        if jpeg {
            all_there(tiff, of)?;
        }
        let photometric = needed(
            tiff.number(of, tag::PHOTOMETRIC)?,
            "photometric interpretation",
        )?;
        let map = tiff.numbers(of, tag::COLOUR_MAP)?;
        let colour = colour(photometric, map, bits, jpeg)?;
        let samples = samples as usize;
        if samples < colour.samples() || bits < 8 && samples > 1 {
            return Err(format!(
                "cannot be decoded: {samples} values a pixel of {bits} bits for its kind of colour"
            ));
        }
        let extra = tiff.numbers(of, tag::EXTRA_SAMPLES)?;
        let orientation = tiff.number(of, tag::ORIENTATION)?.unwrap_or(1);
        let orientation = u8::try_from(orientation)
            .ok()
            .and_then(Orientation::from_exif);
        Ok(Page {
            width: width as usize,
            height: height as usize,
            samples,
            bits,
            planar: samples > 1 && tiff.number(of, tag::PLANAR)? == Some(2),
            alpha: alpha(&extra, samples - colour.samples()),
            colour,
            orientation: orientation.unwrap_or(Orientation::NoTransforms),
        })
    }
}

/// Bits of each of so many `samples`.
fn bits(found: &[u64], samples: u64) -> Result<u64, Reason> {
    let bits = found.first().copied().unwrap_or(1);
    if found.iter().any(|other| *other != bits) {
        return Err(format!(
            "cannot be decoded: values of {found:?} bits; save them all with 8 or 16"
        ));
    }
    match (bits, samples) {
        (_, 0) => Err("damaged: pixels of no values".into()),
        (8 | 16, 1..=0xffff) | (1 | 2 | 4, 1) => Ok(bits),
        _ => Err(format!(
            "values of {bits} bits, {samples} a pixel; save them with 8 or 16 bits"
        )),
    }
}

/// Refuses values that are not whole numbers from 0.
fn unsigned(formats: &[u64]) -> Result<(), Reason> {
    match formats.iter().find(|format| **format != 1) {
        None => Ok(()),
        Some(2) => Err("pixels are signed numbers; save them unsigned, with 8 or 16 bits".into()),
        Some(3) => Err("pixels are floating-point numbers; save them with 8 or 16 bits".into()),
        Some(_) => {
            Err("pixels are of no known type of numbers; save them with 8 or 16 bits".into())
        }
    }
}

/// Refuses JPEG data that reach beyond the end of the file: their decoder would fill what is missing with grey.
fn all_there<R: Read + Seek>(tiff: &mut Tiff<R>, of: &Directory) -> Result<(), Reason> {
    for (offsets, lengths) in [
        (tag::STRIP_OFFSETS, tag::STRIP_LENGTHS),
        (tag::TILE_OFFSETS, tag::TILE_LENGTHS),
    ] {
        let (offsets, lengths) = (tiff.numbers(of, offsets)?, tiff.numbers(of, lengths)?);
        let mut ends = offsets
            .iter()
            .zip(&lengths)
            .map(|(at, length)| at.saturating_add(*length));
        if ends.any(|end| end > tiff.len()) {
            return Err("damaged: the JPEG data are cut short".into());
        }
    }
    Ok(())
}

fn colour(photometric: u64, map: Vec<u64>, bits: u64, jpeg: bool) -> Result<Colour, Reason> {
    let refused = |what: &str| {
        Err(format!(
            "cannot be decoded: a TIFF of {what}; save it as grey or RGB"
        ))
    };
    match photometric {
        0 => Ok(Colour::InvertedGrey),
        1 => Ok(Colour::Grey),
        2 => Ok(Colour::Rgb),
        3 if bits <= 8 && map.len() == 3 << bits => {
            // All reds, then all greens, then all blues, of 16 bits; some programs write 8.
            let shift = if map.iter().all(|v| *v < 256) { 0 } else { 8 };
            let (red, rest) = map.split_at(1 << bits);
            let (green, blue) = rest.split_at(1 << bits);
            let byte = |v: u64| (v >> shift) as u8;
            let rgb = |((r, g), b): ((&u64, &u64), &u64)| [byte(*r), byte(*g), byte(*b)];
            Ok(Colour::Palette(
                red.iter().zip(green).zip(blue).map(rgb).collect(),
            ))
        }
        3 => Err("damaged: its palette has not a colour for each value".into()),
        5 => Ok(Colour::Cmyk),
        6 if jpeg && bits == 8 => Ok(Colour::YCbCr),
        6 => refused("YCbCr colours that are no JPEG"),
        8..=10 => refused("L*a*b* colours"),
        32803 | 34892 => refused("a camera's raw data"),
        _ => refused(&format!(
            "unknown colours (photometric interpretation {photometric})"
        )),
    }
}

/// The first of so many samples after the colour's that says it is alpha. Samples that say nothing are channels.
fn alpha(extra: &[u64], count: usize) -> Option<Alpha> {
    // What is listed is about the last samples.
    let before = count.checked_sub(extra.len())?;
    let place = extra.iter().position(|kind| matches!(kind, 1 | 2))?;
    Some(Alpha {
        place: before + place,
        associated: extra[place] == 1,
    })
}
