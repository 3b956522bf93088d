//! Which source to take away, without a label from there.
//!
//! Accuracy at home does not say it, and the loss of a method that adapts says less. The rule:
//!
//! 1. Labels at home that no source learned from, the val split's or a tenth that is held out, measure each candidate; one that is more than .02 below
//!    the source that learns at home alone is dropped.
//! 2. Of a candidate's probabilities p for unlabelled training samples from away, `D = H(mean p)` is their diversity, and `exp D` the effective number of
//!    classes: one that has less than half as many beyond the first as the labels at home takes nearly everything for a few classes, and is dropped.
//! 3. Of the others the one with the largest `D − mean H(p)` is chosen: answers that are sure one by one and diverse together (the mutual information of
//!    sample and answer; Bridle et al. 1991). The source that learns at home alone is always a candidate, and chosen when no other is ahead of it.
//! 4. Candidates within .05 nats of the largest are as good by that rule. Of these the one with the highest accuracy at home is chosen, each sample weighted by how
//!    much more common it is away ([`importance`]). The weights need features that do not depend on labels, so this step is left out where no such source is
//!    measured, or where the domains hardly overlap in its features.
//! 5. A few labels from away, where they are given, can refuse the choice in favour of the source that learns at home alone, and rank nothing ([`veto`]).
//!
//! The best candidate by test labels from away, which nobody would have, is reported next to it.

mod importance;
mod veto;

use serde::{Deserialize, Serialize};

use super::between::{Between, RowAnswers};
use super::{Pair, ShiftRow};
use crate::dataset::{Column, Split, Values};
use crate::error::Result;
use crate::probe::largest;
use crate::text::{aligned, short};
pub use veto::Veto;

/// How far below the source alone a candidate may be at home.
const LOSS: f64 = 0.02;
/// Share of the effective number of classes at home, both less 1, below which answers have collapsed.
const COLLAPSED: f64 = 0.5;
/// Difference of information, in nats, up to which candidates are as good.
const TIE: f64 = 0.05;

/// What was chosen for one pair of domains.
///
/// ```
/// use hspace_core::shift::{Candidate, Choice};
///
/// let alone = Candidate {
///     source: "supervised:cnn".into(),
///     validation: 0.9,
///     weighted: None,
///     diversity: 2.1,
///     entropy: 0.4,
///     dropped: None,
/// };
/// let choice = Choice {
///     home: vec!["a".into()],
///     away: "b".into(),
///     chosen: alone.source.clone(),
///     oracle: alone.source.clone(),
///     candidates: vec![alone],
///     scores: [0.8, 0.8],
///     veto: None,
/// };
/// assert!(choice.is_home_alone() && choice.text().contains("adaptation does not help here"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The domains whose labels were learned from.
    pub home: Vec<String>,
    /// The domain without labels.
    pub away: String,
    /// All candidates, the source that learns at home alone first.
    pub candidates: Vec<Candidate>,
    /// Name of the chosen one.
    pub chosen: String,
    /// Name of the best by test labels from away.
    pub oracle: String,
    /// Score of the chosen one on test samples away, and of the best.
    pub scores: [f64; 2],
    /// What labels from away say of the one that was chosen without them, where there are some and it is not the source alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub veto: Option<Veto>,
}

/// A source that could be chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name.
    pub source: String,
    /// Accuracy on labels at home that it did not learn from.
    pub validation: f64,
    /// The same with samples weighted by how much more common they are away, where weights are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weighted: Option<f64>,
    /// H(mean p) of the answers away, in nats.
    pub diversity: f64,
    /// Mean H(p) of the answers away, in nats.
    pub entropy: f64,
    /// Why it is no candidate any more, if so.
    pub dropped: Option<String>,
}

impl Candidate {
    /// D − mean H(p), in nats.
    fn information(&self) -> f64 {
        self.diversity - self.entropy
    }
}

impl Choice {
    /// Whether a candidate's accuracy at home is known with importance weights.
    pub(crate) fn is_weighted(&self) -> bool {
        self.candidates.iter().any(|c| c.weighted.is_some())
    }

