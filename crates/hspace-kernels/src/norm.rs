//! Batch normalisation of rows of channels, `[rows, c]`, with what surrounds it in a block:
//! residual addition and ReLU, forward and back.

use rayon::prelude::*;

use crate::conv::Machine;
use crate::scratch::Scratch;
use crate::simd::{LANES, Simd, kernel};

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

/// What went through a normalisation, for the way back.
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
    pub gate: Gate<'a>,
}

/// Gradients for gain and bias, `[c]` each.
#[derive(Clone, Debug)]
pub struct GainBias {
    /// For the gain.
    pub gain: Vec<f32>,
    /// For the bias.
    pub bias: Vec<f32>,
}

/// The way back through ReLU and batch normalisation with batch statistics, once the sums over the
/// batch are known: the gradient for what was normalised, for any of its rows.
pub struct Back<'a> {
    on: Machine,
    done: Normalised<'a>,
    dout: &'a [f32],
    alpha: Vec<f32>,
    beta: Vec<f32>,
    delta: Vec<f32>,
}

impl Normalised<'_> {
    fn check(&self, len: usize) {
        let channels = self.mean.len();
        assert!(
            self.inverse.len() == channels
                && self.gain.len() == channels
                && self.y.len() == len
                && len.is_multiple_of(channels)
                && match self.gate {
                    Gate::Open => true,
                    Gate::Marks(marks) => marks.len() == marks_of(len, channels),
                    Gate::Line { scale, shift } => {
                        scale.len() == channels && shift.len() == channels
                    }
                },
            "lengths of rows and channels"
        );
    }

    /// What the numbers `within`, whole rows, add to the sums of the way back, from the gradient
    /// `dout` for them.
    pub(crate) fn sums(&self, on: Machine, dout: &[f32], within: std::ops::Range<usize>) -> Sums {
        let channels = self.mean.len();
        let (y, gate) = (&self.y[within.clone()], self.gate.within(within, channels));
        assert_eq!(y.len(), dout.len(), "gradients for some rows");
        let mut sums = Sums {
            gradients: vec![0.0; channels],
            moments: vec![0.0; channels],
        };
        let Sums { gradients, moments } = &mut sums;
        // SAFETY: whole rows of equal length everywhere.
        unsafe { gradient_sums(on.isa, dout, y, gate, self.mean, gradients, moments) };
        sums
    }
}

/// By channel, of some rows: the gated gradients, and their products with the distance of what was
/// normalised from its mean.
pub(crate) struct Sums {
    gradients: Vec<f32>,
    moments: Vec<f32>,
}

/// The sums of all rows, in parts whose order does not depend on which thread found which.
pub struct AllSums(pub(crate) Vec<Sums>);

impl<'a> Back<'a> {
    /// From the gradient `dout` for the block's output; with it come the gradients for gain and
    /// bias.
    ///
    /// # Panics
    /// If lengths differ.
    pub fn new(on: Machine, done: Normalised<'a>, dout: &'a [f32]) -> (Back<'a>, GainBias) {
        done.check(dout.len());
        let piece = piece(done.mean.len());
        let pieces = dout.par_chunks(piece).enumerate();
        let sums = pieces.map(|(i, dout)| done.sums(on, dout, i * piece..i * piece + dout.len()));
        let sums = AllSums(sums.collect());
        Back::with_sums(on, done, dout, &sums)
    }

    /// The same where the sums are known.
    ///
    /// # Panics
    /// If lengths differ.
    pub fn with_sums(
        on: Machine,
        done: Normalised<'a>,
        dout: &'a [f32],
        sums: &AllSums,
    ) -> (Back<'a>, GainBias) {
        done.check(dout.len());
        let channels = done.mean.len();
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
        let count = (dout.len() / channels) as f32;
        let by_channel = |f: &dyn Fn(usize) -> f32| (0..channels).map(f).collect::<Vec<f32>>();
        let alpha = by_channel(&|c| done.gain[c] * done.inverse[c]);
        let back = Back {
            on,
            done,
            dout,
            beta: by_channel(&|c| -alpha[c] * done.inverse[c] * gain[c] / count),
            delta: by_channel(&|c| -alpha[c] * bias[c] / count),
            alpha,
        };
        (back, GainBias { gain, bias })
    }

