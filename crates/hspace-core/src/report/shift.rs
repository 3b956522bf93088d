//! What was learned in one domain and tested in another: samples of the domains, scores at home and away, how far apart the domains are.

use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::Drawing;
use super::charts::Frame;
use super::look::{Looks, clip};
use super::sections::{drawing, section};
use super::sprite::Sprite;
use super::tables::{Measure, grouped, name};
use crate::dataset::{Dataset, Image, Sample, Shape, Split};
use crate::error::Result;
use crate::matrix::spaced;
use crate::picture;
use crate::probe::{Estimate, Labels};
use crate::shift::{Domains, Reliability, Shift, ShiftRow};

/// Samples of each domain that are shown.
const SAMPLES: usize = 12;
/// Height of a row of the chart.
const ROW: f64 = 30.0;

/// A shift, for a page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShiftResult {
    /// What was measured.
    pub found: Shift,
    /// Samples of the domains; `None` of vectors.
    pub samples: Option<Drawing>,
}

/// Training samples of each domain that the column `domain` names, a row each; `None` of vectors.
///
/// ```
/// use hspace_core::dataset::{Dataset, OpenOptions};
/// use hspace_core::report::domain_samples;
///
/// let shapes = || Dataset::open("builtin:shapes", &OpenOptions::default());
/// let both = Dataset::of_domains(vec![("a".into(), shapes()?), ("b".into(), shapes()?)])?;
/// let drawing = domain_samples(&both, "domain")?.expect("images");
/// assert!(drawing.caption.contains("a, b"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When there is no such column, or the picture cannot be written.
pub fn domain_samples(dataset: &Dataset, domain: &str) -> Result<Option<Drawing>> {
    if !matches!(dataset.shape, Shape::Image { .. }) {
        return Ok(None);
    }
    let domains = Domains::of(&dataset.columns, domain)?;
    let (mut images, mut counts) = (Vec::<Image<'_>>::new(), Vec::new());
    for place in 0..domains.names().len() {
        let own = domains.rows(&[place]);
        let is_own = |&row: &usize| own[row] && dataset.split[row] == Split::Train;
        let rows: Vec<usize> = (0..dataset.len()).filter(is_own).collect();
        let before = images.len();
        for i in spaced(rows.len(), SAMPLES) {
            if let Ok(Sample::Image(image)) = dataset.samples.get(rows[i]) {
                images.push(image);
            }
        }
        counts.push(images.len() - before);
    }
    let tiles = Sprite::new(&images)?.tiles()?;
    let mut tiles = tiles.iter().map(picture::enlarged);
    let rows = counts.iter().map(|&n| tiles.by_ref().take(n).collect());
    let rows: Vec<Vec<_>> = rows.filter(|row: &Vec<_>| !row.is_empty()).collect();
    Ok(Some(Drawing {
        title: "Samples of the domains".into(),
        caption: format!("a row each, from the top: {}", domains.names().join(", ")),
        picture: picture::png(&picture::sheet(&rows, false)?)?,
    }))
}

pub(super) fn shift(result: Option<&ShiftResult>, looks: &Looks) -> Markup {
    let Some(ShiftResult { found, samples }) = result else {
        return html! {};
    };
    let measure = Measure::of(&found.measure);
    let inputs = html! {
        @for pair in &found.inputs {
            p { b { (pair.a) " and " (pair.b) } @if pair.findings.is_empty() { ": no difference seen" } }
            ul { @for finding in &pair.findings { li { (finding) } } }
        }
        @if let Some(samples) = samples { (drawing(samples)) }
    };
    let lede = html! { "Before anything is learned: size, channels, range, polarity and colour, and the mix of the classes, in training samples." };
    let scores = html! { @for (home, away) in found.directions() { (pair(found, &home, &away, &measure, looks)) } };
    html! {
        (section("How the inputs differ", lede, inputs))
        (section("At home and away", explained(found), scores))
        (choices(found, looks))
        (apart(found, looks))
    }
}

fn explained(found: &Shift) -> Markup {
    html! {
        "Learned from the labels of one domain, tested on the test samples of another (filled dot), and at home (open dot); the bar is the ceiling, "
        "reached with labels of the other domain. 95 % intervals."
        @if found.rows.iter().any(|row| row.adapts) {
            " A source that adapts learned from training samples of the other domain too, without their labels. Gain: its score away less that of its "
            "reference, which does not adapt, on the same test samples; gap closed: the gain as a share of what labels of the other domain would give the reference."
        }
    }
}

/// The chart and the table of one pair of domains, for the most labels; the table has all.
fn pair(found: &Shift, home: &[String], away: &str, measure: &Measure, looks: &Looks) -> Markup {
    let own: Vec<&ShiftRow> = found.sorted(home, away);
    let most = own.iter().map(|row| row.labels).max();
    let shown: Vec<&ShiftRow> = own
        .iter()
        .copied()
        .filter(|row| Some(row.labels) == most)
        .collect();
    let several = own.len() > shown.len();
    let compared = own.iter().any(|row| row.gain.is_some());
    let balanced = found.needs_balanced(home, away);
    let accuracy = Measure::of("balanced_accuracy");
    html! {
        h3 { (home.join(" + ")) " → " (away)
            span.half { (grouped(own.first().map_or(0, |row| row.tested))) " test samples" } }
        (chart(&shown, measure, looks))
        div.scroll { table {
            thead { tr {
                th.text { "Source" }
                @if several { th { "Labels" } }
                th { "At home" } th { "Away" }
                @if balanced { th { "Balanced" } }
                th { "Drop" } th { "Ceiling" }
                @if compared { th { "Gain" } th { "Gap closed" } }
            } }
            tbody { @for row in &own {
                @let look = looks.of(&row.source);
                tr.learned[row.adapts] {
                    th.text { (name(&row.source, &look)) }
                    @if several { td { (labels(row)) } }
                    td { (optional(row.at_home.as_ref(), measure)) }
                    td { (measure.cell(&row.score)) }
                    @if balanced { td { (optional(row.balanced.as_ref(), &accuracy)) } }
                    td { (optional(row.drop.as_ref(), measure)) }
                    td { (optional(row.ceiling.as_ref(), measure)) }
                    @if compared {
                        td class=[row.gain.as_ref().and_then(tone)] { (optional(row.gain.as_ref(), measure)) }
                        td { @match &row.closed {
                            Some(e) => { (percent(e.mean)) span.half { (percent(e.low)) " to " (percent(e.high)) } }
                            None => "–"
                        } }
                    }
                }
            } }
        } }
        (calibration(&own, several, looks))
    }
}

/// How far the probabilities of the answers say whether they are right, at home and away.
fn calibration(rows: &[&ShiftRow], several: bool, looks: &Looks) -> Markup {
    if rows.iter().all(|row| row.calibration.is_none()) {
        return html! {};
    }
    let share = Measure::of("calibration_error");
    let of = |c: &Option<Reliability>, number: fn(&Reliability) -> f64| match c {
        Some(c) => share.number(number(c)),
        None => "–".to_owned(),
    };
    html! {
        p { "Whether probabilities can be relied on: the calibration error, by how much the mean probability of the answers is above the accuracy (too sure), and the "
            "error of the half of the samples whose answers are most probable, which are answered if the others are referred to a human." }
        div.scroll { table {
            thead { tr {
                th.text { "Source" }
                @if several { th { "Labels" } }
                th { "Calibration error at home" } th { "Away" } th { "Too sure by, at home" } th { "Away" } th { "Confident half wrong, at home" } th { "Away" }
            } }
            tbody { @for row in rows { tr.learned[row.adapts] {
                th.text { (name(&row.source, &looks.of(&row.source))) }
                @if several { td { (labels(row)) } }
                @for c in [&row.calibration_at_home, &row.calibration] { td { (optional(c.as_ref().map(|c| &c.error), &share)) } }
                @for c in [&row.calibration_at_home, &row.calibration] { td { (of(c, |c| c.confidence.overconfidence)) } }
                @for c in [&row.calibration_at_home, &row.calibration] { td { (of(c, |c| c.confidence.confident_error)) } }
            } } }
        } }
    }
}

fn labels(row: &ShiftRow) -> String {
    match row.labels {
        Labels::All => "all".to_owned(),
        Labels::PerClass(k) => k.to_string(),
    }
}

fn percent(x: f64) -> String {
    format!("{:.0} %", 100.0 * x).replace('-', "−")
}

fn optional(e: Option<&Estimate>, measure: &Measure) -> Markup {
    match e {
        Some(e) => measure.cell(e),
        None => html! { "–" },
    }
}

/// Whether a gain is seen, and which way.
fn tone(e: &Estimate) -> Option<&'static str> {
    match e.has_interval() {
        true if e.low > 0.0 => Some("better"),
        true if e.high < 0.0 => Some("worse"),
        _ => None,
    }
}

