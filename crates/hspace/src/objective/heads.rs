//! Heads that several objectives put on an encoder.

use burn_tensor::Tensor;

use crate::dataset::Shape;
use crate::encoder::axes;
use crate::network::Scope;
use crate::network::blocks::{Conv, conv_block};
use crate::network::layers::{conv, linear, perceptron, standardise};
use crate::network::maps::Maps;

/// Projector or predictor, `[n, d]` to `[n, out]`, out the last of `dims`: linear layers with batch
/// normalisation and ReLU between them.
pub(super) fn projector(scope: &Scope, x: Tensor<2>, dims: &[usize]) -> Tensor<2> {
    perceptron(scope, x, dims, true)
}

/// The same with each dimension normalised over the batch at the end, without gain and bias.
pub(super) fn standardised_projector(scope: &Scope, x: Tensor<2>, dims: &[usize]) -> Tensor<2> {
    standardise(perceptron(scope, x, dims, true))
}

/// Refuses sizes of 0, each with its key.
pub(super) fn positive(sizes: &[(&str, usize)]) -> Result<(), String> {
    match sizes.iter().find(|(_, size)| *size == 0) {
        Some((key, _)) => Err(format!("{key}=0 must be at least 1")),
        None => Ok(()),
    }
}

/// Refuses what is no number above 0.
pub(super) fn positive_number(key: &str, value: f64) -> Result<(), String> {
    match value.is_finite() && value > 0.0 {
        true => Ok(()),
        false => Err(format!("{key}={value} must be above 0")),
    }
}

/// Refuses what is no number of 0 or above, each with its key.
pub(super) fn not_negative(numbers: &[(&str, f64)]) -> Result<(), String> {
    let wrong = |(_, x): &&(&str, f64)| !(x.is_finite() && *x >= 0.0);
    match numbers.iter().find(wrong) {
        Some((key, x)) => Err(format!("{key}={x} must be 0 or above")),
        None => Ok(()),
    }
}

/// Features `[n, d]` back to samples of `shape`.
///
/// Images: a linear layer to a quarter-size map, then two times nearest-neighbour upsampling and
/// a convolution block (which leaves no checkerboard, Odena et al. 2016), then a last
/// convolution. Vectors: a perceptron with one hidden layer. The output is linear, without
/// bounds.
pub(super) fn decode(scope: &Scope, z: Tensor<2>, shape: Shape, width: usize) -> Tensor<4> {
    let [n, _] = z.dims();
    match shape {
        Shape::Vector { dim } => {
            perceptron(scope, z, &[8 * width, dim], true).reshape([n, dim, 1, 1])
        }
        Shape::Image {
            channels,
            height,
            width: columns,
        } => {
            let (h, w) = (height.div_ceil(4), columns.div_ceil(4));
            let map = linear(&scope.at("linear"), z, 4 * width * h * w, true);
            let mut x = Maps::from_images(scope, map.reshape([n, 4 * width, h, w]));
            for (i, size) in [[height.div_ceil(2), columns.div_ceil(2)], [height, columns]]
                .into_iter()
                .enumerate()
            {
                x = x.upsample(size);
                let block = Conv {
                    out: (2 * width) >> i,
                    kernel: 3,
                    stride: 1,
                    groups: 1,
                    relu: true,
                };
                let (c, norm) = (scope.at(format!("conv{i}")), scope.at(format!("bn{i}")));
                x = conv_block(&c, &norm, x, block);
            }
            conv(&scope.at("out"), x, channels, 3)
                .into_images()
                .reshape(axes(n, shape))
        }
    }
}
