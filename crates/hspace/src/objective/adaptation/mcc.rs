//! Minimum class confusion: the classes that the network confuses on samples of the target become few.
//!
//! `loss = mean −log p(y | x) + w / C Σ_{c ≠ c'} M_cc'`, where M is `Pᵀ W P` with rows scaled to a sum of 1: P the probabilities of the target's
//! samples at temperature T, W weights `1 + exp(−H(p))` of mean 1, constants (Jin et al. 2020, arXiv:1912.03699, equations 3 to 8).

use burn_tensor::Tensor;
use burn_tensor::activation::softmax;
use serde::{Deserialize, Serialize};

use super::cdan::certainty;
use super::source_and_target::SourceAndTarget;
use crate::list::{self, Configured, Entry};
use crate::objective::heads::{not_negative, positive, positive_number};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream};

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// w, 0 or above.
    weight: f64,
    /// T, above 0.
    temperature: f64,
    /// Samples of the target per labelled one.
    ratio: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            weight: 1.0,
            temperature: 2.5,
            ratio: 1,
        }
    }
}

struct Mcc {
    settings: Settings,
    domains: SourceAndTarget,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "mcc",
    summary: "domain adaptation: the classes that are confused on the target become few",
    source: "Jin et al. 2020, arXiv:1912.03699",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let problems = [
                not_negative(&[("weight", settings.weight)]),
                positive(&[("ratio", settings.ratio)]),
                positive_number("temperature", settings.temperature),
            ];
            list::refuse(problems.concat())?;
            let domains = SourceAndTarget::new(settings.ratio);
            Ok(Box::new(Mcc { settings, domains }))
        },
    },
};

/// The mean over classes of how often they are confused with others, `[1]`, of logits `[n, C]`.
fn confusion(net: &Net, logits: Tensor<2>, temperature: f64) -> Tensor<1> {
    let [_, classes] = logits.dims();
    let p = softmax(logits / temperature, 1);
    let weights = net.constant(certainty(p.clone()));
    let confused = (p.clone() * weights).transpose().matmul(p);
    let own = Tensor::<2>::eye(classes, net.device());
    let share = confused.clone() / confused.sum_dim(1);
    (share.clone().sum() - (share * own).sum()) / classes as f64
}

impl Objective for Mcc {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.domains.prepare(spec, "mcc")
    }

    fn answers(&self) -> bool {
        true
    }

    fn streams(&self) -> Vec<Stream> {
        self.domains.streams()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let encoded = self.domains.encode(net, batches);
        let features = vec![encoded.source[0].clone(), encoded.target[0].clone()];
        let part = confusion(net, encoded.target[1].clone(), self.settings.temperature);
        let mut metrics = encoded.metrics;
        metrics.push(("confusion", part.clone()));
        Loss {
            metrics,
            ..Loss::of(encoded.supervised + part * self.settings.weight, features)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::check_loss;
    use crate::nn::{Mode, Pass, Weights};

    #[test]
    fn agrees_with_pytorch() {
        let weights = Weights::default();
        let pass = Pass::new(&weights, Mode::Train, &crate::device::Device::cpu());
        let encoder = crate::encoder::make("mlp", Default::default()).unwrap();
        let net = Net::new(&*encoder, &pass);
        check_loss("mcc", [6, 4], |logits| confusion(&net, logits, 2.5));
    }
}
