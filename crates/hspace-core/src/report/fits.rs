//! Charts of densities: fits over the data, and scores of outliers compared with those of ordinary rows.

use maud::{Markup, html};

use super::charts::{Frame, ticks};
use super::look::short;
use crate::density::Kind;
use crate::density::fit::{ColumnFits, Fit};
use crate::density::outliers::OutlierRow;

/// Fits drawn, the best ones.
const DRAWN: usize = 4;
/// Points up to which the best fit of counts is drawn as dots, too.
const DOTS: usize = 80;

/// Colours of the drawn fits, best first.
const COLOURS: [&str; DRAWN] = [
    "var(--accent-0)",
    "var(--accent-1)",
    "var(--accent-2)",
    "var(--accent-3)",
];
const DASHES: [&str; DRAWN] = ["", "7 4", "2 4", "9 3 2 3"];

/// What is drawn of the fits: each with its colour and dash, best first.
fn drawn(fits: &ColumnFits) -> impl Iterator<Item = (&Fit, &'static str, &'static str)> {
    let looks = COLOURS.into_iter().zip(DASHES);
    fits.fits
        .iter()
        .zip(looks)
        .map(|(fit, (colour, dash))| (fit, colour, dash))
}

/// The colour of each fit's line, where it has one.
pub(super) fn colour(place: usize) -> Option<&'static str> {
    COLOURS.get(place).copied()
}

fn frame(x: [f64; 2], rows: &[f64]) -> Frame {
    Frame {
        area: [52.0, 528.0, 30.0, 292.0],
        x,
        y: [
            rows.first().copied().unwrap_or(0.0),
            rows.last().copied().unwrap_or(1.0),
        ],
    }
}

fn columns(frame: &Frame) -> Vec<(f64, String)> {
    let [low, high] = frame.x;
    let inside = ticks(low, high, 6).into_iter();
    let inside = inside.filter(|t| (low..=high).contains(t));
    inside.map(|t| (t, short(t))).collect()
}

/// The ends of the drawing, bars included.
fn reach(fits: &ColumnFits) -> [f64; 2] {
    let bars = fits.drawing.bars.iter().flat_map(|bar| [bar[0], bar[1]]);
    let all = fits.drawing.x.iter().copied().chain(bars);
    all.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], x| {
        [low.min(x), high.max(x)]
    })
}

/// The data as bars, the best fits as lines over them.
pub(super) fn densities(fits: &ColumnFits) -> Markup {
    let counts = fits.kind == Kind::Counts;
    let bars = &fits.drawing.bars;
    let highest = bars.iter().fold(0.0f64, |most, bar| most.max(bar[2]));
    // A density may be infinite at its end; the lines may leave the drawing, the bars not.
    let peaks = drawn(fits).flat_map(|(fit, ..)| fit.curve.iter().copied());
    let peak = peaks
        .filter(|y| *y <= 1.5 * highest)
        .fold(highest, f64::max);
    let rows = ticks(0.0, peak, 4);
    let frame = frame(reach(fits), &rows);
    let bottom = frame.area[3];
    let top = frame.y[1];
    let line = |fit: &Fit| {
        let points = fits.drawing.x.iter().zip(&fit.curve);
        let inside = points.map(|(x, y)| [*x, if *y > 1.02 * top { f64::NAN } else { *y }]);
        frame.path(&inside.collect::<Vec<_>>())
    };
    let what = if counts {
        "share of each number"
    } else {
        "density"
    };
    html! {
        svg.chart viewBox="0 0 540 336" role="img" {
            title { (fits.column) ": the data and the best fits" }
            text.name x="0" y="14" { (what) }
            (frame.rows(&rows, short))
            @for [left, right, height] in bars {
                @let (x, y) = (frame.x(*left), frame.y(*height));
                rect.bar x=(format!("{:.1}", x + 0.5)) y=(format!("{y:.1}"))
                    width=(format!("{:.1}", (frame.x(*right) - x - 1.0).max(0.6))) height=(format!("{:.1}", bottom - y)) {
                    title { (short(*left)) " to " (short(*right)) ": " (short(*height)) }
                }
            }
            (frame.columns(&columns(&frame)))
            @for (i, (fit, colour, dash)) in drawn(fits).enumerate().collect::<Vec<_>>().into_iter().rev() {
                path.line.strong[i == 0] d=(line(fit)) stroke-dasharray=(dash) style=(format!("stroke:{colour}")) {
                    title { (fit.name) }
                }
                @if counts && i == 0 && fits.drawing.x.len() <= DOTS {
                    @for (x, y) in fits.drawing.x.iter().zip(&fit.curve).filter(|(_, y)| **y <= top) {
                        circle.mark cx=(format!("{:.1}", frame.x(*x))) cy=(format!("{:.1}", frame.y(*y))) r="3.6" style=(format!("fill:{colour}")) {
                            title { (fit.name) ", " (short(*x)) ": " (short(*y)) }
                        }
                    }
                }
            }
            text.name.middle x=((frame.area[0] + frame.area[1]) / 2.0) y="332" { (fits.column) }
        }
    }
}

