//! How far apart two domains are in a representation.
//!
//! - Maximum mean discrepancy (Gretton et al. 2012), squared, unbiased (eq. 3), with a Gaussian kernel whose bandwidth is the median distance
//!   of pairs; 0 for equal distributions, below 0 by chance;
//! - CORAL (Sun & Saenko 2016, eq. 1): ‖C_a − C_b‖² / 4d², the squared Frobenius distance of covariances;
//! - proxy A-distance (Ben-David et al. 2007): 2 (1 − 2ε), ε being the error by which a linear probe mistakes the one domain for the other, on test
//!   samples, as if both were equally common; 0 where they cannot be distinguished, 2 where they always can.
//!
//! Features are scaled as for probes, and further so that their variances over both domains have a mean of 1: the CORAL distance of two
//! representations can be compared.

use serde::{Deserialize, Serialize};

use super::Domains;
use crate::dataset::{Column, Role, Split, Values};
use crate::error::Result;
use crate::matrix::{Matrix, spaced};
use crate::probe::{Estimate, ProbeOptions, Transform, read_off};
use crate::representation::Representation;

/// Training samples of each domain.
const ROWS: usize = 500;

/// Two domains in one representation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distance {
    /// Name of the representation.
    pub representation: String,
    /// The one domain.
    pub a: String,
    /// The other.
    pub b: String,
    /// Squared maximum mean discrepancy.
    pub mmd: f64,
    /// CORAL distance.
    pub coral: f64,
    /// Proxy A-distance; `None` where a domain has no test samples.
    pub a_distance: Option<Estimate>,
}

/// The distances of all pairs of domains, on at most 500 training samples of each; pairs of which one domain has fewer than 2 are left out.
///
/// # Errors
/// When the probe that tells the domains apart fails.
pub(super) fn distances(
    r: &Representation,
    domains: &Domains,
    options: &ProbeOptions,
) -> Result<Vec<Distance>> {
    let mut found = Vec::new();
    let train = |domain: usize| -> Vec<usize> {
        let own = domains.rows(&[domain]);
        let rows: Vec<usize> = (0..own.len())
            .filter(|&row| own[row] && r.split[row] == Split::Train)
            .collect();
        spaced(rows.len(), ROWS)
            .into_iter()
            .map(|i| rows[i])
            .collect()
    };
    for a in 0..domains.names.len() {
        for b in a + 1..domains.names.len() {
            let [of_a, of_b] = [train(a), train(b)];
            if of_a.len().min(of_b.len()) < 2 {
                continue;
            }
            let both: Vec<usize> = of_a.iter().chain(&of_b).copied().collect();
            let [x, y] = scaled(r, &both, [&of_a, &of_b], options);
            found.push(Distance {
                representation: r.name.clone(),
                a: domains.names[a].clone(),
                b: domains.names[b].clone(),
                mmd: mmd(&x, &y),
                coral: coral(&x, &y),
                a_distance: proxy_a_distance(r, domains, [a, b], options)?,
            });
        }
    }
    Ok(found)
}

/// Features of two sets of rows, scaled by `both`.
fn scaled(
    r: &Representation,
    both: &[usize],
    parts: [&[usize]; 2],
    options: &ProbeOptions,
) -> [Matrix; 2] {
    let transform = Transform::fit(&r.features, both.iter().copied(), options.scaling, false);
    let mut all = r.features.select(both);
    transform.apply(&mut all);
    let mean = all.column_means();
    let centred = all.minus(&mean);
    let squares: f64 = centred.data.iter().map(|&x| f64::from(x).powi(2)).sum();
    let variance = squares / centred.data.len().max(1) as f64;
    let scale = match variance > 0.0 {
        true => 1.0 / variance.sqrt(),
        false => 1.0,
    };
    let all = Matrix {
        data: centred
            .data
            .iter()
            .map(|&x| (f64::from(x) * scale) as f32)
            .collect(),
        ..centred
    };
    let [a, b] = parts.map(<[usize]>::len);
    [0..a, a..a + b].map(|rows| all.select(&rows.collect::<Vec<_>>()))
}

/// Squared distances of the rows of `x` to those of `y`.
fn squared_distances(x: &Matrix, y: &Matrix) -> Vec<f64> {
    let norms = |m: &Matrix| -> Vec<f64> {
        let norm = |i| m.row(i).iter().map(|&v| f64::from(v).powi(2)).sum();
        (0..m.rows).map(norm).collect()
    };
    let (of_x, of_y, products) = (norms(x), norms(y), x.times_transposed(y));
    let mut out = Vec::with_capacity(x.rows * y.rows);
    for (i, nx) in of_x.iter().enumerate() {
        let own = products.row(i).iter().zip(&of_y);
        out.extend(own.map(|(&p, ny)| (nx + ny - 2.0 * f64::from(p)).max(0.0)));
    }
    out
}

