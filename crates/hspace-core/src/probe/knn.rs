//! Answers by the k nearest training rows.
//!
//! Distances come from blocked products, `‖q‖² + ‖t‖² − 2 q·t` after centring (Euclidean) or
//! `1 − q·t` on rows of length 1 (cosine). Votes count the same or by 1/distance; a neighbour at
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
    let (train, queries) = match metric {
        Metric::Cosine => (unit_rows(train), unit_rows(queries)),
        Metric::Euclidean => {
            let mean = train.column_means();
            (train.minus(&mean), queries.minus(&mean))
        }
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
                        let far = match metric {
                            Metric::Cosine => 1.0 - product,
                            Metric::Euclidean => square + train_squares[t] - 2.0 * product,
                        };
                        if far < nearest.limit && skip != Some(t) {
                            nearest.offer(far, t as u32);
                        }
                    }
                }
            }
            best.into_iter()
                .map(|nearest| nearest.finish(metric))
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

    fn finish(mut self, metric: Metric) -> Vec<(f32, u32)> {
        self.prune();
        self.kept.sort_unstable_by(order);
        for n in &mut self.kept {
            n.0 = if metric == Metric::Euclidean {
                n.0.max(0.0).sqrt()
            } else {
                n.0.max(0.0)
            };
        }
        self.kept
    }
}

fn order(a: &(f32, u32), b: &(f32, u32)) -> std::cmp::Ordering {
    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
}

/// Rows divided by their length; a row of zeros stays.
fn unit_rows(m: &Matrix) -> Matrix {
    let mut out = m.clone();
    for row in out.data.chunks_exact_mut(m.cols.max(1)) {
        let length = row
            .iter()
            .map(|&x| f64::from(x) * f64::from(x))
            .sum::<f64>()
            .sqrt();
        if length > 0.0 {
            row.iter_mut()
                .for_each(|x| *x = (f64::from(*x) / length) as f32);
        }
    }
    out
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
