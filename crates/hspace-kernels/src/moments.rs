//! Mean and variance of each channel of `[rows, c]`.

use rayon::prelude::*;

use crate::machine::Machine;
use crate::norm::{FLIGHT, in_flight, piece, total};
use crate::simd::{LANES, Simd, kernel};

/// Mean of each channel and the sum of squared distances from it.
#[derive(Clone, Debug, Default)]
pub struct Moments {
    count: usize,
    mean: Vec<f32>,
    squares: Vec<f32>,
}

impl Moments {
    /// Of no rows.
    fn new(channels: usize) -> Moments {
        Moments {
            count: 0,
            mean: vec![0.0; channels],
            squares: vec![0.0; channels],
        }
    }

    /// Of some rows, centred: the mean first, then the distances from it.
    pub(crate) fn of(on: Machine, rows: &[f32], channels: usize) -> Moments {
        let mut moments = Moments::new(channels);
        moments.count = rows.len() / channels;
        // SAFETY: both have `channels` numbers.
        unsafe { measure(on.isa, rows, &mut moments.mean, &mut moments.squares) };
        moments
    }

    /// The moments of all rows, from those of parts, in their order.
    pub(crate) fn merged(channels: usize, parts: &[Moments]) -> Moments {
        let mut all = Moments::new(channels);
        parts.iter().for_each(|part| all.merge(part));
        all
    }

    /// Adds other rows' (Chan et al. 1983).
    pub(crate) fn merge(&mut self, other: &Moments) {
        if other.count == 0 {
            return;
        }
        let (a, b) = (self.count as f32, other.count as f32);
        let share = b / (a + b);
        let cross = a * share;
        let own = self.mean.iter_mut().zip(&mut self.squares);
        for ((mean, squares), (m, s)) in own.zip(other.mean.iter().zip(&other.squares)) {
            let distance = m - *mean;
            *mean += distance * share;
            *squares += s + distance * distance * cross;
        }
        self.count += other.count;
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Mean of each channel.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// Variance of each channel, the mean of squared distances (biased, as batch normalisation
    /// uses it).
    pub fn variance(&self) -> Vec<f32> {
        let count = self.count as f32;
        self.squares.iter().map(|s| s / count).collect()
    }
}

/// Moments of `rows [n, channels]`.
pub fn moments(on: Machine, rows: &[f32], channels: usize) -> Moments {
    let piece = piece(channels);
    let parts: Vec<Moments> = rows
        .par_chunks(piece)
        .map(|rows| Moments::of(on, rows, channels))
        .collect();
    Moments::merged(channels, &parts)
}

/// Sum of each channel of `rows [n, channels]`.
pub fn column_sums(on: Machine, rows: &[f32], channels: usize) -> Vec<f32> {
    let pieces = rows.par_chunks(piece(channels));
    let parts: Vec<Vec<f32>> = pieces
        .map(|rows| {
            let mut sums = vec![0.0; channels];
            // SAFETY: both have whole rows of `channels` numbers.
            unsafe { add_rows(on.isa, rows, &mut sums) };
            sums
        })
        .collect();
    let mut all = vec![0.0; channels];
    for part in parts {
        all.iter_mut()
            .zip(part)
            .for_each(|(all, part)| *all += part);
    }
    all
}

kernel! {
    /// Adds each row of `rows [n, sums.len()]` to `sums`.
    ///
    /// # Safety
    /// `rows` must be whole rows.
    fn add_rows(rows: &[f32], sums: &mut [f32]) = add_rows_with
}

#[inline(always)]
unsafe fn add_rows_with<S: Simd>(rows: &[f32], sums: &mut [f32]) {
    let channels = sums.len();
    // SAFETY: every address is that of `lanes` numbers of a row, channel c.
    unsafe {
        for row in rows.chunks_exact(channels) {
            for c in (0..channels).step_by(LANES) {
                let lanes = (channels - c).min(LANES);
                let sum = S::load_first(sums.as_ptr().add(c), lanes);
                let row = S::load_first(row.as_ptr().add(c), lanes);
                S::store_first(sums.as_mut_ptr().add(c), S::add(sum, row), lanes);
            }
        }
    }
}

kernel! {
    /// Mean and sum of squared distances of each channel of `rows [n, mean.len()]`.
    ///
    /// # Safety
    /// `mean` and `squares` must be equally long, `rows` whole rows.
    fn measure(rows: &[f32], mean: &mut [f32], squares: &mut [f32]) = measure_with
}

#[inline(always)]
unsafe fn measure_with<S: Simd>(rows: &[f32], mean: &mut [f32], squares: &mut [f32]) {
    let channels = mean.len();
    let n = rows.len() / channels;
    let share = 1.0 / n as f32;
    let rows = rows.as_ptr();
    let mut c = 0;
    // SAFETY: every address is that of `lanes` numbers of row i, channel c.
    unsafe {
        while c + FLIGHT * LANES <= channels {
            // Several vectors of a row at once: memory is read as it lies.
            let mut center = [S::splat(0.0); FLIGHT];
            for i in 0..n {
                for (v, sum) in center.iter_mut().enumerate() {
                    *sum = S::add(*sum, S::load(rows.add(i * channels + c + v * LANES)));
                }
            }
            for center in &mut center {
                *center = S::mul(*center, S::splat(share));
            }
            let mut sums = [S::splat(0.0); FLIGHT];
            for i in 0..n {
                for (v, sum) in sums.iter_mut().enumerate() {
                    let x = S::load(rows.add(i * channels + c + v * LANES));
                    let distance = S::sub(x, center[v]);
                    *sum = S::mul_add(distance, distance, *sum);
                }
            }
            for v in 0..FLIGHT {
                S::store(mean.as_mut_ptr().add(c + v * LANES), center[v]);
                S::store(squares.as_mut_ptr().add(c + v * LANES), sums[v]);
            }
            c += FLIGHT * LANES;
        }
        while c < channels {
            let lanes = (channels - c).min(LANES);
            let mut sums = [S::splat(0.0); FLIGHT];
            in_flight!(n, |i, v| {
                let x = S::load_first(rows.add(i * channels + c), lanes);
                sums[v] = S::add(sums[v], x);
            });
            let center = S::mul(total::<S>(sums), S::splat(share));
            let mut sums = [S::splat(0.0); FLIGHT];
            in_flight!(n, |i, v| {
                let x = S::load_first(rows.add(i * channels + c), lanes);
                let distance = S::sub(x, center);
                sums[v] = S::mul_add(distance, distance, sums[v]);
            });
            S::store_first(mean.as_mut_ptr().add(c), center, lanes);
            S::store_first(squares.as_mut_ptr().add(c), total::<S>(sums), lanes);
            c += LANES;
        }
    }
}
