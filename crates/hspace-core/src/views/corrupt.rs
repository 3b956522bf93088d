//! Feature corruption (SCARF): some features are replaced by values they have in other samples.
//!
//! Of M features, ⌊share · M⌋ chosen at random get each a draw from its empirical marginal: that
//! feature's value in a random row of the reference (Bahri et al. 2022, algorithm 1).

use serde::{Deserialize, Serialize};

use super::config::Problems;
use super::{Draws, Takes, View, ViewEntry, ViewOperation};
use crate::matrix::Matrix;

pub(super) const ENTRY: ViewEntry = ViewEntry {
    name: "corrupt",
    summary: "some features take the values of other samples",
    source: "Bahri et al. 2022 (SCARF), arXiv:2106.15147",
    item: ViewOperation {
        takes: Takes::Vectors,
        of: |config| &config.corrupt,
        show: |config| {
            config.corrupt.p = 1.0;
            config.corrupt.keep_first = false;
        },
    },
};

/// Settings of feature corruption.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Corrupt {
    /// Probability.
    pub p: f64,
    /// Share of the features that is replaced.
    pub share: f64,
    /// The first view of a sample stays whole, as in the paper.
    pub keep_first: bool,
}

impl Default for Corrupt {
    fn default() -> Self {
        Corrupt {
            p: 0.0,
            share: 0.6,
            keep_first: true,
        }
    }
}

impl View for Corrupt {
    fn on(&self) -> bool {
        self.p > 0.0
    }

    fn validate(&self) -> Vec<String> {
        Problems::default()
            .probability("p", self.p)
            .probability("share", self.share)
            .list()
    }

    fn vector(&self, vector: &mut [f32], marginals: Option<&Marginals>, draws: &mut Draws) {
        let spared = self.keep_first && draws.view() == 0;
        let Some(marginals) = marginals else { return };
        if spared || !draws.chance(self.p) {
            return;
        }
        let dim = vector.len();
        let mut wanted = (self.share * dim as f64) as usize;
        for (feature, value) in vector.iter_mut().enumerate() {
            // Each feature is as likely as any other, and exactly so many are taken.
            if draws.below(dim - feature) < wanted {
                *value = marginals.draw(feature, draws);
                wanted -= 1;
            }
        }
    }
}

/// The values features usually have: rows of training vectors.
///
/// ```
/// use hspace_core::matrix::Matrix;
/// use hspace_core::views::Marginals;
///
/// let rows = Matrix::new(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// assert_eq!(Marginals::new(rows).map(|marginals| marginals.dim()), Some(3));
/// assert!(Marginals::new(Matrix::zeros(0, 3)).is_none());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Marginals(Matrix);

impl Marginals {
    /// From raw training vectors, one per row; a few thousand rows do. `None` without any row.
    pub fn new(reference: Matrix) -> Option<Self> {
        (reference.rows > 0).then_some(Marginals(reference))
    }

    /// Number of features.
    pub fn dim(&self) -> usize {
        self.0.cols
    }

    /// `(x - mean) · scale`, feature by feature.
    pub(super) fn normalised(mut self, mean: &[f32], scale: &[f32]) -> Self {
        for row in self.0.data.chunks_exact_mut(mean.len()) {
            for ((x, mean), scale) in row.iter_mut().zip(mean).zip(scale) {
                *x = (*x - mean) * scale;
            }
        }
        self
    }

    /// The feature's value in a random row.
    fn draw(&self, feature: usize, draws: &mut Draws) -> f32 {
        self.0.row(draws.below(self.0.rows))[feature]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::Key;

    fn corrupted(view: u64) -> Vec<f32> {
        let reference: Vec<f32> = (0..50)
            .map(|i| (i % 10) as f32 + 100.0 * (i / 10 + 1) as f32)
            .collect();
        let marginals = Marginals::new(Matrix::new(5, 10, reference));
        let mut vector: Vec<f32> = (0..10).map(|i| i as f32).collect();
        let corrupt = Corrupt {
            p: 1.0,
            ..Corrupt::default()
        };
        let mut draws = Key {
            view,
            ..Key::default()
        }
        .draws("corrupt");
        corrupt.vector(&mut vector, marginals.as_ref(), &mut draws);
        vector
    }

    #[test]
    fn the_share_is_exact_and_features_keep_their_place() {
        let mut often = [0; 10];
        for view in 1..=500 {
            let vector = corrupted(view);
            for (i, v) in vector.iter().enumerate() {
                assert_eq!(*v as usize % 100, i);
                often[i] += usize::from(*v >= 100.0);
            }
            assert_eq!(vector.iter().filter(|v| **v >= 100.0).count(), 6);
        }
        assert!(often.iter().all(|n| (250..350).contains(n)), "{often:?}");
    }

    #[test]
    fn the_first_view_stays_whole() {
        assert!(corrupted(0).iter().all(|v| *v < 100.0));
    }
}
