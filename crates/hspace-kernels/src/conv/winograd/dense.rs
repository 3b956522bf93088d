//! Stride 1: F(4, 3) for the outputs and the input's gradient, F(3, 4) for the weights' gradient: there four inputs
//! filter six gradients, which both ways back transform alike.
//!
//! We interpolate at 0, ±2/3, ±3/2 and ∞ instead of the usual 0, ±1, ±2: the same number of
//! operations, and half the rounding error.

use super::scheme::POINTS;
use super::transform::{Transform, scale, times};
use crate::simd::Simd;

/// The interpolation points besides 0, their negatives and ∞. Their product is 1.
const NEAR: f32 = 2.0 / 3.0;
const FAR: f32 = 1.5;
const NEAR2: f32 = NEAR * NEAR;
const FAR2: f32 = FAR * FAR;

/// Product of a point's distances to the other finite points: of 0, of ±2/3, of ±3/2.
const AT_ZERO: f32 = 1.0;
const AT_NEAR: f32 = 2.0 * NEAR2 * (NEAR2 - FAR2);
const AT_FAR: f32 = 2.0 * FAR2 * (FAR2 - NEAR2);
/// Value of a filter of three taps at each point, divided by that product: the factors of the taps.
pub(super) const FILTER: [[f32; 3]; POINTS] = [
    [1.0 / AT_ZERO, 0.0, 0.0],
    [1.0 / AT_NEAR, NEAR / AT_NEAR, NEAR2 / AT_NEAR],
    [1.0 / AT_NEAR, -NEAR / AT_NEAR, NEAR2 / AT_NEAR],
    [1.0 / AT_FAR, FAR / AT_FAR, FAR2 / AT_FAR],
    [1.0 / AT_FAR, -FAR / AT_FAR, FAR2 / AT_FAR],
    [0.0, 0.0, 1.0],
];

/// A filter of four taps at a point and at its negative, divided by `at`.
#[inline(always)]
unsafe fn pair<S: Simd>(g: [S::V; 4], point: f32, at: f32) -> (S::V, S::V) {
    // SAFETY: arithmetic alone.
    unsafe {
        let even = scale::<S>(1.0 / at, times::<S>(point * point, g[2], g[0]));
        let odd = scale::<S>(point / at, times::<S>(point * point, g[3], g[1]));
        (S::add(even, odd), S::sub(even, odd))
    }
}

/// Six numbers of the input to six points.
pub(super) struct Input;

impl Transform<6, 6> for Input {
    #[inline(always)]
    unsafe fn apply<S: Simd>(d: [S::V; 6]) -> [S::V; 6] {
        // SAFETY: arithmetic alone.
        unsafe {
            let near_even = times::<S>(-FAR2, d[2], d[4]);
            let near_odd = times::<S>(-FAR2, d[1], d[3]);
            let far_even = times::<S>(-NEAR2, d[2], d[4]);
            let far_odd = times::<S>(-NEAR2, d[1], d[3]);
            let both = -(NEAR2 + FAR2);
            [
                times::<S>(both, d[2], S::add(d[0], d[4])),
                times::<S>(NEAR, near_odd, near_even),
                times::<S>(-NEAR, near_odd, near_even),
                times::<S>(FAR, far_odd, far_even),
                times::<S>(-FAR, far_odd, far_even),
                times::<S>(both, d[3], S::add(d[1], d[5])),
            ]
        }
    }
}

/// Six points to four outputs.
pub(super) struct Outputs;

impl Transform<6, 4> for Outputs {
    #[inline(always)]
    unsafe fn apply<S: Simd>(m: [S::V; 6]) -> [S::V; 4] {
        // SAFETY: arithmetic alone.
        unsafe {
            let (near, near_odd) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
            let (far, far_odd) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
            [
                S::add(m[0], S::add(near, far)),
                times::<S>(FAR, far_odd, scale::<S>(NEAR, near_odd)),
                times::<S>(FAR2, far, scale::<S>(NEAR2, near)),
                times::<S>(
                    FAR2 * FAR,
                    far_odd,
                    times::<S>(NEAR2 * NEAR, near_odd, m[5]),
                ),
            ]
        }
    }
}

/// Six points to three taps, the last one first: gradients that are followed by inputs see them turned.
pub(super) struct Taps;

impl Transform<6, 3> for Taps {
    #[inline(always)]
    unsafe fn apply<S: Simd>(m: [S::V; 6]) -> [S::V; 3] {
        // SAFETY: arithmetic alone.
        unsafe {
            let (near, near_odd) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
            let (far, far_odd) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
            [
                times::<S>(FAR2, far, times::<S>(NEAR2, near, m[5])),
                times::<S>(FAR, far_odd, scale::<S>(NEAR, near_odd)),
                S::add(m[0], S::add(near, far)),
            ]
        }
    }
}

/// Four numbers of a filter to six points.
pub(super) struct Filter;

impl Transform<4, 6> for Filter {
    #[inline(always)]
    unsafe fn apply<S: Simd>(g: [S::V; 4]) -> [S::V; 6] {
        // SAFETY: arithmetic alone.
        unsafe {
            let (near, minus_near) = pair::<S>(g, NEAR, AT_NEAR);
            let (far, minus_far) = pair::<S>(g, FAR, AT_FAR);
            [
                scale::<S>(1.0 / AT_ZERO, g[0]),
                near,
                minus_near,
                far,
                minus_far,
                g[3],
            ]
        }
    }
}
