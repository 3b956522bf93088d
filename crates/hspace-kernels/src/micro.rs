//! The one inner loop: a block of rows times a block of columns, summed over a walk.
//!
//! Direct convolution, the Winograd products, weight gradients and matrix products all end here;
//! they differ in where the factors lie and where the results go.

use crate::simd::{LANES, Simd};

/// How the sum of a product runs: `segments` runs of `k` terms. From one term to the next the
/// left factor moves by `a_step` and the right one by `b_step`; from one segment to the next by
/// `a_segment` and `b_segment`.
#[derive(Clone, Copy)]
pub(crate) struct Walk {
    pub(crate) k: usize,
    pub(crate) a_step: usize,
    pub(crate) b_step: usize,
    pub(crate) segments: usize,
    pub(crate) a_segment: usize,
    pub(crate) b_segment: usize,
}

/// `P` rows times `V` vectors of columns: row p of the left factor starts at `a[p]`, and the
/// right factor's columns lie side by side from `b`.
///
/// # Safety
/// Each `a[p]` and `b` must be valid for the whole walk, `b` for `V` vectors at each term.
#[inline(always)]
pub(crate) unsafe fn product<S: Simd, const P: usize, const V: usize>(
    walk: &Walk,
    a: [*const f32; P],
    b: *const f32,
) -> [[S::V; V]; P] {
    // SAFETY: all addresses are on the walk.
    unsafe {
        let mut sums = [[S::splat(0.0); V]; P];
        for segment in 0..walk.segments {
            let mut from = segment * walk.a_segment;
            let mut right = b.add(segment * walk.b_segment);
            for _ in 0..walk.k {
                let mut columns = [S::splat(0.0); V];
                for (v, column) in columns.iter_mut().enumerate() {
                    *column = S::load(right.add(v * LANES));
                }
                for (sums, a) in sums.iter_mut().zip(a) {
                    let x = S::splat(*a.add(from));
                    for (sum, column) in sums.iter_mut().zip(columns) {
                        *sum = S::mul_add(x, column, *sum);
                    }
                }
                from += walk.a_step;
                right = right.wrapping_add(walk.b_step);
            }
        }
        sums
    }
}

/// What is done with each block of rows.
pub(crate) trait Block<S: Simd> {
    /// Rows `first..first + P`, `V` vectors of columns.
    ///
    /// # Safety
    /// As the implementation says.
    unsafe fn block<const P: usize, const V: usize>(&mut self, first: usize);
}

/// Covers `rows` rows with blocks as large as they come.
///
/// # Safety
/// `block` must be callable for every block of rows below `rows`.
#[inline(always)]
pub(crate) unsafe fn over_rows<S: Simd, const V: usize>(rows: usize, block: &mut impl Block<S>) {
    let mut first = 0;
    // SAFETY: every block ends at `rows` or before.
    unsafe {
        if S::ROWS == 8 {
            while first + 8 <= rows {
                block.block::<8, V>(first);
                first += 8;
            }
        }
        while first + 4 <= rows {
            block.block::<4, V>(first);
            first += 4;
        }
        if first + 2 <= rows {
            block.block::<2, V>(first);
            first += 2;
        }
        if first < rows {
            block.block::<1, V>(first);
        }
    }
}

/// Width in numbers of the column block that starts at column `first` of `columns`: as many
/// vectors as the instruction set takes at once while there are so many left.
#[inline(always)]
pub(crate) fn column_block(width: usize, columns: usize, first: usize) -> usize {
    let left = columns.next_multiple_of(LANES) - first;
    if width == 2 && left >= 2 * LANES {
        2 * LANES
    } else {
        LANES
    }
}
