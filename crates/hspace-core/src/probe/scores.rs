//! How good answers are: the measures, each with weights on the test samples so that a bootstrap
//! need not sort again.
//!
//! Definitions follow scikit-learn's `metrics` where it has them. The expected calibration error is
//! Guo et al. (2017), eq. 3, with 15 bins of equal width on the confidence of the answer.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;

use super::Estimate;
use super::folds::units;

/// Names of the measures of a classifier, in the order of their values.
pub const CLASS_SCORES: [&str; 6] = [
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "macro_auroc",
    "log_loss",
    "calibration_error",
];

/// Names of the measures of a regression, in the order of their values.
pub const NUMBER_SCORES: [&str; 2] = ["r2", "mean_absolute_error"];

/// Resamples of the test set behind a standard error.
const RESAMPLES: u64 = 100;

/// Bins of the calibration error.
const BINS: usize = 15;

/// Answers to be scored, whatever the kind of task.
pub trait Answers: Sync {
    /// Number of test samples.
    fn len(&self) -> usize;

    /// The measures, with `weights` `[n]` on the samples; `None` where one is undefined for them.
    fn scores(&self, weights: &[f64]) -> Vec<Option<f64>>;

    /// Whether there is no test sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The measures with every sample counted once.
    fn plain(&self) -> Vec<Option<f64>> {
        self.scores(&vec![1.0; self.len()])
    }

    /// Standard error of each measure over resampled test sets (bootstrap, 100 resamples). A resample in which a
    /// measure is undefined does not count for it; where fewer than half are left, or there is one group only, it has no error. Samples of one of the
    /// `groups` `[n]` are drawn together, as they are not independent.
    fn standard_errors(&self, seed: u64, groups: Option<&[u32]>) -> Vec<Option<f64>> {
        let n = self.len();
        let units = units(&(0..n).collect::<Vec<usize>>(), groups);
        let samples: Vec<Vec<Option<f64>>> = (0..RESAMPLES)
            .into_par_iter()
            .map(|i| {
                let mut random =
                    Xoshiro256PlusPlus::seed_from_u64(seed.wrapping_mul(RESAMPLES).wrapping_add(i));
                let mut weights = vec![0.0; n];
                for _ in 0..units.len() {
                    let drawn = &units[random.random_range(0..units.len())];
                    drawn.iter().for_each(|&i| weights[i] += 1.0);
                }
                self.scores(&weights)
            })
            .collect();
        let measures = samples.first().map_or(0, Vec::len);
        let error = |m: usize| {
            let defined: Vec<f64> = samples.iter().filter_map(|s| s[m]).collect();
            let enough = units.len() > 1 && 2 * defined.len() >= samples.len();
            enough.then(|| deviation(&defined))
        };
        (0..measures).map(error).collect()
    }
}

/// Class probabilities beside the truth.
pub struct ClassAnswers<'a> {
    probabilities: &'a [f64],
    truth: &'a [u32],
    classes: usize,
    answered: Vec<u32>,
    /// For each class, the samples by rising probability of it.
    ranking: Vec<Vec<u32>>,
}

impl<'a> ClassAnswers<'a> {
    /// `probabilities` `[n, classes]` in 0..=1, rows summing to 1, and the true classes `[n]`.
    pub fn new(probabilities: &'a [f64], truth: &'a [u32], classes: usize) -> Self {
        let answered = probabilities.chunks_exact(classes).map(largest).collect();
        let ranking = (0..classes)
            .into_par_iter()
            .map(|c| ranked(truth.len(), |i| probabilities[i as usize * classes + c]))
            .collect();
        ClassAnswers {
            probabilities,
            truth,
            classes,
            answered,
            ranking,
        }
    }

    /// `counts[true][answered]`
    pub fn confusion(&self) -> Vec<Vec<usize>> {
        let mut counts = vec![vec![0; self.classes]; self.classes];
        for (&t, &a) in self.truth.iter().zip(&self.answered) {
            counts[t as usize][a as usize] += 1;
        }
        counts
    }

    /// Area under the curve of class `c` against the rest; `None` where one side is missing.
    fn auroc(&self, c: usize, weights: &[f64]) -> Option<f64> {
        let p = |i: u32| self.probabilities[i as usize * self.classes + c];
        let positive = |i: u32| self.truth[i as usize] as usize == c;
        auroc(&self.ranking[c], p, positive, weights)
    }
}

/// The samples `0..n` by rising score.
pub(super) fn ranked(n: usize, score: impl Fn(u32) -> f64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.sort_unstable_by(|&a, &b| score(a).total_cmp(&score(b)));
    order
}

/// Area under the ROC curve of samples `ranking` by rising `score`, with `weights` by sample; `None` without a positive or
/// without a negative one.
pub(super) fn auroc(
    ranking: &[u32],
    score: impl Fn(u32) -> f64,
    positive: impl Fn(u32) -> bool,
    weights: &[f64],
) -> Option<f64> {
    let (mut inside, mut outside, mut area) = (0.0, 0.0, 0.0);
    for tied in ranking.chunk_by(|a, b| score(*a) == score(*b)) {
        let (above, below) = sides(tied, &positive, weights);
        area += above * (outside + below / 2.0);
        inside += above;
        outside += below;
    }
    (inside > 0.0 && outside > 0.0).then(|| area / (inside * outside))
}

