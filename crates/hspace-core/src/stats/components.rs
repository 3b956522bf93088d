//! Components of the variance of a mean over crossed samples.

use super::crossed::MIN_LEVELS;
use super::{MIN_UNITS, Spread, Unknown, mean, variance};

/// What test units, draws of labels and training seeds contribute to the variance of a mean.
///
/// ```
/// use hspace_core::stats::{Crossed, Range};
///
/// // One training, one draw of labels, 100 test samples of which 80 are right.
/// let right = (0..100).map(|i| f64::from(u8::from(i % 5 > 0))).collect();
/// let spread = Crossed::new(&[vec![right]], None).components().expect("enough samples").spread();
/// let accuracy = spread.interval(0.8, Range::Share);
/// assert!(accuracy.low > 0.7 && accuracy.high < 0.88);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    /// Variance of the mean over units.
    test: f64,
    units: usize,
    /// Of one draw.
    draws: Part,
    /// Of one seed, for each group of several seeds.
    seeds: Vec<Part>,
}

/// One of the populations that are sampled in addition to the test units.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part {
    /// Variance of one level (a draw, a seed), without the noise of its score on the units; an estimate, which can be below 0.
    variance: f64,
    /// Half of the squared standard error of that estimate, as Satterthwaite's formula counts it.
    doubt: f64,
    /// Degrees of freedom of the estimate; 0 where nothing is known of it.
    freedom: f64,
    /// How often the variance counts in that of the mean.
    factor: f64,
}

impl Part {
    /// A single level, which says nothing of others.
    const ALONE: Part = Part {
        variance: 0.0,
        doubt: 0.0,
        freedom: 0.0,
        factor: 1.0,
    };

    /// Of `rows` `[levels][units]`, two levels having the share `overlap` of what they were made from in common.
    fn of(rows: &[Vec<f64>], overlap: f64) -> Part {
        let (levels, units) = (rows.len(), rows.first().map_or(0, Vec::len));
        if levels < 2 {
            return Part::ALONE;
        }
        let means: Vec<f64> = rows.iter().map(|row| mean(row)).collect();
        let by_unit = column_means(rows);
        let overall = mean(&means);
        let mut squares = 0.0;
        for (row, own) in rows.iter().zip(&means) {
            for (x, unit) in row.iter().zip(&by_unit) {
                squares += (x - own - unit + overall).powi(2);
            }
        }
        let freedom = levels as f64 - 1.0;
        let noise = squares / (freedom * (units as f64 - 1.0).max(1.0)) / units as f64;
        let correlation = correlation(overlap);
        let apart = 1.0 - correlation;
        let observed = variance(&means) / apart;
        Part {
            variance: observed - noise / apart,
            doubt: observed * observed / freedom,
            freedom,
            factor: apart / levels as f64 + correlation,
        }
    }

    fn contribution(&self) -> f64 {
        self.variance.max(0.0) * self.factor
    }

    /// Joined with another estimate of the same variance, by degrees of freedom.
    fn joined(&self, other: &Part) -> Part {
        let freedom = self.freedom + other.freedom;
        let (own, others) = (self.freedom / freedom, other.freedom / freedom);
        Part {
            variance: own * self.variance + others * other.variance,
            doubt: own * own * self.doubt + others * others * other.doubt,
            freedom,
            factor: self.factor,
        }
    }
}

/// Correlation of the scores of two draws that have the share `overlap` of their rows in common. It is `overlap` for a score that is a sum
/// over rows (Nadeau & Bengio 2003), and its square for a sum over pairs of rows (Hoeffding 1948). The mean of both is near what was
/// measured for kNN and ridge regression (docs/experiments).
fn correlation(overlap: f64) -> f64 {
    (overlap + overlap * overlap) / 2.0
}

/// The components for `rows` `[draws][units]`, two draws having the share `overlap` of their rows in common, and for training
/// `seeds` `[seeds][units]`.
pub(super) fn components(
    rows: &[Vec<f64>],
    overlap: Option<f64>,
    seeds: &[Vec<Vec<f64>>],
) -> Result<Components, Unknown> {
    let by_unit = column_means(rows);
    let units = by_unit.len();
    if units < MIN_UNITS {
        return Err(Unknown::FewUnits(units));
    }
    if let Some(few) = seeds
        .iter()
        .map(Vec::len)
        .find(|&s| s > 1 && s < MIN_LEVELS)
    {
        return Err(Unknown::FewSeeds(few));
    }
    let draws = match overlap {
        None => Part::ALONE,
        Some(_) if rows.len() < MIN_LEVELS => return Err(Unknown::FewDraws(rows.len())),
        Some(overlap) => Part::of(rows, overlap),
    };
    let several = seeds.iter().filter(|rows| rows.len() > 1);
    Ok(Components {
        test: variance(&by_unit) / units as f64,
        units,
        draws,
        seeds: several.map(|rows| Part::of(rows, 0.0)).collect(),
    })
}

impl Components {
    /// Adds to the variance that comes from test units.
    pub(crate) fn widen(&mut self, variance: f64) {
        self.test += variance;
    }

    /// What draws contribute.
    pub(super) fn of_draws(&self) -> f64 {
        self.draws.contribution()
    }

    /// What seeds contribute.
    pub(super) fn of_seeds(&self) -> f64 {
        self.seeds.iter().map(Part::contribution).sum()
    }

