//! CORAL: the source is whitened and coloured as the target is.
//!
//! `x ← (x − μ_s) (C_s + λ I)^(−1/2) (C_t + λ I)^(1/2) + μ_t`, C the covariances (Sun, Feng & Saenko 2016, AAAI, arXiv:1511.05547, algorithm 1, which
//! standardises both domains first, so that they have equal means).
//!
//! Deviations: λ is a share of the mean variance, so that the scale of the features does not matter (the paper: 1 for standardised features).

use faer::Mat;

use super::{Aligned, Moved, as_matrix, moments};
use crate::error::Result;
use crate::list::Entry;
use crate::matrix::{Matrix, eigen};
use crate::semi_supervised::Method;

/// The line in the list.
pub(in crate::semi_supervised) const ENTRY: Entry<Method> = Entry {
    name: "align_coral",
    summary: "domain adaptation: labelled rows get mean and covariance of the others, then the linear probe",
    source: "Sun, Feng & Saenko 2016, arXiv:1511.05547",
    item: Method {
        prepare: |train, test, options| {
            let own = options.align_coral;
            Ok(Box::new(Aligned {
                train,
                test,
                c: own.c,
                align: move |source: &Matrix, target: &Matrix, test: &Matrix| {
                    Ok(Moved {
                        source: coloured(source, target, own.ridge)?,
                        kept: None,
                        test: test.clone(),
                    })
                },
            }))
        },
        draws: 10,
    },
};

/// The rows of `source` with mean and covariance of `target`.
pub(super) fn coloured(source: &Matrix, target: &Matrix, ridge: f64) -> Result<Matrix> {
    let ((mean_s, c_s), (mean_t, c_t)) = (moments(source), moments(target));
    let d = source.cols;
    let variance = (0..d).map(|i| c_s[(i, i)] + c_t[(i, i)]).sum::<f64>() / (2.0 * d as f64);
    let ridge = ridge * variance.max(1e-12);
    let map = power(&c_s, ridge, -0.5)? * power(&c_t, ridge, 0.5)?;
    let moved = source.minus(&mean_s).times(&as_matrix(&map));
    let back: Vec<f64> = mean_t.iter().map(|m| -m).collect();
    Ok(moved.minus(&back))
}

/// `(C + ridge I)^exponent` of a symmetric matrix.
fn power(c: &Mat<f64>, ridge: f64, exponent: f64) -> Result<Mat<f64>> {
    let (values, vectors) = eigen(c, true)?;
    let n = values.len();
    let scaled = Mat::from_fn(n, n, |i, j| {
        vectors[(i, j)] * (values[j].max(0.0) + ridge).powf(exponent)
    });
    Ok(scaled * vectors.transpose())
}
