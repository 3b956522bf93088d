//! Squared derivatives of what a network makes of samples, without second derivatives, since burn cannot differentiate a gradient.
//!
//! `‖J‖²`, the sum of the squared derivatives of all outputs by all numbers of a sample, is the mean of `‖J v‖²`
//! over directions v from the standard normal distribution (Hutchinson 1990), one of which is drawn a sample;
//! and `J v ≈ (f(x + εv) − f(x − εv)) / 2ε`, whose error is of the order of ε². All samples move at once: where a
//! network normalises over the batch, the squared derivatives by the other samples' numbers are in the sum too.

use burn_tensor::Tensor;

use super::Net;

/// ε, in deviations of the data.
const STEP: f64 = 1e-2;

/// The mean over samples `[n, …]` of `‖J‖²` of `f`, whose outputs are `[n, d]`: `[1]`, estimated along the
/// directions that the pass draws for `what`. `f` should leave running statistics alone.
pub(super) fn squared<const D: usize>(
    net: &Net,
    what: &str,
    x: Tensor<D>,
    f: impl Fn(Tensor<D>) -> Tensor<2>,
) -> Tensor<1> {
    let axes = x.dims();
    let numbers = axes[1..].iter().product();
    let direction = net.normal(what, [axes[0], numbers]).reshape(axes);
    along(x, direction, f)
}

/// The mean of `‖J v‖²` along the given directions, `[1]`.
fn along<const D: usize>(
    x: Tensor<D>,
    direction: Tensor<D>,
    f: impl Fn(Tensor<D>) -> Tensor<2>,
) -> Tensor<1> {
    let step = direction * STEP;
    let change = f(x.clone() + step.clone()) - f(x - step);
    change.powi_scalar(2).sum_dim(1).mean() / (4.0 * STEP * STEP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::golden::{check_loss_within, matrix};
    use crate::nn::weights::values;
    use crate::nn::{Mode, Pass, Weights};

    #[test]
    fn it_agrees_with_double_differentiation() {
        let (x, direction) = (matrix([6, 5], 1.1), matrix([6, 5], 2.3));
        // The rest is the step, squared.
        check_loss_within("contraction", [5, 3], 3e-4, |weights| {
            along(x.clone(), direction.clone(), |x| {
                x.matmul(weights.clone()).tanh()
            })
        });
        check_loss_within("slope", [5, 3], 3e-4, |weights| {
            along(x.clone(), direction.clone(), |x| {
                x.matmul(weights.clone()).tanh().sum_dim(1)
            })
        });
    }

    #[test]
    fn the_mean_over_directions_is_the_squared_norm() {
        // Of a linear map, by four thousand samples, one direction each.
        const SAMPLES: usize = 4000;
        let (weights, none, device) = (matrix([5, 3], 0.3), Weights::default(), Device::cpu());
        let encoder = crate::encoder::make("mlp", toml::Table::new()).unwrap();
        let pass = Pass::new(&none, Mode::Train, &device).with_seed(1);
        let net = Net::new(&*encoder, &pass);
        let x = matrix([SAMPLES, 5], 1.1);
        let found = squared(&net, "direction", x, |x| x.matmul(weights.clone()));
        let found = f64::from(values(found)[0]);
        // ‖W‖² is the trace of WᵀW, and the variance of vᵀ W Wᵀ v twice the sum of its squares.
        let product = values(weights.clone().transpose().matmul(weights));
        let norm: f64 = [0, 4, 8].iter().map(|&i| f64::from(product[i])).sum();
        let squares: f64 = product.iter().map(|p| f64::from(*p).powi(2)).sum();
        let error = (2.0 * squares / SAMPLES as f64).sqrt();
        assert!(
            (found - norm).abs() < 4.0 * error,
            "{found} is not {norm} ± {error}"
        );
    }
}
