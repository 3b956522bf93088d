//! Normalizing flow: an invertible map f of the features to a space where they are standard normal.
//!
//! ln p(x) = ln N(f(x); 0, I) + ln |det ∂f/∂x|. f is made of affine couplings (RealNVP; Dinh,
//! Sohl-Dickstein & Bengio 2017, arXiv:1605.08803, equations 4 to 8): half of the coordinates, A, stay,
//! the others become `x_B ∘ exp(s(x_A)) + t(x_A)`, whose log-determinant is Σ s. s and t come from one
//! perceptron of two hidden layers. Which coordinates are A is drawn again for every second coupling; the
//! one between takes the other half.
//!
//! Deviations: s is kept in ±[`REACH`] by a hyperbolic tangent, so that no coupling overflows; there is
//! no normalisation over batches, since features are standardised first and fresh couplings change
//! nothing (their last layer is zero).
//!
//! It learns from at most 10,000 training rows. A tenth of them is held out; the map is that of the pass that was best on them. The
//! gradient is written down by hand: this crate has no tensor engine.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use super::gaussian::floored;
use super::rows::{BLOCK, means, minus};
use super::special::HALF_LN_2PI;
use super::{FeatureDensity, FeatureEntry, FeatureFit, FittedFeatures, OutlierOptions, Random};
use crate::matrix::{settle, spaced};

/// The line in the list.
pub const ENTRY: FeatureEntry = FeatureEntry {
    name: "flow",
    summary: "normalizing flow of affine couplings (RealNVP), learned",
    source: "",
    item: FeatureFit {
        fit: |rows, d, options| fit(rows, d, options),
    },
};

/// Largest |s|.
const REACH: f64 = 2.0;
/// Rows of a step.
const BATCH: usize = 256;
/// Rows whose gradient one thread computes at a time; sums are added in their order.
const PART: usize = 64;
/// Rows that it learns from, at most, spread over all.
const MOST_ROWS: usize = 10_000;
/// One of so many rows is held out.
const HELD_OUT: usize = 10;
/// Passes without a better one before the training ends.
const PATIENCE: usize = 10;
/// Adam's (Kingma & Ba 2015, arXiv:1412.6980).
const RATE: f64 = 1e-3;
const KEEP: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

/// A fitted flow.
struct Flow {
    mean: Vec<f64>,
    /// 1 / standard deviation.
    scale: Vec<f64>,
    map: Map,
    weights: Vec<f64>,
    passes: usize,
}

/// The couplings' shapes. Their weights are one slice, coupling after coupling.
struct Map {
    couplings: Vec<Coupling>,
}

/// One affine coupling.
struct Coupling {
    /// Coordinates that stay and decide.
    fixed: Vec<usize>,
    /// Coordinates that change.
    moved: Vec<usize>,
    /// `[|A|, units]`, `[units, units]`, `[units, 2 |B|]`.
    layers: [Layer; 3],
}

/// A linear layer: weights `[inputs, outputs]`, then biases.
#[derive(Clone, Copy)]
struct Layer {
    inputs: usize,
    outputs: usize,
}

/// What a coupling's backward pass needs, for `n` rows.
struct Trace {
    /// The inputs of the three layers.
    seen: [Vec<f64>; 3],
    /// x_B before, `[n, |B|]`.
    before: Vec<f64>,
    /// s, `[n, |B|]`.
    s: Vec<f64>,
}

fn fit(rows: &[f64], d: usize, options: &OutlierOptions) -> FittedFeatures {
    let n = rows.len() / d;
    if d < 2 {
        return Err("couples features with each other, and there is only one".into());
    }
    if n < 2 * HELD_OUT {
        return Err(format!("needs {} rows, there are {n}", 2 * HELD_OUT));
    }
    let some = spaced(n, MOST_ROWS).into_iter();
    let rows: Vec<f64> = some
        .flat_map(|i| &rows[i * d..(i + 1) * d])
        .copied()
        .collect();
    let mean = means(&rows, d);
    let squares: Vec<f64> = minus(&rows, &mean).iter().map(|x| x * x).collect();
    let variances = floored(means(&squares, d))?;
    let scale: Vec<f64> = variances.iter().map(|v| 1.0 / v.sqrt()).collect();
    let mut random = Random::seed_from_u64(options.seed);
    let map = Map::new(d, options.flow.couplings, options.flow.units, &mut random);
    let mut flow = Flow {
        mean,
        scale,
        weights: map.fresh(&mut random),
        map,
        passes: 0,
    };
    flow.learn(&flow.standardised(&rows), options.flow.passes, &mut random);
    Ok(Box::new(flow))
}

