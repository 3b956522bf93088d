//! Which k, metric and weights a kNN probe uses.
//!
//! What is not fixed is chosen by the accuracy on validation rows, or else of leave-one-out inside the training labels:
//! on up to 1,000 rows, each answered by all others, or by those of other groups where there are groups. Several labels
//! a sample are answered by each label's share of the votes, and judged by the mean squared difference from the truth
//! (Brier score).

use std::borrow::Cow;

use super::{
    Metric, Neighbours, Settings, Weights, label_probabilities, neighbours,
    neighbours_in_other_groups, probabilities,
};
use crate::auto::Auto;
use crate::matrix::{Matrix, spaced};
use crate::probe::folds::Selection;
use crate::probe::options::{KnnMetric, KnnOptions, KnnWeights};
use crate::probe::scores::largest;

/// Candidates for k.
const GRID: [usize; 8] = [1, 3, 5, 10, 20, 50, 100, 200];
/// Rows left out, one at a time, when choosing.
const LEFT_OUT: usize = 1000;

/// What `options` leave open, chosen by the accuracy on held-out rows. `k` never exceeds the number of training rows.
pub fn choose(
    train: &Matrix,
    labels: &[u32],
    classes: usize,
    options: &KnnOptions,
    selection: Selection<'_, u32>,
) -> Settings {
    let truth = selection.val.map_or(labels, |(_, truth)| truth);
    let features = selection.val.map(|(features, _)| features);
    let held_out = HeldOut::new(train, features, selection.groups, 2 * classes);
    let score = |found: &Neighbours, of: &[usize], k, weights| -> f64 {
        let answers = probabilities(found, labels, classes, k, weights);
        let answers = answers.chunks_exact(classes).map(largest);
        answers.zip(of).filter(|(a, i)| *a == truth[**i]).count() as f64
    };
    best(train, classes, options, held_out, score)
}

/// As [`choose`], for rows with a set of `labels` labels each, by the Brier score.
pub fn choose_for_label_sets(
    train: &Matrix,
    sets: &[Vec<u32>],
    labels: usize,
    options: &KnnOptions,
    selection: Selection<'_, Vec<u32>>,
) -> Settings {
    let truth = selection.val.map_or(sets, |(_, truth)| truth);
    let features = selection.val.map(|(features, _)| features);
    let held_out = HeldOut::new(train, features, selection.groups, 4);
    let score = |found: &Neighbours, of: &[usize], k, weights| -> f64 {
        let answers = label_probabilities(found, sets, labels, k, weights);
        let mut sum = 0.0;
        for (row, &i) in answers.chunks_exact(labels).zip(of) {
            for (label, share) in row.iter().enumerate() {
                let has = truth[i].contains(&(label as u32));
                sum += (share - f64::from(u8::from(has))).powi(2);
            }
        }
        -sum
    };
    best(train, 2, options, held_out, score)
}

/// Rows that settings are scored on: their places in the truth, their features, and what each must not be answered by.
struct HeldOut<'a> {
    rows: Vec<usize>,
    queries: Cow<'a, Matrix>,
    from_training: bool,
    groups: Option<&'a [u32]>,
}

impl<'a> HeldOut<'a> {
    /// The validation rows `val`, or else training rows; `None` where there are fewer than `least`, or all of one group.
    fn new(
        train: &Matrix,
        val: Option<&'a Matrix>,
        groups: Option<&'a [u32]>,
        least: usize,
    ) -> Option<HeldOut<'a>> {
        if let Some(val) = val {
            return Some(HeldOut {
                rows: (0..val.rows).collect(),
                queries: Cow::Borrowed(val),
                from_training: false,
                groups: None,
            });
        }
        let one_group = groups.is_some_and(|groups| groups.iter().all(|g| *g == groups[0]));
        if train.rows < least || one_group {
            return None;
        }
        let rows = spaced(train.rows, LEFT_OUT);
        Some(HeldOut {
            queries: Cow::Owned(train.select(&rows)),
            rows,
            from_training: true,
            groups,
        })
    }

    fn neighbours(&self, train: &Matrix, metric: Metric, k: usize) -> Neighbours {
        match (self.groups, self.from_training) {
            (Some(groups), _) => {
                let own: Vec<u32> = self.rows.iter().map(|&i| groups[i]).collect();
                neighbours_in_other_groups(train, &self.queries, metric, k, groups, &own)
            }
            (None, true) => neighbours(train, &self.queries, metric, k, Some(&self.rows)),
            (None, false) => neighbours(train, &self.queries, metric, k, None),
        }
    }
}

