//! Independent components: directions in which features are as far from normal as can be.
//!
//! FastICA (Hyvärinen & Oja 2000, "Independent component analysis: algorithms and applications"),
//! symmetric, with the contrast log cosh. With rows `z` whitened by their principal components and g =
//! tanh, one step is `W ← E[g(Wz) zᵀ] − diag(E[g′(Wz)]) W`, after which W is made orthogonal:
//! `W ← (W Wᵀ)^−½ W`. It ends when no row of W turns by more than `TOLERANCE`.
//!
//! Coordinates have mean 0 and variance 1 over the training rows, as scikit-learn's `FastICA` with
//! `whiten="unit-variance"`. Order and signs are settled here, where they are arbitrary there:
//! components come by falling distance from normal, `|E log cosh s − E log cosh ν|` with ν standard
//! normal, each pointing to where its third moment is positive.

use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::matrix::{Matrix, eigen};
use crate::pca::Pca;

/// Largest change of a component at the end: 1 − |cosine|.
const TOLERANCE: f64 = 1e-4;
/// Steps at most.
const STEPS: usize = 1000;
/// Rows of one partial sum, so that the result does not depend on the number of threads.
const BLOCK: usize = 1024;
/// E log cosh of a standard normal number.
const NORMAL: f64 = 0.374_567_207_491_438;

/// A fitted projection onto independent components.
///
/// ```
/// use hspace_core::ica::Ica;
/// use hspace_core::matrix::Matrix;
///
/// // Two independent square waves, mixed.
/// let waves = (0..400).map(|i| ((i / 5 % 2) as f32, (i / 7 % 2) as f32));
/// let mixed = waves.flat_map(|(a, b)| [a + 0.5 * b, 0.3 * a - b]).collect();
/// let x = Matrix::new(400, 2, mixed);
/// let ica = Ica::fit(&x, 2, 0)?;
/// assert!(ica.converged);
/// // Each component is one of the waves: it has two values, 1 apart in standard deviations from its mean.
/// let sources = ica.transform(&x);
/// assert!(sources.data.iter().all(|s| (s.abs() - 1.0).abs() < 0.2));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ica {
    /// Steps it took.
    pub steps: usize,
    /// Whether it came to rest; components of features that are normal never do.
    pub converged: bool,
    pca: Pca,
    /// From principal coordinates to components, `[dims, dims]`.
    unmixing: Matrix,
}

impl Ica {
    /// `dims` components of the rows of `train` `[n, d]`, within their first `dims` principal components.
    ///
    /// # Errors
    /// When `dims` is 0 or exceeds the rank of the centred rows.
    pub fn fit(train: &Matrix, dims: usize, seed: u64) -> Result<Ica> {
        let pca = Pca::fit(train, dims).map_err(|error| match error {
            Error::Data(text) => Error::Data(text.replacen("pca:", "ica:", 1)),
            other => other,
        })?;
        let mut z = pca.transform(train);
        // scikit-learn's unit variance has n in the denominator.
        let n = train.rows as f64;
        let whiten: Vec<f64> = pca
            .variances
            .iter()
            .map(|v| (v * (n - 1.0) / n).sqrt())
            .collect();
        for row in z.data.chunks_exact_mut(dims) {
            row.iter_mut()
                .zip(&whiten)
                .for_each(|(x, s)| *x = (f64::from(*x) / s) as f32);
        }
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let start = (0..dims * dims).map(|_| random.sample::<f64, _>(StandardNormal));
        let start: Vec<f64> = start.collect();
        let mut w = orthogonal(&Mat::from_fn(dims, dims, |i, j| start[i * dims + j]))?;
        let (mut steps, mut converged) = (0, false);
        while steps < STEPS && !converged {
            let next = orthogonal(&step(&z, &w))?;
            let turned = |i| {
                let cosine: f64 = (0..dims).map(|j| next[(i, j)] * w[(i, j)]).sum();
                (1.0 - cosine.abs()).abs()
            };
            converged = (0..dims).all(|i| turned(i) < TOLERANCE);
            w = next;
            steps += 1;
        }
        let unmixing = settled(&z, &w).into_iter().map(|(row, sign)| {
            let entry = |j: usize| (sign * w[(row, j)] / whiten[j]) as f32;
            (0..dims).map(entry).collect::<Vec<f32>>()
        });
        let unmixing = Matrix::new(dims, dims, unmixing.flatten().collect());
        Ok(Ica {
            steps,
            converged,
            pca,
            unmixing,
        })
    }

    /// The coordinates `[n, dims]` of `rows` `[n, d]`.
    ///
    /// # Panics
    /// If `rows` has another number of dimensions than the rows fitted on: a bug of the caller.
    pub fn transform(&self, rows: &Matrix) -> Matrix {
        self.pca.transform(rows).times_transposed(&self.unmixing)
    }
}