impl FeatureDensity for Flow {
    fn chosen(&self) -> String {
        let couplings = self.map.couplings.len();
        format!("{couplings} couplings, {} passes", self.passes)
    }

    fn ln_density(&self, rows: &[f64]) -> Vec<f64> {
        let volume: f64 = self.scale.iter().map(|s| s.ln()).sum();
        let rows = self.standardised(rows);
        let each = self.map.ln_density(&self.weights, &rows, self.mean.len());
        each.into_iter().map(|l| l + volume).collect()
    }
}

impl Flow {
    fn standardised(&self, rows: &[f64]) -> Vec<f64> {
        let mut rows = minus(rows, &self.mean);
        for row in rows.chunks_exact_mut(self.scale.len()) {
            row.iter_mut().zip(&self.scale).for_each(|(x, s)| *x *= s);
        }
        rows
    }

    /// Learns from standardised rows.
    fn learn(&mut self, rows: &[f64], passes: usize, random: &mut Random) {
        let d = self.mean.len();
        let mut order: Vec<usize> = (0..rows.len() / d).collect();
        order.shuffle(random);
        let count = order.len() / HELD_OUT;
        let (held, learned) = order.split_at_mut(count);
        let gather = |which: &[usize]| -> Vec<f64> {
            let rows = which.iter().flat_map(|i| &rows[i * d..(i + 1) * d]);
            rows.copied().collect()
        };
        let held = gather(held);
        let judged =
            |map: &Map, weights: &[f64]| -> f64 { map.ln_density(weights, &held, d).iter().sum() };
        let mut weights = self.weights.clone();
        let mut best = judged(&self.map, &weights);
        let mut moments = vec![[0.0; 2]; weights.len()];
        let mut steps = 0;
        for pass in 1..=passes {
            learned.shuffle(random);
            for batch in learned.chunks(BATCH) {
                let gradient = self.map.gradient(&weights, &gather(batch), d);
                steps += 1;
                step(&mut weights, &gradient, &mut moments, steps);
            }
            let now = judged(&self.map, &weights);
            if now > best {
                best = now;
                self.weights.copy_from_slice(&weights);
                self.passes = pass;
            } else if pass >= self.passes + PATIENCE {
                break;
            }
        }
    }
}

/// A step of Adam.
fn step(weights: &mut [f64], gradient: &[f64], moments: &mut [[f64; 2]], steps: i32) {
    let [first, second] = KEEP.map(|keep| 1.0 - keep.powi(steps));
    for ((weight, g), [mean, square]) in weights.iter_mut().zip(gradient).zip(moments) {
        *mean = KEEP[0] * *mean + (1.0 - KEEP[0]) * g;
        *square = KEEP[1] * *square + (1.0 - KEEP[1]) * g * g;
        *weight -= RATE * (*mean / first) / ((*square / second).sqrt() + EPSILON);
    }
}

