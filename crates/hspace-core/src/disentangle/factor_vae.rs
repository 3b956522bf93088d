//! FactorVAE score: which factor is held fixed, found from the latent that varies least.
//!
//! A vote takes L = 64 samples that share the value of one factor and finds the latent whose variance,
//! over its variance among all samples, is smallest. Each latent then represents the factor it was found
//! for most often; the score is the share of further votes that this answers rightly. Kim & Mnih 2018,
//! arXiv:1802.05983, section 4.
//!
//! Deviations: samples are drawn from the rows at hand, with replacement, those to be scored on from the
//! other half of the rows (`pairs`), in turn and for four deals, since what a latent of noise represents is luck; of the latents only
//! those that never vary are left out. (The paper drops those that a VAE's prior has taken over.) Of votes
//! 10,000 say what latents represent and 5,000 are scored, as in disentanglement_lib (800 in the paper).
//!
//! 1 for the factors themselves; about 1 over the number of factors for noise. A rotation moves it only
//! where factors have their latents in equal parts: a latent that one factor dominates is as good as pure.

use rand::RngExt;
use rayon::prelude::*;

use super::pairs::{Half, Shared, halves};
use super::{Factor, standardised};
use crate::error::Result;
use crate::matrix::Matrix;
use crate::random::mix;

/// Samples a vote.
const SAMPLES: usize = 64;
/// Times that the rows are dealt in halves, each of which is learned from once.
const DEALS: u64 = 4;
/// Votes of each half that say what latents represent, and votes to be scored on.
const TRAIN: u64 = 1250;
const TEST: u64 = 625;

/// The share of right votes, in 0..=1.
pub fn factor_vae(latents: &Matrix, factors: &[Factor], seed: u64) -> Result<Vec<f64>> {
    let latents = standardised(latents);
    let varies = |j: &usize| (0..latents.rows).any(|i| latents.row(i)[*j] != latents.row(0)[*j]);
    let varies: Vec<usize> = (0..latents.cols).filter(varies).collect();
    let mut sum = 0.0;
    for deal in 0..DEALS {
        let seed = mix(&[seed, deal]);
        let [a, b] = halves(&latents, factors, seed);
        sum += right([&a, &b], &varies, seed)? + right([&b, &a], &varies, seed)?;
    }
    Ok(vec![sum / (2 * DEALS) as f64])
}

/// The share of right votes on one half after learning from another.
fn right([learned, scored]: [&Half; 2], varies: &[usize], seed: u64) -> Result<f64> {
    let mut counts = vec![vec![0usize; learned.factors.len()]; learned.latents.cols.max(1)];
    for (latent, factor) in votes(learned, varies, seed, 0..TRAIN)? {
        counts[latent][factor] += 1;
    }
    let stands_for: Vec<Option<usize>> = counts
        .iter()
        .map(|of| (0..of.len()).rev().max_by_key(|&k| of[k]))
        .collect();
    let test = votes(scored, varies, seed, TRAIN..TRAIN + TEST)?;
    let right = test.iter();
    let right = right.filter(|(latent, factor)| stands_for[*latent] == Some(*factor));
    Ok(right.count() as f64 / TEST as f64)
}

/// For each vote the latent, of those that vary, that varies least, and the factor that was held fixed.
fn votes(
    half: &Half,
    varies: &[usize],
    seed: u64,
    numbers: std::ops::Range<u64>,
) -> Result<Vec<(usize, usize)>> {
    let latents = &half.latents;
    let shared = Shared::new(&half.factors)?;
    let vote = |number: u64| {
        let (mut random, factor) = shared.begin(seed, number);
        let group = shared.group(factor, &mut random);
        let (mut sum, mut squares) = (vec![0.0f64; latents.cols], vec![0.0f64; latents.cols]);
        for _ in 0..SAMPLES {
            let row = group[random.random_range(0..group.len())] as usize;
            for (j, &x) in latents.row(row).iter().enumerate() {
                sum[j] += f64::from(x);
                squares[j] += f64::from(x) * f64::from(x);
            }
        }
        let variance = |j: usize| squares[j] - sum[j] * sum[j] / SAMPLES as f64;
        let least = varies
            .iter()
            .min_by(|&&a, &&b| variance(a).total_cmp(&variance(b)));
        (least.copied().unwrap_or(0), factor)
    };
    Ok(numbers.into_par_iter().map(vote).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disentangle::tests::{entangled, noise, rotated, truth};

    #[test]
    fn known_answers() -> Result<()> {
        let (latents, factors) = truth();
        assert!(factor_vae(&latents, &factors, 0)?[0] > 0.999);
        let guessed = factor_vae(&noise(), &factors, 0)?[0];
        assert!((guessed - 0.25).abs() < 0.04, "{guessed}");
        // One factor still dominates each latent; at 45° two share it, and half of the votes are wrong.
        assert!(factor_vae(&entangled(), &factors, 0)?[0] > 0.9);
        let halves = rotated(45.0, &[(0, 1), (2, 3)]);
        let between = factor_vae(&halves, &factors, 0)?[0];
        assert!((0.4..0.7).contains(&between), "{between}");
        Ok(())
    }

    #[test]
    fn a_latent_that_never_varies_has_no_vote() -> Result<()> {
        let (latents, factors) = truth();
        let wider = (0..latents.rows).flat_map(|i| [&[7.0], latents.row(i)].concat());
        let wider = Matrix::new(latents.rows, latents.cols + 1, wider.collect());
        assert!(factor_vae(&wider, &factors, 0)?[0] > 0.999);
        Ok(())
    }
}
