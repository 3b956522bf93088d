//! k nearest neighbours: the labelled rows vote, the unlabelled ones are not used. The baseline of the methods that use them.
//!
//! The answers are those of the `knn` probe ([`crate::probe::knn`]): k, metric and weights that are `auto` are chosen by leave-one-out inside the labels of
//! the draw, never by a row of the same group.

use super::{Learner, Method, PartialLabels};
use crate::error::Result;
use crate::list::Entry;
use crate::matrix::Matrix;
use crate::probe::KnnOptions;
use crate::probe::knn::vote;

/// The line in the list.
pub(super) const ENTRY: Entry<Method> = Entry {
    name: "knn",
    summary: "baseline without unlabelled rows: the k nearest labelled rows vote; k, metric and weights chosen inside the draw",
    source: "",
    item: Method {
        prepare: |train, test, options| {
            Ok(Box::new(Neighbours {
                train,
                test,
                options: options.knn,
            }))
        },
        draws: 10,
    },
};

struct Neighbours {
    /// `[n, d]`
    train: Matrix,
    /// `[m, d]`
    test: Matrix,
    options: KnnOptions,
}

impl Learner for Neighbours {
    fn learn(&self, labels: &PartialLabels<'_>) -> Result<Vec<f64>> {
        let rows: Vec<usize> = (0..labels.labels.len())
            .filter(|&i| labels.labels[i].is_some())
            .collect();
        let own: Vec<u32> = labels.labels.iter().copied().flatten().collect();
        let groups: Option<Vec<u32>> = labels
            .groups
            .map(|groups| rows.iter().map(|&i| groups[i]).collect());
        let features = self.train.select(&rows);
        Ok(vote(
            &features,
            own,
            groups.as_deref(),
            labels.classes,
            &self.options,
            &self.test,
        ))
    }
}
