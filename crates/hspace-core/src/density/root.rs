//! Zeros and maxima of functions of one number.

/// Halvings after which an interval is as small as double precision allows.
const STEPS: usize = 200;

/// A zero of `f` between `a` and `b`, where `f` has opposite signs; to double precision.
///
/// Inverse quadratic interpolation where it is safe, halving elsewhere: Chandrupatla (1997), "A new
/// hybrid quadratic/bisection algorithm". `None` where the signs are equal or a value is NaN.
pub fn zero(mut f: impl FnMut(f64) -> f64, a: f64, b: f64) -> Option<f64> {
    let (mut x1, mut x2) = (b, a);
    let (mut f1, mut f2) = (f(x1), f(x2));
    if f1 == 0.0 || f2 == 0.0 {
        return Some(if f1 == 0.0 { x1 } else { x2 });
    }
    if f1.is_nan() || f2.is_nan() || (f1 > 0.0) == (f2 > 0.0) {
        return None;
    }
    let mut t = 0.5;
    for _ in 0..STEPS {
        let x = x1 + t * (x2 - x1);
        let value = f(x);
        if value.is_nan() {
            return None;
        }
        let (x3, f3) = if (value > 0.0) == (f1 > 0.0) {
            (x1, f1)
        } else {
            let old = (x2, f2);
            (x2, f2) = (x1, f1);
            old
        };
        (x1, f1) = (x, value);
        let nearest = if f1.abs() < f2.abs() { x1 } else { x2 };
        let least = (2.0 * f64::EPSILON * nearest.abs() + f64::MIN_POSITIVE) / (x2 - x1).abs();
        if least > 0.5 || f1 == 0.0 {
            return Some(if f1 == 0.0 { x1 } else { nearest });
        }
        let (xi, phi) = ((x1 - x2) / (x3 - x2), (f1 - f2) / (f3 - f2));
        let smooth = phi * phi < xi && (1.0 - phi) * (1.0 - phi) < 1.0 - xi;
        t = if smooth {
            f1 / (f2 - f1) * (f3 / (f2 - f3))
                + (x3 - x1) / (x2 - x1) * (f1 / (f3 - f1)) * (f2 / (f3 - f2))
        } else {
            0.5
        };
        t = t.clamp(least, 1.0 - least);
    }
    Some(x1)
}

/// The zero above 0 of a function that changes sign once, searched outwards from `start` by factors
/// of two; `None` where there is none within a factor of 2⁴⁰.
pub fn zero_above_0(mut f: impl FnMut(f64) -> f64, start: f64) -> Option<f64> {
    let (mut low, mut high) = (start, start);
    let sign = f(start) > 0.0;
    for _ in 0..40 {
        low /= 2.0;
        if (f(low) > 0.0) != sign {
            return zero(f, low, 2.0 * low);
        }
        high *= 2.0;
        if (f(high) > 0.0) != sign {
            return zero(f, high / 2.0, high);
        }
    }
    None
}

/// Where `f` is largest within `low..=high`, both above 0: the best of `count` points evenly spaced in
/// the logarithm, then golden sections between its neighbours, to a relative 10⁻⁴. `None` where no
/// value is above −∞.
pub fn largest(mut f: impl FnMut(f64) -> f64, low: f64, high: f64, count: usize) -> Option<f64> {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let step = (high / low).ln() / (count.max(2) - 1) as f64;
    let at = |i: f64| low * (i * step).exp();
    let points: Vec<(f64, f64)> = (0..count.max(2))
        .map(|i| (at(i as f64), f(at(i as f64))))
        .collect();
    let best = points
        .iter()
        .filter(|p| p.1 > f64::NEG_INFINITY)
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    let (mut a, mut b) = (
        (best.0.ln() - step).max(low.ln()),
        (best.0.ln() + step).min(high.ln()),
    );
    let (mut c, mut d) = (b - GOLDEN * (b - a), a + GOLDEN * (b - a));
    let (mut fc, mut fd) = (f(c.exp()), f(d.exp()));
    while b - a > 1e-4 {
        if fc >= fd {
            (b, d, fd) = (d, c, fc);
            c = b - GOLDEN * (b - a);
            fc = f(c.exp());
        } else {
            (a, c, fc) = (c, d, fd);
            d = a + GOLDEN * (b - a);
            fd = f(d.exp());
        }
    }
    let (x, value) = if fc >= fd { (c, fc) } else { (d, fd) };
    Some(if value >= best.1 { x.exp() } else { best.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_found_to_double_precision() {
        let cube = zero(|x| x * x * x - 2.0, 0.0, 5.0);
        assert!((cube.unwrap() - 2f64.cbrt()).abs() < 1e-15);
        let far = zero_above_0(|x| x.ln() - 12.0, 1.0);
        assert!((far.unwrap() / 12f64.exp() - 1.0).abs() < 1e-14);
        assert_eq!(zero(|x| x * x + 1.0, -1.0, 1.0), None);
        assert_eq!(zero_above_0(|_| 1.0, 1.0), None);
    }

    #[test]
    fn maxima_are_found_even_beside_minus_infinity() {
        let f = |x: f64| {
            if x < 0.3 {
                f64::NEG_INFINITY
            } else {
                -(x.ln() - 1.0).powi(2)
            }
        };
        let found = largest(f, 0.01, 100.0, 15).unwrap();
        assert!((found / 1f64.exp() - 1.0).abs() < 1e-3, "{found}");
        assert_eq!(largest(|_| f64::NEG_INFINITY, 0.1, 1.0, 5), None);
    }
}
