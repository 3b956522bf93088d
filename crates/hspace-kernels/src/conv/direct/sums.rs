//! The gradient for the weights.
//!
//! Where taps reach beyond the image, the input rows that a unit of work needs are copied once, framed with zeros, into a
//! slab that stays in the second-level cache; from there on no address is ever outside.

use rayon::prelude::*;

use super::{Numbers, Taps};
use crate::buffer::Buffer;
use crate::machine::Machine;
use crate::norm::scale_rows;
use crate::partition::{self, Rows};
use crate::product::microkernel::{Strides, add_outer};
use crate::scratch::Scratch;
use crate::shape::{Conv, Source};
use crate::simd::LANES;

/// The sums that make up the gradient for the weights, `[ky, kx, input, output]`, outputs padded to
/// whole vectors.
pub(crate) struct DirectWeightGrad {
    taps: Taps,
    /// Numbers of one row of the kernel.
    line: usize,
    /// Rows of output at a time: slab and gradients together stay in the cache.
    target: usize,
    wide: usize,
}

impl DirectWeightGrad {
    pub(crate) fn new(conv: &Conv) -> DirectWeightGrad {
        let taps = Taps::of(conv);
        let wide = conv.outputs.next_multiple_of(LANES);
        let per_row = taps.step * conv.w * conv.inputs + conv.out_w() * wide;
        DirectWeightGrad {
            line: conv.kernel * conv.inputs * wide,
            target: (NUMBERS_OF_PAIR / per_row).max(1),
            taps,
            wide,
        }
    }

    /// Numbers of all sums.
    pub(crate) fn len(&self) -> usize {
        self.taps.rows * self.line
    }

    /// Whether they are too many for the cache.
    pub(crate) fn is_large(&self) -> bool {
        self.len() > CACHED_SUMS_BESIDE_UNIT
    }

    /// Images that make a chunk worth the pass over its sums.
    pub(crate) fn work(&self, conv: &Conv) -> usize {
        256usize.div_ceil(conv.out_h() * conv.out_w())
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
        for image in 0..conv.n {
            let (one, x, dy) = conv.some(image..image + 1, x, dy);
            for unit in partition::cut(1, conv.out_h(), self.target, 1) {
                let pair = Pair::of(on, &one, &self.taps, x, dy, unit);
                let fresh = fresh && image == 0 && unit.first == 0;
                for (ky, sums) in sums.chunks_exact_mut(self.line).enumerate() {
                    pair.add(on, &self.taps, ky, 0, sums, fresh);
                }
            }
        }
    }

    /// All images, where the sums are too many for the cache: every image is framed first, and
    /// then a block of sums at a time goes through all of them.
    pub(crate) fn by_block(&self, on: Machine, conv: &Conv, x: Source, dy: &[f32]) -> Buffer {
        let images: Vec<Vec<Pair>> = (0..conv.n)
            .into_par_iter()
            .map(|image| {
                let (one, x, dy) = conv.some(image..image + 1, x, dy);
                let cuts = partition::cut(1, conv.out_h(), self.target, 1);
                let pair = |unit| Pair::of(on, &one, &self.taps, x, dy, unit);
                cuts.into_iter().map(pair).collect()
            })
            .collect();
        let mut sums = Buffer::any(self.len());
        let rows = conv.kernel * conv.inputs;
        let block = rows.div_ceil(rows.div_ceil(BLOCK));
        let mut parts: Vec<(usize, usize, &mut [f32])> = Vec::new();
        for (ky, sums) in sums.chunks_exact_mut(self.line).enumerate() {
            let blocks = sums.chunks_mut(block * self.wide).enumerate();
            parts.extend(blocks.map(|(i, sums)| (ky, i * block, sums)));
        }
        let parts = parts.into_par_iter().with_max_len(1);
        parts.for_each(|(ky, first, sums)| {
            for (i, pair) in images.iter().flatten().enumerate() {
                pair.add(on, &self.taps, ky, first, sums, i == 0);
            }
        });
        sums
    }

    /// `[ky, kx, input, output]` to `[output, input, ky, kx]`, a vector of outputs at a time.
    pub(crate) fn restore(&self, conv: &Conv, sums: &[f32], dw: &mut [f32]) {
        let (k, inputs) = (conv.kernel, conv.inputs);
        let depth = k * k * inputs;
        let rows = dw.par_chunks_mut(LANES * depth).enumerate();
        let rows = rows.with_min_len(partition::least(LANES * depth));
        rows.for_each(|(i, dw)| {
            for place in 0..depth {
                let (input, tap) = (place / (k * k), place % (k * k));
                let from = &sums[(tap * inputs + input) * self.wide + i * LANES..][..LANES];
                for (dw, from) in dw.chunks_exact_mut(depth).zip(from) {
                    dw[place] = *from;
                }
            }
        });
    }
}

