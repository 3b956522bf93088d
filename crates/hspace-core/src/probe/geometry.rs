//! The shape of a representation.
//!
//! - **Effective rank** (RankMe; Garrido et al. 2023, eq. 1): `exp(−Σ pₖ ln pₖ)` with
//!   `pₖ = σₖ/Σσ`, the singular values of the rows as they are (not centred).
//! - **Alignment** and **uniformity** (Wang & Isola 2020), on rows of length 1: the mean of `‖x − y‖²`
//!   over pairs of one class, and `ln mean exp(−2‖x − y‖²)` over all pairs.
//!
//! The paper's alignment takes two views of a sample as a pair; we take two samples of a class, which
//! any tool's features allow. Look at up to 2,000 evenly spaced rows.

use super::entry::{Entry, ProbeKind};
use crate::error::{Error, Result};
use crate::matrix::{Matrix, gram_eigen, power_to_one};

/// The line in the list.
pub const ENTRY: Entry = Entry {
    name: "geometry",
    summary: "effective rank, alignment, uniformity; k-means clusters against the classes (NMI, ARI)",
    source: "",
    item: ProbeKind {
        title: "Geometry",
        tasks: &[],
        is_fixed: |_| false,
        validate: |_| vec![],
        fit: |_| Err(Error::data("geometry learns no task")),
    },
};

const ROWS: usize = 2000;
/// Rows and dimensions above which the eigenvalues would take too long.
const LIMIT: usize = 1024;

/// RankMe of `features` `[n, d]`, from 1 to min(n, d); `None` where all features are zero.
///
/// ```
/// use hspace_core::matrix::Matrix;
/// use hspace_core::probe::geometry::effective_rank;
///
/// let one = Matrix::new(3, 2, vec![1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);
/// assert!((effective_rank(&one)?.expect("a rank") - 1.0).abs() < 1e-3);
/// let two = Matrix::new(2, 2, vec![1.0, 0.0, 0.0, 1.0]);
/// assert!((effective_rank(&two)?.expect("a rank") - 2.0).abs() < 1e-6);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When features are not finite.
pub fn effective_rank(features: &Matrix) -> Result<Option<f64>> {
    let mut rows = features.spaced(if features.cols > LIMIT { LIMIT } else { ROWS });
    rescale(&mut rows.data);
    let view = if rows.cols <= rows.rows {
        rows.view()
    } else {
        rows.view().transpose()
    };
    let (values, _, rounding) = gram_eigen(view, false)?;
    // Squared singular values below rounding are no dimensions.
    let floor = values.last().copied().unwrap_or(0.0) * rounding.min(1e-10);
    let singular: Vec<f64> = values
        .iter()
        .filter(|&&v| v > floor)
        .map(|v| v.sqrt())
        .collect();
    let total: f64 = singular.iter().sum();
    if total == 0.0 {
        return Ok(None);
    }
    let entropy: f64 = singular.iter().map(|s| -s / total * (s / total).ln()).sum();
    Ok(Some(entropy.exp()))
}

/// Multiplies values that lie far from 1 by one power of two.
fn rescale(values: &mut [f32]) {
    let largest = values.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    let scale = power_to_one(largest.into());
    if scale != 1.0 {
        let rescaled = |x: &mut f32| *x = (f64::from(*x) * scale) as f32;
        values.iter_mut().for_each(rescaled);
    }
}

/// (alignment, uniformity) of `features` `[n, d]`: alignment only with `labels` `[n]` and at least one
/// pair of a class, uniformity only with a pair. Rows of zeros have no direction, and are left out.
///
/// ```
/// use hspace_core::matrix::Matrix;
/// use hspace_core::probe::geometry::alignment_and_uniformity;
///
/// let x = Matrix::new(3, 2, vec![1.0, 0.0, 2.0, 0.0, 0.0, 5.0]);
/// let (alignment, uniformity) = alignment_and_uniformity(&x, Some(&[0, 0, 1]));
/// // The two samples of a class point the same way.
/// assert_eq!(alignment, Some(0.0));
/// assert!(uniformity.is_some_and(|u| u < 0.0));
/// ```
pub fn alignment_and_uniformity(
    features: &Matrix,
    labels: Option<&[u32]>,
) -> (Option<f64>, Option<f64>) {
    let mut picked = crate::matrix::spaced(features.rows, ROWS);
    picked.retain(|&i| features.row(i).iter().any(|&x| x != 0.0));
    let mut rows = features.select(&picked);
    for row in rows.data.chunks_exact_mut(features.cols.max(1)) {
        rescale(row);
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        row.iter_mut().for_each(|x| *x /= length);
    }
    let products = rows.times_transposed(&rows);
    let (mut near, mut pairs, mut potential) = (0.0, 0usize, 0.0);
    for i in 0..rows.rows {
        for j in 0..i {
            let squared = (2.0 - 2.0 * f64::from(products.row(i)[j])).max(0.0);
            potential += (-2.0 * squared).exp();
            if labels.is_some_and(|l| l[picked[i]] == l[picked[j]]) {
                near += squared;
                pairs += 1;
            }
        }
    }
    let all = rows.rows * rows.rows.saturating_sub(1) / 2;
    (
        (pairs > 0).then(|| near / pairs as f64),
        (all > 0).then(|| (potential / all as f64).ln()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_rank_of_known_shapes() -> Result<()> {
        let mut identity = Matrix::zeros(8, 8);
        (0..8).for_each(|i| identity.data[i * 9] = 3.0);
        let is = |x: &Matrix, rank: f64| -> Result<bool> {
            Ok(effective_rank(x)?.is_some_and(|found| (found - rank).abs() < 1e-6))
        };
        assert!(is(&identity, 8.0)?);
        let line = Matrix::new(20, 3, (0..60).map(|i| (i / 3 + 1) as f32).collect());
        assert!(is(&line, 1.0)?);
        assert_eq!(effective_rank(&Matrix::zeros(4, 4))?, None);
        assert_eq!(effective_rank(&Matrix::zeros(4, 0))?, None);
        Ok(())
    }

    #[test]
    fn opposite_points_are_uniform_and_equal_ones_aligned() {
        let x = Matrix::new(4, 1, vec![1.0, 2.0, -1.0, -3.0]);
        let (alignment, uniformity) = alignment_and_uniformity(&x, Some(&[0, 0, 1, 1]));
        assert_eq!(alignment, Some(0.0));
        // Two pairs at distance 0, four at distance 2.
        let expected = ((2.0 + 4.0 * (-8.0f64).exp()) / 6.0).ln();
        assert!(uniformity.is_some_and(|found| (found - expected).abs() < 1e-9));
        assert_eq!(alignment_and_uniformity(&x, None).0, None);
    }
}
