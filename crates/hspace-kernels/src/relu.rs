//! The backward pass through a ReLU, leaky or not. Forward it is a part of what computes its input
//! ([`crate::Epilogue::slope`]).

use rayon::prelude::*;

use crate::machine::Machine;
use crate::simd::{LANES, Simd, kernel};

/// Numbers that one piece of work goes through.
const PIECE: usize = 16 << 10;

/// `dx = dy` where the output `y` is above 0, else `slope · dy`; 0 for a slope of 0, whatever `dy` is.
///
/// # Panics
/// If lengths differ.
pub fn backward(on: Machine, slope: f32, y: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert_eq!(
        [y.len(), dy.len()],
        [dx.len(); 2],
        "a gradient for each number"
    );
    let parts = dx.par_chunks_mut(PIECE).zip(y.par_chunks(PIECE));
    let parts = parts.zip(dy.par_chunks(PIECE));
    // SAFETY: equally long.
    parts.for_each(|((dx, y), dy)| unsafe { relu_mask(on.isa, slope, y, dy, dx) });
}

kernel! {
    /// [`backward`] on this thread.
    ///
    /// # Safety
    /// All slices must be equally long.
    fn relu_mask(slope: f32, y: &[f32], dy: &[f32], dx: &mut [f32]) = gate_with
}

#[inline(always)]
unsafe fn gate_with<S: Simd>(slope: f32, y: &[f32], dy: &[f32], dx: &mut [f32]) {
    // SAFETY: every address is that of `lanes` numbers from i on.
    unsafe {
        for i in (0..y.len()).step_by(LANES) {
            let lanes = (y.len() - i).min(LANES);
            let y = S::load_first(y.as_ptr().add(i), lanes);
            let dy = S::load_first(dy.as_ptr().add(i), lanes);
            let mut back = S::relu_mask(dy, y);
            if slope != 0.0 {
                back = S::mul_add(S::splat(slope), S::sub(dy, back), back);
            }
            S::store_first(dx.as_mut_ptr().add(i), back, lanes);
        }
    }
}
