//! Threads that wait for the next kernel without falling asleep.
//!
//! A training step is some hundred parallel loops with a little serial work between them. A thread of
//! rayon's sleeps after some microseconds without work, and waking it takes longer than many of the
//! loops last.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rayon::Yield;

/// Without work for so long, a thread may sleep.
const PATIENCE: Duration = Duration::from_millis(1);

/// Runs `work` on a thread of the pool that kernels run on, and meanwhile keeps the others looking for
/// what there is to do; they sleep only when there has been nothing for a millisecond.
pub fn awake<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let done = &AtomicBool::new(false);
    rayon::scope(|scope| {
        let own = rayon::current_thread_index();
        scope.spawn_broadcast(move |_, thread| {
            if Some(thread.index()) != own {
                look_for_work(done);
            }
        });
        let _ended = Ended(done);
        work()
    })
}

/// Sets it in the end, whatever happens.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn look_for_work(done: &AtomicBool) {
    let mut since = Instant::now();
    while !done.load(Ordering::Relaxed) && since.elapsed() < PATIENCE {
        match rayon::yield_now() {
            Some(Yield::Executed) => since = Instant::now(),
            _ => spin_loop(),
        }
    }
}
