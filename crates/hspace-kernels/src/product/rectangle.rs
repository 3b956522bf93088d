//! Rectangles of a result: how it is cut into them, and how one of them is computed.

use std::ops::Range;

use super::packed::{AHEAD, DEPTH, Packed, ask_for, pack, runs};
use super::{Matrix, Sizes};
use crate::epilogue::RawEpilogue;
use crate::fetch::needed_soon;
use crate::product::microkernel::{Block, Strides, column_block, over_rows, product};
use crate::scratch::Scratch;
use crate::simd::{Isa, LANES, Simd, kernel};

/// Where results go: number (i, j) to `c[i * step + j]`.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) c: *mut f32,
    pub(super) step: usize,
    pub(super) epilogue: RawEpilogue,
}

/// Some rows and columns of a result; columns begin where a block of packed columns does.
pub(super) struct Rectangle {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

/// Cuts a result into rectangles of about this size.
pub(super) fn rectangles(sizes: Sizes, rows: usize, columns: usize) -> Vec<Rectangle> {
    let cut = |all: usize, target: usize, step: usize| {
        let parts = all.div_ceil(target).max(1);
        let size = all.div_ceil(parts).next_multiple_of(step);
        let starts = (0..all).step_by(size);
        starts.map(move |start| start..(start + size).min(all))
    };
    let rows = cut(sizes.rows, rows, 8);
    let of_row = |rows: Range<usize>| {
        cut(sizes.columns, columns, 2 * LANES).map(move |columns| Rectangle {
            rows: rows.clone(),
            columns,
        })
    };
    rows.flat_map(of_row).collect()
}

/// Computes a rectangle of the result, all terms.
///
/// # Safety
/// The factors must hold it, and the target, with what finishes it, be valid for it.
pub(super) unsafe fn rectangle(
    isa: Isa,
    depth: usize,
    unit: &Rectangle,
    a: Matrix,
    b: Matrix,
    packed: Option<&Packed>,
    target: Target,
) {
    let (rows, width) = (unit.rows.len(), unit.columns.len());
    let mut own = packed
        .is_none()
        .then(|| Scratch::any(DEPTH.min(depth.max(1)) * width.next_multiple_of(LANES)));
    let mut gathered = (a.column != 1).then(|| Scratch::any(DEPTH.min(depth.max(1)) * rows));
    for run in runs(depth) {
        let from = a.from(unit.rows.start, run.start);
        let (left, row, step) = match &mut gathered {
            Some(gathered) => {
                // Rows side by side, term by term.
                for (k, to) in gathered.chunks_exact_mut(rows).take(run.len()).enumerate() {
                    ask_for(from.numbers, (k + AHEAD) * a.column, rows);
                    to.copy_from_slice(&from.numbers[k * a.column..][..rows]);
                }
                (&gathered[..], 1, rows)
            }
            None => (from.numbers, a.row, 1),
        };
        let right = match (packed, &mut own) {
            (Some(packed), _) => packed.part(&run, unit.columns.start),
            (None, Some(own)) => {
                let b = b.from(run.start, unit.columns.start);
                pack(isa, b, run.len(), width, own);
                &own[..]
            }
            (None, None) => unreachable!("packed beforehand or here"),
        };
        let last = run.end == depth;
        let plan = PackingPlan {
            depth: run.len(),
            row,
            step,
            accumulate: run.start > 0,
            epilogue: (last && !target.epilogue.nothing()).then_some(target.epilogue),
        };
        // SAFETY: both sides hold the run's terms; the target is the caller's promise.
        unsafe {
            multiply(
                isa,
                &plan,
                left,
                right,
                rows,
                unit.columns.clone(),
                unit.rows.start,
                target,
            );
        }
    }
}

/// One run of terms.
#[derive(Clone, Copy)]
struct PackingPlan {
    depth: usize,
    /// From one row of the left factor to the next.
    row: usize,
    /// From one term of the left factor to the next.
    step: usize,
    /// Whether sums of earlier runs are there already.
    accumulate: bool,
    /// After the last run.
    epilogue: Option<RawEpilogue>,
}

kernel! {
    /// Adds a run of terms to `rows` rows of the result from row `first_row` on.
    ///
    /// # Safety
    /// `left` must hold the rows' terms, `right` the packed columns; the target must be valid for
    /// the rows and columns.
    fn multiply(
        plan: &PackingPlan,
        left: &[f32],
        right: &[f32],
        rows: usize,
        columns: Range<usize>,
        first_row: usize,
        target: Target,
    ) = multiply_with
}

#[inline(always)]
unsafe fn multiply_with<S: Simd>(
    plan: &PackingPlan,
    left: &[f32],
    right: &[f32],
    rows: usize,
    columns: Range<usize>,
    first_row: usize,
    target: Target,
) {
    let width = columns.len();
    let (mut first, mut from) = (0, 0);
    while first < width {
        let block = column_block(S::WIDTH, width, first);
        let mut tile = Tile {
            plan,
            strides: Strides {
                k: plan.depth,
                a_step: plan.step,
                b_step: block,
                segments: 1,
                a_segment: 0,
                b_segment: 0,
            },
            left: left.as_ptr(),
            right: right[from..].as_ptr(),
            first_row,
            fetch: first == 0 && plan.step == 1,
            first: columns.start + first,
            end: columns.end,
            target,
        };
        // SAFETY: the caller's promises.
        unsafe { over_rows::<S>(rows, block, &mut tile) };
        from += plan.depth * block;
        first += block;
    }
}

struct Tile<'a> {
    plan: &'a PackingPlan,
    strides: Strides,
    left: *const f32,
    right: *const f32,
    first_row: usize,
    fetch: bool,
    first: usize,
    end: usize,
    target: Target,
}

