//! Vectors that are near-identical in two splits: those that differ by rounding.
//!
//! Distances are root mean squares over the features that vary, each in units of its standard deviation. Two vectors are near-identical
//! if their distance ρ is at most [`FURTHEST`] and if chance does not explain it. Around the sample, the number of vectors within r
//! grows as `r^m`; the local dimension m and the distance D below which 5 % lie come from [`REFERENCE`] training vectors:
//! `m = ln 10 / ln(D₅₀ / D₅)`. By chance `n · 0.05 · (ρ / D)^m` of n vectors would be that close; over all samples that were
//! looked at, this must be less than [`EXPECTED`]. So of few features hardly any pair is ever named.

use std::borrow::Cow;

use rayon::prelude::*;

use super::PAIRS;
use super::near::{NearIdentical, Pair};
use crate::dataset::Split;
use crate::matrix::{Matrix, spaced};

/// Vectors further apart than this, in standard deviations, are never near-identical.
const FURTHEST: f64 = 0.01;
/// False alarms expected by chance, in all.
const EXPECTED: f64 = 0.01;
/// Vectors of the first split that say how far apart vectors usually are; fewer than [`FEWEST`] say nothing.
const REFERENCE: usize = 500;
const FEWEST: usize = 40;
/// Samples of the second split that are looked at, at most.
const ASKED: usize = 20_000;
/// Random sums of features by which candidates are found.
const SUMS: usize = 16;

/// Vector `index`; `None` where it cannot be read.
pub type Get<'a> = &'a (dyn Fn(usize) -> Option<Cow<'a, [f32]>> + Sync);

/// Mean and 1 / standard deviation of each feature over `rows`; 0 for a feature that is constant.
fn scales(features: &Matrix) -> Vec<[f64; 2]> {
    let n = features.rows.max(1) as f64;
    let means = features.column_means();
    let mut squares = vec![0.0f64; features.cols];
    for i in 0..features.rows {
        for ((sum, &x), mean) in squares.iter_mut().zip(features.row(i)).zip(&means) {
            *sum += (f64::from(x) - mean).powi(2);
        }
    }
    let scale = |(mean, sum): (f64, f64)| {
        let std = (sum / n).sqrt();
        [
            mean,
            if std > 1e-12 * mean.abs() {
                1.0 / std
            } else {
                0.0
            },
        ]
    };
    means.into_iter().zip(squares).map(scale).collect()
}

struct Space<'a> {
    get: Get<'a>,
    scales: Vec<[f64; 2]>,
    /// Features that vary.
    used: f64,
}

impl Space<'_> {
    fn distance(&self, a: &[f32], b: &[f32]) -> f64 {
        let terms = a.iter().zip(b).zip(&self.scales);
        let squares: f64 = terms
            .map(|((&x, &y), [_, scale])| ((f64::from(x) - f64::from(y)) * scale).powi(2))
            .sum();
        (squares / self.used).sqrt()
    }

    /// Sums of the standardised features with signs that look random, divided by `√used`: close for vectors that are close.
    fn sums(&self, vector: &[f32]) -> [f64; SUMS] {
        let mut sums = [0.0; SUMS];
        for (j, (&x, [mean, scale])) in vector.iter().zip(&self.scales).enumerate() {
            let z = (f64::from(x) - mean) * scale;
            let mut bits = (j as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            bits ^= bits >> 29;
            bits = bits.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32;
            for (k, sum) in sums.iter_mut().enumerate() {
                *sum += if bits >> k & 1 == 0 { z } else { -z };
            }
        }
        sums.map(|sum| sum / self.used.sqrt())
    }
}

/// Near-identical vectors of each pair of splits; those that are exactly equal are not counted. `sampled` are some of the vectors,
/// by which features are standardised.
pub fn vectors(get: Get, sampled: &Matrix, split: &[Split], ids: &[String]) -> Vec<NearIdentical> {
    let scales = scales(sampled);
    let used = scales.iter().filter(|[_, scale]| *scale > 0.0).count();
    if used == 0 {
        return Vec::new();
    }
    let space = Space {
        get,
        scales,
        used: used as f64,
    };
    let of = |wanted: Split| -> Vec<usize> {
        (0..split.len()).filter(|&i| split[i] == wanted).collect()
    };
    let compare = |pair: &[Split; 2]| {
        let (first, second) = (of(pair[0]), of(pair[1]));
        let asked: Vec<usize> = spaced(second.len(), ASKED)
            .into_iter()
            .map(|i| second[i])
            .collect();
        let pairs = search(&space, &asked, &first);
        NearIdentical::of(*pair, pairs, asked.len(), ids)
    };
    PAIRS.iter().filter_map(compare).collect()
}

