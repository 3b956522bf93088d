//! Representation × task → a measurement with its uncertainty.
//!
//! A probe never sees an encoder: it takes features and labels. What must be learned anew for
//! each draw of labels comes in as a [`Contender::PerDraw`], a function from labelled samples to
//! features.

mod answer;
pub mod cluster;
mod conditioning;
pub mod few_labels;
pub mod geometry;
pub mod knn;
pub mod linear;
mod measure;
mod options;
pub mod ridge;
pub mod savings;
pub mod scores;
pub(crate) mod table;
mod task;

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
    (
        "linear",
        "softmax regression by L-BFGS, its L2 chosen inside the training labels (numeric targets: ridge)",
    ),
    (
        "knn",
        "k nearest neighbours; k, metric and weights chosen inside the training labels",
    ),
    (
        "ridge",
        "ridge regression for numeric targets, its penalty chosen by leave-one-out",
    ),
    (
        "geometry",
        "effective rank, alignment, uniformity; k-means clusters against the classes (NMI, ARI)",
    ),
];

/// Learns from the training labels of one draw alone and gives features `[needed, d]`.
///
/// Called from several threads at once. Arguments: the labelled training rows, the rows whose features are wanted (in this order), and a
/// seed.
pub type FitOnDraw<'a> = dyn Fn(&[usize], &[usize], u64) -> Result<Matrix> + Sync + 'a;

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

/// A mean with its 95 % interval, whose ends are the mean where no interval is known.
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
    /// `macro_auroc`, `log_loss`, `calibration_error`; or `r2`, `mean_absolute_error`. Those that the test
    /// samples leave undefined are absent: the area under the curve of one class, R² of a constant.
    pub scores: Vec<(String, Estimate)>,
    /// Each draw's accuracy or R², paired over representations; empty where undefined.
    pub draws: Vec<f64>,
    /// What was chosen inside the training labels, as text (`c=1`, `k=5 cosine distance`), per draw.
    pub chosen: Vec<String>,
}

impl Row {
    /// The main measure by name, accuracy or R²; `None` where it is undefined.
    pub fn main_score(&self) -> Option<&(String, Estimate)> {
        let main = [scores::CLASS_SCORES[0], scores::NUMBER_SCORES[0]];
        self.scores
            .first()
            .filter(|(name, _)| main.contains(&name.as_str()))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Column, Role, Split, Values};
    use crate::matrix::Matrix;
    use crate::representation::Representation;

    const N: usize = 240;

    /// Three classes on the first axis, a number on the second, a scanner on the third.
    fn data(name: &str) -> Representation {
        let noise =
            |i: usize, salt: usize| ((i * 7919 + salt * 104_729) % 1009) as f32 / 1009.0 - 0.5;
        let row = |i: usize| {
            [
                (i % 3) as f32 + noise(i, 1),
                noise(i, 2),
                (i / 3 % 2) as f32 + noise(i, 3),
            ]
        };
        let classes = |name: &str, role, k: usize, of: &dyn Fn(usize) -> usize| Column {
            name: name.into(),
            role,
            values: Values::Classes {
                names: (0..k).map(|c| c.to_string()).collect(),
                index: (0..N).map(|i| Some(of(i) as u32)).collect(),
            },
        };
        Representation {
            shift: Vec::new(),
            name: name.into(),
            features: Matrix::new(N, 3, (0..N).flat_map(row).collect()),
            ids: (0..N).map(|i| format!("{i}")).collect(),
            columns: vec![
                classes("label", Role::Label, 3, &|i| i % 3),
                Column {
                    name: "height".into(),
                    role: Role::Label,
                    values: Values::Numbers(
                        (0..N)
                            .map(|i| Some(f64::from(noise(i, 2)) * 10.0))
                            .collect(),
                    ),
                },
                classes("scanner", Role::Nuisance, 2, &|i| i / 3 % 2),
            ],
            split: (0..N)
                .map(|i| {
                    if i % 4 == 0 {
                        Split::Test
                    } else {
                        Split::Train
                    }
                })
                .collect(),
            origin: "test".into(),
        }
    }

    fn short() -> ProbeOptions {
        ProbeOptions {
            labels: vec![Labels::PerClass(2), Labels::PerClass(10), Labels::All],
            draws: 3,
            ..ProbeOptions::default()
        }
    }

    fn complaint(contenders: Vec<Contender<'_>>, options: &ProbeOptions) -> String {
        measure(contenders, options, "test", &mut |_| ())
            .map_or_else(|e| e.to_string(), |_| String::new())
    }

    #[test]
    fn every_probe_measures_repeatably_and_above_chance() -> Result<()> {
        for (name, summary) in PROBES {
            assert!(!summary.is_empty());
            let task = if *name == "ridge" { "height" } else { "label" };
            let options = ProbeOptions {
                probes: vec![name.to_string()],
                task: task.into(),
                ..short()
            };
            let run = || {
                measure(
                    vec![Contender::Fixed(data("a"))],
                    &options,
                    "test",
                    &mut |_| (),
                )
            };
            let measured = run()?;
            assert_eq!(measured, run()?, "{name}");
            for row in &measured.rows {
                assert_eq!(row.probe, *name);
                assert!(
                    row.scores
                        .iter()
                        .all(|s| s.1.low <= s.1.mean && s.1.mean <= s.1.high)
                );
            }
            match measured.rows.last() {
                Some(row) => assert!(row.scores[0].1.low > measured.chance, "{name}: {row:?}"),
                None => assert!(measured.geometry[0].nmi.is_some(), "{name}"),
            }
        }
        Ok(())
    }

