//! What a probe is: one file, and one line in [`PROBES`](super::PROBES).

use super::folds::Selection;
use super::options::ProbeOptions;
use super::task::Truth;
use super::{PROBES, TaskKind};
use crate::error::Result;
use crate::head::Map;
use crate::list;
use crate::matrix::Matrix;

/// A line of [`PROBES`], called as in `--probe linear`.
pub type Entry = list::Entry<ProbeKind>;

/// A probe: a simple model that is fitted to the labelled rows of a representation, and answers for others.
///
/// ```
/// use hspace_core::probe::{PROBES, TaskKind};
///
/// let ridge = PROBES.iter().find(|probe| probe.name == "ridge").expect("ridge regression");
/// assert_eq!(ridge.tasks, [TaskKind::Numbers]);
/// ```
pub struct ProbeKind {
    /// For the headings of reports.
    pub title: &'static str,
    /// The tasks that it learns. None: it looks at the features alone.
    pub tasks: &'static [TaskKind],
    /// Whether its settings are given, so that it has nothing left to choose.
    pub(super) is_fixed: fn(&ProbeOptions) -> bool,
    /// Its settings that cannot be, and what they must be.
    pub(super) validate: fn(&ProbeOptions) -> Vec<&'static str>,
    /// Fits it.
    pub(super) fit: for<'a> fn(&'a Labelled<'a>) -> Result<Box<dyn Fitted + 'a>>,
}

/// A fitted probe.
pub(super) trait Fitted {
    /// Numbers `[m]`, or probabilities of classes or labels `[m, classes]`, for `features` `[m, d]`.
    fn answer(&self, features: &Matrix) -> Vec<f64>;

    /// Its settings, as text.
    fn settings(&self) -> String;

    /// What answers as it does, to be kept.
    fn map(&self) -> Map;
}

/// What a probe is fitted to.
pub(super) struct Labelled<'a> {
    /// Of the labelled rows `[n, d]`, scaled.
    pub(super) features: &'a Matrix,
    /// Their true values `[n]`.
    pub(super) truth: Truth,
    /// Their groups `[n]`, where there are any.
    pub(super) groups: Option<Vec<u32>>,
    /// Features and true values of validation rows, where settings are chosen by them.
    pub(super) val: Option<(&'a Matrix, Truth)>,
    /// Number of classes, or of labels.
    pub(super) classes: usize,
    /// Squared weights on the features that users know, over those on these.
    pub(super) unit: f64,
    /// Settings of the probes, and the seed.
    pub(super) options: &'a ProbeOptions,
}

impl Labelled<'_> {
    /// What settings are chosen by; `of` takes the true values of this kind of task.
    pub(super) fn selection<T>(&self, of: impl Fn(&Truth) -> &[T]) -> Selection<'_, T> {
        let val = self.val.as_ref();
        Selection {
            groups: self.groups.as_deref(),
            val: val.map(|(features, truth)| (*features, of(truth))),
        }
    }
}

/// The first probe that learns tasks of this kind.
pub(super) fn first_for(kind: TaskKind) -> &'static Entry {
    let mut probes = PROBES.iter();
    let found = probes.find(|entry| entry.tasks.contains(&kind));
    found.expect("every kind of task has a probe")
}

/// The probe of this name.
pub(super) fn find(name: &str) -> Option<&'static Entry> {
    PROBES.iter().find(|entry| entry.name == name)
}
