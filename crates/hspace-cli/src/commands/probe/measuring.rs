//! Sources measured: tables, JSON and a page.

use std::path::Path;

use hspace::Result;
use hspace::evaluate::{group_name, leak_warnings};
use hspace::probe::{Limits, Measurements, ProbeOptions, Row, measure_within};
use hspace::report::Page;
use hspace::representation::Representation;
use hspace::warning::Warning;

use super::ProbeFlags;
use super::addition::{Added, Addition};
use super::answers::{Answers, deadline};
use super::masks;
use super::network_maps::network_maps;
use super::represented::{Represented, parsed};
use super::set_up::SetUp;
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
        let save = addition.as_ref().and_then(|addition| addition.masks());
        let measuring = masks::Measuring {
            dataset: &dataset,
            column: &column.name,
            flags,
            options,
        };
        let found = measuring.measure(sources, save, answers, spinner)?;
        return Ok((found, Vec::new()));
    }
    let set_up = SetUp::new(sources, dataset, flags, options, &spinner)?;
    let contenders = set_up.contenders(flags, &spinner)?;
    let SetUp {
        represented,
        groups,
        options,
    } = &set_up;
    let Represented {
        dataset,
        names,
        made,
        learned,
        warnings,
        ..
    } = represented;
    let mut learned = learned.clone();
    learned.extend(groups.iter().map(|g| group_name(g)));
    let mut limits = Limits::new(answers.journal(), deadline);
    let measurements = measure_within(
        &contenders,
        options,
        flags.data()?,
        &mut limits,
        &mut |text| spinner.say(text),
    );
    spinner.done();
    let measurements = measurements?;
    answers.done(measurements.without(), flags)?;
    let leaks = leak_warnings(dataset, made);
    leaks.iter().for_each(say::warning);
    let warnings = [warnings.clone(), leaks].concat();
    let (added, failed) = match addition.map(|addition| addition.add(&measurements, made)) {
        None => (Added::default(), None),
        Some(Ok(added)) => (added, None),
        // What was measured is shown all the same.
        Some(Err(error)) => (Added::default(), Some(error)),
    };
    if let Some(path) = &flags.json {
        added.write(path, &measurements)?;
    }
    let quiet = flags.is_quiet();
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
        let maps = network_maps(names, groups, dataset, &measurements.task, flags)?;
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
    drop(contenders);
    Ok((measurements, set_up.represented.made))
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
