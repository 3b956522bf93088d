//! How well a fit goes with its data: Kolmogorov–Smirnov, by parametric bootstrap.
//!
//! D = sup ∣Fₙ(x) − F(x)∣. The tables of D hold for an F that was given beforehand; one fitted to the
//! same values is closer to them, and the p-values of the tables are far too large. So values are drawn
//! from the fit, refitted and compared with *their* fit; p is the share of such D that are at least as
//! large, (1 + #)/(1 + B) (Stute, González Manteiga & Presedo Quindimil 1993). For counts both functions
//! are stairs, D is taken at the whole numbers, and the same bootstrap holds (Henze 1996). Rounded values
//! are such stairs too: x represents all that is rounded to it, and draws are rounded alike; one that would
//! be rounded out of the density's support, such as a positive one to 0, is drawn again, since the data have
//! none such.

use std::collections::VecDeque;

use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use super::special::resolution;
use super::{Density, Random, Support};
use crate::random::mix;

/// Values that are tested, at most; of more, so many drawn at random.
pub const TESTED: usize = 5000;

/// What a value x represents: the interval from x − `below` to x + `above`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// How far it reaches down.
    pub below: f64,
    /// How far it reaches up.
    pub above: f64,
}

impl Cell {
    /// A measurement that was not rounded is itself.
    #[cfg(test)]
    pub const POINT: Cell = Cell {
        below: 0.0,
        above: 0.0,
    };
    /// The distribution function of a count rises from its value at the whole number before.
    pub const COUNT: Cell = Cell {
        below: 1.0,
        above: 0.0,
    };

    /// Of measurements: half their resolution to both sides.
    pub fn of_measurements(values: &[f64]) -> Cell {
        let half = 0.5 * resolution(values);
        Cell {
            below: half,
            above: half,
        }
    }

    /// `x` as it would have been written down.
    fn rounded(self, x: f64) -> f64 {
        let step = self.below + self.above;
        if step > 0.0 {
            (x / step).round() * step
        } else {
            x
        }
    }
}

/// Values that stand for one cell: how many are below, how many are not above, and F at both ends.
#[derive(Clone, Copy)]
struct Stair {
    before: usize,
    after: usize,
    below: f64,
    above: f64,
}

/// D of ascending values that stand for such cells, which do not overlap: at the ends of each.
///
/// Both functions rise, so F at two values bounds every gap between them; the values are halved as long as
/// that bound is above the largest gap found. F is asked for a few values, not for all.
pub fn distance(sorted: &[f64], density: &dyn Density, cell: Cell) -> f64 {
    let n = sorted.len() as f64;
    let stair = |i: usize| {
        let x = sorted[i];
        Stair {
            before: sorted[..i].partition_point(|v| *v < x),
            after: i + sorted[i..].partition_point(|v| *v <= x),
            below: density.cdf(x - cell.below),
            above: density.cdf(x + cell.above),
        }
    };
    let gap = |stair: Stair| {
        let over = stair.below - stair.before as f64 / n;
        over.max(stair.after as f64 / n - stair.above)
    };
    // The largest gap of a value between two, at most.
    let between = |low: Stair, high: Stair| {
        let over = high.below - low.after as f64 / n;
        over.max(high.before as f64 / n - low.above)
    };
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let (first, last) = (stair(0), stair(last));
    let mut most = gap(first).max(gap(last));
    // Level by level: the first levels find a gap that is nearly the largest.
    let mut spans = VecDeque::from([(first, last)]);
    while let Some((low, high)) = spans.pop_front() {
        if low.after < high.before && between(low, high) > most {
            let middle = stair(low.after.midpoint(high.before));
            most = most.max(gap(middle));
            spans.extend([(low, middle), (middle, high)]);
        }
    }
    most
}

/// A fit, tested.
#[derive(Clone, Debug, PartialEq)]
pub struct Goodness {
    /// Kolmogorov's D on all values, in 0..=1.
    pub distance: f64,
    /// Probability of a D at least as large if the fit were right; or why it was not tested.
    pub p: Result<f64, String>,
}

/// Tests `density`, which was fitted to the ascending `sorted` and lies in `support`, with `resamples` of
/// the bootstrap. Not tested: densities without a fixed number of parameters, which follow any data, and
/// those that most resamples cannot be fitted with.
pub fn goodness(
    sorted: &[f64],
    density: &dyn Density,
    support: Support,
    resamples: usize,
    seed: u64,
) -> Goodness {
    let cell = match support {
        Support::Counts => Cell::COUNT,
        _ => Cell::of_measurements(sorted),
    };
    let p = match (density.free(), resamples) {
        (None, _) => Err("it follows any data".into()),
        (_, 0) => Err("no bootstrap was asked for".into()),
        _ => p(sorted, density, (support, cell), resamples, seed),
    };
    Goodness {
        distance: distance(sorted, density, cell),
        p,
    }
}

/// Draws that are rounded out of the support before one is taken as it is.
const PATIENCE: usize = 1000;

fn p(
    sorted: &[f64],
    density: &dyn Density,
    (support, cell): (Support, Cell),
    resamples: usize,
    seed: u64,
) -> Result<f64, String> {
    let mut some = sorted.to_vec();
    if some.len() > TESTED {
        let mut random = Random::seed_from_u64(mix(&[seed, 1]));
        let n = some.len();
        (0..TESTED).for_each(|i| some.swap(i, random.random_range(i..n)));
        some.truncate(TESTED);
        some.sort_by(f64::total_cmp);
    }
    let fitted = density.refit(&some)?;
    let own = distance(&some, &*fitted, cell);
    let drawn = |i: usize| {
        let mut random = Random::seed_from_u64(mix(&[seed, 2, i as u64]));
        let mut one = || {
            let mut draws = (0..PATIENCE).map(|_| fitted.draw(&mut random));
            let inside = draws.find(|x| support.problem(&[cell.rounded(*x)]).is_none());
            cell.rounded(inside.unwrap_or_else(|| fitted.draw(&mut random)))
        };
        let mut values: Vec<f64> = (0..some.len()).map(|_| one()).collect();
        values.sort_by(f64::total_cmp);
        let again = fitted.refit(&values)?;
        Ok(distance(&values, &*again, cell))
    };
    let again: Vec<Result<f64, String>> = (0..resamples).into_par_iter().map(drawn).collect();
    let distances: Vec<f64> = again
        .iter()
        .filter_map(|d| d.as_ref().ok().copied())
        .collect();
    if 2 * distances.len() <= resamples {
        let reason = again.into_iter().find_map(Result::err).unwrap_or_default();
        return Err(format!(
            "of {resamples} samples drawn from it only {} could be refitted ({reason})",
            distances.len()
        ));
    }
    let as_large = distances.iter().filter(|d| **d >= own).count();
    Ok((1 + as_large) as f64 / (1 + distances.len()) as f64)
}
