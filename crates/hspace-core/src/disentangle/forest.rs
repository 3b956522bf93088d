//! Bagged classification trees, for the importance of latents.
//!
//! Trees of Breiman, Friedman, Olshen & Stone 1984, each grown on as many rows drawn with replacement
//! (bagging, Breiman 1996) until its leaves are pure. A split is the one of all latents that lowers
//! Gini's impurity most; a latent's importance is the share of that decrease which its splits bring,
//! as in scikit-learn's `feature_importances_`. Unlike in a random forest every split may choose among
//! all latents: where one latent knows the factor, no other is given a part of it.
//!
//! On the rows that a tree was grown on, splits deep in it lower the impurity with any latent. So importance is also taken on the rows
//! that were not drawn: a row of class y adds `p(y | child) − p(y | node)` to the latent of each split on its path, p being the
//! shares of the classes among the rows drawn. Of a latent that knows nothing this is 0 on average (Li, Wang, Basu, Kumbier &
//! Yu 2019, "A debiased MDI feature importance measure for random forests", arXiv:1906.10845).
//!
//! Latents are cut into at most [`BINS`] intervals with as many rows each.

use std::ops::Range;
use std::rc::Rc;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;

use crate::matrix::Matrix;
use crate::random::mix;

/// Intervals of a latent between which trees may split.
const BINS: usize = 256;
/// Decreases of n · Gini that differ by less are equal.
const EQUAL: f64 = 1e-9;

/// Latents as trees see them: `[d][n]` numbers of intervals.
pub struct Intervals {
    cuts: Vec<Vec<f32>>,
}

impl Intervals {
    /// Cuts between as many rows each, or between all values where there are no more than that.
    pub fn new(latents: &Matrix) -> Intervals {
        let cuts = |j: usize| {
            let mut all: Vec<f32> = (0..latents.rows).map(|i| latents.row(i)[j]).collect();
            all.sort_by(f32::total_cmp);
            let mut distinct = all.clone();
            distinct.dedup();
            let between = |a: f32, b: f32| a + (b - a) / 2.0;
            let mut cuts: Vec<f32> = match distinct.len() <= BINS {
                true => distinct.windows(2).map(|w| between(w[0], w[1])).collect(),
                false => (1..BINS)
                    .map(|b| b * all.len() / BINS)
                    .map(|at| between(all[at - 1], all[at]))
                    .collect(),
            };
            cuts.dedup();
            cuts
        };
        Intervals {
            cuts: (0..latents.cols).into_par_iter().map(cuts).collect(),
        }
    }

    /// The intervals `[d][n]` of rows `[n, d]`.
    pub fn of(&self, latents: &Matrix) -> Vec<Vec<u8>> {
        let column = |(j, cuts): (usize, &Vec<f32>)| {
            let place = |i: usize| cuts.partition_point(|cut| *cut < latents.row(i)[j]) as u8;
            (0..latents.rows).map(place).collect()
        };
        self.cuts.par_iter().enumerate().map(column).collect()
    }
}

/// A node: a leaf's class, or a split.
enum Node {
    Leaf(u32),
    /// Rows whose interval of `latent` is at most `last` go to node `low`, the others to the next one.
    Split {
        latent: usize,
        last: u8,
        low: usize,
    },
}

/// One grown tree.
pub struct Tree {
    nodes: Vec<Node>,
    /// Decrease of impurity that each latent's splits bring, `[d]`, summing to 1 (or all 0).
    pub importance: Vec<f64>,
    /// What the splits on the path of each row held out add to the probability of its class.
    pub gains: Vec<Gain>,
}

/// What a split adds to the probability of a row's class.
pub struct Gain {
    pub row: u32,
    /// The latent of the split.
    pub latent: usize,
    pub value: f64,
}

/// A node that may be split: its place, its rows among those drawn and among those held out, and the parent's counts of
/// classes with the latent that it splits.
struct Open {
    node: usize,
    rows: Range<usize>,
    held: Range<usize>,
    parent: Option<(Rc<[usize]>, usize)>,
}

/// The best split of a node: its gain, latent and last interval on the low side.
type Best = (f64, usize, u8);

