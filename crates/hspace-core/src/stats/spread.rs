//! A variance with its degrees of freedom, and the intervals and tests that follow.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::proportion::wilson;
use super::{ALPHA, Estimate};

/// Variance of an estimate, known with so many degrees of freedom.
///
/// ```
/// use hspace_core::stats::{Range, Spread};
///
/// let spread = Spread { variance: 0.02 * 0.02, freedom: 50.0, units: 300 };
/// let difference = spread.interval(0.1, Range::Any);
/// assert!((difference.high - difference.low - 2.0 * 2.009 * 0.02).abs() < 1e-4);
/// assert!(spread.p_value(0.1) < 0.001 && spread.p_value(0.0) == 1.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Squared standard error.
    pub variance: f64,
    /// Degrees of freedom of Student's t, ≥ 1.
    pub freedom: f64,
    /// Test units behind it.
    pub units: usize,
}

/// The values that a measure can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// 0..=1: accuracy, F1, the area under a curve.
    Share,
    /// ≥ 0: losses and errors.
    Positive,
    /// ≤ 1: R².
    UpToOne,
    /// Differences.
    Any,
}

impl Spread {
    /// Student's t at which both tails together hold `alpha`.
    pub fn quantile(&self, alpha: f64) -> f64 {
        student(self.freedom).map_or(f64::INFINITY, |t| t.inverse_cdf(1.0 - alpha / 2.0))
    }

    /// The 95 % interval around `mean`. Of a share it is Wilson's (1927) for as many samples as would have
    /// this variance (as in surveys: Korn & Graubard 1998), which stays within 0..=1; of R² Student's on the logarithm of the unexplained share
    /// 1 − R², a squared error, whose few large values pull the mean and the spread alike; else Student's, cut at the range.
    pub fn interval(&self, mean: f64, range: Range) -> Estimate {
        let t = self.quantile(ALPHA);
        let half = t * self.variance.sqrt();
        let [low, high] = match range {
            Range::Share => return self.wilson(mean, t),
            Range::UpToOne if mean < 1.0 => {
                let unexplained = 1.0 - mean;
                let factor = (half / unexplained).exp();
                [1.0 - unexplained * factor, 1.0 - unexplained / factor]
            }
            Range::UpToOne => [mean; 2],
            Range::Positive => [(mean - half).max(0.0), mean + half],
            Range::Any => [mean - half, mean + half],
        };
        Estimate { mean, low, high }
    }

    fn wilson(&self, mean: f64, t: f64) -> Estimate {
        let own = mean * (1.0 - mean);
        let n = match self.variance > 0.0 && own > 0.0 {
            true => own / self.variance,
            false => self.units as f64,
        };
        let inside = mean.clamp(0.0, 1.0);
        let [low, high] = wilson(inside, n, t);
        Estimate {
            mean,
            low: low.min(inside),
            high: high.max(inside),
        }
    }

    /// Probability of an estimate as far from 0 as `mean`, were the truth 0.
    pub fn p_value(&self, mean: f64) -> f64 {
        if mean == 0.0 {
            return 1.0;
        }
        let t = mean.abs() / self.variance.sqrt();
        if !t.is_finite() {
            return 0.0;
        }
        student(self.freedom).map_or(1.0, |law| (2.0 * law.cdf(-t)).min(1.0))
    }
}

fn student(freedom: f64) -> Option<StudentsT> {
    StudentsT::new(0.0, 1.0, freedom.clamp(1.0, 1e6)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(variance: f64, freedom: f64, units: usize) -> Spread {
        Spread {
            variance,
            freedom,
            units,
        }
    }

    #[test]
    fn quantiles_and_p_values_are_student_s() {
        // scipy.stats.t.ppf(.975, 4) and 2 * t.sf(2, 7)
        let four = spread(1.0, 4.0, 9);
        assert!((four.quantile(ALPHA) - 2.776_445_1).abs() < 1e-6);
        let seven = spread(0.25, 7.0, 9);
        assert!((seven.p_value(-1.0) - 0.085_619_3).abs() < 1e-6);
        assert_eq!(seven.p_value(0.0), 1.0);
        assert_eq!(spread(0.0, 7.0, 9).p_value(0.1), 0.0);
    }

    #[test]
    fn a_share_has_wilson_s_interval() {
        // statsmodels proportion_confint(40, 50, method="wilson"), with the normal quantile.
        let e = spread(0.8 * 0.2 / 50.0, 1e6, 50).interval(0.8, Range::Share);
        assert!(
            (e.low - 0.669_63).abs() < 1e-4 && (e.high - 0.887_56).abs() < 1e-4,
            "{e:?}"
        );
        // All right: the upper end is 1, the lower that of 50 samples.
        let all = spread(0.0, 1e6, 50).interval(1.0, Range::Share);
        assert!(
            (all.low - 0.928_65).abs() < 1e-4 && all.high == 1.0,
            "{all:?}"
        );
    }

    #[test]
    fn r2_has_an_interval_by_factors_of_what_is_unexplained() {
        let spread = spread(0.04, 1e6, 51);
        let e = spread.interval(0.5, Range::UpToOne);
        // .5 · exp(±1.96 · .2 / .5)
        let factor = (1.959_964_f64 * 0.4).exp();
        assert!((e.low - (1.0 - 0.5 * factor)).abs() < 1e-4, "{e:?}");
        assert!((e.high - (1.0 - 0.5 / factor)).abs() < 1e-4, "{e:?}");
        let perfect = spread.interval(1.0, Range::UpToOne);
        assert_eq!([perfect.low, perfect.high], [1.0; 2]);
    }

    #[test]
    fn intervals_stay_in_range() {
        let wide = spread(1.0, 50.0, 51);
        assert!(wide.interval(0.9, Range::UpToOne).high <= 1.0);
        assert_eq!(wide.interval(0.9, Range::Positive).low, 0.0);
        assert!(wide.interval(0.9, Range::Any).low < 0.0);
        let share = wide.interval(0.9, Range::Share);
        assert!(share.low >= 0.0 && share.high <= 1.0);
    }
}
