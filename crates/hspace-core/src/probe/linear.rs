//! Softmax regression by L-BFGS, with its L2 chosen by the log loss of held-out rows.
//!
//! Minimises `C · Σᵢ −log softmax(W xᵢ + b)[yᵢ] + ½‖W‖²` with `b` free, which is scikit-learn's
//! `LogisticRegression(C)`. (For two classes scikit-learn penalises the one vector w₁ − w₀ instead of
//! both halves; halving C here gives its solution.)
//!
//! Three rewritings leave the solution as it is and make it quick to find:
//! 1. The rows are centred (the free intercept takes the mean up) and divided by one number, with C
//!    multiplied by its square.
//! 2. With fewer rows than dimensions they are rotated into their own span, where every optimal W lies.
//! 3. The search runs in coordinates in which the Hessian at W = 0 is the identity.
//!
//! `c = auto` measures C on rows whose mean squared norm is 1, and takes the value of the lowest
//! log loss on a grid: of validation rows where there are any, else by cross-validation. Since C is the variance of a
//! prior on W, a value found on a subsample of the labels serves for all of them.
//!
//! Several labels a sample are as many regressions of two classes, see [`label_sets`].

pub mod label_sets;
pub(super) mod probe;
mod problem;
mod search;

use std::borrow::Cow;

use self::problem::{Effort, Fitted, Moments, Problem, softmax};
use self::search::{Part, best_c};
use super::folds::{Selection, stratified};
use crate::error::{Error, Result};
use crate::few_labels::draw;
use crate::matrix::Matrix;
use crate::pca::Pca;
use crate::random::mix;

/// Up to so many rows (and more dimensions) are rotated into their span.
const ROTATE: usize = 1024;
/// Up to so many dimensions the Hessian is factored; beyond, only its diagonal is used.
const FACTOR: usize = 1536;
/// Rows the Hessian is estimated from.
const HESSIAN_ROWS: usize = 4096;
/// Labels that cross-validation looks at; of more, a stratified draw.
const CV_ROWS: usize = 2000;
/// Training rows that candidates are fitted on where validation rows decide; of more, a stratified draw.
const FIT_ROWS: usize = 20_000;
/// C, on rows of mean squared norm 1, where cross-validation is impossible (a class with one label). Chosen on
/// held-out training images of MNIST and Fashion-MNIST (one label a class, 20 draws): of 0.01..100 about
/// the most accurate on both, by less than .01 over its neighbours.
const FALLBACK: f64 = 3.0;

/// A fitted linear classifier.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::matrix::Matrix;
/// use hspace_core::probe::linear::fit;
///
/// let data = blobs("runs/a", 0.2);
/// let labels: Vec<u32> = (0..160).map(|i| i % 3).collect();
/// let classifier = fit(&data.features, &labels, 3, 1.0)?;
/// let p = classifier.probabilities(&Matrix::new(1, 2, vec![0.0, 0.0]));
/// assert!(p[0] > 0.5 && (p.iter().sum::<f64>() - 1.0).abs() < 1e-9);
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Softmax {
    /// `[d, classes]`, on the features as they are.
    pub weights: Matrix,
    /// `[classes]`
    pub bias: Vec<f64>,
}

impl Softmax {
    /// Class probabilities `[n, classes]` of `features` `[n, d]`.
    pub fn probabilities(&self, features: &Matrix) -> Vec<f64> {
        let logits = features.times(&self.weights);
        let mut out = Vec::with_capacity(logits.data.len());
        for row in logits.data.chunks_exact(self.bias.len()) {
            let start = out.len();
            out.extend(row.iter().zip(&self.bias).map(|(&z, b)| f64::from(z) + b));
            softmax(&mut out[start..]);
        }
        out
    }
}

