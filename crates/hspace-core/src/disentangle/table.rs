//! Scores as text.

use super::measure::GROUP_ROWS;
use super::{Dependence, Disentanglement, METRICS};
use crate::stats::Estimate;
use crate::text::{aligned, short};

impl Disentanglement {
    /// Scores (rows) by representations (columns), with their 95 % intervals in brackets; `↓` where less is better.
    pub fn table(&self) -> String {
        let mut header = vec![String::new()];
        header.extend(self.rows.iter().map(|row| row.representation.clone()));
        let mut lines = vec![header];
        let mut latents = vec!["latents".to_owned()];
        latents.extend(self.rows.iter().map(|row| row.dim.to_string()));
        lines.push(latents);
        for metric in METRICS {
            for name in metric.scores.iter().map(|score| score.name) {
                let score = |row: &super::Row| {
                    let found = row.scores.iter().find(|(own, _)| own == name);
                    found.map_or("-".into(), |(_, e)| cell(e))
                };
                let scores: Vec<String> = self.rows.iter().map(score).collect();
                if scores.iter().any(|text| text != "-") {
                    let arrow = if metric.low_is_good { " ↓" } else { "" };
                    lines.push([vec![format!("{name}{arrow}")], scores].concat());
                }
            }
        }
        let factors: Vec<String> = self
            .factors
            .iter()
            .map(|f| format!("{} ({})", f.name, f.values))
            .collect();
        let of = match factors.is_empty() {
            true => String::new(),
            false => format!(", factors (values): {}", factors.join(", ")),
        };
        let samples = self.samples;
        format!(
            "{samples} samples of {}{of}{}\n{}{}\n",
            self.data,
            match self.groups {
                0 => "",
                _ => " (in brackets the 95 % interval)",
            },
            aligned(&lines),
            self.note_on_bias()
        )
    }

    /// What is done about the bias that few samples bring.
    pub fn note_on_bias(&self) -> String {
        match self.groups {
            0 => format!(
                "{} samples are too few for intervals and for correcting the bias of all scores: give at least {}.",
                self.samples,
                2 * GROUP_ROWS
            ),
            _ => "The bias of few samples is corrected (`hspace list metrics` says how), so scores differ from plug-in values.".into(),
        }
    }

    /// The first score of the first representation compared with that of the others; empty where there is none.
    pub fn headline(&self) -> String {
        let Some((first, (name, own))) =
            self.rows.first().and_then(|r| Some((r, r.scores.first()?)))
        else {
            return String::new();
        };
        let others = self.rows.iter().skip(1).filter_map(|row| {
            let (_, e) = row.scores.iter().find(|(other, _)| other == name)?;
            Some(format!("{} {}", row.representation, short(e.mean)))
        });
        let others: Vec<String> = others.collect();
        let others_text = match others.is_empty() {
            true => String::new(),
            false => format!("; {}", others.join(", ")),
        };
        let title = match name.as_str() {
            "mig" => "mutual information gap".to_owned(),
            other => other.replace('_', " "),
        };
        format!(
            "{}: {title} {}{others_text}",
            first.representation,
            short(own.mean)
        )
    }
}

/// `.554 (.531–.577)`.
fn cell(of: &Estimate) -> String {
    match of.has_interval() {
        true => format!("{} ({}–{})", short(of.mean), short(of.low), short(of.high)),
        false => short(of.mean),
    }
}

impl Dependence {
    /// The matrix: latents by latents, then by factors.
    pub fn table(&self) -> String {
        let mut header = vec![String::new()];
        header.extend((0..self.latents.len()).map(|j| format!("z{j}")));
        header.extend(self.factors.iter().cloned());
        let mut lines = vec![header];
        for (i, (latents, known)) in self.latents.iter().zip(&self.known).enumerate() {
            let mut line = vec![format!("z{i}")];
            line.extend(latents.iter().chain(known).map(|&x| short(x)));
            lines.push(line);
        }
        let factors = match self.factors.is_empty() {
            true => "",
            false => "; share of each factor known",
        };
        let name = &self.representation;
        format!(
            "{name}: normalised mutual information of latents{factors}\n{}",
            aligned(&lines)
        )
    }
}
