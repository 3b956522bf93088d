//! The tables: results, further measures, geometry, nuisances.

use maud::{Markup, html};

use super::charts::Point;
use super::look::{Look, Looks};
use crate::dataset::Role;
use crate::probe::{
    Estimate, Geometry, HEAD, Labels, Measurements, Nuisance, PROBES, Row, TaskKind, probes_of,
};

/// How a measure is written.
pub(super) struct Measure {
    /// For readers.
    pub title: String,
    /// Shown times 100.
    pub percent: bool,
    /// Smaller values are better.
    low_is_good: bool,
}

impl Measure {
    /// The title within a sentence: `mean IoU`, `R²`.
    pub fn name(&self) -> String {
        let mut letters = self.title.chars();
        match (letters.next(), letters.clone().next()) {
            (Some(first), Some(second)) if second.is_lowercase() => {
                first.to_lowercase().chain(letters).collect()
            }
            _ => self.title.clone(),
        }
    }

    /// What is known about the measure `name`.
    pub fn of(name: &str) -> Measure {
        let (title, percent, low_is_good) = match name {
            "accuracy" => ("Accuracy", true, false),
            "balanced_accuracy" => ("Balanced accuracy", true, false),
            "macro_f1" => ("Macro F1", true, false),
            "macro_auroc" => ("Macro AUROC", true, false),
            "macro_average_precision" => ("Macro average precision", true, false),
            "subset_accuracy" => ("All labels right", true, false),
            "mean_iou" => ("Mean IoU", true, false),
            "mean_dice" => ("Mean Dice", true, false),
            "pixel_accuracy" => ("Pixel accuracy", true, false),
            "auroc" => ("AUROC", true, false),
            "average_precision" => ("Average precision", true, false),
            "sensitivity" => ("Sensitivity at the threshold", true, false),
            "specificity" => ("Specificity at the threshold", true, false),
            "sensitivity_at_95_specificity" => ("Sensitivity at 95 % specificity", true, false),
            "log_loss" => ("Log loss", false, true),
            "calibration_error" => ("Calibration error", true, true),
            "r2" => ("R²", false, false),
            "mean_absolute_error" => ("Mean absolute error", false, true),
            other => {
                return Measure {
                    title: other.replace('_', " "),
                    percent: false,
                    low_is_good: false,
                };
            }
        };
        Measure {
            title: title.into(),
            percent,
            low_is_good,
        }
    }

    /// A measure that is written as it is.
    pub fn plain(name: &str, low_is_good: bool) -> Measure {
        Measure {
            title: name.into(),
            percent: false,
            low_is_good,
        }
    }

    /// `84.8` (percent) or `0.848`; a dash when not finite.
    pub fn number(&self, value: f64) -> String {
        match value {
            _ if !value.is_finite() => "–".into(),
            _ if self.percent => format!("{:.1}", 100.0 * value).replace('-', "−"),
            _ => format!("{value:.3}").replace('-', "−"),
        }
    }

    /// The number with its half-interval, where that has a width.
    pub fn cell(&self, estimate: &Estimate) -> Markup {
        let half = (estimate.high - estimate.low) / 2.0;
        html! {
            (self.number(estimate.mean))
            @if half.is_finite() && half > 0.0 && estimate.mean.is_finite() { span.half { "±" (self.number(half)) } }
        }
    }

    /// The best of `values` as it is written, so that what looks equal is equally marked.
    pub fn best(&self, values: impl Iterator<Item = f64>) -> Option<String> {
        let finite = values.filter(|v| v.is_finite());
        let best = if self.low_is_good {
            finite.reduce(f64::min)
        } else {
            finite.reduce(f64::max)
        };
        best.map(|b| self.number(b))
    }
}

/// A probe's name for readers.
pub(super) fn probe_title(probe: &str) -> &str {
    if probe == HEAD {
        return "Own head";
    }
    let known = PROBES.iter().find(|entry| entry.name == probe);
    known.map_or(probe, |entry| entry.title)
}

/// Probes in the order in which they first appear.
pub(super) fn probes(m: &Measurements) -> Vec<&str> {
    probes_of(&m.rows)
}

/// Names of the representations, in table order.
pub(super) fn representations(m: &Measurements) -> Vec<&str> {
    let listed = m.origins.iter().map(|(name, _)| name.as_str());
    distinct(listed.chain(m.rows.iter().map(|r| r.representation.as_str())))
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    names.for_each(|name| {
        if !seen.contains(&name) {
            seen.push(name);
        }
    });
    seen
}

/// The row of one representation, probe and number of labels.
pub(super) fn find<'a>(
    m: &'a Measurements,
    name: &str,
    probe: &str,
    labels: Labels,
) -> Option<&'a Row> {
    m.rows
        .iter()
        .find(|r| r.representation == name && r.is_under(probe) && r.labels == labels)
}