impl Tree {
    /// Grows on `rows` of `latents` `[d][n]` with `classes` `[n]` below `count`; `held` are the rows held out.
    pub fn grow(
        latents: &[Vec<u8>],
        classes: &[u32],
        count: usize,
        [mut rows, mut held]: [Vec<u32>; 2],
        seed: u64,
    ) -> Tree {
        let mut tree = Tree {
            nodes: vec![Node::Leaf(0)],
            importance: vec![0.0; latents.len()],
            gains: Vec::new(),
        };
        let mut open = vec![Open {
            node: 0,
            rows: 0..rows.len(),
            held: 0..held.len(),
            parent: None,
        }];
        while let Some(at) = open.pop() {
            let (part, held_part) = (&mut rows[at.rows.clone()], &mut held[at.held.clone()]);
            let mut counts = vec![0usize; count];
            part.iter()
                .for_each(|&r| counts[classes[r as usize] as usize] += 1);
            if let Some((parent, latent)) = &at.parent {
                let all = parent.iter().sum::<usize>() as f64;
                tree.gains.extend(held_part.iter().map(|&row| {
                    let class = classes[row as usize] as usize;
                    let before = parent[class] as f64 / all;
                    Gain {
                        row,
                        latent: *latent,
                        value: counts[class] as f64 / part.len() as f64 - before,
                    }
                }));
            }
            let draw = mix(&[seed, at.node as u64]);
            let found = best_split(latents, classes, &counts, part, draw);
            let Some((gain, latent, last)) = found.filter(|best| best.0 > EQUAL) else {
                let largest = (0..count).rev().max_by_key(|&c| counts[c]);
                tree.nodes[at.node] = Node::Leaf(largest.unwrap_or(0) as u32);
                continue;
            };
            tree.importance[latent] += gain;
            let is_low = |r: &u32| latents[latent][*r as usize] <= last;
            let divide = |part: &mut [u32]| {
                part.sort_by_key(|r| !is_low(r));
                part.partition_point(is_low)
            };
            let middle = at.rows.start + divide(part);
            let held_middle = at.held.start + divide(held_part);
            let low = tree.nodes.len();
            tree.nodes[at.node] = Node::Split { latent, last, low };
            tree.nodes.extend([Node::Leaf(0), Node::Leaf(0)]);
            let parent = Some((Rc::from(counts), latent));
            open.push(Open {
                node: low,
                rows: at.rows.start..middle,
                held: at.held.start..held_middle,
                parent: parent.clone(),
            });
            open.push(Open {
                node: low + 1,
                rows: middle..at.rows.end,
                held: held_middle..at.held.end,
                parent,
            });
        }
        let total: f64 = tree.importance.iter().sum();
        tree.importance
            .iter_mut()
            .for_each(|i| *i /= total.max(f64::MIN_POSITIVE));
        tree
    }

    /// The class of row `i` of `latents` `[d][n]`.
    pub fn class(&self, latents: &[Vec<u8>], i: usize) -> u32 {
        let mut at = 0;
        loop {
            match self.nodes[at] {
                Node::Leaf(class) => return class,
                Node::Split { latent, last, low } => {
                    at = low + usize::from(latents[latent][i] > last);
                }
            }
        }
    }
}

/// The split of `rows` that lowers `n · Gini` most: `Σ lᶜ² / l + Σ rᶜ² / r − Σ nᶜ² / n` over the counts
/// of the classes c on both sides. Of equal splits it is a latent's that is drawn for each node, so
/// that none is preferred; `draw` is the seed of that.
fn best_split(
    latents: &[Vec<u8>],
    classes: &[u32],
    counts: &[usize],
    rows: &[u32],
    draw: u64,
) -> Option<Best> {
    let n = rows.len();
    let squares: usize = counts.iter().map(|c| c * c).sum();
    if squares == n * n {
        return None;
    }
    let whole = squares as f64 / n as f64;
    let mut best: Option<Best> = None;
    let mut sorted = Vec::with_capacity(n);
    let lot = |latent: usize| mix(&[draw, latent as u64]);
    for (latent, intervals) in latents.iter().enumerate() {
        by_interval(intervals, classes, rows, &mut sorted);
        let (mut low, mut high) = (vec![0usize; counts.len()], counts.to_vec());
        let (mut low_squares, mut high_squares) = (0usize, squares);
        let mut below = 0;
        for same in sorted.chunk_by(|a, b| a.0 == b.0) {
            below += same.len();
            if below == n {
                break;
            }
            for &(_, class) in same {
                let (l, h) = (&mut low[class as usize], &mut high[class as usize]);
                low_squares += 2 * *l + 1;
                high_squares -= 2 * *h - 1;
                *l += 1;
                *h -= 1;
            }
            let (l, h) = (below as f64, (n - below) as f64);
            let gain = low_squares as f64 / l + high_squares as f64 / h - whole;
            let wins = |b: Best| {
                let equal = latent != b.1 && gain > b.0 - EQUAL;
                gain > b.0 + EQUAL || (equal && lot(latent) > lot(b.1))
            };
            if best.is_none_or(wins) {
                best = Some((gain, latent, same[0].0));
            }
        }
    }
    best
}

/// Interval and class of each of `rows`, by rising interval: many by counting, few by comparing.
fn by_interval(intervals: &[u8], classes: &[u32], rows: &[u32], sorted: &mut Vec<(u8, u32)>) {
    let pair = |&r: &u32| (intervals[r as usize], classes[r as usize]);
    sorted.clear();
    sorted.extend(rows.iter().map(pair));
    if rows.len() < BINS {
        sorted.sort_unstable();
        return;
    }
    let mut next = [0usize; BINS + 1];
    for pair in sorted.iter() {
        next[usize::from(pair.0) + 1] += 1;
    }
    for b in 0..BINS {
        next[b + 1] += next[b];
    }
    for pair in rows.iter().map(pair) {
        let place = &mut next[usize::from(pair.0)];
        sorted[*place] = pair;
        *place += 1;
    }
}

