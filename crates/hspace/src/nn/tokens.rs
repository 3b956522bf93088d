//! Layers over tokens, of which transformers are made. Tokens are rows: `[n · t, d]`, those of a
//! sample one after the other.
//!
//! On the CPU each is one operation of our kernels, elsewhere a composition of burn's.

use std::f64::consts::FRAC_1_SQRT_2;

use burn_tensor::Tensor;
use burn_tensor::activation::softmax;
use hspace_kernels::attention::Attention;

use super::layers::affine;
use super::{Init, Scope, kernels};

/// Added to variances, as Vision Transformers have it (Dosovitskiy et al. 2021).
const EPSILON: f64 = 1e-6;

/// A linear layer with bias, `[n, in]` to `[n, out]`, added to `residual` if there is one. Fresh
/// weights are those of Dosovitskiy et al. 2021: unlike timm's, which spread by 0.02 whatever the
/// width, they suit narrow networks too.
///
/// ```
/// # use burn_tensor::Tensor;
/// # use hspace::device::Device;
/// # use hspace::nn::{Mode, Pass, Weights};
/// use hspace::nn::tokens::dense;
///
/// # let (device, none) = (Device::cpu(), Weights::default());
/// # let pass = Pass::new(&none, Mode::Init(0), &device);
/// // Ten tokens of 16 numbers, and the same ones added to the result.
/// let x = || Tensor::ones([10, 16], &device);
/// assert_eq!(dense(&pass.at("proj"), x(), 16, Some(x())).dims(), [10, 16]);
/// ```
pub fn dense(scope: &Scope, x: Tensor<2>, out: usize, residual: Option<Tensor<2>>) -> Tensor<2> {
    let [_, dim] = x.dims();
    let weight = scope.weight("weight", [out, dim], Init::XavierUniform);
    let bias = scope.weight("bias", [out], Init::Constant(0.0));
    affine(scope, x, weight, Some(bias), residual, None)
}

/// Layer normalisation (Ba et al. 2016): each row of `[n, d]` by its own mean and variance.
///
/// ```
/// # use burn_tensor::Tensor;
/// # use hspace::device::Device;
/// # use hspace::embed::to_matrix;
/// # use hspace::nn::{Mode, Pass, Weights};
/// use hspace::nn::tokens::layer_norm;
///
/// # let (device, none) = (Device::cpu(), Weights::default());
/// # let pass = Pass::new(&none, Mode::Init(0), &device);
/// let x = Tensor::from_floats([[1.0, 3.0], [10.0, 30.0]], &device);
/// let y = to_matrix(layer_norm(&pass.at("norm"), x));
/// assert!(y.data.iter().all(|y| (y.abs() - 1.0).abs() < 1e-3));
/// ```
pub fn layer_norm(scope: &Scope, x: Tensor<2>) -> Tensor<2> {
    let [_, dim] = x.dims();
    let gain = scope.weight("weight", [dim], Init::Constant(1.0));
    let bias = scope.weight("bias", [dim], Init::Constant(0.0));
    if let Some(on) = scope.device().kernels() {
        return kernels::layer_norm(on, x, gain, bias, EPSILON);
    }
    let off = x.clone() - x.mean_dim(1);
    let variance = off.clone().powi_scalar(2).mean_dim(1);
    off / (variance + EPSILON).sqrt() * gain.unsqueeze() + bias.unsqueeze()
}

/// Gaussian error linear unit, exact.
///
/// ```
/// # use burn_tensor::Tensor;
/// # use hspace::device::Device;
/// # use hspace::embed::to_matrix;
/// # use hspace::nn::{Mode, Pass, Weights};
/// use hspace::nn::tokens::gelu;
///
/// # let (device, none) = (Device::cpu(), Weights::default());
/// # let pass = Pass::new(&none, Mode::Eval, &device);
/// let y = to_matrix(gelu(&pass.at(""), Tensor::from_floats([[0.0, 1.0, -9.0]], &device)));
/// assert!(y.data[0] == 0.0 && (y.data[1] - 0.8413).abs() < 1e-3 && y.data[2].abs() < 1e-6);
/// ```
pub fn gelu(scope: &Scope, x: Tensor<2>) -> Tensor<2> {
    match scope.device().kernels() {
        Some(on) => kernels::gelu(on, x),
        // burn's own has, on GPUs, the gradient of its approximation by tanh.
        None => x.clone() * ((x * FRAC_1_SQRT_2).erf() + 1.0) * 0.5,
    }
}

