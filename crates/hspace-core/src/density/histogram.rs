//! Histogram: bins of equal width from the smallest value to the largest and one more beyond each, K in
//! all; density = (count + 1/2)/((n + K/2)·width) in a bin, 0 outside.
//!
//! The halves are those of Krichevsky & Trofimov (1981), whose estimate is the mean under Jeffreys' prior.
//! They and the outer bins are a deviation from numpy's histogram, whose density is 0 where the data have a
//! gap and beyond their ends: the smallest and the largest value would be impossible whenever they are held
//! out. What is drawn as bars is numpy's.
//!
//! Number of bins as numpy's `bins="auto"`: the width is the smaller of Freedman & Diaconis' (1981),
//! 2·IQR·n^(−1/3), but at least half the width of √n bins, and Sturges' (1926), range/(log₂n + 1).

use rand::RngExt;

use super::special::{constant, no_spread};
use super::{ColumnFit, Density, Entry, Fitted, Random, Support};
use crate::auto::Auto;

/// The line in the list.
pub const ENTRY: Entry = Entry {
    name: "histogram",
    summary: "histogram: bins of equal width; no density more than one bin outside the values it was fitted to",
    source: "",
    item: ColumnFit {
        support: Support::Real,
        fit: |values, options| match options.histogram.bins {
            Auto::Set(bins) => fit(values, bins),
            Auto::Auto => fit(values, bins(values)),
        },
    },
};

/// What the Krichevsky-Trofimov estimate adds to each count.
const PRIOR: f64 = 0.5;

/// Counts of values in bins of equal width, as numpy's.
pub(super) struct Bars {
    /// Ends of the bins, one more than there are bins.
    pub edges: Vec<f64>,
    /// Number of values in each bin.
    pub counts: Vec<usize>,
}

impl Bars {
    fn width(&self) -> f64 {
        (self.edges[self.counts.len()] - self.edges[0]) / self.counts.len() as f64
    }

    /// Density in each bin, in 1/units of x.
    pub fn density(&self) -> Vec<f64> {
        let n = self.counts.iter().sum::<usize>() as f64;
        let share = self.counts.iter().map(|&c| c as f64 / n);
        share.map(|share| share / self.width()).collect()
    }
}

/// The density.
struct Histogram {
    /// Ends of the bins, one more than there are bins.
    edges: Vec<f64>,
    /// Density in each bin, in 1/units of x.
    density: Vec<f64>,
    /// Probability up to each of the edges.
    below: Vec<f64>,
}

fn fit(values: &[f64], bins: usize) -> Fitted {
    if let Some(x) = constant(values) {
        return Err(no_spread(values, x));
    }
    let bars = bars(values, bins);
    let width = bars.width();
    let mut edges = bars.edges;
    edges.insert(0, edges[0] - width);
    edges.push(edges[bins + 1] + width);
    let inside = bars.counts.iter().map(|&c| c as f64 + PRIOR);
    let weights: Vec<f64> = std::iter::once(PRIOR)
        .chain(inside)
        .chain([PRIOR])
        .collect();
    let total: f64 = weights.iter().sum();
    let mut below = vec![0.0];
    let mut sum = 0.0;
    for weight in &weights {
        sum += weight;
        below.push(sum / total);
    }
    Ok(Box::new(Histogram {
        density: weights.iter().map(|w| w / total / width).collect(),
        edges,
        below,
    }))
}

/// The bars of at least two different values.
pub(super) fn bars(values: &[f64], bins: usize) -> Bars {
    let (low, high) = ends(values);
    let edge = |i: usize| {
        if i == bins {
            high
        } else {
            low + (high - low) * i as f64 / bins as f64
        }
    };
    let edges: Vec<f64> = (0..=bins).map(edge).collect();
    let mut counts = vec![0usize; bins];
    for &x in values {
        counts[bin(&edges, x)] += 1;
    }
    Bars { edges, counts }
}

/// The bin of `x` within the edges: closed on the left, the last one on both sides.
fn bin(edges: &[f64], x: f64) -> usize {
    let after = edges.partition_point(|e| *e <= x);
    after.saturating_sub(1).min(edges.len() - 2)
}

fn ends(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (low, high)
}

/// How many bins there are where none are asked for.
pub(super) fn bins(values: &[f64]) -> usize {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let range = ends(values).1 - ends(values).0;
    let sturges = range / (n.log2() + 1.0);
    let iqr = quantile(&sorted, 0.75) - quantile(&sorted, 0.25);
    let freedman = (2.0 * iqr / n.cbrt()).max(range / n.sqrt() / 2.0);
    let width = freedman.min(sturges);
    if width > 0.0 {
        (range / width).ceil() as usize
    } else {
        1
    }
}

/// The value below which a share `q` of `sorted` lies, linear between two (numpy's default); NaN of
/// nothing.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = q * last as f64;
    let (i, part) = (at.floor() as usize, at.fract());
    sorted[i] + part * (sorted[(i + 1).min(last)] - sorted[i])
}

impl Histogram {
    /// Number of bins from the smallest value to the largest.
    fn inner(&self) -> usize {
        self.density.len() - 2
    }
}

impl Density for Histogram {
    fn parameters(&self) -> Vec<(&'static str, f64)> {
        let width = self.edges[1] - self.edges[0];
        vec![("bins", self.inner() as f64), ("width", width)]
    }

    fn free(&self) -> Option<usize> {
        None
    }

    fn ln_density(&self, x: f64) -> f64 {
        let outside = x < self.edges[0] || x > self.edges[self.edges.len() - 1];
        if outside {
            return f64::NEG_INFINITY;
        }
        self.density[bin(&self.edges, x)].ln()
    }

    fn cdf(&self, x: f64) -> f64 {
        if x >= self.edges[self.edges.len() - 1] {
            return 1.0;
        }
        let x = x.max(self.edges[0]);
        let i = bin(&self.edges, x);
        (self.below[i] + (x - self.edges[i]) * self.density[i]).min(1.0)
    }

    fn draw(&self, random: &mut Random) -> f64 {
        let u: f64 = random.random();
        let after = self.below.partition_point(|b| *b <= u);
        let i = after.saturating_sub(1).min(self.density.len() - 1);
        self.edges[i] + (u - self.below[i]) / self.density[i]
    }

    fn refit(&self, values: &[f64]) -> Fitted {
        fit(values, self.inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_out_ends_and_gaps_are_possible() -> Result<(), String> {
        // Two bins of three are full, one is a gap: (count + 1/2)/((4 + 5/2)·width).
        let density = fit(&[0.0, 0.5, 2.5, 3.0], 3)?;
        for (x, weight) in [(-0.5, 0.5), (0.2, 2.5), (1.5, 0.5), (2.5, 2.5), (3.9, 0.5)] {
            let found = density.ln_density(x).exp();
            assert!((found - weight / 6.5).abs() < 1e-15, "at {x}: {found}");
        }
        assert_eq!(density.ln_density(-1.1), f64::NEG_INFINITY);
        assert_eq!(density.ln_density(4.1), f64::NEG_INFINITY);
        assert_eq!(density.parameters(), [("bins", 3.0), ("width", 1.0)]);
        Ok(())
    }
}
