//! Softmax regression by L-BFGS, with its L2 chosen inside the training labels.
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
//! cross-validated log loss on a grid. Since C is the variance of a prior on W, a value found on a
//! subsample of the labels serves for all of them.

use std::cell::RefCell;

use argmin::core::{CostFunction, Executor, Gradient, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::few_labels::{draw, mix};
use crate::error::{Error, Result};
use crate::matrix::{Matrix, gram};
use crate::pca::Pca;

/// Rows of a block: its share of the gradient is a single-precision product, the sum over blocks double.
const BLOCK: usize = 256;
/// Up to so many rows (and more dimensions) are rotated into their span.
const ROTATE: usize = 1024;
/// Up to so many dimensions the Hessian is factored; beyond, only its diagonal is used.
const FACTOR: usize = 1536;
/// Rows the Hessian is estimated from.
const HESSIAN_ROWS: usize = 4096;
/// Labels that cross-validation looks at; of more, a stratified draw.
const CV_ROWS: usize = 2000;
/// C, on rows of mean squared norm 1, where cross-validation is impossible (a class with one label).
const FALLBACK: f64 = 10.0;

/// A fitted linear classifier.
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
/// # Errors
/// When fewer than two classes have a label, or features are not finite.
pub fn fit(features: &Matrix, labels: &[u32], classes: usize, c: f64) -> Result<Softmax> {
    let (basis, present, y) = prepare(features, labels, classes)?;
    let fitted = basis.solve(&y, present.len(), c * basis.scale * basis.scale, None)?;
    Ok(basis.finish(&fitted, &present, classes))
}

/// Fits with C chosen by cross-validation inside `labels`; returns that C, in the units of [`fit`].
///
/// # Errors
/// As [`fit`].
pub fn fit_auto(features: &Matrix, labels: &[u32], classes: usize, seed: u64) -> Result<(Softmax, f64)> {
    let (basis, present, y) = prepare(features, labels, classes)?;
    let (c, start) = basis.choose(&y, present.len(), seed)?;
    let fitted = basis.solve(&y, present.len(), c, start)?;
    Ok((basis.finish(&fitted, &present, classes), c / (basis.scale * basis.scale)))
}

/// When to stop: the length of the preconditioned gradient of the mean loss (its square is about
/// twice the distance to the least loss), and the number of steps.
#[derive(Clone, Copy)]
struct Effort {
    gradient: f64,
    steps: u64,
}
const FINAL: Effort = Effort { gradient: 5e-4, steps: 300 };
const ROUGH: Effort = Effort { gradient: 3e-3, steps: 40 };

/// Features in good coordinates, the classes that have a label, and the labels counted among those.
fn prepare(features: &Matrix, labels: &[u32], classes: usize) -> Result<(Basis, Vec<usize>, Vec<u32>)> {
    let present: Vec<usize> = (0..classes).filter(|&c| labels.contains(&(c as u32))).collect();
    if present.len() < 2 {
        return Err(Error::data("all training labels are of one class; a linear probe needs two"));
    }
    let place = |&label: &u32| present.partition_point(|&c| c < label as usize) as u32;
    let y = labels.iter().map(place).collect();
    Ok((Basis::new(features, present.len())?, present, y))
}

/// Weights and intercepts of the classes in the coordinates of a [`Basis`].
#[derive(Clone)]
struct Fitted {
    /// `[p, classes]`
    weights: Mat<f64>,
    /// `[classes]`
    bias: Vec<f64>,
}

/// Rows centred, rotated where that shortens them, and scaled to a mean squared norm of 1.
struct Basis {
    rows: Matrix,
    mean: Vec<f64>,
    scale: f64,
    rotation: Option<Matrix>,
    /// The Hessian's block at W = 0, without the penalty.
    moments: Moments,
}

/// `XᵀX/(n · classes)` `[p, p]`, or only its diagonal: each class's block of the Hessian of the mean loss
/// at W = 0.
enum Moments {
    Full(Mat<f64>),
    Diagonal(Vec<f64>),
}

impl Moments {
    fn of(rows: &Matrix, full: bool, classes: usize) -> Moments {
        let n = (rows.rows.max(1) * classes) as f64;
        if full {
            return Moments::Full(gram(rows.view()) * faer::Scale(1.0 / n));
        }
        let mut sums = vec![0.0; rows.cols];
        for row in rows.data.chunks_exact(rows.cols.max(1)) {
            for (s, &x) in sums.iter_mut().zip(row) {
                *s += f64::from(x) * f64::from(x) / n;
            }
        }
        Moments::Diagonal(sums)
    }

    /// The root of the block with the penalty's `decay` on the diagonal.
    fn root(&self, decay: f64) -> Result<Root> {
        match self {
            Moments::Diagonal(d) => Ok(Root::Diagonal(d.iter().map(|m| (m + decay).sqrt()).collect())),
            Moments::Full(m) => {
                let mut l = m.clone();
                // A little more than the decay keeps directions that do not vary from drowning in rounding.
                l.diagonal_mut().column_vector_mut().iter_mut().for_each(|x| *x += decay + 1e-9);
                let scratch = cholesky_in_place_scratch::<f64>(l.nrows(), Par::Seq, Default::default());
                cholesky_in_place(
                    l.as_mut(),
                    Default::default(),
                    Par::Seq,
                    MemStack::new(&mut MemBuffer::new(scratch)),
                    Default::default(),
                )
                .map_err(|_| Error::data("the features' covariance is not positive; are all features finite?"))?;
                Ok(Root::Factor(l))
            }
        }
    }
}

impl Root {
    /// `x ← Lᵀ x`
    fn multiply_transposed(&self, x: &mut [f64]) {
        match self {
            Root::Diagonal(d) => x.iter_mut().zip(d).for_each(|(x, d)| *x *= d),
            Root::Factor(l) => {
                for i in 0..x.len() {
                    x[i] = l.col_as_slice(i)[i..].iter().zip(&x[i..]).map(|(l, x)| l * x).sum();
                }
            }
        }
    }

    /// `x ← L⁻¹ x`, or with `transposed` `x ← L⁻ᵀ x`
    fn divide(&self, x: &mut [f64], transposed: bool) {
        match self {
            Root::Diagonal(d) => x.iter_mut().zip(d).for_each(|(x, d)| *x /= d),
            Root::Factor(l) => {
                let n = x.len();
                let x = MatMut::from_column_major_slice_mut(x, n, 1);
                match transposed {
                    true => solve_upper_triangular_in_place(l.transpose(), x, Par::Seq),
                    false => solve_lower_triangular_in_place(l.as_ref(), x, Par::Seq),
                }
            }
        }
    }
}

impl Basis {
    fn new(features: &Matrix, classes: usize) -> Result<Basis> {
        let (mean, rotation, mut rows);
        if features.rows <= ROTATE && features.rows < features.cols {
            let pca = Pca::full(features)?;
            rows = pca.transform(features);
            mean = pca.mean;
            rotation = Some(pca.components);
        } else {
            mean = features.column_means();
            rows = features.minus(&mean);
            rotation = None;
        }
        let n = rows.rows.max(1) as f64;
        let squares: f64 = rows.data.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let scale = if squares > 0.0 { (squares / n).sqrt() } else { 1.0 };
        for x in &mut rows.data {
            *x = (f64::from(*x) / scale) as f32;
        }
        let full = rotation.is_none() && rows.cols <= FACTOR;
        let moments = Moments::of(&rows.spaced(HESSIAN_ROWS), full, classes);
        Ok(Basis { rows, mean, scale, rotation, moments })
    }

    /// The solution for all rows.
    fn solve(&self, y: &[u32], classes: usize, c: f64, start: Option<Fitted>) -> Result<Fitted> {
        let all: Vec<usize> = (0..self.rows.rows).collect();
        self.problem(&all, y, classes).solve(c, start.as_ref(), FINAL)
    }

    fn problem<'a>(&'a self, index: &[usize], y: &'a [u32], classes: usize) -> Problem<'a> {
        let rows = if index.len() == self.rows.rows {
            std::borrow::Cow::Borrowed(&self.rows)
        } else {
            std::borrow::Cow::Owned(self.rows.select(index))
        };
        Problem { rows, y: index.iter().map(|&i| y[i]).collect(), classes, moments: &self.moments }
    }

    /// Back to the features as they were; classes without a label are never answered.
    fn finish(&self, fitted: &Fitted, present: &[usize], classes: usize) -> Softmax {
        let (p, k) = fitted.weights.shape();
        let data = (0..p * k).map(|e| (fitted.weights[(e / k, e % k)] / self.scale) as f32).collect();
        let mut inner = Matrix::new(p, k, data);
        if let Some(rotation) = &self.rotation {
            inner = rotation.times(&inner);
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

    /// The C of the lowest cross-validated log loss, and a start for the last fit.
    fn choose(&self, y: &[u32], classes: usize, seed: u64) -> Result<(f64, Option<Fitted>)> {
        let all: Vec<usize> = (0..y.len()).collect();
        let rows = if y.len() > CV_ROWS {
            draw(&all, y, (CV_ROWS / classes).max(2), mix(&[seed, 1]), 0)
        } else {
            all
        };
        let mut counts = vec![0usize; classes];
        for &i in &rows {
            counts[y[i] as usize] += 1;
        }
        let fewest = counts.iter().copied().min().unwrap_or(0);
        if fewest < 2 {
            return Ok((FALLBACK, None));
        }
        let most = if rows.len() > 500 { 3 } else { 5 };
        let folds = stratified_folds(&rows, y, classes, fewest.min(most), seed);
        let problems: Vec<(Problem<'_>, Vec<usize>)> = folds
            .iter()
            .enumerate()
            .map(|(f, held)| {
                let rest = folds.iter().enumerate().filter(|(g, _)| *g != f);
                let rest: Vec<usize> = rest.flat_map(|(_, fold)| fold.iter().copied()).collect();
                (self.problem(&rest, y, classes), held.clone())
            })
            .collect();
        let mut warm: Vec<Option<Fitted>> = vec![None; problems.len()];
        let at = |exponent: f64, warm: &mut Vec<Option<Fitted>>| -> Result<f64> {
            let c = 10f64.powf(exponent);
            let results: Result<Vec<(Fitted, f64)>> = problems
                .par_iter()
                .zip(&*warm)
                .map(|((problem, held), start)| {
                    let fitted = problem.solve(c, start.as_ref(), ROUGH)?;
                    let loss = fitted.loss(&self.rows.select(held), held.iter().map(|&i| y[i]));
                    Ok((fitted, loss))
                })
                .collect();
            let results = results?;
            let loss = results.iter().map(|r| r.1).sum();
            *warm = results.into_iter().map(|r| Some(r.0)).collect();
            Ok(loss)
        };
        // From strong to weak regularisation in steps of 10 until it has become worse twice, then
        // half a step to either side of the best.
        let mut best = (f64::INFINITY, 0.0, warm.clone());
        let mut worse = 0;
        for exponent in -1..=5 {
            let loss = at(f64::from(exponent), &mut warm)?;
            if loss < best.0 {
                best = (loss, f64::from(exponent), warm.clone());
                worse = 0;
            } else {
                worse += 1;
                if worse == 2 {
                    break;
                }
            }
        }
        let centre = best.1;
        for exponent in [centre - 0.5, centre + 0.5] {
            let mut start = best.2.clone();
            let loss = at(exponent, &mut start)?;
            if loss < best.0 {
                best = (loss, exponent, start);
            }
        }
        Ok((10f64.powf(best.1), best.2.into_iter().next().flatten()))
    }
}

/// Rows dealt out to `k` folds class by class, in a random order.
fn stratified_folds(rows: &[usize], y: &[u32], classes: usize, k: usize, seed: u64) -> Vec<Vec<usize>> {
    let labels: Vec<u32> = rows.iter().map(|&i| y[i]).collect();
    let mut folds = vec![Vec::new(); k];
    for class in 0..classes as u32 {
        let own: Vec<usize> = rows.iter().zip(&labels).filter(|(_, l)| **l == class).map(|(&r, _)| r).collect();
        for (place, row) in super::few_labels::shuffled(own, mix(&[seed, 2, u64::from(class)])).into_iter().enumerate() {
            folds[place % k].push(row);
        }
    }
    folds.iter_mut().for_each(|fold| fold.sort_unstable());
    folds
}

impl Fitted {
    /// Class probabilities `[n, classes]` of `rows` `[n, p]`.
    fn probabilities(&self, rows: &Matrix) -> Vec<f64> {
        let (p, k) = self.weights.shape();
        let data = (0..p * k).map(|e| self.weights[(e / k, e % k)] as f32).collect();
        Softmax { weights: Matrix::new(p, k, data), bias: self.bias.clone() }.probabilities(rows)
    }

    /// Mean log loss on `rows` `[n, p]` with labels `y`.
    fn loss(&self, rows: &Matrix, y: impl Iterator<Item = u32>) -> f64 {
        let probabilities = self.probabilities(rows);
        let own = probabilities.chunks_exact(self.bias.len()).zip(y);
        let total: f64 = own.map(|(p, label)| -p[label as usize].max(1e-12).ln()).sum();
        total / rows.rows.max(1) as f64
    }
}

/// Turns logits into probabilities and returns the log of their sum.
fn softmax(z: &mut [f64]) -> f64 {
    let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for v in z.iter_mut() {
        *v = (*v - top).exp();
        sum += *v;
    }
    z.iter_mut().for_each(|v| *v /= sum);
    top + sum.ln()
}

/// The rows of one fit.
struct Problem<'a> {
    rows: std::borrow::Cow<'a, Matrix>,
    y: Vec<u32>,
    classes: usize,
    moments: &'a Moments,
}

/// A square root L of a class's block of the Hessian: block = L Lᵀ.
enum Root {
    Factor(Mat<f64>),
    Diagonal(Vec<f64>),
}

impl Problem<'_> {
    fn solve(&self, c: f64, start: Option<&Fitted>, effort: Effort) -> Result<Fitted> {
        let c = if self.classes == 2 { c / 2.0 } else { c };
        let decay = 1.0 / (c * self.rows.rows.max(1) as f64);
        let objective = Objective { problem: self, decay, root: self.moments.root(decay)?, last: RefCell::new(None) };
        let failed = |e: argmin::core::Error| Error::data(format!("the linear probe could not be fitted: {e}"));
        let solver = LBFGS::new(MoreThuenteLineSearch::new(), 10)
            .with_tolerance_grad(effort.gradient)
            .and_then(|solver| solver.with_tolerance_cost(1e-9))
            .map_err(failed)?;
        let initial = start.map_or_else(
            || vec![0.0; (self.rows.cols + 1) * self.classes],
            |fitted| objective.whiten(fitted),
        );
        let fallback = initial.clone();
        let result = Executor::new(&objective, solver)
            .configure(|state| state.param(initial).max_iters(effort.steps))
            .ctrlc(false)
            .run()
            .map_err(failed)?;
        // The best point is there even where the line search gave up within rounding errors.
        let best = result.state().get_best_param().unwrap_or(&fallback);
        Ok(objective.unwhiten(best))
    }
}

/// The mean loss as a function of `Lᵀ W` (column by column) and `b/√classes`, one after the other.
struct Objective<'a> {
    problem: &'a Problem<'a>,
    decay: f64,
    root: Root,
    /// The point evaluated last, its loss and gradient: argmin asks for them one at a time.
    last: RefCell<Option<(Vec<f64>, f64, Vec<f64>)>>,
}

impl Objective<'_> {
    fn whiten(&self, fitted: &Fitted) -> Vec<f64> {
        let mut w = fitted.weights.clone();
        self.each_class(&mut w, |root, x| root.multiply_transposed(x));
        let k = (self.problem.classes as f64).sqrt();
        flat(&w, fitted.bias.iter().map(|b| b / k))
    }

    fn unwhiten(&self, point: &[f64]) -> Fitted {
        let (p, k) = (self.problem.rows.cols, self.problem.classes);
        let mut weights = Mat::from_fn(p, k, |i, j| point[j * p + i]);
        self.each_class(&mut weights, |root, x| root.divide(x, true));
        let root = (k as f64).sqrt();
        Fitted { weights, bias: point[p * k..].iter().map(|b| b * root).collect() }
    }

    fn each_class(&self, w: &mut Mat<f64>, f: impl Fn(&Root, &mut [f64]) + Sync) {
        let root = &self.root;
        let columns = w.col_iter_mut().filter_map(|c| c.try_as_col_major_mut().map(|c| c.as_slice_mut()));
        let columns: Vec<&mut [f64]> = columns.collect();
        columns.into_par_iter().for_each(|x| f(root, x));
    }

    fn evaluate(&self, point: &[f64]) -> (f64, Vec<f64>) {
        let Problem { rows, y, classes: k, .. } = self.problem;
        let (p, k, n) = (rows.cols, *k, rows.rows.max(1) as f64);
        let fitted = self.unwhiten(point);
        let w: Vec<f32> = (0..k).flat_map(|j| fitted.weights.col_as_slice(j).iter().map(|&x| x as f32)).collect();
        let w = MatRef::from_column_major_slice(&w, p, k);
        let blocks: Vec<(f64, Vec<f32>, Vec<f64>)> = rows
            .data
            .par_chunks(BLOCK * p.max(1))
            .zip(y.par_chunks(BLOCK))
            .map(|(x, y)| block(MatRef::from_row_major_slice(x, y.len(), p), y, w, &fitted.bias))
            .collect();
        let mut gradient = fitted.weights.clone() * faer::Scale(self.decay);
        let mut loss = 0.5 * self.decay * fitted.weights.squared_norm_l2();
        let mut bias = vec![0.0; k];
        for (part, g, b) in &blocks {
            loss += part / n;
            for j in 0..k {
                for (sum, &x) in gradient.col_as_slice_mut(j).iter_mut().zip(&g[j * p..(j + 1) * p]) {
                    *sum += f64::from(x) / n;
                }
                bias[j] += b[j] / n;
            }
        }
        self.each_class(&mut gradient, |root, x| root.divide(x, false));
        let root = (k as f64).sqrt();
        (loss, flat(&gradient, bias.iter().map(|b| b * root)))
    }

    fn cached<T>(&self, point: &[f64], pick: impl Fn(f64, &Vec<f64>) -> T) -> T {
        let mut last = self.last.borrow_mut();
        match &*last {
            Some((at, loss, gradient)) if at == point => pick(*loss, gradient),
            _ => {
                let (loss, gradient) = self.evaluate(point);
                let picked = pick(loss, &gradient);
                *last = Some((point.to_vec(), loss, gradient));
                picked
            }
        }
    }
}

