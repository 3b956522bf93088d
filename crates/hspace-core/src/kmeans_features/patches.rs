//! Patches of images, normalised in brightness and contrast.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::Settings;
use crate::dataset::Shape;
use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// Sum of squared differences from the mean up to which a patch is constant; a step of 1/255 in one of its pixels
/// makes it a thousand times as large.
const CONSTANT: f32 = 1e-8;

/// A square window on images `[channels, height, width]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    channels: usize,
    height: usize,
    width: usize,
    side: usize,
    /// Added to the variance of pixels in 0..=1.
    contrast: f32,
}

impl Window {
    /// # Errors
    /// When samples are vectors, or no patch or not one place a region fits into an image.
    pub(super) fn new(shape: Shape, settings: &Settings) -> Result<Window> {
        let Shape::Image {
            channels,
            height,
            width,
        } = shape
        else {
            return Err(Error::data(
                "kmeans: patches are of images, and these samples are vectors; use `pixels`, `pca:D` or `ica:D`",
            ));
        };
        let Settings { patch, pool, .. } = *settings;
        let shorter = height.min(width);
        if patch + pool > shorter + 1 {
            return Err(Error::data(format!(
                "kmeans: {pool} x {pool} regions of patches of {patch} x {patch} pixels do not fit into images of {height} x {width}; \
                 choose a smaller patch or pool"
            )));
        }
        Ok(Window {
            channels,
            height,
            width,
            side: patch,
            contrast: (settings.contrast / (255.0 * 255.0)) as f32,
        })
    }

    /// Numbers in a patch: `channels · side²`.
    pub(super) fn len(&self) -> usize {
        self.channels * self.side * self.side
    }

    /// Rows and columns of places where the window fits.
    pub(super) fn places(&self) -> (usize, usize) {
        (self.height + 1 - self.side, self.width + 1 - self.side)
    }

    /// Reads the patch at row `y` and column `x` of an image into `patch` `[channels, side, side]`, normalised; `false` for
    /// a constant one, which is 0.
    pub(super) fn read(&self, image: &[f32], (y, x): (usize, usize), patch: &mut [f32]) -> bool {
        for (line, out) in patch.chunks_exact_mut(self.side).enumerate() {
            let (channel, row) = (line / self.side, line % self.side);
            let start = (channel * self.height + y + row) * self.width + x;
            out.copy_from_slice(&image[start..start + self.side]);
        }
        let n = patch.len() as f32;
        let mean = patch.iter().sum::<f32>() / n;
        patch.iter_mut().for_each(|v| *v -= mean);
        let squares: f32 = patch.iter().map(|v| v * v).sum();
        if squares <= CONSTANT {
            patch.fill(0.0);
            return false;
        }
        let factor = (squares / n + self.contrast).sqrt().recip();
        patch.iter_mut().for_each(|v| *v *= factor);
        true
    }

    /// `count` normalised patches `[count, channels · side²]` of the images `rows`, drawn with replacement.
    pub(super) fn random(
        &self,
        images: &Matrix,
        rows: &[usize],
        count: usize,
        seed: u64,
    ) -> Matrix {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let (height, width) = self.places();
        let mut patches = Matrix::zeros(count, self.len());
        for patch in patches.data.chunks_exact_mut(self.len()) {
            let row = rows[random.random_range(0..rows.len())];
            let place = (
                random.random_range(0..height),
                random.random_range(0..width),
            );
            self.read(images.row(row), place, patch);
        }
        patches
    }
}
