//! Samples held in memory: one buffer, lent out piece by piece.

use std::borrow::Cow;

use crate::dataset::{Image, Mask, Pixels, Sample, Samples, Shape};
use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// Images of one size, `[samples, height, width, channels]`.
pub struct Images {
    /// All pixels.
    pub pixels: Pixels<'static>,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 1 (grey), 3 (RGB) or any other number.
    pub channels: usize,
    /// Names of columns of masks, and class numbers `[samples, height, width]` of each.
    pub masks: Vec<(String, Vec<u8>)>,
}

impl Images {
    /// The shape of one image.
    pub fn shape(&self) -> Shape {
        Shape::Image {
            channels: self.channels,
            height: self.height,
            width: self.width,
        }
    }
}

impl Samples for Images {
    fn get(&self, index: usize) -> Result<Sample<'_>> {
        let size = self.width * self.height * self.channels;
        let range = index * size..(index + 1) * size;
        let pixels = match &self.pixels {
            Pixels::U8(all) => all.get(range).map(|p| Pixels::U8(Cow::Borrowed(p))),
            Pixels::U16(all) => all.get(range).map(|p| Pixels::U16(Cow::Borrowed(p))),
        };
        let pixels = pixels.ok_or_else(|| no_sample(index))?;
        Ok(Sample::Image(Image {
            width: self.width,
            height: self.height,
            channels: self.channels,
            pixels,
        }))
    }

    fn mask(&self, index: usize, column: &str) -> Result<Mask> {
        let size = self.width * self.height;
        let own = self.masks.iter().find(|(name, _)| name == column);
        let classes = own.and_then(|(_, all)| all.get(index * size..(index + 1) * size));
        let classes = classes.ok_or_else(|| {
            Error::data(format!("sample number {index} has no mask of `{column}`"))
        })?;
        Ok(Mask {
            width: self.width,
            height: self.height,
            classes: classes.to_vec(),
        })
    }
}

/// Vectors: one row per sample.
pub struct Vectors {
    /// `[samples, features]`
    pub rows: Matrix,
    /// What was subtracted from each feature; empty for nothing.
    pub shift: Vec<f64>,
}

impl Samples for Vectors {
    fn get(&self, index: usize) -> Result<Sample<'_>> {
        if index >= self.rows.rows {
            return Err(no_sample(index));
        }
        Ok(Sample::Vector(Cow::Borrowed(self.rows.row(index))))
    }

    fn shift(&self) -> Option<&[f64]> {
        (!self.shift.is_empty()).then_some(&self.shift)
    }
}

fn no_sample(index: usize) -> Error {
    Error::data(format!("there is no sample number {index}"))
}
