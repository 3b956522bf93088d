//! Ridge regression for numeric targets, its penalty chosen by exact leave-one-out.
//!
//! Minimises `‖y − Xw − b‖² + α‖w‖²` with `b` free. In the coordinates `T` of the principal
//! components the columns are orthogonal, so `w_j = t_j·y / (λ_j + α)`, and the residual of a row left
//! out is its residual divided by `1 − h_i` with `h_i = 1/n + Σ_j t_ij²/(λ_j + α)`: Allen's PRESS,
//! Golub, Heath & Wahba (1979). α runs over a grid relative to the mean of the λ_j.
//!
//! With validation rows α has the least squared error on those. Without, where rows belong to groups, it has the least
//! over 5 folds of whole groups.

use super::TaskKind;
use super::entry::{Entry, Fitted, ProbeKind};
use super::folds::{Selection, stratified};
use super::task::Truth;
use crate::auto::Auto;
use crate::error::{Error, Result};
use crate::head::Map;
use crate::matrix::Matrix;
use crate::pca::Pca;

/// The line in the list.
pub const ENTRY: Entry = Entry {
    name: "ridge",
    summary: "ridge regression for numeric targets, its penalty chosen by leave-one-out",
    source: "",
    item: ProbeKind {
        title: "Ridge regression",
        tasks: &[TaskKind::Numbers],
        is_fixed: |options| options.ridge.alpha != Auto::Auto,
        validate: |options| {
            let wrong = matches!(options.ridge.alpha, Auto::Set(a) if !(a.is_finite() && a >= 0.0));
            let problem = wrong.then_some("ridge.alpha: must be `auto` or a number of at least 0");
            problem.into_iter().collect()
        },
        fit: |labelled| {
            let (options, unit) = (labelled.options, labelled.unit);
            let alpha = match options.ridge.alpha {
                Auto::Auto => Auto::Auto,
                Auto::Set(alpha) => Auto::Set(alpha * unit),
            };
            let (features, targets) = (labelled.features, labelled.truth.numbers());
            let selection = labelled.selection(Truth::numbers);
            let model = Ridge::fit(features, targets, alpha, selection, options.seed)?;
            Ok(Box::new(Probe { model, unit }))
        },
    },
};

struct Probe {
    model: Ridge,
    unit: f64,
}

impl Fitted for Probe {
    fn answer(&self, features: &Matrix) -> Vec<f64> {
        self.model.predict(features)
    }

    fn settings(&self) -> String {
        format!("alpha={:.3e}", self.model.alpha / self.unit)
    }

    fn map(&self) -> Map {
        let Ridge {
            pca,
            weights,
            intercept,
            ..
        } = &self.model;
        let row = |i: usize| pca.components.row(i).iter().zip(weights);
        let weight = |i: usize| row(i).map(|(&c, w)| f64::from(c) * w).sum::<f64>();
        let weights: Vec<f64> = (0..pca.components.rows).map(weight).collect();
        let centre: f64 = pca.mean.iter().zip(&weights).map(|(m, w)| m * w).sum();
        let data = weights.iter().map(|&w| w as f32).collect();
        Map::Linear {
            weights: Matrix::new(weights.len(), 1, data),
            bias: vec![intercept - centre],
        }
    }
}

/// α over the mean λ, as powers of ten.
const GRID: std::ops::RangeInclusive<i32> = -12..=8;

/// Folds of groups that α is chosen by.
const FOLDS: usize = 5;

/// A fitted regression.
///
/// ```
/// use hspace_core::auto::Auto;
/// use hspace_core::matrix::Matrix;
/// use hspace_core::probe::{Selection, ridge::Ridge};
///
/// // y = 2 x + 1
/// let x = Matrix::new(4, 1, vec![0.0, 1.0, 2.0, 3.0]);
/// let y = [1.0, 3.0, 5.0, 7.0];
/// let ridge = Ridge::fit(&x, &y, Auto::Set(1e-6), Selection::default(), 0)?;
/// let predicted = ridge.predict(&Matrix::new(1, 1, vec![10.0]));
/// assert!((predicted[0] - 21.0).abs() < 1e-3);
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ridge {
    /// The penalty that was used.
    pub alpha: f64,
    pca: Pca,
    weights: Vec<f64>,
    intercept: f64,
}

