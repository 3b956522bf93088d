//! β-VAE score: which factor is held fixed, found by a linear classifier from differences of latents.
//!
//! A point is `1/L Σ |z − z′|` over L = 64 pairs of samples that share the value of one factor; a linear
//! classifier says which. The score is its accuracy on points of its own. Higgins et al. 2017, "β-VAE:
//! learning basic visual concepts with a constrained variational framework" (ICLR), section 3.
//!
//! Deviations: pairs are drawn from the rows at hand, those to be scored on from the other half (`pairs`); latents are divided by their standard
//! deviations, so that the scale of a latent does not matter; the classifier is softmax regression, learned
//! from 5,000 points and scored on 2,500 (10,000 and 5,000 in disentanglement_lib).
//!
//! 1 for the factors themselves; 1 over the number of factors for noise. A rotation hardly moves it:
//! whatever a linear classifier can sort out counts as disentangled.

use rayon::prelude::*;

use super::pairs::{Half, Shared, halves};
use super::{Factor, standardised};
use crate::error::Result;
use crate::matrix::Matrix;
use crate::probe::linear;

/// Pairs a point.
const PAIRS: usize = 64;
/// Points to learn from and to be scored on.
const TRAIN: u64 = 5000;
const TEST: u64 = 2500;
/// scikit-learn's default.
const C: f64 = 1.0;

/// The accuracy, in 0..=1.
pub fn beta_vae(latents: &Matrix, factors: &[Factor], seed: u64) -> Result<Vec<f64>> {
    let [learned, scored] = halves(&standardised(latents), factors, seed);
    let (x, y) = points(&learned, seed, 0..TRAIN)?;
    let fitted = linear::fit(&x, &y, factors.len(), C)?;
    let (x, y) = points(&scored, seed, TRAIN..TRAIN + TEST)?;
    let answers = fitted.probabilities(&x);
    let answered = answers.chunks_exact(factors.len()).map(|p| {
        let best = (0..p.len()).max_by(|&a, &b| p[a].total_cmp(&p[b]));
        best.unwrap_or(0) as u32
    });
    let right = answered.zip(&y).filter(|(a, b)| a == *b).count();
    Ok(vec![right as f64 / TEST as f64])
}

/// Points `[n, d]` and the factors that were held fixed.
fn points(half: &Half, seed: u64, numbers: std::ops::Range<u64>) -> Result<(Matrix, Vec<u32>)> {
    let latents = &half.latents;
    let shared = Shared::new(&half.factors)?;
    let point = |number: u64| {
        let (mut random, factor) = shared.begin(seed, number);
        let mut sum = vec![0.0f32; latents.cols];
        for _ in 0..PAIRS {
            let [a, b] = shared.pair(factor, &mut random);
            for (s, (x, y)) in sum
                .iter_mut()
                .zip(latents.row(a).iter().zip(latents.row(b)))
            {
                *s += (x - y).abs() / PAIRS as f32;
            }
        }
        (sum, factor as u32)
    };
    let rows = (numbers.end - numbers.start) as usize;
    let (data, fixed): (Vec<Vec<f32>>, Vec<u32>) = numbers.into_par_iter().map(point).unzip();
    Ok((Matrix::new(rows, latents.cols, data.concat()), fixed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disentangle::tests::{entangled, noise, truth};

    #[test]
    fn known_answers() -> Result<()> {
        let (latents, factors) = truth();
        assert!(beta_vae(&latents, &factors, 0)?[0] > 0.999);
        let guessed = beta_vae(&noise(), &factors, 0)?[0];
        assert!((guessed - 0.25).abs() < 0.04, "{guessed}");
        assert!(beta_vae(&entangled(), &factors, 0)?[0] > 0.9);
        Ok(())
    }
}
