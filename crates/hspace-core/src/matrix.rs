//! A plain row-major matrix: what features are once they have left the tensor engine.
//!
//! Every product here is cut into blocks of a fixed size whose results are put together in a fixed
//! order, so that the numbers do not depend on the number of threads.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::error::{Error, Result};

/// Rows of one block of a product.
const BLOCK: usize = 256;

/// Row-major `[rows, cols]` single-precision numbers.
///
/// ```
/// use hspace_core::matrix::Matrix;
///
/// let x = Matrix::new(3, 2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// assert_eq!(x.row(1), [3.0, 4.0]);
/// assert_eq!(x.select(&[2, 0]).data, [5.0, 6.0, 1.0, 2.0]);
/// assert_eq!(x.column_means(), [3.0, 4.0]);
/// assert_eq!(x.minus(&[3.0, 4.0]).row(0), [-2.0, -2.0]);
/// assert_eq!(x.times(&Matrix::new(2, 1, vec![1.0, -1.0])).data, [-1.0; 3]);
/// assert_eq!(x.times_transposed(&x).rows, 3);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Number of rows (samples).
    pub rows: usize,
    /// Number of columns (dimensions).
    pub cols: usize,
    /// `rows × cols` values, one row after the other.
    pub data: Vec<f32>,
}

impl Matrix {
    /// Wraps `data`, which must hold `rows × cols` values.
    ///
    /// # Panics
    /// If the length does not fit: that is a bug of the caller.
    pub fn new(rows: usize, cols: usize, data: Vec<f32>) -> Self {
        assert_eq!(data.len(), rows * cols, "{rows}x{cols} matrix");
        Matrix { rows, cols, data }
    }

    /// A matrix of zeros.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Matrix::new(rows, cols, vec![0.0; rows * cols])
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.data[i * self.cols..(i + 1) * self.cols]
    }

    /// The rows named by `index`, in that order.
    pub fn select(&self, index: &[usize]) -> Matrix {
        let mut data = Vec::with_capacity(index.len() * self.cols);
        for &i in index {
            data.extend_from_slice(self.row(i));
        }
        Matrix::new(index.len(), self.cols, data)
    }

    /// At most `limit` rows, evenly spaced over all of them (all where there are no more).
    pub fn spaced(&self, limit: usize) -> Matrix {
        self.select(&spaced(self.rows, limit))
    }

    /// Mean of each column, `[cols]`; zeros where there is no row.
    pub fn column_means(&self) -> Vec<f64> {
        let mut sum = vec![0.0; self.cols];
        for row in self.data.chunks_exact(self.cols.max(1)) {
            for (s, &x) in sum.iter_mut().zip(row) {
                *s += f64::from(x);
            }
        }
        let n = self.rows.max(1) as f64;
        sum.iter().map(|s| s / n).collect()
    }

    /// Every row minus `mean` `[cols]`.
    pub fn minus(&self, mean: &[f64]) -> Matrix {
        self.minus_times(mean, 1.0)
    }

    /// Every row minus `mean` `[cols]`, times `scale`.
    pub(crate) fn minus_times(&self, mean: &[f64], scale: f64) -> Matrix {
        let mut data = self.data.clone();
        for row in data.chunks_exact_mut(self.cols.max(1)) {
            for (x, m) in row.iter_mut().zip(mean) {
                *x = ((f64::from(*x) - m) * scale) as f32;
            }
        }
        Matrix::new(self.rows, self.cols, data)
    }

    /// The product with `right` `[cols, m]`, giving `[rows, m]`.
    ///
    /// # Panics
    /// If the shapes do not fit: that is a bug of the caller.
    pub fn times(&self, right: &Matrix) -> Matrix {
        self.times_view(right.view())
    }

    /// The product with the transpose of `right` `[m, cols]`, giving `[rows, m]`.
    ///
    /// # Panics
    /// If the shapes do not fit: that is a bug of the caller.
    pub fn times_transposed(&self, right: &Matrix) -> Matrix {
        self.times_view(right.view().transpose())
    }

    fn times_view(&self, right: MatRef<'_, f32>) -> Matrix {
        assert_eq!(self.cols, right.nrows(), "inner dimensions of a product");
        let m = right.ncols();
        let mut out = Matrix::zeros(self.rows, m);
        if m > 0 && self.cols > 0 {
            out.data
                .par_chunks_mut(BLOCK * m)
                .zip(self.data.par_chunks(BLOCK * self.cols))
                .for_each(|(out, left)| {
                    let rows = left.len() / self.cols;
                    let left = MatRef::from_row_major_slice(left, rows, self.cols);
                    let out = MatMut::from_row_major_slice_mut(out, rows, m);
                    product(out, left, right);
                });
        }
        out
    }

    /// The matrix as faer sees it.
    pub(crate) fn view(&self) -> MatRef<'_, f32> {
        MatRef::from_row_major_slice(&self.data, self.rows, self.cols)
    }
}

