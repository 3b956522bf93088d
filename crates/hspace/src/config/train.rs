//! The settings of a training, and what `auto` means for each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::auto::Auto;
use crate::dataset::{Shape, Split};
use crate::objective::Objective;
use crate::optim::Rule;
use crate::optim::ema::Export;
use crate::optim::schedule::Schedule;

/// Samples of which splits are learned from.
///
/// ```
/// use hspace::config::LearnFrom;
/// use hspace::dataset::Split;
///
/// assert!(LearnFrom::TrainVal.has(Split::Val) && !LearnFrom::Train.has(Split::Val));
/// assert!(!LearnFrom::TrainVal.has(Split::Test));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LearnFrom {
    /// Train samples.
    #[serde(rename = "train")]
    Train,
    /// Train samples, and val samples without their labels.
    #[serde(rename = "train,val")]
    TrainVal,
}

impl LearnFrom {
    /// Whether samples of `split` are learned from.
    pub fn has(self, split: Split) -> bool {
        match split {
            Split::Train => true,
            Split::Val => self == LearnFrom::TrainVal,
            Split::Test => false,
        }
    }
}

/// A number of each epoch that can stop the training or choose its best weights: the loss as its mean over all
/// steps, the probe as it is at the end, the others as their means over the logged steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// None of them.
    None,
    /// Mean loss of the epoch; lower is better.
    EpochLoss,
    /// kNN accuracy on val samples, or on training samples where the data have no val labels; higher is better.
    OnlineProbe,
    /// Effective rank of the features; higher is better.
    EffectiveRank,
    /// Spread of the features; higher is better.
    Spread,
    /// Distance of a sample's views; lower is better.
    Alignment,
    /// How unevenly samples lie on the sphere; lower is better.
    Uniformity,
}

impl Metric {
    /// Its value among those logged.
    pub(crate) fn of(self, values: &BTreeMap<String, f64>) -> Option<f64> {
        let name = match self {
            Metric::None => return None,
            Metric::EpochLoss => "epoch_loss",
            Metric::OnlineProbe => "online_probe",
            Metric::EffectiveRank => "effective_rank",
            Metric::Spread => "spread",
            Metric::Alignment => "alignment",
            Metric::Uniformity => "uniformity",
        };
        values.get(name).copied()
    }

    /// Whether `value` is better than `best`.
    pub(crate) fn better(self, value: f64, best: f64) -> bool {
        match self {
            Metric::EpochLoss | Metric::Alignment | Metric::Uniformity => value < best,
            _ => value > best,
        }
    }
}

/// How to train. `[train]` in config.toml.
///
/// ```
/// use hspace::config::TrainSettings;
/// use hspace::dataset::Shape;
///
/// let mut settings = TrainSettings { warmup: 0.1, ..TrainSettings::default() };
/// let photos = Shape::Image { channels: 3, height: 32, width: 32 };
/// settings.resolve(50_000, photos, None);
/// assert_eq!((*settings.epochs.get(), *settings.batch_size.get()), (10, 256));
/// assert!(settings.validate().is_empty());
/// settings.warmup = 2.0;
/// assert!(settings.validate()[0].contains("warmup"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSettings {
    /// `train`, or `train,val`: val samples are learned from too, without their labels.
    pub learn_from: LearnFrom,
    /// Passes over the data. `auto`: half a million samples in all, but 5 to 200 passes.
    pub epochs: Auto<usize>,
    /// Steps in all; 0 for as many as the passes take.
    pub steps: usize,
    /// Samples per step. `auto`: 256, or the largest power of two within half the samples.
    pub batch_size: Auto<usize>,
    /// Whether the labelled samples of a batch are as often of each class, whatever the number of its labels; those of a class with few come again sooner,
    /// in other views. Of objectives that learn from labels of classes. Not with `class_weights`, which would count a rare class twice.
    pub balance_classes: bool,
    /// Height and width of the encoder's input, in pixels. `auto`: the images' own up to 64,
    /// else 96.
    pub image_size: Auto<usize>,
    /// `adamw`, `sgd` or `lars`.
    pub optimizer: Rule,
    /// Learning rate at its highest. `auto`, for batch size b: AdamW 0.002 · sqrt(b/256), SGD
    /// 0.06 · b/256, LARS 0.3 · b/256 (SimCLR's).
    pub learning_rate: Auto<f64>,
    /// Decay of matrices and kernels. `auto`: AdamW 0.01, SGD 0.0001, LARS 0.000001.
    pub weight_decay: Auto<f64>,
    /// The same at the end of the training: it goes there on half a cosine. `auto`: it stays.
    pub weight_decay_end: Auto<f64>,
    /// Momentum of SGD and LARS.
    pub momentum: f64,
    /// Share of the steps in which the learning rate rises, 0..1.
    pub warmup: f64,
    /// `cosine` or `constant` after that.
    pub schedule: Schedule,
    /// Longest gradient allowed (all weights together); 0 for any.
    pub clip: f64,
    /// Micro-batches a step is made of: the batch is cut into so many, their gradients averaged.
    pub accumulate: usize,
    /// Steps between lines of metrics.jsonl.
    pub log_every: usize,
    /// Whether kNN accuracy is measured at each epoch's end: on val samples by training samples, or where the data
    /// have no val labels on training samples, each left out in turn.
    pub online_probe: bool,
    /// `none`, `epoch_loss`, `online_probe` (needs labels), `effective_rank`, `spread`, `alignment` (needs
    /// several views) or `uniformity`: training stops when it has not improved for `patience` epochs.
    pub stop_on: Metric,
    /// Epochs without improvement that `stop_on` allows.
    pub patience: usize,
    /// Same names: the weights of the best epoch are kept instead of the last.
    pub keep_best: Metric,
    /// Decay of an average of the weights (exponential moving average), such as 0.999, 0..1; 0 for none. `auto`: the objective's, which has one
    /// where its paper evaluates an average (`fixmatch`, `mixmatch`).
    pub ema: Auto<f64>,
    /// Which weights are kept as the encoder: `model`, `ema` for their average, or `teacher` for the momentum teacher of `byol`, `moco`,
    /// `dino` and `mean_teacher`. `auto`: the teacher of `mean_teacher`, `ema` where there is an average, else `model`.
    pub export: Export,
}

