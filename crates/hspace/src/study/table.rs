//! A study's results as tables in Markdown, with a sentence on where raw pixels win.

use super::{Cell, FEW, Found, Outcome, Pace, Study, read_if};
use crate::error::Result;
use crate::probe::comparison::compare;
use crate::probe::savings::savings;
use crate::probe::{Comparison, HEAD, Labels, Measurements, Row, over_seeds};
use crate::source::Source;
use crate::stats::MIN_LEVELS;

impl Study {
    /// The results so far as tables in Markdown, one for each dataset and encoder.
    ///
    /// # Errors
    /// Results that cannot be read.
    pub fn markdown(&self) -> Result<String> {
        let mut text = String::new();
        for (index, data) in self.plan.data.iter().enumerate() {
            let pixels: Option<Measurements> = read_if(&self.baseline_path(index, "pixels"))?;
            let Some(pixels) = pixels else {
                continue;
            };
            for encoder in &self.plan.encoders {
                text.push_str(&self.one_table(index, data, encoder, &pixels)?);
            }
        }
        Ok(text)
    }

    fn one_table(
        &self,
        index: usize,
        data: &str,
        encoder: &str,
        pixels: &Measurements,
    ) -> Result<String> {
        let few = FEW * pixels.classes.len().max(1);
        let mut text = format!(
            "### {} with {encoder}\n\n| objective | steps | images/s | kNN, all labels | linear, all labels | \
             linear, {few} labels | {few} labels do what … do on pixels |\n| --- | --- | --- | --- | --- | --- | --- |\n",
            self.datasets[index].name
        );
        let (mut unsuitable, mut diverged) = (Vec::new(), Vec::new());
        let known: Vec<(Cell, Pace)> = read_if(&self.folder.join("pace.json"))?.unwrap_or_default();
        let mut lines: Vec<Line> = Vec::new();
        for objective in &self.plan.objectives {
            let cell = Cell {
                data: data.to_owned(),
                encoder: encoder.to_owned(),
                objective: objective.clone(),
            };
            let pace = known.iter().find(|(known, _)| *known == cell);
            if let Some((_, Pace::Unsuitable(reason))) = pace {
                unsuitable.push(format!("{objective} ({reason})"));
            }
            let mut found: Vec<Outcome> = Vec::new();
            for seed in 0..self.plan.seeds {
                match read_if(&self.result_path(&cell, seed))? {
                    Some(Found::Measured(outcome)) => found.push(*outcome),
                    Some(Found::Diverged { diverged: reason }) => {
                        diverged.push(format!("{objective} with seed {seed} ({reason})"));
                    }
                    None => {}
                }
            }
            if let Some(first) = found.first() {
                let collapsed = found.iter().any(|outcome| !outcome.warnings.is_empty());
                let runs: Vec<&[Row]> = found.iter().map(|o| &o.measured.rows[..]).collect();
                lines.push(Line {
                    mark: match (first.labels, collapsed) {
                        (true, true) => " † ‡",
                        (true, false) => " †",
                        (false, true) => " ‡",
                        (false, false) => "",
                    },
                    speed: Some((first.steps, first.images_per_s)),
                    labels: first.labels,
                    rows: over_seeds(&runs, objective),
                });
            }
        }
        let mut names = self.closed_forms(index);
        names.push(format!("random:{encoder}"));
        for source in &self.plan.sources {
            // Of the encoder of another table.
            let of_another = match Source::parse(source)? {
                Source::Learner(learner) => learner.untrained().is_some_and(|of| of != encoder),
                _ => false,
            };
            if !of_another && !names.contains(source) {
                names.push(source.clone());
            }
        }
        for name in names {
            let path = self.baseline_path(index, &name);
            if let Some(measured) = read_if::<Measurements>(&path)? {
                let labels = matches!(Source::parse(&name)?, Source::Learner(_));
                lines.push(Line {
                    mark: if labels { " †" } else { "" },
                    speed: None,
                    labels,
                    rows: over_seeds(&[&measured.rows], &name),
                });
            }
        }
        let rows: Vec<Row> = lines.iter().flat_map(|line| line.rows.clone()).collect();
        let comparisons = compare(&rows);
        let curve: Vec<&Row> = lines
            .iter()
            .filter(|line| line.name() == Some(PIXELS))
            .flat_map(|line| &line.rows)
            .filter(|row| row.probe == "linear")
            .collect();
        for line in &lines {
            text.push_str(&line.markdown(&curve, &comparisons, pixels.seed)?);
        }
        let chance = short(pixels.chance);
        text.push_str(&format!(
            "| chance | – | – | {chance} | {chance} | {chance} | – |\n\n"
        ));
        let held = "± half of the 95 % interval, which holds draws of labels, test samples";
        text.push_str(&match self.plan.seeds {
            1 => format!("{held}, and not the training: it takes --seeds {MIN_LEVELS} or more.\n\n"),
            few if few < MIN_LEVELS as u64 => {
                format!("{few} seeds are too few for intervals: it takes --seeds {MIN_LEVELS} or more.\n\n")
            }
            seeds => format!("{held} and the training ({seeds} seeds).\n\n"),
        });
        text.push_str(&standing(&lines, &comparisons));
        let names: Vec<&str> = lines.iter().filter_map(Line::name).collect();
        text.push_str(&all_pairs(&names, &comparisons));
        if !unsuitable.is_empty() {
            text.push_str(&format!(
                "Not for this encoder or these data: {}.\n",
                unsuitable.join(", ")
            ));
        }
        if !diverged.is_empty() {
            text.push_str(&format!("Without a result: {}.\n", diverged.join(", ")));
        }
        text.push('\n');
        Ok(text)
    }
}