/// A line for each source: away, at home, and the ceiling.
fn chart(rows: &[&ShiftRow], measure: &Measure, looks: &Looks) -> Markup {
    let ends = |row: &&ShiftRow| {
        let others = [row.at_home, row.ceiling].into_iter().flatten();
        let all = others.chain([row.score]);
        all.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], e| {
            [low.min(e.low), high.max(e.high)]
        })
    };
    let [low, high] = rows
        .iter()
        .map(ends)
        .fold([f64::INFINITY, f64::NEG_INFINITY], |a, b| {
            [a[0].min(b[0]), a[1].max(b[1])]
        });
    if !(low.is_finite() && high.is_finite()) {
        return html! {};
    }
    let pad = 0.04 * (high - low).max(0.05);
    let bottom = 14.0 + ROW * rows.len() as f64;
    let frame = Frame {
        area: [230.0, 740.0, 8.0, bottom],
        x: [low - pad, high + pad],
        y: [0.0, 1.0],
    };
    let ticks = ticks(frame.x[0], frame.x[1]);
    let columns: Vec<(f64, String)> = ticks.iter().map(|&t| (t, measure.number(t))).collect();
    html! {
        svg.chart viewBox=(format!("0 0 760 {:.0}", bottom + 26.0)) style="max-width:820px;margin-bottom:14px" role="img" {
            title { (measure.title) " of each source, at home and away" }
            @for (value, _) in &columns {
                line.grid x1=(format!("{:.1}", frame.x(*value))) x2=(format!("{:.1}", frame.x(*value))) y1="8" y2=(bottom) {}
            }
            (frame.columns(&columns))
            @for (place, row) in rows.iter().enumerate() {
                (line(row, 8.0 + ROW * (place as f64 + 0.5), &frame, looks))
            }
        }
    }
}

