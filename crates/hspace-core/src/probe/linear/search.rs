//! The search for C: the lowest log loss of held-out rows on a grid of powers of ten.

use std::borrow::Cow;

use rayon::prelude::*;

use super::ROUGH;
use super::problem::{Fitted, Problem};
use crate::error::Result;
use crate::matrix::Matrix;

/// Rows to fit on, and others to score the fit by.
pub(super) struct Part<'a> {
    pub(super) problem: Problem<'a>,
    /// `[h, p]`
    pub(super) held: Cow<'a, Matrix>,
    /// Their classes `[h]`.
    pub(super) truth: Vec<u32>,
}

/// The C whose mean losses on the held rows have the lowest sum over `parts`, and what each part was fitted to by it.
///
/// From strong to weak regularisation in steps of 10 until it has become worse twice, then half a step to either side of
/// the best. Each fit starts at the one before.
pub(super) fn best_c(parts: &[Part<'_>]) -> Result<(f64, Vec<Fitted>)> {
    let at = |exponent: f64, starts: &[Fitted]| -> Result<(f64, Vec<Fitted>)> {
        let c = 10f64.powf(exponent);
        let results: Result<Vec<(Fitted, f64)>> = parts
            .par_iter()
            .enumerate()
            .map(|(i, part)| {
                let fitted = part.problem.solve(c, starts.get(i), ROUGH)?;
                let loss = fitted.loss(&part.held, part.truth.iter().copied());
                Ok((fitted, loss))
            })
            .collect();
        let (fitted, losses): (Vec<Fitted>, Vec<f64>) = results?.into_iter().unzip();
        Ok((losses.iter().sum(), fitted))
    };
    let mut best = (f64::INFINITY, 0.0, Vec::new());
    let mut last = Vec::new();
    let mut worse = 0;
    for exponent in -1..=5 {
        let (loss, fitted) = at(f64::from(exponent), &last)?;
        if loss < best.0 {
            best = (loss, f64::from(exponent), fitted.clone());
            worse = 0;
        } else {
            worse += 1;
            if worse == 2 {
                break;
            }
        }
        last = fitted;
    }
    let centre = best.1;
    for exponent in [centre - 0.5, centre + 0.5] {
        let (loss, fitted) = at(exponent, &best.2)?;
        if loss < best.0 {
            best = (loss, exponent, fitted);
        }
    }
    Ok((10f64.powf(best.1), best.2))
}