impl<S: Simd> Block<S> for Tile<'_> {
    #[inline(always)]
    unsafe fn block<const P: usize, const V: usize>(&mut self, first: usize) {
        // SAFETY: the promises of `multiply`.
        unsafe {
            let mut a = [self.left; P];
            for (p, a) in a.iter_mut().enumerate() {
                *a = a.add((first + p) * self.plan.row);
            }
            // The result is seldom in the cache: asked for now, it is there when the sums are done.
            for p in 0..P {
                let line = (self.first_row + first + p) * self.target.step + self.first;
                for v in 0..V {
                    needed_soon(self.target.c.wrapping_add(line + v * LANES));
                }
            }
            if self.fetch {
                // So are the next rows, the first time that the rows are gone through.
                for a in a {
                    let next = a.wrapping_add(P * self.plan.row);
                    for k in (0..self.plan.depth).step_by(LANES) {
                        needed_soon(next.wrapping_add(k));
                    }
                }
            }
            // Eight addresses, each in a register of its own: known to lie a row apart, they would be
            // computed from one another in the inner loop, during the products.
            let a = std::hint::black_box(a);
            let sums = product::<S, P, V>(&self.strides, a, self.right);
            for (p, sums) in sums.into_iter().enumerate() {
                let line = (self.first_row + first + p) * self.target.step;
                for (v, mut sum) in sums.into_iter().enumerate() {
                    let column = self.first + v * LANES;
                    let lanes = (self.end - column).min(LANES);
                    let to = self.target.c.wrapping_add(line + column);
                    if self.plan.accumulate {
                        sum = S::add(sum, S::load_first(to, lanes));
                    }
                    match self.plan.epilogue {
                        Some(epilogue) => {
                            epilogue.write::<S>(sum, self.target.c, line + column, column, lanes);
                        }
                        None => S::store_first(to, sum, lanes),
                    }
                }
            }
        }
    }
}

kernel! {
    /// Finishes `lines [rows, columns]` and writes them to the rectangle of `c` whose first number
    /// is number `corner` and whose first column is `channel`; rows of `c` start `step` apart.
    ///
    /// # Safety
    /// `lines` must be as long as that, and `c` and what is added valid for the rectangle.
    pub(super) fn write(
        lines: &[f32],
        size: (usize, usize),
        c: *mut f32,
        step: usize,
        corner: usize,
        channel: usize,
        epilogue: RawEpilogue,
    ) = write_with
}

#[inline(always)]
unsafe fn write_with<S: Simd>(
    lines: &[f32],
    (rows, columns): (usize, usize),
    c: *mut f32,
    step: usize,
    corner: usize,
    channel: usize,
    epilogue: RawEpilogue,
) {
    // SAFETY: the caller's promises.
    unsafe {
        for i in 0..rows {
            for j in (0..columns).step_by(LANES) {
                let lanes = (columns - j).min(LANES);
                let sum = S::load_first(lines.as_ptr().add(i * columns + j), lanes);
                epilogue.write::<S>(sum, c, corner + i * step + j, channel + j, lanes);
            }
        }
    }
}
