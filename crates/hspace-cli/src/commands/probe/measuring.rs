//! Sources measured: tables, JSON and a page.

use std::path::Path;

use hspace::data_record::DataRecord;
use hspace::dataset::Dataset;
use hspace::evaluate::{
    contenders, group_name, leak_warnings, same_but_for_seed, saw_labels, scaling,
};
use hspace::probe::{Contender, Limits, Measurements, ProbeOptions, Row, Scaling, measure_within};
use hspace::report::Page;
use hspace::representation::Representation;
use hspace::run::RunFolder;
use hspace::source::Source;
use hspace::warning::Warning;
use hspace::{Error, Result};

use super::ProbeFlags;
use super::addition::{Added, Addition};
use super::answers::{Answers, deadline};
use super::learners::{learner, on, own_head, run_settings};
use super::masks;
use super::network_maps::network_maps;
use super::represented::{Represented, parsed, represent_opened};
use crate::commands::open;
use crate::progress::Spinner;
use crate::say;

/// Everything `probe`, `compare` and `report` do alike: sources, baselines, measurement, outputs.
pub fn measure_sources(
    names: &[String],
    flags: &ProbeFlags,
    options: &ProbeOptions,
) -> Result<(Measurements, Vec<Representation>)> {
    measure_and_add(names, flags, options, None)
}

/// The same, and what a command adds.
pub fn measure_and_add(
    names: &[String],
    flags: &ProbeFlags,
    options: &ProbeOptions,
    addition: Option<&mut dyn Addition>,
) -> Result<(Measurements, Vec<Representation>)> {
    let deadline = flags.minutes.map(deadline);
    let mut answers = Answers::open(names, flags)?;
    let spinner = Spinner::new("reading");
    let sources = parsed(names)?;
    let dataset = open(flags.data()?, &flags.open_options())?;
    if let Some(addition) = &addition {
        addition.check(&dataset, flags.label.as_deref())?;
    }
    if let Some(label) = &flags.label
        && let Some(column) = dataset.mask_column(label)
    {
        let name = &column.name;
        let found = masks::measure(sources, &dataset, name, flags, options, answers, spinner)?;
        return Ok((found, Vec::new()));
    }
    let represented = represent_opened(sources, dataset, flags, &spinner)?;
    let options = options_for(&represented.dataset, options)?;
    let groups = seed_groups(&represented.names, flags)?;
    let Represented {
        dataset,
        names,
        made,
        learned,
        warnings,
        ..
    } = &represented;
    let mut warnings = warnings.clone();
    if options.folds > 1 {
        warnings.extend(fold_warnings(names, options.folds, dataset)?);
    }
    let contenders = all_contenders(&represented, &groups, &options, flags, &spinner)?;
    let mut learned = learned.clone();
    learned.extend(groups.iter().map(|g| group_name(g)));
    let mut limits = Limits::new(answers.journal(), deadline);
    let measurements = measure_within(
        &contenders,
        &options,
        flags.data()?,
        &mut limits,
        &mut |text| spinner.say(text),
    );
    spinner.done();
    let measurements = measurements?;
    answers.done(measurements.without(), flags)?;
    let leaks = leak_warnings(dataset, made);
    leaks.iter().for_each(say::warning);
    let warnings = [warnings, leaks].concat();
    let (added, failed) = match addition.map(|addition| addition.add(&measurements, made)) {
        None => (Added::default(), None),
        Some(Ok(added)) => (added, None),
        // What was measured is shown all the same.
        Some(Err(error)) => (Added::default(), Some(error)),
    };
    if let Some(path) = &flags.json {
        added.write(path, &measurements)?;
    }
    let quiet = flags.json.as_deref() == Some("-".as_ref());
    match quiet {
        true => measurements
            .worse_than_labels_alone()
            .iter()
            .for_each(say::warning),
        false => {
            print_with(&measurements, &added);
            if let Some(note) = one_seed(&measurements, &learned) {
                println!("{note}");
            }
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    if let Some(path) = &flags.html {
        let spaces: Vec<Representation> = made
            .iter()
            .filter(|r| r.name == "pixels" || learned.contains(&r.name))
            .cloned()
            .collect();
        let maps = network_maps(names, &groups, dataset, &measurements.task, flags)?;
        let story = hspace::evaluate::ReportInput {
            title: names.join(", "),
            dataset,
            run: None,
            lines: &[],
            measurements: Some(measurements.clone()),
            seed: measurements.seed,
            learned,
            spaces: &spaces,
            has_prior: false,
            feature_maps: maps,
            drawings: vec![],
            warnings: warnings.into_iter().map(Warning::of_data).collect(),
            bad: dataset.bad.clone(),
        };
        let page = story.page()?;
        let page = Page {
            head: added.head,
            headline: added.headline.unwrap_or(page.headline),
            ..page
        };
        let page = hspace::report::html(&page)?;
        hspace::file::write_whole(path, page.as_bytes())?;
        if !quiet {
            println!("\npage: {}", path.display());
        }
    }
    Ok((measurements, represented.made))
}

/// The options, with what depends on the data.
pub(crate) fn options_for(dataset: &Dataset, options: &ProbeOptions) -> Result<ProbeOptions> {
    let mut options = options.clone();
    if options.scaling == Scaling::Auto {
        options.scaling = scaling(dataset)?;
    }
    if options.task != "auto"
        && let Some(task) = dataset.task()
    {
        // It may have been named by its title.
        options.task.clone_from(&task.name);
    }
    Ok(options)
}

/// Everything that is measured: features, those of `groups` (names) as runs of one, then what learns from each draw of labels.
pub(crate) fn all_contenders<'a>(
    of: &'a Represented,
    groups: &[Vec<String>],
    options: &ProbeOptions,
    flags: &ProbeFlags,
    spinner: &Spinner,
) -> Result<Vec<Contender<'a>>> {
    let mut all = contenders(&of.made, groups);
    let runs = run_settings(&of.names)?;
    for source in &of.learners {
        spinner.say(&format!("reading for {}", source.name));
        all.push(learner(
            source,
            &runs,
            &of.dataset,
            &of.made,
            options,
            flags,
        )?);
    }
    for (name, method, features) in &of.on_features {
        all.push(on(name, method, features.clone(), options, flags)?);
    }
    for (name, run, features) in &of.heads {
        all.push(own_head(name, run, features.clone(), options, flags)?);
    }
    Ok(all)
}

