//! One probe on one draw of labels: fitted, and asked about the test rows; then scored.

use serde::{Deserialize, Serialize};

use super::confidence::Confidence;
use super::entry::{Entry, Labelled};
use super::label_scores::LabelAnswers;
use super::mask::scores::MaskAnswers;
use super::options::ProbeOptions;
use super::scores::{Answers, ClassAnswers, NumberAnswers, Score};
use super::task::{Task, Truth};
use crate::error::Result;
use crate::matrix::Matrix;
use crate::stats::Crossed;

/// What a probe is fitted on and asked about, scaled.
pub(super) struct Features<'a> {
    pub(super) train: &'a Matrix,
    pub(super) test: &'a Matrix,
    /// Features of the task's validation rows, where settings are chosen by them.
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
    probe: &Entry,
    task: &Task,
    features: &Features<'_>,
    rows: &[usize],
    options: &ProbeOptions,
) -> Result<Predicted> {
    let val = match (probe.is_fixed)(options) {
        true => None,
        false => features.val,
    };
    let labelled = Labelled {
        features: features.train,
        truth: task.truth.select(rows),
        groups: task.groups_of(rows),
        val: val.map(|features| (features, task.truth.select(&task.val))),
        classes: task.names.len(),
        unit: features.unit,
        options,
    };
    let head = (probe.fit)(&labelled)?;
    Ok(Predicted {
        values: head.answer(features.test),
        chosen: head.settings(),
        val_labels: val.map_or(0, |_| task.val.len()),
    })
}

/// What one probe, or a source's own head, scored on one draw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ProbeAnswer {
    /// Its name.
    pub(super) probe: String,
    /// The measures of [`Scored`] by test unit, of one seed and draw.
    pub(super) scores: Vec<Option<Crossed>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) confusion: Option<Vec<Vec<usize>>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) reliability: Vec<(f64, usize, usize)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) confidence: Option<Confidence>,
    /// The settings, as text.
    pub(super) chosen: String,
    /// Validation labels that were chosen by.
    pub(super) val_labels: usize,
}

/// Answers, scored.
pub(super) struct Scored {
    /// In the order of [`TaskKind::scores`]; then by label, where a sample has several.
    pub(super) scores: Vec<Option<Score>>,
    /// `counts[true][answered]` of classes.
    pub(super) confusion: Option<Vec<Vec<usize>>>,
    /// Of classes: (sum of confidences, right answers, answers) by confidence.
    pub(super) reliability: Vec<(f64, usize, usize)>,
    /// Of classes.
    pub(super) confidence: Option<Confidence>,
}

/// Scores the predictions `values` for test rows whose true values are `truth`; `classes` or labels there are. Of masks, they are pixels right
/// and answered `[m, classes, 2]`.
pub(super) fn score(truth: &Truth, values: &[f64], classes: usize) -> Scored {
    let plain = |answers: &dyn Answers| Scored {
        scores: answers.scores(),
        confusion: None,
        reliability: Vec::new(),
        confidence: None,
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
                confidence: Confidence::of(answers.confidences()),
                ..plain(&answers)
            }
        }
        Truth::LabelSets(sets) => plain(&LabelAnswers::new(values, sets, classes)),
        Truth::Masks(masks) => plain(&MaskAnswers {
            counts: values,
            truth: masks,
            classes,
        }),
    }
}
