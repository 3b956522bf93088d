//! Mutual information of latents and factors by counting.
//!
//! `I(a; b) = H(a) + H(b) − H(a, b)`, in nats. Latents are cut into [`BINS`] intervals of equal width between their
//! smallest and largest value (Locatello et al. 2019, arXiv:1811.12359, appendix), or into [`QUANTILES`] with as many rows each.
//!
//! The plug-in entropy takes the shares of the rows for probabilities. It is too small, so information is too large: of n
//! rows, independent a and b values show about (a − 1)(b − 1) / 2n nats. The jackknife removes the part of this bias that
//! falls like 1 / n (Zahl 1977, "Jackknifing an index of diversity", Ecology 58). It takes the rows for random draws: where they are
//! every combination of the factors once or twice, the plug-in value has no bias, and what is subtracted makes information too small.

use rayon::prelude::*;

use super::Factor;
use crate::matrix::Matrix;

/// Intervals a latent is cut into.
pub const BINS: usize = 20;
/// Intervals of equal numbers of rows. Fewer, as information between two latents counts the square of them.
pub const QUANTILES: usize = 10;

/// Entropy in nats of what was counted.
pub type Entropy = fn(&[usize]) -> f64;

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

/// Each latent of `[n, d]` in intervals of as many rows each. Equal values share an interval, that of their mean rank; so the
/// intervals, unlike those of equal width, do not depend on the extremes, which grow with n.
pub fn quantiles(latents: &Matrix) -> Vec<Coded> {
    let n = latents.rows;
    let column = |j: usize| {
        let value = |i: u32| latents.row(i as usize)[j];
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.sort_unstable_by(|&a, &b| value(a).total_cmp(&value(b)));
        let mut index = vec![0; n];
        let mut below = 0;
        for tied in order.chunk_by(|&a, &b| value(a) == value(b)) {
            let interval = (2 * below + tied.len() - 1) * QUANTILES / (2 * n);
            tied.iter()
                .for_each(|&i| index[i as usize] = interval as u32);
            below += tied.len();
        }
        Coded {
            count: QUANTILES,
            index,
        }
    };
    (0..latents.cols).into_par_iter().map(column).collect()
}

/// Entropy in nats.
pub fn entropy(of: &Coded, entropy: Entropy) -> f64 {
    let mut counts = vec![0usize; of.count];
    of.index.iter().for_each(|&i| counts[i as usize] += 1);
    entropy(&counts)
}

/// Mutual information in nats: at least 0 with [`plug_in`] entropies, around 0 of what is independent with [`jackknife`].
pub fn mutual_information(a: &Coded, b: &Coded, by: Entropy) -> f64 {
    let mut joint = vec![0usize; a.count * b.count];
    for (&i, &j) in a.index.iter().zip(&b.index) {
        joint[i as usize * b.count + j as usize] += 1;
    }
    entropy(a, by) + entropy(b, by) - by(&joint)
}

/// `[latents][factors]`, in nats.
pub fn table(latents: &[Coded], factors: &[Coded], by: Entropy) -> Vec<Vec<f64>> {
    let row = |latent: &Coded| {
        factors
            .iter()
            .map(|f| mutual_information(latent, f, by))
            .collect()
    };
    latents.par_iter().map(row).collect()
}

/// The latents' mutual information with the factors, `[latents][factors]` in nats, and the factors'
/// entropies.
pub fn with_factors(
    latents: &Matrix,
    factors: &[Factor],
    by: Entropy,
) -> (Vec<Vec<f64>>, Vec<f64>) {
    let factors: Vec<Coded> = factors.iter().map(Coded::from).collect();
    let entropies = factors.iter().map(|f| entropy(f, by)).collect();
    (table(&binned(latents), &factors, by), entropies)
}

/// `−Σ p ln p`, the counts' shares being the probabilities.
pub fn plug_in(counts: &[usize]) -> f64 {
    let n = counts.iter().sum::<usize>().max(1) as f64;
    let term = |&c: &usize| {
        let p = c as f64 / n;
        -p * p.ln()
    };
    counts.iter().filter(|c| **c > 0).map(term).sum()
}

