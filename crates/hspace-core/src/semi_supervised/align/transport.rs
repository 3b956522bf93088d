//! Optimal transport: each row of the source moves to the mean of the rows of the target that it is matched with.
//!
//! The matching γ minimises `Σ γ_ij ‖s_i − t_j‖² + ε Σ γ_ij log γ_ij` with equal weights of the rows of each domain (Cuturi 2013; Courty et al. 2017,
//! arXiv:1507.00504, equation 7), by Sinkhorn's iterations in logarithms; a row becomes `Σ_j γ_ij t_j / Σ_j γ_ij` (equation 14).
//!
//! Deviations: ε is a share of the mean squared distance; at most 2,000 rows of each domain, evenly spaced, are matched, and the probe is fitted to
//! those; no group-lasso by class.

use rayon::prelude::*;

use super::{Aligned, Moved};
use crate::list::Entry;
use crate::matrix::{Matrix, spaced};
use crate::semi_supervised::Method;

/// Rows of each domain.
const ROWS: usize = 2000;
/// Iterations at most, and the largest change of a logarithm below which they end.
const ITERATIONS: usize = 500;
const TOLERANCE: f64 = 1e-4;

/// The line in the list.
pub(in crate::semi_supervised) const ENTRY: Entry<Method> = Entry {
    name: "align_transport",
    summary: "domain adaptation: labelled rows move to the others by optimal transport, then the linear probe",
    source: "Courty et al. 2017, arXiv:1507.00504",
    item: Method {
        prepare: |train, test, options| {
            let own = options.align_transport;
            Ok(Box::new(Aligned {
                train,
                test,
                c: own.c,
                align: move |source: &Matrix, target: &Matrix, test: &Matrix| {
                    let kept = spaced(source.rows, ROWS);
                    let target = target.spaced(ROWS);
                    Ok(Moved {
                        source: transported(&source.select(&kept), &target, own.entropy),
                        kept: Some(kept),
                        test: test.clone(),
                    })
                },
            }))
        },
        draws: 3,
    },
};

/// The rows of `source` where `target` is.
pub(super) fn transported(source: &Matrix, target: &Matrix, entropy: f64) -> Matrix {
    let (n, m) = (source.rows, target.rows);
    let plan = plan(&costs(source, target), [n, m], entropy);
    let mut weights = Matrix::new(n, m, plan.iter().map(|&w| w as f32).collect());
    for row in weights.data.chunks_exact_mut(m.max(1)) {
        let sum: f32 = row.iter().sum();
        row.iter_mut()
            .for_each(|w| *w /= sum.max(f32::MIN_POSITIVE));
    }
    weights.times(target)
}

/// Squared distances `[n, m]`, as shares of their mean.
fn costs(source: &Matrix, target: &Matrix) -> Vec<f64> {
    let norm = |row: &[f32]| row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
    let norms: Vec<f64> = (0..target.rows).map(|j| norm(target.row(j))).collect();
    let products = source.times_transposed(target);
    let mut all: Vec<f64> = (0..source.rows)
        .into_par_iter()
        .flat_map_iter(|i| {
            let own = norm(source.row(i));
            let pairs = products.row(i).iter().zip(&norms);
            pairs
                .map(|(&p, other)| (own + other - 2.0 * f64::from(p)).max(0.0))
                .collect::<Vec<f64>>()
        })
        .collect();
    let mean = all.iter().sum::<f64>() / all.len().max(1) as f64;
    if mean > 0.0 {
        all.iter_mut().for_each(|cost| *cost /= mean);
    }
    all
}

/// The matching `[n, m]` of equal weights by Sinkhorn's iterations.
pub(super) fn plan(costs: &[f64], [n, m]: [usize; 2], entropy: f64) -> Vec<f64> {
    let kernel: Vec<f64> = costs.iter().map(|cost| -cost / entropy).collect();
    let (log_n, log_m) = ((n as f64).ln(), (m as f64).ln());
    let (mut u, mut v) = (vec![0.0f64; n], vec![0.0f64; m]);
    for _ in 0..ITERATIONS {
        let fresh: Vec<f64> = (0..n)
            .into_par_iter()
            .map(|i| {
                -log_n
                    - log_sum(
                        kernel[i * m..(i + 1) * m]
                            .iter()
                            .zip(&v)
                            .map(|(k, v)| k + v),
                    )
            })
            .collect();
        let change = u.iter().zip(&fresh).map(|(a, b)| (a - b).abs());
        let change = change.fold(0.0, f64::max);
        u = fresh;
        v = (0..m)
            .into_par_iter()
            .map(|j| -log_m - log_sum((0..n).map(|i| kernel[i * m + j] + u[i])))
            .collect();
        if change < TOLERANCE {
            break;
        }
    }
    let one = |i: usize| (kernel[i] + u[i / m] + v[i % m]).exp();
    (0..n * m).into_par_iter().map(one).collect()
}

/// log Σ exp(x).
fn log_sum(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = values.clone().fold(f64::NEG_INFINITY, f64::max);
    most + values.map(|x| (x - most).exp()).sum::<f64>().ln()
}
