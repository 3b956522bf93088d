//! What is done to a result before it is written.

use std::ops::Range;

use crate::fetch::Area;
use crate::simd::Simd;

/// What is done to each output before it is written: `scale · y + bias + residual`, and what of it is below
/// 0 times `slope`, as far as asked for.
#[derive(Clone, Copy, Default)]
pub struct Finish<'a> {
    /// `[outputs]`.
    pub scale: Option<&'a [f32]>,
    /// `[outputs]`.
    pub bias: Option<&'a [f32]>,
    /// As long as the output.
    pub residual: Option<&'a [f32]>,
    /// What results below 0 are multiplied by, in 0..=1: 0 for a ReLU.
    pub slope: Option<f32>,
}

impl Finish<'_> {
    /// # Panics
    /// If a part is not as long as `len` outputs of `channels` channels ask for.
    pub(crate) fn check(&self, len: usize, channels: usize) {
        let mut by_channel = [self.scale, self.bias].into_iter().flatten();
        assert!(
            by_channel.all(|part| part.len() == channels)
                && self.residual.is_none_or(|residual| residual.len() == len),
            "lengths of what finishes {len} outputs of {channels} channels"
        );
    }

    /// The same for some of the outputs, the numbers `within`.
    pub(crate) fn within(self, within: Range<usize>) -> Self {
        Finish {
            residual: self.residual.map(|residual| &residual[within]),
            ..self
        }
    }

    /// As a kernel takes it.
    pub(crate) fn raw(&self) -> RawFinish {
        let start = |part: Option<&[f32]>| part.map_or(std::ptr::null(), |part| part.as_ptr());
        RawFinish {
            scale: start(self.scale),
            bias: start(self.bias),
            residual: start(self.residual),
            slope: self.slope.unwrap_or(1.0),
        }
    }

    /// What finishing `y` will touch: itself, and what is added.
    pub(crate) fn touches(&self, y: &[f32]) -> [Area; 2] {
        let read = |added: &[f32]| Area::read(added.as_ptr(), added.len());
        [
            Area::written(y),
            self.residual.map(read).unwrap_or_default(),
        ]
    }

    /// Writes to `y` what is added alone: for where nothing is computed, and nothing else is done.
    ///
    /// # Panics
    /// If that is of another length.
    pub(crate) fn nothings(&self, y: &mut [f32]) {
        match self.residual {
            Some(added) => y.copy_from_slice(added),
            None => y.fill(0.0),
        }
    }
}

/// [`Finish`] as a kernel takes it: addresses, null where there is none.
#[derive(Clone, Copy)]
pub(crate) struct RawFinish {
    scale: *const f32,
    bias: *const f32,
    residual: *const f32,
    /// 1 where there is none.
    slope: f32,
}

impl RawFinish {
    /// Whether outputs are written as they are.
    #[inline(always)]
    pub(crate) fn nothing(&self) -> bool {
        self.scale.is_null() && self.bias.is_null() && self.residual.is_null() && self.slope == 1.0
    }

    /// Finishes `lanes` outputs of channel `channel` on, at number `place`, and writes them.
    ///
    /// # Safety
    /// `y`, and `residual` if it is not null, must be valid for `lanes` numbers from `place`, and
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
            if !self.residual.is_null() {
                value = S::add(value, S::load_first(self.residual.add(place), lanes));
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
