//! Scores of all draws and seeds → estimates.

use super::answer::Scored;
use super::scores::{range, shown};
use crate::stats::{Components, Crossed, Estimate, MIN_LEVELS, MIN_UNITS, Unknown, smooth_draws};

/// How the scores of a row were sampled.
pub(super) struct Sampling {
    /// Places of the test samples that belong together; `None` where each is alone.
    pub(super) units: Option<Vec<Vec<usize>>>,
    /// Share of rows that two draws have in common; `None` where nothing was drawn.
    pub(super) overlap: Option<f64>,
}

impl Sampling {
    /// Measure number `s` of `scored` `[seeds][draws]`, by seed, draw and test unit; `None` where it is undefined in any.
    pub(super) fn crossed(&self, scored: &[Vec<Scored>], s: usize) -> Option<Crossed> {
        let by_unit = |scored: &Scored| -> Option<Vec<f64>> {
            let score = scored.scores[s].as_ref()?;
            let Some(units) = &self.units else {
                return Some(score.influence.iter().map(|x| x + score.value).collect());
            };
            // The influences of a unit's samples add up.
            let share = units.len() as f64 / score.influence.len() as f64;
            let of = |unit: &Vec<usize>| unit.iter().map(|&i| score.influence[i]).sum::<f64>();
            Some(
                units
                    .iter()
                    .map(|unit| score.value + share * of(unit))
                    .collect(),
            )
        };
        let of_seed = |draws: &Vec<Scored>| draws.iter().map(by_unit).collect::<Option<Vec<_>>>();
        let values: Option<Vec<_>> = scored.iter().map(of_seed).collect();
        let values = values.filter(|v| v.first().is_some_and(|draws| !draws.is_empty()))?;
        Some(Crossed::new(&values, self.overlap))
    }

    /// The measure `name`, number `s`; `None` where it is undefined.
    pub(super) fn estimate(
        &self,
        scored: &[Vec<Scored>],
        s: usize,
        name: &str,
    ) -> Option<Estimate> {
        estimates(&[(0, self.crossed(scored, s))], name)[0]
    }
}

/// The means of `curve`, which are the measure `name` at rising numbers of labels, with their 95 % intervals where those are known.
pub(super) fn estimates(curve: &[(usize, Option<Crossed>)], name: &str) -> Vec<Option<Estimate>> {
    let of = |(_, crossed): &(usize, Option<Crossed>)| crossed.as_ref()?.components().ok();
    let mut components: Vec<Option<Components>> = curve.iter().map(of).collect();
    let known = curve.iter().zip(&mut components);
    let mut known: Vec<(usize, &mut Components)> = known
        .filter_map(|((labels, _), c)| Some((*labels, c.as_mut()?)))
        .collect();
    smooth_draws(&mut known);
    let estimate =
        |((_, crossed), components): (&(usize, Option<Crossed>), &Option<Components>)| {
            let mean = crossed.as_ref()?.mean();
            let found = match components {
                Some(components) => components.spread().interval(mean, range(name)),
                None => Estimate::without_interval(mean),
            };
            Some(shown(name, found))
        };
    curve.iter().zip(&components).map(estimate).collect()
}

/// Why there is no interval, and what would be needed for one.
pub(super) fn needed(unknown: Unknown, grouped: bool) -> String {
    match unknown {
        Unknown::FewDraws(n) => {
            format!("draws of labels: {n}; an interval needs at least {MIN_LEVELS} (--draws)")
        }
        Unknown::FewSeeds(n) => {
            format!(
                "training seeds: {n}; an interval needs at least {MIN_LEVELS}, or --seeds-apart"
            )
        }
        Unknown::FewUnits(n) => {
            let (what, more) = match grouped {
                true => ("groups of test samples", "groups"),
                false => ("test samples", "test samples"),
            };
            format!(
                "{n} {what}: an interval needs at least {MIN_UNITS} {more}; --folds 5 tests every labelled sample once"
            )
        }
    }
}
