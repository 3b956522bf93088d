//! Variance risk extrapolation: the losses of all domains are alike.
//!
//! `loss = mean_d L_d + β mean_d (L_d − mean L)²` (Krueger et al. 2021, arXiv:2003.00688, equation 8). β is 1 in the first `anneal` of the training, as
//! in DomainBed (500 of 5,000 steps).
//!
//! Deviations: the optimizer's moments are kept when β changes.

use serde::{Deserialize, Serialize};

use super::labelled_domains::LabelledDomains;
use crate::list::{self, Configured, Entry};
use crate::objective::heads::{not_negative, share};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream};

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// β, 0 or above.
    weight: f64,
    /// Share of the training in which β is 1, 0..=1.
    anneal: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            weight: 10.0,
            anneal: 0.1,
        }
    }
}

struct VRex {
    settings: Settings,
    domains: LabelledDomains,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "vrex",
    summary: "domain generalisation: the losses of all labelled domains are alike",
    source: "Krueger et al. 2021, arXiv:2003.00688",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let problems = [
                not_negative(&[("weight", settings.weight)]),
                share("anneal", settings.anneal),
            ];
            list::refuse(problems.concat())?;
            let domains = LabelledDomains::default();
            Ok(Box::new(VRex { settings, domains }))
        },
    },
};

impl Objective for VRex {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.domains.prepare(spec, "vrex")
    }

    fn answers(&self) -> bool {
        true
    }

    fn streams(&self) -> Vec<Stream> {
        self.domains.streams()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let by_domain = self.domains.encode(net, batches);
        let losses = by_domain.losses();
        let mean = losses.clone().mean();
        let variance = (losses.clone() - mean.clone()).powi_scalar(2).mean();
        let weight = match net.progress() < self.settings.anneal {
            true => self.settings.weight.min(1.0),
            false => self.settings.weight,
        };
        let mut metrics = by_domain.metrics;
        metrics.push(("variance", variance.clone()));
        metrics.push(("worst_domain", losses.max()));
        Loss {
            metrics,
            ..Loss::of(mean + variance * weight, vec![by_domain.features])
        }
    }
}
