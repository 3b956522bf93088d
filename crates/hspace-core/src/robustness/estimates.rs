//! From answers for clean and corrupted samples to scores.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Condition, ConditionScore, RobustnessRow};
use crate::error::{Error, Result};
use crate::probe::{Answered, Confidence, Estimate, Row};
use crate::stats::{ALPHA, Crossed, Range};

/// Resamples of the test samples.
const RESAMPLES: usize = 1000;

/// The tested rows by condition: the same samples in the same order in each.
pub(super) struct Tested<'a> {
    /// Places in the answers, `[conditions + 1][samples]`, the clean ones first.
    places: Vec<Vec<usize>>,
    /// Rows of the data at these places.
    rows: &'a [usize],
    truth: &'a [Option<u32>],
    /// Samples that belong together.
    units: Vec<Vec<usize>>,
}

impl<'a> Tested<'a> {
    pub(super) fn new(
        answers: &'a [Answered],
        condition: &[Option<u32>],
        truth: &'a [Option<u32>],
        groups: Option<Vec<u32>>,
        conditions: usize,
    ) -> Result<Tested<'a>> {
        let rows: &[usize] = answers.first().map_or(&[], |a| &a.rows);
        let mut places = vec![Vec::new(); conditions + 1];
        for (place, &row) in rows.iter().enumerate() {
            if let Some(own) = condition[row] {
                places[own as usize].push(place);
            }
        }
        let count = places[0].len();
        if places.iter().any(|own| own.len() != count) {
            return Err(Error::data(
                "some corrupted samples could not be read, though the clean ones could",
            ));
        }
        let of_first = |i: usize| groups.as_ref().map(|groups| groups[rows[places[0][i]]]);
        let mut units: Vec<(Option<u32>, Vec<usize>)> = Vec::new();
        for i in 0..count {
            let group = of_first(i);
            match units.iter_mut().find(|u| group.is_some() && u.0 == group) {
                Some(unit) => unit.1.push(i),
                None => units.push((group, vec![i])),
            }
        }
        Ok(Tested {
            units: units.into_iter().map(|unit| unit.1).collect(),
            places,
            rows,
            truth,
        })
    }

    /// Number of samples of each condition.
    pub(super) fn originals(&self) -> usize {
        self.places[0].len()
    }

    /// The most probable class at a place of one answer, and its probability.
    fn said(&self, answered: &Answered, place: usize) -> (u32, f64) {
        let classes = answered.values.len() / self.rows.len();
        let own = &answered.values[place * classes..][..classes];
        let best = (0..classes).fold(0, |best, c| if own[c] > own[best] { c } else { best });
        (best as u32, own[best])
    }

    fn is_right(&self, answered: &Answered, place: usize) -> f64 {
        let said = self.said(answered, place).0;
        f64::from(u8::from(self.truth[self.rows[place]] == Some(said)))
    }

    /// Whether each sample is answered right in a condition, `[samples]`, a mean over answers.
    fn right(&self, answers: &[&Answered], condition: usize) -> Vec<f64> {
        let share = 1.0 / answers.len() as f64;
        let one = |&place: &usize| {
            let right = answers.iter().map(|a| self.is_right(a, place));
            right.sum::<f64>() * share
        };
        self.places[condition].iter().map(one).collect()
    }

    /// The mean over the samples of some conditions, with its interval: by seed, draw and unit.
    fn accuracy(&self, row: &Row, answers: &[&Answered], conditions: &[usize]) -> Estimate {
        let members = answers.iter().map(|a| a.member).max().map_or(0, |m| m + 1);
        let total = self.originals() as f64;
        let unit_count = self.units.len() as f64;
        let of = |answered: &Answered| -> Vec<f64> {
            let unit = |unit: &Vec<usize>| {
                let of_condition = |&c: &usize| {
                    let own = unit.iter().map(|&i| self.places[c][i]);
                    own.map(|place| self.is_right(answered, place)).sum::<f64>()
                };
                let sum: f64 = conditions.iter().map(of_condition).sum();
                // Scaled so that the mean over units is the mean over samples.
                sum / conditions.len() as f64 * unit_count / total
            };
            self.units.iter().map(unit).collect()
        };
        let cells: Vec<Vec<Vec<f64>>> = (0..members)
            .map(|member| {
                let own = answers.iter().filter(|a| a.member == member);
                own.map(|a| of(a)).collect()
            })
            .collect();
        let draws = cells.iter().map(Vec::len).min().unwrap_or(0);
        let cells: Vec<Vec<Vec<f64>>> = cells
            .into_iter()
            .map(|mut own| {
                own.truncate(draws);
                own
            })
            .collect();
        let overlap = row.answers.as_ref().and_then(Crossed::overlap);
        let crossed = Crossed::new(&cells, overlap);
        match crossed.spread() {
            Ok(spread) => spread.interval(crossed.mean(), Range::Share),
            Err(_) => Estimate::without_interval(crossed.mean()),
        }
    }

    fn score(
        &self,
        row: &Row,
        answers: &[&Answered],
        place: usize,
        condition: Option<&Condition>,
    ) -> ConditionScore {
        let one = |answered: &&Answered| {
            let own = self.places[place].iter();
            Confidence::of(own.map(|&i| {
                let (class, probability) = self.said(answered, i);
                (probability, self.truth[self.rows[i]] == Some(class))
            }))
        };
        let all: Vec<Confidence> = answers.iter().filter_map(one).collect();
        let confidence = Confidence::mean(&all).unwrap_or(Confidence {
            confident_error: 0.0,
            overconfidence: 0.0,
        });
        ConditionScore {
            corruption: condition.map_or("clean".to_owned(), |c| c.corruption.clone()),
            severity: condition.map_or(0, |c| c.severity),
            accuracy: self.accuracy(row, answers, &[place]),
            confident_error: confidence.confident_error,
            overconfidence: confidence.overconfidence,
        }
    }

    /// The scores of one source, by its answers and those of the baseline, if it is not the baseline.
    pub(super) fn row(
        &self,
        row: &Row,
        answers: &[&Answered],
        baseline: &[&Answered],
        conditions: &[Condition],
    ) -> RobustnessRow {
        let all: Vec<usize> = (1..=conditions.len()).collect();
        let by_condition = |answers: &[&Answered]| -> Vec<Vec<f64>> {
            (0..=conditions.len())
                .map(|c| self.right(answers, c))
                .collect()
        };
        let own = by_condition(answers);
        let other = (!baseline.is_empty()).then(|| by_condition(baseline));
        let kept = self.ratio(&|weights| {
            let clean = weighted(&own[0], weights);
            let corrupted = all.iter().map(|&c| weighted(&own[c], weights)).sum::<f64>();
            corrupted / all.len() as f64 / clean
        });
        let corruption_error = other.map(|other| {
            self.ratio(&|weights| {
                corruption_error(conditions, &|c| {
                    [weighted(&own[c], weights), weighted(&other[c], weights)]
                })
            })
        });
        RobustnessRow {
            source: row.representation.clone(),
            probe: row.probe.clone(),
            labels: row.labels,
            clean: self.score(row, answers, 0, None),
            corrupted: self.accuracy(row, answers, &all),
            kept,
            corruption_error,
            conditions: conditions
                .iter()
                .enumerate()
                .map(|(i, condition)| self.score(row, answers, i + 1, Some(condition)))
                .collect(),
        }
    }

    /// A ratio of means over samples, with the quantiles of a bootstrap over units.
    fn ratio(&self, of: &dyn Fn(&[f64]) -> f64) -> Estimate {
        let n = self.units.len();
        let mut random = Xoshiro256PlusPlus::seed_from_u64(0);
        let mut found = Vec::with_capacity(RESAMPLES);
        let mut weights = vec![0.0; self.originals()];
        for _ in 0..RESAMPLES {
            weights.fill(0.0);
            for _ in 0..n {
                let unit = &self.units[random.random_range(0..n)];
                unit.iter().for_each(|&i| weights[i] += 1.0);
            }
            found.push(of(&weights));
        }
        found.sort_by(f64::total_cmp);
        let at = |share: f64| found[((RESAMPLES - 1) as f64 * share).round() as usize];
        weights.fill(1.0);
        Estimate {
            mean: of(&weights),
            low: at(0.5 * ALPHA),
            high: at(1.0 - 0.5 * ALPHA),
        }
    }
}

fn weighted(values: &[f64], weights: &[f64]) -> f64 {
    let sum: f64 = values.iter().zip(weights).map(|(v, w)| v * w).sum();
    sum / weights.iter().sum::<f64>().max(1e-12)
}

/// The mean over corruptions of errors, summed over severities, as a share of those of a baseline. `accuracy` gives both by the number of a
/// condition, from 1 on.
pub(super) fn corruption_error(
    conditions: &[Condition],
    accuracy: &dyn Fn(usize) -> [f64; 2],
) -> f64 {
    let mut errors: Vec<(&str, [f64; 2])> = Vec::new();
    for (i, condition) in conditions.iter().enumerate() {
        let own = accuracy(i + 1).map(|a| 1.0 - a);
        match errors.iter_mut().find(|e| e.0 == condition.corruption) {
            Some(known) => (0..2).for_each(|side| known.1[side] += own[side]),
            None => errors.push((&condition.corruption, own)),
        }
    }
    let shares = errors
        .iter()
        .map(|(_, [own, other])| own / other.max(1e-12));
    shares.sum::<f64>() / errors.len().max(1) as f64
}
