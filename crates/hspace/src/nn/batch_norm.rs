//! Batch normalisation: its weights and running statistics, and the layer as burn's operations.

use burn_tensor::Tensor;
use burn_tensor::module::{batch_norm as normalise, batch_norm_train};

use super::{Init, Scope};

/// Added to variances, as in PyTorch.
pub(super) const EPSILON: f64 = 1e-5;
/// Share of the newest batch in the running statistics, as in PyTorch.
const MOMENTUM: f64 = 0.1;

/// The weights and running statistics of a batch normalisation, `[c]` each.
pub(super) struct Affine {
    pub(super) gain: Tensor<1>,
    pub(super) bias: Tensor<1>,
    running_mean: Tensor<1>,
    running_var: Tensor<1>,
}

impl Affine {
    pub(super) fn new(scope: &Scope, channels: usize) -> Affine {
        Affine {
            gain: scope.weight("weight", [channels], Init::Constant(1.0)),
            bias: scope.weight("bias", [channels], Init::Constant(0.0)),
            running_mean: scope.buffer("running_mean", channels, Init::Constant(0.0)),
            running_var: scope.buffer("running_var", channels, Init::Constant(1.0)),
        }
    }

    /// Notes what the running statistics become after a batch of this mean and unbiased variance.
    pub(super) fn follow(self, scope: &Scope, mean: Tensor<1>, variance: Tensor<1>) {
        let keep = 1.0 - MOMENTUM;
        scope.update("running_mean", mean * MOMENTUM + self.running_mean * keep);
        scope.update("running_var", variance * MOMENTUM + self.running_var * keep);
    }

    /// Scale and shift that normalise by the running statistics.
    pub(super) fn line(self) -> (Tensor<1>, Tensor<1>) {
        let scale = self.gain / (self.running_var + EPSILON).sqrt();
        let shift = self.bias - self.running_mean * scale.clone();
        (scale, shift)
    }
}

/// Batch normalisation over every axis but the second (Ioffe & Szegedy 2015), `[n, c, …]`.
/// Running variances are unbiased, as PyTorch keeps them.
pub(super) fn batch_norm<const D: usize>(scope: &Scope, x: Tensor<D>) -> Tensor<D> {
    let dims = x.dims();
    let affine = Affine::new(scope, dims[1]);
    if !scope.training() {
        let Affine {
            gain,
            bias,
            running_mean,
            running_var,
        } = affine;
        return normalise(x, gain, bias, running_mean, running_var, EPSILON);
    }
    let count = (dims.iter().product::<usize>() / dims[1]) as f64;
    let batch = batch_norm_train(x, affine.gain.clone(), affine.bias.clone(), EPSILON);
    let unbiased = count / (count - 1.0).max(1.0);
    affine.follow(scope, batch.mean.inner(), batch.variance.inner() * unbiased);
    batch.output
}
