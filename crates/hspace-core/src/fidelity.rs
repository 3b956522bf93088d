//! Generated samples compared with real ones, in some feature space.
//!
//! - **precision**: the share of drawn samples that look real; **recall**: the share of real samples that
//!   could have been drawn (Kynkäänniemi et al. 2019, arXiv:1904.06991). A sample looks like those of a
//!   set when it is no farther from one of them than that one is from its k-th nearest neighbour in the
//!   set. Collapsed models have little recall, blurred ones little precision.
//! - **fréchet**: the Fréchet distance between normal distributions of both sides' means and covariances,
//!   `‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½)` (Heusel et al. 2017, arXiv:1706.08500; covariances ÷ n, where
//!   the authors' code divides by n − 1). It depends on the
//!   space and on the number of samples: compare it only where both are the same. It is not "FID", whose
//!   space is one certain network.

use faer::Mat;
use serde::{Deserialize, Serialize};

use crate::density::rows::{distances, doubles, means, minus, scatter};
use crate::error::{Error, Result};
use crate::matrix::{Matrix, eigen};
use crate::warning::{Warning, WarningKind};

/// The scores of one set of samples compared with real ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// 0..=1
    pub precision: f64,
    /// 0..=1
    pub recall: f64,
    /// ≥ 0, in squared units of the features.
    pub frechet: f64,
}

/// Everything found about samples that a model drew.
///
/// ```
/// use hspace_core::fidelity::{Fidelity, Scores};
///
/// let scores = |recall| Scores { precision: 0.8, recall, frechet: 3.0 };
/// let fidelity = Fidelity {
///     code_version: "0.2.0".into(),
///     model: "runs/gan".into(),
///     data: "photos".into(),
///     space: "pca:50".into(),
///     dim: 50,
///     samples: 1000,
///     k: 5,
///     drawn: scores(0.02),
///     real: scores(0.9),
/// };
/// // Next to none of the real samples lies near a generated one.
/// assert!(fidelity.diagnose().is_some_and(|warning| warning.text.contains("mode collapse")));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fidelity {
    /// hspace's version.
    pub code_version: String,
    /// What drew them.
    pub model: String,
    /// The data that real samples are from.
    pub data: String,
    /// The representation that distances are taken in.
    pub space: String,
    /// Its number of features.
    pub dim: usize,
    /// Samples on each side.
    pub samples: usize,
    /// Which neighbour's distance counts.
    pub k: usize,
    /// The generated samples compared with the test samples.
    pub drawn: Scores,
    /// As many training samples compared with the test samples: what perfect samples would score.
    pub real: Scores,
}

/// Recall, as a share of what real samples reach, below which a model has lost modes.
const COLLAPSED: f64 = 0.1;

impl Fidelity {
    /// What to tell the user, if there is something wrong.
    pub fn diagnose(&self) -> Option<Warning> {
        (self.drawn.recall < COLLAPSED * self.real.recall).then(|| {
            let text = format!(
                "most of the data is never drawn (mode collapse, or too few latents): {:.1} % of the real samples lie \
                 near a drawn one, {:.1} % near another real one",
                100.0 * self.drawn.recall,
                100.0 * self.real.recall
            );
            Warning::new(WarningKind::ModeCollapse, text)
        })
    }
}

/// Scores of `drawn` compared with `real`, both `[n, d]`; `k` ≥ 1.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::fidelity::scores;
///
/// let real = blobs("real", 0.2).features;
/// // A model that draws one corner of the triangle alone.
/// let corner: Vec<usize> = (0..160).step_by(3).collect();
/// let drawn = scores(&real, &real.select(&corner), 3)?;
/// assert!(drawn.precision == 1.0 && drawn.recall < 0.5);
/// assert!(scores(&real, &real, 3)?.frechet < 1e-3);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// Other widths, or no more rows on a side than `k`.
pub fn scores(real: &Matrix, drawn: &Matrix, k: usize) -> Result<Scores> {
    if real.cols != drawn.cols {
        return Err(Error::data(format!(
            "drawn samples have {} features, real ones {}",
            drawn.cols, real.cols
        )));
    }
    for (what, n) in [("real", real.rows), ("drawn", drawn.rows)] {
        if n <= k || k == 0 {
            return Err(Error::data(format!(
                "{n} {what} samples have no {k}-th neighbour: give more, or a smaller k of at least 1"
            )));
        }
    }
    let d = real.cols;
    let (real, drawn) = (doubles(real), doubles(drawn));
    Ok(Scores {
        precision: share_near(&drawn, &real, d, k),
        recall: share_near(&real, &drawn, d, k),
        frechet: frechet(&real, &drawn, d)?,
    })
}

