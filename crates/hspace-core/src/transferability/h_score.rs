//! H-score: how much of the variance of the features is between classes, each direction measured by its own variance.
//!
//! ```text
//! H   = tr(Σ⁺ B)                          Σ = cov(f),  B = cov(E[f | y]),  Σ⁺ the pseudo-inverse
//! H_α = (1 − α) tr(Σ_α⁻¹ B)               Σ_α = (1 − α) Σ + α tr(Σ)/d · I
//! ```
//!
//! H: Bao, Li, Huang, Zhang, Zheng, Zamir & Guibas 2019, "An information-theoretic approach to transferability in task transfer learning",
//! ICIP. It rises with the number of features even where they are noise: with d ≥ n − 1 it is at its largest, the number of classes less 1,
//! whatever the features are.
//! H_α: Ibrahim, Ponomareva & Mazumder 2021, "Newer is not always better", arXiv:2110.06893; the shrinkage α is that of Ledoit & Wolf 2004,
//! "A well-conditioned estimator for large-dimensional covariance matrices". Covariances have n in the denominator.
//! Where Σ does not differ from a multiple of I (few features of one variance, as those of standardised columns) α is 1, and H_α is 0.

use super::Score;
use super::spectrum::Spectrum;
use crate::error::{Error, Result};
use crate::list::Entry;
use crate::matrix::Matrix;

/// The line in the list.
pub(super) const ENTRY: Entry<Score> = Entry {
    name: "h_score",
    summary: "variance between classes over all variance, summed over directions",
    source: "Bao et al. 2019, ICIP",
    item: Score::Features(h_score),
};

/// The line in the list.
pub(super) const SHRUNK: Entry<Score> = Entry {
    name: "h_score_shrinkage",
    summary: "H-score with a shrunk covariance, for features that are many compared with the labels",
    source: "Ibrahim et al. 2021, arXiv:2110.06893",
    item: Score::Features(shrunk),
};

fn h_score(features: &Matrix, labels: &[u32], classes: usize) -> Result<f64> {
    let spectrum = varying(features, labels, classes)?;
    Ok(between(&spectrum, |_| 1.0))
}

fn shrunk(features: &Matrix, labels: &[u32], classes: usize) -> Result<f64> {
    let spectrum = varying(features, labels, classes)?;
    let (n, d) = (spectrum.rows as f64, spectrum.cols as f64);
    let variances: Vec<f64> = spectrum.squares.iter().map(|s| s / n).collect();
    let mean = variances.iter().sum::<f64>() / d;
    let alpha = shrinkage(&variances, spectrum.fourth, n, d);
    let kept = |square: f64| {
        let variance = square / n;
        (1.0 - alpha) * variance / ((1.0 - alpha) * variance + alpha * mean)
    };
    Ok(between(&spectrum, kept))
}

fn varying(features: &Matrix, labels: &[u32], classes: usize) -> Result<Spectrum> {
    let spectrum = Spectrum::of(features, labels, classes, true)?;
    match spectrum.squares.is_empty() {
        false => Ok(spectrum),
        true => Err(Error::data("no feature varies")),
    }
}

/// `Σ_c (1/n_c) Σ_k kept(σ_k) (u_k · y_c)²`
fn between(spectrum: &Spectrum, kept: impl Fn(f64) -> f64) -> f64 {
    let factors: Vec<f64> = spectrum.squares.iter().map(|&s| kept(s)).collect();
    let of = spectrum.classes.iter().map(|class| {
        let shares = class.shares.iter().zip(&factors);
        shares.map(|(share, factor)| share * factor).sum::<f64>() / class.count
    });
    of.sum()
}

/// Ledoit and Wolf's shrinkage of a covariance with eigenvalues `variances` (others are 0) of n rows and d columns, from Σ ‖x‖⁴ of centred
/// rows.
fn shrinkage(variances: &[f64], fourth: f64, n: f64, d: f64) -> f64 {
    let squares: f64 = variances.iter().map(|v| v * v).sum();
    let mean = variances.iter().sum::<f64>() / d;
    // Squared distance of the covariance from the multiple of the identity, and its part that is noise; both times d.
    let distance = squares - d * mean * mean;
    let noise = (fourth / n - squares) / n;
    match distance > 0.0 {
        true => (noise / distance).clamp(0.0, 1.0),
        false => 0.0,
    }
}