impl Default for TrainSettings {
    fn default() -> Self {
        TrainSettings {
            learn_from: LearnFrom::Train,
            epochs: Auto::Auto,
            steps: 0,
            batch_size: Auto::Auto,
            balance_classes: false,
            image_size: Auto::Auto,
            optimizer: Rule::AdamW,
            learning_rate: Auto::Auto,
            weight_decay: Auto::Auto,
            weight_decay_end: Auto::Auto,
            momentum: 0.9,
            warmup: 0.1,
            schedule: Schedule::Cosine,
            clip: 0.0,
            accumulate: 1,
            log_every: 10,
            online_probe: true,
            stop_on: Metric::None,
            patience: 5,
            keep_best: Metric::None,
            ema: Auto::Auto,
            export: Export::Auto,
        }
    }
}

impl TrainSettings {
    /// Gives every `auto` its value for `samples` samples of `shape` that `objective` learns from.
    pub fn resolve(&mut self, samples: usize, shape: Shape, objective: Option<&dyn Objective>) {
        let half = (samples / 2).max(1);
        // Of a stream with several samples per sample of the batch half of all is the most, too.
        let streams = objective.map_or(vec![], Objective::streams);
        let ratios = streams.iter().map(|stream| stream.ratio);
        let half = (half / ratios.max().unwrap_or(1)).max(1);
        self.batch_size
            .or(256.min(1 << half.ilog2()).max(2.min(samples)));
        let batch = *self.batch_size.get();
        self.epochs.or((500_000 / samples.max(1)).clamp(5, 200));
        if let Shape::Image { height, width, .. } = shape {
            let size = height.max(width);
            self.image_size.or(if size <= 64 { size } else { 96 });
        }
        let relative = batch as f64 / 256.0;
        self.learning_rate.or(match self.optimizer {
            Rule::AdamW => 0.002 * relative.sqrt(),
            Rule::Sgd => 0.06 * relative,
            Rule::Lars => 0.3 * relative,
        });
        self.weight_decay.or(match self.optimizer {
            Rule::AdamW => 1e-2,
            Rule::Sgd => 1e-4,
            Rule::Lars => 1e-6,
        });
        self.weight_decay_end.or(*self.weight_decay.get());
        self.ema.or(objective.map_or(0.0, Objective::ema));
        if self.export == Export::Auto {
            let preferred = objective.map_or(Export::Model, Objective::preferred_export);
            self.export = match preferred {
                Export::Model if *self.ema.get() > 0.0 => Export::Ema,
                preferred => preferred,
            };
        }
    }

    /// Every value out of its range.
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, text: String| {
            if !ok {
                problems.push(text);
            }
        };
        let whole = [
            ("epochs", self.epochs, 1),
            ("batch_size", self.batch_size, 2),
            ("image_size", self.image_size, 4),
            ("accumulate", Auto::Set(self.accumulate), 1),
            ("log_every", Auto::Set(self.log_every), 1),
            ("patience", Auto::Set(self.patience), 1),
        ];
        for (key, value, least) in whole {
            if let Auto::Set(value) = value {
                check(
                    value >= least,
                    format!("train.{key}={value} must be at least {least}"),
                );
            }
        }
        if let Auto::Set(rate) = self.learning_rate {
            check(
                rate.is_finite() && rate > 0.0,
                format!("train.learning_rate={rate} must be above 0"),
            );
        }
        let mut from_zero = vec![("clip", self.clip, f64::MAX)];
        let decays = [
            ("weight_decay", self.weight_decay),
            ("weight_decay_end", self.weight_decay_end),
        ];
        for (key, decay) in decays {
            if let Auto::Set(decay) = decay {
                from_zero.push((key, decay, f64::MAX));
            }
        }
        from_zero.push(("momentum", self.momentum, 1.0));
        from_zero.push(("warmup", self.warmup, 1.0));
        if let Auto::Set(ema) = self.ema {
            from_zero.push(("ema", ema, 1.0));
        }
        for (key, value, most) in from_zero {
            let range = if most == 1.0 { "in 0..1" } else { "0 or above" };
            check(
                (0.0..most).contains(&value),
                format!("train.{key}={value} must be {range}"),
            );
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_survives_toml_and_resolves() {
        let text = toml::to_string(&TrainSettings::default()).unwrap();
        let mut settings: TrainSettings = toml::from_str(&text).unwrap();
        assert_eq!(settings, TrainSettings::default());
        let shape = Shape::Image {
            channels: 1,
            height: 28,
            width: 28,
        };
        settings.resolve(10_000, shape, None);
        assert_eq!(settings.epochs, Auto::Set(50));
        assert_eq!(settings.batch_size, Auto::Set(256));
        assert_eq!(settings.image_size, Auto::Set(28));
        let mut few = TrainSettings::default();
        few.resolve(30, shape, None);
        assert_eq!(few.batch_size, Auto::Set(8));
        assert_eq!(few.epochs, Auto::Set(200));
    }

    #[test]
    fn values_out_of_range_are_all_named() {
        let settings = TrainSettings {
            epochs: Auto::Set(0),
            warmup: 1.5,
            learning_rate: Auto::Set(f64::NAN),
            ..TrainSettings::default()
        };
        let problems = settings.validate();
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