/// The few-label curve of one representation, by ascending labels.
pub(super) fn curve(m: &Measurements, name: &str, probe: &str) -> Vec<Point> {
    let rows = m
        .rows
        .iter()
        .filter(|r| r.representation == name && r.is_under(probe));
    let point = |row: &Row| {
        let (_, e) = row.main_score()?;
        Some(Point {
            labels: row.labelled,
            mean: e.mean,
            low: e.low,
            high: e.high,
        })
    };
    let mut points: Vec<Point> = rows.filter_map(point).collect();
    points.sort_by_key(|p| p.labels);
    points
}

/// The name of a representation with its colour.
pub(super) fn name(text: &str, look: &Look) -> Markup {
    let colour = look.learned.then(|| format!("color:{}", look.colour));
    html! { span.swatch style=(format!("background:{}", look.colour)) {} span.who style=[colour] { (text) } }
}

/// The main measure of every representation (rows) by number of labels (columns), for one probe.
pub(super) fn results(m: &Measurements, probe: &str, looks: &Looks) -> Markup {
    let mine = || m.rows.iter().filter(|r| r.is_under(probe));
    let measure = Measure::of(m.kind().scores()[0]);
    let mut columns: Vec<(Labels, usize)> = Vec::new();
    for row in mine() {
        match columns.iter_mut().find(|c| c.0 == row.labels) {
            Some(column) => column.1 = column.1.max(row.labelled),
            None => columns.push((row.labels, row.labelled)),
        }
    }
    columns.sort_unstable();
    let names = representations(m)
        .into_iter()
        .filter(|n| mine().any(|r| r.representation == *n));
    let names: Vec<&str> = names.collect();
    let value = |name: &str, labels| {
        let score = find(m, name, probe, labels).and_then(Row::main_score);
        score.map(|(_, e)| e)
    };
    let best: Vec<Option<String>> = columns
        .iter()
        .map(|&(labels, _)| {
            measure.best(
                names
                    .iter()
                    .filter_map(|n| value(n, labels))
                    .map(|e| e.mean),
            )
        })
        .collect();
    // A number of labels that is not their total.
    let each = m.kind() == TaskKind::Classes;
    html! {
        div.scroll {
            table.results {
                caption { (probe_title(probe)) span { (measure.title) @if measure.percent { ", %" } } }
                thead {
                    tr {
                        th scope="col" { (m.per()) }
                        @for (labels, total) in &columns {
                            th scope="col" {
                                @match labels {
                                    Labels::PerClass(n) if each => (n),
                                    Labels::PerClass(_) => (grouped(*total)),
                                    Labels::All => "all",
                                }
                                @if each || *labels == Labels::All { span.total { (grouped(*total)) } }
                            }
                        }
                    }
                }
                tbody {
                    @if m.kind() != TaskKind::Numbers && !names.contains(&"chance") {
                        tr.chance {
                            th scope="row" { (name("chance", &looks.of("chance"))) }
                            @for _ in &columns { td { (measure.number(m.chance)) } }
                        }
                    }
                    @for representation in &names {
                        @let look = looks.of(representation);
                        tr.learned[look.learned].chance[*representation == "chance"] {
                            th scope="row" { (name(representation, &look)) }
                            @for (&(labels, _), best) in columns.iter().zip(&best) {
                                @match value(representation, labels) {
                                    Some(e) => td.best[Some(measure.number(e.mean)) == *best && e.mean.is_finite()] { (measure.cell(e)) },
                                    None => td.none { "–" },
                                }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(note) = m.val_note(probe) { p.note { (note) } }
        @for note in m.missing_intervals(probe) { p.note { (note) } }
        @if let Some(note) = m.own_heads() { p.note { (note) } }
    }
}

/// Every measure with all labels, one table a probe.
pub(super) fn measures(m: &Measurements, probe: &str, looks: &Looks) -> Markup {
    let rows: Vec<&Row> = m
        .rows
        .iter()
        .filter(|r| r.is_under(probe) && r.labels == Labels::All)
        .collect();
    if rows.is_empty() {
        return html! {};
    }
    let keys = m.kind().scores();
    let value = |row: &Row, key: &str| row.scores.iter().find(|(k, _)| k == key).map(|(_, e)| *e);
    let best = |key: &str| {
        Measure::of(key).best(rows.iter().filter_map(|r| value(r, key)).map(|e| e.mean))
    };
    html! {
        div.scroll {
            table {
                caption { (probe_title(probe)) span { "all labels" } }
                thead { tr {
                    th scope="col" {}
                    @for key in keys {
                        @let measure = Measure::of(key);
                        th scope="col" { (measure.title) @if measure.percent { ", %" } @if measure.low_is_good { " ↓" } }
                    }
                } }
                tbody { @for row in &rows {
                    @let look = looks.of(&row.representation);
                    tr.learned[look.learned] {
                        th scope="row" { (name(&row.representation, &look)) }
                        @for key in keys {
                            @match value(row, key) {
                                Some(e) => td.best[best(key) == Some(Measure::of(key).number(e.mean)) && e.mean.is_finite()] { (Measure::of(key).cell(&e)) },
                                None => td.none { "–" },
                            }
                        }
                    }
                } }
            }
        }
    }
}

/// The labels of a row whose task has several a sample, `test` samples being tested.
pub(super) fn labels(row: &Row, test: usize, looks: &Looks) -> Markup {
    let percent = Measure::of("auroc");
    let cell = |value: &Option<Estimate>| match value {
        Some(e) => html! { td { (percent.cell(e)) } },
        None => html! { td.none { "–" } },
    };
    html! {
        div.scroll {
            table {
                caption { (name(&row.representation, &looks.of(&row.representation))) }
                thead { tr {
                    th scope="col" {} th scope="col" { "In test samples" } th scope="col" { "of them, %" }
                    th scope="col" { "AUROC, %" } th scope="col" { "Average precision, %" }
                } }
                tbody { @for score in &row.label_scores { tr {
                    th scope="row" { (score.label) }
                    td { (grouped(score.positives)) }
                    td { (percent.number(score.positives as f64 / test as f64)) }
                    (cell(&score.auroc)) (cell(&score.average_precision))
                } } }
            }
        }
    }
}

/// The shape of each representation, and what each column says.
pub(super) fn geometry(of: &[Geometry], looks: &Looks) -> Markup {
    let number = |value: Option<f64>, digits: usize| match value {
        Some(v) if v.is_finite() => format!("{v:.digits$}").replace('-', "−"),
        _ => "–".into(),
    };
    html! {
        div.scroll {
            table {
                thead { tr {
                    th scope="col" {}
                    th scope="col" { "Dimensions" } th scope="col" { "Effective rank" }
                    th scope="col" { "Alignment ↓" } th scope="col" { "Uniformity ↓" }
                    th scope="col" { "NMI ↑" } th scope="col" { "ARI ↑" }
                } }
                tbody { @for g in of {
                    @let look = looks.of(&g.representation);
                    tr.learned[look.learned] {
                        th scope="row" { (name(&g.representation, &look)) }
                        td { (g.dim) }
                        td { (number(g.effective_rank, 1)) }
                        td { (number(g.alignment, 3)) }
                        td { (number(g.uniformity, 2)) }
                        td { (number(g.nmi, 3)) }
                        td { (number(g.ari, 3)) }
                    }
                } }
            }
        }
        dl.terms {
            dt { "Effective rank" } dd { "How many dimensions are really in use (RankMe). Near 1 means collapse." }
            dt { "Alignment" } dd { "Mean squared distance of two samples of one class on the unit sphere. Lower: classes are tighter." }
            dt { "Uniformity" } dd { "How evenly samples spread over the unit sphere. Lower: more even, so more is kept apart." }
            dt { "NMI, ARI" } dd { "How well k-means clusters, found without labels, match the classes. 1 is perfect; guessing gives 0." }
        }
    }
}

/// What can be read off each representation that is no task.
pub(super) fn nuisances(of: &[Nuisance], looks: &Looks) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr {
                    th scope="col" {} th.text scope="col" { "Column" }
                    th scope="col" { "Decodability" } th scope="col" { "Chance" } th.text scope="col" { "Verdict" }
                } }
                tbody { @for n in of {
                    @let look = looks.of(&n.representation);
                    tr.learned[look.learned] {
                        th scope="row" { (name(&n.representation, &look)) }
                        td.text { (n.column) @if n.role == Role::Domain { " (domain)" } }
                        td { (Measure::of("accuracy").cell(&n.decodability)) }
                        td { (Measure::of("accuracy").number(n.chance)) }
                        td.text {
                            @if n.warning { span.bad { "⚠ can be read off" } }
                            @else if n.readable { "can be read off" }
                            @else { "not above chance" }
                        }
                    }
                } }
            }
        }
    }
}

/// `12345` as `12,345`.
pub(super) fn grouped(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_readers() {
        assert_eq!(
            [0, 999, 1000, 1234567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
        let accuracy = Measure::of("accuracy");
        let e = Estimate {
            mean: 0.8479,
            low: 0.84,
            high: 0.86,
        };
        assert_eq!(
            accuracy.cell(&e).into_string(),
            "84.8<span class=\"half\">±1.0</span>"
        );
        let nan = Estimate {
            mean: f64::NAN,
            low: f64::NAN,
            high: f64::NAN,
        };
        assert_eq!(accuracy.cell(&nan).into_string(), "–");
    }

    #[test]
    fn the_best_follows_the_direction_of_the_measure() {
        let values = || [0.3, f64::NAN, 0.1].into_iter();
        assert_eq!(
            Measure::of("log_loss").best(values()).as_deref(),
            Some("0.100")
        );
        assert_eq!(
            Measure::of("accuracy").best(values()).as_deref(),
            Some("30.0")
        );
        assert_eq!(Measure::of("accuracy").best([f64::NAN].into_iter()), None);
    }
}
