//! Source classes and target classes together.

use crate::error::{Error, Result};

/// What a source says of its own classes.
#[derive(Clone, Copy, Debug)]
pub struct SourceProbabilities<'a> {
    /// Probabilities `[n, classes]`; rows sum to 1.
    pub values: &'a [f64],
    /// Number of source classes.
    pub classes: usize,
}

impl SourceProbabilities<'_> {
    /// Row by row.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.classes)
    }

    /// Refuses values that are no probabilities.
    pub(super) fn check(&self) -> Result<()> {
        if self.classes == 0 || !self.values.len().is_multiple_of(self.classes) {
            return Err(Error::data(format!(
                "{} probabilities are no rows of {} source classes",
                self.values.len(),
                self.classes
            )));
        }
        let is_distribution = |row: &[f64]| {
            row.iter().all(|p| *p >= 0.0) && (row.iter().sum::<f64>() - 1.0).abs() < 1e-3
        };
        match self.rows().position(|row| !is_distribution(row)) {
            None => Ok(()),
            Some(row) => Err(Error::data(format!(
                "probabilities of row {row} are below 0 or do not sum to 1"
            ))),
        }
    }
}

/// `P(y | z)` `[classes, z]` from the sums of the weights of source classes z over the rows of each target class y.
pub(super) fn conditional(sums: &[f64], sources: usize) -> Vec<f64> {
    let mut totals = vec![0.0; sources];
    for row in sums.chunks_exact(sources) {
        totals.iter_mut().zip(row).for_each(|(t, x)| *t += x);
    }
    let share = |(e, sum): (usize, &f64)| match totals[e % sources] > 0.0 {
        true => sum / totals[e % sources],
        false => 0.0,
    };
    sums.iter().enumerate().map(share).collect()
}
