//! Convolution as a plain sum of products: any kernel, stride, padding and number of channels.
//!
//! The input rows that a unit of work needs are copied once, framed with zeros, into a slab that
//! stays in the second-level cache; from there on no address is ever outside. One tap row of the
//! kernel is then a run of `kernel · inputs` adjacent numbers.

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::conv::{Conv, Machine, Source};
use crate::finish::RawFinish;
use crate::micro::{Block, Walk, add_outer, column_block, over_rows, product};
use crate::norm::scale_rows;
use crate::scratch::Scratch;
use crate::simd::{LANES, Simd, kernel};
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
                scale_rows(on.isa, from, scale, shift, None, true, within);
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
        let image_len = conv.h * conv.w * conv.inputs;
        let size = (conv.h, conv.w, conv.inputs);
        let need = |rows| {
            let (height, width) = taps.reach(rows, out_w);
            height * width * conv.inputs
        };
        let total = unit.per_image(out_h).map(|(_, _, rows)| need(rows)).sum();
        let mut slab = Scratch::any(total);
        let mut offsets = Vec::with_capacity(unit.count * out_w);
        let (mut at, mut row_len) = (0, 0);
        for (image, first, rows) in unit.per_image(out_h) {
            let image = x.within(image * image_len..(image + 1) * image_len);
            row_len = fill(on, &mut slab[at..], image, size, taps, first, (rows, out_w));
            for row in 0..rows {
                let start = at + row * taps.step * row_len;
                offsets.extend((0..out_w).map(|x| start + x * taps.step * conv.inputs));
            }
            at += need(rows);
        }
        let walk = Walk {
            k: taps.columns * conv.inputs,
            a_step: 1,
            b_step: 0,
            segments: taps.rows,
            a_segment: row_len,
            b_segment: 0,
        };
        let places: Vec<usize> = (0..offsets.len()).map(|i| i * conv.outputs).collect();
        assert!(
            y.len() == places.len() * conv.outputs,
            "room for the outputs"
        );
        // SAFETY: the slab holds a walk from every offset, `packed` one for every block of
        // columns, `y` (and the residual) `outputs` numbers at every place.
        unsafe {
            positions(
                on.isa,
                &walk,
                &slab,
                &offsets,
                packed,
                y.as_mut_ptr(),
                &places,
                Columns::all(conv.outputs),
                finish,
            );
        }
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
        for phase in &self.0 {
            phase.outputs(on, conv, dy, unit, dx, finish);
        }
    }
}

impl Phase {
    fn outputs(
        &self,
        on: Machine,
        conv: &Conv,
        dy: &[f32],
        unit: Rows,
        dx: &mut [f32],
        finish: RawFinish,
    ) {
        let (s, taps) = (conv.stride, &self.taps);
        let (out_h, out_w) = (conv.out_h(), conv.out_w());
        let row = conv.w * conv.inputs;
        let image_len = out_h * out_w * conv.outputs;
        let size = (out_h, out_w, conv.outputs);
        // Positions of this phase: quotients of row and column.
        let columns = (conv.w + s - 1 - self.column) / s;
        let quotients = |first: usize, rows: usize| {
            let from = (first + s - 1 - self.row) / s;
            (from, (first + rows + s - 1 - self.row) / s - from)
        };
        let need = |rows: usize| {
            let (height, width) = taps.reach(rows.max(1), columns.max(1));
            if rows * columns == 0 {
                0
            } else {
                height * width * conv.outputs
            }
        };
        let parts = unit.per_image(conv.h);
        let total = parts
            .map(|(_, first, rows)| need(quotients(first, rows).1))
            .sum();
        if total == 0 {
            return;
        }
        let mut slab = Scratch::any(total);
        let (mut offsets, mut places) = (Vec::new(), Vec::new());
        let (mut at, mut row_len) = (0, 0);
        for (image, first, rows) in unit.per_image(conv.h) {
            let start = (image * conv.h + first - unit.first) * row;
            let (from, count) = quotients(first, rows);
            if count == 0 {
                continue;
            }
            let image = &dy[image * image_len..][..image_len];
            let image = Source::plain(image);
            row_len = fill(
                on,
                &mut slab[at..],
                image,
                size,
                taps,
                from,
                (count, columns),
            );
            for i in 0..count {
                let line = start + ((from + i) * s + self.row - first) * row;
                for x in 0..columns {
                    offsets.push(at + i * row_len + x * conv.outputs);
                    places.push(line + (x * s + self.column) * conv.inputs);
                }
            }
            at += need(count);
        }
        let walk = Walk {
            k: taps.columns * conv.outputs,
            a_step: 1,
            b_step: 0,
            segments: taps.rows,
            a_segment: row_len,
            b_segment: 0,
        };
        let last = places.iter().max().map_or(0, |last| last + conv.inputs);
        assert!(dx.len() >= last, "room for the gradient");
        // SAFETY: as for the outputs.
        unsafe {
            positions(
                on.isa,
                &walk,
                &slab,
                &offsets,
                &self.packed,
                dx.as_mut_ptr(),
                &places,
                Columns::all(conv.inputs),
                finish,
            );
        }
    }
}

