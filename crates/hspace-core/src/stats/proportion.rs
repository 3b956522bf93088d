//! Intervals of a share: how many of n independent samples are of a kind.

use super::Estimate;
use crate::density::special::beta_lower;

/// 97.5 % quantile of the standard normal distribution.
pub(crate) const NORMAL_95: f64 = 1.959_963_984_540_054;

/// Share of `count` in `n ≥ 1` samples with the interval of Clopper & Pearson (1934), which holds the true share in at
/// least 95 % of samples. Wilson's is narrower and does so in as few as 84 % where one such sample is rare.
///
/// ```
/// use hspace_core::stats::proportion::exact;
///
/// let share = exact(0, 20);
/// assert_eq!((share.mean, share.low), (0.0, 0.0));
/// assert!((share.high - 0.168).abs() < 0.001);
/// ```
pub fn exact(count: usize, n: usize) -> Estimate {
    let (k, rest) = (count as f64, (n - count) as f64);
    // P(X ≥ k) and P(X ≤ k) of a binomial X with probability p.
    let at_least = |p: f64| beta_lower(k, rest + 1.0, p, 1.0 - p);
    let at_most = |p: f64| beta_lower(rest, k + 1.0, 1.0 - p, p);
    Estimate {
        mean: k / n as f64,
        low: match count {
            0 => 0.0,
            _ => crossing(|p| at_least(p) > 0.025),
        },
        high: match n - count {
            0 => 1.0,
            _ => crossing(|p| at_most(p) <= 0.025),
        },
    }
}

/// The p in 0..=1 from which on `beyond` is true.
pub(super) fn crossing(beyond: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        *(if beyond(middle) { &mut high } else { &mut low }) = middle;
    }
    high
}

/// Interval of Wilson (1927) around a `share` of `n` samples, `z` being the quantile: 1.96 for 95 %.
pub(super) fn wilson(share: f64, n: f64, z: f64) -> [f64; 2] {
    let centre = share + z * z / (2.0 * n);
    let half = z
        * (share * (1.0 - share) / n + z * z / (4.0 * n * n))
            .max(0.0)
            .sqrt();
    [centre - half, centre + half].map(|end| (end / (1.0 + z * z / n)).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_of_shares_are_scipy_s() {
        for (count, n, low, high) in [
            (0, 20, 0.0, 0.168_433_470_983_085_48),
            (3, 50, 0.012_548_587_835_334_06, 0.165_481_946_603_772_9),
            (50, 50, 0.928_878_263_535_795_4, 1.0),
            (
                4000,
                1_000_000,
                0.003_877_227_610_318_585,
                0.004_125_658_904_200_318,
            ),
        ] {
            let found = exact(count, n);
            assert!(
                (found.low - low).abs() < 1e-9 && (found.high - high).abs() < 1e-9,
                "{found:?}"
            );
        }
        let [low, high] = wilson(0.06, 50.0, NORMAL_95);
        assert!((low - 0.020_614_970_348_973_957).abs() < 1e-12);
        assert!((high - 0.162_170_916_888_381_7).abs() < 1e-12);
    }
}
