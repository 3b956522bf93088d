//! Group distributionally robust optimisation: domains with a high loss weigh more.
//!
//! `loss = Σ_d q_d L_d`, L_d the cross-entropy in domain d; after each step `q_d ← q_d exp(η L_d)`, scaled to a sum of 1 (Sagawa et al. 2020,
//! arXiv:1911.08731, algorithm 1; DomainBed). Domains that a batch has none of keep their q.
//!
//! Deviations: batches are of all labelled samples, not of as many from each domain.

use burn_tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};

use super::labelled_domains::LabelledDomains;
use crate::list::{self, Configured, Entry};
use crate::nn::Init;
use crate::objective::heads::not_negative;
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream};

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// η, 0 or above.
    step: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { step: 0.01 }
    }
}

struct GroupDro {
    settings: Settings,
    domains: LabelledDomains,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "group_dro",
    summary: "domain generalisation: of several labelled domains the worst weighs most",
    source: "Sagawa et al. 2020, arXiv:1911.08731",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            list::refuse(not_negative(&[("step", settings.step)]))?;
            let domains = LabelledDomains::default();
            Ok(Box::new(GroupDro { settings, domains }))
        },
    },
};

impl Objective for GroupDro {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.domains.prepare(spec, "group_dro")
    }

    fn answers(&self) -> bool {
        true
    }

    fn streams(&self) -> Vec<Stream> {
        self.domains.streams()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let count = self.domains.count;
        let by_domain = self.domains.encode(net, batches);
        let losses = by_domain.losses();
        let memory = net.at("memory");
        let before = memory.buffer("weights", count, Init::Constant(1.0 / count as f32));
        let rows: Vec<i64> = by_domain.present.iter().map(|&d| d as i64).collect();
        let rows = Tensor::<1, Int>::from_data(&rows[..], net.device());
        // Weights of all domains; those that are not there have a loss of 0 here.
        let own = losses.clone().inner().to_device(net.device());
        let all = Tensor::<1>::zeros([count], net.device());
        let all = all.select_assign(0, rows.clone(), own, burn_tensor::IndexingUpdateOp::Add);
        let raised = before * (all * self.settings.step).exp();
        let weights = raised.clone() / raised.sum();
        memory.update("weights", weights.clone());
        let weights = net.constant(weights.reshape([1, count]));
        let present = weights.reshape([count]).select(0, rows);
        let total = (losses.clone() * present).sum();
        let mut metrics = by_domain.metrics;
        metrics.push(("worst_domain", losses.max()));
        Loss {
            metrics,
            ..Loss::of(total, vec![by_domain.features])
        }
    }
}
