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
    /// Features of labelled samples of the source `[n, d]`, and of samples of the target `[m, d]`.
    pub features: [Tensor<2>; 2],
    /// Their logits, `[n, classes]` and `[m, classes]`.
    pub logits: [Tensor<2>; 2],
    /// The cross-entropy of the labels, `[1]`.
    pub supervised: Tensor<1>,
    /// Worth a curve: `accuracy` and `supervised`.
    pub metrics: Vec<(&'static str, Tensor<1>)>,
}

/// Rows of the source, then those of the target, `[n + m, d]`.
pub(super) fn joined(rows: &[Tensor<2>; 2]) -> Tensor<2> {
    Tensor::cat(rows.to_vec(), 0)
}

/// The rows of the source, the first `n`, and those of the target: what [`joined`] put together.
pub(super) fn parted(x: Tensor<2>, n: usize) -> [Tensor<2>; 2] {
    let [all, _] = x.dims();
    [x.clone().narrow(0, 0, n), x.narrow(0, n, all - n)]
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
        let features = [0, 1].map(|i| features[i].clone());
        let logits = features.clone().map(|f| self.classes.logits(net, f));
        let labels = self.classes.of(&batches[0]);
        let supervised = cross_entropy(logits[0].clone(), &labels);
        Encoded {
            metrics: vec![
                ("accuracy", accuracy(logits[0].clone(), &labels, net)),
                ("supervised", supervised.clone()),
            ],
            features,
            logits,
            supervised,
        }
    }
}
