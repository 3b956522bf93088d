//! Self-training: a classifier labels the rows that it is sure of, and is fitted again.
//!
//! ```text
//! repeat: fit to labelled rows; each unlabelled row whose most probable class has p > threshold is labelled with it
//! ```
//!
//! Yarowsky 1995, "Unsupervised word sense disambiguation rivaling supervised methods", ACL. The loop is scikit-learn's
//! `SelfTrainingClassifier` (threshold .75, at most 10 rounds, then a last fit): labels that were given once are kept. The classifier is the
//! linear probe. Its penalty is chosen once, on the known labels: labels that it gave itself would only confirm it, and ask for ever less of
//! one.

use super::options::SelfTrainingOptions;
use super::{Learner, Method, PartialLabels};
use crate::auto::Auto;
use crate::error::Result;
use crate::list::Entry;
use crate::matrix::Matrix;
use crate::probe::folds::Selection;
use crate::probe::linear;
use crate::probe::scores::largest;

/// The line in the list.
pub(super) const ENTRY: Entry<Method> = Entry {
    name: "self_training",
    summary: "the linear probe labels the rows that it is sure of, and is fitted again",
    source: "Yarowsky 1995, ACL",
    item: Method {
        prepare: |train, test, options| {
            Ok(Box::new(SelfTraining {
                train,
                test,
                options: options.self_training,
            }))
        },
        draws: 5,
    },
};

struct SelfTraining {
    /// `[n, d]`
    train: Matrix,
    /// `[m, d]`
    test: Matrix,
    options: SelfTrainingOptions,
}

impl Learner for SelfTraining {
    fn learn(&self, labels: &PartialLabels<'_>) -> Result<Vec<f64>> {
        let classes = labels.classes;
        let rows: Vec<usize> = known(labels.labels);
        let own: Vec<u32> = labels.labels.iter().copied().flatten().collect();
        let features = self.train.select(&rows);
        let c = match self.options.c {
            Auto::Set(c) => c,
            Auto::Auto => {
                let selection = Selection::default();
                linear::fit_auto(&features, &own, classes, selection, labels.seed)?.1
            }
        };
        let fit = |features: &Matrix, y: &[u32]| linear::fit(features, y, classes, c);
        let answer = linear::Softmax::probabilities;
        let (model, _) = self_train(&self.train, labels, &self.options, fit, answer)?;
        Ok(model.probabilities(&self.test))
    }
}

/// Places of the rows with a label.
fn known(labels: &[Option<u32>]) -> Vec<usize> {
    (0..labels.len()).filter(|&i| labels[i].is_some()).collect()
}

/// The last classifier that `fit` gives for features and labels, whose probabilities `[rows, classes]` `answer` gives; and the round in which
/// each row of `train` `[n, d]` was labelled, 0 of those that were known.
pub(super) fn self_train<M>(
    train: &Matrix,
    labels: &PartialLabels<'_>,
    options: &SelfTrainingOptions,
    fit: impl Fn(&Matrix, &[u32]) -> Result<M>,
    answer: impl Fn(&M, &Matrix) -> Vec<f64>,
) -> Result<(M, Vec<Option<usize>>)> {
    let mut own = labels.labels.to_vec();
    let mut rounds: Vec<Option<usize>> = own.iter().map(|label| label.map(|_| 0)).collect();
    let fit_to = |own: &[Option<u32>]| {
        let y: Vec<u32> = own.iter().copied().flatten().collect();
        fit(&train.select(&known(own)), &y)
    };
    for round in 1..=options.max_iterations {
        let open: Vec<usize> = (0..own.len()).filter(|&i| own[i].is_none()).collect();
        if open.is_empty() {
            break;
        }
        let p = answer(&fit_to(&own)?, &train.select(&open));
        let mut is_new = false;
        for (&row, p) in open.iter().zip(p.chunks_exact(labels.classes)) {
            let class = largest(p);
            if p[class as usize] > options.threshold {
                (own[row], rounds[row]) = (Some(class), Some(round));
                is_new = true;
            }
        }
        if !is_new {
            break;
        }
    }
    Ok((fit_to(&own)?, rounds))
}