/// Round values between `low` and `high`, some five of them.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|k| k * power)
        .into_iter()
        .find(|&step| step >= rough)
        .unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

fn line(row: &ShiftRow, y: f64, frame: &Frame, looks: &Looks) -> Markup {
    let colour = format!("stroke:{}", looks.of(&row.source).colour);
    let fill = format!("fill:{}", looks.of(&row.source).colour);
    let x = |value: f64| format!("{:.1}", frame.x(value));
    let source = clip(&row.source, 30);
    html! {
        text.end x="218" y=(y) dy="0.34em" { (source) }
        @if let Some(ceiling) = &row.ceiling {
            line x1=(x(ceiling.mean)) x2=(x(ceiling.mean)) y1=(y - 9.0) y2=(y + 9.0) style=(colour) stroke-width="2.4" {
                title { "ceiling" }
            }
        }
        @if let Some(home) = &row.at_home {
            line x1=(x(row.score.mean)) x2=(x(home.mean)) y1=(y) y2=(y) style=(colour) stroke-width="1" stroke-dasharray="2 3" {}
            circle cx=(x(home.mean)) cy=(y) r="5" style=(format!("{colour};fill:var(--paper)")) stroke-width="1.8" { title { "at home" } }
        }
        @if row.score.has_interval() {
            line x1=(x(row.score.low)) x2=(x(row.score.high)) y1=(y) y2=(y) style=(colour) stroke-width="2" {}
        }
        circle.mark cx=(x(row.score.mean)) cy=(y) r="5.5" style=(fill) { title { "away" } }
    }
}

