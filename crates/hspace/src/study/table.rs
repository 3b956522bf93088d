//! A study's results as tables in Markdown, with a sentence on where raw pixels win.

use super::{Cell, FEW, Found, Outcome, Pace, Study, read_if};
use crate::error::Result;
use crate::probe::{Estimate, Labels, Measurements};

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
        let mut learned = Vec::new();
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
                let name = match first.labels {
                    true => format!("{objective} †"),
                    false => objective.clone(),
                };
                let collapsed = found.iter().any(|outcome| !outcome.warnings.is_empty());
                let speed = [
                    first.steps.to_string(),
                    format!("{:.0}", first.images_per_s),
                ];
                let measured: Vec<&Measurements> = found.iter().map(|o| &o.measured).collect();
                let line = Line::of(&measured, pixels);
                let name = if collapsed { name + " ‡" } else { name };
                text.push_str(&line.markdown(&name, &speed));
                learned.push((objective.clone(), first.labels, line));
            }
        }
        let untrained = format!("random:{encoder}");
        for name in self.closed_forms(index).into_iter().chain([untrained]) {
            let path = self.baseline_path(index, &name);
            if let Some(measured) = read_if::<Measurements>(&path)? {
                let line = Line::of(&[&measured], pixels);
                let speed = ["–".to_owned(), "–".to_owned()];
                text.push_str(&line.markdown(&name, &speed));
            }
        }
        let chance = over_seeds(&[pixels.chance]);
        text.push_str(&format!(
            "| chance | – | – | {chance} | {chance} | {chance} | – |\n\n"
        ));
        text.push_str(&standing(&learned, &Line::of(&[pixels], pixels)));
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

/// The numbers of a line, over seeds.
struct Line {
    knn: Vec<Estimate>,
    linear: Vec<Estimate>,
    few: Vec<Estimate>,
    /// Labels that pixels need, and whether that is only a lower or an upper bound.
    savings: Vec<(f64, bool, bool)>,
}

impl Line {
    fn of(measured: &[&Measurements], pixels: &Measurements) -> Line {
        let column = |probe: &str, labels: Labels| -> Vec<Estimate> {
            let of = |m: &&Measurements| {
                let mut rows = m.rows.iter();
                let row = rows.find(|row| row.probe == probe && row.labels == labels)?;
                Some(row.main_score()?.1)
            };
            measured.iter().filter_map(of).collect()
        };
        let curve: Vec<_> = pixels
            .rows
            .iter()
            .filter(|row| row.probe == "linear")
            .collect();
        let saving = |m: &&Measurements| {
            let mut rows = m.rows.iter();
            let own = rows.find(|r| r.probe == "linear" && r.labels == Labels::PerClass(FEW))?;
            let found = crate::probe::savings::savings(&[own], &curve, m.seed);
            let found = found.first()?;
            Some((found.equals.mean, found.at_least, found.at_most))
        };
        Line {
            knn: column("knn", Labels::All),
            linear: column("linear", Labels::All),
            few: column("linear", Labels::PerClass(FEW)),
            savings: measured.iter().filter_map(saving).collect(),
        }
    }

    fn markdown(&self, name: &str, [steps, speed]: &[String; 2]) -> String {
        let n = self.savings.len().max(1) as f64;
        let mean = self.savings.iter().map(|s| s.0).sum::<f64>() / n;
        let bound = match (
            self.savings.iter().any(|s| s.1),
            self.savings.iter().any(|s| s.2),
        ) {
            (true, _) => "> ",
            (_, true) => "≤ ",
            _ => "",
        };
        let savings = match self.savings.is_empty() {
            true => "–".to_owned(),
            false => format!("{bound}{mean:.0}"),
        };
        format!(
            "| {name} | {steps} | {speed} | {} | {} | {} | {savings} |\n",
            over_seeds(&means(&self.knn)),
            over_seeds(&means(&self.linear)),
            over_seeds(&means(&self.few))
        )
    }
}

fn means(estimates: &[Estimate]) -> Vec<f64> {
    estimates.iter().map(|e| e.mean).collect()
}

