//! Contenders × probes × numbers of labels → [`Measurements`], by one protocol for all.

mod learned_masks;
mod maps;
pub(super) mod pace;
mod rows;
mod run;
mod study;

use super::domains::DomainRows;
use super::journal::Conditions;
use super::limits::Limits;
use super::mask::{MaskExample, MaskTask};
use super::nuisance::read_off;
use super::options::ProbeOptions;
use super::task::{SharedSchema, Task, task_column};
use super::{Contender, Measurements, PROTOCOL, TaskKind, geometry};
use crate::auto::Auto;
use crate::dataset::Role;
use crate::error::{Error, Result, unknown, valid};
use crate::file;
use crate::representation::Representation;
use pace::Pace;
use run::Work;
pub(super) use study::{Part, Study};

/// Measures every contender on one task. Baselines are contenders like any other; chance is added
/// here. `progress` is called with what is being measured.
///
/// Test labels are looked at for the final scores alone. Settings are chosen inside the labels of a draw, which
/// never holds validation rows; with all labels, by the validation rows where they have labels. No choice separates rows of
/// one group. With a numeric task the linear and kNN probes give way to ridge regression. All features are scaled alike
/// (`scaling.rs`). With `folds` every labelled sample, of whatever split, is tested once by what was learned from the other folds; a source
/// that learns from each draw is given no row that the fold tests.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, Labels, ProbeOptions, measure};
///
/// let contenders = vec![
///     Contender::Fixed(blobs("pixels", 0.9)),
///     Contender::Fixed(blobs("runs/a", 0.2)),
/// ];
/// let labels = vec![Labels::PerClass(1), Labels::PerClass(10), Labels::All];
/// let options = ProbeOptions { labels, ..ProbeOptions::default() };
/// let found = measure(contenders, &options, "animals", &mut |_| ())?;
/// println!("{}{}", found.table(), found.headline());
/// assert_eq!(found.rows.len(), 2 * 2 * 3); // Sources, probes, numbers of labels.
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When options are out of range, the task is unknown, a split has no labels, all training labels are
/// of one class, or contenders differ in their ids, columns or split, or hold NaN or infinite features.
pub fn measure(
    contenders: Vec<Contender<'_>>,
    options: &ProbeOptions,
    data_name: &str,
    progress: &mut dyn FnMut(&str),
) -> Result<Measurements> {
    let limits = &mut Limits::default();
    measure_within(&contenders, options, data_name, limits, progress)
}

