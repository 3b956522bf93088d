//! Convolution as a plain sum of products: any kernel, stride, padding and number of channels.
//!
//! One tap row of the kernel is a run of `kernel · inputs` adjacent numbers. At the border of an image
//! a position sees fewer taps; positions that see the same ones are computed together, and no
//! address is ever outside. For the weights' gradient the input rows that a unit of work needs are
//! copied once, framed with zeros, into a slab that stays in the second-level cache.

use std::ops::{Deref, Range};

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::conv::{Conv, Machine, Source};
use crate::finish::RawFinish;
use crate::micro::{Block, Walk, add_outer, column_block, over_rows, product};
use crate::norm::scale_rows;
use crate::scratch::Scratch;
use crate::simd::{Area, Fetch, LANES, Simd, kernel};
use crate::transpose::transpose;
use crate::units::{self, Rows};

/// Input channels that are packed together.
const TOGETHER: usize = 32;
/// Numbers of output that a unit of work aims at.
const UNIT: usize = 16 << 10;

/// Which taps are summed, and from where: output (y, x) sees the input rows
/// `y · step + top .. + rows` and the columns `x · step + left .. + columns`.
struct Taps {
    rows: usize,
    columns: usize,
    top: isize,
    left: isize,
    step: usize,
}

impl Taps {
    /// All taps of a convolution.
    fn of(conv: &Conv) -> Taps {
        Taps {
            rows: conv.kernel,
            columns: conv.kernel,
            top: -(conv.pad as isize),
            left: -(conv.pad as isize),
            step: conv.stride,
        }
    }

    /// Rows and columns of input for `rows` × `columns` outputs.
    fn reach(&self, rows: usize, columns: usize) -> (usize, usize) {
        (
            (rows - 1) * self.step + self.rows,
            (columns - 1) * self.step + self.columns,
        )
    }
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

/// Weights packed for the inner loop: for each block of columns every tap and input channel, and
/// for those the block's columns side by side, zeros beyond the last.
/// `at(row, column)` is the place of a tap in the kernel.
fn pack(
    on: Machine,
    conv: &Conv,
    weight: &[f32],
    turned: bool,
    taps: &Taps,
    at: impl Fn(usize, usize) -> (usize, usize) + Sync,
) -> Buffer {
    let (inputs, outputs, k) = (conv.inputs, conv.outputs, conv.kernel);
    let tap = |i: usize| at(i / taps.columns, i % taps.columns);
    let places = (0..taps.rows * taps.columns).map(tap);
    let places: Vec<usize> = places.map(|(ky, kx)| ky * k + kx).collect();
    let depth = places.len() * inputs;
    let mut packed = Buffer::any(depth * outputs.next_multiple_of(LANES));
    let width = on.isa.width();
    let (mut blocks, mut rest, mut first) = (Vec::new(), &mut packed[..], 0);
    while first < outputs {
        let block = column_block(width, outputs, first);
        let (part, after) = rest.split_at_mut(depth * block);
        blocks.push((first, block, part));
        rest = after;
        first += block;
    }
    let blocks = blocks.into_par_iter();
    let blocks = blocks.with_min_len(units::least(depth * LANES));
    blocks.for_each(|(first, block, part)| {
        pack_block(on, conv, weight, turned, &places, (first, block), part);
    });
    packed
}

/// The `block` columns from column `first` on, packed.
fn pack_block(
    on: Machine,
    conv: &Conv,
    weight: &[f32],
    turned: bool,
    places: &[usize],
    (first, block): (usize, usize),
    part: &mut [f32],
) {
    let (inputs, outputs, k) = (conv.inputs, conv.outputs, conv.kernel);
    if first + block > outputs {
        part.fill(0.0);
    }
    let end = (first + block).min(outputs);
    if k == 1 && !turned {
        let size = (end - first, inputs);
        return transpose(on.isa, &weight[first * inputs..], inputs, part, block, size);
    }
    // A few inputs at a time: their lines of `part` stay in the first-level cache.
    for from in (0..inputs).step_by(TOGETHER) {
        let count = TOGETHER.min(inputs - from);
        let lines = |tap: usize| (tap * inputs + from) * block;
        if turned {
            for (i, input) in (from..from + count).enumerate() {
                let filters = &weight[(input * outputs + first) * k * k..];
                for (tap, &place) in places.iter().enumerate() {
                    let line = &mut part[lines(tap) + i * block..][..end - first];
                    let filters = filters.chunks_exact(k * k);
                    line.iter_mut()
                        .zip(filters)
                        .for_each(|(to, f)| *to = f[place]);
                }
            }
            continue;
        }
        for output in first..end {
            let filters = &weight[(output * inputs + from) * k * k..][..count * k * k];
            for (tap, &place) in places.iter().enumerate() {
                let lines = part[lines(tap)..].chunks_exact_mut(block);
                let filters = filters.chunks_exact(k * k);
                lines
                    .zip(filters)
                    .for_each(|(line, f)| line[output - first] = f[place]);
            }
        }
    }
}

/// The weights of a convolution, ready for use.
pub(crate) struct Packed {
    taps: Taps,
    packed: Buffer,
}

impl Packed {
    /// `turned` takes the weights of the convolution that this one is the gradient of.
    pub(crate) fn new(on: Machine, conv: &Conv, weight: &[f32], turned: bool) -> Packed {
        let k = conv.kernel;
        let taps = Taps::of(conv);
        let turn = |y: usize, x: usize| {
            if turned {
                (k - 1 - y, k - 1 - x)
            } else {
                (y, x)
            }
        };
        let packed = pack(on, conv, weight, turned, &taps, turn);
        Packed { taps, packed }
    }

