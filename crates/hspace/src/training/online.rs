//! The online probe: how good the features are, epoch by epoch. Test samples are never looked at.

use crate::dataset::groups;
use crate::embed::{Embedded, embed};
use crate::error::Result;
use crate::job::{Job, PROBED};
use crate::matrix::{Matrix, spaced};
use crate::nn::Weights;
use crate::probe::knn;
use crate::probe::scores::largest;

/// Its number of neighbours.
const NEIGHBOURS: usize = 10;
const METRIC: knn::Metric = knn::Metric::Cosine;

/// Accuracy of kNN on val samples, answered by training samples; where the job has no val labels, on training
/// samples, each answered by those of other groups. `encoder` are its weights, names without prefix. `None` without
/// classes, or with too few samples to answer.
pub(super) fn accuracy(job: &Job, encoder: &Weights) -> Result<Option<f64>> {
    let Some((names, labels)) = job.spec.classes() else {
        return Ok(None);
    };
    let labelled = |&&row: &&usize| labels[row].is_some();
    let rows: Vec<usize> = job.rows.iter().filter(labelled).copied().collect();
    if rows.len() < 2 {
        return Ok(None);
    }
    let every = rows.len().div_ceil(PROBED);
    let rows: Vec<usize> = rows.into_iter().step_by(every).collect();
    let train = features(job, encoder, &rows)?;
    let known = train.rows.iter().filter_map(|&row| labels[row]);
    let known: Vec<u32> = known.collect();
    if job.choosing.is_empty() {
        let groups = match groups(&job.dataset.columns) {
            Some(groups) => train.rows.iter().map(|&row| groups[row]).collect(),
            None => (0..train.rows.len() as u32).collect::<Vec<_>>(),
        };
        return Ok(leave_one_out(&train.features, &known, &groups, names.len()));
    }
    let val = spaced(job.choosing.len(), PROBED).into_iter();
    let (rows, classes): (Vec<usize>, Vec<u32>) = val.map(|i| job.choosing[i]).unzip();
    let val = features(job, encoder, &rows)?;
    let classes = rows.iter().zip(classes);
    let read = classes.filter(|(row, _)| val.rows.binary_search(row).is_ok());
    let classes: Vec<u32> = read.map(|(_, class)| class).collect();
    let found = knn::neighbours(&train.features, &val.features, METRIC, NEIGHBOURS, None);
    Ok(Some(share_right(&found, &known, &classes, names.len())))
}

fn features(job: &Job, encoder: &Weights, rows: &[usize]) -> Result<Embedded> {
    embed(
        &*job.encoder,
        encoder,
        &job.views.random,
        job.dataset,
        rows,
        &job.device,
        &mut |_| {},
    )
}

/// Accuracy of cosine kNN on features `[n, d]`, each row answered by the rows of other groups; `None` where there is
/// one group alone.
fn leave_one_out(features: &Matrix, labels: &[u32], groups: &[u32], classes: usize) -> Option<f64> {
    let own: Vec<usize> = (0..features.rows).collect();
    let mut sizes = std::collections::BTreeMap::new();
    for group in groups {
        *sizes.entry(group).or_insert(0) += 1;
    }
    if sizes.len() < 2 {
        return None;
    }
    // As many more as the own group could be among them.
    let most = NEIGHBOURS + sizes.values().max().unwrap_or(&1) - 1;
    let mut found = knn::neighbours(features, features, METRIC, most, Some(&own));
    for (near, group) in found.iter_mut().zip(groups) {
        near.retain(|(_, row)| groups[*row as usize] != *group);
    }
    Some(share_right(&found, labels, labels, classes))
}

/// Share of the rows whose class most of their neighbours have; `known` are the neighbours' classes.
fn share_right(found: &knn::Neighbours, known: &[u32], right: &[u32], classes: usize) -> f64 {
    let weights = knn::Weights::Uniform;
    let shares = knn::probabilities(found, known, classes, NEIGHBOURS, weights);
    let answers = shares.chunks_exact(classes).map(largest);
    let same = answers
        .zip(right)
        .filter(|(answer, class)| answer == *class);
    same.count() as f64 / right.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs of rows that are nearly the same and share a class; without the partner the nearest rows are of the other
    /// class.
    #[test]
    fn rows_of_the_own_group_do_not_answer() {
        let groups: Vec<u32> = (0..24).map(|i| i / 2).collect();
        let labels: Vec<u32> = groups.iter().map(|group| group % 2).collect();
        let angle = |i: usize| f64::from(groups[i]) * 0.1 + (i % 2) as f64 * 1e-3;
        let row = |i| [angle(i).cos() as f32, angle(i).sin() as f32];
        let features = Matrix::new(24, 2, (0..24).flat_map(row).collect());
        let alone: Vec<u32> = (0..24).collect();
        let naive = |groups: &[u32]| {
            let right = (0..24).filter(|&i| {
                let mut others: Vec<usize> = (0..24).filter(|&j| groups[j] != groups[i]).collect();
                let far = |j: usize| 1.0 - (angle(i) - angle(j)).cos();
                others.sort_by(|&a, &b| far(a).total_cmp(&far(b)));
                let votes = others[..NEIGHBOURS]
                    .iter()
                    .filter(|&&j| labels[j] == 1)
                    .count();
                u32::from(votes > NEIGHBOURS / 2) == labels[i]
            });
            right.count() as f64 / 24.0
        };
        for groups in [&groups, &alone] {
            let found = leave_one_out(&features, &labels, groups, 2).unwrap();
            assert_eq!(found, naive(groups));
        }
        let same = |groups| leave_one_out(&features, &labels, groups, 2);
        assert_ne!(same(&groups), same(&alone));
        assert_eq!(same(&[0; 24]), None);
    }
}
