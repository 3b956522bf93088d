//! Archives of images with their generating factors, in the layout of dSprites.
//!
//! - `imgs` `[samples, height, width]`, `uint8`, 0 or 1.
//! - `latents_classes` `[samples, factors]`: which value of each factor, from 0.
//! - `latents_values` `[samples, factors]`, if there: the values themselves.
//!
//! Six factors are dSprites' colour, shape, scale, orientation, x and y; others are called `factor_0`,
//! `factor_1`, …; those with one value are left out. Images are kept with a bit a pixel: all of dSprites
//! takes 380 MB instead of 3 GB.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use npyz::{NpyHeader, Order, TypeChar};

use crate::dataset::{Column, Dataset, Image, Kind, OpenOptions, Pixels, Role, Sample, Samples};
use crate::dataset::{Reading, Shape, Values, split};
use crate::error::{Error, Result};
use crate::npz::NpzReader;
use crate::npz::array::{self, Array, Data};

/// Images of an archive in this layout.
pub(super) const IMAGES: &str = "imgs";
/// The classes of their factors.
pub(super) const CLASSES: &str = "latents_classes";
const VALUES: &str = "latents_values";

/// dSprites' factors in the order of its arrays.
const NAMES: [&str; 6] = ["colour", "shape", "scale", "orientation", "x", "y"];
/// The names of dSprites' shapes.
const SHAPES: [&str; 3] = ["square", "ellipse", "heart"];

/// Opens an archive that has [`IMAGES`] and [`CLASSES`].
pub(super) fn open(path: &Path, archive: &mut NpzReader, options: &OpenOptions) -> Result<Dataset> {
    let wrong =
        |name: &str, e: &dyn std::fmt::Display| Error::file(path, format!("array `{name}`: {e}"));
    let has_values = archive.names().iter().any(|name| name == VALUES);
    let mut small = |name: &str| -> Result<Array> {
        let entry = archive.array(name).map_err(|e| wrong(name, &e))?;
        let size = entry.size();
        array::read(entry, size).map_err(|e| wrong(name, &e))
    };
    let classes = small(CLASSES)?;
    let values = has_values.then(|| small(VALUES)).transpose()?;
    let entry = archive.array(IMAGES).map_err(|e| wrong(IMAGES, &e))?;
    let images = Bits::read(entry).map_err(|e| wrong(IMAGES, &e))?;
    let columns = columns(classes, values, images.count).map_err(|e| wrong(CLASSES, &e))?;
    let ids: Vec<String> = (0..images.count).map(|i| format!("row/{i:06}")).collect();
    let mut reading = Reading::default();
    Ok(Dataset {
        name: path.display().to_string(),
        kind: Kind::Digits,
        shape: Shape::Image {
            channels: 1,
            height: images.height,
            width: images.width,
        },
        split: split::resolve(&ids, None, &columns, options.holdout, &mut reading.notes),
        ids,
        columns,
        bad: Vec::new(),
        reading,
        samples: Box::new(images),
    })
}

/// One column per factor that varies; the shape is a label, as in `builtin:dsprites`.
fn columns(
    classes: Array,
    values: Option<Array>,
    count: usize,
) -> std::result::Result<Vec<Column>, String> {
    let &[rows, width] = &classes.dims[..] else {
        return Err(format!(
            "of shape {:?}; [samples, factors] is needed",
            classes.dims
        ));
    };
    if rows != count {
        return Err(format!("{rows} rows for {count} images"));
    }
    let classes: Vec<usize> = match classes.data {
        Data::Integers(all) => all
            .iter()
            .map(|&c| usize::try_from(c).unwrap_or(usize::MAX))
            .collect(),
        Data::U8(all) => all.iter().map(|&c| usize::from(c)).collect(),
        _ => return Err("whole numbers are needed".into()),
    };
    let values = values.filter(|values| values.dims == [rows, width]);
    let mut columns = Vec::new();
    for factor in 0..width {
        let of = |i: usize| classes[i * width + factor];
        let most = (0..rows).map(of).max().unwrap_or(0);
        if most == usize::MAX {
            return Err(format!("factor {factor} has a negative class"));
        }
        if (0..rows).all(|i| of(i) == of(0)) {
            continue;
        }
        let name = match width == NAMES.len() {
            true => NAMES[factor].to_owned(),
            false => format!("factor_{factor}"),
        };
        let is_shape = name == "shape" && most < SHAPES.len();
        let values = match &values {
            _ if is_shape => Values::Classes {
                names: SHAPES[..=most].iter().map(|s| (*s).to_owned()).collect(),
                index: (0..rows).map(|i| u32::try_from(of(i)).ok()).collect(),
            },
            Some(Array {
                data: Data::Floats(all),
                ..
            }) => Values::Numbers(
                (0..rows)
                    .map(|i| Some(f64::from(all[i * width + factor])))
                    .collect(),
            ),
            Some(Array {
                data: Data::Doubles(all),
                ..
            }) => Values::Numbers((0..rows).map(|i| Some(all[i * width + factor])).collect()),
            _ => Values::Numbers((0..rows).map(|i| Some(of(i) as f64)).collect()),
        };
        let role = if is_shape { Role::Label } else { Role::Factor };
        columns.push(Column { name, role, values });
    }
    columns.sort_by_key(|c| c.role != Role::Label);
    Ok(columns)
}

