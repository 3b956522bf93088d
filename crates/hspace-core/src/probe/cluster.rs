//! k-means, and how far its clusters are the classes.
//!
//! Lloyd's algorithm from k-means++ starts (Arthur & Vassilvitskii 2007), the best of several by the
//! sum of squared distances. Normalised mutual information uses the arithmetic mean of the two
//! entropies, as scikit-learn does; the adjusted Rand index is Hubert & Arabie (1985).

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::few_labels::mix;
use crate::matrix::Matrix;

const RESTARTS: u64 = 3;
const STEPS: usize = 100;

/// Cluster of each row of `features` `[n, d]` among `k` (fewer where n < k).
pub fn kmeans(features: &Matrix, k: usize, seed: u64) -> Vec<u32> {
    let centred = features.minus(&features.column_means());
    (0..RESTARTS)
        .map(|restart| lloyd(&centred, k.min(features.rows), mix(&[seed, restart])))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(Vec::new(), |best| best.1)
}

fn lloyd(x: &Matrix, k: usize, seed: u64) -> (f64, Vec<u32>) {
    let mut centres = starts(x, k, seed);
    let mut clusters = Vec::new();
    let mut inertia = f64::INFINITY;
    for _ in 0..STEPS {
        let (found, distances) = assign(x, &centres);
        let total: f64 = distances.iter().sum();
        let settled = found == clusters;
        clusters = found;
        inertia = total;
        if settled {
            break;
        }
        let mut sums = vec![0.0; k * x.cols];
        let mut counts = vec![0usize; k];
        for (i, &c) in clusters.iter().enumerate() {
            counts[c as usize] += 1;
            let sum = &mut sums[c as usize * x.cols..(c as usize + 1) * x.cols];
            for (s, &v) in sum.iter_mut().zip(x.row(i)) {
                *s += f64::from(v);
            }
        }
        // A cluster without rows starts anew at the row farthest from its centre.
        let farthest = (0..x.rows).max_by(|&a, &b| distances[a].total_cmp(&distances[b]));
        for c in 0..k {
            let centre = &mut centres.data[c * x.cols..(c + 1) * x.cols];
            match (counts[c], farthest) {
                (0, Some(row)) => centre.copy_from_slice(x.row(row)),
                (count, _) => {
                    for (m, s) in centre.iter_mut().zip(&sums[c * x.cols..]) {
                        *m = (s / count as f64) as f32;
                    }
                }
            }
        }
    }
    (inertia, clusters)
}

/// Nearest centre of each row and the squared distance to it.
fn assign(x: &Matrix, centres: &Matrix) -> (Vec<u32>, Vec<f64>) {
    let square = |row: &[f32]| {
        row.iter()
            .map(|&v| f64::from(v) * f64::from(v))
            .sum::<f64>()
    };
    let sizes: Vec<f64> = (0..centres.rows).map(|c| square(centres.row(c))).collect();
    let products = x.times_transposed(centres);
    let nearest = |i: usize| {
        let mut best = (0, f64::INFINITY);
        for (c, &p) in products.row(i).iter().enumerate() {
            let d = sizes[c] - 2.0 * f64::from(p);
            if d < best.1 {
                best = (c as u32, d);
            }
        }
        (best.0, (best.1 + square(x.row(i))).max(0.0))
    };
    (0..x.rows).map(nearest).unzip()
}

/// Rows drawn one after the other with probability proportional to the squared distance to those
/// already drawn.
fn starts(x: &Matrix, k: usize, seed: u64) -> Matrix {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut chosen = Vec::with_capacity(k);
    let mut distances = vec![1.0; x.rows];
    while chosen.len() < k {
        let mut left = random.random::<f64>() * distances.iter().sum::<f64>();
        let hit = distances.iter().position(|d| {
            left -= d;
            left < 0.0
        });
        let row = hit.unwrap_or_else(|| random.random_range(0..x.rows));
        chosen.push(row);
        let (_, new) = assign(x, &x.select(&[row]));
        let first = chosen.len() == 1;
        for (d, n) in distances.iter_mut().zip(new) {
            *d = if first { n } else { d.min(n) };
        }
    }
    x.select(&chosen)
}

