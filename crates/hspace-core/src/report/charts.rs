//! Line charts as SVG, laid out in fixed units and scaled by the browser.

use maud::{Markup, html};

use super::Curve;
use super::look::{Look, clip, short};
use super::tables::Measure;

/// Round numbers that cover `low..=high`: about `count` of them, the first and last at or beyond
/// the ends.
pub(super) fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let span = if high > low {
        high - low
    } else {
        low.abs().max(1.0)
    };
    let raw = span / count.max(1) as f64;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .map(|m| m * power)
        .into_iter()
        .find(|s| *s >= raw * 0.999);
    let step = step.unwrap_or(10.0 * power);
    let (first, last) = (
        (low / step + 1e-9).floor() as i64,
        (high / step - 1e-9).ceil() as i64,
    );
    (first..=last.max(first + 1))
        .map(|i| i as f64 * step)
        .collect()
}

/// A plane of drawing units with the data's ranges on it.
pub(super) struct Frame {
    /// Left, right, top and bottom of the plot area.
    pub area: [f64; 4],
    /// Values at left and right.
    pub x: [f64; 2],
    /// Values at bottom and top.
    pub y: [f64; 2],
}

impl Frame {
    pub fn x(&self, value: f64) -> f64 {
        let span = (self.x[1] - self.x[0]).max(1e-12);
        self.area[0] + (value - self.x[0]) / span * (self.area[1] - self.area[0])
    }

    pub fn y(&self, value: f64) -> f64 {
        let span = (self.y[1] - self.y[0]).max(1e-12);
        let at = self.area[3] - (value - self.y[0]) / span * (self.area[3] - self.area[2]);
        at.clamp(self.area[2] - 1.0, self.area[3] + 1.0)
    }

    /// `M x y L x y …`, broken wherever a value is not finite.
    pub fn path(&self, points: &[[f64; 2]]) -> String {
        let mut path = String::new();
        let mut pen = 'M';
        for &[x, y] in points {
            if !(x.is_finite() && y.is_finite()) {
                pen = 'M';
                continue;
            }
            path += &format!("{pen}{:.1} {:.1}", self.x(x), self.y(y));
            // A lone point would be invisible: a line of no length shows as a round dot.
            path += if pen == 'M' { "h0" } else { "" };
            pen = 'L';
        }
        path
    }

    /// Horizontal lines with their labels.
    pub fn rows(&self, at: &[f64], label: impl Fn(f64) -> String) -> Markup {
        let [left, right, _, _] = self.area;
        html! {
            @for &tick in at {
                @let y = format!("{:.1}", self.y(tick));
                line.grid x1=(left) x2=(right) y1=(y) y2=(y) {}
                text.tick.end x=(left - 8.0) y=(y) dy="0.34em" { (label(tick)) }
            }
        }
    }

    /// Labels below the axis; those that would touch the one before are left out.
    pub fn columns(&self, at: &[(f64, String)]) -> Markup {
        let bottom = self.area[3];
        let mut free = f64::NEG_INFINITY;
        let mut fits = |x: f64, text: &str| {
            let half = 3.7 * text.chars().count() as f64 + 2.0;
            let fits = x - half >= free;
            free = if fits { x + half } else { free };
            fits
        };
        html! {
            line.axis x1=(self.area[0]) x2=(self.area[1]) y1=(bottom) y2=(bottom) {}
            @for (value, text) in at {
                @let x = self.x(*value);
                line.axis x1=(format!("{x:.1}")) x2=(format!("{x:.1}")) y1=(bottom) y2=(bottom + 4.0) {}
                @if fits(x, text) { text.tick.middle x=(format!("{x:.1}")) y=(bottom + 19.0) { (text) } }
            }
        }
    }
}

/// A point of a few-label curve.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// Labels in total.
    pub labels: usize,
    /// Mean, and the ends of its 95 % interval.
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

