//! Log-likelihood of Bernoulli distributions in burn's graph.

use burn_tensor::Tensor;
use hspace_kernels::{Buffer, Machine, cross_entropy as entropy};

use super::{Backward, FlatTensor, Parents, attach, node, primitive};

/// `Σ x l − log(1 + eˡ)` over the columns of `logits [n, d]` and `x [n, d]`, through which no
/// gradient flows: `[n]`.
pub(in crate::nn) fn cross_entropy(on: Machine, logits: Tensor<2>, x: Tensor<2>) -> Tensor<1> {
    let shape = logits.dims();
    let [rows, columns] = shape;
    let (given, x) = (FlatTensor::of(logits.clone()), FlatTensor::of(x));
    let mut out = Buffer::any(rows);
    entropy::forward(on, given.get(), x.get(), columns, &mut out);
    let out = primitive(out, &[rows]);
    let state = Crossed {
        on,
        shape,
        logits: given,
        x,
    };
    attach(&[node(logits)], state, out)
}

/// What [`cross_entropy`] leaves for the backward pass.
#[derive(Clone, Debug)]
struct Crossed {
    on: Machine,
    shape: [usize; 2],
    logits: FlatTensor,
    x: FlatTensor,
}

impl Backward for Crossed {
    fn backward(self, dout: FlatTensor, parents: &mut Parents) {
        parents.accumulate(0, || {
            let (logits, x) = (self.logits.get(), self.x.get());
            let mut gradient = Buffer::any(logits.len());
            entropy::backward(self.on, logits, x, self.shape[1], dout.get(), &mut gradient);
            primitive(gradient, &self.shape)
        });
    }
}
