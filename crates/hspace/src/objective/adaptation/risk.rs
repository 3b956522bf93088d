//! Domain generalisation by a risk over several labelled domains: the objective of [`super::irm`], [`super::vrex`] and [`super::group_dro`], which differ in
//! that risk alone.

use burn_tensor::Tensor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Table;

use super::labelled_domains::{ByDomain, LabelledDomains};
use super::part::Part;
use crate::list::{self, Configured};
use crate::objective::heads::{not_negative, share};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream};

/// A method's settings, and its risk.
pub(super) trait Risk:
    Default + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The objective's name.
    const NAME: &'static str;

    /// Settings that are out of range.
    fn validate(&self) -> Vec<String>;

    /// What the optimizer lowers, for a step's samples; `losses [domains]` are the cross-entropies of the domains that the batch has.
    fn risk(
        &self,
        net: &Net,
        domains: &LabelledDomains,
        step: &ByDomain,
        losses: Tensor<1>,
    ) -> Part;
}

struct Generalised<R> {
    method: R,
    domains: LabelledDomains,
}

/// The objective with the risk of `R`.
pub(super) const fn objective<R: Risk>() -> Configured<dyn Objective> {
    Configured {
        defaults: list::defaults::<R>,
        make: make::<R>,
    }
}

fn make<R: Risk>(table: Table) -> Result<Box<dyn Objective>, String> {
    let method: R = list::parse(table)?;
    list::refuse(method.validate())?;
    let domains = LabelledDomains::default();
    Ok(Box::new(Generalised { method, domains }))
}

impl<R: Risk> Objective for Generalised<R> {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.domains.prepare(spec, R::NAME)
    }

    fn answers(&self) -> bool {
        true
    }

    fn streams(&self) -> Vec<Stream> {
        self.domains.streams()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let step = self.domains.encode(net, batches);
        let losses = step.losses();
        let own = self.method.risk(net, &self.domains, &step, losses.clone());
        let own = own.with("worst_domain", losses.max());
        Loss {
            metrics: [step.metrics, own.metrics].concat(),
            ..Loss::of(own.value, vec![step.features])
        }
    }
}

/// The weight of a penalty: `weight`, but 1 at most in the first `anneal` of the training, as in DomainBed (500 of 5,000 steps).
pub(super) fn annealed(net: &Net, weight: f64, anneal: f64) -> f64 {
    match net.progress() < anneal {
        true => weight.min(1.0),
        false => weight,
    }
}

/// What is out of range of the settings of [`annealed`].
pub(super) fn validate_annealed(weight: f64, anneal: f64) -> Vec<String> {
    [not_negative(&[("weight", weight)]), share("anneal", anneal)].concat()
}
