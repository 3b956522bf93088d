//! What is to be learned from which rows: the same for every contender.

use super::entry::{Entry, find, first_for};
use super::folds::{balanced, units};
use super::mask::scores::chance;
use super::mask::{MaskSummary, MaskTask, check_two_classes, summarised};
use super::options::ProbeOptions;
use super::{Labels, TaskKind};
use crate::auto::Auto;
use crate::dataset::{self, Column, Role, Split, Values, groups};
use crate::error::{Error, Result, unknown};
use crate::few_labels::{draw, draw_label_sets, overlap};
use crate::file;
use crate::representation::Representation;

/// Overlap of draws above which it is taken as this: one draw more or less says little.
const MOST_OVERLAP: f64 = 0.95;

/// Labels in total below which no probe of numbers or label sets is fitted.
pub(super) const FEWEST: usize = 3;

fn without_values(part: &str, column: &Column) -> Error {
    Error::data(format!(
        "no {part} sample has a value of `{}`, so nothing can be measured",
        column.name
    ))
}

/// What all contenders must share.
pub(super) struct SharedSchema {
    name: String,
    ids: Vec<String>,
    columns: Vec<Column>,
    pub(super) split: Vec<Split>,
}

impl SharedSchema {
    pub(super) fn of(r: &Representation) -> SharedSchema {
        SharedSchema {
            name: r.name.clone(),
            ids: r.ids.clone(),
            columns: r.columns.clone(),
            split: r.split.clone(),
        }
    }

    pub(super) fn check(&self, r: &Representation) -> Result<()> {
        let what = if r.ids != self.ids {
            "ids"
        } else if r.split != self.split {
            "split"
        } else if r.columns != self.columns {
            "columns"
        } else {
            return r.check();
        };
        Err(Error::data(format!(
            "{} and {} do not have the same {what} ({} and {} samples); embed both from the same data",
            self.name,
            r.name,
            self.ids.len(),
            r.ids.len()
        )))
    }

    pub(super) fn split_hash(&self) -> String {
        let mut hash = blake3::Hasher::new();
        for (id, split) in self.ids.iter().zip(&self.split) {
            hash.update(id.as_bytes());
            hash.update(format!("\0{}\n", split.name()).as_bytes());
        }
        hash.finalize().to_hex()[..16].to_string()
    }
}

pub(crate) fn task_column<'a>(r: &'a Representation, task: &str) -> Result<&'a Column> {
    let names = r.columns.iter().map(|c| c.name.as_str());
    let place = match task {
        "auto" => dataset::task(&r.columns),
        name => r.columns.iter().position(|c| c.name == name),
    };
    place.map(|place| &r.columns[place]).ok_or_else(|| match task {
        "auto" => Error::data("the data have no label column, so there is no task to measure; give labels (folders, labels.csv or an array `labels`)"),
        name => Error::config(unknown("column", name, names)),
    })
    .and_then(|column| match column.role {
        Role::Group => Err(Error::config(format!("`{}` says which samples belong together; a group is no task", column.name))),
        Role::Mask => Err(Error::config(format!(
            "`{}` holds masks of pixels, which `hspace probe` and `compare` measure, on feature maps; one vector a sample says nothing of pixels",
            column.name
        ))),
        _ => Ok(column),
    })
}

/// The labelled rows of one column.
pub(crate) struct Task {
    /// Names of the classes, or of the labels of sets; empty for a numeric target.
    pub(crate) names: Vec<String>,
    pub(crate) truth: Truth,
    pub(crate) train: Vec<usize>,
    pub(super) val: Vec<usize>,
    pub(crate) test: Vec<usize>,
    /// Group of each row of the data, where there are groups.
    groups: Option<Vec<u32>>,
}

/// One value per row; those of unlabelled rows are never read.
#[derive(Clone)]
pub(crate) enum Truth {
    Classes(Vec<u32>),
    Numbers(Vec<f64>),
    LabelSets(Vec<Vec<u32>>),
    /// The pixels of masks; the masks themselves are read when they are needed.
    Masks(Vec<MaskSummary>),
}