/// Score against the number of labels (log scale), a line and a 95 % band for each of `lines`
/// (name, look, points by ascending labels). The axis covers `low..=high`, the same in all panels
/// that are to be compared (see [`reach`]); `chance` is drawn where it is near, and `what` is counted.
pub(super) fn few_label(
    lines: &[(String, Look, Vec<Point>)],
    [low, high]: [f64; 2],
    chance: Option<f64>,
    measure: &Measure,
    what: &str,
) -> Markup {
    let percent = measure.percent;
    let all = || lines.iter().flat_map(|(_, _, points)| points);
    if !low.is_finite() {
        return html! {};
    }
    let chance = chance.filter(|c| c.is_finite() && low - c < 0.2 * (high - low).max(0.1));
    let rows = ticks(chance.unwrap_or(low).min(low), high, 5);
    let rows: Vec<f64> = rows
        .into_iter()
        .filter(|t| !percent || (0.0..=1.0).contains(t))
        .collect();
    let mut counts: Vec<usize> = all().map(|p| p.labels.max(1)).collect();
    counts.sort_unstable();
    counts.dedup();
    let log = |labels: usize| (labels.max(1) as f64).log10();
    let (first, last) = (
        counts.first().map_or(0.0, |&c| log(c)),
        counts.last().map_or(1.0, |&c| log(c)),
    );
    let frame = Frame {
        area: [52.0, 396.0, 30.0, 292.0],
        x: [first - 0.06, last.max(first + 0.1) + 0.06],
        y: [
            rows.first().copied().unwrap_or(0.0),
            rows.last().copied().unwrap_or(1.0),
        ],
    };
    let number = |value: f64| {
        if percent {
            format!("{:.0}", 100.0 * value)
        } else {
            short(value)
        }
    };
    let exact = |value: f64| {
        if percent {
            format!("{:.1} %", 100.0 * value)
        } else {
            format!("{value:.3}")
        }
    };
    let columns: Vec<(f64, String)> = counts.iter().map(|&c| (log(c), short(c as f64))).collect();
    let band = |points: &[Point]| -> String {
        let sound = || {
            points
                .iter()
                .filter(|p| p.low.is_finite() && p.high.is_finite())
        };
        let upper = sound().map(|p| [log(p.labels), p.high]);
        let lower = sound().rev().map(|p| [log(p.labels), p.low]);
        let outline: Vec<[f64; 2]> = upper.chain(lower).collect();
        frame.path(&outline).replace("h0", "") + if outline.is_empty() { "" } else { "Z" }
    };
    let line = |points: &[Point]| -> String {
        let points: Vec<[f64; 2]> = points.iter().map(|p| [log(p.labels), p.mean]).collect();
        frame.path(&points)
    };
    // Learned lines are drawn last, on top.
    let order = || {
        [false, true]
            .into_iter()
            .flat_map(|top| lines.iter().filter(move |l| l.1.learned == top))
    };
    let ends: Vec<(f64, f64)> = lines
        .iter()
        .map(|(_, _, points)| {
            let end = points.iter().rev().find(|p| p.mean.is_finite());
            end.map_or((f64::NAN, f64::NAN), |p| {
                (frame.x(log(p.labels)), frame.y(p.mean))
            })
        })
        .collect();
    let labels = spread(
        &ends.iter().map(|e| e.1).collect::<Vec<_>>(),
        17.0,
        frame.area[2],
        frame.area[3],
    );
    html! {
        svg.chart viewBox="0 0 540 344" role="img" {
            title { (measure.title) " against number of " (what) "s" }
            text.name x="0" y="14" { (measure.title) @if percent { ", %" } }
            (frame.rows(&rows, number))
            (frame.columns(&columns))
            text.name.middle x=((frame.area[0] + frame.area[1]) / 2.0) y="336" { (what) "s in total (log scale)" }
            @if let Some(chance) = chance {
                @let y = format!("{:.1}", frame.y(chance));
                line.chance x1=(frame.area[0]) x2=(frame.area[1]) y1=(y) y2=(y) {}
                text.tick.end x=(frame.area[1]) y=(y) dy="-0.4em" { "chance" }
            }
            @for (_, look, points) in order() {
                path.band d=(band(points)) style=(format!("fill:{}", look.colour)) {}
            }
            @for (name, look, points) in order() {
                path.line.strong[look.learned] d=(line(points)) stroke-dasharray=(look.dash)
                    style=(format!("stroke:{}", look.colour)) {}
                @for p in points.iter().filter(|p| p.mean.is_finite()) {
                    circle.mark cx=(format!("{:.1}", frame.x(log(p.labels)))) cy=(format!("{:.1}", frame.y(p.mean)))
                        r=(if look.learned { 4.2 } else { 3.0 }) style=(format!("fill:{}", look.colour)) {
                        title { (name) ", " (p.labels) " " (what) "s: " (exact(p.mean)) " [" (exact(p.low)) ", " (exact(p.high)) "]" }
                    }
                }
            }
            @for (((name, look, _), (x, y)), label) in lines.iter().zip(&ends).zip(&labels) {
                @if y.is_finite() {
                    path.leader d=(format!("M{:.1} {y:.1}L{} {label:.1}", x + 6.0, frame.area[1] + 12.0)) {}
                    text.series.strong[look.learned] x=(frame.area[1] + 16.0) y=(format!("{label:.1}")) dy="0.34em"
                        style=(format!("fill:{}", look.colour)) { title { (name) } (clip(name, 17)) }
                }
            }
        }
    }
}

