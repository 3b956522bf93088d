//! Features that should not be features: constant ones, those that say the task, and those that count the rows.
//!
//! At most [`ROWS`] rows are looked at, fewer where there are many features ([`CELLS`]). One alone says
//! - **classes**, if the class of the nearest value among training rows has a balanced accuracy of [`TELLS`] on the others (on
//!   every other row where there are not enough of them). That covers thresholds, intervals and codes of classes. Only classes with
//!   [`FEWEST_OF_CLASS`] held-out rows count, and there must be two of them;
//! - **numbers**, if Spearman's rank correlation is ± [`RANKED`];
//! - the **row number**, if its rank correlation with it is ± [`RANKED`] within each split.
//!
//! A task may simply be easy. So a feature is named only where at most a tenth of the features (or one) say the task, and the best of
//! the others stays below [`OTHERS`]. A feature with one value for each class, in all rows, is named in any case.

use rayon::prelude::*;
use serde::Serialize;

use super::EXAMPLES;
use crate::dataset::{Column, Role, Split, Values};
use crate::matrix::{Matrix, spaced};

/// Rows that are looked at, at most.
const ROWS: usize = 20_000;
/// Values that are looked at, at most, but for [`FEWEST_ROWS`] rows.
const CELLS: usize = 40_000_000;
const FEWEST_ROWS: usize = 1_000;
/// Rows and distinct values without which nothing is said.
const FEWEST: usize = 20;
/// Held-out rows of a class without which it does not count.
const FEWEST_OF_CLASS: usize = 5;
/// Balanced accuracy from which a feature says the classes.
const TELLS: f64 = 0.99;
/// Rank correlation from which one order is another.
const RANKED: f64 = 0.999;
/// No other feature may have this balanced accuracy, or rank correlation.
const OTHERS: f64 = 0.95;
/// Labels of a column of several a sample that are looked at.
const LABELS: usize = 20;

/// What is wrong with single features.
///
/// ```
/// use hspace_core::dataset::check::FeatureFindings;
///
/// let found = FeatureFindings {
///     rows: 100,
///     features: 30,
///     constant: 0,
///     constant_names: vec![],
///     telling: vec![],
///     row_numbers: vec!["id".into()],
///     sorted_tasks: vec![],
/// };
/// assert!(found.warnings()[0].contains("id"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FeatureFindings {
    /// Rows that were looked at.
    pub rows: usize,
    /// Number of features.
    pub features: usize,
    /// Number of features with one value in all these rows.
    pub constant: usize,
    /// The first of them.
    pub constant_names: Vec<String>,
    /// Features that alone say a task.
    pub telling: Vec<Telling>,
    /// Features that rise or fall with the row number.
    pub row_numbers: Vec<String>,
    /// Tasks by which the rows are sorted.
    pub sorted_tasks: Vec<String>,
}

/// A feature that alone says a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Telling {
    /// The feature.
    pub feature: String,
    /// The task: a column, or `column=label` for one of several labels.
    pub task: String,
    /// Balanced accuracy for classes, the size of Spearman's rank correlation for numbers.
    pub score: f64,
    /// Whether each class has one value of its own.
    pub one_to_one: bool,
}

/// Rows that are looked at, of `rows` rows of `features` features.
pub fn chosen(rows: usize, features: usize) -> Vec<usize> {
    spaced(rows, (CELLS / features.max(1)).clamp(FEWEST_ROWS, ROWS))
}

/// A task as it is compared with features.
struct Task {
    name: String,
    target: Target,
}

enum Target {
    /// The class of each row, and the number of classes.
    Classes(Vec<Option<u32>>, usize),
    Numbers(Vec<Option<f64>>),
}

