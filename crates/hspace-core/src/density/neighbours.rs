//! Densities of features that keep the training rows.
//!
//! - `kde`: f(x) = Σᵢ exp(−‖x − xᵢ‖²/2h²) / (n (2π)^(d/2) h^d). The bandwidth h, in units of the features,
//!   is the one of largest leave-one-out likelihood on at most [`SEARCHED`] evenly spaced rows, scaled by
//!   (searched/n)^(1/(d+4)); or Scott's, n^(−1/(d+4)), or Silverman's, (n(d+2)/4)^(−1/(d+4)), times the root
//!   of the mean variance.
//! - `knn`: f(x) = k/(n V rᵈ), with r the distance to the k-th nearest training row and V the volume of
//!   the unit ball (Loftsgaarden & Quesenberry 1965). It orders rows as r does, the outlier score of
//!   Ramaswamy, Rastogi & Shim (2000). It has no finite integral: its values say only which row is
//!   farther out.

use statrs::function::gamma::ln_gamma;

use super::root::largest;
use super::rows::{distances, means, minus};
use super::special::{HALF_LN_2PI, ln_sum_exp};
use super::{Bandwidth, FeatureDensity, FeatureEntry, FeatureFit, FittedFeatures, OutlierOptions};
use crate::auto::Auto;
use crate::matrix::spaced;

/// The line in the list.
pub const KDE: FeatureEntry = FeatureEntry {
    name: "kde",
    summary: "kernel density with a Gaussian on every training row",
    source: "",
    item: FeatureFit {
        fit: |rows, d, options| fit_kde(rows, d, options),
    },
};

/// The line in the list.
pub const KNN: FeatureEntry = FeatureEntry {
    name: "knn",
    summary: "distance to the k-th nearest training row; k = 10 unless given",
    source: "",
    item: FeatureFit {
        fit: |rows, d, options| fit_knn(rows, d, options),
    },
};

/// Rows on which a bandwidth is searched, at most.
pub const SEARCHED: usize = 1000;
/// Which neighbour's distance counts unless another is asked for.
const NEIGHBOUR: usize = 10;

struct Kde {
    bandwidth: f64,
    rows: Vec<f64>,
    d: usize,
}

fn fit_kde(rows: &[f64], d: usize, options: &OutlierOptions) -> FittedFeatures {
    let n = rows.len() / d;
    let squares: Vec<f64> = minus(rows, &means(rows, d)).iter().map(|x| x * x).collect();
    let deviation = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
    if deviation == 0.0 {
        return Err("no feature varies over the training rows".into());
    }
    let power = -1.0 / (d as f64 + 4.0);
    let bandwidth = match options.kde.bandwidth {
        Bandwidth::Set(h) => h,
        Bandwidth::Scott => deviation * (n as f64).powf(power),
        Bandwidth::Silverman => deviation * (n as f64 * (d as f64 + 2.0) / 4.0).powf(power),
        Bandwidth::CrossValidated => cross_validated(rows, d, deviation)
            .ok_or("the training rows are too few or too alike for a bandwidth to be found")?,
    };
    Ok(Box::new(Kde {
        bandwidth,
        rows: rows.to_vec(),
        d,
    }))
}

fn cross_validated(rows: &[f64], d: usize, deviation: f64) -> Option<f64> {
    let n = rows.len() / d;
    let some: Vec<f64> = spaced(n, SEARCHED)
        .into_iter()
        .flat_map(|i| &rows[i * d..(i + 1) * d])
        .copied()
        .collect();
    let m = some.len() / d;
    let others: Vec<Vec<f64>> = distances(&some, &some, d, |i, squares| {
        squares[i] = f64::INFINITY;
        squares.to_vec()
    });
    let likelihood = |h: f64| -> f64 {
        let one = |squares: &Vec<f64>| {
            let terms: Vec<f64> = squares.iter().map(|s| -0.5 * s / (h * h)).collect();
            ln_sum_exp(&terms)
        };
        others.iter().map(one).sum::<f64>() - (m * d) as f64 * h.ln()
    };
    let found = largest(likelihood, deviation / 50.0, deviation * 2.0, 16)?;
    Some(found * (m as f64 / n as f64).powf(1.0 / (d as f64 + 4.0)))
}

impl FeatureDensity for Kde {
    fn chosen(&self) -> String {
        format!("bandwidth {:.3}", self.bandwidth)
    }

    fn ln_density(&self, rows: &[f64]) -> Vec<f64> {
        let (d, h) = (self.d as f64, self.bandwidth);
        let n = (self.rows.len() / self.d) as f64;
        let scale = n.ln() + d * (h.ln() + HALF_LN_2PI);
        distances(rows, &self.rows, self.d, |_, squares| {
            squares.iter_mut().for_each(|s| *s *= -0.5 / (h * h));
            ln_sum_exp(squares) - scale
        })
    }
}

struct Knn {
    k: usize,
    rows: Vec<f64>,
    d: usize,
}

fn fit_knn(rows: &[f64], d: usize, options: &OutlierOptions) -> FittedFeatures {
    let n = rows.len() / d;
    let k = match options.knn.k {
        Auto::Set(k) if k > n => {
            return Err(format!("knn.k = {k}, but there are only {n} training rows"));
        }
        Auto::Set(k) => k,
        Auto::Auto => NEIGHBOUR.min(n),
    };
    Ok(Box::new(Knn {
        k,
        rows: rows.to_vec(),
        d,
    }))
}

impl FeatureDensity for Knn {
    fn chosen(&self) -> String {
        format!("k = {}", self.k)
    }

    fn ln_density(&self, rows: &[f64]) -> Vec<f64> {
        let d = self.d as f64;
        let ln_ball = 0.5 * d * std::f64::consts::PI.ln() - ln_gamma(0.5 * d + 1.0);
        let n = (self.rows.len() / self.d) as f64;
        let constant = (self.k as f64 / n).ln() - ln_ball;
        distances(rows, &self.rows, self.d, |_, squares| {
            let (_, nearest, _) = squares.select_nth_unstable_by(self.k - 1, f64::total_cmp);
            // A row that is itself in training, k times over, is as dense as numbers can say.
            constant - 0.5 * d * nearest.max(f64::MIN_POSITIVE).ln()
        })
    }
}
