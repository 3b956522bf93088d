//! The layers that encoders, heads and decoders are made of.
//!
//! Convolution, normalisation, activation and residual addition meet in [`conv_block`] and
//! nowhere else: faster kernels for a device are put there, and no encoder notices.

use burn_tensor::activation::relu;
use burn_tensor::module::{batch_norm as normalise, batch_norm_train, conv2d};
use burn_tensor::ops::ConvOptions;
use burn_tensor::{Device, Int, Slice, Tensor};

use super::{Init, Scope};

/// Added to variances, as in PyTorch.
const EPSILON: f64 = 1e-5;
/// Output positions up to which a convolution on the CPU is one product over the whole batch: on
/// small maps burn's own, a product per image, keeps the cores a quarter as busy.
const SMALL_MAP: usize = 256;
/// Share of the newest batch in the running statistics, as in PyTorch.
const MOMENTUM: f64 = 0.1;

/// `x Wᵀ + b`: `[n, in]` to `[n, out]`. Weights `weight [out, in]` and, if asked, `bias [out]`.
pub fn linear(scope: &Scope, x: Tensor<2>, out: usize, bias: bool) -> Tensor<2> {
    let [n, dim] = x.dims();
    scope.count(n * dim * out);
    let init = Init::UniformFanIn(dim);
    let y = x.matmul(scope.weight("weight", [out, dim], init).transpose());
    match bias {
        true => y + scope.weight("bias", [out], init).unsqueeze(),
        false => y,
    }
}

/// Batch normalisation over every axis but the second (Ioffe & Szegedy 2015), `[n, c, …]`.
/// Running variances are unbiased, as PyTorch keeps them.
pub fn batch_norm<const D: usize>(scope: &Scope, x: Tensor<D>) -> Tensor<D> {
    let dims = x.dims();
    let channels = dims[1];
    let gain = scope.weight("weight", [channels], Init::Constant(1.0));
    let bias = scope.weight("bias", [channels], Init::Constant(0.0));
    let running_mean = scope.buffer("running_mean", channels, 0.0);
    let running_var = scope.buffer("running_var", channels, 1.0);
    if !scope.training() {
        return normalise(x, gain, bias, running_mean, running_var, EPSILON);
    }
    let count = (dims.iter().product::<usize>() / channels) as f64;
    let batch = batch_norm_train(x, gain, bias, EPSILON);
    let unbiased = count / (count - 1.0).max(1.0);
    let mean = batch.mean.inner() * MOMENTUM + running_mean * (1.0 - MOMENTUM);
    let var = batch.variance.inner() * (MOMENTUM * unbiased) + running_var * (1.0 - MOMENTUM);
    scope.update("running_mean", mean);
    scope.update("running_var", var);
    batch.output
}

/// What a [`conv_block`] does.
#[derive(Clone, Copy, Debug)]
pub struct Conv {
    /// Output channels.
    pub out: usize,
    /// Kernel size; the padding keeps the size at stride 1.
    pub kernel: usize,
    /// 1 or 2.
    pub stride: usize,
    /// Whether a ReLU ends the block.
    pub relu: bool,
}

/// Convolution without bias, batch normalisation, optional residual addition, optional ReLU:
/// `[n, c, h, w]` to `[n, out, ⌈h/stride⌉, ⌈w/stride⌉]`.
///
/// `conv` and `norm` are where the two layers keep their weights; `residual` is added after the
/// normalisation.
pub fn conv_block(
    conv: &Scope,
    norm: &Scope,
    x: Tensor<4>,
    block: Conv,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    let [n, channels, h, w] = x.dims();
    let shape = [block.out, channels, block.kernel, block.kernel];
    let weight = conv.weight("weight", shape, Init::KaimingFanOut);
    let (h, w) = (h.div_ceil(block.stride), w.div_ceil(block.stride));
    conv.count(n * h * w * shape.iter().product::<usize>());
    let pad = block.kernel / 2;
    if h * w > SMALL_MAP || x.device().inner() != Device::flex() {
        let options = ConvOptions::new([block.stride; 2], [pad; 2], [1, 1], 1);
        let y = conv2d(x, weight, None, options);
        return finish(norm, y, residual, block.relu);
    }
    // All in the layout [positions, channels]; the permutations are views, not copies.
    let positions = n * h * w;
    let rows = |x: Tensor<4>| x.permute([0, 2, 3, 1]).reshape([positions, block.out]);
    let y = convolve_as_product(x, weight, block.stride, pad);
    let y = finish(norm, y, residual.map(rows), block.relu);
    y.reshape([n, h, w, block.out]).permute([0, 3, 1, 2])
}

/// What follows the convolution in a block.
fn finish<const D: usize>(
    norm: &Scope,
    y: Tensor<D>,
    residual: Option<Tensor<D>>,
    with_relu: bool,
) -> Tensor<D> {
    let y = batch_norm(norm, y);
    let y = match residual {
        Some(residual) => y + residual,
        None => y,
    };
    if with_relu { relu(y) } else { y }
}

