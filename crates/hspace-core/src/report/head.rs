//! How right a head is: its measures, and of two classes the receiver operating characteristic.

use maud::{Markup, html};

use super::HeadResult;
use super::charts::Frame;
use super::sections::section;
use super::tables::{Measure, grouped};
use crate::probe::Estimate;
use crate::probe::evaluation::Roc;

/// Points of a curve that are drawn at most.
const POINTS: usize = 1000;

pub(super) fn head(result: Option<&HeadResult>) -> Markup {
    let Some(HeadResult { about, evaluation }) = result else {
        return html! {};
    };
    let lede = html! {
        "What answers for new samples: " (about.made)
        @if about.samples > 0 { ", fitted to " (grouped(about.samples)) " labels of “" (about.task) "”" }
        "."
        @if let Some(text) = about.calibration_text() { " Probabilities: " (text) "." }
        " Measured on " (grouped(evaluation.samples)) " labelled samples, with 95 % intervals for them."
        @if evaluation.unknown > 0 { " " (grouped(evaluation.unknown)) " more have a label that it does not know, and are left out." }
    };
    let body = html! {
        div.panels {
            @if let Some(roc) = &evaluation.roc {
                figure {
                    figcaption { "Receiver operating characteristic" span { "of “" (roc.classes[1]) "”" } }
                    (chart(roc))
                }
            }
            div.scroll { table {
                thead { tr { th.text { "Measure" } th { "Value" } th { "95 % interval" } } }
                tbody { @for (name, estimate) in &evaluation.scores { (row(name, estimate)) } }
            } }
        }
    };
    section("The head", lede, body)
}

fn row(name: &str, estimate: &Estimate) -> Markup {
    let measure = Measure::of(name);
    let unit = if measure.percent { " %" } else { "" };
    html! { tr {
        th.text { (measure.title) }
        td { (measure.number(estimate.mean)) (unit) }
        td { @if estimate.has_interval() { (measure.number(estimate.low)) " to " (measure.number(estimate.high)) (unit) } @else { "–" } }
    } }
}

/// `91.2 (88.0 to 93.9) %`
pub(super) fn in_words(e: &Estimate) -> String {
    let percent = |x: f64| Measure::of("accuracy").number(x);
    match e.has_interval() {
        true => format!(
            "{} ({} to {}) %",
            percent(e.mean),
            percent(e.low),
            percent(e.high)
        ),
        false => format!("{} %", percent(e.mean)),
    }
}

/// Without a unit, whole.
pub(super) fn percent(x: f64) -> String {
    format!("{:.0}", 100.0 * x)
}

/// At most [`POINTS`] of them, the ends among them.
fn thinned(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let (last, count) = (points.len() - 1, points.len().min(POINTS));
    (0..count)
        .map(|i| points[i * last / (count - 1).max(1)])
        .collect()
}

fn chart(roc: &Roc) -> Markup {
    let frame = Frame {
        area: [46.0, 366.0, 12.0, 332.0],
        x: [0.0, 1.0],
        y: [0.0, 1.0],
    };
    let ticks = [0.0, 0.25, 0.5, 0.75, 1.0];
    let columns: Vec<(f64, String)> = ticks.iter().map(|&x| (x, percent(x))).collect();
    let (at, points) = (roc.sensitivity_at_95, thinned(&roc.points));
    let bar = |[x, low]: [f64; 2], [to, high]: [f64; 2], colour: &str| {
        html! { line x1=(format!("{:.1}", frame.x(x))) y1=(format!("{:.1}", frame.y(low)))
        x2=(format!("{:.1}", frame.x(to))) y2=(format!("{:.1}", frame.y(high)))
        style=(format!("stroke:{colour}")) stroke-width="1.6" {} }
    };
    let mark = |[x, y]: [f64; 2], colour: &str, text: &str| {
        html! { circle.mark cx=(format!("{:.1}", frame.x(x))) cy=(format!("{:.1}", frame.y(y))) r="5"
        style=(format!("fill:{colour}")) { title { (text) } } }
    };
    // One line of text a mark, in the empty half below the diagonal.
    let line = |row: f64, colour: &str, text: &str, value: &str| {
        html! {
            circle.mark cx="168" cy=(250.0 + 34.0 * row) r="5" style=(format!("fill:{colour}")) {}
            text x="180" y=(246.0 + 34.0 * row) { (text) }
            text.heading x="180" y=(262.0 + 34.0 * row) { (value) }
        }
    };
    let chosen = roc.chosen.as_ref();
    let chosen_text = chosen.map(|c| format!("chosen threshold {:.3}", c.threshold));
    html! {
        svg.chart viewBox="0 0 380 374" style="max-width:460px" role="img" {
            title { "Receiver operating characteristic: area under the curve " (in_words(&roc.auroc)) }
            (frame.rows(&ticks, percent))
            (frame.columns(&columns))
            line.chance x1=(frame.x(0.0)) y1=(frame.y(0.0)) x2=(frame.x(1.0)) y2=(frame.y(1.0)) {}
            line.axis x1=(frame.x(0.05)) x2=(frame.x(0.05)) y1=(frame.y(0.0)) y2=(frame.y(1.0)) stroke-dasharray="3 4" {}
            path.line.strong d=(frame.path(&points)) style="stroke:var(--accent-0)" {}
            @if at.has_interval() { (bar([0.05, at.low], [0.05, at.high], "var(--class-1)")) }
            (mark([0.05, at.mean], "var(--class-1)", "at 95 % specificity"))
            @if let (Some(c), Some(text)) = (chosen, &chosen_text) {
                @let (x, y) = (1.0 - c.specificity.mean, c.sensitivity.mean);
                @if c.sensitivity.has_interval() { (bar([x, c.sensitivity.low], [x, c.sensitivity.high], "var(--class-2)")) }
                @if c.specificity.has_interval() { (bar([1.0 - c.specificity.high, y], [1.0 - c.specificity.low, y], "var(--class-2)")) }
                (mark([x, y], "var(--class-2)", text))
                (line(1.0, "var(--class-2)", text, &format!(
                    "sens. {} %, spec. {} %", percent(c.sensitivity.mean), percent(c.specificity.mean)
                )))
            }
            text x="180" y="212" { "area under the curve" }
            text.heading x="180" y="228" { (in_words(&roc.auroc)) }
            (line(0.0, "var(--class-1)", "sensitivity at 95 % specificity", &in_words(&at)))
            text.name.middle x="206" y="368" { "1 − specificity, % of " (grouped(roc.counts[0])) " “" (roc.classes[0]) "”" }
            text.name.middle transform="translate(10 172) rotate(-90)" { "sensitivity, % of " (grouped(roc.counts[1])) " “" (roc.classes[1]) "”" }
        }
    }
}
