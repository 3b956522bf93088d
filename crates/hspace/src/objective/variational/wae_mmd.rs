//! Wasserstein autoencoder with a maximum mean discrepancy: a code without noise whose distribution
//! over the data is that of the prior.
//!
//! `loss = E ‖x − decoder(code)‖² + λ MMD²(codes, prior)` with the inverse multiquadratic kernel
//! `k(a, b) = C / (C + ‖a − b‖²)`, summed over C = 2d · (0.1, 0.2, 0.5, 1, 2, 5, 10) (Tolstikhin et al.
//! 2018, arXiv:1711.01558, section 4). In place of the squared error there is `−log p(x | code)`:
//! with `objective.likelihood=gaussian` and `objective.scale` it is a squared error; the defaults are those
//! of the variational objectives.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::list::{Configured, Entry};
use crate::objective::heads::positive_number;
use crate::objective::variational::latent::{self, Model, Variant, active_units};
use crate::objective::{Batch, Loss, Net, Objective};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct Wae {
    /// λ > 0.
    lambda: f64,
}

impl Default for Wae {
    fn default() -> Self {
        Wae { lambda: 10.0 }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "wae_mmd",
    summary: "autoencoder whose codes are distributed as the prior, by a mean discrepancy",
    source: "Tolstikhin et al. 2018, arXiv:1711.01558",
    item: Configured {
        defaults: latent::defaults::<Wae>,
        make: latent::make::<Wae>,
    },
};

/// Scales of the kernel, of 2d.
const SCALES: [f64; 7] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

impl Variant for Wae {
    fn validate(&self, _: usize) -> Vec<String> {
        positive_number("lambda", self.lambda)
    }

    fn loss(&self, model: &Model, net: &Net, batch: &Batch, _: usize) -> Loss {
        let x = batch.views[0].clone();
        let code = net.coordinates(net.trunk(x.clone()), model.latents);
        let likelihood = model.log_likelihood(net, x, code.clone()).mean();
        let prior = net.normal("prior", code.dims());
        let discrepancy = discrepancy(code.clone(), prior);
        let total = discrepancy.clone() * self.lambda - likelihood.clone();
        Loss {
            metrics: vec![
                ("reconstruction", -likelihood),
                ("discrepancy", discrepancy),
                ("active_units", active_units(code.clone())),
            ],
            ..Loss::of(total, vec![code])
        }
    }

    fn has_posterior(&self) -> bool {
        false
    }
}

/// The unbiased estimate of MMD² between rows `[n, d]` and `[n, d]`, `[1]`.
fn discrepancy(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    let [n, d] = a.dims();
    let kernel = |a: &Tensor<2>, b: &Tensor<2>, same: bool| {
        let norms = |x: &Tensor<2>| x.clone().powi_scalar(2).sum_dim(1);
        let products = a.clone().matmul(b.clone().transpose());
        let distances = norms(a) + norms(b).transpose() - products * 2.0;
        let count = if same { n * (n - 1).max(1) } else { n * n } as f64;
        let one = |scale: f64| {
            let c = 2.0 * d as f64 * scale;
            let sum = ((distances.clone() + c).recip() * c).sum();
            // A row's distance from itself is 0, where the kernel is 1.
            if same { sum - n as f64 } else { sum }
        };
        let sums = SCALES.map(one);
        Tensor::cat(sums.to_vec(), 0).sum() / count
    };
    kernel(&a, &a, true) + kernel(&b, &b, true) - kernel(&a, &b, false) * 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{check_loss, matrix};

    #[test]
    fn the_discrepancy_agrees_with_torch() {
        check_loss("discrepancy", [6, 5], |codes| {
            discrepancy(codes, matrix([6, 5], 1.1))
        });
    }
}
