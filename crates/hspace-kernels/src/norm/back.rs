//! The backward pass through batch normalisation and the ReLU after it.
//!
//! Two passes: [`Normalised::relu_backward_sums`] stops the gradients where the ReLU was closed and adds up what the
//! batch's statistics need; [`Back`] then gives any rows of the gradient for what was normalised.

use std::ops::Range;

use rayon::prelude::*;

use super::{marks_of, part, piece};
use crate::fetch::Area;
use crate::machine::Machine;
use crate::simd::{LANES, Simd, kernel};

/// What went through a normalisation.
#[derive(Clone, Copy)]
pub struct Normalised<'a> {
    /// What was normalised, `[rows, c]`.
    pub y: &'a [f32],
    /// Its mean by channel.
    pub mean: &'a [f32],
    /// `1 / sqrt(variance + ε)` by channel.
    pub inverse: &'a [f32],
    /// The gain γ by channel.
    pub gain: &'a [f32],
    /// Whether a ReLU followed.
    pub relu_mask: ReluMask<'a>,
}

/// What a gradient passes through before it reaches the normalisation.
#[derive(Clone, Copy)]
pub enum ReluMask<'a> {
    /// Nothing.
    Open,
    /// A ReLU that left these marks.
    Marks(&'a [u16]),
    /// A ReLU right after the normalisation, whose outputs are positive where
    /// `scale · y + shift` is.
    Line {
        /// By channel.
        scale: &'a [f32],
        /// By channel.
        shift: &'a [f32],
    },
}

/// By channel, of some rows: the masked gradients, and their products with the distance of what was
/// normalised from its mean.
pub(crate) struct MaskedSums {
    gradients: Vec<f32>,
    moments: Vec<f32>,
}

/// The sums of all rows, in parts whose order does not depend on which thread found which.
pub struct PartialSums(pub(crate) Vec<MaskedSums>);

impl Normalised<'_> {
    pub(crate) fn check(&self, len: usize) {
        let channels = self.mean.len();
        assert!(
            self.inverse.len() == channels
                && self.gain.len() == channels
                && self.y.len() == len
                && len.is_multiple_of(channels)
                && match self.relu_mask {
                    ReluMask::Open => true,
                    ReluMask::Marks(marks) => marks.len() == marks_of(len, channels),
                    ReluMask::Line { scale, shift } => {
                        scale.len() == channels && shift.len() == channels
                    }
                },
            "lengths of rows and channels"
        );
    }

    /// Sets to 0 what the ReLU mask stops of the gradients for the numbers `within`, whole rows, and adds
    /// up the rest.
    pub(crate) fn relu_backward_sums_of_rows(
        &self,
        on: Machine,
        gradients: &mut [f32],
        within: Range<usize>,
    ) -> MaskedSums {
        let channels = self.mean.len();
        let (y, relu_mask) = (
            &self.y[within.clone()],
            self.relu_mask.within(within, channels),
        );
        assert_eq!(y.len(), gradients.len(), "gradients for some rows");
        let mut sums = MaskedSums {
            gradients: vec![0.0; channels],
            moments: vec![0.0; channels],
        };
        let MaskedSums {
            gradients: sum,
            moments,
        } = &mut sums;
        self.check(self.y.len());
        // SAFETY: whole rows of equal length, and a number per channel where there must be one, as was checked.
        unsafe { mask_and_sum(on.isa, gradients, y, relu_mask, self.mean, sum, moments) };
        sums
    }

    /// Sets to 0 what the ReLU mask stops of the gradients for the block's outputs, and adds up the rest.
    ///
    /// # Panics
    /// If lengths differ.
    pub fn relu_backward_sums(&self, on: Machine, gradients: &mut [f32]) -> PartialSums {
        self.check(gradients.len());
        let piece = piece(self.mean.len());
        let pieces = gradients.par_chunks_mut(piece).enumerate();
        let sums = pieces.map(|(i, part)| {
            let within = i * piece..i * piece + part.len();
            self.relu_backward_sums_of_rows(on, part, within)
        });
        PartialSums(sums.collect())
    }
}

