//! Convolution of images `[n, h, w, c]`, channels last; weights as PyTorch has them,
//! `[outputs, inputs, kernel, kernel]`.
//!
//! Kernels of 3 and stride 1 or 2 go by Winograd's minimal filtering (`winograd.rs`) where that pays,
//! unless the [`Machine`] says otherwise, everything else directly (`direct.rs`).

mod algorithm;
mod gradients;

use rayon::prelude::*;

use crate::buffer::{Buffer, volume};
use crate::epilogue::{Accumulate, Epilogue};
use crate::moments::{Moments, moments};
use crate::norm::BlockEpilogue;
use crate::partition;
use crate::product::{Matrix, Sizes, product};
use crate::simd::Isa;
use crate::winograd;

use self::algorithm::{Algorithm, WeightGrad};
pub use self::gradients::{Wanted, gradients};

/// How kernels run. Results are a function of it and of the operands, not of the number of
/// threads nor of their timing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    pub(crate) isa: Isa,
    pub(crate) winograd: bool,
}

impl Machine {
    /// The processor's best instruction set, and Winograd where it fits.
    pub fn best() -> Machine {
        Machine {
            isa: Isa::best(),
            winograd: true,
        }
    }

    /// With another instruction set.
    ///
    /// # Panics
    /// If this processor does not have it.
    pub fn with_isa(self, isa: Isa) -> Machine {
        assert!(
            Isa::available().contains(&isa),
            "this processor has no {isa:?}"
        );
        Machine { isa, ..self }
    }

    /// Without Winograd: every convolution is a plain sum of products.
    pub fn direct(self) -> Machine {
        Machine {
            winograd: false,
            ..self
        }
    }
}

/// Shapes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv {
    /// Images.
    pub n: usize,
    /// Height of the input.
    pub h: usize,
    /// Width of the input.
    pub w: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Height and width of the kernel.
    pub kernel: usize,
    /// Step from one output to the next.
    pub stride: usize,
    /// Zeros around the input.
    pub pad: usize,
}

impl Conv {
    /// Height of the output.
    pub fn out_h(&self) -> usize {
        (self.framed(self.h) - self.kernel) / self.stride + 1
    }

    /// Width of the output.
    pub fn out_w(&self) -> usize {
        (self.framed(self.w) - self.kernel) / self.stride + 1
    }

    /// A side of the input with the zeros before and after it.
    fn framed(&self, side: usize) -> usize {
        let zeros = self.pad.checked_mul(2);
        let framed = zeros.and_then(|zeros| side.checked_add(zeros));
        framed.unwrap_or_else(|| panic!("a frame that does not fit the address space: {self:?}"))
    }

    /// Numbers of the input, `n · h · w · inputs`.
    ///
    /// # Panics
    /// If they are more than can be counted.
    pub fn input_len(&self) -> usize {
        volume(&[self.n, self.h, self.w, self.inputs])
    }

    /// Numbers of the output, `n · out_h · out_w · outputs`.
    ///
    /// # Panics
    /// If they are more than can be counted.
    pub fn output_len(&self) -> usize {
        volume(&[self.n, self.out_h(), self.out_w(), self.outputs])
    }

    /// Numbers of the weights.
    ///
    /// # Panics
    /// If they are more than can be counted.
    pub fn weight_len(&self) -> usize {
        volume(&[self.outputs, self.inputs, self.kernel, self.kernel])
    }

    /// Multiply-adds of the plain sum.
    ///
    /// # Panics
    /// If they are more than can be counted.
    pub fn multiply_adds(&self) -> usize {
        volume(&[self.output_len(), self.inputs, self.kernel, self.kernel])
    }

    fn check(&self, input: usize, weight: usize, output: usize) {
        assert!(
            self.kernel >= 1
                && self.stride >= 1
                && self.framed(self.h.min(self.w)) >= self.kernel
                && self.n.min(self.inputs).min(self.outputs) > 0,
            "a convolution without outputs: {self:?}"
        );
        assert!(
            self.pad < self.kernel,
            "padding beyond the kernel: {self:?}"
        );
        let lens = (self.input_len(), self.weight_len(), self.output_len());
        assert_eq!((input, weight, output), lens, "lengths for {self:?}");
        // Whatever is computed within framed images, or a step beyond, can be counted too.
        let [h, w] = [self.h, self.w].map(|side| self.framed(side).max(self.stride));
        volume(&[self.n, h, w, self.inputs]);
    }

    /// Whether Winograd is allowed and pays.
    fn fits_winograd(&self, on: Machine) -> bool {
        on.winograd && winograd::pays(self)
    }

    /// The same for some of the images: shapes, inputs, outputs.
    pub(crate) fn some<'a>(
        &self,
        images: std::ops::Range<usize>,
        x: Source<'a>,
        y: &'a [f32],
    ) -> (Conv, Source<'a>, &'a [f32]) {
        let (x_len, y_len) = (self.input_len() / self.n, self.output_len() / self.n);
        let few = Conv {
            n: images.len(),
            ..*self
        };
        let within = |len: usize| images.start * len..images.end * len;
        (few, x.within(within(x_len)), &y[within(y_len)])
    }

    /// Whether the input may be a [`Source`] with a line: not that of a matrix product.
    pub fn takes_lines(&self) -> bool {
        !self.is_product()
    }

    /// Whether it is a matrix product: kernel 1 at every place.
    fn is_product(&self) -> bool {
        (self.kernel, self.stride) == (1, 1)
    }

    /// Whether it is a matrix product with more weights than inputs.
    fn is_wide_product(&self) -> bool {
        self.is_product() && self.n * self.h * self.w < self.outputs.max(self.inputs)
    }

    /// Sizes of the matrix product that it is, if it is one.
    fn as_product(&self) -> Sizes {
        Sizes {
            rows: self.n * self.h * self.w,
            depth: self.inputs,
            columns: self.outputs,
        }
    }

    /// The input as a matrix `[n · h · w, inputs]`.
    fn positions<'a>(&self, x: &'a [f32]) -> Matrix<'a> {
        Matrix::rows(x, self.inputs)
    }

    /// The weights of a kernel of 1 as a matrix `[outputs, inputs]`.
    fn matrix<'a>(&self, weight: &'a [f32]) -> Matrix<'a> {
        Matrix::rows(weight, self.inputs)
    }

    /// The convolution whose forward pass is this one's gradient for the input, at stride 1.
    fn transposed(&self) -> Conv {
        Conv {
            h: self.out_h(),
            w: self.out_w(),
            inputs: self.outputs,
            outputs: self.inputs,
            pad: self.kernel - 1 - self.pad,
            ..*self
        }
    }
}

/// What a convolution sees: numbers as they are, or `max(0, scale · x + shift)` of them, by channel,
/// computed as they are read.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// `[n, h, w, c]`.
    pub numbers: &'a [f32],
    /// Scale and shift, `[c]` each.
    pub line: Option<(&'a [f32], &'a [f32])>,
}

impl<'a> Source<'a> {
    /// Numbers as they are.
    pub fn plain(numbers: &'a [f32]) -> Source<'a> {
        Source {
            numbers,
            line: None,
        }
    }

    pub(crate) fn within(self, part: std::ops::Range<usize>) -> Source<'a> {
        Source {
            numbers: &self.numbers[part],
            ..self
        }
    }

    fn check(&self, conv: &Conv) {
        if let Some((scale, shift)) = self.line {
            assert!(conv.takes_lines(), "a line for a matrix product");
            assert_eq!(
                [scale.len(), shift.len()],
                [conv.inputs; 2],
                "a line for each channel"
            );
        }
    }
}

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
