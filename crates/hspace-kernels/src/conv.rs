//! Convolution of images `[n, h, w, c]`, channels last; weights as PyTorch has them,
//! `[outputs, inputs, kernel, kernel]`.
//!
//! Kernels of 3 and stride 1 or 2 go by Winograd's minimal filtering (`winograd.rs`) where that pays,
//! unless the [`Machine`] says otherwise, everything else directly (`direct.rs`).

mod algorithm;
pub(crate) mod direct;
mod gradients;
pub(crate) mod winograd;

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::epilogue::{Accumulate, Epilogue};
use crate::machine::Machine;
use crate::moments::{Moments, moments};
use crate::norm::BlockEpilogue;
use crate::partition;
use crate::product::{Sizes, product};
use crate::shape::{Conv, Source};

use self::algorithm::{Algorithm, WeightGrad};
pub use self::gradients::{Wanted, gradients};

/// Convolves `x` into `y`.
///
/// # Panics
/// If a slice is not as long as `conv` says.
pub fn forward(
    on: Machine,
    conv: &Conv,
    x: &[f32],
    weight: &[f32],
    y: &mut [f32],
    epilogue: Epilogue,
) {
    conv.check(x.len(), weight.len(), y.len());
    epilogue.check(y.len(), conv.outputs);
    if conv.is_wide_product() {
        return product(
            on,
            conv.as_product(),
            conv.positions(x),
            conv.matrix(weight).transposed(),
            y,
            &epilogue,
        );
    }
    Algorithm::forward(on, conv, weight).all(on, conv.n, Source::plain(x), y, &epilogue, |_| ());
}

/// Convolves `x` into `y` and gathers the outputs' mean and variance of each channel as it does.
///
/// # Panics
/// As [`forward`].
pub fn forward_with_moments(
    on: Machine,
    conv: &Conv,
    x: Source,
    weight: &[f32],
    y: &mut [f32],
) -> Moments {
    conv.check(x.numbers.len(), weight.len(), y.len());
    x.check(conv);
    if conv.is_wide_product() {
        forward(on, conv, x.numbers, weight, y, Epilogue::default());
        return moments(on, y, conv.outputs);
    }
    moments_by(&Algorithm::forward(on, conv, weight), on, conv, x, y)
}

/// [`forward_with_moments`] of what ends `before`, a few images at a time: they are in the cache when they are read.
///
/// # Panics
/// As [`forward`], and if the parts of `before` differ in length.
pub fn forward_fused_prologue(
    on: Machine,
    conv: &Conv,
    before: BlockEpilogue,
    weight: &[f32],
    y: &mut [f32],
) -> Moments {
    conv.check(before.out.len(), weight.len(), y.len());
    before.check();
    assert_eq!(before.scale.len(), conv.inputs, "channels of what is seen");
    if conv.is_wide_product() {
        let x = Source::plain(before.apply(on));
        return forward_with_moments(on, conv, x, weight, y);
    }
    let algorithm = Algorithm::forward(on, conv, weight);
    if !algorithm.is_by_image(conv.n) {
        return moments_by(&algorithm, on, conv, Source::plain(before.apply(on)), y);
    }
    let of = |y: &[f32]| Moments::of(on, y, conv.outputs);
    let parts = algorithm.all_behind(on, conv.n, before, y, of);
    Moments::merged(conv.outputs, &parts)
}

/// The moments of all outputs, which go to `y`.
fn moments_by(
    algorithm: &Algorithm,
    on: Machine,
    conv: &Conv,
    x: Source,
    y: &mut [f32],
) -> Moments {
    let of = |y: &[f32]| Moments::of(on, y, conv.outputs);
    let parts = algorithm.all(on, conv.n, x, y, &Epilogue::default(), of);
    Moments::merged(conv.outputs, &parts)
}

/// Gradient for the input, from the gradient `dy` for the output, added to what `accumulate` says.
///
/// # Panics
/// As [`forward`].
pub fn data_gradient(
    on: Machine,
    conv: &Conv,
    dy: &[f32],
    weight: &[f32],
    dx: &mut [f32],
    accumulate: Accumulate,
) {
    conv.check(dx.len(), weight.len(), dy.len());
    let epilogue = Epilogue {
        accumulate,
        ..Epilogue::default()
    };
    epilogue.check(dx.len(), conv.inputs);
    if conv.is_wide_product() {
        let back = conv.transposed();
        let (dy, weight) = (back.positions(dy), conv.matrix(weight));
        return product(on, back.as_product(), dy, weight, dx, &epilogue);
    }
    Algorithm::back(on, conv, weight).all(on, conv.n, Source::plain(dy), dx, &epilogue, |_| ());
}

/// Gradient for the weights.
///
/// # Panics
/// As [`forward`].
pub fn weight_gradient(on: Machine, conv: &Conv, x: Source, dy: &[f32], dw: &mut [f32]) {
    conv.check(x.numbers.len(), dw.len(), dy.len());
    x.check(conv);
    if conv.is_product() {
        let sizes = Sizes {
            rows: conv.outputs,
            depth: conv.n * conv.h * conv.w,
            columns: conv.inputs,
        };
        let dy = conv.transposed().positions(dy).transposed();
        return product(
            on,
            sizes,
            dy,
            conv.positions(x.numbers),
            dw,
            &Epilogue::default(),
        );
    }
    let sums = WeightGrad::new(on, conv);
    let total = if sums.is_large() {
        sums.by_block(on, conv, x, dy)
    } else {
        let chunks = partition::chunks(conv.n, sums.len(), sums.work(conv));
        let parts = chunks.into_par_iter().with_max_len(1).map(|images| {
            let mut part = Buffer::any(sums.len());
            let (few, x, dy) = conv.some(images, x, dy);
            sums.add(on, &few, x, dy, &mut part, true);
            part
        });
        partition::add_up(parts.collect())
    };
    sums.restore(on, conv, &total, dw);
}