/// The representation that others are compared with.
const PIXELS: &str = "pixels";

/// The columns of scores: what they are, probe and labels.
const COLUMNS: [(&str, &str, Labels); 3] = [
    ("kNN with all labels", "knn", Labels::All),
    ("the linear probe with all labels", "linear", Labels::All),
    (
        "the linear probe with few labels",
        "linear",
        Labels::PerClass(FEW),
    ),
];

/// A line of a table: an objective over its seeds, or a baseline.
struct Line {
    /// What follows the name: that it saw labels, that it collapsed.
    mark: &'static str,
    /// Steps and images a second, of what is trained.
    speed: Option<(usize, f64)>,
    /// It saw the training labels.
    labels: bool,
    rows: Vec<Row>,
}

impl Line {
    fn name(&self) -> Option<&str> {
        Some(&self.rows.first()?.representation)
    }

    fn markdown(&self, curve: &[&Row], comparisons: &[Comparison], seed: u64) -> Result<String> {
        let Some(name) = self.name() else {
            return Ok(String::new());
        };
        let find = |probe: &str, labels: Labels| {
            let mut rows = self.rows.iter();
            // An own head is shown once.
            let is_own = |row: &Row| row.probe == HEAD && probe == COLUMNS[1].1;
            rows.find(|row| (row.probe == probe || is_own(row)) && row.labels == labels)
        };
        let score = |(_, probe, labels): (&str, &str, Labels)| {
            let Some((_, e)) = find(probe, labels).and_then(Row::main_score) else {
                return "–".to_owned();
            };
            match e.has_interval() {
                true => format!("{} ±{}", short(e.mean), short((e.high - e.low) / 2.0)),
                false => short(e.mean),
            }
        };
        let few = find("linear", Labels::PerClass(FEW)).filter(|_| name != PIXELS);
        let saved = match few {
            Some(row) => savings(&[row], curve, comparisons, seed)?
                .into_iter()
                .next(),
            None => None,
        };
        let saved = saved.map(
            |saving| match saving.amount(&|count| format!("{count:.0}")) {
                Some(amount) => amount.replace("95 % interval ", ""),
                None if saving.seen => "open".to_owned(),
                None => "no difference seen".to_owned(),
            },
        );
        let (steps, speed) = match self.speed {
            Some((steps, rate)) => (steps.to_string(), format!("{rate:.0}")),
            None => ("–".to_owned(), "–".to_owned()),
        };
        Ok(format!(
            "| {name}{} | {steps} | {speed} | {} | {} | {} | {} |\n",
            self.mark,
            score(COLUMNS[0]),
            score(COLUMNS[1]),
            score(COLUMNS[2]),
            saved.unwrap_or("–".to_owned())
        ))
    }
}

/// `.912`
fn short(x: f64) -> String {
    format!("{x:.3}").trim_start_matches('0').to_owned()
}

