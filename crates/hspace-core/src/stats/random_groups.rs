//! 95 % intervals from random groups of the rows (Wolter 2007, "Introduction to variance estimation", chapter 2).
//!
//! The rows are dealt into G groups. With θ the score of all n rows and θ₁ … θ_G those of the groups, the standard error of
//! θ is the standard deviation of the θᵢ over √G, taken with Student's t of G − 1 degrees of freedom.
//!
//! A score whose bias falls with n is extrapolated. Bias that falls like n^−a is `(θ̄ − θ) / (G^a − 1)` at n rows, θ̄ being the
//! groups' mean: the jackknife's correction at a = 1 (Quenouille 1956). The power is hardly known, so the interval
//! holds the corrections of all powers in a range. The estimate's factor is the harmonic mean of those at the two ends, which leaves the
//! same share of the bias at both: .53 of it, with five groups and powers of ½ and 1.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::Estimate;

/// How a score's bias depends on the number of rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bias {
    /// None, or far less than the standard error.
    Negligible,
    /// It falls like n^−a, a being between these two.
    Falling(f64, f64),
}

/// The estimate of a score that lies in `range`: `whole` of all rows, `groups` of equal parts of them. With fewer than two
/// groups, or with scores that are not finite, no interval is known and the value is `whole`.
pub fn random_groups(whole: f64, groups: &[f64], bias: Bias, range: [f64; 2]) -> Estimate {
    let [least, most] = range;
    let count = groups.len() as f64;
    if groups.len() < 2 || groups.iter().any(|score| !score.is_finite()) || !whole.is_finite() {
        return Estimate::without_interval(whole.clamp(least, most));
    }
    let mean = groups.iter().sum::<f64>() / count;
    let squares: f64 = groups.iter().map(|score| (score - mean).powi(2)).sum();
    let error = (squares / (count - 1.0) / count).sqrt();
    let quantile = StudentsT::new(0.0, 1.0, count - 1.0)
        .map_or(f64::INFINITY, |student| student.inverse_cdf(0.975));
    let factors = match bias {
        Bias::Negligible => [0.0, 0.0],
        Bias::Falling(slow, fast) => [slow, fast].map(|power| 1.0 / (count.powf(power) - 1.0)),
    };
    let corrected = factors.map(|factor| whole + factor * (whole - mean));
    // The correction has an error of its own, about that of the groups' mean times its factor; one of 1 at most is assumed.
    let half = quantile * error * 1.0f64.hypot(factors[0].min(1.0));
    let middle = match bias {
        Bias::Negligible => 0.0,
        Bias::Falling(..) => 2.0 / (1.0 / factors[0] + 1.0 / factors[1]),
    };
    Estimate {
        mean: (whole + middle * (whole - mean)).clamp(least, most),
        low: (corrected[0].min(corrected[1]) - half).clamp(least, most),
        high: (corrected[0].max(corrected[1]) + half).clamp(least, most),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_error_is_that_of_the_groups_mean() {
        // Deviation √2.5 of 1 … 5, over √5; Student's t of 4 degrees of freedom is 2.776.
        let groups = [1.0, 2.0, 3.0, 4.0, 5.0];
        let got = random_groups(3.5, &groups, Bias::Negligible, [0.0, 10.0]);
        let half = 2.776_445_105 * 0.5f64.sqrt();
        assert_eq!(got.mean, 3.5);
        assert!((got.low - (3.5 - half)).abs() < 1e-6 && (got.high - (3.5 + half)).abs() < 1e-6);
    }

    #[test]
    fn the_interval_of_a_falling_bias_holds_the_limit() {
        let scores = |power: f64| {
            let at = |rows: f64| 0.3 + rows.powf(-power);
            (at(500.0), [at(100.0); 5])
        };
        for power in [0.5, 0.7, 1.0] {
            let (whole, groups) = scores(power);
            let got = random_groups(whole, &groups, Bias::Falling(0.5, 1.0), [0.0, 1.0]);
            let text = format!("{power}: {got:?}");
            assert!(got.low <= 0.3 + 1e-9 && 0.3 - 1e-9 <= got.high, "{text}");
            assert!((got.mean - 0.3).abs() < 0.7 * (whole - 0.3), "{text}");
        }
    }

    #[test]
    fn nothing_leaves_the_range() {
        let got = random_groups(
            0.98,
            &[0.7, 0.9, 0.8, 0.9, 0.7],
            Bias::Falling(0.5, 1.0),
            [0.0, 1.0],
        );
        assert_eq!((got.mean, got.high), (1.0, 1.0));
        let falls = random_groups(0.2, &[0.7; 5], Bias::Falling(0.5, 1.0), [0.0, 1.0]);
        assert_eq!(falls.low, 0.0);
        assert!((falls.mean - 0.0090170).abs() < 1e-6, "{falls:?}");
        assert!(got.low > 0.8 && got.low < 1.0, "{got:?}");
        let got = random_groups(1.2, &[], Bias::Falling(0.5, 1.0), [0.0, 1.0]);
        assert_eq!(got, Estimate::without_interval(1.0));
        let got = random_groups(0.5, &[0.5, f64::NAN], Bias::Negligible, [0.0, 1.0]);
        assert!(!got.has_interval());
    }
}
