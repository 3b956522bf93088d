//! β-TCVAE: of the divergence, only the total correlation weighs more.
//!
//! `loss = −E_q log p(x | z) + α I(x; z) + β TC(z) + γ Σ_j KL(q(z_j) ‖ p(z_j))` (Chen et al. 2018,
//! arXiv:1802.04942, equation 4). q(z) is estimated by minibatch-weighted sampling (equation S5):
//! `log q(z_i) ≈ log Σ_j q(z_i | x_j) − log(N M)` over the M samples of the batch, N in the data. That
//! estimate is biased; so are the logged parts, whose sum is not.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::heads::not_negative;
use super::latent::{
    self, LOG_TWO_PI, Model, Posterior, Variant, log_sum_exp, loss_of, standard_normal, sum_columns,
};
use super::{Batch, Loss, Net, Objective};
use crate::list::Entry;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct BetaTcVae {
    /// α ≥ 0, of the information that latents have of the sample.
    alpha: f64,
    /// β ≥ 0, of the total correlation.
    beta: f64,
    /// γ ≥ 0, of each latent's own divergence.
    gamma: f64,
}

impl Default for BetaTcVae {
    fn default() -> Self {
        BetaTcVae {
            alpha: 1.0,
            beta: 6.0,
            gamma: 1.0,
        }
    }
}

pub(super) const ENTRY: Entry<dyn Objective> = Entry {
    name: "beta_tcvae",
    summary: "variational, with a heavier total correlation of the latents",
    source: "Chen et al. 2018, arXiv:1802.04942",
    defaults: latent::defaults::<BetaTcVae>,
    make: latent::make::<BetaTcVae>,
};

impl Variant for BetaTcVae {
    fn problem(&self) -> Option<String> {
        let weights = [
            ("alpha", self.alpha),
            ("beta", self.beta),
            ("gamma", self.gamma),
        ];
        not_negative(&weights).err()
    }

    fn remedy(&self) -> &'static str {
        "lower objective.beta"
    }

    fn loss(&self, model: &Model, net: &Net, batch: &Batch, _: usize) -> Loss {
        let x = batch.views[0].clone();
        let posterior = model.posterior(net, x.clone());
        let z = posterior.draw(net, "posterior");
        let likelihood = model.log_likelihood(net, x, z.clone());
        let parts = Decomposed::of(&posterior, z, model.samples);
        let cost = parts.information.clone() * self.alpha
            + parts.total_correlation.clone() * self.beta
            + parts.own_divergence * self.gamma;
        let total = cost - likelihood.clone().mean();
        let divergence = sum_columns(posterior.divergence());
        let mut loss = loss_of(total, likelihood, divergence, &posterior);
        loss.parts.push(("information", parts.information));
        loss.parts
            .push(("total_correlation", parts.total_correlation));
        loss
    }
}

/// The divergence from the prior in three parts, `[1]` each.
struct Decomposed {
    information: Tensor<1>,
    total_correlation: Tensor<1>,
    own_divergence: Tensor<1>,
}

impl Decomposed {
    /// From draws `z [m, d]` of the posteriors of m of `samples` samples.
    fn of(posterior: &Posterior, z: Tensor<2>, samples: usize) -> Decomposed {
        let [m, _] = z.dims();
        let log_count = (samples as f64 * m as f64).ln();
        // log q(z_i | x_j) by dimension, [i, j, d].
        let mean = posterior.mean.clone().unsqueeze_dim::<3>(0);
        let log_variance = posterior.log_variance.clone().unsqueeze_dim::<3>(0);
        let off = z.clone().unsqueeze_dim::<3>(1) - mean;
        let squares = off.powi_scalar(2) * (-log_variance.clone()).exp();
        let pairs = (squares + log_variance + LOG_TWO_PI) * -0.5;
        let joint = log_sum_exp(pairs.clone().sum_dim(2), 1).reshape([m]) - log_count;
        let [_, _, d] = pairs.dims();
        let each = log_sum_exp(pairs, 1).reshape([m, d]) - log_count;
        let product = sum_columns(each);
        Decomposed {
            information: (posterior.log_density(z.clone()) - joint.clone()).mean(),
            total_correlation: (joint - product.clone()).mean(),
            own_divergence: (product - standard_normal(z)).mean(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{check_loss, matrix};

    #[test]
    fn the_parts_agree_with_torch() {
        check_loss("decomposed", [6, 5], |z| {
            let posterior = Posterior {
                mean: matrix([6, 5], 1.1),
                log_variance: matrix([6, 5], 2.3),
            };
            let parts = Decomposed::of(&posterior, z, 1000);
            parts.information * 2.0 + parts.total_correlation * 3.0 + parts.own_divergence * 5.0
        });
    }
}
