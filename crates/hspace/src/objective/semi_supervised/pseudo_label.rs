//! Pseudo-labels: an unlabelled sample is taken for what the network itself thinks it is.
//!
//! `loss = mean −log p(y | x) + α(t) mean −log p(ŷ | u)`, ŷ the class that is most probable for u now (Lee 2013, ICML workshop on challenges in
//! representation learning, equation 15). α is 0 in the first part of the training, rises on a straight line, and stays at `weight` (equation 16:
//! epochs 100 and 600 there, `begin` and `end` here as shares of the training). With a `threshold`, samples whose most probable class is less
//! probable than that have no part (Berthelot et al. and later comparisons take .95; Lee takes all).
//!
//! Deviations: the network of the paper has dropout and is pretrained as a denoising autoencoder (`--init-from` a run does that).

use std::collections::BTreeMap;

use burn_tensor::Tensor;
use burn_tensor::activation::softmax;
use serde::{Deserialize, Serialize};

use super::thresholds::{diagnose, largest_class, taken};
use crate::list::{self, Configured, Entry};
use crate::objective::classes::{Classes, accuracy, cross_entropy, soft_cross_entropy};
use crate::objective::heads::{must, not_negative, share};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind};
use crate::warning::WarningKind;

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// α at its end, 0 or above.
    weight: f64,
    /// Share of the training after which α begins to rise, and after which it stays.
    begin: f64,
    /// See `begin`.
    end: f64,
    /// Probability from which a pseudo-label counts, 0..=1.
    threshold: f64,
    /// Unlabelled samples per labelled one.
    ratio: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            weight: 3.0,
            begin: 0.1,
            end: 0.6,
            threshold: 0.0,
            ratio: 1,
        }
    }
}

struct PseudoLabel {
    settings: Settings,
    classes: Classes,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "pseudo_label",
    summary: "semi-supervised: unlabelled samples are taken for what the network thinks they are",
    source: "Lee 2013, ICML workshop on challenges in representation learning",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let Settings {
                begin, end, ratio, ..
            } = settings;
            let problems = [
                not_negative(&[("weight", settings.weight)]),
                share("begin", begin),
                share("end", end),
                must(begin <= end, || {
                    format!("begin={begin} must not be above end={end}")
                }),
                share("threshold", settings.threshold),
                must(ratio > 0, || "ratio=0 must be at least 1".to_owned()),
            ];
            list::refuse(problems.concat())?;
            let classes = Classes::default();
            Ok(Box::new(PseudoLabel { settings, classes }))
        },
    },
};

impl PseudoLabel {
    fn weight(&self, progress: f64) -> f64 {
        let Settings {
            weight, begin, end, ..
        } = self.settings;
        match progress {
            p if p < begin => 0.0,
            p if p < end => weight * (p - begin) / (end - begin),
            _ => weight,
        }
    }
}

impl Objective for PseudoLabel {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.classes.prepare(spec, "pseudo_label")
    }

    fn answers(&self) -> bool {
        true
    }

    fn confidence_threshold(&self) -> Option<f64> {
        (self.settings.threshold > 0.0).then_some(self.settings.threshold)
    }

    fn streams(&self) -> Vec<Stream> {
        vec![
            Stream::new(Subset::Labelled, vec![ViewKind::Weak]).cycles(),
            Stream::new(Subset::All, vec![ViewKind::Weak]).ratio(self.settings.ratio),
        ]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let labels = self.classes.of(&batches[0]);
        let features = net.encode_together(&[0, 1].map(|i| batches[i].views[0].clone()));
        let [known, others] = [0, 1].map(|i| self.classes.logits(net, features[i].clone()));
        let supervised = cross_entropy(known.clone(), &labels);
        let own = net.constant(softmax(others.clone(), 1));
        let least = Tensor::full(
            [1, self.classes.count],
            self.settings.threshold,
            net.device(),
        );
        let pseudo = taken(own.clone(), least);
        let unlabelled = soft_cross_entropy(others, pseudo.clone()).mean();
        let mut metrics = vec![
            ("accuracy", accuracy(known, &labels, net)),
            ("supervised", supervised.clone()),
            ("unlabelled", unlabelled.clone()),
            ("taken", pseudo.sum_dim(1).mean()),
        ];
        metrics.extend(largest_class(&own));
        Loss {
            metrics,
            ..Loss::of(
                supervised + unlabelled * self.weight(net.progress()),
                features,
            )
        }
    }

    fn diagnose(
        &self,
        values: &BTreeMap<String, f64>,
        progress: f64,
    ) -> Option<(WarningKind, String)> {
        diagnose(values, progress, &self.classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_rises_between_begin_and_end() {
        let objective = PseudoLabel {
            settings: Settings::default(),
            classes: Classes::default(),
        };
        let at = |progress| (objective.weight(progress) * 1e9).round() / 1e9;
        assert_eq!(
            [0.0, 0.1, 0.35, 0.6, 1.0].map(at),
            [0.0, 0.0, 1.5, 3.0, 3.0]
        );
    }
}
