//! Uncertainty: estimates, intervals and comparisons.
//!
//! A score is a mean over test units (samples, or groups of samples that belong together), over draws of labels and over
//! training seeds. All three are samples of a population and are crossed: every draw is tested on the same units. So the variance
//! of the mean is a sum over the three, each without what it shares with the test units ([`Crossed`]):
//!
//! ```text
//! V = s²_units / n  +  σ²_draws ((1 − c)/m + c)  +  (s²_seeds − r²/n) / S
//! σ²_draws = (s²_draws − r²/n) / (1 − c),   c = (ρ + ρ²)/2
//! ```
//!
//! with s² the variances of the marginal means, r² the residual mean square of the two-way table, and c the correlation of two draws from one
//! finite pool that have the share ρ of their rows in common (Nadeau & Bengio 2003, "Inference for the generalization error", eq. 8,
//! take c = ρ, which was measured to be too much). Numbers of labels that are drawn a few times only, or once because they are all, borrow σ²_draws from others (`smooth_draws`). Degrees of freedom are
//! Satterthwaite's (1946). Measures that are no means of samples enter by their influence function: the score
//! plus the influence of a unit, whose mean is the score (the infinitesimal jackknife; of the area under the ROC curve it is
//! DeLong's method).
//!
//! Shares get Wilson's interval with as many units as give the variance ([`Spread::interval`]); pairs of
//! representations are compared on differences of units and draws, with Holm's correction over a family (Holm 1979).
//! What the intervals hold is measured by `examples/coverage.rs`.

mod components;
mod crossed;
mod holm;
mod isotonic;
mod joint;
mod kendall;
mod spread;

pub use components::Components;
pub(crate) use components::smooth_draws;
pub use crossed::{Crossed, MIN_LEVELS, MIN_PER_CLASS, MIN_UNITS, Unknown};
pub(crate) use holm::{Step, holm};
pub(crate) use isotonic::isotonic;
pub(crate) use joint::Joint;
pub use kendall::kendall;
pub use spread::{Range, Spread};

/// Variance of the means from which on a latent is in use (Burda et al. 2016, arXiv:1509.00519).
pub const ACTIVE: f64 = 0.01;

pub mod mean_gap;
pub mod proportion;
pub mod roc;
pub mod sign_test;

mod random_groups;

pub use random_groups::Bias;
pub(crate) use random_groups::random_groups;

use serde::{Deserialize, Serialize};

/// Error rate of every claim: 1 less the coverage of an interval.
pub const ALPHA: f64 = 0.05;

/// A value with its 95 % interval. Both ends equal the value where no honest interval is known.
///
/// ```
/// use hspace_core::stats::Estimate;
///
/// let accuracy = Estimate { mean: 0.9, low: 0.86, high: 0.93 };
/// assert!(accuracy.has_interval());
/// assert!(!Estimate::without_interval(0.9).has_interval());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value: of a measure, its mean over draws.
    pub mean: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

impl Estimate {
    /// A value of which no interval is known.
    pub fn without_interval(value: f64) -> Estimate {
        Estimate {
            mean: value,
            low: value,
            high: value,
        }
    }

    /// Whether an interval is known.
    pub fn has_interval(&self) -> bool {
        self.low < self.high
    }

    /// With `f`, which rises, applied to the value and both ends.
    pub(crate) fn map(self, f: impl Fn(f64) -> f64) -> Estimate {
        Estimate {
            mean: f(self.mean),
            low: f(self.low),
            high: f(self.high),
        }
    }
}

/// Standard deviation with n − 1 in the denominator; 0 for fewer than two values.
#[cfg(test)]
pub(crate) fn deviation(values: &[f64]) -> f64 {
    variance(values).sqrt()
}

/// Variance with n − 1 in the denominator; 0 for fewer than two values.
pub(crate) fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = mean(values);
    let squares = values.iter().map(|v| (v - mean) * (v - mean));
    squares.sum::<f64>() / (values.len() as f64 - 1.0)
}

/// 0 of no value.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