    /// The outputs of the rows of `unit`, to `y`.
    pub(crate) fn outputs(
        &self,
        on: Machine,
        conv: &Conv,
        x: Source,
        unit: Rows,
        y: &mut [f32],
        finish: RawFinish,
    ) {
        let Packed { taps, packed } = self;
        let (out_h, out_w) = (conv.out_h(), conv.out_w());
        let size = (conv.h, conv.w, conv.inputs);
        let row = out_w * conv.outputs;
        assert!(y.len() == unit.count * row, "room for the outputs");
        let (numbers, starts) = seen(on, x, size, taps, out_h, unit);
        let mut groups = Groups::new(taps, size);
        for ((image, first, rows), start) in unit.per_image(out_h).zip(starts) {
            let line = image * out_h - unit.first;
            groups.add(start, first..first + rows, 0..out_w, |oy, ox| {
                (line + oy) * row + ox * conv.outputs
            });
        }
        groups.compute(
            on,
            &numbers,
            packed,
            y,
            conv.outputs,
            finish,
            finish.touches(y),
        );
    }

    /// Rows of output of a good unit of work.
    pub(crate) fn target(conv: &Conv) -> usize {
        // Enough positions to pay for a pass over the weights.
        (UNIT / conv.outputs).max(64) / conv.out_w()
    }
}

/// The weights for the gradient for the input where the stride is above 1: the positions that
/// share a remainder see the same taps, and are a convolution of their own.
pub(crate) struct Phases(Vec<Phase>);

/// The positions of one remainder of row and column.
struct Phase {
    row: usize,
    column: usize,
    taps: Taps,
    packed: Buffer,
}

impl Phases {
    pub(crate) fn new(on: Machine, conv: &Conv, weight: &[f32]) -> Phases {
        let (k, s) = (conv.kernel, conv.stride);
        // First tap, number of taps, and first output row (or column) that a position sees.
        let seen = |r: usize| {
            let tap = (r + conv.pad) % s;
            let count = if tap < k { (k - tap).div_ceil(s) } else { 0 };
            let first = ((r + conv.pad - tap) / s) as isize - count as isize + 1;
            (tap, count, first)
        };
        let back = Conv {
            inputs: conv.outputs,
            outputs: conv.inputs,
            ..*conv
        };
        let phase = |i: usize| {
            let (row, column) = (i / s, i % s);
            let ((ty, rows, top), (tx, columns, left)) = (seen(row), seen(column));
            let taps = Taps {
                rows,
                columns,
                top,
                left,
                step: 1,
            };
            let at = |y: usize, x: usize| (ty + s * (rows - 1 - y), tx + s * (columns - 1 - x));
            (rows * columns > 0).then(|| Phase {
                row,
                column,
                packed: pack(on, &back, weight, true, &taps, at),
                taps,
            })
        };
        Phases((0..s * s).filter_map(phase).collect())
    }

    /// Rows of input of a good unit of work.
    pub(crate) fn target(conv: &Conv) -> usize {
        UNIT / (conv.w * conv.inputs)
    }

