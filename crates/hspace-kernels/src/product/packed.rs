//! Right factors packed for the inner loop, run by run of terms and block by block of columns.

use std::ops::Range;

use rayon::prelude::*;

use super::{Matrix, Sizes};
use crate::buffer::{Buffer, volume};
use crate::fetch::needed_soon;
use crate::partition;
use crate::product::microkernel::column_block;
use crate::simd::{Isa, LANES};
use crate::transpose::transpose;

/// Terms summed at a time: a block of packed columns stays in the first-level cache.
pub(super) const DEPTH: usize = 256;
/// Columns that are packed together, and of a unit of work.
pub(super) const COLUMNS: usize = 128;

/// Where the runs of terms begin, and where the last one ends.
pub(super) fn runs(depth: usize) -> impl Iterator<Item = Range<usize>> {
    let count = depth.div_ceil(DEPTH).max(1);
    let size = depth.div_ceil(count).max(1);
    (0..count).map(move |i| i * size..((i + 1) * size).min(depth))
}

/// A right factor, packed: for each run of terms and each block of columns the block's columns
/// side by side, term by term, zeros beyond the last.
pub(super) struct Packed {
    numbers: Buffer,
    columns: usize,
}

impl Packed {
    pub(super) fn new(isa: Isa, sizes: Sizes, b: Matrix) -> Packed {
        let columns = sizes.columns.next_multiple_of(LANES);
        let mut numbers = Buffer::any(volume(&[sizes.depth, columns]));
        let (mut blocks, mut rest) = (Vec::new(), &mut numbers[..]);
        for run in runs(sizes.depth) {
            let (mut of_run, after) = rest.split_at_mut(run.len() * columns);
            rest = after;
            for first in (0..columns).step_by(COLUMNS) {
                let width = COLUMNS.min(columns - first);
                let (part, after) = of_run.split_at_mut(run.len() * width);
                blocks.push((run.clone(), first, part));
                of_run = after;
            }
        }
        let blocks = blocks.into_par_iter();
        let blocks = blocks.with_min_len(partition::least(DEPTH * COLUMNS));
        blocks.for_each(|(run, first, part)| {
            let end = (first + COLUMNS).min(sizes.columns);
            pack(isa, b.from(run.start, first), run.len(), end - first, part);
        });
        Packed { numbers, columns }
    }

    /// The columns from `first` on of a run of terms.
    pub(super) fn part(&self, run: &Range<usize>, first: usize) -> &[f32] {
        &self.numbers[run.start * self.columns + first * run.len()..]
    }
}

/// Packs a part of a right factor.
pub(super) fn pack(isa: Isa, b: Matrix, depth: usize, columns: usize, packed: &mut [f32]) {
    let (mut first, mut rest) = (0, packed);
    while first < columns {
        let block = column_block(isa.width(), columns, first);
        let (part, after) = rest.split_at_mut(depth * block);
        let width = block.min(columns - first);
        let from = b.from(0, first);
        if b.column == 1 {
            for (k, to) in part.chunks_exact_mut(block).enumerate() {
                ask_for(from.numbers, (k + AHEAD) * b.row, width);
                to[..width].copy_from_slice(&from.numbers[k * b.row..][..width]);
                to[width..].fill(0.0);
            }
        } else {
            if width < block {
                part.fill(0.0);
            }
            transpose(isa, from.numbers, b.column, part, block, (width, depth));
        }
        first += block;
        rest = after;
    }
}

/// Rows that are asked for ahead of a copy.
pub(super) const AHEAD: usize = 8;

/// Asks for numbers that are soon copied, as far as there are any.
pub(super) fn ask_for(numbers: &[f32], first: usize, count: usize) {
    for i in (first..(first + count).min(numbers.len())).step_by(LANES) {
        needed_soon(&raw const numbers[i]);
    }
}
