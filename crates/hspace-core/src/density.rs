//! Densities: fitted to columns of numbers and to representations, ranked, tested, asked.
//!
//! - A column: [`mod@column`] reads it, [`fit`](fit::fit) fits every one of [`DENSITIES`] that its values
//!   allow, ranks them by held-out log-likelihood, tests them and answers questions
//!   ([`questions`]).
//! - A representation: [`outliers`](outliers::outliers) fits each of [`FEATURE_DENSITIES`] to training
//!   features and scores how well it tells other data from the test features.
//!
//!   Without other data they are ranked by held-out likelihood ([`space`]), in a run's report those that
//!   are quick.
//!
//! A density is one file and one line in a list.

pub mod column;
mod constant;
pub mod detection;
mod drawing;
mod exponential;
pub mod fit;
mod flow;
mod gamma;
pub(crate) mod gaussian;
pub(crate) mod goodness;
mod histogram;
pub(crate) mod kde;
pub(crate) mod kernel;
mod knn;
pub(crate) mod mixture;
mod mixture_start;
mod negative_binomial;
pub(crate) mod neighbours;
mod normal;
mod options;
pub mod outliers;
mod poisson;
pub mod questions;
mod ranking;
pub(crate) mod root;
pub(crate) mod rows;
pub mod space;
pub(crate) mod special;
mod table;
mod weibull;

use crate::list;
pub(crate) use table::number;

pub use kernel::Kernel;
pub use options::{
    Bandwidth, Covariance, DensityOptions, FlowOptions, HistogramOptions, KdeOptions, Kind,
    KnnOptions, MixtureOptions, OutlierOptions,
};

use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// The random numbers that densities draw from.
pub type Random = Xoshiro256PlusPlus;

/// A fitted density of one number; a probability mass for counts.
///
/// ```
/// use hspace_core::density::{DENSITIES, DensityOptions};
/// use hspace_core::list::find;
///
/// let values: Vec<f64> = (0..100).map(|i| f64::from(i % 10)).collect();
/// let normal = find("density", DENSITIES, "normal")?;
/// let fitted = (normal.fit)(&values, &DensityOptions::default())?;
/// assert!((fitted.cdf(4.5) - 0.5).abs() < 1e-9);
/// assert!((fitted.cdf(7.0) + fitted.above(7.0) - 1.0).abs() < 1e-9);
/// assert!(fitted.ln_density(4.5) > fitted.ln_density(9.0));
/// # Ok::<(), String>(())
/// ```
pub trait Density: Send + Sync {
    /// What was fitted, by name, in the units of the formula in its file.
    fn parameters(&self) -> Vec<(&'static str, f64)>;

    /// Number of fitted parameters; `None` where their number grows with the data.
    fn free(&self) -> Option<usize>;

    /// Name of the simpler density that this fit equals, such as `normal` for a mixture of one component.
    fn reduces_to(&self) -> Option<&'static str> {
        None
    }

    /// Natural logarithm of the density (or mass) at `x`; −∞ where there is none.
    fn ln_density(&self, x: f64) -> f64;

    /// Probability of at most `x`, in 0..=1.
    fn cdf(&self, x: f64) -> f64;

    /// Probability of more than `x`, in 0..=1: accurate far out, where 1 − cdf is not.
    fn above(&self, x: f64) -> f64 {
        1.0 - self.cdf(x)
    }

    /// A value drawn at random.
    fn draw(&self, random: &mut Random) -> f64;

    /// The same density fitted to other values, with what was chosen (bandwidth, k, number of
    /// components) kept.
    ///
    /// # Errors
    /// Why these values allow no fit.
    fn refit(&self, values: &[f64]) -> Fitted;
}

/// A fitted density, or why there is none.
pub type Fitted = Result<Box<dyn Density>, String>;

/// A density of feature rows.
///
/// ```
/// use hspace_core::density::{FEATURE_DENSITIES, OutlierOptions};
/// use hspace_core::list::find;
///
/// // Ten rows of two features.
/// let rows = [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.5, 0.4, 0.2, 0.8, 0.9, 0.3, 0.4, 0.1, 0.6, 0.7, 0.3, 0.5];
/// let diagonal = find("density", FEATURE_DENSITIES, "normal_diagonal")?;
/// let fitted = (diagonal.fit)(&rows, 2, &OutlierOptions::default())?;
/// let ln = fitted.ln_density(&[0.5, 0.5, 9.0, 9.0]);
/// assert!(ln[0] > ln[1] + 100.0);
/// # Ok::<(), String>(())
/// ```
pub trait FeatureDensity: Send + Sync {
    /// What was chosen, as text: `8 components, diagonal`.
    fn chosen(&self) -> String;