    #[test]
    fn a_whole_comparison() -> Result<()> {
        let mut worse = data("pixels");
        for (i, x) in worse.features.data.iter_mut().enumerate() {
            *x += ((i * 31) % 17) as f32 / 5.0;
        }
        let good = data("a").features;
        let anew = Contender::PerDraw {
            name: "supervised".into(),
            draws: 2,
            fit: Box::new(move |_, needed, _| Ok(good.select(needed))),
        };
        let contenders = vec![Contender::Fixed(data("a")), Contender::Fixed(worse), anew];
        let measured = measure(contenders, &short(), "test", &mut |_| ())?;
        // 3 contenders, 2 probes, 3 numbers of labels.
        assert_eq!(measured.rows.len(), 18);
        let draws = |name: &str| -> Vec<&[f64]> {
            let rows = measured
                .rows
                .iter()
                .filter(|r| r.representation == name && r.probe == "linear");
            rows.map(|r| r.draws.as_slice()).collect()
        };
        // The same labels for every contender: equal features, equal numbers.
        assert_eq!(draws("a")[0][..2], draws("supervised")[0][..]);
        assert_eq!(measured.nuisances.len(), 2);
        assert!(measured.nuisances[0].warning, "{:?}", measured.nuisances[0]);
        assert_eq!(measured.confusions.len(), 3);
        assert_eq!(measured.geometry.len(), 2);
        let table = measured.table();
        for text in [
            "accuracy of the linear probe",
            "supervised",
            "chance",
            "warning: `scanner`",
        ] {
            assert!(table.contains(text), "{table}");
        }
        assert!(
            measured.headline().starts_with("30 labels on a do what "),
            "{}",
            measured.headline()
        );
        Ok(())
    }

    #[test]
    fn what_could_be_chance_is_no_saving() -> Result<()> {
        let contenders = ["a", "pixels"].map(|name| Contender::Fixed(data(name)));
        let mut measured = measure(contenders.into(), &short(), "test", &mut |_| ())?;
        let chance = measured.chance;
        // By what each has with few labels and with many; the saving is that of a's few.
        let mut told = |[low, mean, high]: [f64; 3], [few, many]: [f64; 2], place: &str| {
            let rows = measured.rows.iter_mut().filter(|r| r.probe == "linear");
            for row in rows {
                let score = &mut row.scores[0].1;
                *score = match (row.representation.as_str(), row.labelled) {
                    ("a", _) => Estimate { mean, low, high },
                    (_, 180) => Estimate {
                        mean: many,
                        low: many,
                        high: many,
                    },
                    (_, _) => Estimate {
                        mean: few,
                        low: few,
                        high: few,
                    },
                };
            }
            measured.savings = vec![Savings {
                representation: "a".into(),
                baseline: "pixels".into(),
                probe: "linear".into(),
                labels: 30,
                equals: Estimate {
                    mean: 60.0,
                    low: 50.0,
                    high: 70.0,
                },
                at_least: place == "above",
                at_most: place == "below",
            }];
            let saving = measured.headline_saving().is_some();
            assert_eq!(saving, measured.doubt(&measured.savings[0]).is_none());
            (measured.headline(), saving)
        };
        let (low, mean, high) = (0.7, 0.75, 0.8);
        let own = [low, mean, high];
        for (own, base, place, part, saving) in [
            (
                [chance - 0.1, chance, chance + 0.1],
                [0.1, 0.2],
                "above",
                "no better than guessing",
                false,
            ),
            (own, [0.3, 0.4], "above", "do what more than 60", true),
            // Its best is with few labels.
            (
                own,
                [0.74, 0.6],
                "above",
                "do what 30 labels do on raw pixels, within",
                false,
            ),
            (
                own,
                [0.6, 0.9],
                "inside",
                "do what 60 (95 % interval 50..70)",
                true,
            ),
            (
                own,
                [0.72, 0.9],
                "inside",
                "do what 30 labels do on raw pixels, within",
                false,
            ),
            (own, [0.9, 0.95], "below", "do what at most 60", true),
            (
                own,
                [0.78, 0.95],
                "below",
                "do what 6 labels do on raw pixels, within",
                false,
            ),
        ] {
            let (text, is_saving) = told(own, base, place);
            assert!(
                text.contains(part) && is_saving == saving,
                "{place} {base:?}: {text}"
            );
        }
        Ok(())
    }

    #[test]
    fn what_cannot_be_measured_is_said() {
        let fixed = |r: Representation| vec![Contender::Fixed(r)];
        assert!(complaint(Vec::new(), &short()).contains("nothing to measure"));
        let mut other = data("b");
        other.ids[3] = "x".into();
        let two = vec![Contender::Fixed(data("a")), Contender::Fixed(other)];
        assert!(complaint(two, &short()).contains("same ids"));
        let twice = vec![Contender::Fixed(data("a")), Contender::Fixed(data("a"))];
        assert!(complaint(twice, &short()).contains("measured twice"));
        let mut broken = data("a");
        broken.features.data[7] = f32::INFINITY;
        assert!(complaint(fixed(broken), &short()).contains("row 2"));
        let mut single = data("a");
        if let Values::Classes { index, .. } = &mut single.columns[0].values {
            index.fill(Some(1));
        }
        assert!(complaint(fixed(single), &short()).contains("all 180 training labels"));
        let mut untested = data("a");
        untested.split.fill(Split::Train);
        assert!(complaint(fixed(untested), &short()).contains("no test sample"));
        let typo = ProbeOptions {
            task: "lable".into(),
            ..short()
        };
        assert!(complaint(fixed(data("a")), &typo).contains("did you mean `label`"));
    }
}
