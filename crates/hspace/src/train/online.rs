//! The online probe: how good the features are, epoch by epoch, by training samples alone.

use super::Setup;
use crate::embed::embed;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::network::Weights;
use crate::probe::knn;
use crate::probe::scores::largest;

/// Training samples it looks at.
const SAMPLES: usize = 1000;
/// Its number of neighbours.
const NEIGHBOURS: usize = 10;

/// Accuracy of kNN on the features of training samples, each left out in turn; never of test
/// samples. `encoder` are its weights, names without prefix. `None` without classes.
pub(super) fn accuracy(setup: &Setup, encoder: &Weights) -> Result<Option<f64>> {
    let Some((names, labels)) = setup.facts.classes() else {
        return Ok(None);
    };
    let labelled = |&&row: &&usize| labels[row].is_some();
    let rows: Vec<usize> = setup.rows.iter().filter(labelled).copied().collect();
    if rows.len() < 2 {
        return Ok(None);
    }
    let every = rows.len().div_ceil(SAMPLES);
    let rows: Vec<usize> = rows.into_iter().step_by(every).collect();
    let embedded = embed(
        setup.encoder,
        encoder,
        setup.views,
        setup.dataset,
        &rows,
        &setup.device,
        &mut |_| {},
    )?;
    let of_row = |&row: &usize| labels[row];
    let labels: Vec<u32> = embedded.rows.iter().filter_map(of_row).collect();
    Ok(Some(leave_one_out(
        &embedded.features,
        &labels,
        names.len(),
    )))
}

/// Accuracy of cosine kNN on features `[n, d]`, each row answered by the others.
fn leave_one_out(features: &Matrix, labels: &[u32], classes: usize) -> f64 {
    let own: Vec<usize> = (0..features.rows).collect();
    let metric = knn::Metric::Cosine;
    let found = knn::neighbours(features, features, metric, NEIGHBOURS, Some(&own));
    let weights = knn::Weights::Uniform;
    let shares = knn::probabilities(&found, labels, classes, NEIGHBOURS, weights);
    let answers = shares.chunks_exact(classes).map(largest);
    let right = answers
        .zip(labels)
        .filter(|(answer, label)| answer == *label);
    right.count() as f64 / features.rows as f64
}
