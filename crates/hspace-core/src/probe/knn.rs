//! Answers by the k nearest training rows.
//!
//! Distances come from blocked products, `‖q‖² + ‖t‖² − 2 q·t` after centring (Euclidean) or
//! `1 − q·t` on rows of length 1 (cosine). Where nearly all rows point one way single precision cannot
//! resolve that difference, and it is computed as `½‖q − t‖²` after centring the rows of length 1. Votes count the same or by 1/distance; a neighbour at
//! distance 0 then outvotes all others, as in scikit-learn. Equal distances go to the lower row,
//! equal votes to the lower class.

mod choice;
pub(super) mod probe;

pub(crate) use choice::{choose, choose_for_label_sets};
pub use probe::LabelledRows;
pub(crate) use probe::vote;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::matrix::Matrix;

/// Query rows and training rows of one block of distances.
const QUERIES: usize = 256;
const TRAIN: usize = 2048;
/// Squared length of the mean of training rows of length 1 above which they are centred: their mean distance is then
/// below 10⁻⁴, of which single precision resolves three digits.
const ONE_WAY: f64 = 1.0 - 1e-4;

/// How rows are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// 1 − cosine of the angle.
    Cosine,
    /// Euclidean distance.
    Euclidean,
}

/// How neighbours vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weights {
    /// One vote each.
    Uniform,
    /// 1/distance votes.
    Distance,
}

/// Everything a kNN probe needs besides rows.
///
/// ```
/// use hspace_core::probe::knn::{Metric, Settings, Weights};
///
/// let settings = Settings { k: 5, metric: Metric::Cosine, weights: Weights::Uniform };
/// assert!(settings.to_string().starts_with("k=5 cosine"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Number of neighbours.
    pub k: usize,
    /// How rows are compared.
    pub metric: Metric,
    /// How neighbours vote.
    pub weights: Weights,
}

impl std::fmt::Display for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let metric = match self.metric {
            Metric::Cosine => "cosine",
            Metric::Euclidean => "euclidean",
        };
        let weights = match self.weights {
            Weights::Uniform => "uniform",
            Weights::Distance => "distance",
        };
        write!(f, "k={} {metric} {weights}", self.k)
    }
}

/// For each query row its nearest training rows, nearest first: (distance, row).
pub type Neighbours = Vec<Vec<(f32, u32)>>;

/// The `k` nearest rows of `train` `[n, d]` to each row of `queries` `[m, d]`. Where `own` is given,
/// `own[i]` is query i's row in `train`, which is left out.
///
/// ```
/// use hspace_core::matrix::Matrix;
/// use hspace_core::probe::knn::{Metric, neighbours};
///
/// let train = Matrix::new(3, 1, vec![0.0, 9.0, 4.0]);
/// let query = Matrix::new(1, 1, vec![5.0]);
/// let found = neighbours(&train, &query, Metric::Euclidean, 2, None);
/// let rows: Vec<u32> = found[0].iter().map(|(_, row)| *row).collect();
/// assert_eq!(rows, [2, 1]);
/// ```
pub fn neighbours(
    train: &Matrix,
    queries: &Matrix,
    metric: Metric,
    k: usize,
    own: Option<&[usize]>,
) -> Neighbours {
    match own {
        Some(own) => nearest(train, queries, metric, k, |q, t| own[q] == t),
        None => nearest(train, queries, metric, k, |_, _| false),
    }
}

/// As [`neighbours`], leaving out the training rows of the query's own group: `groups` `[n]` are those of the training rows,
/// `own` `[m]` those of the queries.
pub(crate) fn neighbours_in_other_groups(
    train: &Matrix,
    queries: &Matrix,
    metric: Metric,
    k: usize,
    groups: &[u32],
    own: &[u32],
) -> Neighbours {
    nearest(train, queries, metric, k, |q, t| own[q] == groups[t])
}

