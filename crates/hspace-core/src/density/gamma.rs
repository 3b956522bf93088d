//! Gamma density: f(x) = x^(a−1) exp(−x/θ) / (Γ(a) θ^a), x > 0, with shape a and scale θ (in units of
//! x).
//!
//! Maximum likelihood: ln a − ψ(a) = ln mean(x) − mean(ln x), whose left side falls from ∞ to 0, and
//! θ = mean/a (Johnson, Kotz & Balakrishnan 1994, ch. 17.7). The one zero is bracketed outwards from
//! Minka's (2002) closed approximation, so that no start can fail. In scipy: `gamma(a, scale=θ)`.

use rand_distr::Distribution;
use statrs::function::gamma::{digamma, ln_gamma};

use super::root::zero_above_0;
use super::special::{
    HALF_LN_2PI, LARGE, above_ln, gamma_lower, gamma_upper, moments, stirling_rest, too_narrow,
};
use super::{ColumnFit, Density, Entry, Fitted, Random, Support};

/// The line in the list.
pub const ENTRY: Entry = Entry {
    name: "gamma",
    summary: "gamma: sums of waiting times; shape and scale",
    source: "",
    item: ColumnFit {
        support: Support::Positive,
        fit: |values, _| fit(values),
    },
};

struct Gamma {
    shape: f64,
    scale: f64,
}

fn fit(values: &[f64]) -> Fitted {
    if let Some(reason) = too_narrow(values) {
        return Err(reason);
    }
    let mean = moments(values).0;
    // The mean of x/mean − 1 is 0: with it nothing large cancels.
    let gaps = values.iter().map(|x| above_ln(*x, mean));
    let gap = gaps.sum::<f64>() / values.len() as f64;
    let start = (3.0 - gap + ((gap - 3.0).powi(2) + 24.0 * gap).sqrt()) / (12.0 * gap);
    let shape = zero_above_0(|a| ln_less_digamma(a) - gap, start)
        .ok_or("no shape could be found for these values: they are all but equal, or span too many powers of ten")?;
    Ok(Box::new(Gamma {
        shape,
        scale: mean / shape,
    }))
}

/// ln a − ψ(a), for large `a` by its asymptotic series.
fn ln_less_digamma(a: f64) -> f64 {
    if a > LARGE {
        0.5 / a + 1.0 / (12.0 * a * a)
    } else {
        a.ln() - digamma(a)
    }
}

impl Density for Gamma {
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
        let u = x / self.scale;
        if self.shape > LARGE {
            let spread = above_ln(u, self.shape);
            let front = 0.5 * self.shape.ln() - HALF_LN_2PI - stirling_rest(self.shape);
            return front - self.shape * spread - x.ln();
        }
        (self.shape - 1.0) * u.ln() - u - ln_gamma(self.shape) - self.scale.ln()
    }

    fn cdf(&self, x: f64) -> f64 {
        gamma_lower(self.shape, x / self.scale)
    }

    fn above(&self, x: f64) -> f64 {
        gamma_upper(self.shape, x / self.scale)
    }

    fn draw(&self, random: &mut Random) -> f64 {
        rand_distr::Gamma::new(self.shape, self.scale).map_or(f64::NAN, |g| g.sample(random))
    }

    fn refit(&self, values: &[f64]) -> Fitted {
        fit(values)
    }
}
