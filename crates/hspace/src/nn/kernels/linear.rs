//! Linear layers in burn's graph, with the ReLU, leaky or not, that may follow.

use burn_tensor::Tensor;
use hspace_kernels::moments::column_sums;
use hspace_kernels::product::{Matrix, Sizes, product};
use hspace_kernels::{Buffer, Epilogue, Machine, relu};

use super::{Backward, FlatTensor, Parents, attach, node, primitive, vector};

/// `x Wᵀ + b + residual`, as far as given, and what of it is below 0 times `slope`: `x [n, in]`,
/// `weight [out, in]`, `bias [out]`, `residual [n, out]`.
pub(in crate::nn) fn linear(
    on: Machine,
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    residual: Option<Tensor<2>>,
    slope: Option<f32>,
) -> Tensor<2> {
    let ([n, inputs], [outputs, _]) = (x.dims(), weight.dims());
    let sizes = Sizes {
        rows: n,
        depth: inputs,
        columns: outputs,
    };
    let (left, right) = (FlatTensor::of(x.clone()), FlatTensor::of(weight.clone()));
    let biases = bias.clone().map(FlatTensor::of);
    let added = residual.clone().map(FlatTensor::of);
    let finish = Epilogue {
        bias: biases.as_ref().map(FlatTensor::get),
        accumulate: added.as_ref().map(FlatTensor::get).into(),
        slope,
        ..Epilogue::default()
    };
    let mut y = Buffer::any(n * outputs);
    let (a, b) = (
        Matrix::rows(left.get(), inputs),
        Matrix::rows(right.get(), inputs),
    );
    product(on, sizes, a, b.transposed(), &mut y, &finish);
    let y = primitive(y, &[n, outputs]);
    let state = Layer {
        on,
        sizes,
        x: left,
        weight: right,
        bias: bias.is_some(),
        passed: slope.map(|slope| (slope, FlatTensor(y.clone()))),
    };
    let mut parents = vec![node(x), node(weight)];
    parents.extend(bias.map(node));
    parents.extend(residual.map(node));
    attach(&parents, state, y)
}

/// `y = x Wᵀ + b` that was computed before, with the gradients of x, `weight [out, in]` and `bias [out]`.
pub(in crate::nn) fn known_linear(
    on: Machine,
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    y: Tensor<2>,
) -> Tensor<2> {
    let ([n, inputs], [outputs, _]) = (x.dims(), weight.dims());
    let state = Layer {
        on,
        sizes: Sizes {
            rows: n,
            depth: inputs,
            columns: outputs,
        },
        x: FlatTensor::of(x.clone()),
        weight: FlatTensor::of(weight.clone()),
        bias: true,
        passed: None,
    };
    attach(
        &[node(x), node(weight), node(bias)],
        state,
        FlatTensor::of(y).0,
    )
}

/// What a layer leaves for the backward pass; the parents are input, weight and, with them, bias and
/// residual.
#[derive(Clone, Debug)]
struct Layer {
    on: Machine,
    sizes: Sizes,
    x: FlatTensor,
    weight: FlatTensor,
    bias: bool,
    /// Slope below 0 and output, where a ReLU followed.
    passed: Option<(f32, FlatTensor)>,
}

impl Backward for Layer {
    fn backward(self, dy: FlatTensor, parents: &mut Parents) {
        let Sizes {
            rows: n,
            depth: inputs,
            columns: outputs,
        } = self.sizes;
        let masked = self.passed.as_ref().map(|(slope, y)| {
            let mut masked = Buffer::any(n * outputs);
            relu::backward(self.on, *slope, y.get(), dy.get(), &mut masked);
            FlatTensor(primitive(masked, &[n, outputs]))
        });
        let dy = masked.as_ref().unwrap_or(&dy);
        let gradient = Matrix::rows(dy.get(), outputs);
        let (x, weight) = (
            Matrix::rows(self.x.get(), inputs),
            Matrix::rows(self.weight.get(), inputs),
        );
        let times = |a, b, sizes: Sizes| {
            let mut out = Buffer::any(sizes.rows * sizes.columns);
            product(self.on, sizes, a, b, &mut out, &Epilogue::default());
            primitive(out, &[sizes.rows, sizes.columns])
        };
        let for_weight = Sizes {
            rows: outputs,
            depth: n,
            columns: inputs,
        };
        let for_input = Sizes {
            rows: n,
            depth: outputs,
            columns: inputs,
        };
        parents.accumulate(1, || times(gradient.transposed(), x, for_weight));
        parents.accumulate(0, || times(gradient, weight, for_input));
        if self.bias {
            parents.accumulate(2, || vector(&column_sums(self.on, dy.get(), outputs)));
        }
        parents.accumulate(2 + usize::from(self.bias), || dy.0.clone());
    }
}
