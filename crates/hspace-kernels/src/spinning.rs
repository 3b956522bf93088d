//! Threads that wait for the next kernel without falling asleep.
//!
//! A training step is some hundred parallel loops with a little serial work between them. A thread of
//! rayon's sleeps after some microseconds without work, and waking it takes longer than many of the
//! loops last.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rayon::Yield;

/// Having looked in vain for so long, a thread may sleep.
const PATIENCE: Duration = Duration::from_millis(1);
/// A longer time between two looks is one in which the thread did not run.
const INTERRUPTED: Duration = Duration::from_micros(100);

/// Steps under way.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// Runs `work` on a thread of the pool that kernels run on, and meanwhile keeps the others looking for
/// what there is to do; they sleep only when they found nothing for a millisecond. Where several threads
/// call this at once there is enough to do, and nobody is kept.
pub fn keep_workers_spinning<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| {
        let step = Step::default();
        if RUNNING.fetch_add(1, Ordering::Relaxed) == 0 && rayon::current_num_threads() > 1 {
            let (own, ended) = (rayon::current_thread_index(), step.ended.clone());
            // Outside the scope: it waits for none of them.
            rayon::spawn_broadcast(move |thread| {
                if Some(thread.index()) != own {
                    look_for_work(&ended);
                }
            });
        }
        work()
    })
}

/// A step under way, until it is dropped.
#[derive(Default)]
struct Step {
    ended: Arc<AtomicBool>,
}

impl Drop for Step {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

fn look_for_work(ended: &AtomicBool) {
    let (mut last, mut idle) = (Instant::now(), Duration::ZERO);
    let alone = || RUNNING.load(Ordering::Relaxed) == 1;
    while !ended.load(Ordering::Relaxed) && alone() && idle < PATIENCE {
        let found = rayon::yield_now() == Some(Yield::Executed);
        let now = Instant::now();
        if found {
            idle = Duration::ZERO;
        } else {
            idle += Some(now - last)
                .filter(|gap| *gap < INTERRUPTED)
                .unwrap_or_default();
            spin_loop();
        }
        last = now;
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    fn sum(n: u32) -> u32 {
        keep_workers_spinning(|| (0..n).into_par_iter().with_max_len(1).sum())
    }

    fn each_within_one(most: u32) {
        for n in 0..most {
            let within =
                keep_workers_spinning(|| (0..n).into_par_iter().map(sum).collect::<Vec<_>>());
            let expected = (0..n).map(|m| m * m.saturating_sub(1) / 2);
            assert_eq!(within, expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn steps_within_and_beside_each_other_end() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| each_within_one(50));
            }
        });
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| each_within_one(20));
        }
    }

    #[test]
    fn a_short_step_does_not_wait_for_a_long_one_beside_it() {
        // Of one thread alone the long step would leave nothing to the short ones.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
        let pool = pool.unwrap();
        let (begun, stop) = (AtomicBool::new(false), AtomicBool::new(false));
        let long = || {
            keep_workers_spinning(|| {
                begun.store(true, Ordering::Relaxed);
                while !stop.load(Ordering::Relaxed) {
                    (0..64u32).into_par_iter().with_max_len(1).for_each(|i| {
                        std::hint::black_box((0..2000).fold(i, |a, b| a ^ (a << 1) ^ b));
                    });
                }
            });
        };
        let mut waited = Duration::ZERO;
        std::thread::scope(|scope| {
            scope.spawn(|| pool.install(long));
            while !begun.load(Ordering::Relaxed) {
                spin_loop();
            }
            for _ in 0..100 {
                let since = Instant::now();
                assert_eq!(pool.install(|| sum(3)), 3);
                waited = waited.max(since.elapsed());
            }
            stop.store(true, Ordering::Relaxed);
        });
        // The long step would go on for ever.
        assert!(waited < Duration::from_secs(5), "{waited:?}");
    }

    #[test]
    fn a_panic_comes_through() {
        let broken = |root: bool| {
            let piece = move |i: u32| assert!(!root && i < 7, "on purpose");
            std::panic::catch_unwind(|| {
                keep_workers_spinning(|| (0..9).into_par_iter().for_each(piece))
            })
        };
        assert!(broken(true).is_err() && broken(false).is_err());
        assert_eq!(sum(5), 10);
    }
}
