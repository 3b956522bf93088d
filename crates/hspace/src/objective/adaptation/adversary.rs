//! A discriminator of the domains that the encoder learns to mislead, by a reversed gradient.
//!
//! The discriminator has two hidden layers with batch normalisation. The gradient reversal R multiplies the gradient that reaches the encoder by −λ, and λ
//! rises from 0 to 1 over the training (Ganin et al. 2016, arXiv:1505.07818, equations 9, 14 and 17).

use burn_tensor::Tensor;
use burn_tensor::activation::log_sigmoid;

use super::part::Part;
use super::source_and_target::parted;
use crate::objective::Net;
use crate::objective::heads::projector;

/// The loss of a discriminator, with so many units in each hidden layer, that sees `x [n + m, d]` through the gradient reversal: the first `n` rows are of
/// the source. Rows have weights, `[n, 1]` and `[m, 1]`, or all count alike.
pub(super) fn adversarial(
    net: &Net,
    x: Tensor<2>,
    n: usize,
    units: usize,
    weights: Option<[Tensor<2>; 2]>,
) -> Part {
    let x = reversed(net, x, reversal_ramp(net.progress()));
    let logits = projector(&net.at("discriminator"), x, &[units, units, 1]);
    let logits = parted(logits, n);
    let accuracy = domain_accuracy(&logits).to_device(net.device());
    Part::new("domain", discrimination(logits, weights)).with("domain_accuracy", accuracy)
}

/// x, with −strength times its gradient (equation 17).
fn reversed(net: &Net, x: Tensor<2>, strength: f64) -> Tensor<2> {
    net.constant(x.clone()) * (1.0 + strength) - x * strength
}

/// `2 / (1 + exp(−10 p)) − 1`: from 0 to nearly 1 over a training (equation 14).
fn reversal_ramp(progress: f64) -> f64 {
    2.0 / (1.0 + (-10.0 * progress).exp()) - 1.0
}

/// The mean over both domains of the binary cross-entropies, `[1]`, of a discriminator's logits, `[n, 1]` each; samples have weights `[n, 1]`
/// whose mean is 1 in each domain.
pub(super) fn discrimination(logits: [Tensor<2>; 2], weights: Option<[Tensor<2>; 2]>) -> Tensor<1> {
    let [source, target] = logits;
    let [source, target] = [-log_sigmoid(source), -log_sigmoid(-target)];
    let [source, target] = match weights {
        None => [source, target],
        Some([a, b]) => [source * a, target * b],
    };
    (source.mean() + target.mean()) * 0.5
}

/// Share of samples whose domain the discriminator gets right, the mean of both domains.
fn domain_accuracy(logits: &[Tensor<2>; 2]) -> Tensor<1> {
    let [source, target] = logits.clone().map(|x| x.inner());
    let right = [source.greater_elem(0.0), target.lower_elem(0.0)];
    let [a, b] = right.map(|x| x.float().mean());
    (a + b) * 0.5
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::check_loss;

    #[test]
    fn the_discriminator_s_loss_agrees_with_pytorch() {
        check_loss("domain", [7, 1], |logits| {
            discrimination(parted(logits, 3), None)
        });
    }

    #[test]
    fn the_reversal_grows_over_the_training() {
        assert_eq!(reversal_ramp(0.0), 0.0);
        // tanh(5 p).
        assert!((reversal_ramp(0.5) - 2.5f64.tanh()).abs() < 1e-12);
        assert!(reversal_ramp(1.0) > 0.999);
    }
}