/// Gradients for gain and bias, `[c]` each.
#[derive(Clone, Debug)]
pub struct GainBias {
    /// For the gain.
    pub gain: Vec<f32>,
    /// For the bias.
    pub bias: Vec<f32>,
}

/// The backward pass through batch normalisation with batch statistics, once the sums over the batch are
/// known: the gradient for what was normalised, for any of its rows.
pub struct Back<'a> {
    on: Machine,
    done: Normalised<'a>,
    dz: &'a [f32],
    alpha: Vec<f32>,
    beta: Vec<f32>,
    delta: Vec<f32>,
}

impl<'a> Back<'a> {
    /// From the gradients `dz` behind the ReLU mask and their sums, as [`Normalised::relu_backward_sums`] leaves them;
    /// with it come the gradients for gain and bias.
    ///
    /// # Panics
    /// If lengths differ.
    pub fn new(
        on: Machine,
        done: Normalised<'a>,
        dz: &'a [f32],
        sums: &PartialSums,
    ) -> (Back<'a>, GainBias) {
        done.check(dz.len());
        let channels = done.mean.len();
        let fits = |part: &MaskedSums| part.gradients.len() == channels;
        assert!(sums.0.iter().all(fits), "sums of other channels");
        let (mut bias, mut gain) = (vec![0.0f64; channels], vec![0.0f64; channels]);
        let add = |all: &mut [f64], part: &[f32]| {
            let pairs = all.iter_mut().zip(part);
            pairs.for_each(|(all, &part)| *all += f64::from(part));
        };
        for part in &sums.0 {
            add(&mut bias, &part.gradients);
            add(&mut gain, &part.moments);
        }
        let scaled = gain.iter().zip(done.inverse);
        let gain: Vec<f32> = scaled.map(|(&g, &i)| (g * f64::from(i)) as f32).collect();
        let bias: Vec<f32> = bias.iter().map(|&b| b as f32).collect();
        // dy = α dz + β (y − mean) + δ
        let count = (dz.len() / channels) as f32;
        let by_channel = |f: &dyn Fn(usize) -> f32| (0..channels).map(f).collect::<Vec<f32>>();
        let alpha = by_channel(&|c| done.gain[c] * done.inverse[c]);
        let back = Back {
            on,
            done,
            dz,
            beta: by_channel(&|c| -alpha[c] * done.inverse[c] * gain[c] / count),
            delta: by_channel(&|c| -alpha[c] * bias[c] / count),
            alpha,
        };
        (back, GainBias { gain, bias })
    }

    /// # Panics
    /// If what was normalised is not `len` numbers of so many `channels`.
    pub(crate) fn check(&self, len: usize, channels: usize) {
        assert_eq!(
            (self.dz.len(), self.alpha.len()),
            (len, channels),
            "numbers and channels of what was normalised"
        );
    }

    /// The gradient for the numbers `within`, whole rows, of what was normalised.
    pub(crate) fn rows(&self, within: Range<usize>, dy: &mut [f32]) {
        let line = Line {
            mean: self.done.mean,
            alpha: &self.alpha,
            beta: &self.beta,
            delta: &self.delta,
        };
        let (dz, y) = (&self.dz[within.clone()], &self.done.y[within]);
        assert_eq!(dy.len(), dz.len(), "lengths of rows");
        // SAFETY: whole rows of equal length everywhere.
        unsafe { gradient_rows(self.on.isa, dz, y, line, dy) };
    }

    /// What [`Self::rows`] will read.
    pub(crate) fn reads(&self, within: Range<usize>) -> [Area; 2] {
        [&self.dz[within.clone()], &self.done.y[within]].map(Area::read_later)
    }

    /// The gradient for all of what was normalised.
    ///
    /// # Panics
    /// If lengths differ.
    pub fn all(&self, dy: &mut [f32]) {
        let piece = piece(self.alpha.len());
        let parts = dy.par_chunks_mut(piece).enumerate();
        parts.for_each(|(i, dy)| self.rows(i * piece..i * piece + dy.len(), dy));
    }
}

