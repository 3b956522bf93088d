//! Labelled samples of a source and samples of a target without labels: the two streams of a method of domain adaptation.

use burn_tensor::Tensor;

use crate::dataset::{Role, Values};
use crate::objective::classes::{Classes, accuracy, cross_entropy};
use crate::objective::{Batch, DataSpec, Net, Stream, Subset, ViewKind};

/// Which samples are of the source and of the target.
#[derive(Clone)]
pub(super) struct SourceAndTarget {
    pub classes: Classes,
    target: Subset,
    /// Samples of the target per labelled one.
    ratio: usize,
}

/// A step's samples, encoded as one batch.
pub(super) struct Encoded {
    /// Features `[n, d]` and logits `[n, classes]` of labelled samples of the source.
    pub source: [Tensor<2>; 2],
    /// The same of samples of the target.
    pub target: [Tensor<2>; 2],
    /// The cross-entropy of the labels, `[1]`.
    pub supervised: Tensor<1>,
    /// Worth a curve: `supervised` and `accuracy`.
    pub metrics: Vec<(&'static str, Tensor<1>)>,
}

impl Encoded {
    /// Features of both domains `[n + m, d]`.
    pub fn features(&self) -> Tensor<2> {
        Tensor::cat(vec![self.source[0].clone(), self.target[0].clone()], 0)
    }

    /// Logits of both domains `[n + m, classes]`.
    pub fn logits(&self) -> Tensor<2> {
        Tensor::cat(vec![self.source[1].clone(), self.target[1].clone()], 0)
    }
}

impl SourceAndTarget {
    pub fn new(ratio: usize) -> SourceAndTarget {
        SourceAndTarget {
            classes: Classes::default(),
            target: Subset::Unlabelled,
            ratio,
        }
    }

    /// Takes classes and domains from `spec`. The target is the one domain without a label, of the column with the role `domain`; without such a
    /// column, or with several such domains, all samples without a label. What is missing is returned.
    pub fn prepare(&mut self, spec: &DataSpec, objective: &str) -> Vec<String> {
        let problems = self.classes.prepare(spec, objective);
        if !problems.is_empty() {
            return problems;
        }
        self.target = Subset::Unlabelled;
        let domain = spec.columns.iter().position(|c| c.role == Role::Domain);
        if let Some(domain) = domain
            && let Values::Classes { names, index } = &spec.columns[domain].values
        {
            let mut is_labelled = vec![false; names.len()];
            let mut is_there = vec![false; names.len()];
            for (row, of) in index.iter().enumerate() {
                if let Some(of) = of {
                    is_there[*of as usize] = true;
                    is_labelled[*of as usize] |= spec.labelled(row);
                }
            }
            let mut targets = (0..names.len()).filter(|&d| is_there[d] && !is_labelled[d]);
            if let (Some(target), None) = (targets.next(), targets.next()) {
                self.target = Subset::Class(domain, target as u32);
            }
        }
        vec![]
    }

    /// The labelled samples, and those of the target, whose passes are the epochs.
    pub fn streams(&self) -> Vec<Stream> {
        vec![
            Stream::new(Subset::Labelled, vec![ViewKind::Weak]).cycles(),
            Stream::new(self.target.clone(), vec![ViewKind::Weak]).ratio(self.ratio),
        ]
    }

    /// Encodes both batches as one.
    pub fn encode(&self, net: &Net, batches: &[Batch]) -> Encoded {
        let features = net.encode_together(&[0, 1].map(|i| batches[i].views[0].clone()));
        let both = [0, 1].map(|i| {
            let logits = self.classes.logits(net, features[i].clone());
            [features[i].clone(), logits]
        });
        let [source, target] = both;
        let labels = self.classes.of(&batches[0]);
        let supervised = cross_entropy(source[1].clone(), &labels);
        Encoded {
            metrics: vec![
                ("accuracy", accuracy(source[1].clone(), &labels, net)),
                ("supervised", supervised.clone()),
            ],
            source,
            target,
            supervised,
        }
    }
}

/// x, with −strength times its gradient (Ganin et al. 2016, equation 17).
pub(super) fn reversed(net: &Net, x: Tensor<2>, strength: f64) -> Tensor<2> {
    net.constant(x.clone()) * (1.0 + strength) - x * strength
}

/// `2 / (1 + exp(−10 p)) − 1`: from 0 to nearly 1 over a training (equation 14 there).
pub(super) fn reversal_ramp(progress: f64) -> f64 {
    2.0 / (1.0 + (-10.0 * progress).exp()) - 1.0
}
