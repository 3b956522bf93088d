//! One scaling for the features of every source of a table.
//!
//! Probes depend on the scale of features: a penalty on weights, a distance. So every source is scaled by the same rule, whose
//! statistics are those of all training rows; labels play no part. Two sources with the same values, or with values that differ by
//! a factor, get the same scores. Features are not centred where one number scales them all: the cosine of features that are
//! nowhere negative, as after a ReLU, is the better for it (10,000 digits on an untrained CNN, all labels: .911 by kNN, centred .881).
//!
//! A probe whose settings are given by hand (`linear.c`, `knn.k` with `knn.metric`, `ridge.alpha`) sees features as they are, as the same call of
//! scikit-learn would; they are only conditioned (`conditioning.rs`), which does not change the result.

use serde::{Deserialize, Serialize};

use super::conditioning::{CEILING, Columns, Conditioning};
use crate::matrix::Matrix;

/// `scaling`
///
/// ```
/// use hspace_core::probe::{ProbeOptions, Scaling};
///
/// let options = ProbeOptions { scaling: Scaling::Columns, ..ProbeOptions::default() };
/// assert_eq!(options.scaling.text(), "features of every source standardised by column");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scaling {
    /// `columns` for vectors whose columns have different units, else `overall`.
    #[default]
    Auto,
    /// All multiplied by one number, where the largest value lies far from 1 (`conditioning.rs`). Probes that choose their settings do not
    /// depend on it.
    Overall,
    /// Columns centred, and each divided by its standard deviation.
    Columns,
}

impl Scaling {
    /// What it does, for tables.
    pub fn text(self) -> &'static str {
        match self {
            Scaling::Auto | Scaling::Overall => "features of every source scaled by one number",
            Scaling::Columns => "features of every source standardised by column",
        }
    }
}

/// A scaling fitted on training rows.
pub(crate) enum Transform {
    /// `(x − shift) × factor`, `[d]` each.
    Scaled { shift: Vec<f64>, factor: Vec<f64> },
    /// Features as they are, but for one number and large common parts.
    AsTheyAre(Conditioning),
}

impl Transform {
    /// Fitted on the rows `train` of `features` `[n, d]`; `by_hand` leaves them as they are.
    pub(crate) fn fit(
        features: &Matrix,
        train: impl Iterator<Item = usize>,
        scaling: Scaling,
        by_hand: bool,
    ) -> Transform {
        if by_hand || scaling != Scaling::Columns {
            return Transform::AsTheyAre(Conditioning::fit(features, train));
        }
        let Columns { mean, variance, .. } = Columns::of(features, train);
        let inverse = |variance: f64| match variance > 0.0 {
            true => 1.0 / variance.sqrt(),
            false => 1.0,
        };
        let factor = variance.iter().copied().map(inverse).collect();
        Transform::Scaled {
            shift: mean,
            factor,
        }
    }

    /// Applied to `features` `[n, d]` in place.
    pub(crate) fn apply(&self, features: &mut Matrix) {
        let (shift, factor) = match self {
            Transform::AsTheyAre(conditioning) => return conditioning.apply(features),
            Transform::Scaled { shift, factor } => (shift, factor),
        };
        for row in features.data.chunks_exact_mut(features.cols.max(1)) {
            for ((x, shift), factor) in row.iter_mut().zip(shift).zip(factor) {
                let value = (f64::from(*x) - shift) * factor;
                *x = value.clamp(-CEILING, CEILING) as f32;
            }
        }
    }

    /// What is subtracted from each of `d` features, and what they are multiplied by then.
    pub(super) fn line(&self, d: usize) -> (Vec<f64>, Vec<f64>) {
        match self {
            Transform::Scaled { shift, factor } => (shift.clone(), factor.clone()),
            Transform::AsTheyAre(conditioning) => conditioning.line(d),
        }
    }

    /// What squared weights are divided by to be those on the features that users know: as they are, or scaled.
    pub(super) fn unit(&self) -> f64 {
        match self {
            Transform::AsTheyAre(conditioning) => conditioning.scale * conditioning.scale,
            Transform::Scaled { .. } => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(m: &Matrix, scaling: Scaling) -> Matrix {
        let mut out = m.clone();
        Transform::fit(m, 0..m.rows, scaling, false).apply(&mut out);
        out
    }

    #[test]
    fn a_factor_changes_nothing_and_by_column_a_constant_neither() {
        let data = (0..40).map(|i| ((i * 7919) % 101) as f32 / 64.0);
        let m = Matrix::new(10, 4, data.collect());
        for (scaling, constant) in [(Scaling::Overall, 0.0), (Scaling::Columns, 100.0)] {
            let mut other = m.clone();
            other
                .data
                .iter_mut()
                .for_each(|x| *x = 65536.0 * *x + constant);
            let (a, b) = (scaled(&m, scaling), scaled(&other, scaling));
            let ratio = f64::from(a.data[1] / b.data[1]);
            let off = a
                .data
                .iter()
                .zip(&b.data)
                .map(|(a, b)| (f64::from(*a) - ratio * f64::from(*b)).abs());
            assert!(off.fold(0.0, f64::max) < 1e-5);
        }
    }

    #[test]
    fn columns_are_standardised_and_constant_ones_are_zero() {
        let m = Matrix::new(3, 3, vec![1.0, 5e6, 2.0, 2.0, 5e6, 4.0, 3.0, 5e6, 6.0]);
        let columns = scaled(&m, Scaling::Columns);
        assert_eq!(
            (columns.row(0)[0], columns.row(0)[1]),
            (columns.row(0)[2], 0.0)
        );
        let squares: f32 = columns.data.iter().map(|x| x * x).sum();
        assert!((squares / 6.0 - 1.0).abs() < 1e-5, "{squares}");
    }
}
