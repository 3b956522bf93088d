//! Fine-tuning: a head is fitted to the encoder as it is, then both are trained (LP-FT: Kumar et al. 2022, arXiv:2202.10054).
//!
//! In the first part of the training, `head_share` of its steps, the head alone learns, at `head_rate` times the learning rate; in the rest also the
//! encoder, its last stage at `encoder_rate` times the learning rate, each other one at `layer_decay` of the rate of the next (Clark et al. 2020,
//! arXiv:2003.10555), the first `frozen_stages` not at all. `l2_sp` adds half the squared distance of the encoder's weights from those it began with, times that number (L2-SP: Li, Grandvalet &
//! Davoine 2018, arXiv:1802.01483, without their penalty on the head, which is `train.weight_decay`). `mixup` is α of Zhang et al. 2018.
//!
//! `head_share=1` fits the head alone, `head_share=0` is plain fine-tuning. It begins from the weights of `--init-from`, or of the SOURCE in
//! `finetune:SOURCE`; without, from random ones.
//!
//! The head's rate is ten times the training's, since it begins from nothing and features are small: at the training's own, it is far from fitted when
//! the encoder begins to move, and 10 labels a class of MNIST give less than the linear probe. That, `encoder_rate=3` and label smoothing were
//! looked at on held-out training images (docs/experiments/2026-11-30-few-labels.md).
//!
//! Deviations from Kumar et al.: the head is fitted by the run's optimizer on random views, not by logistic regression on features; batch
//! normalisation uses the batch's statistics, and moves its running ones, in both parts.

use serde::{Deserialize, Serialize};

use crate::dataset::Shape;
use crate::encoder::Encoder;
use crate::list::{self, Configured, Entry};
use crate::nn::Weights;
use crate::objective::classes::{
    ClassWeights, Classes, accuracy, smoothed_cross_entropy, soft_cross_entropy, validate_smoothing,
};
use crate::objective::heads::{must, not_negative, positive_number, share};
use crate::objective::mixup::Mixup;
use crate::objective::{
    Batch, DataSpec, Loss, Net, Objective, Stream, Subset, UpdateGroup, ViewKind,
};

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Share of the steps in which the head learns alone, 0..=1.
    head_share: f64,
    /// Learning rate of the head, of the training's, above 0.
    head_rate: f64,
    /// Learning rate of the encoder's last stage, of the training's, above 0.
    encoder_rate: f64,
    /// Learning rate of each stage, of the next one's, above 0 and at most 1.
    layer_decay: f64,
    /// First stages that stay as they are.
    frozen_stages: usize,
    /// Weight of the distance from the weights it began with, 0 or above.
    l2_sp: f64,
    /// α of mixup; 0: none.
    mixup: f64,
    /// ε of label smoothing, 0 ≤ ε < 1.
    label_smoothing: f64,
    /// `none`, or `balanced`: weights n / (C · n_c) as in scikit-learn; not with mixup.
    class_weights: ClassWeights,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            head_share: 0.3,
            head_rate: 10.0,
            encoder_rate: 3.0,
            layer_decay: 1.0,
            frozen_stages: 0,
            l2_sp: 0.0,
            mixup: 0.0,
            label_smoothing: 0.1,
            class_weights: ClassWeights::None,
        }
    }
}

struct Finetune {
    settings: Settings,
    classes: Classes,
    weights: Vec<f32>,
    shape: Shape,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "finetune",
    summary: "a head on an encoder that was trained before, then both: linear probe, then fine-tuning",
    source: "Kumar et al. 2022, arXiv:2202.10054; L2-SP: Li, Grandvalet & Davoine 2018, arXiv:1802.01483",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let decay = settings.layer_decay;
            let is_mixed = settings.mixup > 0.0;
            let problems = [
                share("head_share", settings.head_share),
                positive_number("head_rate", settings.head_rate),
                positive_number("encoder_rate", settings.encoder_rate),
                must(decay > 0.0 && decay <= 1.0, || {
                    format!("layer_decay={decay} must be above 0 and at most 1")
                }),
                not_negative(&[("l2_sp", settings.l2_sp), ("mixup", settings.mixup)]),
                validate_smoothing(settings.label_smoothing),
                must(
                    !is_mixed || settings.class_weights == ClassWeights::None,
                    || "class_weights: not with mixup; set one of them to none or 0".to_owned(),
                ),
            ];
            list::refuse(problems.concat())?;
            Ok(Box::new(Finetune {
                settings,
                classes: Classes::default(),
                weights: vec![],
                shape: Shape::Vector { dim: 0 },
            }))
        },
    },
};

/// Where the weights are that it began with.
const START: &str = "start.encoder";