/// Lowest and highest finite value of `points`, intervals included; infinite without any.
pub(super) fn reach<'a>(points: impl Iterator<Item = &'a Point>) -> [f64; 2] {
    let values = points
        .flat_map(|p| [p.mean, p.low, p.high])
        .filter(|v| v.is_finite());
    values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| {
        [low.min(v), high.max(v)]
    })
}

/// Moves label positions apart to at least `gap`, each as little as possible (least squares), in
/// their order and inside `top..=bottom` where there is room. Positions that are not finite stay.
fn spread(at: &[f64], gap: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..at.len()).filter(|&i| at[i].is_finite()).collect();
    order.sort_by(|&a, &b| at[a].total_cmp(&at[b]));
    // With `rank * gap` taken off, "apart" becomes "not decreasing": isotonic regression, by
    // joining neighbouring blocks (mean, size) as long as they stand in the wrong order.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (rank, &i) in order.iter().enumerate() {
        let mut block = (at[i] - rank as f64 * gap, 1);
        while let Some(&(mean, size)) = blocks.last().filter(|before| before.0 > block.0) {
            blocks.pop();
            let joined = size + block.1;
            let sum = mean * size as f64 + block.0 * block.1 as f64;
            block = (sum / joined as f64, joined);
        }
        blocks.push(block);
    }
    let room = (bottom - gap * order.len().saturating_sub(1) as f64).max(top);
    let heights = blocks
        .iter()
        .flat_map(|&(mean, size)| std::iter::repeat_n(mean, size));
    let mut placed = at.to_vec();
    for (rank, (&i, height)) in order.iter().zip(heights).enumerate() {
        placed[i] = height.clamp(top, room) + rank as f64 * gap;
    }
    placed
}

/// What a training curve was measured on, in [`trace_of_both`].
const BOTH: [&str; 2] = ["training samples", "held out"];

/// One training curve as a small panel with its last value; a loss with its running mean on top.
/// Nothing where no value is finite. `wide` panels are meant for two columns, others for three.
pub(super) fn trace(curve: &Curve, wide: bool) -> Markup {
    panel(&curve.name, &[curve], wide)
}

/// What was measured on training samples and on held-out ones, dashed, as one panel called `name`.
pub(super) fn trace_of_both(name: &str, both: [&Curve; 2], wide: bool) -> Markup {
    panel(name, &both, wide)
}

/// One curve, or the same of training samples and held-out ones.
fn panel(name: &str, curves: &[&Curve], wide: bool) -> Markup {
    let points_of = |curve: &&Curve| -> Vec<[f64; 2]> {
        let points = curve.x.iter().zip(&curve.y);
        points.map(|(&x, &y)| [x, y]).collect()
    };
    let sound_of = |points: &Vec<[f64; 2]>| -> Vec<[f64; 2]> {
        let points = points.iter().copied();
        points.filter(|p| p.iter().all(|v| v.is_finite())).collect()
    };
    let all: Vec<Vec<[f64; 2]>> = curves.iter().map(points_of).collect();
    let lasts = all
        .iter()
        .filter_map(|points| Some(sound_of(points).last()?[1]));
    let lasts: Vec<f64> = lasts.collect();
    let sound: Vec<[f64; 2]> = all.iter().flat_map(sound_of).collect();
    if lasts.len() < curves.len() {
        return html! {};
    }
    let ends = |axis: usize| {
        let values = || sound.iter().map(|p| p[axis]);
        [
            values().fold(f64::INFINITY, f64::min),
            values().fold(f64::NEG_INFINITY, f64::max),
        ]
    };
    let (x, y) = (ends(0), ends(1));
    let percent = name.contains("probe") || name.contains("accuracy");
    let number = |value: f64| {
        if percent {
            format!("{:.0}", 100.0 * value)
        } else {
            short(value)
        }
    };
    let rows = ticks(y[0], y[1], 3);
    let columns = ticks(x[0], x[1], 4)
        .into_iter()
        .filter(|t| (x[0].min(0.0)..=x[1]).contains(t));
    let columns: Vec<(f64, String)> = columns.map(|t| (t, short(t))).collect();
    let right = if wide { 478.0 } else { 318.0 };
    let frame = Frame {
        area: [44.0, right, 38.0, 168.0],
        x: [
            x[0].min(columns.first().map_or(x[0], |c| c.0)),
            x[1].max(x[0] + 1e-9),
        ],
        y: [
            rows.first().copied().unwrap_or(0.0),
            rows.last().copied().unwrap_or(1.0),
        ],
    };
    let thinned = thin(&all[0], 400);
    let noisy = sound.len() >= 30 && name.contains("loss");
    let smooth = noisy.then(|| running_mean(&thinned, thinned.len() / 20));
    let last: Vec<String> = lasts.iter().map(|&y| number_exact(y, percent)).collect();
    html! {
        svg.chart viewBox=(format!("0 0 {} 212", right + 22.0)) role="img" {
            title {
                (name)
                @if lasts.len() > 1 { ": " (BOTH[0]) ", and " (BOTH[1]) " (dashed)" }
            }
            text.heading x="0" y="15" { (pretty(name)) @if percent { ", %" } }
            text.value.end x=(right) y="15" {
                (last[0])
                @if let Some(held_out) = last.get(1) { " / " (held_out) }
            }
            (frame.rows(&rows, number))
            (frame.columns(&columns))
            text.name.middle x=(22.0 + right / 2.0) y="205" { "step" }
            path.line.faint[smooth.is_some()] d=(frame.path(&thinned)) style="stroke:var(--accent-0)" {}
            @if let Some(smooth) = &smooth {
                path.line d=(frame.path(smooth)) style="stroke:var(--accent-0)" {}
            }
            @if let Some(held_out) = all.get(1) {
                path.line.held-out d=(frame.path(&thin(held_out, 400))) style="stroke:var(--accent-1)" {}
            }
        }
    }
}