/// Sums of the weights of positive and of negative samples.
pub(super) fn sides(
    samples: &[u32],
    positive: impl Fn(u32) -> bool,
    weights: &[f64],
) -> (f64, f64) {
    let (mut above, mut below) = (0.0, 0.0);
    for &i in samples {
        let side = if positive(i) { &mut above } else { &mut below };
        *side += weights[i as usize];
    }
    (above, below)
}

impl Answers for ClassAnswers<'_> {
    fn len(&self) -> usize {
        self.truth.len()
    }

    fn scores(&self, weights: &[f64]) -> Vec<Option<f64>> {
        let k = self.classes;
        let (mut right, mut is, mut said) = (vec![0.0; k], vec![0.0; k], vec![0.0; k]);
        let (mut loss, mut total) = (0.0, 0.0);
        // Per bin: weight × (correct − confidence).
        let mut gaps = [0.0; BINS];
        for (i, &w) in weights.iter().enumerate() {
            let (t, a) = (self.truth[i] as usize, self.answered[i] as usize);
            let row = &self.probabilities[i * k..(i + 1) * k];
            let correct = f64::from(u8::from(t == a));
            is[t] += w;
            said[a] += w;
            right[t] += w * correct;
            total += w;
            loss -= w * row[t].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
            let bin = ((row[a] * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
            gaps[bin] += w * (correct - row[a]);
        }
        let mean = |values: Vec<f64>| ratio(values.iter().sum(), values.len() as f64);
        let classes = || 0..k;
        let recall = classes()
            .filter(|&c| is[c] > 0.0)
            .map(|c| right[c] / is[c])
            .collect();
        let f1 = classes()
            .filter(|&c| is[c] + said[c] > 0.0)
            .map(|c| 2.0 * right[c] / (is[c] + said[c]))
            .collect();
        let areas = classes().filter_map(|c| self.auroc(c, weights)).collect();
        vec![
            ratio(right.iter().sum(), total),
            mean(recall),
            mean(f1),
            mean(areas),
            ratio(loss, total),
            ratio(gaps.iter().map(|g| g.abs()).sum(), total),
        ]
    }
}

/// Predicted numbers beside the true ones.
pub struct NumberAnswers<'a> {
    /// Predictions `[n]`.
    pub predicted: &'a [f64],
    /// Truth `[n]`.
    pub truth: &'a [f64],
}

impl Answers for NumberAnswers<'_> {
    fn len(&self) -> usize {
        self.truth.len()
    }

    fn scores(&self, weights: &[f64]) -> Vec<Option<f64>> {
        let total: f64 = weights.iter().sum();
        let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            let pairs = self.predicted.iter().zip(self.truth);
            pairs.zip(weights).map(|((&p, &t), &w)| w * f(p, t)).sum()
        };
        let mean = sum(&|_, t| t) / total;
        // Of equal values the spread is the rounding error of their mean.
        let mut counted = self.truth.iter().zip(weights).filter(|pair| *pair.1 > 0.0);
        let first = counted.next();
        let varies = counted.any(|(t, _)| first.is_some_and(|(first, _)| t != first));
        let spread = sum(&|_, t| (t - mean) * (t - mean));
        let residual = sum(&|p, t| (p - t) * (p - t));
        vec![
            ratio(residual, if varies { spread } else { 0.0 }).map(|unexplained| 1.0 - unexplained),
            ratio(sum(&|p, t| (p - t).abs()), total),
        ]
    }
}

/// `above / below`, which is undefined where `below` is 0.
pub(super) fn ratio(above: f64, below: f64) -> Option<f64> {
    (below > 0.0).then(|| above / below)
}

/// Index of the largest value; the first of equals.
pub fn largest(row: &[f64]) -> u32 {
    let mut best = 0;
    for (i, &v) in row.iter().enumerate() {
        if v > row[best] {
            best = i;
        }
    }
    best as u32
}

/// Standard deviation with n − 1 in the denominator; 0 for fewer than two values.
pub(super) fn deviation(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0)).sqrt()
}

