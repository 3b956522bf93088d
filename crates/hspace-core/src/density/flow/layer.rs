//! A linear layer of a coupling's perceptron and its backward pass.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// A linear layer: weights `[inputs, outputs]`, then biases.
#[derive(Clone, Copy)]
pub(super) struct Layer {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

impl Layer {
    pub(super) fn len(&self) -> usize {
        (self.inputs + 1) * self.outputs
    }

    /// `x W + b` of rows `x [n, inputs]`.
    pub(super) fn apply(&self, weights: &[f64], x: &[f64]) -> Vec<f64> {
        let (n, k, m) = (x.len() / self.inputs, self.inputs, self.outputs);
        let (weight, bias) = weights.split_at(k * m);
        let mut out = bias.repeat(n);
        matmul(
            MatMut::from_row_major_slice_mut(&mut out, n, m),
            Accum::Add,
            MatRef::from_row_major_slice(x, n, k),
            MatRef::from_row_major_slice(weight, k, m),
            1.0,
            Par::Seq,
        );
        out
    }

    /// The gradient for the input, and in `gradient` that for the weights.
    pub(super) fn back(
        &self,
        weights: &[f64],
        x: &[f64],
        dout: &[f64],
        gradient: &mut [f64],
    ) -> Vec<f64> {
        let (n, k, m) = (x.len() / self.inputs, self.inputs, self.outputs);
        let (to_weight, to_bias) = gradient.split_at_mut(k * m);
        let dout_matrix = MatRef::from_row_major_slice(dout, n, m);
        matmul(
            MatMut::from_row_major_slice_mut(to_weight, k, m),
            Accum::Replace,
            MatRef::from_row_major_slice(x, n, k).transpose(),
            dout_matrix,
            1.0,
            Par::Seq,
        );
        for row in dout.chunks_exact(m) {
            to_bias.iter_mut().zip(row).for_each(|(b, g)| *b += g);
        }
        let mut dx = vec![0.0; n * k];
        matmul(
            MatMut::from_row_major_slice_mut(&mut dx, n, k),
            Accum::Replace,
            dout_matrix,
            MatRef::from_row_major_slice(&weights[..k * m], k, m).transpose(),
            1.0,
            Par::Seq,
        );
        dx
    }
}