fn number_exact(value: f64, percent: bool) -> String {
    if percent {
        format!("{:.1} %", 100.0 * value)
    } else {
        short(value)
    }
}

/// A curve's name as a reader would write it.
fn pretty(name: &str) -> String {
    match name {
        "lr" => "Learning rate".into(),
        _ => {
            let spaced = name.replace('_', " ");
            let mut letters = spaced.chars();
            letters.next().map_or(String::new(), |first| {
                first.to_uppercase().chain(letters).collect()
            })
        }
    }
}

/// At most `most` points, each the mean of a run of neighbours; a run holding NaN stays NaN.
fn thin(points: &[[f64; 2]], most: usize) -> Vec<[f64; 2]> {
    let size = points.len().div_ceil(most.max(1)).max(1);
    let mean = |run: &[[f64; 2]]| {
        [0, 1].map(|axis| run.iter().map(|p| p[axis]).sum::<f64>() / run.len() as f64)
    };
    points.chunks(size).map(mean).collect()
}

/// Mean over each point and up to `reach` finite neighbours on either side, fewer near the ends so
/// that the mean does not lag; gaps stay gaps.
fn running_mean(points: &[[f64; 2]], reach: usize) -> Vec<[f64; 2]> {
    let mean = |i: usize| {
        let reach = reach.min(i).min(points.len() - 1 - i);
        let near = points[i - reach..=i + reach]
            .iter()
            .map(|p| p[1])
            .filter(|y| y.is_finite());
        let (sum, count) = near.fold((0.0, 0), |(sum, count), y| (sum + y, count + 1));
        if points[i][1].is_finite() {
            sum / f64::from(count)
        } else {
            f64::NAN
        }
    };
    (0..points.len()).map(|i| [points[i][0], mean(i)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover() {
        assert_eq!(
            ticks(0.0, 1.0, 5),
            [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]
        );
        for (low, high) in [
            (0.31, 0.97),
            (3.0, 3.0),
            (-2.0, 7.0),
            (1e-5, 2e-3),
            (0.0, 0.0),
        ] {
            let t = ticks(low, high, 5);
            assert!(t.len() >= 2 && t.len() < 10, "{t:?}");
            assert!(
                t[0] <= low + 1e-9 && t[t.len() - 1] >= high - 1e-9,
                "{low} {high} {t:?}"
            );
        }
    }

    #[test]
    fn labels_are_spread_in_order_and_inside() {
        let placed = spread(&[50.0, 52.0, f64::NAN, 99.0, 51.0], 10.0, 0.0, 100.0);
        assert_eq!(
            [placed[0], placed[4], placed[1], placed[3]],
            [41.0, 51.0, 61.0, 99.0]
        );
        assert!(placed[2].is_nan());
        assert_eq!(spread(&[98.0, 99.0], 10.0, 0.0, 100.0), [90.0, 100.0]);
        assert_eq!(spread(&[1.0, 0.0], 10.0, 0.0, 100.0), [10.0, 0.0]);
    }

    #[test]
    fn broken_curves_leave_gaps_not_nan() {
        let y = vec![1.0, f64::NAN, 3.0, f64::INFINITY, 2.0];
        let curve = Curve {
            name: "loss".into(),
            x: vec![0.0, 1.0, 2.0, 3.0, 4.0],
            y,
        };
        let svg = trace(&curve, false).into_string();
        assert!(
            svg.contains("h0M") && !svg.contains("NaN") && !svg.contains("inf"),
            "{svg}"
        );
        let empty = Curve {
            name: "loss".into(),
            x: vec![0.0],
            y: vec![f64::NAN],
        };
        assert_eq!(trace(&empty, true).into_string(), "");
        assert_eq!(
            trace_of_both("loss", [&curve, &empty], true).into_string(),
            ""
        );
    }
}
