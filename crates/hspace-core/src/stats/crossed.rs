//! Scores of crossed samples: training seeds × draws of labels × test units.

mod stored;

use super::components::{column_means, components};
use super::{Components, Spread, mean};

/// Test units below which no interval is shown.
pub const MIN_UNITS: usize = 30;

/// Draws of labels, and training seeds, below which no interval is shown: with two, Satterthwaite's intervals hold the truth in as few as
/// 90 % where the draws are most of the variance.
pub const MIN_LEVELS: usize = 3;

/// Test units of the rarest class below which the mean of a measure over classes has no interval.
pub const MIN_PER_CLASS: usize = 10;

/// Why a mean has no interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// So many draws of a few labels, fewer than [`MIN_LEVELS`].
    FewDraws(usize),
    /// Two training seeds: one is taken as given, and [`MIN_LEVELS`] tell of others.
    FewSeeds(usize),
    /// So many test units, fewer than [`MIN_UNITS`].
    FewUnits(usize),
    /// So many test units of the rarest class, fewer than [`MIN_PER_CLASS`].
    FewOfClass(usize),
}

/// A score for each training seed, draw of labels and test unit: their mean is the measure.
///
/// ```
/// use hspace_core::stats::{Crossed, Unknown};
///
/// // Right or wrong: one training, three draws of labels, 40 test samples.
/// let draw = |wrong: usize| (0..40).map(|i| f64::from(u8::from(i >= wrong))).collect();
/// let a = Crossed::new(&[vec![draw(4), draw(8), draw(6)]], Some(0.1));
/// assert_eq!((a.seeds(), a.draws(), a.units()), (1, 3, 40));
/// assert!((a.mean() - 0.85).abs() < 1e-6 && a.spread().is_ok());
/// let two = Crossed::new(&[vec![draw(4), draw(8)]], Some(0.1));
/// assert_eq!(two.spread().unwrap_err(), Unknown::FewDraws(2));
/// // Paired: the same draws and test samples.
/// let b = Crossed::new(&[vec![draw(14), draw(18), draw(16)]], Some(0.1));
/// assert!((a.minus(&b).0 - 0.25).abs() < 1e-6);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Crossed {
    pub(super) seeds: usize,
    pub(super) draws: usize,
    pub(super) units: usize,
    /// `[seeds, draws, units]`, rounded to 12 bits of mantissa so that they are small when stored.
    values: Vec<f32>,
    /// Mean of each seed and draw `[seeds, draws]`, not rounded.
    means: Vec<f64>,
    /// Share of rows that two draws have in common, in 0..1; `None` where the labels are all that there are.
    pub(super) overlap: Option<f64>,
    /// Test units of the rarest class, where the measure is a mean over classes.
    rarest: Option<usize>,
}

impl Crossed {
    /// `scores` `[seeds][draws][units]`, each of whose means over units is the score of one seed and draw. `overlap` is the share of
    /// rows that two draws have in common; `None` where there is nothing to draw.
    ///
    /// # Panics
    /// When seeds or draws have not the same number of scores.
    pub fn new(scores: &[Vec<Vec<f64>>], overlap: Option<f64>) -> Crossed {
        let (seeds, draws) = (scores.len(), scores.first().map_or(0, Vec::len));
        let units = scores.first().and_then(|s| s.first()).map_or(0, Vec::len);
        let values: Vec<f32> = scores
            .iter()
            .flatten()
            .flatten()
            .map(|&score| rounded(score as f32))
            .collect();
        assert_eq!(
            values.len(),
            seeds * draws * units,
            "scores of unequal length"
        );
        Crossed {
            seeds,
            draws,
            units,
            values,
            means: scores.iter().flatten().map(|row| mean(row)).collect(),
            overlap,
            rarest: None,
        }
    }

    /// Of a measure that is a mean over classes, the rarest of which has so many test units.
    pub fn over_classes(self, rarest: Option<usize>) -> Crossed {
        Crossed { rarest, ..self }
    }

    /// Scores of one seed and draw each, `cells` `[seeds][draws]`, as one; `None` where there are none, or draws or units are not as many.
    /// `overlap` as for [`Crossed::new`].
    pub fn grid(cells: &[Vec<Crossed>], overlap: Option<f64>) -> Option<Crossed> {
        let first = cells.first()?.first()?;
        let draws = cells[0].len();
        let all = || cells.iter().flatten();
        let fits = all().all(|c| (c.seeds, c.draws, c.units) == (1, 1, first.units))
            && cells.iter().all(|of| of.len() == draws);
        fits.then(|| Crossed {
            seeds: cells.len(),
            draws,
            units: first.units,
            values: all().flat_map(|c| c.values.iter().copied()).collect(),
            means: all().map(|c| c.means[0]).collect(),
            overlap,
            rarest: None,
        })
    }