    /// The gradient for the numbers `within`, whole rows, of what was normalised.
    pub(crate) fn rows(&self, within: std::ops::Range<usize>, dy: &mut [f32]) {
        let line = Line {
            mean: self.done.mean,
            alpha: &self.alpha,
            beta: &self.beta,
            delta: &self.delta,
        };
        let (dout, y) = (&self.dout[within.clone()], &self.done.y[within.clone()]);
        let gate = self.done.gate.within(within, self.alpha.len());
        assert_eq!(dy.len(), dout.len(), "lengths of rows");
        // SAFETY: whole rows of equal length everywhere.
        unsafe { gradient_rows(self.on.isa, dout, y, gate, line, dy) };
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

/// Gradients `[rows, c]` that a ReLU with these marks lets through, or all.
#[derive(Clone, Copy)]
pub struct Gated<'a> {
    /// What reaches the ReLU from behind.
    pub gradients: &'a [f32],
    /// Where it was open ([`marks_of`]).
    pub marks: Option<&'a [u16]>,
}

impl Gated<'_> {
    /// The numbers `within`, whole rows of so many channels: as they lie, or in `room`.
    pub(crate) fn rows<'a>(
        &'a self,
        on: Machine,
        within: std::ops::Range<usize>,
        channels: usize,
        room: &'a mut Option<Scratch>,
    ) -> &'a [f32] {
        let gradients = &self.gradients[within.clone()];
        let Some(marks) = self.marks else {
            return gradients;
        };
        let room = room.insert(Scratch::any(gradients.len()));
        let at = |number| marks_of(number, channels);
        let marks = &marks[at(within.start)..at(within.end)];
        // SAFETY: whole rows of equal length, with their marks.
        unsafe { gate_rows(on.isa, gradients, marks, channels, room) };
        room
    }
}

kernel! {
    /// The gradients whose marks are set, zeros elsewhere.
    ///
    /// # Safety
    /// `gradients` and `out` are rows of so many channels, equally many, `marks` theirs.
    fn gate_rows(
        gradients: &[f32],
        marks: &[u16],
        channels: usize,
        out: &mut [f32],
    ) = gate_rows_with
}

#[inline(always)]
unsafe fn gate_rows_with<S: Simd>(
    gradients: &[f32],
    marks: &[u16],
    channels: usize,
    out: &mut [f32],
) {
    let mut marks = marks.iter();
    // SAFETY: every address is that of `lanes` numbers of row i, channel c.
    unsafe {
        for i in 0..out.len() / channels {
            for c in (0..channels).step_by(LANES) {
                let lanes = (channels - c).min(LANES);
                let at = i * channels + c;
                let gradient = S::load_first(gradients.as_ptr().add(at), lanes);
                let kept = S::keep(gradient, *marks.next().unwrap_unchecked());
                S::store_first(out.as_mut_ptr().add(at), kept, lanes);
            }
        }
    }
}

/// Rows in flight, so that additions need not wait for one another.
pub(crate) const FLIGHT: usize = 4;

#[inline(always)]
pub(crate) unsafe fn total<S: Simd>(sums: [S::V; FLIGHT]) -> S::V {
    // SAFETY: arithmetic alone.
    unsafe { S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3])) }
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

/// What a gradient passes through before it reaches the normalisation.
#[derive(Clone, Copy)]
pub enum Gate<'a> {
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

impl<'a> Gate<'a> {
    /// The same for some rows, the numbers `within`.
    fn within(self, within: std::ops::Range<usize>, channels: usize) -> Gate<'a> {
        match self {
            Gate::Marks(marks) => {
                let at = |number| marks_of(number, channels);
                Gate::Marks(&marks[at(within.start)..at(within.end)])
            }
            other => other,
        }
    }

    /// `dz` where the gate is open, else 0: of the numbers of row `i` of channels `c` and on, whose
    /// normalisation began with `y`.
    ///
    /// # Safety
    /// There must be such a row of so many `channels`.
    #[inline(always)]
    unsafe fn pass<S: Simd>(self, dz: S::V, y: S::V, i: usize, c: usize, channels: usize) -> S::V {
        // SAFETY: by the contract.
        unsafe {
            match self {
                Gate::Open => dz,
                Gate::Marks(marks) => {
                    let mark = i * channels.div_ceil(LANES) + c / LANES;
                    S::keep(dz, *marks.get_unchecked(mark))
                }
                Gate::Line { scale, shift } => {
                    let (scale, shift) = (part::<S>(scale, c), part::<S>(shift, c));
                    S::gate(dz, S::mul_add(y, scale, shift))
                }
            }
        }
    }
}

