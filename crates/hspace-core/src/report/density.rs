//! The page's sections about densities.

use maud::{Markup, html};

use super::fits;
use super::sections::section;
use super::tables::{Measure, grouped};
use crate::density::Kind;
use crate::density::fit::{ColumnFits, Fit, Unfit};
use crate::density::number;
use crate::density::outliers::Outliers;
use crate::density::questions::Probability;
use crate::density::space::SpaceFits;
use crate::stats::mean_gap::MeanGap;

/// Said where densities take the other data for the more ordinary.
const INVERTED: &str = "An AUROC below 50: rows of the other data are more ordinary to that density than the test rows. \
    Densities of simpler or smoother data often are so (Nalisnick et al. 2019); it finds no outliers here.";

/// Fits of one column: drawn, ranked, asked.
pub(super) fn column(of: Option<&ColumnFits>) -> Markup {
    let Some(fits) = of else {
        return html! {};
    };
    let s = fits.summary;
    let lede = html! {
        (grouped(fits.count)) " values of " b { (fits.column) } " in " (fits.data)
        @if fits.missing > 0 { ", " (grouped(fits.missing)) " missing" }
        ": " (number(s.least)) " to " (number(s.greatest)) ", median " (number(s.median)) ", mean " (number(s.mean))
        ", standard deviation " (number(s.std)) "."
        @if fits.kind == Kind::Counts { " Whole numbers, taken as counts." }
    };
    let drawings = html! {
        @if let Some(diagnosis) = fits.diagnose() { div.callout role="note" { (diagnosis) } }
        div.panels {
            figure { figcaption { "Fits over the data" } (fits::densities(fits)) }
            figure { figcaption { "Where they part from it" } (fits::gaps(fits)) }
        }
        (fits::legend(fits))
    };
    let held = html! {
        "Best first, by the mean log-likelihood of values that were held out (" (fits.folds)
        " folds; nats a value). It asks what AIC and BIC estimate, and can be asked of any density."
    };
    let terms = html! {
        dl.terms {
            dt { "Behind" } dd { "How much less than the best on average (mean log-likelihood ratio, Vuong 1989), and how large that gap is at least: all of them together with 95 % confidence. \
                At 0 or below, these values show no difference. It has no upper end: a value far out that this sample lacks could make the gap any size." }
            dt { "AIC, BIC" } dd { "Lower is better; only where the number of parameters is fixed." }
            dt { "KS, p" } dd { "The largest gap in the drawing on the right, and how often so large a gap comes about where the density is right. The parameters were fitted to the same values, so tables do not hold: "
                (fits.resamples) " samples were drawn from the fit and refitted (parametric bootstrap). Small p: the density is wrong. A dash: it follows any data, so there is nothing to test, or what is said above." }
        }
    };
    html! {
        (section("Density", lede, drawings))
        @if !fits.fits.is_empty() { (section("Which density", held, html! { (ranking(&fits.fits, true)) (remarks(fits)) (terms) })) }
        @if !fits.apart.is_empty() {
            (section("Densities of the same counts", html! {
                "A density of a count is no probability: its likelihood has a unit. These lines can be compared with each other, not with those above."
            }, ranking(&fits.apart, false)))
        }
        (answers(fits))
    }
}

fn ranking(all: &[Fit], drawn: bool) -> Markup {
    let held_out = |fit: &Fit| match fit.held_out {
        Some(value) => format!("{value:.4}").replace('-', "−"),
        None if fit.impossible > 0 => "−∞".into(),
        None => "–".into(),
    };
    let whole = |value: Option<f64>| value.map_or("–".into(), |v| format!("{v:.1}"));
    html! {
        div.scroll { table {
            thead { tr {
                th scope="col" {} th scope="col" { "Held out" } th scope="col" { "Behind" } th scope="col" { "AIC" } th scope="col" { "BIC" }
                th scope="col" { "KS" } th scope="col" { "p" } th.text scope="col" { "Fitted" }
            } }
            tbody { @for (i, fit) in all.iter().enumerate() {
                tr.learned[i == 0 && fit.held_out.is_some()] {
                    @let colour = fits::colour(i).filter(|_| drawn).unwrap_or("transparent");
                    th scope="row" { span.swatch style=(format!("background:{colour}")) {} (fit.name) }
                    td { (held_out(fit)) @if fit.impossible > 0 { span.total { (fit.impossible) " impossible" } } }
                    td { @match fit.behind {
                        Some(b) => { (format!("{:.4}", b.mean.max(0.0))) (at_least(&b, 4, fit.no_difference)) },
                        None => "–",
                    } }
                    td { (whole(fit.aic)) } td { (whole(fit.bic)) }
                    td { (format!("{:.4}", fit.distance)) }
                    td { @match fit.p {
                        Some(p) if p < 0.05 => span.bad { (format!("{p:.3}")) },
                        Some(p) => (format!("{p:.3}")),
                        None => "–",
                    } }
                    td.text { @for (i, (name, value)) in fit.parameters.iter().enumerate() {
                        @if i > 0 { ", " } (name) "\u{a0}" (number(*value))
                    } }
                }
            } }
        } }
    }
}

/// The lower bound of a gap, after its mean.
fn at_least(gap: &MeanGap, decimals: usize, no_difference: bool) -> Markup {
    let bound = format!("{:.decimals$}", gap.at_least).replace('-', "−");
    html! { span.half { "at least " (bound) @if no_difference { ", no difference seen" } } }
}

fn remarks(of: &ColumnFits) -> Markup {
    html! {
        @let remarks = of.remarks();
        @if !remarks.is_empty() {
            ul.savings { @for (name, reason) in remarks { li { b { (name) } " " (reason) } } }
        }
    }
}