    /// The scores of several runs as those of their seeds; `None` where draws or units are not as many.
    pub fn stack(runs: &[&Crossed]) -> Option<Crossed> {
        let first = runs.first()?;
        let shape = |run: &Crossed| (run.draws, run.units, run.overlap);
        runs.iter()
            .all(|run| shape(run) == shape(first))
            .then(|| Crossed {
                seeds: runs.iter().map(|run| run.seeds).sum(),
                values: runs
                    .iter()
                    .flat_map(|run| run.values.iter().copied())
                    .collect(),
                means: runs
                    .iter()
                    .flat_map(|run| run.means.iter().copied())
                    .collect(),
                ..(*first).clone()
            })
    }

    /// Share of rows that two draws have in common; `None` where there is nothing to draw.
    pub(crate) fn overlap(&self) -> Option<f64> {
        self.overlap
    }

    /// Number of training seeds.
    pub fn seeds(&self) -> usize {
        self.seeds
    }

    /// Number of draws of labels.
    pub fn draws(&self) -> usize {
        self.draws
    }

    /// Number of test units.
    pub fn units(&self) -> usize {
        self.units
    }

    fn of(&self, seed: usize, draw: usize) -> &[f32] {
        let start = (seed * self.draws + draw) * self.units;
        &self.values[start..start + self.units]
    }

    /// The mean of all.
    pub fn mean(&self) -> f64 {
        mean(&self.means)
    }

    /// Mean of each draw `[draws]`.
    pub fn draw_means(&self) -> Vec<f64> {
        let of_draw = |d: usize| self.means.iter().skip(d).step_by(self.draws);
        let means = (0..self.draws).map(|d| of_draw(d).sum::<f64>() / self.seeds as f64);
        means.collect()
    }

    /// Mean of each unit `[units]`.
    pub fn unit_means(&self) -> Vec<f64> {
        column_means(&self.by_draw())
    }

    /// Means over seeds `[draws][units]`.
    pub(super) fn by_draw(&self) -> Vec<Vec<f64>> {
        let rows = (0..self.draws).map(|d| self.averaged((0..self.seeds).map(|s| self.of(s, d))));
        rows.collect()
    }

    /// Means over draws `[seeds][units]`.
    pub(super) fn by_seed(&self) -> Vec<Vec<f64>> {
        let rows = (0..self.seeds).map(|s| self.averaged((0..self.draws).map(|d| self.of(s, d))));
        rows.collect()
    }

    fn averaged<'a>(&self, rows: impl ExactSizeIterator<Item = &'a [f32]>) -> Vec<f64> {
        let share = 1.0 / rows.len().max(1) as f64;
        let mut out = vec![0.0; self.units];
        for row in rows {
            for (sum, &value) in out.iter_mut().zip(row) {
                *sum += f64::from(value) * share;
            }
        }
        out
    }

    fn has_enough_of_each_class(&self) -> Result<(), Unknown> {
        match self.rarest {
            Some(few) if few < MIN_PER_CLASS => Err(Unknown::FewOfClass(few)),
            _ => Ok(()),
        }
    }

    /// The components of the variance of the mean.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn components(&self) -> Result<Components, Unknown> {
        self.has_enough_of_each_class()?;
        components(&self.by_draw(), self.overlap, &[self.by_seed()])
    }

    /// The variance of the mean, by these scores alone.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn spread(&self) -> Result<Spread, Unknown> {
        Ok(self.components()?.spread())
    }

    /// The mean less that of `other`, on the draws that both have, and the components of its variance. Draws and units
    /// are paired; seeds are not.
    ///
    /// # Errors
    /// Why the variance is not known.
    ///
    /// # Panics
    /// When the units are not the same number.
    pub fn minus(&self, other: &Crossed) -> (f64, Result<Components, Unknown>) {
        assert_eq!(self.units, other.units, "pairs of different test units");
        let (own, theirs) = (self.by_draw(), other.by_draw());
        let pairs = own.iter().zip(&theirs);
        let differences: Vec<Vec<f64>> = pairs
            .map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect())
            .collect();
        let means: Vec<f64> = self
            .draw_means()
            .iter()
            .zip(other.draw_means())
            .map(|(a, b)| a - b)
            .collect();
        let overlap = self.overlap.or(other.overlap);
        let seeds = [self.by_seed(), other.by_seed()];
        let components = [self, other]
            .into_iter()
            .try_for_each(Crossed::has_enough_of_each_class)
            .and_then(|()| components(&differences, overlap, &seeds));
        (mean(&means), components)
    }
}

/// Rounded to 12 bits of mantissa.
fn rounded(value: f32) -> f32 {
    f32::from_bits((value.to_bits() + (1 << 11)) & !((1 << 12) - 1))
}

#[cfg(test)]
mod tests;