/// The `k` nearest training rows t to each query q for which `skip(q, t)` is false.
fn nearest(
    train: &Matrix,
    queries: &Matrix,
    metric: Metric,
    k: usize,
    skip: impl Fn(usize, usize) -> bool + Sync,
) -> Neighbours {
    let mut from_squares = true;
    let (train, queries) = match metric {
        Metric::Cosine => {
            let mut mean = mean_direction(train);
            from_squares = mean.iter().map(|x| x * x).sum::<f64>() > ONE_WAY;
            if !from_squares {
                mean.fill(0.0);
            }
            (unit_rows(train, &mean), unit_rows(queries, &mean))
        }
        Metric::Euclidean => {
            let mean = train.column_means();
            (train.minus(&mean), queries.minus(&mean))
        }
    };
    let distance = |far: f32| match metric {
        Metric::Euclidean => far.max(0.0).sqrt(),
        Metric::Cosine if from_squares => far.max(0.0) / 2.0,
        Metric::Cosine => far.max(0.0),
    };
    let squares = |m: &Matrix| -> Vec<f32> {
        (0..m.rows)
            .map(|i| {
                m.row(i)
                    .iter()
                    .map(|&x| f64::from(x) * f64::from(x))
                    .sum::<f64>() as f32
            })
            .collect()
    };
    let (train_squares, query_squares) = (squares(&train), squares(&queries));
    let train_blocks: Vec<Matrix> = (0..train.rows)
        .step_by(TRAIN)
        .map(|j| {
            Matrix::new(
                TRAIN.min(train.rows - j),
                train.cols,
                train.data[j * train.cols..(j + TRAIN).min(train.rows) * train.cols].to_vec(),
            )
        })
        .collect();
    let starts: Vec<usize> = (0..queries.rows).step_by(QUERIES).collect();
    let found: Vec<Neighbours> = starts
        .par_iter()
        .map(|&q| {
            let rows: Vec<usize> = (q..(q + QUERIES).min(queries.rows)).collect();
            let block = queries.select(&rows);
            let mut best: Vec<Nearest> = rows.iter().map(|_| Nearest::new(k)).collect();
            for (b, part) in train_blocks.iter().enumerate() {
                let products = block.times_transposed(part);
                for (i, nearest) in best.iter_mut().enumerate() {
                    let square = query_squares[q + i];
                    for (j, &product) in products.row(i).iter().enumerate() {
                        let t = b * TRAIN + j;
                        let far = match from_squares {
                            false => 1.0 - product,
                            true => square + train_squares[t] - 2.0 * product,
                        };
                        if far < nearest.limit && !skip(q + i, t) {
                            nearest.offer(far, t as u32);
                        }
                    }
                }
            }
            best.into_iter()
                .map(|nearest| nearest.finish(distance))
                .collect()
        })
        .collect();
    found.into_iter().flatten().collect()
}

/// Class probabilities `[m, classes]`: shares of the votes of the first `k` neighbours.
///
/// ```
/// use hspace_core::probe::knn::{Weights, probabilities};
///
/// // One query with three neighbours: (distance, training row).
/// let found = vec![vec![(0.1, 0), (0.2, 2), (0.9, 1)]];
/// let labels = [1, 0, 1];
/// assert_eq!(probabilities(&found, &labels, 2, 2, Weights::Uniform), [0.0, 1.0]);
/// let all = probabilities(&found, &labels, 2, 3, Weights::Uniform);
/// assert!((all[1] - 2.0 / 3.0).abs() < 1e-6);
/// ```
pub fn probabilities(
    found: &Neighbours,
    labels: &[u32],
    classes: usize,
    k: usize,
    weights: Weights,
) -> Vec<f64> {
    shares(found, classes, k, weights, |t| {
        std::slice::from_ref(&labels[t])
    })
}