/// The tables, and the headline.
pub fn print_measurements(measurements: &Measurements) {
    print_with(measurements, &Added::default());
}

fn print_with(measurements: &Measurements, added: &Added) {
    println!("{}", measurements.table());
    let own = || measurements.headline();
    let headline = added.headline.clone().unwrap_or_else(own);
    if !headline.is_empty() {
        println!("\n{headline}");
    }
    if !added.text.is_empty() {
        println!("\n{}", added.text.trim_end());
    }
}

/// What the intervals of a single training do not hold.
pub(super) fn one_seed(measurements: &Measurements, learned: &[String]) -> Option<String> {
    let is_single = |row: &&Row| {
        let trained =
            learned.contains(&row.representation) && Path::new(&row.representation).is_dir();
        trained
            && row
                .answers
                .as_ref()
                .is_some_and(|answers| answers.seeds() == 1)
    };
    let row = measurements.rows.iter().find(is_single)?;
    Some(format!(
        "note: the intervals of {} hold labels and test samples, not the training: train with other seeds, and name all runs",
        row.representation
    ))
}

/// Names of the runs that are one but for their seeds.
pub fn seed_groups(names: &[String], flags: &ProbeFlags) -> Result<Vec<Vec<String>>> {
    if flags.seeds_apart {
        return Ok(Vec::new());
    }
    let groups = same_but_for_seed(names)?;
    let named = |group: Vec<usize>| {
        group
            .into_iter()
            .map(|place| names[place].clone())
            .collect()
    };
    Ok(groups.into_iter().map(named).collect())
}

/// What folds do to runs that learned from samples of `dataset`: they are tested on them.
///
/// # Errors
/// Of runs that learned from labels: their scores would mean nothing.
pub(crate) fn fold_warnings(
    names: &[String],
    folds: usize,
    dataset: &Dataset,
) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    for name in names {
        let source = Source::parse(name)?;
        let Some(path) = source.run() else {
            continue;
        };
        let folder = RunFolder::open(path)?;
        let is_of_others = match DataRecord::read(&folder)? {
            Some(record) => !record.has_learned_from(dataset),
            None => !folder.has_config(),
        };
        if is_of_others {
            continue;
        }
        if saw_labels(&folder)? {
            return Err(Error::config(format!(
                "--folds {folds}: {name} learned from the labels of samples that folds test; leave --folds out"
            )));
        }
        let text = format!(
            "{name} learned, without labels, from samples that the {folds} folds test: its scores may be too high"
        );
        say::warning(&text);
        warnings.push(text);
    }
    Ok(warnings)
}
