//! Representation × task → a measurement with its uncertainty.
//!
//! A probe never sees an encoder: it takes features and labels. What must be learned anew for
//! each draw of labels comes in as a [`Contender::PerDraw`], a function from labelled samples to
//! features.

pub mod cluster;
pub mod few_labels;
pub mod geometry;
pub mod knn;
pub mod linear;
mod measure;
mod options;
pub mod ridge;
pub mod savings;
pub mod scores;
mod table;

pub use measure::measure;
pub use options::{KnnMetric, KnnOptions, KnnWeights, LinearOptions, ProbeOptions, RidgeOptions};

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::matrix::Matrix;
use crate::representation::Representation;

/// Version of the evaluation protocol; raised whenever a number could change because of it.
pub const PROTOCOL: u32 = 1;

/// The probes by name, with a line on each: `hspace list probes`.
pub const PROBES: &[(&str, &str)] = &[
    ("linear", "softmax regression by L-BFGS, its L2 chosen inside the training labels (numeric targets: ridge)"),
    ("knn", "k nearest neighbours; k, metric and weights chosen inside the training labels"),
    ("ridge", "ridge regression for numeric targets, its penalty chosen by leave-one-out"),
    ("geometry", "effective rank, alignment, uniformity; k-means clusters against the classes (NMI, ARI)"),
];

/// Learns from the training labels of one draw alone and gives features `[needed, d]`.
///
/// Arguments: the labelled training rows, the rows whose features are wanted (in this order), and a
/// seed.
pub type FitOnDraw<'a> = dyn Fn(&[usize], &[usize], u64) -> Result<Matrix> + 'a;

/// Something to be measured.
pub enum Contender<'a> {
    /// Features that do not depend on the labels.
    Fixed(Representation),
    /// Features learned anew from each draw of labels (the supervised baseline).
    PerDraw {
        /// How tables call it.
        name: String,
        /// The largest number of draws worth its cost; fewer draws give a wider interval.
        draws: usize,
        /// The function.
        fit: Box<FitOnDraw<'a>>,
    },
}

/// How many labels a probe was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    /// So many of each class.
    PerClass(usize),
    /// Every training label.
    All,
}

/// A mean with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean (over draws), or the value itself.
    pub mean: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

/// One line of the results: one representation, one probe, one number of labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the representation.
    pub representation: String,
    /// `linear`, `knn` or `ridge`.
    pub probe: String,
    /// Labels it was given.
    pub labels: Labels,
    /// Number of labelled samples that is.
    pub labelled: usize,
    /// Measures by name, in a fixed order: `accuracy`, `balanced_accuracy`, `macro_f1`,
    /// `macro_auroc`, `log_loss`, `calibration_error`; or `r2`, `mean_absolute_error`.
    pub scores: Vec<(String, Estimate)>,
    /// Each draw's first score (accuracy or R²), paired over representations.
    pub draws: Vec<f64>,
    /// What was chosen inside the training labels, as text (`c=1`, `k=5 cosine distance`), per draw.
    pub chosen: Vec<String>,
}

/// "`labels` labels on this representation do what `equals` labels do on `baseline`."
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Savings {
    /// Name of the representation.
    pub representation: String,
    /// What it is compared with.
    pub baseline: String,
    /// The probe both curves come from.
    pub probe: String,
    /// Labels given to `representation`.
    pub labels: usize,
    /// Labels the baseline needs for the same accuracy, with its 95 % interval.
    pub equals: Estimate,
    /// The baseline's curve ends before it gets there: `equals` is only a lower bound.
    pub at_least: bool,
    /// The baseline is as good already at its fewest labels: `equals` is only an upper bound.
    pub at_most: bool,
}

/// The shape of a representation, no labels needed; the last two need them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Geometry {
    /// Name of the representation.
    pub representation: String,
    /// Number of dimensions.
    pub dim: usize,
    /// RankMe: exponential of the entropy of the singular values.
    pub effective_rank: f64,
    /// Mean squared distance of same-class pairs on the unit sphere (Wang & Isola 2020); lower is closer.
    pub alignment: Option<f64>,
    /// Log of the mean Gaussian potential of pairs on the unit sphere; lower is more uniform.
    pub uniformity: f64,
    /// Normalised mutual information of k-means clusters and classes.
    pub nmi: Option<f64>,
    /// Adjusted Rand index of the same.
    pub ari: Option<f64>,
}

/// How well a column that should not be there can be read off a representation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nuisance {
    /// Name of the representation.
    pub representation: String,
    /// The column.
    pub column: String,
    /// Balanced accuracy (classes) or R² (numbers) of a linear probe.
    pub decodability: Estimate,
    /// The same for guessing.
    pub chance: f64,
    /// The whole interval lies above chance.
    pub warning: bool,
}

/// How the test samples of each class were answered, for the linear probe with all labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Name of the representation.
    pub representation: String,
    /// Class names, the order of rows and columns.
    pub classes: Vec<String>,
    /// `counts[true][answered]`
    pub counts: Vec<Vec<usize>>,
}

/// Everything measured on one task. Written as JSON, read by the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurements {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// hspace's version.
    pub code_version: String,
    /// As given to `--data`.
    pub data: String,
    /// The column that is the task.
    pub task: String,
    /// Hash over (id, split) of every sample.
    pub split_hash: String,
    /// Seed of the draws.
    pub seed: u64,
    /// Number of training samples with a label.
    pub train: usize,
    /// Number of test samples with a label.
    pub test: usize,
    /// Class names; empty for a numeric target.
    pub classes: Vec<String>,
    /// Share of the commonest class (accuracy by guessing), or 0 for a numeric target (R²).
    pub chance: f64,
    /// Names of the representations with the hash of where they came from, in table order.
    pub origins: Vec<(String, String)>,
    /// The results.
    pub rows: Vec<Row>,
    /// The headline's numbers.
    pub savings: Vec<Savings>,
    /// Shapes.
    pub geometry: Vec<Geometry>,
    /// Unwanted contents.
    pub nuisances: Vec<Nuisance>,
    /// Confusion matrices.
    pub confusions: Vec<Confusion>,
}