    /// Whether the source that learns at home alone was chosen.
    pub fn is_home_alone(&self) -> bool {
        let first = self.candidates.first();
        first.is_some_and(|first| first.source == self.chosen)
    }

    /// What was chosen, and what of each candidate was known, in a few lines.
    pub fn text(&self) -> String {
        let (home, away) = (self.home.join(" + "), &self.away);
        let scores = format!(
            "{}; the best in hindsight: {}, {}",
            short(self.scores[0]),
            self.oracle,
            short(self.scores[1])
        );
        let mut text = match &self.veto {
            Some(veto) if veto.is_refused() => format!(
                "chosen from {home} to {away}: {}, since {}, chosen without a label from {away}, is refused ({scores})\n",
                self.chosen, veto.source
            ),
            _ => {
                let verdict = match self.is_home_alone() {
                    true => ", adaptation does not help here",
                    false => "",
                };
                format!(
                    "chosen from {home} to {away} without a label from {away}: {}{verdict} ({scores})\n",
                    self.chosen
                )
            }
        };
        if let Some(veto) = &self.veto {
            text += &format!("{}\n", veto.text());
        }
        let weighted = self.is_weighted();
        let mut head = vec!["candidate", "validation at home"];
        head.extend(weighted.then_some("weighted"));
        head.extend(["diversity", "entropy", "information", ""]);
        let mut lines = vec![head.into_iter().map(String::from).collect::<Vec<_>>()];
        for candidate in &self.candidates {
            let mut line = vec![candidate.source.clone(), short(candidate.validation)];
            line.extend(weighted.then(|| candidate.weighted.map_or("–".to_owned(), short)));
            line.extend([
                short(candidate.diversity),
                short(candidate.entropy),
                short(candidate.information()),
                candidate.dropped.clone().unwrap_or_default(),
            ]);
            lines.push(line);
        }
        text += &aligned(&lines);
        text
    }
}

/// H of shares, in nats.
fn entropy(p: &[f64]) -> f64 {
    let terms = p.iter().filter(|&&x| x > 0.0).map(|x| -x * x.ln());
    terms.sum()
}

/// What candidates are compared by.
struct Evidence<'a> {
    /// Class of each row; of those away none is read, but for a veto.
    index: &'a [Option<u32>],
    classes: usize,
    /// Labelled rows at home that no source learned from.
    validation: Vec<usize>,
    /// How much each of them counts away, where that is known.
    weights: Option<Vec<f64>>,
    /// Training rows away.
    unlabelled: Vec<usize>,
    /// Effective number of classes of the labels at home.
    classes_at_home: f64,
}

impl<'a> Evidence<'a> {
    fn new(between: &Between<'_>, pair: &Pair, samples: &Samples<'a>) -> Option<Self> {
        let split = samples.split;
        let Values::Classes { names, index } = &samples.task.values else {
            return None;
        };
        let [home, away] = [&pair.home[..], &[pair.away]].map(|d| between.domains.rows(d));
        let rows = |is: &dyn Fn(usize) -> bool| -> Vec<usize> {
            (0..index.len()).filter(|&row| is(row)).collect()
        };
        let is_kept = |row: usize| split[row] == Split::Val || between.held_out[row];
        let validation = rows(&|row| home[row] && index[row].is_some() && is_kept(row));
        let unlabelled = rows(&|row| away[row] && split[row] == Split::Train);
        let mut mix = vec![0.0; names.len()];
        for row in rows(&|row| home[row] && split[row] == Split::Train) {
            if let Some(class) = index[row] {
                mix[class as usize] += 1.0;
            }
        }
        let total: f64 = mix.iter().sum();
        mix.iter_mut().for_each(|share| *share /= total.max(1.0));
        if validation.is_empty() || unlabelled.is_empty() {
            return None;
        }
        let learned: Vec<bool> = (0..home.len())
            .map(|row| home[row] && !between.held_out[row])
            .collect();
        let weights = between
            .features()
            .and_then(|r| importance::weights(r, [&learned, &away], &validation, between.options));
        Some(Evidence {
            index,
            classes: names.len(),
            validation,
            weights,
            unlabelled,
            classes_at_home: entropy(&mix).exp(),
        })
    }