/// Images of black and white, a bit a pixel.
struct Bits {
    count: usize,
    height: usize,
    width: usize,
    /// Of each image, `height × width` bits, lowest first, in whole bytes.
    bits: Vec<u8>,
}

impl Bits {
    /// Reads a `.npy` stream one image at a time.
    fn read(mut from: impl Read) -> std::result::Result<Bits, String> {
        let header =
            NpyHeader::from_reader(&mut from).map_err(|e| format!("not a NumPy array ({e})"))?;
        let bytes = match header.dtype() {
            npyz::DType::Plain(kind) => {
                matches!(kind.type_char(), TypeChar::Uint | TypeChar::Bool)
                    && kind.num_bytes() == Some(1)
            }
            _ => false,
        };
        let dims: Vec<usize> = header
            .shape()
            .iter()
            .filter_map(|&n| usize::try_from(n).ok())
            .collect();
        let (&[count, height, width], true, Order::C) = (&dims[..], bytes, header.order()) else {
            let dims = header.shape();
            return Err(format!(
                "of shape {dims:?}; uint8 [samples, height, width] is needed"
            ));
        };
        if count == 0 || height * width == 0 {
            return Err("holds no pixels".into());
        }
        let mut image = vec![0; height * width];
        let mut bits = Vec::new();
        for i in 0..count {
            let read = from.read_exact(&mut image);
            read.map_err(|e| format!("cut short or damaged at image {i} of {count} ({e})"))?;
            if let Some(value) = image.iter().find(|&&p| p > 1) {
                return Err(format!(
                    "image {i} has the value {value}; in this layout pixels are 0 or 1. Call the array \
                     `images`, and the factors `labels`"
                ));
            }
            bits.extend(image.chunks(8).map(|eight| {
                eight
                    .iter()
                    .enumerate()
                    .fold(0, |byte, (bit, pixel)| byte | pixel << bit)
            }));
        }
        Ok(Bits {
            count,
            height,
            width,
            bits,
        })
    }
}

impl Samples for Bits {
    fn get(&self, index: usize) -> Result<Sample<'_>> {
        let pixels = self.height * self.width;
        let bytes = pixels.div_ceil(8);
        let own = self.bits.get(index * bytes..(index + 1) * bytes);
        let own = own.ok_or_else(|| Error::data(format!("there is no sample number {index}")))?;
        let white = |i: usize| 255 * (own[i / 8] >> (i % 8) & 1);
        Ok(Sample::Image(Image {
            width: self.width,
            height: self.height,
            channels: 1,
            pixels: Pixels::U8(Cow::Owned((0..pixels).map(white).collect())),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::npz::array::tests::npy;

    fn archive(images: &[u8], classes: &[i64]) -> tempfile::NamedTempFile {
        let file = tempfile::Builder::new().suffix(".npz").tempfile().unwrap();
        let mut writer = crate::npz::NpzWriter::new(file.reopen().unwrap());
        let n = classes.len() / 6;
        let numbers: Vec<u8> = classes.iter().flat_map(|c| c.to_le_bytes()).collect();
        let values: Vec<u8> = classes
            .iter()
            .flat_map(|&c| (c as f64 / 2.0).to_le_bytes())
            .collect();
        for (name, bytes) in [
            (IMAGES, npy("|u1", false, &format!("{n}, 3, 3"), images)),
            (CLASSES, npy("<i8", false, &format!("{n}, 6"), &numbers)),
            (VALUES, npy("<f8", false, &format!("{n}, 6"), &values)),
        ] {
            writer.array(name).unwrap().write_all(&bytes).unwrap();
        }
        writer.finish().unwrap();
        file
    }

    fn open_file(file: &tempfile::NamedTempFile) -> Result<Dataset> {
        Dataset::open(file.path().to_str().unwrap(), &OpenOptions::default())
    }

    #[test]
    fn the_layout_of_dsprites_is_read() {
        let images = [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 0];
        let file = archive(&images, &[0, 0, 1, 0, 0, 3, 0, 2, 1, 4, 0, 1]);
        let dataset = open_file(&file).unwrap();
        let names: Vec<&str> = dataset.columns.iter().map(|c| c.name.as_str()).collect();
        // Colour, scale and x have one value.
        assert_eq!(names, ["shape", "orientation", "y"]);
        assert_eq!(dataset.task().unwrap().name, "shape");
        assert_eq!(
            dataset.columns[1].values,
            Values::Numbers(vec![Some(0.0), Some(2.0)])
        );
        for i in 0..2 {
            let Sample::Image(Image {
                pixels: Pixels::U8(pixels),
                ..
            }) = dataset.samples.get(i).unwrap()
            else {
                panic!("an image expected")
            };
            let expected: Vec<u8> = images[9 * i..9 * (i + 1)].iter().map(|p| 255 * p).collect();
            assert_eq!(pixels[..], expected);
        }
        assert!(dataset.samples.get(2).is_err());
    }

    #[test]
    fn broken_archives_are_named_with_what_is_wrong() {
        let two = [0, 0, 1, 0, 0, 3, 0, 2, 1, 4, 0, 1];
        for (images, classes, why) in [
            (vec![0; 17], &two[..], "cut short or damaged at image 1"),
            (vec![7; 18], &two[..], "`images`"),
            (
                vec![0; 18],
                &[0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                "factor 1 has a negative class",
            ),
        ] {
            let text = open_file(&archive(&images, classes))
                .err()
                .unwrap()
                .to_string();
            assert!(text.contains(".npz") && text.contains(why), "{text}");
        }
    }
}
