//! How right the answers of a head are, on samples whose labels are known.

use serde::{Deserialize, Serialize};

use super::answer::score;
use super::estimates::Sampling;
use super::task::{Task, Truth};
use crate::dataset::Values;
use crate::error::{Error, Result, unknown};
use crate::head::Head;
use crate::matrix::Matrix;
use crate::representation::Representation;
use crate::stats::Estimate;
use crate::stats::proportion::exact;
use crate::stats::roc::{curve, share_at_95};

/// How right the answers of a head are.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{ProbeOptions, fit_head};
///
/// let (_, evaluation) = fit_head(&blobs("runs/a", 0.2), &ProbeOptions::default())?;
/// let (name, accuracy) = &evaluation.scores[0];
/// assert!(evaluation.samples == 40 && name == "accuracy" && accuracy.mean > 0.9);
/// assert!(evaluation.roc.is_none()); // There are three classes.
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Labelled samples that were asked.
    pub samples: usize,
    /// Labelled samples that are left out, since the head does not know their class.
    pub unknown: usize,
    /// Measures by name, with intervals over the samples.
    pub scores: Vec<(String, Estimate)>,
    /// Of two classes that both occur.
    pub roc: Option<Roc>,
}

/// The receiver operating characteristic of two classes: how many of the second are found at how many false alarms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Roc {
    /// Names of the first class and of the second, which is found.
    pub classes: [String; 2],
    /// How many samples each has.
    pub counts: [usize; 2],
    /// `[1 − specificity, sensitivity]` from (0, 0) to (1, 1).
    pub points: Vec<[f64; 2]>,
    /// Area under the curve.
    pub auroc: Estimate,
    /// At the threshold of the head, which was chosen on other labels.
    pub chosen: Option<Operation>,
    /// Sensitivity where the specificity on these samples is 95 %.
    pub sensitivity_at_95: Estimate,
}

/// What a threshold gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// The second class is answered where its probability is at least this.
    pub threshold: f64,
    /// Share of the second class that is found.
    pub sensitivity: Estimate,
    /// Share of the first class that is let pass.
    pub specificity: Estimate,
}

/// How right the answers of `head` are for the samples of `r` whose label is known; its features are less [`Head::offset`].
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::evaluation::evaluate;
/// use hspace_core::probe::{ProbeOptions, fit_head};
///
/// let (head, _) = fit_head(&blobs("runs/a", 0.2), &ProbeOptions::default())?;
/// // Other data, noisier.
/// let found = evaluate(&head, &blobs("runs/a", 1.5))?;
/// assert_eq!(found.samples, 160);
/// assert!(found.scores[0].1.mean < head.about.scores[0].1.mean);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When there is no such column, when it is of another kind, or when no sample has a label that the head knows.
pub fn evaluate(head: &Head, r: &Representation) -> Result<Evaluation> {
    let (task, kind) = (&head.about.task, head.about.kind);
    let names = r.columns.iter().map(|column| column.name.as_str());
    let column = r.columns.iter().find(|column| column.name == *task);
    let column = column.ok_or_else(|| Error::data(unknown("column", task, names)))?;
    let place = |name: &String| head.about.names.iter().position(|own| own == name);
    let known: Vec<usize> = (0..r.ids.len())
        .filter(|&row| column.values.is_known(row))
        .collect();
    let places = |names: &[String]| -> Vec<Option<u32>> {
        names.iter().map(|name| Some(place(name)? as u32)).collect()
    };
    // By row, in the order of the head's names; `None` where the head does not know the label.
    let (truth, is_of_head): (Truth, Vec<bool>) = match &column.values {
        Values::Classes { names, index } => {
            let places = places(names);
            let of = |class: &Option<u32>| places[(*class)? as usize];
            let found: Vec<Option<u32>> = index.iter().map(of).collect();
            let truth = found.iter().map(|class| class.unwrap_or(0)).collect();
            (
                Truth::Classes(truth),
                found.iter().map(Option::is_some).collect(),
            )
        }
        Values::MultiLabel { names, sets } => {
            let places = places(names);
            let of = |set: &Option<Vec<u32>>| -> Option<Vec<u32>> {
                set.as_ref()?
                    .iter()
                    .map(|label| places[*label as usize])
                    .collect()
            };
            let found: Vec<Option<Vec<u32>>> = sets.iter().map(of).collect();
            let is_of_head = found.iter().map(Option::is_some).collect();
            let truth = found.into_iter().map(Option::unwrap_or_default).collect();
            (Truth::LabelSets(truth), is_of_head)
        }
        Values::Numbers(values) => {
            let finite = values
                .iter()
                .map(|v| v.is_some_and(f64::is_finite))
                .collect();
            let truth = values.iter().map(|v| v.unwrap_or(0.0)).collect();
            (Truth::Numbers(truth), finite)
        }
    };
    let test: Vec<usize> = known
        .iter()
        .copied()
        .filter(|&row| is_of_head[row])
        .collect();
    let task = Task::tested(head.about.names.clone(), truth, test, &r.columns);
    if task.kind() != kind {
        return Err(Error::data(format!(
            "`{}` is {} to the head, and {} here",
            column.name,
            kind.text(),
            task.kind().text()
        )));
    }
    if task.test.is_empty() {
        return Err(Error::data(format!(
            "no sample has a label of `{}` that the head knows, so its answers cannot be scored",
            column.name
        )));
    }
    Ok(Evaluation {
        unknown: known.len() - task.test.len(),
        ..Evaluation::of(head, &task, &r.features)?
    })
}

