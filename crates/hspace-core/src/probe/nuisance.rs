//! Columns that are no task, read off a representation: nuisances, which it should not carry, and domains.

use super::answer::{Features, answer, over_draws};
use super::options::ProbeOptions;
use super::task::Task;
use super::{Nuisance, TaskKind};
use crate::dataset::{Column, Role};
use crate::error::Result;
use crate::matrix::spaced;
use crate::representation::Representation;

/// Training rows that a column is read off.
const ROWS: usize = 5000;

/// How well a linear probe reads `column` off a representation, whose features were multiplied by `scale`; `None` where
/// the column does not vary or one split has no value of it.
pub(super) fn read_off(
    r: &Representation,
    scale: f64,
    column: &Column,
    options: &ProbeOptions,
) -> Result<Option<Nuisance>> {
    let Ok(task) = Task::new(column, &r.columns, &r.split) else {
        return Ok(None);
    };
    let kind = task.kind();
    let rows: Vec<usize> = spaced(task.train.len(), ROWS)
        .into_iter()
        .map(|i| task.train[i])
        .collect();
    let features = Features {
        train: &r.features.select(&rows),
        test: &r.features.select(&task.test),
        val: None,
        scale,
    };
    let answered = answer("linear", &task, &features, &rows, true, options)?;
    // Balanced accuracy, R², or the mean area under the labels' curves.
    let measure = usize::from(kind == TaskKind::Classes);
    let has_interval = answered.errors[measure].is_some();
    let name = kind.scores()[measure];
    let Some(decodability) = over_draws(&[answered], measure, name) else {
        return Ok(None);
    };
    let chance = match kind {
        TaskKind::Classes => {
            let truth = task.truth.select(&task.test);
            let is_there = |class: &u32| truth.classes().contains(class);
            let seen = (0..task.names.len() as u32).filter(is_there).count();
            1.0 / seen.max(1) as f64
        }
        TaskKind::Numbers | TaskKind::LabelSets => task.chance(),
    };
    let readable = has_interval && decodability.low > chance;
    Ok(Some(Nuisance {
        representation: r.name.clone(),
        column: column.name.clone(),
        role: column.role,
        decodability,
        chance,
        readable,
        warning: readable && column.role != Role::Domain,
    }))
}