/// Self-attention of `heads` heads among the `tokens` tokens of each sample; queries, keys and
/// values come side by side in `qkv [n · t, 3 d]`: to `[n · t, d]`.
///
/// ```
/// # use burn_tensor::Tensor;
/// # use hspace::device::Device;
/// # use hspace::nn::{Mode, Pass, Weights};
/// use hspace::nn::tokens::attention;
///
/// # let (device, none) = (Device::cpu(), Weights::default());
/// # let pass = Pass::new(&none, Mode::Eval, &device);
/// // Two samples of five tokens; queries, keys and values of 8 numbers each.
/// let qkv = Tensor::ones([2 * 5, 3 * 8], &device);
/// assert_eq!(attention(&pass.at("attn"), qkv, 5, 2).dims(), [2 * 5, 8]);
/// ```
pub fn attention(scope: &Scope, qkv: Tensor<2>, tokens: usize, heads: usize) -> Tensor<2> {
    let [rows, width] = qkv.dims();
    let shape = Attention {
        n: rows / tokens,
        tokens,
        heads,
        size: width / 3 / heads,
    };
    scope.count(2 * rows * tokens * shape.dim());
    if let Some(on) = scope.device().kernels() {
        return kernels::attend(on, shape, qkv);
    }
    let Attention { n, size, .. } = shape;
    let qkv = qkv.reshape([n, tokens, 3, heads, size]);
    // [n, h, t, e]
    let part = |i: usize| {
        let part = qkv.clone().narrow(2, i, 1);
        part.reshape([n, tokens, heads, size]).swap_dims(1, 2)
    };
    let scores = part(0).matmul(part(1).transpose()) / (size as f64).sqrt();
    let mixed = softmax(scores, 3).matmul(part(2));
    mixed.swap_dims(1, 2).reshape([rows, shape.dim()])
}

/// A block of a Vision Transformer: attention and a perceptron of `4 d` hidden units, each behind
/// a layer normalisation and added to its input (timm's names).
///
/// ```
/// # use burn_tensor::Tensor;
/// # use hspace::device::Device;
/// # use hspace::nn::{Mode, Pass, Weights};
/// use hspace::nn::tokens::transformer_block;
///
/// # let (device, none) = (Device::cpu(), Weights::default());
/// # let pass = Pass::new(&none, Mode::Init(0), &device);
/// let tokens = Tensor::ones([2 * 5, 16], &device);
/// assert_eq!(transformer_block(&pass.at("blocks.0"), tokens, 5, 2).dims(), [10, 16]);
/// assert!(pass.into_fresh().get("blocks.0.attn.qkv.weight").is_some());
/// ```
pub fn transformer_block(scope: &Scope, x: Tensor<2>, tokens: usize, heads: usize) -> Tensor<2> {
    let [_, dim] = x.dims();
    let y = layer_norm(&scope.at("norm1"), x.clone());
    let qkv = dense(&scope.at("attn.qkv"), y, 3 * dim, None);
    let y = attention(scope, qkv, tokens, heads);
    let x = dense(&scope.at("attn.proj"), y, dim, Some(x));
    let y = layer_norm(&scope.at("norm2"), x.clone());
    let y = dense(&scope.at("mlp.fc1"), y, 4 * dim, None);
    dense(&scope.at("mlp.fc2"), gelu(scope, y), dim, Some(x))
}

#[cfg(test)]
mod tests {
    use hspace_kernels::Machine;

    use super::*;
    use crate::device::Device;
    use crate::golden::noise;
    use crate::nn::weights::values;
    use crate::nn::{Mode, Pass, Weights};

    /// Output and gradients of a block.
    fn run(on: Option<Machine>, x: &Tensor<2>) -> Vec<(String, Vec<f32>)> {
        let device = Device::cpu_with(on);
        let none = Weights::default();
        let init = Pass::new(&none, Mode::Init(7), &device);
        transformer_block(&init.at("block"), x.clone(), 5, 2);
        let weights = init.into_fresh().tracked(|_| true);
        let pass = Pass::new(&weights, Mode::Train, &device);
        let x = x.clone().autodiff().require_grad();
        let y = transformer_block(&pass.at("block"), x.clone(), 5, 2);
        let mut found = vec![("output".to_owned(), values(y.clone().inner()))];
        let mut gradients = (y.clone() * y).sum().backward();
        let input = x.grad_remove(&mut gradients).expect("a gradient");
        found.push(("input".into(), values(input)));
        for (name, weight) in weights.iter() {
            let gradient = weight.value.grad_remove(&mut gradients);
            found.push((name.to_owned(), values(gradient.expect("a gradient"))));
        }
        found
    }

    #[test]
    fn our_blocks_agree_with_burns() {
        let x = noise([15, 24], 0.1);
        let expected = run(None, &x);
        assert_eq!(expected.len(), 14);
        let found = run(Some(Machine::best()), &x);
        for ((name, found), (same, expected)) in found.iter().zip(&expected) {
            assert_eq!(name, same);
            let size = expected.iter().fold(1e-3f32, |a, b| a.max(b.abs()));
            for (a, b) in found.iter().zip(expected) {
                assert!((a - b).abs() <= 2e-5 * size, "{name}: {a} is not {b}");
            }
        }
    }
}
