//! Robustness as text.

use super::{Robustness, RobustnessRow};
use crate::probe::{Estimate, HEAD, Labels};
use crate::text::{aligned, cell, short};

fn interval(e: &Estimate) -> String {
    cell(e.mean, e.low, e.high)
}

impl RobustnessRow {
    /// Names of the corruptions, in their order.
    pub(crate) fn corruptions(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for condition in &self.conditions {
            if !names.contains(&condition.corruption.as_str()) {
                names.push(&condition.corruption);
            }
        }
        names
    }

    /// Mean accuracy over the severities of a corruption.
    pub(crate) fn mean_of(&self, corruption: &str) -> f64 {
        let own = self
            .conditions
            .iter()
            .filter(|c| c.corruption == corruption);
        let (sum, count) = own.fold((0.0, 0), |(sum, n), c| (sum + c.accuracy.mean, n + 1));
        sum / f64::from(count.max(1))
    }

    /// The error of the confident half, a mean over all conditions.
    pub(crate) fn confident_error(&self) -> f64 {
        let sum: f64 = self.conditions.iter().map(|c| c.confident_error).sum();
        sum / self.conditions.len().max(1) as f64
    }

    /// Name, with probe and labels where several are there.
    pub(crate) fn title(&self, several: bool) -> String {
        let probe = match self.probe.as_str() {
            HEAD | "linear" => String::new(),
            other => format!(" ({other})"),
        };
        let labels = match (several, self.labels) {
            (false, _) => String::new(),
            (_, Labels::All) => ", all labels".to_owned(),
            (_, Labels::PerClass(k)) => format!(", {k} labels a class"),
        };
        format!("{}{probe}{labels}", self.source)
    }
}

impl Robustness {
    /// Whether rows differ in their labels.
    pub(crate) fn has_several_labels(&self) -> bool {
        self.rows
            .iter()
            .any(|row| row.labels != self.rows[0].labels)
    }

    /// A table of all sources, and one of accuracies by corruption.
    pub fn table(&self) -> String {
        let Some(first) = self.rows.first() else {
            return String::new();
        };
        let several = self.has_several_labels();
        let against = format!("error, of {}", self.baseline);
        let head = [
            "source",
            "clean",
            "corrupted",
            "kept",
            against.as_str(),
            "confident half wrong: clean",
            "corrupted",
        ];
        let mut lines = vec![head.map(String::from).to_vec()];
        for row in &self.rows {
            lines.push(vec![
                row.title(several),
                interval(&row.clean.accuracy),
                interval(&row.corrupted),
                interval(&row.kept),
                row.corruption_error
                    .as_ref()
                    .map_or("–".to_owned(), interval),
                short(row.clean.confident_error),
                short(row.confident_error()),
            ]);
        }
        let mut text = format!(
            "accuracy on {} test samples of {}, as they are and in {} conditions ({})\n",
            self.samples,
            self.data,
            first.conditions.len(),
            self.suite
        );
        text += &aligned(&lines);
        text += "\naccuracy by corruption, a mean over severities\n";
        let mut lines = vec![vec!["corruption".to_owned()]];
        lines[0].extend(self.rows.iter().map(|row| row.title(several)));
        for corruption in first.corruptions() {
            let mut line = vec![corruption.to_owned()];
            line.extend(self.rows.iter().map(|row| short(row.mean_of(corruption))));
            lines.push(line);
        }
        text += &aligned(&lines);
        if !self.left_out.is_empty() {
            text += &format!("left out, for lack of time: {}\n", self.left_out.join("; "));
        }
        text
    }

    /// What the first source keeps of its accuracy, and what costs it most.
    pub fn headline(&self) -> String {
        let Some(row) = self.rows.first() else {
            return String::new();
        };
        let worst = row
            .corruptions()
            .into_iter()
            .min_by(|a, b| row.mean_of(a).total_cmp(&row.mean_of(b)));
        let worst = worst.map_or(String::new(), |worst| {
            format!(
                "; {worst} costs most, down to {}",
                short(row.mean_of(worst))
            )
        });
        let percent = |x: f64| format!("{:.0}", 100.0 * x);
        format!(
            "{} keeps {} % ({} to {}) of its accuracy under corruption{worst}",
            row.source,
            percent(row.kept.mean),
            percent(row.kept.low),
            percent(row.kept.high)
        )
    }
}
