//! DIP-VAE: the aggregate posterior is held at independent latents of variance 1.
//!
//! `loss = −ELBO + λ_od Σ_{i≠j} C_ij² + λ_d Σ_i (C_ii − 1)²` with C the covariance of the means over the
//! batch (I), or of the draws, which is that plus the mean of the variances (II) (Kumar et al. 2018,
//! arXiv:1711.00848, equations 6 and 7). Both weights are 10, within the range that
//! Locatello et al. 2019 (arXiv:1811.12359) search.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::list::{Configured, Entry};
use crate::objective::heads::not_negative;
use crate::objective::variational::latent::{
    self, Model, Posterior, Variant, loss_of, sum_columns,
};
use crate::objective::{Batch, Loss, Net, Objective};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Form {
    #[serde(rename = "I")]
    One,
    #[serde(rename = "II")]
    Two,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct DipVae {
    /// `I`: covariance of the means; `II`: of the draws.
    form: Form,
    /// λ_od ≥ 0, of covariances.
    off_diagonal: f64,
    /// λ_d ≥ 0, of variances.
    diagonal: f64,
}

impl Default for DipVae {
    fn default() -> Self {
        DipVae {
            form: Form::Two,
            off_diagonal: 10.0,
            diagonal: 10.0,
        }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "dip_vae",
    summary: "variational, with uncorrelated latents of variance 1 over the data",
    source: "Kumar et al. 2018, arXiv:1711.00848",
    item: Configured {
        defaults: latent::defaults::<DipVae>,
        make: latent::make::<DipVae>,
    },
};

impl Variant for DipVae {
    fn validate(&self, _: usize) -> Vec<String> {
        let weights = [
            ("off_diagonal", self.off_diagonal),
            ("diagonal", self.diagonal),
        ];
        not_negative(&weights)
    }

    fn loss(&self, model: &Model, net: &Net, batch: &Batch, _: usize) -> Loss {
        let x = batch.views[0].clone();
        let posterior = model.posterior(net, x.clone());
        let z = posterior.draw(net, "posterior");
        let likelihood = model.log_likelihood(net, x, z);
        let divergence = sum_columns(posterior.divergence());
        let penalty = self.penalty(&posterior);
        let total = divergence.clone().mean() - likelihood.clone().mean() + penalty.clone();
        let mut loss = loss_of(total, likelihood, divergence, &posterior);
        loss.metrics.push(("covariance_penalty", penalty));
        loss
    }
}

impl DipVae {
    fn penalty(&self, posterior: &Posterior) -> Tensor<1> {
        let mean = posterior.mean.clone();
        let [n, d] = mean.dims();
        let device = mean.device().inner();
        let off = mean.clone() - mean.mean_dim(0);
        let covariance = off.clone().transpose().matmul(off) / n as f64;
        let eye = Tensor::<2>::eye(d, &device);
        let own = match self.form {
            Form::One => Tensor::zeros([1, d], &device),
            Form::Two => posterior.log_variance.clone().exp().mean_dim(0),
        };
        let diagonal = (covariance.clone() * eye.clone()).sum_dim(0) + own - 1.0;
        let others = covariance * (eye * -1.0 + 1.0);
        others.powi_scalar(2).sum() * self.off_diagonal
            + diagonal.powi_scalar(2).sum() * self.diagonal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{check_loss, matrix};

    #[test]
    fn both_penalties_agree_with_torch() {
        for (form, name) in [(Form::One, "dip_I"), (Form::Two, "dip_II")] {
            let settings = DipVae {
                form,
                off_diagonal: 3.0,
                diagonal: 2.0,
            };
            check_loss(name, [6, 5], |mean| {
                let log_variance = matrix([6, 5], 2.3);
                settings.penalty(&Posterior { mean, log_variance })
            });
        }
    }
}
