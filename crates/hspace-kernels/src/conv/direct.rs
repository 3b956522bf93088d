//! Convolution as a plain sum of products: any kernel, stride, padding and number of channels.
//!
//! One tap row of the kernel is a run of `kernel · inputs` adjacent numbers. At the border of an image
//! a position sees fewer taps; positions that see the same ones are computed together
//! (`places.rs`), and no address is ever outside. The weights' gradient is in `sums.rs`.

mod places;
mod sums;

use std::ops::Deref;

use rayon::prelude::*;

use self::places::{Groups, seen};
pub(crate) use self::sums::DirectWeightGrad;
use crate::buffer::Buffer;
use crate::epilogue::Epilogue;
use crate::machine::Machine;
use crate::partition::{self, Rows};
use crate::product::microkernel::column_block;
use crate::scratch::Scratch;
use crate::shape::{Conv, Source};
use crate::simd::LANES;
use crate::transpose::transpose;

/// Input channels that are packed together.
const TOGETHER: usize = 32;
/// Numbers of output that a unit of work aims at.
const NUMBERS_OF_OUTPUT: usize = 16 << 10;

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
    let blocks = blocks.with_min_len(partition::least(depth * LANES));
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
        epilogue: &Epilogue,
    ) {
        let Packed { taps, packed } = self;
        let (out_h, out_w) = (conv.out_h(), conv.out_w());
        let size = (conv.h, conv.w, conv.inputs);
        let row = out_w * conv.outputs;
        assert!(y.len() == unit.count * row, "room for the outputs");
        let (numbers, starts) = seen(on, x, size, taps, out_h, unit);
        let mut groups = Groups::new(taps, size, unit.count * out_w);
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
            epilogue,
            epilogue.touches(y),
        );
    }

    /// Rows of output of a good unit of work.
    pub(crate) fn target(conv: &Conv) -> usize {
        // Enough positions to pay for a pass over the weights.
        (NUMBERS_OF_OUTPUT / conv.outputs).max(64) / conv.out_w()
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
        NUMBERS_OF_OUTPUT / (conv.w * conv.inputs)
    }

    /// The gradient for the rows of `unit` of the input of `conv`, to `dx`.
    pub(crate) fn outputs(
        &self,
        on: Machine,
        conv: &Conv,
        dy: &[f32],
        unit: Rows,
        dx: &mut [f32],
        epilogue: &Epilogue,
    ) {
        let s = conv.stride;
        if self.0.len() < s * s {
            epilogue.nothings(dx);
        }
        let (out_h, out_w) = (conv.out_h(), conv.out_w());
        let size = (out_h, out_w, conv.outputs);
        let image_len = out_h * out_w * conv.outputs;
        let row = conv.w * conv.inputs;
        let mut soon = epilogue.touches(dx);
        for phase in &self.0 {
            let mut groups = Groups::new(&phase.taps, size, unit.count * conv.w);
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
            groups.compute(on, dy, &phase.packed, dx, conv.inputs, epilogue, soon);
        }
    }
}
