//! What is done to a result before it is written.

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

/// [`Finish`] as a kernel takes it: addresses, null where there is none.
#[derive(Clone, Copy)]
pub(crate) struct RawFinish {
    pub(crate) scale: *const f32,
    pub(crate) bias: *const f32,
    pub(crate) residual: *const f32,
    /// 1 where there is none.
    pub(crate) slope: f32,
}

impl RawFinish {
    /// For outputs from number `from` of the whole output on.
    pub(crate) fn at(finish: &Finish, from: usize) -> RawFinish {
        let start = |part: Option<&[f32]>, from: usize| {
            part.map_or(std::ptr::null(), |p| p[from..].as_ptr())
        };
        RawFinish {
            scale: start(finish.scale, 0),
            bias: start(finish.bias, 0),
            residual: start(finish.residual, from),
            slope: finish.slope.unwrap_or(1.0),
        }
    }

    /// Whether outputs are written as they are.
    #[inline(always)]
    pub(crate) fn nothing(&self) -> bool {
        self.scale.is_null() && self.bias.is_null() && self.residual.is_null() && self.slope == 1.0
    }

    /// What finishing `y` will touch: itself, and what is added.
    pub(crate) fn touches(&self, y: &[f32]) -> [Area; 2] {
        let added = if self.residual.is_null() { 0 } else { y.len() };
        [Area::written(y), Area::read(self.residual, added)]
    }

    /// Where nothing is computed, what is added alone.
    ///
    /// # Safety
    /// There must be nothing but a residual, and that as long as `y`.
    pub(crate) unsafe fn nothings(&self, y: &mut [f32]) {
        if self.residual.is_null() {
            return y.fill(0.0);
        }
        // SAFETY: by the contract; nobody writes to a residual.
        y.copy_from_slice(unsafe { std::slice::from_raw_parts(self.residual, y.len()) });
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
