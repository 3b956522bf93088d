//! Special functions with the ends of their domains filled in.

use statrs::function::erf::erfc;
use statrs::function::gamma::{gamma_lr, gamma_ur, ln_gamma};

use super::number;

/// ln(2π)/2
pub const HALF_LN_2PI: f64 = 0.918_938_533_204_672_8;

/// Probability that a standard normal variable is at most `z`.
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

/// Parameters of the incomplete gamma function from which on it goes by [`uniform`]: the series take
/// about √a steps, and lose digits.
pub const LARGE: f64 = 1e5;

/// Regularised lower incomplete gamma function P(a, x) for a > 0; 0 up to x = 0.
pub fn gamma_lower(a: f64, x: f64) -> f64 {
    match x {
        x if x <= 0.0 => 0.0,
        f64::INFINITY => 1.0,
        x if a > LARGE => uniform(a, x, -1.0),
        x => gamma_lr(a, x),
    }
}

/// Regularised upper incomplete gamma function Q(a, x) = 1 − P(a, x) for a > 0.
pub fn gamma_upper(a: f64, x: f64) -> f64 {
    match x {
        x if x <= 0.0 => 1.0,
        f64::INFINITY => 0.0,
        x if a > LARGE => uniform(a, x, 1.0),
        x => gamma_ur(a, x),
    }
}

/// Q(a, x) (`side` 1) or P(a, x) (−1) for large a: Temme's uniform expansion (1979; Digital Library of
/// Mathematical Functions, 8.12.3, 8.12.4 and 8.12.7) to its first term. The next is smaller by 1/(180 a).
fn uniform(a: f64, x: f64, side: f64) -> f64 {
    let off = (x - a) / a;
    // With λ = x/a, λ − 1 − ln λ is ½η².
    let half_square = above_ln(x, a);
    let eta = (2.0 * half_square).max(0.0).sqrt().copysign(off);
    let first = if off.abs() < 0.02 {
        let terms = [
            1.0 / 2835.0,
            1.0 / 864.0,
            -2.0 / 135.0,
            1.0 / 12.0,
            -1.0 / 3.0,
        ];
        terms.iter().fold(0.0, |sum, term| sum * eta + term)
    } else {
        1.0 / off - 1.0 / eta
    };
    let root = (a / 2.0).sqrt();
    let rest = (-a * half_square).exp() / (std::f64::consts::PI.sqrt() * 2.0 * root) * first;
    (0.5 * erfc(side * eta * root) + side * rest).clamp(0.0, 1.0)
}

/// λ − 1 − ln λ of λ = x/m, for x, m > 0, without the loss of digits near 0 or near 1.
pub fn above_ln(x: f64, m: f64) -> f64 {
    let ratio = x / m;
    if ratio < 0.5 {
        return ratio - 1.0 - (x.ln() - m.ln());
    }
    let off = (x - m) / m;
    off - off.ln_1p()
}

/// ln Γ(a) − (a − ½) ln a + a − ½ ln 2π: what Stirling's formula leaves, for a > 0.
pub fn stirling_rest(a: f64) -> f64 {
    if a < 16.0 {
        return ln_gamma(a) - (a - 0.5) * a.ln() + a - HALF_LN_2PI;
    }
    let terms = [
        1.0 / 1188.0,
        -1.0 / 1680.0,
        1.0 / 1260.0,
        -1.0 / 360.0,
        1.0 / 12.0,
    ];
    terms.iter().fold(0.0, |sum, term| sum / (a * a) + term) / a
}

/// ln of Γ(a+b+1)/(Γ(a+1) Γ(b+1)) p^a q^b for a, b > 0 and p + q = 1: of a binomial probability, of numbers
/// that need not be whole. By its saddle point (Loader 2000), without large terms that cancel.
pub fn ln_binomial(a: f64, b: f64, p: f64, q: f64) -> f64 {
    let n = a + b;
    let rests = stirling_rest(n) - stirling_rest(a) - stirling_rest(b);
    rests - a * above_ln(n * p, a) - b * above_ln(n * q, b) + 0.5 * (n.ln() - a.ln() - b.ln())
        - HALF_LN_2PI
}

/// Regularised incomplete beta function I_x(a, b) for a, b > 0, given x and 1 − x, whichever of them
/// is small.
///
/// The continued fraction of the Digital Library of Mathematical Functions, 8.17.22, by the modified
/// Lentz method, on the side of the mean where it converges in about √max(a, b) steps; it goes on
/// until it has, so that large a and b lose nothing; nor does what is before it ([`ln_binomial`]).
pub fn beta_lower(a: f64, b: f64, x: f64, rest: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if rest <= 0.0 {
        return 1.0;
    }
    // x^a (1 − x)^b / (a B(a, b)), and the same with b below.
    let over = |other: f64| ln_binomial(a, b, x, rest).exp() * (other / (a + b));
    if x < (a + 1.0) / (a + b + 2.0) {
        over(b) * fraction(a, b, x)
    } else {
        1.0 - over(a) * fraction(b, a, rest)
    }
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |v: f64| if v.abs() < TINY { TINY } else { v };
    let steps = 1000 + 20 * a.max(b).sqrt().min(1e7) as usize;
    let (mut c, mut d) = (1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0)));
    let mut h = d;
    for m in 1..steps {
        let m = m as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut factor = 1.0;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            factor = c * d;
            h *= factor;
        }
        if (factor - 1.0).abs() < 1e-15 {
            break;
        }
    }
    h
}

/// ln Σ exp(xᵢ), without overflow; −∞ of nothing.
pub fn ln_sum_exp(x: &[f64]) -> f64 {
    let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY {
        return most;
    }
    most + x.iter().map(|v| (v - most).exp()).sum::<f64>().ln()
}

/// Mean and variance (÷ n) of values, in two passes.
pub fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
    (mean, variance)
}

/// The value of all, where they are all equal up to rounding.
pub fn constant(values: &[f64]) -> Option<f64> {
    let first = *values.first()?;
    let near = 4.0 * f64::EPSILON * first.abs();
    values
        .iter()
        .all(|x| (x - first).abs() <= near)
        .then_some(first)
}

/// The smallest step between values of which some are equal, as rounding or counting leaves them; 0 where
/// all differ. Nothing narrower can be distinguished from such values.
pub fn resolution(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let steps = || sorted.windows(2).map(|pair| pair[1] - pair[0]);
    if steps().all(|step| step > 0.0) {
        return 0.0;
    }
    let least = steps()
        .filter(|step| *step > 0.0)
        .fold(f64::INFINITY, f64::min);
    if least.is_finite() { least } else { 0.0 }
}

/// Why a density of positive values cannot be fitted to these, if they are almost equal for their size:
/// ratios and logarithms would be rounding.
pub fn too_narrow(values: &[f64]) -> Option<String> {
    if let Some(x) = constant(values) {
        return Some(no_spread(values, x));
    }
    let (mean, variance) = moments(values);
    (variance.sqrt() < 1e-8 * mean).then(|| {
        format!(
            "the values differ from {} by less than a hundred-millionth of that: subtract a constant first",
            number(mean)
        )
    })
}

/// Why a density with a spread cannot be fitted to equal values.
pub fn no_spread(values: &[f64], x: f64) -> String {
    format!(
        "all {} values are {x}: without any spread its likelihood has no maximum",
        values.len()
    )
}
