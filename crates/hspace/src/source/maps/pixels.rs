//! The colours around each pixel, as feature maps.

use super::images::Images;
use crate::error::Result;
use crate::probe::FeatureMaps;
use crate::probe::mask::UseMaps;

/// Colours of the 3 × 3 pixels around each, in 0..1; beyond the border those at it.
pub(super) struct PixelMaps<'a> {
    pub images: Images<'a>,
    /// Channels, height, width.
    pub size: [usize; 3],
}

impl FeatureMaps for PixelMaps<'_> {
    fn dims(&self) -> [usize; 3] {
        let [channels, height, width] = self.size;
        [height, width, 9 * channels]
    }

    fn input(&self) -> [usize; 2] {
        self.images.size()
    }

    fn each(&self, rows: &[usize], use_them: &mut UseMaps<'_>) -> Result<()> {
        let [channels, height, width] = self.size;
        let near = |at: usize, full: usize| {
            (0..3).map(move |step: usize| (at + step).saturating_sub(1).min(full - 1))
        };
        let numbers = 9 * channels * height * width;
        self.images.each(rows, numbers, &mut |batch, pixels| {
            let mut maps = Vec::with_capacity(batch.len() * numbers);
            for image in pixels.chunks_exact(channels * height * width) {
                for place in 0..height * width {
                    for y in near(place / width, height) {
                        for x in near(place % width, width) {
                            let of = |c: usize| image[(c * height + y) * width + x];
                            maps.extend((0..channels).map(of));
                        }
                    }
                }
            }
            use_them(batch, &maps)
        })
    }
}