    /// The gradient for the rows of `unit` of the input of `conv`, to `dx`.
    pub(crate) fn outputs(
        &self,
        on: Machine,
        conv: &Conv,
        dy: &[f32],
        unit: Rows,
        dx: &mut [f32],
        finish: RawFinish,
    ) {
        let s = conv.stride;
        if self.0.len() < s * s {
            // SAFETY: the finish has what it adds to all of `dx`.
            unsafe { finish.nothings(dx) };
        }
        let (out_h, out_w) = (conv.out_h(), conv.out_w());
        let size = (out_h, out_w, conv.outputs);
        let image_len = out_h * out_w * conv.outputs;
        let row = conv.w * conv.inputs;
        let mut soon = finish.touches(dx);
        for phase in &self.0 {
            let mut groups = Groups::new(&phase.taps, size);
            for (image, first, rows) in unit.per_image(conv.h) {
                let line = image * conv.h - unit.first;
                // Positions of this phase: quotients of row and column.
                let quotients = |first: usize, end: usize, rest: usize| {
                    (first + s - 1 - rest) / s..(end + s - 1 - rest) / s
                };
                let rows = quotients(first, first + rows, phase.row);
                let columns = quotients(0, conv.w, phase.column);
                groups.add((image * image_len) as isize, rows, columns, |y, x| {
                    (line + y * s + phase.row) * row + (x * s + phase.column) * conv.inputs
                });
            }
            let soon = std::mem::take(&mut soon);
            groups.compute(on, dy, &phase.packed, dx, conv.inputs, finish, soon);
        }
    }
}

/// The images' numbers as the rows of `unit` see them, and for each image of the unit where its
/// first row is, or would be: as they lie, or where there is a line a copy with that.
fn seen<'a>(
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
struct Groups<'a> {
    taps: &'a Taps,
    /// Height, width and channels of the images that are seen.
    size: (usize, usize, usize),
    groups: Vec<Group>,
}