/// What was chosen without labels from away, and the best in hindsight.
fn choices(found: &Shift, looks: &Looks) -> Markup {
    if found.choices.is_empty() {
        return html! {};
    }
    let accuracy = Measure::of(&found.measure);
    let plain = Measure::plain("", false);
    let lede = html! {
        "By labels at home that no source learned from, and by answers for unlabelled samples away: sure one by one, and diverse together (information, the difference of "
        "diversity and entropy, in nats). Weighted: validation at home, each sample by how much more common it is away in features that depend on no label. The best in hindsight is by test labels from away, which nobody would have."
    };
    let body = html! { @for choice in &found.choices {
        h3 { (choice.home.join(" + ")) " → " (choice.away) ": " (choice.chosen)
            @if choice.is_home_alone() && choice.veto.is_none() { ", adaptation does not help here" }
            span.half { (accuracy.number(choice.scores[0])) ", the best in hindsight " (choice.oracle) " " (accuracy.number(choice.scores[1])) } }
        @if let Some(veto) = &choice.veto { p { (veto.text()) } }
        div.scroll { table {
            thead { tr { th.text { "Candidate" } th { "Validation at home" } @if choice.is_weighted() { th { "Weighted" } } th { "Diversity" } th { "Entropy" } th { "Information" } th.text {} } }
            tbody { @for c in &choice.candidates { tr.learned[c.source == choice.chosen] {
                th.text { (name(&c.source, &looks.of(&c.source))) }
                td { (accuracy.number(c.validation)) }
                @if choice.is_weighted() { td { (c.weighted.map_or("–".to_owned(), |w| accuracy.number(w))) } }
                td { (plain.number(c.diversity)) }
                td { (plain.number(c.entropy)) }
                td { (plain.number(c.diversity - c.entropy)) }
                td.text { (c.dropped.as_deref().unwrap_or_default()) }
            } } }
        } }
    } };
    section("What to take, without labels from away", lede, body)
}

/// How well the domain is decoded, and how far apart the domains are.
fn apart(found: &Shift, looks: &Looks) -> Markup {
    if found.distances.is_empty() && found.decodability.is_empty() {
        return html! {};
    }
    let lede = html! {
        "Features of the domains without their labels. A-distance: 0 where a linear probe cannot tell the domains apart, 2 where it always can; "
        "MMD² and CORAL: 0 for equal distributions and for equal covariances."
    };
    let (measure, plain) = (Measure::of("balanced_accuracy"), Measure::plain("", false));
    let body = html! {
        @if !found.decodability.is_empty() { div.scroll { table {
            thead { tr { th.text { "Representation" } th { "Domain decoded, balanced accuracy" } th { "Chance" } } }
            tbody { @for n in &found.decodability { tr {
                th.text { (name(&n.representation, &looks.of(&n.representation))) }
                td { (measure.cell(&n.decodability)) }
                td { (measure.number(n.chance)) }
            } } }
        } } }
        @if !found.distances.is_empty() { div.scroll { table {
            thead { tr { th.text { "Representation" } th.text { "Domains" } th { "A-distance" } th { "MMD²" } th { "CORAL" } } }
            tbody { @for d in &found.distances { tr {
                th.text { (name(&d.representation, &looks.of(&d.representation))) }
                td.text { (d.a) ", " (d.b) }
                td { (optional(d.a_distance.as_ref(), &plain)) }
                td { (plain.number(d.mmd)) }
                td { (format!("{:.1e}", d.coral)) }
            } } }
        } } }
    };
    section("How far apart the domains are", lede, body)
}
