//! Which training rows are near one another, and near the test rows: what labels spread over.
//!
//! `knn`: W_ij = 1 where j is i itself or one of its k − 1 nearest rows, else 0, so W is not symmetric; a test row takes labels from its k
//! nearest training rows. Memory: 4 k bytes a row.
//! `rbf`: W_ij = exp(−γ ‖x_i − x_j‖²) for all pairs, a row's own among them. Memory: 8 n² bytes, so that at most [`RBF_ROWS`] training
//! rows are taken.
//!
//! Scikit-learn's γ = 20 fits features in one or two dimensions of size 1; features of other sizes need another. `auto` measures it by the
//! data: γ = 2 / median of the squared distance to the seventh nearest row, after the local scale of Zelnik-Manor & Perona 2004,
//! "Self-tuning spectral clustering", so that the seventh neighbour weighs e⁻², whatever the unit of the features.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::options::{GraphOptions, Kernel};
use crate::auto::Auto;
use crate::density::rows::{distances, doubles};
use crate::error::{Error, Result};
use crate::matrix::{Matrix, settle};
use crate::probe::knn::{Metric, neighbours};

/// Training rows of an `rbf` graph at most: the weights take 200 MB.
pub const RBF_ROWS: usize = 5000;
/// Which neighbour's distance γ is measured by.
const LOCAL: usize = 7;
/// γ times the median squared distance to that neighbour.
const EXPONENT: f64 = 2.0;
/// Rows of one block of a product.
const BLOCK: usize = 256;

/// Weights between training rows, and of training rows for test rows.
pub(super) enum Graph {
    Knn(NeighbourGraph),
    Rbf(KernelGraph),
}

/// Rows and their nearest ones, with weight 1.
pub(super) struct NeighbourGraph {
    k: usize,
    /// `[n, k]`: each row itself, then its nearest others.
    near: Vec<u32>,
    /// `[m, k]`
    near_test: Vec<u32>,
}

/// All pairs of training rows.
pub(super) struct KernelGraph {
    gamma: f64,
    /// `[n, n]`
    weights: Vec<f64>,
    d: usize,
    /// `[n, d]`
    train: Vec<f64>,
    /// `[m, d]`
    test: Vec<f64>,
}

impl Graph {
    /// Of the rows of `train` `[n, d]` and `test` `[m, d]`.
    pub(super) fn new(train: &Matrix, test: &Matrix, options: &GraphOptions) -> Result<Graph> {
        match options.kernel {
            Kernel::Knn => Ok(Graph::Knn(NeighbourGraph::new(train, test, options.k))),
            Kernel::Rbf => KernelGraph::new(train, test, options.gamma).map(Graph::Rbf),
        }
    }

    /// Number of training rows.
    pub(super) fn rows(&self) -> usize {
        match self {
            Graph::Knn(graph) => graph.near.len() / graph.k,
            Graph::Rbf(graph) => graph.train.len() / graph.d,
        }
    }

    /// Sums of the weights by row, `Σ_j W_ij`, `[n]`.
    pub(super) fn row_sums(&self) -> Vec<f64> {
        match self {
            Graph::Knn(graph) => vec![graph.k as f64; self.rows()],
            Graph::Rbf(graph) => {
                let rows = graph.weights.chunks_exact(self.rows());
                rows.map(|row| row.iter().sum()).collect()
            }
        }
    }

    /// Sums of the weights by column without the diagonal, `Σ_{i ≠ j} W_ij`, `[n]`.
    pub(super) fn degrees(&self) -> Vec<f64> {
        match self {
            Graph::Knn(graph) => {
                let mut sums = vec![0.0; self.rows()];
                for row in graph.near.chunks_exact(graph.k) {
                    row[1..].iter().for_each(|&j| sums[j as usize] += 1.0);
                }
                sums
            }
            // Symmetric, with 1 on the diagonal.
            Graph::Rbf(_) => self.row_sums().iter().map(|sum| sum - 1.0).collect(),
        }
    }

    /// `W f`, for `f` `[n, classes]`.
    pub(super) fn times(&self, f: &[f64], classes: usize) -> Vec<f64> {
        match self {
            Graph::Knn(graph) => gather(&graph.near, graph.k, f, classes),
            Graph::Rbf(graph) => products(&graph.weights, self.rows(), f, classes),
        }
    }

