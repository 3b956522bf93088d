//! Weibull density: f(x) = (c/s) (x/s)^(c−1) exp(−(x/s)^c), x > 0, with shape c and scale s (in units
//! of x).
//!
//! Maximum likelihood: Σ x^c ln x / Σ x^c − 1/c = mean(ln x), whose left side rises, and
//! s = mean(x^c)^(1/c) (Johnson, Kotz & Balakrishnan 1994, ch. 21.4). The one zero is bracketed outwards
//! from the value that gives ln x its standard deviation, π/(c√6). In scipy: `weibull_min(c, scale=s)`.

use rand_distr::{Distribution, Exp1};

use super::root::zero_above_0;
use super::special::{moments, too_narrow};
use super::{ColumnFit, Density, Entry, Fitted, Random, Support};

/// The line in the list.
pub const ENTRY: Entry = Entry {
    name: "weibull",
    summary: "Weibull: lifetimes whose risk rises or falls; shape and scale",
    source: "",
    item: ColumnFit {
        support: Support::Positive,
        fit: |values, _| fit(values),
    },
};

struct Weibull {
    shape: f64,
    scale: f64,
}

fn fit(values: &[f64]) -> Fitted {
    if let Some(reason) = too_narrow(values) {
        return Err(reason);
    }
    let most = values.iter().copied().fold(0.0, f64::max);
    // Of x over the largest: powers stay within 0..=1.
    let logarithms: Vec<f64> = values.iter().map(|x| (x / most).ln()).collect();
    let (mean, variance) = moments(&logarithms);
    let slope = |c: f64| {
        let (mut sum, mut with_log) = (0.0, 0.0);
        for l in &logarithms {
            let power = (c * l).exp();
            sum += power;
            with_log += power * l;
        }
        with_log / sum - 1.0 / c - mean
    };
    let start = std::f64::consts::PI / (6.0 * variance).sqrt();
    let shape =
        zero_above_0(slope, start).ok_or("the values spread too little for a shape to be found")?;
    let power = logarithms.iter().map(|l| (shape * l).exp()).sum::<f64>() / values.len() as f64;
    Ok(Box::new(Weibull {
        shape,
        scale: most * (power.ln() / shape).exp(),
    }))
}

impl Weibull {
    /// −ln of the probability of more than `x`.
    fn hazard(&self, x: f64) -> f64 {
        (x.max(0.0) / self.scale).powf(self.shape)
    }
}

impl Density for Weibull {
    fn parameters(&self) -> Vec<(&'static str, f64)> {
        vec![("shape", self.shape), ("scale", self.scale)]
    }

    fn free(&self) -> Option<usize> {
        Some(2)
    }

    fn ln_density(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return f64::NEG_INFINITY;
        }
        (self.shape / self.scale).ln() + (self.shape - 1.0) * (x / self.scale).ln() - self.hazard(x)
    }

    fn cdf(&self, x: f64) -> f64 {
        -(-self.hazard(x)).exp_m1()
    }

    fn above(&self, x: f64) -> f64 {
        (-self.hazard(x)).exp()
    }

    fn draw(&self, random: &mut Random) -> f64 {
        let unit: f64 = Exp1.sample(random);
        self.scale * unit.powf(1.0 / self.shape)
    }

    fn refit(&self, values: &[f64]) -> Fitted {
        fit(values)
    }
}
