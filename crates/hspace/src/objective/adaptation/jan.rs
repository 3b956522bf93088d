//! Joint adaptation network: the maximum mean discrepancy of features and answers together is small.
//!
//! `loss = mean −log p(y | x) + w JMMD²`, whose kernel is the product of that of the features ([`super::mmd`]) and a Gaussian one of the probabilities
//! of the classes with σ = .92 (Long et al. 2017, arXiv:1605.06636, equation 9; TLLib).
//!
//! Deviations: as TLLib, without the adversarial choice of kernels (JAN-A).

use super::mmd::{OWN, discrepancy, kernel, kernels};
use burn_tensor::activation::softmax;
use serde::{Deserialize, Serialize};

use super::source_and_target::SourceAndTarget;
use crate::list::{self, Configured, Entry};
use crate::objective::heads::{not_negative, positive};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream};

/// σ of the kernel of the probabilities.
const SIGMA: f64 = 0.92;

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// w, 0 or above.
    weight: f64,
    /// Samples of the target per labelled one.
    ratio: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            weight: 1.0,
            ratio: 1,
        }
    }
}

struct Jan {
    settings: Settings,
    domains: SourceAndTarget,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "jan",
    summary: "domain adaptation: the maximum mean discrepancy of features and answers together is small",
    source: "Long et al. 2017, arXiv:1605.06636",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let problems = [
                not_negative(&[("weight", settings.weight)]),
                positive(&[("ratio", settings.ratio)]),
            ];
            list::refuse(problems.concat())?;
            let domains = SourceAndTarget::new(settings.ratio);
            Ok(Box::new(Jan { settings, domains }))
        },
    },
};

impl Objective for Jan {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.domains.prepare(spec, "jan")
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
        let answers = kernel(softmax(encoded.logits(), 1), SIGMA);
        let k = kernels(net, encoded.features()) * answers;
        let part = discrepancy(k, batches[0].rows.len(), OWN);
        let mut metrics = encoded.metrics;
        metrics.push(("distance", part.clone()));
        Loss {
            metrics,
            ..Loss::of(encoded.supervised + part * self.settings.weight, features)
        }
    }
}
