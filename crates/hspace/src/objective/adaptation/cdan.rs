//! Conditional domain-adversarial training: a discriminator that sees features and answers together cannot tell the domains apart.
//!
//! As [`super::dann`] with `f(x) ⊗ p(y | x)` in place of the features, the probabilities being constants (Long et al. 2018, arXiv:1705.10667, equations 3
//! and 4; TLLib). With `entropy` samples count by `1 + exp(−H(p))` (CDAN+E, equation 8), scaled to a mean of 1 in each domain.
//!
//! Deviations: the outer product is never projected at random to fewer dimensions (the paper does above 4,096).

use burn_tensor::Tensor;
use burn_tensor::activation::softmax;
use serde::{Deserialize, Serialize};

use super::dann::{discrimination, domain_accuracy, halves};
use super::source_and_target::{SourceAndTarget, reversal_ramp, reversed};
use crate::list::{self, Configured, Entry};
use crate::objective::heads::{not_negative, positive, projector};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream};

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Weight of the discriminator's loss, 0 or above.
    weight: f64,
    /// Whether sure answers count more.
    entropy: bool,
    /// Units of each of the discriminator's two hidden layers.
    units: usize,
    /// Samples of the target per labelled one.
    ratio: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            weight: 1.0,
            entropy: false,
            units: 1024,
            ratio: 1,
        }
    }
}

struct Cdan {
    settings: Settings,
    domains: SourceAndTarget,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "cdan",
    summary: "domain adaptation: the same of features and answers together",
    source: "Long et al. 2018, arXiv:1705.10667",
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
            Ok(Box::new(Cdan { settings, domains }))
        },
    },
};

/// The outer product of each row of `f [n, d]` and `p [n, c]`, `[n, c · d]`.
fn outer(f: Tensor<2>, p: Tensor<2>) -> Tensor<2> {
    let ([n, d], [_, c]) = (f.dims(), p.dims());
    let products = p.reshape([n, c, 1]) * f.reshape([n, 1, d]);
    products.reshape([n, c * d])
}

/// `1 + exp(−H(p))` of each row, scaled to a mean of 1, `[n, 1]`.
pub(super) fn certainty(p: Tensor<2>) -> Tensor<2> {
    let entropy = -(p.clone() * (p + 1e-5).log()).sum_dim(1);
    let weight = (-entropy).exp() + 1.0;
    let mean = weight.clone().mean().reshape([1, 1]);
    weight / mean
}

impl Objective for Cdan {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.domains.prepare(spec, "cdan")
    }

    fn answers(&self) -> bool {
        true
    }

    fn streams(&self) -> Vec<Stream> {
        self.domains.streams()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let encoded = self.domains.encode(net, batches);
        let Settings {
            weight,
            units,
            entropy,
            ..
        } = self.settings;
        let n = batches[0].rows.len();
        let p = net.constant(softmax(encoded.logits(), 1));
        let x = outer(encoded.features(), p.clone());
        let x = reversed(net, x, reversal_ramp(net.progress()));
        let logits = halves(
            projector(&net.at("discriminator"), x, &[units, units, 1]),
            n,
        );
        let weights = entropy.then(|| halves(p, n).map(certainty));
        let domain = discrimination(logits.clone(), weights);
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
    use crate::golden::{check_loss, matrix};

    #[test]
    fn outer_products_and_certainties_agree_with_pytorch() {
        let p = softmax(matrix([6, 3], 1.1), 1);
        check_loss("cdan", [6, 4], |f| {
            let weight = matrix([1, 12], 2.3);
            let x = (outer(f, p.clone()) * weight).sum_dim(1);
            let weights = halves(p.clone(), 3).map(certainty);
            discrimination(halves(x, 3), Some(weights))
        });
    }
}