/// `trees` trees, each on its own draw of rows with replacement; the rows not drawn are held out.
pub fn bagged(
    latents: &[Vec<u8>],
    classes: &[u32],
    count: usize,
    trees: u64,
    seed: u64,
) -> Vec<Tree> {
    let grow = |t: u64| {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(mix(&[seed, t]));
        let n = classes.len();
        let rows: Vec<u32> = (0..n).map(|_| random.random_range(0..n as u32)).collect();
        let mut drawn = vec![false; n];
        rows.iter().for_each(|&row| drawn[row as usize] = true);
        let held = (0..n as u32).filter(|&row| !drawn[row as usize]).collect();
        Tree::grow(latents, classes, count, [rows, held], mix(&[seed, t]))
    };
    (0..trees).into_par_iter().map(grow).collect()
}

/// The class most trees name for row `i`; the first of several.
pub fn vote(trees: &[Tree], latents: &[Vec<u8>], count: usize, i: usize) -> u32 {
    let mut votes = vec![0usize; count];
    trees
        .iter()
        .for_each(|tree| votes[tree.class(latents, i) as usize] += 1);
    (0..count).rev().max_by_key(|&c| votes[c]).unwrap_or(0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disentangle::tests::golden;

    #[test]
    fn importances_are_scikit_learn_s() {
        let golden = golden();
        let latents = golden.coarse();
        let intervals = Intervals::new(&latents).of(&latents);
        let rows = || (0..latents.rows as u32).collect();
        for (classes, theirs) in golden.tree_classes.iter().zip(&golden.tree_importances) {
            let tree = Tree::grow(&intervals, classes, 3, [rows(), Vec::new()], 0);
            for (ours, theirs) in tree.importance.iter().zip(theirs) {
                assert!((ours - theirs).abs() < 1e-9, "{ours} {theirs}");
            }
        }
    }

    /// Two latents alike share what they bring, wherever they stand among others.
    #[test]
    fn of_equal_latents_none_is_preferred() {
        let row = |i: usize| {
            [
                0.0,
                1.0,
                (i * 7919 % 1009) as f32,
                (i * 7919 % 1009) as f32,
                2.0,
            ]
        };
        let latents = Matrix::new(600, 5, (0..600).flat_map(row).collect());
        let classes: Vec<u32> = (0..600).map(|i| (i * 31 % 7 % 3) as u32).collect();
        let intervals = Intervals::new(&latents).of(&latents);
        let trees = bagged(&intervals, &classes, 3, 20, 0);
        let mean = |j: usize| trees.iter().map(|t| t.importance[j]).sum::<f64>() / 20.0;
        assert!((mean(2) - mean(3)).abs() < 0.05, "{} {}", mean(2), mean(3));
    }

    /// The first latent is the class in three rows of four, the second is noise, which plain importance does not see.
    #[test]
    fn noise_has_no_importance_on_rows_held_out() {
        let n = 2000;
        let class = |i: usize| (i * 7919 % 1009) as u32 % 3;
        let shown = |i: usize| {
            if i.is_multiple_of(4) {
                i as u32 / 4 % 3
            } else {
                class(i)
            }
        };
        let row = |i: usize| [shown(i) as f32, (i * 4243 % 1999) as f32];
        let latents = Matrix::new(n, 2, (0..n).flat_map(row).collect());
        let classes: Vec<u32> = (0..n).map(class).collect();
        let intervals = Intervals::new(&latents).of(&latents);
        let trees = bagged(&intervals, &classes, 3, 20, 0);
        let plain = trees.iter().map(|t| t.importance[1]).sum::<f64>() / 20.0;
        assert!(plain > 0.2, "{plain}");
        let gains = || trees.iter().flat_map(|tree| &tree.gains);
        let of = |latent: usize| gains().filter(move |g| g.latent == latent).map(|g| g.value);
        let [known, noise] = [0, 1].map(|latent| of(latent).sum::<f64>());
        assert!(
            known > 1000.0 && noise.abs() < 0.05 * known,
            "{known} {noise}"
        );
    }

    #[test]
    fn a_tree_learns_what_can_be_split() {
        let latents = Matrix::new(6, 2, vec![0., 3., 1., 3., 2., 3., 3., 3., 4., 3., 5., 3.]);
        let cuts = Intervals::new(&latents);
        let intervals = cuts.of(&latents);
        let classes = [0, 0, 1, 1, 0, 0];
        let trees = bagged(&intervals, &classes, 2, 50, 0);
        for (i, class) in classes.iter().enumerate() {
            assert_eq!(vote(&trees, &intervals, 2, i), *class);
        }
        assert!(trees.iter().all(|t| t.importance[1] == 0.0));
    }
}
