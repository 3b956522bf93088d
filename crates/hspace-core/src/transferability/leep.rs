//! LEEP: log likelihood of the target labels under what the source's classes say of them.
//!
//! ```text
//! LEEP = 1/n Σ_i ln Σ_z P(y_i | z) θ_z(x_i),   P(y, z) = 1/n Σ_{i: y_i = y} θ_z(x_i),   P(y | z) = P(y, z) / P(z)
//! ```
//!
//! with θ_z(x) the source's probability of its class z. Nguyen, Hassner, Seeger & Archambeau 2020, "LEEP: a new measure to evaluate
//! transferability of learned representations", ICML, arXiv:2002.12462.

use super::joint::{SourceProbabilities, conditional};
use super::{Score, check};
use crate::error::Result;
use crate::list::Entry;

/// The line in the list.
pub(super) const ENTRY: Entry<Score> = Entry {
    name: "leep",
    summary: "log likelihood of the labels, given the source's probabilities of its own classes",
    source: "Nguyen et al. 2020, arXiv:2002.12462",
    item: Score::Probabilities(leep),
};

fn leep(of: &SourceProbabilities<'_>, labels: &[u32], classes: usize) -> Result<f64> {
    of.check()?;
    check(of.values.len() / of.classes, labels, classes)?;
    let z = of.classes;
    let mut sums = vec![0.0; classes * z];
    for (row, &y) in of.rows().zip(labels) {
        let own = &mut sums[y as usize * z..][..z];
        own.iter_mut().zip(row).for_each(|(s, p)| *s += p);
    }
    let given = conditional(&sums, z);
    let likelihood = |(row, &y): (&[f64], &u32)| {
        let own = given[y as usize * z..][..z].iter();
        own.zip(row).map(|(g, p)| g * p).sum::<f64>().ln()
    };
    Ok(of.rows().zip(labels).map(likelihood).sum::<f64>() / labels.len() as f64)
}