impl Map {
    fn new(d: usize, couplings: usize, units: usize, random: &mut Random) -> Map {
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
    fn fresh(&self, random: &mut Random) -> Vec<f64> {
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
    fn ln_density(&self, weights: &[f64], rows: &[f64], d: usize) -> Vec<f64> {
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
    fn gradient(&self, weights: &[f64], rows: &[f64], d: usize) -> Vec<f64> {
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

impl Coupling {
    fn new(fixed: &[usize], moved: &[usize], units: usize) -> Coupling {
        let layer = |inputs, outputs| Layer { inputs, outputs };
        Coupling {
            fixed: fixed.to_vec(),
            moved: moved.to_vec(),
            layers: [
                layer(fixed.len(), units),
                layer(units, units),
                layer(units, 2 * moved.len()),
            ],
        }
    }

    /// Number of weights.
    fn len(&self) -> usize {
        self.layers.iter().map(|layer| layer.len()).sum()
    }

    /// The weights of each layer.
    fn split<'a>(&self, weights: &'a [f64]) -> [&'a [f64]; 3] {
        let (first, rest) = weights.split_at(self.layers[0].len());
        let (second, third) = rest.split_at(self.layers[1].len());
        [first, second, third]
    }

    /// Maps rows `x [n, d]` in place.
    fn forward(&self, weights: &[f64], x: &mut [f64], d: usize) -> Trace {
        let [first, second, third] = self.split(weights);
        let given = columns(x, d, &self.fixed);
        let one = above_zero(self.layers[0].apply(first, &given));
        let two = above_zero(self.layers[1].apply(second, &one));
        let mut out = self.layers[2].apply(third, &two);
        let before = columns(x, d, &self.moved);
        let wide = self.moved.len();
        let mut s = Vec::with_capacity(before.len());
        for (row, out) in x.chunks_exact_mut(d).zip(out.chunks_exact_mut(2 * wide)) {
            let (raw, t) = out.split_at(wide);
            for ((&j, raw), t) in self.moved.iter().zip(raw).zip(t) {
                let by = REACH * (raw / REACH).tanh();
                row[j] = row[j] * by.exp() + t;
                s.push(by);
            }
        }
        Trace {
            seen: [given, one, two],
            before,
            s,
        }
    }

    /// From the gradient for the outputs `dx [n, d]` to that for the inputs, in place, and for the
    /// weights; each row's log-determinant counts `share`.
    fn back(
        &self,
        weights: &[f64],
        trace: &Trace,
        share: f64,
        dx: &mut [f64],
        d: usize,
        gradient: &mut [f64],
    ) {
        let wide = self.moved.len();
        let mut dout = vec![0.0; 2 * trace.s.len()];
        let rows = dx.chunks_exact_mut(d).zip(dout.chunks_exact_mut(2 * wide));
        let seen = trace
            .s
            .chunks_exact(wide)
            .zip(trace.before.chunks_exact(wide));
        for ((row, dout), (s, before)) in rows.zip(seen) {
            let (draw, dt) = dout.split_at_mut(wide);
            for (i, &j) in self.moved.iter().enumerate() {
                let grown = s[i].exp();
                dt[i] = row[j];
                let ds = row[j] * before[i] * grown - share;
                draw[i] = ds * (1.0 - (s[i] / REACH).powi(2));
                row[j] *= grown;
            }
        }
        let [first, second, third] = self.split(weights);
        let (to_first, rest) = gradient.split_at_mut(first.len());
        let (to_second, to_third) = rest.split_at_mut(second.len());
        let [given, one, two] = &trace.seen;
        let mut dtwo = self.layers[2].back(third, two, &dout, to_third);
        gate(&mut dtwo, two);
        let mut done = self.layers[1].back(second, one, &dtwo, to_second);
        gate(&mut done, one);
        let dgiven = self.layers[0].back(first, given, &done, to_first);
        let narrow = self.fixed.len();
        for (row, dgiven) in dx.chunks_exact_mut(d).zip(dgiven.chunks_exact(narrow)) {
            for (&j, g) in self.fixed.iter().zip(dgiven) {
                row[j] += g;
            }
        }
    }
}

impl Layer {
    fn len(&self) -> usize {
        (self.inputs + 1) * self.outputs
    }

    /// `x W + b` of rows `x [n, inputs]`.
    fn apply(&self, weights: &[f64], x: &[f64]) -> Vec<f64> {
        let (n, k, m) = (x.len() / self.inputs, self.inputs, self.outputs);
        let (weight, bias) = weights.split_at(k * m);
        let mut out = bias.repeat(n);
        matmul(
            MatMut::from_row_major_slice_mut(&mut out, n, m),
            Accum::Add,
            MatRef::from_row_major_slice(x, n, k),
            MatRef::from_row_major_slice(weight, k, m),
            1.0,
            Par::Seq,
        );
        out
    }

    /// The gradient for the input, and in `gradient` that for the weights.
    fn back(&self, weights: &[f64], x: &[f64], dout: &[f64], gradient: &mut [f64]) -> Vec<f64> {
        let (n, k, m) = (x.len() / self.inputs, self.inputs, self.outputs);
        let (to_weight, to_bias) = gradient.split_at_mut(k * m);
        let dout_matrix = MatRef::from_row_major_slice(dout, n, m);
        matmul(
            MatMut::from_row_major_slice_mut(to_weight, k, m),
            Accum::Replace,
            MatRef::from_row_major_slice(x, n, k).transpose(),
            dout_matrix,
            1.0,
            Par::Seq,
        );
        for row in dout.chunks_exact(m) {
            to_bias.iter_mut().zip(row).for_each(|(b, g)| *b += g);
        }
        let mut dx = vec![0.0; n * k];
        matmul(
            MatMut::from_row_major_slice_mut(&mut dx, n, k),
            Accum::Replace,
            dout_matrix,
            MatRef::from_row_major_slice(&weights[..k * m], k, m).transpose(),
            1.0,
            Par::Seq,
        );
        dx
    }
}

/// Some columns of `x [n, d]`.
fn columns(x: &[f64], d: usize, which: &[usize]) -> Vec<f64> {
    let rows = x.chunks_exact(d);
    rows.flat_map(|row| which.iter().map(|j| row[*j])).collect()
}

fn above_zero(mut x: Vec<f64>) -> Vec<f64> {
    x.iter_mut().for_each(|x| *x = x.max(0.0));
    x
}

/// The backward pass through [`above_zero`], whose output was `y`.
fn gate(dy: &mut [f64], y: &[f64]) {
    let pairs = dy.iter_mut().zip(y);
    pairs
        .filter(|(_, y)| **y <= 0.0)
        .for_each(|(d, _)| *d = 0.0);
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::density::gaussian::full;

    fn normal(random: &mut Random) -> f64 {
        StandardNormal.sample(random)
    }

    /// A parabola with noise: far from normal.
    fn bent(n: usize, seed: u64) -> Vec<f64> {
        let mut random = Random::seed_from_u64(seed);
        let mut row = || {
            let x = normal(&mut random);
            [3.0 * x, 2.0 * x * x + 0.5 * normal(&mut random) - 1.0]
        };
        (0..n).flat_map(|_| row()).collect()
    }

    fn fitted(rows: &[f64], d: usize) -> Box<dyn FeatureDensity> {
        fit(rows, d, &OutlierOptions::default()).unwrap()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    #[test]
    fn the_gradient_is_that_of_the_likelihood() {
        let mut random = Random::seed_from_u64(3);
        let map = Map::new(5, 3, 7, &mut random);
        let mut weights = map.fresh(&mut random);
        weights
            .iter_mut()
            .for_each(|w| *w += 0.3 * normal(&mut random));
        // More rows than one part has.
        let rows: Vec<f64> = (0..100 * 5).map(|_| normal(&mut random)).collect();
        let loss = |weights: &[f64]| -mean(&map.ln_density(weights, &rows, 5));
        let gradient = map.gradient(&weights, &rows, 5);
        assert_eq!(gradient.len(), weights.len());
        let size = (mean(&gradient.iter().map(|g| g * g).collect::<Vec<_>>())).sqrt();
        for i in (0..weights.len()).step_by(3) {
            let mut moved = weights.clone();
            let difference = {
                moved[i] += 1e-5;
                let above = loss(&moved);
                moved[i] -= 2e-5;
                (above - loss(&moved)) / 2e-5
            };
            let off = (difference - gradient[i]).abs();
            assert!(
                off < 1e-4 * size,
                "{i}: {} is not {difference}",
                gradient[i]
            );
        }
    }

    #[test]
    fn it_integrates_to_one() {
        let flow = fitted(&bent(600, 1), 2);
        let (low, step, count) = (-30.0, 0.1, 600);
        let mut total = 0.0;
        for i in 0..count {
            let at = |k: usize| low + (k as f64 + 0.5) * step;
            let line: Vec<f64> = (0..count).flat_map(|j| [at(i), at(j)]).collect();
            let each = flow.ln_density(&line).into_iter();
            total += each.map(|l| l.exp() * step * step).sum::<f64>();
        }
        assert!((total - 1.0).abs() < 5e-3, "{total}");
    }

    #[test]
    fn it_bends_where_a_normal_density_cannot() {
        let (train, test) = (bent(2000, 1), bent(1000, 2));
        let of_normal = mean(&full(&train, 2).unwrap().ln_density(&test));
        let flow = fitted(&train, 2);
        let of_flow = mean(&flow.ln_density(&test));
        // −E ln p of the distribution itself: two normal variables, of deviations 3 and ½.
        let best = -2.0 * (HALF_LN_2PI + 0.5) - 1.5f64.ln();
        assert!(of_flow > of_normal + 0.6, "{of_flow}, normal {of_normal}");
        assert!(of_flow > best - 0.1, "{of_flow}, at best {best}");
        assert_eq!(
            fitted(&train, 2).ln_density(&test),
            flow.ln_density(&test),
            "a function of the seed"
        );
    }

    #[test]
    fn what_it_cannot_fit_is_said() {
        let options = OutlierOptions::default();
        let problem = |rows: &[f64], d| fit(rows, d, &options).err().unwrap_or_default();
        assert!(problem(&[0.0; 30], 1).contains("only one"));
        assert!(problem(&[0.0; 30], 3).contains("20 rows"));
        assert!(!problem(&[1.0; 90], 3).is_empty());
    }
}
