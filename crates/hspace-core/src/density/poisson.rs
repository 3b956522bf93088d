//! Poisson mass: P(k) = λ^k exp(−λ)/k!, k = 0, 1, …; λ by maximum likelihood is the mean. In scipy:
//! `poisson(λ)`.

use rand_distr::Distribution;
use statrs::function::gamma::ln_gamma;

use super::special::{
    HALF_LN_2PI, LARGE, above_ln, gamma_lower, gamma_upper, moments, stirling_rest,
};
use super::{ColumnFit, Density, Entry, Fitted, Random, Support};

/// The line in the list.
pub const ENTRY: Entry = Entry {
    name: "poisson",
    summary: "Poisson: counts of independent events, variance equal to the mean",
    source: "",
    item: ColumnFit {
        support: Support::Counts,
        fit: |values, _| fit(values),
    },
};

struct Poisson {
    rate: f64,
}

/// The one whose rate is the mean.
pub(super) fn fit(values: &[f64]) -> Fitted {
    let rate = moments(values).0;
    if rate == 0.0 {
        return Err(format!(
            "all {} counts are 0: there is no rate above 0",
            values.len()
        ));
    }
    Ok(Box::new(Poisson { rate }))
}

impl Density for Poisson {
    fn parameters(&self) -> Vec<(&'static str, f64)> {
        vec![("rate", self.rate)]
    }

    fn free(&self) -> Option<usize> {
        Some(1)
    }

    fn ln_density(&self, x: f64) -> f64 {
        if x < 0.0 || x.fract() != 0.0 {
            return f64::NEG_INFINITY;
        }
        if x > LARGE {
            // Loader (2000): the saddle point, without large terms that cancel.
            let spread = above_ln(self.rate, x);
            return -0.5 * x.ln() - HALF_LN_2PI - stirling_rest(x) - x * spread;
        }
        x * self.rate.ln() - self.rate - ln_gamma(x + 1.0)
    }

    fn cdf(&self, x: f64) -> f64 {
        if x < 0.0 {
            0.0
        } else {
            gamma_upper(x.floor() + 1.0, self.rate)
        }
    }

    fn above(&self, x: f64) -> f64 {
        if x < 0.0 {
            1.0
        } else {
            gamma_lower(x.floor() + 1.0, self.rate)
        }
    }

    fn draw(&self, random: &mut Random) -> f64 {
        rand_distr::Poisson::new(self.rate).map_or(f64::NAN, |p| p.sample(random))
    }

    fn refit(&self, values: &[f64]) -> Fitted {
        fit(values)
    }
}