/// [`measure`] within `limits`: of some rows alone, going on from what a stopped measurement left, ending early.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, Labels, Limits, ProbeOptions, measure_within};
/// use std::time::{Duration, Instant};
///
/// let deadline = Some(Instant::now() + Duration::from_secs(60));
/// let mut limits = Limits::new(None, deadline);
/// let options = ProbeOptions { labels: vec![Labels::PerClass(5)], ..ProbeOptions::default() };
/// let contenders = [Contender::Fixed(blobs("runs/a", 0.2))];
/// let found = measure_within(&contenders, &options, "animals", &mut limits, &mut |_| ())?;
/// assert!(found.left_out.is_empty()); // There was time for all.
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// As [`measure`], when answers cannot be kept, and when a domain has no sample to learn from or to test.
pub fn measure_within(
    contenders: &[Contender<'_>],
    options: &ProbeOptions,
    data_name: &str,
    limits: &mut Limits<'_>,
    progress: &mut dyn FnMut(&str),
) -> Result<Measurements> {
    let known = checked(contenders, options)?;
    let first = first_samples(contenders)?;
    let column = task_column(first, &options.task)?;
    let task = Task::new(column, &first.columns, &known.split)?;
    let task = match options.folds {
        1 => task.tested_by_split(column)?,
        _ => task,
    };
    if let Some(maps) = contenders.iter().find(|c| c.is_of_masks()) {
        return Err(Error::config(format!(
            "{}: feature maps and what learns from masks are measured on masks, and `{}` is no column of them",
            maps.name(),
            column.name
        )));
    }
    let scope = Scope {
        known: &known,
        name: column.name.clone(),
        data: data_name,
        masks: None,
    };
    Ok(measure_task(contenders, task, scope, options, limits, progress)?.0)
}

/// Measures every contender, each of which is [`Contender::Maps`] or [`Contender::MasksPerDraw`], on the column of masks that `options.task` names, which `masks` reads; and
/// returns what sources answer for some test images. Otherwise as [`measure_within`].
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// # mod masks { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/masks.rs")); }
/// # use masks::{Classes, mask};
/// use hspace_core::dataset::{Column, Role, Values};
/// use hspace_core::probe::{Contender, Labels, Limits, MapSource, MaskTask, ProbeOptions, measure_masks};
///
/// let mut samples = blobs("runs/a", 0.2);
/// let (names, index) = (samples.ids.clone(), (0..160).map(Some).collect());
/// samples.columns.push(Column { name: "left".into(), role: Role::Mask, values: Values::Classes { names, index } });
/// // `Classes` implements `FeatureMaps`: its maps hold the class of each pixel of `mask`.
/// let run = MapSource { samples, maps: Box::new(Classes), hash: String::new() };
/// let contenders = vec![Contender::Maps { name: "runs/a".into(), runs: vec![run] }];
/// let masks = MaskTask { read: &|row| Ok(mask(row)), examples: 2, keep: None };
/// let options = ProbeOptions { task: "left".into(), labels: vec![Labels::PerClass(2)], ..ProbeOptions::default() };
/// let (found, examples) = measure_masks(contenders, masks, &options, "boxes", &mut Limits::default(), &mut |_| ())?;
/// assert!(found.rows[0].scores[0].1.mean > 0.99);
/// assert!(examples.len() == 2 && examples[0].answers[0].1 == examples[0].truth);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// As [`measure_within`]; when a contender has no maps, the column is none of masks, or a mask or a map cannot be read.
pub fn measure_masks(
    contenders: Vec<Contender<'_>>,
    masks: MaskTask<'_>,
    options: &ProbeOptions,
    data_name: &str,
    limits: &mut Limits<'_>,
    progress: &mut dyn FnMut(&str),
) -> Result<(Measurements, Vec<MaskExample>)> {
    let known = checked(&contenders, options)?;
    let first = first_samples(&contenders)?;
    let mut columns = first.columns.iter();
    let column = columns.find(|c| c.role == Role::Mask && c.name == options.task);
    let column = column.ok_or_else(|| {
        let masks = first.columns.iter().filter(|c| c.role == Role::Mask);
        let names = masks.map(|c| c.name.as_str());
        Error::config(unknown("column of masks", &options.task, names))
    })?;
    if let Some(other) = contenders.iter().find(|c| !c.is_of_masks()) {
        return Err(Error::config(format!(
            "{} has no feature maps, so it says nothing of the masks `{}`; name a network (a run, a stage of one, hf:MODEL, random:ENCODER) or \
             pixels",
            other.name(),
            column.name
        )));
    }
    progress("reading masks");
    let task = Task::of_masks(column, &first.columns, &known.split, masks)?;
    let scope = Scope {
        known: &known,
        name: column.name.clone(),
        data: data_name,
        masks: Some(masks),
    };
    measure_task(&contenders, task, scope, options, limits, progress)
}

/// What is measured, but for the contenders.
struct Scope<'a> {
    known: &'a SharedSchema,
    /// The task's name.
    name: String,
    /// The data's name.
    data: &'a str,
    masks: Option<MaskTask<'a>>,
}

