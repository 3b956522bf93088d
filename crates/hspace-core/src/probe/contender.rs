//! What is measured: features, feature maps, or a source that learns from each draw of labels.

use super::journal::hash_of_features;
use super::mask::MaskLearner;
use super::{LabelsAlone, LearnAndAnswer, MapSource};
use crate::representation::Representation;

/// Something to be measured.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, Draw};
///
/// let guessing = Contender::PerDraw {
///     name: "guessing".into(),
///     samples: Box::new(blobs("samples", 0.2)),
///     origin: "guessing".into(),
///     draws: 3,
///     labels_alone: None,
///     // A third for each of three classes, whatever the labels of the draw.
///     answer: Box::new(|draw: &Draw<'_>| Ok(vec![1.0 / 3.0; 3 * draw.test.len()])),
/// };
/// assert_eq!(guessing.name(), "guessing");
/// assert_eq!(Contender::Fixed(blobs("runs/a", 0.2)).name(), "runs/a");
/// ```
pub enum Contender<'a> {
    /// Features that do not depend on the labels.
    Fixed(Representation),
    /// Features of several runs that differ in their training seed alone. Their mean is measured, and its intervals hold the training too.
    Seeds {
        /// How tables call them.
        name: String,
        /// The features of each run.
        runs: Vec<Representation>,
    },
    /// Feature maps, for a task of masks: of one source, or of several runs that differ in their training seed alone.
    Maps {
        /// How tables call it.
        name: String,
        /// The maps of each run.
        runs: Vec<MapSource<'a>>,
    },
    /// A source that learns from each draw of labels, and answers with its own head.
    PerDraw {
        /// How tables call it.
        name: String,
        /// Ids, columns and split of the samples; their features are not looked at.
        samples: Box<Representation>,
        /// Hash of its settings and of what it learns from.
        origin: String,
        /// The largest number of draws worth its cost; fewer draws give a wider interval.
        draws: usize,
        /// Where it learns from more than labels, what learns from the labels alone: whether it is worse than that is said.
        labels_alone: Option<LabelsAlone>,
        /// Learns from a draw and answers.
        answer: Box<LearnAndAnswer<'a>>,
    },
    /// A network that learns from each draw of masks, and answers with masks of its own.
    MasksPerDraw {
        /// How tables call it.
        name: String,
        /// Ids, columns and split of the samples; their features are not looked at.
        samples: Box<Representation>,
        /// Hash of its settings and of what it learns from.
        origin: String,
        /// The largest number of draws worth its cost; fewer draws give a wider interval.
        draws: usize,
        /// What learns.
        learner: Box<dyn MaskLearner + 'a>,
    },
}

impl Contender<'_> {
    /// How tables call it.
    pub fn name(&self) -> &str {
        match self {
            Contender::Fixed(r) => &r.name,
            Contender::Seeds { name, .. }
            | Contender::Maps { name, .. }
            | Contender::PerDraw { name, .. }
            | Contender::MasksPerDraw { name, .. } => name,
        }
    }

    /// Its features that do not depend on labels.
    pub(crate) fn fixed(&self) -> &[Representation] {
        match self {
            Contender::Fixed(r) => std::slice::from_ref(r),
            Contender::Seeds { runs, .. } => runs,
            Contender::Maps { .. } | Contender::PerDraw { .. } | Contender::MasksPerDraw { .. } => {
                &[]
            }
        }
    }

    /// Whether it answers with masks.
    pub(super) fn is_of_masks(&self) -> bool {
        matches!(
            self,
            Contender::Maps { .. } | Contender::MasksPerDraw { .. }
        )
    }

    /// Whether it learns from each draw, and answers by itself.
    pub(super) fn learns(&self) -> bool {
        matches!(
            self,
            Contender::PerDraw { .. } | Contender::MasksPerDraw { .. }
        )
    }

    /// The samples that it is measured on.
    pub(crate) fn samples(&self) -> Vec<&Representation> {
        match self {
            Contender::PerDraw { samples, .. } | Contender::MasksPerDraw { samples, .. } => {
                vec![samples]
            }
            Contender::Maps { runs, .. } => runs.iter().map(|run| &run.samples).collect(),
            _ => self.fixed().iter().collect(),
        }
    }

    /// Hash of where it came from.
    pub(super) fn origin(&self) -> String {
        match self {
            Contender::Fixed(r) => r.origin.clone(),
            Contender::Seeds { .. } | Contender::Maps { .. } => {
                let samples = self.samples();
                let origins: Vec<&str> = samples.iter().map(|r| r.origin.as_str()).collect();
                origins.join(" ")
            }
            Contender::PerDraw { origin, .. } | Contender::MasksPerDraw { origin, .. } => {
                format!("learned from each draw of labels, {origin}")
            }
        }
    }

    /// Each run of it with a hash of all that its answers depend on, for a journal.
    pub(super) fn sources(&self) -> Vec<(String, String)> {
        match self {
            Contender::PerDraw { name, origin, .. }
            | Contender::MasksPerDraw { name, origin, .. } => {
                vec![(name.clone(), origin.clone())]
            }
            Contender::Maps { runs, .. } => {
                let of = |run: &MapSource<'_>| (run.samples.name.clone(), run.hash.clone());
                runs.iter().map(of).collect()
            }
            _ => {
                let of = |r: &Representation| (r.name.clone(), hash_of_features(r));
                self.fixed().iter().map(of).collect()
            }
        }
    }

    /// The names of its runs.
    pub(super) fn members(&self) -> Vec<&str> {
        match self {
            Contender::PerDraw { name, .. } | Contender::MasksPerDraw { name, .. } => vec![name],
            _ => self.samples().iter().map(|r| r.name.as_str()).collect(),
        }
    }
}