    /// A source by its answers, a mean over sets of labels; `None` where it did not answer for all rows.
    fn candidate(
        &self,
        between: &Between<'_>,
        pair: &Pair,
        source: &str,
        adapts: bool,
    ) -> Option<Candidate> {
        let answers = between.answers(source, pair, adapts);
        let right = self.right(&answers, &self.validation)?;
        let (mut mean, mut sum) = (vec![0.0; self.classes], 0.0);
        for answers in &answers {
            for row in &self.unlabelled {
                let p = answers.get(row)?;
                mean.iter_mut().zip(p).for_each(|(m, x)| *m += x);
                sum += entropy(p);
            }
        }
        let away = (answers.len() * self.unlabelled.len()) as f64;
        mean.iter_mut().for_each(|m| *m /= away);
        (!answers.is_empty()).then(|| Candidate {
            source: source.to_owned(),
            validation: right.iter().sum::<f64>() / right.len() as f64,
            weighted: self.weights.as_ref().map(|weights| {
                let weighted = right.iter().zip(weights).map(|(r, w)| r * w);
                weighted.sum::<f64>() / weights.iter().sum::<f64>()
            }),
            diversity: entropy(&mean),
            entropy: sum / away,
            dropped: None,
        })
    }

    /// The name of the source that learns at home alone, and all candidates, this one first; `None` where nothing is known of it.
    fn candidates(&self, between: &Between<'_>, pair: &Pair) -> Option<(String, Vec<Candidate>)> {
        let learners = between.learners();
        let adapting = || learners.iter().filter(|l| l.1).map(|l| l.0.as_str());
        let plain = |name: &str| learners.iter().any(|l| l.0 == name && !l.1);
        let name =
            adapting().find_map(|name| between.reference(name).filter(|name| plain(name)))?;
        let alone = self.candidate(between, pair, name, false)?;
        let mut all = vec![alone.clone()];
        for name in adapting() {
            all.extend(
                self.candidate(between, pair, name, true)
                    .map(|c| Candidate {
                        dropped: self.fault(&c, &alone),
                        ..c
                    }),
            );
        }
        Some((name.to_owned(), all))
    }

    /// How often each of `rows` is answered right, 0..=1, a mean over `answers`; `None` where one was not answered for.
    fn right(&self, answers: &[RowAnswers], rows: &[usize]) -> Option<Vec<f64>> {
        let one = |row: &usize| {
            let is_right = |answers: &RowAnswers| {
                let said = largest(answers.get(row)?);
                Some(f64::from(u8::from(self.index[*row] == Some(said))))
            };
            let all: Option<Vec<f64>> = answers.iter().map(is_right).collect();
            Some(crate::stats::mean(&all?))
        };
        rows.iter().map(one).collect()
    }

    /// Why a candidate is none any more, next to the source alone.
    fn fault(&self, candidate: &Candidate, alone: &Candidate) -> Option<String> {
        let reason = if alone.validation - candidate.validation > LOSS {
            "loses too much at home"
        } else if candidate.diversity.exp() - 1.0 < COLLAPSED * (self.classes_at_home - 1.0) {
            "takes nearly all samples for a few classes"
        } else {
            return None;
        };
        Some(format!("dropped: {reason}"))
    }
}

/// The first of the candidates that are still open for which `of` is largest.
fn first_largest<'a>(
    candidates: &[&'a Candidate],
    of: impl Fn(&Candidate) -> f64,
) -> Option<&'a Candidate> {
    let all = candidates.iter().copied();
    all.reduce(|best, c| if of(c) > of(best) { c } else { best })
}

/// The candidate with the most information; of those with about as much the one with the highest weighted accuracy, where all have one. Of equals the first,
/// the source alone, is taken.
fn best(candidates: &[Candidate]) -> Option<&Candidate> {
    let open: Vec<&Candidate> = candidates.iter().filter(|c| c.dropped.is_none()).collect();
    let most = first_largest(&open, Candidate::information)?;
    let is_tied = |c: &&&Candidate| most.information() - c.information() <= TIE;
    let tied: Vec<&Candidate> = open.iter().filter(is_tied).copied().collect();
    match tied.iter().all(|c| c.weighted.is_some()) {
        true => first_largest(&tied, |c| c.weighted.unwrap_or_default()),
        false => Some(most),
    }
}

