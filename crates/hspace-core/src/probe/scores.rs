//! How good answers are: the measures, each with what every test sample contributes to it.
//!
//! Definitions follow scikit-learn's `metrics` where it has them. The calibration error is the root mean square difference of
//! confidence and accuracy in 15 bins of equal width on the confidence of the answer. The plug-in estimate is always too high, since
//! squares of noise do not cancel; ours is unbiased: a square is a mean over pairs of different samples of a bin (Kumar, Liang &
//! Ma 2019, "Verified uncertainty calibration").
//!
//! Uncertainty follows from influence functions, the derivatives of a measure by the weights of the samples; of a class's recall and
//! of both sides of a ROC curve they are larger by √(n/(n − 1)), as in DeLong et al. (1988), so that variances from n samples are unbiased.

use rayon::prelude::*;

use crate::stats::{Estimate, Range};

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

/// Bins of the calibration error.
const BINS: usize = 15;

/// A measure of answers.
///
/// ```
/// use hspace_core::probe::scores::{Answers, NumberAnswers};
///
/// let answers = NumberAnswers { predicted: &[1.0, 2.0, 4.0], truth: &[1.0, 2.0, 3.0] };
/// let scores = answers.scores();
/// let r2 = scores[0].as_ref().expect("R²");
/// assert!((r2.value - 0.5).abs() < 1e-9);
/// assert!(r2.influence.iter().sum::<f64>().abs() < 1e-9);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The measure; of the calibration error its square, which can be below 0.
    pub value: f64,
    /// Influence of each test sample `[n]`: how the measure changes with the sample's weight, times n (a little more where few samples
    /// of a class are behind it). Their mean is 0.
    pub influence: Vec<f64>,
}

impl Score {
    /// The mean of a number for each sample.
    pub(super) fn mean_of(values: impl Iterator<Item = f64>) -> Option<Score> {
        let mut influence: Vec<f64> = values.collect();
        let value = ratio(influence.iter().sum(), influence.len() as f64)?;
        influence.iter_mut().for_each(|x| *x -= value);
        Some(Score { value, influence })
    }

    /// The sum of the first numbers over that of the second ones, `[a, b]` for each sample: by the delta method.
    pub(super) fn ratio(pairs: impl Iterator<Item = [f64; 2]>) -> Option<Score> {
        let pairs: Vec<[f64; 2]> = pairs.collect();
        let sum = |side: usize| pairs.iter().map(|pair| pair[side]).sum::<f64>();
        let below = sum(1);
        let value = ratio(sum(0), below)?;
        let n = pairs.len() as f64;
        let influence = pairs.iter().map(|[a, b]| n * (a - value * b) / below);
        Some(Score {
            value,
            influence: influence.collect(),
        })
    }

    /// The mean of those `scores` that are defined.
    pub(super) fn average(scores: impl Iterator<Item = Option<Score>>) -> Option<Score> {
        let mut sum: Option<Score> = None;
        let mut count = 0.0;
        for score in scores.flatten() {
            count += 1.0;
            match &mut sum {
                None => sum = Some(score),
                Some(sum) => {
                    sum.value += score.value;
                    let pairs = sum.influence.iter_mut().zip(&score.influence);
                    pairs.for_each(|(a, b)| *a += b);
                }
            }
        }
        let mut mean = sum?;
        mean.value /= count;
        mean.influence.iter_mut().for_each(|x| *x /= count);
        Some(mean)
    }
}

/// Answers to be scored, whatever the kind of task.
///
/// ```
/// use hspace_core::probe::scores::{Answers, CLASS_SCORES, ClassAnswers};
///
/// // All test samples are of one class: the area under the curve is undefined.
/// let answers = ClassAnswers::new(&[0.9, 0.1, 0.2, 0.8], &[0, 0], 2);
/// let auroc = CLASS_SCORES.iter().position(|name| *name == "macro_auroc").expect("AUROC");
/// assert!(answers.scores()[auroc].is_none());
/// ```
pub trait Answers: Sync {
    /// The measures; `None` where one is undefined for the test samples.
    fn scores(&self) -> Vec<Option<Score>>;
}