/// Looks at each of `features`, which are rows `[n, d]` in the order of the data. `columns` and `split` are of the same rows. `name`
/// says what a feature is called.
pub fn inspect(
    features: &Matrix,
    columns: &[Column],
    split: &[Split],
    name: &(dyn Fn(usize) -> String + Sync),
) -> FeatureFindings {
    let labels = columns.iter().filter(|c| c.role == Role::Label);
    let tasks: Vec<Task> = labels.flat_map(tasks).collect();
    let each = |j: usize| Found::of(features, j, &tasks, split);
    let found: Vec<Found> = (0..features.cols).into_par_iter().map(each).collect();
    let constant: Vec<usize> = (0..found.len()).filter(|&j| found[j].constant).collect();
    let counting = (0..found.len()).filter(|&j| found[j].counts_rows);
    let telling = tasks.iter().enumerate().flat_map(|(t, task)| {
        let of = move |(j, score): (usize, Score)| Telling {
            feature: name(j),
            task: task.name.clone(),
            score: score.value,
            one_to_one: score.one_to_one,
        };
        let scores: Vec<Score> = found
            .iter()
            .map(|f| f.scores.get(t).copied().unwrap_or_default())
            .collect();
        named(&scores, &task.target)
            .into_iter()
            .map(of)
            .collect::<Vec<_>>()
    });
    FeatureFindings {
        rows: features.rows,
        features: features.cols,
        constant: constant.len(),
        constant_names: constant.iter().take(EXAMPLES).map(|&j| name(j)).collect(),
        telling: telling.collect(),
        row_numbers: counting.map(name).collect(),
        sorted_tasks: tasks
            .iter()
            .filter(|t| t.is_sorted(split))
            .map(|t| t.name.clone())
            .collect(),
    }
}

fn tasks(column: &Column) -> Vec<Task> {
    let task = |name: String, target: Target| Task { name, target };
    match &column.values {
        Values::Classes { names, index } => {
            vec![task(
                column.name.clone(),
                Target::Classes(index.clone(), names.len()),
            )]
        }
        Values::Numbers(numbers) => {
            vec![task(column.name.clone(), Target::Numbers(numbers.clone()))]
        }
        Values::MultiLabel { names, sets } => {
            let one = |(label, name): (u32, &String)| {
                let has = |set: &Option<Vec<u32>>| {
                    set.as_ref().map(|set| u32::from(set.contains(&label)))
                };
                let classes = sets.iter().map(has).collect();
                task(
                    format!("{}={name}", column.name),
                    Target::Classes(classes, 2),
                )
            };
            (0..).zip(names).take(LABELS).map(one).collect()
        }
    }
}

/// The features that say a task and are named, with their scores.
fn named(scores: &[Score], target: &Target) -> Vec<(usize, Score)> {
    let least = match target {
        Target::Classes(..) => TELLS,
        Target::Numbers(_) => RANKED,
    };
    let (telling, others): (Vec<_>, Vec<_>) = scores
        .iter()
        .copied()
        .enumerate()
        .partition(|(_, s)| s.value >= least || s.one_to_one);
    let best = others.iter().fold(0.0f64, |best, (_, s)| best.max(s.value));
    let few = telling.len() <= (scores.len() / 10).max(1) && !others.is_empty();
    let exceptional = few && best < OTHERS;
    telling
        .into_iter()
        .filter(|(_, s)| s.one_to_one || exceptional)
        .collect()
}

/// How well a feature says a task.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Score {
    /// As [`Telling::score`].
    value: f64,
    one_to_one: bool,
}

/// What one feature shows.
#[derive(Default)]
struct Found {
    constant: bool,
    counts_rows: bool,
    /// One for each task.
    scores: Vec<Score>,
}

impl Found {
    fn of(features: &Matrix, j: usize, tasks: &[Task], split: &[Split]) -> Found {
        let values: Vec<f32> = (0..features.rows).map(|i| features.row(i)[j]).collect();
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
        let distinct = order.chunk_by(|&a, &b| values[a] == values[b]).count();
        if distinct <= 1 {
            return Found {
                constant: true,
                ..Found::default()
            };
        }
        let score = |task: &Task| match &task.target {
            Target::Classes(classes, count) => {
                let known: Vec<usize> = order
                    .iter()
                    .copied()
                    .filter(|&i| classes[i].is_some())
                    .collect();
                let class = |i: usize| classes[i].unwrap_or_default();
                Score {
                    value: nearest_value_accuracy(&values, &class, *count, &known, split),
                    one_to_one: one_to_one(&values, &class, &known),
                }
            }
            Target::Numbers(numbers) => {
                let known =
                    (0..values.len()).filter_map(|i| Some([f64::from(values[i]), numbers[i]?]));
                Score {
                    value: spearman(&known.collect::<Vec<_>>()).abs(),
                    one_to_one: false,
                }
            }
        };
        Found {
            constant: false,
            counts_rows: distinct >= FEWEST
                && in_each_split(split, &|rows| {
                    let pairs: Vec<[f64; 2]> = (0..)
                        .zip(rows)
                        .map(|(n, &i)| [f64::from(n), f64::from(values[i])])
                        .collect();
                    spearman(&pairs).abs() >= RANKED
                }),
            scores: tasks.iter().map(score).collect(),
        }
    }
}

