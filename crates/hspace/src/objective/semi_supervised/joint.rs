//! A supervised and an unsupervised loss together: `loss = unsupervised(all samples) + w mean −log p(y | x)`, on one encoder.
//!
//! The unsupervised part is any objective of the list that has one update group, with its defaults: `unsupervised = "simclr"`, `"autoencoder"`,
//! `"vae"`, … Labelled samples are a stream of their own, with weak views. With contrastive objectives this is near what Zhai et al. 2019
//! (S4L, arXiv:1905.03670) do with rotation, and w is theirs (1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::encoder::Encoder;
use crate::list::{self, Configured, Entry};
use crate::nn::Weights;
use crate::objective::classes::{Classes, accuracy, cross_entropy};
use crate::objective::heads::{must, not_negative};
use crate::objective::{
    Batch, DataSpec, Generator, Loss, Net, OBJECTIVES, Objective, Stream, Subset, UpdateGroup,
    ViewKind,
};
use crate::optim::ema::Export;
use crate::warning::WarningKind;

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Name of the unsupervised objective.
    unsupervised: String,
    /// w, 0 or above.
    weight: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            unsupervised: "simclr".to_owned(),
            weight: 1.0,
        }
    }
}

struct Joint {
    settings: Settings,
    classes: Classes,
    unsupervised: Box<dyn Objective>,
}

const NAME: &str = "joint";

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: NAME,
    summary: "semi-supervised: any unsupervised objective on all samples, and a classifier on the labelled ones",
    source: "Zhai et al. 2019, arXiv:1905.03670",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            list::refuse(not_negative(&[("weight", settings.weight)]))?;
            let of = settings.unsupervised.as_str();
            list::refuse(must(of != NAME, || {
                "unsupervised=joint: name another objective".to_owned()
            }))?;
            let entry = list::find("objective", OBJECTIVES, of)?;
            let unsupervised = (entry.make)((entry.defaults)())?;
            let has_labels = unsupervised
                .streams()
                .iter()
                .any(|s| s.subset == Subset::Labelled);
            list::refuse(must(!has_labels, || {
                format!(
                    "unsupervised={of} learns from labels itself; name an objective that does not, such as simclr"
                )
            }))?;
            Ok(Box::new(Joint {
                settings,
                classes: Classes::default(),
                unsupervised,
            }))
        },
    },
};

impl Objective for Joint {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        let mut problems = self.classes.prepare(spec, NAME);
        problems.extend(self.unsupervised.prepare(spec));
        problems
    }

    fn validate(&self, encoder: &dyn Encoder, spec: &DataSpec) -> Vec<String> {
        let groups = self.unsupervised.update_groups(0.0, encoder).len();
        let mut problems = self.unsupervised.validate(encoder, spec);
        problems.extend(must(groups == 1, || {
            format!(
                "objective.unsupervised={}: it trains {groups} networks by turns, and a classifier belongs to none of them; name another",
                self.settings.unsupervised
            )
        }));
        problems
    }

    fn latents(&self) -> usize {
        self.unsupervised.latents()
    }

    fn generator(&self) -> Option<&dyn Generator> {
        self.unsupervised.generator()
    }

    fn answers(&self) -> bool {
        true
    }

    fn exports(&self) -> &'static [Export] {
        // A teacher has no head.
        &[Export::Model, Export::Ema]
    }

    fn streams(&self) -> Vec<Stream> {
        let labelled = Stream::new(Subset::Labelled, vec![ViewKind::Weak]).cycles();
        let mut streams = vec![labelled];
        streams.extend(self.unsupervised.streams());
        streams
    }

    fn update_groups(&self, progress: f64, encoder: &dyn Encoder) -> Vec<UpdateGroup> {
        self.unsupervised.update_groups(progress, encoder)
    }

    fn loss(&self, net: &Net, batches: &[Batch], group: usize) -> Loss {
        let labels = self.classes.of(&batches[0]);
        let features = net.encode(batches[0].views[0].clone());
        let logits = self.classes.logits(net, features);
        let supervised = cross_entropy(logits.clone(), &labels);
        let unsupervised = self.unsupervised.loss(net, &batches[1..], group);
        let mut metrics = unsupervised.metrics;
        metrics.push(("unsupervised", unsupervised.total.clone()));
        metrics.push(("supervised", supervised.clone()));
        metrics.push(("accuracy", accuracy(logits, &labels, net)));
        Loss {
            metrics,
            ..Loss::of(
                unsupervised.total + supervised * self.settings.weight,
                unsupervised.features,
            )
        }
    }

    fn after_init(&self, weights: &mut Weights) {
        self.unsupervised.after_init(weights);
    }

    fn after_step(&self, weights: &mut Weights, progress: f64) {
        self.unsupervised.after_step(weights, progress);
    }

    fn diagnose(
        &self,
        values: &BTreeMap<String, f64>,
        progress: f64,
    ) -> Option<(WarningKind, String)> {
        self.unsupervised.diagnose(values, progress)
    }
}
