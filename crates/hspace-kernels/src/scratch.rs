//! Memory for the inside of one piece of work. It stays with its thread, and so in its core's
//! cache; taken from the common pool it would as often come from the other cores'.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use crate::buffer::Buffer;

thread_local! {
    /// Idle scratch of this thread, the last one used on top.
    static IDLE: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
}

/// Where this thread keeps its list, which is another place for each thread that lives.
fn here() -> usize {
    IDLE.try_with(|idle| std::ptr::from_ref(idle) as usize)
        .unwrap_or(0)
}

/// Numbers that are initialised but arbitrary. Dropped by the thread that took them, their memory
/// waits for that thread's next scratch; dropped by another, it goes back to the pool.
pub(crate) struct Scratch {
    buffer: Option<Buffer>,
    len: usize,
    /// Which thread took it: where that thread keeps its list.
    taken_by: usize,
}

impl Scratch {
    /// Room for `len` numbers.
    pub(crate) fn any(len: usize) -> Scratch {
        let idle = IDLE.with_borrow_mut(Vec::pop);
        let fits = idle.filter(|idle| idle.len() >= len && !cfg!(feature = "exact-memory"));
        Scratch {
            buffer: Some(fits.unwrap_or_else(|| Buffer::any(len))),
            len,
            taken_by: here(),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.taken_by != here() {
            return;
        }
        if let Some(buffer) = self.buffer.take() {
            // A thread that ends takes its list with it; then too the buffer goes to the pool.
            let _ = IDLE.try_with(|idle| idle.borrow_mut().push(buffer));
        }
    }
}

impl Deref for Scratch {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        self.buffer
            .as_ref()
            .map_or(&[], |buffer| &buffer[..self.len])
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        let len = self.len;
        self.buffer
            .as_mut()
            .map_or(&mut [], |buffer| &mut buffer[..len])
    }
}

#[cfg(all(test, not(feature = "exact-memory")))]
mod tests {
    use super::*;

    #[test]
    fn memory_stays_with_the_thread() {
        let first = Scratch::any(100);
        let place = first.as_ptr();
        assert_eq!(first.len(), 100);
        drop(first);
        let second = Scratch::any(50);
        assert_eq!((second.as_ptr(), second.len()), (place, 50));
        let third = Scratch::any(50);
        assert_ne!(third.as_ptr(), place);
        let elsewhere = std::thread::spawn(|| Scratch::any(1_000_003))
            .join()
            .unwrap();
        let place = elsewhere.as_ptr();
        drop(elsewhere);
        assert_ne!(Scratch::any(50).as_ptr(), place);
    }
}
