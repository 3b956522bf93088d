//! What moves weights: one pass over weight, gradient and moments.

use rayon::prelude::*;

use crate::machine::Machine;
use crate::simd::{LANES, Simd, kernel};

/// Numbers that one piece of work goes through.
const PIECE: usize = 32 << 10;

/// `velocity ← momentum · velocity + scale · (gradient + decay · weight)`, then
/// `weight ← weight − rate · velocity`.
///
/// Before the first update the velocity is zero, which is what PyTorch's SGD starts with too.
#[derive(Clone, Copy, Debug)]
pub struct Momentum {
    /// Share of the velocity that stays.
    pub momentum: f64,
    /// Factor of the direction on its way into the velocity.
    pub scale: f64,
    /// Share of the weight that is added to its gradient.
    pub decay: f64,
    /// Factor of the velocity on its way into the weight.
    pub rate: f64,
}

impl Momentum {
    /// Moves `weight`.
    ///
    /// # Panics
    /// If lengths differ.
    pub fn step(&self, on: Machine, weight: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
        assert!(
            weight.len() == gradient.len() && weight.len() == velocity.len(),
            "a gradient and a velocity for each weight"
        );
        let parts = weight.par_chunks_mut(PIECE).zip(gradient.par_chunks(PIECE));
        let parts = parts.zip(velocity.par_chunks_mut(PIECE));
        parts.for_each(|((weight, gradient), velocity)| {
            // SAFETY: equally long.
            unsafe { momentum(on.isa, self, weight, gradient, velocity) };
        });
    }
}

/// Adam with decoupled weight decay: `mean` and `square` follow the gradient and its square with
/// the two `keep`s, then
/// `weight ← shrink · weight − rate · mean / (√(square · correction) + ε)`.
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    /// Shares of mean and square that stay, β₁ and β₂.
    pub keep: [f64; 2],
    /// `1 − learning rate · decay`.
    pub shrink: f64,
    /// Learning rate divided by `1 − β₁ᵗ`.
    pub rate: f64,
    /// `1 / (1 − β₂ᵗ)`.
    pub correction: f64,
    /// ε.
    pub epsilon: f64,
}

impl Adam {
    /// Moves `weight`.
    ///
    /// # Panics
    /// If lengths differ.
    pub fn step(
        &self,
        on: Machine,
        weight: &mut [f32],
        gradient: &[f32],
        mean: &mut [f32],
        square: &mut [f32],
    ) {
        let lens = [gradient.len(), mean.len(), square.len()];
        assert_eq!(
            lens,
            [weight.len(); 3],
            "a gradient and two moments for each weight"
        );
        let moments = mean.par_chunks_mut(PIECE).zip(square.par_chunks_mut(PIECE));
        let parts = weight.par_chunks_mut(PIECE).zip(gradient.par_chunks(PIECE));
        parts
            .zip(moments)
            .for_each(|((weight, gradient), (mean, square))| {
                // SAFETY: equally long.
                unsafe { adam(on.isa, self, weight, gradient, mean, square) };
            });
    }
}

/// `to ← momentum · to + (1 − momentum) · from`.
///
/// # Panics
/// If lengths differ.
pub fn follow(on: Machine, to: &mut [f32], from: &[f32], momentum: f64) {
    assert_eq!(to.len(), from.len(), "as many to follow as there are");
    let parts = to.par_chunks_mut(PIECE).zip(from.par_chunks(PIECE));
    parts.for_each(|(to, from)| {
        // SAFETY: equally long.
        unsafe { blend(on.isa, to, from, momentum) };
    });
}

kernel! {
    /// [`Momentum::step`] on this thread.
    ///
    /// # Safety
    /// All slices must be equally long.
    fn momentum(by: &Momentum, weight: &mut [f32], gradient: &[f32], velocity: &mut [f32])
        = momentum_with
}

