//! The Gaussian error linear unit `x Φ(x)` (Hendrycks & Gimpel 2016, arXiv:1606.08415), in its
//! exact form.

use rayon::prelude::*;

use crate::functions::normal;
use crate::machine::Machine;
use crate::simd::{LANES, Simd, kernel};

/// Numbers that one piece of work goes through.
const PIECE: usize = 16 << 10;

/// `out = x Φ(x)`.
///
/// # Panics
/// If lengths differ.
pub fn forward(on: Machine, x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "as many results as arguments");
    let parts = out.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE));
    // SAFETY: equally long.
    parts.for_each(|(out, x)| unsafe { values(on.isa, x, out) });
}

/// `dx = dy (Φ(x) + x φ(x))`.
///
/// # Panics
/// If lengths differ.
pub fn backward(on: Machine, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert_eq!(
        [x.len(), dy.len()],
        [dx.len(); 2],
        "a gradient for each number"
    );
    let parts = dx.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE));
    let parts = parts.zip(dy.par_chunks(PIECE));
    // SAFETY: equally long.
    parts.for_each(|((dx, x), dy)| unsafe { slopes(on.isa, x, dy, dx) });
}

kernel! {
    /// [`forward`] on this thread.
    ///
    /// # Safety
    /// Both slices must be equally long.
    fn values(x: &[f32], out: &mut [f32]) = values_with
}

#[inline(always)]
unsafe fn values_with<S: Simd>(x: &[f32], out: &mut [f32]) {
    // SAFETY: every address is that of `lanes` numbers from i on.
    unsafe {
        for i in (0..x.len()).step_by(LANES) {
            let lanes = (x.len() - i).min(LANES);
            let x = S::load_first(x.as_ptr().add(i), lanes);
            let (below, _) = normal::<S>(x);
            S::store_first(out.as_mut_ptr().add(i), S::mul(x, below), lanes);
        }
    }
}

kernel! {
    /// [`backward`] on this thread.
    ///
    /// # Safety
    /// All slices must be equally long.
    fn slopes(x: &[f32], dy: &[f32], dx: &mut [f32]) = slopes_with
}

#[inline(always)]
unsafe fn slopes_with<S: Simd>(x: &[f32], dy: &[f32], dx: &mut [f32]) {
    // SAFETY: every address is that of `lanes` numbers from i on.
    unsafe {
        for i in (0..x.len()).step_by(LANES) {
            let lanes = (x.len() - i).min(LANES);
            let x = S::load_first(x.as_ptr().add(i), lanes);
            let dy = S::load_first(dy.as_ptr().add(i), lanes);
            let (below, density) = normal::<S>(x);
            let slope = S::mul_add(x, density, below);
            S::store_first(dx.as_mut_ptr().add(i), S::mul(dy, slope), lanes);
        }
    }
}
