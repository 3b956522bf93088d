//! Normalisation of each row by its own mean and variance (Ba et al. 2016, arXiv:1607.06450).

use rayon::prelude::*;

use crate::buffer::{Buffer, volume};
use crate::machine::Machine;
use crate::norm::{GainBias, piece};
use crate::simd::{LANES, Simd, kernel};

/// Mean and `1 / √(variance + ε)` of each row, for the backward pass.
#[derive(Clone, Debug)]
pub struct Rows {
    mean: Buffer,
    inverse: Buffer,
}

/// `out = gain (x − mean) / √(variance + ε) + bias` for each row of `x [n, c]`; gain and bias by
/// channel.
///
/// # Panics
/// If lengths differ.
pub fn forward(
    on: Machine,
    x: &[f32],
    gain: &[f32],
    bias: &[f32],
    epsilon: f32,
    out: &mut [f32],
) -> Rows {
    let channels = gain.len();
    assert!(
        bias.len() == channels && x.len().is_multiple_of(channels) && out.len() == x.len(),
        "lengths of rows and channels"
    );
    let n = x.len() / channels;
    let (mut mean, mut inverse) = (Buffer::any(n), Buffer::any(n));
    let piece = piece(channels);
    let rows = piece / channels;
    let found = mean.par_chunks_mut(rows).zip(inverse.par_chunks_mut(rows));
    let parts = x.par_chunks(piece).zip(out.par_chunks_mut(piece));
    parts.zip(found).for_each(|((x, out), (mean, inverse))| {
        // SAFETY: whole rows of equal length, and a mean for each.
        unsafe { normalise(on.isa, x, gain, bias, epsilon, out, mean, inverse) };
    });
    Rows { mean, inverse }
}

/// The gradient for `x`, and those for gain and bias, from that for the output.
///
/// # Panics
/// If lengths differ.
pub fn backward(
    on: Machine,
    x: &[f32],
    gain: &[f32],
    rows: &Rows,
    dy: &[f32],
    dx: &mut [f32],
) -> GainBias {
    let channels = gain.len();
    assert!(
        volume(&[rows.mean.len(), channels]) == x.len() && [dy.len(), dx.len()] == [x.len(); 2],
        "lengths of rows and channels"
    );
    let piece = piece(channels);
    let found = rows.mean.par_chunks(piece / channels);
    let found = found.zip(rows.inverse.par_chunks(piece / channels));
    let parts = x.par_chunks(piece).zip(dy.par_chunks(piece));
    let parts = parts.zip(dx.par_chunks_mut(piece)).zip(found);
    let sums: Vec<GainBias> = parts
        .map(|(((x, dy), dx), (mean, inverse))| {
            let mut sums = GainBias {
                gain: vec![0.0; channels],
                bias: vec![0.0; channels],
            };
            let GainBias { gain: g, bias: b } = &mut sums;
            // SAFETY: whole rows of equal length, and a mean for each.
            unsafe { back(on.isa, x, gain, mean, inverse, dy, dx, g, b) };
            sums
        })
        .collect();
    let mut all = GainBias {
        gain: vec![0.0; channels],
        bias: vec![0.0; channels],
    };
    for part in sums {
        let add =
            |all: &mut [f32], part: &[f32]| all.iter_mut().zip(part).for_each(|(a, b)| *a += b);
        add(&mut all.gain, &part.gain);
        add(&mut all.bias, &part.bias);
    }
    all
}

