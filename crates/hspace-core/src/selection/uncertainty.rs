//! Uncertainty sampling: the rows that a head is least sure of.
//!
//! ```text
//! margin:   u = 1 − (p₁ − p₂)              p₁ ≥ p₂ the two largest probabilities
//! entropy:  u = −Σ_c p_c ln p_c / ln C
//! ```
//!
//! Both are in 0..=1, and 1 where the head knows nothing (margin: between its two best classes). Lewis & Gale 1994, "A sequential algorithm
//! for training text classifiers", SIGIR; the margin is that of Scheffer, Decomain & Wrobel 2001, "Active hidden Markov models for
//! information extraction". A pick's score is u. All rows are chosen at once, so they may be alike: the rule `both` spreads them.

use serde::{Deserialize, Serialize};

use super::{Pick, Rule};
use crate::list::Entry;

/// The line in the list.
pub(super) const ENTRY: Entry<Rule> = Entry {
    name: "uncertainty",
    summary: "rows that a head is least sure of, by margin or entropy",
    source: "Lewis & Gale 1994, SIGIR; Scheffer et al. 2001",
    item: Rule {
        needs_head: true,
        choose: |pool, n| {
            let u = pool.uncertainty.unwrap_or_default();
            let mut order: Vec<usize> = (0..u.len()).collect();
            order.sort_by(|&a, &b| u[b].total_cmp(&u[a]));
            let pick = |place: usize| Pick {
                row: pool.open[place],
                score: u[place],
            };
            order.into_iter().take(n).map(pick).collect()
        },
    },
};

/// How uncertainty is measured.
///
/// ```
/// use hspace_core::selection::Uncertainty;
///
/// // Three samples: no idea, a guess, and certainty.
/// let probabilities = [0.5, 0.5, 0.75, 0.25, 1.0, 0.0];
/// assert_eq!(Uncertainty::Margin.of(&probabilities, 2), [1.0, 0.5, 0.0]);
/// let entropy = Uncertainty::Entropy.of(&probabilities, 2);
/// assert!(entropy[0] > entropy[1] && entropy[1] > 0.5 && entropy[2] == 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Uncertainty {
    /// 1 less the difference of the two largest probabilities.
    #[default]
    Margin,
    /// Entropy over its largest value.
    Entropy,
}

impl Uncertainty {
    /// Of each row of `probabilities` `[m, classes]`, in 0..=1.
    pub fn of(self, probabilities: &[f64], classes: usize) -> Vec<f64> {
        let rows = probabilities.chunks_exact(classes.max(1));
        rows.map(|p| match self {
            Uncertainty::Margin => {
                let mut top = [0.0f64; 2];
                for &p in p {
                    if p > top[0] {
                        top = [p, top[0]];
                    } else if p > top[1] {
                        top[1] = p;
                    }
                }
                1.0 - (top[0] - top[1])
            }
            Uncertainty::Entropy => {
                let terms = p.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln());
                let largest = (classes as f64).ln();
                if largest > 0.0 {
                    terms.sum::<f64>() / largest
                } else {
                    0.0
                }
            }
        })
        .collect()
    }
}
