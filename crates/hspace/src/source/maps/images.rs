//! Images of a dataset as the input of a network, some at a time.

use crate::dataset::Dataset;
use crate::embed::inputs;
use crate::encoder::axes;
use crate::error::{Error, Result};
use crate::probe::mask::UseMaps;
use crate::views::Views;

/// Numbers that are computed at once, at most, and images.
const NUMBERS: usize = 1 << 24;
const IMAGES: usize = 64;

/// Images of a dataset, as a network or a probe takes them.
pub(crate) struct Images<'a> {
    pub dataset: &'a Dataset,
    /// Rows of the dataset.
    pub rows: Vec<usize>,
    pub views: Views,
}

impl Images<'_> {
    /// Height and width of the input.
    pub fn size(&self) -> [usize; 2] {
        let [_, _, height, width] = axes(1, self.views.input().shape);
        [height, width]
    }

    /// Calls `use_them` with the inputs `[images, channels, height, width]` of some of `rows`, which are places in [`Images::rows`], at a time: so many
    /// that no more than 2²⁴ numbers are computed, where one image takes `numbers`.
    ///
    /// # Errors
    /// When an image cannot be read, and what `use_them` returns.
    pub fn each(&self, rows: &[usize], numbers: usize, use_them: &mut UseMaps<'_>) -> Result<()> {
        let count = (NUMBERS / numbers.max(1)).clamp(1, IMAGES);
        for batch in rows.chunks(count) {
            let own: Vec<usize> = batch.iter().map(|&row| self.rows[row]).collect();
            let read = inputs(&self.views, self.dataset, &own)?;
            if let Some(bad) = read.bad.first() {
                return Err(Error::file(&bad.path, &bad.reason));
            }
            use_them(batch, &read.features.data)?;
        }
        Ok(())
    }
}