/// Whether `holds` for the rows of each split that has enough of them, and one has.
fn in_each_split(split: &[Split], holds: &dyn Fn(&[usize]) -> bool) -> bool {
    let of = |wanted: Split| -> Vec<usize> {
        (0..split.len()).filter(|&i| split[i] == wanted).collect()
    };
    let large: Vec<Vec<usize>> = Split::ALL
        .into_iter()
        .map(of)
        .filter(|rows| rows.len() >= FEWEST)
        .collect();
    !large.is_empty() && large.iter().all(|rows| holds(rows))
}

impl Task {
    /// Whether equal classes, of at least two, lie together in each split, or the numbers rise or fall all the way.
    fn is_sorted(&self, split: &[Split]) -> bool {
        match &self.target {
            Target::Classes(classes, count) => in_each_split(split, &|rows| {
                let known: Vec<u32> = rows.iter().filter_map(|&i| classes[i]).collect();
                let runs: Vec<u32> = known.chunk_by(|a, b| a == b).map(|run| run[0]).collect();
                let mut seen = vec![false; *count];
                let once = runs
                    .iter()
                    .all(|&class| !std::mem::replace(&mut seen[class as usize], true));
                once && runs.len() > 1 && known.len() >= 2 * runs.len()
            }),
            Target::Numbers(numbers) => in_each_split(split, &|rows| {
                let known = (0..)
                    .zip(rows)
                    .filter_map(|(n, &i)| Some([f64::from(n), numbers[i]?]));
                spearman(&known.collect::<Vec<_>>()).abs() >= RANKED
            }),
        }
    }
}

/// Balanced accuracy, on held-out rows, of the most frequent class among the nearest value of the others; 0 where too few rows are held
/// out. `order`: the rows with a class by ascending value.
fn nearest_value_accuracy(
    values: &[f32],
    class: &dyn Fn(usize) -> u32,
    count: usize,
    order: &[usize],
    split: &[Split],
) -> f64 {
    let outside = |&&i: &&usize| split[i] != Split::Train;
    let out = order.iter().filter(outside).count();
    let by_split = out >= FEWEST && order.len() - out >= FEWEST;
    let is_held = |i: usize| match by_split {
        true => split[i] != Split::Train,
        false => i % 2 == 1,
    };
    let fit: Vec<usize> = order.iter().copied().filter(|&i| !is_held(i)).collect();
    let mut counts = vec![0usize; count];
    let mut known: Vec<(f32, u32)> = Vec::new();
    for equal in fit.chunk_by(|&a, &b| values[a] == values[b]) {
        equal.iter().for_each(|&i| counts[class(i) as usize] += 1);
        let most = equal
            .iter()
            .map(|&i| class(i))
            .max_by_key(|&c| (counts[c as usize], std::cmp::Reverse(c)));
        known.extend(most.map(|most| (values[equal[0]], most)));
        equal.iter().for_each(|&i| counts[class(i) as usize] = 0);
    }
    if known.is_empty() {
        return 0.0;
    }
    let (mut right, mut all) = (vec![0usize; count], vec![0usize; count]);
    for &i in order.iter().filter(|&&i| is_held(i)) {
        let above = known
            .partition_point(|(value, _)| *value < values[i])
            .min(known.len() - 1);
        let below = above.saturating_sub(1);
        let distance = |place: usize| (f64::from(known[place].0) - f64::from(values[i])).abs();
        let nearest = if distance(below) < distance(above) {
            below
        } else {
            above
        };
        let class = class(i);
        all[class as usize] += 1;
        right[class as usize] += usize::from(known[nearest].1 == class);
    }
    let counted: Vec<usize> = (0..count).filter(|&c| all[c] >= FEWEST_OF_CLASS).collect();
    let held: usize = counted.iter().map(|&c| all[c]).sum();
    if counted.len() < 2 || held < FEWEST {
        return 0.0;
    }
    let recalls = counted.iter().map(|&c| right[c] as f64 / all[c] as f64);
    recalls.sum::<f64>() / counted.len() as f64
}

