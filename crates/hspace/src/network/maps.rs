//! Feature maps of a batch, in the layout that the device computes in.

use burn_tensor::Tensor;
use burn_tensor::module::{interpolate, max_pool2d};
use burn_tensor::ops::{InterpolateMode, InterpolateOptions, MaxPoolOptions};

use super::{Scope, kernels};

/// Feature maps of n samples: c channels of h × w numbers each. Channels last where our kernels
/// run, first elsewhere.
#[derive(Clone, Debug)]
pub struct Maps {
    numbers: Tensor<4>,
    channels_last: bool,
}

impl Maps {
    /// Images `[n, c, h, w]` as maps for the networks at `scope`.
    pub fn from_images(scope: &Scope, x: Tensor<4>) -> Maps {
        let channels_last = scope.device().kernels().is_some();
        Maps::first(x).laid_out(channels_last)
    }

    /// Maps as images `[n, c, h, w]`.
    pub fn into_images(self) -> Tensor<4> {
        self.laid_out(false).numbers
    }

    /// Of a tensor `[n, c, h, w]`.
    pub(super) fn first(numbers: Tensor<4>) -> Maps {
        Maps {
            numbers,
            channels_last: false,
        }
    }

    /// Of a tensor `[n, h, w, c]`.
    pub(super) fn last(numbers: Tensor<4>) -> Maps {
        Maps {
            numbers,
            channels_last: true,
        }
    }

    /// The tensor in the device's layout.
    pub(super) fn into_numbers(self) -> Tensor<4> {
        self.numbers
    }

    fn laid_out(self, channels_last: bool) -> Maps {
        let axes = match (self.channels_last, channels_last) {
            (false, true) => [0, 2, 3, 1],
            (true, false) => [0, 3, 1, 2],
            _ => return self,
        };
        Maps {
            numbers: self.numbers.permute(axes),
            channels_last,
        }
    }

    /// Samples, channels, height, width.
    pub fn dims(&self) -> [usize; 4] {
        let dims = self.numbers.dims();
        match (self.channels_last, dims) {
            (true, [n, h, w, c]) => [n, c, h, w],
            (false, dims) => dims,
        }
    }

    /// Mean over each map, `[n, c]`.
    pub fn mean(self) -> Tensor<2> {
        let [n, c, h, w] = self.dims();
        match self.channels_last {
            true => self.numbers.reshape([n, h * w, c]).mean_dim(1),
            false => self.numbers.reshape([n, c, h * w]).mean_dim(2),
        }
        .reshape([n, c])
    }

    /// Largest number of each window of 3 × 3 at every second place, padded by 1.
    pub fn max_pool(self) -> Maps {
        if self.channels_last {
            return Maps::last(kernels::max_pool(self.numbers));
        }
        let window = MaxPoolOptions::new([3, 3]).with_stride([2, 2]);
        Maps::first(max_pool2d(self.numbers, window.with_padding([1, 1])))
    }

    /// Resized to `size`, each place the nearest one's number.
    pub fn upsample(self, size: [usize; 2]) -> Maps {
        let channels_last = self.channels_last;
        let nearest = InterpolateOptions::new(InterpolateMode::Nearest);
        let resized = interpolate(self.into_images(), nearest.with_output_size(size));
        Maps::first(resized).laid_out(channels_last)
    }
}