/// Each label's share `[m, labels]` of the votes of the first `k` neighbours, whose label sets `sets` `[n]` are.
pub(crate) fn label_probabilities(
    found: &Neighbours,
    sets: &[Vec<u32>],
    labels: usize,
    k: usize,
    weights: Weights,
) -> Vec<f64> {
    shares(found, labels, k, weights, |t| &sets[t])
}

fn shares<'a>(
    found: &Neighbours,
    classes: usize,
    k: usize,
    weights: Weights,
    labels_of: impl Fn(usize) -> &'a [u32],
) -> Vec<f64> {
    let mut out = vec![0.0; found.len() * classes];
    for (row, near) in out.chunks_exact_mut(classes).zip(found) {
        let near = &near[..k.min(near.len())];
        let same = near.iter().any(|n| n.0 == 0.0);
        let mut total = 0.0;
        for &(distance, t) in near {
            let vote = match weights {
                Weights::Uniform => 1.0,
                Weights::Distance if same => f64::from(u8::from(distance == 0.0)),
                Weights::Distance => 1.0 / f64::from(distance),
            };
            for &label in labels_of(t as usize) {
                row[label as usize] += vote;
            }
            total += vote;
        }
        row.iter_mut().for_each(|v| *v /= total);
    }
    out
}

/// The k smallest of a stream, the earlier of equals first.
struct Nearest {
    k: usize,
    limit: f32,
    kept: Vec<(f32, u32)>,
}

impl Nearest {
    fn new(k: usize) -> Self {
        Nearest {
            k,
            limit: f32::INFINITY,
            kept: Vec::with_capacity(2 * k),
        }
    }

    /// Takes a candidate below the limit; rows must come in ascending order.
    fn offer(&mut self, distance: f32, row: u32) {
        self.kept.push((distance, row));
        if self.kept.len() == 2 * self.k {
            self.prune();
            self.limit = self
                .kept
                .iter()
                .fold(f32::NEG_INFINITY, |most, n| most.max(n.0));
        }
    }

    fn prune(&mut self) {
        if self.kept.len() > self.k {
            self.kept.select_nth_unstable_by(self.k - 1, order);
            self.kept.truncate(self.k);
        }
    }

    fn finish(mut self, distance: impl Fn(f32) -> f32) -> Vec<(f32, u32)> {
        self.prune();
        self.kept.sort_unstable_by(order);
        self.kept.iter_mut().for_each(|n| n.0 = distance(n.0));
        self.kept
    }
}

fn order(a: &(f32, u32), b: &(f32, u32)) -> std::cmp::Ordering {
    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
}

/// Length of a row, or 1 of a row of zeros, which has no direction.
fn length(row: &[f32]) -> f64 {
    let squares = row.iter().map(|&x| f64::from(x) * f64::from(x));
    let length = squares.sum::<f64>().sqrt();
    if length > 0.0 { length } else { 1.0 }
}

/// Rows divided by their length, minus `mean` `[cols]`.
fn unit_rows(m: &Matrix, mean: &[f64]) -> Matrix {
    let mut out = m.clone();
    for row in out.data.chunks_exact_mut(m.cols.max(1)) {
        let length = length(row);
        for (x, mean) in row.iter_mut().zip(mean) {
            *x = (f64::from(*x) / length - mean) as f32;
        }
    }
    out
}