/// By how much a column is above another's mean, and how much of that may be chance: the standard deviation over
/// seeds, or half of the 95 % interval of a score, whichever is more.
fn ahead(own: &[Estimate], of: &[Estimate]) -> (f64, f64) {
    let half = |e: &Estimate| (e.high - e.low) / 2.0;
    let halves = own.iter().chain(of).map(half);
    let doubt = halves.fold(deviation(&means(own)), f64::max);
    (mean(&means(own)) - mean(&means(of)), doubt)
}

/// `.912 ±.004`: the mean, and the standard deviation over seeds where there are several.
fn over_seeds(values: &[f64]) -> String {
    let short = |x: f64| format!("{x:.3}").trim_start_matches('0').to_owned();
    match values.len() {
        0 => "–".to_owned(),
        1 => short(mean(values)),
        _ => format!("{} ±{}", short(mean(values)), short(deviation(values))),
    }
}

/// Standard deviation (÷ n − 1); 0 of a single value.
fn deviation(values: &[f64]) -> f64 {
    let average = mean(values);
    let squares = values.iter().map(|x| (x - average).powi(2)).sum::<f64>();
    (squares / (values.len() as f64 - 1.0).max(1.0)).sqrt()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Where raw pixels win, said plainly; of the objectives without labels. Where the difference may be chance
/// ([`ahead`]), an objective is level with them.
fn standing(learned: &[(String, bool, Line)], pixels: &Line) -> String {
    type Column = (&'static str, fn(&Line) -> &[Estimate]);
    let columns: [Column; 3] = [
        ("kNN with all labels", |line| &line.knn),
        ("the linear probe with all labels", |line| &line.linear),
        ("the linear probe with few labels", |line| &line.few),
    ];
    let without: Vec<_> = learned.iter().filter(|(_, labels, _)| !labels).collect();
    if without.is_empty() {
        return String::new();
    }
    let sentence = |(what, column): Column| {
        let those = |holds: &dyn Fn(f64, f64) -> bool| -> Vec<&str> {
            let all = without.iter().filter(|(.., line)| {
                let (ahead, doubt) = ahead(column(line), column(pixels));
                holds(ahead, doubt)
            });
            all.map(|(name, ..)| name.as_str()).collect()
        };
        let above = those(&|ahead, doubt| ahead > doubt);
        let level = those(&|ahead, doubt| ahead.abs() <= doubt);
        if above.len() == without.len() {
            return format!("By {what}, every objective without labels beats raw pixels.");
        }
        let mut text = match above.is_empty() {
            true if level.is_empty() => {
                "raw pixels win against all objectives without labels".to_owned()
            }
            true => "raw pixels win".to_owned(),
            false => format!("raw pixels win except against {}", above.join(", ")),
        };
        if !level.is_empty() {
            text += &format!("; level with {}", level.join(", "));
        }
        format!("By {what}, {text}.")
    };
    columns.map(sentence).join(" ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_pixels_win_is_said() {
        let score = |mean: f64| Estimate {
            mean,
            low: mean - 0.01,
            high: mean + 0.01,
        };
        let line = |knn: f64, few: f64| Line {
            knn: vec![score(knn)],
            linear: vec![score(0.5)],
            few: vec![score(few)],
            savings: vec![],
        };
        let learned = [
            ("a".to_owned(), false, line(0.9, 0.2)),
            ("b".to_owned(), false, line(0.7, 0.3)),
            ("c".to_owned(), true, line(0.99, 0.99)),
            (
                "d".to_owned(),
                false,
                Line {
                    knn: vec![score(0.7), score(0.92)],
                    ..line(0.0, 0.2)
                },
            ),
            // Within its interval.
            ("e".to_owned(), false, line(0.808, 0.2)),
        ];
        let text = standing(&learned, &line(0.8, 0.6));
        assert!(
            text.contains("kNN with all labels, raw pixels win except against a; level with d, e."),
            "{text}"
        );
        assert!(
            text.contains("few labels, raw pixels win against all"),
            "{text}"
        );
        assert_eq!(over_seeds(&[0.9, 0.92]), ".910 ±.014");
    }
}
