//! Total correlation under a Gaussian fit: how far latents are from independent, without factors.
//!
//! `TC = ½ (Σᵢ ln Σᵢᵢ − ln det Σ) = −½ ln det C`, in nats, with the latents' covariance Σ and correlation
//! matrix C (Watanabe 1960; for representations Locatello et al. 2019, arXiv:1811.12359). 0 for
//! uncorrelated latents, as principal components are. Dependence that correlation does not see is not in
//! it: see `dependence`. Latents that never vary are left out.
//!
//! C of n rows of d normal latents makes TC too large by `½ (d ψ((n − 1) / 2) − Σᵢ ψ((n − i) / 2))`, i = 1 … d, whatever Σ is
//! (from the moments of ln det of a Wishart matrix; about d (d − 1) / 4n). This is subtracted; ψ is the digamma function.
//!
//! Eigenvalues of C count at least 10⁻⁶, the rounding of single precision: a latent that is a linear
//! function of others adds 6.9 nats instead of infinitely many.

use statrs::function::gamma::digamma;

use crate::error::Result;
use crate::matrix::{Matrix, eigen, gram};

use super::standardised;

/// The smallest eigenvalue of a correlation matrix that single precision tells from 0.
const SMALLEST: f64 = 1e-6;

/// The total correlation in nats, 0 or more but for its error.
pub fn total_correlation(latents: &Matrix) -> Result<Vec<f64>> {
    let (value, dimensions) = of_rows(latents)?;
    Ok(vec![value - bias(latents.rows, dimensions)])
}

/// What n rows of `dimensions` normal latents add to the total correlation on average.
fn bias(n: usize, dimensions: usize) -> f64 {
    let at = |i: usize| digamma(n.saturating_sub(i).max(1) as f64 / 2.0);
    let sum: f64 = (1..=dimensions).map(at).sum();
    0.5 * (dimensions as f64 * at(1) - sum)
}

/// The total correlation of the rows, and the number of dimensions they have.
fn of_rows(latents: &Matrix) -> Result<(f64, usize)> {
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
    let constant = |j: &usize| (0..standard.rows).all(|i| standard.row(i)[*j] == 0.0);
    let without = (0..standard.cols).filter(constant).count();
    let without = without + values.iter().filter(|v| **v <= SMALLEST).count();
    Ok(((-0.5 * logarithm).max(0.0), standard.cols - without))
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
        let (got, _) = of_rows(&golden.latents())?;
        assert!((got - golden.total_correlation).abs() < 1e-4, "{got}");
        Ok(())
    }

    /// ψ(x + 1) = ψ(x) + 1 / x, so of two latents ψ((n − 1) / 2) − ψ((n − 2) / 2) is left; one has no bias.
    #[test]
    fn bias_is_the_mean_of_independent_latents() -> Result<()> {
        use rand::{RngExt, SeedableRng};
        assert_eq!(bias(100, 1), 0.0);
        assert!(
            (bias(5, 3) - 0.5 * (2.0 * digamma(2.0) - digamma(1.5) - digamma(1.0))).abs() < 1e-12
        );
        let mut random = rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(5);
        let mut sum = 0.0;
        for _ in 0..200 {
            let data = (0..60 * 8).map(|_| random.sample::<f32, _>(rand_distr::StandardNormal));
            sum += total_correlation(&Matrix::new(60, 8, data.collect()))?[0] / 200.0;
        }
        // The plug-in value is .25 on average, its mean's standard error .003.
        assert!(sum.abs() < 0.012, "{sum}");
        Ok(())
    }
}
