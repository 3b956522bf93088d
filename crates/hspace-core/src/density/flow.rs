//! Normalizing flow: an invertible map f of the features to a space where they are standard normal.
//!
//! ln p(x) = ln N(f(x); 0, I) + ln |det ∂f/∂x|. f is made of affine couplings (RealNVP; Dinh,
//! Sohl-Dickstein & Bengio 2017, arXiv:1605.08803, equations 4 to 8): half of the coordinates, A, stay,
//! the others become `x_B ∘ exp(s(x_A)) + t(x_A)`, whose log-determinant is Σ s. s and t come from one
//! perceptron of two hidden layers. Which coordinates are A is drawn again for every second coupling; the
//! one between takes the other half.
//!
//! Deviations: s is kept in ±2 by a hyperbolic tangent, so that no coupling overflows; there is
//! no normalisation over batches, since features are standardised first and fresh couplings change
//! nothing (their last layer is zero).
//!
//! It learns from at most 10,000 training rows. A tenth of them is held out; the map is that of the pass that was best on them. The
//! gradient is written down by hand: this crate has no tensor engine.

mod coupling;
mod layer;
mod map;

use rand::SeedableRng;
use rand::seq::SliceRandom;

use super::gaussian::floored;
use super::rows::{means, minus};
use super::{FeatureDensity, FeatureEntry, FeatureFit, FittedFeatures, OutlierOptions, Random};
use crate::matrix::spaced;
use map::Map;

/// The line in the list.
pub const ENTRY: FeatureEntry = FeatureEntry {
    name: "flow",
    summary: "normalizing flow of affine couplings (RealNVP), learned",
    source: "",
    item: FeatureFit {
        fit: |rows, d, options| fit(rows, d, options),
    },
};

/// Rows of a step.
const BATCH: usize = 256;
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

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::density::gaussian::full;
    use crate::density::special::HALF_LN_2PI;

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