impl Truth {
    /// Classes; empty for another kind of task.
    pub(crate) fn classes(&self) -> &[u32] {
        match self {
            Truth::Classes(index) => index,
            _ => &[],
        }
    }

    /// Numbers; empty for another kind of task.
    pub(super) fn numbers(&self) -> &[f64] {
        match self {
            Truth::Numbers(values) => values,
            _ => &[],
        }
    }

    /// Sets of labels; empty for another kind of task.
    pub(super) fn label_sets(&self) -> &[Vec<u32>] {
        match self {
            Truth::LabelSets(sets) => sets,
            _ => &[],
        }
    }

    /// The values of `rows`, in that order.
    pub(super) fn select(&self, rows: &[usize]) -> Truth {
        match self {
            Truth::Classes(index) => Truth::Classes(rows.iter().map(|&i| index[i]).collect()),
            Truth::Numbers(values) => Truth::Numbers(rows.iter().map(|&i| values[i]).collect()),
            Truth::LabelSets(sets) => {
                Truth::LabelSets(rows.iter().map(|&i| sets[i].clone()).collect())
            }
            Truth::Masks(masks) => Truth::Masks(pick(masks, rows)),
        }
    }
}

fn pick(masks: &[MaskSummary], rows: &[usize]) -> Vec<MaskSummary> {
    rows.iter().map(|&row| masks[row].clone()).collect()
}

/// Places of test rows that belong together, in the test rows of all `tasks`, one after the other; `None` where each is alone.
pub(super) fn test_units(tasks: &[Task]) -> Option<Vec<Vec<usize>>> {
    let groups: Option<Vec<Vec<u32>>> = tasks.iter().map(|t| t.groups_of(&t.test)).collect();
    let groups = groups?.concat();
    Some(units(
        &(0..groups.len()).collect::<Vec<usize>>(),
        Some(&groups),
    ))
}

/// The draws for one number of labels.
pub(super) struct DrawPlan {
    pub(super) labels: Labels,
    pub(super) draws: Vec<Vec<usize>>,
    /// Settings are chosen by the validation rows.
    pub(super) by_val: bool,
    /// Share of rows that two draws have in common; `None` where a draw is all there is.
    pub(super) overlap: Option<f64>,
}

impl Task {
    /// The task that `column`, one of `columns`, is.
    pub(crate) fn new(column: &Column, columns: &[Column], split: &[Split]) -> Result<Task> {
        let (names, truth) = match &column.values {
            Values::Classes { names, index } => (
                names.clone(),
                Truth::Classes(index.iter().map(|i| i.unwrap_or(0)).collect()),
            ),
            Values::Numbers(values) => (
                Vec::new(),
                Truth::Numbers(values.iter().map(|v| v.unwrap_or(0.0)).collect()),
            ),
            Values::MultiLabel { names, sets } => (
                names.clone(),
                Truth::LabelSets(sets.iter().map(|s| s.clone().unwrap_or_default()).collect()),
            ),
        };
        Task::of_known(column, names, truth, columns, split)
    }

    /// The task that `column`, one of `columns`, is, whose masks are read by `masks`.
    pub(super) fn of_masks(
        column: &Column,
        columns: &[Column],
        split: &[Split],
        masks: MaskTask<'_>,
    ) -> Result<Task> {
        let known = |row: &usize| column.values.is_known(*row);
        let rows: Vec<usize> = (0..split.len()).filter(known).collect();
        if rows.is_empty() {
            let text = format!("no sample has a mask of `{}`", column.name);
            return Err(Error::data(text));
        }
        let (names, summaries) = summarised(&rows, split.len(), &column.name, masks)?;
        let task = Task::of_known(column, names, Truth::Masks(summaries), columns, split)?;
        task.tested_by_split(column)
    }

