//! A probe fitted to keep: its answers for other samples.

use super::TaskKind;
use super::answer::score;
use super::entry::{Entry, Labelled};
use super::estimates::Sampling;
use super::options::ProbeOptions;
use super::scaling::Transform;
use super::task::{Task, Truth, task_column};
use crate::dataset::Split;
use crate::error::{Error, Result, valid};
use crate::head::{About, Head, temperature, threshold};
use crate::matrix::Matrix;
use crate::representation::Representation;
use crate::stats::Estimate;
use crate::stats::proportion::exact;
use crate::stats::roc::share_at_95;

/// Folds whose held-out answers temperature and threshold are chosen by, where there are no validation labels.
const FOLDS: usize = 5;

/// Fits the first probe of `options` to all labelled training rows of `r`, as `measure` does with all labels. Its
/// temperature and, of two classes, its threshold are chosen by the validation labels, or where there are none by the held-out answers of
/// five folds; it is scored on the test labels once, at the end.
///
/// # Errors
/// When the task is unknown or a split has no labels, features are not finite, or the probe cannot be kept (k nearest neighbours would be
/// all training rows).
pub fn fit_head(r: &Representation, options: &ProbeOptions) -> Result<Head> {
    valid(options.validate())?;
    r.check()?;
    let column = task_column(r, &options.task)?;
    let task = Task::new(column, &r.columns, &r.split)?;
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
    let (map, settings) = fits.linear(&task)?;
    let (shift, factor) = transform.line(r.features.cols);
    let mut head = Head {
        weights: map.0,
        bias: map.1,
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
            threshold: None,
            scores: Vec::new(),
        },
    };
    let held = fits.held_out(&task, &head)?;
    let outputs = task.names.len().max(1);
    head.about.temperature = temperature(
        task.kind(),
        &held.probabilities,
        &held.truth(&task),
        outputs,
    )?;
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
    head.about.scores = scores(&head, &task, r)?;
    Ok(head)
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
                Truth::Numbers(_) => Vec::new(),
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

    /// The map `[d, outputs]` and `[outputs]` fitted to the training rows of a task, and its settings.
    fn linear(&self, task: &Task) -> Result<((Matrix, Vec<f64>), String)> {
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
        let map = fitted.linear().ok_or_else(|| {
            let name = self.entry.name;
            Error::config(format!(
                "the {name} probe cannot be kept as a head; use --probe linear"
            ))
        })?;
        Ok((map, fitted.settings()))
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
            let ((weights, bias), _) = self.linear(&fold)?;
            let part = Head {
                weights,
                bias,
                ..head.clone()
            };
            let answers = part.answer(&self.r.features.select(&fold.test))?;
            held.probabilities.extend(answers);
            held.rows.extend(fold.test);
        }
        Ok(held)
    }
}

/// The measures on the test rows, with intervals over test samples; of two classes also those at the threshold.
fn scores(head: &Head, task: &Task, r: &Representation) -> Result<Vec<(String, Estimate)>> {
    let values = head.answer(&r.features.select(&task.test))?;
    let truth = task.truth.select(&task.test);
    let scored = vec![vec![score(&truth, &values, task.names.len())]];
    let sampling = Sampling::new(&truth, task.names.len(), task.test_units());
    let names = task.kind().scores().iter().enumerate();
    let mut found: Vec<(String, Estimate)> = names
        .filter_map(|(s, name)| Some((name.to_string(), sampling.estimate(&scored, s, name)?)))
        .collect();
    let (Some(threshold), Truth::Classes(index)) = (head.about.threshold, &truth) else {
        return Ok(found);
    };
    let of = |class: u32| -> Vec<f64> {
        let pairs = index.iter().zip(values.chunks_exact(2));
        pairs
            .filter(|(c, _)| **c == class)
            .map(|(_, p)| p[1])
            .collect()
    };
    let (negative, positive) = (of(0), of(1));
    if negative.is_empty() || positive.is_empty() {
        return Ok(found);
    }
    let above = |of: &[f64]| of.iter().filter(|p| **p >= threshold).count();
    let specific = negative.len() - above(&negative);
    let rates = [
        ("sensitivity", exact(above(&positive), positive.len())),
        ("specificity", exact(specific, negative.len())),
        ("sensitivity_at_95_specificity", {
            let turned = |of: &[f64]| of.iter().map(|p| -p).collect::<Vec<f64>>();
            let missed = share_at_95(&turned(&negative), &turned(&positive));
            Estimate {
                mean: 1.0 - missed.mean,
                low: 1.0 - missed.high,
                high: 1.0 - missed.low,
            }
        }),
    ];
    found.extend(rates.map(|(name, estimate)| (name.to_owned(), estimate)));
    Ok(found)
}
