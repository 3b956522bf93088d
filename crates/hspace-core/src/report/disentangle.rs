//! Scores of disentanglement, and how latents depend on one another and on the factors.

use maud::{Markup, html};

use super::look::{Looks, clip};
use super::sections::section;
use super::tables::{Measure, grouped, name};
use crate::disentangle::{Dependence, Disentanglement, METRICS, Metric};
use crate::list::Entry;
use crate::stats::Estimate;

/// Up to so many latents, cells carry their values.
const VALUED: usize = 16;
/// Side of a cell with a value, and of a whole matrix without, in drawing units.
const CELL: f64 = 34.0;
const SIDE: f64 = 440.0;
/// Room for names above and to the left of a matrix.
const EDGE: f64 = 34.0;
const TOP: f64 = 74.0;
/// A chance row's name; it wins no comparison.
const NOISE: &str = "noise";

/// Names of the representations, in table order.
pub(super) fn representations(of: &Disentanglement) -> impl Iterator<Item = &str> {
    of.rows.iter().map(|row| row.representation.as_str())
}

/// The table, what its scores mean, and the matrices.
pub(super) fn sections(of: &Disentanglement, looks: &Looks) -> Markup {
    let lede = html! {
        @if of.factors.is_empty() {
            "How far the latents depend on one another, on " (grouped(of.samples)) " samples; no factors are known."
        } @else {
            "Whether latents keep the factors behind the data apart ("
            @for (i, f) in of.factors.iter().enumerate() { @if i > 0 { ", " } b { (f.name) } " in " (f.values) " values" }
            "), on " (grouped(of.samples)) " samples. "
        }
        @if of.groups > 0 { " In brackets the 95 % interval, from " (of.groups) " random groups of the samples. " }
        (of.note_on_bias())
    };
    let matrices = html! {
        @for (i, one) in of.dependence.iter().enumerate() {
            @let look = looks.of(&one.representation);
            figure.dependence { figcaption { (name(&one.representation, &look)) } (matrix(one, i)) }
        }
    };
    let how = html! {
        "Shade is the share of information, 0 to 1. Left: normalised mutual information of two latents, which sees "
        "what correlation does not; a quiet square off the diagonal means independent latents. "
        @if !of.factors.is_empty() {
            "Right: the share of each factor that a latent knows; one dark cell in each row and column means disentangled."
        }
    };
    html! {
        (section("Disentanglement", lede, table(of, looks)))
        @if !of.dependence.is_empty() { (section("What latents have in common", how, html! { div.panels { (matrices) } })) }
    }
}

/// Scores (rows) by representations (columns).
fn table(of: &Disentanglement, looks: &Looks) -> Markup {
    let shown: Vec<(&Entry<Metric>, &str)> = METRICS
        .iter()
        .flat_map(|metric| metric.scores.iter().map(move |score| (metric, score.name)))
        .filter(|(_, score)| {
            of.rows
                .iter()
                .any(|r| r.scores.iter().any(|s| s.0 == *score))
        })
        .collect();
    let metrics = METRICS
        .iter()
        .filter(|m| shown.iter().any(|(own, _)| own.name == m.name));
    html! {
        div.scroll {
            table {
                thead { tr {
                    th scope="col" {}
                    @for row in &of.rows { th scope="col" { (name(&row.representation, &looks.of(&row.representation))) } }
                } }
                tbody {
                    tr { th scope="row" { "Latents" } @for row in &of.rows { td { (row.dim) } } }
                    @for (metric, score) in &shown {
                        @let value = |r: &crate::disentangle::Row| find(&r.scores, score);
                        @let measure = Measure::plain(score, metric.low_is_good);
                        @let rated = of.rows.iter().filter(|r| r.representation != NOISE).filter_map(value);
                        @let best = measure.best(rated.map(|e| e.mean));
                        tr {
                            th scope="row" { (title(score)) @if metric.low_is_good { " ↓" } }
                            @for row in &of.rows {
                                @match value(row) {
                                    Some(e) => {
                                        @let is_best = row.representation != NOISE && best.as_ref() == Some(&measure.number(e.mean));
                                        td.best[is_best] { (cell(&measure, &e)) }
                                    }
                                    None => td.none { "–" },
                                }
                            }
                        }
                    }
                }
            }
        }
        dl.terms { @for metric in metrics {
            dt { (title(metric.name)) }
            dd {
                (metric.summary) ". " (metric.source)
                @if !metric.correction.is_empty() { ". Bias: " (metric.correction) }
            }
        }
            dt { "Measured" }
            dd { (of.data) ", seed " (of.seed) ", protocol version " (of.protocol) ", hspace " (of.code_version) }
        }
    }
}

/// A score with its interval, which need not be symmetric.
fn cell(measure: &Measure, of: &Estimate) -> Markup {
    html! {
        (measure.number(of.mean))
        @if of.has_interval() { span.half { "(" (measure.number(of.low)) "–" (measure.number(of.high)) ")" } }
    }
}

fn find(scores: &[(String, Estimate)], name: &str) -> Option<Estimate> {
    scores.iter().find(|(own, _)| own == name).map(|(_, e)| *e)
}

