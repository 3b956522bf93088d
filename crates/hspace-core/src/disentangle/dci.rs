//! Disentanglement, completeness, informativeness: which latents a classifier needs for which factor.
//!
//! `R[i][k]` is the importance of latent i for predicting factor k, each factor's summing to 1.
//!
//! - Disentanglement `Σᵢ ρᵢ (1 − H_K(Rᵢ·))`, ρᵢ the latent's share of all importance: does a latent serve
//!   one factor alone?
//! - Completeness `1/K Σₖ (1 − H_d(R·ₖ))`: does a factor need one latent alone? One that no latent is
//!   important for (in the rows it has one value) counts 0.
//! - Informativeness: the accuracy of those predictions on rows held out.
//!
//! H_b is the entropy, to the base b, of what is scaled to sum 1. Eastwood & Williams 2018, "A framework
//! for the quantitative evaluation of disentangled representations" (ICLR), whose own code takes these two
//! means; Locatello et al. 2019 weigh factors too by their share of all importance. Their classifiers are lasso
//! and random forests, Locatello et al. take boosted trees; ours are bagged trees that may split at
//! any latent (`forest`). Theirs predict each value of a factor as a class, as ours do; informativeness
//! is an accuracy as in Locatello et al., not an error as in the paper.
//!
//! Deviation: importance is that on rows held out (`forest`), as far as it is above 0 by [`CLEAR`] standard errors. That on the
//! rows learned from, which all of these codes take, gives noise its part at any number of rows: of latents that are the factors
//! with noise of .4 standard deviations both scores are .25 at 500 rows and .22 at 30,000, where 1 is true. A factor that all
//! latents together predict no better than its frequencies do, by [`PREDICTED`] standard errors, has no importance. Trees learn more from more
//! rows, and the scores depend on that; they are extrapolated (`stats::random_groups`).
//!
//! For the factors themselves all three are 1; for noise the first two are 0, and the accuracy is
//! that of guessing.

use super::Factor;
use super::forest::{Intervals, Tree, bagged, vote};
use super::split_rows;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::random::mix;

/// Trees a factor.
const TREES: u64 = 20;

/// Standard errors by which a latent's importance is above 0, and by which trees predict a factor.
const CLEAR: f64 = 3.0;
const PREDICTED: f64 = 4.0;

/// `[disentanglement, completeness, informativeness]`, each in 0..=1.
pub fn dci(latents: &Matrix, factors: &[Factor], seed: u64) -> Result<Vec<f64>> {
    let (train, test) = split_rows(latents.rows, seed);
    let (fitted, held_out) = (latents.select(&train), latents.select(&test));
    let cuts = Intervals::new(&fitted);
    let (fitted, held_out) = (cuts.of(&fitted), cuts.of(&held_out));
    let mut importance = Vec::with_capacity(factors.len());
    let mut right = 0.0;
    for (k, factor) in (0..).zip(factors) {
        let (known, asked) = (factor.select(&train), factor.select(&test));
        let trees = bagged(&fitted, &known.index, factor.count, TREES, mix(&[seed, k]));
        importance.push(held_out_importance(&trees, train.len(), latents.cols));
        let hit = |&i: &usize| vote(&trees, &held_out, factor.count, i) == asked.index[i];
        right += (0..test.len()).filter(hit).count() as f64 / test.len().max(1) as f64;
    }
    let [disentanglement, completeness] = shares(&importance);
    Ok(vec![
        disentanglement,
        completeness,
        right / factors.len() as f64,
    ])
}

