//! Tent: batch normalisation is fitted to the target by the entropy of the answers there.
//!
//! The first part of the training is supervised: `loss = mean −log p(y | x)` of labelled samples of the source. In the rest, `share` of its steps,
//! `loss = mean −Σ_c p_c log p_c` over samples of the target, which are normalised by their own batch, and the scale and shift of batch normalisation alone
//! are trained (Wang et al. 2021, arXiv:2006.10726, sections 3.1 and 3.2). The head and all other weights stay.
//!
//! Deviations: the paper adapts while it answers, by the statistics of the batch that is answered; here adaptation ends with the training, and answers are
//! by running statistics, a moving average over the target's last batches: after n steps .9ⁿ of those of the source is left in it. Weak views of the
//! target, where the paper takes samples as they are; AdamW at the training's rate with a warm-up and decay of its own.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::source_and_target::SourceAndTarget;
use crate::dataset::Shape;
use crate::encoder::{Encoder, batch_norms};
use crate::list::{self, Configured, Entry};
use crate::objective::classes::{accuracy, cross_entropy, entropy};
use crate::objective::heads::{must, positive, positive_number};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, UpdateGroup};

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Share of the steps that adapt to the target, the last ones, 0 ≤ share < 1.
    share: f64,
    /// Their learning rate, of the training's, above 0.
    rate: f64,
    /// Samples of the target per labelled one.
    ratio: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            share: 0.1,
            rate: 1.0,
            ratio: 1,
        }
    }
}

struct Tent {
    settings: Settings,
    domains: SourceAndTarget,
    shape: Shape,
    /// Prefixes of the weights that adapt.
    adapted: OnceLock<Vec<String>>,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "tent",
    summary: "domain adaptation: supervised, then batch normalisation is fitted to sure answers on the target",
    source: "Wang et al. 2021, arXiv:2006.10726",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let share = settings.share;
            let problems = [
                must((0.0..1.0).contains(&share), || {
                    format!("share={share} must be in 0..1 (1 excluded)")
                }),
                positive_number("rate", settings.rate),
                positive(&[("ratio", settings.ratio)]),
            ];
            list::refuse(problems.concat())?;
            Ok(Box::new(Tent {
                domains: SourceAndTarget::new(settings.ratio),
                settings,
                shape: Shape::Vector { dim: 0 },
                adapted: OnceLock::new(),
            }))
        },
    },
};

impl Tent {
    /// Where the second part of the training begins, in 0..=1.
    fn turn(&self) -> f64 {
        1.0 - self.settings.share
    }

    /// Prefixes of the layers of batch normalisation.
    fn adapted(&self, encoder: &dyn Encoder) -> &[String] {
        self.adapted.get_or_init(|| {
            let layers = batch_norms(encoder, self.shape).into_iter();
            layers.map(|layer| format!("encoder.{layer}")).collect()
        })
    }
}

impl Objective for Tent {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.shape = spec.shape;
        self.domains.prepare(spec, "tent")
    }

    fn validate(&self, encoder: &dyn Encoder, spec: &DataSpec) -> Vec<String> {
        // What the encoder says of samples that it does not take is said elsewhere.
        let is_ready = encoder.validate(spec.shape).is_empty();
        must(!is_ready || !self.adapted(encoder).is_empty(), || {
            "objective `tent` trains the scale and shift of batch normalisation, and this encoder has none; use cnn, a resnet, or mlp with encoder.norm=true, \
             or an objective for any encoder, such as `mcc`"
                .to_owned()
        })
    }

    fn answers(&self) -> bool {
        true
    }

    fn streams(&self) -> Vec<Stream> {
        self.domains.streams()
    }

    fn update_groups(&self, progress: f64, encoder: &dyn Encoder) -> Vec<UpdateGroup> {
        if progress < self.turn() {
            return vec![UpdateGroup {
                phase: [0.0, self.turn()],
                ..UpdateGroup::of("source", &[])
            }];
        }
        vec![UpdateGroup {
            trains: self.adapted(encoder).to_vec(),
            rate: self.settings.rate,
            phase: [self.turn(), 1.0],
            ..UpdateGroup::of("target", &[])
        }]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let classes = &self.domains.classes;
        if net.progress() < self.turn() {
            let labels = classes.of(&batches[0]);
            let features = net.encode(batches[0].views[0].clone());
            let logits = classes.logits(net, features.clone());
            let supervised = cross_entropy(logits.clone(), &labels);
            return Loss {
                metrics: vec![("accuracy", accuracy(logits, &labels, net))],
                ..Loss::of(supervised, vec![features])
            };
        }
        let features = net.encode(batches[1].views[0].clone());
        let of_answers = entropy(classes.logits(net, features.clone()));
        Loss {
            metrics: vec![("entropy", of_answers.clone())],
            ..Loss::of(of_answers, vec![features])
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::encoder;
    use crate::objective::make;
    use crate::objective::{DataSpec, Objective};

    use crate::dataset::Shape;

    fn prepared(settings: &str) -> Box<dyn Objective> {
        let mut objective = make("tent", settings.parse().unwrap()).unwrap();
        let shape = Shape::Image {
            channels: 1,
            height: 16,
            width: 16,
        };
        // Without labels, which are not needed to know what is trained.
        objective.prepare(&DataSpec {
            shape,
            local: shape,
            mean: vec![0.0],
            std: vec![1.0],
            samples: 8,
            columns: vec![],
            task: None,
        });
        objective
    }

    #[test]
    fn scale_and_shift_alone_are_trained_at_the_end() {
        let objective = prepared("share = 0.25\nrate = 0.5");
        let encoder = encoder::make("resnet18", "width = 2".parse().unwrap()).unwrap();
        let at = |progress| objective.update_groups(progress, &*encoder).remove(0);
        let (first, second) = (at(0.0), at(0.75));
        assert_eq!((first.phase, second.phase), ([0.0, 0.75], [0.75, 1.0]));
        assert_eq!(at(0.7499), first);
        for name in ["encoder.conv1.weight", "head.weight"] {
            assert!(first.covers(name) && !second.covers(name), "{name}");
        }
        for name in [
            "bn1.weight",
            "layer1.0.bn2.bias",
            "layer2.0.downsample.1.weight",
        ] {
            assert_eq!(second.rate_of(&format!("encoder.{name}")), 0.5);
            assert!(second.covers(&format!("encoder.{name}")), "{name}");
        }
        assert!(!second.covers("encoder.layer2.0.downsample.0.weight"));
    }

    #[test]
    fn a_share_of_everything_is_refused() {
        let error = make("tent", "share = 1.0".parse().unwrap()).err().unwrap();
        assert!(error.contains("share=1"), "{error}");
    }
}
