//! ZCA whitening: rows with a covariance near the identity, as close to the rows themselves as can be.

use crate::error::Result;
use crate::matrix::{Matrix, eigen, gram};

/// `z = V (D + ε)^−½ Vᵀ (x − mean)`
pub(super) struct Whitening {
    /// `[d]`
    pub(super) mean: Vec<f32>,
    /// `[d, d]`, symmetric.
    pub(super) matrix: Matrix,
}

impl Whitening {
    /// Fitted to `rows` `[n, d]`.
    ///
    /// # Errors
    /// When rows are not finite.
    pub(super) fn fit(rows: &Matrix, epsilon: f64) -> Result<Whitening> {
        let mean = rows.column_means();
        let centred = rows.minus(&mean);
        let d = rows.cols;
        let n = rows.rows.max(1) as f64;
        let covariance = gram(centred.view()) * faer::Scale(1.0 / n);
        let (values, vectors) = eigen(&covariance, true)?;
        let scaled = faer::Mat::from_fn(d, d, |i, k| {
            vectors[(i, k)] / (values[k].max(0.0) + epsilon).sqrt()
        });
        let whole = &scaled * vectors.transpose();
        crate::matrix::settle();
        let data = (0..d * d).map(|e| whole[(e / d, e % d)] as f32);
        Ok(Whitening {
            mean: mean.iter().map(|&m| m as f32).collect(),
            matrix: Matrix::new(d, d, data.collect()),
        })
    }

    /// Whitens `rows` `[n, d]`.
    pub(super) fn apply(&self, mut rows: Matrix) -> Matrix {
        rows.data
            .chunks_exact_mut(rows.cols)
            .for_each(|row| self.centre(row));
        rows.times(&self.matrix)
    }

    /// Subtracts the mean from one row.
    pub(super) fn centre(&self, row: &mut [f32]) {
        row.iter_mut().zip(&self.mean).for_each(|(x, m)| *x -= m);
    }
}
