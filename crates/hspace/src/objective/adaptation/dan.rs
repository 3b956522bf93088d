//! Deep adaptation network: the maximum mean discrepancy of the features of both domains is small.
//!
//! `loss = mean −log p(y | x) + w MMD²(f_s, f_t)`, with five Gaussian kernels ([`super::mmd`]; Long et al. 2015, arXiv:1502.02791, equation 5).
//!
//! Deviations: of the pooled features alone (the paper: of the last three layers), with kernels of equal weight, which the paper learns; unbiased over
//! all pairs, as TLLib, not its linear-time estimate.

use super::mmd::{OWN, discrepancy, kernels};
use serde::{Deserialize, Serialize};

use super::source_and_target::SourceAndTarget;
use crate::list::{self, Configured, Entry};
use crate::objective::heads::{not_negative, positive};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream};

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

struct Dan {
    settings: Settings,
    domains: SourceAndTarget,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "dan",
    summary: "domain adaptation: the maximum mean discrepancy of the features of both domains is small",
    source: "Long et al. 2015, arXiv:1502.02791",
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
            Ok(Box::new(Dan { settings, domains }))
        },
    },
};

impl Objective for Dan {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.domains.prepare(spec, "dan")
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
        let part = discrepancy(kernels(net, encoded.features()), batches[0].rows.len(), OWN);
        let mut metrics = encoded.metrics;
        metrics.push(("distance", part.clone()));
        Loss {
            metrics,
            ..Loss::of(encoded.supervised + part * self.settings.weight, features)
        }
    }
}
