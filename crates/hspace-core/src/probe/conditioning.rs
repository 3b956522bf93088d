//! Features brought to where single precision is precise, for probes that see them as they are.
//!
//! Products in single precision lose the spread of features below a large common part, and overflow or
//! underflow far from 1. Scikit-learn, in double precision, does neither until much later. So:
//!
//! 1. A column whose mean exceeds [`COMMON`] standard deviations is centred, in double precision. A
//!    constant column is measured by the largest standard deviation of any column.
//! 2. All values are multiplied by one power of two, which is exact, where the largest lies far from 1.
//!
//! Means, deviations and the largest value are those of the training rows; labels play no part. Other
//! features are left as they are, bit for bit: centring changes cosines, so it is kept for columns whose
//! cosines single precision cannot resolve.

use crate::matrix::{Matrix, power_to_one};

/// Standard deviations above which a mean is a common part: single precision then has lost ten of its 24 bits.
const COMMON: f64 = 1024.0;

/// Values of other than training rows are held within this many times 1: their squares can be summed.
pub(crate) const CEILING: f64 = (1u64 << 48) as f64;

/// What is done to features.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conditioning {
    /// Subtracted from each column, `[d]`; empty where nothing is.
    shift: Vec<f64>,
    /// A power of two; a value is multiplied by it after the subtraction.
    pub(super) scale: f64,
}

impl Conditioning {
    /// What the rows `train` of `features` `[n, d]` call for.
    pub(super) fn fit(features: &Matrix, train: impl Iterator<Item = usize>) -> Conditioning {
        let columns = Columns::of(features, train);
        let largest_variance = columns.variance.iter().copied().fold(0.0, f64::max);
        let is_common = |(&mean, &variance): (&f64, &f64)| {
            let variance = if variance > 0.0 {
                variance
            } else {
                largest_variance
            };
            variance > 0.0 && mean * mean > COMMON * COMMON * variance
        };
        let pairs = || columns.mean.iter().zip(&columns.variance);
        let shift: Vec<f64> = if pairs().any(is_common) {
            pairs()
                .map(|pair| if is_common(pair) { *pair.0 } else { 0.0 })
                .collect()
        } else {
            Vec::new()
        };
        let largest = (0..columns.mean.len()).fold(0.0f64, |largest, j| {
            let shift = shift.get(j).copied().unwrap_or(0.0);
            let ends = [columns.low[j], columns.high[j]].map(|x| (f64::from(x) - shift).abs());
            largest.max(ends[0]).max(ends[1])
        });
        Conditioning {
            shift,
            scale: power_to_one(largest),
        }
    }

    /// What is subtracted from each of `d` features, and what they are multiplied by then.
    pub(super) fn line(&self, d: usize) -> (Vec<f64>, Vec<f64>) {
        let shift = match self.shift.is_empty() {
            true => vec![0.0; d],
            false => self.shift.clone(),
        };
        (shift, vec![self.scale; d])
    }

    /// Conditions `features` `[n, d]` in place.
    pub(super) fn apply(&self, features: &mut Matrix) {
        let within = |x: &f32| f64::from(x.abs()) <= CEILING;
        if self.shift.is_empty() && self.scale == 1.0 && features.data.iter().all(within) {
            return;
        }
        for row in features.data.chunks_exact_mut(features.cols.max(1)) {
            for (j, x) in row.iter_mut().enumerate() {
                let shift = self.shift.get(j).copied().unwrap_or(0.0);
                let value = (f64::from(*x) - shift) * self.scale;
                *x = value.clamp(-CEILING, CEILING) as f32;
            }
        }
    }
}

/// Statistics of columns, each `[d]`.
pub(super) struct Columns {
    pub(super) mean: Vec<f64>,
    pub(super) variance: Vec<f64>,
    low: Vec<f32>,
    high: Vec<f32>,
}

impl Columns {
    /// In one pass, of the differences from the first row: a common part does not enter the sums.
    pub(super) fn of(features: &Matrix, mut rows: impl Iterator<Item = usize>) -> Columns {
        let d = features.cols;
        let Some(first) = rows.next().map(|i| features.row(i)) else {
            return Columns {
                mean: vec![0.0; d],
                variance: vec![0.0; d],
                low: vec![0.0; d],
                high: vec![0.0; d],
            };
        };
        let (mut sums, mut squares) = (vec![0.0; d], vec![0.0; d]);
        let (mut low, mut high) = (first.to_vec(), first.to_vec());
        let mut n = 1.0;
        for i in rows {
            let row = features.row(i);
            for j in 0..d {
                let difference = f64::from(row[j]) - f64::from(first[j]);
                sums[j] += difference;
                squares[j] += difference * difference;
                low[j] = low[j].min(row[j]);
                high[j] = high[j].max(row[j]);
            }
            n += 1.0;
        }
        let mean = first.iter().zip(&sums).map(|(&x, s)| f64::from(x) + s / n);
        let variance = squares
            .iter()
            .zip(&sums)
            .map(|(q, s)| (q / n - s / n * (s / n)).max(0.0));
        Columns {
            mean: mean.collect(),
            variance: variance.collect(),
            low,
            high,
        }
    }
}

#[cfg(test)]
mod tests;
