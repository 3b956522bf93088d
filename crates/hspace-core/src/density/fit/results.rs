//! What was found about a column: plain data, written as JSON and read by the report.

use serde::{Deserialize, Serialize};

use crate::density::Kind;
use crate::density::drawing::Drawing;
use crate::density::questions::Answer;
use crate::density::special::constant;
use crate::error::Error;
use crate::stats::mean_gap::MeanGap;

/// One fitted density.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Name from the list.
    pub name: String,
    /// What was fitted, by name.
    pub parameters: Vec<(String, f64)>,
    /// Number of fitted parameters; `None` where it grows with the data.
    pub free: Option<usize>,
    /// Log-likelihood of all values, in nats.
    pub log_likelihood: f64,
    /// Akaike's criterion; lower is better.
    pub aic: Option<f64>,
    /// Schwarz's criterion; lower is better.
    pub bic: Option<f64>,
    /// Mean held-out log-likelihood, in nats a value; `None` where some fold had no fit, or gave a
    /// held-out value no density at all.
    pub held_out: Option<f64>,
    /// Why a fold had no fit.
    #[serde(default)]
    pub not_held_out: Option<String>,
    /// How much less that is than the best one's; `None` for the best one.
    pub behind: Option<MeanGap>,
    /// Whether the held-out values show no difference between it and the best one; false for the best one.
    pub no_difference: bool,
    /// Held-out values that had no density: −∞.
    pub impossible: usize,
    /// Kolmogorov's distance.
    pub distance: f64,
    /// Its p-value by parametric bootstrap; `None` where that cannot be.
    pub p: Option<f64>,
    /// Why there is none.
    #[serde(default)]
    pub untested: Option<String>,
    /// Density (or mass) where it is drawn.
    pub curve: Vec<f64>,
    /// Probability up to there.
    pub cdf: Vec<f64>,
}

/// What the values are like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Smallest.
    pub least: f64,
    /// Half are below.
    pub median: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation (÷ n).
    pub std: f64,
    /// Largest.
    pub greatest: f64,
}

/// A candidate that is not listed, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unfit {
    /// Name from the list.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl Unfit {
    /// The error when there is no fit at all, with every reason.
    pub(in crate::density) fn all(data: &str, unfit: &[Unfit]) -> Error {
        let reasons = unfit
            .iter()
            .map(|u| format!("\n  - {}: {}", u.name, u.reason));
        Error::data(format!(
            "{data}: no density could be fitted{}",
            reasons.collect::<String>()
        ))
    }
}

/// Everything found about one column. Written as JSON, read by the report.
///
/// ```
/// use hspace_core::density::column::Column;
/// use hspace_core::density::{DensityOptions, fit::fit};
///
/// let values = (1..200).map(|i| -(f64::from(i) / 200.0).ln()).collect();
/// let waits = Column { name: "minutes".into(), values, missing: 0 };
/// let candidates = ["normal", "exponential"].map(String::from).to_vec();
/// let options = DensityOptions { candidates, resamples: 0, ..DensityOptions::default() };
/// let fits = fit(&waits, "waits.csv", &[], &options, &mut |_| ())?;
/// assert_eq!(fits.fits[0].name, "exponential");
/// assert!(fits.headline().contains("exponential") && fits.table().contains("normal"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnFits {
    /// hspace's version.
    pub code_version: String,
    /// The file.
    pub data: String,
    /// The column.
    pub column: String,
    /// Number of values.
    pub count: usize,
    /// Rows without a value.
    pub missing: usize,
    /// `Counts` or `Continuous`.
    pub kind: Kind,
    /// What the values are like.
    pub summary: Summary,
    /// Of measurements: a value that is there far more often than any other, and how often.
    #[serde(default)]
    pub spike: Option<(f64, usize)>,
    /// Folds of the held-out likelihood; 0 where there were too few values.
    pub folds: usize,
    /// Bootstrap resamples.
    pub resamples: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// The fits, best first.
    pub fits: Vec<Fit>,
    /// Of counts: densities, best first. Their likelihoods are comparable with each other alone.
    pub apart: Vec<Fit>,
    /// What could not be fitted.
    pub unfit: Vec<Unfit>,
    /// Answers to the questions.
    pub answers: Vec<Answer>,
    /// The data as they are drawn.
    pub drawing: Drawing,
}

impl ColumnFits {
    /// What was found, in a sentence or two.
    pub fn headline(&self) -> String {
        let Some(best) = self.fits.first() else {
            return String::new();
        };
        let close: Vec<String> = self.fits[1..]
            .iter()
            .filter(|f| f.no_difference)
            .map(Fit::compared)
            .collect();
        let also = match close.as_slice() {
            [] => String::new(),
            names => format!("; these values show no difference to {}", names.join(", ")),
        };
        let test = match best.p {
            Some(p) if p < 0.05 => format!(
                ". Yet it is not right: values drawn from it lie closer to their fit (p = {p:.3})"
            ),
            Some(p) => format!(". The data do not contradict it (p = {p:.2})"),
            None => String::new(),
        };
        if best.held_out.is_none() {
            let why = match self.folds {
                0 => "too few values to hold some out",
                _ => {
                    "every density has a fold that it could not be fitted without, or found a held-out value impossible"
                }
            };
            return format!(
                "{} of {} could not be ranked: {why}",
                self.column, self.data
            );
        }
        format!(
            "The best density of {} is {}{also}{test}.",
            self.column, best.name
        )
    }

    /// What a spike means for the fits.
    pub(crate) fn diagnose(&self) -> Option<String> {
        let (value, count) = self.spike?;
        Some(format!(
            "{count} of {} values are exactly {value}. A density has no such spike: the fits spread it or bend towards it, \
             and probabilities near it are wrong. Fit the other values alone, and count those.",
            self.count
        ))
    }

    /// Whether all values are equal.
    pub(in crate::density) fn is_constant(&self) -> bool {
        constant(&[self.summary.least, self.summary.greatest]).is_some()
    }
}
