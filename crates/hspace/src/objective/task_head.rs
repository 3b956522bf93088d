//! Heads of a training of several columns, as encoder.toml lists them.

use serde::{Deserialize, Serialize};

use crate::probe::TaskKind;

/// A head among the weights of model.safetensors that answers one of several columns.
///
/// ```
/// use hspace::probe::TaskKind;
/// use hspace::objective::TaskHead;
///
/// let age = TaskHead { column: "age".into(), at: "heads.age".into(), kind: TaskKind::Numbers, names: vec![] };
/// assert_eq!(age.outputs(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskHead {
    /// The column.
    pub column: String,
    /// Where its weights are, such as `heads.age`.
    pub at: String,
    /// What its answers are.
    pub kind: TaskKind,
    /// Names of the classes or labels; of numbers none.
    pub names: Vec<String>,
}

impl TaskHead {
    /// Number of classes or labels; 1 of numbers.
    pub fn outputs(&self) -> usize {
        self.names.len().max(1)
    }
}