/// The settings of the highest `score(neighbours, held-out rows, k, weights)`; the first of equals.
fn best(
    train: &Matrix,
    classes: usize,
    options: &KnnOptions,
    held_out: Option<HeldOut<'_>>,
    score: impl Fn(&Neighbours, &[usize], usize, Weights) -> f64,
) -> Settings {
    let metrics: &[Metric] = match options.metric {
        KnnMetric::Auto => &[Metric::Cosine, Metric::Euclidean],
        KnnMetric::Cosine => &[Metric::Cosine],
        KnnMetric::Euclidean => &[Metric::Euclidean],
    };
    let weights: &[Weights] = match options.weights {
        // Who fixes k asks for the plain classifier.
        KnnWeights::Auto if options.k != Auto::Auto => &[Weights::Uniform],
        KnnWeights::Auto => &[Weights::Uniform, Weights::Distance],
        KnnWeights::Uniform => &[Weights::Uniform],
        KnnWeights::Distance => &[Weights::Distance],
    };
    // More neighbours than a class has members would answer for the wrong class.
    let most = (train.rows / classes.max(1)).max(1);
    let ks: Vec<usize> = match options.k {
        Auto::Set(k) => vec![k.min(train.rows)],
        Auto::Auto => GRID.into_iter().filter(|&k| k <= most).collect(),
    };
    let mut best = Settings {
        k: ks[0],
        metric: metrics[0],
        weights: weights[0],
    };
    let mut highest = None;
    let Some(held_out) = held_out.filter(|_| metrics.len() * weights.len() * ks.len() > 1) else {
        return best;
    };
    let others = train.rows - usize::from(held_out.from_training);
    let widest = ks.iter().copied().max().unwrap_or(1).min(others);
    for &metric in metrics {
        let found = held_out.neighbours(train, metric, widest);
        for &k in &ks {
            for &weights in weights {
                let score = score(&found, &held_out.rows, k, weights);
                if highest.is_none_or(|h| score > h) {
                    highest = Some(score);
                    best = Settings { k, metric, weights };
                }
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of one group lie at one point and have one class; points of a class are not near each other.
    #[test]
    fn no_row_is_answered_by_its_own_group() {
        let groups: Vec<u32> = (0..60).map(|i| i / 3).collect();
        let at = |group: u32| (group * 7919 % 101) as f32;
        let x = Matrix::new(60, 1, groups.iter().map(|&g| at(g)).collect());
        let found = neighbours_in_other_groups(&x, &x, Metric::Euclidean, 5, &groups, &groups);
        for (near, own) in found.iter().zip(&groups) {
            assert_eq!(near.len(), 5);
            assert!(near.iter().all(|n| groups[n.1 as usize] != *own));
        }
        // By its own group k = 1 is always right, by the others it is a guess.
        let y: Vec<u32> = groups.iter().map(|g| g * 31 % 7 % 2).collect();
        let options = KnnOptions {
            metric: KnnMetric::Euclidean,
            weights: KnnWeights::Uniform,
            ..KnnOptions::default()
        };
        let k = |groups| {
            let selection = Selection { groups, val: None };
            choose(&x, &y, 2, &options, selection).k
        };
        assert_eq!(k(None), 1);
        let right = |k: usize| {
            let found = neighbours_in_other_groups(&x, &x, Metric::Euclidean, k, &groups, &groups);
            let answers = probabilities(&found, &y, 2, k, Weights::Uniform);
            let answers = answers.chunks_exact(2).map(largest);
            answers.zip(&y).filter(|(a, y)| a == *y).count()
        };
        let grid = || GRID.into_iter().filter(|&k| k <= 30);
        let most = grid().map(right).max();
        assert_eq!(
            grid().find(|&k| Some(right(k)) == most),
            Some(k(Some(&groups)))
        );
        assert_ne!(k(Some(&groups)), 1);
    }

    /// Validation rows decide, not the training rows.
    #[test]
    fn the_settings_are_the_best_on_validation_rows() {
        let x = Matrix::new(
            40,
            2,
            (0..80).map(|i| ((i * 7919) % 103) as f32 - 50.0).collect(),
        );
        let y: Vec<u32> = (0..40)
            .map(|i| u32::from(x.row(i)[0] * 2.0 > x.row(i)[1]))
            .collect();
        let val = Matrix::new(
            30,
            2,
            (0..60)
                .map(|i| ((i * 104_729) % 107) as f32 - 53.0)
                .collect(),
        );
        let truth: Vec<u32> = (0..30).map(|i| u32::from(i * 7 % 5 > 2)).collect();
        let selection = Selection {
            groups: None,
            val: Some((&val, &truth[..])),
        };
        let chosen = choose(&x, &y, 2, &KnnOptions::default(), selection);
        let right = |s: &Settings| {
            let found = neighbours(&x, &val, s.metric, s.k, None);
            let answers = probabilities(&found, &y, 2, s.k, s.weights);
            let answers = answers.chunks_exact(2).map(largest);
            answers.zip(&truth).filter(|(a, t)| a == *t).count()
        };
        for metric in [Metric::Cosine, Metric::Euclidean] {
            for weights in [Weights::Uniform, Weights::Distance] {
                for k in GRID.into_iter().filter(|&k| k <= 20) {
                    assert!(right(&Settings { k, metric, weights }) <= right(&chosen));
                }
            }
        }
    }

    #[test]
    fn label_sets_are_answered_by_shares_of_votes() {
        let x = Matrix::new(4, 1, vec![0.0, 1.0, 2.0, 30.0]);
        let sets = vec![vec![0, 1], vec![1], vec![], vec![0]];
        let query = Matrix::new(1, 1, vec![0.9]);
        let found = neighbours(&x, &query, Metric::Euclidean, 3, None);
        let shares = label_probabilities(&found, &sets, 2, 3, Weights::Uniform);
        assert_eq!(shares, [1.0 / 3.0, 2.0 / 3.0]);
        let settings =
            choose_for_label_sets(&x, &sets, 2, &KnnOptions::default(), Selection::default());
        assert!(settings.k <= 2);
    }
}
