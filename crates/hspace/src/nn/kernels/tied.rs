//! Layers that are used both ways, by a matrix and its transpose, in burn's graph.

use burn_tensor::Tensor;
use hspace_kernels::moments::column_sums;
use hspace_kernels::product::{Matrix, Sizes, product};
use hspace_kernels::{Buffer, Epilogue, Machine, logistic, relu};

use super::{Backward, FlatTensor, Parents, attach, node, primitive, vector};
use crate::nn::tied::HiddenUnit;

/// `σ(x)`, through which no gradient flows.
pub(in crate::nn) fn logistic(on: Machine, x: Tensor<2>) -> Tensor<2> {
    let shape = x.dims();
    let mut y = Buffer::copy_of(FlatTensor::of(x).get());
    logistic::forward(on, &mut y);
    constant(y, &shape)
}

/// `scale · (h W) + shift` by column: `h [n, units]`, `weights [units, below]`. No gradient flows through it.
pub(in crate::nn) fn visible(
    on: Machine,
    h: Tensor<2>,
    weights: Tensor<2>,
    scale: Option<&Tensor<1>>,
    shift: Tensor<1>,
) -> Tensor<2> {
    let ([n, _], [_, below]) = (h.dims(), weights.dims());
    let [h, weights] = [h, weights].map(FlatTensor::of);
    let scale = scale.cloned().map(FlatTensor::of);
    let shift = FlatTensor::of(shift);
    let y = upside_down(on, h.get(), &weights, below, scale.as_ref(), &shift);
    constant(y, &[n, below])
}

fn constant(numbers: Buffer, shape: &[usize]) -> Tensor<2> {
    Tensor::from_primitive::<burn_flex::Flex>(primitive(numbers, shape))
}

fn upside_down(
    on: Machine,
    h: &[f32],
    weights: &FlatTensor,
    below: usize,
    scale: Option<&FlatTensor>,
    shift: &FlatTensor,
) -> Buffer {
    let units = weights.get().len() / below;
    let sizes = Sizes {
        rows: h.len() / units,
        depth: units,
        columns: below,
    };
    let epilogue = Epilogue {
        scale: scale.map(FlatTensor::get),
        bias: Some(shift.get()),
        ..Epilogue::default()
    };
    let mut y = Buffer::any(sizes.rows * below);
    let (a, b) = (Matrix::rows(h, units), Matrix::rows(weights.get(), below));
    product(on, sizes, a, b, &mut y, &epilogue);
    y
}

/// `h = f(x Wᵀ + b)` and `y = scale · (h W) + shift`: `x [n, below]`, `weights [units, below]`, `bias [units]`, `scale` and `shift [below]`.
/// Gradients flow through y alone, to weights, bias and shift.
pub(in crate::nn) fn autoencoder(
    on: Machine,
    x: Tensor<2>,
    [weights, bias, shift]: [Tensor<1>; 3],
    scale: Option<&Tensor<1>>,
    unit: HiddenUnit,
) -> [Tensor<2>; 2] {
    let [n, below] = x.dims();
    let [units] = bias.dims();
    let [matrix, biases, shifts] =
        [&weights, &bias, &shift].map(|tensor| FlatTensor::of(tensor.clone()));
    let (x, scale) = (FlatTensor::of(x), scale.cloned().map(FlatTensor::of));
    let sizes = Sizes {
        rows: n,
        depth: below,
        columns: units,
    };
    let epilogue = Epilogue {
        bias: Some(biases.get()),
        slope: (unit == HiddenUnit::Rectified).then_some(0.0),
        ..Epilogue::default()
    };
    let mut h = Buffer::any(n * units);
    let (a, b) = (
        Matrix::rows(x.get(), below),
        Matrix::rows(matrix.get(), below).transposed(),
    );
    product(on, sizes, a, b, &mut h, &epilogue);
    if unit == HiddenUnit::Logistic {
        logistic::forward(on, &mut h);
    }
    let y = upside_down(on, &h, &matrix, below, scale.as_ref(), &shifts);
    let h = FlatTensor(primitive(h, &[n, units]));
    let hidden = Tensor::from_primitive::<burn_flex::Flex>(h.0.clone());
    let state = Autoencoder {
        on,
        sizes,
        x,
        weights: matrix,
        h,
        scale,
        unit,
    };
    let parents = [weights, bias, shift].map(node);
    [hidden, attach(&parents, state, primitive(y, &[n, below]))]
}

/// What [`autoencoder`] leaves for the backward pass.
#[derive(Clone, Debug)]
struct Autoencoder {
    on: Machine,
    /// Samples, numbers below and units.
    sizes: Sizes,
    x: FlatTensor,
    weights: FlatTensor,
    h: FlatTensor,
    scale: Option<FlatTensor>,
    unit: HiddenUnit,
}

impl Backward for Autoencoder {
    fn backward(self, dy: FlatTensor, parents: &mut Parents) {
        let (on, h) = (self.on, self.h.get());
        let Sizes {
            rows: n,
            depth: below,
            columns: units,
        } = self.sizes;
        parents.accumulate(2, || vector(&column_sums(on, dy.get(), below)));
        // Both uses of W in one product: `dW = daᵀ x + hᵀ dz` with z = h W and a = x Wᵀ + b.
        let mut right = Buffer::any(2 * n * below);
        let (x, dz) = right.split_at_mut(n * below);
        x.copy_from_slice(self.x.get());
        dz.copy_from_slice(dy.get());
        if let Some(scale) = &self.scale {
            for row in dz.chunks_exact_mut(below) {
                row.iter_mut().zip(scale.get()).for_each(|(d, s)| *d *= s);
            }
        }
        let mut dh = Buffer::any(n * units);
        let (a, b) = (
            Matrix::rows(dz, below),
            Matrix::rows(self.weights.get(), below).transposed(),
        );
        product(on, self.sizes, a, b, &mut dh, &Epilogue::default());
        let mut left = Buffer::any(2 * n * units);
        let (da, own) = left.split_at_mut(n * units);
        match self.unit {
            HiddenUnit::Logistic => logistic::backward(on, h, &dh, da),
            HiddenUnit::Rectified => relu::backward(on, 0.0, h, &dh, da),
        }
        own.copy_from_slice(h);
        parents.accumulate(1, || vector(&column_sums(on, &left[..n * units], units)));
        parents.accumulate(0, || {
            let sizes = Sizes {
                rows: units,
                depth: 2 * n,
                columns: below,
            };
            let (a, b) = (
                Matrix::rows(&left, units).transposed(),
                Matrix::rows(&right, below),
            );
            let mut dw = Buffer::any(units * below);
            product(on, sizes, a, b, &mut dw, &Epilogue::default());
            primitive(dw, &[units * below])
        });
    }
}
