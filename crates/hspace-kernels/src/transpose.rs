//! Rows to columns.

use rayon::prelude::*;

use crate::buffer::volume;
use crate::machine::Machine;
use crate::partition;
use crate::simd::{Isa, LANES, Simd, kernel};

/// The transposes of some matrices of `rows` × `columns` numbers that follow each other. An image with
/// its channels first is one: its transpose has them last.
///
/// # Panics
/// If these are not whole matrices, one has more numbers than can be counted, or `to` is not as long as
/// `from`.
pub fn each(on: Machine, (rows, columns): (usize, usize), from: &[f32], to: &mut [f32]) {
    let len = volume(&[rows, columns]).max(1);
    assert!(
        from.len() == to.len() && from.len().is_multiple_of(len),
        "whole matrices of {rows} × {columns}"
    );
    let pairs = to.par_chunks_mut(len).zip(from.par_chunks(len));
    let pairs = pairs.with_min_len(partition::least(len));
    pairs.for_each(|(to, from)| match (rows, columns) {
        (1, _) | (_, 1) => to.copy_from_slice(from),
        // A few channels would leave most of a square of vectors empty.
        (..LANES, _) => {
            for (r, from) in from.chunks_exact(columns).enumerate() {
                let column = to[r..].iter_mut().step_by(rows);
                column.zip(from).for_each(|(to, from)| *to = *from);
            }
        }
        (_, ..LANES) => {
            for (c, to) in to.chunks_exact_mut(rows).enumerate() {
                let column = from[c..].iter().step_by(columns);
                to.iter_mut().zip(column).for_each(|(to, from)| *to = *from);
            }
        }
        _ => transpose(on.isa, from, columns, to, rows, (rows, columns)),
    });
}

/// `to[c · to_row + r] = from[r · from_row + c]` for `rows` × `columns` numbers.
///
/// # Panics
/// If a slice is too short.
pub(crate) fn transpose(
    isa: Isa,
    from: &[f32],
    from_row: usize,
    to: &mut [f32],
    to_row: usize,
    (rows, columns): (usize, usize),
) {
    if rows == 0 || columns == 0 {
        return;
    }
    let fits = |lines: usize, step: usize, width: usize, len: usize| {
        let last = (lines - 1).checked_mul(step);
        let end = last.and_then(|last| last.checked_add(width));
        end.is_some_and(|end| end <= len)
    };
    assert!(
        fits(rows, from_row, columns, from.len()) && fits(columns, to_row, rows, to.len()),
        "room for rows and columns"
    );
    // SAFETY: as checked.
    unsafe { turn(isa, from, from_row, to, to_row, (rows, columns)) };
}

kernel! {
    /// [`transpose`].
    ///
    /// # Safety
    /// Both slices must hold all rows and columns.
    fn turn(
        from: &[f32],
        from_row: usize,
        to: &mut [f32],
        to_row: usize,
        size: (usize, usize),
    ) = turn_with
}

#[inline(always)]
unsafe fn turn_with<S: Simd>(
    from: &[f32],
    from_row: usize,
    to: &mut [f32],
    to_row: usize,
    (rows, columns): (usize, usize),
) {
    // SAFETY: every address is that of the numbers of a row or a column that there are.
    unsafe {
        for r in (0..rows).step_by(LANES) {
            let height = LANES.min(rows - r);
            for c in (0..columns).step_by(LANES) {
                let width = LANES.min(columns - c);
                let mut square = [S::splat(0.0); LANES];
                for (i, line) in square.iter_mut().enumerate().take(height) {
                    *line = S::load_first(from.as_ptr().add((r + i) * from_row + c), width);
                }
                let turned = S::transpose(square);
                for (j, line) in turned.into_iter().enumerate().take(width) {
                    S::store_first(to.as_mut_ptr().add((c + j) * to_row + r), line, height);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        let (rows, columns, from_row, to_row) = (37, 21, 25, 40);
        let from: Vec<f32> = (0..rows * from_row).map(|i| i as f32).collect();
        for isa in Isa::available() {
            let mut to = vec![-1.0; columns * to_row];
            transpose(isa, &from, from_row, &mut to, to_row, (rows, columns));
            for (i, &x) in to.iter().enumerate() {
                let (c, r) = (i / to_row, i % to_row);
                let expected = if r < rows {
                    from[r * from_row + c]
                } else {
                    -1.0
                };
                assert_eq!(x, expected);
            }
        }
    }
}
