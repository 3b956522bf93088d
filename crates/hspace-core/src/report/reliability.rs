//! Reliability diagrams: how often answers are right, by how sure they are.

use maud::{Markup, html};

use super::charts::Frame;
use super::look::Looks;
use super::sections::section;
use super::tables::{Measure, grouped, name, probe_title};
use crate::probe::{Measurements, Reliability};

/// The diagrams of the learned representations and the first baseline with all labels, the others folded away.
pub(super) fn reliability(m: &Measurements, looks: &Looks) -> Markup {
    if m.reliability.is_empty() {
        return html! {};
    }
    let first = m.reliability[0].representation.as_str();
    let is_shown =
        |r: &&Reliability| looks.of(&r.representation).learned || r.representation == first;
    let (shown, rest): (Vec<_>, Vec<_>) = m.reliability.iter().partition(|r| is_shown(r));
    let figure = |r: &Reliability| {
        html! {
            figure {
                figcaption {
                    (name(&r.representation, &looks.of(&r.representation)))
                    span { (probe_title(&r.probe).to_lowercase()) (error(m, r)) }
                }
                (diagram(r, looks))
            }
        }
    };
    let lede = html! {
        "The share of right answers among those of like confidence, with 95 % intervals for the test samples; calibrated probabilities lie on "
        "the diagonal. Below it, answers are surer than they should be. Grey bars: how many answers there are."
    };
    let body = html! {
        div.traces { @for r in &shown { (figure(r)) } }
        @if !rest.is_empty() {
            details { summary { "Other representations" } div.traces { @for r in &rest { (figure(r)) } } }
        }
    };
    section("Calibration", lede, body)
}

/// `, calibration error 4.2 ±1.0 %`
fn error(m: &Measurements, r: &Reliability) -> String {
    let mut rows = m.rows.iter();
    let row = rows.find(|row| {
        (&row.representation, &row.probe) == (&r.representation, &r.probe)
            && row.labels == crate::probe::Labels::All
    });
    let score = row.and_then(|row| row.scores.iter().find(|s| s.0 == "calibration_error"));
    score.map_or(String::new(), |(key, e)| {
        let number = |x| Measure::of(key).number(x);
        match e.has_interval() {
            true => format!(
                ", calibration error {} ({} to {}) %",
                number(e.mean),
                number(e.low),
                number(e.high)
            ),
            false => format!(", calibration error {} %", number(e.mean)),
        }
    })
}

fn diagram(r: &Reliability, looks: &Looks) -> Markup {
    let frame = Frame {
        area: [44.0, 300.0, 12.0, 268.0],
        x: [0.0, 1.0],
        y: [0.0, 1.0],
    };
    let colour = looks.of(&r.representation).colour;
    let ticks = [0.0, 0.25, 0.5, 0.75, 1.0];
    let percent = |x: f64| format!("{:.0}", 100.0 * x);
    let columns: Vec<(f64, String)> = ticks.iter().map(|&x| (x, percent(x))).collect();
    let most = r.bins.iter().map(|b| b.count).max().unwrap_or(1) as f64;
    let points: Vec<[f64; 2]> = r
        .bins
        .iter()
        .map(|b| [b.confidence, b.accuracy.mean])
        .collect();
    html! {
        svg.chart viewBox="0 0 316 306" style="max-width:360px" role="img" {
            title { "Reliability of " (r.representation) }
            (frame.rows(&ticks, percent))
            (frame.columns(&columns))
            @for b in &r.bins {
                @let height = 60.0 * b.count as f64 / most;
                rect.bar x=(format!("{:.1}", frame.x(b.confidence) - 5.0)) width="10"
                    y=(format!("{:.1}", 268.0 - height)) height=(format!("{height:.1}")) {
                    title { (grouped(b.count)) " answers" }
                }
            }
            line.axis x1=(frame.x(0.0)) y1=(frame.y(0.0)) x2=(frame.x(1.0)) y2=(frame.y(1.0)) stroke-dasharray="3 4" {}
            path.line d=(frame.path(&points)) stroke=(colour) {}
            @for b in &r.bins {
                @let x = format!("{:.1}", frame.x(b.confidence));
                line x1=(x) x2=(x) y1=(format!("{:.1}", frame.y(b.accuracy.low))) y2=(format!("{:.1}", frame.y(b.accuracy.high))) stroke=(colour) stroke-width="1.6" {}
                circle.mark cx=(x) cy=(format!("{:.1}", frame.y(b.accuracy.mean))) r="4" fill=(colour) {
                    title { "confidence " (percent(b.confidence)) " %, right " (percent(b.accuracy.mean)) " %" }
                }
            }
            text.name.middle x="172" y="302" { "confidence, %" }
            text.name.middle transform="translate(10 140) rotate(-90)" { "right, %" }
        }
    }
}
