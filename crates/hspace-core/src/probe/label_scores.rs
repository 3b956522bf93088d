//! How good answers are where a sample has several labels, and what each test sample contributes.
//!
//! Definitions follow scikit-learn's `metrics`: `roc_auc_score`, `average_precision_score`, `f1_score` and
//! `accuracy_score` of an indicator matrix. Means over labels are over those for which the measure is defined.

use rayon::prelude::*;

use super::scores::{Answers, Score, auroc, ranked, ratio};

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

    /// Area under the precision-recall curve of `label`; `None` where all samples have it or none has.
    fn average_precision(&self, label: usize) -> Option<Score> {
        let n = self.samples;
        let score = |i: u32| self.probabilities[i as usize * self.labels + label];
        let positive = |i: &u32| self.truth[*i as usize * self.labels + label];
        let order = &self.ranking[label];
        let positives = order.iter().filter(|i| positive(i)).count() as f64;
        if positives == 0.0 || positives == n as f64 {
            return None;
        }
        // From the highest score down: each positive counts with the precision at its threshold.
        let (mut found, mut seen, mut value) = (0.0, 0.0, 0.0);
        let tied: Vec<&[u32]> = order.chunk_by(|a, b| score(*a) == score(*b)).collect();
        let mut thresholds = Vec::with_capacity(tied.len());
        for tied in tied.iter().rev() {
            let above = tied.iter().filter(|i| positive(i)).count() as f64;
            found += above;
            seen += tied.len() as f64;
            value += above / positives * (found / seen);
            thresholds.push((above, found, seen));
        }
        // From the lowest up: a sample changes the precision at its own threshold and at all below.
        let mut influence = vec![0.0; n];
        let (mut per_positive, mut per_sample) = (0.0, 0.0);
        for (tied, (above, found, seen)) in tied.iter().zip(thresholds.into_iter().rev()) {
            per_positive += above / seen;
            per_sample += above * found / (seen * seen);
            for i in *tied {
                let own = match positive(i) {
                    true => found / seen - value + per_positive,
                    false => 0.0,
                };
                influence[*i as usize] = n as f64 / positives * (own - per_sample);
            }
        }
        Some(Score { value, influence })
    }

    fn f1(&self, label: usize) -> Option<Score> {
        let pair = |i: usize| {
            let at = i * self.labels + label;
            [self.probabilities[at] > THRESHOLD, self.truth[at]].map(|x| f64::from(u8::from(x)))
        };
        let (mut right, mut total) = (0.0, 0.0);
        for [said, is] in (0..self.samples).map(pair) {
            right += said * is;
            total += said + is;
        }
        let value = ratio(2.0 * right, total)?;
        let influence = (0..self.samples).map(pair).map(|[said, is]| {
            self.samples as f64 / total * (2.0 * said * is - value * (said + is))
        });
        Some(Score {
            value,
            influence: influence.collect(),
        })
    }
}

