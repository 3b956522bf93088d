//! Positions by the taps that they see, and their sums of products.

use std::ops::Range;

use super::{Numbers, Taps};
use crate::epilogue::{Epilogue, RawEpilogue};
use crate::fetch::{Area, Fetch};
use crate::machine::Machine;
use crate::norm::scale_rows;
use crate::partition::Rows;
use crate::product::microkernel::{Block, Strides, column_block, over_rows, product};
use crate::scratch::Scratch;
use crate::shape::Source;
use crate::simd::{LANES, Simd, kernel};

/// The images' numbers as the rows of `unit` see them, and for each image of the unit where its
/// first row is, or would be: as they lie, or where there is a line a copy with that.
pub(super) fn seen<'a>(
    on: Machine,
    x: Source<'a>,
    (h, w, c): (usize, usize, usize),
    taps: &Taps,
    out_h: usize,
    unit: Rows,
) -> (Numbers<'a>, Vec<isize>) {
    let row_len = w * c;
    let parts = unit.per_image(out_h);
    let Some((scale, shift)) = x.line else {
        let starts = parts.map(|(image, _, _)| (image * h * row_len) as isize);
        return (Numbers::Given(x.numbers), starts.collect());
    };
    let rows = |first: usize, rows: usize| {
        let within = |y: isize| y.clamp(0, h as isize) as usize;
        let top = (first * taps.step) as isize + taps.top;
        within(top)..within(top + taps.reach(rows, 1).0 as isize)
    };
    let total: usize = unit
        .per_image(out_h)
        .map(|(_, first, count)| rows(first, count).len() * row_len)
        .sum();
    let mut copy = Scratch::any(total);
    let mut at = 0;
    let start = |(image, first, count): (usize, usize, usize)| {
        let rows = rows(first, count);
        let from = (image * h + rows.start) * row_len;
        let len = rows.len() * row_len;
        let (from, to) = (&x.numbers[from..from + len], &mut copy[at..at + len]);
        // SAFETY: whole places of `c` numbers on both sides, as many as the line has.
        unsafe { scale_rows(on.isa, from, scale, shift, to) };
        let start = at as isize - (rows.start * row_len) as isize;
        at += len;
        start
    };
    let starts = parts.map(start).collect();
    (Numbers::Copied(copy), starts)
}

/// Places along one axis that see the same taps of the kernel: `count` of them, from tap `skip` on.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    skip: usize,
    count: usize,
}

/// Positions that see the same taps: where their factors start, and where their results go.
struct Group {
    rows: Seen,
    columns: Seen,
    offsets: Vec<usize>,
    places: Vec<usize>,
}

/// All positions of a unit of work, by the taps that they see.
pub(super) struct Groups<'a> {
    taps: &'a Taps,
    /// Height, width and channels of the images that are seen.
    size: (usize, usize, usize),
    /// All positions at most.
    most: usize,
    groups: Vec<Group>,
}

impl<'a> Groups<'a> {
    /// Of images of `size`, for `most` positions at most.
    pub(super) fn new(taps: &'a Taps, size: (usize, usize, usize), most: usize) -> Groups<'a> {
        Groups {
            taps,
            size,
            most,
            groups: Vec::new(),
        }
    }

    /// Adds positions of one image, whose first number is number `start`; the results of (y, x) go
    /// to `place(y, x)`.
    pub(super) fn add(
        &mut self,
        start: isize,
        rows: Range<usize>,
        columns: Range<usize>,
        place: impl Fn(usize, usize) -> usize,
    ) {
        let (taps, (h, w, c)) = (self.taps, self.size);
        let seen = |at: usize, start: isize, taps: usize, size: usize| {
            let first = (at * self.taps.step) as isize + start;
            let skip = (-first).clamp(0, taps as isize);
            let end = (size as isize - first).clamp(skip, taps as isize);
            let seen = Seen {
                skip: skip as usize,
                count: (end - skip) as usize,
            };
            (seen, first + skip)
        };
        let columns: Vec<_> = columns
            .map(|x| (x, seen(x, taps.left, taps.columns, w)))
            .collect();
        for y in rows {
            let (rows, first) = seen(y, taps.top, taps.rows, h);
            let line = start + first * (w * c) as isize;
            for run in columns.chunk_by(|a, b| a.1.0 == b.1.0) {
                let columns = run[0].1.0;
                let same = |g: &Group| g.rows == rows && g.columns == columns;
                let found = self.groups.iter().position(same).unwrap_or_else(|| {
                    self.groups.push(Group {
                        rows,
                        columns,
                        offsets: Vec::with_capacity(self.most),
                        places: Vec::with_capacity(self.most),
                    });
                    self.groups.len() - 1
                });
                let group = &mut self.groups[found];
                let nothing = rows.count * columns.count == 0;
                group
                    .offsets
                    .extend(run.iter().map(|(_, (_, first))| match nothing {
                        true => 0,
                        false => (line + first * c as isize) as usize,
                    }));
                group.places.extend(run.iter().map(|&(x, _)| place(y, x)));
            }
        }
    }

    /// The results of all positions, `outputs` numbers each.
    ///
    /// # Panics
    /// If factors, weights, results or what finishes them are too few.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn compute(
        &self,
        on: Machine,
        numbers: &[f32],
        packed: &[f32],
        y: &mut [f32],
        outputs: usize,
        epilogue: &Epilogue,
        soon: Vec<Area>,
    ) {
        let (taps, (_, w, c)) = (self.taps, self.size);
        let all = taps.rows * taps.columns * c;
        let weights = all * outputs.next_multiple_of(LANES);
        assert_eq!(packed.len(), weights, "weights of all terms");
        epilogue.check(y.len(), outputs);
        // All of it with the first block of columns, whose results are written soonest.
        let each = self.groups.iter().map(|group| group.offsets.len());
        let times = each.sum::<usize>().div_ceil(on.isa.rows());
        let soon = soon.into_iter().map(|area| Fetch::new(area, times));
        let mut soon = Vec::from_iter(soon);
        for group in &self.groups {
            let Group { rows, columns, .. } = group;
            let strides = Strides {
                k: columns.count * c,
                a_step: 1,
                b_step: 0,
                segments: rows.count,
                a_segment: w * c,
                b_segment: 0,
            };
            let terms = Terms {
                all,
                skipped: (rows.skip * taps.columns + columns.skip) * c,
                line: taps.columns * c,
            };
            let end = |starts: &[usize], len: usize| starts.iter().max().map_or(0, |s| s + len);
            let reach = match strides.segments * strides.k {
                0 => 0,
                _ => (strides.segments - 1) * strides.a_segment + strides.k,
            };
            assert!(
                end(&group.offsets, reach) <= numbers.len()
                    && end(&group.places, outputs) <= y.len(),
                "room for factors and results"
            );
            // SAFETY: as just checked, the numbers hold all that the strides reach from every offset, and `y` (and what
            // is added) `outputs` numbers at every place; `packed` has all terms for each block of
            // columns.
            unsafe {
                positions(
                    on.isa,
                    &strides,
                    terms,
                    numbers,
                    &group.offsets,
                    packed,
                    y.as_mut_ptr(),
                    &group.places,
                    outputs,
                    epilogue.raw(),
                    &mut soon,
                );
            }
        }
    }
}

