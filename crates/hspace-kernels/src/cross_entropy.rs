//! Log-likelihood of values in 0..1 under a Bernoulli distribution each, given by its logit.

use rayon::prelude::*;

use crate::functions::{exp, log_one_plus, logistic};
use crate::machine::Machine;
use crate::partition;
use crate::simd::{LANES, Simd, kernel};

/// `out[i] = Σ_j x l − log(1 + eˡ)` over the `columns` numbers of row i of `logits` and `x`.
///
/// # Panics
/// If lengths differ.
pub fn forward(on: Machine, logits: &[f32], x: &[f32], columns: usize, out: &mut [f32]) {
    assert_eq!(
        [logits.len(), x.len()],
        [out.len() * columns; 2],
        "a row for each result"
    );
    let rows = logits.par_chunks(columns).zip(x.par_chunks(columns));
    let rows = out.par_iter_mut().zip(rows);
    rows.with_min_len(partition::least(columns))
        // SAFETY: equally long.
        .for_each(|(out, (logits, x))| unsafe { row(on.isa, logits, x, out) });
}

/// `dl = dout[i] (x − 1 / (1 + e⁻ˡ))` for the numbers of row i.
///
/// # Panics
/// If lengths differ.
pub fn backward(
    on: Machine,
    logits: &[f32],
    x: &[f32],
    columns: usize,
    dout: &[f32],
    dl: &mut [f32],
) {
    assert_eq!(
        [logits.len(), x.len(), dl.len()],
        [dout.len() * columns; 3],
        "a gradient for each row"
    );
    let rows = logits.par_chunks(columns).zip(x.par_chunks(columns));
    let rows = dl.par_chunks_mut(columns).zip(rows).zip(dout);
    rows.with_min_len(partition::least(columns))
        .for_each(|((dl, (logits, x)), dout)| {
            // SAFETY: equally long.
            unsafe { slopes(on.isa, logits, x, *dout, dl) };
        });
}

kernel! {
    /// [`forward`] of one row.
    ///
    /// # Safety
    /// Both slices must be equally long.
    fn row(logits: &[f32], x: &[f32], out: &mut f32) = row_with
}

#[inline(always)]
unsafe fn row_with<S: Simd>(logits: &[f32], x: &[f32], out: &mut f32) {
    // SAFETY: every address is that of `lanes` numbers from i on.
    unsafe {
        let zero = S::splat(0.0);
        let mut sum = zero;
        for i in (0..x.len()).step_by(LANES) {
            let lanes = (x.len() - i).min(LANES);
            let l = S::load_first(logits.as_ptr().add(i), lanes);
            let x = S::load_first(x.as_ptr().add(i), lanes);
            // log(1 + eˡ) = max(l, 0) + log(1 + e^−|l|)
            let above = S::max(zero, l);
            let size = S::add(above, S::max(zero, S::sub(zero, l)));
            let rest = log_one_plus::<S>(exp::<S>(S::sub(zero, size)));
            let value = S::sub(S::sub(S::mul(x, l), above), rest);
            let value = if lanes < LANES {
                S::replace_rest(value, lanes, 0.0)
            } else {
                value
            };
            sum = S::add(sum, value);
        }
        *out = S::sum(sum);
    }
}

kernel! {
    /// [`backward`] of one row.
    ///
    /// # Safety
    /// All slices must be equally long.
    fn slopes(logits: &[f32], x: &[f32], dout: f32, dl: &mut [f32]) = slopes_with
}

#[inline(always)]
unsafe fn slopes_with<S: Simd>(logits: &[f32], x: &[f32], dout: f32, dl: &mut [f32]) {
    // SAFETY: every address is that of `lanes` numbers from i on.
    unsafe {
        for i in (0..x.len()).step_by(LANES) {
            let lanes = (x.len() - i).min(LANES);
            let l = S::load_first(logits.as_ptr().add(i), lanes);
            let x = S::load_first(x.as_ptr().add(i), lanes);
            let slope = S::mul(S::splat(dout), S::sub(x, logistic::<S>(l)));
            S::store_first(dl.as_mut_ptr().add(i), slope, lanes);
        }
    }
}
