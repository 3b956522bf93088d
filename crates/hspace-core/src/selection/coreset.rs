//! Core-set: rows such that no row is far from a labelled one, by the greedy k-centre algorithm.
//!
//! ```text
//! repeat n times: s ← s ∪ {argmax_i min_{j ∈ s} ‖x_i − x_j‖}       s: labelled rows at first
//! ```
//!
//! Sener & Savarese 2018, "Active learning for convolutional neural networks: a core-set approach", ICLR, arXiv:1708.00489, algorithm 1. The
//! largest distance that is left is at most twice the least possible (Gonzalez 1985). Where no row is labelled the first one is drawn by the
//! seed. A pick's score is its distance to the nearest row that was labelled or chosen before it.

use rayon::prelude::*;

use super::{Pick, Pool, Rule};
use crate::list::Entry;
use crate::matrix::Matrix;
use crate::probe::knn::{Metric, neighbours};
use crate::random::mix;

/// The line in the list.
pub(super) const ENTRY: Entry<Rule> = Entry {
    name: "coreset",
    summary: "rows farthest from all that are labelled or chosen: greedy k-centre on the features",
    source: "Sener & Savarese 2018, arXiv:1708.00489",
    item: Rule {
        needs_head: false,
        choose: |pool, n| k_centre(pool, n, |_| 1.0),
    },
};

/// Rows of one piece of work.
const BLOCK: usize = 512;

/// Greedy k-centre with a weight for each place in `pool.open`, by which its distance is multiplied. Equal ones go to the lower place.
pub(super) fn k_centre(pool: &Pool<'_>, n: usize, weight: impl Fn(usize) -> f64) -> Vec<Pick> {
    let rows = pool.features.select(pool.open);
    let mut far = start(pool, &rows);
    let mut picks: Vec<Pick> = Vec::with_capacity(n);
    let mut is_chosen = vec![false; rows.rows];
    while picks.len() < n {
        let drawn = pool.labelled.is_empty() && picks.is_empty();
        let score = |place: usize| weight(place) * far[place];
        let open = || (0..rows.rows).filter(|&place| !is_chosen[place]);
        let best = open().reduce(|a, b| if score(b) > score(a) { b } else { a });
        let best = match drawn {
            false => best,
            true => Some((mix(&[pool.seed, 0]) % rows.rows.max(1) as u64) as usize),
        };
        let Some(place) = best else { break };
        picks.push(Pick {
            row: pool.open[place],
            score: if drawn { 0.0 } else { score(place) },
        });
        is_chosen[place] = true;
        approach(&mut far, &rows, place);
    }
    picks
}

/// Distance of each of `rows` `[m, d]` to the nearest labelled row; ∞ where there is none.
fn start(pool: &Pool<'_>, rows: &Matrix) -> Vec<f64> {
    if pool.labelled.is_empty() {
        return vec![f64::INFINITY; rows.rows];
    }
    let labelled = pool.features.select(pool.labelled);
    let found = neighbours(&labelled, rows, Metric::Euclidean, 1, None);
    found.iter().map(|near| f64::from(near[0].0)).collect()
}

/// Distances after the row at `place` was chosen too.
fn approach(far: &mut [f64], rows: &Matrix, place: usize) {
    let centre = rows.row(place);
    far.par_chunks_mut(BLOCK).enumerate().for_each(|(b, far)| {
        for (i, far) in far.iter_mut().enumerate() {
            let row = rows.row(b * BLOCK + i).iter();
            let squares = row.zip(centre).map(|(x, c)| {
                let difference = x - c;
                difference * difference
            });
            *far = far.min(f64::from(squares.sum::<f32>()).sqrt());
        }
    });
}
