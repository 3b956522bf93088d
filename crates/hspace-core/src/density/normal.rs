//! Normal and log-normal density.
//!
//! f(x) = exp(−(x − μ)²/2σ²) / (σ√2π), fitted by maximum likelihood: μ the mean, σ² the mean squared
//! deviation (÷ n). The log-normal is the normal density of ln x, divided by x; its μ and σ are in
//! units of ln x. In scipy: `norm(loc=μ, scale=σ)`, `lognorm(s=σ, scale=exp(μ))`.

use rand_distr::{Distribution, StandardNormal};

use super::special::{HALF_LN_2PI, constant, moments, no_spread, normal_cdf, too_narrow};
use super::{ColumnFit, Density, Entry, Fitted, Random, Support};

/// The line in the list.
pub const ENTRY: Entry = Entry {
    name: "normal",
    summary: "normal (Gaussian): mean and standard deviation",
    source: "",
    item: ColumnFit {
        support: Support::Real,
        fit: |values, _| fit(values),
    },
};

/// The line in the list.
pub const LOG_NORMAL: Entry = Entry {
    name: "log_normal",
    summary: "log-normal: ln x is normal; products of many factors, heavy to the right",
    source: "",
    item: ColumnFit {
        support: Support::Positive,
        fit: |values, _| fit_logarithms(values),
    },
};

struct Normal {
    mean: f64,
    std: f64,
}

fn fit(values: &[f64]) -> Fitted {
    Ok(Box::new(normal(values)?))
}

fn normal(values: &[f64]) -> Result<Normal, String> {
    if let Some(x) = constant(values) {
        return Err(no_spread(values, x));
    }
    let (mean, variance) = moments(values);
    if !(mean.is_finite() && variance.is_finite()) {
        return Err(
            "the values are too large for their variance to be computed; divide them by a constant"
                .into(),
        );
    }
    Ok(Normal {
        mean,
        std: variance.sqrt(),
    })
}

impl Density for Normal {
    fn parameters(&self) -> Vec<(&'static str, f64)> {
        vec![("mean", self.mean), ("std", self.std)]
    }

    fn free(&self) -> Option<usize> {
        Some(2)
    }

    fn ln_density(&self, x: f64) -> f64 {
        let z = (x - self.mean) / self.std;
        -0.5 * z * z - self.std.ln() - HALF_LN_2PI
    }

    fn cdf(&self, x: f64) -> f64 {
        normal_cdf((x - self.mean) / self.std)
    }

    fn above(&self, x: f64) -> f64 {
        normal_cdf((self.mean - x) / self.std)
    }

    fn draw(&self, random: &mut Random) -> f64 {
        let z: f64 = StandardNormal.sample(random);
        self.mean + self.std * z
    }

    fn refit(&self, values: &[f64]) -> Fitted {
        fit(values)
    }
}

/// The normal density of ln x.
struct LogNormal(Normal);

fn fit_logarithms(values: &[f64]) -> Fitted {
    if let Some(reason) = too_narrow(values) {
        return Err(reason);
    }
    let logarithms: Vec<f64> = values.iter().map(|x| x.ln()).collect();
    Ok(Box::new(LogNormal(normal(&logarithms)?)))
}

impl Density for LogNormal {
    fn parameters(&self) -> Vec<(&'static str, f64)> {
        vec![("mu", self.0.mean), ("sigma", self.0.std)]
    }

    fn free(&self) -> Option<usize> {
        Some(2)
    }

    fn ln_density(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return f64::NEG_INFINITY;
        }
        self.0.ln_density(x.ln()) - x.ln()
    }

    fn cdf(&self, x: f64) -> f64 {
        self.0.cdf(x.max(0.0).ln())
    }

    fn above(&self, x: f64) -> f64 {
        self.0.above(x.max(0.0).ln())
    }

    fn draw(&self, random: &mut Random) -> f64 {
        self.0.draw(random).exp()
    }

    fn refit(&self, values: &[f64]) -> Fitted {
        fit_logarithms(values)
    }
}
