//! Gaussian mixture, fitted by expectation and maximisation: f(x) = Σₖ wₖ N(x; μₖ, Σₖ).
//!
//! Dempster, Laird & Rubin (1977), with the updates of scikit-learn's `GaussianMixture`: from the same
//! start it goes the same way. Each step gives every row to the components in the shares
//! wₖN(x; μₖ, Σₖ)/f(x), then takes weights, means and covariances with these shares; `floor` is added to
//! the variances, so that no component shrinks onto one row. It ends when the mean log-likelihood rises
//! by less than a tolerance.
//!
//! The number of components (and for features the kind of covariance) is the one of smallest BIC unless
//! given. The start is k-means (`mixture_start.rs`). A mixture of one component is the normal density, and is listed as
//! that.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::gaussian::{DIAGONAL, FULL, Spread};
use super::mixture_start::{FITTED, chosen, first_shares, floor, some};
use super::normal;
use super::rows::{cholesky, scatter};
use super::special::{constant, ln_sum_exp, no_spread, normal_cdf};
use super::{
    ColumnFit, Density, Entry, FeatureDensity, FeatureEntry, FeatureFit, Fitted, Random, Support,
};

/// The line in the list.
pub const ENTRY: Entry = Entry {
    name: "mixture",
    summary: "Gaussian mixture by EM; number of components by BIC",
    source: "",
    item: ColumnFit {
        support: Support::Real,
        fit: |values, options| {
            if let Some(x) = constant(values) {
                return Err(no_spread(values, x));
            }
            let mixture = chosen(values, 1, &options.mixture, options.seed)?;
            Ok(Box::new(Column(mixture)))
        },
    },
};

/// The line in the list.
pub const FEATURES: FeatureEntry = FeatureEntry {
    name: "mixture",
    summary: "Gaussian mixture by EM; number of components and covariance by BIC",
    source: "",
    item: FeatureFit {
        fit: |rows, d, options| Ok(Box::new(chosen(rows, d, &options.mixture, options.seed)?)),
    },
};

/// A fitted mixture.
pub struct Mixture {
    /// Number of features.
    d: usize,
    full: bool,
    /// Added to variances.
    floor: f64,
    weights: Vec<f64>,
    means: Vec<Vec<f64>>,
    spreads: Vec<Spread>,
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// The mean log-likelihood rises by less.
    pub tolerance: f64,
    /// Steps at most.
    pub steps: usize,
}

impl Mixture {
    /// The mixture that `shares` `[n, k]` of `rows` `[n, d]` make: row i belongs to component j by
    /// `shares[i k + j]`.
    ///
    /// # Errors
    /// When a component's covariance is singular.
    pub fn from_shares(
        rows: &[f64],
        d: usize,
        shares: &[f64],
        full: bool,
        floor: f64,
    ) -> Result<Mixture, String> {
        let n = rows.len() / d;
        let k = shares.len() / n;
        let mut mixture = Mixture {
            d,
            full,
            floor,
            weights: Vec::new(),
            means: Vec::new(),
            spreads: Vec::new(),
        };
        let mut sizes = Vec::new();
        for j in 0..k {
            let own = || shares.iter().skip(j).step_by(k);
            let size = own().sum::<f64>() + 10.0 * f64::EPSILON;
            let mut mean = vec![0.0; d];
            for (row, share) in rows.chunks_exact(d).zip(own()) {
                mean.iter_mut().zip(row).for_each(|(m, x)| *m += share * x);
            }
            mean.iter_mut().for_each(|m| *m /= size);
            mixture.spreads.push(if full {
                let mut scaled = Vec::with_capacity(rows.len());
                for (row, share) in rows.chunks_exact(d).zip(own()) {
                    let root = (share * n as f64 / size).sqrt();
                    scaled.extend(row.iter().zip(&mean).map(|(x, m)| root * (x - m)));
                }
                let mut covariance = scatter(&scaled, d);
                (0..d).for_each(|i| covariance[(i, i)] += floor);
                let (lower, ln_det) = cholesky(covariance).ok_or_else(|| {
                    format!("component {} of {k} has a singular covariance; ask for fewer, or mixture.covariance=diagonal", j + 1)
                })?;
                Spread::Full(lower, ln_det)
            } else {
                let mut variances = vec![0.0; d];
                for (row, share) in rows.chunks_exact(d).zip(own()) {
                    for ((v, x), m) in variances.iter_mut().zip(row).zip(&mean) {
                        *v += share * (x - m) * (x - m);
                    }
                }
                variances.iter_mut().for_each(|v| *v = *v / size + floor);
                Spread::Diagonal(variances)
            });
            mixture.means.push(mean);
            sizes.push(size);
        }
        let total: f64 = sizes.iter().sum();
        mixture.weights = sizes.iter().map(|size| size / total).collect();
        Ok(mixture)
    }

