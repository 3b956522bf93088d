//! The latents' dependence matrix, with or without factors.
//!
//! Two latents depend on each other by their normalised mutual information
//! `2 I(zᵢ; zⱼ) / (H(zᵢ) + H(zⱼ))`, 0 (independent) to 1 (each a function of the other), which sees what
//! their correlation, shown with it, does not. A latent knows the share `I(zᵢ; vₖ) / H(vₖ)` of a factor.
//! Information between latents is counted in ten intervals of as many rows each, so that neither the extremes, which grow with the number
//! of rows, nor the scale of a latent matter; that with factors as for MIG. Entropies are jackknifed (`mutual_information`): of
//! n rows, independent latents show 0 on average, and not 81 / 2n nats.
//!
//! The score `dependence` is the mean over all pairs of latents.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::mutual_information::{
    Coded, Entropy, entropy, jackknife, mutual_information, quantiles, with_factors,
};
use super::{Factor, standardised};
use crate::error::Result;
use crate::matrix::{Matrix, gram};

/// How latents depend on one another, and on the factors.
///
/// ```
/// use hspace_core::disentangle::Dependence;
/// use hspace_core::matrix::Matrix;
///
/// // The second latent is the first one's square: not correlated, but dependent.
/// let rows = (0..1000).flat_map(|i| {
///     let z = i as f32 / 500.0 - 1.0;
///     [z, z * z]
/// });
/// let dependence = Dependence::of("runs/a", &Matrix::new(1000, 2, rows.collect()), &[]);
/// assert!(dependence.correlations[0][1].abs() < 0.01);
/// assert!(dependence.latents[0][1] > 0.5);
/// assert!(!dependence.table().is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dependence {
    /// Name of the representation.
    pub representation: String,
    /// Normalised mutual information `[latents][latents]`, in 0..=1.
    pub latents: Vec<Vec<f64>>,
    /// Pearson's correlations `[latents][latents]`, in −1..=1.
    pub correlations: Vec<Vec<f64>>,
    /// Names of the factors; empty where none are known.
    pub factors: Vec<String>,
    /// The share of each factor that a latent knows, `[latents][factors]`, in 0..=1.
    pub known: Vec<Vec<f64>>,
}

impl Dependence {
    /// Of the latents `[n, d]`.
    pub fn of(name: &str, latents: &Matrix, factors: &[Factor]) -> Dependence {
        let standard = standardised(latents);
        let products = gram(standard.view());
        let n = latents.rows.max(1) as f64;
        let correlation = |i: usize, j: usize| (products[(i, j)] / n).clamp(-1.0, 1.0);
        let row = |i: usize| (0..latents.cols).map(|j| correlation(i, j)).collect();
        let (known, entropies) = with_factors(latents, factors, jackknife);
        let share = |row: Vec<f64>| {
            let shares = row.iter().zip(&entropies);
            shares
                .map(|(i, h)| (i / h.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0))
                .collect()
        };
        let mut depend = normalised(&quantiles(latents), jackknife);
        depend
            .iter_mut()
            .flatten()
            .for_each(|x| *x = x.clamp(0.0, 1.0));
        Dependence {
            representation: name.to_owned(),
            latents: depend,
            correlations: (0..latents.cols).map(row).collect(),
            factors: factors.iter().map(|f| f.name.clone()).collect(),
            known: known.into_iter().map(share).collect(),
        }
    }
}

/// The mean dependence of two latents, 0 to 1 but for its error; 0 where there is one.
pub fn dependence(latents: &Matrix) -> Result<Vec<f64>> {
    let d = latents.cols;
    let total: f64 = normalised(&quantiles(latents), jackknife)
        .iter()
        .flatten()
        .sum();
    let own = d as f64;
    Ok(vec![match d {
        0 | 1 => 0.0,
        _ => (total - own) / (d * (d - 1)) as f64,
    }])
}

/// Normalised mutual information of all pairs; 1 of a latent with itself, 0 with one that never varies.
fn normalised(bins: &[Coded], by: Entropy) -> Vec<Vec<f64>> {
    let entropies: Vec<f64> = bins.iter().map(|b| entropy(b, by)).collect();
    let half = |i: usize| -> Vec<f64> {
        let pair = |j: usize| {
            let sum = entropies[i] + entropies[j];
            if sum > 0.0 {
                2.0 * mutual_information(&bins[i], &bins[j], by) / sum
            } else {
                0.0
            }
        };
        (0..i).map(pair).collect()
    };
    let lower: Vec<Vec<f64>> = (0..bins.len()).into_par_iter().map(half).collect();
    let at = |i: usize, j: usize| match i == j {
        true => 1.0,
        false => lower[i.max(j)][i.min(j)],
    };
    let row = |i: usize| (0..bins.len()).map(|j| at(i, j)).collect();
    (0..bins.len()).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disentangle::mutual_information::{binned, plug_in};
    use crate::disentangle::tests::{golden, noise, truth};

    #[test]
    fn known_answers() -> Result<()> {
        let (latents, factors) = truth();
        assert!(dependence(&latents)?[0] < 1e-6);
        assert!(dependence(&noise())?[0] < 0.05);
        let of = Dependence::of("truth", &latents, &factors);
        for i in 0..4 {
            for k in 0..4 {
                let same = f64::from(u8::from(i == k));
                assert!((of.known[i][k] - same).abs() < 1e-9);
                assert!((of.correlations[i][k] - same).abs() < 1e-5);
            }
        }
        // A parabola: uncorrelated, but wholly dependent.
        let curve = (-50..=50).flat_map(|x| [x as f32, (x * x) as f32]);
        let of = Dependence::of("curve", &Matrix::new(101, 2, curve.collect()), &[]);
        assert!(of.correlations[0][1].abs() < 1e-6 && of.latents[0][1] > 0.6);
        assert!(of.factors.is_empty() && of.known[0].is_empty());
        Ok(())
    }

    #[test]
    fn values_are_scikit_learn_s() {
        let golden = golden();
        let of = Dependence::of("golden", &golden.latents(), &golden.factors());
        let plain = normalised(&binned(&golden.latents()), plug_in);
        for (ours, theirs) in plain
            .iter()
            .flatten()
            .zip(golden.dependence.iter().flatten())
        {
            assert!((ours - theirs).abs() < 1e-9, "{ours} {theirs}");
        }
        for (ours, theirs) in of
            .correlations
            .iter()
            .flatten()
            .zip(golden.correlations.iter().flatten())
        {
            assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}");
        }
    }
}
