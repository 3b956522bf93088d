//! Shapes of a convolution, and what it reads.

use crate::buffer::volume;
use crate::product::{Matrix, Sizes};

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
    pub(crate) fn framed(&self, side: usize) -> usize {
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

    pub(crate) fn check(&self, input: usize, weight: usize, output: usize) {
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
    pub(crate) fn is_product(&self) -> bool {
        (self.kernel, self.stride) == (1, 1)
    }

    /// Whether it is a matrix product with more weights than inputs.
    pub(crate) fn is_wide_product(&self) -> bool {
        self.is_product() && self.n * self.h * self.w < self.outputs.max(self.inputs)
    }

    /// Sizes of the matrix product that it is, if it is one.
    pub(crate) fn as_product(&self) -> Sizes {
        Sizes {
            rows: self.n * self.h * self.w,
            depth: self.inputs,
            columns: self.outputs,
        }
    }

    /// The input as a matrix `[n · h · w, inputs]`.
    pub(crate) fn positions<'a>(&self, x: &'a [f32]) -> Matrix<'a> {
        Matrix::rows(x, self.inputs)
    }

    /// The weights of a kernel of 1 as a matrix `[outputs, inputs]`.
    pub(crate) fn matrix<'a>(&self, weight: &'a [f32]) -> Matrix<'a> {
        Matrix::rows(weight, self.inputs)
    }

    /// The convolution whose forward pass is this one's gradient for the input, at stride 1.
    pub(crate) fn transposed(&self) -> Conv {
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

    pub(crate) fn check(&self, conv: &Conv) {
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
