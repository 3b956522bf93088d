//! Representation × task → a measurement with its uncertainty.
//!
//! A probe never sees an encoder: it takes features and labels. A source that learns from
//! each draw of labels comes in as a [`Contender::PerDraw`], a function from training rows to
//! answers for test rows: it is measured by its own head.

mod answer;
pub(crate) mod cluster;
pub mod comparison;
mod conditioning;
mod confidence;
mod contender;
mod domains;
mod entry;
mod estimates;
pub mod evaluation;
mod fitted;
pub(crate) mod folds;
pub mod geometry;
mod joined;
mod journal;
pub mod knn;
pub(crate) mod label_scores;
mod labels_alone;
mod learner;
mod limits;
pub mod linear;
pub mod mask;
mod measure;
mod member;
mod nuisance;
mod options;
pub mod ridge;
pub mod savings;
mod scaling;
pub mod scores;
mod seeds;
pub(crate) mod table;
mod task;
mod task_ranks;
mod transfer;

pub use comparison::Comparison;
pub(crate) use conditioning::CEILING;
pub use confidence::Confidence;
pub use contender::Contender;
pub use domains::{Answered, DomainRows};
pub use entry::{Entry, ProbeKind};
pub use fitted::fit_head;
pub use folds::Selection;
pub use joined::join;
pub use journal::Journal;
pub(crate) use journal::hash_of_features;
pub use labels_alone::LabelsAlone;
pub use learner::{Draw, LearnAndAnswer};
pub use limits::Limits;
pub use mask::{FeatureMaps, MapSource, MaskDraw, MaskExample, MaskTask};
pub use measure::{measure, measure_masks, measure_within};
pub(crate) use nuisance::read_off;
pub use options::{KnnMetric, KnnOptions, KnnWeights, LinearOptions, ProbeOptions, RidgeOptions};
pub use scaling::Scaling;
pub(crate) use scaling::Transform;
pub(crate) use scores::largest;
pub use seeds::over_seeds;
pub(crate) use task::{Task, task_column};
pub use task_ranks::{Place, RankedTask, Reversal, TaskRanks};
pub use transfer::{Effect, Transfer};

use serde::{Deserialize, Serialize};

use crate::dataset::Role;
pub use crate::stats::Estimate;
use crate::stats::{Crossed, Range};

/// Version of the evaluation protocol; raised whenever a number could change because of it.
///
/// 2: validation rows are no training rows, and settings for all labels are chosen by them.
///
/// 3: every source is scaled alike; intervals hold draws, test samples and training seeds together; pairs are compared, and
/// savings follow from them; calibration error and log loss of nearest neighbours are other estimators.
///
/// 4: few labels of samples with several labels are so many samples in total; sources that learn from each draw answer with their own head.
pub const PROTOCOL: u32 = 4;

/// The probes: `hspace list probes`. Settings are chosen inside the labels that a probe is given; with all labels, by validation labels
/// where the data have any.
pub static PROBES: &[Entry] = &[
    linear::probe::ENTRY,
    knn::probe::ENTRY,
    ridge::ENTRY,
    mask::ENTRY,
    geometry::ENTRY,
];

/// What [`Row::probe`] is of a source that answers with its own head.
pub const HEAD: &str = "head";

/// How many labels a probe was given.
///
/// ```
/// use hspace_core::probe::Labels;
///
/// assert_eq!("10".parse::<Labels>()?, Labels::PerClass(10));
/// assert_eq!(Labels::All.to_string(), "all");
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    /// So many of each class; in total where the task is a number or a mask, or samples have several labels.
    PerClass(usize),
    /// Every training label. Settings are then chosen by the validation labels, where there are any.
    All,
}

/// What the values of a task are.
///
/// ```
/// use hspace_core::probe::TaskKind;
///
/// assert_eq!(TaskKind::Numbers.scores(), ["r2", "mean_absolute_error"]);
/// assert_eq!(TaskKind::Classes.scores()[0], "accuracy");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// One class a sample.
    Classes,
    /// A number a sample.
    Numbers,
    /// Any number of labels a sample.
    LabelSets,
    /// A class for each pixel of a sample.
    Masks,
}

impl TaskKind {
    /// In words.
    pub(crate) fn text(self) -> &'static str {
        match self {
            TaskKind::Classes => "classes",
            TaskKind::Numbers => "numeric targets",
            TaskKind::LabelSets => "several labels a sample",
            TaskKind::Masks => "masks",
        }
    }

    /// Names of its measures, the main one first.
    pub fn scores(self) -> &'static [&'static str] {
        match self {
            TaskKind::Classes => &scores::CLASS_SCORES,
            TaskKind::Numbers => &scores::NUMBER_SCORES,
            TaskKind::LabelSets => &label_scores::LABEL_SET_SCORES,
            TaskKind::Masks => &mask::scores::MASK_SCORES,
        }
    }
}

