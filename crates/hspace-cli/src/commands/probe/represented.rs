//! Sources to representations, with their baselines and what may mislead about them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use hspace::columns::TableOptions;
use hspace::data_record::DataRecord;
use hspace::dataset::{Dataset, Split};
use hspace::device::device;
use hspace::encoder::Stage;
use hspace::learner::{Learner, Subject};
use hspace::representation::{self, Representation};
use hspace::run::RunFolder;
use hspace::source::{OnFeatures, Source, Sources, baseline_components};
use hspace::{Error, Result};

use super::ProbeFlags;
use super::learners::{MethodSource, with_labels_alone};
use crate::commands::open;
use crate::progress::Spinner;
use crate::say;

/// The representations that `names` say, with their baselines unless the flags say otherwise, of the
/// data that the flags say.
pub struct Represented {
    pub dataset: Dataset,
    /// The names, those of stages among them.
    pub names: Vec<String>,
    pub made: Vec<Representation>,
    /// The sources that learn from each draw, with those that learn from the labels alone.
    pub learners: Vec<MethodSource>,
    /// Methods that learn from each draw on features: name, method, and the features.
    pub on_features: Vec<(String, OnFeatures, Representation)>,
    /// Own heads of runs: name, run, and its features.
    pub heads: Vec<(String, PathBuf, Representation)>,
    /// Names of the learned ones.
    pub learned: Vec<String>,
    /// Why measurements of them may mislead.
    pub warnings: Vec<String>,
}

/// Why measurements of the runs among `names` on `dataset` may mislead: test samples that they learned from, data that
/// have changed since.
pub fn data_warnings(names: &[String], dataset: &Dataset) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    for name in names {
        let source = Source::parse(name)?;
        if let Some(path) = source.run()
            && let Some(record) = DataRecord::read(&RunFolder::open(path)?)?
        {
            warnings.extend(record.warnings(name, dataset));
        }
    }
    Ok(warnings)
}

/// Makes them. `spinner` says what is being done.
pub fn represent_sources(
    names: &[String],
    flags: &ProbeFlags,
    spinner: &Spinner,
) -> Result<Represented> {
    let sources = parsed(names)?;
    let dataset = open(flags.data()?, &flags.open_options())?;
    represent_opened(sources, dataset, flags, spinner)
}

/// The sources of these names.
pub fn parsed(names: &[String]) -> Result<Vec<(String, Source)>> {
    read(names, Source::parse)
}

/// The sources of these names, all of which have features.
pub fn parsed_with_features(names: &[String]) -> Result<Vec<(String, Source)>> {
    read(names, |name| {
        let source = Source::parse(name)?;
        source.check_has_features()?;
        Ok(source)
    })
}

/// Reads each of these names; everything that is wrong with them is said at once.
fn read(names: &[String], one: impl Fn(&str) -> Result<Source>) -> Result<Vec<(String, Source)>> {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for name in names {
        match one(name) {
            Ok(source) => sources.push((name.clone(), source)),
            Err(Error::Config(found)) => problems.extend(found),
            Err(other) => return Err(other),
        }
    }
    match problems.is_empty() {
        true => Ok(sources),
        false => Err(Error::Config(problems)),
    }
}