/// Importance of `latents` latents on the rows held out of each tree, summing to 1; all 0 where the trees know nothing.
fn held_out_importance(trees: &[Tree], rows: usize, latents: usize) -> Vec<f64> {
    // Gains of rows `[rows, latents + 1]`, the last column by all latents.
    let columns = latents + 1;
    let mut gains = vec![0.0; rows * columns];
    for gain in trees.iter().flat_map(|tree| &tree.gains) {
        let row = gain.row as usize * columns;
        gains[row + gain.latent] += gain.value;
        gains[row + latents] += gain.value;
    }
    let (mut sums, mut squares) = (vec![0.0; columns], vec![0.0; columns]);
    for row in gains.chunks_exact(columns) {
        for (i, gain) in row.iter().enumerate() {
            sums[i] += gain;
            squares[i] += gain * gain;
        }
    }
    // The sum less so many standard errors.
    let above = |i: usize, errors: f64| {
        let variance = squares[i] - sums[i] * sums[i] / rows.max(1) as f64;
        sums[i] - errors * variance.max(0.0).sqrt() > 0.0
    };
    let clear = |i: usize| if above(i, CLEAR) { sums[i] } else { 0.0 };
    let importance: Vec<f64> = (0..latents).map(clear).collect();
    let total: f64 = importance.iter().sum();
    if total <= 0.0 || !above(latents, PREDICTED) {
        return vec![0.0; latents];
    }
    importance.iter().map(|x| x / total).collect()
}

/// Disentanglement and completeness of `importance` `[factors][latents]`.
fn shares(importance: &[Vec<f64>]) -> [f64; 2] {
    let latents = importance.first().map_or(0, Vec::len);
    let total: f64 = importance.iter().flatten().sum();
    let disentanglement = (0..latents).map(|i| {
        let own: Vec<f64> = importance.iter().map(|row| row[i]).collect();
        own.iter().sum::<f64>() / total.max(f64::MIN_POSITIVE) * (1.0 - spread(&own))
    });
    let completeness = importance.iter().map(|row| 1.0 - spread(row)).sum::<f64>();
    [
        disentanglement.sum(),
        completeness / importance.len().max(1) as f64,
    ]
}

/// Entropy of the shares, 0 (all in one) to 1 (all alike, as where there is nothing to share).
fn spread(of: &[f64]) -> f64 {
    let total: f64 = of.iter().sum();
    if total <= 0.0 {
        return 1.0;
    }
    if of.len() < 2 {
        return 0.0;
    }
    let shares = of.iter().map(|x| x / total).filter(|p| *p > 0.0);
    shares.map(|p| -p * p.ln()).sum::<f64>() / (of.len() as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disentangle::tests::{entangled, golden, noise, truth};

    #[test]
    fn known_answers() -> Result<()> {
        let (latents, factors) = truth();
        let got = dci(&latents, &factors, 0)?;
        assert!(got.iter().all(|x| *x > 0.999), "{got:?}");
        let got = dci(&noise(), &factors, 0)?;
        let guessing = factors.iter().map(|f| 1.0 / f.count as f64).sum::<f64>() / 4.0;
        assert_eq!(got[..2], [0.0, 0.0], "{got:?}");
        assert!((got[2] - guessing).abs() < 0.05, "{got:?} {guessing}");
        // A mixture of all: information is there, but nowhere alone.
        let got = dci(&entangled(), &factors, 0)?;
        assert!(
            (0.02..0.5).contains(&got[0]) && (0.02..0.5).contains(&got[1]),
            "{got:?}"
        );
        assert!(got[2] > 2.0 * guessing, "{got:?}");
        Ok(())
    }

    #[test]
    fn values_of_the_published_formula() {
        let golden = golden();
        // Of the others one factor has a fifth of the importance of the first, and one none.
        for (importance, expected) in [
            (golden.importance, golden.dci),
            (golden.uneven, golden.uneven_dci),
        ] {
            let [disentanglement, completeness] = shares(&importance);
            let text = format!("{disentanglement} {completeness} {expected:?}");
            assert!((disentanglement - expected[0]).abs() < 1e-9, "{text}");
            assert!((completeness - expected[1]).abs() < 1e-9, "{text}");
        }
    }

    #[test]
    fn nothing_is_known_from_constants() -> Result<()> {
        let (latents, factors) = truth();
        let got = dci(&Matrix::zeros(latents.rows, 3), &factors, 0)?;
        assert_eq!(got[..2], [0.0, 0.0]);
        Ok(())
    }
}
