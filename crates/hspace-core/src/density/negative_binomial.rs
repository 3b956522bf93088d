//! Negative binomial mass: P(k) = Γ(k+r)/(Γ(r) k!) p^r (1−p)^k, k = 0, 1, …, with size r > 0 and
//! probability p in 0..1: a Poisson whose rate varies as a gamma. Mean m = r(1−p)/p, variance m + m²/r.
//!
//! Maximum likelihood: p = r/(r+m), and r is the zero of Σᵢ(ψ(xᵢ+r) − ψ(r)) − n ln(1 + m/r), which is
//! there and unique exactly where the variance (÷ n) exceeds the mean (Levin & Reeds 1977). Elsewhere
//! the likelihood rises all the way to the Poisson's, and the fit says so. In scipy: `nbinom(r, p)`.

use rand_distr::Distribution;
use statrs::function::gamma::digamma;

use super::poisson;
use super::root::zero_above_0;
use super::special::{beta_lower, ln_binomial, moments};
use super::{ColumnFit, Density, Entry, Fitted, Random, Support};

/// The line in the list.
pub const ENTRY: Entry = Entry {
    name: "negative_binomial",
    summary: "negative binomial: counts with more variance than mean; size and probability",
    source: "",
    item: ColumnFit {
        support: Support::Counts,
        fit: |values, _| fit(values),
    },
};

/// Counts up to which ψ(x+r) − ψ(r) is summed term by term, which loses nothing where r is large.
const TERMS: f64 = 1e5;

/// One of them.
pub(super) struct NegativeBinomial {
    /// r
    pub(super) size: f64,
    /// m; p = r/(r + m).
    pub(super) mean: f64,
}

fn fit(values: &[f64]) -> Fitted {
    let (mean, variance) = moments(values);
    if variance <= mean {
        return Err(format!(
            "the variance, {variance:.4}, is not above the mean, {mean:.4}: its best fit is the poisson"
        ));
    }
    let n = values.len() as f64;
    let most = values.iter().copied().fold(0.0, f64::max);
    let rest = |r: f64| n * (mean / r).ln_1p();
    let start = mean * mean / (variance - mean);
    let size = if most <= TERMS {
        // ψ(x+r) − ψ(r) = Σ_{j<x} 1/(r+j): j counts once for each value above it.
        let mut above = vec![0.0; most as usize + 1];
        for &x in values {
            above[x as usize] += 1.0;
        }
        for j in (0..above.len() - 1).rev() {
            above[j] += above[j + 1];
        }
        let slope = |r: f64| {
            let terms = above.iter().skip(1).enumerate();
            terms.map(|(j, count)| count / (r + j as f64)).sum::<f64>() - rest(r)
        };
        zero_above_0(slope, start)
    } else {
        let slope =
            |r: f64| values.iter().map(|x| digamma(x + r)).sum::<f64>() - n * digamma(r) - rest(r);
        zero_above_0(slope, start)
    };
    let size = size.ok_or("it cannot be distinguished from the poisson on these counts")?;
    Ok(Box::new(NegativeBinomial { size, mean }))
}

impl NegativeBinomial {
    fn p(&self) -> f64 {
        self.size / (self.size + self.mean)
    }

    /// 1 − p, accurate where p is near 1.
    fn q(&self) -> f64 {
        self.mean / (self.size + self.mean)
    }
}

impl Density for NegativeBinomial {
    fn parameters(&self) -> Vec<(&'static str, f64)> {
        vec![("size", self.size), ("probability", self.p())]
    }

    fn free(&self) -> Option<usize> {
        Some(2)
    }

    fn ln_density(&self, x: f64) -> f64 {
        if x < 0.0 || x.fract() != 0.0 {
            return f64::NEG_INFINITY;
        }
        let r = self.size;
        if x == 0.0 {
            return -r * (self.mean / r).ln_1p();
        }
        (r / (r + x)).ln() + ln_binomial(r, x, self.p(), self.q())
    }

    fn cdf(&self, x: f64) -> f64 {
        if x < 0.0 {
            return 0.0;
        }
        beta_lower(self.size, x.floor() + 1.0, self.p(), self.q())
    }

    fn above(&self, x: f64) -> f64 {
        if x < 0.0 {
            return 1.0;
        }
        beta_lower(x.floor() + 1.0, self.size, self.q(), self.p())
    }

    fn draw(&self, random: &mut Random) -> f64 {
        let rate = rand_distr::Gamma::new(self.size, self.mean / self.size)
            .map_or(f64::NAN, |gamma| gamma.sample(random));
        // A rate of 0 has no Poisson; it draws 0.
        rand_distr::Poisson::new(rate).map_or(0.0, |poisson| poisson.sample(random))
    }

    /// Where the variance is not above the mean, the limit of the likelihood: the Poisson.
    fn refit(&self, values: &[f64]) -> Fitted {
        fit(values).or_else(|_| poisson::fit(values))
    }
}
