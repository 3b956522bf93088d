//! The streams of an objective with the rows they draw from, and their batches in parts.

use super::held_out::parts;
use super::loader::Source;
use crate::error::{Error, Result};
use crate::job::Job;
use crate::objective::{Batch, Stream, Subset};

/// The streams with their rows.
pub(super) fn sources(job: &Job) -> Result<Vec<Source>> {
    let batch = *job.config.train.batch_size.get();
    let learned = parts(job).learned;
    let source = |stream: Stream| {
        let of_it = |&&row: &&usize| stream.subset.has(&job.spec, row);
        let rows: Vec<usize> = learned.iter().filter(of_it).copied().collect();
        let (per_sample, batch) = (stream.ratio, batch * stream.ratio);
        if rows.is_empty() {
            return Err(Error::data(format!(
                "the objective asks for {:?} samples, and none of the {} training samples is one",
                stream.subset,
                learned.len()
            )));
        }
        if stream.counts_epochs && rows.len() < batch {
            return Err(Error::config(format!(
                "train.batch_size={} takes {batch} samples a step, {per_sample} for each of the batch, but there are only {} training samples for \
                 it; lower it or leave it on `auto`",
                batch / per_sample,
                rows.len()
            )));
        }
        let is_balanced = job.config.train.balance_classes && stream.subset == Subset::Labelled;
        let classes = match (is_balanced, job.spec.classes()) {
            (true, Some((names, index))) => by_class(&rows, names.len(), index),
            _ => vec![],
        };
        Ok(Source {
            rows,
            classes,
            stream,
            batch,
        })
    };
    job.objective.streams().into_iter().map(source).collect()
}

/// The `rows` of each class that has any; `index` is the class of each row of the dataset.
fn by_class(rows: &[usize], classes: usize, index: &[Option<u32>]) -> Vec<Vec<usize>> {
    let mut own = vec![Vec::new(); classes];
    for &row in rows {
        if let Some(class) = index[row] {
            own[class as usize].push(row);
        }
    }
    own.retain(|rows| !rows.is_empty());
    own
}

/// Cuts every stream's batch into `n` micro-batches whose sizes differ by one at most; into fewer where one would
/// be of less than two samples.
pub(super) fn split(batches: Vec<Batch>, n: usize) -> Vec<Vec<Batch>> {
    let pairs = batches.iter().map(|batch| batch.rows.len() / 2);
    let n = n.min(pairs.min().unwrap_or(1));
    if n < 2 {
        return vec![batches];
    }
    let cut = |i: usize| {
        let part = |batch: &Batch| {
            let [start, end] = [i, i + 1].map(|i| i * batch.rows.len() / n);
            let narrow = |view: &burn_tensor::Tensor<4>| view.clone().narrow(0, start, end - start);
            Batch {
                views: batch.views.iter().map(narrow).collect(),
                rows: batch.rows[start..end].to_vec(),
            }
        };
        batches.iter().map(part).collect()
    };
    (0..n).map(cut).collect()
}
