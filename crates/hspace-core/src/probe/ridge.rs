//! Ridge regression for numeric targets, its penalty chosen by exact leave-one-out.
//!
//! Minimises `‖y − Xw − b‖² + α‖w‖²` with `b` free. In the coordinates `T` of the principal
//! components the columns are orthogonal, so `w_j = t_j·y / (λ_j + α)`, and the residual of a row left
//! out is its residual divided by `1 − h_i` with `h_i = 1/n + Σ_j t_ij²/(λ_j + α)`: Allen's PRESS,
//! Golub, Heath & Wahba (1979). α runs over a grid relative to the mean of the λ_j.

use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::pca::Pca;

/// α over the mean λ, as powers of ten.
const GRID: std::ops::RangeInclusive<i32> = -12..=8;

/// A fitted regression.
#[derive(Clone, Debug)]
pub struct Ridge {
    /// The penalty that was used.
    pub alpha: f64,
    pca: Pca,
    weights: Vec<f64>,
    intercept: f64,
}

impl Ridge {
    /// Fits `targets` `[n]` on `features` `[n, d]`, at `alpha` or the best by leave-one-out.
    ///
    /// # Errors
    /// With fewer than 3 rows, features that do not vary or are not finite.
    pub fn fit(features: &Matrix, targets: &[f64], alpha: Option<f64>) -> Result<Ridge> {
        if features.rows < 3 {
            return Err(Error::data(format!(
                "ridge regression needs at least 3 labelled rows, not {}",
                features.rows
            )));
        }
        let pca = Pca::full(features)?;
        let t = pca.transform(features);
        let (n, r) = (t.rows as f64, t.cols);
        let intercept = targets.iter().sum::<f64>() / n;
        let (mut lambda, mut product, mut means) = (vec![0.0; r], vec![0.0; r], t.column_means());
        // Where components came from a sample of the rows, their means are not quite zero.
        if features.rows.min(features.cols) <= crate::pca::LIMIT {
            means.fill(0.0);
        }
        for (row, y) in t.data.chunks_exact(r.max(1)).zip(targets) {
            for j in 0..r {
                let x = f64::from(row[j]) - means[j];
                lambda[j] += x * x;
                product[j] += x * (y - intercept);
            }
        }
        let scale = lambda.iter().sum::<f64>() / r.max(1) as f64;
        let press = |alpha: f64| -> f64 {
            let mut total = 0.0;
            for (row, y) in t.data.chunks_exact(r.max(1)).zip(targets) {
                let (mut fitted, mut leverage) = (0.0, 1.0 / n);
                for j in 0..r {
                    let x = f64::from(row[j]) - means[j];
                    fitted += x * product[j] / (lambda[j] + alpha);
                    leverage += x * x / (lambda[j] + alpha);
                }
                let residual = (y - intercept - fitted) / (1.0 - leverage).max(1e-9);
                total += residual * residual;
            }
            total
        };
        let alpha = alpha.unwrap_or_else(|| {
            let candidates =
                GRID.map(|e| scale.max(f64::MIN_POSITIVE) * 10f64.powf(f64::from(e) / 2.0));
            let scored = candidates.map(|a| (press(a), a));
            scored
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .map_or(scale, |best| best.1)
        });
        let weights: Vec<f64> = product
            .iter()
            .zip(&lambda)
            .map(|(p, l)| p / (l + alpha))
            .collect();
        let intercept = intercept - weights.iter().zip(&means).map(|(w, m)| w * m).sum::<f64>();
        Ok(Ridge {
            alpha,
            pca,
            weights,
            intercept,
        })
    }

    /// Predictions `[m]` for `features` `[m, d]`.
    pub fn predict(&self, features: &Matrix) -> Vec<f64> {
        let t = self.pca.transform(features);
        let one = |row: &[f32]| {
            row.iter()
                .zip(&self.weights)
                .map(|(&x, w)| f64::from(x) * w)
                .sum::<f64>()
        };
        (0..t.rows)
            .map(|i| self.intercept + one(t.row(i)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Golden {
        rows: usize,
        cols: usize,
        features: Vec<f32>,
        target: Vec<f64>,
        alpha: f64,
        predicted: Vec<f64>,
    }

    #[test]
    fn predictions_agree_with_scikit_learn() -> std::result::Result<(), Box<dyn std::error::Error>>
    {
        let golden: Golden =
            serde_json::from_str(include_str!("../../tests/golden/probe_ridge.json"))?;
        let features = Matrix::new(golden.rows, golden.cols, golden.features);
        let ridge = Ridge::fit(&features, &golden.target, Some(golden.alpha))?;
        for (ours, theirs) in ridge.predict(&features).iter().zip(&golden.predicted) {
            assert!((ours - theirs).abs() < 1e-4, "{ours} {theirs}");
        }
        Ok(())
    }

    #[test]
    fn the_penalty_falls_when_there_is_no_noise() -> Result<()> {
        let x = Matrix::new(40, 2, (0..80).map(|i| ((i * 37) % 41) as f32).collect());
        let y: Vec<f64> = (0..40)
            .map(|i| 3.0 * f64::from(x.row(i)[0]) - f64::from(x.row(i)[1]) + 2.0)
            .collect();
        let ridge = Ridge::fit(&x, &y, None)?;
        assert!(
            ridge
                .predict(&x)
                .iter()
                .zip(&y)
                .all(|(a, b)| (a - b).abs() < 1e-2)
        );
        let noise: Vec<f64> = (0..40).map(|i| f64::from((i * 7919) % 13)).collect();
        assert!(Ridge::fit(&x, &noise, None)?.alpha > ridge.alpha);
        Ok(())
    }

    #[test]
    fn too_few_rows_are_an_error() {
        assert!(Ridge::fit(&Matrix::zeros(2, 2), &[0.0, 1.0], None).is_err());
    }
}
