//! FixMatch: what the network confidently takes a weak view for is the label of a strong one.
//!
//! `loss = mean −log p(y | x) + w mean [max p(u_weak) ≥ τ] (−log p(ŷ | u_strong))`, ŷ the most probable class of the weak view (Sohn et al. 2020,
//! arXiv:2001.07685, equations 3 and 4). τ is the same for all classes, or follows what was learned (`thresholds`, see
//! `semi_supervised/thresholds.rs`: FlexMatch, FreeMatch). With `alignment` the probabilities of weak views are multiplied by the share of their
//! class among the labels over a moving average (.999) of the answers, and brought to sum 1 (Berthelot et al. 2020, arXiv:1911.09785, section
//! 3.1). FreeMatch's fairness term is `fairness`: `Σ c log s`, c the answers' shares and s those of this batch's strong views, each over the
//! frequency with which its class is taken, both brought to sum 1 (Wang et al. 2023, arXiv:2205.07246, equations 9 to 12).
//!
//! The weights' average (.999) is evaluated, as in the paper. Labelled, weak and strong views are one batch for batch normalisation.
//!
//! Deviations: AdamW and a whole cosine rather than SGD with 7/16 of one; labelled samples are among the unlabelled ones, as in the authors' code;
//! 2^20 steps of 64 + 448 samples are the paper's, `train.steps` yours.

use std::collections::BTreeMap;

use burn_tensor::Tensor;
use burn_tensor::activation::softmax;
use serde::{Deserialize, Serialize};

use super::thresholds::{Thresholds, diagnose, largest_class, taken};
use crate::list::{self, Configured, Entry};
use crate::nn::Init;
use crate::objective::classes::{Classes, accuracy, cross_entropy, soft_cross_entropy};
use crate::objective::heads::{must, not_negative, share};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind};
use crate::warning::WarningKind;

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// τ, 0..=1.
    threshold: f64,
    /// How thresholds are found: `fixed`, `curriculum` (FlexMatch) or `self_adaptive` (FreeMatch).
    thresholds: Thresholds,
    /// w, 0 or above.
    weight: f64,
    /// Whether answers are aligned with the labels' distribution.
    alignment: bool,
    /// Weight of FreeMatch's fairness term, 0 or above; its authors take .01 to .05 for CIFAR-10.
    fairness: f64,
    /// Unlabelled samples per labelled one.
    ratio: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            threshold: 0.95,
            thresholds: Thresholds::Fixed,
            weight: 1.0,
            alignment: false,
            fairness: 0.0,
            ratio: 7,
        }
    }
}

struct FixMatch {
    settings: Settings,
    classes: Classes,
    /// Samples that are learned from.
    samples: usize,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "fixmatch",
    summary: "semi-supervised: what a weak view is confidently taken for is the label of a strong view",
    source: "Sohn et al. 2020, arXiv:2001.07685; FlexMatch: arXiv:2110.08263; FreeMatch: arXiv:2205.07246",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let problems = [
                share("threshold", settings.threshold),
                not_negative(&[("weight", settings.weight), ("fairness", settings.fairness)]),
                must(settings.ratio > 0, || {
                    "ratio=0 must be at least 1".to_owned()
                }),
            ];
            list::refuse(problems.concat())?;
            Ok(Box::new(FixMatch {
                settings,
                classes: Classes::default(),
                samples: 0,
            }))
        },
    },
};

/// Moving averages keep so much.
const KEPT: f64 = 0.999;

/// Rows `[n, classes]` brought to sum 1.
fn normalised(x: Tensor<2>) -> Tensor<2> {
    x.clone() / x.sum_dim(1)
}

/// The fairness term, `[1]`: shares of the answers and how often classes are taken, moving averages `[1, classes]`, and the same of this batch's
/// strong views. No gradient flows through what is taken.
fn fairness([answers, often]: [Tensor<2>; 2], [now, often_now]: [Tensor<2>; 2]) -> Tensor<1> {
    let target = normalised(answers / (often + 1e-9));
    let shares = normalised(now / (often_now + 1e-9));
    (target * (shares + 1e-12).log()).sum()
}

impl FixMatch {
    /// Moves the average `name` of the memory, `[1, classes]`, towards `now`.
    fn follow(&self, net: &Net, name: &str, now: Tensor<2>) -> Tensor<2> {
        let (memory, count) = (net.at("memory"), self.classes.count);
        let before = memory.buffer(name, count, Init::Constant(1.0 / count as f32));
        let after = before * KEPT + now.reshape([count]) * (1.0 - KEPT);
        memory.update(name, after.clone());
        after.reshape([1, count])
    }

