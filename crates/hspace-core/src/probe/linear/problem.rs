//! The loss of one fit as a function that L-BFGS can descend.

use std::borrow::Cow;
use std::cell::RefCell;

use argmin::core::{CostFunction, Executor, Gradient, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::Softmax;
use crate::error::{Error, Result};
use crate::matrix::{Matrix, gram, product, settle};

/// Rows of a block: its share of the gradient is a single-precision product, the sum over blocks double.
const BLOCK: usize = 256;

/// When to stop: the length of the preconditioned gradient of the mean loss (its square is about
/// twice the distance to the least loss), and the number of steps.
#[derive(Clone, Copy)]
pub(super) struct Effort {
    pub(super) gradient: f64,
    pub(super) steps: u64,
}

/// Weights and intercepts of the classes in the coordinates of a [`Basis`].
#[derive(Clone)]
pub(super) struct Fitted {
    /// `[p, classes]`
    pub(super) weights: Mat<f64>,
    /// `[classes]`
    pub(super) bias: Vec<f64>,
}

/// `XᵀX/(n · classes)` `[p, p]`, or only its diagonal: each class's block of the Hessian of the mean loss
/// at W = 0.
pub(super) enum Moments {
    Full(Mat<f64>),
    Diagonal(Vec<f64>),
}

impl Moments {
    pub(super) fn of(rows: &Matrix, full: bool, classes: usize) -> Moments {
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
            Moments::Diagonal(d) => Ok(Root::Diagonal(
                d.iter().map(|m| (m + decay).sqrt()).collect(),
            )),
            // A little more than the decay keeps directions that do not vary from drowning in rounding: of
            // double precision, or else of the single-precision products, whose sums are below 1.
            Moments::Full(m) => cholesky(m, decay + 1e-9)
                .or_else(|| cholesky(m, decay + 1e-5))
                .map(Root::Factor)
                .ok_or_else(|| {
                    Error::data(
                        "the features' covariance is not positive; are all features finite?",
                    )
                }),
        }
    }
}

