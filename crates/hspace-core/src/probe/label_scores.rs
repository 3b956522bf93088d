//! How good answers are where a sample has several labels: each label's probability against the truth.
//!
//! Definitions follow scikit-learn's `metrics`: `roc_auc_score`, `average_precision_score`, `f1_score` and
//! `accuracy_score` of an indicator matrix. Means over labels are over those for which the measure is defined.

use rayon::prelude::*;

use super::scores::{Answers, auroc, ranked, ratio, sides};

/// Names of the measures of label sets, in the order of their values.
pub const LABEL_SET_SCORES: [&str; 4] = [
    "macro_auroc",
    "macro_average_precision",
    "macro_f1",
    "subset_accuracy",
];

/// Probability above which a label is answered.
const THRESHOLD: f64 = 0.5;

/// Probabilities of labels, with the true sets.
pub struct LabelAnswers<'a> {
    /// `[n, labels]`
    probabilities: &'a [f64],
    labels: usize,
    /// `[n, labels]`
    truth: Vec<bool>,
    samples: usize,
    /// For each label, the samples by rising probability.
    ranking: Vec<Vec<u32>>,
}

impl<'a> LabelAnswers<'a> {
    /// `probabilities` `[n, labels]` in 0..=1, and the true sets `[n]` of labels.
    pub fn new(probabilities: &'a [f64], sets: &[Vec<u32>], labels: usize) -> Self {
        let mut truth = vec![false; sets.len() * labels];
        for (i, set) in sets.iter().enumerate() {
            for &label in set {
                truth[i * labels + label as usize] = true;
            }
        }
        let ranking = (0..labels)
            .into_par_iter()
            .map(|label| ranked(sets.len(), |i| probabilities[i as usize * labels + label]))
            .collect();
        LabelAnswers {
            probabilities,
            labels,
            truth,
            samples: sets.len(),
            ranking,
        }
    }

    /// Where the AUROC of `label` is among the values of [`Answers::scores`].
    pub fn auroc_place(label: usize) -> usize {
        LABEL_SET_SCORES.len() + 2 * label
    }

    /// Where the average precision of `label` is among the values of [`Answers::scores`].
    pub fn average_precision_place(label: usize) -> usize {
        LABEL_SET_SCORES.len() + 2 * label + 1
    }

    /// (AUROC, average precision); `None` where all samples have `label` or none has.
    fn ranking_scores(&self, label: usize, weights: &[f64]) -> (Option<f64>, Option<f64>) {
        let score = |i: u32| self.probabilities[i as usize * self.labels + label];
        let positive = |i: u32| self.truth[i as usize * self.labels + label];
        let order = &self.ranking[label];
        let area = auroc(order, score, positive, weights);
        let (positives, _) = sides(order, positive, weights);
        let (mut found, mut other, mut precision) = (0.0, 0.0, 0.0);
        // From the highest score down: each positive counts with the precision at its threshold.
        for tied in order.chunk_by(|a, b| score(*a) == score(*b)).rev() {
            let (above, below) = sides(tied, positive, weights);
            found += above;
            other += below;
            if above > 0.0 {
                precision += above / positives * (found / (found + other));
            }
        }
        (area, area.map(|_| precision))
    }

    fn f1(&self, label: usize, weights: &[f64]) -> Option<f64> {
        let (mut right, mut total) = (0.0, 0.0);
        for (i, &w) in weights.iter().enumerate() {
            let at = i * self.labels + label;
            let answered = self.probabilities[at] > THRESHOLD;
            right += w * f64::from(u8::from(answered && self.truth[at]));
            total += w * f64::from(u8::from(answered) + u8::from(self.truth[at]));
        }
        ratio(2.0 * right, total)
    }
}