/// The values that the measure `name` can have.
pub(super) fn range(name: &str) -> Range {
    match name {
        "r2" => Range::UpToOne,
        "log_loss" | "mean_absolute_error" => Range::Positive,
        // Its square, which is cut where it is shown.
        "calibration_error" => Range::Any,
        _ => Range::Share,
    }
}

/// The measure `name` as it is shown: roots of what was estimated as squares.
pub(super) fn shown(name: &str, estimate: Estimate) -> Estimate {
    match name {
        "calibration_error" => estimate.map(|square| square.clamp(0.0, 1.0).sqrt()),
        _ => estimate,
    }
}

/// Class probabilities and the truth.
///
/// ```
/// use hspace_core::probe::scores::{Answers, ClassAnswers};
///
/// // Three samples of two classes; the last one is answered wrongly.
/// let answers = ClassAnswers::new(&[0.9, 0.1, 0.2, 0.8, 0.6, 0.4], &[0, 1, 1], 2);
/// assert_eq!(answers.confusion(), [[1, 0], [1, 1]]);
/// let accuracy = answers.scores()[0].as_ref().map(|score| score.value);
/// assert!(accuracy.is_some_and(|value| (value - 2.0 / 3.0).abs() < 1e-9));
/// assert_eq!(answers.reliability().iter().map(|bin| bin.2).sum::<usize>(), 3);
/// ```
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
    fn auroc(&self, c: usize) -> Option<Score> {
        let p = |i: u32| self.probabilities[i as usize * self.classes + c];
        let positive = |i: u32| self.truth[i as usize] as usize == c;
        auroc(&self.ranking[c], p, positive)
    }

    /// Bin of the confidence of the answer for sample `i`, and whether it is right less that confidence.
    fn gap(&self, i: usize) -> (usize, f64) {
        let answered = self.answered[i];
        let confidence = self.probabilities[i * self.classes + answered as usize];
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        let right = f64::from(u8::from(answered == self.truth[i]));
        (bin, right - confidence)
    }

    /// Squared differences of confidence and accuracy in bins, weighted by their samples; without bias.
    fn squared_calibration_error(&self) -> Option<Score> {
        let n = self.truth.len();
        let (mut counts, mut sums, mut squares) = ([0.0f64; BINS], [0.0; BINS], [0.0; BINS]);
        let gaps: Vec<(usize, f64)> = (0..n).map(|i| self.gap(i)).collect();
        for &(bin, gap) in &gaps {
            counts[bin] += 1.0;
            sums[bin] += gap;
            squares[bin] += gap * gap;
        }
        // Mean product of two different samples; a lone sample has no pair and counts as calibrated.
        let pairs = |bin: usize| match counts[bin] > 1.0 {
            true => (sums[bin] * sums[bin] - squares[bin]) / (counts[bin] * (counts[bin] - 1.0)),
            false => 0.0,
        };
        let value = ratio((0..BINS).map(|b| counts[b] * pairs(b)).sum(), n as f64)?;
        let influence = gaps.iter().map(|&(bin, gap)| {
            let others = match counts[bin] > 1.0 {
                true => (sums[bin] - gap) / (counts[bin] - 1.0),
                false => 0.0,
            };
            2.0 * gap * others - pairs(bin) - value
        });
        Some(Score {
            value,
            influence: influence.collect(),
        })
    }

    /// The probability of each answer, and whether it is right.
    pub fn confidences(&self) -> impl Iterator<Item = (f64, bool)> {
        let rows = self.probabilities.chunks_exact(self.classes);
        let answers = self.answered.iter().zip(rows).zip(self.truth);
        answers.map(|((&said, p), &truth)| (p[said as usize], said == truth))
    }

    /// Answers by confidence: (sum of confidences, right answers, answers) of each of the 15 bins.
    pub fn reliability(&self) -> Vec<(f64, usize, usize)> {
        let mut bins = vec![(0.0, 0, 0); BINS];
        for i in 0..self.truth.len() {
            let answered = self.answered[i];
            let bin = &mut bins[self.gap(i).0];
            bin.0 += self.probabilities[i * self.classes + answered as usize];
            bin.1 += usize::from(answered == self.truth[i]);
            bin.2 += 1;
        }
        bins
    }
}

