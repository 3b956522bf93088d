//! NCE: negative conditional entropy of the target labels, given the source's answers.
//!
//! ```text
//! NCE = −H(Y | Z) = Σ_{y, z} P(y, z) ln P(y | z) = 1/n Σ_i ln P(y_i | z_i),   z_i the source's most probable class of row i
//! ```
//!
//! Tran, Nguyen & Hassner 2019, "Transferability and hardness of supervised classification tasks", ICCV, arXiv:1908.08142. The paper has two
//! sets of labels of the same inputs; where the source's labels of the target's inputs are not known, its answers take their place, as in
//! Nguyen et al. 2020 (LEEP).

use super::joint::{SourceProbabilities, conditional};
use super::{Score, check};
use crate::error::Result;
use crate::list::Entry;
use crate::probe::scores::largest;

/// The line in the list.
pub(super) const ENTRY: Entry<Score> = Entry {
    name: "nce",
    summary: "negative conditional entropy of the labels, given the source's answers",
    source: "Tran et al. 2019, arXiv:1908.08142",
    item: Score::Probabilities(nce),
};

fn nce(of: &SourceProbabilities<'_>, labels: &[u32], classes: usize) -> Result<f64> {
    of.check()?;
    check(of.values.len() / of.classes, labels, classes)?;
    let z = of.classes;
    let answers: Vec<usize> = of.rows().map(|row| largest(row) as usize).collect();
    let mut counts = vec![0.0; classes * z];
    for (&answer, &y) in answers.iter().zip(labels) {
        counts[y as usize * z + answer] += 1.0;
    }
    let given = conditional(&counts, z);
    let pairs = answers.iter().zip(labels);
    let ln = pairs.map(|(&answer, &y)| given[y as usize * z + answer].ln());
    Ok(ln.sum::<f64>() / labels.len() as f64)
}
