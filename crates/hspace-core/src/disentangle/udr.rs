//! UDR: do runs of the same settings from different seeds find the same latents? Needs no factors.
//!
//! With `R[a][b]` the size of Spearman's rank correlation of latent a of one run and latent b of another,
//!
//! `UDR = 1 / (d₁ + d₂) · (Σ_b max_a R[a][b]² / Σ_a R[a][b] + Σ_a max_b R[a][b]² / Σ_b R[a][b])`
//!
//! over the latents in use, d₁ and d₂ of them. A run's score is the median over the other runs. Duan et
//! al. 2020, arXiv:1905.12614, eq. 3, in its variant UDR_S.
//!
//! Deviation: the paper calls a latent unused where its KL divergence from the prior is below 0.01, which
//! features do not tell; here it is one whose variance is below 1 % of the largest latent's, which is
//! Burda et al. 2016's threshold (arXiv:1509.00519) where active latents have variance 1.
//!
//! Deviation: chance correlations of n rows are about `(1 − r²) / √n`, and all d of them are in the denominators: with |r| itself
//! UDR of ten latents that match is .62 at 500 rows where .85 is true. So R is `√(r² − 4 s²)`, s being this standard error
//! (0 where |r| < 2 s), and what bias is left is extrapolated (`stats::random_groups`).

use rayon::prelude::*;

use super::standardised;
use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// A latent in use has at least this share of the largest variance.
const IN_USE: f64 = 0.01;

/// Each run's score, in 0..=1; `runs` `[runs][n, d]` have the same rows.
///
/// # Errors
/// With fewer than two runs, or where their rows differ in number.
pub fn udr(runs: &[&Matrix]) -> Result<Vec<f64>> {
    if runs.len() < 2 || runs.iter().any(|run| run.rows != runs[0].rows) {
        return Err(Error::config(
            "udr compares runs with the same settings and different seeds on the same samples; give at least two",
        ));
    }
    Ok(of_runs(runs, beyond_chance))
}

/// Each run's score, `size` giving R from a correlation and the number of rows.
fn of_runs(runs: &[&Matrix], size: fn(f64, usize) -> f64) -> Vec<f64> {
    let ranked: Vec<Matrix> = runs.par_iter().map(|run| ranks(run)).collect();
    let score = |i: usize| {
        let others = (0..runs.len()).filter(|&j| j != i);
        let mut pairs: Vec<f64> = others
            .map(|j| likeness(&ranked[i], &ranked[j], size))
            .collect();
        pairs.sort_by(f64::total_cmp);
        let middle = pairs.len() / 2;
        match pairs.len() % 2 {
            1 => pairs[middle],
            _ => (pairs[middle - 1] + pairs[middle]) / 2.0,
        }
    };
    (0..runs.len()).map(score).collect()
}

/// The size of a correlation of n rows, beyond two standard errors.
fn beyond_chance(r: f64, n: usize) -> f64 {
    let variance = (1.0 - r * r).powi(2) / n.saturating_sub(1).max(1) as f64;
    (r * r - 4.0 * variance).max(0.0).sqrt()
}

/// Standardised ranks, ties sharing theirs, of the latents in use.
fn ranks(run: &Matrix) -> Matrix {
    let means = run.column_means();
    let variance = |j: usize| {
        let squares = (0..run.rows).map(|i| (f64::from(run.row(i)[j]) - means[j]).powi(2));
        squares.sum::<f64>()
    };
    let variances: Vec<f64> = (0..run.cols).map(variance).collect();
    let largest = variances.iter().fold(0.0f64, |a, &v| a.max(v));
    let used: Vec<usize> = (0..run.cols)
        .filter(|&j| variances[j] > 0.0 && variances[j] >= IN_USE * largest)
        .collect();
    let mut out = Matrix::zeros(run.rows, used.len());
    for (to, &j) in used.iter().enumerate() {
        let value = |i: usize| run.row(i)[j];
        let mut order: Vec<usize> = (0..run.rows).collect();
        order.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
        let mut below = 0;
        for tied in order.chunk_by(|&a, &b| value(a) == value(b)) {
            let rank = below as f32 + (tied.len() - 1) as f32 / 2.0;
            tied.iter()
                .for_each(|&i| out.data[i * used.len() + to] = rank);
            below += tied.len();
        }
    }
    standardised(&out)
}

