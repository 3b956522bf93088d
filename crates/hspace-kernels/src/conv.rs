//! Convolution of images `[n, h, w, c]`, channels last; weights as PyTorch has them,
//! `[outputs, inputs, kernel, kernel]`.
//!
//! Kernels of 3 and stride 1 from sixteen channels up go by Winograd's minimal filtering
//! ([`crate::winograd`]) unless the [`Machine`] says otherwise, everything else directly
//! ([`crate::direct`]).

use crate::norm::Moments;
use crate::simd::{Isa, LANES};
use crate::{direct, winograd};

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
        (self.h + 2 * self.pad - self.kernel) / self.stride + 1
    }

    /// Width of the output.
    pub fn out_w(&self) -> usize {
        (self.w + 2 * self.pad - self.kernel) / self.stride + 1
    }

    /// Numbers of the input, `n · h · w · inputs`.
    pub fn input_len(&self) -> usize {
        self.n * self.h * self.w * self.inputs
    }

    /// Numbers of the output, `n · out_h · out_w · outputs`.
    pub fn output_len(&self) -> usize {
        self.n * self.out_h() * self.out_w() * self.outputs
    }

    /// Numbers of the weights.
    pub fn weight_len(&self) -> usize {
        self.outputs * self.inputs * self.kernel * self.kernel
    }

    /// Multiply-adds of the plain sum.
    pub fn multiply_adds(&self) -> usize {
        self.output_len() * self.inputs * self.kernel * self.kernel
    }

    fn check(&self, input: usize, weight: usize, output: usize) {
        assert!(
            self.kernel >= 1
                && self.stride >= 1
                && self.h.min(self.w) + 2 * self.pad >= self.kernel
                && self.n * self.inputs * self.outputs > 0,
            "a convolution without outputs: {self:?}"
        );
        assert!(
            self.pad < self.kernel,
            "padding beyond the kernel: {self:?}"
        );
        let lens = (self.input_len(), self.weight_len(), self.output_len());
        assert_eq!((input, weight, output), lens, "lengths for {self:?}");
    }

    /// Whether Winograd's tiles of 4 × 4 outputs pay.
    fn fits_winograd(&self, on: Machine) -> bool {
        on.winograd
            && self.kernel == 3
            && self.stride == 1
            && self.inputs.min(self.outputs) >= LANES
    }

    /// The same for some of the images: shapes, inputs, outputs.
    pub(crate) fn some<'a>(
        &self,
        images: std::ops::Range<usize>,
        x: &'a [f32],
        y: &'a [f32],
    ) -> (Conv, &'a [f32], &'a [f32]) {
        let (x_len, y_len) = (self.input_len() / self.n, self.output_len() / self.n);
        let few = Conv {
            n: images.len(),
            ..*self
        };
        let within = |len: usize| images.start * len..images.end * len;
        (few, &x[within(x_len)], &y[within(y_len)])
    }

    /// A matrix product (kernel 1 at every place) does not care which positions are whose: as
    /// images of one row, long enough to be summed over at once.
    fn in_rows(&self) -> Conv {
        if (self.kernel, self.stride) != (1, 1) {
            return *self;
        }
        let positions = self.n * self.h * self.w;
        let divides = |w: &usize| positions.is_multiple_of(*w);
        let w = (32..=256).rev().find(divides).unwrap_or(positions);
        Conv {
            n: positions / w,
            h: 1,
            w,
            ..*self
        }
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

/// What is done to each output before it is written: `max(0, y + bias + residual)`, as far as
/// asked for.
#[derive(Clone, Copy, Default)]
pub struct Finish<'a> {
    /// `[outputs]`.
    pub bias: Option<&'a [f32]>,
    /// As long as the output.
    pub residual: Option<&'a [f32]>,
    /// Whether negative results become zero.
    pub relu: bool,
}

/// Convolves `x` into `y`.
///
/// # Panics
/// If a slice is not as long as `conv` says.
pub fn forward(on: Machine, conv: &Conv, x: &[f32], weight: &[f32], y: &mut [f32], finish: Finish) {
    conv.check(x.len(), weight.len(), y.len());
    if let Some(bias) = finish.bias {
        assert_eq!(bias.len(), conv.outputs, "length of the bias");
    }
    if let Some(residual) = finish.residual {
        assert_eq!(residual.len(), y.len(), "length of the residual");
    }
    run(on, conv, x, weight, false, y, finish, None);
}

