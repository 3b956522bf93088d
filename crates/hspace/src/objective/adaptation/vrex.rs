//! Variance risk extrapolation: the losses of all domains are alike.
//!
//! `loss = mean_d L_d + β mean_d (L_d − mean L)²` (Krueger et al. 2021, arXiv:2003.00688, equation 8). β is 1 in the first `anneal` of the training, as
//! in DomainBed (500 of 5,000 steps).
//!
//! Deviations: the optimizer's moments are kept when β changes.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::labelled_domains::{ByDomain, LabelledDomains};
use super::part::Part;
use super::risk::{self, Risk, annealed, validate_annealed};
use crate::list::{Configured, Entry};
use crate::objective::{Net, Objective};

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct VRex {
    /// β, 0 or above.
    weight: f64,
    /// Share of the training in which β is 1, 0..=1.
    anneal: f64,
}

impl Default for VRex {
    fn default() -> Self {
        VRex {
            weight: 10.0,
            anneal: 0.1,
        }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: VRex::NAME,
    summary: "domain generalisation: the losses of all labelled domains are alike",
    source: "Krueger et al. 2021, arXiv:2003.00688",
    item: risk::objective::<VRex>(),
};

impl Risk for VRex {
    const NAME: &'static str = "vrex";

    fn validate(&self) -> Vec<String> {
        validate_annealed(self.weight, self.anneal)
    }

    fn risk(&self, net: &Net, _: &LabelledDomains, _: &ByDomain, losses: Tensor<1>) -> Part {
        let mean = losses.clone().mean();
        let variance = (losses - mean.clone()).powi_scalar(2).mean();
        let weight = annealed(net, self.weight, self.anneal);
        Part {
            value: mean + variance.clone() * weight,
            metrics: vec![("variance", variance)],
        }
    }
}
