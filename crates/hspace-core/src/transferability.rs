//! Ranking sources for a task without training on it: features, or probabilities of other classes, and labels of training rows → a score.
//!
//! Each score is one file in `transferability/` and a line in [`SCORES`]. Larger is better for all of them. They order sources; their
//! values mean nothing from one data set to another. [`rank`] compares the orders with that of the linear probe.

mod h_score;
mod joint;
mod leep;
mod log_me;
mod nce;
mod ranking;
mod spectrum;
mod table;

pub use joint::SourceProbabilities;
pub use ranking::{RankedSource, Ranking, ScoreAgreement, SourceHead, rank};

use crate::error::{Error, Result};
use crate::list::Entry;
use crate::matrix::Matrix;

/// Score of features `[n, d]` with their classes `[n]`, each below the number of classes.
pub type OfFeatures = fn(&Matrix, &[u32], usize) -> Result<f64>;

/// Score of probabilities of source classes `[n, z]` with target classes `[n]`, each below the number of classes.
pub type OfProbabilities = fn(&SourceProbabilities<'_>, &[u32], usize) -> Result<f64>;

/// What a score looks at.
pub enum Score {
    /// Features of the source.
    Features(OfFeatures),
    /// Probabilities of the classes that the source learned.
    Probabilities(OfProbabilities),
}

/// Every score, in the order of tables.
pub static SCORES: &[Entry<Score>] = &[
    log_me::ENTRY,
    h_score::ENTRY,
    h_score::SHRUNK,
    nce::ENTRY,
    leep::ENTRY,
];

/// Refuses labels that do not fit the `rows` of a source.
fn check(rows: usize, labels: &[u32], classes: usize) -> Result<()> {
    if labels.len() != rows {
        return Err(Error::data(format!(
            "{rows} rows and {} labels do not fit together",
            labels.len()
        )));
    }
    if let Some(label) = labels.iter().find(|&&label| label as usize >= classes) {
        return Err(Error::data(format!(
            "label {label} of {classes} classes; labels count from 0"
        )));
    }
    match labels.windows(2).any(|pair| pair[0] != pair[1]) {
        true => Ok(()),
        false => Err(Error::data("all labels are of one class; a task needs two")),
    }
}

/// Number of rows of each class.
fn counts(labels: &[u32], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    labels.iter().for_each(|&y| counts[y as usize] += 1);
    counts
}

#[cfg(test)]
mod tests;
