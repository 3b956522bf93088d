//! Scores of all draws and seeds → estimates.

use super::answer::Scored;
use super::label_scores::LABEL_SET_SCORES;
use super::mask::scores::MASK_SCORES;
use super::scores::{CLASS_SCORES, Score, range, shown};
use super::task::Truth;
use crate::stats::{
    Components, Crossed, Estimate, MIN_LEVELS, MIN_PER_CLASS, MIN_UNITS, Unknown, smooth_draws,
};

/// Measures that are means over classes or labels, each of which is known by its own test samples only.
const OVER_CLASSES: [&str; 6] = [
    "balanced_accuracy",
    "macro_f1",
    "macro_auroc",
    "macro_average_precision",
    "mean_iou",
    "mean_dice",
];

/// How the scores of a row were sampled.
#[derive(Clone)]
pub(super) struct Sampling {
    /// Places of the test samples that belong together; `None` where each is alone.
    units: Option<Vec<Vec<usize>>>,
    /// Share of rows that two draws have in common; `None` where nothing was drawn.
    overlap: Option<f64>,
    /// For each measure the test units of the rarest class that it is a mean over.
    rarest: Vec<Option<usize>>,
}

impl Sampling {
    /// Of test samples whose true values are `truth`, with so many classes or labels; `units` are places of those that belong together.
    pub(super) fn new(truth: &Truth, classes: usize, units: Option<Vec<Vec<usize>>>) -> Sampling {
        let alone = |n: usize| (0..n).map(|i| vec![i]).collect::<Vec<Vec<usize>>>();
        let own = |n: usize| units.clone().unwrap_or_else(|| alone(n));
        let over = |name: &&str, fewest: Option<usize>| match OVER_CLASSES.contains(name) {
            true => fewest,
            false => None,
        };
        let rarest = match truth {
            Truth::Numbers(_) => Vec::new(),
            Truth::Classes(index) => {
                let sides = sides(&own(index.len()), classes, |i, class| index[i] == class);
                let fewest = sides.iter().map(|side| side[1]).filter(|&n| n > 0).min();
                CLASS_SCORES.iter().map(|name| over(name, fewest)).collect()
            }
            Truth::Masks(masks) => {
                let has = |i: usize, class: u32| masks[i].pixels[class as usize] > 0;
                let sides = sides(&own(masks.len()), classes, has);
                let fewest = sides.iter().map(|side| side[1]).filter(|&n| n > 0).min();
                MASK_SCORES.iter().map(|name| over(name, fewest)).collect()
            }
            Truth::LabelSets(sets) => {
                let sides = sides(&own(sets.len()), classes, |i, label| {
                    sets[i].contains(&label)
                });
                let fewest = || sides.iter().map(|[without, with]| *without.min(with));
                let least = fewest().filter(|&n| n > 0).min();
                let means = LABEL_SET_SCORES.iter().map(|name| over(name, least));
                means.chain(fewest().flat_map(|n| [Some(n); 2])).collect()
            }
        };
        Sampling {
            units,
            overlap: None,
            rarest,
        }
    }

    /// Of draws two of which have the share `overlap` of their rows in common; `None` where nothing was drawn.
    pub(super) fn drawn(&self, overlap: Option<f64>) -> Sampling {
        Sampling {
            overlap,
            ..self.clone()
        }
    }

    /// Every measure of `scored` by test unit, as of one seed and draw; `None` where it is undefined.
    pub(super) fn by_unit(&self, scored: &Scored) -> Vec<Option<Crossed>> {
        let scores = scored.scores.iter();
        scores
            .map(|score| Some(self.of_units(score.as_ref()?)))
            .collect()
    }

    fn of_units(&self, score: &Score) -> Crossed {
        let values = match &self.units {
            None => score.influence.iter().map(|x| x + score.value).collect(),
            Some(units) => {
                // The influences of a unit's samples add up.
                let share = units.len() as f64 / score.influence.len() as f64;
                let of = |unit: &Vec<usize>| unit.iter().map(|&i| score.influence[i]).sum::<f64>();
                let value = |unit| score.value + share * of(unit);
                units.iter().map(value).collect()
            }
        };
        Crossed::new(&[vec![values]], None)
    }