/// `out ← left × right` on the calling thread.
pub(crate) fn product(out: MatMut<'_, f32>, left: MatRef<'_, f32>, right: MatRef<'_, f32>) {
    matmul(out, Accum::Replace, left, right, 1.0, Par::Seq);
    settle();
}

/// To be called after faer's products and decompositions, on the thread they ran on.
///
/// Their kernels leave the upper halves of the vector registers in use, after which every `exp` on
/// that thread takes some 30 times as long. faer's own reductions put this right when they return.
pub(crate) fn settle() {
    let few = [1.0f32; 16];
    std::hint::black_box(MatRef::from_row_major_slice(&few, 4, 4).norm_max());
}

/// The power of two that brings `largest` to 1..2, or 1 where it is 0 or within a factor of 2²⁰ of 1. To
/// multiply by it is exact.
pub(crate) fn power_to_one(largest: f64) -> f64 {
    const NEAR: f64 = (1u64 << 20) as f64;
    let near = (NEAR.recip()..=NEAR).contains(&largest);
    if near || !largest.is_normal() {
        return 1.0;
    }
    // A double's exponent is stored plus 1023; negated, it is that of the factor.
    let exponent = largest.abs().to_bits() >> 52;
    f64::from_bits(2046u64.saturating_sub(exponent).max(1) << 52)
}

/// At most `limit` of the indices `0..n`, evenly spaced, ascending.
///
/// ```
/// use hspace_core::matrix::spaced;
///
/// assert_eq!(spaced(100, 4).len(), 4);
/// assert_eq!(spaced(3, 10), [0, 1, 2]);
/// ```
pub fn spaced(n: usize, limit: usize) -> Vec<usize> {
    if n <= limit {
        return (0..n).collect();
    }
    (0..limit).map(|i| i * n / limit).collect()
}

/// `AᵀA` `[m, m]` of a view `A` `[k, m]`, summed in double precision over blocks of rows.
pub(crate) fn gram(a: MatRef<'_, f32>) -> Mat<f64> {
    const PANEL: usize = 128;
    let (k, m) = a.shape();
    let starts: Vec<usize> = (0..m).step_by(PANEL).collect();
    let panels: Vec<Mat<f64>> = starts
        .par_iter()
        .map(|&j| {
            let width = PANEL.min(m - j);
            let mut part = Mat::<f32>::zeros(m, width);
            let mut sum = Mat::<f64>::zeros(m, width);
            for i in (0..k).step_by(BLOCK) {
                let block = a.subrows(i, BLOCK.min(k - i));
                let right = block.subcols(j, width);
                product(part.as_mut(), block.transpose(), right);
                for c in 0..width {
                    for (s, &p) in sum.col_as_slice_mut(c).iter_mut().zip(part.col_as_slice(c)) {
                        *s += f64::from(p);
                    }
                }
            }
            sum
        })
        .collect();
    Mat::from_fn(m, m, |i, j| panels[j / PANEL][(i, j % PANEL)])
}

/// `AᵀA` `[m, m]` of a view `A` `[k, m]`, in double precision throughout.
fn gram_in_double(a: MatRef<'_, f32>) -> Mat<f64> {
    let (k, m) = a.shape();
    let mut sum = Mat::<f64>::zeros(m, m);
    for i in (0..k).step_by(BLOCK) {
        let block = a.subrows(i, BLOCK.min(k - i));
        let block = Mat::from_fn(block.nrows(), m, |i, j| f64::from(block[(i, j)]));
        matmul(
            sum.as_mut(),
            Accum::Add,
            block.transpose(),
            &block,
            1.0,
            Par::Seq,
        );
    }
    settle();
    sum
}

/// Eigenvalues and eigenvectors of `AᵀA`, as [`eigen`] has them, of a view `A` `[k, m]`; and the share of the
/// largest eigenvalue below which they are rounding errors.
///
/// Products are of single precision, unless one direction holds nearly everything: their rounding
/// errors would then be larger than the rest.
///
/// # Errors
/// As [`eigen`].
pub(crate) fn gram_eigen(a: MatRef<'_, f32>, vectors: bool) -> Result<(Vec<f64>, Mat<f64>, f64)> {
    /// Share of one direction in the sum of squares.
    const NEARLY_ALL: f64 = 0.999;
    let (values, columns) = eigen(&gram(a), vectors)?;
    let largest = values.last().copied().unwrap_or(0.0);
    if a.ncols() < 2 || largest <= NEARLY_ALL * values.iter().sum::<f64>() {
        return Ok((values, columns, 1e-7));
    }
    let (values, columns) = eigen(&gram_in_double(a), vectors)?;
    Ok((values, columns, 1e-14))
}

