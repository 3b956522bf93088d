//! Sources that learn from each draw of labels, and answer with their own head.

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
    /// All training rows, ascending: those above, and others to learn from without labels. No test or validation row is among them.
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
    /// About how long it takes, compared with others.
    pub(super) weight: f64,
}

/// A source, and what it learns from.
pub(super) struct Learning<'a> {
    pub(super) name: &'a str,
    pub(super) answer: &'a LearnAndAnswer<'a>,
    pub(super) part: &'a Part,
    /// All training rows.
    pub(super) train: &'a [usize],
    pub(super) seed: u64,
}

impl Learning<'_> {
    /// Answers to `draws`, on as many threads as there are cores; `on_answer` is called with each as it comes. One that would end after the
    /// deadline of `schedule` is left out.
    pub(super) fn answers(
        &self,
        draws: &[DrawToLearn],
        schedule: &Schedule,
        on_answer: &mut dyn FnMut(&DrawToLearn, Vec<f64>) -> Result<()>,
    ) -> Result<()> {
        let next = AtomicUsize::new(0);
        let (send, receive) = channel();
        std::thread::scope(|scope| {
            for _ in 0..rayon::current_num_threads() {
                let send = send.clone();
                let next = &next;
                scope.spawn(move || {
                    while let Some(draw) = draws.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if !schedule.allows(draw.weight) {
                            continue;
                        }
                        let begun = Instant::now();
                        let result = self.one(draw);
                        schedule.did(draw.weight, begun.elapsed());
                        let failed = result.is_err();
                        if send.send((draw, result)).is_err() || failed {
                            next.fetch_add(draws.len(), Ordering::Relaxed);
                            return;
                        }
                    }
                });
            }
            drop(send);
            let mut outcome = Ok(());
            for (draw, result) in receive {
                if let Err(error) = result.and_then(|values| on_answer(draw, values)) {
                    // Nothing more is begun; what is under way is still received.
                    next.fetch_add(draws.len(), Ordering::Relaxed);
                    outcome = outcome.and(Err(error));
                }
            }
            outcome
        })
    }

    fn one(&self, &DrawToLearn { plan, number, .. }: &DrawToLearn) -> Result<Vec<f64>> {
        let task = &self.part.task;
        let values = (self.answer)(&Draw {
            labelled: &self.part.plans[plan].draws[number],
            train: self.train,
            test: &task.test,
            seed: mix(&[self.seed, number as u64]),
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