    /// Answers `[n, classes]` of weak views, aligned if wanted.
    fn aligned(&self, net: &Net, weak: Tensor<2>) -> Tensor<2> {
        if !self.settings.alignment {
            return weak;
        }
        let average = self.follow(net, "answers", weak.clone().mean_dim(0));
        let shares = self.classes.shares();
        let shares = burn_tensor::TensorData::new(shares, [1, self.classes.count]);
        normalised(weak * (Tensor::from_data(shares, net.device()) / average))
    }
}

impl Objective for FixMatch {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.samples = spec.samples;
        self.classes.prepare(spec, "fixmatch")
    }

    fn answers(&self) -> bool {
        true
    }

    fn confidence_threshold(&self) -> Option<f64> {
        (self.settings.threshold > 0.0).then_some(self.settings.threshold)
    }

    fn ema(&self) -> f64 {
        0.999
    }

    fn streams(&self) -> Vec<Stream> {
        let views = vec![ViewKind::Weak, ViewKind::Strong];
        vec![
            Stream::new(Subset::Labelled, vec![ViewKind::Weak]).cycles(),
            Stream::new(Subset::All, views).ratio(self.settings.ratio),
        ]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let Settings {
            threshold,
            thresholds,
            weight,
            fairness: fair,
            ..
        } = self.settings;
        let labels = self.classes.of(&batches[0]);
        let [weak, strong] = [0, 1].map(|view| batches[1].views[view].clone());
        let features = net.encode_together(&[batches[0].views[0].clone(), weak, strong]);
        let [known, weak, strong] =
            [0, 1, 2].map(|part| self.classes.logits(net, features[part].clone()));
        let supervised = cross_entropy(known.clone(), &labels);
        let own = self.aligned(net, net.constant(softmax(weak, 1)));
        let (rows, sizes) = (&batches[1].rows, [self.classes.rows(), self.samples]);
        let least = thresholds.of(&net.at("memory"), &own, rows, sizes, threshold);
        let pseudo = taken(own.clone(), least);
        let unlabelled = soft_cross_entropy(strong.clone(), pseudo.clone()).mean();
        let mut total = supervised.clone() + unlabelled.clone() * weight;
        let mut metrics = vec![
            ("accuracy", accuracy(known, &labels, net)),
            ("supervised", supervised),
            ("unlabelled", unlabelled),
            ("taken", pseudo.clone().sum_dim(1).mean()),
        ];
        metrics.extend(largest_class(&own));
        if fair > 0.0 {
            let anything = Tensor::zeros([1, self.classes.count], net.device());
            let often = taken(own.clone(), anything.clone()).mean_dim(0);
            let averages = [("answered", own.mean_dim(0)), ("often", often)];
            let averages = averages.map(|(name, now)| self.follow(net, name, now));
            // Of the strong views that count.
            let counts = pseudo.sum_dim(1);
            let n = counts.clone().sum().reshape([1, 1]) + 1e-9;
            let p = softmax(strong, 1) * counts.clone();
            let own_often = taken(net.constant(p.clone()), anything) * counts;
            let now = [p, own_often].map(|x| x.sum_dim(0) / n.clone());
            let term = fairness(averages, now);
            metrics.push(("fairness", term.clone()));
            total = total + term * fair;
        }
        Loss {
            metrics,
            ..Loss::of(total, features)
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
    use crate::device::Device;
    use crate::golden::{check_loss, matrix};
    use crate::nn::weights::{values, vector};

    #[test]
    fn agrees_with_pytorch() {
        let weak = softmax(matrix([6, 4], 1.1) * 2.0, 1);
        check_loss("fixmatch", [6, 4], |strong| {
            let least = Tensor::full([1, 4], 0.6, &Device::cpu());
            soft_cross_entropy(strong, taken(weak.clone(), least)).mean()
        });
    }

    #[test]
    fn fairness_agrees_with_pytorch() {
        let row = |of: [f32; 4]| vector(of.to_vec(), &Device::cpu()).reshape([1, 4]);
        let averages = [[0.4, 0.3, 0.2, 0.1], [0.5, 0.2, 0.2, 0.1]].map(row);
        let often = row([0.25, 0.5, 0.125, 0.125]);
        check_loss("fairness", [6, 4], |strong| {
            let now = softmax(strong, 1).mean_dim(0);
            fairness(averages.clone(), [now, often.clone()])
        });
    }

    #[test]
    fn rows_are_brought_to_sum_1() {
        let rows = values(normalised(matrix([3, 4], 0.2).abs()).sum_dim(1));
        assert!(rows.iter().all(|sum| (sum - 1.0).abs() < 1e-6));
    }
}
