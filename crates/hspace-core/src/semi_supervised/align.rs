//! Alignment of two domains on fixed features: labelled rows, of the source, are brought to where the others, of the target, are; the linear probe
//! is fitted to them there.
//!
//! One file a method: `align_coral`, `align_subspace`, `align_transport` (`align:coral:runs/a` on the command line). All take the labelled training rows for
//! the source and the unlabelled ones for the target; without unlabelled rows nothing is moved. The probe's penalty is chosen on the labels
//! of the source.

mod coral;
mod subspace;
mod transport;

use super::{Learner, PartialLabels};
use crate::auto::Auto;
use crate::error::Result;
use crate::matrix::{Matrix, gram};
use crate::probe::folds::Selection;
use crate::probe::linear;
use faer::Mat;

pub(super) use coral::ENTRY as CORAL;
pub(super) use subspace::ENTRY as SUBSPACE;
pub(super) use transport::ENTRY as TRANSPORT;

/// Where the rows of both domains end up.
struct Moved {
    /// Rows of the source `[k, e]`.
    source: Matrix,
    /// Which rows of the source these are; `None`: all of them.
    kept: Option<Vec<usize>>,
    /// Rows to answer for `[m, e]`, which are taken to be of the target.
    test: Matrix,
}

/// A method, with the features in hand.
struct Aligned<F> {
    /// `[n, d]`
    train: Matrix,
    /// `[m, d]`
    test: Matrix,
    /// The probe's inverse penalty.
    c: Auto<f64>,
    /// Moves rows of a source and of a target, and those to answer for.
    align: F,
}

impl<F> Learner for Aligned<F>
where
    F: Fn(&Matrix, &Matrix, &Matrix) -> Result<Moved> + Send + Sync,
{
    fn learn(&self, labels: &PartialLabels<'_>) -> Result<Vec<f64>> {
        let is_known = |&row: &usize| labels.labels[row].is_some();
        let (known, open): (Vec<usize>, Vec<usize>) =
            (0..labels.labels.len()).partition(|row| is_known(row));
        let source = self.train.select(&known);
        let mut y: Vec<u32> = labels.labels.iter().copied().flatten().collect();
        let moved = match open.is_empty() {
            true => Moved {
                source,
                kept: None,
                test: self.test.clone(),
            },
            false => (self.align)(&source, &self.train.select(&open), &self.test)?,
        };
        if let Some(kept) = &moved.kept {
            y = kept.iter().map(|&i| y[i]).collect();
        }
        let model = match self.c {
            Auto::Set(c) => linear::fit(&moved.source, &y, labels.classes, c)?,
            Auto::Auto => {
                let selection = Selection::default();
                linear::fit_auto(&moved.source, &y, labels.classes, selection, labels.seed)?.0
            }
        };
        Ok(model.probabilities(&moved.test))
    }
}

/// The mean `[d]` and the covariance `[d, d]` of rows.
fn moments(x: &Matrix) -> (Vec<f64>, Mat<f64>) {
    let mean = x.column_means();
    let squares = gram(x.minus(&mean).view());
    let scale = 1.0 / (x.rows as f64 - 1.0).max(1.0);
    let d = x.cols;
    (mean, Mat::from_fn(d, d, |i, j| squares[(i, j)] * scale))
}

/// The first `k` columns of a matrix, from the last on: eigenvectors by falling eigenvalue.
fn last_columns(vectors: &Mat<f64>, k: usize) -> Mat<f64> {
    let n = vectors.ncols();
    Mat::from_fn(vectors.nrows(), k, |i, j| vectors[(i, n - 1 - j)])
}

/// A matrix `[d, e]` in single precision, as products with rows take it.
fn as_matrix(m: &Mat<f64>) -> Matrix {
    let (rows, cols) = (m.nrows(), m.ncols());
    let value = |i: usize| m[(i / cols, i % cols)] as f32;
    Matrix::new(rows, cols, (0..rows * cols).map(value).collect())
}

#[cfg(test)]
mod tests;
