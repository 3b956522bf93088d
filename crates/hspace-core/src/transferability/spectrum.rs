//! The singular values of features, and where the classes lie in their left singular vectors: F = U √σ Vᵀ.

use faer::{Mat, MatRef};

use super::{check, counts};
use crate::density::rows::{doubles, means, minus, scatter};
use crate::error::{Error, Result};
use crate::matrix::{Matrix, eigen};

/// Rows or columns, whichever are fewer, at most: time grows with the third power.
const WIDEST: usize = 4096;
/// Squared singular values below this share of the largest are rounding.
const LEAST: f64 = 1e-12;

/// What scores need of features `[n, d]` and classes.
pub(super) struct Spectrum {
    pub(super) rows: usize,
    pub(super) cols: usize,
    /// Squared singular values `[r]`, all above 0.
    pub(super) squares: Vec<f64>,
    /// The classes that have rows.
    pub(super) classes: Vec<Class>,
    /// Σ ‖x_i‖⁴ over rows.
    pub(super) fourth: f64,
}

/// A class in the left singular vectors.
pub(super) struct Class {
    /// Rows of the class.
    pub(super) count: f64,
    /// `(u_k · y)²` `[r]`, y being 1 for rows of the class, else 0.
    pub(super) shares: Vec<f64>,
}

impl Spectrum {
    /// Of `features` `[n, d]`, less their mean where `centred`.
    pub(super) fn of(
        features: &Matrix,
        labels: &[u32],
        classes: usize,
        centred: bool,
    ) -> Result<Spectrum> {
        let (n, d) = (features.rows, features.cols);
        check(n, labels, classes)?;
        check_width(n, d)?;
        if d == 0 {
            return Err(Error::data("rows have no features"));
        }
        let mut rows = doubles(features);
        if centred {
            rows = minus(&rows, &means(&rows, d));
        }
        let square = |row: &[f64]| row.iter().map(|x| x * x).sum::<f64>();
        let fourth = rows.chunks_exact(d).map(|row| square(row).powi(2)).sum();
        let counts = counts(labels, classes);
        let present = (0..classes).filter(|&c| counts[c] > 0);
        // The smaller of FᵀF and FFᵀ has the same squares.
        let by_columns = d <= n;
        let gram = match by_columns {
            true => scatter(&rows, d) * faer::Scale(n as f64),
            false => {
                let turned = MatRef::from_column_major_slice(&rows, d, n).to_owned();
                let turned: Vec<f64> = (0..d * n).map(|e| turned[(e / n, e % n)]).collect();
                scatter(&turned, n) * faer::Scale(d as f64)
            }
        };
        let (values, vectors) = eigen(&gram, true)?;
        let least = values.last().copied().unwrap_or(0.0) * LEAST;
        let kept: Vec<usize> = (0..values.len()).filter(|&k| values[k] > least).collect();
        let squares: Vec<f64> = kept.iter().map(|&k| values[k]).collect();
        let class = |c: usize| {
            let own = |i: &usize| labels[*i] as usize == c;
            // u · y is v · Fᵀy / √σ.
            let sums = match by_columns {
                true => {
                    let mut sums = vec![0.0; d];
                    for i in (0..n).filter(own) {
                        let row = &rows[i * d..(i + 1) * d];
                        sums.iter_mut().zip(row).for_each(|(s, x)| *s += x);
                    }
                    sums
                }
                false => (0..n).map(|i| f64::from(u8::from(own(&i)))).collect(),
            };
            let share = |(&k, &square): (&usize, &f64)| {
                let along: f64 = dot(&vectors, k, &sums);
                match by_columns {
                    true => along * along / square,
                    false => along * along,
                }
            };
            Class {
                count: counts[c] as f64,
                shares: kept.iter().zip(&squares).map(share).collect(),
            }
        };
        Ok(Spectrum {
            rows: n,
            cols: d,
            classes: present.map(class).collect(),
            squares,
            fourth,
        })
    }
}

/// Refuses shapes whose eigenvalues would take too long.
pub(super) fn check_width(n: usize, d: usize) -> Result<()> {
    match n.min(d) > WIDEST {
        false => Ok(()),
        true => Err(Error::data(format!(
            "{n} rows of {d} features: scores take at most {WIDEST} of the one or the other; reduce them first, such as by pca:{WIDEST}"
        ))),
    }
}

fn dot(vectors: &Mat<f64>, k: usize, sums: &[f64]) -> f64 {
    let column = vectors.col_as_slice(k).iter();
    column.zip(sums).map(|(v, s)| v * s).sum()
}
