//! Masks: a class for each pixel of an image.
//!
//! A column with the role `mask` holds the name of each sample's mask; the mask itself is read when it is asked for
//! ([`Samples::mask`](super::Samples::mask)). A pixel's value is the number of its class, 0 to 254; [`IGNORED`], 255, is a pixel of no
//! known class, which is neither learned from nor scored.
//!
//! A mask in a file is a PNG of one grey value or palette index a pixel, of 1 to 8 bits, as stored: other formats may not
//! return the numbers that were written.

mod write;

pub use write::colour;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use png::{BitDepth, ColorType, Decoder, Limits, Transformations};

use super::{BadFile, Column, Role, Values, decode};
use crate::error::{Error, Result};

/// The value of a pixel whose class is not known.
pub const IGNORED: u8 = 255;

/// The class of each pixel of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Columns of pixels.
    pub width: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Class numbers `[height, width]`, row by row; [`IGNORED`] where none is known.
    pub classes: Vec<u8>,
}

/// The masks of a column whose cells are paths, for one entry a sample.
pub(super) struct MaskFiles {
    /// Name of the column.
    pub column: String,
    /// Path of each sample's mask; `None` where the cell is empty.
    pub paths: Vec<Option<std::path::PathBuf>>,
}

impl MaskFiles {
    /// The columns of masks among `columns`; `find` says where a path of the table lies.
    pub fn of(columns: &[Column], find: impl Fn(&str) -> std::path::PathBuf) -> Vec<MaskFiles> {
        let masks = columns.iter().filter(|column| column.role == Role::Mask);
        masks
            .filter_map(|column| match &column.values {
                Values::Classes { names, index } => Some(MaskFiles {
                    column: column.name.clone(),
                    paths: index
                        .iter()
                        .map(|place| place.map(|place| find(&names[place as usize])))
                        .collect(),
                }),
                _ => None,
            })
            .collect()
    }

    /// The masks that do not exist, each as a bad file; `files` are the samples'.
    pub fn missing<'a>(&'a self, files: &'a [String]) -> impl Iterator<Item = BadFile> + 'a {
        let pairs = self.paths.iter().zip(files);
        pairs.filter_map(|(path, file)| {
            let path = path.as_ref().filter(|path| !path.is_file())?;
            Some(BadFile {
                path: path.display().to_string(),
                reason: format!("no such file: `{}` of {file}", self.column),
            })
        })
    }
}

/// The mask of a PNG file for an image of `size`, `[height, width]`, called `image` in errors.
///
/// # Errors
/// If the file cannot be read, is no PNG of one number a pixel of at most 8 bits, or has another size.
pub(super) fn read(
    path: &Path,
    [height, width]: [usize; 2],
    image: &str,
    max_pixels: u64,
) -> Result<Mask> {
    let wrong = |problem: String| Error::file(path, problem);
    let file = File::open(path).map_err(|e| wrong(decode::unreadable(e)))?;
    let bytes = usize::try_from(decode::memory(max_pixels)).unwrap_or(usize::MAX);
    let mut decoder = Decoder::new_with_limits(BufReader::new(file), Limits { bytes });
    decoder.set_transformations(Transformations::IDENTITY);
    let damaged = |e: png::DecodingError| wrong(format!("no readable PNG, as masks must be: {e}"));
    let mut reader = decoder.read_info().map_err(damaged)?;
    let info = reader.info();
    let (columns, rows) = (info.width as usize, info.height as usize);
    let kind = (info.color_type, info.bit_depth);
    if info.animation_control.is_some() {
        return Err(wrong("animated; a mask is one still image".into()));
    }
    if !matches!(kind.0, ColorType::Grayscale | ColorType::Indexed) {
        return Err(wrong(
            "its pixels are colours; a mask has one grey value or palette index a pixel, the number of its class".into(),
        ));
    }
    let bits = match kind.1 {
        BitDepth::One => 1,
        BitDepth::Two => 2,
        BitDepth::Four => 4,
        BitDepth::Eight => 8,
        BitDepth::Sixteen => {
            return Err(wrong(
                "has 16 bits a pixel; save classes 0 to 254 with 8 bits".into(),
            ));
        }
    };
    if (columns, rows) != (width, height) {
        return Err(wrong(other_size([rows, columns], [height, width], image)));
    }
    let line = (columns * bits).div_ceil(8);
    let mut packed = vec![0; line * rows];
    reader.next_frame(&mut packed).map_err(damaged)?;
    let mut classes = Vec::with_capacity(rows * columns);
    for row in packed.chunks_exact(line.max(1)) {
        classes.extend((0..columns).map(|x| {
            let first = x * bits;
            let shift = 8 - bits - first % 8;
            (row[first / 8] >> shift) & (u8::MAX >> (8 - bits))
        }));
    }
    Ok(Mask {
        width,
        height,
        classes,
    })
}

