//! Products of matrices.
//!
//! One factor is packed for the inner loop, block of columns by block of columns; of the other,
//! single numbers are read. Which is which is decided by what has to be moved in memory: `C = A B`
//! may as well be computed as `Cᵀ = Bᵀ Aᵀ`. So a layer with many weights and few samples packs the
//! samples, and reads its weights where they are.

pub(crate) mod microkernel;
mod packed;
mod rectangle;

use rayon::prelude::*;

use self::packed::{COLUMNS, DEPTH, Packed};
use self::rectangle::{Rectangle, Target, rectangle, rectangles, write};
use crate::buffer::Buffer;
use crate::epilogue::{Accumulate, Epilogue};
use crate::machine::Machine;
use crate::partition;
use crate::scratch::Scratch;
use crate::simd::LANES;
use crate::transpose::transpose;

/// Rows of a unit of work, at most.
const ROWS: usize = 128;
/// The same where threads would wait for one another.
const FEW_ROWS: usize = 32;
/// Units for each thread, so that none waits long for the last.
const UNITS: usize = 4;

/// A matrix in memory: number (i, j) is `numbers[i * row + j * column]`, and one of the two steps
/// is 1.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    numbers: &'a [f32],
    row: usize,
    column: usize,
}

impl<'a> Matrix<'a> {
    /// Rows that start `step` numbers apart.
    pub fn rows(numbers: &'a [f32], step: usize) -> Matrix<'a> {
        Matrix {
            numbers,
            row: step,
            column: 1,
        }
    }

    /// The same numbers as columns.
    pub fn transposed(self) -> Matrix<'a> {
        Matrix {
            row: self.column,
            column: self.row,
            ..self
        }
    }

    /// The part that begins at a row and a column.
    fn from(self, row: usize, column: usize) -> Matrix<'a> {
        Matrix {
            numbers: &self.numbers[row * self.row + column * self.column..],
            ..self
        }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        let last = |count: usize, step: usize| (count - 1).checked_mul(step);
        let last = || last(rows, self.row)?.checked_add(last(columns, self.column)?);
        (self.row == 1 || self.column == 1)
            && (rows == 0 || columns == 0 || last().is_some_and(|last| last < self.numbers.len()))
    }
}

/// Rows, terms of each sum, columns of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Rows of the left factor and the result.
    pub rows: usize,
    /// Columns of the left factor, rows of the right one.
    pub depth: usize,
    /// Columns of the right factor and the result.
    pub columns: usize,
}

/// `a b` to `c [rows, columns]`, finished by column. Sums of no terms are zeros.
///
/// # Panics
/// If a factor is too short, or the result or what finishes it is of another length.
pub fn product(
    on: Machine,
    sizes: Sizes,
    a: Matrix,
    b: Matrix,
    c: &mut [f32],
    epilogue: &Epilogue,
) {
    check(sizes, a, b, c, epilogue);
    if let Accumulate::Itself = epilogue.accumulate {
        // Sums so far are kept in the result.
        let accumulate = Buffer::copy_of(c);
        let accumulate = Accumulate::Numbers(&accumulate);
        return product(
            on,
            sizes,
            a,
            b,
            c,
            &Epilogue {
                accumulate,
                ..*epilogue
            },
        );
    }
    let Sizes {
        rows,
        depth,
        columns,
    } = sizes;
    if c.is_empty() {
        return;
    }
    if depth == 0 {
        return no_terms(on, columns, c, epilogue);
    }
    let parts = deep_parts(sizes);
    if parts > 1 && epilogue.raw().nothing() {
        return by_depth(on, sizes, a, b, c, parts);
    }
    // Numbers to be moved one way and the other, turning counted twice.
    let plain = depth * (columns * (1 + usize::from(b.column != 1)))
        + depth * rows * usize::from(a.column != 1);
    let turned = depth * (rows * (1 + usize::from(a.row != 1)))
        + depth * columns * usize::from(b.row != 1)
        + 2 * rows * columns;
    if turned < plain {
        by_turned(on, sizes, a, b, c, epilogue);
    } else {
        by_rows(on, sizes, a, b, c, epilogue);
    }
}

/// # Panics
/// As [`product`].
fn check(sizes: Sizes, a: Matrix, b: Matrix, c: &[f32], epilogue: &Epilogue) {
    let Sizes {
        rows,
        depth,
        columns,
    } = sizes;
    assert!(
        a.holds(rows, depth)
            && b.holds(depth, columns)
            && rows.checked_mul(columns) == Some(c.len()),
        "factors and result of {sizes:?}"
    );
    epilogue.check(c.len(), columns);
}

/// Sums of no terms: zeros, finished.
fn no_terms(on: Machine, columns: usize, c: &mut [f32], epilogue: &Epilogue) {
    epilogue.check(c.len(), columns);
    let (zeros, size) = (Buffer::zeros(c.len()), (c.len() / columns, columns));
    // SAFETY: zeros, result and what is added are rows of `columns` numbers, the rest as long as one.
    unsafe {
        write(
            on.isa,
            &zeros,
            size,
            c.as_mut_ptr(),
            columns,
            0,
            0,
            epilogue.raw(),
        );
    }
}

/// In how many parts the terms are summed, where there are many more of them than results: so
/// that there is work for all threads, and factors are read as they lie.
fn deep_parts(sizes: Sizes) -> usize {
    match sizes.depth >= 4 * sizes.rows.max(sizes.columns) {
        true => (sizes.depth / (2 * DEPTH)).clamp(1, 16),
        false => 1,
    }
}