/// Which objectives without labels are better than raw pixels, and which are not, by the comparisons of the table: Holm's
/// correction for all its pairs.
fn standing(lines: &[Line], comparisons: &[Comparison]) -> String {
    let objectives = || {
        lines
            .iter()
            .filter(|line| line.speed.is_some() && !line.labels)
    };
    let names: Vec<&str> = objectives().filter_map(Line::name).collect();
    if names.is_empty() {
        return String::new();
    }
    let sentence = |(what, probe, labels): (&str, &str, Labels)| {
        let (mut better, mut level, mut worse) = (Vec::new(), Vec::new(), Vec::new());
        for name in &names {
            let pair = comparisons.iter().find(|c| {
                let pair = [c.a.as_str(), c.b.as_str()];
                c.probe == probe
                    && c.labels == labels
                    && pair.contains(name)
                    && pair.contains(&PIXELS)
            });
            match pair {
                Some(c) if !c.seen => level.push(format!(
                    "{name} (at most {})",
                    short(c.difference.high.max(-c.difference.low))
                )),
                Some(c) if c.a == *name => {
                    better.push(format!("{name} (by {})", short(c.difference.mean)))
                }
                Some(c) => worse.push(format!("{name} (by {})", short(c.difference.mean))),
                None => {}
            }
        }
        let part = |what: &str, names: &[String]| match names.is_empty() {
            true => None,
            false => Some(format!("{what}: {}", names.join(", "))),
        };
        let parts = [
            part("better", &better),
            part("no difference seen", &level),
            part("worse", &worse),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        match parts.is_empty() {
            true => format!("Against raw pixels by {what}: nothing can be compared."),
            false => format!("Against raw pixels by {what}: {}.", parts.join("; ")),
        }
    };
    COLUMNS.map(sentence).join(" ") + "\n"
}

/// Matrices of all pairs, folded away: row less column for each column of scores.
fn all_pairs(names: &[&str], comparisons: &[Comparison]) -> String {
    let matrix = |(what, probe, labels): (&str, &str, Labels)| {
        let cell = |row: &str, column: &str| {
            let pair = comparisons.iter().find(|c| {
                let pair = [c.a.as_str(), c.b.as_str()];
                (c.probe.as_str(), c.labels) == (probe, labels)
                    && (pair == [row, column] || pair == [column, row])
            });
            let Some(c) = pair else {
                return "–".to_owned();
            };
            let e = c.difference;
            match (c.seen, c.a == row) {
                (false, _) => format!("≤ {}", short(e.high.max(-e.low))),
                (true, true) => format!(
                    "**+{}** ({}–{})",
                    short(e.mean),
                    short(e.low),
                    short(e.high)
                ),
                (true, false) => format!(
                    "**−{}** ({}–{})",
                    short(e.mean),
                    short(e.low),
                    short(e.high)
                ),
            }
        };
        let columns = &names[..names.len() - 1];
        let mut text = format!(
            "\n{}{}\n\n| | {} |\n| --- |{}\n",
            what[..1].to_uppercase(),
            &what[1..],
            columns.join(" | "),
            " --- |".repeat(columns.len())
        );
        for (place, row) in names.iter().enumerate().skip(1) {
            let cells = (0..columns.len()).map(|other| match other < place {
                true => cell(row, columns[other]),
                false => String::new(),
            });
            text.push_str(&format!(
                "| {row} | {} |\n",
                cells.collect::<Vec<_>>().join(" | ")
            ));
        }
        text
    };
    let named = |c: &Comparison| names.contains(&c.a.as_str()) && names.contains(&c.b.as_str());
    if !comparisons.iter().any(named) {
        return String::new();
    }
    format!(
        "\n<details><summary>All pairs</summary>\n\nRow less column, with its 95 % interval; “≤”: no difference seen, and at most so \
         large (Holm’s correction over the pairs of a table).\n{}\n</details>\n\n",
        COLUMNS.map(matrix).concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Estimate;

    fn pair(a: &str, b: &str, mean: f64, seen: bool) -> Comparison {
        Comparison {
            by_itself: None,
            a: a.into(),
            b: b.into(),
            probe: "knn".into(),
            labels: Labels::All,
            difference: Estimate {
                mean,
                low: mean - 0.01,
                high: mean + 0.01,
            },
            p: if seen { 0.01 } else { 0.5 },
            seen,
        }
    }

    #[test]
    fn who_is_better_than_pixels_is_said_with_what_is_not_seen() {
        let line = |name: &str, labels: bool| Line {
            mark: "",
            speed: Some((10, 5.0)),
            labels,
            rows: vec![Row {
                representation: name.into(),
                probe: "knn".into(),
                labels: Labels::All,
                labelled: 100,
                val_labels: 0,
                scores: vec![],
                label_scores: vec![],
                draws: vec![],
                chosen: vec![],
                confidence: None,
                needs: None,
                answers: None,
            }],
        };
        let lines = [
            line("a", false),
            line("b", false),
            line("c", true),
            line("d", false),
        ];
        let comparisons = [
            pair("a", PIXELS, 0.1, true),
            pair(PIXELS, "b", 0.2, true),
            pair("c", PIXELS, 0.3, true),
            pair(PIXELS, "d", 0.004, false),
        ];
        let matrices = all_pairs(&["a", PIXELS, "b", "d"], &comparisons);
        for row in [
            "| | a | pixels | b |",
            "| pixels | **−.100** (.090–.110) |  |  |",
            "| b | – | **−.200** (.190–.210) |  |",
            "| d | – | ≤ .014 | – |",
        ] {
            assert!(matrices.contains(row), "{matrices}");
        }
        assert_eq!(all_pairs(&["x", "y"], &comparisons), "");
        let text = standing(&lines, &comparisons);
        let wanted = "Against raw pixels by kNN with all labels: better: a (by .100); no difference seen: d (at most .014); worse: b (by .200). ";
        assert!(text.starts_with(wanted), "{text}");
        assert!(text.contains(
            "Against raw pixels by the linear probe with few labels: nothing can be compared."
        ));
    }
}