/// Root mean square difference of confidence and accuracy, in 0..=1, of class `probabilities` `[n, classes]` for samples whose true classes
/// are `truth` `[n]`; `None` without samples.
pub(crate) fn calibration_error(
    probabilities: &[f64],
    truth: &[u32],
    classes: usize,
) -> Option<f64> {
    let answers = ClassAnswers {
        probabilities,
        truth,
        classes,
        answered: probabilities.chunks_exact(classes).map(largest).collect(),
        ranking: Vec::new(),
    };
    let square = answers.squared_calibration_error()?;
    Some(square.value.clamp(0.0, 1.0).sqrt())
}

/// The samples `0..n` by rising score.
pub(super) fn ranked(n: usize, score: impl Fn(u32) -> f64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.sort_unstable_by(|&a, &b| score(a).total_cmp(&score(b)));
    order
}

/// Area under the ROC curve of samples `ranking` by rising `score`; `None` without a positive or without a negative
/// one. A sample's influence comes from the share of the other side that it is ranked right against (DeLong et al. 1988).
pub(super) fn auroc(
    ranking: &[u32],
    score: impl Fn(u32) -> f64,
    positive: impl Fn(u32) -> bool,
) -> Option<Score> {
    let n = ranking.len() as f64;
    let positives = ranking.iter().filter(|&&i| positive(i)).count() as f64;
    let negatives = n - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let mut influence = vec![0.0; ranking.len()];
    let (mut inside, mut outside, mut area) = (0.0, 0.0, 0.0);
    for tied in ranking.chunk_by(|a, b| score(*a) == score(*b)) {
        let above = tied.iter().filter(|&&i| positive(i)).count() as f64;
        let below = tied.len() as f64 - above;
        area += above * (outside + below / 2.0);
        let against = [
            (positives - inside - above / 2.0) / positives,
            (outside + below / 2.0) / negatives,
        ];
        for &i in tied {
            influence[i as usize] = against[usize::from(positive(i))];
        }
        inside += above;
        outside += below;
    }
    let value = area / (positives * negatives);
    for (i, x) in influence.iter_mut().enumerate() {
        let side = if positive(i as u32) {
            positives
        } else {
            negatives
        };
        *x = unbiased(side) * (*x - value) * n / side;
    }
    Some(Score { value, influence })
}

