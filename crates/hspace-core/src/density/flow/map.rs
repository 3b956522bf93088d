//! The map of a flow: couplings one after the other, its log-density and the gradient of that.

use rand::RngExt;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::coupling::{Coupling, Trace};
use crate::density::Random;
use crate::density::rows::BLOCK;
use crate::density::special::HALF_LN_2PI;
use crate::matrix::settle;

/// Rows whose gradient one thread computes at a time; sums are added in their order.
const PART: usize = 64;

/// The couplings' shapes. Their weights are one slice, coupling after coupling.
pub(super) struct Map {
    pub(super) couplings: Vec<Coupling>,
}

impl Map {
    pub(super) fn new(d: usize, couplings: usize, units: usize, random: &mut Random) -> Map {
        let mut order: Vec<usize> = (0..d).collect();
        let halves = |i: usize| {
            if i.is_multiple_of(2) {
                order.shuffle(random);
            }
            let (a, b) = order.split_at(d / 2);
            match i % 2 {
                0 => Coupling::new(a, b, units),
                _ => Coupling::new(b, a, units),
            }
        };
        Map {
            couplings: (0..couplings).map(halves).collect(),
        }
    }

    /// Weights of couplings that change nothing: uniform in ±1/√inputs, zero in the last layers.
    pub(super) fn fresh(&self, random: &mut Random) -> Vec<f64> {
        let mut weights = Vec::new();
        for coupling in &self.couplings {
            let [a, b, last] = coupling.layers;
            for layer in [a, b] {
                let bound = 1.0 / (layer.inputs as f64).sqrt();
                weights.extend((0..layer.len()).map(|_| random.random_range(-bound..bound)));
            }
            weights.extend(std::iter::repeat_n(0.0, last.len()));
        }
        weights
    }

    /// Each coupling with its weights.
    fn with<'a>(
        &'a self,
        mut weights: &'a [f64],
    ) -> impl DoubleEndedIterator<Item = (&'a Coupling, &'a [f64])> {
        let parts = self.couplings.iter().map(move |coupling| {
            let (own, rest) = weights.split_at(coupling.len());
            weights = rest;
            (coupling, own)
        });
        parts.collect::<Vec<_>>().into_iter()
    }

    /// ln p of standardised rows `[n, d]`.
    pub(super) fn ln_density(&self, weights: &[f64], rows: &[f64], d: usize) -> Vec<f64> {
        let block = |block: &[f64]| {
            let mut x = block.to_vec();
            let mut sums = vec![0.0; x.len() / d];
            for (coupling, own) in self.with(weights) {
                let trace = coupling.forward(own, &mut x, d);
                let added = trace.s.chunks_exact(coupling.moved.len());
                for (sum, s) in sums.iter_mut().zip(added) {
                    *sum += s.iter().sum::<f64>();
                }
            }
            settle();
            let normal = |row: &[f64]| {
                -0.5 * row.iter().map(|z| z * z).sum::<f64>() - d as f64 * HALF_LN_2PI
            };
            let rows = x.chunks_exact(d).zip(sums);
            rows.map(|(row, sum)| normal(row) + sum).collect()
        };
        let blocks: Vec<Vec<f64>> = rows.par_chunks(BLOCK * d).map(block).collect();
        blocks.concat()
    }

    /// Gradient by the weights of the mean of −ln p over standardised rows `[n, d]`.
    pub(super) fn gradient(&self, weights: &[f64], rows: &[f64], d: usize) -> Vec<f64> {
        let share = d as f64 / rows.len() as f64;
        let part = |part: &[f64]| {
            let mut x = part.to_vec();
            let traces: Vec<Trace> = self
                .with(weights)
                .map(|(coupling, own)| coupling.forward(own, &mut x, d))
                .collect();
            // −ln p is ½ z² − Σ s.
            x.iter_mut().for_each(|z| *z *= share);
            let mut gradient = vec![0.0; weights.len()];
            let mut end = weights.len();
            for ((coupling, own), trace) in self.with(weights).rev().zip(traces.iter().rev()) {
                let start = end - coupling.len();
                coupling.back(own, trace, share, &mut x, d, &mut gradient[start..end]);
                end = start;
            }
            settle();
            gradient
        };
        let parts: Vec<Vec<f64>> = rows.par_chunks(PART * d).map(part).collect();
        let mut parts = parts.into_iter();
        let mut total = parts.next().unwrap_or_default();
        for part in parts {
            total.iter_mut().zip(part).for_each(|(a, b)| *a += b);
        }
        total
    }
}