fn unfit(of: &[Unfit]) -> Markup {
    html! {
        @if !of.is_empty() {
            ul.savings { @for u in of { li { b { (u.name) } " could not be fitted: " (u.reason) } } }
        }
    }
}

/// Questions with the answer of each fit.
fn answers(fits: &ColumnFits) -> Markup {
    if fits.answers.is_empty() {
        return html! {};
    }
    let lede = html! {
        "95 % intervals: of the data exact (Clopper and Pearson), of the fits by bootstrap (" (fits.resamples)
        " resamples, refitted). They hold if the density is right; where fits disagree by more, the disagreement is the uncertainty."
    };
    let cell = |p: &Probability| {
        html! {
            td { (number(p.probability)) }
            td { @match p.interval {
                Some([low, high]) => { (number(low)) " – " (number(high)) },
                None => "–",
            } }
        }
    };
    let body = html! {
        @for answer in &fits.answers {
            div.scroll { table {
                caption { "Probability of " (answer.question) }
                thead { tr { th scope="col" {} th scope="col" { "Probability" } th scope="col" { "95 % interval" } } }
                tbody {
                    @for (i, p) in answer.fits.iter().enumerate() {
                        tr.learned[i == 0] { th scope="row" { (p.name) } (cell(p)) }
                    }
                    tr.chance { th scope="row" { "data: " (grouped(answer.observed)) " of " (grouped(fits.count)) } (cell(&answer.share)) }
                }
            } }
            @let without = answer.without_interval();
            @if !without.is_empty() {
                ul.savings { @for (names, reason) in without { li { b { (names) } " no interval: " (reason) } } }
            }
        }
    };
    section("Questions", lede, body)
}

/// Densities of a learned space.
pub(super) fn space(of: Option<&SpaceFits>) -> Markup {
    let Some(s) = of.filter(|s| !s.fits.is_empty()) else {
        return html! {};
    };
    let lede = html! {
        "Explicit densities of the " (s.dim) " features of " b { (s.representation) } ", fitted to " (grouped(s.train))
        " training samples; best first, by the mean log-likelihood of " (grouped(s.test)) " test samples (nats a sample)."
        " Behind: how much less than the best, and at least (all of them with 95 % confidence, over test samples)."
    };
    let body = html! {
        div.scroll { table {
            thead { tr { th scope="col" {} th scope="col" { "Held out" } th scope="col" { "Behind" } th.text scope="col" { "Chosen on the training samples" } } }
            tbody { @for (i, fit) in s.fits.iter().enumerate() {
                tr.learned[i == 0] {
                    th scope="row" { (fit.name) }
                    td { (format!("{:.2}", fit.held_out).replace('-', "−")) }
                    td { @match fit.behind {
                        Some(b) => { (format!("{:.2}", b.mean)) (at_least(&b, 2, fit.no_difference)) },
                        None => "–",
                    } }
                    td.text { (fit.chosen) }
                }
            } }
        } }
        (unfit(&s.unfit))
    };
    section("The density of the space", lede, body)
}

/// Outliers in a representation.
pub(super) fn outliers(of: Option<&Outliers>) -> Markup {
    let Some(o) = of else {
        return html! {};
    };
    let percent = Measure::of("accuracy");
    let titles = ["AUROC", "AUPR", "FPR at 95 % TPR", "Missed at 95 % passed"];
    let chance = o.outliers as f64 / (o.outliers + o.test).max(1) as f64;
    let lede = html! {
        "Densities of " (o.dim) " features of " b { (o.representation) } ", fitted to " (grouped(o.train)) " training rows of "
        (o.data) ". Scored: " (grouped(o.test)) " test rows of it, and " (grouped(o.outliers)) " rows of " b { (o.against) }
        ", which are the positive class. In percent, with 95 % intervals over the rows that were scored."
    };
    let body = html! {
        div.scroll { table {
            thead { tr { th scope="col" {} @for title in titles { th scope="col" { (title) } } th.text scope="col" { "Chosen on the training rows" } } }
            tbody {
                @for row in &o.rows {
                    tr {
                        th scope="row" { (row.name) }
                        @for (_, e) in &row.scores { td {
                            (percent.number(e.mean))
                            @if e.has_interval() { span.half { (percent.number(e.low)) "–" (percent.number(e.high)) } }
                        } }
                        td.text { (row.chosen) }
                    }
                }
                tr.chance { th scope="row" { "chance" } @for p in [0.5, chance, 0.95, 0.95] { td { (percent.number(p)) } } td {} }
            }
        } }
        (unfit(&o.unfit))
        ul.legend {
            li { span.dot style="background:var(--accent-0)" {} (o.data) ", test rows" }
            li { span.dot style="background:var(--accent-1)" {} (o.against) }
            li { "farther out to the right; the outermost bars hold what lies beyond" }
        }
        @if o.inverted() { p { (INVERTED) } }
        div.traces.even { @for row in &o.rows { figure { figcaption { (row.name) } (fits::scores(row)) } } }
        dl.terms {
            dt { "AUROC" } dd { "How often a row of the other data has the higher score than an ordinary one; 50 is guessing." }
            dt { "AUPR" } dd { "Average precision in finding the other data, from the highest score down. No interval: its bias in small samples is not known." }
            dt { "FPR at 95 % TPR" } dd { "Share of ordinary rows flagged by the threshold that flags 95 % of the outliers. Lower is better." }
            dt { "Missed at 95 % passed" } dd { "Share of outliers that pass the threshold which 95 % of ordinary rows pass. Lower is better." }
        }
    };
    section("Outliers", lede, body)
}
