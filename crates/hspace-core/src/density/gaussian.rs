//! Multivariate normal density of features:
//! ln f(x) = −½((x − μ)ᵀΣ⁻¹(x − μ) + ln det Σ + d ln 2π), μ the mean of the training rows.
//!
//! Σ is their covariance (÷ n), `full`; its `diagonal`; or `shrunk` towards a multiple of the identity,
//! (1 − s)Σ + s(tr Σ/d)I, with the s of Ledoit & Wolf (2004), "A well-conditioned estimator for
//! large-dimensional covariance matrices", as in scikit-learn's `LedoitWolf`.
//!
//! Deviation: variances of the diagonal are at least 10⁻⁶ of their mean, since features that never vary
//! in training (borders of images, dead units) are common.

use faer::Mat;
use rayon::prelude::*;

use super::rows::{BLOCK, cholesky, mahalanobis, means, minus, scatter};
use super::special::HALF_LN_2PI;
use super::{FeatureDensity, FeatureEntry, FeatureFit};

/// The line in the list.
pub const FULL: FeatureEntry = FeatureEntry {
    name: "normal",
    summary: "multivariate normal with the full covariance; needs more rows than features",
    source: "",
    item: FeatureFit {
        fit: |rows, d, _| Ok(Box::new(full(rows, d)?)),
    },
};

/// The line in the list.
pub const DIAGONAL: FeatureEntry = FeatureEntry {
    name: "normal_diagonal",
    summary: "multivariate normal with one variance per feature",
    source: "",
    item: FeatureFit {
        fit: |rows, d, _| Ok(Box::new(diagonal(rows, d)?)),
    },
};

/// The line in the list.
pub const SHRUNK: FeatureEntry = FeatureEntry {
    name: "normal_shrunk",
    summary: "multivariate normal, its covariance shrunk after Ledoit and Wolf",
    source: "",
    item: FeatureFit {
        fit: |rows, d, _| Ok(Box::new(shrunk(rows, d)?)),
    },
};

/// Variances of a diagonal are at least this share of their mean.
pub(super) const FLOOR: f64 = 1e-6;

/// A fitted multivariate normal density.
pub struct Gaussian {
    /// Mean, `[d]`.
    pub mean: Vec<f64>,
    /// Weight of the identity, in 0..=1; 0 where nothing was shrunk.
    pub shrinkage: f64,
    spread: Spread,
}

/// A covariance, ready to measure distances with.
pub(super) enum Spread {
    /// Cholesky factor and ln det.
    Full(Mat<f64>, f64),
    /// Variances.
    Diagonal(Vec<f64>),
}

impl Spread {
    /// ln f at each of `rows` of the normal density around `mean`.
    pub fn ln_density(&self, rows: &[f64], mean: &[f64]) -> Vec<f64> {
        let d = mean.len();
        let constant = -(d as f64) * HALF_LN_2PI;
        match self {
            Spread::Full(lower, ln_det) => mahalanobis(rows, mean, lower)
                .into_iter()
                .map(|distance| constant - 0.5 * (distance + ln_det))
                .collect(),
            Spread::Diagonal(variances) => {
                let constant = constant - 0.5 * variances.iter().map(|v| v.ln()).sum::<f64>();
                let inverse: Vec<f64> = variances.iter().map(|v| 1.0 / v).collect();
                let one = |row: &[f64]| {
                    let terms = row.iter().zip(mean).zip(&inverse);
                    let distance: f64 = terms.map(|((x, m), i)| (x - m) * (x - m) * i).sum();
                    constant - 0.5 * distance
                };
                let block = |block: &[f64]| block.chunks_exact(d).map(one).collect::<Vec<f64>>();
                let blocks: Vec<Vec<f64>> = rows.par_chunks(BLOCK * d).map(block).collect();
                blocks.concat()
            }
        }
    }
}

