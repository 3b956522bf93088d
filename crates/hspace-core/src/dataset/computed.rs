//! Samples that were computed, such as what a model drew.

use super::memory::{Images, Vectors};
use super::{Dataset, Kind, Pixels, Samples, Shape, Split};
use crate::matrix::Matrix;

impl Dataset {
    /// Test samples of these values, one a row: vectors as they are, images `[channels, height, width]`
    /// in 0..1, stored in 8 bits as pictures are. `shift` is what the vectors are less (see
    /// [`Samples::shift`]); empty for nothing, and for images.
    ///
    /// ```
    /// use hspace_core::dataset::{Dataset, Kind, Sample, Shape, Split};
    /// use hspace_core::matrix::Matrix;
    ///
    /// let shape = Shape::Vector { dim: 2 };
    /// let rows = Matrix::new(3, 2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    /// let drawn = Dataset::of_values("drawn", Kind::Vectors, shape, rows, vec![]);
    /// assert_eq!(drawn.ids[1], "drawn/000001");
    /// assert_eq!(drawn.samples.get(1)?, Sample::Vector(vec![3.0, 4.0].into()));
    /// assert_eq!(drawn.indices(Split::Test), [0, 1, 2]);
    /// # Ok::<(), hspace_core::Error>(())
    /// ```
    ///
    /// # Panics
    /// If rows are not as long as the shape says.
    pub fn of_values(
        name: &str,
        kind: Kind,
        shape: Shape,
        rows: Matrix,
        shift: Vec<f64>,
    ) -> Dataset {
        let count = rows.rows;
        let samples: Box<dyn Samples> = match shape {
            Shape::Image {
                channels,
                height,
                width,
            } => {
                let plane = height * width;
                assert_eq!(rows.cols, channels * plane, "numbers of an image");
                let mut pixels = Vec::with_capacity(rows.data.len());
                for row in rows.data.chunks_exact(rows.cols) {
                    pixels.extend((0..rows.cols).map(|i| {
                        let value = row[i % channels * plane + i / channels];
                        (value.clamp(0.0, 1.0) * 255.0).round() as u8
                    }));
                }
                Box::new(Images {
                    pixels: Pixels::U8(pixels.into()),
                    width,
                    height,
                    channels,
                    masks: Vec::new(),
                })
            }
            Shape::Vector { dim } => {
                assert_eq!(rows.cols, dim, "numbers of a vector");
                Box::new(Vectors { rows, shift })
            }
        };
        Dataset {
            name: name.to_owned(),
            kind,
            shape,
            ids: (0..count).map(|i| format!("{name}/{i:06}")).collect(),
            columns: vec![],
            split: vec![Split::Test; count],
            bad: vec![],
            reading: Default::default(),
            samples,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Sample;

    #[test]
    fn planes_become_interleaved_bytes() {
        let shape = Shape::Image {
            channels: 3,
            height: 1,
            width: 2,
        };
        let rows = Matrix::new(1, 6, vec![0.0, 1.0, 0.5, 2.0, -1.0, 0.2]);
        let dataset = Dataset::of_values("drawn", Kind::Photo, shape, rows, vec![]);
        let Sample::Image(image) = dataset.samples.get(0).unwrap() else {
            panic!("an image");
        };
        let expected: &[u8] = &[0, 128, 0, 255, 255, 51];
        assert_eq!(image.pixels, Pixels::U8(expected.into()));
        assert_eq!(dataset.ids, ["drawn/000000"]);
    }
}