    /// The variance, with degrees of freedom by Satterthwaite: at least those of the part that has fewest, as where all parts are known
    /// to be positive.
    pub fn spread(&self) -> Spread {
        let parts = || {
            let known = |part: &&Part| part.freedom > 0.0;
            [&self.draws].into_iter().chain(&self.seeds).filter(known)
        };
        let total = self.test + parts().map(Part::contribution).sum::<f64>();
        let of_units = self.units as f64 - 1.0;
        let doubt = self.test * self.test / of_units
            + parts().map(|p| p.doubt * p.factor * p.factor).sum::<f64>();
        Spread {
            variance: total,
            freedom: match doubt > 0.0 {
                true => {
                    (total * total / doubt).max(parts().map(|p| p.freedom).fold(of_units, f64::min))
                }
                false => of_units,
            },
            units: self.units,
        }
    }
}

/// The variance of a draw falls as labels to the power of minus this: the slowest that was measured from 10 to 200 labels a class.
const FALL: f64 = 0.9;

/// Lets numbers of labels that were drawn less often than others, or are all that there are, borrow from these: three draws say little of
/// their own spread, which is mostly the noise of the test units, and one says nothing. What is borrowed is the variance of a
/// draw at the nearest smaller number of labels with the most draws, which is assumed to fall with the labels (`FALL`). Both estimates are joined by
/// their degrees of freedom. `curve`: numbers of labels, rising, and components.
pub fn smooth_draws(curve: &mut [(usize, &mut Components)]) {
    let freedoms = curve.iter().map(|(_, c)| c.draws.freedom);
    let most = freedoms.fold(0.0, f64::max);
    if most == 0.0 {
        return;
    }
    let mut lender: Option<(usize, Part)> = None;
    for (labels, components) in curve {
        let part = &mut components.draws;
        if part.freedom >= most {
            lender = Some((*labels, *part));
        } else if let Some((fewer, lent)) = lender {
            let falls = (fewer as f64 / *labels as f64).powf(FALL);
            *part = part.joined(&Part {
                variance: falls * lent.variance,
                doubt: falls * falls * lent.doubt,
                ..lent
            });
        }
    }
}

/// Means over rows `[columns]`.
pub(super) fn column_means(rows: &[Vec<f64>]) -> Vec<f64> {
    let units = rows.first().map_or(0, Vec::len);
    let share = 1.0 / rows.len().max(1) as f64;
    let mut out = vec![0.0; units];
    for row in rows {
        row.iter()
            .zip(&mut out)
            .for_each(|(x, sum)| *sum += x * share);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise of .5 in the draws' scores.
    fn drawn(variance: f64, freedom: f64) -> Components {
        Components {
            test: 1.0,
            units: 100,
            draws: Part {
                variance,
                doubt: (variance + 0.5).powi(2) / freedom,
                freedom,
                factor: 1.0,
            },
            seeds: vec![],
        }
    }

    #[test]
    fn few_draws_borrow_from_many() {
        let (mut one, mut ten) = (drawn(9.0, 9.0), drawn(4.0, 9.0));
        let mut few = drawn(3.0, 2.0);
        let mut all = Components {
            draws: Part::ALONE,
            ..drawn(0.0, 1.0)
        };
        smooth_draws(&mut [
            (10, &mut one),
            (100, &mut ten),
            (200, &mut few),
            (800, &mut all),
        ]);
        assert_eq!((one, ten.clone()), (drawn(9.0, 9.0), drawn(4.0, 9.0)));
        // The variance at 100 labels, fallen to twice as many, with 9 degrees of freedom, and its own with 2.
        let part = few.draws;
        let half = 0.5f64.powf(0.9);
        assert!((part.variance - (9.0 * 4.0 * half + 2.0 * 3.0) / 11.0).abs() < 1e-12);
        let doubt = (81.0 * half * half * 4.5 * 4.5 / 9.0 + 4.0 * 3.5 * 3.5 / 2.0) / 121.0;
        assert!((part.doubt - doubt).abs() < 1e-12 && part.freedom == 11.0);
        let eighth = 0.125f64.powf(0.9);
        assert!((all.draws.variance - 4.0 * eighth).abs() < 1e-12 && all.draws.freedom == 9.0);
        assert!((all.spread().variance - 1.0 - 4.0 * eighth).abs() < 1e-12);
    }

    #[test]
    fn draws_that_share_rows_are_correlated() {
        assert_eq!([0.0, 0.5, 1.0].map(correlation), [0.0, 0.375, 1.0]);
    }

    #[test]
    fn nothing_is_borrowed_where_nothing_was_drawn() {
        let alone = Components {
            draws: Part::ALONE,
            ..drawn(0.0, 1.0)
        };
        let mut all = alone.clone();
        smooth_draws(&mut [(800, &mut all)]);
        assert_eq!(all, alone);
        assert_eq!(all.spread().variance, 1.0);
        assert!((all.spread().freedom - 99.0).abs() < 1e-9);
    }

    #[test]
    fn degrees_of_freedom_are_satterthwaite_s() {
        // 1 with 99 and 4 + .5 with 9: the noise is not counted twice in the sum.
        let spread = drawn(4.0, 9.0).spread();
        assert_eq!(spread.variance, 5.0);
        let freedom: f64 = 25.0 / (1.0 / 99.0 + 4.5 * 4.5 / 9.0);
        assert!((spread.freedom - freedom).abs() < 1e-12);
        // Below 0 it counts as 0.
        assert_eq!(drawn(-0.2, 9.0).spread().variance, 1.0);
        // All samples are right in all draws: what is known of the draws is known with 9 degrees of freedom.
        let right = Components {
            test: 0.0,
            ..drawn(-0.2, 9.0)
        };
        assert_eq!(
            (right.spread().variance, right.spread().freedom),
            (0.0, 9.0)
        );
    }
}
