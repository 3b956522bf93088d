//! Supervised learning: softmax (multinomial logistic) regression on the learned features.
//!
//! `loss = −mean Σ_c w_c t_c log softmax(W h + b)_c`, where the target t is the label smoothed
//! by ε: `1 − ε + ε/C` for the label's class, `ε/C` for the others (Szegedy et al. 2016,
//! arXiv:1512.00567), and w is 1 or the inverse class frequency, divided by its mean.

use burn_tensor::Tensor;
use burn_tensor::activation::log_softmax;
use serde::{Deserialize, Serialize};

use crate::list::{self, Configured, Entry};
use crate::network::layers::{linear, pick};
use crate::network::weights::vector;
use crate::objective::heads::must;
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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ClassWeights {
    #[default]
    None,
    Balanced,
}

#[derive(Default)]
struct Supervised {
    settings: Settings,
    labels: Vec<Option<u32>>,
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
            let smoothing = settings.label_smoothing;
            list::refuse(must((0.0..1.0).contains(&smoothing), || {
                format!("label_smoothing={smoothing} must be in 0..1 (1 excluded)")
            }))?;
            Ok(Box::new(Supervised {
                settings,
                ..Supervised::default()
            }))
        },
    },
};

impl Objective for Supervised {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        let (names, labels) = match spec.known_classes("supervised") {
            Ok(known) => known,
            Err(problem) => return vec![problem],
        };
        let mut counts = vec![0usize; names.len()];
        labels
            .iter()
            .flatten()
            .for_each(|&c| counts[c as usize] += 1);
        let present = counts.iter().filter(|&&n| n > 0).count();
        let total: usize = counts.iter().sum();
        self.weights = match self.settings.class_weights {
            ClassWeights::None => vec![1.0; names.len()],
            ClassWeights::Balanced => {
                let weight = |n: usize| total as f32 / (present * n.max(1)) as f32;
                counts.into_iter().map(weight).collect()
            }
        };
        self.labels = labels.to_vec();
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::new(Subset::Labelled, vec![ViewKind::Random])]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let batch = &batches[0];
        let label = |&row: &usize| self.labels[row].expect("the stream is of labelled samples");
        let labels: Vec<u32> = batch.rows.iter().map(label).collect();
        let features = net.encode(batch.views[0].clone());
        let logits = linear(&net.at("head"), features.clone(), self.weights.len(), true);
        let classes = vector(self.weights.clone(), net.device());
        let smoothing = self.settings.label_smoothing;
        let total = cross_entropy(logits.clone(), &labels, classes, smoothing);
        let accuracy = accuracy(logits, &labels, net);
        Loss {
            metrics: vec![("accuracy", accuracy)],
            ..Loss::of(total, vec![features])
        }
    }
}

/// Weighted mean of the smoothed cross-entropies, `[1]`, as `torch.nn.CrossEntropyLoss`:
/// logits `[n, C]`, n labels, weights of the classes `[C]`.
fn cross_entropy(
    logits: Tensor<2>,
    labels: &[u32],
    weights: Tensor<1>,
    smoothing: f64,
) -> Tensor<1> {
    let [n, classes] = logits.dims();
    let weighted = log_softmax(logits, 1) * weights.clone().reshape([1, classes]);
    let own = pick(weighted.clone(), labels).sum();
    let spread = weighted.sum() / classes as f64;
    let per_sample = weights.reshape([1, classes]).expand([n, classes]);
    let normaliser = pick(per_sample, labels).sum();
    -(own * (1.0 - smoothing) + spread * smoothing) / normaliser
}

fn accuracy(logits: Tensor<2>, labels: &[u32], net: &Net) -> Tensor<1> {
    let [n, _] = logits.dims();
    let logits = logits.inner();
    let best = logits.clone().max_dim(1).reshape([n]);
    let right = pick(logits, labels).equal(best).float();
    right.mean().to_device(net.device())
}

#[cfg(test)]
mod tests {
    use crate::device::Device;

    use super::*;
    use crate::golden::check_loss;

    #[test]
    fn agrees_with_pytorch() {
        let weights = vector(vec![1.0, 0.5, 2.0, 1.5], &Device::cpu());
        check_loss("supervised", [6, 4], |logits| {
            cross_entropy(logits, &[0, 1, 2, 3, 1, 1], weights.clone(), 0.1)
        });
    }
}
