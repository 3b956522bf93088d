//! Stride 2, by parity: yᵢ = k₀ x₂ᵢ + k₂ x₂ᵢ₊₂ + k₁ x₂ᵢ₊₁. The even numbers meet two taps, which is
//! F(4, 2): 5 products for 4 outputs. The odd ones meet one, 4 products; interpolated at the same
//! points, a filter of one tap is that tap at each and nothing at ∞, so these products are added to
//! those of the even numbers before they are transformed back. 9 products instead of 12 along an axis,
//! 81 instead of 144 for a tile, added up at 25 places.
//!
//! The weights' gradient is the transpose of that: 81 outer products, added up at the 6 × 6 points of
//! the weights. The input's gradient is a convolution again. With d the gradients that a tile sees, its
//! numbers are by turns k₁ dᵢ and k₂ dᵢ + k₀ dᵢ₊₁: the same products of the same five points, each
//! kind transformed back by itself. That is where the padding is odd; where it is even, the tile
//! turned round is.
//!
//! The splitting by parity is the usual polyphase one of a filter that decimates; how the phases share
//! their transforms is ours.
//!
//! We interpolate at ±1/2, ±3/2 and ∞: of fifteen pairs that we tried those with the least rounding
//! error, a third of that at ±1, ±2. With 64 → 128 channels to 8 × 8 outputs, numbers uniform in ±1, it is
//! 4.7e-7 of the outputs (root mean squares; 4.2e-7 when direct), 6.4e-7 of the input's gradient
//! (3.3e-7), 2.7e-7 of the weights' (1.5e-7, four images).

use super::scheme::POINTS;
use super::transform::{Transform, scale, times};
use crate::simd::Simd;

/// The interpolation points besides their negatives and ∞.
const NEAR: f32 = 0.5;
const FAR: f32 = 1.5;
const NEAR2: f32 = NEAR * NEAR;
const FAR2: f32 = FAR * FAR;

/// Product of a point's distances to the other finite points; of its negative's, the same with
/// the other sign.
const AT_NEAR: f32 = 2.0 * NEAR * (NEAR2 - FAR2);
const AT_FAR: f32 = 2.0 * FAR * (FAR2 - NEAR2);

/// The outer taps at each point, and the middle tap.
pub(super) const FILTER: [[f32; 3]; POINTS] = [
    [1.0, 0.0, NEAR],
    [1.0, 0.0, -NEAR],
    [1.0, 0.0, FAR],
    [1.0, 0.0, -FAR],
    [0.0, 0.0, 1.0],
    [0.0, 1.0, 0.0],
];

/// Four numbers to the four finite points.
#[inline(always)]
unsafe fn finite<S: Simd>([a, b, c, d]: [S::V; 4]) -> [S::V; 4] {
    // SAFETY: arithmetic alone.
    unsafe {
        let (near, near_odd) = (times::<S>(-FAR2, a, c), times::<S>(-FAR2, b, d));
        let (far, far_odd) = (times::<S>(-NEAR2, a, c), times::<S>(-NEAR2, b, d));
        [
            times::<S>(NEAR, near, near_odd),
            times::<S>(-NEAR, near, near_odd),
            times::<S>(FAR, far, far_odd),
            times::<S>(-FAR, far, far_odd),
        ]
    }
}

/// Five numbers to all points.
#[inline(always)]
unsafe fn all<S: Simd>([a, b, c, d, e]: [S::V; 5]) -> [S::V; 5] {
    // SAFETY: arithmetic alone.
    unsafe {
        let [near, minus_near, far, minus_far] = finite::<S>([a, b, c, d]);
        let infinite = times::<S>(NEAR2 * FAR2, a, times::<S>(-(NEAR2 + FAR2), c, e));
        [near, minus_near, far, minus_far, infinite]
    }
}

/// A number's share of each pair of points, by a power of the point.
#[inline(always)]
unsafe fn sum<S: Simd>(by_near: f32, near: S::V, by_far: f32, far: S::V) -> S::V {
    // SAFETY: arithmetic alone.
    unsafe { times::<S>(by_far / AT_FAR, far, scale::<S>(by_near / AT_NEAR, near)) }
}

/// The finite points back to four numbers.
#[inline(always)]
unsafe fn back<S: Simd>([near, minus_near, far, minus_far]: [S::V; 4]) -> [S::V; 4] {
    // SAFETY: arithmetic alone.
    unsafe {
        let (near, near_odd) = (S::sub(near, minus_near), S::add(near, minus_near));
        let (far, far_odd) = (S::sub(far, minus_far), S::add(far, minus_far));
        [
            sum::<S>(1.0, near, 1.0, far),
            sum::<S>(NEAR, near_odd, FAR, far_odd),
            sum::<S>(NEAR2, near, FAR2, far),
            sum::<S>(NEAR2 * NEAR, near_odd, FAR2 * FAR, far_odd),
        ]
    }
}