    fn of_known(
        column: &Column,
        names: Vec<String>,
        truth: Truth,
        columns: &[Column],
        split: &[Split],
    ) -> Result<Task> {
        let usable = |row: usize| match &truth {
            Truth::Numbers(values) => column.values.is_known(row) && values[row].is_finite(),
            // Where all pixels are ignored, nothing is known.
            Truth::Masks(masks) => masks[row].pixels.iter().any(|&n| n > 0),
            _ => column.values.is_known(row),
        };
        let rows = |part: Split| -> Vec<usize> {
            (0..split.len())
                .filter(|&i| split[i] == part && usable(i))
                .collect()
        };
        let task = Task {
            train: rows(Split::Train),
            val: rows(Split::Val),
            test: rows(Split::Test),
            names,
            truth,
            groups: groups(columns),
        };
        if task.train.is_empty() {
            return Err(without_values("training", column));
        }
        task.check_variety(&column.name)?;
        Ok(task)
    }

    /// Refuses a task of `column` that no sample tests; of folds training samples do.
    pub(crate) fn tested_by_split(self, column: &Column) -> Result<Task> {
        match self.test.is_empty() {
            true => Err(without_values("test", column)),
            false => Ok(self),
        }
    }

    /// The rows `test`, to be tested alone.
    pub(super) fn tested(
        names: Vec<String>,
        truth: Truth,
        test: Vec<usize>,
        columns: &[Column],
    ) -> Task {
        Task {
            names,
            truth,
            groups: groups(columns),
            train: Vec::new(),
            val: Vec::new(),
            test,
        }
    }

    /// The training rows alone.
    pub(super) fn of_training(&self) -> Task {
        Task {
            names: self.names.clone(),
            truth: self.truth.clone(),
            groups: self.groups.clone(),
            train: self.train.clone(),
            val: Vec::new(),
            test: Vec::new(),
        }
    }

    /// Refuses training labels that are all the same.
    pub(super) fn check_variety(&self, name: &str) -> Result<()> {
        let count = self.train.len();
        match &self.truth {
            Truth::Classes(index) => {
                let one = index[self.train[0]];
                if self.train.iter().all(|&i| index[i] == one) {
                    return Err(Error::data(format!(
                        "all {count} training labels of `{name}` are `{}`; a classification task needs two classes",
                        self.names[one as usize]
                    )));
                }
            }
            Truth::LabelSets(sets) => {
                let one = &sets[self.train[0]];
                if self.train.iter().all(|&i| sets[i] == *one) {
                    return Err(Error::data(format!(
                        "all {count} training samples have the same labels of `{name}`; a label must be on some and not on others"
                    )));
                }
            }
            Truth::Masks(masks) => {
                check_two_classes(&pick(masks, &self.train), name, &self.names)?;
            }
            Truth::Numbers(_) => {}
        }
        Ok(())
    }

    pub(super) fn kind(&self) -> TaskKind {
        match self.truth {
            Truth::Classes(_) => TaskKind::Classes,
            Truth::Numbers(_) => TaskKind::Numbers,
            Truth::LabelSets(_) => TaskKind::LabelSets,
            Truth::Masks(_) => TaskKind::Masks,
        }
    }

    /// Groups of `rows`, where there are groups.
    pub(super) fn groups_of(&self, rows: &[usize]) -> Option<Vec<u32>> {
        let groups = self.groups.as_ref()?;
        Some(rows.iter().map(|&i| groups[i]).collect())
    }

    /// Places in the test rows of those that belong together; `None` where each is alone.
    pub(crate) fn test_units(&self) -> Option<Vec<Vec<usize>>> {
        test_units(std::slice::from_ref(self))
    }

