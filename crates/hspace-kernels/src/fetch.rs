//! Asking for memory before it is needed, beside work that needs no memory but the cache.

use crate::simd::LANES;

/// Asks for the cache line of a place that is needed soon. Any address will do.
#[inline(always)]
pub(crate) fn needed_soon(place: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which every processor of this kind has, and which never faults.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// The same for a place that will be written.
#[inline(always)]
pub(crate) fn written_soon(place: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which never faults; processors without it take it for nothing.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) place, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Memory that will be needed.
#[derive(Clone, Copy)]
pub(crate) struct Area {
    start: *const f32,
    len: usize,
    written: bool,
}

impl Default for Area {
    fn default() -> Area {
        Area::read(std::ptr::null(), 0)
    }
}

impl Area {
    /// Numbers that will be read.
    pub(crate) fn read(start: *const f32, len: usize) -> Area {
        let written = false;
        Area {
            start,
            len,
            written,
        }
    }

    /// Numbers that will be written.
    pub(crate) fn written(numbers: &[f32]) -> Area {
        let area = Area::read(numbers.as_ptr(), numbers.len());
        Area {
            written: true,
            ..area
        }
    }
}

/// An [`Area`] asked for bit by bit, beside work that needs no memory but the cache.
pub(crate) struct Fetch {
    next: *const f32,
    lines: usize,
    at_once: usize,
    written: bool,
}

impl Fetch {
    /// In `times` times.
    pub(crate) fn new(area: Area, times: usize) -> Fetch {
        let lines = area.len.div_ceil(LANES);
        Fetch {
            next: area.start,
            lines,
            at_once: lines.div_ceil(times.max(1)),
            written: area.written,
        }
    }

    /// Asks for some.
    #[inline(always)]
    pub(crate) fn some(&mut self) {
        let count = self.at_once.min(self.lines);
        self.lines -= count;
        for _ in 0..count {
            match self.written {
                true => written_soon(self.next),
                false => needed_soon(self.next),
            }
            self.next = self.next.wrapping_add(LANES);
        }
    }
}