impl Answers for ClassAnswers<'_> {
    fn scores(&self) -> Vec<Option<Score>> {
        let (n, k) = (self.truth.len(), self.classes);
        let (mut right, mut is, mut said) = (vec![0.0; k], vec![0.0; k], vec![0.0; k]);
        let pair = |i: usize| (self.truth[i] as usize, self.answered[i] as usize);
        let correct = |i: usize| f64::from(u8::from(self.truth[i] == self.answered[i]));
        for i in 0..n {
            let (t, a) = pair(i);
            is[t] += 1.0;
            said[a] += 1.0;
            right[t] += correct(i);
        }
        let loss = |i: usize| {
            let p = self.probabilities[i * k + self.truth[i] as usize];
            -p.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
        };
        // A mean over the classes of `value`, of which `change(i, class)` is the derivative by the weight of sample i.
        let over_classes = |counts: &dyn Fn(usize) -> bool,
                            value: &dyn Fn(usize) -> f64,
                            change: &dyn Fn(usize, usize) -> f64| {
            let counted = (0..k).filter(|&c| counts(c)).count() as f64;
            let sum: f64 = (0..k).filter(|&c| counts(c)).map(value).sum();
            let influence = |i: usize| {
                let (t, a) = pair(i);
                let second = if a == t { 0.0 } else { change(i, a) };
                (change(i, t) + second) * n as f64 / counted
            };
            Some(Score {
                value: ratio(sum, counted)?,
                influence: (0..n).map(influence).collect(),
            })
        };
        let recall = |c: usize| right[c] / is[c];
        let recalls = over_classes(&|c| is[c] > 0.0, &recall, &|i, c| match c
            == self.truth[i] as usize
        {
            true => unbiased(is[c]) * (correct(i) - recall(c)) / is[c],
            false => 0.0,
        });
        let f1 = |c: usize| 2.0 * right[c] / (is[c] + said[c]);
        let f1s = over_classes(&|c| is[c] + said[c] > 0.0, &f1, &|i, c| {
            let (t, a) = pair(i);
            let [is_c, said_c] = [t == c, a == c].map(|x| f64::from(u8::from(x)));
            (2.0 * is_c * said_c - f1(c) * (is_c + said_c)) / (is[c] + said[c])
        });
        vec![
            Score::mean_of((0..n).map(correct)),
            recalls,
            f1s,
            Score::average((0..k).map(|c| self.auroc(c))),
            Score::mean_of((0..n).map(loss)),
            self.squared_calibration_error(),
        ]
    }
}

/// Predicted and true numbers.
///
/// ```
/// use hspace_core::probe::scores::{Answers, NumberAnswers};
///
/// let answers = NumberAnswers { predicted: &[1.0, 2.0], truth: &[1.5, 2.0] };
/// let error = answers.scores()[1].as_ref().map(|score| score.value);
/// assert_eq!(error, Some(0.25));
/// ```
pub struct NumberAnswers<'a> {
    /// Predictions `[n]`.
    pub predicted: &'a [f64],
    /// Truth `[n]`.
    pub truth: &'a [f64],
}

impl Answers for NumberAnswers<'_> {
    fn scores(&self) -> Vec<Option<Score>> {
        let n = self.truth.len() as f64;
        let pairs = || self.predicted.iter().zip(self.truth);
        let mean = self.truth.iter().sum::<f64>() / n;
        // Of equal values the spread is the rounding error of their mean.
        let varies = self.truth.windows(2).any(|pair| pair[0] != pair[1]);
        let spread: f64 = self.truth.iter().map(|t| (t - mean).powi(2)).sum();
        let residual: f64 = pairs().map(|(p, t)| (p - t).powi(2)).sum();
        let unexplained = ratio(residual, if varies { spread } else { 0.0 });
        let r2 = unexplained.map(|unexplained| Score {
            value: 1.0 - unexplained,
            influence: pairs()
                .map(|(p, t)| n / spread * (unexplained * (t - mean).powi(2) - (p - t).powi(2)))
                .collect(),
        });
        vec![r2, Score::mean_of(pairs().map(|(p, t)| (p - t).abs()))]
    }
}

/// What makes the squares of `count` deviations from their own mean unbiased: a variance divides by one less than their number.
fn unbiased(count: f64) -> f64 {
    match count > 1.0 {
        true => (count / (count - 1.0)).sqrt(),
        false => 1.0,
    }
}

/// `above / below`, which is undefined where `below` is 0.
pub(super) fn ratio(above: f64, below: f64) -> Option<f64> {
    (below > 0.0).then(|| above / below)
}

/// Index of the largest value; the first of equals.
///
/// ```
/// use hspace_core::probe::scores::largest;
///
/// assert_eq!(largest(&[0.1, 0.6, 0.3]), 1);
/// ```
pub fn largest(row: &[f64]) -> u32 {
    let mut best = 0;
    for (i, &v) in row.iter().enumerate() {
        if v > row[best] {
            best = i;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests;
