//! Softmax attention `softmax(Q Kᵀ / √e) V` of several heads (Vaswani et al. 2017,
//! arXiv:1706.03762).
//!
//! Queries, keys and values come side by side, as one linear layer gives them: `[n, t, 3, h, e]`.
//! Scores are never written to memory as a whole: a head's are computed, used and forgotten, and
//! computed again on the backward pass.

use rayon::prelude::*;

use crate::buffer::volume;
use crate::functions::exp;
use crate::machine::Machine;
use crate::product::{Matrix, Sizes, serial};
use crate::scratch::Scratch;
use crate::simd::{LANES, Simd, kernel};

/// Shapes of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Sequences.
    pub n: usize,
    /// Tokens of a sequence.
    pub tokens: usize,
    /// Heads.
    pub heads: usize,
    /// Numbers that a head has for a token.
    pub size: usize,
}

impl Attention {
    /// Numbers that all heads have for a token.
    ///
    /// # Panics
    /// If they are more than can be counted.
    pub fn dim(&self) -> usize {
        volume(&[self.heads, self.size])
    }

    /// Numbers of the output, `n · tokens · heads · size`.
    ///
    /// # Panics
    /// If they are more than can be counted.
    pub fn output_len(&self) -> usize {
        volume(&[self.n, self.tokens, self.heads, self.size])
    }

    fn check(&self, qkv: usize, out: usize) {
        assert!(
            self.output_len() > 0,
            "an attention without outputs: {self:?}"
        );
        assert_eq!(
            (qkv, out),
            (volume(&[3, self.output_len()]), self.output_len()),
            "lengths for {self:?}"
        );
    }

    /// From one row of scores to the next.
    fn step(&self) -> usize {
        self.tokens.next_multiple_of(LANES)
    }

    fn scale(&self) -> f32 {
        1.0 / (self.size as f32).sqrt()
    }

    /// A head's queries (0), keys (1) or values (2) of a sequence.
    fn part<'a>(&self, sequence: &'a [f32], which: usize, head: usize) -> Matrix<'a> {
        let from = which * self.dim() + head * self.size;
        Matrix::rows(&sequence[from..], 3 * self.dim())
    }

    /// A head's part of a sequence's output.
    fn own<'a>(&self, output: &'a [f32], head: usize) -> Matrix<'a> {
        Matrix::rows(&output[head * self.size..], self.dim())
    }

    /// A head's weights, `[tokens, step]`.
    fn weights(&self, on: Machine, sequence: &[f32], head: usize) -> Scratch {
        let (t, step) = (self.tokens, self.step());
        let mut scores = Scratch::any(volume(&[t, step]));
        let (q, k) = (self.part(sequence, 0, head), self.part(sequence, 1, head));
        multiply(on, [t, self.size, t], q, k.transposed(), &mut scores, step);
        // SAFETY: `t` rows of `step` numbers.
        unsafe { softmax(on.isa, &mut scores, t, step, self.scale()) };
        scores
    }
}

/// `a b` to rows of `c` that start `step` numbers apart.
fn multiply(on: Machine, sizes: [usize; 3], a: Matrix, b: Matrix, c: &mut [f32], step: usize) {
    let [rows, depth, columns] = sizes;
    let sizes = Sizes {
        rows,
        depth,
        columns,
    };
    serial(on, sizes, a, b, c, step);
}

/// Attention of `qkv [n, t, 3, h, e]` to `out [n, t, h, e]`.
///
/// # Panics
/// If a slice is not as long as `shape` says.
pub fn forward(on: Machine, shape: &Attention, qkv: &[f32], out: &mut [f32]) {
    shape.check(qkv.len(), out.len());
    let len = shape.tokens * shape.dim();
    let sequences = qkv.par_chunks(3 * len).zip(out.par_chunks_mut(len));
    sequences.with_max_len(1).for_each(|(qkv, out)| {
        let Attention { tokens, size, .. } = *shape;
        for head in 0..shape.heads {
            let weights = shape.weights(on, qkv, head);
            let weights = Matrix::rows(&weights, shape.step());
            let out = &mut out[head * size..];
            let values = shape.part(qkv, 2, head);
            multiply(
                on,
                [tokens, tokens, size],
                weights,
                values,
                out,
                shape.dim(),
            );
        }
    });
}