#[inline(always)]
unsafe fn momentum_with<S: Simd>(
    by: &Momentum,
    weight: &mut [f32],
    gradient: &[f32],
    velocity: &mut [f32],
) {
    // SAFETY: every address is that of `lanes` numbers from i on.
    unsafe {
        let all = |x: f64| S::splat(x as f32);
        let (decay, momentum) = (all(by.decay), all(by.momentum));
        let (scale, rate) = (all(by.scale), all(-by.rate));
        for i in (0..weight.len()).step_by(LANES) {
            let lanes = (weight.len() - i).min(LANES);
            let w = S::load_first(weight.as_ptr().add(i), lanes);
            let g = S::load_first(gradient.as_ptr().add(i), lanes);
            let v = S::load_first(velocity.as_ptr().add(i), lanes);
            let direction = S::mul_add(w, decay, g);
            let kept = S::mul(v, momentum);
            let v = S::mul_add(direction, scale, kept);
            let w = S::mul_add(v, rate, w);
            S::store_first(velocity.as_mut_ptr().add(i), v, lanes);
            S::store_first(weight.as_mut_ptr().add(i), w, lanes);
        }
    }
}

kernel! {
    /// [`Adam::step`] on this thread.
    ///
    /// # Safety
    /// All slices must be equally long.
    fn adam(
        by: &Adam,
        weight: &mut [f32],
        gradient: &[f32],
        mean: &mut [f32],
        square: &mut [f32],
    ) = adam_with
}

#[inline(always)]
unsafe fn adam_with<S: Simd>(
    by: &Adam,
    weight: &mut [f32],
    gradient: &[f32],
    mean: &mut [f32],
    square: &mut [f32],
) {
    // SAFETY: every address is that of `lanes` numbers from i on.
    unsafe {
        let all = |x: f64| S::splat(x as f32);
        let keep = by.keep.map(all);
        let take = by.keep.map(|keep| all(1.0 - keep));
        let (correction, epsilon) = (all(by.correction), all(by.epsilon));
        let (shrink, rate) = (all(by.shrink), all(-by.rate));
        for i in (0..weight.len()).step_by(LANES) {
            let lanes = (weight.len() - i).min(LANES);
            let w = S::load_first(weight.as_ptr().add(i), lanes);
            let g = S::load_first(gradient.as_ptr().add(i), lanes);
            let m = S::load_first(mean.as_ptr().add(i), lanes);
            let v = S::load_first(square.as_ptr().add(i), lanes);
            let own = S::mul(g, take[0]);
            let m = S::mul_add(m, keep[0], own);
            let own = S::mul(S::mul(g, g), take[1]);
            let v = S::mul_add(v, keep[1], own);
            let root = S::sqrt(S::mul(v, correction));
            let step = S::div(m, S::add(root, epsilon));
            let w = S::mul_add(step, rate, S::mul(w, shrink));
            S::store_first(mean.as_mut_ptr().add(i), m, lanes);
            S::store_first(square.as_mut_ptr().add(i), v, lanes);
            S::store_first(weight.as_mut_ptr().add(i), w, lanes);
        }
    }
}

kernel! {
    /// [`follow`] on this thread.
    ///
    /// # Safety
    /// Both slices must be equally long.
    fn blend(to: &mut [f32], from: &[f32], momentum: f64) = blend_with
}

#[inline(always)]
unsafe fn blend_with<S: Simd>(to: &mut [f32], from: &[f32], momentum: f64) {
    // SAFETY: every address is that of `lanes` numbers from i on.
    unsafe {
        let (keep, take) = (S::splat(momentum as f32), S::splat((1.0 - momentum) as f32));
        for i in (0..to.len()).step_by(LANES) {
            let lanes = (to.len() - i).min(LANES);
            let own = S::load_first(to.as_ptr().add(i), lanes);
            let other = S::load_first(from.as_ptr().add(i), lanes);
            let other = S::mul(other, take);
            let mixed = S::mul_add(own, keep, other);
            S::store_first(to.as_mut_ptr().add(i), mixed, lanes);
        }
    }
}
