//! Is a rule worth it? On labelled data: a few labels at random, the others by each rule, and the linear probe fitted to them.
//!
//! For each seed, `start` training samples are drawn at random and labelled; each rule then chooses n − start of the others at once, seeing
//! none of their labels; a linear probe is fitted to those n labels, its penalty chosen inside them, and tested. Rules of one seed begin from the
//! same samples and are tested on the same ones, so they are compared on pairs, with Holm's correction.
//!
//! An interval holds the samples that are labelled first (the seeds) and the test samples; it does not hold another pool of training samples,
//! nor another training of the encoder.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::pool::probabilities;
use super::{Pick, Pool, RULES, Rule, Uncertainty};
use crate::auto::Auto;
use crate::error::{Error, Result};
use crate::list::Entry;
use crate::matrix::Matrix;
use crate::probe::comparison::{Comparison, compare};
use crate::probe::scores::largest;
use crate::probe::{Estimate, Labels, Row, Scaling, Task, Transform, task_column};
use crate::random::{mix, shuffled};
use crate::representation::Representation;
use crate::stats::{Crossed, Range};
use crate::text::{aligned, cell};

/// Settings of [`evaluate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationOptions {
    /// Name of the column that is the task; `auto` is the first label column.
    pub task: String,
    /// Labels in total.
    pub n: usize,
    /// Labels drawn at random before a rule chooses the rest. `auto`: a quarter of `n`, at least two a class, at most half.
    pub start: Auto<usize>,
    /// Seeds: times that it is done.
    pub seeds: usize,
    /// How uncertainty is measured.
    pub uncertainty: Uncertainty,
    /// How features are scaled.
    pub scaling: Scaling,
    /// Seed of the seeds.
    pub seed: u64,
}

impl Default for EvaluationOptions {
    fn default() -> Self {
        EvaluationOptions {
            task: "auto".into(),
            n: 100,
            start: Auto::Auto,
            seeds: 5,
            uncertainty: Uncertainty::Margin,
            scaling: Scaling::Auto,
            seed: 0,
        }
    }
}

/// A rule and how accurate the linear probe is on what it chose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// Name of the rule.
    pub rule: String,
    /// Test accuracy, a mean over seeds.
    pub accuracy: Estimate,
    /// That of each seed.
    pub seeds: Vec<f64>,
    /// Classes among the labels, a mean over seeds.
    pub classes: f64,
}

/// Everything that [`evaluate`] found. Written as JSON.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::auto::Auto;
/// use hspace_core::selection::{EvaluationOptions, evaluate};
///
/// let options = EvaluationOptions { n: 12, start: Auto::Set(4), seeds: 1, ..EvaluationOptions::default() };
/// let found = evaluate(&blobs("runs/a", 0.3), &options, &mut |_| ())?;
/// assert_eq!((found.start, found.train, found.test), (4, 120, 40));
/// let table = found.table();
/// assert!(table.contains("coreset") && table.contains("without an interval"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Name of the representation.
    pub source: String,
    /// The column that is the task.
    pub task: String,
    /// Labels in total, of so many training samples.
    pub n: usize,
    /// Labels drawn at random first.
    pub start: usize,
    /// Number of seeds.
    pub seeds: usize,
    /// Number of training samples to choose from.
    pub train: usize,
    /// Number of test samples.
    pub test: usize,
    /// How uncertainty was measured.
    pub uncertainty: Uncertainty,
    /// The rules, in the order of [`RULES`].
    pub rules: Vec<Evaluated>,
    /// Pairs of rules: which one is better.
    pub comparisons: Vec<Comparison>,
}

