//! Maximum mean discrepancy of the features of two domains, with several Gaussian kernels.
//!
//! `k(a, b) = Σ_α exp(−‖a − b‖² / 2ασ²)`, α = 1/8, 1/4, 1/2, 1, 2, and σ² the mean of all squared distances in the batch, a constant (TLLib's
//! multiple kernels); the discrepancy is unbiased (Gretton et al. 2012, equation 3).

use burn_tensor::Tensor;

use crate::objective::Net;

const ALPHAS: [f64; 5] = [0.125, 0.25, 0.5, 1.0, 2.0];

/// Squared distances of all rows, `[n, n]`, of `[n, d]`.
fn squared_distances(x: Tensor<2>) -> Tensor<2> {
    let squares = x.clone().powi_scalar(2).sum_dim(1);
    let products = x.clone().matmul(x.transpose());
    (squares.clone() + squares.transpose() - products * 2.0).clamp_min(0.0)
}

/// The sum of Gaussian kernels of all rows, `[n, n]`, whose bandwidths are by the mean of the squared distances.
pub(super) fn kernels(net: &Net, x: Tensor<2>) -> Tensor<2> {
    let distances = squared_distances(x);
    let [n, _] = distances.dims();
    let mean = net.constant(distances.clone().mean().reshape([1, 1]));
    let scaled = distances / (mean + 1e-12);
    let kernel = |alpha: f64| (-scaled.clone() / (2.0 * alpha)).exp();
    let first = Tensor::zeros([n, n], net.device());
    ALPHAS.iter().fold(first, |sum, &alpha| sum + kernel(alpha))
}

/// One Gaussian kernel of all rows, `[n, n]`, of this σ.
pub(super) fn kernel(x: Tensor<2>, sigma: f64) -> Tensor<2> {
    (-squared_distances(x) / (2.0 * sigma * sigma)).exp()
}

/// The unbiased discrepancy, `[1]`, by the kernel `k` of all rows, of which the first `n` are of the source and the others of the target; `k` of a row
/// and itself is `own`.
pub(super) fn discrepancy(k: Tensor<2>, n: usize, own: f64) -> Tensor<1> {
    let [all, _] = k.dims();
    let m = all - n;
    let part = |[row, column]: [usize; 2], [height, width]: [usize; 2]| {
        let rows = k.clone().narrow(0, row, height);
        rows.narrow(1, column, width)
    };
    let within = |at: usize, size: usize| {
        let pairs = (size * size.saturating_sub(1)).max(1) as f64;
        (part([at, at], [size, size]).sum() - own * size as f64) / pairs
    };
    within(0, n) + within(n, m) - part([0, n], [n, m]).mean() * 2.0
}

/// The value of [`kernels`] of a row and itself.
pub(super) const OWN: f64 = ALPHAS.len() as f64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{check_loss_within, matrix};
    use crate::nn::{Mode, Pass, Weights};
    use burn_tensor::activation::softmax;

    fn on_net(loss: impl Fn(&Net)) {
        let weights = Weights::default();
        let pass = Pass::new(&weights, Mode::Train, &crate::device::Device::cpu());
        let encoder = crate::encoder::make("mlp", Default::default()).unwrap();
        loss(&Net::new(&*encoder, &pass));
    }

    #[test]
    fn discrepancies_agree_with_pytorch() {
        // Squared distances are differences of products here, which costs a digit.
        on_net(|net| {
            check_loss_within("dan", [8, 4], 1e-5, |x| {
                discrepancy(kernels(net, x), 4, OWN)
            });
        });
        let p = softmax(matrix([8, 3], 1.1), 1);
        on_net(|net| {
            check_loss_within("jan", [8, 4], 1e-5, |x| {
                discrepancy(kernels(net, x) * kernel(p.clone(), 0.92), 4, OWN)
            });
        });
    }
}