/// `E[g(Wz) zᵀ] − diag(E[g′(Wz)]) W` over the rows of `z`.
fn step(z: &Matrix, w: &Mat<f64>) -> Mat<f64> {
    let d = z.cols;
    let parts: Vec<(Mat<f64>, Vec<f64>)> = z
        .data
        .par_chunks(BLOCK * d)
        .map(|block| {
            let (mut product, mut slope) = (Mat::<f64>::zeros(d, d), vec![0.0; d]);
            for row in block.chunks_exact(d) {
                for i in 0..d {
                    let s: f64 = (0..d).map(|j| w[(i, j)] * f64::from(row[j])).sum();
                    let g = s.tanh();
                    slope[i] += 1.0 - g * g;
                    for (j, &x) in row.iter().enumerate() {
                        product[(i, j)] += g * f64::from(x);
                    }
                }
            }
            (product, slope)
        })
        .collect();
    let n = z.rows as f64;
    Mat::from_fn(d, d, |i, j| {
        let product: f64 = parts.iter().map(|(p, _)| p[(i, j)]).sum();
        let slope: f64 = parts.iter().map(|(_, s)| s[i]).sum();
        (product - slope * w[(i, j)]) / n
    })
}

/// `(W Wᵀ)^−½ W`
fn orthogonal(w: &Mat<f64>) -> Result<Mat<f64>> {
    let (values, vectors) = eigen(&(w * w.transpose()), true)?;
    let d = values.len();
    let root = |k: usize| values[k].max(f64::MIN_POSITIVE).sqrt().recip();
    let scaled = Mat::from_fn(d, d, |i, k| vectors[(i, k)] * root(k));
    Ok(&scaled * vectors.transpose() * w)
}

/// Rows of W by falling distance from normal, each with its sign.
fn settled(z: &Matrix, w: &Mat<f64>) -> Vec<(usize, f64)> {
    let d = z.cols;
    let n = z.rows.max(1) as f64;
    let mut all: Vec<(f64, usize, f64)> = (0..d)
        .map(|i| {
            let (mut contrast, mut third) = (0.0, 0.0);
            for row in z.data.chunks_exact(d) {
                let s: f64 = (0..d).map(|j| w[(i, j)] * f64::from(row[j])).sum();
                // log cosh s without overflow.
                contrast += s.abs() + (-2.0 * s.abs()).exp().ln_1p() - std::f64::consts::LN_2;
                third += s * s * s;
            }
            let sign = if third < 0.0 { -1.0 } else { 1.0 };
            ((contrast / n - NORMAL).abs(), i, sign)
        })
        .collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all.into_iter().map(|(_, i, sign)| (i, sign)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Golden {
        rows: usize,
        cols: usize,
        features: Vec<f32>,
        components: Vec<f32>,
    }

    fn correlation(a: &[f64], b: &[f64]) -> f64 {
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    fn column(m: &Matrix, j: usize) -> Vec<f64> {
        (0..m.rows).map(|i| f64::from(m.row(i)[j])).collect()
    }

    #[test]
    fn components_are_scikit_learn_s_up_to_sign_and_order()
    -> std::result::Result<(), Box<dyn std::error::Error>> {
        let golden: Golden = serde_json::from_str(include_str!("../tests/golden/ica.json"))?;
        let x = Matrix::new(golden.rows, golden.cols, golden.features);
        let theirs = Matrix::new(golden.rows, 3, golden.components);
        let ica = Ica::fit(&x, 3, 5)?;
        assert!(ica.converged, "{} steps", ica.steps);
        let ours = ica.transform(&x);
        for j in 0..3 {
            let own = column(&ours, j);
            let best = (0..3).map(|k| correlation(&own, &column(&theirs, k)).abs());
            assert!(best.fold(0.0, f64::max) > 0.9999);
            let variance = own.iter().map(|s| s * s).sum::<f64>() / own.len() as f64;
            assert!((variance - 1.0).abs() < 1e-3, "{variance}");
        }
        // Another start, the same components in the same order with the same signs.
        let again = Ica::fit(&x, 3, 6)?.transform(&x);
        for j in 0..3 {
            assert!(correlation(&column(&ours, j), &column(&again, j)) > 0.999);
        }
        Ok(())
    }

    #[test]
    fn a_power_of_two_changes_nothing() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let golden: Golden = serde_json::from_str(include_str!("../tests/golden/ica.json"))?;
        let at = |exponent: i32| -> Result<Matrix> {
            let scale = 2f64.powi(exponent);
            let scaled = golden
                .features
                .iter()
                .map(|&x| (f64::from(x) * scale) as f32);
            let x = Matrix::new(golden.rows, golden.cols, scaled.collect());
            Ok(Ica::fit(&x, 3, 5)?.transform(&x))
        };
        let expected = at(0)?;
        assert_eq!(at(83)?, expected);
        assert_eq!(at(-66)?, expected);
        Ok(())
    }

    #[test]
    fn too_many_components_are_refused_in_its_own_name() {
        let x = Matrix::new(4, 5, (0..20).map(|i| ((i * 7) % 11) as f32).collect());
        let text = Ica::fit(&x, 9, 0).map_or_else(|e| e.to_string(), |_| String::new());
        assert!(
            text.contains("ica:9") && text.contains("ask for 1 to 3"),
            "{text}"
        );
    }
}
