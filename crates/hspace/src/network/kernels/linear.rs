//! Linear layers in burn's graph, with the ReLU, leaky or not, that may follow.

use burn_flex::Flex;
use burn_tensor::Tensor;
use hspace_kernels::moments::column_sums;
use hspace_kernels::product::{Matrix, Sizes, product};
use hspace_kernels::{Buffer, Finish, Machine, relu as gate};

use super::{Numbers, Parents, WayBack, attach, node, primitive};

/// `x Wᵀ + b + residual`, as far as given, and what of it is below 0 times `slope`: `x [n, in]`,
/// `weight [out, in]`, `bias [out]`, `residual [n, out]`.
pub(in crate::network) fn linear(
    on: Machine,
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    residual: Option<Tensor<2>>,
    slope: Option<f32>,
) -> Tensor<2> {
    let ([n, inputs], [outputs, _]) = (x.dims(), weight.dims());
    let tracked = x.is_autodiff()
        || weight.is_autodiff()
        || bias.as_ref().is_some_and(Tensor::is_autodiff)
        || residual.as_ref().is_some_and(Tensor::is_autodiff);
    let sizes = Sizes {
        rows: n,
        depth: inputs,
        columns: outputs,
    };
    let (left, right) = (Numbers::of(x.clone()), Numbers::of(weight.clone()));
    let biases = bias.clone().map(Numbers::of);
    let added = residual.clone().map(Numbers::of);
    let finish = Finish {
        bias: biases.as_ref().map(Numbers::get),
        residual: added.as_ref().map(Numbers::get),
        slope,
        ..Finish::default()
    };
    let mut y = Buffer::any(n * outputs);
    let (a, b) = (
        Matrix::rows(left.get(), inputs),
        Matrix::rows(right.get(), inputs),
    );
    product(on, sizes, a, b.transposed(), &mut y, &finish);
    let y = primitive(y, &[n, outputs]);
    if !tracked {
        return Tensor::from_primitive::<Flex>(y);
    }
    let state = Layer {
        on,
        sizes,
        x: left,
        weight: right,
        bias: bias.is_some(),
        passed: slope.map(|slope| (slope, Numbers(y.clone()))),
    };
    let mut parents = vec![node(x), node(weight)];
    parents.extend(bias.map(node));
    parents.extend(residual.map(node));
    attach(&parents, state, y)
}

/// What a layer leaves for the way back; the parents are input, weight and, with them, bias and
/// residual.
#[derive(Clone, Debug)]
struct Layer {
    on: Machine,
    sizes: Sizes,
    x: Numbers,
    weight: Numbers,
    bias: bool,
    /// Slope below 0 and output, where a ReLU followed.
    passed: Option<(f32, Numbers)>,
}

impl WayBack for Layer {
    fn back(self, dy: Numbers, parents: &mut Parents) {
        let Sizes {
            rows: n,
            depth: inputs,
            columns: outputs,
        } = self.sizes;
        let gated = self.passed.as_ref().map(|(slope, y)| {
            let mut gated = Buffer::any(n * outputs);
            gate::backward(self.on, *slope, y.get(), dy.get(), &mut gated);
            Numbers(primitive(gated, &[n, outputs]))
        });
        let dy = gated.as_ref().unwrap_or(&dy);
        let gradient = Matrix::rows(dy.get(), outputs);
        let (x, weight) = (
            Matrix::rows(self.x.get(), inputs),
            Matrix::rows(self.weight.get(), inputs),
        );
        let times = |sizes: [usize; 3], a, b| {
            let [rows, depth, columns] = sizes;
            let sizes = Sizes {
                rows,
                depth,
                columns,
            };
            let mut out = Buffer::any(rows * columns);
            product(self.on, sizes, a, b, &mut out, &Finish::default());
            primitive(out, &[rows, columns])
        };
        parents.give(1, || times([outputs, n, inputs], gradient.transposed(), x));
        parents.give(0, || times([n, outputs, inputs], gradient, weight));
        if self.bias {
            let sums = || Buffer::copy_of(&column_sums(self.on, dy.get(), outputs));
            parents.give(2, || primitive(sums(), &[outputs]));
        }
        parents.give(2 + usize::from(self.bias), || dy.0.clone());
    }
}
