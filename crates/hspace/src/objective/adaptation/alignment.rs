//! Domain adaptation by a term that aligns the domains: the objective of [`super::dann`], [`super::coral`] and others, which differ in that term alone.
//!
//! `loss = mean −log p(y | x) + w term`, over labelled samples of the source, and the term over samples of both domains.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::part::Part;
use super::source_and_target::{Encoded, SourceAndTarget};
use crate::list::{self, Configured};
use crate::objective::heads::{not_negative, positive};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream};

/// The term of a method, and the settings that only this method has.
pub(super) trait Alignment:
    Default + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The objective's name.
    const NAME: &'static str;

    /// The method's own settings that are out of range.
    fn validate(&self) -> Vec<String> {
        vec![]
    }

    /// The term for a step's samples.
    fn term(&self, net: &Net, step: &Encoded) -> Part;
}

/// What a user may set in each of these methods.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
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

struct Aligned<A> {
    method: A,
    weight: f64,
    domains: SourceAndTarget,
}

/// The objective with the term of `A`.
pub(super) const fn objective<A: Alignment>() -> Configured<dyn Objective> {
    Configured {
        defaults: defaults::<A>,
        make: make::<A>,
    }
}

fn defaults<A: Alignment>() -> Table {
    let mut all = list::defaults::<Settings>();
    all.extend(list::defaults::<A>());
    all
}

fn make<A: Alignment>(mut table: Table) -> Result<Box<dyn Objective>, String> {
    let method: A = list::take(&mut table)?;
    let Settings { weight, ratio } = list::take(&mut table)?;
    list::nothing_left(&table)?;
    let problems = [
        not_negative(&[("weight", weight)]),
        method.validate(),
        positive(&[("ratio", ratio)]),
    ];
    list::refuse(problems.concat())?;
    Ok(Box::new(Aligned {
        method,
        weight,
        domains: SourceAndTarget::new(ratio),
    }))
}

impl<A: Alignment> Objective for Aligned<A> {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.domains.prepare(spec, A::NAME)
    }

    fn answers(&self) -> bool {
        true
    }

    fn streams(&self) -> Vec<Stream> {
        self.domains.streams()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let step = self.domains.encode(net, batches);
        let Part { value, metrics } = self.method.term(net, &step);
        Loss {
            metrics: [step.metrics, metrics].concat(),
            ..Loss::of(
                step.supervised + value * self.weight,
                step.features.to_vec(),
            )
        }
    }
}
