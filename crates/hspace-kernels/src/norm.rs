//! Batch normalisation of rows of channels, `[rows, c]`, with what surrounds it in a block:
//! residual addition and ReLU; the backward pass is in `norm/back.rs`.

mod back;

use rayon::prelude::*;

use crate::fetch::Area;
use crate::machine::Machine;
use crate::simd::{LANES, Simd, kernel};

pub use self::back::{Back, GainBias, Normalised, PartialSums, ReluMask};
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

/// What is computed behind a normalisation: `out = scale · y + shift + added`, and `max(0, …)` of it if asked
/// for; `scale` and `shift` by channel.
#[derive(Debug)]
pub struct BlockEpilogue<'a> {
    /// `[rows, c]`.
    pub y: &'a [f32],
    /// `[c]`.
    pub scale: &'a [f32],
    /// `[c]`.
    pub shift: &'a [f32],
    /// What is added, if anything.
    pub added: Option<Added<'a>>,
    /// What follows.
    pub relu: Relu<'a>,
    /// As long as `y`.
    pub out: &'a mut [f32],
}

impl<'a> Added<'a> {
    fn split(self, at: usize) -> (Added<'a>, Added<'a>) {
        let of = |numbers| Added { numbers, ..self };
        let (first, rest) = self.numbers.split_at(at);
        (of(first), of(rest))
    }
}

impl<'a> Relu<'a> {
    fn split(self, marks: usize) -> (Relu<'a>, Relu<'a>) {
        match self {
            Relu::Off => (Relu::Off, Relu::Off),
            Relu::On => (Relu::On, Relu::On),
            Relu::Marked(all) => {
                let (first, rest) = all.split_at_mut(marks);
                (Relu::Marked(first), Relu::Marked(rest))
            }
        }
    }
}

impl<'a> BlockEpilogue<'a> {
    /// # Panics
    /// If lengths differ.
    pub(crate) fn check(&self) {
        let (len, channels) = (self.y.len(), self.scale.len());
        let parts = |line: (&[f32], &[f32])| line.0.len() == channels && line.1.len() == channels;
        let fits = |a: Added| a.numbers.len() == len && a.line.is_none_or(parts);
        assert!(
            parts((self.scale, self.shift))
                && len.is_multiple_of(channels)
                && self.out.len() == len
                && self.added.is_none_or(fits)
                && match &self.relu {
                    Relu::Marked(marks) => marks.len() == marks_of(len, channels),
                    Relu::Off | Relu::On => true,
                },
            "lengths of rows and channels"
        );
    }

    /// Computes it; gives `out`.
    ///
    /// # Panics
    /// If lengths differ.
    pub fn apply(mut self, on: Machine) -> &'a mut [f32] {
        self.check();
        let piece = piece(self.scale.len());
        let (mut parts, mut rest) = (Vec::new(), self.borrow());
        while !rest.y.is_empty() {
            let (part, after) = rest.split(piece);
            parts.push(part);
            rest = after;
        }
        let parts = parts.into_par_iter();
        parts.for_each(|part| {
            part.rows(on);
        });
        self.out
    }

    fn borrow(&mut self) -> BlockEpilogue<'_> {
        BlockEpilogue {
            relu: match &mut self.relu {
                Relu::Off => Relu::Off,
                Relu::On => Relu::On,
                Relu::Marked(marks) => Relu::Marked(marks),
            },
            out: self.out,
            ..*self
        }
    }

    /// The first `len` numbers, whole rows, or all if they are fewer, and the rest.
    pub(crate) fn split(self, len: usize) -> (BlockEpilogue<'a>, BlockEpilogue<'a>) {
        let len = len.min(self.y.len());
        let (y, other_y) = self.y.split_at(len);
        let (out, other_out) = self.out.split_at_mut(len);
        let (added, other_added) = self.added.map(|added| added.split(len)).unzip();
        let (relu, other_relu) = self.relu.split(marks_of(len, self.scale.len()));
        let (scale, shift) = (self.scale, self.shift);
        let of = |y, added, relu, out| BlockEpilogue {
            y,
            scale,
            shift,
            added,
            relu,
            out,
        };
        (
            of(y, added, relu, out),
            of(other_y, other_added, other_relu, other_out),
        )
    }

    /// Computes it, on this thread; gives `out`.
    pub(crate) fn rows(self, on: Machine) -> &'a mut [f32] {
        self.check();
        let (masked, marks) = match self.relu {
            Relu::Off => (false, None),
            Relu::On => (true, None),
            Relu::Marked(marks) => (true, Some(marks)),
        };
        let (y, added, out) = (self.y, self.added, self.out);
        // SAFETY: whole rows of equal length everywhere, as was checked.
        unsafe { finish_rows(on.isa, y, self.scale, self.shift, added, masked, marks, out) };
        out
    }

    /// What [`Self::rows`] will touch, after other work.
    pub(crate) fn touches(&self) -> [Area; 3] {
        let added = self.added.map_or(&[][..], |added| added.numbers);
        [
            Area::read_later(self.y),
            Area::read_later(added),
            Area::written(self.out),
        ]
    }
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
    /// [`BlockEpilogue`] of some rows.
    ///
    /// # Safety
    /// All are whole rows of equal length; what is by channel has a number per channel, and `marks`
    /// are as many as the rows have.
    fn finish_rows(
        y: &[f32],
        scale: &[f32],
        shift: &[f32],
        added: Option<Added>,
        masked: bool,
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
    masked: bool,
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
                if masked {
                    // In this order a NaN stays one.
                    value = S::max(S::splat(0.0), value);
                }
                S::store_first(out.as_mut_ptr().add(at), value, lanes);
            }
        }
    }
}
