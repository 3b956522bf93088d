//! The classes of the task, and losses of answers to it.

use burn_tensor::activation::{log_softmax, softmax};
use burn_tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::{Batch, DataSpec, Net};
use crate::nn::layers::{linear, pick};

/// What is known of the classes of the task.
#[derive(Clone, Default)]
pub(super) struct Classes {
    /// How many there are.
    pub count: usize,
    names: Vec<String>,
    /// The class of each row of the dataset, where it may be used.
    labels: Vec<Option<u32>>,
}

impl Classes {
    /// Takes them from `spec`, or says why `objective` cannot do without.
    pub fn prepare(&mut self, spec: &DataSpec, objective: &str) -> Vec<String> {
        match spec.known_classes(objective) {
            Ok((names, labels)) => {
                self.count = names.len();
                (self.names, self.labels) = (names.to_vec(), labels.to_vec());
                vec![]
            }
            Err(problem) => vec![problem],
        }
    }

    /// Rows of the dataset.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Samples whose class may be used.
    pub fn known(&self) -> usize {
        self.labels.iter().flatten().count()
    }

    /// The name of a class.
    pub fn name(&self, class: usize) -> &str {
        &self.names[class]
    }

    /// Classes of these names, without labels.
    #[cfg(test)]
    pub fn named(names: &[&str]) -> Classes {
        Classes {
            count: names.len(),
            names: names.iter().map(|name| name.to_string()).collect(),
            labels: vec![],
        }
    }

    /// The labels of a batch of labelled samples.
    pub fn of(&self, batch: &Batch) -> Vec<u32> {
        let label = |&row: &usize| self.labels[row].expect("the stream is of labelled samples");
        batch.rows.iter().map(label).collect()
    }

    /// Logits `[n, classes]` of features `[n, d]`, by the head that is kept with the encoder.
    pub fn logits(&self, net: &Net, features: Tensor<2>) -> Tensor<2> {
        linear(&net.at("head"), features, self.count, true)
    }

    /// The same by the momentum teacher's copy of the head.
    pub fn logits_of_teacher(&self, net: &Net, features: Tensor<2>) -> Tensor<2> {
        linear(&net.at("teacher.head").frozen(), features, self.count, true)
    }

    /// Labels as rows of zeros and a one, `[n, classes]`.
    pub fn one_hot(&self, net: &Net, labels: &[u32]) -> Tensor<2> {
        let mut rows = vec![0.0f32; labels.len() * self.count];
        for (row, &label) in labels.iter().enumerate() {
            rows[row * self.count + label as usize] = 1.0;
        }
        Tensor::from_data(
            TensorData::new(rows, [labels.len(), self.count]),
            net.device(),
        )
    }

    /// Labelled samples of each class.
    fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0usize; self.count];
        let known = self.labels.iter().flatten();
        known.for_each(|&class| counts[class as usize] += 1);
        counts
    }

    /// Each class's share of the labels, `[classes]`.
    pub fn shares(&self) -> Vec<f32> {
        let counts = self.counts();
        let total: usize = counts.iter().sum();
        counts
            .into_iter()
            .map(|n| n as f32 / total.max(1) as f32)
            .collect()
    }

    /// Weights of the classes `[classes]`.
    pub fn weights(&self, kind: ClassWeights) -> Vec<f32> {
        let counts = self.counts();
        let present = counts.iter().filter(|&&n| n > 0).count();
        let total: usize = counts.iter().sum();
        match kind {
            ClassWeights::None => vec![1.0; self.count],
            ClassWeights::Balanced => {
                let weight = |n: usize| total as f32 / (present * n.max(1)) as f32;
                counts.into_iter().map(weight).collect()
            }
        }
    }
}

/// How much each class counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ClassWeights {
    /// All samples alike.
    #[default]
    None,
    /// `n / (C · n_c)`, as in scikit-learn.
    Balanced,
}

/// The mean of −log p of the labels, `[1]`: logits `[n, C]`, n labels.
pub(super) fn cross_entropy(logits: Tensor<2>, labels: &[u32]) -> Tensor<1> {
    -pick(log_softmax(logits, 1), labels).mean()
}

/// Weighted mean of the smoothed cross-entropies, `[1]`, as `torch.nn.CrossEntropyLoss`: logits `[n, C]`, n labels, weights of the
/// classes.
pub(super) fn smoothed_cross_entropy(
    logits: Tensor<2>,
    labels: &[u32],
    weights: &[f32],
    smoothing: f64,
) -> Tensor<1> {
    let [n, classes] = logits.dims();
    let weights = TensorData::new(weights.to_vec(), [1, classes]);
    let weights = Tensor::<2>::from_data(weights, &logits.device().inner());
    let weighted = log_softmax(logits, 1) * weights.clone();
    let own = pick(weighted.clone(), labels).sum();
    let spread = weighted.sum() / classes as f64;
    let per_sample = weights.expand([n, classes]);
    let normaliser = pick(per_sample, labels).sum();
    -(own * (1.0 - smoothing) + spread * smoothing) / normaliser
}

/// −Σ t log p of each row, `[n]`: logits and targets `[n, C]`.
pub(super) fn soft_cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let [n, _] = logits.dims();
    -(log_softmax(logits, 1) * targets).sum_dim(1).reshape([n])
}

/// The mean entropy of the answers in nats, `[1]`: logits `[n, C]`.
pub(super) fn entropy(logits: Tensor<2>) -> Tensor<1> {
    -(softmax(logits.clone(), 1) * log_softmax(logits, 1))
        .sum_dim(1)
        .mean()
}

/// The share of rows whose largest logit is that of the label, `[1]`.
pub(super) fn accuracy(logits: Tensor<2>, labels: &[u32], net: &Net) -> Tensor<1> {
    let [n, _] = logits.dims();
    let logits = logits.inner();
    let best = logits.clone().max_dim(1).reshape([n]);
    let right = pick(logits, labels).equal(best).float();
    right.mean().to_device(net.device())
}

/// What is wrong with ε of label smoothing, if anything.
pub(super) fn validate_smoothing(smoothing: f64) -> Vec<String> {
    super::heads::must((0.0..1.0).contains(&smoothing), || {
        format!("label_smoothing={smoothing} must be in 0..1 (1 excluded)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::check_loss;

    #[test]
    fn smoothed_and_weighted_losses_agree_with_pytorch() {
        let weights = [1.0, 0.5, 2.0, 1.5];
        check_loss("supervised", [6, 4], |logits| {
            smoothed_cross_entropy(logits, &[0, 1, 2, 3, 1, 1], &weights, 0.1)
        });
    }

    #[test]
    fn entropies_agree_with_pytorch() {
        check_loss("entropy", [6, 4], entropy);
    }
}