/// UDR of two runs' standardised ranks.
fn likeness(one: &Matrix, other: &Matrix, size: fn(f64, usize) -> f64) -> f64 {
    let (d1, d2) = (one.cols, other.cols);
    if d1 + d2 == 0 {
        return 0.0;
    }
    let mut products = vec![0.0f64; d1 * d2];
    for i in 0..one.rows {
        for (a, &x) in one.row(i).iter().enumerate() {
            for (b, &y) in other.row(i).iter().enumerate() {
                products[a * d2 + b] += f64::from(x) * f64::from(y);
            }
        }
    }
    let n = one.rows.max(1) as f64;
    let r = |a: usize, b: usize| size(products[a * d2 + b] / n, one.rows);
    let part = |of: Vec<f64>| {
        let largest = of.iter().fold(0.0f64, |m, &x| m.max(x));
        let sum: f64 = of.iter().sum();
        if sum > 0.0 {
            largest * largest / sum
        } else {
            0.0
        }
    };
    let columns: f64 = (0..d2)
        .map(|b| part((0..d1).map(|a| r(a, b)).collect()))
        .sum();
    let rows: f64 = (0..d1)
        .map(|a| part((0..d2).map(|b| r(a, b)).collect()))
        .sum();
    (columns + rows) / (d1 + d2) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disentangle::tests::{entangled, golden, noise, truth};

    #[test]
    fn known_answers() -> Result<()> {
        let (latents, _) = truth();
        // The same latents in another order, of other sizes and signs.
        let order = [2, 0, 3, 1];
        let moved = (0..latents.rows).flat_map(|i| order.map(|j| -3.0 * latents.row(i)[j]));
        let moved = Matrix::new(latents.rows, 4, moved.collect());
        let got = udr(&[&latents, &moved, &latents])?;
        assert!(got.iter().all(|u| *u > 0.99), "{got:?}");
        let got = udr(&[&latents, &noise()])?;
        assert!(got.iter().all(|u| *u < 0.05), "{got:?}");
        let got = udr(&[&latents, &entangled()])?;
        assert!((0.1..0.8).contains(&got[0]), "{got:?}");
        assert!(udr(&[&latents]).is_err_and(|e| e.to_string().contains("at least two")));
        Ok(())
    }

    #[test]
    fn a_latent_hardly_in_use_does_not_count() -> Result<()> {
        let (latents, _) = truth();
        let noise = noise();
        let wider = |salt: usize| {
            let rows = (0..latents.rows).flat_map(|i| {
                let small = 1e-3 * noise.row((i + salt) % noise.rows)[0];
                [latents.row(i), &[small]].concat()
            });
            Matrix::new(latents.rows, 5, rows.collect())
        };
        let got = udr(&[&wider(0), &wider(100)])?;
        assert!(got[0] > 0.99, "{got:?}");
        Ok(())
    }

    #[test]
    fn values_of_the_published_formula() {
        let golden = golden();
        let (a, b, c) = (golden.latents(), golden.coarse(), golden.third());
        for (ours, theirs) in of_runs(&[&a, &b, &c], |r, _| r.abs())
            .iter()
            .zip(&golden.udr)
        {
            assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}");
        }
    }

    #[test]
    fn chance_correlations_do_not_count() {
        assert_eq!(beyond_chance(0.19, 101), 0.0);
        assert!((beyond_chance(-0.5, 101) - (0.25f64 - 0.0225).sqrt()).abs() < 1e-12);
        assert_eq!(beyond_chance(1.0, 3), 1.0);
    }
}
