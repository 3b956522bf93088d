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
use super::special::{constant, moments, no_spread, resolution};
use super::{Bandwidth, ColumnFit, Density, DensityOptions, Entry, Fitted, Random, Support};

/// The line in the list.
pub const ENTRY: Entry = Entry {
    name: "kde",
    summary: "kernel density: a sum of kernels on the values; bandwidth by cross-validation, Scott or Silverman",
    source: "",
    item: ColumnFit {
        support: Support::Real,
        fit,
    },
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
        let one = |i: usize| ln_sum(&some, some[i], kernel, h, Some(i));
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

/// ln Σ K((x − pᵢ)/h) over the ascending `points` but for the one `left_out`. Those too far away to change
/// a digit are passed over.
fn ln_sum(points: &[f64], x: f64, kernel: Kernel, h: f64, left_out: Option<usize>) -> f64 {
    let after = points.partition_point(|p| *p < x);
    let around = after.saturating_sub(1)..(after + 2).min(points.len());
    let distances = around.clone().filter(|&i| Some(i) != left_out);
    let nearest = distances.map(|i| (x - points[i]).abs() / h);
    let nearest = nearest.fold(f64::INFINITY, f64::min);
    let most = kernel.ln(nearest);
    if most == f64::NEG_INFINITY {
        return most;
    }
    let reach = kernel.negligible(nearest, points.len()) * h;
    let first = points[..after].partition_point(|p| *p < x - reach);
    let end = after + points[after..].partition_point(|p| *p <= x + reach);
    // The nearest are there whatever rounding does to the reach.
    let near = first.min(around.start)..end.max(around.end);
    let near = near.filter(|&i| Some(i) != left_out);
    let terms = near.map(|i| (kernel.ln((x - points[i]) / h) - most).exp());
    most + terms.sum::<f64>().ln()
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
        let sum = ln_sum(&self.points, x, self.kernel, self.bandwidth, None);
        sum - (self.points.len() as f64 * self.bandwidth).ln()
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

#[cfg(test)]
mod tests {
    use rand_distr::{Cauchy, Distribution};

    use super::*;
    use crate::density::special::ln_sum_exp;

    #[test]
    fn points_too_far_away_change_no_digit() {
        let mut random = Random::seed_from_u64(3);
        let heavy = Cauchy::new(0.0, 1.0).unwrap();
        let mut points: Vec<f64> = (0..400).map(|_| heavy.sample(&mut random)).collect();
        // Some are equal.
        points.extend_from_within(..20);
        points.sort_by(f64::total_cmp);
        for kernel in Kernel::ALL {
            for h in [1e-13, 1e-3, 0.3, 50.0] {
                let naive = |x: f64, left_out: Option<usize>| {
                    let others = (0..points.len()).filter(|&i| Some(i) != left_out);
                    let terms = others.map(|i| kernel.ln((x - points[i]) / h));
                    ln_sum_exp(&terms.collect::<Vec<f64>>())
                };
                let close = |found: f64, expected: f64| {
                    found == expected || (found - expected).abs() < 1e-12 * expected.abs().max(1.0)
                };
                for i in 0..points.len() {
                    let x = points[i];
                    let found = ln_sum(&points, x, kernel, h, Some(i));
                    assert!(close(found, naive(x, Some(i))), "{kernel:?} {h} {x}");
                    let x = 1.7 * x + 0.01;
                    let found = ln_sum(&points, x, kernel, h, None);
                    assert!(close(found, naive(x, None)), "{kernel:?} {h} {x}");
                }
            }
        }
    }
}
