//! Importance-weighted autoencoder: a tighter bound from several draws of the posterior.
//!
//! `loss = −log (1/k) Σ_i p(x | z_i) p(z_i) / q(z_i | x)`, z_i from q (Burda et al. 2016,
//! arXiv:1509.00519, equation 8).

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::list::{Configured, Entry};
use crate::objective::heads::positive;
use crate::objective::variational::latent::{
    self, Model, Variant, log_sum_exp, loss_of, standard_normal, sum_columns,
};
use crate::objective::{Batch, Loss, Net, Objective};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct Iwae {
    /// k, at least 1; the cost of decoding grows with it.
    draws: usize,
}

impl Default for Iwae {
    fn default() -> Self {
        Iwae { draws: 5 }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "iwae",
    summary: "variational, with a tighter bound from several draws",
    source: "Burda et al. 2016, arXiv:1509.00519",
    item: Configured {
        defaults: latent::defaults::<Iwae>,
        make: latent::make::<Iwae>,
    },
};

impl Variant for Iwae {
    fn validate(&self, _: usize) -> Vec<String> {
        positive(&[("draws", self.draws)])
    }

    fn loss(&self, model: &Model, net: &Net, batch: &Batch, _: usize) -> Loss {
        let x = batch.views[0].clone();
        let n = batch.rows.len();
        let posterior = model.posterior(net, x.clone());
        let many = posterior.repeated(self.draws);
        let z = many.draw(net, "posterior");
        let likelihood = model.log_likelihood(net, x.repeat_dim(0, self.draws), z.clone());
        let ratio = standard_normal(z.clone()) - many.log_density(z);
        let bound = bound((likelihood.clone() + ratio).reshape([self.draws, n]));
        let divergence = sum_columns(posterior.divergence());
        loss_of(-bound, likelihood, divergence, &posterior)
    }
}

/// `mean log (1/k) Σ exp w` of log weights `[k, n]`, `[1]`.
fn bound(log_weights: Tensor<2>) -> Tensor<1> {
    let [k, _] = log_weights.dims();
    log_sum_exp(log_weights, 0).mean() - (k as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::check_loss;

    #[test]
    fn the_bound_agrees_with_torch() {
        check_loss("iwae", [6, 5], bound);
    }
}
