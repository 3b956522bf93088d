//! k-means for many clusters: a fixed number of steps from random rows.
//!
//! [`lloyd`] moves each centroid to the mean of its rows. [`spherical`] (Coates & Ng 2012, "Learning feature representations with
//! k-means") gives each row z to the centroid with the largest `|cᵀz|` and moves it to `c + Σ (cᵀz) z`, scaled to length 1.
//! A centroid without rows starts again at a random one. `crate::kmeans` instead looks for the best of a few clusters.

use faer::{MatMut, MatRef};
use rayon::prelude::*;

use crate::matrix::{Matrix, product};
use crate::random::{mix, shuffled};

/// Rows of one block of products.
const BLOCK: usize = 128;

/// Means `[k, d]` of clusters of `rows` `[n, d]`, n at least k.
pub(super) fn lloyd(rows: &Matrix, k: usize, steps: usize, seed: u64) -> Matrix {
    let mut centroids = starts(rows, k, seed, 0);
    for step in 1..=steps {
        let half: Vec<f32> = squares(&centroids).map(|s| 0.5 * s).collect();
        let nearest = assign(rows, &centroids, |product, c| product - half[c]);
        let mut sums = Sums::new(k, rows.cols);
        for (i, &(c, _)) in nearest.iter().enumerate() {
            sums.add(c, rows.row(i), 1.0);
        }
        let fresh = starts(rows, k, seed, step);
        for (c, centroid) in centroids.data.chunks_exact_mut(rows.cols).enumerate() {
            let (sum, count) = sums.of(c);
            match count {
                0 => centroid.copy_from_slice(fresh.row(c)),
                _ => {
                    let mean = sum.iter().map(|s| (s / count as f64) as f32);
                    centroid.iter_mut().zip(mean).for_each(|(x, m)| *x = m);
                }
            }
        }
    }
    centroids
}

/// Directions `[k, d]` of length 1 of clusters of `rows` `[n, d]`, n at least k.
pub(super) fn spherical(rows: &Matrix, k: usize, steps: usize, seed: u64) -> Matrix {
    let mut centroids = starts(rows, k, seed, 0);
    normalise(&mut centroids);
    for step in 1..=steps {
        let nearest = assign(rows, &centroids, |product, _| product.abs());
        let mut sums = Sums::new(k, rows.cols);
        for (i, &(c, product)) in nearest.iter().enumerate() {
            sums.add(c, rows.row(i), f64::from(product));
        }
        let fresh = starts(rows, k, seed, step);
        for (c, centroid) in centroids.data.chunks_exact_mut(rows.cols).enumerate() {
            match sums.of(c) {
                (_, 0) => centroid.copy_from_slice(fresh.row(c)),
                (sum, _) => centroid
                    .iter_mut()
                    .zip(sum)
                    .for_each(|(x, s)| *x = (f64::from(*x) + s) as f32),
            }
        }
        normalise(&mut centroids);
    }
    centroids
}

/// `|row|²` of each row.
pub(super) fn squares(rows: &Matrix) -> impl Iterator<Item = f32> {
    let rows = rows.data.chunks_exact(rows.cols.max(1));
    rows.map(|row| row.iter().map(|x| x * x).sum())
}

/// k rows drawn without replacement.
fn starts(rows: &Matrix, k: usize, seed: u64, step: usize) -> Matrix {
    let order = shuffled((0..rows.rows).collect(), mix(&[seed, step as u64]));
    rows.select(&order[..k])
}

/// Scales rows to length 1; a row of zeros stays.
fn normalise(rows: &mut Matrix) {
    for row in rows.data.chunks_exact_mut(rows.cols.max(1)) {
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        if length > 0.0 {
            row.iter_mut().for_each(|x| *x /= length);
        }
    }
}

/// Sums of rows and their number by cluster.
struct Sums {
    sums: Vec<f64>,
    counts: Vec<usize>,
}

impl Sums {
    fn new(k: usize, d: usize) -> Sums {
        Sums {
            sums: vec![0.0; k * d],
            counts: vec![0; k],
        }
    }

    fn add(&mut self, c: usize, row: &[f32], weight: f64) {
        self.counts[c] += 1;
        let sum = &mut self.sums[c * row.len()..(c + 1) * row.len()];
        for (s, &x) in sum.iter_mut().zip(row) {
            *s += weight * f64::from(x);
        }
    }

    fn of(&self, c: usize) -> (&[f64], usize) {
        let d = self.sums.len() / self.counts.len();
        (&self.sums[c * d..(c + 1) * d], self.counts[c])
    }
}

/// For each row the centroid with the largest `score(cᵀz, c)`, and `cᵀz`.
fn assign(
    rows: &Matrix,
    centroids: &Matrix,
    score: impl Fn(f32, usize) -> f32 + Sync,
) -> Vec<(usize, f32)> {
    let (d, k) = (rows.cols, centroids.rows);
    let of_row = |products: &[f32]| {
        let mut best = (0, f32::NEG_INFINITY);
        for (c, &product) in products.iter().enumerate() {
            let score = score(product, c);
            if score > best.1 {
                best = (c, score);
            }
        }
        (best.0, products[best.0])
    };
    let blocks = rows.data.par_chunks(BLOCK * d).map(|block| {
        let n = block.len() / d;
        let mut products = vec![0.0; n * k];
        product(
            MatMut::from_row_major_slice_mut(&mut products, n, k),
            MatRef::from_row_major_slice(block, n, d),
            centroids.view().transpose(),
        );
        products.chunks_exact(k).map(of_row).collect()
    });
    blocks.collect::<Vec<Vec<_>>>().concat()
}
