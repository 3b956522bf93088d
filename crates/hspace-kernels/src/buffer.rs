//! Memory for tensors and scratch: aligned to cache lines, and used again instead of given back.
//!
//! A page fresh from the operating system costs about ten times what a used one does, and a
//! training step asks for the same sizes every time.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Bytes of a cache line, and of the largest vector.
const ALIGN: usize = 64;
/// Idle bytes from which on memory is given back.
const MOST_IDLE: usize = if cfg!(feature = "exact-memory") {
    1
} else {
    1 << 30
};

/// Numbers whose memory starts at a cache line. Dropped, it waits for the next buffer of its size.
pub struct Buffer {
    start: NonNull<f32>,
    len: usize,
}

// SAFETY: a buffer owns its memory alone, as a `Vec<f32>` does.
unsafe impl Send for Buffer {}
// SAFETY: shared references only read.
unsafe impl Sync for Buffer {}

/// Idle memory by its layout's size, in bytes.
#[derive(Default)]
struct Idle {
    by_size: HashMap<usize, Vec<Start>>,
    bytes: usize,
}

struct Start(NonNull<f32>);
// SAFETY: idle memory belongs to nobody but the pool.
unsafe impl Send for Start {}

fn idle() -> MutexGuard<'static, Idle> {
    static IDLE: OnceLock<Mutex<Idle>> = OnceLock::new();
    let pool = IDLE.get_or_init(Mutex::default);
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

fn layout(len: usize) -> Layout {
    let bytes = len.max(1) * size_of::<f32>();
    let bytes = match cfg!(feature = "exact-memory") {
        true => bytes,
        false => bytes.next_multiple_of(ALIGN),
    };
    Layout::from_size_align(bytes, ALIGN).expect("the size of a buffer fits the address space")
}

impl Buffer {
    /// `len` numbers that are initialised but arbitrary: zeros, or what a former user left.
    pub fn any(len: usize) -> Buffer {
        let layout = layout(len);
        let used = {
            let mut idle = idle();
            let found = idle.by_size.get_mut(&layout.size()).and_then(Vec::pop);
            if found.is_some() {
                idle.bytes -= layout.size();
            }
            found
        };
        let start = match used {
            Some(Start(start)) => start,
            // SAFETY: the layout's size is not zero.
            None => NonNull::new(unsafe { alloc_zeroed(layout) }.cast())
                .unwrap_or_else(|| handle_alloc_error(layout)),
        };
        Buffer { start, len }
    }

    /// `len` zeros.
    pub fn zeros(len: usize) -> Buffer {
        let mut buffer = Buffer::any(len);
        buffer.fill(0.0);
        buffer
    }

    /// A copy of `values`.
    pub fn copy_of(values: &[f32]) -> Buffer {
        let mut buffer = Buffer::any(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let layout = layout(self.len);
        let mut idle = idle();
        if idle.bytes + layout.size() < MOST_IDLE {
            idle.bytes += layout.size();
            let same = idle.by_size.entry(layout.size()).or_default();
            same.push(Start(self.start));
            return;
        }
        drop(idle);
        // SAFETY: the memory was allocated with this layout: it is handed on by the layout's size.
        unsafe { dealloc(self.start.as_ptr().cast(), layout) }
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        // SAFETY: the memory holds `len` numbers, zeroed when it was allocated.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and the buffer is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Buffer {
        Buffer::copy_of(self)
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer of {}", self.len)
    }
}

#[cfg(all(test, not(feature = "exact-memory")))]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_distinct_and_used_again() {
        let mut a = Buffer::zeros(1003);
        let b = Buffer::copy_of(&[2.0; 1003]);
        a.fill(1.0);
        assert_eq!(a.as_ptr() as usize % ALIGN, 0);
        assert!(a.iter().all(|&x| x == 1.0) && b.iter().all(|&x| x == 2.0));
        assert_eq!(Buffer::zeros(0).len(), 0);
        let place = a.as_ptr();
        drop(a);
        // Of the same size class, though not of the same length.
        let taken: Vec<Buffer> = (0..4).map(|_| Buffer::zeros(1001)).collect();
        assert!(taken.iter().any(|c| c.as_ptr() == place));
        assert!(taken.iter().all(|c| c.iter().all(|&x| x == 0.0)));
    }
}