/// Convolves `x` into `y` and gathers the outputs' mean and variance of each channel on the way.
///
/// # Panics
/// As [`forward`].
pub fn forward_with_moments(
    on: Machine,
    conv: &Conv,
    x: &[f32],
    weight: &[f32],
    y: &mut [f32],
) -> Moments {
    conv.check(x.len(), weight.len(), y.len());
    let mut moments = Moments::new(conv.outputs);
    let finish = Finish::default();
    run(on, conv, x, weight, false, y, finish, Some(&mut moments));
    moments
}

/// Gradient for the input, from the gradient `dy` for the output.
///
/// # Panics
/// As [`forward`].
pub fn data_gradient(on: Machine, conv: &Conv, dy: &[f32], weight: &[f32], dx: &mut [f32]) {
    conv.check(dx.len(), weight.len(), dy.len());
    if conv.stride == 1 {
        let back = conv.transposed();
        run(on, &back, dy, weight, true, dx, Finish::default(), None);
    } else {
        direct::data_gradient(on, conv, dy, weight, dx);
    }
}

/// Gradient for the weights.
///
/// # Panics
/// As [`forward`].
pub fn weight_gradient(on: Machine, conv: &Conv, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    conv.check(x.len(), dw.len(), dy.len());
    if conv.fits_winograd(on) {
        winograd::weight_gradient(on, conv, x, dy, dw);
    } else {
        direct::weight_gradient(on, &conv.in_rows(), x, dy, dw);
    }
}

/// A stride-1 or forward convolution; `turned` takes the weights of the convolution that this one
/// is the gradient of: inputs and outputs swapped, kernels turned by half a circle.
#[allow(clippy::too_many_arguments)]
fn run(
    on: Machine,
    conv: &Conv,
    x: &[f32],
    weight: &[f32],
    turned: bool,
    y: &mut [f32],
    finish: Finish,
    moments: Option<&mut Moments>,
) {
    if conv.fits_winograd(on) {
        winograd::forward(on, conv, x, weight, turned, y, finish, moments);
    } else {
        direct::forward(on, conv, x, weight, turned, y, finish, moments);
    }
}

/// [`Finish`] as a kernel takes it: addresses, null where there is none.
#[derive(Clone, Copy)]
pub(crate) struct RawFinish {
    pub(crate) bias: *const f32,
    pub(crate) residual: *const f32,
    pub(crate) relu: bool,
}

impl RawFinish {
    /// For outputs from number `from` of the whole output on.
    pub(crate) fn at(finish: &Finish, from: usize) -> RawFinish {
        let start = |part: Option<&[f32]>, from: usize| {
            part.map_or(std::ptr::null(), |p| p[from..].as_ptr())
        };
        RawFinish {
            bias: start(finish.bias, 0),
            residual: start(finish.residual, from),
            relu: finish.relu,
        }
    }

    /// Whether outputs are written as they are.
    #[inline(always)]
    pub(crate) fn nothing(&self) -> bool {
        self.bias.is_null() && self.residual.is_null() && !self.relu
    }

    /// Finishes `lanes` outputs of channel `channel` on, at number `place`, and writes them.
    ///
    /// # Safety
    /// `y`, and `residual` if it is not null, must be valid for `lanes` numbers from `place`, and
    /// `bias` for as many from `channel`.
    #[inline(always)]
    pub(crate) unsafe fn write<S: crate::simd::Simd>(
        &self,
        mut value: S::V,
        y: *mut f32,
        place: usize,
        channel: usize,
        lanes: usize,
    ) {
        // SAFETY: by the contract.
        unsafe {
            if !self.bias.is_null() {
                value = S::add(value, S::load_first(self.bias.add(channel), lanes));
            }
            if !self.residual.is_null() {
                value = S::add(value, S::load_first(self.residual.add(place), lanes));
            }
            if self.relu {
                // In this order a NaN stays one.
                value = S::max(S::splat(0.0), value);
            }
            S::store_first(y.add(place), value, lanes);
        }
    }
}