impl Answers for LabelAnswers<'_> {
    fn len(&self) -> usize {
        self.samples
    }

    /// [`LABEL_SET_SCORES`], then the AUROC and the average precision of each label.
    fn scores(&self, weights: &[f64]) -> Vec<Option<f64>> {
        let by_label: Vec<_> = (0..self.labels)
            .map(|label| self.ranking_scores(label, weights))
            .collect();
        let mean = |values: Vec<f64>| ratio(values.iter().sum(), values.len() as f64);
        let exact = |i: usize| {
            let own = i * self.labels..(i + 1) * self.labels;
            let mut pairs = self.probabilities[own.clone()].iter().zip(&self.truth[own]);
            pairs.all(|(&p, &truth)| (p > THRESHOLD) == truth)
        };
        let right: f64 = (0..self.samples)
            .filter(|&i| exact(i))
            .map(|i| weights[i])
            .sum();
        let mut scores = vec![
            mean(by_label.iter().filter_map(|s| s.0).collect()),
            mean(by_label.iter().filter_map(|s| s.1).collect()),
            mean(
                (0..self.labels)
                    .filter_map(|l| self.f1(l, weights))
                    .collect(),
            ),
            ratio(right, weights.iter().sum()),
        ];
        scores.extend(by_label.into_iter().flat_map(|s| [s.0, s.1]));
        scores
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Golden {
        labels: usize,
        sets: Vec<Vec<u32>>,
        scored: Vec<f64>,
        scores: Vec<f64>,
        aurocs: Vec<f64>,
        average_precisions: Vec<f64>,
        weights: Vec<f64>,
        weighted_aurocs: Vec<f64>,
        weighted_average_precisions: Vec<f64>,
    }

    #[test]
    fn measures_are_those_of_scikit_learn_with_ties_and_weights() -> serde_json::Result<()> {
        let golden: Golden =
            serde_json::from_str(include_str!("../../tests/golden/probe_label_sets.json"))?;
        let answers = LabelAnswers::new(&golden.scored, &golden.sets, golden.labels);
        let is = |ours: Option<f64>, theirs: f64, what: &str| {
            let close = ours.is_some_and(|ours| (ours - theirs).abs() < 1e-10);
            assert!(close, "{what}: {ours:?} {theirs}");
        };
        let plain = answers.plain();
        for (name, (ours, theirs)) in LABEL_SET_SCORES
            .iter()
            .zip(plain.iter().zip(&golden.scores))
        {
            is(*ours, *theirs, name);
        }
        let weighted = answers.scores(&golden.weights);
        for label in 0..golden.labels {
            let (area, precision) = (
                LabelAnswers::auroc_place(label),
                LabelAnswers::average_precision_place(label),
            );
            is(plain[area], golden.aurocs[label], "auroc");
            is(plain[precision], golden.average_precisions[label], "ap");
            is(
                weighted[area],
                golden.weighted_aurocs[label],
                "auroc, weighted",
            );
            let theirs = golden.weighted_average_precisions[label];
            is(weighted[precision], theirs, "ap, weighted");
        }
        Ok(())
    }

    #[test]
    fn a_label_without_both_kinds_is_left_out_of_the_means() {
        // Label 1 is in no sample, label 2 in all.
        let probabilities = [0.9, 0.1, 0.8, 0.2, 0.6, 0.7, 0.4, 0.3, 0.9];
        let sets = [vec![0, 2], vec![2], vec![2]];
        let scores = LabelAnswers::new(&probabilities, &sets, 3).plain();
        assert_eq!(
            scores[..4],
            [Some(1.0), Some(1.0), Some(2.0 / 3.0), Some(2.0 / 3.0)]
        );
        assert_eq!(scores[4..], [Some(1.0), Some(1.0), None, None, None, None]);
        let constant = LabelAnswers::new(&[0.5; 4], &[vec![0], vec![], vec![], vec![]], 1).plain();
        assert_eq!(constant[..2], [Some(0.5), Some(0.25)]);
        assert_eq!(constant[2..4], [Some(0.0), Some(0.75)]);
    }
}
