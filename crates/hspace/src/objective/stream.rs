//! Streams: which samples a step needs, and how each is shown.

use burn_tensor::Tensor;

use super::DataSpec;
use crate::dataset::Values;
use crate::views::Recipe;

/// Which samples a stream draws from.
///
/// ```
/// use hspace::dataset::{Column, Role, Shape, Values};
/// use hspace::objective::{DataSpec, Subset};
///
/// let shape = Shape::Vector { dim: 1 };
/// let values = Values::Classes { names: vec!["a".into(), "b".into()], index: vec![Some(0), None, Some(1)] };
/// let columns = vec![Column { name: "label".into(), role: Role::Label, values }];
/// let spec = DataSpec { shape, local: shape, mean: vec![0.0], std: vec![1.0], samples: 3, columns, task: Some(0) };
/// let rows = |subset: Subset| (0..3).filter(|&row| subset.has(&spec, row)).collect::<Vec<_>>();
/// assert_eq!(rows(Subset::Labelled), [0, 2]);
/// assert_eq!(rows(Subset::Unlabelled), [1]);
/// assert_eq!(rows(Subset::Class(0, 1)), [2]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subset {
    /// All training samples.
    All,
    /// Those whose label for the task is known and may be used.
    Labelled,
    /// Those whose label for the task is not known, or may not be used.
    Unlabelled,
    /// Those that have a value in any of these of [`DataSpec::columns`].
    Any(Vec<usize>),
    /// Samples of this class (a domain, a hospital) in this one of [`DataSpec::columns`].
    Class(usize, u32),
}

impl Subset {
    /// Whether `row` is one of them.
    pub fn has(&self, spec: &DataSpec, row: usize) -> bool {
        match self {
            Subset::All => true,
            Subset::Labelled => spec.labelled(row),
            Subset::Unlabelled => !spec.labelled(row),
            Subset::Any(columns) => {
                let known = |&column: &usize| spec.columns[column].values.is_known(row);
                columns.iter().any(known)
            }
            &Subset::Class(column, class) => match &spec.columns[column].values {
                Values::Classes { index, .. } => index[row] == Some(class),
                Values::Numbers(_) | Values::MultiLabel { .. } => false,
            },
        }
    }
}

/// How a stream shows a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewKind {
    /// A random view of the run's `[views]`; the second of a sample by `[views.second]`, if there is one.
    Random,
    /// A small random view of a small part (multi-crop; `[views.crop]` says how small), by `[views.local]`, if there is one.
    Local,
    /// A random view that changes little, by `[views.weak]`.
    Weak,
    /// A random view that changes much, by `[views.strong]`.
    Strong,
    /// As it is, resized to the input.
    Plain,
}

/// Samples and views that each step needs.
///
/// A stream of fewer samples than it gives a step starts over within the step: 40 labelled samples fill batches of 64.
///
/// ```
/// use hspace::objective::{ViewKind, Stream, Subset};
///
/// // FixMatch: 64 labelled samples a step, and 448 of all, whose passes are the epochs.
/// let labelled = Stream::new(Subset::Labelled, vec![ViewKind::Weak]).cycles();
/// let all = Stream::new(Subset::All, vec![ViewKind::Weak, ViewKind::Strong]).ratio(7);
/// assert!(all.counts_epochs && !labelled.counts_epochs);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Which samples.
    pub subset: Subset,
    /// The views of each sample, in the order of [`Batch::views`].
    pub view_kinds: Vec<ViewKind>,
    /// Samples of this stream per sample of `train.batch_size`.
    pub ratio: usize,
    /// Whether a pass over it is an epoch; the first such stream counts.
    pub counts_epochs: bool,
}

impl Stream {
    /// One sample per sample of `train.batch_size`; its passes are the epochs.
    pub fn new(subset: Subset, view_kinds: Vec<ViewKind>) -> Stream {
        Stream {
            subset,
            view_kinds,
            ratio: 1,
            counts_epochs: true,
        }
    }

    /// With so many samples per sample of `train.batch_size`.
    pub fn ratio(self, ratio: usize) -> Stream {
        Stream { ratio, ..self }
    }

    /// Its passes are no epochs: it starts over as often as the others need.
    pub fn cycles(self) -> Stream {
        Stream {
            counts_epochs: false,
            ..self
        }
    }

    /// The recipes of its views that are not `[views]`.
    pub fn recipes(&self) -> Vec<Recipe> {
        let all = (0..self.view_kinds.len()).filter_map(|nth| self.recipe(nth));
        all.collect()
    }

    /// The recipe of view number `nth`; `None` where that is `[views]`, or the sample as it is.
    pub fn recipe(&self, nth: usize) -> Option<Recipe> {
        let random = |kind: &&ViewKind| **kind == ViewKind::Random;
        match self.view_kinds[nth] {
            ViewKind::Random if self.view_kinds[..nth].iter().filter(random).count() == 1 => {
                Some(Recipe::Second)
            }
            ViewKind::Random | ViewKind::Plain => None,
            ViewKind::Local => Some(Recipe::Local),
            ViewKind::Weak => Some(Recipe::Weak),
            ViewKind::Strong => Some(Recipe::Strong),
        }
    }
}

/// One stream's samples of one step.
#[derive(Clone)]
pub struct Batch {
    /// One tensor `[n, channels, height, width]` for each look; local views are smaller.
    pub views: Vec<Tensor<4>>,
    /// The samples' rows in the dataset, n of them: the key into [`DataSpec::columns`].
    pub rows: Vec<usize>,
}
