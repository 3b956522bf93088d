//! Whether one of two is worse more often than by chance.

use crate::density::special::beta_lower;

/// P(X ≥ `worse`) of a binomial X of `worse + better` fair coins: how likely at least so many of the samples on which two sources differ speak against the
/// one if both are as good (the one-sided exact sign test; on answers that are right or wrong McNemar's). In 0..=1; 1 where `worse` is 0.
///
/// ```
/// use hspace_core::stats::sign_test::sign_test;
///
/// // Five heads of five.
/// assert!((sign_test(5, 0) - 1.0 / 32.0).abs() < 1e-12);
/// assert_eq!(sign_test(0, 5), 1.0);
/// ```
pub fn sign_test(worse: usize, better: usize) -> f64 {
    match worse {
        0 => 1.0,
        _ => beta_lower(worse as f64, better as f64 + 1.0, 0.5, 0.5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sums_of_binomial_coefficients() {
        // (C(10, 8) + C(10, 9) + C(10, 10)) / 2¹⁰, and half of all and the middle of four.
        for (worse, better, wanted) in [(8, 2, 56.0 / 1024.0), (2, 2, 11.0 / 16.0), (1, 0, 0.5)] {
            let found = sign_test(worse, better);
            assert!((found - wanted).abs() < 1e-12, "{worse}, {better}: {found}");
        }
    }
}
