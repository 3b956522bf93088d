//! What the head of a semi-supervised training answers for the unlabelled samples, compared with the labels: said where they differ.
//!
//! Every semi-supervised method assumes that unlabelled samples are of the classes of the labels, and most that they are as often of each. Neither can be
//! read off a loss: a network that takes everything for the largest class, or samples of no class for one of them, learns from its own answers without
//! a complaint.

use super::Trained;
use crate::embed::embed;
use crate::head;
use crate::job::Job;
use crate::matrix::spaced;
use crate::objective::learns_from_labels;
use crate::warning::{Warning, WarningKind};

/// Unlabelled samples that are asked for at most, spread over all.
const MOST: usize = 2000;
/// Labels of the most frequent class, per label of the rarest, from which labels are unbalanced.
const UNBALANCED: usize = 4;
/// Total variation distance between the shares of the classes among answers and labels from which they differ.
const DIFFERENT: f64 = 0.25;
/// Share of unlabelled samples below the threshold from which that is said.
const UNSURE: f64 = 0.5;
/// Classes that are named at most.
const NAMED: usize = 5;

impl Job<'_> {
    /// What the head that was trained answers for unlabelled samples that may mislead the training; empty of an objective that sees none, and where there
    /// are none, or none that can be read.
    pub(super) fn unlabelled_warnings(&self, trained: &Trained) -> Vec<Warning> {
        let Some((names, index)) = self.spec.classes() else {
            return vec![];
        };
        if !self.objective.answers() || learns_from_labels(&*self.objective) {
            return vec![];
        }
        let is_unlabelled = |&&row: &&usize| !self.spec.labelled(row);
        let rows: Vec<usize> = self.rows.iter().filter(is_unlabelled).copied().collect();
        let rows: Vec<usize> = spaced(rows.len(), MOST).iter().map(|&i| rows[i]).collect();
        let nowhere = (String::new(), String::new());
        let task = self.config.label.clone();
        let Some(head) = head::of_weights(&trained.model, &self.describe(), task, nowhere) else {
            return vec![];
        };
        let (encoder, views, device) = self.encoder();
        let weights = &trained.encoder;
        let found = embed(
            encoder,
            weights,
            views,
            self.dataset,
            &rows,
            device,
            &mut |_| (),
        );
        let Ok(answers) = found.and_then(|found| head.answer(&found.features)) else {
            return vec![];
        };
        let mut labels = vec![0; names.len()];
        let known = index.iter().flatten();
        known.for_each(|&class| labels[class as usize] += 1);
        let compared = Compared {
            names,
            labels,
            answers: &answers,
            is_balanced: self.config.train.balance_classes,
        };
        let unsure = self.objective.confidence_threshold();
        let unsure = unsure.and_then(|threshold| compared.unsure(threshold));
        compared.shares().into_iter().chain(unsure).collect()
    }
}

/// Labels, and answers for unlabelled samples.
struct Compared<'a> {
    names: &'a [String],
    /// Labels of each class.
    labels: Vec<usize>,
    /// Probabilities `[n, classes]`.
    answers: &'a [f64],
    /// Whether each class is shown as often, so that unbalanced labels draw no answers to them.
    is_balanced: bool,
}