/// Loss, weight gradient `[p, k]` by columns and intercept gradient, summed over the rows `x` `[r, p]`.
fn block(x: MatRef<'_, f32>, y: &[u32], w: MatRef<'_, f32>, bias: &[f64]) -> (f64, Vec<f32>, Vec<f64>) {
    let (r, p, k) = (x.nrows(), x.ncols(), bias.len());
    let mut z = vec![0f32; r * k];
    matmul(MatMut::from_row_major_slice_mut(&mut z, r, k), Accum::Replace, x, w, 1.0, Par::Seq);
    let mut loss = 0.0;
    let mut sums = vec![0.0; k];
    let mut row = vec![0.0; k];
    for (z, &label) in z.chunks_exact_mut(k).zip(y) {
        for ((v, &x), b) in row.iter_mut().zip(&*z).zip(bias) {
            *v = f64::from(x) + b;
        }
        let own = row[label as usize];
        loss += softmax(&mut row) - own;
        row[label as usize] -= 1.0;
        for ((out, &v), sum) in z.iter_mut().zip(&row).zip(&mut sums) {
            *out = v as f32;
            *sum += v;
        }
    }
    let mut gradient = vec![0f32; p * k];
    let out = MatMut::from_column_major_slice_mut(&mut gradient, p, k);
    matmul(out, Accum::Replace, x.transpose(), MatRef::from_row_major_slice(&z, r, k), 1.0, Par::Seq);
    (loss, gradient, sums)
}

