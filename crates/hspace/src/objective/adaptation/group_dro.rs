//! Group distributionally robust optimisation: domains with a high loss weigh more.
//!
//! `loss = Σ_d q_d L_d`, L_d the cross-entropy in domain d; after each step `q_d ← q_d exp(η L_d)`, scaled to a sum of 1 (Sagawa et al. 2020,
//! arXiv:1911.08731, algorithm 1; DomainBed). Domains that a batch has none of keep their q.
//!
//! Deviations: batches are of all labelled samples, not of as many from each domain.

use burn_tensor::{IndexingUpdateOp, Int, Tensor};
use serde::{Deserialize, Serialize};

use super::labelled_domains::{ByDomain, LabelledDomains};
use super::part::Part;
use super::risk::{self, Risk};
use crate::list::{Configured, Entry};
use crate::nn::Init;
use crate::objective::heads::not_negative;
use crate::objective::{Net, Objective};

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct GroupDro {
    /// η, 0 or above.
    step: f64,
}

impl Default for GroupDro {
    fn default() -> Self {
        GroupDro { step: 0.01 }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: GroupDro::NAME,
    summary: "domain generalisation: of several labelled domains the worst weighs most",
    source: "Sagawa et al. 2020, arXiv:1911.08731",
    item: risk::objective::<GroupDro>(),
};

impl Risk for GroupDro {
    const NAME: &'static str = "group_dro";

    fn validate(&self) -> Vec<String> {
        not_negative(&[("step", self.step)])
    }

    fn risk(
        &self,
        net: &Net,
        domains: &LabelledDomains,
        step: &ByDomain,
        losses: Tensor<1>,
    ) -> Part {
        let count = domains.count;
        let memory = net.at("memory");
        let before = memory.buffer("weights", count, Init::Constant(1.0 / count as f32));
        let rows: Vec<i64> = step.present.iter().map(|&d| d as i64).collect();
        let rows = Tensor::<1, Int>::from_data(&rows[..], net.device());
        // Weights of all domains; those that are not there have a loss of 0 here.
        let own = losses.clone().inner().to_device(net.device());
        let all = Tensor::<1>::zeros([count], net.device());
        let all = all.select_assign(0, rows.clone(), own, IndexingUpdateOp::Add);
        let raised = before * (all * self.step).exp();
        let weights = raised.clone() / raised.sum();
        memory.update("weights", weights.clone());
        let weights = net.constant(weights.reshape([1, count]));
        let present = weights.reshape([count]).select(0, rows);
        Part {
            value: (losses * present).sum(),
            metrics: vec![],
        }
    }
}