/// The lower L with `L Lᵀ = m + diagonal · I`, where that is positive.
fn cholesky(m: &Mat<f64>, diagonal: f64) -> Option<Mat<f64>> {
    let mut l = m.clone();
    l.diagonal_mut()
        .column_vector_mut()
        .iter_mut()
        .for_each(|x| *x += diagonal);
    let scratch = cholesky_in_place_scratch::<f64>(l.nrows(), Par::Seq, Default::default());
    let factored = cholesky_in_place(
        l.as_mut(),
        Default::default(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    );
    settle();
    factored.is_ok().then_some(l)
}

impl Root {
    /// `x ← Lᵀ x`
    fn multiply_transposed(&self, x: &mut [f64]) {
        match self {
            Root::Diagonal(d) => x.iter_mut().zip(d).for_each(|(x, d)| *x *= d),
            Root::Factor(l) => {
                for i in 0..x.len() {
                    x[i] = l.col_as_slice(i)[i..]
                        .iter()
                        .zip(&x[i..])
                        .map(|(l, x)| l * x)
                        .sum();
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
                settle();
            }
        }
    }
}

impl Fitted {
    /// Class probabilities `[n, classes]` of `rows` `[n, p]`.
    fn probabilities(&self, rows: &Matrix) -> Vec<f64> {
        let (p, k) = self.weights.shape();
        let data = (0..p * k)
            .map(|e| self.weights[(e / k, e % k)] as f32)
            .collect();
        Softmax {
            weights: Matrix::new(p, k, data),
            bias: self.bias.clone(),
        }
        .probabilities(rows)
    }

    /// Mean log loss on `rows` `[n, p]` with labels `y`.
    pub(super) fn loss(&self, rows: &Matrix, y: impl Iterator<Item = u32>) -> f64 {
        let probabilities = self.probabilities(rows);
        let own = probabilities.chunks_exact(self.bias.len()).zip(y);
        let total: f64 = own
            .map(|(p, label)| -p[label as usize].max(1e-12).ln())
            .sum();
        total / rows.rows.max(1) as f64
    }
}

/// Turns logits into probabilities and returns the log of their sum.
pub(super) fn softmax(z: &mut [f64]) -> f64 {
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
pub(super) struct Problem<'a> {
    pub(super) rows: Cow<'a, Matrix>,
    pub(super) y: Vec<u32>,
    pub(super) classes: usize,
    pub(super) moments: &'a Moments,
}

/// A square root L of a class's block of the Hessian: block = L Lᵀ.
enum Root {
    Factor(Mat<f64>),
    Diagonal(Vec<f64>),
}

impl Problem<'_> {
    pub(super) fn solve(&self, c: f64, start: Option<&Fitted>, effort: Effort) -> Result<Fitted> {
        let c = if self.classes == 2 { c / 2.0 } else { c };
        let decay = 1.0 / (c * self.rows.rows.max(1) as f64);
        let objective = Objective {
            problem: self,
            decay,
            root: self.moments.root(decay)?,
            last: RefCell::new(None),
        };
        let failed = |e: argmin::core::Error| {
            Error::data(format!("the linear probe could not be fitted: {e}"))
        };
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
    last: RefCell<Option<Evaluated>>,
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
        Fitted {
            weights,
            bias: point[p * k..].iter().map(|b| b * root).collect(),
        }
    }

    fn each_class(&self, w: &mut Mat<f64>, f: impl Fn(&Root, &mut [f64]) + Sync) {
        let root = &self.root;
        let columns = w
            .col_iter_mut()
            .filter_map(|c| c.try_as_col_major_mut().map(|c| c.as_slice_mut()));
        let columns: Vec<&mut [f64]> = columns.collect();
        columns.into_par_iter().for_each(|x| f(root, x));
    }

    fn evaluate(&self, point: &[f64]) -> (f64, Vec<f64>) {
        let Problem {
            rows,
            y,
            classes: k,
            ..
        } = self.problem;
        let (p, k, n) = (rows.cols, *k, rows.rows.max(1) as f64);
        let fitted = self.unwhiten(point);
        let w: Vec<f32> = (0..k)
            .flat_map(|j| fitted.weights.col_as_slice(j).iter().map(|&x| x as f32))
            .collect();
        let w = MatRef::from_column_major_slice(&w, p, k);
        // By labels: rows without columns still have intercepts.
        let blocks: Vec<(f64, Vec<f32>, Vec<f64>)> = y
            .par_chunks(BLOCK)
            .enumerate()
            .map(|(b, y)| {
                let first = b * BLOCK * p;
                let x = &rows.data[first..first + y.len() * p];
                let x = MatRef::from_row_major_slice(x, y.len(), p);
                block(x, y, w, &fitted.bias)
            })
            .collect();
        let mut gradient = fitted.weights.clone() * faer::Scale(self.decay);
        let mut loss = 0.5 * self.decay * fitted.weights.squared_norm_l2();
        let mut bias = vec![0.0; k];
        for (part, g, b) in &blocks {
            loss += part / n;
            for j in 0..k {
                for (sum, &x) in gradient
                    .col_as_slice_mut(j)
                    .iter_mut()
                    .zip(&g[j * p..(j + 1) * p])
                {
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
        let known = last.take().filter(|evaluated| evaluated.point == point);
        let evaluated = known.unwrap_or_else(|| {
            let (loss, gradient) = self.evaluate(point);
            Evaluated {
                point: point.to_vec(),
                loss,
                gradient,
            }
        });
        let picked = pick(evaluated.loss, &evaluated.gradient);
        *last = Some(evaluated);
        picked
    }
}

/// A point with its loss and gradient.
struct Evaluated {
    point: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
}

/// Loss, weight gradient `[p, k]` by columns and intercept gradient, summed over the rows `x` `[r, p]`.
fn block(
    x: MatRef<'_, f32>,
    y: &[u32],
    w: MatRef<'_, f32>,
    bias: &[f64],
) -> (f64, Vec<f32>, Vec<f64>) {
    let (r, p, k) = (x.nrows(), x.ncols(), bias.len());
    let mut z = vec![0f32; r * k];
    product(MatMut::from_row_major_slice_mut(&mut z, r, k), x, w);
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
    product(out, x.transpose(), MatRef::from_row_major_slice(&z, r, k));
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

    #[test]
    fn the_gradient_is_that_of_finite_differences() -> Result<()> {
        for full in [true, false] {
            let (n, p, classes) = (90, 5, 3);
            let data = (0..n * p)
                .map(|i| ((i * 7919) % 101) as f32 / 50.0 - 1.0)
                .collect();
            let rows = Matrix::new(n, p, data);
            let y = (0..n).map(|i| (i * i % 7 % 3) as u32).collect();
            let moments = Moments::of(&rows, full, classes);
            let root = moments.root(0.1)?;
            let problem = Problem {
                rows: Cow::Borrowed(&rows),
                y,
                classes,
                moments: &moments,
            };
            let objective = Objective {
                problem: &problem,
                decay: 0.1,
                root,
                last: RefCell::new(None),
            };
            let point: Vec<f64> = (0..(p + 1) * classes)
                .map(|i| ((i * 31) % 17) as f64 / 17.0 - 0.4)
                .collect();
            let (_, gradient) = objective.evaluate(&point);
            for i in [0, 7, 17] {
                let moved = |step: f64| {
                    let mut point = point.clone();
                    point[i] += step;
                    objective.evaluate(&point).0
                };
                let slope = (moved(1e-3) - moved(-1e-3)) / 2e-3;
                assert!(
                    (slope - gradient[i]).abs() < 1e-3,
                    "{i}: {slope} {}",
                    gradient[i]
                );
            }
            let back = objective.whiten(&objective.unwhiten(&point));
            assert!(back.iter().zip(&point).all(|(a, b)| (a - b).abs() < 1e-9));
        }
        Ok(())
    }
}