    /// The mixture with these weights `[k]`, means `[k][d]` and variances `[k][d]`.
    pub fn diagonal(
        weights: Vec<f64>,
        means: Vec<Vec<f64>>,
        variances: Vec<Vec<f64>>,
        floor: f64,
    ) -> Mixture {
        Mixture {
            d: means.first().map_or(0, Vec::len),
            full: false,
            floor,
            weights,
            means,
            spreads: variances.into_iter().map(Spread::Diagonal).collect(),
        }
    }

    /// The same with full covariances, so far without any between features.
    #[cfg(test)]
    pub fn made_full(mut self) -> Mixture {
        for spread in &mut self.spreads {
            if let Spread::Diagonal(v) = spread {
                let lower =
                    faer::Mat::from_fn(
                        v.len(),
                        v.len(),
                        |i, j| {
                            if i == j { v[i].sqrt() } else { 0.0 }
                        },
                    );
                *spread = Spread::Full(lower, v.iter().map(|v| v.ln()).sum());
            }
        }
        self.full = true;
        self
    }

    /// Goes on from here on `rows` `[n, d]` until `stop`.
    ///
    /// # Errors
    /// As [`Mixture::from_shares`].
    pub fn improve(self, rows: &[f64], stop: Stop) -> Result<Mixture, String> {
        let mut mixture = self;
        let mut before = f64::NEG_INFINITY;
        for _ in 0..stop.steps {
            let (shares, likelihood) = mixture.shares(rows);
            mixture = Mixture::from_shares(rows, mixture.d, &shares, mixture.full, mixture.floor)?;
            if (likelihood - before).abs() < stop.tolerance {
                break;
            }
            before = likelihood;
        }
        Ok(mixture)
    }

    /// Each row's shares in the components, `[n, k]`, and the mean log-likelihood.
    fn shares(&self, rows: &[f64]) -> (Vec<f64>, f64) {
        let (n, k) = (rows.len() / self.d, self.weights.len());
        let mut shares = self.terms(rows);
        let mut sum = 0.0;
        for row in shares.chunks_exact_mut(k) {
            let density = ln_sum_exp(row);
            sum += density;
            row.iter_mut()
                .for_each(|term| *term = (*term - density).exp());
        }
        (shares, sum / n as f64)
    }

    /// ln(wₖN(x; μₖ, Σₖ)) of every row and component, `[n, k]`.
    fn terms(&self, rows: &[f64]) -> Vec<f64> {
        let (n, k) = (rows.len() / self.d, self.weights.len());
        let mut terms = vec![0.0; n * k];
        let components = self.weights.iter().zip(&self.means).zip(&self.spreads);
        for (j, ((weight, mean), spread)) in components.enumerate() {
            for (i, value) in spread.ln_density(rows, mean).into_iter().enumerate() {
                terms[i * k + j] = weight.ln() + value;
            }
        }
        terms
    }

    /// Number of components.
    pub fn components(&self) -> usize {
        self.weights.len()
    }

    /// Number of fitted parameters.
    pub fn free(&self) -> usize {
        let (k, d) = (self.weights.len(), self.d);
        let spread = if self.full { d * (d + 1) / 2 } else { d };
        k - 1 + k * (d + spread)
    }
}

impl FeatureDensity for Mixture {
    fn chosen(&self) -> String {
        let shape = if self.full { "full" } else { "diagonal" };
        match self.weights.len() {
            1 => format!("1 component, {shape}"),
            k => format!("{k} components, {shape}"),
        }
    }

    fn reduces_to(&self) -> Option<&'static str> {
        let name = if self.full { FULL.name } else { DIAGONAL.name };
        (self.components() == 1).then_some(name)
    }

    fn ln_density(&self, rows: &[f64]) -> Vec<f64> {
        let terms = self.terms(rows);
        terms
            .chunks_exact(self.weights.len())
            .map(ln_sum_exp)
            .collect()
    }
}