/// How far each of the best fits lies above or below the data in the share up to each value: the largest
/// such gap is Kolmogorov's. Fits four times as far off as the best leave the drawing.
pub(super) fn gaps(fits: &ColumnFits) -> Markup {
    let of = |fit: &Fit| -> Vec<[f64; 2]> {
        let pairs = fit.cdf.iter().zip(&fits.drawing.share);
        let gaps = fits.drawing.x.iter().zip(pairs);
        gaps.map(|(x, (ours, share))| [*x, ours - share]).collect()
    };
    let far = |fit: &Fit| of(fit).iter().fold(0.0f64, |most, p| most.max(p[1].abs()));
    let best = fits.fits.first().map_or(0.0, far);
    let all = drawn(fits).map(|(fit, ..)| far(fit)).fold(0.0, f64::max);
    let high = all.min(4.0 * best).max(1e-6);
    let rows = ticks(-high, high, 4);
    let frame = frame(reach(fits), &rows);
    let line = |fit: &Fit| {
        let inside = of(fit).into_iter().map(|[x, gap]| {
            let seen = (frame.y[0]..=frame.y[1]).contains(&gap);
            [x, if seen { gap } else { f64::NAN }]
        });
        frame.path(&inside.collect::<Vec<_>>())
    };
    let zero = format!("{:.1}", frame.y(0.0));
    html! {
        svg.chart viewBox="0 0 540 336" role="img" {
            title { (fits.column) ": the best fits' shares up to each value, less the data's" }
            text.name x="0" y="14" { "share up to each value, less the data's" }
            (frame.rows(&rows, short))
            (frame.columns(&columns(&frame)))
            line.level x1=(frame.area[0]) x2=(frame.area[1]) y1=(zero) y2=(zero) {}
            @for (i, (fit, colour, dash)) in drawn(fits).enumerate().collect::<Vec<_>>().into_iter().rev() {
                path.line.strong[i == 0] d=(line(fit)) stroke-dasharray=(dash) style=(format!("stroke:{colour}")) {
                    title { (fit.name) }
                }
            }
            text.name.middle x=((frame.area[0] + frame.area[1]) / 2.0) y="332" { (fits.column) }
        }
    }
}

/// Names of the drawn fits next to their lines, and of the data.
pub(super) fn legend(fits: &ColumnFits) -> Markup {
    let line = |colour: &str, dash: &str, width: &str| {
        html! { svg.key width="30" height="10" viewBox="0 0 30 10" {
            path.line d="M1 5L29 5" stroke-dasharray=(dash) style=(format!("stroke:{colour};stroke-width:{width}")) {}
        } }
    };
    html! {
        ul.legend {
            li { span.key-bar {} "data (bars; grey line)" }
            @for (i, (fit, colour, dash)) in drawn(fits).enumerate() {
                li { (line(colour, dash, if i == 0 { "3" } else { "2" })) (fit.name) }
            }
            @if fits.fits.len() > DRAWN { li { "the best " (DRAWN) " of " (fits.fits.len()) " are drawn" } }
            @if fits.drawing.beyond > 0 {
                li { (fits.drawing.beyond) " value" @if fits.drawing.beyond != 1 { "s" } " beyond the drawing" }
            }
        }
    }
}

/// Scores −ln f of ordinary rows and of outliers, as shares in bars of equal width.
pub(super) fn scores(row: &OutlierRow) -> Markup {
    let all = || row.inside_bars.iter().chain(&row.outside_bars);
    let rows = ticks(0.0, all().copied().fold(0.0, f64::max), 3);
    let ends = [
        row.edges.first().copied().unwrap_or(0.0),
        row.edges.last().copied().unwrap_or(1.0),
    ];
    let frame = Frame {
        area: [44.0, 478.0, 14.0, 168.0],
        x: ends,
        y: [0.0, rows.last().copied().unwrap_or(1.0)],
    };
    let outline = |bars: &[f64]| {
        let mut points = vec![[ends[0], 0.0]];
        for (pair, height) in row.edges.windows(2).zip(bars) {
            points.extend([[pair[0], *height], [pair[1], *height]]);
        }
        points.push([ends[1], 0.0]);
        frame.path(&points).replace("h0", "")
    };
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    html! {
        svg.chart viewBox="0 0 500 206" role="img" {
            title { "Scores by " (row.name) }
            (frame.rows(&rows, percent))
            (frame.columns(&columns(&frame)))
            @for (bars, colour) in [(&row.inside_bars, "var(--accent-0)"), (&row.outside_bars, "var(--accent-1)")] {
                path.area d=(format!("{}Z", outline(bars))) style=(format!("fill:{colour}")) {}
                path.line d=(outline(bars)) style=(format!("stroke:{colour}")) {}
            }
            text.name.middle x="261" y="204" { "−ln density, in nats" }
        }
    }
}