fn flat(w: &Mat<f64>, bias: impl Iterator<Item = f64>) -> Vec<f64> {
    let weights = (0..w.ncols()).flat_map(|j| w.col_as_slice(j).iter().copied());
    weights.chain(bias).collect()
}

impl CostFunction for &Objective<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, point: &Vec<f64>) -> std::result::Result<f64, argmin::core::Error> {
        Ok(self.cached(point, |loss, _| loss))
    }
}

impl Gradient for &Objective<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, point: &Vec<f64>) -> std::result::Result<Vec<f64>, argmin::core::Error> {
        Ok(self.cached(point, |_, gradient| gradient.clone()))
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
        let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/probe_linear.json"))?;
        Ok(golden.cases)
    }

    /// Many rows and few, and two classes.
    #[test]
    fn probabilities_are_scikit_learn_s() -> std::result::Result<(), Box<dyn std::error::Error>> {
        for case in golden()? {
            let x = Matrix::new(case.rows, case.cols, case.features);
            let ours = fit(&x, &case.labels, case.classes, case.c)?.probabilities(&x);
            for (ours, theirs) in ours.iter().zip(&case.probabilities) {
                assert!((ours - theirs).abs() < 1e-3, "{}x{}: {ours} {theirs}", case.rows, case.cols);
            }
        }
        Ok(())
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() -> std::result::Result<(), Box<dyn std::error::Error>> {
        for case in golden()? {
            let x = Matrix::new(case.rows, case.cols, case.features);
            let (basis, present, y) = prepare(&x, &case.labels, case.classes)?;
            let rows: Vec<usize> = (0..case.rows).collect();
            let problem = basis.problem(&rows, &y, present.len());
            let root = problem.moments.root(0.1)?;
            let objective = Objective { problem: &problem, decay: 0.1, root, last: RefCell::new(None) };
            let size = (basis.rows.cols + 1) * present.len();
            let point: Vec<f64> = (0..size).map(|i| ((i * 31) % 17) as f64 / 17.0 - 0.4).collect();
            let (_, gradient) = objective.evaluate(&point);
            for i in [0, size / 2, size - 1] {
                let moved = |step: f64| {
                    let mut point = point.clone();
                    point[i] += step;
                    objective.evaluate(&point).0
                };
                let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
                assert!((slope - gradient[i]).abs() < 1e-3, "{i}: {slope} {}", gradient[i]);
            }
            let back = objective.whiten(&objective.unwhiten(&point));
            assert!(back.iter().zip(&point).all(|(a, b)| (a - b).abs() < 1e-9));
        }
        Ok(())
    }

    #[test]
    fn the_number_of_threads_changes_nothing() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let x = Matrix::new(700, 9, (0..6300).map(|i| ((i * 7919) % 101) as f32).collect());
        let y: Vec<u32> = (0..700).map(|i| u32::from(x.row(i)[0] > 50.0) + u32::from(x.row(i)[1] > 80.0)).collect();
        let with = |threads: usize| -> std::result::Result<Vec<f64>, Box<dyn std::error::Error>> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            let fitted = pool.install(|| fit_auto(&x, &y, 3, 0))?;
            Ok(fitted.0.probabilities(&x))
        };
        assert_eq!(with(1)?, with(3)?);
        Ok(())
    }

    #[test]
    fn classes_without_labels_are_never_answered() -> Result<()> {
        let x = Matrix::new(4, 3, vec![0.0, 1.0, 2.0, 5.0, 1.0, 0.0, 0.1, 1.0, 2.0, 5.0, 1.0, 0.2]);
        let (model, _) = fit_auto(&x, &[1, 3, 1, 3], 5, 0)?;
        for row in model.probabilities(&x).chunks_exact(5) {
            assert_eq!((row[0], row[2], row[4]), (0.0, 0.0, 0.0));
            assert!((row[1] + row[3] - 1.0).abs() < 1e-12);
        }
        assert!(fit(&x, &[1; 4], 5, 1.0).is_err());
        Ok(())
    }

    #[test]
    fn noise_is_regularised_more_than_signal() -> Result<()> {
        let x = Matrix::new(200, 4, (0..800).map(|i| ((i * 7919) % 997) as f32 / 997.0).collect());
        let signal: Vec<u32> = (0..200).map(|i| u32::from(x.row(i)[2] > 0.5)).collect();
        let noise: Vec<u32> = (0..200).map(|i| u32::from((i * 104_729) % 211 > 100)).collect();
        assert!(fit_auto(&x, &signal, 2, 0)?.1 > fit_auto(&x, &noise, 2, 0)?.1);
        Ok(())
    }
}
