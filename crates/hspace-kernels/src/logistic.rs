//! The logistic function `σ(x) = 1 / (1 + e⁻ˣ)`.

use rayon::prelude::*;

use crate::functions::logistic;
use crate::machine::Machine;
use crate::simd::{LANES, Simd, kernel};

/// Numbers that one piece of work goes through.
const PIECE: usize = 16 << 10;

/// `x ← σ(x)`.
pub fn forward(on: Machine, x: &mut [f32]) {
    let parts = x.par_chunks_mut(PIECE);
    // SAFETY: a slice of its own.
    parts.for_each(|x| unsafe { values(on.isa, x) });
}

/// `dx = dy · y (1 − y)` with y = σ(x).
///
/// # Panics
/// If lengths differ.
pub fn backward(on: Machine, y: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert_eq!(
        [y.len(), dy.len()],
        [dx.len(); 2],
        "a gradient for each number"
    );
    let parts = dx.par_chunks_mut(PIECE).zip(y.par_chunks(PIECE));
    let parts = parts.zip(dy.par_chunks(PIECE));
    // SAFETY: equally long.
    parts.for_each(|((dx, y), dy)| unsafe { slopes(on.isa, y, dy, dx) });
}

kernel! {
    /// [`forward`] on this thread.
    ///
    /// # Safety
    /// As [`Simd`].
    fn values(x: &mut [f32]) = values_with
}

#[inline(always)]
unsafe fn values_with<S: Simd>(x: &mut [f32]) {
    // SAFETY: every address is that of `lanes` numbers from i on.
    unsafe {
        for i in (0..x.len()).step_by(LANES) {
            let lanes = (x.len() - i).min(LANES);
            let at = x.as_mut_ptr().add(i);
            S::store_first(at, logistic::<S>(S::load_first(at, lanes)), lanes);
        }
    }
}

kernel! {
    /// [`backward`] on this thread.
    ///
    /// # Safety
    /// All slices must be equally long.
    fn slopes(y: &[f32], dy: &[f32], dx: &mut [f32]) = slopes_with
}

#[inline(always)]
unsafe fn slopes_with<S: Simd>(y: &[f32], dy: &[f32], dx: &mut [f32]) {
    // SAFETY: every address is that of `lanes` numbers from i on.
    unsafe {
        for i in (0..y.len()).step_by(LANES) {
            let lanes = (y.len() - i).min(LANES);
            let y = S::load_first(y.as_ptr().add(i), lanes);
            let dy = S::load_first(dy.as_ptr().add(i), lanes);
            let slope = S::mul(y, S::sub(S::splat(1.0), y));
            S::store_first(dx.as_mut_ptr().add(i), S::mul(dy, slope), lanes);
        }
    }
}
