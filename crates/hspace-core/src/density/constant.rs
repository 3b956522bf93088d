//! Features that hardly vary.

use super::fit::equals;
use super::gaussian::FLOOR;
use super::rows::{means, minus};
use super::special::HALF_LN_2PI;
use super::{FEATURE_DENSITIES, FeatureDensity, FeatureEntry, OutlierOptions};

/// Features that hardly vary in training: borders of images, dead units. Each is a normal density of its
/// own, of the least variance ([`FLOOR`]); left among the others they would decide bandwidths, numbers of
/// components and couplings.
pub(super) struct ConstantFeatures {
    /// The other features.
    vary: Vec<usize>,
    /// Those features and their means.
    still: Vec<(usize, f64)>,
    /// Their variance.
    variance: f64,
    d: usize,
}

impl ConstantFeatures {
    /// Of rows `[n, d]`; `None` where no feature varies.
    pub(super) fn of(rows: &[f64], d: usize) -> Option<ConstantFeatures> {
        let mean = means(rows, d);
        let squares: Vec<f64> = minus(rows, &mean).iter().map(|x| x * x).collect();
        let variances = means(&squares, d);
        let variance = FLOOR * variances.iter().sum::<f64>() / d as f64;
        let (vary, still): (Vec<usize>, Vec<usize>) =
            (0..d).partition(|&j| variances[j] > variance);
        (variance > 0.0).then(|| ConstantFeatures {
            vary,
            still: still.into_iter().map(|j| (j, mean[j])).collect(),
            variance,
            d,
        })
    }

    /// Fits `entry` to the features that vary of `rows` `[n, d]`; or the simpler density that its fit equals, unless that is
    /// `listed`. With the name of what was fitted.
    ///
    /// # Errors
    /// Why there is no fit, or none that is not listed.
    pub(super) fn fit(
        &self,
        entry: &'static FeatureEntry,
        rows: &[f64],
        listed: &[&str],
        options: &OutlierOptions,
    ) -> Result<(&'static str, Box<dyn FeatureDensity>), String> {
        let (rows, d) = (self.others(rows), self.vary.len());
        let density = (entry.fit)(&rows, d, options)?;
        let Some(simpler) = density.reduces_to() else {
            return Ok((entry.name, density));
        };
        if listed.contains(&simpler) {
            return Err(equals(simpler));
        }
        let of = FEATURE_DENSITIES.iter().find(|e| e.name == simpler);
        match of.map(|of| (of.fit)(&rows, d, options)) {
            Some(Ok(fitted)) => Ok((simpler, fitted)),
            _ => Ok((entry.name, density)),
        }
    }

    /// The features that vary, of rows `[n, d]`.
    fn others(&self, rows: &[f64]) -> Vec<f64> {
        let rows = rows.chunks_exact(self.d);
        rows.flat_map(|row| self.vary.iter().map(|j| row[*j]))
            .collect()
    }

    /// ln f at each of rows `[n, d]`, of a density of the features that vary.
    pub(super) fn ln_densities(&self, density: &dyn FeatureDensity, rows: &[f64]) -> Vec<f64> {
        let each = density.ln_density(&self.others(rows)).into_iter();
        each.zip(self.ln_density(rows))
            .map(|(vary, still)| vary + still)
            .collect()
    }

    /// ln f of the others, at each of rows `[n, d]`.
    fn ln_density(&self, rows: &[f64]) -> Vec<f64> {
        let constant = -HALF_LN_2PI - 0.5 * self.variance.ln();
        let one = |row: &[f64]| {
            let terms = self
                .still
                .iter()
                .map(|(j, mean)| constant - 0.5 * (row[*j] - mean).powi(2) / self.variance);
            terms.sum()
        };
        rows.chunks_exact(self.d).map(one).collect()
    }
}