/// The samples as a choice sees them.
pub(super) struct Samples<'a> {
    pub task: &'a Column,
    pub ids: &'a [String],
    pub split: &'a [Split],
}

/// Chooses for one pair of domains, whose measurements are `rows`; `None` where no source adapts, nothing is known of what learns at home alone, or there
/// are no labels to choose by. So many labels from away may refuse the choice, none if that is 0.
///
/// # Errors
/// When there are fewer labels from away than are to be looked at.
pub(super) fn choose(
    between: &Between<'_>,
    pair: &Pair,
    rows: &[ShiftRow],
    samples: &Samples<'_>,
    target_labels: usize,
) -> Result<Option<Choice>> {
    let away = between.domains.named(&[pair.away]).concat();
    let Some(evidence) = Evidence::new(between, pair, samples) else {
        return Ok(None);
    };
    let asked = match target_labels {
        0 => Vec::new(),
        count => {
            let is_away = between.domains.rows(&[pair.away]);
            let known = (samples.ids, samples.split);
            veto::labelled_rows(count, &away, &is_away, evidence.index, known)?
        }
    };
    let Some((alone, candidates)) = evidence.candidates(between, pair) else {
        return Ok(None);
    };
    let Some(chosen) = best(&candidates).map(|c| c.source.clone()) else {
        return Ok(None);
    };
    let right = |source: &str| {
        let answers = between.answers(source, pair, source != alone);
        evidence.right(&answers, &asked)
    };
    let veto = match asked.is_empty() || chosen == alone {
        true => None,
        false => right(&chosen)
            .zip(right(&alone))
            .map(|(own, other)| Veto::new(&chosen, &own, &other)),
    };
    let chosen = match veto.as_ref().is_some_and(Veto::is_refused) {
        true => alone,
        false => chosen,
    };
    let most = rows.iter().map(|row| row.labels).max();
    let score = |source: &str| {
        let is_own = |row: &&ShiftRow| row.source == source && Some(row.labels) == most;
        rows.iter().find(is_own).map(|row| row.score.mean)
    };
    let hindsight = |c: &Candidate| score(&c.source).unwrap_or(f64::NEG_INFINITY);
    let oracle = candidates
        .iter()
        .max_by(|a, b| hindsight(a).total_cmp(&hindsight(b)));
    let Some(oracle) = oracle.map(|c| c.source.clone()) else {
        return Ok(None);
    };
    let Some(scores) = score(&chosen).zip(score(&oracle)) else {
        return Ok(None);
    };
    Ok(Some(Choice {
        home: between.domains.named(&pair.home),
        away,
        chosen,
        oracle,
        scores: scores.into(),
        candidates,
        veto,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of made-up answers: information and weighted accuracy.
    fn candidate(source: &str, information: f64, weighted: Option<f64>) -> Candidate {
        Candidate {
            source: source.into(),
            validation: 0.9,
            weighted,
            diversity: 1.0 + information,
            entropy: 1.0,
            dropped: None,
        }
    }

    #[test]
    fn weighted_accuracy_decides_between_candidates_that_are_as_good_and_no_others() {
        let chosen = |all: &[Candidate]| best(all).map(|c| c.source.clone()).unwrap();
        let all = |weights: [Option<f64>; 3]| {
            let [alone, dann, mcc] = weights;
            vec![
                candidate("alone", 0.2, alone),
                candidate("dann", 0.52, dann),
                candidate("mcc", 0.55, mcc),
            ]
        };
        assert_eq!(chosen(&all([None; 3])), "mcc");
        assert_eq!(chosen(&all([Some(0.99), Some(0.9), Some(0.8)])), "dann");
        assert_eq!(chosen(&all([Some(0.99), Some(0.8), Some(0.8)])), "dann");
        let mut dropped = all([Some(0.99), Some(0.9), Some(0.8)]);
        dropped[1].dropped = Some("dropped: loses too much at home".into());
        assert_eq!(chosen(&dropped), "mcc");
    }
}
