//! What an objective may know of the data.

use super::ViewKind;
use crate::dataset::{Column, Shape, Values};

/// What an objective may know of the data.
///
/// ```
/// use hspace::dataset::{Column, Role, Shape, Values};
/// use hspace::objective::DataSpec;
///
/// let shape = Shape::Vector { dim: 4 };
/// let values = Values::Classes { names: vec!["a".into(), "b".into()], index: vec![Some(0), None, Some(1)] };
/// let spec = DataSpec {
///     shape,
///     local: shape,
///     mean: vec![0.0; 4],
///     std: vec![1.0; 4],
///     samples: 3,
///     columns: vec![Column { name: "label".into(), role: Role::Label, values }],
///     task: Some(0),
/// };
/// assert!(spec.labelled(0) && !spec.labelled(1));
/// assert_eq!(spec.classes().map(|(names, _)| names.len()), Some(2));
/// assert!(spec.known_classes("supervised").is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct DataSpec {
    /// Shape of the encoder's input.
    pub shape: Shape,
    /// Shape of local views.
    pub local: Shape,
    /// What was taken off each channel (of vectors: each number) of the encoder's input.
    pub mean: Vec<f32>,
    /// What it was then divided by.
    pub std: Vec<f32>,
    /// Training samples.
    pub samples: usize,
    /// Columns of the dataset by row. What must not be used is `None`.
    pub columns: Vec<Column>,
    /// Index into `columns` of the task, if there is one.
    pub task: Option<usize>,
}

impl DataSpec {
    /// Shape of a view.
    pub fn shape_of(&self, kind: ViewKind) -> Shape {
        match kind {
            ViewKind::Random | ViewKind::Plain | ViewKind::Weak | ViewKind::Strong => self.shape,
            ViewKind::Local => self.local,
        }
    }

    /// Class names and each row's class, for the task.
    pub fn classes(&self) -> Option<(&[String], &[Option<u32>])> {
        match &self.columns[self.task?].values {
            Values::Classes { names, index } => Some((names, index)),
            Values::Numbers(_) | Values::MultiLabel { .. } => None,
        }
    }

    /// [`DataSpec::classes`], or what to tell the user of `objective`, which needs labels of at least two
    /// classes.
    pub fn known_classes(&self, objective: &str) -> Result<(&[String], &[Option<u32>]), String> {
        let Some((names, labels)) = self.classes() else {
            return Err(format!(
                "objective `{objective}` needs classes, but the data have no label column of \
                 classes; label by sub-folder or labels.csv, or use `simclr`"
            ));
        };
        let mut present = vec![false; names.len()];
        labels
            .iter()
            .flatten()
            .for_each(|&c| present[c as usize] = true);
        match present.iter().filter(|&&present| present).count() {
            0 | 1 => Err(format!(
                "objective `{objective}` needs labels of at least two classes, but the training \
                 samples show {}",
                present.iter().filter(|&&present| present).count()
            )),
            _ => Ok((names, labels)),
        }
    }

    /// Rows whose value for the task is known.
    pub fn labelled(&self, row: usize) -> bool {
        self.task
            .is_some_and(|task| self.columns[task].values.is_known(row))
    }
}
