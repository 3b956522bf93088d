//! What is drawn: the data as bars and as stairs, and where the fits are computed.

use serde::{Deserialize, Serialize};

use super::histogram::{bars, bins, quantile};

/// Points of a curve.
const POINTS: usize = 241;
/// Bars at most.
const BARS: usize = 60;

/// The data as they are drawn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drawing {
    /// Left end, right end and height of each bar; heights as density, or for counts as the mean share
    /// of its whole numbers.
    pub bars: Vec<[f64; 3]>,
    /// Where fits are drawn, ascending; for counts whole numbers.
    pub x: Vec<f64>,
    /// Share of the values up to each `x`.
    pub share: Vec<f64>,
    /// Number of values beyond the drawing's ends.
    pub beyond: usize,
}

/// The drawing of ascending values of which at least two differ. It leaves out what lies farther beyond
/// the outermost half percent than a quarter of what is between.
pub fn drawing(sorted: &[f64], counts: bool) -> Drawing {
    let (low, high) = (quantile(sorted, 0.005), quantile(sorted, 0.995));
    let room = 0.25 * (high - low);
    let last = sorted[sorted.len() - 1];
    let ends = [sorted[0].max(low - room), last.min(high + room)];
    let inside: Vec<f64> = sorted
        .iter()
        .copied()
        .filter(|x| (ends[0]..=ends[1]).contains(x))
        .collect();
    let (bars, x) = if counts {
        whole_numbers(&inside, sorted.len())
    } else {
        measurements(&inside, sorted.len())
    };
    let n = sorted.len() as f64;
    let share = |x: &f64| sorted.partition_point(|v| v <= x) as f64 / n;
    Drawing {
        share: x.iter().map(share).collect(),
        beyond: sorted.len() - inside.len(),
        bars,
        x,
    }
}

/// Bars of equal width, as the histogram's; of all `n` values.
fn measurements(inside: &[f64], n: usize) -> (Vec<[f64; 3]>, Vec<f64>) {
    let (first, last) = (inside[0], inside[inside.len() - 1]);
    if last <= first {
        // All but a few are equal: one bar, as wide as nothing else says.
        let half = 0.5 * first.abs().max(1.0);
        let bar = [
            first - half,
            first + half,
            inside.len() as f64 / n as f64 / (2.0 * half),
        ];
        return (vec![bar], vec![bar[0], first, bar[1]]);
    }
    let found = bars(inside, bins(inside).min(BARS));
    let part = inside.len() as f64 / n as f64;
    let bar = |(ends, density): (&[f64], f64)| [ends[0], ends[1], density * part];
    let bars = found
        .edges
        .windows(2)
        .zip(found.density())
        .map(bar)
        .collect();
    let margin = 0.04 * (last - first);
    let low = if first >= 0.0 {
        (first - margin).max(0.0)
    } else {
        first - margin
    };
    let step = (last + margin - low) / (POINTS - 1) as f64;
    (bars, (0..POINTS).map(|i| low + i as f64 * step).collect())
}

/// A bar for each whole number, or for several where there are many.
fn whole_numbers(inside: &[f64], n: usize) -> (Vec<[f64; 3]>, Vec<f64>) {
    let (first, last) = (inside[0], inside[inside.len() - 1]);
    let wide = ((last - first + 1.0) / BARS as f64).ceil().max(1.0);
    let mut bars: Vec<[f64; 3]> = Vec::new();
    let mut left = first;
    let mut done = 0;
    while left <= last {
        let right = left + wide;
        let upto = inside.partition_point(|x| *x < right);
        let height = (upto - done) as f64 / n as f64 / wide;
        bars.push([left - 0.5, right - 0.5, height]);
        (left, done) = (right, upto);
    }
    let from = (first - 1.0).max(0.0);
    let step = ((last + 1.0 - from) / (POINTS - 1) as f64).ceil().max(1.0);
    let count = ((last + 1.0 - from) / step).floor() as usize;
    (bars, (0..=count).map(|i| from + i as f64 * step).collect())
}
