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
}

impl ManyTasks {
    /// The weightings by which all tasks were learned together, in order.
    pub(crate) fn weightings(&self) -> Vec<&str> {
        let first = self.tasks.first().map_or(&[][..], |task| &task.together);
        first
            .iter()
            .filter_map(|c| match &c.learned {
                Learned::Together(weighting) => Some(weighting.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Whether pairs of tasks were learned.
    pub(crate) fn has_pairs(&self) -> bool {
        let is_pair = |c: &Compared| matches!(c.learned, Learned::With(_));
        self.tasks
            .iter()
            .any(|task| task.together.iter().any(is_pair))
    }

    /// Each task alone and with all others, pairs of tasks, and tasks held out.
    pub fn table(&self) -> String {
        let weightings = self.weightings();
        let mut head = vec![
            "task".to_owned(),
            "measure".into(),
            "labels".into(),
            "alone".into(),
        ];
        head.extend(weightings.iter().map(|w| format!("all, {w}")));
        let mut lines = vec![head];
        for task in &self.tasks {
            let mut line = vec![
                task.task.clone(),
                task.measure.replace('_', " "),
                task.labelled.to_string(),
                interval(&task.alone),
            ];
            for weighting in &weightings {
                let found = task.of(&Learned::Together((*weighting).to_owned()));
                line.push(found.map_or("–".into(), |c| gain(&c.gain)));
            }
            lines.push(line);
        }
        let seeds = match self.seeds {
            1 => "one training each".to_owned(),
            n => format!("{n} trainings each"),
        };
        let mut text = format!(
            "each task alone, and what learning all together adds ({seeds}; ± half of the 95 % interval)\n{}",
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
        for weighting in self.weightings() {
            let learned = Learned::Together(weighting.to_owned());
            let of = |wanted: i8| -> Vec<String> {
                let tasks = self.tasks.iter();
                let seen = tasks.filter_map(|task| Some((task, task.of(&learned)?.gain)));
                seen.filter(|(_, gain)| sign(gain) == wanted)
                    .map(|(task, gain)| {
                        format!(
                            "{} ({}{})",
                            task.task,
                            if wanted > 0 { "+" } else { "" },
                            short(gain.mean)
                        )
                    })
                    .collect()
            };
            let (better, worse) = (of(1), of(-1));
            let mut parts = Vec::new();
            if !better.is_empty() {
                parts.push(format!("better: {}", better.join(", ")));
            }
            if !worse.is_empty() {
                parts.push(format!("worse: {}", worse.join(", ")));
            }
            if parts.is_empty() {
                parts.push("no difference from each alone is seen".to_owned());
            }
            said.push(format!("All together, {weighting}: {}", parts.join("; ")));
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