/// The terms of `packed` for one block of columns: all, those before a group's first, and those
/// from one line of taps to the next.
#[derive(Clone, Copy)]
struct Terms {
    all: usize,
    skipped: usize,
    line: usize,
}

kernel! {
    /// The outputs of some positions: position q's factors start at `numbers[offsets[q]]`, its
    /// results go to `y[places[q]]` and on. The steps through `packed` are filled in here.
    ///
    /// # Safety
    /// `numbers` must hold all that the strides reach from each offset, `packed` all terms for each block of columns,
    /// `y` and what the epilogue adds `outputs` numbers from each place on.
    fn positions(
        strides: &Strides,
        terms: Terms,
        numbers: &[f32],
        offsets: &[usize],
        packed: &[f32],
        y: *mut f32,
        places: &[usize],
        outputs: usize,
        epilogue: RawEpilogue,
        soon: &mut [Fetch],
    ) = positions_with
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn positions_with<S: Simd>(
    strides: &Strides,
    terms: Terms,
    numbers: &[f32],
    offsets: &[usize],
    packed: &[f32],
    y: *mut f32,
    places: &[usize],
    outputs: usize,
    epilogue: RawEpilogue,
    soon: &mut [Fetch],
) {
    let mut first = 0;
    while first < outputs {
        let block = column_block(S::WIDTH, outputs, first);
        let mut positions = Positions {
            strides: Strides {
                b_step: block,
                b_segment: terms.line * block,
                ..*strides
            },
            numbers: numbers.as_ptr(),
            offsets,
            packed: packed[terms.all * first + terms.skipped * block..].as_ptr(),
            y,
            places,
            first,
            outputs,
            epilogue,
            soon,
        };
        // SAFETY: the caller's promises.
        unsafe {
            over_rows::<S>(offsets.len(), block, &mut positions);
        }
        first += block;
    }
}

struct Positions<'a> {
    strides: Strides,
    numbers: *const f32,
    offsets: &'a [usize],
    packed: *const f32,
    y: *mut f32,
    places: &'a [usize],
    first: usize,
    outputs: usize,
    epilogue: RawEpilogue,
    soon: &'a mut [Fetch],
}

impl<S: Simd> Block<S> for Positions<'_> {
    #[inline(always)]
    unsafe fn block<const P: usize, const V: usize>(&mut self, first: usize) {
        // SAFETY: the promises of `positions`.
        unsafe {
            let mut a = [self.numbers; P];
            for (p, a) in a.iter_mut().enumerate() {
                *a = a.add(*self.offsets.get_unchecked(first + p));
            }
            self.soon.iter_mut().for_each(Fetch::some);
            let sums = product::<S, P, V>(&self.strides, a, self.packed);
            for (p, sums) in sums.into_iter().enumerate() {
                let place = *self.places.get_unchecked(first + p);
                for (v, sum) in sums.into_iter().enumerate() {
                    let channel = self.first + v * LANES;
                    let lanes = (self.outputs - channel).min(LANES);
                    let place = place + channel;
                    self.epilogue.write::<S>(sum, self.y, place, channel, lanes);
                }
            }
        }
    }
}