/// Columns `first..end` of `all`; both are where a block of columns begins or ends.
#[derive(Clone, Copy)]
struct Columns {
    first: usize,
    end: usize,
    all: usize,
}

impl Columns {
    fn all(outputs: usize) -> Columns {
        Columns {
            first: 0,
            end: outputs,
            all: outputs,
        }
    }
}

kernel! {
    /// Some columns of the outputs of some positions: position q's factors start at
    /// `slab[offsets[q]]`, its results go to `y[places[q]]` and on. The walk's steps through
    /// `packed`, which begins with the first of those columns, are filled in here.
    ///
    /// # Safety
    /// `slab` must hold the walk from each offset, `packed` as much for each block of columns, `y`
    /// and the finish's residual a number for each of the columns after each place.
    fn positions(
        walk: &Walk,
        slab: &[f32],
        offsets: &[usize],
        packed: &[f32],
        y: *mut f32,
        places: &[usize],
        columns: Columns,
        finish: RawFinish,
    ) = positions_with
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn positions_with<S: Simd>(
    walk: &Walk,
    slab: &[f32],
    offsets: &[usize],
    packed: &[f32],
    y: *mut f32,
    places: &[usize],
    columns: Columns,
    finish: RawFinish,
) {
    let (mut first, mut from) = (columns.first, 0);
    while first < columns.end {
        let block = column_block(S::WIDTH, columns.all, first);
        let mut positions = Positions {
            walk: Walk {
                b_step: block,
                b_segment: walk.k * block,
                ..*walk
            },
            slab: slab.as_ptr(),
            offsets,
            packed: packed[from..].as_ptr(),
            y,
            places,
            first,
            outputs: columns.all,
            finish,
        };
        // SAFETY: the caller's promises.
        unsafe {
            over_rows::<S>(offsets.len(), block, &mut positions);
        }
        from += walk.segments * walk.k * block;
        first += block;
    }
}

struct Positions<'a> {
    walk: Walk,
    slab: *const f32,
    offsets: &'a [usize],
    packed: *const f32,
    y: *mut f32,
    places: &'a [usize],
    first: usize,
    outputs: usize,
    finish: RawFinish,
}

impl<S: Simd> Block<S> for Positions<'_> {
    #[inline(always)]
    unsafe fn block<const P: usize, const V: usize>(&mut self, first: usize) {
        // SAFETY: the promises of `positions`.
        unsafe {
            let mut a = [self.slab; P];
            for (p, a) in a.iter_mut().enumerate() {
                *a = a.add(*self.offsets.get_unchecked(first + p));
            }
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

    /// Adds the images of `conv`.
    pub(crate) fn add(&self, on: Machine, conv: &Conv, x: Source, dy: &[f32], sums: &mut [f32]) {
        for image in 0..conv.n {
            let (one, x, dy) = conv.some(image..image + 1, x, dy);
            for unit in units::cut(1, conv.out_h(), self.target, 1) {
                let pair = Pair::of(on, &one, &self.taps, x, dy, unit);
                for (ky, sums) in sums.chunks_exact_mut(self.line).enumerate() {
                    pair.add(on, &self.taps, ky, 0, sums);
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
            sums.fill(0.0);
            let pairs = images.iter().flatten();
            pairs.for_each(|pair| pair.add(on, &self.taps, ky, first, sums));
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

/// Framed inputs and widened gradients of some output rows of an image.
struct Pair {
    slab: Scratch,
    row_len: usize,
    gradients: Scratch,
    inputs: usize,
    wide: usize,
    rows: usize,
    columns: usize,
}

impl Pair {
    fn of(on: Machine, conv: &Conv, taps: &Taps, x: Source, dy: &[f32], unit: Rows) -> Pair {
        let Rows { first, count } = unit;
        let (out_w, outputs) = (conv.out_w(), conv.outputs);
        let (height, width) = taps.reach(count, out_w);
        let mut slab = Scratch::any(height * width * conv.inputs);
        let size = (conv.h, conv.w, conv.inputs);
        let row_len = fill(on, &mut slab, x, size, taps, first, (count, out_w));
        let wide = outputs.next_multiple_of(LANES);
        let mut gradients = Scratch::any(count * out_w * wide);
        let rows = &dy[first * out_w * outputs..][..count * out_w * outputs];
        widen(rows, outputs, &mut gradients);
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
    /// `[column · input, output]`.
    fn add(&self, on: Machine, taps: &Taps, ky: usize, first: usize, sums: &mut [f32]) {
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
        unsafe { add_outer(on.isa, &walk, left, &self.gradients, sums, rows, self.wide) };
    }
}

/// Copies rows of `c` numbers to rows of the next multiple of [`LANES`], zeros beyond.
fn widen(rows: &[f32], c: usize, out: &mut [f32]) {
    let wide = c.next_multiple_of(LANES);
    if wide == c {
        return out.copy_from_slice(rows);
    }
    for (out, row) in out.chunks_exact_mut(wide).zip(rows.chunks_exact(c)) {
        out[..c].copy_from_slice(row);
        out[c..].fill(0.0);
    }
}
