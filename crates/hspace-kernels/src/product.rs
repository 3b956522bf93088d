//! Products of matrices.
//!
//! One factor is packed for the inner loop, block of columns by block of columns; of the other,
//! single numbers are read. Which is which is decided by what has to be moved in memory: `C = A B`
//! may as well be computed as `Cᵀ = Bᵀ Aᵀ`. So a layer with many weights and few samples packs the
//! samples, and reads its weights where they are.

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::conv::Machine;
use crate::fetch::needed_soon;
use crate::finish::{Finish, RawFinish};
use crate::micro::{Block, Walk, column_block, over_rows, product as inner_product};
use crate::scratch::Scratch;
use crate::simd::{Isa, LANES, Simd, kernel};
use crate::transpose::transpose;
use crate::units;

/// Terms summed at a time: a block of packed columns stays in the first-level cache.
const DEPTH: usize = 256;
/// Rows of a unit of work.
const ROWS: usize = 128;
/// Columns of a unit of work.
const COLUMNS: usize = 128;

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
        (self.row == 1 || self.column == 1)
            && (rows * columns == 0
                || (rows - 1) * self.row + (columns - 1) * self.column < self.numbers.len())
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

/// `a b` to `c [rows, columns]`, finished by column.
///
/// # Panics
/// If a factor or the result is too short.
pub fn product(on: Machine, sizes: Sizes, a: Matrix, b: Matrix, c: &mut [f32], finish: &Finish) {
    let Sizes {
        rows,
        depth,
        columns,
    } = sizes;
    assert!(
        a.holds(rows, depth) && b.holds(depth, columns) && c.len() == rows * columns,
        "factors and result of {sizes:?}"
    );
    assert!(
        [finish.scale, finish.bias]
            .iter()
            .flatten()
            .all(|part| part.len() == columns)
            && finish.residual.is_none_or(|r| r.len() == c.len()),
        "what finishes {sizes:?}"
    );
    let raw = RawFinish::at(finish, 0);
    let parts = deep_parts(sizes);
    if parts > 1 && raw.nothing() {
        return by_depth(on, sizes, a, b, c, parts);
    }
    // Numbers to be moved one way and the other, turning counted twice.
    let plain = depth * (columns * (1 + usize::from(b.column != 1)))
        + depth * rows * usize::from(a.column != 1);
    let turned = depth * (rows * (1 + usize::from(a.row != 1)))
        + depth * columns * usize::from(b.row != 1)
        + 2 * rows * columns;
    let c = Shared(c.as_mut_ptr());
    if turned < plain {
        by_turned(on, sizes, a, b, c, finish);
    } else {
        by_rows(on, sizes, a, b, c, finish);
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
        let to = Shared(part.as_mut_ptr());
        by_rows(on, Sizes { depth, ..sizes }, a, b, to, &Finish::default());
        part
    });
    c.copy_from_slice(&units::add_up(sums.collect()));
}

/// Threads share out rectangles of the result, each packs what it needs of the right factor.
fn by_rows(on: Machine, sizes: Sizes, a: Matrix, b: Matrix, c: Shared, finish: &Finish) {
    let packed = (sizes.rows > ROWS).then(|| Packed::new(on.isa, sizes, b));
    // With everything packed beforehand, a unit may take all columns: its rows stay in the cache.
    let columns = if packed.is_some() {
        8 * COLUMNS
    } else {
        COLUMNS / 2
    };
    let units = rectangles(sizes, ROWS, columns).into_par_iter();
    units.with_max_len(1).for_each(|unit| {
        let target = Target {
            c: c.start(),
            step: sizes.columns,
            finish: RawFinish::at(finish, 0),
        };
        // SAFETY: the factors hold the unit's rows and columns, and no other unit writes them.
        unsafe { rectangle(on.isa, sizes.depth, &unit, a, b, packed.as_ref(), target) };
    });
}

