//! Memory for tensors and scratch: aligned to cache lines, and used again instead of given back.
//!
//! A page fresh from the operating system costs about ten times what a used one does, and a
//! training step asks for the same sizes every time.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Bytes of a cache line, and of the largest vector.
const ALIGN: usize = 64;
/// Numbers whose memory starts at a cache line. Dropped, it waits for the next buffer of its size.
pub struct Buffer {
    start: NonNull<f32>,
    len: usize,
}

// SAFETY: a buffer owns its memory alone, as a `Vec<f32>` does.
unsafe impl Send for Buffer {}
// SAFETY: shared references only read.
unsafe impl Sync for Buffer {}

/// Bytes that may wait, whatever was in use.
const SPARE: usize = 256 << 20;

/// The memory of all buffers. No more is held than was in use at once, and half of that (or
/// [`SPARE`]) for sizes that do not fit: a training step needs again what the one before did.
struct Pool {
    /// What waits, by its layout's size in bytes.
    idle: BTreeMap<usize, Vec<Start>>,
    idle_bytes: usize,
    used_bytes: usize,
    most_used: usize,
    spare: usize,
}

struct Start(NonNull<f32>);
// SAFETY: idle memory belongs to nobody but the pool.
unsafe impl Send for Start {}

impl Pool {
    fn new(spare: usize) -> Pool {
        Pool {
            idle: BTreeMap::new(),
            idle_bytes: 0,
            used_bytes: 0,
            most_used: 0,
            spare,
        }
    }

    /// Memory of that layout: what waits, or new.
    fn take(&mut self, layout: Layout) -> NonNull<f32> {
        let start = match self.idle.get_mut(&layout.size()).and_then(Vec::pop) {
            Some(Start(start)) => {
                self.idle_bytes -= layout.size();
                start
            }
            // SAFETY: every layout has room for a number at least, so its size is not zero.
            None => match NonNull::new(unsafe { alloc_zeroed(layout) }.cast()) {
                Some(start) => start,
                None => handle_alloc_error(layout),
            },
        };
        self.used_bytes += layout.size();
        self.most_used = self.most_used.max(self.used_bytes);
        self.shrink();
        start
    }

    /// Memory of that layout that is no longer used.
    fn give(&mut self, start: NonNull<f32>, layout: Layout) {
        self.used_bytes -= layout.size();
        self.idle_bytes += layout.size();
        let same = self.idle.entry(layout.size()).or_default();
        same.push(Start(start));
        self.shrink();
    }

    /// Gives memory back to the operating system, the largest first, until no more is held than may
    /// be.
    fn shrink(&mut self) {
        let most = match cfg!(feature = "exact-memory") {
            true => 0,
            false => self.most_used + (self.most_used / 2).max(self.spare),
        };
        while self.idle_bytes > 0 && self.idle_bytes + self.used_bytes > most {
            let Some(mut largest) = self.idle.last_entry() else {
                return;
            };
            let size = *largest.key();
            match largest.get_mut().pop() {
                None => drop(largest.remove()),
                Some(Start(start)) => {
                    self.idle_bytes -= size;
                    // SAFETY: it was allocated with this layout, and nobody holds it.
                    unsafe { dealloc(start.as_ptr().cast(), of_bytes(size)) };
                }
            }
        }
    }
}

fn pool() -> MutexGuard<'static, Pool> {
    static POOL: OnceLock<Mutex<Pool>> = OnceLock::new();
    let pool = POOL.get_or_init(|| Mutex::new(Pool::new(SPARE)));
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The layout of `len` numbers, and of one where there are none.
///
/// # Panics
/// If they do not fit the address space.
fn layout(len: usize) -> Layout {
    let numbers = Layout::array::<f32>(len.max(1));
    let aligned = numbers.and_then(|numbers| numbers.align_to(ALIGN));
    let Ok(aligned) = aligned else {
        panic!("a buffer of {len} numbers does not fit the address space");
    };
    match cfg!(feature = "exact-memory") {
        true => aligned,
        false => aligned.pad_to_align(),
    }
}

fn of_bytes(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, ALIGN).expect("the size of a buffer fits the address space")
}

/// Numbers of a tensor with these sides.
///
/// # Panics
/// If they are more than can be counted.
pub(crate) fn volume(sides: &[usize]) -> usize {
    let volume = sides
        .iter()
        .try_fold(1usize, |all, &side| all.checked_mul(side));
    volume.unwrap_or_else(|| panic!("a tensor of {sides:?} does not fit the address space"))
}

impl Buffer {
    /// `len` numbers that are initialised but arbitrary: zeros, or what a former user left.
    ///
    /// # Panics
    /// If so many do not fit the address space.
    pub fn any(len: usize) -> Buffer {
        let layout = layout(len);
        let start = pool().take(layout);
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
        pool().give(self.start, layout(self.len));
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

    #[test]
    #[should_panic(expected = "does not fit the address space")]
    fn a_length_whose_bytes_cannot_be_counted_is_refused() {
        // Of 2⁶⁴ + 4 bytes.
        Buffer::any(usize::MAX / 4 + 2);
    }

    #[test]
    #[should_panic(expected = "does not fit the address space")]
    fn a_volume_that_cannot_be_counted_is_refused() {
        assert_eq!(volume(&[3, 0, 5]), 0);
        assert_eq!(volume(&[3, 4, 5]), 60);
        volume(&[1 << 32, 2, 1 << 31]);
    }

    #[test]
    fn no_more_is_held_than_was_in_use_and_half_of_it() {
        let mut pool = Pool::new(64);
        let held = [64, 640, 6400, 640].map(|bytes| (pool.take(of_bytes(bytes)), bytes));
        for (start, bytes) in held {
            pool.give(start, of_bytes(bytes));
        }
        assert_eq!((pool.used_bytes, pool.idle_bytes), (0, 7744));
        let start = pool.take(of_bytes(640));
        assert_eq!((pool.used_bytes, pool.idle_bytes), (640, 7104));
        pool.give(start, of_bytes(640));
        // What waits makes room for what is in use, the largest first.
        let start = pool.take(of_bytes(5184));
        assert_eq!((pool.used_bytes, pool.idle_bytes), (5184, 1344));
        pool.give(start, of_bytes(5184));
        (pool.most_used, pool.spare) = (0, 0);
        pool.shrink();
        assert_eq!(pool.idle_bytes, 0);
    }
}
