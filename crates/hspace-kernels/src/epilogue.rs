//! What is done to a result before it is written.

use std::ops::Range;

use crate::fetch::Area;
use crate::simd::Simd;

/// What outputs are added to.
#[derive(Clone, Copy, Default)]
pub enum Accumulate<'a> {
    /// Nothing: they are written.
    #[default]
    Nothing,
    /// Numbers, as many as outputs.
    Numbers(&'a [f32]),
    /// What is there already, where they are written.
    Itself,
}

impl<'a> From<Option<&'a [f32]>> for Accumulate<'a> {
    fn from(numbers: Option<&'a [f32]>) -> Accumulate<'a> {
        numbers.map_or(Accumulate::Nothing, Accumulate::Numbers)
    }
}

impl Accumulate<'_> {
    /// The same for some of the outputs, the numbers `within`.
    pub(crate) fn within(self, within: Range<usize>) -> Self {
        match self {
            Accumulate::Numbers(numbers) => Accumulate::Numbers(&numbers[within]),
            other => other,
        }
    }

    /// Whether there is one for each of `len` outputs.
    pub(crate) fn holds(self, len: usize) -> bool {
        match self {
            Accumulate::Numbers(numbers) => numbers.len() == len,
            Accumulate::Nothing | Accumulate::Itself => true,
        }
    }
}

/// What is done to each output before it is written: `scale · y + bias`, added to `accumulate`, and what of it is below
/// 0 times `slope`, as far as asked for.
#[derive(Clone, Copy, Default)]
pub struct Epilogue<'a> {
    /// `[outputs]`.
    pub scale: Option<&'a [f32]>,
    /// `[outputs]`.
    pub bias: Option<&'a [f32]>,
    /// What that is added to.
    pub accumulate: Accumulate<'a>,
    /// What results below 0 are multiplied by, in 0..=1: 0 for a ReLU.
    pub slope: Option<f32>,
}

impl Epilogue<'_> {
    /// # Panics
    /// If a part is not as long as `len` outputs of `channels` channels ask for.
    pub(crate) fn check(&self, len: usize, channels: usize) {
        let mut by_channel = [self.scale, self.bias].into_iter().flatten();
        assert!(
            by_channel.all(|part| part.len() == channels) && self.accumulate.holds(len),
            "lengths of what finishes {len} outputs of {channels} channels"
        );
    }

    /// The same for some of the outputs, the numbers `within`.
    pub(crate) fn within(self, within: Range<usize>) -> Self {
        Epilogue {
            accumulate: self.accumulate.within(within),
            ..self
        }
    }

    /// As a kernel takes it.
    pub(crate) fn raw(&self) -> RawEpilogue {
        let start = |part: Option<&[f32]>| part.map_or(std::ptr::null(), |part| part.as_ptr());
        RawEpilogue {
            scale: start(self.scale),
            bias: start(self.bias),
            added: match self.accumulate {
                Accumulate::Numbers(numbers) => numbers.as_ptr(),
                Accumulate::Nothing | Accumulate::Itself => std::ptr::null(),
            },
            itself: matches!(self.accumulate, Accumulate::Itself),
            slope: self.slope.unwrap_or(1.0),
        }
    }

    /// What finishing `y` will touch: itself, and what is added.
    pub(crate) fn touches(&self, y: &[f32]) -> Vec<Area> {
        let mut areas = vec![Area::written(y)];
        if let Accumulate::Numbers(added) = self.accumulate {
            areas.push(Area::read(added));
        }
        areas
    }

    /// Writes to `y` what is added to, alone: for where nothing is computed, and nothing else is done.
    ///
    /// # Panics
    /// If that is of another length.
    pub(crate) fn nothings(&self, y: &mut [f32]) {
        match self.accumulate {
            Accumulate::Nothing => y.fill(0.0),
            Accumulate::Numbers(numbers) => y.copy_from_slice(numbers),
            Accumulate::Itself => (),
        }
    }
}

/// [`Epilogue`] as a kernel takes it: addresses, null where there is none.
#[derive(Clone, Copy)]
pub(crate) struct RawEpilogue {
    scale: *const f32,
    bias: *const f32,
    added: *const f32,
    /// Whether what is added is where results go.
    itself: bool,
    /// 1 where there is none.
    slope: f32,
}

impl RawEpilogue {
    /// Whether outputs are written as they are.
    #[inline(always)]
    pub(crate) fn nothing(&self) -> bool {
        self.adds_only() && self.added.is_null() && !self.itself
    }

    /// Whether they are only added to something, if that.
    #[inline(always)]
    fn adds_only(&self) -> bool {
        self.scale.is_null() && self.bias.is_null() && self.slope == 1.0
    }

    /// The numbers that outputs are added to, where those are others than the outputs' and nothing else is done.
    #[inline(always)]
    pub(crate) fn only_added(&self) -> Option<*const f32> {
        (self.adds_only() && !self.added.is_null()).then_some(self.added)
    }

    /// Finishes `lanes` outputs of channel `channel` on, at number `place`, and writes them.
    ///
    /// # Safety
    /// `y`, and `added` if it is not null, must be valid for `lanes` numbers from `place`, and
    /// `scale` and `bias` for as many from `channel`.
    #[inline(always)]
    pub(crate) unsafe fn write<S: Simd>(
        &self,
        mut value: S::V,
        y: *mut f32,
        place: usize,
        channel: usize,
        lanes: usize,
    ) {
        // SAFETY: by the contract.
        unsafe {
            if !self.scale.is_null() {
                value = S::mul(value, S::load_first(self.scale.add(channel), lanes));
            }
            if !self.bias.is_null() {
                value = S::add(value, S::load_first(self.bias.add(channel), lanes));
            }
            let added = if self.itself {
                y.cast_const()
            } else {
                self.added
            };
            if !added.is_null() {
                value = S::add(value, S::load_first(added.add(place), lanes));
            }
            // In this order a NaN stays one.
            if self.slope == 0.0 {
                value = S::max(S::splat(0.0), value);
            } else if self.slope != 1.0 {
                value = S::max(S::mul(S::splat(self.slope), value), value);
            }
            S::store_first(y.add(place), value, lanes);
        }
    }
}
