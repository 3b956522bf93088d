//! A probe fitted to keep: its answers for other samples.

use super::TaskKind;
use super::entry::{Entry, Labelled};
use super::evaluation::Evaluation;
use super::options::ProbeOptions;
use super::scaling::Transform;
use super::task::{Task, Truth, task_column};
use crate::dataset::Split;
use crate::error::{Error, Result, valid};
use crate::head::{About, Calibration, Head, HeldOut, Map, threshold};
use crate::matrix::Matrix;
use crate::representation::Representation;

/// Folds whose held-out answers temperature and threshold are chosen by, where there are no validation labels.
const FOLDS: usize = 5;

/// Fits the first probe of `options` to all labelled training rows of `r`, as `measure` does with all labels. Its
/// temperature and, of two classes, its threshold are chosen by the validation labels, or where there are none by the held-out answers of
/// five folds; it is scored on the test labels once, at the end, which is what comes with it.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::matrix::Matrix;
/// use hspace_core::probe::{ProbeOptions, fit_head};
///
/// let options = ProbeOptions { task: "width".into(), probes: vec!["ridge".into()], ..ProbeOptions::default() };
/// let (head, evaluation) = fit_head(&blobs("runs/a", 0.1), &options)?;
/// assert!(evaluation.scores[0].0 == "r2" && evaluation.scores[0].1.mean > 0.9);
/// let width = head.answer(&Matrix::new(1, 2, vec![1.0, 0.0]))?;
/// assert!((width[0] - 1.0).abs() < 0.1);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When the task is unknown or a split has no labels, or features are not finite.
pub fn fit_head(r: &Representation, options: &ProbeOptions) -> Result<(Head, Evaluation)> {
    valid(options.validate())?;
    r.check()?;
    let column = task_column(r, &options.task)?;
    let task = Task::new(column, &r.columns, &r.split)?.tested_by_split(column)?;
    let probes = task.probes(options)?;
    let entry = *probes.first().ok_or_else(|| {
        Error::config("no probe that learns the task is asked for; use --probe linear")
    })?;
    let all = (0..r.split.len()).filter(|&i| r.split[i] == Split::Train);
    let transform = Transform::fit(&r.features, all, options.scaling, (entry.is_fixed)(options));
    let fits = Fits {
        r,
        entry,
        options,
        transform: &transform,
    };
    let (map, settings) = fits.map(&task)?;
    let (shift, factor) = transform.line(r.features.cols);
    let mut head = Head {
        map,
        offset: r.shift.clone(),
        shift,
        factor,
        about: About {
            task: column.name.clone(),
            kind: task.kind(),
            names: task.names.clone(),
            source: (r.name.clone(), r.origin.clone()),
            made: format!("{} {settings}", entry.name),
            samples: task.train.len(),
            temperature: 1.0,
            calibration: None,
            threshold: None,
            scores: Vec::new(),
        },
    };
    let held = fits.held_out(&task, &head)?;
    let outputs = head.outputs();
    let held_out = match task.val.is_empty() {
        true => HeldOut::Folds,
        false => HeldOut::Validation,
    };
    match &head.map {
        Map::Linear { .. } => {
            let truth = held.truth(&task);
            head.about
                .calibrate(&held.probabilities, &truth, held_out)?;
        }
        Map::Neighbours(_) if task.kind() == TaskKind::Numbers => {}
        Map::Neighbours(_) => {
            head.about.calibration = Some(Calibration::Uncalibrated {
                reason: "probabilities are the votes of neighbours".to_owned(),
            });
        }
    }
    if task.kind() == TaskKind::Classes && outputs == 2 && !held.rows.is_empty() {
        let second: Vec<bool> = held
            .truth(&task)
            .chunks_exact(2)
            .map(|row| row[1])
            .collect();
        let power = 1.0 / head.about.temperature;
        let pairs = held.probabilities.chunks_exact(2);
        let tempered = pairs.map(|p| {
            let [no, yes] = [p[0].powf(power), p[1].powf(power)];
            yes / (no + yes)
        });
        head.about.threshold = Some(threshold(&tempered.collect::<Vec<_>>(), &second));
    }
    let evaluation = Evaluation::of(&head, &task, &r.features)?;
    head.about.scores.clone_from(&evaluation.scores);
    Ok((head, evaluation))
}

/// Answers for rows that a map was not fitted to.
struct Held {
    rows: Vec<usize>,
    /// `[rows, outputs]`
    probabilities: Vec<f64>,
}

impl Held {
    /// What is there, as the probabilities.
    fn truth(&self, task: &Task) -> Vec<bool> {
        let outputs = task.names.len() as u32;
        let flags = |row: &usize| -> Vec<bool> {
            match &task.truth {
                Truth::Classes(index) => (0..outputs).map(|c| index[*row] == c).collect(),
                Truth::LabelSets(sets) => (0..outputs).map(|l| sets[*row].contains(&l)).collect(),
                Truth::Numbers(_) | Truth::Masks(_) => Vec::new(),
            }
        };
        self.rows.iter().flat_map(flags).collect()
    }
}

/// What all fits have in common.
struct Fits<'a> {
    r: &'a Representation,
    entry: &'static Entry,
    options: &'a ProbeOptions,
    transform: &'a Transform,
}

impl Fits<'_> {
    fn features(&self, rows: &[usize]) -> Matrix {
        let mut features = self.r.features.select(rows);
        self.transform.apply(&mut features);
        features
    }

    /// What is fitted to the training rows of a task, and its settings.
    fn map(&self, task: &Task) -> Result<(Map, String)> {
        let (features, val) = (self.features(&task.train), self.features(&task.val));
        let chooses = !task.val.is_empty() && !(self.entry.is_fixed)(self.options);
        let labelled = Labelled {
            features: &features,
            truth: task.truth.select(&task.train),
            groups: task.groups_of(&task.train),
            val: chooses.then(|| (&val, task.truth.select(&task.val))),
            classes: task.names.len(),
            unit: self.transform.unit(),
            options: self.options,
        };
        let fitted = (self.entry.fit)(&labelled)?;
        Ok((fitted.map(), fitted.settings()))
    }

    /// The answers of `head` for validation rows, or of fits to four of five folds for the fifth.
    fn held_out(&self, task: &Task, head: &Head) -> Result<Held> {
        let mut held = Held {
            rows: task.val.clone(),
            probabilities: Vec::new(),
        };
        if task.kind() == TaskKind::Numbers {
            held.rows.clear();
            return Ok(held);
        }
        if !held.rows.is_empty() {
            held.probabilities = head.answer(&self.r.features.select(&held.rows))?;
            return Ok(held);
        }
        // With too few samples there are no folds, and nothing is chosen.
        let folds = task.of_training().folds(FOLDS, self.options.seed);
        for fold in folds.unwrap_or_default() {
            let (map, _) = self.map(&fold)?;
            let part = Head {
                map,
                offset: head.offset.clone(),
                shift: head.shift.clone(),
                factor: head.factor.clone(),
                about: head.about.clone(),
            };
            let answers = part.answer(&self.r.features.select(&fold.test))?;
            held.probabilities.extend(answers);
            held.rows.extend(fold.test);
        }
        Ok(held)
    }
}

#[cfg(test)]
mod tests;