/// Squared maximum mean discrepancy, unbiased, of `x` `[m, d]` and `y` `[n, d]`.
fn mmd(x: &Matrix, y: &Matrix) -> f64 {
    let [xx, yy, xy] = [(x, x), (y, y), (x, y)].map(|(a, b)| squared_distances(a, b));
    // Of each pair of different rows.
    let apart = |d: &[f64], n: usize| -> Vec<f64> {
        let pairs = (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
        pairs.map(|(i, j)| d[i * n + j]).collect()
    };
    let [within_x, within_y] = [apart(&xx, x.rows), apart(&yy, y.rows)];
    let mut all: Vec<f64> = [&within_x[..], &within_y, &xy].concat();
    let middle = all.len() / 2;
    let median = *all.select_nth_unstable_by(middle, f64::total_cmp).1;
    let kernel = |d: &f64| match median > 0.0 {
        true => (-d / median).exp(),
        false => f64::from(u8::from(*d == 0.0)),
    };
    let mean = |d: &[f64]| d.iter().map(kernel).sum::<f64>() / d.len().max(1) as f64;
    mean(&within_x) + mean(&within_y) - 2.0 * mean(&xy)
}

/// Squared distance of the covariances of `x` `[m, d]` and `y` `[n, d]`, over 4d².
///
/// ‖X'X − Y'Y‖² = ‖XX'‖² + ‖YY'‖² − 2 ‖XY'‖² for centred X and Y: products of samples, which are fewer than features may be.
fn coral(x: &Matrix, y: &Matrix) -> f64 {
    let centred = |m: &Matrix| m.minus(&m.column_means());
    let (a, b) = (centred(x), centred(y));
    let squares = |m: Matrix| m.data.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
    let [na, nb] = [a.rows, b.rows].map(|n| n as f64 - 1.0);
    let [aa, bb, ab] = [(&a, &a), (&b, &b), (&a, &b)].map(|(l, r)| squares(l.times_transposed(r)));
    let distance = aa / (na * na) + bb / (nb * nb) - 2.0 * ab / (na * nb);
    distance.max(0.0) / (4.0 * (x.cols as f64).powi(2))
}

/// The proxy A-distance.
fn proxy_a_distance(
    r: &Representation,
    domains: &Domains,
    [a, b]: [usize; 2],
    options: &ProbeOptions,
) -> Result<Option<Estimate>> {
    let is = domains.rows(&[a, b]);
    let rows: Vec<usize> = (0..is.len()).filter(|&row| is[row]).collect();
    let pair = r.select(&rows);
    let index = rows.iter().map(|&row| domains.index[row]);
    let index = index.map(|of| Some(u32::from(of == Some(b as u32))));
    let column = Column {
        name: domains.name.clone(),
        role: Role::Domain,
        values: Values::Classes {
            names: [a, b].map(|d| domains.names[d].clone()).to_vec(),
            index: index.collect(),
        },
    };
    let found = read_off(&pair, &column, options)?;
    // 2 (1 − 2ε), ε being 1 less the balanced accuracy.
    Ok(found.map(|found| found.decodability.map(|accuracy| 4.0 * accuracy - 2.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(rows: usize, cols: usize, seed: usize, shift: f32, scale: f32) -> Matrix {
        let value = |i: usize| {
            let x = (12.9898 * i as f64 + seed as f64).sin() * 43758.5453;
            shift + scale * ((x - x.floor()) as f32 - 0.5)
        };
        Matrix::new(rows, cols, (0..rows * cols).map(value).collect())
    }

    #[test]
    fn equal_distributions_are_at_distance_zero_and_others_are_not() {
        let x = noise(300, 4, 1, 0.0, 3.4);
        let same = noise(300, 4, 2, 0.0, 3.4);
        let moved = noise(300, 4, 3, 1.0, 3.4);
        let wide = noise(300, 4, 4, 0.0, 6.8);
        assert!(mmd(&x, &same).abs() < 0.01, "{}", mmd(&x, &same));
        assert!(mmd(&x, &moved) > 0.1, "{}", mmd(&x, &moved));
        assert!(coral(&x, &same) < 0.005, "{}", coral(&x, &same));
        // Covariances do not see a shift.
        assert!(coral(&x, &moved) < 0.005);
        // Four times the variance of 0.96: (3 · 0.96)² · 4 / 4 · 16.
        let expected = (3.0f64 * 3.4 * 3.4 / 12.0).powi(2) * 4.0 / 64.0;
        assert!((coral(&x, &wide) / expected - 1.0).abs() < 0.25);
    }

    #[test]
    fn coral_agrees_with_covariances() {
        let (x, y) = (noise(40, 3, 1, 0.0, 1.0), noise(30, 3, 2, 0.3, 2.0));
        let covariance = |m: &Matrix| -> Vec<f64> {
            let mean = m.column_means();
            let cell = |(i, j): (usize, usize)| {
                let product = |r: usize| {
                    (f64::from(m.row(r)[i]) - mean[i]) * (f64::from(m.row(r)[j]) - mean[j])
                };
                (0..m.rows).map(product).sum::<f64>() / (m.rows as f64 - 1.0)
            };
            let cells = (0..3).flat_map(|i| (0..3).map(move |j| (i, j)));
            cells.map(cell).collect()
        };
        let squares = covariance(&x)
            .iter()
            .zip(covariance(&y))
            .map(|(a, b)| (a - b).powi(2))
            .sum::<f64>();
        assert!((coral(&x, &y) / (squares / 36.0) - 1.0).abs() < 1e-4);
    }
}