/// All points back to four numbers.
#[inline(always)]
unsafe fn all_back<S: Simd>([m0, m1, m2, m3, infinite]: [S::V; 5]) -> [S::V; 4] {
    // SAFETY: arithmetic alone.
    unsafe {
        let [a, b, c, d] = back::<S>([m0, m1, m2, m3]);
        [a, b, c, S::add(d, infinite)]
    }
}

/// Nine numbers of the input: the even ones to all points, the odd ones to the finite ones.
pub(super) struct Input;

impl Transform<9, 9> for Input {
    #[inline(always)]
    unsafe fn apply<S: Simd>(x: [S::V; 9]) -> [S::V; 9] {
        // SAFETY: arithmetic alone.
        unsafe {
            let [a, b, c, d, e] = all::<S>([x[0], x[2], x[4], x[6], x[8]]);
            let [f, g, h, i] = finite::<S>([x[1], x[3], x[5], x[7]]);
            [a, b, c, d, e, f, g, h, i]
        }
    }
}

/// Five points to four outputs.
pub(super) struct Outputs;

impl Transform<5, 4> for Outputs {
    #[inline(always)]
    unsafe fn apply<S: Simd>(m: [S::V; 5]) -> [S::V; 4] {
        // SAFETY: arithmetic alone.
        unsafe { all_back::<S>(m) }
    }
}

/// Four gradients of the output to five points: the transpose of [`Outputs`].
pub(super) struct Gradients;

impl Transform<4, 5> for Gradients {
    #[inline(always)]
    unsafe fn apply<S: Simd>(g: [S::V; 4]) -> [S::V; 5] {
        // SAFETY: arithmetic alone.
        unsafe {
            let near = scale::<S>(1.0 / AT_NEAR, times::<S>(NEAR2, g[2], g[0]));
            let near_odd = scale::<S>(NEAR / AT_NEAR, times::<S>(NEAR2, g[3], g[1]));
            let far = scale::<S>(1.0 / AT_FAR, times::<S>(FAR2, g[2], g[0]));
            let far_odd = scale::<S>(FAR / AT_FAR, times::<S>(FAR2, g[3], g[1]));
            [
                S::add(near_odd, near),
                S::sub(near_odd, near),
                S::add(far_odd, far),
                S::sub(far_odd, far),
                g[3],
            ]
        }
    }
}

/// Five points and the middle tap to three taps: the transpose of [`FILTER`].
pub(super) struct Taps;

impl Transform<6, 3> for Taps {
    #[inline(always)]
    unsafe fn apply<S: Simd>(m: [S::V; 6]) -> [S::V; 3] {
        // SAFETY: arithmetic alone.
        unsafe {
            let (near, near_odd) = (S::add(m[0], m[1]), S::sub(m[0], m[1]));
            let (far, far_odd) = (S::add(m[2], m[3]), S::sub(m[2], m[3]));
            [
                S::add(near, far),
                m[5],
                times::<S>(FAR, far_odd, times::<S>(NEAR, near_odd, m[4])),
            ]
        }
    }
}

/// Five gradients of the output to five points.
pub(super) struct Spread<const MIRRORED: bool>;

impl<const MIRRORED: bool> Transform<5, 5> for Spread<MIRRORED> {
    #[inline(always)]
    unsafe fn apply<S: Simd>(mut d: [S::V; 5]) -> [S::V; 5] {
        if MIRRORED {
            d.reverse();
        }
        // SAFETY: arithmetic alone.
        unsafe { all::<S>(d) }
    }
}

/// Products with the outer taps at five points and with the middle one at four, to eight gradients of
/// the input.
impl<const MIRRORED: bool> Transform<9, 8> for Spread<MIRRORED> {
    #[inline(always)]
    unsafe fn apply<S: Simd>(m: [S::V; 9]) -> [S::V; 8] {
        // SAFETY: arithmetic alone.
        unsafe {
            let outer = all_back::<S>([m[0], m[1], m[2], m[3], m[4]]);
            let middle = back::<S>([m[5], m[6], m[7], m[8]]);
            let mut out = [m[0]; 8];
            for i in 0..4 {
                out[2 * i] = middle[i];
                out[2 * i + 1] = outer[i];
            }
            if MIRRORED {
                out.reverse();
            }
            out
        }
    }
}