/// Eigenvalues, ascending, of a symmetric matrix, and where asked its eigenvectors as columns.
///
/// # Errors
/// When the decomposition does not converge, which values that are not finite bring about.
pub(crate) fn eigen(a: &Mat<f64>, vectors: bool) -> Result<(Vec<f64>, Mat<f64>)> {
    let n = a.nrows();
    if n == 0 {
        return Ok((Vec::new(), Mat::new()));
    }
    let want = if vectors {
        ComputeEigenvectors::Yes
    } else {
        ComputeEigenvectors::No
    };
    let mut values = faer::diag::Diag::<f64>::zeros(n);
    let mut columns = Mat::<f64>::zeros(if vectors { n } else { 0 }, if vectors { n } else { 0 });
    let scratch = self_adjoint_evd_scratch::<f64>(n, want, Par::Seq, Default::default());
    let found = self_adjoint_evd(
        a.as_ref(),
        values.as_mut(),
        vectors.then(|| columns.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    );
    settle();
    found.map_err(|_| Error::data("the eigenvalues of the features' covariance could not be found; are all features finite?"))?;
    Ok((values.column_vector().iter().copied().collect(), columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(rows: usize, cols: usize) -> Matrix {
        let data = (0..rows * cols)
            .map(|i| ((i * 7919) % 101) as f32 / 50.0 - 1.0)
            .collect();
        Matrix::new(rows, cols, data)
    }

    #[test]
    fn products_agree_with_the_obvious_loops() {
        let (a, b) = (numbers(300, 17), numbers(17, 5));
        let c = a.times(&b);
        let transposed: Vec<f32> = (0..5 * 17).map(|i| b.data[i % 17 * 5 + i / 17]).collect();
        assert_eq!(c, a.times_transposed(&Matrix::new(5, 17, transposed)));
        let g = gram(a.view());
        for i in 0..17 {
            let plain: f32 = (0..17).map(|k| a.row(299)[k] * b.row(k)[i % 5]).sum();
            assert!((c.row(299)[i % 5] - plain).abs() < 1e-4);
            let plain: f64 = (0..300).map(|k| f64::from(a.row(k)[i] * a.row(k)[3])).sum();
            assert!((g[(i, 3)] - plain).abs() < 1e-3);
        }
    }

    #[test]
    fn eigenvectors_rebuild_the_matrix() -> Result<()> {
        let g = gram(numbers(40, 6).view());
        let (values, vectors) = eigen(&g, true)?;
        assert!(values.is_sorted());
        let rebuilt: f64 = (0..6)
            .map(|k| values[k] * vectors[(1, k)] * vectors[(4, k)])
            .sum();
        assert!((rebuilt - g[(1, 4)]).abs() < 1e-9 * values[5]);
        let (alone, _) = eigen(&g, false)?;
        assert!((alone[5] - values[5]).abs() < 1e-9 * values[5]);
        Ok(())
    }

    #[test]
    fn both_products_of_columns_agree_with_the_obvious_loop() {
        let mut a = numbers(700, 3);
        a.data.chunks_exact_mut(3).for_each(|row| row[0] *= 1e7);
        let (single, double) = (gram(a.view()), gram_in_double(a.view()));
        for (i, j) in [(0, 0), (0, 2), (1, 2), (2, 1)] {
            let product = |k: usize| f64::from(a.row(k)[i]) * f64::from(a.row(k)[j]);
            let (plain, size) = (0..700).fold((0.0, 0.0), |(sum, size), k| {
                (sum + product(k), size + product(k).abs())
            });
            assert!((single[(i, j)] - plain).abs() < 1e-5 * size);
            assert!((double[(i, j)] - plain).abs() < 1e-14 * size);
        }
    }

    #[test]
    fn a_power_of_two_brings_any_number_near_1() {
        for x in [0.0, 1.0, -0.0, 1e6, 1e-6, f64::NAN, f64::INFINITY] {
            assert_eq!(power_to_one(x), 1.0, "{x}");
        }
        for x in [f32::MAX, 1e7, 1e-7, 1e-40, f32::from_bits(1)].map(f64::from) {
            let factor = power_to_one(x);
            assert!((1.0..2.0).contains(&(x * factor)), "{x}");
            assert_eq!(
                factor.to_bits() & ((1 << 52) - 1),
                0,
                "{factor} is no power of two"
            );
        }
        assert!(power_to_one(f64::MAX) > 0.0);
    }

    #[test]
    fn spaced_rows_cover_the_whole() {
        assert_eq!(spaced(3, 5), [0, 1, 2]);
        assert_eq!(spaced(10, 3), [0, 3, 6]);
    }
}
