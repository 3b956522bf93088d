//! Feature maps of a batch, in the layout that the device computes in.

use burn_tensor::Tensor;
use burn_tensor::module::{interpolate, max_pool2d};
use burn_tensor::ops::{InterpolateMode, InterpolateOptions, MaxPoolOptions};

use hspace_kernels::Machine;

use super::{Scope, kernels};

/// Feature maps of n samples: c channels of h × w numbers each.
///
/// ```
/// # use burn_tensor::Tensor;
/// # use hspace::device::Device;
/// # use hspace::nn::{Mode, Pass, Weights};
/// use hspace::nn::maps::Maps;
///
/// # let (device, none) = (Device::cpu(), Weights::default());
/// # let pass = Pass::new(&none, Mode::Eval, &device);
/// let maps = Maps::from_images(&pass.at(""), Tensor::ones([2, 3, 8, 8], &device));
/// assert_eq!(maps.clone().max_pool().dims(), [2, 3, 4, 4]);
/// assert_eq!(maps.clone().upsample([16, 16]).dims(), [2, 3, 16, 16]);
/// assert_eq!(maps.clone().concat(maps.clone()).dims(), [2, 6, 8, 8]);
/// assert_eq!(maps.clone().mean().dims(), [2, 3]);
/// assert_eq!(maps.into_images().dims(), [2, 3, 8, 8]);
/// ```
#[derive(Clone, Debug)]
pub struct Maps {
    numbers: Tensor<4>,
    /// Where our kernels run channels are last, elsewhere first.
    on: Option<Machine>,
}

impl Maps {
    /// Images `[n, c, h, w]` as maps for the networks at `scope`.
    pub fn from_images(scope: &Scope, x: Tensor<4>) -> Maps {
        match scope.device().kernels() {
            Some(on) => Maps::last(on, kernels::channels_last(on, x)),
            None => Maps::first(x),
        }
    }

    /// Maps as images `[n, c, h, w]`.
    pub fn into_images(self) -> Tensor<4> {
        match self.on {
            Some(on) => kernels::channels_first(on, self.numbers),
            None => self.numbers,
        }
    }

    /// Of a tensor `[n, c, h, w]`.
    pub(super) fn first(numbers: Tensor<4>) -> Maps {
        Maps { numbers, on: None }
    }

    /// Of a tensor `[n, h, w, c]`.
    pub(super) fn last(on: Machine, numbers: Tensor<4>) -> Maps {
        Maps {
            numbers,
            on: Some(on),
        }
    }

    /// The tensor in the device's layout.
    pub(super) fn into_numbers(self) -> Tensor<4> {
        self.numbers
    }

    /// Samples, channels, height, width.
    pub fn dims(&self) -> [usize; 4] {
        let dims = self.numbers.dims();
        match (self.on, dims) {
            (Some(_), [n, h, w, c]) => [n, c, h, w],
            (None, dims) => dims,
        }
    }

    /// Mean over each map, `[n, c]`.
    pub fn mean(self) -> Tensor<2> {
        let [n, c, h, w] = self.dims();
        match self.on {
            Some(_) => self.numbers.reshape([n, h * w, c]).mean_dim(1),
            None => self.numbers.reshape([n, c, h * w]).mean_dim(2),
        }
        .reshape([n, c])
    }

    /// Largest number of each window of 3 × 3 at every second place, padded by 1.
    pub fn max_pool(self) -> Maps {
        if let Some(on) = self.on {
            return Maps::last(on, kernels::max_pool(self.numbers));
        }
        let window = MaxPoolOptions::new([3, 3]).with_stride([2, 2]);
        Maps::first(max_pool2d(self.numbers, window.with_padding([1, 1])))
    }

    /// The maps of both, those of `other` last: as many samples, of the same size.
    pub fn concat(self, other: Maps) -> Maps {
        let channels = if self.on.is_some() { 3 } else { 1 };
        let mut both = vec![self.numbers, other.numbers];
        if both.iter().any(Tensor::is_autodiff) {
            let tracked = both.into_iter().map(|x| match x.is_autodiff() {
                true => x,
                false => x.autodiff(),
            });
            both = tracked.collect();
        }
        Maps {
            numbers: Tensor::cat(both, channels),
            on: self.on,
        }
    }

    /// Made as large as `size`, each place the nearest one's number.
    pub fn upsample(self, size: [usize; 2]) -> Maps {
        if let Some(on) = self.on {
            return Maps::last(on, kernels::upsample(self.numbers, size));
        }
        let nearest = InterpolateOptions::new(InterpolateMode::Nearest);
        Maps::first(interpolate(self.numbers, nearest.with_output_size(size)))
    }
}