/// The transposed result is computed, some of its rows at a time, and turned while in the cache.
fn by_turned(on: Machine, sizes: Sizes, a: Matrix, b: Matrix, c: Shared, finish: &Finish) {
    const CHUNK: usize = 64;
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
        // SAFETY: `sums` has the unit's numbers; the address before it is never used as such.
        unsafe {
            let origin = unit.rows.start * step + unit.columns.start;
            let target = Target {
                c: sums.as_mut_ptr().wrapping_sub(origin),
                step,
                finish: RawFinish::at(&Finish::default(), 0),
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
        // SAFETY: the result (and the residual) have these rows and columns, which no other unit
        // writes.
        unsafe {
            write(
                on.isa,
                &lines,
                (width, height),
                c.start(),
                sizes.columns,
                corner,
                unit.rows.start,
                RawFinish::at(finish, 0),
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
    assert!(
        a.holds(rows, depth)
            && b.holds(depth, columns)
            && columns <= step
            && (rows == 0 || (rows - 1) * step + columns <= c.len()),
        "factors and result of {sizes:?}"
    );
    let target = Target {
        c: c.as_mut_ptr(),
        step,
        finish: RawFinish::at(&Finish::default(), 0),
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

/// Where results go: number (i, j) to `c[i * step + j]`.
#[derive(Clone, Copy)]
struct Target {
    c: *mut f32,
    step: usize,
    finish: RawFinish,
}

/// Some rows and columns of a result; columns begin where a block of packed columns does.
struct Rectangle {
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
}

/// Cuts a result into rectangles of about this size.
fn rectangles(sizes: Sizes, rows: usize, columns: usize) -> Vec<Rectangle> {
    let cut = |all: usize, target: usize, step: usize| {
        let parts = all.div_ceil(target).max(1);
        let size = all.div_ceil(parts).next_multiple_of(step);
        let starts = (0..all).step_by(size);
        starts.map(move |start| start..(start + size).min(all))
    };
    let rows = cut(sizes.rows, rows, 8);
    let of_row = |rows: std::ops::Range<usize>| {
        cut(sizes.columns, columns, 2 * LANES).map(move |columns| Rectangle {
            rows: rows.clone(),
            columns,
        })
    };
    rows.flat_map(of_row).collect()
}

/// Where the runs of terms begin, and where the last one ends.
fn runs(depth: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let count = depth.div_ceil(DEPTH).max(1);
    let size = depth.div_ceil(count).max(1);
    (0..count).map(move |i| i * size..((i + 1) * size).min(depth))
}

/// A right factor, packed: for each run of terms and each block of columns the block's columns
/// side by side, term by term, zeros beyond the last.
struct Packed {
    numbers: Buffer,
    columns: usize,
}

impl Packed {
    fn new(isa: Isa, sizes: Sizes, b: Matrix) -> Packed {
        let columns = sizes.columns.next_multiple_of(LANES);
        let mut numbers = Buffer::any(sizes.depth * columns);
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
        let blocks = blocks.with_min_len(units::least(DEPTH * COLUMNS));
        blocks.for_each(|(run, first, part)| {
            let end = (first + COLUMNS).min(sizes.columns);
            pack(isa, b.from(run.start, first), run.len(), end - first, part);
        });
        Packed { numbers, columns }
    }

    /// The columns from `first` on of a run of terms.
    fn part(&self, run: &std::ops::Range<usize>, first: usize) -> &[f32] {
        &self.numbers[run.start * self.columns + first * run.len()..]
    }
}

/// Packs a part of a right factor.
fn pack(isa: Isa, b: Matrix, depth: usize, columns: usize, packed: &mut [f32]) {
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
const AHEAD: usize = 8;

/// Asks for numbers that are soon copied, as far as there are any.
fn ask_for(numbers: &[f32], first: usize, count: usize) {
    for i in (first..(first + count).min(numbers.len())).step_by(LANES) {
        needed_soon(&raw const numbers[i]);
    }
}

/// Computes a rectangle of the result, all terms.
///
/// # Safety
/// The factors must hold it, and the target be valid for it.
unsafe fn rectangle(
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
        let plan = Plan {
            depth: run.len(),
            row,
            step,
            onto: run.start > 0,
            finish: (last && !target.finish.nothing()).then_some(target.finish),
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
struct Plan {
    depth: usize,
    /// From one row of the left factor to the next.
    row: usize,
    /// From one term of the left factor to the next.
    step: usize,
    /// Whether sums of earlier runs are there already.
    onto: bool,
    /// After the last run.
    finish: Option<RawFinish>,
}

kernel! {
    /// Adds a run of terms to `rows` rows of the result from row `first_row` on.
    ///
    /// # Safety
    /// `left` must hold the rows' terms, `right` the packed columns; the target must be valid for
    /// the rows and columns.
    fn multiply(
        plan: &Plan,
        left: &[f32],
        right: &[f32],
        rows: usize,
        columns: std::ops::Range<usize>,
        first_row: usize,
        target: Target,
    ) = multiply_with
}

#[inline(always)]
unsafe fn multiply_with<S: Simd>(
    plan: &Plan,
    left: &[f32],
    right: &[f32],
    rows: usize,
    columns: std::ops::Range<usize>,
    first_row: usize,
    target: Target,
) {
    let width = columns.len();
    let (mut first, mut from) = (0, 0);
    while first < width {
        let block = column_block(S::WIDTH, width, first);
        let mut tile = Tile {
            plan,
            walk: Walk {
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
    plan: &'a Plan,
    walk: Walk,
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
            // computed from one another in the inner loop, beside the products.
            let a = std::hint::black_box(a);
            let sums = inner_product::<S, P, V>(&self.walk, a, self.right);
            for (p, sums) in sums.into_iter().enumerate() {
                let line = (self.first_row + first + p) * self.target.step;
                for (v, mut sum) in sums.into_iter().enumerate() {
                    let column = self.first + v * LANES;
                    let lanes = (self.end - column).min(LANES);
                    let to = self.target.c.wrapping_add(line + column);
                    if self.plan.onto {
                        sum = S::add(sum, S::load_first(to, lanes));
                    }
                    match self.plan.finish {
                        Some(finish) => {
                            finish.write::<S>(sum, self.target.c, line + column, column, lanes);
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
    /// `lines` must be as long as that, and `c` and a residual valid for the rectangle.
    fn write(
        lines: &[f32],
        size: (usize, usize),
        c: *mut f32,
        step: usize,
        corner: usize,
        channel: usize,
        finish: RawFinish,
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
    finish: RawFinish,
) {
    // SAFETY: the caller's promises.
    unsafe {
        for i in 0..rows {
            for j in (0..columns).step_by(LANES) {
                let lanes = (columns - j).min(LANES);
                let sum = S::load_first(lines.as_ptr().add(i * columns + j), lanes);
                finish.write::<S>(sum, c, corner + i * step + j, channel + j, lanes);
            }
        }
    }
}