    /// Measure number `s` by seed, draw and test unit, of `cells` `[seeds][draws]` that are each of one seed and draw; `None` of none.
    pub(super) fn crossed(&self, cells: &[Vec<Crossed>], s: usize) -> Option<Crossed> {
        let rarest = self.rarest.get(s).copied().flatten();
        Some(Crossed::grid(cells, self.overlap)?.over_classes(rarest))
    }

    /// The measure `name`, number `s` of `scored` `[seeds][draws]`; `None` where it is undefined in any.
    pub(super) fn estimate(
        &self,
        scored: &[Vec<Scored>],
        s: usize,
        name: &str,
    ) -> Option<Estimate> {
        let cell = |scored: &Scored| Some(self.of_units(scored.scores[s].as_ref()?));
        let of_seed = |draws: &Vec<Scored>| draws.iter().map(cell).collect::<Option<Vec<_>>>();
        let cells: Vec<Vec<Crossed>> = scored.iter().map(of_seed).collect::<Option<_>>()?;
        estimates(&[(0, self.crossed(&cells, s))], name)[0]
    }
}

/// For each class the units with a sample that is not of it, and those with one that is.
fn sides(units: &[Vec<usize>], classes: usize, is: impl Fn(usize, u32) -> bool) -> Vec<[usize; 2]> {
    let of = |class: u32| {
        [false, true].map(|side| {
            let has = |unit: &&Vec<usize>| unit.iter().any(|&i| is(i, class) == side);
            units.iter().filter(has).count()
        })
    };
    (0..classes as u32).map(of).collect()
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
    let (what, more) = match grouped {
        true => ("groups of test samples", "groups"),
        false => ("test samples", "test samples"),
    };
    match unknown {
        Unknown::FewDraws(n) => {
            format!("draws of labels: {n}; an interval needs at least {MIN_LEVELS} (--draws)")
        }
        Unknown::FewSeeds(n) => {
            format!(
                "training seeds: {n}; an interval needs at least {MIN_LEVELS}, or --seeds-apart"
            )
        }
        Unknown::FewOfClass(n) => format!(
            "the rarest class has {n} {what} only; an interval needs at least {MIN_PER_CLASS} {more}; --folds 5 tests every labelled sample once"
        ),
        Unknown::FewUnits(n) => {
            format!(
                "{n} {what}: an interval needs at least {MIN_UNITS} {more}; --folds 5 tests every labelled sample once"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty samples of class 0 and four of class 1, in pairs.
    #[test]
    fn the_rarest_class_is_counted_in_units() {
        let truth = Truth::Classes((0..24).map(|i| u32::from(i >= 20)).collect());
        let pairs = || (0..12).map(|i| vec![2 * i, 2 * i + 1]).collect();
        let rarest = |units| Sampling::new(&truth, 3, units).rarest;
        // Accuracy, balanced accuracy, F1, AUROC, log loss, calibration error; class 2 is not there.
        let four = Some(4);
        assert_eq!(rarest(None), [None, four, four, four, None, None]);
        assert_eq!(rarest(Some(pairs()))[1], Some(2));
    }

    #[test]
    fn each_label_has_its_own_samples() {
        // Label 0 in 3 of 10 samples, label 1 in 8, label 2 in none.
        let set = |i: u32| [(0, i < 3), (1, i < 8)].into_iter();
        let sets = (0..10).map(|i| set(i).filter(|s| s.1).map(|s| s.0).collect());
        let rarest = Sampling::new(&Truth::LabelSets(sets.collect()), 3, None).rarest;
        let means = [Some(2), Some(2), Some(2), None];
        let labels = [Some(3), Some(3), Some(2), Some(2), Some(0), Some(0)];
        assert_eq!(rarest, [&means[..], &labels].concat());
    }
}
