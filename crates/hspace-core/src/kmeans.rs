//! k-means: Lloyd's algorithm from k-means++ starts (Arthur & Vassilvitskii 2007), the best of several by the
//! sum of squared distances.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::matrix::Matrix;
use crate::random::mix;

const RESTARTS: u64 = 3;
const STEPS: usize = 100;

/// Cluster of each row of `features` `[n, d]` among `k` (fewer where n < k).
///
/// ```
/// use hspace_core::kmeans::kmeans;
/// use hspace_core::matrix::Matrix;
///
/// let x = Matrix::new(4, 1, vec![0.0, 10.0, 0.1, 10.1]);
/// let cluster = kmeans(&x, 2, 0);
/// assert_eq!(cluster[0], cluster[2]);
/// assert_ne!(cluster[0], cluster[1]);
/// ```
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
        // A cluster without rows starts again at the row farthest from its centre.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_all_equal_do_no_harm() {
        assert_eq!(kmeans(&Matrix::zeros(5, 2), 3, 0).len(), 5);
        assert_eq!(kmeans(&Matrix::zeros(2, 2), 3, 0).len(), 2);
    }
}
