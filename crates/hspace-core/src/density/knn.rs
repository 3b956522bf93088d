//! Density of a column by its k nearest neighbours: f(x) ∝ 1/r(x), with r(x) the distance from x to its
//! k-th nearest value (Loftsgaarden & Quesenberry 1965).
//!
//! On the whole line this has no finite integral. Deviation: it ends half the range of the values beyond
//! the smallest and the largest (at 0 where none is below 0), and is scaled to integrate to 1. In one
//! dimension r is made of straight pieces of slope ±1, so that integral and quantiles are exact.

use rand::RngExt;

use super::special::{constant, no_spread};
use super::{ColumnFit, Density, DensityOptions, Entry, Fitted, Random, Support};
use crate::auto::Auto;

/// The line in the list.
pub const ENTRY: Entry = Entry {
    name: "knn",
    summary: "k nearest neighbours: one over the distance to the k-th nearest value; k = √n unless given",
    source: "",
    item: ColumnFit {
        support: Support::Real,
        fit: |values, options| fit(values, neighbours(values, options)),
    },
};

struct Knn {
    k: usize,
    /// Where the pieces of r meet, ascending: (x, r(x), integral of 1/r up to x).
    nodes: Vec<[f64; 3]>,
}

fn neighbours(values: &[f64], options: &DensityOptions) -> usize {
    match options.knn.k {
        Auto::Set(k) => k,
        Auto::Auto => ((values.len() as f64).sqrt().round() as usize).max(2),
    }
}

fn fit(values: &[f64], k: usize) -> Fitted {
    if let Some(x) = constant(values) {
        return Err(no_spread(values, x));
    }
    let n = values.len();
    if k < 2 || k > n {
        return Err(format!(
            "k = {k}: with {n} values it must be from 2 (at 1 the density is infinite at each value) to {n}"
        ));
    }
    let mut x = values.to_vec();
    x.sort_by(f64::total_cmp);
    let half = (x[n - 1] - x[0]) / 2.0;
    let low = if x[0] >= 0.0 {
        (x[0] - half).max(0.0)
    } else {
        x[0] - half
    };
    let high = x[n - 1] + half;
    // The k nearest of a point are neighbours in order: x[i]..=x[i+k−1], from halfway between x[i−1] and
    // x[i+k−1] to halfway between x[i] and x[i+k]; the farther end is the left one before their middle.
    let mut nodes: Vec<[f64; 3]> = Vec::with_capacity(2 * (n - k) + 3);
    let mut push = |at: f64, r: f64| {
        let below = nodes
            .last()
            .map_or(0.0, |[_, before, sum]| sum + (r / before).ln().abs());
        nodes.push([at, r, below]);
    };
    for i in 0..=n - k {
        let (first, last) = (x[i], x[i + k - 1]);
        let begin = if i == 0 { low } else { (x[i - 1] + last) / 2.0 };
        let middle = ((first + last) / 2.0).max(begin);
        if last <= first {
            return Err(format!(
                "{k} values are {first}: the density there is infinite; ask for a larger k"
            ));
        }
        push(begin, (last - begin).max(begin - first));
        push(middle, (last - middle).max(middle - first));
    }
    push(high, high - x[n - k]);
    Ok(Box::new(Knn { k, nodes }))
}

impl Knn {
    /// The integral of 1/r over all.
    fn total(&self) -> f64 {
        self.nodes.last().map_or(f64::NAN, |node| node[2])
    }

    /// The node at or before `x` and the one after it; `None` outside.
    fn piece(&self, x: f64) -> Option<([f64; 3], [f64; 3])> {
        let after = self.nodes.partition_point(|node| node[0] <= x);
        let after = after.min(self.nodes.len() - 1);
        let inside = after > 0 && x <= self.nodes[after][0];
        inside.then(|| (self.nodes[after - 1], self.nodes[after]))
    }
}

/// r at `x` between two nodes.
fn between(x: f64, [x0, r0, _]: [f64; 3], [x1, r1, _]: [f64; 3]) -> f64 {
    if x1 > x0 {
        r0 + (r1 - r0) * (x - x0) / (x1 - x0)
    } else {
        r1
    }
}

impl Density for Knn {
    fn parameters(&self) -> Vec<(&'static str, f64)> {
        vec![("k", self.k as f64)]
    }

    fn free(&self) -> Option<usize> {
        None
    }

    fn ln_density(&self, x: f64) -> f64 {
        let Some((a, b)) = self.piece(x) else {
            return f64::NEG_INFINITY;
        };
        -between(x, a, b).ln() - self.total().ln()
    }

    fn cdf(&self, x: f64) -> f64 {
        match self.piece(x) {
            Some((a, b)) => ((a[2] + (between(x, a, b) / a[1]).ln().abs()) / self.total()).min(1.0),
            None if x < self.nodes[0][0] => 0.0,
            None => 1.0,
        }
    }

    fn draw(&self, random: &mut Random) -> f64 {
        let mass = random.random::<f64>() * self.total();
        let after = self.nodes.partition_point(|node| node[2] <= mass);
        let after = after.clamp(1, self.nodes.len() - 1);
        let (a, b) = (self.nodes[after - 1], self.nodes[after]);
        let sign = if b[1] >= a[1] { 1.0 } else { -1.0 };
        // r has slope ±1: as far as r has changed, x has moved.
        a[0] + a[1] * (sign * (mass - a[2])).exp_m1().abs()
    }

    fn refit(&self, values: &[f64]) -> Fitted {
        fit(values, self.k)
    }
}
