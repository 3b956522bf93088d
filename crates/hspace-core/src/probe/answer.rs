//! One probe on one draw of labels: fitted, asked about the test rows, and scored.

use super::few_labels::estimate;
use super::folds::Selection;
use super::label_scores::LabelAnswers;
use super::linear::label_sets;
use super::options::ProbeOptions;
use super::ridge::Ridge;
use super::scores::{Answers, ClassAnswers, NumberAnswers, bounded};
use super::task::{Task, Truth};
use super::{Estimate, TaskKind, knn, linear};
use crate::auto::Auto;
use crate::error::Result;
use crate::matrix::Matrix;

/// What one probe answered on one draw.
pub(super) struct Answered {
    /// In the order of [`TaskKind::scores`]; then by label, where a sample has several.
    pub(super) scores: Vec<Option<f64>>,
    /// Standard errors of the scores from the test set; empty where they were not asked for.
    pub(super) errors: Vec<Option<f64>>,
    pub(super) chosen: String,
    /// Validation labels that were chosen by.
    pub(super) val_labels: usize,
    /// `counts[true][answered]` of classes.
    pub(super) confusion: Option<Vec<Vec<usize>>>,
}

/// What a probe is fitted on and asked about, conditioned.
pub(super) struct Features<'a> {
    pub(super) train: &'a Matrix,
    pub(super) test: &'a Matrix,
    /// Those of the task's validation rows, where settings are chosen by them.
    pub(super) val: Option<&'a Matrix>,
    /// The power of two they were multiplied by.
    pub(super) scale: f64,
}

/// The estimate of the measure `name`, number `s` of a draw's scores; `None` where it is undefined.
pub(super) fn over_draws(answered: &[Answered], s: usize, name: &str) -> Option<Estimate> {
    let values: Option<Vec<f64>> = answered.iter().map(|a| a.scores[s]).collect();
    let values = values.filter(|values| !values.is_empty())?;
    Some(match answered[0].errors[s] {
        Some(error) => bounded(name, estimate(&values, error)),
        None => {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            Estimate {
                mean,
                low: mean,
                high: mean,
            }
        }
    })
}

/// Fits one probe on the training features (of `rows`) and scores it on those of the test rows; standard errors from
/// the test set only where `with_errors`.
pub(super) fn answer(
    probe: &str,
    task: &Task,
    features: &Features<'_>,
    rows: &[usize],
    with_errors: bool,
    options: &ProbeOptions,
) -> Result<Answered> {
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
    let truth = task.truth.select(&task.test);
    let test_groups = task.groups_of(&task.test);
    let scored = |answers: &dyn Answers, chosen, confusion| Answered {
        scores: answers.plain(),
        errors: match with_errors {
            true => answers.standard_errors(options.seed, test_groups.as_deref()),
            false => Vec::new(),
        },
        chosen,
        val_labels: draw.val.as_ref().map_or(0, |_| task.val.len()),
        confusion,
    };
    Ok(match task.kind() {
        TaskKind::Numbers => {
            let (predicted, chosen) = draw.numbers()?;
            let answers = NumberAnswers {
                predicted: &predicted,
                truth: truth.numbers(),
            };
            scored(&answers, chosen, None)
        }
        TaskKind::Classes => {
            let (probabilities, chosen) = draw.class_probabilities(probe)?;
            let answers = ClassAnswers::new(&probabilities, truth.classes(), draw.classes);
            scored(&answers, chosen, Some(answers.confusion()))
        }
        TaskKind::LabelSets => {
            let (probabilities, chosen) = draw.label_probabilities(probe)?;
            let answers = LabelAnswers::new(&probabilities, truth.label_sets(), draw.classes);
            scored(&answers, chosen, None)
        }
    })
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

    /// Squared weights on the features as they are, over those on the conditioned ones.
    fn unit(&self) -> f64 {
        self.features.scale * self.features.scale
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
            let shares = knn::probabilities(&found, labels, k, settings.k, settings.weights);
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
