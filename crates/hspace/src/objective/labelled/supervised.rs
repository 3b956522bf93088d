//! Supervised learning: softmax (multinomial logistic) regression on the learned features.
//!
//! `loss = −mean Σ_c w_c t_c log softmax(W h + b)_c`, where the target t is the label smoothed
//! by ε: `1 − ε + ε/C` for the label's class, `ε/C` for the others (Szegedy et al. 2016,
//! arXiv:1512.00567), and w is 1 or the inverse class frequency, divided by its mean.

use serde::{Deserialize, Serialize};

use crate::list::{self, Configured, Entry};
use crate::objective::classes::{
    ClassWeights, Classes, accuracy, smoothed_cross_entropy, validate_smoothing,
};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind};

/// What a user may set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// ε of label smoothing, 0 ≤ ε < 1.
    label_smoothing: f64,
    /// `none`, or `balanced`: weights n / (C · n_c) as in scikit-learn.
    class_weights: ClassWeights,
}

#[derive(Default)]
struct Supervised {
    settings: Settings,
    classes: Classes,
    weights: Vec<f32>,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "supervised",
    summary: "softmax classifier on the features, trained with them on the labels",
    source: "label smoothing: Szegedy et al. 2016, arXiv:1512.00567",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            list::refuse(validate_smoothing(settings.label_smoothing))?;
            Ok(Box::new(Supervised {
                settings,
                ..Supervised::default()
            }))
        },
    },
};

impl Objective for Supervised {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        let problems = self.classes.prepare(spec, "supervised");
        self.weights = self.classes.weights(self.settings.class_weights);
        problems
    }

    fn answers(&self) -> bool {
        true
    }

    fn steps_per_draw(&self) -> usize {
        200
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::new(Subset::Labelled, vec![ViewKind::Random])]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let labels = self.classes.of(&batches[0]);
        let features = net.encode(batches[0].views[0].clone());
        let logits = self.classes.logits(net, features.clone());
        let smoothing = self.settings.label_smoothing;
        let total = smoothed_cross_entropy(logits.clone(), &labels, &self.weights, smoothing);
        Loss {
            metrics: vec![("accuracy", accuracy(logits, &labels, net))],
            ..Loss::of(total, vec![features])
        }
    }
}
