//! Maps made larger, each place having the nearest one's numbers, channels last.
//!
//! Place i of `to` is that of place ⌊i · from / to⌋ of `from`, as in PyTorch's `nearest`.

use std::ops::Range;

use rayon::prelude::*;

/// What becomes what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upsample {
    /// Images.
    pub n: usize,
    /// Channels.
    pub channels: usize,
    /// Height and width.
    pub from: [usize; 2],
    /// Height and width, neither smaller.
    pub to: [usize; 2],
}

impl Upsample {
    /// Numbers of the small maps.
    pub fn input_len(&self) -> usize {
        self.n * self.from[0] * self.from[1] * self.channels
    }

    /// Numbers of the large maps.
    pub fn output_len(&self) -> usize {
        self.n * self.to[0] * self.to[1] * self.channels
    }

    fn check(&self, small: usize, large: usize) {
        let Upsample { from, to, .. } = self;
        assert!(
            from[0] <= to[0] && from[1] <= to[1],
            "no smaller maps for {self:?}"
        );
        let lens = (self.input_len(), self.output_len());
        assert_eq!((small, large), lens, "lengths for {self:?}");
    }
}

/// Places of `to` that are those of place `i` of `from`.
fn copies(i: usize, from: usize, to: usize) -> Range<usize> {
    (i * to).div_ceil(from)..((i + 1) * to).div_ceil(from)
}

/// The large maps `y`.
///
/// # Panics
/// If a slice is not as long as `maps` says.
pub fn forward(maps: &Upsample, x: &[f32], y: &mut [f32]) {
    maps.check(x.len(), y.len());
    let Upsample {
        channels, from, to, ..
    } = *maps;
    let rows = y.par_chunks_mut((to[1] * channels).max(1)).enumerate();
    rows.for_each(|(i, y)| {
        let (image, row) = (i / to[0], i % to[0] * from[0] / to[0]);
        let width = from[1] * channels;
        let x = &x[(image * from[0] + row) * width..][..width];
        for (column, x) in x.chunks_exact(channels).enumerate() {
            for place in copies(column, from[1], to[1]) {
                y[place * channels..][..channels].copy_from_slice(x);
            }
        }
    });
}

/// Gradient for the small maps: the sum of those of all copies.
///
/// # Panics
/// If a slice is not as long as `maps` says.
pub fn backward(maps: &Upsample, dy: &[f32], dx: &mut [f32]) {
    maps.check(dx.len(), dy.len());
    let Upsample {
        channels, from, to, ..
    } = *maps;
    let rows = dx.par_chunks_mut((from[1] * channels).max(1)).enumerate();
    rows.for_each(|(i, dx)| {
        let (image, row) = (i / from[0], i % from[0]);
        dx.fill(0.0);
        let width = to[1] * channels;
        for copy in copies(row, from[0], to[0]) {
            let dy = &dy[(image * to[0] + copy) * width..][..width];
            for (column, dx) in dx.chunks_exact_mut(channels).enumerate() {
                for place in copies(column, from[1], to[1]) {
                    let dy = &dy[place * channels..][..channels];
                    dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy);
                }
            }
        }
    });
}
