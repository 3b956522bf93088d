//! Agreement with scipy.stats, numpy and scikit-learn: `tests/golden/scipy_values.json`, made by the
//! script next to it.

use std::collections::HashMap;

use serde::Deserialize;

use super::column::Column;
use super::detection::detection;
use super::fit::{Fit, fit};
use super::gaussian::{diagonal, full, ledoit_wolf, shrunk};
use super::goodness::{Cell, distance};
use super::histogram::{bars, bins};
use super::kde::{scott, silverman};
use super::kernel::Kernel;
use super::mixture::{Mixture, Stop};
use super::negative_binomial::NegativeBinomial;
use super::rows::{means, minus};
use super::special::{beta_lower, gamma_lower, gamma_upper};
use super::*;
use crate::auto::Auto;

#[derive(Deserialize)]
struct Golden {
    families: Vec<Family>,
    negative_binomials: Vec<[f64; 4]>,
    beta: Vec<[f64; 4]>,
    gamma: Vec<[f64; 4]>,
    kde: Kernels,
    histogram: Bars,
    mixtures: Vec<Start>,
    column_mixture: ColumnMixture,
    gaussian: Rows,
    detection: Scores,
}

#[derive(Deserialize)]
struct Family {
    name: String,
    data: Vec<f64>,
    parameters: Vec<f64>,
    points: Vec<f64>,
    ln_density: Vec<f64>,
    cdf: Vec<f64>,
    above: Vec<f64>,
    log_likelihood: f64,
    ks: Option<f64>,
    aic: f64,
    bic: f64,
}

#[derive(Deserialize)]
struct Kernels {
    data: Vec<f64>,
    points: Vec<f64>,
    bandwidth: f64,
    ln_density: HashMap<String, Vec<Option<f64>>>,
    scott: f64,
    silverman: f64,
}

#[derive(Deserialize)]
struct Bars {
    edges: Vec<f64>,
    density: Vec<f64>,
}

#[derive(Deserialize)]
struct Start {
    k: usize,
    steps: usize,
    full: bool,
    d: usize,
    data: Vec<f64>,
    points: Vec<f64>,
    weights: Vec<f64>,
    means: Vec<Vec<f64>>,
    variances: Vec<Vec<f64>>,
    ln_density: Vec<f64>,
    mean_likelihood: f64,
    bic: f64,
}

/// Of `kde.data`.
#[derive(Deserialize)]
struct ColumnMixture {
    components: usize,
    aic: f64,
    bic: f64,
}

#[derive(Deserialize)]
struct Rows {
    d: usize,
    data: Vec<f64>,
    points: Vec<f64>,
    full: Vec<f64>,
    diagonal: Vec<f64>,
    shrunk: Vec<f64>,
    shrinkage: f64,
    wide_d: usize,
    wide: Vec<f64>,
    wide_shrinkage: f64,
    wide_covariance: Vec<f64>,
    kde: Vec<f64>,
    bandwidth: f64,
    scott: f64,
    silverman: f64,
    k: usize,
    knn: Vec<f64>,
}

#[derive(Deserialize)]
struct Scores {
    ordinary: Vec<f64>,
    outliers: Vec<f64>,
    scores: [f64; 4],
}

fn golden() -> Golden {
    let text = include_str!("../../tests/golden/scipy_values.json");
    serde_json::from_str(text).unwrap()
}

/// Within 1e-6 of the value, or of 1 where the value is small.
fn close(what: &str, ours: f64, theirs: f64) {
    let error = (ours - theirs).abs() / theirs.abs().max(1.0);
    assert!(error < 1e-6, "{what}: {ours} is not {theirs}");
}

/// Within 1e-6 of the value, however small.
fn relative(what: &str, ours: f64, theirs: f64) {
    let error = (ours - theirs).abs();
    assert!(
        error <= 1e-6 * theirs.abs(),
        "{what}: {ours} is not {theirs}"
    );
}

fn all(what: &str, ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        close(&format!("{what}[{i}]"), *a, *b);
    }
}

fn fitted(name: &str, data: &[f64], options: &DensityOptions) -> Box<dyn Density> {
    let entry = DENSITIES.iter().find(|e| e.name == name).unwrap();
    (entry.fit)(data, options).unwrap()
}