impl<'a> ReluMask<'a> {
    /// The same for some rows, the numbers `within`.
    fn within(self, within: std::ops::Range<usize>, channels: usize) -> ReluMask<'a> {
        match self {
            ReluMask::Marks(marks) => {
                let at = |number| marks_of(number, channels);
                ReluMask::Marks(&marks[at(within.start)..at(within.end)])
            }
            other => other,
        }
    }

    /// `dz` where the ReLU mask is open, else 0: of the numbers of row `i` of channels `c` and on, whose
    /// normalisation began with `y`.
    ///
    /// # Safety
    /// There must be such a row of so many `channels`.
    #[inline(always)]
    unsafe fn apply<S: Simd>(self, dz: S::V, y: S::V, i: usize, c: usize, channels: usize) -> S::V {
        // SAFETY: by the contract.
        unsafe {
            match self {
                ReluMask::Open => dz,
                ReluMask::Marks(marks) => {
                    let mark = i * channels.div_ceil(LANES) + c / LANES;
                    S::keep(dz, *marks.get_unchecked(mark))
                }
                ReluMask::Line { scale, shift } => {
                    let (scale, shift) = (part::<S>(scale, c), part::<S>(shift, c));
                    S::relu_mask(dz, S::mul_add(y, scale, shift))
                }
            }
        }
    }
}

/// Rows in flight, so that additions need not wait for one another.
pub(crate) const FLIGHT: usize = 4;

/// For each of `n` rows `i` the block, with the number `v` of its sum: rows take the sums of [`FLIGHT`] in turn. `v`
/// is known when it is compiled, so that the sums stay in registers. (A macro, since closures lose the
/// instructions that the function around them may use.)
macro_rules! in_flight {
    ($n:expr, |$i:ident, $v:ident| $block:block) => {
        let whole = $n - $n % FLIGHT;
        for first in (0..whole).step_by(FLIGHT) {
            for $v in 0..FLIGHT {
                let $i = first + $v;
                $block
            }
        }
        for $v in 0..FLIGHT - 1 {
            let $i = whole + $v;
            if $i < $n {
                $block
            }
        }
    };
}
pub(crate) use in_flight;

#[inline(always)]
pub(crate) unsafe fn total<S: Simd>(sums: [S::V; FLIGHT]) -> S::V {
    // SAFETY: arithmetic alone.
    unsafe { S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3])) }
}

kernel! {
    /// Sets to 0 what the ReLU mask stops; adds up, by channel, the rest and its products with the distance
    /// of `y` from its mean.
    ///
    /// # Safety
    /// All are whole rows of equal length; `mean`, `sum` and `moment` have a number per channel.
    fn mask_and_sum(
        gradients: &mut [f32],
        y: &[f32],
        relu_mask: ReluMask,
        mean: &[f32],
        sum: &mut [f32],
        moment: &mut [f32],
    ) = gate_and_sum_with
}

#[inline(always)]
unsafe fn gate_and_sum_with<S: Simd>(
    gradients: &mut [f32],
    y: &[f32],
    relu_mask: ReluMask,
    mean: &[f32],
    sum: &mut [f32],
    moment: &mut [f32],
) {
    // The kind of ReLU mask is decided here, once, and not for every vector.
    // SAFETY: as promised.
    unsafe {
        match relu_mask {
            ReluMask::Open => gate_and_sum_at::<S>(gradients, y, ReluMask::Open, mean, sum, moment),
            ReluMask::Marks(marks) => {
                gate_and_sum_at::<S>(gradients, y, ReluMask::Marks(marks), mean, sum, moment);
            }
            ReluMask::Line { scale, shift } => {
                let relu_mask = ReluMask::Line { scale, shift };
                gate_and_sum_at::<S>(gradients, y, relu_mask, mean, sum, moment);
            }
        }
    }
}

