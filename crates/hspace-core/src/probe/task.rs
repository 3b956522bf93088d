//! What is to be learned from which rows: the same for every contender.

use super::Labels;
use super::few_labels::{draw, draws};
use super::options::ProbeOptions;
use crate::dataset::{self, Column, Split, Values};
use crate::error::{Error, Result, unknown};
use crate::representation::Representation;

/// What all contenders must share.
pub(super) struct Known {
    name: String,
    ids: Vec<String>,
    columns: Vec<Column>,
    pub(super) split: Vec<Split>,
}

impl Known {
    pub(super) fn of(r: &Representation) -> Known {
        Known {
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

pub(super) fn task_column<'a>(r: &'a Representation, task: &str) -> Result<&'a Column> {
    let names = r.columns.iter().map(|c| c.name.as_str());
    let place = match task {
        "auto" => dataset::task(&r.columns),
        name => r.columns.iter().position(|c| c.name == name),
    };
    place.map(|place| &r.columns[place]).ok_or_else(|| match task {
        "auto" => Error::data("the data have no label column, so there is no task to measure; give labels (folders, labels.csv or an array `labels`)"),
        name => Error::config(unknown("column", name, names)),
    })
}

/// The labelled rows of one column.
pub(super) struct Task {
    /// Empty for a numeric target.
    pub(super) classes: Vec<String>,
    pub(super) truth: Truth,
    pub(super) train: Vec<usize>,
    pub(super) test: Vec<usize>,
}

/// One value per row of the data; those of unlabelled rows are never read.
pub(super) enum Truth {
    Classes(Vec<u32>),
    Numbers(Vec<f64>),
}

/// The draws for one number of labels.
pub(super) struct Plan {
    pub(super) labels: Labels,
    pub(super) draws: Vec<Vec<usize>>,
}

impl Task {
    pub(super) fn new(column: &Column, split: &[Split]) -> Result<Task> {
        let (classes, truth, labelled): (_, _, Vec<bool>) = match &column.values {
            Values::Classes { names, index } => (
                names.clone(),
                Truth::Classes(index.iter().map(|i| i.unwrap_or(0)).collect()),
                index.iter().map(Option::is_some).collect(),
            ),
            Values::Numbers(values) => (
                Vec::new(),
                Truth::Numbers(values.iter().map(|v| v.unwrap_or(0.0)).collect()),
                values
                    .iter()
                    .map(|v| v.is_some_and(f64::is_finite))
                    .collect(),
            ),
            Values::MultiLabel { .. } => {
                return Err(Error::data(format!(
                    "`{}` has several labels a sample, and cannot be probed yet",
                    column.name
                )));
            }
        };
        let rows = |part: Split| -> Vec<usize> {
            (0..split.len())
                .filter(|&i| split[i] == part && labelled[i])
                .collect()
        };
        let task = Task {
            classes,
            truth,
            train: rows(Split::Train),
            test: rows(Split::Test),
        };
        for (part, rows) in [("training", &task.train), ("test", &task.test)] {
            if rows.is_empty() {
                return Err(Error::data(format!(
                    "no {part} sample has a value of `{}`, so nothing can be measured",
                    column.name
                )));
            }
        }
        if let Truth::Classes(index) = &task.truth {
            let one = index[task.train[0]];
            if task.train.iter().all(|&i| index[i] == one) {
                return Err(Error::data(format!(
                    "all {} training labels of `{}` are `{}`; a classification task needs two classes",
                    task.train.len(),
                    column.name,
                    task.classes[one as usize]
                )));
            }
        }
        Ok(task)
    }

    /// The probes that fit the task, in the order asked for.
    pub(super) fn probes(&self, options: &ProbeOptions) -> Result<Vec<&'static str>> {
        let numeric = self.classes.is_empty();
        let mut probes: Vec<&'static str> = Vec::new();
        for name in &options.probes {
            let probe = match (name.as_str(), numeric) {
                ("geometry", _) => continue,
                ("ridge", false) => {
                    return Err(Error::config(
                        "the ridge probe is for numeric targets, and this task has classes; use linear",
                    ));
                }
                (_, true) => "ridge",
                ("knn", false) => "knn",
                _ => "linear",
            };
            if !probes.contains(&probe) {
                probes.push(probe);
            }
        }
        Ok(probes)
    }

    /// Accuracy on the test rows by always answering the commonest training class; 0 for numbers.
    pub(super) fn chance(&self) -> f64 {
        let Truth::Classes(index) = &self.truth else {
            return 0.0;
        };
        let count =
            |rows: &[usize], class: u32| rows.iter().filter(|&&i| index[i] == class).count();
        let commonest = (0..self.classes.len() as u32)
            .rev()
            .max_by_key(|&c| count(&self.train, c))
            .unwrap_or(0);
        count(&self.test, commonest) as f64 / self.test.len() as f64
    }

    pub(super) fn plans(&self, options: &ProbeOptions) -> Vec<Plan> {
        let groups: Vec<u32> = match &self.truth {
            Truth::Classes(index) => self.train.iter().map(|&i| index[i]).collect(),
            Truth::Numbers(_) => vec![0; self.train.len()],
        };
        let mut wanted = options.labels.clone();
        wanted.sort_unstable();
        wanted.dedup();
        let mut plans: Vec<Plan> = Vec::new();
        for labels in wanted {
            let drawn = match labels {
                Labels::All => vec![self.train.clone()],
                Labels::PerClass(k) if self.classes.is_empty() && k < 3 => continue,
                Labels::PerClass(k) => (0..draws(labels, options.draws) as u64)
                    .map(|number| draw(&self.train, &groups, k, options.seed, number))
                    .collect(),
            };
            // Once a draw holds every label, further draws are the same.
            let everything = drawn[0].len() == self.train.len();
            let drawn = if everything {
                vec![self.train.clone()]
            } else {
                drawn
            };
            if everything && labels != Labels::All && options.labels.contains(&Labels::All) {
                continue;
            }
            plans.push(Plan {
                labels,
                draws: drawn,
            });
        }
        plans
    }

    pub(super) fn truth_of(&self, rows: &[usize]) -> (Vec<u32>, Vec<f64>) {
        match &self.truth {
            Truth::Classes(index) => (rows.iter().map(|&i| index[i]).collect(), Vec::new()),
            Truth::Numbers(values) => (Vec::new(), rows.iter().map(|&i| values[i]).collect()),
        }
    }
}
