//! Batch normalisation of rows of channels, `[rows, c]`, with what surrounds it in a block:
//! residual addition and ReLU; the way back is in `norm/back.rs`.

mod back;

use rayon::prelude::*;

use crate::conv::Machine;
use crate::simd::{LANES, Simd, kernel};

pub use self::back::{AllSums, Back, GainBias, Gate, Normalised};
pub(crate) use self::back::{FLIGHT, in_flight, total};

/// Numbers that one piece of work goes through.
const PIECE: usize = 64 << 10;

/// Whole rows in about [`PIECE`] numbers.
pub(crate) fn piece(channels: usize) -> usize {
    (PIECE / channels).max(1) * channels
}

/// What is added after a normalisation: numbers as they are, or `scale · x + shift` of them, by
/// channel.
#[derive(Clone, Copy, Debug)]
pub struct Added<'a> {
    /// As long as what they are added to.
    pub numbers: &'a [f32],
    /// Scale and shift, by channel.
    pub line: Option<(&'a [f32], &'a [f32])>,
}

/// What follows a normalisation and what is added to it.
#[derive(Debug)]
pub enum Relu<'a> {
    /// Nothing.
    Off,
    /// `max(0, x)`.
    On,
    /// The same, and marks of the numbers above 0 ([`marks_of`]).
    Marked(&'a mut [u16]),
}

/// `out = scale · y + shift + added`, and `max(0, …)` of it if asked for; `scale` and `shift` by
/// channel.
///
/// # Panics
/// If lengths differ.
pub fn apply(
    on: Machine,
    y: &[f32],
    scale: &[f32],
    shift: &[f32],
    added: Option<Added>,
    relu: Relu,
    out: &mut [f32],
) {
    let channels = scale.len();
    let (gated, marks) = match relu {
        Relu::Off => (false, None),
        Relu::On => (true, None),
        Relu::Marked(marks) => (true, Some(marks)),
    };
    let parts = |line: (&[f32], &[f32])| line.0.len() == channels && line.1.len() == channels;
    assert!(
        parts((scale, shift))
            && y.len().is_multiple_of(channels)
            && out.len() == y.len()
            && added.is_none_or(|a| a.numbers.len() == y.len() && a.line.is_none_or(parts))
            && marks
                .as_ref()
                .is_none_or(|m| m.len() == marks_of(y.len(), channels)),
        "lengths of rows and channels"
    );
    let piece = piece(channels);
    let mut parts: Vec<_> = out.chunks_mut(piece).map(|out| (out, None)).collect();
    if let Some(marks) = marks {
        let marks = marks.chunks_mut(marks_of(piece, channels));
        parts
            .iter_mut()
            .zip(marks)
            .for_each(|(part, m)| part.1 = Some(m));
    }
    let parts = parts.into_par_iter().enumerate();
    parts.for_each(|(i, (out, marks))| {
        let within = i * piece..i * piece + out.len();
        let added = added.map(|added| Added {
            numbers: &added.numbers[within.clone()],
            ..added
        });
        // SAFETY: whole rows of equal length everywhere.
        unsafe { finish_rows(on.isa, &y[within], scale, shift, added, gated, marks, out) };
    });
}

/// Marks for rows of together `len` numbers: one of sixteen bits for each row and vector of channels,
/// the last one of a row with as many bits as there are channels left.
pub fn marks_of(len: usize, channels: usize) -> usize {
    len / channels * channels.div_ceil(LANES)
}

kernel! {
    /// `max(0, scale · y + shift)` of some rows.
    ///
    /// # Safety
    /// All are whole rows of equal length; `scale` and `shift` have a number per channel.
    pub(crate) fn scale_rows(
        y: &[f32],
        scale: &[f32],
        shift: &[f32],
        out: &mut [f32],
    ) = scale_rows_with
}

#[inline(always)]
unsafe fn scale_rows_with<S: Simd>(y: &[f32], scale: &[f32], shift: &[f32], out: &mut [f32]) {
    let channels = scale.len();
    // SAFETY: every address is that of `lanes` numbers of row i, channel c.
    unsafe {
        for i in 0..y.len() / channels {
            for c in (0..channels).step_by(LANES) {
                let lanes = (channels - c).min(LANES);
                let at = i * channels + c;
                let y = S::load_first(y.as_ptr().add(at), lanes);
                let value = S::mul_add(y, part::<S>(scale, c), part::<S>(shift, c));
                // In this order a NaN stays one.
                let value = S::max(S::splat(0.0), value);
                S::store_first(out.as_mut_ptr().add(at), value, lanes);
            }
        }
    }
}

/// The numbers of the vector of channels from `c` on.
///
/// # Safety
/// `c` must be below the number of channels.
#[inline(always)]
unsafe fn part<S: Simd>(by_channel: &[f32], c: usize) -> S::V {
    let lanes = (by_channel.len() - c).min(LANES);
    // SAFETY: there are so many.
    unsafe { S::load_first(by_channel.as_ptr().add(c), lanes) }
}

kernel! {
    /// [`apply`] on some rows.
    ///
    /// # Safety
    /// All are whole rows of equal length; what is by channel has a number per channel, and `marks`
    /// are as many as the rows have.
    fn finish_rows(
        y: &[f32],
        scale: &[f32],
        shift: &[f32],
        added: Option<Added>,
        gated: bool,
        marks: Option<&mut [u16]>,
        out: &mut [f32],
    ) = finish_rows_with
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn finish_rows_with<S: Simd>(
    y: &[f32],
    scale: &[f32],
    shift: &[f32],
    added: Option<Added>,
    gated: bool,
    mut marks: Option<&mut [u16]>,
    out: &mut [f32],
) {
    let channels = scale.len();
    let mut mark = 0;
    // SAFETY: every address is that of `lanes` numbers of row i, channel c, or of their mark.
    unsafe {
        for i in 0..y.len() / channels {
            for c in (0..channels).step_by(LANES) {
                let lanes = (channels - c).min(LANES);
                let at = i * channels + c;
                let y = S::load_first(y.as_ptr().add(at), lanes);
                let mut value = S::mul_add(y, part::<S>(scale, c), part::<S>(shift, c));
                if let Some(Added { numbers, line }) = added {
                    let x = S::load_first(numbers.as_ptr().add(at), lanes);
                    value = match line {
                        Some((scale, shift)) => {
                            let value = S::add(value, part::<S>(shift, c));
                            S::mul_add(x, part::<S>(scale, c), value)
                        }
                        None => S::add(value, x),
                    };
                }
                if let Some(marks) = &mut marks {
                    *marks.get_unchecked_mut(mark) = S::positive(value);
                    mark += 1;
                }
                if gated {
                    // In this order a NaN stays one.
                    value = S::max(S::splat(0.0), value);
                }
                S::store_first(out.as_mut_ptr().add(at), value, lanes);
            }
        }
    }
}