/// Evaluates every rule on `r`. `progress` is called with what is being done.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::selection::{EvaluationOptions, RULES, evaluate};
///
/// let options = EvaluationOptions { n: 20, seeds: 3, ..EvaluationOptions::default() };
/// let found = evaluate(&blobs("runs/a", 0.3), &options, &mut |_| ())?;
/// assert_eq!(found.rules.len(), RULES.len());
/// assert!(found.rules.iter().all(|rule| rule.accuracy.mean > 0.8 && rule.seeds.len() == 3));
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When the task is none of classes, a split has no labels, or there are fewer training labels than asked for.
pub fn evaluate(
    r: &Representation,
    options: &EvaluationOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<Evaluation> {
    r.check()?;
    let column = task_column(r, &options.task)?;
    let task = Task::new(column, &r.columns, &r.split)?.tested_by_split(column)?;
    let classes = task.names.len();
    if task.truth.classes().is_empty() {
        return Err(Error::config(format!(
            "samples are chosen for classes, and `{}` has none; name another column with --label",
            column.name
        )));
    }
    let start = match options.start {
        Auto::Set(start) => start,
        Auto::Auto => (options.n / 4).max(2 * classes).min(options.n / 2),
    };
    if start < 2 || start >= options.n || options.n > task.train.len() || options.seeds == 0 {
        return Err(Error::config(format!(
            "{start} labels at random of {} in total, {} seeds: of {} labelled training samples at least 2 must be drawn at random, and fewer than \
             are labelled in total, with at least one seed",
            options.n,
            options.seeds,
            task.train.len()
        )));
    }
    let transform = Transform::fit(
        &r.features,
        task.train.iter().copied(),
        options.scaling,
        false,
    );
    let scaled = |rows: &[usize]| {
        let mut features = r.features.select(rows);
        transform.apply(&mut features);
        features
    };
    let index = task.truth.classes();
    let study = Study {
        train: &scaled(&task.train),
        test: &scaled(&task.test),
        train_classes: task.train.iter().map(|&i| index[i]).collect(),
        test_classes: task.test.iter().map(|&i| index[i]).collect(),
        classes,
        units: task.test_units(),
        start,
        options,
    };
    let mut cells: Vec<Vec<Cell>> = RULES.iter().map(|_| Vec::new()).collect();
    for seed in 0..options.seeds {
        progress(&format!("seed {} of {}", seed + 1, options.seeds));
        let seed = mix(&[options.seed, seed as u64]);
        for (own, cell) in cells.iter_mut().zip(study.of_seed(seed)?) {
            own.push(cell);
        }
    }
    let mut rules = Vec::new();
    let mut rows = Vec::new();
    for (rule, cells) in RULES.iter().zip(cells) {
        let count = cells.len() as f64;
        let seen = cells.iter().map(|cell| cell.classes as f64).sum::<f64>() / count;
        let values = cells.into_iter().map(|cell| cell.units).collect();
        // Two seeds have nothing in common but by chance.
        let crossed = Crossed::new(&[values], Some(0.0));
        let mean = crossed.mean();
        let accuracy = match crossed.spread() {
            Ok(spread) => spread.interval(mean, Range::Share),
            Err(_) => Estimate::without_interval(mean),
        };
        rules.push(Evaluated {
            rule: rule.name.to_owned(),
            accuracy,
            seeds: crossed.draw_means(),
            classes: seen,
        });
        rows.push(row(rule.name, options.n, accuracy, crossed));
    }
    Ok(Evaluation {
        source: r.name.clone(),
        task: column.name.clone(),
        n: options.n,
        start,
        seeds: options.seeds,
        train: task.train.len(),
        test: task.test.len(),
        uncertainty: options.uncertainty,
        rules,
        comparisons: compare(&rows),
    })
}

/// What is the same for all seeds and rules.
struct Study<'a> {
    train: &'a Matrix,
    test: &'a Matrix,
    train_classes: Vec<u32>,
    test_classes: Vec<u32>,
    classes: usize,
    /// Places of test rows that belong together.
    units: Option<Vec<Vec<usize>>>,
    start: usize,
    options: &'a EvaluationOptions,
}

/// One rule and one seed.
struct Cell {
    /// Whether the test rows of each unit are right, so that their mean is the accuracy.
    units: Vec<f64>,
    /// Classes among the labels.
    classes: usize,
}