/// Agreement of clusters `a` `[n]` with the classes `b` `[n]` of the same samples: (normalised mutual
/// information 0..=1, adjusted Rand index up to 1, 0 by chance); `None` where all samples are of one class.
pub fn agreement(a: &[u32], b: &[u32]) -> Option<(f64, f64)> {
    if b.iter().all(|class| Some(class) == b.first()) {
        return None;
    }
    let size = |labels: &[u32]| labels.iter().max().map_or(0, |&m| m as usize + 1);
    let (rows, cols) = (size(a), size(b));
    let mut table = vec![0.0; rows * cols];
    for (&i, &j) in a.iter().zip(b) {
        table[i as usize * cols + j as usize] += 1.0;
    }
    let n = a.len() as f64;
    let left: Vec<f64> = (0..rows)
        .map(|i| table[i * cols..(i + 1) * cols].iter().sum())
        .collect();
    let right: Vec<f64> = (0..cols)
        .map(|j| (0..rows).map(|i| table[i * cols + j]).sum())
        .collect();
    let entropy = |counts: &[f64]| -> f64 {
        counts
            .iter()
            .filter(|&&c| c > 0.0)
            .map(|c| -c / n * (c / n).ln())
            .sum()
    };
    let shared: f64 = entropy(&left) + entropy(&right) - entropy(&table);
    let mean = (entropy(&left) + entropy(&right)) / 2.0;
    let nmi = (shared / mean).clamp(0.0, 1.0);
    let pairs = |counts: &[f64]| -> f64 { counts.iter().map(|c| c * (c - 1.0) / 2.0).sum() };
    let (both, one, other) = (pairs(&table), pairs(&left), pairs(&right));
    let chance = one * other / (n * (n - 1.0) / 2.0).max(1.0);
    let most = (one + other) / 2.0;
    let ari = if most == chance {
        1.0
    } else {
        (both - chance) / (most - chance)
    };
    Some((nmi, ari))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Golden {
        a: Vec<u32>,
        b: Vec<u32>,
        nmi: f64,
        ari: f64,
    }

    #[test]
    fn agreement_is_scikit_learn_s() -> serde_json::Result<()> {
        let golden: Golden =
            serde_json::from_str(include_str!("../../tests/golden/probe_clusters.json"))?;
        let found = agreement(&golden.a, &golden.b);
        assert!(
            found
                .is_some_and(|(nmi, ari)| (nmi - golden.nmi).abs() < 1e-10
                    && (ari - golden.ari).abs() < 1e-10),
            "{found:?}"
        );
        assert_eq!(agreement(&[0, 1, 1], &[1, 0, 0]), Some((1.0, 1.0)));
        // One cluster says nothing about two classes; of one class there is nothing to say.
        assert_eq!(agreement(&[0, 0, 0], &[1, 0, 0]), Some((0.0, 0.0)));
        assert_eq!(agreement(&[0, 1, 1], &[2, 2, 2]), None);
        assert_eq!(agreement(&[], &[]), None);
        Ok(())
    }

    #[test]
    fn clusters_far_apart_are_found() {
        let truth: Vec<u32> = (0..90).map(|i| i % 3).collect();
        let data = truth
            .iter()
            .enumerate()
            .flat_map(|(i, &c)| [c as f32 * 10.0, ((i * 31) % 7) as f32 / 7.0]);
        let clusters = kmeans(&Matrix::new(90, 2, data.collect()), 3, 0);
        assert_eq!(agreement(&clusters, &truth), Some((1.0, 1.0)));
    }

    #[test]
    fn rows_that_are_all_equal_do_no_harm() {
        assert_eq!(kmeans(&Matrix::zeros(5, 2), 3, 0).len(), 5);
        assert_eq!(kmeans(&Matrix::zeros(2, 2), 3, 0).len(), 2);
    }
}
