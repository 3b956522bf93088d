//! How well a score tells outliers from ordinary samples. The positive class is always the outlier, and a
//! higher score means farther out.
//!
//! Definitions follow scikit-learn: `auroc` as `roc_auc_score`; `aupr` as `average_precision_score`,
//! Σ (Rₙ − Rₙ₋₁)Pₙ over the thresholds; `fpr95` the false positive rate at the first threshold of
//! `roc_curve` that finds 95 % of the outliers. `missed95` turns the last around, as papers on
//! out-of-distribution detection often do (Liang, Li & Srikant 2018): the share of outliers that pass
//! where 95 % of ordinary samples pass.
//!
//! Intervals are those of [`crate::stats::roc`]: over other samples of both kinds, with the density as it was
//! fitted. Average precision has none: in small samples it is biased, and intervals around it hold the true value in 75
//! to 95 % of samples.

use crate::stats::{Estimate, roc};

/// Names of the measures, in the order of their values.
pub const DETECTION_SCORES: [&str; 4] = ["auroc", "aupr", "fpr95", "missed95"];

/// [`DETECTION_SCORES`] of the scores of ordinary samples and of outliers, at least one of each and none of them NaN.
///
/// ```
/// use hspace_core::density::detection::detection;
///
/// let [auroc, aupr, fpr95, missed95] = detection(&[0.1, 0.4, 0.2], &[0.3, 0.9]);
/// assert!((auroc.mean - 5.0 / 6.0).abs() < 1e-9);
/// assert!((aupr.mean - 5.0 / 6.0).abs() < 1e-9);
/// assert!((fpr95.mean - 1.0 / 3.0).abs() < 1e-9 && missed95.mean <= 0.5);
/// ```
pub fn detection(ordinary: &[f64], outliers: &[f64]) -> [Estimate; 4] {
    let negated = |scores: &[f64]| scores.iter().map(|s| -s).collect::<Vec<f64>>();
    [
        roc::auroc(ordinary, outliers),
        Estimate::without_interval(average_precision(ordinary, outliers)),
        roc::share_at_95(outliers, ordinary),
        roc::share_at_95(&negated(ordinary), &negated(outliers)),
    ]
}

/// Mean precision at the outliers from the highest score down; equal scores share a threshold.
fn average_precision(ordinary: &[f64], outliers: &[f64]) -> f64 {
    let inside = ordinary.iter().map(|s| (*s, false));
    let mut ordered: Vec<(f64, bool)> = inside.chain(outliers.iter().map(|s| (*s, true))).collect();
    ordered.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut found, mut seen, mut sum) = (0.0, 0.0, 0.0);
    for tied in ordered.chunk_by(|a, b| a.0 == b.0) {
        let hits = tied.iter().filter(|(_, outlier)| *outlier).count() as f64;
        found += hits;
        seen += tied.len() as f64;
        sum += hits * found / seen;
    }
    sum / outliers.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_counted_by_hand() {
        let ordinary: Vec<f64> = (0..100).map(f64::from).collect();
        let apart = detection(&ordinary, &[200.0, 300.0]);
        assert_eq!(apart.map(|e| e.mean), [1.0, 1.0, 0.0, 0.0]);
        let alike = detection(&ordinary, &ordinary);
        assert_eq!(alike[0].mean, 0.5);
        assert!((alike[2].mean - 0.95).abs() < 1e-12 && (alike[3].mean - 0.95).abs() < 1e-12);
        assert!(alike[0].low < 0.5 && alike[0].high > 0.5);
        assert!(alike[2].has_interval() && alike[3].has_interval() && !alike[1].has_interval());
        // Two outliers say nothing of how far others lie out.
        assert!(apart[..3].iter().all(|e| !e.has_interval()), "{apart:?}");
    }
}
