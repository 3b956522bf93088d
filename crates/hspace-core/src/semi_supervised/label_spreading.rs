//! Label spreading: labels diffuse over a normalised graph, and labelled rows may change theirs.
//!
//! ```text
//! F ← α S F + (1 − α) Y,   S_ij = W_ij / √(d_i d_j) of i ≠ j, S_ii = 0,   d_j = Σ_{i ≠ j} W_ij (1 where that is 0)
//! ```
//!
//! Zhou, Bousquet, Lal, Weston & Schölkopf 2004, "Learning with local and global consistency", NIPS. A test row answers with the weighted
//! mean of F over training rows, as scikit-learn's `predict_proba`; W of nearest neighbours is not made symmetric, as there.
//!
//! Deviations from scikit-learn's `LabelSpreading`: as those of [`super::label_propagation`].

use super::graph::Graph;
use super::propagate::{Limit, answers, iterate, one_hot};
use super::{Learner, Method, PartialLabels};
use crate::error::Result;
use crate::list::Entry;

/// The line in the list.
pub(super) const ENTRY: Entry<Method> = Entry {
    name: "label_spreading",
    summary: "labels diffuse over the normalised graph of nearest rows, and may change",
    source: "Zhou et al. 2004, NIPS",
    item: Method {
        prepare: |train, test, options| {
            let of = options.label_spreading;
            Ok(Box::new(Spreading {
                graph: Graph::new(&train, &test, &options.graph)?,
                alpha: of.alpha,
                limit: Limit {
                    iterations: of.max_iterations,
                    tolerance: of.tolerance,
                },
            }))
        },
        draws: 10,
    },
};

pub(super) struct Spreading {
    pub(super) graph: Graph,
    pub(super) alpha: f64,
    pub(super) limit: Limit,
}

impl Spreading {
    /// Label distributions `[n, classes]` of the training rows, and the number of steps.
    pub(super) fn distributions(&self, labels: &PartialLabels<'_>) -> (Vec<f64>, usize) {
        let (classes, alpha) = (labels.classes, self.alpha);
        let root = |degree: f64| if degree == 0.0 { 1.0 } else { degree.sqrt() };
        let roots: Vec<f64> = self.graph.degrees().into_iter().map(root).collect();
        let known = one_hot(labels);
        iterate(labels, self.limit, |f| {
            let mut scaled = f.to_vec();
            for (row, root) in scaled.chunks_exact_mut(classes).zip(&roots) {
                row.iter_mut().for_each(|x| *x /= root);
            }
            let mut next = self.graph.times(&scaled, classes);
            let rows = next.chunks_exact_mut(classes).zip(&roots);
            let own = scaled
                .chunks_exact(classes)
                .zip(known.chunks_exact(classes));
            for ((row, root), (scaled, known)) in rows.zip(own) {
                // Every row is its own neighbour with weight 1, which S leaves out.
                for ((x, own), known) in row.iter_mut().zip(scaled).zip(known) {
                    *x = alpha * (*x - own) / root + (1.0 - alpha) * known;
                }
            }
            next
        })
    }
}

impl Learner for Spreading {
    fn learn(&self, labels: &PartialLabels<'_>) -> Result<Vec<f64>> {
        let (f, _) = self.distributions(labels);
        Ok(answers(&self.graph, &f, labels))
    }
}
