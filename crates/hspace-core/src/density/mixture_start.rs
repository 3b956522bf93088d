//! Where a Gaussian mixture begins, and how many components it has.

use std::borrow::Cow;

use super::FeatureDensity;
use super::MixtureOptions;
use super::mixture::{Mixture, fitted};
use super::options::Covariance;
use super::rows::{means, minus};
use super::special::resolution;
use crate::auto::Auto;
use crate::kmeans::kmeans;
use crate::matrix::{Matrix, spaced};

/// Numbers of components that are tried for features, in this order, until the BIC has risen twice.
const FEATURES: [usize; 10] = [1, 2, 3, 4, 6, 8, 10, 12, 16, 20];
/// Components of a column at most.
pub const MOST: usize = 6;
/// Added to variances, as a share of their mean.
const FLOOR: f64 = 1e-6;
/// Features up to which full covariances are tried.
const WIDE: usize = 128;
/// Rows that k-means looks at, at most.
const SAMPLE: usize = 5000;
/// Rows that a mixture is fitted to, at most.
pub const FITTED: usize = 20_000;

/// The mixture that `options` ask for, on `rows` `[n, d]`, or on so many evenly spaced ones where there
/// are more than [`FITTED`].
///
/// # Errors
/// When there are fewer rows than components, or none of the mixtures can be fitted.
pub fn chosen(
    rows: &[f64],
    d: usize,
    options: &MixtureOptions,
    seed: u64,
) -> Result<Mixture, String> {
    let rows = &*some(rows, d, FITTED);
    let n = rows.len() / d;
    let floor = floor(rows, d);
    if !(floor > 0.0 && floor.is_finite()) {
        return Err("the rows do not vary, or so much that it cannot be computed".into());
    }
    let shapes: &[bool] = match options.covariance {
        _ if d == 1 => &[false],
        Covariance::Diagonal => &[false],
        Covariance::Full => &[true],
        Covariance::Auto if d > WIDE => &[false],
        Covariance::Auto => &[false, true],
    };
    let counts: Vec<usize> = match options.components {
        Auto::Set(k) if k > n => {
            return Err(format!("{k} components, but only {n} rows"));
        }
        Auto::Set(k) if d == 1 && k > MOST => {
            return Err(format!(
                "{k} components: of one column at most {MOST} are fitted"
            ));
        }
        Auto::Set(k) => vec![k],
        Auto::Auto if d == 1 => (1..=MOST).collect(),
        Auto::Auto => FEATURES.to_vec(),
    };
    let mut best: Option<(f64, Mixture)> = None;
    let mut problem = format!("{n} rows of {d} features are too few");
    for &full in shapes {
        let (mut least, mut rises) = (f64::INFINITY, 0);
        for &k in &counts {
            let free = k * (1 + d + if full { d * (d + 1) / 2 } else { d });
            // With a number given the user has decided; else there must be two values a parameter.
            if counts.len() > 1 && k > 1 && 2 * free > n * d {
                break;
            }
            let mixture = match fitted(rows, d, k, full, floor, seed) {
                Ok(mixture) => mixture,
                Err(reason) => {
                    problem = reason;
                    break;
                }
            };
            let likelihood: f64 = mixture.ln_density(rows).iter().sum();
            let bic = mixture.free() as f64 * (n as f64).ln() - 2.0 * likelihood;
            rises = if bic < least { 0 } else { rises + 1 };
            least = least.min(bic);
            if best.as_ref().is_none_or(|(b, _)| bic < *b) {
                best = Some((bic, mixture));
            }
            if rises == 2 {
                break;
            }
        }
    }
    best.map(|(_, mixture)| mixture).ok_or(problem)
}

/// What is added to the variances of components of `rows` `[n, d]`.
pub fn floor(rows: &[f64], d: usize) -> f64 {
    let squares: Vec<f64> = minus(rows, &means(rows, d)).iter().map(|x| x * x).collect();
    // Rounding alone has the variance step²/12: no component of a column is narrower.
    let step = if d == 1 { resolution(rows) } else { 0.0 };
    let share = FLOOR * squares.iter().sum::<f64>() / squares.len() as f64;
    share.max(step * step / 12.0)
}

/// The rows, or `limit` evenly spaced ones where there are more.
pub fn some(rows: &[f64], d: usize, limit: usize) -> Cow<'_, [f64]> {
    let n = rows.len() / d;
    if n <= limit {
        return rows.into();
    }
    let row = |i: &usize| &rows[i * d..(i + 1) * d];
    spaced(n, limit).iter().flat_map(row).copied().collect()
}

/// Up to [`SAMPLE`] of the rows, and for each 1 for the cluster of k-means it is in, `[n, k]`.
pub fn first_shares(rows: &[f64], d: usize, k: usize, seed: u64) -> (Vec<f64>, Vec<f64>) {
    let some = some(rows, d, SAMPLE).into_owned();
    let n = some.len() / d;
    // Around 0 and of size 1, single precision is enough to tell clusters apart.
    let centred = minus(&some, &means(&some, d));
    let size = centred
        .iter()
        .fold(f64::MIN_POSITIVE, |m, x| m.max(x.abs()));
    let single = centred.iter().map(|x| (x / size) as f32).collect();
    let clusters = kmeans(&Matrix::new(n, d, single), k, seed);
    let mut shares = vec![0.0; n * k];
    for (i, cluster) in clusters.iter().enumerate() {
        shares[i * k + *cluster as usize] = 1.0;
    }
    (some, shares)
}
