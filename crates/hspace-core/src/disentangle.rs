//! Do latents keep the data's generating factors apart? Representation × factors → scores.
//!
//! Each metric is one file in `disentangle/` and a line in [`METRICS`]; [`measure`] takes them.

mod beta_vae;
mod dci;
mod dependence;
mod factor_vae;
mod factors;
mod forest;
mod measure;
mod mig;
mod modularity;
mod mutual_information;
mod pairs;
mod sap;
mod table;
mod total_correlation;
mod udr;

use serde::{Deserialize, Serialize};

pub use dependence::Dependence;
pub use factors::{Factor, of_columns};
pub use measure::{check_width, measure, noise, sample, validate};

use crate::error::Result;
use crate::list::Entry;
use crate::matrix::Matrix;
use crate::random::{mix, shuffled};
use crate::stats::{Bias, Estimate};

/// Version of the protocol; raised whenever a number could change because of it.
pub const PROTOCOL: u32 = 5;

/// Latents at most: each is looked at alone and with every other.
pub const WIDEST: usize = 512;
/// Latents whose dependence is given whole; more cannot be read.
pub const SHOWN: usize = 64;
/// One row in so many is held out where a metric learns something.
const HELD_OUT: usize = 4;

/// Scores of latents `[n, d]` compared with their factors, with a seed for what is random.
pub type OfFactors = fn(&Matrix, &[Factor], u64) -> Result<Vec<f64>>;

/// What a metric looks at.
///
/// ```
/// use hspace_core::disentangle::{METRICS, Measure};
///
/// // Metrics that need no factors.
/// let of_latents = METRICS.iter().filter(|metric| matches!(metric.measure, Measure::Latents(_)));
/// assert!(of_latents.map(|metric| metric.name).any(|name| name == "dependence"));
/// ```
pub enum Measure {
    /// Latents and the factors behind them.
    Factors(OfFactors),
    /// Latents alone.
    Latents(fn(&Matrix) -> Result<Vec<f64>>),
    /// Latents of several runs with the same settings; a score for each run.
    Runs(fn(&[&Matrix]) -> Result<Vec<f64>>),
}

/// One score of a metric.
pub struct Score {
    /// As in JSON.
    pub name: &'static str,
    /// The least and the largest value there may be.
    pub range: [f64; 2],
    /// How its bias depends on the number of rows.
    pub bias: Bias,
    /// Whether it is shown with an interval: one that was found to hold (`examples/coverage.rs`).
    pub has_interval: bool,
}

impl Score {
    /// In 0..=1, without noticeable bias.
    const fn unbiased(name: &'static str) -> Score {
        Score {
            name,
            range: [0.0, 1.0],
            bias: Bias::Negligible,
            has_interval: true,
        }
    }

    /// In 0..=1, extrapolated; the bias falls like a power of the number of samples between `slow` and `fast`.
    const fn extrapolated(name: &'static str, slow: f64, fast: f64) -> Score {
        Score {
            name,
            range: [0.0, 1.0],
            bias: Bias::Falling(slow, fast),
            has_interval: true,
        }
    }

    /// The same score alone.
    const fn without_interval(self) -> Score {
        Score {
            has_interval: false,
            ..self
        }
    }
}

/// A metric: one or more scores that are taken together. A line of [`METRICS`] is called as in `--metric mig`.
///
/// ```
/// use hspace_core::disentangle::METRICS;
///
/// let dci = METRICS.iter().find(|metric| metric.name == "dci").expect("DCI");
/// assert!(dci.scores.len() > 1 && !dci.low_is_good);
/// ```
pub struct Metric {
    /// Its scores, in the order of the function's values.
    pub scores: &'static [Score],
    /// What is done about the bias of few samples; empty where it is far less than the interval.
    pub correction: &'static str,
    /// Smaller values are better.
    pub low_is_good: bool,
    /// The function.
    pub measure: Measure,
}

