//! Several tasks learned together by one network, compared with each learned alone.
//!
//! Of each task: the score of a network that learned it alone, of those that learned it together with all others, and of those that learned it
//! with one other; and a linear probe on features that learned all other tasks and never this one, compared with an untrained network. Every difference is one
//! on the same test samples, and its interval holds test samples and training seeds; intervals are of 95 % each, not corrected for their number.

mod table;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::probe::{
    Contender, Estimate, Limits, Measurements, ProbeOptions, Row, measure_within, over_seeds,
};
use crate::stats::Range;

/// What a network learned, from a task's point of view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learned {
    /// The task alone.
    Alone,
    /// All tasks, by this weighting of their losses.
    Together(String),
    /// The task and this other one.
    With(String),
    /// All other tasks.
    Others,
    /// None.
    Nothing,
}

/// A network that is compared, once for each training seed.
pub struct TaskSource<'a> {
    /// What it learned.
    pub learned: Learned,
    /// Its trainings, each with a name of its own.
    pub seeds: Vec<Contender<'a>>,
}

/// A task learned otherwise than alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// What was learned.
    pub learned: Learned,
    /// The task's main measure.
    pub score: Estimate,
    /// That less the score of what it is compared with: the task learned alone, or for features that learned other tasks those of an untrained network.
    pub gain: Estimate,
}

/// One task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// Its column.
    pub task: String,
    /// Its main measure: `accuracy`, `r2` or `macro_auroc`.
    pub measure: String,
    /// Training samples whose value is known.
    pub labelled: usize,
    /// Test samples whose value is known.
    pub tested: usize,
    /// The score of a network that learned it alone.
    pub alone: Estimate,
    /// Networks that learned it with all others, or with one other.
    pub together: Vec<Compared>,
    /// A linear probe on features that learned the other tasks.
    pub held_out: Option<Compared>,
}

/// All of them.
///
/// ```
/// use hspace_core::many_tasks::ManyTasks;
///
/// // Of nothing.
/// let found = ManyTasks { data: "scans".into(), seeds: 3, tasks: vec![] };
/// assert!(found.table().contains("3 trainings each"));
/// assert!(found.headline().starts_with("No task is seen to be better or worse"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManyTasks {
    /// Name of the data.
    pub data: String,
    /// Trainings of each network.
    pub seeds: usize,
    /// In the order of their columns.
    pub tasks: Vec<TaskResult>,
}

/// Measures the task `options.task`: `own` answer with their own heads, one of them having learned the task alone; `probed` are features, one of them of an
/// untrained network.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::many_tasks::{Learned, TaskSource, measure_task};
/// use hspace_core::probe::{Contender, Labels, ProbeOptions};
///
/// let source = |learned, name: &str, noise| TaskSource { learned, seeds: vec![Contender::Fixed(blobs(name, noise))] };
/// let own = vec![source(Learned::Alone, "alone", 0.9), source(Learned::Together("fixed".into()), "together", 0.3)];
/// let probed = vec![source(Learned::Others, "others", 0.5), source(Learned::Nothing, "untrained", 0.9)];
/// let options = ProbeOptions { labels: vec![Labels::All], probes: vec!["linear".into()], ..ProbeOptions::default() };
/// let found = measure_task(own, probed, &options, "animals", &mut |_| ())?;
/// assert!(found.together[0].gain.low > 0.0);
/// assert!(found.held_out.is_some_and(|held_out| held_out.gain.mean > 0.0));
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// As of [`measure_within`], and when none of `own` learned the task alone.
pub fn measure_task(
    own: Vec<TaskSource<'_>>,
    probed: Vec<TaskSource<'_>>,
    options: &ProbeOptions,
    data_name: &str,
    progress: &mut dyn FnMut(&str),
) -> Result<TaskResult> {
    let mut measured = |sources| of_sources(sources, options, data_name, progress);
    let (found, rows) = measured(own)?;
    let alone = rows.iter().find(|(learned, _)| *learned == Learned::Alone);
    let Some((_, alone)) = alone else {
        return Err(Error::data("no network learned the task alone"));
    };
    let (measure, alone_score) = main_score(alone)?;
    let together = rows
        .iter()
        .filter(|(learned, _)| *learned != Learned::Alone);
    let together: Result<Vec<Compared>> = together
        .map(|(learned, row)| compared(learned, row, alone))
        .collect();
    let held_out = match probed.is_empty() {
        true => None,
        false => {
            let (_, rows) = measured(probed)?;
            let of = |wanted: &Learned| rows.iter().find(|(learned, _)| learned == wanted);
            match (of(&Learned::Others), of(&Learned::Nothing)) {
                (Some((learned, others)), Some((_, nothing))) => {
                    Some(compared(learned, others, nothing)?)
                }
                _ => None,
            }
        }
    };
    Ok(TaskResult {
        task: found.task.clone(),
        measure,
        labelled: found.train,
        tested: found.test,
        alone: alone_score,
        together: together?,
        held_out,
    })
}

/// The measurement of all sources, and the row of each over its seeds.
fn of_sources(
    sources: Vec<TaskSource<'_>>,
    options: &ProbeOptions,
    data_name: &str,
    progress: &mut dyn FnMut(&str),
) -> Result<(Measurements, Vec<(Learned, Row)>)> {
    let mut names = Vec::new();
    let mut contenders = Vec::new();
    for source in sources {
        let own = source.seeds.iter().map(|c| c.name().to_owned());
        names.push((source.learned, own.collect::<Vec<_>>()));
        contenders.extend(source.seeds);
    }
    let limits = &mut Limits::default();
    let found = measure_within(&contenders, options, data_name, limits, progress)?;
    let mut rows = Vec::new();
    for (learned, names) in names {
        let of = |name: &String| found.rows.iter().find(|row| row.representation == *name);
        let Some(seeds) = names.iter().map(of).collect::<Option<Vec<&Row>>>() else {
            continue;
        };
        let row = match &seeds[..] {
            [one] => Some((*one).clone()),
            several => {
                let several: Vec<&[Row]> =
                    several.iter().map(|&r| std::slice::from_ref(r)).collect();
                over_seeds(&several, &names[0]).pop()
            }
        };
        rows.extend(row.map(|row| (learned, row)));
    }
    Ok((found, rows))
}

fn main_score(row: &Row) -> Result<(String, Estimate)> {
    let undefined = || {
        Error::data(format!(
            "{} has no score: the test samples leave it undefined",
            row.representation
        ))
    };
    let (name, score) = row.main_score().ok_or_else(undefined)?;
    Ok((name.clone(), *score))
}

fn compared(learned: &Learned, row: &Row, other: &Row) -> Result<Compared> {
    let (_, score) = main_score(row)?;
    let gain = match (&row.answers, &other.answers) {
        (Some(own), Some(other)) => {
            let (mean, components) = own.minus(other);
            match components {
                Ok(components) => components.spread().interval(mean, Range::Any),
                Err(_) => Estimate::without_interval(mean),
            }
        }
        _ => Estimate::without_interval(score.mean - main_score(other)?.1.mean),
    };
    Ok(Compared {
        learned: learned.clone(),
        score,
        gain,
    })
}

#[cfg(test)]
mod tests;