/// What all contenders share.
fn checked(contenders: &[Contender<'_>], options: &ProbeOptions) -> Result<SharedSchema> {
    valid(options.validate())?;
    let known = SharedSchema::of(first_samples(contenders)?);
    check_names(contenders)?;
    for r in contenders.iter().flat_map(Contender::samples) {
        known.check(r)?;
    }
    Ok(known)
}

fn measure_task(
    contenders: &[Contender<'_>],
    task: Task,
    scope: Scope<'_>,
    options: &ProbeOptions,
    limits: &mut Limits<'_>,
    progress: &mut dyn FnMut(&str),
) -> Result<(Measurements, Vec<MaskExample>)> {
    let Scope { known, name, .. } = &scope;
    let first = first_samples(contenders)?;
    let domains = limits.domains;
    if limits.answers.is_some() {
        limits.journal = None;
    }
    let task = match (domains, options.folds) {
        (Some(domains), 1) => domains.of(task, name)?,
        _ => task,
    };
    let names = |of: TaskKind| match task.kind() == of {
        true => task.names.clone(),
        false => Vec::new(),
    };
    let mut out = Measurements {
        protocol: PROTOCOL,
        code_version: env!("CARGO_PKG_VERSION").into(),
        data: scope.data.into(),
        task: name.clone(),
        split_hash: known.split_hash(),
        labels_hash: task.hash(&first.ids),
        seed: options.seed,
        train: task.train.len(),
        val: task.val.len(),
        test: task.test.len(),
        classes: names(TaskKind::Classes),
        labels: names(TaskKind::LabelSets),
        mask_classes: names(TaskKind::Masks),
        chance: task.chance(),
        scaling: options.scaling,
        folds: options.folds,
        origins: Vec::new(),
        rows: Vec::new(),
        comparisons: Vec::new(),
        savings: Vec::new(),
        geometry: Vec::new(),
        nuisances: Vec::new(),
        confusions: Vec::new(),
        reliability: Vec::new(),
        labels_alone: Vec::new(),
        left_out: Vec::new(),
    };
    let conditions = Conditions {
        protocol: PROTOCOL,
        version: out.code_version.clone(),
        split: out.split_hash.clone(),
        labels_hash: out.labels_hash.clone(),
        groups: task.groups_hash(),
        options: options_hash(options, &task, name)
            + &domains.map_or(String::new(), DomainRows::hash),
    };
    let study = Study::new(task, options, &scope, domains)?;
    if options.folds > 1 {
        let rows = study.parts.iter().map(|part| part.task.test.len()).sum();
        (out.train, out.val, out.test) = (rows, 0, rows);
    }
    if let Some(journal) = &mut limits.journal {
        let sources = contenders.iter().flat_map(Contender::sources);
        journal.begin(conditions, sources.collect())?;
    }
    let mut work = Work {
        pace: Pace::default(),
        limits,
        progress,
        examples: Vec::new(),
    };
    for contender in contenders {
        work.expect(&study, contender);
    }
    let geometry_wanted = options.probes.iter().any(|p| p == geometry::ENTRY.name);
    for contender in contenders {
        study.run(contender, &mut out, &mut work)?;
        out.origins
            .push((contender.name().into(), contender.origin()));
        if let Contender::PerDraw { labels_alone, .. } = contender {
            let alone = labels_alone.clone();
            out.labels_alone
                .extend(alone.map(|alone| (contender.name().to_owned(), alone)));
        }
        for r in contender.fixed() {
            if work.limits.are_over() || domains.is_some() {
                continue;
            }
            if geometry_wanted {
                work.say(&format!("{}: geometry", r.name));
                out.geometry
                    .push(rows::shape(r, &study.parts[0].task, options.seed)?);
            }
            let wanted = [Role::Nuisance, Role::Domain];
            for column in r.columns.iter().filter(|c| wanted.contains(&c.role)) {
                work.say(&format!("{}: {}", r.name, column.name));
                out.nuisances.extend(read_off(r, column, options)?);
            }
        }
    }
    (work.progress)("comparing");
    let examples = work.examples;
    out.compare(&options.baseline)?;
    Ok((out, examples))
}

/// Hash of the settings that an answer depends on: not of which probes and numbers of labels are asked for.
fn options_hash(options: &ProbeOptions, task: &Task, name: &str) -> String {
    let own = ProbeOptions {
        probes: Vec::new(),
        labels: Vec::new(),
        draws: Auto::Auto,
        baseline: String::new(),
        task: name.to_owned(),
        ..options.clone()
    };
    file::hash_of(format!("{own:?} {:?}", task.names).as_bytes())
}

fn first_samples<'a>(contenders: &'a [Contender<'_>]) -> Result<&'a Representation> {
    contenders
        .iter()
        .flat_map(Contender::samples)
        .next()
        .ok_or_else(|| {
            Error::config(
                "there is nothing to measure; name at least one representation, such as `pixels`",
            )
        })
}

fn check_names(contenders: &[Contender<'_>]) -> Result<()> {
    let mut names: Vec<&str> = contenders.iter().map(Contender::name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::config(format!(
            "`{}` is to be measured twice; name it once",
            pair[0]
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
