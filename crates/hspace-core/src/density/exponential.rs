//! Exponential density: f(x) = λ exp(−λx), x ≥ 0; the rate λ is fitted by maximum likelihood, 1/mean.
//! In scipy: `expon(scale=1/λ)`.

use rand_distr::{Distribution, Exp1};

use super::special::moments;
use super::{ColumnFit, Density, Entry, Fitted, Random, Support};

/// The line in the list.
pub const ENTRY: Entry = Entry {
    name: "exponential",
    summary: "exponential: waiting times without memory; its rate",
    source: "",
    item: ColumnFit {
        support: Support::NonNegative,
        fit: |values, _| fit(values),
    },
};

struct Exponential {
    rate: f64,
}

fn fit(values: &[f64]) -> Fitted {
    let rate = 1.0 / moments(values).0;
    if !(rate.is_finite() && rate > 0.0) {
        return Err("the mean is 0 or not finite: there is no rate".into());
    }
    Ok(Box::new(Exponential { rate }))
}

impl Density for Exponential {
    fn parameters(&self) -> Vec<(&'static str, f64)> {
        vec![("rate", self.rate)]
    }

    fn free(&self) -> Option<usize> {
        Some(1)
    }

    fn ln_density(&self, x: f64) -> f64 {
        if x < 0.0 {
            return f64::NEG_INFINITY;
        }
        self.rate.ln() - self.rate * x
    }

    fn cdf(&self, x: f64) -> f64 {
        -(-self.rate * x.max(0.0)).exp_m1()
    }

    fn above(&self, x: f64) -> f64 {
        (-self.rate * x.max(0.0)).exp()
    }

    fn draw(&self, random: &mut Random) -> f64 {
        let unit: f64 = Exp1.sample(random);
        unit / self.rate
    }

    fn refit(&self, values: &[f64]) -> Fitted {
        fit(values)
    }
}
