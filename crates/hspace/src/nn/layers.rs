//! The layers that encoders, heads and decoders are made of; convolutions with normalisation are in
//! `nn/blocks.rs`.

use burn_tensor::activation::{leaky_relu, relu};
use burn_tensor::module::conv2d;
use burn_tensor::ops::ConvOptions;
use burn_tensor::{Int, Tensor};

use crate::device::Device;

use super::batch_norm::EPSILON;
use super::blocks::dense_block;
use super::maps::Maps;
use super::{Init, Scope, kernels};

/// `x Wᵀ + b`: `[n, in]` to `[n, out]`. Weights `weight [out, in]` and, if asked, `bias [out]`.
///
/// ```
/// # use burn_tensor::Tensor;
/// # use hspace::device::Device;
/// # use hspace::nn::{Mode, Pass, Weights};
/// use hspace::nn::layers::linear;
///
/// # let (device, none) = (Device::cpu(), Weights::default());
/// # let pass = Pass::new(&none, Mode::Init(0), &device);
/// let x = Tensor::ones([4, 8], &device);
/// assert_eq!(linear(&pass.at("head"), x, 3, true).dims(), [4, 3]);
/// let weights = pass.into_fresh();
/// assert_eq!(weights.get("head.weight").map(|w| &w.shape[..]), Some(&[3, 8][..]));
/// assert_eq!(weights.get("head.bias").map(|w| &w.shape[..]), Some(&[3][..]));
/// ```
pub fn linear(scope: &Scope, x: Tensor<2>, out: usize, bias: bool) -> Tensor<2> {
    let [_, dim] = x.dims();
    let init = Init::UniformFanIn(dim);
    let weight = scope.weight("weight", [out, dim], init);
    let bias = bias.then(|| scope.weight("bias", [out], init));
    affine(scope, x, weight, bias, None, None)
}

/// [`linear`] with bias, then a ReLU.
///
/// ```
/// # use burn_tensor::Tensor;
/// # use hspace::device::Device;
/// # use hspace::embed::to_matrix;
/// # use hspace::nn::{Mode, Pass, Weights};
/// use hspace::nn::layers::linear_relu;
///
/// # let (device, none) = (Device::cpu(), Weights::default());
/// # let pass = Pass::new(&none, Mode::Init(0), &device);
/// let y = to_matrix(linear_relu(&pass.at("hidden"), Tensor::ones([4, 8], &device), 16));
/// assert!(y.data.iter().all(|&y| y >= 0.0) && y.data.contains(&0.0));
/// ```
pub fn linear_relu(scope: &Scope, x: Tensor<2>, out: usize) -> Tensor<2> {
    linear_leaky(scope, x, out, 0.0)
}

/// [`linear`] with bias, then a leaky ReLU: what is below 0 times `slope`, which is in 0..1.
///
/// ```
/// # use burn_tensor::Tensor;
/// # use hspace::device::Device;
/// # use hspace::embed::to_matrix;
/// # use hspace::nn::{Mode, Pass, Weights};
/// use hspace::nn::layers::{linear_leaky, linear_relu};
///
/// # let (device, none) = (Device::cpu(), Weights::default());
/// # let pass = Pass::new(&none, Mode::Init(0), &device);
/// let x = || Tensor::ones([4, 8], &device);
/// let [leaky, relu] = [linear_leaky(&pass.at("a"), x(), 16, 0.2), linear_relu(&pass.at("a"), x(), 16)];
/// let (leaky, relu) = (to_matrix(leaky).data, to_matrix(relu).data);
/// assert!(leaky.iter().zip(&relu).all(|(l, r)| if *r > 0.0 { l == r } else { *l <= 0.0 }));
/// ```
pub fn linear_leaky(scope: &Scope, x: Tensor<2>, out: usize, slope: f32) -> Tensor<2> {
    let [_, dim] = x.dims();
    let init = Init::UniformFanIn(dim);
    let weight = scope.weight("weight", [out, dim], init);
    let bias = scope.weight("bias", [out], init);
    affine(scope, x, weight, Some(bias), None, Some(slope))
}

/// `x Wᵀ + b + residual`, as far as given, and what of it is below 0 times `slope`: `x [n, in]`,
/// `weight [out, in]`, `bias [out]`, `residual [n, out]`.
pub(crate) fn affine(
    scope: &Scope,
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    residual: Option<Tensor<2>>,
    slope: Option<f32>,
) -> Tensor<2> {
    scope.count(x.dims()[0] * weight.shape().num_elements());
    if let Some(on) = scope.device().kernels() {
        return kernels::linear(on, x, weight, bias, residual, slope);
    }
    let mut y = x.matmul(weight.transpose());
    if let Some(bias) = bias {
        y = y + bias.unsqueeze();
    }
    if let Some(residual) = residual {
        y = y + residual;
    }
    match slope {
        None => y,
        Some(0.0) => relu(y),
        Some(slope) => leaky_relu(y, f64::from(slope)),
    }
}

