//! How fast samples become views.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Key, Views};
use crate::dataset::Samples;
use crate::error::Result;

/// Samples per second, each fetched (decoded, if it is a file) and turned into two random views,
/// by `threads` threads that work for `seconds`. Goes through the first `count` samples in turn.
///
/// ```
/// use hspace_core::dataset::{Dataset, Kind, OpenOptions};
/// use hspace_core::views::measure::samples_per_second;
/// use hspace_core::views::{InputSpec, Views, ViewsConfig};
///
/// let digits = Dataset::open("builtin:mnist-mini", &OpenOptions::default())?;
/// let input = InputSpec { shape: digits.shape, mean: vec![0.13], std: vec![0.31], shift: vec![] };
/// let views = Views::new(ViewsConfig::preset(Kind::Digits, 28), input, None)?;
/// assert!(samples_per_second(&views, &*digits.samples, 100, 1, 0.05)? > 10.0);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// The first sample that cannot be fetched or does not fit.
pub fn samples_per_second(
    views: &Views,
    samples: &dyn Samples,
    count: usize,
    threads: usize,
    seconds: f64,
) -> Result<f64> {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(seconds);
    let work = || -> Result<usize> {
        let mut out = vec![0.0; views.input().len()];
        let mut done = 0;
        while Instant::now() < end && count > 0 {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let sample = samples.get(n % count)?;
            for view in 0..2 {
                let key = Key {
                    epoch: (n / count) as u64,
                    sample: (n % count) as u64,
                    view,
                    ..Key::default()
                };
                views.random(&sample, key, &mut out)?;
            }
            done += 1;
        }
        Ok(done)
    };
    let done: Result<usize> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|w| {
                w.join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .sum()
    });
    Ok(done? as f64 / start.elapsed().as_secs_f64())
}
