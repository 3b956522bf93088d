//! Tasks as text.

use super::{Compared, Learned, ManyTasks, TaskResult};
use crate::probe::Estimate;
use crate::text::{aligned, cell, short};

fn interval(e: &Estimate) -> String {
    cell(e.mean, e.low, e.high)
}

/// `+.021 ±.013`
fn gain(e: &Estimate) -> String {
    let sign = if e.mean > 0.0 { "+" } else { "" };
    format!("{sign}{}", interval(e))
}

/// Whether a difference is seen, and its sign.
fn sign(e: &Estimate) -> i8 {
    match e.has_interval() {
        true if e.low > 0.0 => 1,
        true if e.high < 0.0 => -1,
        _ => 0,
    }
}

impl TaskResult {
    /// What `learned` brought, if it was compared.
    pub(crate) fn of(&self, learned: &Learned) -> Option<&Compared> {
        self.together.iter().find(|c| c.learned == *learned)
    }

    /// What learning it together with all other tasks brought, by weighting.
    pub(crate) fn with_all(&self) -> impl Iterator<Item = (&str, &Compared)> {
        self.together.iter().filter_map(|c| match &c.learned {
            Learned::Together(weighting) => Some((weighting.as_str(), c)),
            _ => None,
        })
    }
}

impl ManyTasks {
    /// Whether pairs of tasks were learned.
    pub(crate) fn has_pairs(&self) -> bool {
        let is_pair = |c: &Compared| matches!(c.learned, Learned::With(_));
        let mut tasks = self.tasks.iter();
        tasks.any(|task| task.together.iter().any(is_pair))
    }

    /// Each task alone and with all others, pairs of tasks, and tasks held out.
    pub fn table(&self) -> String {
        let head = ["task", "measure", "labels", "learned", "score", "gain"];
        let mut lines = vec![head.map(String::from).to_vec()];
        for task in &self.tasks {
            lines.push(vec![
                task.task.clone(),
                task.measure.replace('_', " "),
                task.labelled.to_string(),
                "alone".to_owned(),
                interval(&task.alone),
                String::new(),
            ]);
            for (weighting, found) in task.with_all() {
                let blank = String::new;
                lines.push(vec![
                    blank(),
                    blank(),
                    blank(),
                    format!("with all, {weighting}"),
                    interval(&found.score),
                    gain(&found.gain),
                ]);
            }
        }
        let seeds = match self.seeds {
            1 => "one training each".to_owned(),
            n => format!("{n} trainings each"),
        };
        let mut text = format!(
            "each task alone, and learned together with all others ({seeds}; ± half of the 95 % interval)\n{}",
            aligned(&lines)
        );
        if self.has_pairs() {
            text += "\nwhat a task (row) gains by learning one other (column) with it\n";
            text += &aligned(&self.pair_lines());
        }
        if self.tasks.iter().any(|task| task.held_out.is_some()) {
            text += "\nlinear probe of a task on features that learned all others, and what that is above an untrained network's\n";
            let mut lines = vec![["task", "held out", "gain"].map(String::from).to_vec()];
            for task in &self.tasks {
                if let Some(found) = &task.held_out {
                    lines.push(vec![
                        task.task.clone(),
                        interval(&found.score),
                        gain(&found.gain),
                    ]);
                }
            }
            text += &aligned(&lines);
        }
        text
    }

    fn pair_lines(&self) -> Vec<Vec<String>> {
        let names = || self.tasks.iter().map(|task| task.task.clone());
        let mut lines = vec![
            [String::new()]
                .into_iter()
                .chain(names())
                .collect::<Vec<_>>(),
        ];
        for task in &self.tasks {
            let with = |name: String| match task.of(&Learned::With(name)) {
                Some(found) => gain(&found.gain),
                None => "–".to_owned(),
            };
            lines.push(
                [task.task.clone()]
                    .into_iter()
                    .chain(names().map(with))
                    .collect(),
            );
        }
        lines
    }

    /// Which tasks gain and lose by learning all together, and which one task helps or hurts which, in sentences.
    pub fn headline(&self) -> String {
        let mut said = Vec::new();
        for task in &self.tasks {
            for (wanted, does) in [(1, "better"), (-1, "worse")] {
                let seen = task.with_all().filter(|(_, c)| sign(&c.gain) == wanted);
                let by: Vec<String> = seen
                    .map(|(weighting, c)| {
                        let plus = if wanted > 0 { "+" } else { "" };
                        format!("{weighting} {plus}{}", short(c.gain.mean))
                    })
                    .collect();
                if !by.is_empty() {
                    let task = &task.task;
                    said.push(format!(
                        "{task} is {does} learned with all others ({})",
                        by.join(", ")
                    ));
                }
            }
        }
        if said.is_empty() {
            said.push(
                "No task is seen to be better or worse learned with all others than alone"
                    .to_owned(),
            );
        }
        for task in &self.tasks {
            for found in &task.together {
                if let (Learned::With(other), true) = (&found.learned, sign(&found.gain) != 0) {
                    let does = if sign(&found.gain) > 0 {
                        "helps"
                    } else {
                        "hurts"
                    };
                    said.push(format!("{other} {does} {}", task.task));
                }
            }
        }
        said.join(". ")
    }
}
