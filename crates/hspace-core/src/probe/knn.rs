//! Answers by the k nearest training rows.
//!
//! Distances come from blocked products, `‖q‖² + ‖t‖² − 2 q·t` after centring (Euclidean) or
//! `1 − q·t` on rows of length 1 (cosine). Where nearly all rows point one way single precision cannot
//! resolve that difference, and it is computed as `½‖q − t‖²` after centring the rows of length 1. Votes count the same or by 1/distance; a neighbour at
//! distance 0 then outvotes all others, as in scikit-learn. Equal distances go to the lower row,
//! equal votes to the lower class.
//!
//! What is not fixed is chosen by the accuracy of leave-one-out inside the training labels: on up to
//! 1,000 rows, each answered by all others.

use rayon::prelude::*;

use super::options::{KnnMetric, KnnOptions, KnnWeights};
use super::scores::largest;
use crate::auto::Auto;
use crate::matrix::{Matrix, spaced};

/// Query rows and training rows of one block of distances.
const QUERIES: usize = 256;
const TRAIN: usize = 2048;
/// Candidates for k.
const GRID: [usize; 8] = [1, 3, 5, 10, 20, 50, 100, 200];
/// Rows left out, one at a time, when choosing.
const LEFT_OUT: usize = 1000;
/// Squared length of the mean of training rows of length 1 above which they are centred: their mean distance is then
/// below 10⁻⁴, of which single precision resolves three digits.
const ONE_WAY: f64 = 1.0 - 1e-4;

/// How rows are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// 1 − cosine of the angle.
    Cosine,
    /// Euclidean distance.
    Euclidean,
}

/// How neighbours vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// One vote each.
    Uniform,
    /// 1/distance votes.
    Distance,
}

/// Everything a kNN probe needs besides rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
pub fn neighbours(
    train: &Matrix,
    queries: &Matrix,
    metric: Metric,
    k: usize,
    own: Option<&[usize]>,
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
                    let skip = own.map(|own| own[q + i]);
                    let square = query_squares[q + i];
                    for (j, &product) in products.row(i).iter().enumerate() {
                        let t = b * TRAIN + j;
                        let far = match from_squares {
                            false => 1.0 - product,
                            true => square + train_squares[t] - 2.0 * product,
                        };
                        if far < nearest.limit && skip != Some(t) {
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
pub fn probabilities(
    found: &Neighbours,
    labels: &[u32],
    classes: usize,
    k: usize,
    weights: Weights,
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
            row[labels[t as usize] as usize] += vote;
            total += vote;
        }
        row.iter_mut().for_each(|v| *v /= total);
    }
    out
}

/// What `options` leave open, chosen inside the training rows. `k` never exceeds their number.
pub fn choose(train: &Matrix, labels: &[u32], classes: usize, options: &KnnOptions) -> Settings {
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
    let mut right = None;
    if metrics.len() * weights.len() * ks.len() == 1 || train.rows < 2 * classes {
        return best;
    }
    let own = spaced(train.rows, LEFT_OUT);
    let queries = train.select(&own);
    let widest = ks.iter().copied().max().unwrap_or(1).min(train.rows - 1);
    for &metric in metrics {
        let found = neighbours(train, &queries, metric, widest, Some(&own));
        for &k in &ks {
            for &weights in weights {
                let answers = probabilities(&found, labels, classes, k, weights);
                let answers = answers.chunks_exact(classes).map(largest);
                let count = answers.zip(&own).filter(|(a, i)| *a == labels[**i]).count();
                if right.is_none_or(|r| count > r) {
                    right = Some(count);
                    best = Settings { k, metric, weights };
                }
            }
        }
    }
    best
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
