//! Mutual information of latents and factors by counting.
//!
//! `I(a; b) = Σ p(a, b) ln(p(a, b) / p(a) p(b))`, in nats, with the shares of the rows as
//! probabilities. Latents are cut into [`BINS`] intervals of equal width between their smallest and
//! largest value (Locatello et al. 2019, arXiv:1811.12359, appendix).
//!
//! Of n rows, a pair of a and b values that have nothing in common shows about (a − 1)(b − 1) / 2n nats.

use rayon::prelude::*;

use super::Factor;
use crate::matrix::Matrix;

/// Intervals a latent is cut into.
pub const BINS: usize = 20;

/// Rows as small whole numbers below `count`.
#[derive(Clone, Debug, PartialEq)]
pub struct Coded {
    /// How many different numbers there may be.
    pub count: usize,
    /// One per row.
    pub index: Vec<u32>,
}

/// Each latent of `[n, d]` in its intervals; a latent with one value is all in the first.
pub fn binned(latents: &Matrix) -> Vec<Coded> {
    let column = |j: usize| {
        let values = || (0..latents.rows).map(move |i| f64::from(latents.row(i)[j]));
        let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
            (low.min(x), high.max(x))
        });
        // Edges as numpy's linspace has them, so that a value on an edge falls on the same side.
        let width = (high - low) / BINS as f64;
        let edges: Vec<f64> = (1..BINS).map(|e| low + e as f64 * width).collect();
        let place = |x: f64| match high > low {
            true => edges.partition_point(|edge| *edge <= x) as u32,
            false => 0,
        };
        Coded {
            count: BINS,
            index: values().map(place).collect(),
        }
    };
    (0..latents.cols).into_par_iter().map(column).collect()
}

impl From<&Factor> for Coded {
    fn from(factor: &Factor) -> Coded {
        Coded {
            count: factor.count,
            index: factor.index.clone(),
        }
    }
}

/// Entropy in nats.
pub fn entropy(of: &Coded) -> f64 {
    let mut counts = vec![0usize; of.count];
    of.index.iter().for_each(|&i| counts[i as usize] += 1);
    surprise(&counts, of.index.len())
}

/// Mutual information in nats, at least 0.
pub fn mutual_information(a: &Coded, b: &Coded) -> f64 {
    let mut joint = vec![0usize; a.count * b.count];
    for (&i, &j) in a.index.iter().zip(&b.index) {
        joint[i as usize * b.count + j as usize] += 1;
    }
    let n = a.index.len();
    (entropy(a) + entropy(b) - surprise(&joint, n)).max(0.0)
}

/// `[latents][factors]`, in nats.
pub fn table(latents: &[Coded], factors: &[Coded]) -> Vec<Vec<f64>> {
    let row = |latent: &Coded| {
        factors
            .iter()
            .map(|f| mutual_information(latent, f))
            .collect()
    };
    latents.par_iter().map(row).collect()
}

/// The latents' mutual information with the factors, `[latents][factors]` in nats, and the factors'
/// entropies.
pub fn with_factors(latents: &Matrix, factors: &[Factor]) -> (Vec<Vec<f64>>, Vec<f64>) {
    let factors: Vec<Coded> = factors.iter().map(Coded::from).collect();
    let entropies = factors.iter().map(entropy).collect();
    (table(&binned(latents), &factors), entropies)
}

/// −Σ p ln p of counts that sum to n.
fn surprise(counts: &[usize], n: usize) -> f64 {
    let n = n.max(1) as f64;
    let term = |&c: &usize| {
        let p = c as f64 / n;
        -p * p.ln()
    };
    counts.iter().filter(|c| **c > 0).map(term).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(count: usize, index: &[u32]) -> Coded {
        Coded {
            count,
            index: index.to_vec(),
        }
    }

    #[test]
    fn what_is_equal_and_what_is_independent() {
        let a = coded(2, &[0, 0, 1, 1]);
        let b = coded(2, &[0, 1, 0, 1]);
        assert!((entropy(&a) - 2f64.ln()).abs() < 1e-12);
        assert!((mutual_information(&a, &a) - 2f64.ln()).abs() < 1e-12);
        assert!(mutual_information(&a, &b) < 1e-12);
    }

    #[test]
    fn intervals_have_equal_width() {
        let latents = Matrix::new(4, 2, vec![0.0, 5.0, 10.0, 5.0, 0.49, 5.0, 9.6, 5.0]);
        let bins = binned(&latents);
        assert_eq!(bins[0].index, [0, 19, 0, 19]);
        assert_eq!(bins[1].index, [0; 4]);
        assert_eq!(entropy(&bins[1]), 0.0);
    }
}