/// Numbers of sums that stay in the second-level cache together with a unit of work.
const CACHED_SUMS_BESIDE_UNIT: usize = 256 << 10;
/// Numbers of slab and gradients that stay there together.
const NUMBERS_OF_PAIR: usize = 128 << 10;
/// Rows of sums in a unit of work, where they do not.
const BLOCK: usize = 128;
/// The input rows for the output rows of `unit` of an image, and how long a row is: as they lie where no tap is outside
/// and nothing is done to them, or else a copy.
fn slab<'a>(
    on: Machine,
    conv: &Conv,
    taps: &Taps,
    x: Source<'a>,
    unit: Rows,
) -> (Numbers<'a>, usize) {
    let (height, width) = taps.reach(unit.count, conv.out_w());
    if conv.pad == 0 && x.line.is_none() {
        let row_len = conv.w * conv.inputs;
        let start = unit.first * taps.step * row_len;
        return (
            Numbers::Given(&x.numbers[start..][..height * row_len]),
            row_len,
        );
    }
    let mut slab = Scratch::any(height * width * conv.inputs);
    let size = (conv.h, conv.w, conv.inputs);
    let row_len = fill(
        on,
        &mut slab,
        x,
        size,
        taps,
        unit.first,
        (unit.count, conv.out_w()),
    );
    (Numbers::Copied(slab), row_len)
}

/// Copies the input rows for output rows `first..first + rows` of an image `[h, w, c]` to `slab`,
/// zeros where the image ends; gives the length of a row of the slab.
fn fill(
    on: Machine,
    slab: &mut [f32],
    image: Source,
    (h, w, c): (usize, usize, usize),
    taps: &Taps,
    first: usize,
    (rows, columns): (usize, usize),
) -> usize {
    let (height, width) = taps.reach(rows, columns);
    let row_len = width * c;
    let before = ((-taps.left).max(0) as usize).min(width);
    let from = taps.left.max(0) as usize;
    let inside = w.saturating_sub(from).min(width - before);
    for (i, row) in slab[..height * row_len]
        .chunks_exact_mut(row_len)
        .enumerate()
    {
        let y = (first * taps.step + i) as isize + taps.top;
        if y < 0 || y >= h as isize {
            row.fill(0.0);
            continue;
        }
        let start = (y as usize * w + from) * c;
        row[..before * c].fill(0.0);
        let within = &mut row[before * c..(before + inside) * c];
        let from = &image.numbers[start..start + inside * c];
        match image.line {
            // SAFETY: whole places of `c` numbers on both sides, as many as the line has.
            Some((scale, shift)) => unsafe {
                scale_rows(on.isa, from, scale, shift, within);
            },
            None => within.copy_from_slice(from),
        }
        row[(before + inside) * c..].fill(0.0);
    }
    row_len
}
/// Framed inputs and widened gradients of some output rows of an image.
struct Pair<'a> {
    slab: Numbers<'a>,
    row_len: usize,
    gradients: Numbers<'a>,
    inputs: usize,
    wide: usize,
    rows: usize,
    columns: usize,
}

impl<'a> Pair<'a> {
    fn of(on: Machine, conv: &Conv, taps: &Taps, x: Source<'a>, dy: &'a [f32], unit: Rows) -> Self {
        let Rows { first, count } = unit;
        let (out_w, outputs) = (conv.out_w(), conv.outputs);
        let wide = outputs.next_multiple_of(LANES);
        let rows = &dy[first * out_w * outputs..][..count * out_w * outputs];
        let gradients = match wide == outputs {
            true => Numbers::Given(rows),
            false => Numbers::Copied(widen(rows, outputs)),
        };
        let (slab, row_len) = slab(on, conv, taps, x, unit);
        Pair {
            slab,
            row_len,
            gradients,
            inputs: conv.inputs,
            wide,
            rows: count,
            columns: out_w,
        }
    }

    /// Adds the products for row `ky` of the kernel to `sums`, rows `first` and on of its
    /// `[column · input, output]`, or writes them there.
    fn add(
        &self,
        on: Machine,
        taps: &Taps,
        ky: usize,
        first: usize,
        sums: &mut [f32],
        fresh: bool,
    ) {
        let strides = Strides {
            k: self.columns,
            a_step: taps.step * self.inputs,
            b_step: self.wide,
            segments: self.rows,
            a_segment: taps.step * self.row_len,
            b_segment: self.columns * self.wide,
        };
        let left = &self.slab[ky * self.row_len + first..];
        let rows = sums.len() / self.wide;
        // SAFETY: row r of the product walks from `left[r]` over the slab's rows, and the
        // gradients have a row of `wide` numbers for every term.
        unsafe {
            let right = &self.gradients;
            add_outer(on.isa, &strides, left, right, sums, rows, self.wide, fresh);
        }
    }
}

/// Rows of `c` numbers as rows of the next multiple of [`LANES`], zeros beyond.
fn widen(rows: &[f32], c: usize) -> Scratch {
    let wide = c.next_multiple_of(LANES);
    let mut out = Scratch::any(rows.len() / c * wide);
    for (out, row) in out.chunks_exact_mut(wide).zip(rows.chunks_exact(c)) {
        out[..c].copy_from_slice(row);
        out[c..].fill(0.0);
    }
    out
}
