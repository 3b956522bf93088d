//! Functions of sixteen numbers at once.

use crate::simd::Simd;

/// eˣ of numbers that are not above 0, to about one unit in the last place; below −87, e⁻⁸⁷.
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
pub(crate) unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    // eˣ = 2ⁿ eʳ with n the nearest whole number to x / ln 2: adding 1.5 · 2²³ rounds to it. The
    // remainder r is taken in two parts of ln 2, and eʳ by its Taylor polynomial, whose next term
    // is below 2⁻²⁷ for |r| ≤ ln 2 / 2.
    const ROUND: f32 = 12_582_912.0;
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const TAYLOR: [f32; 7] = [
        1.0 / 5040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
    ];
    // SAFETY: arithmetic alone.
    unsafe {
        // In this order a NaN stays one.
        let x = S::max(S::splat(-87.0), x);
        let moved = S::mul_add(x, S::splat(std::f32::consts::LOG2_E), S::splat(ROUND));
        let n = S::sub(moved, S::splat(ROUND));
        let r = S::mul_add(n, S::splat(-LN_2[0]), x);
        let r = S::mul_add(n, S::splat(-LN_2[1]), r);
        let mut sum = S::splat(TAYLOR[0]);
        for term in &TAYLOR[1..] {
            sum = S::mul_add(sum, r, S::splat(*term));
        }
        S::scale_by_power(S::mul_add(sum, r, S::splat(1.0)), n)
    }
}

/// 1 / (1 + e⁻ˣ), to about two units in the last place; of infinities 0 and 1.
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
pub(crate) unsafe fn logistic<S: Simd>(x: S::V) -> S::V {
    // SAFETY: arithmetic alone.
    unsafe {
        let (zero, one) = (S::splat(0.0), S::splat(1.0));
        let size = S::max(x, S::sub(zero, x));
        let small = exp::<S>(S::sub(zero, size));
        // 1 / (1 + e^−|x|), and what that leaves of 1 where x is not above 0.
        let large = S::reciprocal(S::add(one, small));
        let less = S::mul(small, large);
        S::add(less, S::relu_mask(S::sub(large, less), x))
    }
}

/// log(1 + x) of numbers from 0 to 1, to about two units in the last place.
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
pub(crate) unsafe fn log_one_plus<S: Simd>(x: S::V) -> S::V {
    // 2 artanh(s) with s = x / (2 + x), at most 1/3: s³ / 3 and on by the series, whose next term is
    // below 2⁻²⁷ of the sum.
    const SERIES: [f32; 7] = [
        1.0 / 15.0,
        1.0 / 13.0,
        1.0 / 11.0,
        1.0 / 9.0,
        1.0 / 7.0,
        0.2,
        1.0 / 3.0,
    ];
    // SAFETY: arithmetic alone.
    unsafe {
        let s = S::div(x, S::add(x, S::splat(2.0)));
        let square = S::mul(s, s);
        let mut sum = S::splat(SERIES[0]);
        for term in &SERIES[1..] {
            sum = S::mul_add(sum, square, S::splat(*term));
        }
        let twice = S::add(s, s);
        S::mul_add(S::mul(sum, square), twice, twice)
    }
}

/// The standard normal distribution function Φ(x) and its density φ(x), to 1e-7
/// (Abramowitz & Stegun 1964, 7.1.26).
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
pub(crate) unsafe fn normal<S: Simd>(x: S::V) -> (S::V, S::V) {
    const P: f32 = 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2;
    const A: [f32; 5] = [
        1.061_405_4,
        -1.453_152_1,
        1.421_413_8,
        -0.284_496_72,
        0.254_829_6,
    ];
    /// 1 / √(2 π).
    const PEAK: f32 = 0.398_942_3;
    // SAFETY: arithmetic alone.
    unsafe {
        let zero = S::splat(0.0);
        let size = S::max(x, S::sub(zero, x));
        let bell = exp::<S>(S::mul(S::mul(x, x), S::splat(-0.5)));
        let t = S::reciprocal(S::mul_add(size, S::splat(P), S::splat(1.0)));
        let mut sum = S::splat(A[0]);
        for a in &A[1..] {
            sum = S::mul_add(sum, t, S::splat(*a));
        }
        // 1 − Φ(|x|)
        let tail = S::mul(S::mul(S::mul(sum, t), bell), S::splat(0.5));
        let positive = S::relu_mask(S::sub(S::splat(1.0), S::add(tail, tail)), x);
        (S::add(tail, positive), S::mul(bell, S::splat(PEAK)))
    }
}
