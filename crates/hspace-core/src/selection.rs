//! Which samples to label next: a pool of unlabelled training rows, and how many labels there is money for → those rows.
//!
//! Each rule is one file in `selection/` and a line in [`RULES`]. All n rows are chosen at once, before any of their labels is known. A rule
//! sees features and what a head answers; it sees no label of the pool and no test row. [`evaluate`] measures whether a rule is worth it.

mod both;
mod coreset;
mod evaluate;
mod pool;
mod random;
mod uncertainty;

pub use evaluate::{Evaluated, Evaluation, EvaluationOptions, evaluate};
pub use pool::{Options, Selection, select};
pub use uncertainty::Uncertainty;

use crate::error::{Error, Result};
use crate::list::Entry;
use crate::matrix::Matrix;

/// What a rule chooses from.
#[derive(Clone, Copy, Debug)]
pub struct Pool<'a> {
    /// Features of all training rows `[n, d]`.
    pub features: &'a Matrix,
    /// Rows with a label.
    pub labelled: &'a [usize],
    /// Rows without one, to choose from.
    pub open: &'a [usize],
    /// How unsure a head is of each of `open`, in 0..=1; `None` where there is no head.
    pub uncertainty: Option<&'a [f64]>,
    /// Seed of what is random.
    pub seed: u64,
}

/// A chosen row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pick {
    /// The row, as in [`Pool::open`].
    pub row: usize,
    /// What it was chosen by: larger is more urgent. See the rules.
    pub score: f64,
}

/// A way to choose.
pub struct Rule {
    /// Whether it needs [`Pool::uncertainty`].
    pub needs_head: bool,
    /// So many rows of the pool, the first chosen first.
    pub(crate) choose: fn(&Pool<'_>, usize) -> Vec<Pick>,
}

/// Every rule, in the order of tables.
pub static RULES: &[Entry<Rule>] = &[
    coreset::ENTRY,
    uncertainty::ENTRY,
    both::ENTRY,
    random::ENTRY,
];

impl Rule {
    /// `n` rows of `pool`, the first chosen first.
    ///
    /// ```
    /// use hspace_core::list::find;
    /// use hspace_core::matrix::Matrix;
    /// use hspace_core::selection::{Pool, RULES};
    ///
    /// let features = Matrix::new(5, 1, vec![0.0, 0.1, 0.2, 5.0, 9.0]);
    /// let pool = Pool { features: &features, labelled: &[0], open: &[1, 2, 3, 4], uncertainty: None, seed: 0 };
    /// let rule = find("rule", RULES, "coreset").unwrap();
    /// let rows: Vec<usize> = rule.choose(&pool, 2).unwrap().iter().map(|pick| pick.row).collect();
    /// assert_eq!(rows, [4, 3]);
    /// ```
    ///
    /// # Errors
    /// When the pool holds fewer rows, or the rule needs a head and there is none.
    pub fn choose(&self, pool: &Pool<'_>, n: usize) -> Result<Vec<Pick>> {
        if n > pool.open.len() {
            return Err(Error::config(format!(
                "{n} samples are to be labelled, and only {} training samples have no label; ask for fewer",
                pool.open.len()
            )));
        }
        if self.needs_head && pool.uncertainty.is_none() {
            return Err(Error::config(
                "without a head nothing is known of what is uncertain; choose by coreset, or label some samples first",
            ));
        }
        Ok((self.choose)(pool, n))
    }
}

#[cfg(test)]
mod tests;