#[inline(always)]
unsafe fn gate_and_sum_at<S: Simd>(
    gradients: &mut [f32],
    y: &[f32],
    relu_mask: ReluMask,
    mean: &[f32],
    sum: &mut [f32],
    moment: &mut [f32],
) {
    let channels = mean.len();
    let n = gradients.len() / channels;
    let mut c = 0;
    // SAFETY: every address is that of `lanes` numbers of row i, channel c.
    unsafe {
        while c < channels {
            let whole = channels - c >= FLIGHT * LANES;
            if whole {
                // Several vectors of a row at once: memory is read as it lies.
                let mut center = [S::splat(0.0); FLIGHT];
                for (v, center) in center.iter_mut().enumerate() {
                    *center = S::load(mean.as_ptr().add(c + v * LANES));
                }
                let mut sums = [S::splat(0.0); FLIGHT];
                let mut moments = [S::splat(0.0); FLIGHT];
                for i in 0..n {
                    for v in 0..FLIGHT {
                        let (c, at) = (c + v * LANES, i * channels + c + v * LANES);
                        let y = S::load(y.as_ptr().add(at));
                        let here = gradients.as_mut_ptr().add(at);
                        let dz = relu_mask.apply::<S>(S::load(here), y, i, c, channels);
                        if !matches!(relu_mask, ReluMask::Open) {
                            S::store(here, dz);
                        }
                        sums[v] = S::add(sums[v], dz);
                        moments[v] = S::mul_add(dz, S::sub(y, center[v]), moments[v]);
                    }
                }
                for v in 0..FLIGHT {
                    S::store(sum.as_mut_ptr().add(c + v * LANES), sums[v]);
                    S::store(moment.as_mut_ptr().add(c + v * LANES), moments[v]);
                }
                c += FLIGHT * LANES;
                continue;
            }
            let lanes = (channels - c).min(LANES);
            let center = S::load_first(mean.as_ptr().add(c), lanes);
            let mut sums = [S::splat(0.0); FLIGHT];
            let mut moments = [S::splat(0.0); FLIGHT];
            in_flight!(n, |i, v| {
                let at = i * channels + c;
                let y = S::load_first(y.as_ptr().add(at), lanes);
                let here = gradients.as_mut_ptr().add(at);
                let dz = relu_mask.apply::<S>(S::load_first(here, lanes), y, i, c, channels);
                if !matches!(relu_mask, ReluMask::Open) {
                    S::store_first(here, dz, lanes);
                }
                sums[v] = S::add(sums[v], dz);
                moments[v] = S::mul_add(dz, S::sub(y, center), moments[v]);
            });
            S::store_first(sum.as_mut_ptr().add(c), total::<S>(sums), lanes);
            S::store_first(moment.as_mut_ptr().add(c), total::<S>(moments), lanes);
            c += LANES;
        }
    }
}

/// `dy = alpha · dz + beta · (y − mean) + delta`, all by channel.
#[derive(Clone, Copy)]
struct Line<'a> {
    mean: &'a [f32],
    alpha: &'a [f32],
    beta: &'a [f32],
    delta: &'a [f32],
}

kernel! {
    /// The gradient for what was normalised.
    ///
    /// # Safety
    /// All are whole rows of equal length; the line's parts have a number per channel.
    fn gradient_rows(dz: &[f32], y: &[f32], line: Line, dy: &mut [f32]) = gradient_rows_with
}

#[inline(always)]
unsafe fn gradient_rows_with<S: Simd>(dz: &[f32], y: &[f32], line: Line, dy: &mut [f32]) {
    let channels = line.mean.len();
    // SAFETY: every address is that of `lanes` numbers of row i, channel c.
    unsafe {
        for i in 0..dz.len() / channels {
            for c in (0..channels).step_by(LANES) {
                let lanes = (channels - c).min(LANES);
                let at = i * channels + c;
                let of = |part: &[f32]| S::load_first(part.as_ptr().add(c), lanes);
                let y = S::load_first(y.as_ptr().add(at), lanes);
                let dz = S::load_first(dz.as_ptr().add(at), lanes);
                let distance = S::sub(y, of(line.mean));
                let value = S::mul_add(distance, of(line.beta), of(line.delta));
                let value = S::mul_add(dz, of(line.alpha), value);
                S::store_first(dy.as_mut_ptr().add(at), value, lanes);
            }
        }
    }
}
