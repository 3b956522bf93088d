//! The one inner loop: a block of rows times a block of columns, summed over given strides.
//!
//! Direct convolution, the Winograd products, weight gradients and matrix products all end here;
//! they differ in where the factors lie and where the results go.

use crate::simd::{LANES, Simd, kernel};

/// How the sum of a product runs: `segments` runs of `k` terms. From one term to the next the
/// left factor moves by `a_step` and the right one by `b_step`; from one segment to the next by
/// `a_segment` and `b_segment`.
#[derive(Clone, Copy)]
pub(crate) struct Strides {
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
/// Each `a[p]` and `b` must be valid as far as the strides reach, `b` for `V` vectors at each term.
#[inline(always)]
pub(crate) unsafe fn product<S: Simd, const P: usize, const V: usize>(
    strides: &Strides,
    a: [*const f32; P],
    b: *const f32,
) -> [[S::V; V]; P] {
    // SAFETY: all addresses are within what the strides reach.
    unsafe {
        let mut sums = [[S::splat(0.0); V]; P];
        for segment in 0..strides.segments {
            let mut from = segment * strides.a_segment;
            let mut right = b.add(segment * strides.b_segment);
            for _ in 0..strides.k {
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
                from += strides.a_step;
                right = right.wrapping_add(strides.b_step);
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

/// Covers `rows` rows and a block of `columns`, one or two vectors, with blocks as large as they
/// come.
///
/// # Safety
/// `block` must be callable for every block of rows below `rows`.
#[inline(always)]
pub(crate) unsafe fn over_rows<S: Simd>(rows: usize, columns: usize, block: &mut impl Block<S>) {
    // SAFETY: the caller's promise.
    unsafe {
        if columns == LANES {
            over_rows_of::<S, 1>(rows, block);
        } else {
            over_rows_of::<S, 2>(rows, block);
        }
    }
}

#[inline(always)]
unsafe fn over_rows_of<S: Simd, const V: usize>(rows: usize, block: &mut impl Block<S>) {
    let mut first = 0;
    // SAFETY: every block ends at `rows` or before.
    unsafe {
        if S::ROWS == 8 {
            while first + 8 <= rows {
                block.block::<8, V>(first);
                first += 8;
            }
        }
        if S::ROWS == 6 {
            while first + 6 <= rows {
                block.block::<6, V>(first);
                first += 6;
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

kernel! {
    /// Adds to `sums [rows, columns]`, or writes there where they are `fresh`, the products of rows of
    /// the left factor, which start one number apart, and columns of the right one; `columns` is a
    /// multiple of [`LANES`].
    ///
    /// # Safety
    /// `left` must hold all that the strides reach from each of its first `rows` numbers, `right` `columns` numbers
    /// at each term.
    pub(crate) fn add_outer(
        strides: &Strides,
        left: &[f32],
        right: &[f32],
        sums: &mut [f32],
        rows: usize,
        columns: usize,
        fresh: bool,
    ) = add_outer_with
}

#[inline(always)]
unsafe fn add_outer_with<S: Simd>(
    strides: &Strides,
    left: &[f32],
    right: &[f32],
    sums: &mut [f32],
    rows: usize,
    columns: usize,
    fresh: bool,
) {
    assert!(sums.len() >= rows * columns, "room for the sums");
    let mut first = 0;
    while first < columns {
        let block = column_block(S::WIDTH, columns, first);
        let mut outer = Outer {
            strides,
            left: left.as_ptr(),
            right: right[first..].as_ptr(),
            sums: sums[first..].as_mut_ptr(),
            columns,
            fresh,
        };
        // SAFETY: the caller's promises.
        unsafe {
            over_rows::<S>(rows, block, &mut outer);
        }
        first += block;
    }
}

struct Outer<'a> {
    strides: &'a Strides,
    left: *const f32,
    right: *const f32,
    sums: *mut f32,
    columns: usize,
    fresh: bool,
}

impl<S: Simd> Block<S> for Outer<'_> {
    #[inline(always)]
    unsafe fn block<const P: usize, const V: usize>(&mut self, first: usize) {
        // SAFETY: the promises of `add_outer`.
        unsafe {
            let mut a = [self.left; P];
            for (p, a) in a.iter_mut().enumerate() {
                *a = a.add(first + p);
            }
            let products = product::<S, P, V>(self.strides, a, self.right);
            for (p, products) in products.into_iter().enumerate() {
                for (v, product) in products.into_iter().enumerate() {
                    let to = self.sums.add((first + p) * self.columns + v * LANES);
                    match self.fresh {
                        true => S::store(to, product),
                        false => S::store(to, S::add(S::load(to), product)),
                    }
                }
            }
        }
    }
}