kernel! {
    /// [`forward`] of some rows.
    ///
    /// # Safety
    /// `x` and `out` must be as many whole rows of `gain.len()` as there are means and inverses.
    fn normalise(
        x: &[f32],
        gain: &[f32],
        bias: &[f32],
        epsilon: f32,
        out: &mut [f32],
        mean: &mut [f32],
        inverse: &mut [f32],
    ) = normalise_with
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn normalise_with<S: Simd>(
    x: &[f32],
    gain: &[f32],
    bias: &[f32],
    epsilon: f32,
    out: &mut [f32],
    mean: &mut [f32],
    inverse: &mut [f32],
) {
    let channels = gain.len();
    let share = 1.0 / channels as f32;
    // SAFETY: every address is that of `lanes` numbers of row i, channel c.
    unsafe {
        for i in 0..mean.len() {
            let row = x.as_ptr().add(i * channels);
            let mut sums = S::splat(0.0);
            for c in (0..channels).step_by(LANES) {
                let lanes = (channels - c).min(LANES);
                sums = S::add(sums, S::load_first(row.add(c), lanes));
            }
            let center = S::sum(sums) * share;
            let mut squares = S::splat(0.0);
            for c in (0..channels).step_by(LANES) {
                let lanes = (channels - c).min(LANES);
                let off = S::sub(S::load_first(row.add(c), lanes), S::splat(center));
                // Beyond the last channel there is nothing, not minus the mean.
                let off = S::replace_rest(off, lanes, 0.0);
                squares = S::mul_add(off, off, squares);
            }
            let scale = 1.0 / (S::sum(squares) * share + epsilon).sqrt();
            (mean[i], inverse[i]) = (center, scale);
            for c in (0..channels).step_by(LANES) {
                let lanes = (channels - c).min(LANES);
                let off = S::sub(S::load_first(row.add(c), lanes), S::splat(center));
                let gain = S::load_first(gain.as_ptr().add(c), lanes);
                let bias = S::load_first(bias.as_ptr().add(c), lanes);
                let value = S::mul_add(S::mul(off, S::splat(scale)), gain, bias);
                S::store_first(out.as_mut_ptr().add(i * channels + c), value, lanes);
            }
        }
    }
}

kernel! {
    /// [`backward`] of some rows; adds to the gradients for gain and bias.
    ///
    /// # Safety
    /// `x`, `dy` and `dx` must be as many whole rows of `gain.len()` as there are means and
    /// inverses, and the gradients for gain and bias as long as the gain.
    fn back(
        x: &[f32],
        gain: &[f32],
        mean: &[f32],
        inverse: &[f32],
        dy: &[f32],
        dx: &mut [f32],
        to_gain: &mut [f32],
        to_bias: &mut [f32],
    ) = back_with
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn back_with<S: Simd>(
    x: &[f32],
    gain: &[f32],
    mean: &[f32],
    inverse: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    to_gain: &mut [f32],
    to_bias: &mut [f32],
) {
    let channels = gain.len();
    let share = 1.0 / channels as f32;
    // SAFETY: every address is that of `lanes` numbers of row i, channel c. Beyond the last
    // channel gradients and gains are zero.
    unsafe {
        for i in 0..mean.len() {
            let at = i * channels;
            let (center, scale) = (S::splat(mean[i]), S::splat(inverse[i]));
            let hat = |c: usize, lanes: usize| {
                let x = S::load_first(x.as_ptr().add(at + c), lanes);
                S::mul(S::sub(x, center), scale)
            };
            let (mut sums, mut moments) = (S::splat(0.0), S::splat(0.0));
            for c in (0..channels).step_by(LANES) {
                let lanes = (channels - c).min(LANES);
                let hat = hat(c, lanes);
                let dy = S::load_first(dy.as_ptr().add(at + c), lanes);
                let scaled = S::mul(dy, S::load_first(gain.as_ptr().add(c), lanes));
                sums = S::add(sums, scaled);
                moments = S::mul_add(scaled, hat, moments);
                let (g, b) = (to_gain.as_mut_ptr().add(c), to_bias.as_mut_ptr().add(c));
                S::store_first(g, S::mul_add(dy, hat, S::load_first(g, lanes)), lanes);
                S::store_first(b, S::add(dy, S::load_first(b, lanes)), lanes);
            }
            let sums = S::splat(-S::sum(sums) * share);
            let moments = S::splat(-S::sum(moments) * share);
            for c in (0..channels).step_by(LANES) {
                let lanes = (channels - c).min(LANES);
                let dy = S::load_first(dy.as_ptr().add(at + c), lanes);
                let gain = S::load_first(gain.as_ptr().add(c), lanes);
                let value = S::mul_add(dy, gain, S::mul_add(hat(c, lanes), moments, sums));
                S::store_first(dx.as_mut_ptr().add(at + c), S::mul(value, scale), lanes);
            }
        }
    }
}