impl<'a> Groups<'a> {
    fn new(taps: &'a Taps, size: (usize, usize, usize)) -> Groups<'a> {
        Groups {
            taps,
            size,
            groups: Vec::new(),
        }
    }

    /// Adds positions of one image, whose first number is number `start`; the results of (y, x) go
    /// to `place(y, x)`.
    fn add(
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
                        offsets: Vec::new(),
                        places: Vec::new(),
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
    #[allow(clippy::too_many_arguments)]
    fn compute(
        &self,
        on: Machine,
        numbers: &[f32],
        packed: &[f32],
        y: &mut [f32],
        outputs: usize,
        finish: RawFinish,
        mut soon: [Area; 2],
    ) {
        let (taps, (_, w, c)) = (self.taps, self.size);
        for group in &self.groups {
            let Group { rows, columns, .. } = group;
            let walk = Walk {
                k: columns.count * c,
                a_step: 1,
                b_step: 0,
                segments: rows.count,
                a_segment: w * c,
                b_segment: 0,
            };
            let terms = Terms {
                all: taps.rows * taps.columns * c,
                skipped: (rows.skip * taps.columns + columns.skip) * c,
                line: taps.columns * c,
            };
            let end = |starts: &[usize], len: usize| starts.iter().max().map_or(0, |s| s + len);
            let reach = match walk.segments * walk.k {
                0 => 0,
                _ => (walk.segments - 1) * walk.a_segment + walk.k,
            };
            assert!(
                end(&group.offsets, reach) <= numbers.len()
                    && end(&group.places, outputs) <= y.len(),
                "room for factors and results"
            );
            // SAFETY: as just checked, the numbers hold a walk from every offset, and `y` (and the
            // residual) `outputs` numbers at every place; `packed` has all terms for each block of
            // columns.
            unsafe {
                positions(
                    on.isa,
                    &walk,
                    terms,
                    numbers,
                    &group.offsets,
                    packed,
                    y.as_mut_ptr(),
                    &group.places,
                    outputs,
                    finish,
                    std::mem::take(&mut soon),
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
    /// results go to `y[places[q]]` and on. The walk's steps through `packed` are filled in here.
    ///
    /// # Safety
    /// `numbers` must hold the walk from each offset, `packed` all terms for each block of columns,
    /// `y` and the finish's residual `outputs` numbers from each place on.
    fn positions(
        walk: &Walk,
        terms: Terms,
        numbers: &[f32],
        offsets: &[usize],
        packed: &[f32],
        y: *mut f32,
        places: &[usize],
        outputs: usize,
        finish: RawFinish,
        soon: [Area; 2],
    ) = positions_with
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn positions_with<S: Simd>(
    walk: &Walk,
    terms: Terms,
    numbers: &[f32],
    offsets: &[usize],
    packed: &[f32],
    y: *mut f32,
    places: &[usize],
    outputs: usize,
    finish: RawFinish,
    soon: [Area; 2],
) {
    // All of it with the first block of columns, whose results are written soonest.
    let blocks = offsets.len().div_ceil(S::ROWS);
    let mut soon = soon.map(|area| Fetch::new(area, blocks));
    let mut first = 0;
    while first < outputs {
        let block = column_block(S::WIDTH, outputs, first);
        let mut positions = Positions {
            walk: Walk {
                b_step: block,
                b_segment: terms.line * block,
                ..*walk
            },
            numbers: numbers.as_ptr(),
            offsets,
            packed: packed[terms.all * first + terms.skipped * block..].as_ptr(),
            y,
            places,
            first,
            outputs,
            finish,
            soon: &mut soon,
        };
        // SAFETY: the caller's promises.
        unsafe {
            over_rows::<S>(offsets.len(), block, &mut positions);
        }
        first += block;
    }
}

struct Positions<'a> {
    walk: Walk,
    numbers: *const f32,
    offsets: &'a [usize],
    packed: *const f32,
    y: *mut f32,
    places: &'a [usize],
    first: usize,
    outputs: usize,
    finish: RawFinish,
    soon: &'a mut [Fetch; 2],
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
            let sums = product::<S, P, V>(&self.walk, a, self.packed);
            for (p, sums) in sums.into_iter().enumerate() {
                let place = *self.places.get_unchecked(first + p);
                for (v, sum) in sums.into_iter().enumerate() {
                    let channel = self.first + v * LANES;
                    let lanes = (self.outputs - channel).min(LANES);
                    let place = place + channel;
                    self.finish.write::<S>(sum, self.y, place, channel, lanes);
                }
            }
        }
    }
}

/// The sums that make up the gradient for the weights, `[ky, kx, input, output]`, outputs padded to
/// whole vectors.
pub(crate) struct Sums {
    taps: Taps,
    /// Numbers of one row of the kernel.
    line: usize,
    /// Rows of output at a time: slab and gradients together stay in the cache.
    target: usize,
    wide: usize,
}

impl Sums {
    pub(crate) fn new(conv: &Conv) -> Sums {
        let taps = Taps::of(conv);
        let wide = conv.outputs.next_multiple_of(LANES);
        let per_row = taps.step * conv.w * conv.inputs + conv.out_w() * wide;
        Sums {
            line: conv.kernel * conv.inputs * wide,
            target: (8 * UNIT / per_row).max(1),
            taps,
            wide,
        }
    }

    /// Numbers of all sums.
    pub(crate) fn len(&self) -> usize {
        self.taps.rows * self.line
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
            for unit in units::cut(1, conv.out_h(), self.target, 1) {
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
                let cuts = units::cut(1, conv.out_h(), self.target, 1);
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
        let rows = rows.with_min_len(units::least(LANES * depth));
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

/// Rows of sums in a unit of work, where they do not.
const BLOCK: usize = 128;

/// Numbers as they lie in memory, or a copy that differs.
enum Numbers<'a> {
    Given(&'a [f32]),
    Copied(Scratch),
}

impl Deref for Numbers<'_> {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        match self {
            Numbers::Given(numbers) => numbers,
            Numbers::Copied(copy) => copy,
        }
    }
}

/// Framed inputs and widened gradients of some output rows of an image.
struct Pair<'a> {
    slab: Scratch,
    row_len: usize,
    gradients: Numbers<'a>,
    inputs: usize,
    wide: usize,
    rows: usize,
    columns: usize,
}

impl<'a> Pair<'a> {
    fn of(on: Machine, conv: &Conv, taps: &Taps, x: Source, dy: &'a [f32], unit: Rows) -> Self {
        let Rows { first, count } = unit;
        let (out_w, outputs) = (conv.out_w(), conv.outputs);
        let (height, width) = taps.reach(count, out_w);
        let mut slab = Scratch::any(height * width * conv.inputs);
        let size = (conv.h, conv.w, conv.inputs);
        let row_len = fill(on, &mut slab, x, size, taps, first, (count, out_w));
        let wide = outputs.next_multiple_of(LANES);
        let rows = &dy[first * out_w * outputs..][..count * out_w * outputs];
        let gradients = match wide == outputs {
            true => Numbers::Given(rows),
            false => Numbers::Copied(widen(rows, outputs)),
        };
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
        let walk = Walk {
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
            add_outer(on.isa, &walk, left, right, sums, rows, self.wide, fresh);
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