/// The share of `rows` that are no farther from one of `set` than that one from its k-th nearest
/// neighbour there.
fn share_near(rows: &[f64], set: &[f64], d: usize, k: usize) -> f64 {
    let reach = distances(set, set, d, |i, squares| {
        squares[i] = f64::INFINITY;
        *squares.select_nth_unstable_by(k - 1, f64::total_cmp).1
    });
    let near = distances(rows, set, d, |_, squares| {
        squares
            .iter()
            .zip(&reach)
            .any(|(square, reach)| square <= reach)
    });
    near.iter().filter(|near| **near).count() as f64 / near.len() as f64
}

/// The Fréchet distance between normal distributions fitted to rows `[n, d]`.
fn frechet(a: &[f64], b: &[f64], d: usize) -> Result<f64> {
    let (of_a, of_b) = (means(a, d), means(b, d));
    let apart: f64 = of_a.iter().zip(&of_b).map(|(x, y)| (x - y) * (x - y)).sum();
    let (a, b) = (minus(a, &of_a), minus(b, &of_b));
    let fewer = a.len().min(b.len()) / d;
    let common = match fewer < d {
        true => common_of_rows(&a, &b, d)?,
        false => common_of_covariances(&scatter(&a, d), &scatter(&b, d))?,
    };
    let trace = |x: &[f64]| x.iter().map(|v| v * v).sum::<f64>() / (x.len() / d) as f64;
    Ok((apart + trace(&a) + trace(&b) - 2.0 * common).max(0.0))
}

/// tr (A B)^½ of covariances: that of (A^½ B A^½)^½, which is symmetric.
fn common_of_covariances(a: &Mat<f64>, b: &Mat<f64>) -> Result<f64> {
    let d = a.nrows();
    let (values, vectors) = eigen(a, true)?;
    let root = Mat::from_fn(d, d, |i, j| {
        vectors[(i, j)] * values[j].max(0.0).sqrt().sqrt()
    });
    let root = &root * root.transpose();
    sum_of_roots(&(&root * b * &root))
}

/// The same from centred rows `[n, d]`, where those of a side are fewer than features: with A = XᵀX and B = YᵀY it is
/// the sum of the singular values of X Yᵀ.
fn common_of_rows(a: &[f64], b: &[f64], d: usize) -> Result<f64> {
    let scaled = |x: &[f64]| {
        let scale = ((x.len() / d) as f64).sqrt();
        Mat::from_fn(x.len() / d, d, |i, j| x[i * d + j] / scale)
    };
    let product = scaled(a) * scaled(b).transpose();
    match product.nrows() < product.ncols() {
        true => sum_of_roots(&(&product * product.transpose())),
        false => sum_of_roots(&(product.transpose() * &product)),
    }
}

