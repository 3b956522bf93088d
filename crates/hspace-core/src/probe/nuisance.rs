//! Columns that are no task, read off a representation: nuisances, which it should not carry, and domains.

use super::answer::{Features, predict, score};
use super::entry::first_for;
use super::estimates::Sampling;
use super::options::ProbeOptions;
use super::scaling::Transform;
use super::task::Task;
use super::{Nuisance, TaskKind};
use crate::dataset::{Column, Role, Split};
use crate::error::Result;
use crate::matrix::spaced;
use crate::representation::Representation;

/// Training rows that a column is read off.
const ROWS: usize = 5000;

/// How well a linear probe reads `column` off a representation; `None` where the column does not vary or one split has no
/// value of it.
pub(crate) fn read_off(
    r: &Representation,
    column: &Column,
    options: &ProbeOptions,
) -> Result<Option<Nuisance>> {
    let Ok(task) =
        Task::new(column, &r.columns, &r.split).and_then(|task| task.tested_by_split(column))
    else {
        return Ok(None);
    };
    let kind = task.kind();
    let probe = first_for(kind);
    let rows: Vec<usize> = spaced(task.train.len(), ROWS)
        .into_iter()
        .map(|i| task.train[i])
        .collect();
    let all = (0..r.split.len()).filter(|&i| r.split[i] == Split::Train);
    let transform = Transform::fit(&r.features, all, options.scaling, (probe.is_fixed)(options));
    let [mut train, mut test] = [&rows, &task.test].map(|rows| r.features.select(rows));
    transform.apply(&mut train);
    transform.apply(&mut test);
    let features = Features {
        train: &train,
        test: &test,
        val: None,
        unit: transform.unit(),
    };
    let predicted = predict(probe, &task, &features, &rows, options)?;
    let truth = task.truth.select(&task.test);
    let scored = vec![vec![score(&truth, &predicted.values, task.names.len())]];
    // Balanced accuracy, R², or the mean area under the labels' curves.
    let measure = usize::from(kind == TaskKind::Classes);
    let sampling = Sampling::new(&truth, task.names.len(), task.test_units());
    let name = kind.scores()[measure];
    let Some(decodability) = sampling.estimate(&scored, measure, name) else {
        return Ok(None);
    };
    let chance = match kind {
        TaskKind::Classes => {
            let is_there = |class: &u32| truth.classes().contains(class);
            let seen = (0..task.names.len() as u32).filter(is_there).count();
            1.0 / seen.max(1) as f64
        }
        TaskKind::Numbers | TaskKind::LabelSets | TaskKind::Masks => task.chance(),
    };
    let readable = decodability.has_interval() && decodability.low > chance;
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