/// Every metric, in the order of tables.
pub static METRICS: &[Entry<Metric>] = &[
    Entry {
        name: "mig",
        summary: "mutual information gap: one latent knows a factor, and no other as much",
        source: "Chen et al. 2018, arXiv:1802.04942",
        item: Metric {
            scores: &[Score::unbiased("mig")],
            correction: "entropies are jackknifed",
            low_is_good: false,
            measure: Measure::Factors(mig::mig),
        },
    },
    Entry {
        name: "dci",
        summary: "one factor a latent, one latent a factor, factors predicted: by importance in bagged trees",
        source: "Eastwood & Williams 2018, ICLR",
        item: Metric {
            scores: &[
                Score::extrapolated("dci_disentanglement", 0.5, 1.0),
                Score::extrapolated("dci_completeness", 0.5, 1.0),
                Score::extrapolated("dci_informativeness", 1.0 / 3.0, 1.0),
            ],
            correction: "importance is taken on rows held out, and scores are extrapolated to many samples",
            low_is_good: false,
            measure: Measure::Factors(dci::dci),
        },
    },
    Entry {
        name: "sap",
        summary: "separated attribute predictability: one latent predicts a factor, and no other as well",
        source: "Kumar et al. 2018, arXiv:1711.00848",
        item: Metric {
            scores: &[Score::extrapolated("sap", 0.5, 1.0)],
            correction: "the score is extrapolated to many samples",
            low_is_good: false,
            measure: Measure::Factors(sap::sap),
        },
    },
    Entry {
        name: "beta_vae",
        summary: "a linear classifier tells which factor pairs of samples share (guessing: 1 / factors)",
        source: "Higgins et al. 2017, ICLR",
        item: Metric {
            scores: &[Score::unbiased("beta_vae")],
            correction: "",
            low_is_good: false,
            measure: Measure::Factors(beta_vae::beta_vae),
        },
    },
    Entry {
        name: "factor_vae",
        summary: "the latent that varies least tells which factor is fixed (guessing: 1 / factors)",
        source: "Kim & Mnih 2018, arXiv:1802.05983",
        item: Metric {
            scores: &[Score::extrapolated("factor_vae", 0.5, 1.0).without_interval()],
            correction: "the score is extrapolated to many samples; it has no interval, since what latents of noise represent is luck",
            low_is_good: false,
            measure: Measure::Factors(factor_vae::factor_vae),
        },
    },
    Entry {
        name: "modularity",
        summary: "a latent knows one factor alone, by mutual information",
        source: "Ridgeway & Mozer 2018, arXiv:1802.05312",
        item: Metric {
            scores: &[Score::unbiased("modularity")],
            correction: "entropies are jackknifed, and latents without clear information count 0",
            low_is_good: false,
            measure: Measure::Factors(modularity::modularity),
        },
    },
    Entry {
        name: "explicitness",
        summary: "values of factors are read off all latents by logistic regression: area under ROC (guessing: 1/2)",
        source: "Ridgeway & Mozer 2018, arXiv:1802.05312",
        item: Metric {
            scores: &[Score::extrapolated("explicitness", 1.0, 2.0)],
            correction: "the score is extrapolated to many samples",
            low_is_good: false,
            measure: Measure::Factors(modularity::explicitness),
        },
    },
    Entry {
        name: "total_correlation",
        summary: "how far latents are from independent under a Gaussian fit, in nats; no factors needed",
        source: "Locatello et al. 2019, arXiv:1811.12359",
        item: Metric {
            scores: &[Score {
                name: "total_correlation",
                has_interval: true,
                range: [0.0, f64::INFINITY],
                bias: Bias::Negligible,
            }],
            correction: "the mean of independent normal latents is subtracted",
            low_is_good: true,
            measure: Measure::Latents(total_correlation::total_correlation),
        },
    },
    Entry {
        name: "dependence",
        summary: "normalised mutual information of the latents: its mean, and the matrix; no factors needed",
        source: "Counting in 10 bins of as many samples each",
        item: Metric {
            scores: &[Score::unbiased("dependence")],
            correction: "entropies are jackknifed",
            low_is_good: true,
            measure: Measure::Latents(dependence::dependence),
        },
    },
    Entry {
        name: "udr",
        summary: "runs of the same settings from different seeds find the same latents; no factors needed",
        source: "Duan et al. 2020, arXiv:1905.12614",
        item: Metric {
            scores: &[Score::extrapolated("udr", 0.5, 1.0)],
            correction: "correlations count beyond two standard errors, and scores are extrapolated to many samples",
            low_is_good: false,
            measure: Measure::Runs(udr::udr),
        },
    },
];

/// What is to be measured.
///
/// ```
/// use hspace_core::dataset::{Dataset, OpenOptions};
/// use hspace_core::disentangle::{Options, validate};
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let options = Options { metrics: vec!["mig".into(), "dci".into()], ..Options::default() };
/// assert!(validate(&shapes.columns, &options, "builtin:shapes").is_empty());
/// let wrong = Options { factors: vec!["weight".into()], ..options };
/// assert!(!validate(&shapes.columns, &wrong, "builtin:shapes").is_empty());
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Columns that are the factors; none: those the data mark.
    pub factors: Vec<String>,
    /// Names of metrics; none: all that can be taken.
    pub metrics: Vec<String>,
    /// Seed of groups, trees and pairs.
    pub seed: u64,
    /// Names of representations that are runs of the same settings, each set for itself.
    pub runs: Vec<Vec<String>>,
}