#[test]
fn families_are_scipy_s() {
    for family in golden().families {
        let name = &family.name;
        let density = fitted(name, &family.data, &DensityOptions::default());
        for ((what, ours), theirs) in density.parameters().into_iter().zip(&family.parameters) {
            relative(&format!("{name} {what}"), ours, *theirs);
        }
        let values = family.data.iter().map(|x| density.ln_density(*x));
        close(name, values.sum(), family.log_likelihood);
        for (i, x) in family.points.iter().enumerate() {
            let what = format!("{name} at {x}");
            close(&what, density.ln_density(*x), family.ln_density[i]);
            close(&what, density.cdf(*x), family.cdf[i]);
            // Far out there are digits left in this one alone.
            if family.above[i] > 1e-280 {
                relative(
                    &format!("{what}, above"),
                    density.above(*x),
                    family.above[i],
                );
            }
        }
        let mut sorted = family.data.clone();
        sorted.sort_by(f64::total_cmp);
        if let Some(theirs) = family.ks {
            close(
                &format!("{name} KS"),
                distance(&sorted, &*density, Cell::POINT),
                theirs,
            );
        }
    }
}

/// The one fit that is reported of a column with these values.
fn reported(name: &str, values: &[f64], options: &DensityOptions) -> Fit {
    let column = Column {
        name: "x".into(),
        values: values.to_vec(),
        missing: 0,
    };
    let options = DensityOptions {
        candidates: vec![name.into()],
        resamples: 0,
        ..options.clone()
    };
    let found = fit(&column, "values.csv", &[], &options, &mut |_| ()).unwrap();
    let [only] = <[Fit; 1]>::try_from(found.fits).unwrap();
    only
}

#[test]
fn criteria_are_scipy_s_and_scikit_learn_s() {
    let golden = golden();
    let mut options = DensityOptions::default();
    let mut counted = vec!["mixture".to_owned()];
    for family in golden.families {
        let (name, ours) = (&family.name, reported(&family.name, &family.data, &options));
        close(&format!("{name} AIC"), ours.aic.unwrap(), family.aic);
        close(&format!("{name} BIC"), ours.bic.unwrap(), family.bic);
        counted.push(family.name);
    }
    options.mixture.components = Auto::Set(golden.column_mixture.components);
    let ours = reported("mixture", &golden.kde.data, &options);
    close("mixture AIC", ours.aic.unwrap(), golden.column_mixture.aic);
    close("mixture BIC", ours.bic.unwrap(), golden.column_mixture.bic);
    for entry in DENSITIES
        .iter()
        .filter(|e| !counted.iter().any(|c| c == e.name))
    {
        let ours = reported(entry.name, &golden.kde.data, &options);
        let text = "has no fixed number of parameters";
        assert_eq!((ours.aic, ours.bic), (None, None), "{} {text}", entry.name);
    }
}

#[test]
fn negative_binomials_of_large_counts_keep_their_digits() {
    for [size, mean, count, theirs] in golden().negative_binomials {
        let density = NegativeBinomial { size, mean };
        relative(
            &format!("ln P({count}) of size {size}, mean {mean}"),
            density.ln_density(count),
            theirs,
        );
    }
}

#[test]
fn incomplete_functions_are_scipy_s_where_arguments_are_large() {
    let golden = golden();
    for [a, b, x, theirs] in golden.beta {
        relative(
            &format!("I({a}, {b}, {x})"),
            beta_lower(a, b, x, 1.0 - x),
            theirs,
        );
    }
    for [a, x, lower, upper] in golden.gamma {
        close(&format!("P({a}, {x})"), gamma_lower(a, x), lower);
        close(&format!("Q({a}, {x})"), gamma_upper(a, x), upper);
    }
}

#[test]
fn kernel_densities_are_scikit_learn_s_and_bandwidths_scipy_s() {
    let golden = golden().kde;
    assert_eq!(golden.ln_density.len(), Kernel::ALL.len());
    for kernel in Kernel::ALL {
        let name = serde_json::to_value(kernel).unwrap();
        let name = name.as_str().unwrap();
        let mut options = DensityOptions::default();
        options.kde.kernel = kernel;
        options.kde.bandwidth = Bandwidth::Set(golden.bandwidth);
        let density = fitted("kde", &golden.data, &options);
        for (x, theirs) in golden.points.iter().zip(&golden.ln_density[name]) {
            let ours = density.ln_density(*x);
            match theirs {
                Some(theirs) => close(name, ours, *theirs),
                None => assert_eq!(ours, f64::NEG_INFINITY, "{name} at {x}"),
            }
        }
    }
    relative("Scott", scott(&golden.data), golden.scott);
    relative("Silverman", silverman(&golden.data), golden.silverman);
}

