//! Principal components: the directions in which features vary most.
//!
//! With centred rows `X` `[n, d]` these are the eigenvectors of `XᵀX` (when d ≤ n) or, more
//! cheaply, `Xᵀu/√λ` for the eigenpairs (λ, u) of `XXᵀ` (when n < d). Pearson (1901), "On lines and
//! planes of closest fit"; Turk & Pentland (1991) for the second form. The sign of a component is
//! such that its largest entry is positive, as in scikit-learn 1.5 and later.
//!
//! Deviation: where both n and d exceed [`LIMIT`], components come from [`LIMIT`] evenly spaced rows.

use crate::error::{Error, Result};
use crate::matrix::{Matrix, gram_eigen, power_to_one};

/// The largest eigenvalue problem solved (a few seconds on one core).
pub const LIMIT: usize = 2048;

/// A fitted projection onto principal components.
///
/// ```
/// use hspace_core::matrix::Matrix;
/// use hspace_core::pca::Pca;
///
/// // Nearly all variance lies along the diagonal.
/// let x = Matrix::new(4, 2, vec![0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.1]);
/// let pca = Pca::fit(&x, 1)?;
/// assert_eq!(pca.transform(&x).cols, 1);
/// let [a, b] = [pca.components.row(0)[0], pca.components.row(1)[0]];
/// assert!((a - b).abs() < 0.05);
/// assert_eq!(Pca::full(&x)?.variances.len(), 2);
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pca {
    /// Mean of the training rows, `[d]`.
    pub mean: Vec<f64>,
    /// Components as columns, `[d, dims]`, orthonormal, by falling variance.
    pub components: Matrix,
    /// Variance along each component, `[dims]`, with n − 1 in the denominator.
    pub variances: Vec<f64>,
    /// Power of two that centred rows are multiplied by for the products: 1 for ordinary features.
    scale: f64,
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
        let scale = power_to_one(largest_difference(rows, &mean));
        let centred = rows.minus_times(&mean, scale);
        let wide = rows.rows < rows.cols;
        let view = if wide {
            centred.view().transpose()
        } else {
            centred.view()
        };
        let (values, vectors, rounding) = gram_eigen(view, true)?;
        let n = values.len();
        let largest = values.last().copied().unwrap_or(0.0);
        let rank = values
            .iter()
            .filter(|&&v| v > rounding * largest && v > 0.0)
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
        let unit = scale * scale;
        let variances = (0..rank).map(|j| values[n - 1 - j] / freedom / unit);
        Ok(Pca {
            mean,
            components,
            variances: variances.collect(),
            scale,
        })
    }

    /// The coordinates `[n, dims]` of `rows` `[n, d]`.
    ///
    /// # Panics
    /// If `rows` has another number of dimensions than the rows fitted on: a bug of the caller.
    pub fn transform(&self, rows: &Matrix) -> Matrix {
        let mut out = rows
            .minus_times(&self.mean, self.scale)
            .times(&self.components);
        if self.scale != 1.0 {
            let unit = self.scale.recip();
            out.data
                .iter_mut()
                .for_each(|x| *x = (f64::from(*x) * unit) as f32);
        }
        out
    }
}

/// The largest `|x − mean|` of all values.
fn largest_difference(rows: &Matrix, mean: &[f64]) -> f64 {
    let rows = rows.data.chunks_exact(rows.cols.max(1));
    rows.flat_map(|row| row.iter().zip(mean))
        .map(|(&x, m)| (f64::from(x) - m).abs())
        .fold(0.0, f64::max)
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
    fn a_power_of_two_and_a_common_part_change_nothing_but_the_unit() -> Result<()> {
        let data = |f: &dyn Fn(f32) -> f32| {
            // Multiples of 1/8 stay what they are after the addition of 2¹⁸.
            let values = (0..40 * 3).map(|i| ((i * i * 7919) % 101) as f32 / 8.0);
            Matrix::new(40, 3, values.map(f).collect())
        };
        let plain = data(&|x| x);
        let expected = Pca::fit(&plain, 2)?;
        let coordinates = expected.transform(&plain);
        for exponent in [-130, -66, 83, 118] {
            let scale = 2f64.powi(exponent);
            let x = data(&|x| (f64::from(x) * scale) as f32);
            let found = Pca::fit(&x, 2)?;
            assert_eq!(found.components, expected.components, "2^{exponent}");
            let variances = expected.variances.iter().map(|v| v * scale * scale);
            assert_eq!(found.variances, variances.collect::<Vec<_>>());
            for (ours, plain) in found.transform(&x).data.iter().zip(&coordinates.data) {
                assert_eq!(*ours, (f64::from(*plain) * scale) as f32, "2^{exponent}");
            }
        }
        let moved = Pca::fit(&data(&|x| x + 262_144.0), 2)?;
        for (a, b) in moved.variances.iter().zip(&expected.variances) {
            assert!((a / b - 1.0).abs() < 1e-6, "{a} {b}");
        }
        Ok(())
    }

    /// Of columns with spreads of a million and of 1, both are components.
    #[test]
    fn a_component_below_the_rounding_of_single_products_is_found() -> Result<()> {
        let row = |i: usize| [((i * 37) % 41) as f32 * 5e4, ((i * 29) % 31) as f32 / 9.0];
        let x = Matrix::new(300, 2, (0..300).flat_map(row).collect());
        let pca = Pca::fit(&x, 2)?;
        let column: Vec<f64> = (0..300).map(|i| x.row(i)[1].into()).collect();
        let mean = column.iter().sum::<f64>() / 300.0;
        let variance = column.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / 299.0;
        // The rest of the column that does not follow the other.
        assert!(
            (pca.variances[1] / variance - 1.0).abs() < 0.02,
            "{:?}",
            pca.variances
        );
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