/// Whether each class has a value of its own, over at least [`FEWEST`] rows and two classes of [`FEWEST_OF_CLASS`] rows.
fn one_to_one(values: &[f32], class: &dyn Fn(usize) -> u32, order: &[usize]) -> bool {
    let mut classes = Vec::new();
    let mut large = 0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let first = class(equal[0]);
        if equal.iter().any(|&i| class(i) != first) {
            return false;
        }
        large += usize::from(equal.len() >= FEWEST_OF_CLASS);
        classes.push(first);
    }
    let values = classes.len();
    classes.sort_unstable();
    classes.dedup();
    order.len() >= FEWEST && large >= 2 && classes.len() == values
}

/// Spearman's rank correlation of pairs, ties sharing their rank; 0 for fewer than [`FEWEST`] distinct values on either side.
fn spearman(pairs: &[[f64; 2]]) -> f64 {
    let ranks = |side: usize| {
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        order.sort_by(|&a, &b| pairs[a][side].total_cmp(&pairs[b][side]));
        let (mut ranks, mut below, mut distinct) = (vec![0.0; pairs.len()], 0, 0);
        for tied in order.chunk_by(|&a, &b| pairs[a][side] == pairs[b][side]) {
            let rank = below as f64 + (tied.len() - 1) as f64 / 2.0;
            tied.iter().for_each(|&i| ranks[i] = rank);
            below += tied.len();
            distinct += 1;
        }
        (distinct >= FEWEST).then_some(ranks)
    };
    let (Some(a), Some(b)) = (ranks(0), ranks(1)) else {
        return 0.0;
    };
    let mean = (pairs.len() - 1) as f64 / 2.0;
    let sum = |x: &[f64], y: &[f64]| {
        x.iter()
            .zip(y)
            .map(|(x, y)| (x - mean) * (y - mean))
            .sum::<f64>()
    };
    sum(&a, &b) / (sum(&a, &a) * sum(&b, &b)).sqrt()
}

impl FeatureFindings {
    /// In words.
    pub fn warnings(&self) -> Vec<String> {
        let list = |names: &[String], all: usize| {
            let shown: Vec<&str> = names.iter().take(EXAMPLES).map(String::as_str).collect();
            format!(
                "{}{}",
                shown.join(", "),
                if all > shown.len() { ", ..." } else { "" }
            )
        };
        let mut out = Vec::new();
        if self.constant > 0 {
            let names = list(&self.constant_names, self.constant);
            out.push(format!(
                "{} of {} features are constant: {names}",
                self.constant, self.features
            ));
        }
        for found in self.telling.iter().take(EXAMPLES) {
            let Telling {
                feature,
                task,
                score,
                one_to_one,
            } = found;
            let how = match one_to_one {
                true => "each class has a value of its own".to_owned(),
                false => format!("score {score:.4}"),
            };
            out.push(format!(
                "feature {feature} alone says the task {task} ({how}); if it is the task, or follows from it, it is no feature"
            ));
        }
        if self.telling.len() > EXAMPLES {
            out.push(format!(
                "{} more features alone say a task",
                self.telling.len() - EXAMPLES
            ));
        }
        if !self.row_numbers.is_empty() {
            let names = list(&self.row_numbers, self.row_numbers.len());
            let sorted = match &self.sorted_tasks[..] {
                [] => String::new(),
                tasks => format!(
                    ", and rows are sorted by {}: together they say the task",
                    list(tasks, tasks.len())
                ),
            };
            let (noun, verb) = if self.row_numbers.len() == 1 {
                ("feature", "follows")
            } else {
                ("features", "follow")
            };
            out.push(format!(
                "{noun} {names} {verb} the row number{sorted}; what counts rows (an index, a time of entry) is no feature"
            ));
        }
        out
    }
}

#[cfg(test)]
mod tests;