/// A mixture of one number.
struct Column(Mixture);

impl Column {
    /// Weight, mean and standard deviation of each component.
    fn parts(&self) -> impl Iterator<Item = (f64, f64, f64)> + '_ {
        let all = self
            .0
            .weights
            .iter()
            .zip(&self.0.means)
            .zip(&self.0.spreads);
        all.map(|((&weight, mean), spread)| match spread {
            Spread::Diagonal(variances) => (weight, mean[0], variances[0].sqrt()),
            Spread::Full(lower, _) => (weight, mean[0], lower[(0, 0)]),
        })
    }
}

/// Names of the parameters of a column's components, as many as `MOST` in `mixture_start.rs`.
const NAMES: [[&str; 3]; 6] = [
    ["w1", "mean1", "std1"],
    ["w2", "mean2", "std2"],
    ["w3", "mean3", "std3"],
    ["w4", "mean4", "std4"],
    ["w5", "mean5", "std5"],
    ["w6", "mean6", "std6"],
];

impl Density for Column {
    fn parameters(&self) -> Vec<(&'static str, f64)> {
        let mut parts: Vec<_> = self.parts().collect();
        parts.sort_by(|a, b| a.1.total_cmp(&b.1));
        let named = parts.into_iter().zip(NAMES);
        let named = named.flat_map(|((weight, mean, std), names)| {
            [(names[0], weight), (names[1], mean), (names[2], std)]
        });
        [("components", self.0.components() as f64)]
            .into_iter()
            .chain(named)
            .collect()
    }

    fn free(&self) -> Option<usize> {
        Some(self.0.free())
    }

    fn reduces_to(&self) -> Option<&'static str> {
        (self.0.components() == 1).then_some(normal::ENTRY.name)
    }

    fn ln_density(&self, x: f64) -> f64 {
        let terms: Vec<f64> = self
            .parts()
            .map(|(weight, mean, std)| {
                let z = (x - mean) / std;
                (weight / std).ln() - 0.5 * z * z - super::special::HALF_LN_2PI
            })
            .collect();
        ln_sum_exp(&terms)
    }

    fn cdf(&self, x: f64) -> f64 {
        let parts = self.parts().map(|(w, m, s)| w * normal_cdf((x - m) / s));
        parts.sum::<f64>().min(1.0)
    }

    fn above(&self, x: f64) -> f64 {
        let parts = self.parts().map(|(w, m, s)| w * normal_cdf((m - x) / s));
        parts.sum::<f64>().min(1.0)
    }

    fn draw(&self, random: &mut Random) -> f64 {
        let mut left: f64 = random.random();
        let mut at = (0.0, 0.0);
        for (weight, mean, std) in self.parts() {
            at = (mean, std);
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        let z: f64 = StandardNormal.sample(random);
        at.0 + at.1 * z
    }

    fn refit(&self, values: &[f64]) -> Fitted {
        // What is added to the variances follows from the values, as in the fit: draws that are not rounded as the
        // data were would have it twice.
        let start = Mixture::diagonal(
            self.parts().map(|p| p.0).collect(),
            self.parts().map(|p| vec![p.1]).collect(),
            self.parts().map(|p| vec![p.2 * p.2]).collect(),
            floor(values, 1),
        );
        let stop = Stop {
            tolerance: 1e-4,
            steps: 100,
        };
        // Ascending, as the values of the fit: evenly spaced ones then stand for all.
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Ok(Box::new(Column(
            start.improve(&some(&sorted, 1, FITTED), stop)?,
        )))
    }
}

/// A mixture of `k` components fitted to `rows` `[n, d]` from a k-means start.
///
/// # Errors
/// As [`Mixture::from_shares`].
pub(super) fn fitted(
    rows: &[f64],
    d: usize,
    k: usize,
    full: bool,
    floor: f64,
    seed: u64,
) -> Result<Mixture, String> {
    // A column costs little: its likelihood is compared with others', so it goes to the end.
    let stop = match d {
        1 => Stop {
            tolerance: 1e-6,
            steps: 500,
        },
        _ => Stop {
            tolerance: 1e-3,
            steps: 100,
        },
    };
    let (sample, shares) = first_shares(rows, d, k, seed);
    Mixture::from_shares(&sample, d, &shares, full, floor)?.improve(rows, stop)
}
