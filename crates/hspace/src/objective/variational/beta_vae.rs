//! β-VAE: the divergence weighs more, so that latents become independent.
//!
//! `loss = −E_q log p(x | z) + β KL` (Higgins et al. 2017, ICLR, equation 4); or, with a capacity,
//! `−E_q log p(x | z) + γ |KL − C|`, C rising from 0 (Burgess et al. 2018, arXiv:1804.03599, equation 8).
//! β is 4 as in the first paper's examples. γ is the second's 1000, its C of 25 nats over 100,000 steps is for
//! the user to set: what a shorter training can fill is not known.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::list::{Configured, Entry};
use crate::objective::heads::{not_negative, share};
use crate::objective::variational::latent::{self, Model, Variant, loss_of, sum_columns};
use crate::objective::{Batch, Loss, Net, Objective};
use crate::optim::schedule::ramp;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct BetaVae {
    /// β ≥ 0; without effect where there is a capacity.
    beta: f64,
    /// C at the end, in nats; 0 for no capacity.
    capacity: f64,
    /// γ ≥ 0, the weight of what the divergence is off the capacity.
    capacity_weight: f64,
    /// Share of the training in which C rises, 0 to 1.
    capacity_rise: f64,
}

impl Default for BetaVae {
    fn default() -> Self {
        BetaVae {
            beta: 4.0,
            capacity: 0.0,
            capacity_weight: 1000.0,
            capacity_rise: 0.8,
        }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "beta_vae",
    summary: "variational, with a heavier divergence or a capacity that rises",
    source: "Higgins et al. 2017, ICLR; Burgess et al. 2018, arXiv:1804.03599",
    item: Configured {
        defaults: latent::defaults::<BetaVae>,
        make: latent::make::<BetaVae>,
    },
};

impl Variant for BetaVae {
    fn validate(&self, _: usize) -> Vec<String> {
        let numbers = [
            ("beta", self.beta),
            ("capacity", self.capacity),
            ("capacity_weight", self.capacity_weight),
        ];
        let rise = share("capacity_rise", self.capacity_rise);
        [rise, not_negative(&numbers)].concat()
    }

    fn advice(&self) -> &'static str {
        "lower objective.beta, or set objective.capacity"
    }

    fn loss(&self, model: &Model, net: &Net, batch: &Batch, _: usize) -> Loss {
        let x = batch.views[0].clone();
        let posterior = model.posterior(net, x.clone());
        let z = posterior.draw(net, "posterior");
        let likelihood = model.log_likelihood(net, x, z);
        let divergence = sum_columns(posterior.divergence());
        let cost = self.cost(divergence.clone().mean(), net.progress());
        let total = cost - likelihood.clone().mean();
        loss_of(total, likelihood, divergence, &posterior)
    }
}

impl BetaVae {
    /// What a divergence costs, `[1]` each.
    fn cost(&self, divergence: Tensor<1>, progress: f64) -> Tensor<1> {
        if self.capacity == 0.0 {
            return divergence * self.beta;
        }
        let capacity = ramp(0.0, self.capacity, self.capacity_rise, progress);
        (divergence - capacity).abs() * self.capacity_weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{check_loss, matrix};
    use crate::objective::variational::latent::Posterior;

    #[test]
    fn the_capacity_agrees_with_torch() {
        // Half of the rise to twice the capacity is the capacity.
        for (name, capacity) in [("capacity_below", 1.0), ("capacity_above", 50.0)] {
            let settings = BetaVae {
                capacity,
                capacity_weight: 4.0,
                ..BetaVae::default()
            };
            check_loss(name, [6, 5], |mean| {
                let log_variance = matrix([6, 5], 2.3);
                let divergence = sum_columns(Posterior { mean, log_variance }.divergence());
                settings.cost(divergence.mean(), 0.4)
            });
        }
    }
}