    /// The probes that learn the task, in the order asked for. Probes of classes give way to the first one that learns another
    /// kind of task; for classes none does.
    pub(super) fn probes(&self, options: &ProbeOptions) -> Result<Vec<&'static Entry>> {
        let kind = self.kind();
        let mut probes: Vec<&'static Entry> = Vec::new();
        for asked in options.probes.iter().filter_map(|name| find(name)) {
            let probe = match asked.tasks {
                [] => continue,
                tasks if tasks.contains(&kind) => asked,
                tasks if tasks.contains(&TaskKind::Classes) => first_for(kind),
                _ => {
                    return Err(Error::config(format!(
                        "the {} probe is not for {}; use {}",
                        asked.name,
                        kind.text(),
                        first_for(kind).name
                    )));
                }
            };
            if probes.iter().all(|known| known.name != probe.name) {
                probes.push(probe);
            }
        }
        Ok(probes)
    }

    /// The main measure by guessing: accuracy on the test rows by always answering the commonest training class; R² of 0;
    /// of label sets an area under the curve of a half; of masks the mean IoU by the commonest class of training pixels everywhere.
    pub(super) fn chance(&self) -> f64 {
        let index = match &self.truth {
            Truth::Classes(index) => index,
            Truth::Numbers(_) => return 0.0,
            Truth::LabelSets(_) => return 0.5,
            Truth::Masks(masks) => {
                let [train, test] = [&self.train, &self.test].map(|rows| pick(masks, rows));
                return chance(&train, &test, self.names.len());
            }
        };
        let count =
            |rows: &[usize], class: u32| rows.iter().filter(|&&i| index[i] == class).count();
        let commonest = (0..self.names.len() as u32)
            .rev()
            .max_by_key(|&c| count(&self.train, c))
            .unwrap_or(0);
        // Of folds inside the training samples those are tested.
        let tested = match self.test.is_empty() {
            true => &self.train,
            false => &self.test,
        };
        count(tested, commonest) as f64 / tested.len() as f64
    }

    /// The draws for each number of labels. All labels are one draw, which may look at validation rows.
    pub(super) fn plans(&self, options: &ProbeOptions) -> Vec<DrawPlan> {
        let mut wanted = options.labels.clone();
        wanted.sort_unstable();
        wanted.dedup();
        let mut plans: Vec<DrawPlan> = Vec::new();
        let needs_several = matches!(self.kind(), TaskKind::Numbers | TaskKind::LabelSets);
        for labels in wanted {
            let mut drawn = match labels {
                Labels::All => vec![self.train.clone()],
                Labels::PerClass(k) if needs_several && k < FEWEST => continue,
                Labels::PerClass(k) => (0..draws(k, self.kind(), options.draws) as u64)
                    .map(|number| self.draw(k, options.seed, number))
                    .collect(),
            };
            // Once a draw holds every label, further draws are the same.
            let everything = drawn.iter().all(|rows| rows.len() == self.train.len());
            if everything {
                drawn.truncate(1);
            }
            if everything && labels != Labels::All && options.labels.contains(&Labels::All) {
                continue;
            }
            plans.push(DrawPlan {
                labels,
                overlap: (!everything).then(|| overlap(&drawn).min(MOST_OVERLAP)),
                draws: drawn,
                by_val: labels == Labels::All && !self.val.is_empty(),
            });
        }
        plans
    }

    /// The same task in `count` folds: each tests other labelled rows, of all splits, and learns from the rest. Folds hold even shares of the
    /// classes and whole groups.
    pub(super) fn folds(&self, count: usize, seed: u64) -> Result<Vec<Task>> {
        let mut rows = [&self.train[..], &self.val, &self.test].concat();
        rows.sort_unstable();
        let groups = self.groups.as_deref();
        let separable = units(&rows, groups).len();
        if separable < 2 * count {
            let what = if groups.is_some() {
                "groups"
            } else {
                "samples"
            };
            return Err(Error::config(format!(
                "folds: {count} folds need at least {} labelled {what}, not {separable}",
                2 * count
            )));
        }
        let labels_of = |row: usize| match &self.truth {
            Truth::Classes(index) => vec![index[row]],
            Truth::Numbers(_) => vec![0],
            Truth::LabelSets(sets) => sets[row].clone(),
            Truth::Masks(masks) => masks[row].classes(),
        };
        let labels = self.names.len().max(1);
        let folds = balanced(&rows, &labels_of, labels, groups, count, seed);
        let task = |test: &Vec<usize>| Task {
            names: self.names.clone(),
            truth: self.truth.clone(),
            groups: self.groups.clone(),
            train: rows
                .iter()
                .filter(|row| test.binary_search(row).is_err())
                .copied()
                .collect(),
            val: Vec::new(),
            test: test.clone(),
        };
        let tasks: Vec<Task> = folds.iter().map(task).collect();
        tasks
            .iter()
            .try_for_each(|task| task.check_variety("the task"))?;
        Ok(tasks)
    }

    /// Hash over ids and true values of the labelled rows.
    pub(super) fn hash(&self, ids: &[String]) -> String {
        let mut hash = blake3::Hasher::new();
        for &row in [&self.train[..], &self.val, &self.test]
            .into_iter()
            .flatten()
        {
            hash.update(ids[row].as_bytes());
            let value = match &self.truth {
                Truth::Classes(index) => self.names[index[row] as usize].clone(),
                Truth::Numbers(values) => values[row].to_string(),
                Truth::LabelSets(sets) => format!("{:?}", sets[row]),
                Truth::Masks(masks) => masks[row].hash.clone(),
            };
            hash.update(format!("\0{value}\n").as_bytes());
        }
        hash.finalize().to_hex()[..16].to_string()
    }

    /// Hash over the groups of all rows.
    pub(super) fn groups_hash(&self) -> String {
        let groups = self.groups.iter().flatten();
        let bytes: Vec<u8> = groups.flat_map(|group| group.to_le_bytes()).collect();
        file::hash_of(&bytes)
    }

    fn draw(&self, k: usize, seed: u64, number: u64) -> Vec<usize> {
        let train = &self.train;
        let groups = self.groups_of(train);
        let groups = groups.as_deref();
        match self.truth.select(train) {
            Truth::Classes(classes) => draw(train, &classes, groups, k, seed, number),
            Truth::Numbers(_) => draw(train, &vec![0; train.len()], groups, k, seed, number),
            Truth::LabelSets(sets) => {
                draw_label_sets(train, &sets, self.names.len(), groups, k, seed, number)
            }
            Truth::Masks(masks) => {
                let sets: Vec<Vec<u32>> = masks.iter().map(MaskSummary::classes).collect();
                draw_label_sets(train, &sets, self.names.len(), groups, k, seed, number)
            }
        }
    }
}

/// How many draws of `count` labels a class (of other kinds of task: in total) are made: as many as asked for. Where it is left open, the
/// spread over draws falls as labels grow, and the cost rises. What is counted in total counts as ten classes do.
fn draws(count: usize, kind: TaskKind, asked: Auto<usize>) -> usize {
    if let Auto::Set(asked) = asked {
        return asked;
    }
    let by_class = match kind {
        TaskKind::Numbers | TaskKind::LabelSets | TaskKind::Masks => count / 10,
        TaskKind::Classes => count,
    };
    match by_class {
        100.. => 3,
        50.. => 5,
        _ => 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_labels_are_drawn_less_often() {
        let classes = |k| draws(k, TaskKind::Classes, Auto::Auto);
        assert_eq!([10, 50, 100].map(classes), [10, 5, 3]);
        let numbers = |k| draws(k, TaskKind::Numbers, Auto::Auto);
        assert_eq!([10, 100, 500, 1000].map(numbers), [10, 10, 5, 3]);
        assert_eq!(draws(100, TaskKind::LabelSets, Auto::Auto), 10);
        for asked in [2, 10] {
            assert_eq!(draws(1000, TaskKind::Classes, Auto::Set(asked)), asked);
        }
    }
}
