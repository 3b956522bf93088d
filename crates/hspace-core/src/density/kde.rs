//! Kernel density of a column: f(x) = Σᵢ K((x − xᵢ)/h)/(n·h) with bandwidth h in units of x.
//!
//! Bandwidth: Scott (1992), s·n^(−1/5), or Silverman (1986), s·(3n/4)^(−1/5), with s the standard
//! deviation (÷ n − 1), as scipy's `gaussian_kde`, widened for other kernels ([`Kernel::width`]); or the
//! one of largest leave-one-out likelihood (Habbema, Hermans & van den Broek 1974; Duin 1976), searched
//! from a fiftieth of Scott's to the range of the data. It is at least half the step of rounded values, on
//! which the likelihood would grow without end as kernels narrow onto them. Heavy tails make it wide
//! (Schuster & Gregory 1981): a value far out must get its density from its neighbours.
//!
//! Deviations: of more than [`POINTS`] values it keeps that many evenly spaced order statistics, which do
//! not resolve probabilities far below one in as many, and of more than [`SEARCHED`] the bandwidth is searched on so many drawn at random and then scaled by
//! (searched/n)^(1/5).

use rand::RngExt;
use rand::SeedableRng;
use rayon::prelude::*;

use super::kernel::Kernel;
use super::root::largest;
use super::special::{constant, ln_sum_exp, moments, no_spread, resolution};
use super::{Bandwidth, Density, DensityOptions, Entry, Fitted, Random, Support};

/// The line in the list.
pub const ENTRY: Entry = Entry {
    name: "kde",
    summary: "kernel density: a sum of kernels on the values; bandwidth by cross-validation, Scott or Silverman",
    support: Support::Real,
    fit,
};

/// Values that a kernel density keeps, at most.
pub const POINTS: usize = 5000;
/// Values on which a bandwidth is searched, at most.
pub const SEARCHED: usize = 1000;

struct Kde {
    kernel: Kernel,
    bandwidth: f64,
    /// Ascending.
    points: Vec<f64>,
}

fn fit(values: &[f64], options: &DensityOptions) -> Fitted {
    if let Some(x) = constant(values) {
        return Err(no_spread(values, x));
    }
    let kernel = options.kde.kernel;
    let bandwidth = match options.kde.bandwidth {
        Bandwidth::Set(h) => h,
        Bandwidth::Scott => scott(values) * kernel.width(),
        Bandwidth::Silverman => silverman(values) * kernel.width(),
        Bandwidth::CrossValidated => cross_validated(values, kernel, options.seed)
            .ok_or("no bandwidth gives every value a density when it is left out")?,
    };
    Ok(Box::new(kde(values, kernel, bandwidth)))
}

fn kde(values: &[f64], kernel: Kernel, bandwidth: f64) -> Kde {
    let mut points = values.to_vec();
    points.sort_by(f64::total_cmp);
    let n = points.len();
    if n > POINTS {
        // The middle one of each of so many equal parts.
        let middle = |i: usize| points[(2 * i + 1) * n / (2 * POINTS)];
        points = (0..POINTS).map(middle).collect();
    }
    Kde {
        kernel,
        bandwidth,
        points,
    }
}

/// Scott's bandwidth for a Gaussian kernel.
pub fn scott(values: &[f64]) -> f64 {
    spread(values) * (values.len() as f64).powf(-0.2)
}

/// Silverman's bandwidth for a Gaussian kernel.
pub fn silverman(values: &[f64]) -> f64 {
    spread(values) * (0.75 * values.len() as f64).powf(-0.2)
}

/// Standard deviation with n − 1 in the denominator.
fn spread(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    (moments(values).1 * n / (n - 1.0)).sqrt()
}

/// The bandwidth of largest leave-one-out likelihood.
fn cross_validated(values: &[f64], kernel: Kernel, seed: u64) -> Option<f64> {
    let n = values.len();
    let mut some = values.to_vec();
    if n > SEARCHED {
        let mut random = Random::seed_from_u64(seed);
        for i in 0..SEARCHED {
            some.swap(i, random.random_range(i..n));
        }
        some.truncate(SEARCHED);
    }
    some.sort_by(f64::total_cmp);
    let rule = scott(&some) * kernel.width();
    let range = some[some.len() - 1] - some[0];
    if rule == 0.0 {
        return None;
    }
    let m = some.len();
    let likelihood = |h: f64| -> f64 {
        let one = |i: usize| {
            let x = some[i];
            let near = window(&some, x, kernel.reach() * h);
            let others = near.filter(|&j| j != i);
            let terms: Vec<f64> = others.map(|j| kernel.ln((x - some[j]) / h)).collect();
            ln_sum_exp(&terms)
        };
        // Collected first: the sum does not depend on the number of threads.
        let each: Vec<f64> = (0..m).into_par_iter().map(one).collect();
        each.iter().sum::<f64>() - m as f64 * h.ln()
    };
    let least = 0.5 * resolution(values);
    let low = least.max(rule / 50.0);
    let high = (2.0 * rule).max(range).max(2.0 * low);
    let found = largest(likelihood, low, high, 18)?;
    Some((found * (m as f64 / n as f64).powf(0.2)).max(least))
}

/// Indices of the ascending `points` within `reach` of `x`.
fn window(points: &[f64], x: f64, reach: f64) -> std::ops::Range<usize> {
    if reach.is_infinite() {
        return 0..points.len();
    }
    let first = points.partition_point(|p| *p < x - reach);
    first..points.partition_point(|p| *p <= x + reach).max(first)
}

impl Kde {
    fn sum(&self, x: f64, side: f64) -> f64 {
        let parts = self.points.iter();
        let sum: f64 = parts
            .map(|p| self.kernel.cdf(side * (x - p) / self.bandwidth))
            .sum();
        (sum / self.points.len() as f64).min(1.0)
    }
}

impl Density for Kde {
    fn parameters(&self) -> Vec<(&'static str, f64)> {
        let points = self.points.len();
        let kept = (points == POINTS).then_some(("points", points as f64));
        let bandwidth = [("bandwidth", self.bandwidth)];
        bandwidth.into_iter().chain(kept).collect()
    }

    fn free(&self) -> Option<usize> {
        None
    }

    fn ln_density(&self, x: f64) -> f64 {
        let near = window(&self.points, x, self.kernel.reach() * self.bandwidth);
        let term = |p: &f64| self.kernel.ln((x - p) / self.bandwidth);
        let terms: Vec<f64> = self.points[near].iter().map(term).collect();
        ln_sum_exp(&terms) - (self.points.len() as f64 * self.bandwidth).ln()
    }

    fn cdf(&self, x: f64) -> f64 {
        self.sum(x, 1.0)
    }

    fn above(&self, x: f64) -> f64 {
        self.sum(x, -1.0)
    }

    fn draw(&self, random: &mut Random) -> f64 {
        let at = self.points[random.random_range(0..self.points.len())];
        at + self.bandwidth * self.kernel.draw(random)
    }

    fn refit(&self, values: &[f64]) -> Fitted {
        Ok(Box::new(kde(values, self.kernel, self.bandwidth)))
    }
}