impl Study<'_> {
    /// All rules with the same labels at first.
    fn of_seed(&self, seed: u64) -> Result<Vec<Cell>> {
        let labelled = self.first(seed);
        let mut is_open = vec![true; self.train.rows];
        labelled.iter().for_each(|&i| is_open[i] = false);
        let open: Vec<usize> = (0..self.train.rows).filter(|&i| is_open[i]).collect();
        let y = self.of(&labelled);
        let p = probabilities(self.train, &labelled, &y, self.classes, &open, seed)?;
        let uncertainty = self.options.uncertainty.of(&p, self.classes);
        let pool = Pool {
            features: self.train,
            labelled: &labelled,
            open: &open,
            uncertainty: Some(&uncertainty),
            seed,
        };
        let one = |rule: &Entry<Rule>| -> Result<Cell> {
            let picks = rule.choose(&pool, self.options.n - self.start)?;
            let mut rows = labelled.clone();
            rows.extend(picks.iter().map(|pick: &Pick| pick.row));
            rows.sort_unstable();
            self.measure(&rows, seed)
        };
        RULES.par_iter().map(one).collect()
    }

    /// The rows that are labelled first: at random, but of two classes at least, since of one no probe can be fitted.
    fn first(&self, seed: u64) -> Vec<usize> {
        let mut order = shuffled((0..self.train.rows).collect(), mix(&[seed, 2]));
        let class = |i: usize| self.train_classes[i];
        let one = class(order[0]);
        if order[..self.start].iter().all(|&i| class(i) == one)
            && let Some(place) = order.iter().position(|&i| class(i) != one)
        {
            order.swap(self.start - 1, place);
        }
        order.truncate(self.start);
        order.sort_unstable();
        order
    }

    fn of(&self, rows: &[usize]) -> Vec<u32> {
        rows.iter().map(|&i| self.train_classes[i]).collect()
    }

    /// The linear probe fitted to `rows`.
    fn measure(&self, rows: &[usize], seed: u64) -> Result<Cell> {
        let y = self.of(rows);
        let own = self.train.select(rows);
        let selection = crate::probe::folds::Selection::default();
        let (model, _) = crate::probe::linear::fit_auto(&own, &y, self.classes, selection, seed)?;
        let p = model.probabilities(self.test);
        let answers = p.chunks_exact(self.classes).map(largest);
        let right: Vec<f64> = answers
            .zip(&self.test_classes)
            .map(|(a, y)| f64::from(u8::from(a == *y)))
            .collect();
        let mut seen = y;
        seen.sort_unstable();
        seen.dedup();
        Ok(Cell {
            units: by_unit(right, self.units.as_deref()),
            classes: seen.len(),
        })
    }
}

/// One value a unit whose mean is that of `right`: the mean, and what the unit's rows add to it.
fn by_unit(right: Vec<f64>, units: Option<&[Vec<usize>]>) -> Vec<f64> {
    let Some(units) = units else { return right };
    let mean = right.iter().sum::<f64>() / right.len() as f64;
    let share = units.len() as f64 / right.len() as f64;
    let of = |unit: &Vec<usize>| unit.iter().map(|&i| right[i] - mean).sum::<f64>();
    units.iter().map(|unit| mean + share * of(unit)).collect()
}

/// As a line of measurements, which pairs are compared by.
fn row(rule: &str, n: usize, accuracy: Estimate, answers: Crossed) -> Row {
    Row {
        representation: rule.to_owned(),
        probe: "linear".into(),
        labels: Labels::All,
        labelled: n,
        val_labels: 0,
        scores: vec![("accuracy".into(), accuracy)],
        label_scores: Vec::new(),
        draws: answers.draw_means(),
        confidence: None,
        needs: None,
        answers: Some(answers),
        chosen: Vec::new(),
    }
}

impl Evaluation {
    /// A line a rule, and the pairs.
    pub fn table(&self) -> String {
        let mut lines = vec![
            ["rule", "accuracy", "classes seen"]
                .map(String::from)
                .to_vec(),
        ];
        for rule in &self.rules {
            let e = &rule.accuracy;
            lines.push(vec![
                rule.rule.clone(),
                cell(e.mean, e.low, e.high),
                format!("{:.1}", rule.classes),
            ]);
        }
        let mut text = format!(
            "{}: `{}`, {} of {} training labels, {} of them at random; linear probe on {} test samples, {} seeds\n{}",
            self.source,
            self.task,
            self.n,
            self.train,
            self.start,
            self.test,
            self.seeds,
            aligned(&lines)
        );
        match self.rules.iter().any(|rule| rule.accuracy.has_interval()) {
            true => text.push_str(
                "± is half of the 95 % interval, which holds the labels drawn at random first and the test samples, not another training pool\n",
            ),
            false => text.push_str("without an interval: it takes at least 3 seeds and 30 test samples\n"),
        }
        for pair in &self.comparisons {
            let verdict = pair.verdict();
            text.push_str(&format!("  {} and {}: {verdict}\n", pair.a, pair.b));
        }
        text
    }
}
