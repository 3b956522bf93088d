//! Invariant risk minimisation: one classifier is the best in every domain.
//!
//! `loss = mean_d L_d + λ mean_d (∂ L_d(w · z) / ∂w at w = 1)²`, z the logits (Arjovsky et al. 2019, arXiv:1907.02893, IRMv1). The derivative is
//! `mean_i Σ_c (p_ic − y_ic) z_ic`. λ is 1 in the first `anneal` of the training, as in DomainBed (500 of 5,000 steps).
//!
//! Deviations: the square of one batch's derivative, where DomainBed multiplies those of its two halves, which is unbiased; the optimizer's
//! moments are kept when λ changes.

use burn_tensor::activation::softmax;
use serde::{Deserialize, Serialize};

use super::labelled_domains::LabelledDomains;
use crate::list::{self, Configured, Entry};
use crate::objective::heads::{not_negative, share};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream};

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// λ, 0 or above.
    weight: f64,
    /// Share of the training in which λ is 1, 0..=1.
    anneal: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            weight: 100.0,
            anneal: 0.1,
        }
    }
}

struct Irm {
    settings: Settings,
    domains: LabelledDomains,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "irm",
    summary: "domain generalisation: one classifier is the best in every labelled domain",
    source: "Arjovsky et al. 2019, arXiv:1907.02893",
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
            Ok(Box::new(Irm { settings, domains }))
        },
    },
};

impl Objective for Irm {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.domains.prepare(spec, "irm")
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
        let z = by_domain.logits.clone();
        let one_hot = self.domains.classes.one_hot(net, &by_domain.labels);
        let slope = ((softmax(z.clone(), 1) - one_hot) * z).sum_dim(1);
        let penalty = by_domain.means(slope).powi_scalar(2).mean();
        let weight = match net.progress() < self.settings.anneal {
            true => self.settings.weight.min(1.0),
            false => self.settings.weight,
        };
        let mut metrics = by_domain.metrics;
        metrics.push(("penalty", penalty.clone()));
        metrics.push(("worst_domain", losses.clone().max()));
        Loss {
            metrics,
            ..Loss::of(losses.mean() + penalty * weight, vec![by_domain.features])
        }
    }
}
