//! What label propagation and label spreading have in common: label distributions of all training rows, step by step over a graph.

use super::graph::Graph;
use super::{PartialLabels, label_shares};

/// When to stop.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    /// Steps at most.
    pub(super) iterations: usize,
    /// It ends when the absolute changes of a step, summed, are below this.
    pub(super) tolerance: f64,
}

/// 1 for the class of each labelled row, else 0, `[n, classes]`.
pub(super) fn one_hot(labels: &PartialLabels<'_>) -> Vec<f64> {
    let mut f = vec![0.0; labels.labels.len() * labels.classes];
    for (row, label) in f.chunks_exact_mut(labels.classes).zip(labels.labels) {
        if let Some(label) = label {
            row[*label as usize] = 1.0;
        }
    }
    f
}

/// Repeats `step` from the labels on, and gives the last distribution `[n, classes]`, of rows that sum to 1 (or to 0, where no label
/// reaches), with the number of steps.
pub(super) fn iterate(
    labels: &PartialLabels<'_>,
    limit: Limit,
    step: impl Fn(&[f64]) -> Vec<f64>,
) -> (Vec<f64>, usize) {
    let mut f = one_hot(labels);
    let mut previous = vec![0.0; f.len()];
    let mut steps = 0;
    while steps < limit.iterations {
        let change: f64 = f.iter().zip(&previous).map(|(a, b)| (a - b).abs()).sum();
        if change < limit.tolerance {
            break;
        }
        let next = step(&f);
        previous = std::mem::replace(&mut f, next);
        steps += 1;
    }
    normalise(&mut f, labels.classes);
    (f, steps)
}

/// Rows divided by their sum, where that is not 0.
pub(super) fn normalise(f: &mut [f64], classes: usize) {
    for row in f.chunks_exact_mut(classes) {
        let sum: f64 = row.iter().sum();
        if sum != 0.0 {
            row.iter_mut().for_each(|x| *x /= sum);
        }
    }
}

/// Class probabilities `[m, classes]` of the test rows of `graph` from the distributions `f` `[n, classes]` of the training rows. A row that
/// no label reaches gets the classes' shares of the labels; scikit-learn's answer is NaN.
pub(super) fn answers(graph: &Graph, f: &[f64], labels: &PartialLabels<'_>) -> Vec<f64> {
    let classes = labels.classes;
    let mut out = graph.for_test(f, classes);
    normalise(&mut out, classes);
    let shares = label_shares(labels);
    for row in out.chunks_exact_mut(classes) {
        if row.iter().all(|x| *x == 0.0) {
            row.copy_from_slice(&shares);
        }
    }
    out
}
