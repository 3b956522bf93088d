//! Principal components: the directions in which features vary most.
//!
//! With centred rows `X` `[n, d]` these are the eigenvectors of `XᵀX` (when d ≤ n) or, more
//! cheaply, `Xᵀu/√λ` for the eigenpairs (λ, u) of `XXᵀ` (when n < d). Pearson (1901), "On lines and
//! planes of closest fit"; Turk & Pentland (1991) for the second form. The sign of a component is
//! such that its largest entry is positive, as in scikit-learn 1.5 and later.
//!
//! Deviation: where both n and d exceed [`LIMIT`], components come from [`LIMIT`] evenly spaced rows.

use crate::error::{Error, Result};
use crate::matrix::{Matrix, eigen, gram};

/// The largest eigenvalue problem solved (a few seconds on one core).
pub const LIMIT: usize = 2048;

/// Eigenvalues below this share of the largest are rounding errors of single precision.
const NOISE: f64 = 1e-7;

/// A fitted projection onto principal components.
#[derive(Clone, Debug)]
pub struct Pca {
    /// Mean of the training rows, `[d]`.
    pub mean: Vec<f64>,
    /// Components as columns, `[d, dims]`, orthonormal, by falling variance.
    pub components: Matrix,
    /// Variance along each component, `[dims]`, with n − 1 in the denominator.
    pub variances: Vec<f64>,
}

impl Pca {
    /// The first `dims` components of the rows of `train` `[n, d]`.
    ///
    /// # Errors
    /// When `dims` is 0 or exceeds the rank of the centred rows; the error says the largest value
    /// that would do.
    pub fn fit(train: &Matrix, dims: usize) -> Result<Pca> {
        let mut pca = Pca::full(train)?;
        let rank = pca.variances.len();
        if dims == 0 || dims > rank {
            return Err(Error::data(format!(
                "pca:{dims} is not possible: {} training rows of {} dimensions have {rank} principal components; ask for 1 to {rank}",
                train.rows, train.cols
            )));
        }
        let mut data = Vec::with_capacity(train.cols * dims);
        for row in pca.components.data.chunks_exact(rank) {
            data.extend_from_slice(&row[..dims]);
        }
        pca.components = Matrix::new(train.cols, dims, data);
        pca.variances.truncate(dims);
        Ok(pca)
    }

    /// Every component along which the rows vary: an exact rotation into their own space.
    ///
    /// # Errors
    /// When features are not finite.
    pub fn full(train: &Matrix) -> Result<Pca> {
        let limited;
        let rows = if train.rows.min(train.cols) > LIMIT {
            limited = train.spaced(LIMIT);
            &limited
        } else {
            train
        };
        let mean = rows.column_means();
        let centred = rows.minus(&mean);
        let wide = rows.rows < rows.cols;
        let product = if wide {
            gram(centred.view().transpose())
        } else {
            gram(centred.view())
        };
        let (values, vectors) = eigen(&product, true)?;
        let n = values.len();
        let largest = values.last().copied().unwrap_or(0.0);
        let rank = values
            .iter()
            .filter(|&&v| v > NOISE * largest && v > 0.0)
            .count();
        let rank = rank.min(rows.rows.saturating_sub(1));
        let picked = |i: usize, j: usize| vectors[(i, n - 1 - j)];
        let mut components = if wide {
            let left: Vec<f32> = (0..n * rank)
                .map(|e| (picked(e / rank, e % rank) / values[n - 1 - e % rank].sqrt()) as f32)
                .collect();
            let mut transposed = Vec::with_capacity(n * rows.cols);
            for c in 0..rows.cols {
                transposed.extend((0..n).map(|r| centred.data[r * rows.cols + c]));
            }
            Matrix::new(rows.cols, n, transposed).times(&Matrix::new(n, rank, left))
        } else {
            let data = (0..n * rank)
                .map(|e| picked(e / rank, e % rank) as f32)
                .collect();
            Matrix::new(n, rank, data)
        };
        point_forward(&mut components);
        let freedom = rows.rows.saturating_sub(1).max(1) as f64;
        let variances = (0..rank).map(|j| values[n - 1 - j] / freedom).collect();
        Ok(Pca {
            mean,
            components,
            variances,
        })
    }

    /// The coordinates `[n, dims]` of `rows` `[n, d]`.
    ///
    /// # Panics
    /// If `rows` has another number of dimensions than the rows fitted on: a bug of the caller.
    pub fn transform(&self, rows: &Matrix) -> Matrix {
        rows.minus(&self.mean).times(&self.components)
    }
}

/// Flips columns whose largest entry by size is negative.
fn point_forward(columns: &mut Matrix) {
    for j in 0..columns.cols {
        let mut largest = 0.0f32;
        for i in 0..columns.rows {
            let value = columns.data[i * columns.cols + j];
            if value.abs() > largest.abs() {
                largest = value;
            }
        }
        if largest < 0.0 {
            for i in 0..columns.rows {
                columns.data[i * columns.cols + j] *= -1.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Case {
        rows: usize,
        cols: usize,
        features: Vec<f32>,
        variances: Vec<f64>,
        coordinates: Vec<f32>,
    }

    #[derive(serde::Deserialize)]
    struct Golden {
        cases: Vec<Case>,
    }

    #[test]
    fn coordinates_are_scikit_learn_s() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let golden: Golden = serde_json::from_str(include_str!("../tests/golden/probe_pca.json"))?;
        for case in golden.cases {
            let x = Matrix::new(case.rows, case.cols, case.features);
            let pca = Pca::fit(&x, 3)?;
            for (ours, theirs) in pca.variances.iter().zip(&case.variances) {
                assert!((ours / theirs - 1.0).abs() < 1e-5, "{ours} {theirs}");
            }
            for (ours, theirs) in pca.transform(&x).data.iter().zip(&case.coordinates) {
                assert!((ours - theirs).abs() < 1e-3, "{ours} {theirs}");
            }
        }
        Ok(())
    }

    #[test]
    fn the_largest_number_of_components_is_named() {
        let x = Matrix::new(4, 5, (0..20).map(|i| ((i * 7) % 11) as f32).collect());
        assert!(Pca::fit(&x, 3).is_ok());
        let text = Pca::fit(&x, 4).map_or_else(|e| e.to_string(), |_| String::new());
        assert!(text.contains("ask for 1 to 3"), "{text}");
        assert!(Pca::fit(&Matrix::zeros(4, 5), 1).is_err());
    }
}