/// Keeps an interval within what the measure can be.
pub(super) fn bounded(name: &str, estimate: Estimate) -> Estimate {
    let (least, most) = match name {
        "r2" => (f64::NEG_INFINITY, 1.0),
        "log_loss" | "mean_absolute_error" => (0.0, f64::INFINITY),
        _ => (0.0, 1.0),
    };
    Estimate {
        low: estimate.low.max(least),
        high: estimate.high.min(most),
        ..estimate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Golden {
        classes: usize,
        probabilities: Vec<f64>,
        truth: Vec<u32>,
        scores: Vec<f64>,
        confusion: Vec<Vec<usize>>,
        predicted: Vec<f64>,
        target: Vec<f64>,
        number_scores: Vec<f64>,
    }

    #[test]
    fn measures_agree_with_scikit_learn() -> serde_json::Result<()> {
        let golden: Golden =
            serde_json::from_str(include_str!("../../tests/golden/probe_scores.json"))?;
        let answers = ClassAnswers::new(&golden.probabilities, &golden.truth, golden.classes);
        for (name, (ours, theirs)) in CLASS_SCORES
            .iter()
            .zip(answers.plain().iter().zip(&golden.scores))
        {
            assert!(
                ours.is_some_and(|ours| (ours - theirs).abs() < 1e-10),
                "{name}: {ours:?} {theirs}"
            );
        }
        assert_eq!(answers.confusion(), golden.confusion);
        let numbers = NumberAnswers {
            predicted: &golden.predicted,
            truth: &golden.target,
        };
        for (ours, theirs) in numbers.plain().iter().zip(&golden.number_scores) {
            assert!(
                ours.is_some_and(|ours| (ours - theirs).abs() < 1e-10),
                "{ours:?} {theirs}"
            );
        }
        Ok(())
    }

    #[test]
    fn the_bootstrap_finds_the_binomial_error() {
        let n = 2000;
        let truth = vec![0u32; n];
        let probabilities: Vec<f64> = (0..n)
            .flat_map(|i| if i % 4 == 0 { [0.2, 0.8] } else { [0.8, 0.2] })
            .collect();
        let errors = ClassAnswers::new(&probabilities, &truth, 2).standard_errors(1, None);
        let binomial = (0.75f64 * 0.25 / n as f64).sqrt();
        assert!(
            errors[0].is_some_and(|error| (error / binomial - 1.0).abs() < 0.25),
            "{errors:?} {binomial}"
        );
    }

    /// Five samples of a group are answered alike: as uncertain as a fifth of the samples.
    #[test]
    fn groups_are_resampled_whole() {
        let n = 3000;
        let truth = vec![0u32; n];
        let groups: Vec<u32> = (0..n as u32).map(|i| i / 5).collect();
        let of = |group: &u32| {
            if group.is_multiple_of(4) {
                [0.2, 0.8]
            } else {
                [0.8, 0.2]
            }
        };
        let probabilities: Vec<f64> = groups.iter().flat_map(of).collect();
        let answers = ClassAnswers::new(&probabilities, &truth, 2);
        let binomial = (0.75f64 * 0.25 / (n as f64 / 5.0)).sqrt();
        let error = answers.standard_errors(1, Some(&groups))[0];
        assert!(
            error.is_some_and(|error| (error / binomial - 1.0).abs() < 0.25),
            "{error:?} {binomial}"
        );
    }

    #[test]
    fn a_measure_without_a_definition_is_none() {
        // One class among the test samples: every measure but the area under the curve.
        let answers = ClassAnswers::new(&[0.9, 0.1, 0.2, 0.8], &[0, 0], 2);
        let defined =
            |values: Vec<Option<f64>>| values.iter().map(Option::is_some).collect::<Vec<_>>();
        let all_but_area = [true, true, true, false, true, true];
        assert_eq!(defined(answers.plain()), all_but_area);
        assert_eq!(defined(answers.standard_errors(0, None)), all_but_area);
        // Certain of the wrong class: the loss is finite.
        let sure = ClassAnswers::new(&[0.0, 1.0], &[0], 2);
        assert_eq!(sure.plain()[4], Some(-f64::EPSILON.ln()));
        let constant = NumberAnswers {
            predicted: &[1.1, 0.1, 0.1, 0.6, 0.1, 0.1],
            truth: &[0.1; 6],
        };
        assert_eq!(constant.plain(), [None, Some(1.5 / 6.0)]);
        assert_eq!(defined(constant.standard_errors(0, None)), [false, true]);
        let nothing = NumberAnswers {
            predicted: &[],
            truth: &[],
        };
        assert_eq!(nothing.plain(), [None, None]);
    }

    /// A lone sample of a class is missing from a third of the resamples: the error is over the others.
    #[test]
    fn resamples_without_a_definition_do_not_count() {
        let n = 30;
        let truth: Vec<u32> = (0..n).map(|i| u32::from(i == 0)).collect();
        // The lone sample ranks above two thirds of the others.
        let probabilities: Vec<f64> = (0..n)
            .flat_map(|i| {
                let p = if i == 0 { 0.65 } else { (i - 1) as f64 / 29.0 };
                [1.0 - p, p]
            })
            .collect();
        let answers = ClassAnswers::new(&probabilities, &truth, 2);
        let area = answers.plain()[3].unwrap();
        let error = answers.standard_errors(3, None)[3].unwrap();
        // The share of the others that rank below is binomial.
        let binomial = (area * (1.0 - area) / 29.0).sqrt();
        assert!((error / binomial - 1.0).abs() < 0.25, "{error} {binomial}");
    }

    #[test]
    fn intervals_stay_within_what_is_possible() {
        let wide = Estimate {
            mean: 0.99,
            low: -0.1,
            high: 1.2,
        };
        assert_eq!(
            bounded("accuracy", wide),
            Estimate {
                mean: 0.99,
                low: 0.0,
                high: 1.0
            }
        );
        assert_eq!(bounded("log_loss", wide).high, 1.2);
    }
}
