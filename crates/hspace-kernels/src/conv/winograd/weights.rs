//! The weights, transformed and packed.

use std::array::from_fn;
use std::ops::Range;

use rayon::prelude::*;

use super::products::GAP;
use super::scheme::{POINTS, Scheme};
use crate::buffer::Buffer;
use crate::machine::Machine;
use crate::partition;
use crate::product::microkernel::column_block;
use crate::scratch::Scratch;
use crate::simd::{LANES, Simd, kernel};
use crate::transpose::transpose;

/// Pairs of points.
pub(super) const PLANES: usize = POINTS * POINTS;

/// Numbers from one plane of weights `[deep, wide]`, or of their gradients' sums, to the next.
pub(super) fn stride(deep: usize, wide: usize) -> usize {
    deep * wide + GAP
}

/// How the weights are given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// `[output, input, 3, 3]`.
    Given,
    /// `[input, output, 3, 3]`.
    Swapped,
    /// So, and the kernels turned by half a circle.
    Turned,
}

/// The weights of `inputs` and `outputs` channels: for each pair of points, for each block of columns,
/// every input channel, and for those the block's columns side by side.
pub(super) fn pack(
    on: Machine,
    scheme: Scheme,
    (inputs, outputs): (usize, usize),
    weight: &[f32],
    order: Order,
) -> Buffer {
    let deep = inputs.next_multiple_of(LANES);
    let wide = outputs.next_multiple_of(LANES);
    let mut packed = Buffer::any(PLANES * stride(deep, wide));
    // The numbers of few inputs: of each plane and each of its blocks.
    let mut parts: Vec<Vec<&mut [f32]>> = Vec::new();
    parts.resize_with(deep / LANES, Vec::new);
    for plane in packed.chunks_exact_mut(stride(deep, wide)) {
        let (mut rest, mut first) = (&mut plane[..deep * wide], 0);
        while first < wide {
            let block = column_block(on.isa.width(), wide, first);
            let (now, after) = rest.split_at_mut(deep * block);
            let now = now.chunks_exact_mut(LANES * block);
            parts
                .iter_mut()
                .zip(now)
                .for_each(|(part, now)| part.push(now));
            rest = after;
            first += block;
        }
    }
    let few = parts.into_par_iter().enumerate();
    let few = few.with_min_len(partition::least(LANES * PLANES * wide));
    few.for_each(|(i, mut part)| {
        let first = i * LANES;
        let count = (inputs - first).min(LANES);
        let mut taps = Scratch::any(LANES * 9 * wide);
        if count < LANES || outputs < wide {
            taps.fill(0.0);
        }
        read_taps(
            on,
            (inputs, outputs),
            weight,
            order,
            first..first + count,
            &mut taps,
        );
        // SAFETY: `taps` is `[16, 9, wide]`, and the parts are those of all planes.
        unsafe { filter(on.isa, &taps, wide, scheme.filter(), &mut part) };
    });
    packed
}

/// The taps of some inputs as `[input, tap, output]`, so that a vector holds one tap of several
/// outputs.
fn read_taps(
    on: Machine,
    (inputs, outputs): (usize, usize),
    weight: &[f32],
    order: Order,
    some: Range<usize>,
    taps: &mut [f32],
) {
    let wide = outputs.next_multiple_of(LANES);
    if order == Order::Given {
        let (from, size) = (&weight[some.start * 9..], (outputs, some.len() * 9));
        return transpose(on.isa, from, inputs * 9, taps, wide, size);
    }
    for (input, taps) in some.zip(taps.chunks_exact_mut(9 * wide)) {
        let from = &weight[input * outputs * 9..];
        transpose(on.isa, from, 9, taps, wide, (outputs, 9));
        if order == Order::Turned {
            let mut taps: Vec<&mut [f32]> = taps.chunks_exact_mut(wide).collect();
            let (before, after) = taps.split_at_mut(4);
            for (a, b) in before.iter_mut().zip(after.iter_mut().rev()) {
                a.swap_with_slice(b);
            }
        }
    }
}

kernel! {
    /// The taps of sixteen inputs to all pairs of points.
    ///
    /// # Safety
    /// `taps` must be `[16, 9, wide]`, and `parts` for each pair of points the blocks of `wide`
    /// columns, `[16, block]` each.
    fn filter(
        taps: &[f32],
        wide: usize,
        filter: &[[f32; 3]; POINTS],
        parts: &mut [&mut [f32]],
    ) = filter_with
}

#[inline(always)]
unsafe fn filter_with<S: Simd>(
    taps: &[f32],
    wide: usize,
    filter: &[[f32; 3]; POINTS],
    parts: &mut [&mut [f32]],
) {
    let blocks = parts.len() / PLANES;
    let (mut first, mut number) = (0, 0);
    while first < wide {
        let block = column_block(S::WIDTH, wide, first);
        let to: [*mut f32; PLANES] = from_fn(|plane| parts[plane * blocks + number].as_mut_ptr());
        for input in 0..LANES {
            for column in (0..block).step_by(LANES) {
                // SAFETY: every address is that of a vector of outputs of one tap, or of one
                // pair of points.
                unsafe {
                    let from = taps.as_ptr().add(input * 9 * wide + first + column);
                    let mut tap = [S::splat(0.0); 9];
                    for (i, tap) in tap.iter_mut().enumerate() {
                        *tap = S::load(from.add(i * wide));
                    }
                    let at = input * block + column;
                    for (y, &point) in filter.iter().enumerate() {
                        let mut half = [S::splat(0.0); 3];
                        for (x, half) in half.iter_mut().enumerate() {
                            *half = at_point::<S>(point, [tap[x], tap[3 + x], tap[6 + x]]);
                        }
                        for (x, &point) in filter.iter().enumerate() {
                            S::store(to[y * POINTS + x].add(at), at_point::<S>(point, half));
                        }
                    }
                }
            }
        }
        first += block;
        number += 1;
    }
}

/// Three taps at a point where they have these factors.
#[inline(always)]
unsafe fn at_point<S: Simd>([a, b, c]: [f32; 3], taps: [S::V; 3]) -> S::V {
    // SAFETY: arithmetic alone.
    unsafe {
        let sum = S::mul_add(S::splat(b), taps[1], S::mul(S::splat(a), taps[0]));
        S::mul_add(S::splat(c), taps[2], sum)
    }
}
