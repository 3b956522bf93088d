//! One probe on one draw of labels: fitted, and asked about the test rows; then scored.

use super::folds::Selection;
use super::label_scores::LabelAnswers;
use super::linear::label_sets;
use super::options::ProbeOptions;
use super::ridge::Ridge;
use super::scores::{Answers, ClassAnswers, NumberAnswers, Score};
use super::task::{Task, Truth};
use super::{TaskKind, knn, linear};
use crate::auto::Auto;
use crate::error::Result;
use crate::matrix::Matrix;

/// What a probe is fitted on and asked about, scaled.
pub(super) struct Features<'a> {
    pub(super) train: &'a Matrix,
    pub(super) test: &'a Matrix,
    /// Those of the task's validation rows, where settings are chosen by them.
    pub(super) val: Option<&'a Matrix>,
    /// Squared weights on the features that users know, over those on these.
    pub(super) unit: f64,
}

/// What one probe answered on one draw.
pub(super) struct Predicted {
    /// Numbers `[m]`, or probabilities of classes or labels `[m, classes]`, of the test rows.
    pub(super) values: Vec<f64>,
    /// The settings, as text.
    pub(super) chosen: String,
    /// Validation labels that were chosen by.
    pub(super) val_labels: usize,
}

/// Fits one probe on the training features (of `rows`) and predicts the test rows.
pub(super) fn predict(
    probe: &str,
    task: &Task,
    features: &Features<'_>,
    rows: &[usize],
    options: &ProbeOptions,
) -> Result<Predicted> {
    let val = match options.is_fixed(probe) {
        true => None,
        false => features.val,
    };
    let draw = DrawOfLabels {
        features,
        groups: task.groups_of(rows),
        val: val.map(|features| (features, task.truth.select(&task.val))),
        truth: task.truth.select(rows),
        classes: task.names.len(),
        options,
    };
    let (values, chosen) = match task.kind() {
        TaskKind::Numbers => draw.numbers()?,
        TaskKind::Classes => draw.class_probabilities(probe)?,
        TaskKind::LabelSets => draw.label_probabilities(probe)?,
    };
    Ok(Predicted {
        values,
        chosen,
        val_labels: draw.val.as_ref().map_or(0, |_| task.val.len()),
    })
}

/// Answers, scored.
pub(super) struct Scored {
    /// In the order of [`TaskKind::scores`]; then by label, where a sample has several.
    pub(super) scores: Vec<Option<Score>>,
    /// `counts[true][answered]` of classes.
    pub(super) confusion: Option<Vec<Vec<usize>>>,
    /// Of classes: (sum of confidences, right answers, answers) by confidence.
    pub(super) reliability: Vec<(f64, usize, usize)>,
}

/// Scores the predictions `values` for test rows whose true values are `truth`; `classes` or labels there are.
pub(super) fn score(truth: &Truth, values: &[f64], classes: usize) -> Scored {
    let plain = |answers: &dyn Answers| Scored {
        scores: answers.scores(),
        confusion: None,
        reliability: Vec::new(),
    };
    match truth {
        Truth::Numbers(truth) => plain(&NumberAnswers {
            predicted: values,
            truth,
        }),
        Truth::Classes(truth) => {
            let answers = ClassAnswers::new(values, truth, classes);
            Scored {
                confusion: Some(answers.confusion()),
                reliability: answers.reliability(),
                ..plain(&answers)
            }
        }
        Truth::LabelSets(sets) => plain(&LabelAnswers::new(values, sets, classes)),
    }
}

/// What a probe learns from. The methods return its answers for the test rows, and what was chosen.
struct DrawOfLabels<'a> {
    features: &'a Features<'a>,
    truth: Truth,
    groups: Option<Vec<u32>>,
    val: Option<(&'a Matrix, Truth)>,
    /// Number of classes, or of labels.
    classes: usize,
    options: &'a ProbeOptions,
}

impl DrawOfLabels<'_> {
    fn selection<T>(&self, of: impl Fn(&Truth) -> &[T]) -> Selection<'_, T> {
        Selection {
            groups: self.groups.as_deref(),
            val: self
                .val
                .as_ref()
                .map(|(features, truth)| (*features, of(truth))),
        }
    }

    fn unit(&self) -> f64 {
        self.features.unit
    }

    /// Predictions `[m]` by ridge regression.
    fn numbers(&self) -> Result<(Vec<f64>, String)> {
        let alpha = match self.options.ridge.alpha {
            Auto::Auto => Auto::Auto,
            Auto::Set(alpha) => Auto::Set(alpha * self.unit()),
        };
        let selection = self.selection(Truth::numbers);
        let (train, seed) = (self.features.train, self.options.seed);
        let ridge = Ridge::fit(train, self.truth.numbers(), alpha, selection, seed)?;
        let chosen = format!("alpha={:.3e}", ridge.alpha / self.unit());
        Ok((ridge.predict(self.features.test), chosen))
    }

    /// Class probabilities `[m, classes]`.
    fn class_probabilities(&self, probe: &str) -> Result<(Vec<f64>, String)> {
        let Features { train, test, .. } = *self.features;
        let (labels, k, unit) = (self.truth.classes(), self.classes, self.unit());
        let selection = self.selection(Truth::classes);
        if probe == "knn" {
            let settings = knn::choose(train, labels, k, &self.options.knn, selection);
            let found = knn::neighbours(train, test, settings.metric, settings.k, None);
            let mut shares = knn::probabilities(&found, labels, k, settings.k, settings.weights);
            smooth(&mut shares, settings.k, k);
            return Ok((shares, settings.to_string()));
        }
        let (model, c) = match self.options.linear.c {
            Auto::Set(c) => (linear::fit(train, labels, k, c / unit)?, c),
            Auto::Auto => {
                let seed = self.options.seed;
                let (model, c) = linear::fit_auto(train, labels, k, selection, seed)?;
                (model, c * unit)
            }
        };
        Ok((model.probabilities(test), format!("c={c:.3e}")))
    }

    /// Probabilities `[m, labels]` of labels.
    fn label_probabilities(&self, probe: &str) -> Result<(Vec<f64>, String)> {
        let Features { train, test, .. } = *self.features;
        let (sets, k, unit) = (self.truth.label_sets(), self.classes, self.unit());
        let selection = self.selection(Truth::label_sets);
        if probe == "knn" {
            let settings = knn::choose_for_label_sets(train, sets, k, &self.options.knn, selection);
            let found = knn::neighbours(train, test, settings.metric, settings.k, None);
            let shares = knn::label_probabilities(&found, sets, k, settings.k, settings.weights);
            return Ok((shares, settings.to_string()));
        }
        let (model, c) = match self.options.linear.c {
            Auto::Set(c) => (label_sets::fit(train, sets, k, c / unit)?, c),
            Auto::Auto => {
                let seed = self.options.seed;
                let (model, c) = label_sets::fit_auto(train, sets, k, selection, seed)?;
                (model, c * unit)
            }
        };
        Ok((model.probabilities(test), format!("c={c:.3e}")))
    }
}

/// Adds one vote to those of `neighbours`, shared evenly by the classes, so that no probability is 0 and the log loss is at most
/// ln((neighbours + 1) · classes). Answers and rankings stay as they are.
fn smooth(shares: &mut [f64], neighbours: usize, classes: usize) {
    let votes = neighbours as f64;
    for share in shares {
        *share = (*share * votes + 1.0 / classes as f64) / (votes + 1.0);
    }
}