/// Fits `features` `[n, d]` with `labels` `[n]` below `classes` at scikit-learn's `c`.
///
/// ```
/// use hspace_core::matrix::Matrix;
/// use hspace_core::probe::linear::fit;
///
/// let x = Matrix::new(4, 1, vec![-2.0, -1.0, 1.0, 2.0]);
/// let [weak, strong] = [0.01, 100.0].map(|c| fit(&x, &[0, 0, 1, 1], 2, c));
/// // A strong penalty (small C) keeps weights small.
/// assert!(weak?.weights.data[1] < strong?.weights.data[1]);
/// assert!(fit(&x, &[0, 0, 0, 0], 2, 1.0).is_err());
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When fewer than two classes have a label, or features are not finite.
pub fn fit(features: &Matrix, labels: &[u32], classes: usize, c: f64) -> Result<Softmax> {
    let (basis, present, y) = prepare(features, labels, classes)?;
    let fitted = basis.solve(&y, present.len(), c * basis.scale * basis.scale, None)?;
    Ok(basis.finish(&fitted, &present, classes))
}

/// Fits with C chosen by the log loss of the validation rows of `selection` or by cross-validation inside `labels`;
/// returns that C, in the units of [`fit`].
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Selection, linear::fit_auto};
///
/// let data = blobs("runs/a", 0.2);
/// let labels: Vec<u32> = (0..160).map(|i| i % 3).collect();
/// // C by cross-validation.
/// let (classifier, c) = fit_auto(&data.features, &labels, 3, Selection::default(), 0)?;
/// assert!(c > 0.0 && classifier.weights.cols == 3);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// As [`fit`].
pub fn fit_auto(
    features: &Matrix,
    labels: &[u32],
    classes: usize,
    selection: Selection<'_, u32>,
    seed: u64,
) -> Result<(Softmax, f64)> {
    let (basis, present, y) = prepare(features, labels, classes)?;
    let (c, start) = basis.choose(&y, &present, selection, seed)?;
    let fitted = basis.solve(&y, present.len(), c, start)?;
    Ok((
        basis.finish(&fitted, &present, classes),
        c / (basis.scale * basis.scale),
    ))
}
const FINAL: Effort = Effort {
    gradient: 5e-4,
    steps: 300,
};
const ROUGH: Effort = Effort {
    gradient: 3e-3,
    steps: 40,
};

/// Features in good coordinates, the classes that have a label, and the labels counted among those.
fn prepare(
    features: &Matrix,
    labels: &[u32],
    classes: usize,
) -> Result<(Basis, Vec<usize>, Vec<u32>)> {
    let present: Vec<usize> = (0..classes)
        .filter(|&c| labels.contains(&(c as u32)))
        .collect();
    if present.len() < 2 {
        return Err(Error::data(
            "all training labels are of one class; a linear probe needs two",
        ));
    }
    let place = |&label: &u32| present.partition_point(|&c| c < label as usize) as u32;
    let y = labels.iter().map(place).collect();
    Ok((Basis::new(features, present.len())?, present, y))
}

/// Rows centred, rotated where that shortens them, and scaled to a mean squared norm of 1.
struct Basis {
    rows: Matrix,
    mean: Vec<f64>,
    scale: f64,
    rotation: Option<Pca>,
    /// The Hessian's block at W = 0, without the penalty.
    moments: Moments,
}

impl Basis {
    fn new(features: &Matrix, classes: usize) -> Result<Basis> {
        let (mean, rotation, mut rows);
        if features.rows <= ROTATE && features.rows < features.cols {
            let pca = Pca::full(features)?;
            rows = pca.transform(features);
            mean = pca.mean.clone();
            rotation = Some(pca);
        } else {
            mean = features.column_means();
            rows = features.minus(&mean);
            rotation = None;
        }
        let n = rows.rows.max(1) as f64;
        let squares: f64 = rows.data.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let scale = if squares > 0.0 {
            (squares / n).sqrt()
        } else {
            1.0
        };
        for x in &mut rows.data {
            *x = (f64::from(*x) / scale) as f32;
        }
        let full = rotation.is_none() && rows.cols <= FACTOR;
        let moments = Moments::of(&rows.spaced(HESSIAN_ROWS), full, classes);
        Ok(Basis {
            rows,
            mean,
            scale,
            rotation,
            moments,
        })
    }

    /// The solution for all rows.
    fn solve(&self, y: &[u32], classes: usize, c: f64, start: Option<Fitted>) -> Result<Fitted> {
        let all: Vec<usize> = (0..self.rows.rows).collect();
        self.problem(&all, y, classes)
            .solve(c, start.as_ref(), FINAL)
    }