impl Objective for Finetune {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.shape = spec.shape;
        let problems = self.classes.prepare(spec, "finetune");
        self.weights = self.classes.weights(self.settings.class_weights);
        problems
    }

    fn validate(&self, encoder: &dyn Encoder, spec: &DataSpec) -> Vec<String> {
        let stages = encoder.stages(spec.shape).len();
        let frozen = self.settings.frozen_stages;
        must(frozen <= stages, || {
            format!("objective.frozen_stages={frozen}: the encoder has {stages} stages")
        })
    }

    fn answers(&self) -> bool {
        true
    }

    fn steps_per_draw(&self) -> usize {
        600
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::new(Subset::Labelled, vec![ViewKind::Random])]
    }

    fn update_groups(&self, progress: f64, encoder: &dyn Encoder) -> Vec<UpdateGroup> {
        let Settings {
            head_share,
            head_rate,
            encoder_rate,
            layer_decay,
            frozen_stages,
            ..
        } = self.settings;
        if progress < head_share || head_share == 1.0 {
            return vec![UpdateGroup {
                rate: head_rate,
                phase: [0.0, head_share],
                ..UpdateGroup::of("head", &["head"])
            }];
        }
        let stages = encoder.stages(self.shape);
        let of_stage = |(depth, prefixes): (usize, &Vec<String>)| {
            let rate = match depth < frozen_stages {
                true => 0.0,
                false => encoder_rate * layer_decay.powi((stages.len() - 1 - depth) as i32),
            };
            let prefixes = prefixes.iter();
            prefixes
                .map(|prefix| (format!("encoder.{prefix}"), rate))
                .collect::<Vec<_>>()
        };
        let prefixes = stages.iter().map(|stage| &stage.prefixes).enumerate();
        let mut rates: Vec<(String, f64)> = prefixes.flat_map(of_stage).collect();
        rates.push(("encoder".to_owned(), encoder_rate));
        rates.push(("head".to_owned(), head_rate));
        vec![UpdateGroup {
            rates,
            phase: [head_share, 1.0],
            ..UpdateGroup::all()
        }]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let Settings {
            mixup,
            label_smoothing,
            l2_sp,
            ..
        } = self.settings;
        let labels = self.classes.of(&batches[0]);
        let x = batches[0].views[0].clone();
        let (features, logits, fit) = if mixup > 0.0 {
            let mixed = Mixup::draw(net, mixup, labels.len(), false);
            let features = net.encode(mixed.of(x));
            let logits = self.classes.logits(net, features.clone());
            let own = self.classes.one_hot(net, &labels) * (1.0 - label_smoothing);
            let targets = mixed.of(own + label_smoothing / self.classes.count as f64);
            let fit = soft_cross_entropy(logits.clone(), targets).mean();
            (features, logits, fit)
        } else {
            let features = net.encode(x);
            let logits = self.classes.logits(net, features.clone());
            let fit =
                smoothed_cross_entropy(logits.clone(), &labels, &self.weights, label_smoothing);
            (features, logits, fit)
        };
        let mut metrics = vec![("accuracy", accuracy(logits, &labels, net))];
        let total = match l2_sp {
            0.0 => fit,
            _ => {
                let distance = net.distance_from("encoder", START);
                metrics.push(("start_distance", distance.clone()));
                fit + distance * l2_sp
            }
        };
        Loss {
            metrics,
            ..Loss::of(total, vec![features])
        }
    }

    fn after_init(&self, weights: &mut Weights) {
        if self.settings.l2_sp > 0.0 {
            weights.follow("encoder", START, 0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::encoder;
    use crate::objective::make;

    #[test]
    fn the_head_learns_first_then_each_stage_at_its_rate() {
        let settings = "layer_decay = 0.5\nfrozen_stages = 1\nencoder_rate = 0.4";
        let objective = make("finetune", settings.parse().unwrap()).unwrap();
        let encoder = encoder::make("cnn", toml::Table::new()).unwrap();
        let at = |progress| objective.update_groups(progress, &*encoder).remove(0);
        let (first, second) = (at(0.0), at(0.3));
        assert!(first.covers("head.weight") && !first.covers("encoder.conv3.weight"));
        assert_eq!((first.phase, second.phase), ([0.0, 0.3], [0.3, 1.0]));
        let rates = ["conv0", "bn1", "conv2", "conv3"];
        let rates = rates.map(|name| second.rate_of(&format!("encoder.{name}.weight")));
        assert_eq!(rates, [0.0, 0.1, 0.2, 0.4]);
        assert_eq!(
            [&first, &second].map(|group| group.rate_of("head.weight")),
            [10.0; 2]
        );
    }
}
