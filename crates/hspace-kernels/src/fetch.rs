//! Asking for memory before it is needed, during work that needs no memory but the cache.

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

/// The same for a place that is needed later: it waits in the second-level cache.
#[inline(always)]
pub(crate) fn needed_later(place: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which every processor of this kind has, and which never faults.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(place.cast());
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

/// Memory that will be needed: where it is, which any thread may know.
#[derive(Clone, Copy)]
pub(crate) struct Area {
    start: usize,
    len: usize,
    to_be: ToBe,
}

/// What for.
#[derive(Clone, Copy)]
enum ToBe {
    Read,
    /// After other work.
    ReadLater,
    Written,
}

impl Area {
    fn of(numbers: &[f32], to_be: ToBe) -> Area {
        Area {
            start: numbers.as_ptr().addr(),
            len: numbers.len(),
            to_be,
        }
    }

    /// Numbers that will be read.
    pub(crate) fn read(numbers: &[f32]) -> Area {
        Area::of(numbers, ToBe::Read)
    }

    /// Numbers that will be read, but after other work.
    pub(crate) fn read_later(numbers: &[f32]) -> Area {
        Area::of(numbers, ToBe::ReadLater)
    }

    /// Numbers that will be written.
    pub(crate) fn written(numbers: &[f32]) -> Area {
        Area::of(numbers, ToBe::Written)
    }

    /// Part `i` of `parts` about equal ones.
    pub(crate) fn part(self, i: usize, parts: usize) -> Area {
        let [from, to] = [i, i + 1].map(|i| i * self.len / parts);
        Area {
            start: self.start + from * size_of::<f32>(),
            len: to - from,
            ..self
        }
    }
}

/// An [`Area`] asked for bit by bit, during work that needs no memory but the cache.
pub(crate) struct Fetch {
    next: *const f32,
    lines: usize,
    at_once: usize,
    to_be: ToBe,
}

impl Fetch {
    /// In `times` times.
    pub(crate) fn new(area: Area, times: usize) -> Fetch {
        let lines = area.len.div_ceil(LANES);
        Fetch {
            next: std::ptr::without_provenance(area.start),
            lines,
            at_once: lines.div_ceil(times.max(1)),
            to_be: area.to_be,
        }
    }

    /// Asks for some.
    #[inline(always)]
    pub(crate) fn some(&mut self) {
        let count = self.at_once.min(self.lines);
        self.lines -= count;
        for _ in 0..count {
            match self.to_be {
                ToBe::Read => needed_soon(self.next),
                ToBe::ReadLater => needed_later(self.next),
                ToBe::Written => written_soon(self.next),
            }
            self.next = self.next.wrapping_add(LANES);
        }
    }
}
