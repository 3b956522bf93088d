//! Fits in order, and which of them the values tell from the best.
//!
//! A fit is told from the best one when the mean gap's normal 95 % interval leaves out 0 (Vuong 1989), or
//! when the gaps' signs do at 5 % (Clarke 2007): where tails are heavy, a few values decide the mean and
//! its error, and only the signs say anything.

use super::fit::{Fit, Made};
use super::special::{beta_lower, moments};
use crate::stats::Estimate;

/// Likelihoods that differ by less, in nats a value, are the same in the four decimals that are shown.
const SAME: f64 = 5e-5;

/// Best first, of equal ones that with fewer parameters, and how far the others are behind it.
pub(super) fn rank(made: &mut [Made]) {
    let key = |m: &Made| m.fit.held_out.unwrap_or(f64::NEG_INFINITY);
    let shown = |m: &Made| (key(m) / (2.0 * SAME)).round();
    let free = |m: &Made| m.fit.free.unwrap_or(usize::MAX);
    made.sort_by(|a, b| {
        let by_likelihood = shown(b).total_cmp(&shown(a));
        let by_parameters = by_likelihood.then(free(a).cmp(&free(b)));
        by_parameters.then(key(b).total_cmp(&key(a)))
    });
    let Some((best, others)) = made.split_first_mut() else {
        return;
    };
    for other in others.iter_mut().filter(|o| o.fit.held_out.is_some()) {
        let pairs = best.held_out.iter().zip(&other.held_out);
        let gaps: Vec<f64> = pairs.map(|(a, b)| a - b).collect();
        let (mean, variance) = moments(&gaps);
        let half = 1.96 * (variance / gaps.len() as f64).sqrt();
        other.fit.behind = Some(Estimate {
            mean,
            low: mean - half,
            high: mean + half,
        });
        other.fit.sign_p = Some(sign_test(&gaps));
    }
}

/// Two-sided p-value of as many gaps above and below 0 if both were as probable (Clarke 2007). Gaps that
/// are the [`SAME`] do not count.
fn sign_test(gaps: &[f64]) -> f64 {
    let above = gaps.iter().filter(|g| **g > SAME).count() as f64;
    let below = gaps.iter().filter(|g| **g < -SAME).count() as f64;
    let (fewer, more) = (above.min(below), above.max(below));
    // Of so many throws of a coin at most `fewer` are heads with the probability I½(more, fewer + 1).
    match more {
        0.0 => 1.0,
        _ => (2.0 * beta_lower(more, fewer + 1.0, 0.5, 0.5)).min(1.0),
    }
}

impl Fit {
    /// Whether the values do not tell it from the best one.
    pub(super) fn is_close(&self) -> bool {
        let by_mean = self.behind.is_some_and(|b| b.low < SAME);
        by_mean && self.sign_p.is_none_or(|p| p >= 0.05)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::density::DensityOptions;
    use crate::density::normal::ENTRY as NORMAL;

    #[test]
    fn signs_tell_fits_apart_where_the_mean_gap_cannot() {
        // 90 of 100 values prefer the first, by little; one outlier decides the mean and its error.
        let mut gaps: Vec<f64> = (0..100).map(|i| if i < 90 { 0.1 } else { -0.1 }).collect();
        gaps[0] = 2000.0;
        // scipy.stats.binomtest(10, 100).pvalue, then (3, 8).
        assert!(
            (sign_test(&gaps) / 3.063_290_175_437_985e-17 - 1.0).abs() < 1e-6,
            "{}",
            sign_test(&gaps)
        );
        let few = [1.0, 1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, 0.0, 1e-9];
        assert!((sign_test(&few) - 0.726_562_5).abs() < 1e-12);
        assert_eq!(sign_test(&[0.0, 1e-9]), 1.0);

        let made = |held_out: Vec<f64>, free: usize| Made {
            fit: Fit {
                name: free.to_string(),
                parameters: Vec::new(),
                free: Some(free),
                log_likelihood: 0.0,
                aic: None,
                bic: None,
                held_out: Some(moments(&held_out).0),
                not_held_out: None,
                behind: None,
                sign_p: None,
                impossible: 0,
                distance: 0.0,
                p: None,
                untested: None,
                curve: Vec::new(),
                cdf: Vec::new(),
            },
            density: (NORMAL.fit)(&[0.0, 1.0], &DensityOptions::default()).unwrap(),
            held_out,
        };
        let second = gaps.iter().map(|g| -g).collect();
        let mut all = [
            made(vec![1e-9; 100], 5),
            made(vec![0.0; 100], 2),
            made(second, 1),
        ];
        rank(&mut all);
        // Equal but for rounding: the one of fewer parameters first, and the other close.
        assert_eq!(
            all.each_ref().map(|m| m.fit.free),
            [Some(2), Some(5), Some(1)]
        );
        assert!(all[1].fit.is_close());
        let last = &all[2].fit;
        assert!(last.behind.is_some_and(|b| b.low < 0.0) && !last.is_close());
    }
}
