//! Sources that learn from each draw of labels, and answer with their own head.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Instant;

use super::measure::Part;
use super::measure::pace::Schedule;
use crate::error::{Error, Result};
use crate::random::mix;

/// What a source may learn from, and what it is asked.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, Draw, HEAD, Labels, ProbeOptions, linear, measure};
///
/// // A source that learns from each draw of labels: here a softmax regression of its own.
/// let data = blobs("samples", 0.2);
/// let learner = Contender::PerDraw {
///     name: "mine".into(),
///     samples: Box::new(data.clone()),
///     origin: "softmax".into(),
///     draws: 3,
///     labels_alone: None,
///     answer: Box::new(|draw: &Draw<'_>| {
///         let labels: Vec<u32> = draw.labelled.iter().map(|&row| row as u32 % 3).collect();
///         let learned = linear::fit(&data.features.select(draw.labelled), &labels, 3, 100.0)?;
///         Ok(learned.probabilities(&data.features.select(draw.test)))
///     }),
/// };
/// let options = ProbeOptions { labels: vec![Labels::PerClass(5)], ..ProbeOptions::default() };
/// let found = measure(vec![learner], &options, "animals", &mut |_| ())?;
/// assert!(found.rows[0].probe == HEAD && found.rows[0].scores[0].1.mean > 0.9);
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Draw<'a> {
    /// Training rows whose labels may be read, ascending.
    pub labelled: &'a [usize],
    /// All training rows, ascending: those above, and others to learn from without labels. No test or validation row is among them; in folds
    /// they are those of the fold, whatever split of the data they are of.
    pub train: &'a [usize],
    /// Rows to answer for, which are not to be learned from.
    pub test: &'a [usize],
    /// Seed of what is random.
    pub seed: u64,
}

/// Learns from a draw and answers: numbers `[test]`, or probabilities of classes or labels `[test, classes]`. Called from several threads at
/// once.
pub type LearnAndAnswer<'a> = dyn Fn(&Draw<'_>) -> Result<Vec<f64>> + Sync + 'a;

/// A draw that a source is to learn from.
#[derive(Clone, Copy, Debug)]
pub(super) struct DrawToLearn {
    /// Number of its plan.
    pub(super) plan: usize,
    /// Number of the draw in it.
    pub(super) number: usize,
    /// About how long it takes, all folds together, compared with others.
    pub(super) weight: f64,
}

/// What a source answers for the test rows of a fold.
pub(super) struct FoldAnswer {
    /// Number of the fold.
    pub(super) fold: usize,
    /// As [`LearnAndAnswer`] returns them.
    pub(super) values: Vec<f64>,
}

/// A source, and what it learns from.
pub(super) struct Learning<'a> {
    pub(super) name: &'a str,
    pub(super) answer: &'a LearnAndAnswer<'a>,
    /// One, or one a fold.
    pub(super) parts: &'a [Part],
    pub(super) seed: u64,
}

impl Learning<'_> {
    /// Answers to `draws` in every fold, on as many threads as there are cores; `on_answer` is called with each as it comes. A draw that would end after the deadline of `schedule` is left out in all folds.
    pub(super) fn answers(
        &self,
        draws: &[DrawToLearn],
        schedule: &Schedule,
        on_answer: &mut dyn FnMut(&DrawToLearn, FoldAnswer) -> Result<()>,
    ) -> Result<()> {
        let (threads, folds) = (rayon::current_num_threads(), self.parts.len());
        // So many folds of a draw follow one another on a thread.
        let rounds = folds.div_ceil(threads) as f64;
        let begin: Vec<OnceLock<bool>> = draws.iter().map(|_| OnceLock::new()).collect();
        let all = draws.len() * folds;
        let next = AtomicUsize::new(0);
        let (send, receive) = channel();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let send = send.clone();
                let (next, begin) = (&next, &begin);
                scope.spawn(move || {
                    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&i| i < all);
                    while let Some(place) = take() {
                        let (number, fold) = (place / folds, place % folds);
                        let draw = &draws[number];
                        let weight = draw.weight / folds as f64;
                        if !begin[number].get_or_init(|| schedule.allows(rounds * weight)) {
                            continue;
                        }
                        let begun = Instant::now();
                        let result = self.one(draw, fold);
                        schedule.did(weight, begun.elapsed());
                        let failed = result.is_err();
                        if send.send((draw, fold, result)).is_err() || failed {
                            next.fetch_add(all, Ordering::Relaxed);
                            return;
                        }
                    }
                });
            }
            drop(send);
            let mut outcome = Ok(());
            for (draw, fold, result) in receive {
                let answer = result.map(|values| FoldAnswer { fold, values });
                if let Err(error) = answer.and_then(|answer| on_answer(draw, answer)) {
                    // Nothing more is begun; what is under way is still received.
                    next.fetch_add(all, Ordering::Relaxed);
                    outcome = outcome.and(Err(error));
                }
            }
            outcome
        })
    }

    /// The answers for the test rows of one fold.
    fn one(
        &self,
        &DrawToLearn { plan, number, .. }: &DrawToLearn,
        fold: usize,
    ) -> Result<Vec<f64>> {
        let part = &self.parts[fold];
        let task = &part.task;
        let seed = match self.parts.len() {
            1 => mix(&[self.seed, number as u64]),
            _ => mix(&[self.seed, number as u64, fold as u64]),
        };
        let values = (self.answer)(&Draw {
            labelled: &part.plans[plan].draws[number],
            train: &part.train,
            test: &task.test,
            seed,
        })?;
        let wanted = task.test.len() * task.names.len().max(1);
        match values.len() == wanted && values.iter().all(|x| x.is_finite()) {
            true => Ok(values),
            false => Err(Error::data(format!(
                "{} answered with {} numbers, not {wanted}, or with NaN or infinite ones",
                self.name,
                values.len()
            ))),
        }
    }
}