/// What is said of a mask of another size, `[height, width]`, than its image.
pub(super) fn other_size(own: [usize; 2], image: [usize; 2], name: &str) -> String {
    let size = |[height, width]: [usize; 2]| format!("{width}x{height}");
    format!(
        "is {} pixels large, and its image {name} {}; a mask has the size of its image",
        size(own),
        size(image)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG of `data`, packed lines of `bits` a pixel.
    fn png(path: &Path, [height, width]: [u32; 2], kind: ColorType, bits: BitDepth, data: &[u8]) {
        let mut encoder = png::Encoder::new(File::create(path).unwrap(), width, height);
        encoder.set_color(kind);
        encoder.set_depth(bits);
        if kind == ColorType::Indexed {
            encoder.set_palette((0..16 * 3).map(|i| 5 * i as u8).collect::<Vec<u8>>());
        }
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(data).unwrap();
    }

    fn found(kind: ColorType, bits: BitDepth, data: &[u8]) -> Result<Mask> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        png(&path, [2, 3], kind, bits, data);
        read(&path, [2, 3], "a.png", 100)
    }

    #[test]
    fn numbers_are_those_that_are_stored() {
        use BitDepth::{Eight, Four, One, Two};
        use ColorType::{Grayscale, Indexed};
        let wanted = vec![1, 0, 1, 0, 1, 1];
        for (kind, bits, data) in [
            (Grayscale, Eight, vec![1, 0, 1, 0, 1, 1]),
            (Grayscale, One, vec![0b1010_0000, 0b0110_0000]),
            (Indexed, One, vec![0b1010_0000, 0b0110_0000]),
            (Indexed, Two, vec![0b0100_0100, 0b0001_0100]),
            (Indexed, Four, vec![0x10, 0x10, 0x01, 0x10]),
        ] {
            assert_eq!(
                found(kind, bits, &data).unwrap().classes,
                wanted,
                "{bits:?}"
            );
        }
        let high = found(Indexed, Eight, &[15, 3, 0, 7, 9, 1]).unwrap();
        assert_eq!(high.classes, [15, 3, 0, 7, 9, 1]);
    }

    #[test]
    fn what_is_no_mask_of_the_image_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        png(
            &path,
            [2, 3],
            ColorType::Grayscale,
            BitDepth::Eight,
            &[0; 6],
        );
        let text = read(&path, [3, 2], "a.png", 100).unwrap_err().to_string();
        for part in ["mask.png", "3x2", "a.png 2x3"] {
            assert!(text.contains(part), "{text}");
        }
        for (kind, bits, bytes, why) in [
            (ColorType::Rgb, BitDepth::Eight, 18, "colours"),
            (ColorType::Grayscale, BitDepth::Sixteen, 12, "16 bits"),
        ] {
            let text = found(kind, bits, &vec![0; bytes]).unwrap_err().to_string();
            assert!(text.contains("mask.png") && text.contains(why), "{text}");
        }
        std::fs::write(&path, "text").unwrap();
        let text = read(&path, [2, 3], "a.png", 100).unwrap_err().to_string();
        assert!(text.contains("no readable PNG"), "{text}");
    }
}
