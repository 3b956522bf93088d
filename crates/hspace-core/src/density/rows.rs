//! Sums over rows of features, in double precision. Work is cut by shapes alone, so that no sum depends
//! on the number of threads.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

use crate::matrix::{Matrix, settle};

/// Rows worked on at once.
pub const BLOCK: usize = 256;

/// Features in double precision, row after row.
pub fn doubles(features: &Matrix) -> Vec<f64> {
    features.data.iter().map(|x| f64::from(*x)).collect()
}

/// Mean of each column of `rows` `[n, d]`.
pub fn means(rows: &[f64], d: usize) -> Vec<f64> {
    let mut sum = vec![0.0; d];
    for row in rows.chunks_exact(d) {
        sum.iter_mut().zip(row).for_each(|(s, x)| *s += x);
    }
    let n = (rows.len() / d) as f64;
    sum.iter().map(|s| s / n).collect()
}

/// Every row minus `mean`.
pub fn minus(rows: &[f64], mean: &[f64]) -> Vec<f64> {
    let row = rows.chunks_exact(mean.len());
    row.flat_map(|row| row.iter().zip(mean).map(|(x, m)| x - m))
        .collect()
}

/// `AᵀA / n` `[d, d]` of `rows` A `[n, d]`.
pub fn scatter(rows: &[f64], d: usize) -> Mat<f64> {
    const PANEL: usize = 64;
    let n = rows.len() / d;
    let a = MatRef::from_row_major_slice(rows, n, d);
    let starts: Vec<usize> = (0..d).step_by(PANEL).collect();
    let panels: Vec<Mat<f64>> = starts
        .par_iter()
        .map(|&j| {
            let right = a.subcols(j, PANEL.min(d - j));
            let mut out = Mat::zeros(d, right.ncols());
            matmul(
                out.as_mut(),
                Accum::Replace,
                a.transpose(),
                right,
                1.0 / n as f64,
                Par::Seq,
            );
            settle();
            out
        })
        .collect();
    Mat::from_fn(d, d, |i, j| panels[j / PANEL][(i, j % PANEL)])
}

/// The lower triangular L with `LLᵀ = matrix`, and ln det; `None` where `matrix` is not positive.
pub fn cholesky(mut matrix: Mat<f64>) -> Option<(Mat<f64>, f64)> {
    let d = matrix.nrows();
    let largest = (0..d).map(|i| matrix[(i, i)]).fold(0.0, f64::max);
    let scratch = cholesky_in_place_scratch::<f64>(d, Par::Seq, Default::default());
    let done = cholesky_in_place(
        matrix.as_mut(),
        Default::default(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    );
    settle();
    done.ok()?;
    // A pivot that is rounding error alone represents a direction without variance.
    let least = largest.sqrt() * 1e-7;
    let mut ln_det = 0.0;
    for i in 0..d {
        let pivot = matrix[(i, i)];
        if !pivot.is_finite() || pivot <= least {
            return None;
        }
        ln_det += 2.0 * pivot.ln();
    }
    Some((matrix, ln_det))
}

/// Squared Mahalanobis distance of each of `rows` `[n, d]` from `mean`: ‖L⁻¹(x − mean)‖².
pub fn mahalanobis(rows: &[f64], mean: &[f64], lower: &Mat<f64>) -> Vec<f64> {
    let d = mean.len();
    let blocks: Vec<Vec<f64>> = rows
        .par_chunks(BLOCK * d)
        .map(|block| {
            // Rows become columns: a column-major [d, n].
            let centred = minus(block, mean);
            let mut x = MatRef::from_column_major_slice(&centred, d, block.len() / d).to_owned();
            solve_lower_triangular_in_place(lower.as_ref(), x.as_mut(), Par::Seq);
            settle();
            (0..x.ncols())
                .map(|j| x.col_as_slice(j).iter().map(|v| v * v).sum())
                .collect()
        })
        .collect();
    blocks.concat()
}

/// For each of `rows` `[n, d]`, what `of` makes of its squared distances to all of `to` `[m, d]`. The
/// argument of `of` may be reordered; numbers of rows come with it.
pub fn distances<T: Send>(
    rows: &[f64],
    to: &[f64],
    d: usize,
    of: impl Fn(usize, &mut [f64]) -> T + Sync,
) -> Vec<T> {
    // Around the mean, little cancels in ‖a‖² + ‖b‖² − 2ab.
    let mean = means(to, d);
    let to = minus(to, &mean);
    let square = |row: &[f64]| row.iter().map(|x| x * x).sum::<f64>();
    let sizes: Vec<f64> = to.chunks_exact(d).map(square).collect();
    let m = sizes.len();
    let right = MatRef::from_row_major_slice(&to, m, d);
    let blocks: Vec<Vec<T>> = rows
        .par_chunks(BLOCK * d)
        .enumerate()
        .map(|(b, block)| {
            let centred = minus(block, &mean);
            let n = block.len() / d;
            let left = MatRef::from_row_major_slice(&centred, n, d);
            // Column i holds the products of row i.
            let mut products = Mat::zeros(m, n);
            matmul(
                products.as_mut(),
                Accum::Replace,
                right,
                left.transpose(),
                -2.0,
                Par::Seq,
            );
            settle();
            let one = |(i, row): (usize, &[f64])| {
                let own = square(row);
                let column = products.col_as_slice_mut(i);
                for (p, size) in column.iter_mut().zip(&sizes) {
                    *p = (*p + own + size).max(0.0);
                }
                of(b * BLOCK + i, column)
            };
            centred.chunks_exact(d).enumerate().map(one).collect()
        })
        .collect();
    blocks.into_iter().flatten().collect()
}