/// `n H − (n − 1) H₋`, H being the plug-in entropy of all n rows and H₋ its mean over the n sets that lack one row.
pub fn jackknife(counts: &[usize]) -> f64 {
    let n = counts.iter().sum::<usize>() as f64;
    if n < 2.0 {
        return 0.0;
    }
    let x_ln_x = |x: f64| if x > 0.0 { x * x.ln() } else { 0.0 };
    let of = |x: &usize| *x as f64;
    let sum: f64 = counts.iter().map(of).map(x_ln_x).sum();
    // Without a row of a cell of c rows the sum lacks c ln c and has (c − 1) ln(c − 1) instead.
    let less: f64 = counts
        .iter()
        .map(of)
        .filter(|c| *c > 0.0)
        .map(|c| c * (x_ln_x(c) - x_ln_x(c - 1.0)))
        .sum();
    let without_one = (n - 1.0).ln() - (sum - less / n) / (n - 1.0);
    n * plug_in(counts) - (n - 1.0) * without_one
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
        assert!((entropy(&a, plug_in) - 2f64.ln()).abs() < 1e-12);
        assert!((mutual_information(&a, &a, plug_in) - 2f64.ln()).abs() < 1e-12);
        assert!(mutual_information(&a, &b, plug_in).abs() < 1e-12);
    }

    #[test]
    fn jackknife_is_that_of_leaving_out_each_row() {
        let counts = [5usize, 1, 0, 3, 2];
        let n = 11;
        let mut sum = 0.0;
        for cell in 0..counts.len() {
            for _ in 0..counts[cell] {
                let mut without = counts;
                without[cell] -= 1;
                sum += plug_in(&without);
            }
        }
        let expected = n as f64 * plug_in(&counts) - (n - 1) as f64 * sum / n as f64;
        assert!((jackknife(&counts) - expected).abs() < 1e-12);
        assert_eq!(jackknife(&[1]), 0.0);
        assert!(jackknife(&[9]).abs() < 1e-12);
    }

    /// 500 rows in 100 cells of equal probability: the plug-in entropy lacks some 0.1 of ln 100.
    #[test]
    fn jackknife_entropy_has_less_bias() {
        use rand::{RngExt, SeedableRng};
        let mut random = rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(3);
        let (mut plain, mut corrected) = (0.0, 0.0);
        for _ in 0..50 {
            let mut counts = [0usize; 100];
            (0..500).for_each(|_| counts[random.random_range(0..100usize)] += 1);
            plain += plug_in(&counts) / 50.0;
            corrected += jackknife(&counts) / 50.0;
        }
        assert!(plain < 100f64.ln() - 0.08, "{plain}");
        assert!((corrected - 100f64.ln()).abs() < 0.01, "{corrected}");
    }

    #[test]
    fn quantiles_hold_as_many_rows_and_keep_equal_values_together() {
        let latents =
            (0..100).flat_map(|i| [(i * 37 % 100) as f32 * (i as f32).signum(), (i % 2) as f32]);
        let latents = Matrix::new(100, 2, latents.collect());
        let got = quantiles(&latents);
        for interval in 0..QUANTILES as u32 {
            assert_eq!(got[0].index.iter().filter(|i| **i == interval).count(), 10);
        }
        assert_eq!(got[0].index[1], 3);
        assert_eq!(got[1].index[..4], [2, 7, 2, 7]);
        let constant = Matrix::new(4, 1, vec![5.0; 4]);
        assert_eq!(entropy(&quantiles(&constant)[0], plug_in), 0.0);
    }

    #[test]
    fn intervals_have_equal_width() {
        let latents = Matrix::new(4, 2, vec![0.0, 5.0, 10.0, 5.0, 0.49, 5.0, 9.6, 5.0]);
        let bins = binned(&latents);
        assert_eq!(bins[0].index, [0, 19, 0, 19]);
        assert_eq!(bins[1].index, [0; 4]);
        assert_eq!(entropy(&bins[1], plug_in), 0.0);
    }
}