    /// Name of the simpler density that this fit equals, such as `normal` for a mixture of one component.
    fn reduces_to(&self) -> Option<&'static str> {
        None
    }

    /// Natural logarithm of the density at each of `rows` `[n, d]`.
    fn ln_density(&self, rows: &[f64]) -> Vec<f64>;
}

/// A fitted density of features, or why there is none.
pub type FittedFeatures = Result<Box<dyn FeatureDensity>, String>;

/// From here on one whole number cannot be distinguished from the next in double precision.
const COUNTABLE: f64 = 9_007_199_254_740_992.0;

/// Where a density lies.
///
/// ```
/// use hspace_core::density::Support;
///
/// assert_eq!(Support::Counts.problem(&[0.0, 3.0]), None);
/// assert!(Support::Counts.problem(&[0.5]).is_some());
/// assert!(Support::Positive.problem(&[0.0]).is_some());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// Every number.
    Real,
    /// Zero and above.
    NonNegative,
    /// Above zero.
    Positive,
    /// 0, 1, 2, …: a probability mass.
    Counts,
}

impl Support {
    /// Why `values` do not lie in it; `None` where they do.
    pub fn problem(self, values: &[f64]) -> Option<String> {
        let (fits, needs): (fn(f64) -> bool, _) = match self {
            Support::Real => return None,
            Support::NonNegative => (|x| x >= 0.0, "values of at least 0"),
            Support::Positive => (|x| x > 0.0, "values above 0"),
            Support::Counts => (
                |x| (0.0..COUNTABLE).contains(&x) && x.fract() == 0.0,
                "whole numbers from 0 on, below 2^53",
            ),
        };
        let wrong = values.iter().filter(|x| !fits(**x));
        let first = wrong.clone().next()?;
        Some(format!(
            "needs {needs}; {} of {} are not, such as {first}",
            wrong.count(),
            values.len()
        ))
    }
}

/// How a density of a column is fitted.
///
/// ```
/// use hspace_core::density::{DENSITIES, Support};
///
/// let counts = DENSITIES.iter().filter(|entry| entry.support == Support::Counts);
/// let names: Vec<&str> = counts.map(|entry| entry.name).collect();
/// assert_eq!(names, ["poisson", "negative_binomial"]);
/// ```
pub struct ColumnFit {
    /// Where it lies.
    pub support: Support,
    /// Fits it to values that lie in its support, at least two.
    pub fit: fn(&[f64], &DensityOptions) -> Fitted,
}

/// A line of [`DENSITIES`], named as in `--candidates normal,kde`.
pub type Entry = list::Entry<ColumnFit>;

/// Every density of a column.
pub static DENSITIES: &[Entry] = &[
    normal::ENTRY,
    normal::LOG_NORMAL,
    exponential::ENTRY,
    gamma::ENTRY,
    weibull::ENTRY,
    poisson::ENTRY,
    negative_binomial::ENTRY,
    mixture::ENTRY,
    histogram::ENTRY,
    kde::ENTRY,
    knn::ENTRY,
];

/// How a density of features is fitted.
///
/// ```
/// use hspace_core::density::FEATURE_DENSITIES;
///
/// let names: Vec<&str> = FEATURE_DENSITIES.iter().map(|entry| entry.name).collect();
/// assert_eq!(names, ["normal", "normal_diagonal", "normal_shrunk", "mixture", "kde", "knn", "flow"]);
/// ```
pub struct FeatureFit {
    /// Fits it to training rows `[n, d]` of `d` features.
    pub fit: fn(rows: &[f64], d: usize, options: &OutlierOptions) -> FittedFeatures,
}

/// A line of [`FEATURE_DENSITIES`], named as in `--candidates normal_shrunk,knn`.
pub type FeatureEntry = list::Entry<FeatureFit>;

/// Every density of features.
pub static FEATURE_DENSITIES: &[FeatureEntry] = &[
    gaussian::FULL,
    gaussian::DIAGONAL,
    gaussian::SHRUNK,
    mixture::FEATURES,
    neighbours::KDE,
    neighbours::KNN,
    flow::ENTRY,
];

#[cfg(test)]
mod golden;
#[cfg(test)]
mod properties;
