//! FactorVAE: the total correlation, estimated by a discriminator, weighs more.
//!
//! `loss = −ELBO + γ E_q [log D(z) − log(1 − D(z))]` where D tells draws of q(z) from draws whose
//! dimensions were shuffled over the batch, and is trained for that in an update group of its own (Kim & Mnih
//! 2018, arXiv:1802.05983, equation 3 and algorithm 1). D is the paper's: six layers of 1000 units with
//! leaky ReLU, and two outputs. γ is 10, the least that Locatello et al. (2019) try; the
//! paper's best on dSprites is 35. Deviations: its learning rate is a tenth of the others', which begin twenty
//! times above the paper's, its Adam is that of all objectives, and the shuffled draws are of the same batch, not
//! of a second.

use burn_tensor::activation::log_softmax;
use burn_tensor::{Int, Tensor, TensorData};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::list::{Configured, Entry};
use crate::nn::layers::{linear, linear_leaky};
use crate::objective::heads::{not_negative, positive, positive_number};
use crate::objective::variational::latent::{self, Model, Variant, loss_of, sum_columns};
use crate::objective::{Batch, Loss, Net, Objective, UpdateGroup};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct FactorVae {
    /// γ ≥ 0.
    gamma: f64,
    /// Hidden layers of the discriminator.
    discriminator_layers: usize,
    /// Units of each.
    discriminator_units: usize,
    /// Its learning rate, of that of the rest.
    discriminator_rate: f64,
}

impl Default for FactorVae {
    fn default() -> Self {
        FactorVae {
            gamma: 10.0,
            discriminator_layers: 6,
            discriminator_units: 1000,
            discriminator_rate: 0.1,
        }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "factor_vae",
    summary: "variational, with a heavier total correlation, estimated by a discriminator",
    source: "Kim & Mnih 2018, arXiv:1802.05983",
    item: Configured {
        defaults: latent::defaults::<FactorVae>,
        make: latent::make::<FactorVae>,
    },
};

/// Of what is below 0 in the discriminator.
const SLOPE: f32 = 0.2;

impl Variant for FactorVae {
    fn validate(&self, _: usize) -> Vec<String> {
        let sizes = [
            ("discriminator_layers", self.discriminator_layers),
            ("discriminator_units", self.discriminator_units),
        ];
        let rate = positive_number("discriminator_rate", self.discriminator_rate);
        let gamma = not_negative(&[("gamma", self.gamma)]);
        [positive(&sizes), rate, gamma].concat()
    }

    fn update_groups(&self) -> Vec<UpdateGroup> {
        vec![
            UpdateGroup::of(
                "model",
                &["encoder", "log_variance", "decoder", "log_scale"],
            ),
            UpdateGroup {
                rate: self.discriminator_rate,
                ..UpdateGroup::of("discriminator", &["discriminator"])
            },
        ]
    }

    fn loss(&self, model: &Model, net: &Net, batch: &Batch, group: usize) -> Loss {
        let x = batch.views[0].clone();
        let features = match group {
            0 => net.trunk(x.clone()),
            // Running statistics have seen these samples in the first update group.
            _ => net.trunk_without_bn_update(x.clone()),
        };
        let posterior = model.posterior_of(net, features);
        let z = posterior.draw(net, "posterior");
        if group == 1 {
            let n = z.dims()[0];
            let logits = self.logits(net, Tensor::cat(vec![z.clone(), shuffled(net, z)], 0));
            let total = discriminator_loss(logits.clone().narrow(0, 0, n), logits.narrow(0, n, n));
            return Loss {
                metrics: vec![("discriminator_loss", total.clone())],
                ..Loss::of(total, vec![posterior.mean])
            };
        }
        let likelihood = model.log_likelihood(net, x, z.clone());
        let logits = self.logits(net, z);
        let correlation = correlation(logits);
        let divergence = sum_columns(posterior.divergence());
        let total = divergence.clone().mean() - likelihood.clone().mean()
            + correlation.clone() * self.gamma;
        let mut loss = loss_of(total, likelihood, divergence, &posterior);
        loss.metrics.push(("total_correlation", correlation));
        loss
    }
}

impl FactorVae {
    /// Log probabilities of `z [n, d]` being a draw as it is, and of having been shuffled: `[n, 2]`.
    fn logits(&self, net: &Net, z: Tensor<2>) -> Tensor<2> {
        let place = net.at("discriminator");
        let mut x = z;
        for layer in 0..self.discriminator_layers {
            x = linear_leaky(&place.at(2 * layer), x, self.discriminator_units, SLOPE);
        }
        let logits = linear(&place.at(2 * self.discriminator_layers), x, 2, true);
        log_softmax(logits, 1)
    }
}

/// What the discriminator lowers, from the log probabilities `[n, 2]` of draws and of shuffled ones.
fn discriminator_loss(own: Tensor<2>, shuffled: Tensor<2>) -> Tensor<1> {
    let right = own.narrow(1, 0, 1) + shuffled.narrow(1, 1, 1);
    right.mean() * -0.5
}

/// The total correlation by the density ratio that the log probabilities `[n, 2]` of draws tell.
fn correlation(own: Tensor<2>) -> Tensor<1> {
    (own.clone().narrow(1, 0, 1) - own.narrow(1, 1, 1)).mean()
}

/// Each column of `[n, d]` in an order of its own.
pub(in crate::objective) fn shuffled(net: &Net, z: Tensor<2>) -> Tensor<2> {
    let [n, d] = z.dims();
    let mut rng = net.rng("shuffled");
    let mut places = vec![0i64; n * d];
    let mut order: Vec<i64> = (0..n as i64).collect();
    for column in 0..d {
        order.shuffle(&mut rng);
        for (row, &from) in order.iter().enumerate() {
            places[row * d + column] = from;
        }
    }
    let places = TensorData::new(places, [n, d]);
    z.gather(0, Tensor::<2, Int>::from_data(places, net.device()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::golden::{check_loss, matrix};
    use crate::nn::weights::values;
    use crate::nn::{Mode, Pass, Weights};

    #[test]
    fn each_column_is_shuffled_by_itself() {
        let (none, device) = (Weights::default(), Device::cpu());
        let encoder = crate::encoder::make("mlp", toml::Table::new()).unwrap();
        // Of columns that count the rows: the order of each.
        let orders = |seed: u64| -> Vec<Vec<usize>> {
            let pass = Pass::new(&none, Mode::Train, &device).with_seed(seed);
            let z = Tensor::<1, Int>::arange(0..50, &device).float();
            let z = z.reshape([50, 1]).repeat_dim(1, 3);
            let mixed = values(shuffled(&Net::new(&*encoder, &pass), z));
            let column = |j: usize| mixed.iter().skip(j).step_by(3).map(|x| *x as usize);
            (0..3).map(|j| column(j).collect()).collect()
        };
        let found = orders(1);
        for order in &found {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..50).collect::<Vec<_>>());
        }
        assert!(found[0] != found[1] && found[1] != found[2] && found[0] != found[2]);
        assert_eq!(found, orders(1));
        assert_ne!(found, orders(2));
    }

    #[test]
    fn both_turns_agree_with_torch() {
        check_loss("factor", [6, 2], |logits| {
            let shuffled = log_softmax(matrix([6, 2], 1.1), 1);
            discriminator_loss(log_softmax(logits, 1), shuffled)
        });
        check_loss("factor_correlation", [6, 2], |logits| {
            correlation(log_softmax(logits, 1))
        });
    }
}