impl Answers for LabelAnswers<'_> {
    /// [`LABEL_SET_SCORES`], then the AUROC and the average precision of each label.
    fn scores(&self) -> Vec<Option<Score>> {
        let area = |label: usize| {
            let score = |i: u32| self.probabilities[i as usize * self.labels + label];
            let positive = |i: u32| self.truth[i as usize * self.labels + label];
            auroc(&self.ranking[label], score, positive)
        };
        let by_label: Vec<[Option<Score>; 2]> = (0..self.labels)
            .map(|label| [area(label), self.average_precision(label)])
            .collect();
        let mean = |place: usize| Score::average(by_label.iter().map(|own| own[place].clone()));
        let exact = |i: usize| {
            let own = i * self.labels..(i + 1) * self.labels;
            let mut pairs = self.probabilities[own.clone()].iter().zip(&self.truth[own]);
            f64::from(u8::from(pairs.all(|(&p, &truth)| (p > THRESHOLD) == truth)))
        };
        let mut scores = vec![
            mean(0),
            mean(1),
            Score::average((0..self.labels).map(|label| self.f1(label))),
            Score::mean_of((0..self.samples).map(exact)),
        ];
        scores.extend(by_label.into_iter().flatten());
        scores
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{deviation, variance};
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    #[derive(serde::Deserialize)]
    struct Golden {
        labels: usize,
        sets: Vec<Vec<u32>>,
        scored: Vec<f64>,
        scores: Vec<f64>,
        aurocs: Vec<f64>,
        average_precisions: Vec<f64>,
    }

    fn values(answers: &LabelAnswers<'_>) -> Vec<Option<f64>> {
        answers
            .scores()
            .into_iter()
            .map(|s| s.map(|s| s.value))
            .collect()
    }

    #[test]
    fn measures_are_those_of_scikit_learn_with_ties() -> serde_json::Result<()> {
        let golden: Golden =
            serde_json::from_str(include_str!("../../tests/golden/probe_label_sets.json"))?;
        let answers = LabelAnswers::new(&golden.scored, &golden.sets, golden.labels);
        let is = |ours: Option<f64>, theirs: f64, what: &str| {
            let close = ours.is_some_and(|ours| (ours - theirs).abs() < 1e-10);
            assert!(close, "{what}: {ours:?} {theirs}");
        };
        let found = values(&answers);
        for (name, (ours, theirs)) in LABEL_SET_SCORES
            .iter()
            .zip(found.iter().zip(&golden.scores))
        {
            is(*ours, *theirs, name);
        }
        for label in 0..golden.labels {
            is(
                found[LabelAnswers::auroc_place(label)],
                golden.aurocs[label],
                "auroc",
            );
            let place = LabelAnswers::average_precision_place(label);
            is(found[place], golden.average_precisions[label], "ap");
        }
        Ok(())
    }

    /// Scores with ties; two labels.
    #[test]
    fn influences_agree_with_the_bootstrap() {
        let n = 400;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let scored: Vec<f64> = (0..2 * n)
            .map(|_| f64::from(random.random_range(0..40u8)) / 40.0)
            .collect();
        let mut has = |place: usize| random.random::<f64>() < 0.1 + 0.6 * scored[place];
        let sets: Vec<Vec<u32>> = (0..n)
            .map(|i| (0..2u32).filter(|l| has(2 * i + *l as usize)).collect())
            .collect();
        let of = |rows: &[usize]| {
            let p: Vec<f64> = rows
                .iter()
                .flat_map(|&i| [scored[2 * i], scored[2 * i + 1]])
                .collect();
            let sets: Vec<Vec<u32>> = rows.iter().map(|&i| sets[i].clone()).collect();
            LabelAnswers::new(&p, &sets, 2).scores()
        };
        let whole = of(&(0..n).collect::<Vec<usize>>());
        let resampled: Vec<Vec<Option<Score>>> = (0..1000)
            .map(|_| {
                of(&(0..n)
                    .map(|_| random.random_range(0..n))
                    .collect::<Vec<usize>>())
            })
            .collect();
        for (m, score) in whole.iter().enumerate() {
            let score = score.as_ref().unwrap();
            assert!(
                score.influence.iter().sum::<f64>().abs() < 1e-9,
                "measure {m}"
            );
            let error = (variance(&score.influence) / n as f64).sqrt();
            let drawn: Vec<f64> = resampled
                .iter()
                .filter_map(|s| Some(s[m].as_ref()?.value))
                .collect();
            let ratio = error / deviation(&drawn);
            assert!((0.92..1.08).contains(&ratio), "measure {m}: {ratio}");
        }
    }

    #[test]
    fn a_label_without_both_kinds_is_left_out_of_the_means() {
        // Label 1 is in no sample, label 2 in all.
        let probabilities = [0.9, 0.1, 0.8, 0.2, 0.6, 0.7, 0.4, 0.3, 0.9];
        let sets = [vec![0, 2], vec![2], vec![2]];
        let scores = values(&LabelAnswers::new(&probabilities, &sets, 3));
        assert_eq!(
            scores[..4],
            [Some(1.0), Some(1.0), Some(2.0 / 3.0), Some(2.0 / 3.0)]
        );
        assert_eq!(scores[4..], [Some(1.0), Some(1.0), None, None, None, None]);
        let constant = values(&LabelAnswers::new(
            &[0.5; 4],
            &[vec![0], vec![], vec![], vec![]],
            1,
        ));
        assert_eq!(constant[..2], [Some(0.5), Some(0.25)]);
        assert_eq!(constant[2..4], [Some(0.0), Some(0.75)]);
    }
}
