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
//!
//! The best candidate by test labels from away, which nobody would have, is reported next to it. Labels at home are not weighted by importance (Sugiyama
//! et al. 2007): that needs features, which sources with heads of their own do not give.

use serde::{Deserialize, Serialize};

use super::between::Between;
use super::{Pair, ShiftRow};
use crate::dataset::{Column, Split, Values};
use crate::probe::largest;
use crate::text::{aligned, short};

/// How far below the source alone a candidate may be at home.
const LOSS: f64 = 0.02;
/// Share of the effective number of classes at home, both less 1, below which answers have collapsed.
const COLLAPSED: f64 = 0.5;

/// What was chosen for one pair of domains.
///
/// ```
/// use hspace_core::shift::{Candidate, Choice};
///
/// let alone = Candidate { source: "supervised:cnn".into(), validation: 0.9, diversity: 2.1, entropy: 0.4, dropped: None };
/// let choice = Choice {
///     home: vec!["a".into()],
///     away: "b".into(),
///     chosen: alone.source.clone(),
///     oracle: alone.source.clone(),
///     candidates: vec![alone],
///     scores: [0.8, 0.8],
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
}

/// A source that could be chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name.
    pub source: String,
    /// Accuracy on labels at home that it did not learn from.
    pub validation: f64,
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
    /// Whether the source that learns at home alone was chosen.
    pub fn is_home_alone(&self) -> bool {
        let first = self.candidates.first();
        first.is_some_and(|first| first.source == self.chosen)
    }

    /// What was chosen, and what of each candidate was known, in a few lines.
    pub fn text(&self) -> String {
        let (home, away) = (self.home.join(" + "), &self.away);
        let verdict = match self.is_home_alone() {
            true => ", adaptation does not help here",
            false => "",
        };
        let mut text = format!(
            "chosen from {home} to {away} without a label from {away}: {}{verdict} ({}; the best in hindsight: {}, {})\n",
            self.chosen,
            short(self.scores[0]),
            self.oracle,
            short(self.scores[1])
        );
        let head = [
            "candidate",
            "validation at home",
            "diversity",
            "entropy",
            "information",
            "",
        ];
        let mut lines = vec![head.map(String::from).to_vec()];
        for candidate in &self.candidates {
            lines.push(vec![
                candidate.source.clone(),
                short(candidate.validation),
                short(candidate.diversity),
                short(candidate.entropy),
                short(candidate.information()),
                candidate.dropped.clone().unwrap_or_default(),
            ]);
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
    /// Class of each row; of those away none is read.
    index: &'a [Option<u32>],
    classes: usize,
    /// Labelled rows at home that no source learned from.
    validation: Vec<usize>,
    /// Training rows away.
    unlabelled: Vec<usize>,
    /// Effective number of classes of the labels at home.
    classes_at_home: f64,
}

impl<'a> Evidence<'a> {
    fn new(between: &Between<'_>, pair: &Pair, task: &'a Column, split: &[Split]) -> Option<Self> {
        let Values::Classes { names, index } = &task.values else {
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
        let is_enough = !validation.is_empty() && !unlabelled.is_empty();
        is_enough.then(|| Evidence {
            index,
            classes: names.len(),
            validation,
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
        let (mut right, mut mean, mut sum) = (0.0, vec![0.0; self.classes], 0.0);
        for answers in &answers {
            for row in &self.validation {
                let said = largest(answers.get(row)?);
                right += f64::from(u8::from(self.index[*row] == Some(said)));
            }
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
            validation: right / (answers.len() * self.validation.len()) as f64,
            diversity: entropy(&mean),
            entropy: sum / away,
            dropped: None,
        })
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

/// Chooses for one pair of domains, whose measurements are `rows`; `None` where no source adapts, nothing is known of what learns at home alone, or there
/// are no labels to choose by.
pub(super) fn choose(
    between: &Between<'_>,
    pair: &Pair,
    rows: &[ShiftRow],
    task: &Column,
    split: &[Split],
) -> Option<Choice> {
    let evidence = Evidence::new(between, pair, task, split)?;
    let learners = between.learners();
    let adapting = || learners.iter().filter(|l| l.1).map(|l| l.0.as_str());
    let plain = |name: &str| learners.iter().any(|l| l.0 == name && !l.1);
    let alone = adapting().find_map(|name| between.reference(name).filter(|name| plain(name)))?;
    let mut candidates = vec![evidence.candidate(between, pair, alone, false)?];
    candidates.extend(adapting().filter_map(|name| evidence.candidate(between, pair, name, true)));
    let alone = candidates[0].clone();
    for candidate in &mut candidates[1..] {
        candidate.dropped = evidence.fault(candidate, &alone);
    }
    // The first of equals: the source alone.
    let open = candidates.iter().filter(|c| c.dropped.is_none());
    let better = |best, c: &'_ Candidate| -> bool {
        let best: &Candidate = best;
        c.information() > best.information()
    };
    let chosen = open.reduce(|best, c| if better(best, c) { c } else { best })?;
    let most = rows.iter().map(|row| row.labels).max()?;
    let score = |source: &str| {
        let mut own = rows.iter();
        let own = own.find(|row| row.source == source && row.labels == most);
        own.map(|row| row.score.mean)
    };
    let hindsight = |c: &Candidate| score(&c.source).unwrap_or(f64::NEG_INFINITY);
    let oracle = candidates
        .iter()
        .max_by(|a, b| hindsight(a).total_cmp(&hindsight(b)))?;
    Some(Choice {
        home: between.domains.named(&pair.home),
        away: between.domains.named(&[pair.away]).concat(),
        chosen: chosen.source.clone(),
        oracle: oracle.source.clone(),
        scores: [score(&chosen.source)?, score(&oracle.source)?],
        candidates,
    })
}
