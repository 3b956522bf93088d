//! How work is cut: into runs of whole rows of the output, and weight gradients into chunks.
//!
//! The cuts depend on shapes alone, never on the number of threads, and partial sums are merged
//! in the order of the cuts: so a result does not depend on who computed what when.

use rayon::prelude::*;

use crate::buffer::Buffer;

/// Consecutive rows of `images` images of `height` rows each: row r is row `r % height` of image
/// `r / height`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) first: usize,
    pub(crate) count: usize,
}

impl Rows {
    /// The parts that lie in one image each: image, first row in it, number of rows.
    pub(crate) fn per_image(self, height: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let end = self.first + self.count;
        let mut at = self.first;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let (image, row) = (at / height, at % height);
            let count = (height - row).min(end - at);
            at += count;
            Some((image, row, count))
        })
    }
}

/// Cuts `images` images of `height` rows into units of about `target` rows, at least one, each a
/// multiple of `step` rows as far as its image goes.
pub(crate) fn cut(images: usize, height: usize, target: usize, step: usize) -> Vec<Rows> {
    let mut units = Vec::new();
    if target >= height {
        let together = (target / height).max(1);
        // A multiple of four, so that of few threads none waits for another's last.
        let count = images.div_ceil(together).next_multiple_of(4).min(images);
        let bound = |i: usize| i * images / count * height;
        let unit = |i| Rows {
            first: bound(i),
            count: bound(i + 1) - bound(i),
        };
        return (0..count).map(unit).collect();
    }
    // Pieces of one image as equal as the step allows.
    let pieces = height.div_ceil(target.max(step));
    let rows = height.div_ceil(pieces).next_multiple_of(step);
    for image in 0..images {
        for row in (0..height).step_by(rows) {
            units.push(Rows {
                first: image * height + row,
                count: rows.min(height - row),
            });
        }
    }
    units
}

/// Runs `work` on every unit with what is `given` for it and its part of `out`, `row` numbers for each row; the
/// results are in the order of the units.
pub(crate) fn over<G: Send, T: Send>(
    units: &[Rows],
    given: Vec<G>,
    mut out: &mut [f32],
    row: usize,
    work: impl Fn(Rows, G, &mut [f32]) -> T + Sync,
) -> Vec<T> {
    assert_eq!(units.len(), given.len(), "something for each unit");
    let mut parts = Vec::with_capacity(units.len());
    for (&unit, given) in units.iter().zip(given) {
        let (part, rest) = std::mem::take(&mut out).split_at_mut(unit.count * row);
        parts.push((unit, given, part));
        out = rest;
    }
    let parts = parts.into_par_iter().with_max_len(1);
    let done = parts.map(|(unit, given, part)| work(unit, given, part));
    done.collect()
}

/// Numbers below which passing work to another thread costs more than doing it.
const SMALL: usize = 32 << 10;

/// Pieces of `len` numbers that one thread takes at least.
pub(crate) fn least(len: usize) -> usize {
    SMALL / len.max(1) + 1
}

/// Most bytes that the partial sums of a weight gradient may take together.
const PARTIAL_SUMS: usize = 64 << 20;
/// Most chunks of a weight gradient.
const MOST_CHUNKS: usize = 16;

/// Cuts `images` images into chunks for partial sums of `len` numbers each: no more than there is
/// memory for, each with at least `work` images.
pub(crate) fn chunks(images: usize, len: usize, work: usize) -> Vec<std::ops::Range<usize>> {
    let room = (PARTIAL_SUMS / (4 * len).max(1)).clamp(2, MOST_CHUNKS);
    let count = (images / work.max(1)).clamp(2, room).min(images).max(1);
    let bound = |i: usize| i * images / count;
    (0..count).map(|i| bound(i)..bound(i + 1)).collect()
}

/// The sum of all parts, in their order.
pub(crate) fn add_up(parts: Vec<Buffer>) -> Buffer {
    const PIECE: usize = 4096;
    // A few cache lines of all parts, then the next few: so many parts are on their way from memory at once.
    const FEW: usize = 64;
    let mut parts = parts.into_iter();
    let mut total = parts.next().expect("at least one part");
    let rest: Vec<Buffer> = parts.collect();
    let pieces = total.par_chunks_mut(PIECE).enumerate();
    let pieces = pieces.with_min_len(least(PIECE * rest.len()));
    pieces.for_each(|(i, total)| {
        for (j, total) in total.chunks_mut(FEW).enumerate() {
            for part in &rest {
                let part = &part[i * PIECE + j * FEW..][..total.len()];
                total.iter_mut().zip(part).for_each(|(a, b)| *a += b);
            }
        }
    });
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_unit() {
        for (images, height, target, step) in [
            (1, 1, 1, 1),
            (3, 5, 2, 1),
            (4, 7, 20, 4),
            (2, 9, 4, 4),
            (5, 8, 1, 4),
        ] {
            let mut next = 0;
            for unit in cut(images, height, target, step) {
                assert_eq!(unit.first, next);
                next += unit.count;
                let inside = unit.first % height;
                assert!(inside.is_multiple_of(step) || unit.count >= height);
                let parts: usize = unit.per_image(height).map(|(_, _, count)| count).sum();
                assert_eq!(parts, unit.count);
            }
            assert_eq!(next, images * height);
        }
        let cuts = chunks(10, 100, 3);
        assert_eq!(cuts, vec![0..3, 3..6, 6..10]);
        assert_eq!(chunks(1, 1 << 30, 1), vec![0..1]);
    }
}
