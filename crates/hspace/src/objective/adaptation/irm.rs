//! Invariant risk minimisation: one classifier is the best in every domain.
//!
//! `loss = mean_d L_d + λ mean_d (∂ L_d(w · z) / ∂w at w = 1)²`, z the logits (Arjovsky et al. 2019, arXiv:1907.02893, IRMv1). The derivative is
//! `mean_i Σ_c (p_ic − y_ic) z_ic`. λ is 1 in the first `anneal` of the training, as in DomainBed (500 of 5,000 steps).
//!
//! Deviations: the square of one batch's derivative, where DomainBed multiplies those of its two halves, which is unbiased; the optimizer's
//! moments are kept when λ changes.

use burn_tensor::Tensor;
use burn_tensor::activation::softmax;
use serde::{Deserialize, Serialize};

use super::labelled_domains::{ByDomain, LabelledDomains};
use super::part::Part;
use super::risk::{self, Risk, annealed, validate_annealed};
use crate::list::{Configured, Entry};
use crate::objective::{Net, Objective};

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Irm {
    /// λ, 0 or above.
    weight: f64,
    /// Share of the training in which λ is 1, 0..=1.
    anneal: f64,
}

impl Default for Irm {
    fn default() -> Self {
        Irm {
            weight: 100.0,
            anneal: 0.1,
        }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: Irm::NAME,
    summary: "domain generalisation: one classifier is the best in every labelled domain",
    source: "Arjovsky et al. 2019, arXiv:1907.02893",
    item: risk::objective::<Irm>(),
};

impl Risk for Irm {
    const NAME: &'static str = "irm";

    fn validate(&self) -> Vec<String> {
        validate_annealed(self.weight, self.anneal)
    }

    fn risk(
        &self,
        net: &Net,
        domains: &LabelledDomains,
        step: &ByDomain,
        losses: Tensor<1>,
    ) -> Part {
        let z = step.logits.clone();
        let one_hot = domains.classes.one_hot(net, &step.labels);
        let slope = ((softmax(z.clone(), 1) - one_hot) * z).sum_dim(1);
        let penalty = step.means(slope).powi_scalar(2).mean();
        let weight = annealed(net, self.weight, self.anneal);
        Part {
            value: losses.mean() + penalty.clone() * weight,
            metrics: vec![("penalty", penalty)],
        }
    }
}