/// The sum of the roots of a symmetric matrix's eigenvalues.
fn sum_of_roots(of: &Mat<f64>) -> Result<f64> {
    let (values, _) = eigen(of, false)?;
    Ok(values.iter().map(|v| v.max(0.0).sqrt()).sum())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::density::Random;

    /// Normal rows around `middle`, `spread` wide.
    fn rows(n: usize, d: usize, middle: f32, spread: f32, seed: u64) -> Matrix {
        let mut random = Random::seed_from_u64(seed);
        let mut one = || -> f32 { StandardNormal.sample(&mut random) };
        let data = (0..n * d).map(|_| middle + spread * one()).collect();
        Matrix::new(n, d, data)
    }

    /// The definition, loop by loop.
    fn naive(rows: &Matrix, set: &Matrix, k: usize) -> f64 {
        let apart = |a: &[f32], b: &[f32]| -> f64 {
            let pairs = a.iter().zip(b);
            pairs.map(|(x, y)| f64::from(x - y).powi(2)).sum()
        };
        let reach = |j: usize| {
            let others = (0..set.rows).filter(|&i| i != j);
            let mut all: Vec<f64> = others.map(|i| apart(set.row(i), set.row(j))).collect();
            all.sort_by(f64::total_cmp);
            all[k - 1]
        };
        let near = |i: usize| (0..set.rows).any(|j| apart(rows.row(i), set.row(j)) <= reach(j));
        (0..rows.rows).filter(|&i| near(i)).count() as f64 / rows.rows as f64
    }

    #[test]
    fn shares_agree_with_their_definition() {
        for (k, middle, spread) in [(1, 0.0, 1.0), (3, 0.5, 0.7), (5, 2.0, 0.2)] {
            let (real, drawn) = (rows(90, 3, 0.0, 1.0, 1), rows(70, 3, middle, spread, 2));
            let found = scores(&real, &drawn, k).unwrap();
            assert_eq!(found.precision, naive(&drawn, &real, k));
            assert_eq!(found.recall, naive(&real, &drawn, k));
        }
    }

    #[test]
    fn the_distance_between_normal_distributions_is_the_closed_form() {
        // Of N(0, I) and N(m, s² I): d (m² + (1 − s)²).
        let (real, drawn) = (rows(40_000, 4, 0.0, 1.0, 3), rows(40_000, 4, 0.5, 2.0, 4));
        let found = scores(&real.select(&[0, 1, 2, 3]), &real.select(&[0, 1, 2, 3]), 1).unwrap();
        assert_eq!((found.precision, found.recall), (1.0, 1.0));
        assert!(found.frechet < 1e-9);
        let found = frechet(&doubles(&real), &doubles(&drawn), 4).unwrap();
        assert!((found - 5.0).abs() < 0.1, "{found}");
    }

    /// `‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 sqrtm(Σ₁ Σ₂))` with `scipy.linalg.sqrtm` for
    /// `a = sin(arange(60)² / 7).reshape(20, 3)`, `b = cos(arange(60)² / 5).reshape(20, 3)`, covariances ÷ n.
    #[test]
    fn the_distance_agrees_with_scipy() {
        let of = |f: fn(f64) -> f64, by: f64| -> Vec<f64> {
            (0..60).map(|i| f(f64::from(i * i) / by)).collect()
        };
        let found = frechet(&of(f64::sin, 7.0), &of(f64::cos, 5.0), 3).unwrap();
        assert!((found - SCIPY).abs() < 1e-9, "{found}");
    }

    #[test]
    fn few_rows_of_many_features_are_no_other_matter() {
        for (of_a, of_b) in [(7, 9), (9, 7), (5, 40)] {
            let (a, b) = (rows(of_a, 12, 0.0, 1.0, 3), rows(of_b, 12, 0.3, 1.4, 4));
            let centred = |m: &Matrix| minus(&doubles(m), &means(&doubles(m), 12));
            let (a, b) = (centred(&a), centred(&b));
            let by_rows = common_of_rows(&a, &b, 12).unwrap();
            let whole = common_of_covariances(&scatter(&a, 12), &scatter(&b, 12)).unwrap();
            // Roots of rounding errors: eigenvalues that are 0 come out as 1e-16.
            assert!((by_rows - whole).abs() < 1e-6, "{by_rows} {whole}");
        }
    }

    const SCIPY: f64 = 0.225_360_860_003_818_72;

    #[test]
    fn recall_names_a_collapse_and_precision_a_blur() {
        let real = rows(300, 2, 0.0, 1.0, 5);
        let other = rows(300, 2, 0.0, 1.0, 6);
        let collapsed = scores(&real, &rows(300, 2, 0.0, 0.01, 7), 3).unwrap();
        assert!(
            collapsed.precision > 0.9 && collapsed.recall < 0.05,
            "{collapsed:?}"
        );
        let wide = scores(&real, &rows(300, 2, 0.0, 4.0, 8), 3).unwrap();
        assert!(
            wide.precision < wide.recall - 0.3 && wide.recall > 0.8,
            "{wide:?}"
        );
        let fidelity = |drawn| Fidelity {
            code_version: String::new(),
            model: String::new(),
            data: String::new(),
            space: String::new(),
            dim: 2,
            samples: 300,
            k: 3,
            drawn,
            real: scores(&real, &other, 3).unwrap(),
        };
        let warning = fidelity(collapsed).diagnose().unwrap();
        assert_eq!(warning.kind, WarningKind::ModeCollapse);
        assert_eq!(fidelity(wide).diagnose(), None);
    }

    #[test]
    fn too_few_samples_are_said() {
        let real = rows(3, 2, 0.0, 1.0, 5);
        assert!(scores(&real, &real, 3).is_err());
        assert!(scores(&real, &rows(9, 3, 0.0, 1.0, 5), 1).is_err());
    }
}
