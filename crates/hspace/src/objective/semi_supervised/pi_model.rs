//! Π-model: two random views of a sample must get the same answer.
//!
//! `loss = mean −log p(y | x) + w(t) mean (p(u₁) − p(u₂))²`, the mean over samples and classes (Laine & Aila 2017, arXiv:1610.02242, algorithm 1).
//! w rises to `weight` as `exp(−5 (1 − t)²)` over the first `ramp_up` of the training.
//!
//! Deviations: labelled samples are shown once, not as both views; the paper's weight is 100 times the share of samples with labels, ours does not
//! depend on it (10, as in comparisons since), and rises over .4 of the training (80 of 300 epochs there).

use burn_tensor::Tensor;
use burn_tensor::activation::softmax;
use serde::{Deserialize, Serialize};

use crate::list::{self, Configured, Entry};
use crate::objective::classes::{Classes, accuracy, cross_entropy};
use crate::objective::heads::{must, not_negative, share};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind};
use crate::optim::schedule::sigmoid_ramp;

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// w at its end, 0 or above.
    weight: f64,
    /// Share of the training over which w rises, 0..=1.
    ramp_up: f64,
    /// Unlabelled samples per labelled one.
    ratio: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            weight: 10.0,
            ramp_up: 0.4,
            ratio: 1,
        }
    }
}

struct PiModel {
    settings: Settings,
    classes: Classes,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "pi_model",
    summary: "semi-supervised: two views of an unlabelled sample get the same answer",
    source: "Laine & Aila 2017, arXiv:1610.02242",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let problems = [
                not_negative(&[("weight", settings.weight)]),
                share("ramp_up", settings.ramp_up),
                must(settings.ratio > 0, || {
                    "ratio=0 must be at least 1".to_owned()
                }),
            ];
            list::refuse(problems.concat())?;
            let classes = Classes::default();
            Ok(Box::new(PiModel { settings, classes }))
        },
    },
};

/// The mean square, over samples and classes, of the difference of the probabilities of logits and `target`: both `[n, classes]`.
pub(in crate::objective) fn consistency(logits: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    (softmax(logits, 1) - target).powi_scalar(2).mean()
}

impl Objective for PiModel {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.classes.prepare(spec, "pi_model")
    }

    fn answers(&self) -> bool {
        true
    }

    fn streams(&self) -> Vec<Stream> {
        vec![
            Stream::new(Subset::Labelled, vec![ViewKind::Weak]).cycles(),
            Stream::new(Subset::All, vec![ViewKind::Weak; 2]).ratio(self.settings.ratio),
        ]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let labels = self.classes.of(&batches[0]);
        let [first, second] = [0, 1].map(|view| batches[1].views[view].clone());
        let features = net.encode_together(&[batches[0].views[0].clone(), first, second]);
        let logits = |part: usize| self.classes.logits(net, features[part].clone());
        let known = logits(0);
        let supervised = cross_entropy(known.clone(), &labels);
        let unlabelled = consistency(logits(1), softmax(logits(2), 1));
        let weight = self.settings.weight * sigmoid_ramp(self.settings.ramp_up, net.progress());
        Loss {
            metrics: vec![
                ("accuracy", accuracy(known, &labels, net)),
                ("supervised", supervised.clone()),
                ("unlabelled", unlabelled.clone()),
            ],
            ..Loss::of(supervised + unlabelled * weight, features)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{check_loss, matrix};

    #[test]
    fn agrees_with_pytorch() {
        let target = softmax(matrix([6, 4], 1.1), 1);
        check_loss("consistency", [6, 4], |logits| {
            consistency(logits, target.clone())
        });
    }
}