impl Compared<'_> {
    /// The probability of the most probable class of each sample, and that class.
    fn best(&self) -> impl Iterator<Item = (f64, usize)> {
        self.answers.chunks_exact(self.names.len()).map(|row| {
            let largest = |best: (f64, usize), (class, &p): (usize, &f64)| match p > best.0 {
                true => (p, class),
                false => best,
            };
            row.iter().enumerate().fold((f64::MIN, 0), largest)
        })
    }

    /// Says how the classes are shared among answers and labels, where labels are unbalanced or the shares differ.
    fn shares(&self) -> Option<Warning> {
        let mut taken = vec![0usize; self.names.len()];
        self.best().for_each(|(_, class)| taken[class] += 1);
        let samples: usize = taken.iter().sum();
        let known: usize = self.labels.iter().sum();
        if samples == 0 || known == 0 {
            return None;
        }
        let share = |count: usize, of: usize| count as f64 / of as f64;
        let classes = 0..self.names.len();
        let difference = |c: usize| (share(taken[c], samples) - share(self.labels[c], known)).abs();
        let distance: f64 = classes.clone().map(difference).sum::<f64>() / 2.0;
        let present = || self.labels.iter().copied().filter(|&n| n > 0);
        let (most, least) = (present().max()?, present().min()?);
        let is_unbalanced = most >= UNBALANCED * least && !self.is_balanced;
        if !is_unbalanced && distance <= DIFFERENT {
            return None;
        }
        let mut order: Vec<usize> = classes.collect();
        order.sort_by(|&a, &b| difference(b).total_cmp(&difference(a)));
        let of = |&c: &usize| {
            format!(
                "`{}` {:.0} % and {:.0} %",
                self.names[c],
                100.0 * share(taken[c], samples),
                100.0 * share(self.labels[c], known)
            )
        };
        let named: Vec<String> = order.iter().take(NAMED).map(of).collect();
        let others = match order.len() > NAMED {
            true => ", …",
            false => "",
        };
        let advice = match is_unbalanced {
            true => {
                "Labels are unbalanced, which draws unlabelled samples to the classes with many: train.balance_classes=true shows the labels of each class \
                 as often"
            }
            false => {
                "If unlabelled samples are in truth as often of each class as the labels, the network teaches itself wrong answers: give more labels, or \
                 compare with objective supervised"
            }
        };
        let text = format!(
            "shares of the classes among the answers for {samples} unlabelled samples and among the {known} labels: {}{others}. {advice}",
            named.join(", ")
        );
        Some(Warning::new(WarningKind::ClassShares, text))
    }

    /// Says how many unlabelled samples are never taken for a class, where they are many.
    fn unsure(&self, threshold: f64) -> Option<Warning> {
        let samples = self.best().count();
        let unsure = self.best().filter(|(p, _)| *p < threshold).count();
        let share = unsure as f64 / samples.max(1) as f64;
        (share > UNSURE).then(|| {
            let text = format!(
                "{:.0} % of {samples} unlabelled samples are of no class with a probability of {threshold} or more, so they teach it nothing any more: they \
                 may be of none of the {} classes, and then others like them are taken for one. Leave samples of other classes out; if there \
                 are none, train longer (train.steps) or give more labels",
                100.0 * share,
                self.names.len()
            );
            Warning::new(WarningKind::UnsureAnswers, text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared<'a>(names: &'a [String], labels: &[usize], answers: &'a [f64]) -> Compared<'a> {
        Compared {
            names,
            labels: labels.to_vec(),
            answers,
            is_balanced: false,
        }
    }

    #[test]
    fn shares_are_said_where_labels_are_unbalanced_or_answers_differ() {
        let names = ["cat", "dog"].map(String::from);
        let even = [0.9, 0.1, 0.2, 0.8, 0.7, 0.3, 0.4, 0.6];
        let said = |labels: &[usize], answers: &[f64]| {
            let found = compared(&names, labels, answers).shares();
            found.map(|warning| warning.text)
        };
        assert_eq!(said(&[4, 4], &even), None);
        assert_eq!(said(&[5, 4], &even), None);
        let unbalanced = said(&[8, 2], &even).expect("a warning");
        assert!(unbalanced.contains("`cat` 50 % and 80 %"), "{unbalanced}");
        assert!(unbalanced.contains("train.balance_classes"), "{unbalanced}");
        let cats = [0.9, 0.1].repeat(4);
        let differ = said(&[4, 4], &cats).expect("a warning");
        assert!(differ.contains("`cat` 100 % and 50 %"), "{differ}");
        assert!(!differ.contains("balance_classes"), "{differ}");
        assert_eq!(said(&[4, 4], &[]), None);
        let balanced = Compared {
            is_balanced: true,
            ..compared(&names, &[4, 1], &even[..4])
        };
        // The shares differ by .3.
        let text = balanced.shares().expect("a warning").text;
        assert!(!text.contains("balance_classes"), "{text}");
    }

    #[test]
    fn a_class_without_labels_does_not_make_them_unbalanced() {
        let names = ["cat", "dog", "owl"].map(String::from);
        let answers = [0.9, 0.1, 0.0, 0.1, 0.9, 0.0];
        let found = compared(&names, &[4, 4, 0], &answers).shares();
        assert_eq!(found, None);
    }

    #[test]
    fn samples_below_the_threshold_are_counted() {
        let names = ["cat", "dog"].map(String::from);
        let answers = [0.6, 0.4, 0.99, 0.01, 0.3, 0.7, 0.1, 0.9];
        let compared = compared(&names, &[1, 1], &answers);
        let text = compared.unsure(0.95).expect("a warning").text;
        assert!(text.starts_with("75 % of 4 unlabelled samples"), "{text}");
        // One half and less are not said: labels are few, and trainings short.
        assert_eq!(compared.unsure(0.65), None);
    }
}
