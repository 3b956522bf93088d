//! How well a score tells outliers from ordinary samples. The positive class is always the outlier, and a
//! higher score means farther out.
//!
//! Definitions follow scikit-learn: `auroc` as `roc_auc_score`; `aupr` as `average_precision_score`,
//! Σ (Rₙ − Rₙ₋₁)Pₙ over the thresholds; `fpr95` the false positive rate at the first threshold of
//! `roc_curve` that finds 95 % of the outliers. `missed95` turns the last around, as papers on
//! out-of-distribution detection often do (Liang, Li & Srikant 2018): the share of outliers that pass
//! where 95 % of ordinary samples pass.

use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use super::Random;
use super::histogram::quantile;
use crate::probe::few_labels::mix;
use crate::stats::Estimate;

/// Names of the measures, in the order of their values.
pub const DETECTION_SCORES: [&str; 4] = ["auroc", "aupr", "fpr95", "missed95"];

/// Scores of ordinary samples and of outliers, farthest out first.
pub struct Detection {
    /// Score, and whether it is an outlier's.
    ordered: Vec<(f64, bool)>,
}

impl Detection {
    /// `ordinary` and `outliers` are scores, none of them NaN.
    pub fn new(ordinary: &[f64], outliers: &[f64]) -> Self {
        let inside = ordinary.iter().map(|s| (*s, false));
        let mut ordered: Vec<(f64, bool)> =
            inside.chain(outliers.iter().map(|s| (*s, true))).collect();
        ordered.sort_by(|a, b| b.0.total_cmp(&a.0));
        Detection { ordered }
    }

    /// [`DETECTION_SCORES`] with `weights` on the samples, in their order.
    fn scores(&self, weights: &[f64]) -> [f64; 4] {
        let pairs = || self.ordered.iter().zip(weights);
        let side = |outlier: bool| {
            let own = pairs().filter(|((_, o), _)| *o == outlier);
            own.map(|(_, w)| w).sum::<f64>()
        };
        let (positive, negative) = (side(true), side(false));
        // Found and false alarms above the threshold, which falls from one score to the next.
        let (mut found, mut false_alarms) = (0.0, 0.0);
        let (mut area, mut precision, mut at_95, mut missed) = (0.0, 0.0, None, 0.0);
        let mut i = 0;
        for tied in self.ordered.chunk_by(|a, b| a.0 == b.0) {
            let (mut hits, mut others) = (0.0, 0.0);
            for (sample, weight) in tied.iter().zip(&weights[i..]) {
                *(if sample.1 { &mut hits } else { &mut others }) += weight;
            }
            i += tied.len();
            area += others * (found + hits / 2.0);
            found += hits;
            false_alarms += others;
            if hits > 0.0 {
                precision += hits / positive * found / (found + false_alarms);
            }
            // Weights are whole numbers: 1e-9 is for the product alone.
            if at_95.is_none() && found >= 0.95 * positive - 1e-9 {
                at_95 = Some(false_alarms / negative);
            }
            if false_alarms <= 0.05 * negative + 1e-9 {
                missed = found;
            }
        }
        [
            area / (positive * negative),
            precision,
            at_95.unwrap_or(1.0),
            1.0 - missed / positive,
        ]
    }

    /// Each measure with its 95 % percentile interval over `resamples` of both sides.
    pub fn measure(&self, resamples: usize, seed: u64) -> [Estimate; 4] {
        let plain = self.scores(&vec![1.0; self.ordered.len()]);
        let places = |outlier: bool| -> Vec<usize> {
            let all = 0..self.ordered.len();
            all.filter(|i| self.ordered[*i].1 == outlier).collect()
        };
        let sides = [places(false), places(true)];
        let again = |r: usize| {
            let mut random = Random::seed_from_u64(mix(&[seed, r as u64]));
            let mut weights = vec![0.0; self.ordered.len()];
            for side in &sides {
                for _ in side {
                    weights[side[random.random_range(0..side.len())]] += 1.0;
                }
            }
            self.scores(&weights)
        };
        let drawn: Vec<[f64; 4]> = (0..resamples).into_par_iter().map(again).collect();
        std::array::from_fn(|m| {
            let mut sorted: Vec<f64> = drawn.iter().map(|d| d[m]).collect();
            sorted.sort_by(f64::total_cmp);
            let end = |q| {
                if sorted.is_empty() {
                    plain[m]
                } else {
                    quantile(&sorted, q)
                }
            };
            Estimate {
                mean: plain[m],
                low: end(0.025),
                high: end(0.975),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_counted_by_hand() {
        let ordinary: Vec<f64> = (0..100).map(f64::from).collect();
        let apart = Detection::new(&ordinary, &[200.0, 300.0]).measure(50, 0);
        assert_eq!(apart.map(|e| e.mean), [1.0, 1.0, 0.0, 0.0]);
        let alike = Detection::new(&ordinary, &ordinary).measure(50, 0);
        assert_eq!(alike[0].mean, 0.5);
        assert!((alike[2].mean - 0.95).abs() < 1e-12 && (alike[3].mean - 0.95).abs() < 1e-12);
        assert!(alike[0].low < 0.5 && alike[0].high > 0.5);
    }
}
