//! How well a fit goes with its data: Kolmogorov–Smirnov, by parametric bootstrap.
//!
//! D = sup ∣Fₙ(x) − F(x)∣. The tables of D hold for an F that was given beforehand; one fitted to the
//! same values is closer to them, and the p-values of the tables are far too large. So values are drawn
//! from the fit, fitted anew and compared with *their* fit; p is the share of such D that are at least as
//! large, (1 + #)/(1 + B) (Stute, González Manteiga & Presedo Quindimil 1993). For counts both functions
//! are stairs, D is taken at the whole numbers, and the same bootstrap holds (Henze 1996).

use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use super::{Density, Random};
use crate::probe::few_labels::mix;

/// Values that are tested, at most; of more, so many drawn at random.
pub const TESTED: usize = 5000;

/// D of ascending values; for `counts` over the whole numbers.
pub fn distance(sorted: &[f64], density: &dyn Density, counts: bool) -> f64 {
    let n = sorted.len() as f64;
    let mut most = 0.0f64;
    let mut before = 0;
    for equal in sorted.chunk_by(|a, b| a == b) {
        let x = equal[0];
        let after = before + equal.len();
        // Just below x the data's share is that before it; a count's mass there ends at x − 1.
        let below = density.cdf(if counts { x - 1.0 } else { x });
        let at = if counts { density.cdf(x) } else { below };
        let gaps = [below - before as f64 / n, after as f64 / n - at];
        most = gaps.iter().fold(most, |m, gap| m.max(gap.abs()));
        before = after;
    }
    most
}

/// A fit, tested.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goodness {
    /// Kolmogorov's D on all values, in 0..=1.
    pub distance: f64,
    /// Probability of a D at least as large if the fit were right; `None` where it was not tested.
    pub p: Option<f64>,
}

/// Tests `density`, which was fitted to the ascending `sorted`, with `resamples` of the bootstrap. Not
/// tested: densities without a fixed number of parameters, which follow any data, and those that most
/// resamples cannot be fitted with.
pub fn goodness(
    sorted: &[f64],
    density: &dyn Density,
    counts: bool,
    resamples: usize,
    seed: u64,
) -> Goodness {
    let whole = distance(sorted, density, counts);
    let parametric = density.free().is_some() && resamples > 0;
    let p = parametric.then(|| p(sorted, density, counts, resamples, seed));
    Goodness {
        distance: whole,
        p: p.flatten(),
    }
}

fn p(
    sorted: &[f64],
    density: &dyn Density,
    counts: bool,
    resamples: usize,
    seed: u64,
) -> Option<f64> {
    let mut some = sorted.to_vec();
    if some.len() > TESTED {
        let mut random = Random::seed_from_u64(mix(&[seed, 1]));
        let n = some.len();
        (0..TESTED).for_each(|i| some.swap(i, random.random_range(i..n)));
        some.truncate(TESTED);
        some.sort_by(f64::total_cmp);
    }
    let fitted = density.refit(&some).ok()?;
    let own = distance(&some, &*fitted, counts);
    let drawn = |i: usize| {
        let mut random = Random::seed_from_u64(mix(&[seed, 2, i as u64]));
        let mut values: Vec<f64> = (0..some.len()).map(|_| fitted.draw(&mut random)).collect();
        values.sort_by(f64::total_cmp);
        let again = fitted.refit(&values).ok()?;
        Some(distance(&values, &*again, counts))
    };
    let distances: Vec<f64> = (0..resamples).into_par_iter().filter_map(drawn).collect();
    let as_large = distances.iter().filter(|d| **d >= own).count();
    (2 * distances.len() > resamples).then(|| (1 + as_large) as f64 / (1 + distances.len()) as f64)
}
