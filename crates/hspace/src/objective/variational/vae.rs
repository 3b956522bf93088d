//! Variational autoencoder: a lower bound on `log p(x)` with a standard normal prior.
//!
//! `loss = −E_q log p(x | z) + w Σ_j max(KL_j, λ)` with KL_j the mean over the batch of the divergence in
//! dimension j (Kingma & Welling 2014, arXiv:1312.6114, equation 10). w rises from 0 to 1 over the first
//! part of the training (warm-up; Sønderby et al. 2016, arXiv:1602.02282), λ is the free bits, in nats
//! (Kingma et al. 2016, arXiv:1606.04934). The first paper has neither; here the first tenth of a training is
//! warm-up, against latents that fall silent before the decoder can use them.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::list::{Configured, Entry};
use crate::objective::heads::{not_negative, share};
use crate::objective::variational::latent::{self, Model, Variant, loss_of, sum_columns};
use crate::objective::{Batch, Loss, Net, Objective};
use crate::optim::schedule::ramp;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct Vae {
    /// Share of the training in which the divergence's weight rises from 0, 0 to 1.
    warmup: f64,
    /// λ: nats of each latent that cost nothing.
    free_bits: f64,
}

impl Default for Vae {
    fn default() -> Self {
        Vae {
            warmup: 0.1,
            free_bits: 0.0,
        }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "vae",
    summary: "variational: draws the sample from a latent of standard normal prior",
    source: "Kingma & Welling 2014, arXiv:1312.6114",
    item: Configured {
        defaults: latent::defaults::<Vae>,
        make: latent::make::<Vae>,
    },
};

impl Variant for Vae {
    fn validate(&self, _: usize) -> Vec<String> {
        let free = not_negative(&[("free_bits", self.free_bits)]);
        [share("warmup", self.warmup), free].concat()
    }

    fn advice(&self) -> &'static str {
        "let the divergence begin later (objective.warmup), or set objective.free_bits"
    }

    fn loss(&self, model: &Model, net: &Net, batch: &Batch, _: usize) -> Loss {
        let x = batch.views[0].clone();
        let posterior = model.posterior(net, x.clone());
        let z = posterior.draw(net, "posterior");
        let likelihood = model.log_likelihood(net, x, z);
        let divergences = posterior.divergence();
        let weight = ramp(0.0, 1.0, self.warmup, net.progress());
        let total = self.paid(divergences.clone()) * weight - likelihood.clone().mean();
        loss_of(total, likelihood, sum_columns(divergences), &posterior)
    }
}

impl Vae {
    /// What divergences `[n, d]` cost, `[1]`.
    fn paid(&self, divergences: Tensor<2>) -> Tensor<1> {
        let mean = divergences.mean_dim(0);
        mean.clamp_min(self.free_bits).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{check_loss, matrix};
    use crate::objective::variational::latent::Posterior;

    #[test]
    fn free_bits_agree_with_torch() {
        let with = |free_bits| Vae {
            free_bits,
            ..Vae::default()
        };
        for (name, vae) in [("free_bits", with(0.4)), ("divergence", with(0.0))] {
            check_loss(name, [6, 5], |mean| {
                let log_variance = matrix([6, 5], 2.3);
                vae.paid(Posterior { mean, log_variance }.divergence())
            });
        }
    }
}
