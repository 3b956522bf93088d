//! Domain-adversarial training: features from which a discriminator cannot tell the domains apart.
//!
//! `loss = mean −log p(y | x) + w mean BCE(D(R(f(x))), domain)` over samples of both domains, the mean of the two domains' means; the gradient reversal
//! R multiplies the gradient that reaches the encoder by −λ, and λ rises from 0 to 1 over the training (Ganin et al. 2016, arXiv:1505.07818, equations
//! 9, 14 and 17). The discriminator has two hidden layers of 1,024 units with batch normalisation, as in TLLib (its λ rises over 1,000 steps to
//! .46 alone).
//!
//! Deviations: one learning rate for all (the papers' encoders begin pretrained, at a tenth of the heads').

use burn_tensor::Tensor;
use burn_tensor::activation::log_sigmoid;
use serde::{Deserialize, Serialize};

use super::source_and_target::{SourceAndTarget, reversal_ramp, reversed};
use crate::list::{self, Configured, Entry};
use crate::objective::heads::{not_negative, positive, projector};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream};

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// w, 0 or above.
    weight: f64,
    /// Units of each of the discriminator's two hidden layers.
    units: usize,
    /// Samples of the target per labelled one.
    ratio: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            weight: 1.0,
            units: 1024,
            ratio: 1,
        }
    }
}

struct Dann {
    settings: Settings,
    domains: SourceAndTarget,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "dann",
    summary: "domain adaptation: features from which a discriminator cannot tell the domains apart",
    source: "Ganin et al. 2016, arXiv:1505.07818",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let problems = [
                not_negative(&[("weight", settings.weight)]),
                positive(&[("units", settings.units), ("ratio", settings.ratio)]),
            ];
            list::refuse(problems.concat())?;
            let domains = SourceAndTarget::new(settings.ratio);
            Ok(Box::new(Dann { settings, domains }))
        },
    },
};

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
pub(super) fn domain_accuracy(logits: &[Tensor<2>; 2]) -> Tensor<1> {
    let [source, target] = logits.clone().map(|x| x.inner());
    let right = [source.greater_elem(0.0), target.lower_elem(0.0)];
    let [a, b] = right.map(|x| x.float().mean());
    (a + b) * 0.5
}

/// The two parts of rows of both domains, the first `n` of the source.
pub(super) fn halves(x: Tensor<2>, n: usize) -> [Tensor<2>; 2] {
    let [all, _] = x.dims();
    [x.clone().narrow(0, 0, n), x.narrow(0, n, all - n)]
}

impl Objective for Dann {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.domains.prepare(spec, "dann")
    }

    fn answers(&self) -> bool {
        true
    }

    fn streams(&self) -> Vec<Stream> {
        self.domains.streams()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let encoded = self.domains.encode(net, batches);
        let Settings { weight, units, .. } = self.settings;
        let strength = reversal_ramp(net.progress());
        let x = reversed(net, encoded.features(), strength);
        let logits = projector(&net.at("discriminator"), x, &[units, units, 1]);
        let logits = halves(logits, batches[0].rows.len());
        let domain = discrimination(logits.clone(), None);
        let mut metrics = encoded.metrics;
        metrics.push(("domain", domain.clone()));
        metrics.push((
            "domain_accuracy",
            domain_accuracy(&logits).to_device(net.device()),
        ));
        Loss {
            metrics,
            ..Loss::of(
                encoded.supervised + domain * weight,
                vec![encoded.source[0].clone(), encoded.target[0].clone()],
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::check_loss;

    #[test]
    fn the_discriminator_s_loss_agrees_with_pytorch() {
        check_loss("domain", [7, 1], |logits| {
            discrimination(halves(logits, 3), None)
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
