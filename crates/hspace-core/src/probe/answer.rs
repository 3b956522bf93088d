//! One probe on one draw of labels: fitted, asked about the test rows, scored.

use super::few_labels::estimate;
use super::options::ProbeOptions;
use super::ridge::Ridge;
use super::scores::{Answers, ClassAnswers, NumberAnswers, bounded};
use super::task::Task;
use super::{Estimate, knn, linear};
use crate::auto::Auto;
use crate::error::Result;
use crate::matrix::Matrix;

/// What one probe answered on one draw.
pub(super) struct Answered {
    pub(super) scores: Vec<Option<f64>>,
    pub(super) errors: Vec<Option<f64>>,
    pub(super) chosen: String,
    pub(super) confusion: Option<Vec<Vec<usize>>>,
}

/// What a probe is fitted on and asked about, conditioned.
pub(super) struct Features<'a> {
    pub(super) train: &'a Matrix,
    pub(super) test: &'a Matrix,
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
    let classes = task.classes.len();
    let Features { train, test, scale } = *features;
    // Squared weights on the features as they are, over those on the conditioned ones.
    let unit = scale * scale;
    let (labels, targets) = task.truth_of(rows);
    let (truth, true_numbers) = task.truth_of(&task.test);
    if probe == "ridge" {
        let alpha = match options.ridge.alpha {
            Auto::Auto => None,
            Auto::Set(alpha) => Some(alpha * unit),
        };
        let ridge = Ridge::fit(train, &targets, alpha)?;
        let predicted = ridge.predict(test);
        let answers = NumberAnswers {
            predicted: &predicted,
            truth: &true_numbers,
        };
        return Ok(Answered::of(
            &answers,
            format!("alpha={:.3e}", ridge.alpha / unit),
            None,
            with_errors,
            options,
        ));
    }
    let (probabilities, chosen) = if probe == "knn" {
        let settings = knn::choose(train, &labels, classes, &options.knn);
        let found = knn::neighbours(train, test, settings.metric, settings.k, None);
        (
            knn::probabilities(&found, &labels, classes, settings.k, settings.weights),
            settings.to_string(),
        )
    } else {
        let (model, c) = match options.linear.c {
            Auto::Set(c) => (linear::fit(train, &labels, classes, c / unit)?, c),
            Auto::Auto => {
                let (model, c) = linear::fit_auto(train, &labels, classes, options.seed)?;
                (model, c * unit)
            }
        };
        (model.probabilities(test), format!("c={c:.3e}"))
    };
    let answers = ClassAnswers::new(&probabilities, &truth, classes);
    Ok(Answered::of(
        &answers,
        chosen,
        Some(answers.confusion()),
        with_errors,
        options,
    ))
}

impl Answered {
    fn of(
        answers: &dyn Answers,
        chosen: String,
        confusion: Option<Vec<Vec<usize>>>,
        with_errors: bool,
        options: &ProbeOptions,
    ) -> Answered {
        let errors = if with_errors {
            answers.standard_errors(options.seed)
        } else {
            Vec::new()
        };
        Answered {
            scores: answers.plain(),
            errors,
            chosen,
            confusion,
        }
    }
}
