//! Mean teacher: an unlabelled sample's answer is that of an average of the network's weights.
//!
//! `loss = mean −log p(y | x) + w(t) mean (p(u₁) − p̄(u₂))²`, p̄ by the teacher, whose weights follow the learner's with momentum m, the mean over
//! samples and classes (Tarvainen & Valpola 2017, arXiv:1703.01780). The teacher is what is kept and evaluated (`train.export=teacher`).
//!
//! Deviations: m is `min(momentum, (1 + t) / (10 + t))`, as of `train.ema`, t in thousandths of the training: the authors' `1 − 1 / (t + 1)` weighs all weights so far alike, and the teacher
//! of a training of a few hundred steps was worse than the labels alone. w rises as `exp(−5 (1 − t)²)` over .4 of the training to 50 (the authors' 100 is for the sum over two views of a difference halved
//! by the number of classes alike); labelled samples are not shown to the teacher.

use burn_tensor::activation::softmax;
use serde::{Deserialize, Serialize};

use super::pi_model::consistency;
use crate::list::{self, Configured, Entry};
use crate::nn::Weights;
use crate::objective::classes::{Classes, accuracy, cross_entropy};
use crate::objective::heads::{must, not_negative, share};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind, teacher};
use crate::optim::ema::Export;
use crate::optim::schedule::sigmoid_ramp;

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// m of the teacher, 0 ≤ m < 1.
    momentum: f64,
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
            momentum: 0.999,
            weight: 50.0,
            ramp_up: 0.4,
            ratio: 1,
        }
    }
}

struct MeanTeacher {
    settings: Settings,
    classes: Classes,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "mean_teacher",
    summary: "semi-supervised: an average of the network's weights teaches it what unlabelled samples are",
    source: "Tarvainen & Valpola 2017, arXiv:1703.01780",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let problems = [
                teacher::validate(settings.momentum),
                not_negative(&[("weight", settings.weight)]),
                share("ramp_up", settings.ramp_up),
                must(settings.ratio > 0, || {
                    "ratio=0 must be at least 1".to_owned()
                }),
            ];
            list::refuse(problems.concat())?;
            let classes = Classes::default();
            Ok(Box::new(MeanTeacher { settings, classes }))
        },
    },
};

const TAUGHT: [&str; 2] = ["encoder", "head"];

impl Objective for MeanTeacher {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.classes.prepare(spec, "mean_teacher")
    }

    fn answers(&self) -> bool {
        true
    }

    fn exports(&self) -> &'static [Export] {
        teacher::EXPORTS
    }

    fn preferred_export(&self) -> Export {
        Export::Teacher
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
        let features = net.encode_together(&[batches[0].views[0].clone(), first]);
        let [known, others] = [0, 1].map(|part| self.classes.logits(net, features[part].clone()));
        let supervised = cross_entropy(known.clone(), &labels);
        let taught = net.encode_by_teacher(second);
        let target = softmax(self.classes.logits_of_teacher(net, taught), 1);
        let unlabelled = consistency(others, target);
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

    fn after_init(&self, weights: &mut Weights) {
        teacher::init_ema(weights, &TAUGHT);
    }

    fn after_step(&self, weights: &mut Weights, progress: f64) {
        let t = 1000.0 * progress;
        let momentum = self.settings.momentum.min((1.0 + t) / (10.0 + t));
        teacher::follow(weights, &TAUGHT, momentum);
    }
}
