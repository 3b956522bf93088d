//! Adaptive batch normalisation: what was learned from the source, with the target's statistics.
//!
//! `loss = mean −log p(y | x)` of labelled samples, normalised by their own batch; the running statistics, by which the network answers after the
//! training, are gathered from samples of the target alone (Li et al. 2017, arXiv:1603.04779).
//!
//! Deviations: the statistics are moving averages over the last batches, not those of all samples of the target; an encoder without batch
//! normalisation is trained as by `supervised`.

use serde::{Deserialize, Serialize};

use super::source_and_target::SourceAndTarget;
use crate::list::{self, Configured, Entry};
use crate::objective::classes::{accuracy, cross_entropy};
use crate::objective::heads::positive;
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream};

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Samples of the target per labelled one.
    ratio: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { ratio: 1 }
    }
}

struct AdaBn {
    domains: SourceAndTarget,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "adabn",
    summary: "domain adaptation: batch normalisation by the target's statistics",
    source: "Li et al. 2017, arXiv:1603.04779",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            list::refuse(positive(&[("ratio", settings.ratio)]))?;
            let domains = SourceAndTarget::new(settings.ratio);
            Ok(Box::new(AdaBn { domains }))
        },
    },
};

impl Objective for AdaBn {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.domains.prepare(spec, "adabn")
    }

    fn answers(&self) -> bool {
        true
    }

    fn streams(&self) -> Vec<Stream> {
        self.domains.streams()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let classes = &self.domains.classes;
        let labels = classes.of(&batches[0]);
        let features = net.encode_without_bn_update(batches[0].views[0].clone());
        net.gather_statistics(batches[1].views[0].clone());
        let logits = classes.logits(net, features.clone());
        let supervised = cross_entropy(logits.clone(), &labels);
        Loss {
            metrics: vec![("accuracy", accuracy(logits, &labels, net))],
            ..Loss::of(supervised, vec![features])
        }
    }
}