/// Convolution with bias and nothing else, for the last layer of decoders.
pub fn conv(scope: &Scope, x: Tensor<4>, out: usize, kernel: usize) -> Tensor<4> {
    let [_, channels, _, _] = x.dims();
    let shape = [out, channels, kernel, kernel];
    let weight = scope.weight("weight", shape, Init::KaimingFanOut);
    let bias = scope.weight(
        "bias",
        [out],
        Init::UniformFanIn(channels * kernel * kernel),
    );
    let options = ConvOptions::new([1, 1], [kernel / 2; 2], [1, 1], 1);
    let y = conv2d(x, weight, Some(bias), options);
    scope.count(y.shape().num_elements() * channels * kernel * kernel);
    y
}

/// Mean over the image, `[n, c, h, w]` to `[n, c]`.
pub fn global_average_pool(x: Tensor<4>) -> Tensor<2> {
    let [n, c, h, w] = x.dims();
    x.reshape([n, c, h * w]).mean_dim(2).reshape([n, c])
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
    for (i, &dim) in dims.iter().enumerate() {
        let last = i + 1 == dims.len();
        x = linear(&scope.at(step * i), x, dim, last || !norm);
        if !last {
            if norm {
                x = batch_norm(&scope.at(step * i + 1), x);
            }
            x = relu(x);
        }
    }
    x
}

/// Rows scaled to length 1, `[n, d]`. The constant under the root keeps the gradient of a row of
/// zeros finite.
pub fn l2_normalise(x: Tensor<2>) -> Tensor<2> {
    let squares = x.clone().powi_scalar(2).sum_dim(1);
    x / (squares + 1e-12).sqrt()
}

/// Picks one column per row: `[n, k]` and n indices to `[n]`.
pub fn pick(x: Tensor<2>, columns: &[u32]) -> Tensor<1> {
    let n = columns.len();
    let index: Vec<i64> = columns.iter().map(|&c| i64::from(c)).collect();
    let data = burn_tensor::TensorData::new(index, [n, 1]);
    let index = Tensor::<2, Int>::from_data(data, &x.device().inner());
    x.gather(1, index).reshape([n])
}

/// Convolution of `[n, c, h, w]` with `weight [out, c, k, k]` as one matrix product over all
/// positions of the batch: `[n · rows · columns, out]`. Every tap of the kernel is a strided slice
/// of the padded images, and the taps side by side are the rows of the left factor.
fn convolve_as_product(x: Tensor<4>, weight: Tensor<4>, stride: usize, pad: usize) -> Tensor<2> {
    let [n, c, h, w] = x.dims();
    let [out, _, k, _] = weight.dims();
    let (rows, columns) = (
        (h + 2 * pad - k) / stride + 1,
        (w + 2 * pad - k) / stride + 1,
    );
    let framed = Tensor::zeros([n, h + 2 * pad, w + 2 * pad, c], &x.device());
    let inside = [0..n, pad..pad + h, pad..pad + w, 0..c];
    let framed = framed.slice_assign(inside, x.permute([0, 2, 3, 1]));
    let tap = |start: usize, count: usize| {
        let end = start + stride * (count - 1) + 1;
        Slice::new(start as isize, Some(end as isize), stride as isize)
    };
    let taps = (0..k * k)
        .map(|i| {
            let window = [Slice::full(), tap(i / k, rows), tap(i % k, columns)];
            framed.clone().slice(window)
        })
        .collect();
    let patches = Tensor::cat(taps, 3).reshape([n * rows * columns, k * k * c]);
    let kernel = weight.permute([2, 3, 1, 0]).reshape([k * k * c, out]);
    patches.matmul(kernel)
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

#[cfg(test)]
mod tests {
    use burn_tensor::Distribution;

    use super::*;
    use crate::network::weights::values;

    #[test]
    fn both_convolutions_agree() {
        let device = Device::flex();
        for (size, kernel, stride, pad) in [(7, 3, 1, 1), (8, 3, 2, 1), (9, 1, 2, 0), (5, 5, 1, 2)]
        {
            let random = |dims| Tensor::<4>::random(dims, Distribution::Normal(0.0, 1.0), &device);
            let x = random([2, 3, size, size + 1]);
            let weight = random([4, 3, kernel, kernel]);
            let options = ConvOptions::new([stride; 2], [pad; 2], [1, 1], 1);
            let expected = conv2d(x.clone(), weight.clone(), None, options);
            let [n, out, h, w] = expected.dims();
            let got = convolve_as_product(x, weight, stride, pad);
            let got = got.reshape([n, h, w, out]).permute([0, 3, 1, 2]);
            let pairs = values(got).into_iter().zip(values(expected));
            for (got, expected) in pairs {
                assert!((got - expected).abs() < 1e-4, "{got} is not {expected}");
            }
        }
    }
}