fn search(space: &Space, asked: &[usize], among: &[usize]) -> Vec<Pair> {
    let reference: Vec<usize> = spaced(among.len(), REFERENCE)
        .into_iter()
        .map(|i| among[i])
        .collect();
    let reference: Vec<_> = reference
        .into_iter()
        .filter_map(|i| (space.get)(i))
        .collect();
    if reference.len() < FEWEST || asked.is_empty() {
        return Vec::new();
    }
    let sums = |&i: &usize| Some((space.sums(&(space.get)(i)?), i));
    let mut sorted: Vec<_> = among.par_iter().filter_map(sums).collect();
    sorted.sort_by(|a, b| a.0[0].total_cmp(&b.0[0]));
    // Four standard deviations of a sum of random signs.
    let reach = 4.0 * FURTHEST;
    let chance = |vector: &[f32], distance: f64| {
        let mut usual: Vec<f64> = reference
            .iter()
            .map(|other| space.distance(vector, other))
            .collect();
        usual.sort_by(f64::total_cmp);
        let [near, middle] = [usual.len() / 20, usual.len() / 2].map(|i| usual[i]);
        if near == 0.0 || middle <= near {
            return f64::INFINITY;
        }
        let dimension = 10f64.ln() / (middle / near).ln();
        (asked.len() * among.len()) as f64 * 0.05 * (distance / near).powf(dimension)
    };
    let nearest = |&index: &usize| -> Option<Pair> {
        let vector = (space.get)(index)?;
        let own = space.sums(&vector);
        let start = sorted.partition_point(|(s, _)| s[0] < own[0] - reach);
        let window = sorted[start..]
            .iter()
            .take_while(|(s, _)| s[0] <= own[0] + reach);
        let close = window.filter(|(s, _)| s.iter().zip(&own).all(|(x, y)| (x - y).abs() <= reach));
        let distances =
            close.filter_map(|(_, i)| Some((space.distance(&vector, &(space.get)(*i)?), *i)));
        let (distance, other) = distances.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))?;
        let near = distance > 0.0 && distance <= FURTHEST;
        (near && chance(&vector, distance) <= EXPECTED).then_some([other, index])
    };
    asked.par_iter().filter_map(nearest).collect()
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    /// 2,000 training and 500 test vectors of `dim` numbers; every tenth test vector is a training vector rounded to a
    /// multiple of `step`.
    fn found(dim: usize, step: f32) -> Option<NearIdentical> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(dim as u64);
        let mut data: Vec<f32> = (0..2_500 * dim)
            .map(|_| rng.random_range(-2.0..2.0))
            .collect();
        for i in (0..500).step_by(10) {
            for j in 0..dim {
                data[(2_000 + i) * dim + j] = (data[i * dim + j] / step).round() * step;
            }
        }
        let all = Matrix::new(2_500, dim, data);
        let split = [vec![Split::Train; 2_000], vec![Split::Test; 500]].concat();
        let ids: Vec<String> = (0..2_500).map(|i| i.to_string()).collect();
        let get = |i: usize| Some(Cow::Borrowed(all.row(i)));
        vectors(&get, &all.spaced(1_000), &split, &ids).pop()
    }

    #[test]
    fn rounded_vectors_are_found() {
        for dim in [20, 200] {
            let near = found(dim, 0.01).unwrap();
            assert_eq!((near.samples, near.of), (50, 500));
            assert_eq!(near.examples[1], ["10", "2010"]);
        }
    }

    #[test]
    fn chance_and_coarse_rounding_are_not() {
        // Two features: vectors this close lie everywhere.
        assert_eq!(found(2, 0.01), None);
        assert_eq!(found(20, 0.5), None);
    }

    #[test]
    fn equal_vectors_are_not_counted() {
        let all = Matrix::new(
            100,
            3,
            (0..300)
                .map(|i| ((i / 3 % 50 * 37 + i % 3 * 11) % 97) as f32)
                .collect(),
        );
        let split = [vec![Split::Train; 50], vec![Split::Test; 50]].concat();
        let ids: Vec<String> = (0..100).map(|i| i.to_string()).collect();
        let get = |i: usize| Some(Cow::Borrowed(all.row(i)));
        assert_eq!(vectors(&get, &all, &split, &ids), []);
    }
}
