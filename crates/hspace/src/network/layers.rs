//! The layers that encoders, heads and decoders are made of; convolutions with normalisation are in
//! `network/blocks.rs`.

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
pub fn linear(scope: &Scope, x: Tensor<2>, out: usize, bias: bool) -> Tensor<2> {
    let [_, dim] = x.dims();
    let init = Init::UniformFanIn(dim);
    let weight = scope.weight("weight", [out, dim], init);
    let bias = bias.then(|| scope.weight("bias", [out], init));
    affine(scope, x, weight, bias, None, None)
}

/// [`linear`] with bias, then a ReLU.
pub fn linear_relu(scope: &Scope, x: Tensor<2>, out: usize) -> Tensor<2> {
    linear_leaky(scope, x, out, 0.0)
}

/// [`linear`] with bias, then a leaky ReLU: what is below 0 times `slope`, which is in 0..1.
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
pub fn flatten(x: Tensor<4>) -> Tensor<2> {
    let [n, c, h, w] = x.dims();
    x.reshape([n, c * h * w])
}

/// A multilayer perceptron: linear layers to each of `dims`, with batch normalisation (if
/// `norm`) and ReLU between them but not after the last. Layers are numbered as in a
/// `torch.nn.Sequential` of linear, normalisation, activation.
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
pub fn l2_normalise(x: Tensor<2>) -> Tensor<2> {
    let squares = x.clone().powi_scalar(2).sum_dim(1);
    x / (squares + 1e-12).sqrt()
}

/// Each column brought to mean 0 and variance 1 over the rows of the batch, `[n, d]`: batch
/// normalisation without gain, bias and memory.
pub fn standardise(x: Tensor<2>) -> Tensor<2> {
    let x = x.clone() - x.mean_dim(0);
    let variance = x.clone().powi_scalar(2).mean_dim(0);
    x / (variance + EPSILON).sqrt()
}

/// Picks one column per row: `[n, k]` and n indices to `[n]`.
pub fn pick(x: Tensor<2>, columns: &[u32]) -> Tensor<1> {
    let n = columns.len();
    let index: Vec<i64> = columns.iter().map(|&c| i64::from(c)).collect();
    let data = burn_tensor::TensorData::new(index, [n, 1]);
    let index = Tensor::<2, Int>::from_data(data, &x.device().inner());
    x.gather(1, index).reshape([n])
}

/// Floating-point operations per second of square products of `size`, measured for `seconds`.
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