    /// Weighted sums of `f` `[n, classes]` for each test row, `[m, classes]`.
    pub(super) fn for_test(&self, f: &[f64], classes: usize) -> Vec<f64> {
        match self {
            Graph::Knn(graph) => gather(&graph.near_test, graph.k, f, classes),
            Graph::Rbf(graph) => {
                let sums = distances(&graph.test, &graph.train, graph.d, |_, squares| {
                    let mut sums = vec![0.0; classes];
                    for (square, own) in squares.iter().zip(f.chunks_exact(classes)) {
                        let weight = (-graph.gamma * square).exp();
                        sums.iter_mut().zip(own).for_each(|(s, x)| *s += weight * x);
                    }
                    sums
                });
                sums.concat()
            }
        }
    }
}

impl NeighbourGraph {
    fn new(train: &Matrix, test: &Matrix, k: usize) -> NeighbourGraph {
        let k = k.min(train.rows);
        let own: Vec<usize> = (0..train.rows).collect();
        let others = match k {
            0 | 1 => vec![Vec::new(); train.rows],
            k => neighbours(train, train, Metric::Euclidean, k - 1, Some(&own)),
        };
        let mut near = Vec::with_capacity(train.rows * k);
        for (i, others) in others.iter().enumerate() {
            near.push(i as u32);
            near.extend(others.iter().map(|&(_, j)| j));
        }
        let found = neighbours(train, test, Metric::Euclidean, k, None);
        let near_test = found.iter().flatten().map(|&(_, j)| j).collect();
        NeighbourGraph { k, near, near_test }
    }
}

impl KernelGraph {
    fn new(train: &Matrix, test: &Matrix, gamma: Auto<f64>) -> Result<KernelGraph> {
        if train.rows > RBF_ROWS {
            return Err(Error::config(format!(
                "graph.kernel = rbf weighs all pairs of rows, and {} training rows are more than {RBF_ROWS}; use graph.kernel = knn",
                train.rows
            )));
        }
        let d = train.cols;
        let gamma = match gamma {
            Auto::Set(gamma) => gamma,
            Auto::Auto => gamma_of(train),
        };
        let (train, test) = (doubles(train), doubles(test));
        let weights = distances(&train, &train, d, |i, squares| {
            // Not what rounding makes of it.
            squares[i] = 0.0;
            squares
                .iter()
                .map(|s| (-gamma * s).exp())
                .collect::<Vec<f64>>()
        });
        Ok(KernelGraph {
            gamma,
            weights: weights.concat(),
            d,
            train,
            test,
        })
    }
}

/// [`EXPONENT`] over the median squared distance to the seventh nearest row; 1 where rows do not differ.
fn gamma_of(train: &Matrix) -> f64 {
    let own: Vec<usize> = (0..train.rows).collect();
    let found = neighbours(train, train, Metric::Euclidean, LOCAL, Some(&own));
    let mut squares: Vec<f64> = found
        .iter()
        .filter_map(|near| near.last())
        .map(|&(distance, _)| f64::from(distance).powi(2))
        .filter(|square| *square > 0.0)
        .collect();
    if squares.is_empty() {
        return 1.0;
    }
    let middle = squares.len() / 2;
    let (_, median, _) = squares.select_nth_unstable_by(middle, f64::total_cmp);
    EXPONENT / *median
}

/// Sums of the rows of `f` `[n, classes]` that `near` `[r, k]` names, `[r, classes]`.
fn gather(near: &[u32], k: usize, f: &[f64], classes: usize) -> Vec<f64> {
    let mut out = vec![0.0; near.len() / k * classes];
    out.par_chunks_mut(BLOCK * classes)
        .zip(near.par_chunks(BLOCK * k))
        .for_each(|(out, near)| {
            for (sums, near) in out.chunks_exact_mut(classes).zip(near.chunks_exact(k)) {
                for &j in near {
                    let own = &f[j as usize * classes..][..classes];
                    sums.iter_mut().zip(own).for_each(|(s, x)| *s += x);
                }
            }
        });
    out
}

/// `weights` `[r, n]` times `f` `[n, classes]`.
fn products(weights: &[f64], n: usize, f: &[f64], classes: usize) -> Vec<f64> {
    let mut out = vec![0.0; weights.len() / n * classes];
    let right = MatRef::from_row_major_slice(f, n, classes);
    out.par_chunks_mut(BLOCK * classes)
        .zip(weights.par_chunks(BLOCK * n))
        .for_each(|(out, left)| {
            let rows = left.len() / n;
            let left = MatRef::from_row_major_slice(left, rows, n);
            let out = MatMut::from_row_major_slice_mut(out, rows, classes);
            matmul(out, Accum::Replace, left, right, 1.0, Par::Seq);
            settle();
        });
    out
}