/// One line of the results: one representation, one probe, one number of labels.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, Labels, ProbeOptions, measure};
///
/// let labels = vec![Labels::PerClass(5), Labels::All];
/// let options = ProbeOptions { probes: vec!["linear".into()], labels, ..ProbeOptions::default() };
/// let found = measure(vec![Contender::Fixed(blobs("runs/a", 0.5))], &options, "animals", &mut |_| ())?;
/// let row = &found.rows[0];
/// assert!(row.is_under("linear") && row.labelled == 15 && row.draws.len() == 10);
/// let (name, accuracy) = row.main_score().expect("accuracy");
/// assert!(name == "accuracy" && accuracy.low < accuracy.mean && accuracy.mean < accuracy.high);
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the representation.
    pub representation: String,
    /// Name of the probe; [`HEAD`] where the source answers with its own head.
    pub probe: String,
    /// Labels it was given.
    pub labels: Labels,
    /// Number of labelled samples that is; a mean over draws and folds.
    pub labelled: usize,
    /// Number of validation labels that its settings were chosen by; 0 where they were chosen inside the training labels.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub val_labels: usize,
    /// Measures by name, in a fixed order: `accuracy`, `balanced_accuracy`, `macro_f1`,
    /// `macro_auroc`, `log_loss`, `calibration_error`; or `r2`, `mean_absolute_error`; or `macro_auroc`,
    /// `macro_average_precision`, `macro_f1`, `subset_accuracy`; or `mean_iou`, `mean_dice`, `pixel_accuracy`. Those that the test samples leave undefined are absent:
    /// the area under the curve of one class, R² of a constant.
    pub scores: Vec<(String, Estimate)>,
    /// Whether the source is as sure as it is right, of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// The measures of each label, where a sample has several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_scores: Vec<LabelScore>,
    /// Each draw's main score, paired over representations; empty where undefined.
    pub draws: Vec<f64>,
    /// Why the scores have no interval, and what one would need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// The main measure by training seed, draw and test sample (or group of them), from which intervals and comparisons follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Crossed>,
    /// The settings that were chosen, as text (`c=1`, `k=5 cosine distance`), per draw.
    pub chosen: Vec<String>,
}

/// How well one label of several is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelScore {
    /// The label.
    pub label: String,
    /// Number of test samples that have it: of all test samples, the average precision by guessing.
    pub positives: usize,
    /// Area under the ROC curve; `None` where all test samples have the label or none has.
    pub auroc: Option<Estimate>,
    /// Area under the precision-recall curve, as scikit-learn's `average_precision_score`.
    pub average_precision: Option<Estimate>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Row {
    /// The values that the main measure can have.
    pub(crate) fn range(&self) -> Option<Range> {
        Some(scores::range(&self.main_score()?.0))
    }

    /// Whether it is among the results of `probe`: a source that answers with its own head is among those of every probe.
    pub fn is_under(&self, probe: &str) -> bool {
        self.probe == probe || self.probe == HEAD
    }

    /// The main measure by name, accuracy, R², macro AUROC or mean IoU; `None` where it is undefined.
    pub fn main_score(&self) -> Option<&(String, Estimate)> {
        let kinds = [
            TaskKind::Classes,
            TaskKind::Numbers,
            TaskKind::LabelSets,
            TaskKind::Masks,
        ];
        let main = kinds.map(|kind| kind.scores()[0]);
        self.scores
            .first()
            .filter(|(name, _)| main.contains(&name.as_str()))
    }
}

/// "`labels` labels on this representation do what `equals` labels do on `baseline`."
///
/// ```
/// use hspace_core::probe::Savings;
///
/// let savings = Savings {
///     representation: "runs/a".into(),
///     baseline: "pixels".into(),
///     probe: "linear".into(),
///     labels: 100,
///     seen: true,
///     equals: Some((520.0, 520.0)),
///     at_least: Some(410.0),
///     at_most: Some(690.0),
/// };
/// let text = savings.amount(&|labels| format!("{labels:.0}"));
/// assert_eq!(text.as_deref(), Some("520 (95 % interval 410 to 690)"));
/// ```
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
    /// A difference to the baseline with as many labels is seen. If not, nothing else is known.
    pub seen: bool,
    /// Labels the baseline needs for the same score: the first and the last number, which differ where its curve is flat. `None` beyond
    /// the curve's ends.
    pub equals: Option<(f64, f64)>,
    /// Lower end of the 95 % interval; `None` where the baseline may need fewer labels than it was measured with.
    pub at_least: Option<f64>,
    /// Upper end; `None` where it may need more labels than there are.
    pub at_most: Option<f64>,
}

/// The shape of a representation, no labels needed; the last two need them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Geometry {
    /// Name of the representation.
    pub representation: String,
    /// Number of dimensions.
    pub dim: usize,
    /// RankMe: exponential of the entropy of the singular values. `None` where all features are zero.
    pub effective_rank: Option<f64>,
    /// Mean squared distance of same-class pairs on the unit sphere (Wang & Isola 2020); lower is closer.
    pub alignment: Option<f64>,
    /// Log of the mean Gaussian potential of pairs on the unit sphere; lower is more uniform. `None` without a pair.
    pub uniformity: Option<f64>,
    /// Normalised mutual information of k-means clusters and classes; `None` of one class.
    pub nmi: Option<f64>,
    /// Adjusted Rand index of the same.
    pub ari: Option<f64>,
}