/// The representations of `sources`, of `dataset`.
pub fn represent_opened(
    mut sources: Vec<(String, Source)>,
    dataset: Dataset,
    flags: &ProbeFlags,
    spinner: &Spinner,
) -> Result<Represented> {
    let names: Vec<String> = sources.iter().map(|(name, _)| name.clone()).collect();
    let device = device(&flags.device)?;
    for (name, source) in &sources {
        if let Source::Run(path) = source {
            let folder = RunFolder::open(path)?;
            if folder.has_config() && DataRecord::read(&folder)?.is_none() {
                say::note(format_args!(
                    "{name} has no data.toml, so whether it learned from test samples of {} is not known",
                    dataset.name
                ));
            }
        }
    }
    let warnings = data_warnings(&names, &dataset)?;
    warnings.iter().for_each(say::warning);
    let makers = flags.reading.sources(&dataset, device, flags.seed);
    let mut makers = makers.raw_vectors();
    if let Some(layers) = &flags.layers {
        sources = with_stages(sources, layers, &mut |of| makers.stages(of))?;
    }
    let names: Vec<String> = sources.iter().map(|(name, _)| name.clone()).collect();
    let (methods, mut sources): (Vec<_>, Vec<_>) = sources
        .into_iter()
        .partition(|(_, source)| matches!(source, Source::OnFeatures(..)));
    // What they learn on is measured by itself, too.
    for (_, method) in &methods {
        if let Source::OnFeatures(method) = method
            && sources.iter().all(|(name, _)| *name != method.of)
        {
            sources.push((method.of.clone(), method.features.clone()));
        }
    }
    let features = sources.iter().filter_map(|(_, source)| match source {
        Source::Learner(learner) => match &learner.on {
            Subject::Features(run, _) => Some(run.clone()),
            _ => None,
        },
        _ => None,
    });
    for run in features.collect::<Vec<_>>() {
        let of = run.display().to_string();
        if !flags.no_baselines && sources.iter().all(|(name, _)| *name != of) {
            sources.push((of, Source::Run(run)));
        }
    }
    let learned: Vec<String> = sources
        .iter()
        .filter(|(_, source)| {
            matches!(
                source,
                Source::Run(_) | Source::Hub(_) | Source::File(_) | Source::At(..)
            )
        })
        .map(|(name, _)| name.clone())
        .collect();
    let learners: Vec<(String, Learner)> = sources
        .iter()
        .filter_map(|(name, source)| match source {
            Source::Learner(learner) => Some((name.clone(), (**learner).clone())),
            _ => None,
        })
        .collect();
    let own_heads: Vec<(String, PathBuf)> = sources
        .iter()
        .filter_map(|(name, source)| match source {
            Source::Head(run) => Some((name.clone(), run.clone())),
            _ => None,
        })
        .collect();
    sources.retain(|(_, source)| !matches!(source, Source::Learner(_) | Source::Head(_)));
    let files = sources.iter().filter_map(|(_, source)| match source {
        Source::File(path) => Some(path.as_path()),
        _ => None,
    });
    let mut rows = match flags.common {
        true => common(&dataset, files, &flags.reading.options(None).table())?,
        false => (0..dataset.len()).collect(),
    };
    if flags.train_only {
        rows.retain(|&row| dataset.split[row] == Split::Train);
    }
    let (total, train) = (rows.len(), training(&dataset, &rows));
    let mut makers = makers.only(rows);
    let mut show = |name: &str, done: usize| spinner.say(&format!("{name}: {done}/{total}"));
    // Files of features come last: by then it is known which samples can be read.
    let is_file = |(_, source): &(String, Source)| matches!(source, Source::File(_));
    let (files, others): (Vec<_>, Vec<_>) = sources.into_iter().partition(is_file);
    let mut made = makers.represent_all(&others, &mut show)?;
    let mut heads = Vec::new();
    for (name, run) in own_heads {
        let source = Source::Run(run.clone());
        let features = makers.represent(&name, &source, &mut |done| show(&name, done))?;
        heads.push((name, run, features));
    }
    let has_learned =
        !(learned.is_empty() && learners.is_empty() && methods.is_empty() && heads.is_empty());
    if !flags.no_baselines && has_learned {
        for name in baselines(&dataset, train, &makers, &learners) {
            if made.iter().all(|r| r.name != name) {
                let source = Source::parse(&name)?;
                match makers.represent(&name, &source, &mut |done| show(&name, done)) {
                    // Two sources may have the same untrained network.
                    Ok(baseline) if made.iter().any(|r| r.features == baseline.features) => {}
                    Ok(baseline) => made.push(baseline),
                    Err(error) => say::note(format_args!("without the baseline {name}: {error}")),
                }
            }
        }
    }
    made.extend(makers.represent_all(&files, &mut show)?);
    let mut on_features = Vec::new();
    for (name, method) in methods {
        if let Source::OnFeatures(method) = method
            && let Some(features) = made.iter().find(|r| r.name == method.of)
        {
            on_features.push((name, *method, features.clone()));
        }
    }
    let place = |r: &Representation| names.iter().position(|name| *name == r.name);
    made.sort_by_key(|r| place(r).unwrap_or(names.len()));
    makers.notes.iter().for_each(say::note);
    drop(makers);
    let learners = with_labels_alone(learners, &names, flags)?;
    Ok(Represented {
        dataset,
        names,
        made,
        learned,
        learners,
        on_features,
        heads,
        warnings,
    })
}

/// The sources, each network before its stages, which `stages` gives: all of them, or those named in `layers`.
pub(super) fn with_stages(
    sources: Vec<(String, Source)>,
    layers: &str,
    stages: &mut dyn FnMut(&Source) -> Result<Vec<Stage>>,
) -> Result<Vec<(String, Source)>> {
    let mut all = Vec::new();
    for (name, source) in sources {
        let stages = stages(&source)?;
        let wanted: Vec<&str> = match layers {
            "all" => stages.iter().map(|stage| stage.name.as_str()).collect(),
            _ if stages.is_empty() => vec![],
            some => some.split(',').map(str::trim).collect(),
        };
        all.push((name.clone(), source.clone()));
        for stage in wanted {
            all.push((format!("{name}@{stage}"), source.clone().at(stage)?));
        }
    }
    Ok(all)
}

/// The rows of the samples that all files of features hold.
fn common<'a>(
    dataset: &Dataset,
    files: impl Iterator<Item = &'a Path>,
    options: &TableOptions,
) -> Result<Vec<usize>> {
    let mut rows: Vec<usize> = (0..dataset.len()).collect();
    for path in files {
        let Some(ids) = representation::read(path, options)?.table.ids else {
            return Err(Error::file(
                path,
                "has no ids, so --common cannot tell which samples it holds; add an array `ids`",
            ));
        };
        let held: HashSet<String> = ids.into_iter().collect();
        rows.retain(|&row| held.contains(&dataset.ids[row]));
        if rows.is_empty() {
            let text = format!(
                "holds no sample of {} that the files before it hold",
                dataset.name
            );
            return Err(Error::file(path, text));
        }
    }
    say::note(format_args!(
        "measured on {} of {} samples, those that all files hold",
        rows.len(),
        dataset.len()
    ));
    Ok(rows)
}

/// How many of the rows are training samples.
fn training(dataset: &Dataset, rows: &[usize]) -> usize {
    let train = |&&row: &&usize| dataset.split[row] == Split::Train;
    rows.iter().filter(train).count()
}

/// What every table has besides the learned representations, for so many training samples.
fn baselines(
    dataset: &Dataset,
    train: usize,
    makers: &Sources,
    learners: &[(String, Learner)],
) -> Vec<String> {
    let mut names = vec!["pixels".to_owned()];
    names.extend(baseline_components(dataset.shape, train).map(|dims| format!("pca:{dims}")));
    let encoders = makers.architectures().map(str::to_owned);
    let encoders = encoders.chain(learners.iter().filter_map(|(_, of)| of.untrained()));
    for name in encoders.map(|name| format!("random:{name}")) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
