//! Measurements between domains: labels come from some, others are tested.

use std::sync::Arc;

use super::Labels;
use super::task::Task;
use crate::error::{Error, Result};
use crate::file;

/// Which rows a measurement between domains uses, of the training, validation and test rows of the data.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, DomainRows, Labels, Limits, ProbeOptions, measure_within};
///
/// // Rows of two hospitals, four of each in turn.
/// let of = |hospital: usize| (0..160).map(|row| row / 4 % 2 == hospital).collect::<Vec<bool>>();
/// let domains = DomainRows { labelled: of(0), unlabelled: vec![false; 160], tested: of(1) };
/// let options = ProbeOptions { labels: vec![Labels::All], ..ProbeOptions::default() };
/// let pixels = Contender::Fixed(blobs("pixels", 0.2));
/// let mut limits = Limits { domains: Some(&domains), ..Limits::default() };
/// let found = measure_within(&[pixels], &options, "animals", &mut limits, &mut |_| ())?;
/// assert!(found.train + found.test < 160 && found.rows[0].scores[0].1.mean > 0.9);
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainRows {
    /// Rows whose labels may be read, to learn from and to choose by.
    pub labelled: Vec<bool>,
    /// Rows to learn from without their labels.
    pub unlabelled: Vec<bool>,
    /// Rows that are tested.
    pub tested: Vec<bool>,
}

/// What a source answers for all tested rows, learned from one draw of labels.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, Labels, Limits, ProbeOptions, measure_within};
///
/// let options = ProbeOptions { probes: vec!["linear".into()], labels: vec![Labels::All], ..ProbeOptions::default() };
/// let mut answers = Vec::new();
/// let mut limits = Limits { answers: Some(&mut answers), ..Limits::default() };
/// let pixels = Contender::Fixed(blobs("pixels", 0.2));
/// let found = measure_within(&[pixels], &options, "animals", &mut limits, &mut |_| ())?;
/// assert_eq!(answers[0].values.len(), 3 * found.test); // Of three classes.
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Answered {
    /// Name of the source.
    pub source: String,
    /// Name of the probe; [`super::HEAD`] where it answers with its own head.
    pub probe: String,
    /// Labels it was given.
    pub labels: Labels,
    /// Which of the runs that are one but for their seed.
    pub member: usize,
    /// Number of the draw.
    pub draw: usize,
    /// The rows that are tested.
    pub rows: Arc<[usize]>,
    /// Numbers `[rows]`, or probabilities of classes or labels `[rows, classes]`.
    pub values: Vec<f64>,
}

impl DomainRows {
    /// Whether a training row may be learned from, with or without its label.
    pub(super) fn is_seen(&self, row: usize) -> bool {
        self.labelled[row] || self.unlabelled[row]
    }

    /// The rows of `task` that a measurement between these domains uses.
    ///
    /// # Errors
    /// When nothing is left to learn from or to test, or all labels are the same.
    pub(super) fn of(&self, mut task: Task, name: &str) -> Result<Task> {
        task.train.retain(|&row| self.labelled[row]);
        task.val.retain(|&row| self.labelled[row]);
        task.test.retain(|&row| self.tested[row]);
        for (rows, what) in [(&task.train, "training"), (&task.test, "test")] {
            if rows.is_empty() {
                return Err(Error::data(format!(
                    "no {what} sample of the domain has a value of `{name}`; leave it out, or use --folds 5, where every labelled sample is tested"
                )));
            }
        }
        task.check_variety(name)?;
        Ok(task)
    }

    /// Hash of all of them.
    pub(super) fn hash(&self) -> String {
        let parts = [&self.labelled, &self.unlabelled, &self.tested];
        let bytes: Vec<u8> = parts
            .into_iter()
            .flatten()
            .map(|&is| u8::from(is))
            .collect();
        file::hash_of(&bytes)
    }
}