impl Ridge {
    /// Fits `targets` `[n]` on `features` `[n, d]`, at `alpha` or the best by `selection`; the mean of the λ_j where all
    /// rows are of one group.
    ///
    /// # Errors
    /// With fewer than 3 rows, features that do not vary or are not finite.
    pub fn fit(
        features: &Matrix,
        targets: &[f64],
        alpha: Auto<f64>,
        selection: Selection<'_, f64>,
        seed: u64,
    ) -> Result<Ridge> {
        if features.rows < 3 {
            return Err(Error::data(format!(
                "ridge regression needs at least 3 labelled rows, not {}",
                features.rows
            )));
        }
        let rotated = Rotated::new(features, targets)?;
        let alpha = match alpha {
            Auto::Set(alpha) => alpha,
            Auto::Auto => rotated.choose(features, targets, selection, seed)?,
        };
        Ok(rotated.at(alpha))
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

/// Training rows in the coordinates of their principal components, with what the weights at any α follow from.
struct Rotated {
    pca: Pca,
    /// `[n, r]`
    rows: Matrix,
    /// Mean of each coordinate `[r]`.
    means: Vec<f64>,
    /// Σ t² of each coordinate.
    lambda: Vec<f64>,
    /// Σ t (y − mean of y).
    product: Vec<f64>,
    mean_target: f64,
}

impl Rotated {
    fn new(features: &Matrix, targets: &[f64]) -> Result<Rotated> {
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
        Ok(Rotated {
            pca,
            rows: t,
            means,
            lambda,
            product,
            mean_target: intercept,
        })
    }

    /// The mean of the λ_j.
    fn scale(&self) -> f64 {
        self.lambda.iter().sum::<f64>() / self.rows.cols.max(1) as f64
    }

    fn at(self, alpha: f64) -> Ridge {
        let weights: Vec<f64> = self
            .product
            .iter()
            .zip(&self.lambda)
            .map(|(p, l)| p / (l + alpha))
            .collect();
        let shift: f64 = weights.iter().zip(&self.means).map(|(w, m)| w * m).sum();
        Ridge {
            alpha,
            pca: self.pca,
            weights,
            intercept: self.mean_target - shift,
        }
    }

    /// Sum of squared residuals of rows left out one at a time.
    fn press(&self, targets: &[f64], alpha: f64) -> f64 {
        let mut total = 0.0;
        for (row, y) in self
            .rows
            .data
            .chunks_exact(self.rows.cols.max(1))
            .zip(targets)
        {
            let (mut fitted, mut leverage) = (0.0, 1.0 / self.rows.rows as f64);
            for (j, &x) in row.iter().enumerate() {
                let x = f64::from(x) - self.means[j];
                fitted += x * self.product[j] / (self.lambda[j] + alpha);
                leverage += x * x / (self.lambda[j] + alpha);
            }
            let residual = (y - self.mean_target - fitted) / (1.0 - leverage).max(1e-9);
            total += residual * residual;
        }
        total
    }

    /// Sum of squared errors on other rows, whose coordinates are `rows` `[m, r]`.
    fn squared_error(&self, rows: &Matrix, targets: &[f64], alpha: f64) -> f64 {
        let r = self.rows.cols;
        let mut total = 0.0;
        for (i, y) in targets.iter().enumerate() {
            let mut fitted = self.mean_target;
            for (j, &x) in rows.data[i * r..(i + 1) * r].iter().enumerate() {
                let x = f64::from(x) - self.means[j];
                fitted += x * self.product[j] / (self.lambda[j] + alpha);
            }
            total += (y - fitted) * (y - fitted);
        }
        total
    }

    /// The α of the least squared error on held-out rows; `features` and `targets` are those of the training rows.
    fn choose(
        &self,
        features: &Matrix,
        targets: &[f64],
        selection: Selection<'_, f64>,
        seed: u64,
    ) -> Result<f64> {
        let scale = self.scale();
        let candidates =
            GRID.map(|e| scale.max(f64::MIN_POSITIVE) * 10f64.powf(f64::from(e) / 2.0));
        let least = |error: &dyn Fn(f64) -> f64| -> f64 {
            let scored = candidates.clone().map(|a| (error(a), a));
            scored
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .map_or(scale, |best| best.1)
        };
        if let Some((features, targets)) = selection.val {
            let rows = self.pca.transform(features);
            return Ok(least(&|alpha| self.squared_error(&rows, targets, alpha)));
        }
        let Some(groups) = selection.groups else {
            return Ok(least(&|alpha| self.press(targets, alpha)));
        };
        let all: Vec<usize> = (0..targets.len()).collect();
        let one_class = vec![0; targets.len()];
        let folds = stratified(&all, &one_class, 1, Some(groups), FOLDS, seed);
        let pick = |rows: &[usize]| rows.iter().map(|&i| targets[i]).collect::<Vec<f64>>();
        let mut parts = Vec::new();
        for held in folds.iter().flatten() {
            let rest = all.iter().filter(|i| held.binary_search(i).is_err());
            let rest: Vec<usize> = rest.copied().collect();
            let fitted = Rotated::new(&features.select(&rest), &pick(&rest))?;
            let rows = fitted.pca.transform(&features.select(held));
            parts.push((fitted, rows, pick(held)));
        }
        if parts.is_empty() {
            return Ok(scale);
        }
        let error = |alpha: f64| -> f64 {
            let parts = parts.iter();
            parts
                .map(|(fitted, rows, y)| fitted.squared_error(rows, y, alpha))
                .sum()
        };
        Ok(least(&error))
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

    fn at(x: &Matrix, y: &[f64], alpha: Auto<f64>) -> Result<Ridge> {
        Ridge::fit(x, y, alpha, Selection::default(), 0)
    }

    #[test]
    fn predictions_agree_with_scikit_learn() -> std::result::Result<(), Box<dyn std::error::Error>>
    {
        let golden: Golden =
            serde_json::from_str(include_str!("../../tests/golden/probe_ridge.json"))?;
        let features = Matrix::new(golden.rows, golden.cols, golden.features);
        let ridge = at(&features, &golden.target, Auto::Set(golden.alpha))?;
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
        let ridge = at(&x, &y, Auto::Auto)?;
        assert!(
            ridge
                .predict(&x)
                .iter()
                .zip(&y)
                .all(|(a, b)| (a - b).abs() < 1e-2)
        );
        let noise: Vec<f64> = (0..40).map(|i| f64::from((i * 7919) % 13)).collect();
        assert!(at(&x, &noise, Auto::Auto)?.alpha > ridge.alpha);
        Ok(())
    }

    #[test]
    fn too_few_rows_are_an_error() {
        assert!(at(&Matrix::zeros(2, 2), &[0.0, 1.0], Auto::Auto).is_err());
    }

    fn noisy(n: usize, salt: usize) -> (Matrix, Vec<f64>) {
        let number = |i: usize| ((i * 7919 + salt) % 1009) as f32 / 1009.0 - 0.5;
        let x = Matrix::new(n, 8, (0..8 * n).map(number).collect());
        let y = (0..n).map(|i| f64::from(x.row(i)[0] + 0.7 * number(i * 31 + 5)));
        let y = y.collect();
        (x, y)
    }

    /// Every candidate fitted and compared by its predictions.
    #[test]
    fn the_penalty_is_the_best_on_validation_rows() -> Result<()> {
        let ((x, y), (val, truth)) = (noisy(30, 0), noisy(40, 77));
        let selection = Selection {
            groups: None,
            val: Some((&val, &truth[..])),
        };
        let chosen = Ridge::fit(&x, &y, Auto::Auto, selection, 0)?;
        let error = |ridge: &Ridge| -> f64 {
            let pairs = ridge.predict(&val).into_iter().zip(&truth);
            pairs.map(|(p, t)| (p - t) * (p - t)).sum()
        };
        let scale = Rotated::new(&x, &y)?.scale();
        for e in GRID {
            let other = at(&x, &y, Auto::Set(scale * 10f64.powf(f64::from(e) / 2.0)))?;
            assert!(error(&chosen) <= error(&other) + 1e-9);
        }
        Ok(())
    }

    /// Ten copies of each row, one group: left out one at a time a row is known by its copies.
    #[test]
    fn copies_in_one_group_do_not_lower_the_penalty() -> Result<()> {
        let (x, y) = noisy(12, 3);
        let copies: Vec<usize> = (0..120).map(|i| i % 12).collect();
        let groups: Vec<u32> = copies.iter().map(|&i| i as u32).collect();
        let many = x.select(&copies);
        let targets: Vec<f64> = copies.iter().map(|&i| y[i]).collect();
        let by = |groups| {
            let selection = Selection { groups, val: None };
            Ok::<f64, Error>(Ridge::fit(&many, &targets, Auto::Auto, selection, 0)?.alpha)
        };
        assert!(by(Some(&groups[..]))? > 10.0 * by(None)?);
        // All rows of one group: nothing can be held out.
        let scale = Rotated::new(&many, &targets)?.scale();
        assert_eq!(by(Some(&[5; 120]))?, scale);
        Ok(())
    }
}
