//! Total correlation under a Gaussian fit: how far latents are from independent, without factors.
//!
//! `TC = ½ (Σᵢ ln Σᵢᵢ − ln det Σ) = −½ ln det C`, in nats, with the latents' covariance Σ and correlation
//! matrix C (Watanabe 1960; for representations Locatello et al. 2019, arXiv:1811.12359). 0 for
//! uncorrelated latents, as principal components are. Dependence that correlation does not see is not in
//! it: see `dependence`. Latents that never vary are left out.
//!
//! Eigenvalues of C count at least 10⁻⁶, the rounding of single precision: a latent that is a linear
//! function of others adds 6.9 nats instead of infinitely many.

use crate::error::Result;
use crate::matrix::{Matrix, eigen, gram};

use super::standardised;

/// The smallest eigenvalue of a correlation matrix that single precision tells from 0.
const SMALLEST: f64 = 1e-6;

/// The total correlation in nats, 0 or more.
pub fn total_correlation(latents: &Matrix) -> Result<Vec<f64>> {
    let standard = standardised(latents);
    let n = standard.rows.max(1) as f64;
    let mut correlations = gram(standard.view());
    for i in 0..standard.cols {
        for j in 0..standard.cols {
            correlations[(i, j)] = match (i == j, correlations[(i, j)] / n) {
                (true, _) => 1.0,
                (false, r) => r,
            };
        }
    }
    let (values, _) = eigen(&correlations, false)?;
    let logarithm: f64 = values.iter().map(|v| v.max(SMALLEST).ln()).sum();
    Ok(vec![(-0.5 * logarithm).max(0.0)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disentangle::tests::{golden, noise, truth};

    #[test]
    fn known_answers() -> Result<()> {
        assert!(total_correlation(&truth().0)?[0] < 1e-4);
        assert!(total_correlation(&noise())?[0] < 0.01);
        // z₂ = z₁ + noise of the same size: correlation 1/√2, so TC = −½ ln(1 − ½).
        let mixed = noise();
        let rows =
            (0..mixed.rows).flat_map(|i| [mixed.row(i)[0], mixed.row(i)[0] + mixed.row(i)[1]]);
        let got = total_correlation(&Matrix::new(mixed.rows, 2, rows.collect()))?[0];
        assert!((got - 0.5 * 2f64.ln()).abs() < 0.03, "{got}");
        let twice = (0..mixed.rows).flat_map(|i| [mixed.row(i)[0], -2.0 * mixed.row(i)[0]]);
        let got = total_correlation(&Matrix::new(mixed.rows, 2, twice.collect()))?[0];
        // Eigenvalues 2 and 0.
        assert!(
            (got + 0.5 * (2f64.ln() + SMALLEST.ln())).abs() < 0.1,
            "{got}"
        );
        Ok(())
    }

    #[test]
    fn values_of_the_published_formula() -> Result<()> {
        let golden = golden();
        let got = total_correlation(&golden.latents())?[0];
        assert!((got - golden.total_correlation).abs() < 1e-4, "{got}");
        Ok(())
    }
}
