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
/// what there is to do; they sleep only when there has been nothing for a millisecond. So they never wait for
/// each other without end, even if several call this at once.
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

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    fn sum(n: u64) -> u64 {
        awake(|| (0..n).into_par_iter().with_max_len(1).sum())
    }

    #[test]
    fn steps_within_and_beside_each_other_end() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..50u64 {
                        let within = awake(|| (0..n).into_par_iter().map(sum).collect::<Vec<_>>());
                        let expected = (0..n).map(|m| m * m.saturating_sub(1) / 2);
                        assert_eq!(within, expected.collect::<Vec<_>>());
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_comes_through() {
        let broken = || awake(|| -> u64 { panic!("on purpose") });
        assert!(std::panic::catch_unwind(broken).is_err());
        assert_eq!(sum(5), 10);
    }
}