/// The density with the full covariance of `rows` `[n, d]`.
///
/// # Errors
/// When some direction has no variance, as where there are no more rows than features.
pub fn full(rows: &[f64], d: usize) -> Result<Gaussian, String> {
    let mean = means(rows, d);
    let covariance = scatter(&minus(rows, &mean), d);
    let (lower, ln_det) = cholesky(covariance).ok_or_else(|| {
        format!(
            "the covariance of {} rows of {d} features is singular: some direction has no variance; take normal_shrunk",
            rows.len() / d
        )
    })?;
    Ok(Gaussian {
        mean,
        shrinkage: 0.0,
        spread: Spread::Full(lower, ln_det),
    })
}

/// The density with one variance per feature of `rows` `[n, d]`.
///
/// # Errors
/// When no feature varies.
pub fn diagonal(rows: &[f64], d: usize) -> Result<Gaussian, String> {
    let mean = means(rows, d);
    let squares: Vec<f64> = minus(rows, &mean).iter().map(|x| x * x).collect();
    let variances = floored(means(&squares, d))?;
    Ok(Gaussian {
        mean,
        shrinkage: 0.0,
        spread: Spread::Diagonal(variances),
    })
}

pub(super) fn floored(mut variances: Vec<f64>) -> Result<Vec<f64>, String> {
    let mean = variances.iter().sum::<f64>() / variances.len() as f64;
    if !(mean > 0.0 && mean.is_finite()) {
        return Err("no feature varies over the training rows".into());
    }
    variances.iter_mut().for_each(|v| *v = v.max(FLOOR * mean));
    Ok(variances)
}

/// The density with the shrunk covariance of `rows` `[n, d]`.
///
/// # Errors
/// When no feature varies.
pub fn shrunk(rows: &[f64], d: usize) -> Result<Gaussian, String> {
    let mean = means(rows, d);
    let (covariance, shrinkage) = ledoit_wolf(&minus(rows, &mean), d);
    let (lower, ln_det) = cholesky(covariance).ok_or(
        "the covariance is singular even when shrunk: no feature, or only one direction, varies",
    )?;
    Ok(Gaussian {
        mean,
        shrinkage,
        spread: Spread::Full(lower, ln_det),
    })
}

/// The shrunk covariance of `centred` rows `[n, d]`, and the weight s of the identity.
///
/// With v = tr Σ/d: s = min(b, a)/a, where a = ‖Σ − vI‖²/d is how far Σ is from the identity and
/// b = Σₙ ‖xₙxₙᵀ − Σ‖²/(n²d) estimates how far it is from the truth.
pub fn ledoit_wolf(centred: &[f64], d: usize) -> (Mat<f64>, f64) {
    let n = (centred.len() / d) as f64;
    let mut covariance = scatter(centred, d);
    let mut norm = 0.0;
    for j in 0..d {
        norm += covariance
            .col_as_slice(j)
            .iter()
            .map(|v| v * v)
            .sum::<f64>();
    }
    let mean_variance = (0..d).map(|i| covariance[(i, i)]).sum::<f64>() / d as f64;
    let fourth = |row: &[f64]| row.iter().map(|x| x * x).sum::<f64>().powi(2);
    let fourths: f64 = centred.chunks_exact(d).map(fourth).sum();
    let away = (norm - d as f64 * mean_variance * mean_variance) / d as f64;
    let error = ((fourths / n - norm) / (n * d as f64)).min(away);
    let shrinkage = if error > 0.0 { error / away } else { 0.0 };
    for j in 0..d {
        for value in covariance.col_as_slice_mut(j) {
            *value *= 1.0 - shrinkage;
        }
        covariance[(j, j)] += shrinkage * mean_variance;
    }
    (covariance, shrinkage)
}

impl FeatureDensity for Gaussian {
    fn chosen(&self) -> String {
        match self.shrinkage {
            0.0 => String::new(),
            s => format!("shrinkage {s:.3}"),
        }
    }

    fn ln_density(&self, rows: &[f64]) -> Vec<f64> {
        self.spread.ln_density(rows, &self.mean)
    }
}
