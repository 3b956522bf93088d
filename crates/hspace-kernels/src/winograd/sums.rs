//! The gradient for the weights, F(3×3, 4×4).

use rayon::prelude::*;

use super::points::{Places, Taps, Transform, first_half};
use super::tiles::Images;
use super::{PLACES, Planes, SPAN, TILE, rows_of_tiles};
use crate::buffer::Buffer;
use crate::conv::{Conv, Machine, Source};
use crate::micro::{Walk, add_outer};
use crate::scratch::Scratch;
use crate::simd::{LANES, Simd, kernel};
use crate::units::{self, Rows};

/// The sums that make up the gradient for the weights: 36 planes `[input, output]`, both padded to
/// whole vectors.
pub(crate) struct Sums {
    plane: usize,
    per_row: usize,
    deep: usize,
    wide: usize,
}

impl Sums {
    pub(crate) fn new(conv: &Conv) -> Sums {
        let deep = conv.inputs.next_multiple_of(LANES);
        let wide = conv.outputs.next_multiple_of(LANES);
        Sums {
            plane: deep * wide,
            per_row: conv.out_w().div_ceil(TILE),
            deep,
            wide,
        }
    }

    /// Numbers of all sums.
    pub(crate) fn len(&self) -> usize {
        PLACES * self.plane
    }

    /// Images that make a chunk worth the pass over its sums.
    pub(crate) fn work(&self, conv: &Conv) -> usize {
        64usize.div_ceil(self.per_row * conv.out_h().div_ceil(TILE))
    }

    /// Adds the images of `conv` to `sums`, or writes there where they are `fresh`.
    pub(crate) fn add(
        &self,
        on: Machine,
        conv: &Conv,
        x: Source,
        dy: &[f32],
        sums: &mut [f32],
        fresh: bool,
    ) {
        let target = TILE * rows_of_tiles(self.per_row, conv.inputs, conv.outputs);
        for unit in units::cut(conv.n, conv.out_h(), target, TILE) {
            let tiles = Tiles::of(on, conv, x, dy, unit);
            for (place, sums) in sums.chunks_exact_mut(self.plane).enumerate() {
                tiles.add(on, place, sums, fresh && unit.first == 0);
            }
        }
    }

    /// All images, where the sums are too many for the cache: all tiles are transformed first, and
    /// then each place is summed by itself.
    pub(crate) fn by_block(&self, on: Machine, conv: &Conv, x: Source, dy: &[f32]) -> Buffer {
        let target = TILE * (128 / self.per_row).max(1);
        let cuts = units::cut(conv.n, conv.out_h(), target, TILE);
        let tiles: Vec<Tiles> = cuts
            .into_par_iter()
            .with_max_len(1)
            .map(|unit| Tiles::of(on, conv, x, dy, unit))
            .collect();
        let mut sums = Buffer::any(self.len());
        let places = sums.par_chunks_mut(self.plane).with_max_len(1).enumerate();
        places.for_each(|(place, sums)| {
            for (i, tiles) in tiles.iter().enumerate() {
                tiles.add(on, place, sums, i == 0);
            }
        });
        sums
    }

    /// The sums to `[output, input, 3, 3]`.
    pub(crate) fn restore(&self, on: Machine, conv: &Conv, sums: &[f32], dw: &mut [f32]) {
        assert_eq!(sums.len(), self.len(), "36 planes of sums");
        let inputs = conv.inputs;
        let rows = dw.par_chunks_mut(LANES * inputs * 9).enumerate();
        let rows = rows.with_min_len(units::least(LANES * inputs * PLACES));
        rows.for_each(|(i, dw)| {
            // SAFETY: `sums` are 36 planes `[deep, wide]`, `dw` the taps of at most 16 outputs.
            unsafe { restore_weights(on.isa, sums, self.deep, self.wide, i * LANES, inputs, dw) };
        });
    }
}

/// Transformed tiles of inputs and of gradients.
struct Tiles {
    inputs: Scratch,
    from: Planes,
    gradients: Scratch,
    to: Planes,
}

impl Tiles {
    fn of(on: Machine, conv: &Conv, x: Source, dy: &[f32], unit: Rows) -> Tiles {
        let (inputs, from) = Images::inputs(conv, x).tiles(on, conv, unit);
        let (gradients, to) = Images::gradients(conv, dy).tiles(on, conv, unit);
        Tiles {
            inputs,
            from,
            gradients,
            to,
        }
    }

    /// Adds their products at one place to `sums [deep, wide]`, or writes them there.
    fn add(&self, on: Machine, place: usize, sums: &mut [f32], fresh: bool) {
        let (deep, wide) = (self.from.channels, self.to.channels);
        let walk = Walk {
            k: self.from.tiles,
            a_step: deep,
            b_step: wide,
            segments: 1,
            a_segment: 0,
            b_segment: 0,
        };
        let left = &self.inputs[place * self.from.stride()..];
        let right = &self.gradients[place * self.to.stride()..];
        // SAFETY: both planes have a row per tile, of `deep` and of `wide` numbers.
        unsafe { add_outer(on.isa, &walk, left, right, sums, deep, wide, fresh) };
    }
}

kernel! {
    /// The taps `[output, input, 9]` of outputs `first` and on, as many as `dw` has room for, at
    /// most [`LANES`], from `sums`, 36 planes `[deep, wide]`.
    ///
    /// # Safety
    /// `sums` must be that long, and have all those inputs and outputs.
    fn restore_weights(
        sums: &[f32],
        deep: usize,
        wide: usize,
        first: usize,
        inputs: usize,
        dw: &mut [f32],
    ) = restore_weights_with
}

#[inline(always)]
unsafe fn restore_weights_with<S: Simd>(
    sums: &[f32],
    deep: usize,
    wide: usize,
    first: usize,
    inputs: usize,
    dw: &mut [f32],
) {
    for input in 0..inputs {
        let mut taps = [[0.0f32; LANES]; 9];
        // SAFETY: every address is that of a vector of outputs in one of the planes.
        unsafe {
            let from = sums.as_ptr().add(input * wide + first);
            let tile = Places {
                first: from,
                stride: deep * wide,
            };
            let half = first_half::<S, Taps, SPAN, 3>(&tile);
            for (y, half) in half.into_iter().enumerate() {
                for (x, tap) in Taps::apply::<S>(half).into_iter().enumerate() {
                    S::store(taps[3 * y + x].as_mut_ptr(), tap);
                }
            }
        }
        for (output, dw) in dw.chunks_exact_mut(9 * inputs).enumerate() {
            for (tap, dw) in dw[9 * input..][..9].iter_mut().enumerate() {
                *dw = taps[tap][output];
            }
        }
    }
}
