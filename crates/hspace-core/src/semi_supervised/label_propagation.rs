//! Label propagation: each row takes the mean of its neighbours' labels, and labelled rows keep theirs.
//!
//! ```text
//! F ← D⁻¹ W F,  rows divided by their sum,  F_i ← y_i of labelled rows i      D_ii = Σ_j W_ij
//! ```
//!
//! Zhu & Ghahramani 2002, "Learning from labeled and unlabeled data with label propagation", CMU-CALD-02-107. A test row answers with
//! the weighted mean of F over training rows, as scikit-learn's `predict_proba`.
//!
//! Deviations from scikit-learn's `LabelPropagation`: the default graph is that of nearest neighbours, see [`super::graph`]; what no label
//! reaches is answered with the classes' shares of the labels.

use super::graph::Graph;
use super::propagate::{Limit, answers, iterate, normalise, one_hot};
use super::{Learner, Method, PartialLabels};
use crate::error::Result;
use crate::list::Entry;

/// The line in the list.
pub(super) const ENTRY: Entry<Method> = Entry {
    name: "label_propagation",
    summary: "labels spread over the graph of nearest rows, and labelled rows keep theirs",
    source: "Zhu & Ghahramani 2002, CMU-CALD-02-107",
    item: Method {
        prepare: |train, test, options| {
            let of = options.label_propagation;
            Ok(Box::new(Propagation {
                graph: Graph::new(&train, &test, &options.graph)?,
                limit: Limit {
                    iterations: of.max_iterations,
                    tolerance: of.tolerance,
                },
            }))
        },
        draws: 10,
    },
};

pub(super) struct Propagation {
    pub(super) graph: Graph,
    pub(super) limit: Limit,
}

impl Propagation {
    /// Label distributions `[n, classes]` of the training rows, and the number of steps.
    pub(super) fn distributions(&self, labels: &PartialLabels<'_>) -> (Vec<f64>, usize) {
        let classes = labels.classes;
        let sums = self.graph.row_sums();
        let known = one_hot(labels);
        iterate(labels, self.limit, |f| {
            let mut next = self.graph.times(f, classes);
            for (row, sum) in next.chunks_exact_mut(classes).zip(&sums) {
                row.iter_mut().for_each(|x| *x /= sum);
            }
            normalise(&mut next, classes);
            for (i, _) in (labels.labels.iter().enumerate()).filter(|(_, l)| l.is_some()) {
                let own = i * classes..(i + 1) * classes;
                next[own.clone()].copy_from_slice(&known[own]);
            }
            next
        })
    }
}

impl Learner for Propagation {
    fn learn(&self, labels: &PartialLabels<'_>) -> Result<Vec<f64>> {
        let (f, _) = self.distributions(labels);
        Ok(answers(&self.graph, &f, labels))
    }
}
