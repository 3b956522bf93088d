//! Kendall's rank correlation.

/// Kendall's τ_b of pairs `a[i]`, `b[i]` (Kendall 1945): pairs in the same order less pairs in opposite order, over the geometric mean of the
/// pairs that are not tied in `a` and in `b`. In −1..=1; `None` where either has no two different values, or of unequal lengths.
///
/// ```
/// use hspace_core::stats::kendall;
///
/// // Two of three pairs are in the same order, one in opposite order.
/// assert_eq!(kendall(&[1.0, 2.0, 3.0], &[10.0, 30.0, 20.0]), Some(1.0 / 3.0));
/// assert_eq!(kendall(&[1.0, 2.0, 3.0], &[7.0, 7.0, 7.0]), None);
/// ```
pub fn kendall(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() != b.len() {
        return None;
    }
    let sign = |x: f64| match x {
        x if x > 0.0 => 1.0,
        x if x < 0.0 => -1.0,
        _ => 0.0,
    };
    let (mut sum, mut in_a, mut in_b) = (0.0, 0.0, 0.0);
    for i in 0..a.len() {
        for j in 0..i {
            let (x, y) = (sign(a[i] - a[j]), sign(b[i] - b[j]));
            sum += x * y;
            in_a += x * x;
            in_b += y * y;
        }
    }
    let pairs = f64::sqrt(in_a * in_b);
    (pairs > 0.0).then(|| sum / pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of `scipy.stats.kendalltau`.
    #[test]
    fn it_agrees_with_scipy() {
        let a = [12.0, 2.0, 1.0, 12.0, 2.0];
        let b = [1.0, 4.0, 7.0, 1.0, 0.0];
        let tau = kendall(&a, &b).unwrap();
        assert!((tau + 0.471_404_520_791_031_7).abs() < 1e-12, "{tau}");
        let c = [0.1, 0.4, 0.3, 0.9];
        let d = [1.0, 2.0, 3.0, 4.0];
        assert!((kendall(&c, &d).unwrap() - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(kendall(&c, &c), Some(1.0));
        assert_eq!(kendall(&c, &[1.0; 4]), None);
        assert_eq!(kendall(&[1.0], &[2.0]), None);
        assert_eq!(kendall(&c, &a), None);
    }
}