#[test]
fn histograms_are_numpy_s() {
    let golden = golden();
    let ours = bars(&golden.kde.data, bins(&golden.kde.data));
    all("edges", &ours.edges, &golden.histogram.edges);
    all("density", &ours.density(), &golden.histogram.density);
}

#[test]
fn mixtures_go_scikit_learn_s_way() {
    for case in golden().mixtures {
        let start = Mixture::diagonal(case.weights, case.means, case.variances, 1e-6);
        let start = if case.full { start.made_full() } else { start };
        let stop = Stop {
            tolerance: 0.0,
            steps: case.steps,
        };
        let mixture = start.improve(&case.data, stop).unwrap();
        assert_eq!(mixture.components(), case.k);
        all(
            "mixture",
            &mixture.ln_density(&case.points),
            &case.ln_density,
        );
        let n = (case.data.len() / case.d) as f64;
        let likelihood: f64 = mixture.ln_density(&case.data).iter().sum();
        close("mean likelihood", likelihood / n, case.mean_likelihood);
        let bic = mixture.free() as f64 * n.ln() - 2.0 * likelihood;
        close("BIC", bic, case.bic);
    }
}

#[test]
fn densities_of_features_are_scipy_s_and_scikit_learn_s() {
    let g = golden().gaussian;
    let (rows, d, points) = (&g.data, g.d, &g.points);
    all("full", &full(rows, d).unwrap().ln_density(points), &g.full);
    all(
        "diagonal",
        &diagonal(rows, d).unwrap().ln_density(points),
        &g.diagonal,
    );
    let ours = shrunk(rows, d).unwrap();
    relative("shrinkage", ours.shrinkage, g.shrinkage);
    all("shrunk", &ours.ln_density(points), &g.shrunk);
    let (covariance, shrinkage) = ledoit_wolf(&minus(&g.wide, &means(&g.wide, g.wide_d)), g.wide_d);
    relative("shrinkage", shrinkage, g.wide_shrinkage);
    let flat: Vec<f64> = (0..g.wide_d * g.wide_d)
        .map(|i| covariance[(i / g.wide_d, i % g.wide_d)])
        .collect();
    all("covariance", &flat, &g.wide_covariance);

    let mut options = OutlierOptions::default();
    options.kde.bandwidth = Bandwidth::Set(g.bandwidth);
    options.knn.k = Auto::Set(g.k);
    all(
        "kde",
        &(neighbours::KDE.fit)(rows, d, &options)
            .unwrap()
            .ln_density(points),
        &g.kde,
    );
    let n = (rows.len() / d) as f64;
    // The unit ball of four dimensions has π²/2.
    let ball = std::f64::consts::PI.powi(2) / 2.0;
    let expected: Vec<f64> = g
        .knn
        .iter()
        .map(|r| (g.k as f64 / n / ball).ln() - 4.0 * r.ln())
        .collect();
    all(
        "knn",
        &(neighbours::KNN.fit)(rows, d, &options)
            .unwrap()
            .ln_density(points),
        &expected,
    );
    let mean_variance = means(
        &minus(rows, &means(rows, d))
            .iter()
            .map(|x| x * x)
            .collect::<Vec<_>>(),
        1,
    )[0];
    for (bandwidth, factor) in [
        (Bandwidth::Scott, g.scott),
        (Bandwidth::Silverman, g.silverman),
    ] {
        options.kde.bandwidth = bandwidth;
        let by_rule = (neighbours::KDE.fit)(rows, d, &options).unwrap();
        options.kde.bandwidth = Bandwidth::Set(factor * mean_variance.sqrt());
        let given = (neighbours::KDE.fit)(rows, d, &options).unwrap();
        all(
            "rule",
            &by_rule.ln_density(points),
            &given.ln_density(points),
        );
    }
}

#[test]
fn detection_is_scikit_learn_s() {
    let golden = golden().detection;
    let ours = detection(&golden.ordinary, &golden.outliers);
    all("detection", &ours.map(|e| e.mean), &golden.scores);
}