/// The scores of one representation.
///
/// ```
/// use hspace_core::disentangle::Row;
/// use hspace_core::stats::Estimate;
///
/// let mig = Estimate { mean: 0.31, low: 0.28, high: 0.34 };
/// let row = Row {
///     representation: "runs/vae".into(),
///     origin: String::new(),
///     dim: 10,
///     scores: vec![("mig".into(), mig)],
/// };
/// assert!(row.scores.iter().all(|(_, score)| score.has_interval()));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the representation.
    pub representation: String,
    /// A hash of where it came from.
    pub origin: String,
    /// Number of latents.
    pub dim: usize,
    /// Scores by name, in the order of [`METRICS`].
    pub scores: Vec<(String, Estimate)>,
}

/// A factor as it was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactorFacts {
    /// The column.
    pub name: String,
    /// Number of values among the samples.
    pub values: usize,
}

/// Everything measured. Written as JSON, read by the report.
///
/// ```
/// # use hspace_core::dataset::{Column, Role, Split, Values};
/// # use hspace_core::{matrix::Matrix, representation::Representation};
/// # let n = 600;
/// # let factor = |name: &str, of: &dyn Fn(usize) -> usize| Column {
/// #     name: name.into(),
/// #     role: Role::Factor,
/// #     values: Values::Numbers((0..n).map(|i| Some(of(i) as f64)).collect()),
/// # };
/// # let columns = vec![factor("x", &|i| i % 5), factor("y", &|i| i / 5 % 4)];
/// # let latents = Representation {
/// #     name: "runs/vae".into(),
/// #     features: Matrix::new(n, 2, (0..n).flat_map(|i| [(i % 5) as f32, (i / 5 % 4) as f32]).collect()),
/// #     ids: (0..n).map(|i| i.to_string()).collect(),
/// #     columns,
/// #     split: vec![Split::Train; n],
/// #     origin: String::new(),
/// #     shift: vec![],
/// # };
/// use hspace_core::disentangle::{Options, measure, noise};
///
/// // Two latents that are the two factors, compared with noise.
/// let guess = noise(&latents, 0);
/// let options = Options { metrics: vec!["mig".into()], ..Options::default() };
/// let found = measure(&[latents, guess], &options, "shapes", &mut |_| ())?;
/// assert!(found.rows[0].scores[0].1.mean > 0.99);
/// assert!(found.rows[1].scores[0].1.mean < 0.1);
/// assert!(found.table().contains("mig") && found.headline().contains("runs/vae"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disentanglement {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// hspace's version.
    pub code_version: String,
    /// As given to `--data`.
    pub data: String,
    /// Seed of groups, trees and pairs.
    pub seed: u64,
    /// Number of samples.
    pub samples: usize,
    /// Groups behind the intervals; 0 where there are none.
    pub groups: usize,
    /// The factors; empty where none are known.
    pub factors: Vec<FactorFacts>,
    /// The results.
    pub rows: Vec<Row>,
    /// Dependence matrices, of representations with up to 64 latents.
    pub dependence: Vec<Dependence>,
}

/// Columns with mean 0 and variance 1; zeros where one never varies.
fn standardised(latents: &Matrix) -> Matrix {
    let means = latents.column_means();
    let mut out = latents.minus(&means);
    let n = out.rows.max(1) as f64;
    for (j, mean) in means.iter().enumerate() {
        let squares: f64 = (0..out.rows)
            .map(|i| f64::from(out.row(i)[j]).powi(2))
            .sum();
        let deviation = (squares / n).sqrt();
        // A constant's deviation is the rounding error of its mean.
        let factor = if deviation > 1e-6 * mean.abs() {
            1.0 / deviation
        } else {
            0.0
        };
        for i in 0..out.rows {
            let x = &mut out.data[i * latents.cols + j];
            *x = (f64::from(*x) * factor) as f32;
        }
    }
    out
}

/// Rows to learn from and rows held out, at random.
fn split_rows(n: usize, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut order = shuffled((0..n).collect(), mix(&[seed, 1]));
    let held_out = order.split_off(n - n / HELD_OUT);
    (order, held_out)
}

#[cfg(test)]
mod tests;
