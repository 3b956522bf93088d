//! Layer normalisation, GELU and attention in burn's graph. Tokens are rows, `[n · t, d]`.

use burn_tensor::Tensor;
use hspace_kernels::attention::{self, Attention};
use hspace_kernels::{Buffer, Machine, gelu as unit, layer_norm as norm};

use super::{Backward, FlatTensor, Parents, attach, node, primitive, vector};

/// Each row of `x [n, d]` normalised by its own mean and variance, times `gain` plus `bias`.
pub(in crate::nn) fn layer_norm(
    on: Machine,
    x: Tensor<2>,
    gain: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> Tensor<2> {
    let shape = x.dims();
    let (input, gains) = (FlatTensor::of(x.clone()), FlatTensor::of(gain.clone()));
    let biases = FlatTensor::of(bias.clone());
    let mut out = Buffer::any(shape[0] * shape[1]);
    let (g, b) = (gains.get(), biases.get());
    let rows = norm::forward(on, input.get(), g, b, epsilon as f32, &mut out);
    let out = primitive(out, &shape);
    let state = Normalised {
        on,
        shape,
        x: input,
        gain: gains,
        rows,
    };
    attach(&[node(x), node(gain), node(bias)], state, out)
}

/// What [`layer_norm`] leaves for the backward pass.
#[derive(Clone, Debug)]
struct Normalised {
    on: Machine,
    shape: [usize; 2],
    x: FlatTensor,
    gain: FlatTensor,
    rows: norm::Rows,
}

impl Backward for Normalised {
    fn backward(self, dout: FlatTensor, parents: &mut Parents) {
        let mut dx = Buffer::any(self.x.get().len());
        let (x, gain) = (self.x.get(), self.gain.get());
        let found = norm::backward(self.on, x, gain, &self.rows, dout.get(), &mut dx);
        parents.accumulate(0, || primitive(dx, &self.shape));
        parents.accumulate(1, || vector(&found.gain));
        parents.accumulate(2, || vector(&found.bias));
    }
}

/// `x Φ(x)`.
pub(in crate::nn) fn gelu(on: Machine, x: Tensor<2>) -> Tensor<2> {
    let shape = x.dims();
    let input = FlatTensor::of(x.clone());
    let mut out = Buffer::any(input.get().len());
    unit::forward(on, input.get(), &mut out);
    let out = primitive(out, &shape);
    let state = Gelu {
        on,
        shape,
        x: input,
    };
    attach(&[node(x)], state, out)
}

/// What [`gelu`] leaves for the backward pass.
#[derive(Clone, Debug)]
struct Gelu {
    on: Machine,
    shape: [usize; 2],
    x: FlatTensor,
}

impl Backward for Gelu {
    fn backward(self, dout: FlatTensor, parents: &mut Parents) {
        parents.accumulate(0, || {
            let mut dx = Buffer::any(self.x.get().len());
            unit::backward(self.on, self.x.get(), dout.get(), &mut dx);
            primitive(dx, &self.shape)
        });
    }
}

/// Attention of `qkv [n · t, 3 · h · e]` to `[n · t, h · e]`.
pub(in crate::nn) fn attend(on: Machine, shape: Attention, qkv: Tensor<2>) -> Tensor<2> {
    let input = FlatTensor::of(qkv.clone());
    let mut out = Buffer::any(shape.output_len());
    attention::forward(on, &shape, input.get(), &mut out);
    let out = primitive(out, &[shape.n * shape.tokens, shape.dim()]);
    let state = Attended {
        on,
        shape,
        qkv: input,
    };
    attach(&[node(qkv)], state, out)
}

/// What [`attend`] leaves for the backward pass.
#[derive(Clone, Debug)]
struct Attended {
    on: Machine,
    shape: Attention,
    qkv: FlatTensor,
}

impl Backward for Attended {
    fn backward(self, dout: FlatTensor, parents: &mut Parents) {
        parents.accumulate(0, || {
            let mut gradient = Buffer::any(self.qkv.get().len());
            let qkv = self.qkv.get();
            attention::backward(self.on, &self.shape, qkv, dout.get(), &mut gradient);
            let Attention { n, tokens, .. } = self.shape;
            primitive(gradient, &[n * tokens, 3 * self.shape.dim()])
        });
    }
}
