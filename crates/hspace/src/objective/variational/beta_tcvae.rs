//! β-TCVAE: of the divergence, only the total correlation weighs more.
//!
//! `loss = −E_q log p(x | z) + α I(x; z) + β TC(z) + γ Σ_j KL(q(z_j) ‖ p(z_j))` (Chen et al. 2018,
//! arXiv:1802.04942, equation 4). q(z) is estimated by minibatch-weighted sampling (equation S5):
//! `log q(z_i) ≈ log Σ_j q(z_i | x_j) − log(N M)` over the M samples of the batch, N in the data. That
//! estimate is biased; so are the logged parts, whose sum is not: the logged total correlation of d latents is too
//! large by (d − 1) log N, which moves no gradient.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::list::{Configured, Entry};
use crate::objective::heads::not_negative;
use crate::objective::variational::latent::{
    self, LOG_TWO_PI, Model, Posterior, Variant, log_sum_exp, loss_of, standard_normal, sum_columns,
};
use crate::objective::{Batch, Loss, Net, Objective};

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

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "beta_tcvae",
    summary: "variational, with a heavier total correlation of the latents",
    source: "Chen et al. 2018, arXiv:1802.04942",
    item: Configured {
        defaults: latent::defaults::<BetaTcVae>,
        make: latent::make::<BetaTcVae>,
    },
};

impl Variant for BetaTcVae {
    fn validate(&self, _: usize) -> Vec<String> {
        let weights = [
            ("alpha", self.alpha),
            ("beta", self.beta),
            ("gamma", self.gamma),
        ];
        not_negative(&weights)
    }

    fn advice(&self) -> &'static str {
        "lower objective.beta"
    }

    fn loss(&self, model: &Model, net: &Net, batch: &Batch, _: usize) -> Loss {
        let x = batch.views[0].clone();
        let posterior = model.posterior(net, x.clone());
        let z = posterior.draw(net, "posterior");
        let likelihood = model.log_likelihood(net, x, z.clone());
        let terms = Decomposed::of(&posterior, z, model.samples);
        let cost = terms.information.clone() * self.alpha
            + terms.total_correlation.clone() * self.beta
            + terms.own_divergence * self.gamma;
        let total = cost - likelihood.clone().mean();
        let divergence = sum_columns(posterior.divergence());
        let mut loss = loss_of(total, likelihood, divergence, &posterior);
        loss.metrics.push(("information", terms.information));
        loss.metrics
            .push(("total_correlation", terms.total_correlation));
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
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::device::Device;
    use crate::golden::{check_loss, matrix};
    use crate::nn::weights::{rng_for, values, vector};

    /// Of data from N(0, Σ) and posteriors N(x, s²), latents are from N(0, C), C = Σ + s²: all three parts
    /// are known.
    #[test]
    fn the_parts_are_those_of_normal_latents() {
        const M: usize = 1500;
        let (own, shared, noise) = (4.0f64, 3.8, 0.25);
        let (variance, determinant) = (own + noise, (own + noise).powi(2) - shared * shared);
        let mut rng = rng_for("normal latents", 0);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let (mut x, mut z) = (Vec::new(), Vec::new());
        for _ in 0..M {
            let first = normal();
            let second = shared / own * first + (1.0 - (shared / own).powi(2)).sqrt() * normal();
            for value in [first, second].map(|v| v * own.sqrt()) {
                x.push(value as f32);
                z.push((value + noise.sqrt() * normal()) as f32);
            }
        }
        let rows = |values| vector(values, &Device::cpu()).reshape([M, 2]);
        let posterior = Posterior {
            mean: rows(x),
            log_variance: rows(vec![noise.ln() as f32; 2 * M]),
        };
        // As if the batch were drawn again for each latent: the constant is log M.
        let terms = Decomposed::of(&posterior, rows(z), 1);
        let information = 0.5 * (determinant / (noise * noise)).ln();
        let correlation = 0.5 * (2.0 * variance.ln() - determinant.ln());
        let own_divergence = variance - 1.0 - variance.ln();
        // Standard deviations of what the means are taken of: squares of canonical correlations, of the correlation,
        // and of two squares that vary nearly together.
        let canonical = [own + shared, own - shared].map(|v| v / (v + noise));
        let spreads = [
            canonical.iter().sum::<f64>().sqrt(),
            shared / variance,
            2.0 * (0.5f64).sqrt() * (variance - 1.0),
        ];
        let found = [
            terms.information,
            terms.total_correlation,
            terms.own_divergence,
        ];
        let expected = [information, correlation, own_divergence];
        for ((found, expected), spread) in found.into_iter().zip(expected).zip(spreads) {
            let found = f64::from(values(found)[0]);
            let error = spread / (M as f64).sqrt();
            assert!(
                (found - expected).abs() < 4.0 * error,
                "{found} is not {expected} ± {error}"
            );
        }
    }

    #[test]
    fn the_parts_make_up_the_divergence_whatever_the_constant() {
        let posterior = Posterior {
            mean: matrix([6, 5], 1.1),
            log_variance: matrix([6, 5], 2.3),
        };
        let z = matrix([6, 5], 0.3);
        let whole = posterior.log_density(z.clone()) - standard_normal(z.clone());
        let whole = values(whole.mean())[0];
        for samples in [1, 1000] {
            let terms = Decomposed::of(&posterior, z.clone(), samples);
            let sum = terms.information + terms.total_correlation + terms.own_divergence;
            let sum = values(sum)[0];
            assert!((sum - whole).abs() < 1e-4, "{sum} is not {whole}");
        }
    }

    #[test]
    fn the_parts_agree_with_torch() {
        check_loss("decomposed", [6, 5], |z| {
            let posterior = Posterior {
                mean: matrix([6, 5], 1.1),
                log_variance: matrix([6, 5], 2.3),
            };
            let terms = Decomposed::of(&posterior, z, 1000);
            terms.information * 2.0 + terms.total_correlation * 3.0 + terms.own_divergence * 5.0
        });
    }
}