impl Evaluation {
    /// On the test rows of a task, whose features are among `features`.
    pub(super) fn of(head: &Head, task: &Task, features: &Matrix) -> Result<Evaluation> {
        let values = head.answer(&features.select(&task.test))?;
        let truth = task.truth.select(&task.test);
        let scored = vec![vec![score(&truth, &values, task.names.len())]];
        let units = task.test_units();
        let grouped = units.is_some();
        let sampling = Sampling::new(&truth, task.names.len(), units);
        let names = task.kind().scores().iter().enumerate();
        let mut scores: Vec<(String, Estimate)> = names
            .filter_map(|(s, name)| Some((name.to_string(), sampling.estimate(&scored, s, name)?)))
            .collect();
        let auroc = scores.iter().find(|(name, _)| name == "macro_auroc");
        let roc = match (&truth, auroc, &task.names[..]) {
            (Truth::Classes(index), Some((_, auroc)), [first, second]) => {
                let classes = [first.clone(), second.clone()];
                let probabilities = values.chunks_exact(2).map(|p| p[1]);
                let is_second = index.iter().map(|class| *class == 1);
                let samples: Vec<(f64, bool)> = probabilities.zip(is_second).collect();
                Roc::of(classes, &samples, head.about.threshold, *auroc, grouped)
            }
            _ => None,
        };
        if let Some(roc) = &roc {
            let chosen = roc.chosen.iter();
            let rates = chosen.flat_map(|c| {
                [
                    ("sensitivity", c.sensitivity),
                    ("specificity", c.specificity),
                ]
            });
            let rates = rates.chain([("sensitivity_at_95_specificity", roc.sensitivity_at_95)]);
            scores.extend(rates.map(|(name, estimate)| (name.to_owned(), estimate)));
        }
        Ok(Evaluation {
            samples: task.test.len(),
            unknown: 0,
            scores,
            roc,
        })
    }
}

impl Roc {
    /// Of samples' probabilities of the second class and whether they are of it; `None` where one class has no sample. Intervals of shares are
    /// for independent samples: where they are `grouped` there are none.
    fn of(
        classes: [String; 2],
        samples: &[(f64, bool)],
        threshold: Option<f64>,
        auroc: Estimate,
        grouped: bool,
    ) -> Option<Roc> {
        let of = |second: bool| -> Vec<f64> {
            let own = samples.iter().filter(|(_, is_second)| *is_second == second);
            own.map(|(p, _)| *p).collect()
        };
        let (negatives, positives) = (of(false), of(true));
        if negatives.is_empty() || positives.is_empty() {
            return None;
        }
        let interval = |e: Estimate| match grouped {
            true => Estimate::without_interval(e.mean),
            false => e,
        };
        let chosen = threshold.map(|threshold| {
            let above = |of: &[f64]| of.iter().filter(|p| **p >= threshold).count();
            let passed = negatives.len() - above(&negatives);
            Operation {
                threshold,
                sensitivity: interval(exact(above(&positives), positives.len())),
                specificity: interval(exact(passed, negatives.len())),
            }
        });
        let turned = |of: &[f64]| of.iter().map(|p| -p).collect::<Vec<f64>>();
        let missed = share_at_95(&turned(&negatives), &turned(&positives));
        Some(Roc {
            classes,
            counts: [negatives.len(), positives.len()],
            points: curve(&negatives, &positives),
            auroc,
            chosen,
            sensitivity_at_95: interval(Estimate {
                mean: 1.0 - missed.mean,
                low: 1.0 - missed.high,
                high: 1.0 - missed.low,
            }),
        })
    }
}