/// The gradient for `qkv`, from that for the output.
///
/// # Panics
/// If a slice is not as long as `shape` says.
pub fn backward(on: Machine, shape: &Attention, qkv: &[f32], dout: &[f32], dqkv: &mut [f32]) {
    shape.check(qkv.len(), dout.len());
    shape.check(dqkv.len(), dout.len());
    let len = shape.tokens * shape.dim();
    let sequences = qkv.par_chunks(3 * len).zip(dout.par_chunks(len));
    let sequences = sequences.zip(dqkv.par_chunks_mut(3 * len));
    sequences.with_max_len(1).for_each(|((qkv, dout), dqkv)| {
        let Attention {
            tokens: t, size: e, ..
        } = *shape;
        let step = shape.step();
        for head in 0..shape.heads {
            let weights = shape.weights(on, qkv, head);
            let own = shape.own(dout, head);
            let [q, k, v] = [0, 1, 2].map(|which| shape.part(qkv, which, head));
            let mut scores = Scratch::any(volume(&[t, step]));
            multiply(on, [t, e, t], own, v.transposed(), &mut scores, step);
            // SAFETY: both are `t` rows of `step` numbers.
            unsafe { softmax_back(on.isa, &weights, &mut scores, t, step, shape.scale()) };
            let (weights, scores) = (Matrix::rows(&weights, step), Matrix::rows(&scores, step));
            let row = 3 * shape.dim();
            let at = |which: usize| which * shape.dim() + head * e;
            multiply(on, [t, t, e], scores, k, &mut dqkv[at(0)..], row);
            multiply(
                on,
                [t, t, e],
                scores.transposed(),
                q,
                &mut dqkv[at(1)..],
                row,
            );
            multiply(
                on,
                [t, t, e],
                weights.transposed(),
                own,
                &mut dqkv[at(2)..],
                row,
            );
        }
    });
}

kernel! {
    /// `scores ← softmax(scale · scores)` of each row's first `width` numbers, zeros beyond.
    ///
    /// # Safety
    /// `scores` must be `width` rows of `step` numbers, a multiple of [`LANES`] that is less than
    /// [`LANES`] above `width`.
    fn softmax(scores: &mut [f32], width: usize, step: usize, scale: f32) = softmax_with
}

#[inline(always)]
unsafe fn softmax_with<S: Simd>(scores: &mut [f32], width: usize, step: usize, scale: f32) {
    // SAFETY: every address is that of a vector of row i.
    unsafe {
        let rest = LANES - (step - width);
        for row in scores[..width * step].chunks_exact_mut(step) {
            let row = row.as_mut_ptr();
            let end = row.add(step - LANES);
            S::store(end, S::replace_rest(S::load(end), rest, f32::NEG_INFINITY));
            let mut top = S::load(row);
            for c in (LANES..step).step_by(LANES) {
                top = S::max(top, S::load(row.add(c)));
            }
            let top = S::splat(S::largest(top));
            let mut sums = S::splat(0.0);
            for c in (0..step).step_by(LANES) {
                // The difference first: however it is rounded, it is not above 0.
                let below = S::sub(S::load(row.add(c)), top);
                let value = exp::<S>(S::mul(below, S::splat(scale)));
                sums = S::add(sums, value);
                S::store(row.add(c), value);
            }
            let share = S::splat(1.0 / S::sum(sums));
            for c in (0..step).step_by(LANES) {
                S::store(row.add(c), S::mul(S::load(row.add(c)), share));
            }
            S::store(end, S::replace_rest(S::load(end), rest, 0.0));
        }
    }
}

kernel! {
    /// From the gradients for the weights to those for the scores, in place.
    ///
    /// # Safety
    /// Both must be as [`softmax`] leaves them.
    fn softmax_back(weights: &[f32], gradients: &mut [f32], width: usize, step: usize, scale: f32)
        = softmax_back_with
}

#[inline(always)]
unsafe fn softmax_back_with<S: Simd>(
    weights: &[f32],
    gradients: &mut [f32],
    width: usize,
    step: usize,
    scale: f32,
) {
    // SAFETY: every address is that of a vector of row i.
    unsafe {
        let rest = LANES - (step - width);
        let rows = gradients[..width * step].chunks_exact_mut(step);
        for (weights, row) in weights.chunks_exact(step).zip(rows) {
            let end = row.as_mut_ptr().add(step - LANES);
            S::store(end, S::replace_rest(S::load(end), rest, 0.0));
            let mut sums = S::splat(0.0);
            for c in (0..step).step_by(LANES) {
                let weights = S::load(weights.as_ptr().add(c));
                sums = S::mul_add(weights, S::load(row.as_ptr().add(c)), sums);
            }
            let common = S::splat(S::sum(sums));
            for c in (0..step).step_by(LANES) {
                let weights = S::mul(S::load(weights.as_ptr().add(c)), S::splat(scale));
                let place = row.as_mut_ptr().add(c);
                S::store(place, S::mul(weights, S::sub(S::load(place), common)));
            }
        }
    }
}
