//! Images from channels first to channels last and back, in burn's graph.

use burn_tensor::Tensor;
use hspace_kernels::{Buffer, Machine, transpose};

use super::{Backward, FlatTensor, Parents, attach, node, primitive};

/// `[n, c, h, w]` to `[n, h, w, c]`.
pub(in crate::nn) fn channels_last(on: Machine, x: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    transposed(on, x, (c, h * w), [n, h, w, c])
}

/// `[n, h, w, c]` to `[n, c, h, w]`.
pub(in crate::nn) fn channels_first(on: Machine, x: Tensor<4>) -> Tensor<4> {
    let [n, h, w, c] = x.dims();
    transposed(on, x, (h * w, c), [n, c, h, w])
}

/// Each image, a matrix of that size, transposed.
fn transposed(on: Machine, x: Tensor<4>, size: (usize, usize), shape: [usize; 4]) -> Tensor<4> {
    let (rows, columns) = size;
    if rows.min(columns) == 1 {
        return x.reshape(shape);
    }
    let given = FlatTensor::of(x.clone());
    let mut out = Buffer::any(given.get().len());
    transpose::each(on, size, given.get(), &mut out);
    let out = primitive(out, &shape);
    let state = Transposed {
        on,
        shape: x.dims(),
        size: (columns, rows),
    };
    attach(&[node(x)], state, out)
}

/// What [`transposed`] leaves for the backward pass.
#[derive(Clone, Debug)]
struct Transposed {
    on: Machine,
    shape: [usize; 4],
    size: (usize, usize),
}

impl Backward for Transposed {
    fn backward(self, dout: FlatTensor, parents: &mut Parents) {
        parents.accumulate(0, || {
            let mut dx = Buffer::any(dout.get().len());
            transpose::each(self.on, self.size, dout.get(), &mut dx);
            primitive(dx, &self.shape)
        });
    }
}