kernel! {
    /// Adds up, by channel, the gated gradients and their products with the distance of `y` from
    /// its mean.
    ///
    /// # Safety
    /// All are whole rows of equal length; `mean`, `sum` and `moment` have a number per channel.
    fn gradient_sums(
        dout: &[f32],
        y: &[f32],
        gate: Gate,
        mean: &[f32],
        sum: &mut [f32],
        moment: &mut [f32],
    ) = gradient_sums_with
}

#[inline(always)]
unsafe fn gradient_sums_with<S: Simd>(
    dout: &[f32],
    y: &[f32],
    gate: Gate,
    mean: &[f32],
    sum: &mut [f32],
    moment: &mut [f32],
) {
    // The kind of gate is decided here, once, and not for every vector.
    // SAFETY: as promised.
    unsafe {
        match gate {
            Gate::Open => gradient_sums_at::<S>(dout, y, Gate::Open, mean, sum, moment),
            Gate::Marks(marks) => {
                gradient_sums_at::<S>(dout, y, Gate::Marks(marks), mean, sum, moment);
            }
            Gate::Line { scale, shift } => {
                let gate = Gate::Line { scale, shift };
                gradient_sums_at::<S>(dout, y, gate, mean, sum, moment);
            }
        }
    }
}

#[inline(always)]
unsafe fn gradient_sums_at<S: Simd>(
    dout: &[f32],
    y: &[f32],
    gate: Gate,
    mean: &[f32],
    sum: &mut [f32],
    moment: &mut [f32],
) {
    let channels = mean.len();
    let n = dout.len() / channels;
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
                        let dz = S::load(dout.as_ptr().add(at));
                        let dz = gate.pass::<S>(dz, y, i, c, channels);
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
            for i in 0..n {
                let at = i * channels + c;
                let y = S::load_first(y.as_ptr().add(at), lanes);
                let dz = S::load_first(dout.as_ptr().add(at), lanes);
                let dz = gate.pass::<S>(dz, y, i, c, channels);
                sums[i % FLIGHT] = S::add(sums[i % FLIGHT], dz);
                let distance = S::sub(y, center);
                moments[i % FLIGHT] = S::mul_add(dz, distance, moments[i % FLIGHT]);
            }
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
    fn gradient_rows(
        dout: &[f32],
        y: &[f32],
        gate: Gate,
        line: Line,
        dy: &mut [f32],
    ) = gradient_rows_with
}

#[inline(always)]
unsafe fn gradient_rows_with<S: Simd>(
    dout: &[f32],
    y: &[f32],
    gate: Gate,
    line: Line,
    dy: &mut [f32],
) {
    // The kind of gate is decided here, once, and not for every vector.
    // SAFETY: as promised.
    unsafe {
        match gate {
            Gate::Open => gradient_rows_at::<S>(dout, y, Gate::Open, line, dy),
            Gate::Marks(marks) => {
                gradient_rows_at::<S>(dout, y, Gate::Marks(marks), line, dy);
            }
            Gate::Line { scale, shift } => {
                let gate = Gate::Line { scale, shift };
                gradient_rows_at::<S>(dout, y, gate, line, dy);
            }
        }
    }
}

#[inline(always)]
unsafe fn gradient_rows_at<S: Simd>(
    dout: &[f32],
    y: &[f32],
    gate: Gate,
    line: Line,
    dy: &mut [f32],
) {
    let channels = line.mean.len();
    // SAFETY: every address is that of `lanes` numbers of row i, channel c.
    unsafe {
        for i in 0..dout.len() / channels {
            for c in (0..channels).step_by(LANES) {
                let lanes = (channels - c).min(LANES);
                let at = i * channels + c;
                let of = |part: &[f32]| S::load_first(part.as_ptr().add(c), lanes);
                let y = S::load_first(y.as_ptr().add(at), lanes);
                let dz = S::load_first(dout.as_ptr().add(at), lanes);
                let dz = gate.pass::<S>(dz, y, i, c, channels);
                let distance = S::sub(y, of(line.mean));
                let value = S::mul_add(distance, of(line.beta), of(line.delta));
                let value = S::mul_add(dz, of(line.alpha), value);
                S::store_first(dy.as_mut_ptr().add(at), value, lanes);
            }
        }
    }
}
