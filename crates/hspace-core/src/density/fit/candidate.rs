//! One candidate on one column: fitted to all values and to all but each fold, and tested.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::Fit;
use crate::density::drawing::Drawing;
use crate::density::goodness::goodness;
use crate::density::{DENSITIES, Density, DensityOptions, Entry, Random, Support};
use crate::random::mix;

/// Why a density whose fit equals one that is listed is not listed too.
pub(in crate::density) fn equals(simpler: &str) -> String {
    format!("its best fit is the {simpler} density")
}

/// A fit, and what it is still needed for.
pub(in crate::density) struct Made {
    pub(in crate::density) fit: Fit,
    pub(in crate::density) density: Box<dyn Density>,
    /// Held-out log-likelihood of each value.
    pub(in crate::density) held_out: Vec<f64>,
}

/// Fits `entry`, or the simpler density that its fit equals unless that is `listed`.
pub(super) fn fit_candidate(
    entry: &Entry,
    listed: &[&str],
    sorted: &[f64],
    counts: bool,
    folds: usize,
    drawing: &Drawing,
    options: &DensityOptions,
) -> std::result::Result<Made, String> {
    if let Some(problem) = entry.support.problem(sorted) {
        return Err(problem);
    }
    if entry.support == Support::Counts && !counts {
        return Err(
            "gives probabilities to whole numbers; these values are taken as measurements".into(),
        );
    }
    let (mut entry, mut density) = (entry, (entry.fit)(sorted, options)?);
    if let Some(simpler) = density.reduces_to() {
        if listed.contains(&simpler) {
            return Err(equals(simpler));
        }
        if let Some(of) = DENSITIES.iter().find(|e| e.name == simpler) {
            (entry, density) = (of, (of.fit)(sorted, options)?);
        }
    }
    let (held_out, not_held_out) = match held_out(entry, &*density, sorted, folds, options) {
        Ok(each) => (each, None),
        Err(reason) => (vec![], Some(reason)),
    };
    let tested = goodness(
        sorted,
        &*density,
        entry.support,
        options.resamples,
        options.seed,
    );
    let each: Vec<f64> = sorted.par_iter().map(|x| density.ln_density(*x)).collect();
    let log_likelihood: f64 = each.iter().sum();
    if !log_likelihood.is_finite() {
        return Err("its likelihood is not finite on these values".into());
    }
    let impossible = held_out.iter().filter(|l| **l == f64::NEG_INFINITY).count();
    let mean = held_out.iter().sum::<f64>() / held_out.len() as f64;
    let n = sorted.len() as f64;
    let free = density.free();
    let named = density.parameters().into_iter();
    let fit = Fit {
        name: entry.name.into(),
        parameters: named.map(|(name, value)| (name.into(), value)).collect(),
        free,
        log_likelihood,
        aic: free.map(|p| 2.0 * p as f64 - 2.0 * log_likelihood),
        bic: free.map(|p| p as f64 * n.ln() - 2.0 * log_likelihood),
        held_out: Some(mean).filter(|m| m.is_finite()),
        not_held_out,
        behind: None,
        no_difference: false,
        impossible,
        distance: tested.distance,
        p: tested.p.as_ref().ok().copied(),
        untested: tested.p.err(),
        curve: drawing
            .x
            .iter()
            .map(|x| density.ln_density(*x).exp())
            .collect(),
        cdf: drawing.x.iter().map(|x| density.cdf(*x)).collect(),
    };
    Ok(Made {
        fit,
        density,
        held_out,
    })
}

/// Log-likelihood of each value under the fit to the other folds, the same folds for every candidate; or
/// why a fold has no fit, even as `density`, the fit to all, is refitted.
fn held_out(
    entry: &Entry,
    density: &dyn Density,
    sorted: &[f64],
    folds: usize,
    options: &DensityOptions,
) -> std::result::Result<Vec<f64>, String> {
    if folds == 0 {
        return Err("there are too few values".into());
    }
    let n = sorted.len();
    let mut fold: Vec<usize> = (0..n).map(|i| i % folds).collect();
    fold.shuffle(&mut Random::seed_from_u64(mix(&[options.seed, 4])));
    let mut found = vec![0.0; n];
    for f in 0..folds {
        let inside: Vec<f64> = (0..n)
            .filter(|i| fold[*i] != f)
            .map(|i| sorted[i])
            .collect();
        let again = (entry.fit)(&inside, options);
        let density = again.or_else(|reason| density.refit(&inside).map_err(|_| reason))?;
        let outside: Vec<usize> = (0..n).filter(|i| fold[*i] == f).collect();
        let each: Vec<f64> = outside
            .par_iter()
            .map(|i| density.ln_density(sorted[*i]))
            .collect();
        for (i, value) in outside.into_iter().zip(each) {
            found[i] = value;
        }
    }
    Ok(found)
}