/// Partial sums over parts of the depth, added in their order.
fn by_depth(on: Machine, sizes: Sizes, a: Matrix, b: Matrix, c: &mut [f32], parts: usize) {
    let len = c.len();
    let bound = |i: usize| i * sizes.depth / parts;
    let sums = (0..parts).into_par_iter().with_max_len(1).map(|i| {
        let mut part = Buffer::any(len);
        let depth = bound(i + 1) - bound(i);
        let (a, b) = (a.from(0, bound(i)), b.from(bound(i), 0));
        let sizes = Sizes { depth, ..sizes };
        by_rows(on, sizes, a, b, &mut part, &Epilogue::default());
        part
    });
    c.copy_from_slice(&partition::add_up(sums.collect()));
}

/// Rows of a unit of so many columns: a number in the result is the same whatever unit it is in.
fn rows_of_unit(sizes: Sizes, columns: usize) -> usize {
    let wanted = UNITS * rayon::current_num_threads();
    let units = |rows: usize| sizes.rows.div_ceil(rows) * sizes.columns.div_ceil(columns);
    let mut rows = ROWS;
    while rows > FEW_ROWS && units(rows) < wanted {
        rows /= 2;
    }
    rows
}

/// Threads share out rectangles of the result, each packs what it needs of the right factor.
fn by_rows(on: Machine, sizes: Sizes, a: Matrix, b: Matrix, c: &mut [f32], epilogue: &Epilogue) {
    check(sizes, a, b, c, epilogue);
    let c = Shared(c.as_mut_ptr());
    let packed = (sizes.rows > ROWS).then(|| Packed::new(on.isa, sizes, b));
    // With everything packed beforehand, a unit may take all columns: its rows stay in the cache.
    let columns = if packed.is_some() {
        8 * COLUMNS
    } else {
        COLUMNS / 2
    };
    let rows = rows_of_unit(sizes, columns);
    let units = rectangles(sizes, rows, columns).into_par_iter();
    units.with_max_len(1).for_each(|unit| {
        let target = Target {
            c: c.start(),
            step: sizes.columns,
            epilogue: epilogue.raw(),
        };
        // SAFETY: as checked, the factors hold the unit's rows and columns, and so do the result
        // and what finishes it; no other unit writes them.
        unsafe { rectangle(on.isa, sizes.depth, &unit, a, b, packed.as_ref(), target) };
    });
}

/// The transposed result is computed, some of its rows at a time, and turned while in the cache.
fn by_turned(on: Machine, sizes: Sizes, a: Matrix, b: Matrix, c: &mut [f32], epilogue: &Epilogue) {
    const CHUNK: usize = 64;
    check(sizes, a, b, c, epilogue);
    let c = Shared(c.as_mut_ptr());
    let turned = Sizes {
        rows: sizes.columns,
        columns: sizes.rows,
        depth: sizes.depth,
    };
    let packed = Packed::new(on.isa, turned, a.transposed());
    let units = rectangles(turned, CHUNK, ROWS).into_par_iter();
    units.with_max_len(1).for_each(|unit| {
        let (height, width) = (unit.rows.len(), unit.columns.len());
        let step = width.next_multiple_of(LANES);
        let mut sums = Scratch::any(height * step);
        let own = Rectangle {
            rows: unit.rows.clone(),
            columns: unit.columns.clone(),
        };
        // SAFETY: as checked, the factors hold the unit's rows and columns; `sums` has its numbers,
        // and the address before it is never used as such.
        unsafe {
            let origin = unit.rows.start * step + unit.columns.start;
            let target = Target {
                c: sums.as_mut_ptr().wrapping_sub(origin),
                step,
                epilogue: Epilogue::default().raw(),
            };
            rectangle(
                on.isa,
                sizes.depth,
                &own,
                b.transposed(),
                a.transposed(),
                Some(&packed),
                target,
            );
        }
        let mut lines = Scratch::any(width * height);
        transpose(on.isa, &sums, step, &mut lines, height, (height, width));
        let corner = unit.columns.start * sizes.columns + unit.rows.start;
        // SAFETY: as checked, the result (and what finishes it) have these rows and columns, which no
        // other unit writes.
        unsafe {
            write(
                on.isa,
                &lines,
                (width, height),
                c.start(),
                sizes.columns,
                corner,
                unit.rows.start,
                epilogue.raw(),
            );
        }
    });
}

/// A product on this thread alone, to rows of `c` that start `step` numbers apart.
///
/// # Panics
/// If a factor or the result is too short.
pub(crate) fn serial(on: Machine, sizes: Sizes, a: Matrix, b: Matrix, c: &mut [f32], step: usize) {
    let Sizes {
        rows,
        depth,
        columns,
    } = sizes;
    let last = rows.saturating_sub(1).checked_mul(step);
    let end = last.and_then(|last| last.checked_add(columns));
    assert!(
        a.holds(rows, depth)
            && b.holds(depth, columns)
            && columns <= step
            && end.is_some_and(|end| end <= c.len()),
        "factors and result of {sizes:?}"
    );
    let target = Target {
        c: c.as_mut_ptr(),
        step,
        epilogue: Epilogue::default().raw(),
    };
    let all = Rectangle {
        rows: 0..rows,
        columns: 0..columns,
    };
    // SAFETY: as checked.
    unsafe { rectangle(on.isa, depth, &all, a, b, None, target) };
}

/// A place that several threads write to, each its own part.
#[derive(Clone, Copy)]
struct Shared(*mut f32);
// SAFETY: no two threads write the same number.
unsafe impl Sync for Shared {}

impl Shared {
    fn start(&self) -> *mut f32 {
        self.0
    }
}