/// Mean of the rows divided by their length, `[cols]`.
fn mean_direction(m: &Matrix) -> Vec<f64> {
    let mut mean = vec![0.0; m.cols];
    for row in m.data.chunks_exact(m.cols.max(1)) {
        let share = 1.0 / (length(row) * m.rows as f64);
        for (mean, &x) in mean.iter_mut().zip(row) {
            *mean += f64::from(x) * share;
        }
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::scores::largest;

    fn numbers(rows: usize, cols: usize, shift: usize) -> Matrix {
        let data = (0..rows * cols)
            .map(|i| (((i + shift) * 7919) % 1009) as f32 / 500.0 - 1.0)
            .collect();
        Matrix::new(rows, cols, data)
    }

    #[test]
    fn neighbours_agree_with_sorting_everything() {
        let (train, queries) = (numbers(2500, 6, 0), numbers(300, 6, 13));
        let found = neighbours(&train, &queries, Metric::Euclidean, 7, None);
        for q in [0, 150, 299] {
            let mut all: Vec<(f32, u32)> = (0..2500)
                .map(|t| {
                    let pairs = train.row(t).iter().zip(queries.row(q));
                    (
                        pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt(),
                        t as u32,
                    )
                })
                .collect();
            all.sort_by(order);
            for (ours, plain) in found[q].iter().zip(&all) {
                assert!((ours.0 - plain.0).abs() < 1e-3, "{ours:?} {plain:?}");
            }
            assert_eq!(found[q].len(), 7);
        }
        let own: Vec<usize> = (0..300).collect();
        let left_out = neighbours(&train, &train.select(&own), Metric::Cosine, 3, Some(&own));
        assert!(
            left_out
                .iter()
                .zip(own)
                .all(|(near, i)| near.iter().all(|n| n.1 as usize != i))
        );
    }

    /// From ordinary rows to such as all point one way, against 1 − cosine in double precision.
    #[test]
    fn cosine_distances_keep_their_digits_when_rows_point_one_way() {
        // With a common part of 1000, distances are about 3e-7.
        for (common, tolerance) in [(0.0, 1e-6), (30.0, 1e-6), (1000.0, 1e-12)] {
            let mut all = numbers(90, 5, 0);
            all.data.iter_mut().for_each(|x| *x += common);
            let rows: Vec<usize> = (0..90).collect();
            let (train, queries) = (all.select(&rows[..80]), all.select(&rows[80..]));
            let cosine = |a: &[f32], b: &[f32]| {
                let dot = |a: &[f32], b: &[f32]| -> f64 {
                    a.iter()
                        .zip(b)
                        .map(|(&a, &b)| f64::from(a) * f64::from(b))
                        .sum()
                };
                1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
            };
            let found = neighbours(&train, &queries, Metric::Cosine, 10, None);
            for (q, near) in found.iter().enumerate() {
                let mut plain: Vec<(f64, u32)> = (0..80u32)
                    .map(|t| (cosine(train.row(t as usize), queries.row(q)), t))
                    .collect();
                plain.sort_by(|a, b| a.0.total_cmp(&b.0));
                for (ours, plain) in near.iter().zip(&plain) {
                    let off = (f64::from(ours.0) - plain.0).abs();
                    assert!(off < tolerance, "{common}: {ours:?} {plain:?}");
                }
            }
        }
    }

    #[test]
    fn ties_go_to_the_lower_row_and_class() {
        let train = Matrix::new(4, 1, vec![1.0, 1.0, -1.0, 5.0]);
        let found = neighbours(
            &train,
            &Matrix::new(1, 1, vec![0.0]),
            Metric::Euclidean,
            3,
            None,
        );
        assert_eq!(found[0].iter().map(|n| n.1).collect::<Vec<_>>(), [0, 1, 2]);
        let p = probabilities(&found, &[1, 0, 2, 2], 3, 3, Weights::Uniform);
        assert_eq!(largest(&p), 0);
    }

    #[test]
    fn a_neighbour_at_no_distance_outvotes_all() {
        let train = Matrix::new(3, 1, vec![0.0, 0.1, 0.1]);
        let found = neighbours(
            &train,
            &Matrix::new(1, 1, vec![0.0]),
            Metric::Euclidean,
            3,
            None,
        );
        let p = probabilities(&found, &[0, 1, 1], 2, 3, Weights::Distance);
        assert!(p[0] > 0.9, "{p:?} {found:?}");
        assert_eq!(
            probabilities(&found, &[0, 1, 1], 2, 3, Weights::Uniform)[1],
            2.0 / 3.0
        );
    }
}