/// A score's name for readers.
fn title(score: &str) -> String {
    match score {
        "mig" | "sap" | "dci" | "udr" => score.to_uppercase(),
        "dci_disentanglement" => "DCI disentanglement".into(),
        "dci_completeness" => "DCI completeness".into(),
        "dci_informativeness" => "DCI informativeness".into(),
        "beta_vae" => "β-VAE score".into(),
        "factor_vae" => "FactorVAE score".into(),
        other => {
            let text = other.replace('_', " ");
            let mut letters = text.chars();
            letters.next().map_or(String::new(), |first| {
                first.to_uppercase().chain(letters).collect()
            })
        }
    }
}

/// Latents by latents, and on the right by factors.
fn matrix(of: &Dependence, number: usize) -> Markup {
    let d = of.latents.len();
    let valued = d <= VALUED;
    let cell = if valued { CELL } else { SIDE / d.max(1) as f64 };
    let side = cell * d as f64;
    // Factors are few: their columns stay wide enough for a name.
    let wide = cell.max(22.0);
    let left = EDGE + side + 46.0;
    let width = match of.factors.is_empty() {
        true => EDGE + side + 8.0,
        false => left + wide * of.factors.len() as f64 + 20.0,
    };
    let every = (d / 16).max(1);
    let id = format!("dependence-{number}");
    html! {
        svg.chart.dependence viewBox=(format!("0 0 {width:.0} {:.0}", TOP + side + 6.0)) style=(format!("max-width:{width:.0}px")) role="img" aria-labelledby=(id) {
            title id=(id) { "Dependence of the latents of " (of.representation) }
            text.name.middle x=(EDGE + side / 2.0) y="13" { "latents" }
            @for i in (0..d).step_by(every) {
                @let middle = TOP + (i as f64 + 0.5) * cell;
                text.tick.end x=(EDGE - 7.0) y=(middle) dy="0.34em" { (i) }
                text.tick.middle x=(EDGE + (i as f64 + 0.5) * cell) y=(TOP - 8.0) { (i) }
            }
            @for (i, row) in of.latents.iter().enumerate() {
                @for (j, &value) in row.iter().enumerate() {
                    @let r = of.correlations.get(i).and_then(|r| r.get(j)).copied().unwrap_or(f64::NAN);
                    @let says = format!("latents {i} and {j}: mutual information {value:.3}, correlation {r:.3}");
                    (square([EDGE + j as f64 * cell, TOP + i as f64 * cell], [cell, cell], value, valued && i != j, i == j, &says))
                }
            }
            @if !of.factors.is_empty() {
                @for (k, factor) in of.factors.iter().enumerate() {
                    @let x = left + (k as f64 + 0.5) * wide;
                    text.tick transform=(format!("translate({:.1} {:.1}) rotate(-45)", x - 3.0, TOP - 8.0)) { (clip(factor, 12)) }
                }
                @for (i, row) in of.known.iter().enumerate() {
                    @for ((k, &value), factor) in row.iter().enumerate().zip(&of.factors) {
                        @let says = format!("latent {i} knows {:.1} % of {factor}", 100.0 * value);
                        (square([left + k as f64 * wide, TOP + i as f64 * cell], [wide, cell], value, valued, false, &says))
                    }
                }
            }
        }
    }
}

/// One cell: its place, its size, its value in 0..=1, and what its tooltip says.
fn square(
    [x, y]: [f64; 2],
    [width, height]: [f64; 2],
    value: f64,
    valued: bool,
    own: bool,
    says: &str,
) -> Markup {
    let value = if value.is_finite() {
        value.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let gap = if height > 12.0 { 1.5 } else { 0.4 };
    // A hundredth of the information should still be distinguished from none.
    let shade = 0.04 + 0.96 * value.powf(0.7);
    html! {
        rect.share[!own].own[own] x=(format!("{x:.1}")) y=(format!("{y:.1}")) width=(format!("{:.1}", width - gap))
            height=(format!("{:.1}", height - gap)) rx=(format!("{:.1}", 1.5 * gap)) fill-opacity=(format!("{shade:.2}")) { title { (says) } }
        @if valued && value >= 0.005 {
            text.count.on-dark[shade > 0.5] x=(format!("{:.1}", x + width / 2.0 - 0.7)) y=(format!("{:.1}", y + height / 2.0)) dy="0.34em" {
                (format!("{value:.2}").trim_start_matches('0'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_for_readers() {
        assert_eq!(title("mig"), "MIG");
        assert_eq!(title("total_correlation"), "Total correlation");
    }

    #[test]
    fn odd_matrices_are_drawn() {
        let one = Dependence {
            representation: "<a>".into(),
            latents: vec![vec![1.0, f64::NAN], vec![0.2, 1.0]],
            correlations: vec![vec![1.0]],
            factors: vec!["<size>".into()],
            known: vec![vec![0.5]],
        };
        let svg = matrix(&one, 0).into_string();
        assert!(
            svg.contains("&lt;size&gt;")
                && svg.contains(">.20<")
                && !svg.contains("fill-opacity=\"NaN")
        );
        let none = Dependence {
            latents: Vec::new(),
            known: Vec::new(),
            ..one
        };
        assert!(!matrix(&none, 1).into_string().contains("NaN"));
    }
}
