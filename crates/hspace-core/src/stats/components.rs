//! Components of the variance of a mean over crossed samples.

use super::{MIN_UNITS, Spread, Unknown, mean, variance};

/// What test units, draws of labels and training seeds contribute to the variance of a mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    /// Variance of the mean over units.
    test: f64,
    units: usize,
    /// Of one draw; `None` where nothing is drawn.
    draws: Option<Part>,
    /// Of one seed, for each group of seeds.
    seeds: Vec<Part>,
}

/// One of the populations that are sampled in addition to the test units.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part {
    /// Variance of one level (a draw, a seed), without the noise of its score on the units; an estimate, which can be below 0.
    variance: f64,
    /// Half of the squared standard error of that estimate, as Satterthwaite's formula counts it.
    doubt: f64,
    /// Degrees of freedom of the estimate.
    freedom: f64,
    /// How often the variance counts in that of the mean.
    factor: f64,
}

impl Part {
    /// Of `rows` `[levels][units]`; `None` of a single one.
    fn of(rows: &[Vec<f64>], factor: f64) -> Option<Part> {
        let (levels, units) = (rows.len(), rows.first()?.len());
        if levels < 2 {
            return None;
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
        let observed = variance(&means);
        Some(Part {
            variance: observed - noise,
            doubt: observed * observed / freedom,
            freedom,
            factor,
        })
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
    let draws = match overlap {
        None => None,
        Some(overlap) => {
            let factor = 1.0 / rows.len() as f64 + overlap / (1.0 - overlap);
            Some(Part::of(rows, factor).ok_or(Unknown::OneDraw)?)
        }
    };
    let of_seeds = |rows: &Vec<Vec<f64>>| Part::of(rows, 1.0 / rows.len() as f64);
    Ok(Components {
        test: variance(&by_unit) / units as f64,
        units,
        draws,
        seeds: seeds.iter().filter_map(of_seeds).collect(),
    })
}

impl Components {
    /// Adds to the variance that comes from test units.
    pub(crate) fn widen(&mut self, variance: f64) {
        self.test += variance;
    }

    /// What draws contribute.
    pub(super) fn of_draws(&self) -> f64 {
        self.draws.as_ref().map_or(0.0, Part::contribution)
    }

    /// What seeds contribute.
    pub(super) fn of_seeds(&self) -> f64 {
        self.seeds.iter().map(Part::contribution).sum()
    }

    /// The variance, with degrees of freedom by Satterthwaite.
    pub fn spread(&self) -> Spread {
        let parts = || self.draws.iter().chain(&self.seeds);
        let total = self.test + parts().map(Part::contribution).sum::<f64>();
        let of_units = self.units as f64 - 1.0;
        let doubt = self.test * self.test / of_units
            + parts().map(|p| p.doubt * p.factor * p.factor).sum::<f64>();
        Spread {
            variance: total,
            freedom: match doubt > 0.0 {
                true => (total * total / doubt).max(1.0),
                false => of_units,
            },
            units: self.units,
        }
    }
}

/// Lets numbers of labels that were drawn less often than others borrow from these: three draws say little of their own spread, which is
/// mostly the noise of the test units. What is borrowed is the variance of a draw at the nearest smaller number of labels with the
/// most draws, which is assumed to fall as 1/√labels. Both estimates are joined by their degrees of freedom. `curve`: numbers of labels, rising, and components.
pub fn smooth_draws(curve: &mut [(usize, &mut Components)]) {
    let freedom = |c: &Components| c.draws.map_or(0.0, |part| part.freedom);
    let most = curve.iter().map(|(_, c)| freedom(c)).fold(0.0, f64::max);
    let mut lender: Option<(usize, Part)> = None;
    for (labels, components) in curve {
        let Some(part) = &mut components.draws else {
            continue;
        };
        if part.freedom >= most {
            lender = Some((*labels, *part));
        } else if let Some((fewer, lent)) = lender {
            let falls = (fewer as f64 / *labels as f64).sqrt();
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
            draws: Some(Part {
                variance,
                doubt: (variance + 0.5).powi(2) / freedom,
                freedom,
                factor: 1.0,
            }),
            seeds: vec![],
        }
    }

    #[test]
    fn few_draws_borrow_from_many() {
        let mut few = drawn(3.0, 2.0);
        let (mut one, mut ten) = (drawn(9.0, 9.0), drawn(4.0, 9.0));
        let mut all = Components {
            draws: None,
            ..drawn(0.0, 1.0)
        };
        smooth_draws(&mut [
            (10, &mut one),
            (100, &mut ten),
            (400, &mut few),
            (900, &mut all),
        ]);
        assert_eq!((one, ten.clone()), (drawn(9.0, 9.0), drawn(4.0, 9.0)));
        let part = few.draws.unwrap();
        // Half of the variance at 100 labels, with 9 degrees of freedom, and its own with 2.
        assert!((part.variance - (9.0 * 2.0 + 2.0 * 3.0) / 11.0).abs() < 1e-12);
        let doubt = (81.0 * 0.25 * 4.5 * 4.5 / 9.0 + 4.0 * 3.5 * 3.5 / 2.0) / 121.0;
        assert!((part.doubt - doubt).abs() < 1e-12 && part.freedom == 11.0);
        assert_eq!(all.draws, None);
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
    }
}