    fn problem<'a>(&'a self, index: &[usize], y: &[u32], classes: usize) -> Problem<'a> {
        Problem {
            rows: self.select(index),
            y: index.iter().map(|&i| y[i]).collect(),
            classes,
            moments: &self.moments,
        }
    }

    fn select(&self, index: &[usize]) -> Cow<'_, Matrix> {
        match index.len() == self.rows.rows {
            true => Cow::Borrowed(&self.rows),
            false => Cow::Owned(self.rows.select(index)),
        }
    }

    /// Other rows `[m, d]` in these coordinates.
    fn transform(&self, features: &Matrix) -> Matrix {
        let mut rows = match &self.rotation {
            Some(pca) => pca.transform(features),
            None => features.minus(&self.mean),
        };
        for x in &mut rows.data {
            *x = (f64::from(*x) / self.scale) as f32;
        }
        rows
    }

    /// Back to the features as they were; classes without a label are never answered.
    fn finish(&self, fitted: &Fitted, present: &[usize], classes: usize) -> Softmax {
        let (p, k) = fitted.weights.shape();
        let data = (0..p * k)
            .map(|e| (fitted.weights[(e / k, e % k)] / self.scale) as f32)
            .collect();
        let mut inner = Matrix::new(p, k, data);
        if let Some(rotation) = &self.rotation {
            inner = rotation.components.times(&inner);
        }
        let mut weights = Matrix::zeros(inner.rows, classes);
        let mut bias = vec![f64::NEG_INFINITY; classes];
        for (j, &class) in present.iter().enumerate() {
            bias[class] = fitted.bias[j];
            for i in 0..inner.rows {
                let w = inner.data[i * k + j];
                weights.data[i * classes + class] = w;
                bias[class] -= self.mean[i] * f64::from(w);
            }
        }
        Softmax { weights, bias }
    }

    /// The C of the lowest held-out log loss, and a start for the last fit.
    fn choose(
        &self,
        y: &[u32],
        present: &[usize],
        selection: Selection<'_, u32>,
        seed: u64,
    ) -> Result<(f64, Option<Fitted>)> {
        let classes = present.len();
        let all: Vec<usize> = (0..y.len()).collect();
        let mut parts: Vec<Part<'_>> = Vec::new();
        if let Some((features, truth)) = selection.val {
            // A class that no training label has cannot be answered, whatever C is.
            let place = |&class: &u32| present.binary_search(&(class as usize)).ok();
            let held: Vec<usize> = (0..truth.len())
                .filter(|&i| place(&truth[i]).is_some())
                .collect();
            let rows = if y.len() > FIT_ROWS {
                let each = (FIT_ROWS / classes).max(2);
                draw(&all, y, selection.groups, each, mix(&[seed, 1]), 0)
            } else {
                all
            };
            parts.push(Part {
                problem: self.problem(&rows, y, classes),
                held: Cow::Owned(self.transform(&features.select(&held))),
                truth: truth.iter().filter_map(place).map(|p| p as u32).collect(),
            });
        } else {
            let rows = if y.len() > CV_ROWS {
                let each = (CV_ROWS / classes).max(2);
                draw(&all, y, selection.groups, each, mix(&[seed, 1]), 0)
            } else {
                all
            };
            let most = if rows.len() > 500 { 3 } else { 5 };
            let folds = stratified(&rows, y, classes, selection.groups, most, seed);
            for (f, held) in folds.iter().flatten().enumerate() {
                let rest = folds.iter().flatten().enumerate().filter(|(g, _)| *g != f);
                let rest: Vec<usize> = rest.flat_map(|(_, fold)| fold.iter().copied()).collect();
                let problem = self.problem(&rest, y, classes);
                // Groups can leave all of a class on one side.
                let mut held = held.clone();
                held.retain(|&i| problem.y.contains(&y[i]));
                parts.push(Part {
                    truth: held.iter().map(|&i| y[i]).collect(),
                    held: Cow::Owned(self.rows.select(&held)),
                    problem,
                });
            }
        }
        parts.retain(|part| !part.truth.is_empty());
        if parts.is_empty() {
            return Ok((FALLBACK, None));
        }
        let (c, fitted) = best_c(&parts)?;
        Ok((c, fitted.into_iter().next()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Case {
        rows: usize,
        cols: usize,
        classes: usize,
        c: f64,
        features: Vec<f32>,
        labels: Vec<u32>,
        probabilities: Vec<f64>,
    }

    #[derive(serde::Deserialize)]
    struct Golden {
        cases: Vec<Case>,
    }

    fn golden() -> serde_json::Result<Vec<Case>> {
        let golden: Golden =
            serde_json::from_str(include_str!("../../tests/golden/probe_linear.json"))?;
        Ok(golden.cases)
    }

    /// Many rows and few, and two classes.
    #[test]
    fn probabilities_are_scikit_learn_s() -> std::result::Result<(), Box<dyn std::error::Error>> {
        for case in golden()? {
            let x = Matrix::new(case.rows, case.cols, case.features);
            let ours = fit(&x, &case.labels, case.classes, case.c)?.probabilities(&x);
            for (ours, theirs) in ours.iter().zip(&case.probabilities) {
                assert!(
                    (ours - theirs).abs() < 1e-3,
                    "{}x{}: {ours} {theirs}",
                    case.rows,
                    case.cols
                );
            }
        }
        Ok(())
    }

    #[test]
    fn the_number_of_threads_changes_nothing() -> std::result::Result<(), Box<dyn std::error::Error>>
    {
        let x = Matrix::new(
            700,
            9,
            (0..6300).map(|i| ((i * 7919) % 101) as f32).collect(),
        );
        let y: Vec<u32> = (0..700)
            .map(|i| u32::from(x.row(i)[0] > 50.0) + u32::from(x.row(i)[1] > 80.0))
            .collect();
        let with = |threads: usize| -> std::result::Result<Vec<f64>, Box<dyn std::error::Error>> {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()?;
            let fitted = pool.install(|| fit_auto(&x, &y, 3, Selection::default(), 0))?;
            Ok(fitted.0.probabilities(&x))
        };
        assert_eq!(with(1)?, with(3)?);
        Ok(())
    }

    #[test]
    fn classes_without_labels_are_never_answered() -> Result<()> {
        let x = Matrix::new(
            4,
            3,
            vec![0.0, 1.0, 2.0, 5.0, 1.0, 0.0, 0.1, 1.0, 2.0, 5.0, 1.0, 0.2],
        );
        let (model, _) = fit_auto(&x, &[1, 3, 1, 3], 5, Selection::default(), 0)?;
        for row in model.probabilities(&x).chunks_exact(5) {
            assert_eq!((row[0], row[2], row[4]), (0.0, 0.0, 0.0));
            assert!((row[1] + row[3] - 1.0).abs() < 1e-12);
        }
        assert!(fit(&x, &[1; 4], 5, 1.0).is_err());
        Ok(())
    }

    /// Without a direction that varies there are the intercepts: the classes' shares.
    #[test]
    fn rows_that_do_not_vary_are_answered_by_the_shares_of_the_classes() -> Result<()> {
        let labels = [0, 1, 1, 1, 0, 1, 1, 1];
        for cols in [0, 1, 20] {
            let x = Matrix::new(8, cols, vec![3.0; 8 * cols]);
            for row in fit(&x, &labels, 2, 1.0)?.probabilities(&x).chunks_exact(2) {
                assert!((row[0] - 0.25).abs() < 1e-3, "{cols}: {row:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn noise_is_regularised_more_than_signal() -> Result<()> {
        let x = Matrix::new(
            200,
            4,
            (0..800)
                .map(|i| ((i * 7919) % 997) as f32 / 997.0)
                .collect(),
        );
        let signal: Vec<u32> = (0..200).map(|i| u32::from(x.row(i)[2] > 0.5)).collect();
        let noise: Vec<u32> = (0..200)
            .map(|i| u32::from((i * 104_729) % 211 > 100))
            .collect();
        let c = |y: &[u32]| -> Result<f64> { Ok(fit_auto(&x, y, 2, Selection::default(), 0)?.1) };
        assert!(c(&signal)? > c(&noise)?);
        Ok(())
    }
}
