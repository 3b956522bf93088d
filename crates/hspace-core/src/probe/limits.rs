//! What bounds a measurement: which rows, how long, what is known already.

use std::time::Instant;

use super::domains::{Answered, DomainRows};
use super::journal::Journal;

/// What bounds a measurement, what it goes on from, and which answers it keeps.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, Limits, ProbeOptions, measure_within};
/// use std::time::Instant;
///
/// // No time at all: everything is left out, and that is said.
/// let mut limits = Limits::new(None, Some(Instant::now()));
/// let contenders = [Contender::Fixed(blobs("runs/a", 0.2))];
/// let found = measure_within(&contenders, &ProbeOptions::default(), "animals", &mut limits, &mut |_| ())?;
/// assert!(!found.left_out.is_empty() && found.without().is_some());
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Limits<'a> {
    /// Answers of a measurement that was stopped, which are not measured again; what is measured now is added.
    pub journal: Option<&'a mut Journal>,
    /// When to stop: no draw is begun that would end later, by the pace of those before it, and [`super::Measurements::left_out`] says what is missing.
    /// The first draws, whose pace is not known, may end later.
    pub deadline: Option<Instant>,
    /// Rows with labels to learn from and rows to test, where these are not all. Columns of domains and the geometry of the features are then not
    /// measured, and in folds what is learned from is of the other folds in every domain.
    pub domains: Option<&'a DomainRows>,
    /// Where all answers are put, for what the measurements do not say. The journal, which has none, is then neither read nor added to.
    pub answers: Option<&'a mut Vec<Answered>>,
}

impl<'a> Limits<'a> {
    /// All rows, with this journal and this deadline.
    pub fn new(journal: Option<&'a mut Journal>, deadline: Option<Instant>) -> Limits<'a> {
        Limits {
            journal,
            deadline,
            ..Limits::default()
        }
    }

    /// The same journal and deadline, for a measurement of these rows.
    pub(crate) fn between<'b>(&'b mut self, domains: &'b DomainRows) -> Limits<'b> {
        Limits {
            domains: Some(domains),
            ..Limits::new(self.journal.as_deref_mut(), self.deadline)
        }
    }

    pub(super) fn are_over(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }
}
