//! Means that share test units and draws, resampled together.

use faer::Mat;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{ALPHA, Components, Crossed, Spread, mean};
use crate::error::Result;
use crate::matrix::eigen;

/// Several means with what is needed to resample them (a parametric bootstrap).
///
/// What the test units contribute is normal with the covariance of the unit means. What draws and seeds contribute is
/// a sum over them with normal weights, the same for all means that have the draw, scaled to its part in the variance; a mean of
/// a single draw moves by itself. Both are widened by Student's t over its normal quantile, as each mean's degrees of freedom ask for.
pub struct Joint {
    means: Vec<f64>,
    /// Square root of the covariance from test units `[means, means]`.
    root: Mat<f64>,
    /// For each mean, the contribution of each draw that others share.
    draws: Vec<Vec<f64>>,
    /// For each mean, contributions that it has alone: of its seeds, and of its only draw.
    own: Vec<Vec<f64>>,
    /// For each mean.
    widening: Vec<f64>,
}

impl Joint {
    /// Of scores on the same test units, with their components of variance.
    ///
    /// # Errors
    /// When scores are not finite.
    pub fn new(of: &[(&Crossed, &Components)]) -> Result<Joint> {
        let centred: Vec<Vec<f64>> = of
            .iter()
            .map(|(scores, _)| {
                let by_unit = scores.unit_means();
                let all = mean(&by_unit);
                by_unit.into_iter().map(|x| x - all).collect()
            })
            .collect();
        let normal = |s: Spread| Spread { freedom: 1e6, ..s }.quantile(ALPHA);
        let widening = |components: &Components| {
            let spread = components.spread();
            spread.quantile(ALPHA) / normal(spread)
        };
        let draws = of
            .iter()
            .map(|(s, c)| contributions(&s.by_draw(), c.of_draws()));
        let own = of.iter().map(|(s, c)| {
            let mut own = contributions(&s.by_seed(), c.of_seeds());
            if s.draws() == 1 {
                own.push(c.of_draws().sqrt());
            }
            own
        });
        Ok(Joint {
            means: of.iter().map(|(s, _)| s.mean()).collect(),
            root: root(&centred)?,
            draws: draws.collect(),
            own: own.collect(),
            widening: of.iter().map(|(_, c)| widening(c)).collect(),
        })
    }

    /// With mean `place`, of these components, on draws that no other mean shares.
    pub fn with_own_draws(mut self, place: usize, components: &Components) -> Joint {
        // A single draw moves by itself already.
        if self.draws[place].len() > 1 {
            self.draws[place].clear();
            self.own[place].push(components.of_draws().sqrt());
        }
        self
    }

    /// The means.
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// `n` resamples of the means.
    pub fn resample(&self, n: usize, seed: u64) -> Vec<Vec<f64>> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let count = self.means.len();
        let most = self.draws.iter().map(Vec::len).max().unwrap_or(0);
        let mut normals =
            |n: usize| -> Vec<f64> { (0..n).map(|_| StandardNormal.sample(&mut random)).collect() };
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        (0..n)
            .map(|_| {
                let (units, draws) = (normals(count), normals(most));
                (0..count)
                    .map(|r| {
                        let test: f64 = (0..count).map(|j| self.root[(r, j)] * units[j]).sum();
                        let own = dot(&self.own[r], &normals(self.own[r].len()));
                        let moved = test + dot(&self.draws[r], &draws) + own;
                        self.means[r] + self.widening[r] * moved
                    })
                    .collect()
            })
            .collect()
    }
}

/// Deviation of each of the `rows` `[levels][units]` from their mean, scaled so that their squares sum to `variance`.
fn contributions(rows: &[Vec<f64>], variance: f64) -> Vec<f64> {
    let means: Vec<f64> = rows.iter().map(|row| mean(row)).collect();
    let all = mean(&means);
    let squares: f64 = means.iter().map(|m| (m - all).powi(2)).sum();
    let scale = match squares > 0.0 {
        true => (variance / squares).sqrt(),
        false => 0.0,
    };
    means.iter().map(|m| (m - all) * scale).collect()
}

/// A matrix R with R Rᵀ the covariance of the means of `centred` `[means][units]`.
fn root(centred: &[Vec<f64>]) -> Result<Mat<f64>> {
    let n = centred.first().map_or(0, Vec::len) as f64;
    let covariance = Mat::from_fn(centred.len(), centred.len(), |r, s| {
        let products = centred[r].iter().zip(&centred[s]).map(|(a, b)| a * b);
        products.sum::<f64>() / (n * (n - 1.0))
    });
    let (values, vectors) = eigen(&covariance, true)?;
    Ok(Mat::from_fn(centred.len(), centred.len(), |r, j| {
        vectors[(r, j)] * values[j].max(0.0).sqrt()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::variance;

    /// Two rows with a common part, by units and by draws.
    #[test]
    fn resamples_have_the_variances_of_means_and_differences() {
        let value = |r: usize, d: usize, u: usize| {
            let noise = |i: usize| ((i * 7919 + 13) % 1009) as f64 / 1009.0 - 0.5;
            noise(u + 1) + 0.2 * noise(d + 77) + 0.3 * noise(u * 31 + d * 17 + r * 501 + 5)
        };
        let of = |r: usize, draws: usize| {
            let rows = (0..draws).map(|d| (0..200).map(|u| value(r, d, u)).collect());
            Crossed::new(&[rows.collect()], Some(0.1))
        };
        let (a, b) = (of(0, 10), of(1, 10));
        let [of_a, of_b] = [&a, &b].map(|s| s.components().unwrap());
        let joint = Joint::new(&[(&a, &of_a), (&b, &of_b)]).unwrap();
        let sampled = joint.resample(20_000, 1);
        let sd = |of: &dyn Fn(&Vec<f64>) -> f64| {
            variance(&sampled.iter().map(of).collect::<Vec<f64>>()).sqrt()
        };
        let wanted = |s: Spread| s.variance.sqrt() * s.quantile(ALPHA) / 1.96;
        let single = wanted(a.spread().unwrap());
        assert!((sd(&|x| x[0]) / single - 1.0).abs() < 0.03);
        let spread = a.minus(&b).1.unwrap().spread();
        // Less their common part; the noise of single draws, which the pair takes out, is still in it.
        let pair = spread.variance.sqrt() * a.spread().unwrap().quantile(ALPHA) / 1.96;
        let found = sd(&|x| x[0] - x[1]);
        assert!(
            0.9 * pair < found && found < 0.5 * single,
            "{found} {pair} {single}"
        );
        assert_eq!(joint.means(), [a.mean(), b.mean()]);
    }
}