/// Convolution with bias and nothing else, for the last layer of decoders.
///
/// ```
/// # use burn_tensor::Tensor;
/// # use hspace::device::Device;
/// # use hspace::nn::{Mode, Pass, Weights};
/// use hspace::nn::{layers::conv, maps::Maps};
///
/// # let (device, none) = (Device::cpu(), Weights::default());
/// # let pass = Pass::new(&none, Mode::Init(0), &device);
/// let scope = pass.at("last");
/// let maps = Maps::from_images(&scope, Tensor::ones([2, 8, 6, 6], &device));
/// assert_eq!(conv(&scope, maps, 3, 3).dims(), [2, 3, 6, 6]);
/// ```
pub fn conv(scope: &Scope, x: Maps, out: usize, kernel: usize) -> Maps {
    let [n, channels, h, w] = x.dims();
    let shape = [out, channels, kernel, kernel];
    let weight = scope.weight("weight", shape, Init::KaimingFanOut);
    let fan_in = channels * kernel * kernel;
    let bias = scope.weight("bias", [out], Init::UniformFanIn(fan_in));
    scope.count(n * h * w * out * fan_in);
    match scope.device().kernels() {
        Some(on) => {
            let y = kernels::convolve(on, x.into_numbers(), weight, 1);
            Maps::last(on, y + bias.reshape([1, 1, 1, out]))
        }
        None => {
            let options = ConvOptions::new([1, 1], [kernel / 2; 2], [1, 1], 1);
            Maps::first(conv2d(x.into_images(), weight, Some(bias), options))
        }
    }
}

/// Everything but the first axis in one, `[n, c, h, w]` to `[n, c·h·w]`.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::{device::Device, nn::layers::flatten};
///
/// let images = Tensor::zeros([4, 3, 8, 8], &Device::cpu());
/// assert_eq!(flatten(images).dims(), [4, 192]);
/// ```
pub fn flatten(x: Tensor<4>) -> Tensor<2> {
    let [n, c, h, w] = x.dims();
    x.reshape([n, c * h * w])
}

/// A multilayer perceptron: linear layers to each of `dims`, with batch normalisation (if
/// `norm`) and ReLU between them but not after the last. Layers are numbered as in a
/// `torch.nn.Sequential` of linear, normalisation, activation.
///
/// ```
/// # use burn_tensor::Tensor;
/// # use hspace::device::Device;
/// # use hspace::nn::{Mode, Pass, Weights};
/// use hspace::nn::layers::perceptron;
///
/// # let (device, none) = (Device::cpu(), Weights::default());
/// # let pass = Pass::new(&none, Mode::Init(0), &device);
/// // A projector of SimCLR.
/// let features = Tensor::ones([4, 64], &device);
/// assert_eq!(perceptron(&pass.at("projector"), features, &[64, 16], true).dims(), [4, 16]);
/// assert!(pass.into_fresh().get("projector.3.weight").is_some());
/// ```
pub fn perceptron(scope: &Scope, mut x: Tensor<2>, dims: &[usize], norm: bool) -> Tensor<2> {
    let step = if norm { 3 } else { 2 };
    let (last, hidden) = dims.split_last().expect("at least one layer");
    for (i, &dim) in hidden.iter().enumerate() {
        let layer = scope.at(step * i);
        x = match norm {
            true => dense_block(&layer, &scope.at(step * i + 1), x, dim),
            false => linear_relu(&layer, x, dim),
        };
    }
    linear(&scope.at(step * hidden.len()), x, *last, true)
}

/// Rows scaled to length 1, `[n, d]`. The constant under the root keeps the gradient of a row of
/// zeros finite.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::{device::Device, embed::to_matrix, nn::layers::l2_normalise};
///
/// let x = to_matrix(l2_normalise(Tensor::from_floats([[3.0, 4.0]], &Device::cpu())));
/// assert!((x.data[0] - 0.6).abs() < 1e-6 && (x.data[1] - 0.8).abs() < 1e-6);
/// ```
pub fn l2_normalise(x: Tensor<2>) -> Tensor<2> {
    let squares = x.clone().powi_scalar(2).sum_dim(1);
    x / (squares + 1e-12).sqrt()
}

/// Each column brought to mean 0 and variance 1 over the rows of the batch, `[n, d]`: batch
/// normalisation without gain, bias and memory.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::{device::Device, embed::to_matrix, nn::layers::standardise};
///
/// let x = to_matrix(standardise(Tensor::from_floats([[1.0], [3.0]], &Device::cpu())));
/// assert!((x.data[0] + 1.0).abs() < 1e-3 && (x.data[1] - 1.0).abs() < 1e-3);
/// ```
pub fn standardise(x: Tensor<2>) -> Tensor<2> {
    let x = x.clone() - x.mean_dim(0);
    let variance = x.clone().powi_scalar(2).mean_dim(0);
    x / (variance + EPSILON).sqrt()
}

/// Picks one column per row: `[n, k]` and n indices to `[n]`.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::{device::Device, embed::to_matrix, nn::layers::pick};
///
/// let x = Tensor::from_floats([[1.0, 2.0], [3.0, 4.0]], &Device::cpu());
/// assert_eq!(to_matrix(pick(x, &[1, 0]).unsqueeze()).data, [2.0, 3.0]);
/// ```
pub fn pick(x: Tensor<2>, columns: &[u32]) -> Tensor<1> {
    let n = columns.len();
    let index: Vec<i64> = columns.iter().map(|&c| i64::from(c)).collect();
    let data = burn_tensor::TensorData::new(index, [n, 1]);
    let index = Tensor::<2, Int>::from_data(data, &x.device().inner());
    x.gather(1, index).reshape([n])
}

/// Floating-point operations per second of square products of `size`, measured for `seconds`.
///
/// ```
/// use hspace::{device::Device, nn::layers::product_rate};
///
/// assert!(product_rate(64, 0.01, &Device::cpu()) > 1e6);
/// ```
pub fn product_rate(size: usize, seconds: f64, device: &Device) -> f64 {
    let ones = Tensor::<2>::ones([size, size], device);
    let once = || ones.clone().matmul(ones.clone()).sum().into_scalar::<f32>();
    once();
    let begun = std::time::Instant::now();
    let mut products = 0;
    while begun.elapsed().as_secs_f64() < seconds {
        once();
        products += 1;
    }
    2.0 * (size as f64).powi(3) * f64::from(products) / begun.elapsed().as_secs_f64()
}