/// How well a column that is no task can be read off a representation: a nuisance, which should not be there, or a domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nuisance {
    /// Name of the representation.
    pub representation: String,
    /// The column.
    pub column: String,
    /// What the column is for.
    #[serde(default = "nuisance_role")]
    pub role: Role,
    /// Balanced accuracy (classes), R² (numbers) or macro AUROC (several labels a sample) of a linear probe.
    pub decodability: Estimate,
    /// The same for guessing.
    pub chance: f64,
    /// The whole interval lies above chance.
    #[serde(default)]
    pub readable: bool,
    /// It is readable, and a nuisance.
    pub warning: bool,
}

fn nuisance_role() -> Role {
    Role::Nuisance
}

/// How right the answers of one probe with all labels are, by their confidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Name of the representation.
    pub representation: String,
    /// The probe.
    pub probe: String,
    /// Answers by confidence.
    pub bins: Vec<ReliabilityBin>,
}

/// The answers of one range of confidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Their mean confidence, in 0..=1.
    pub confidence: f64,
    /// The share that is right.
    pub accuracy: Estimate,
    /// How many they are.
    pub count: usize,
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
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, Labels, ProbeOptions, TaskKind, measure};
///
/// let contenders = vec![
///     Contender::Fixed(blobs("pixels", 0.9)),
///     Contender::Fixed(blobs("runs/a", 0.2)),
/// ];
/// let labels = vec![Labels::PerClass(5), Labels::All];
/// let options = ProbeOptions { labels, ..ProbeOptions::default() };
/// let found = measure(contenders, &options, "animals", &mut |_| ())?;
/// assert_eq!((found.kind(), found.test), (TaskKind::Classes, 40));
/// assert!(found.table().contains("runs/a") && found.headline().contains("pixels"));
/// assert_eq!(found.without(), None); // Nothing was left out.
/// # Ok::<(), hspace_core::Error>(())
/// ```
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
    /// Number of validation samples with a label.
    #[serde(default)]
    pub val: usize,
    /// Number of test samples with a label.
    pub test: usize,
    /// Class names; empty for another kind of task.
    pub classes: Vec<String>,
    /// Names of the labels where a sample has several; else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Numbers of the classes of masks; else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mask_classes: Vec<String>,
    /// The main measure by guessing: the share of the commonest class (accuracy), 0 for a numeric target (R²), a half for
    /// several labels a sample (macro AUROC), the mean IoU of masks that are all of the commonest class.
    pub chance: f64,
    /// How features were scaled.
    #[serde(default)]
    pub scaling: Scaling,
    /// Folds in which the labelled samples were tested; 1: the data's own split.
    #[serde(default = "one")]
    pub folds: usize,
    /// Hash over ids and true values of the labelled samples: rows of equal hash, split, folds and seed are paired.
    #[serde(default)]
    pub labels_hash: String,
    /// Names of the representations with the hash of where they came from, in table order.
    pub origins: Vec<(String, String)>,
    /// The results.
    pub rows: Vec<Row>,
    /// Pairs of representations: which one is better.
    #[serde(default)]
    pub comparisons: Vec<Comparison>,
    /// The headline's numbers.
    pub savings: Vec<Savings>,
    /// Shapes.
    pub geometry: Vec<Geometry>,
    /// Columns that are no task: nuisances and domains.
    pub nuisances: Vec<Nuisance>,
    /// Confusion matrices.
    pub confusions: Vec<Confusion>,
    /// Calibration with all labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reliability: Vec<Reliability>,
    /// Sources that learn from more than labels, each with what learns from the labels alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels_alone: Vec<(String, LabelsAlone)>,
    /// What there was no time for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// The probes of `rows`, in the order in which they first appear; [`HEAD`] where there is none else.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, Labels, ProbeOptions, measure, probes_of};
///
/// let options = ProbeOptions { labels: vec![Labels::PerClass(5)], ..ProbeOptions::default() };
/// let found = measure(vec![Contender::Fixed(blobs("runs/a", 0.2))], &options, "animals", &mut |_| ())?;
/// assert_eq!(probes_of(&found.rows), ["linear", "knn"]);
/// # Ok::<(), hspace_core::Error>(())
/// ```
pub fn probes_of(rows: &[Row]) -> Vec<&str> {
    let mut probes: Vec<&str> = Vec::new();
    for row in rows.iter().filter(|row| row.probe != HEAD) {
        if !probes.contains(&row.probe.as_str()) {
            probes.push(&row.probe);
        }
    }
    if probes.is_empty() && !rows.is_empty() {
        probes.push(HEAD);
    }
    probes
}

fn one() -> usize {
    1
}

impl Measurements {
    /// What the task's values are.
    pub fn kind(&self) -> TaskKind {
        match (self.classes.is_empty(), self.labels.is_empty()) {
            _ if !self.mask_classes.is_empty() => TaskKind::Masks,
            (false, _) => TaskKind::Classes,
            (true, false) => TaskKind::LabelSets,
            (true, true) => TaskKind::Numbers,
        }
    }
}

#[cfg(test)]
mod protocol_tests;

#[cfg(test)]
mod tests;
