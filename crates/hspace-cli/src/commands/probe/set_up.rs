//! Sources and data made ready to be measured, and what is shown of the results: what `probe`, `shift` and `robustness` share.

use std::path::Path;

use hspace::data_record::DataRecord;
use hspace::dataset::Dataset;
use hspace::evaluate::{contenders, same_but_for_seed, saw_labels, scaling};
use hspace::probe::{Contender, ProbeOptions, Scaling};
use hspace::report::Page;
use hspace::run::RunFolder;
use hspace::source::Source;
use hspace::warning::Warning;
use hspace::{Error, Result};
use serde::Serialize;

use super::ProbeFlags;
use super::learners::{learner, on, own_head, run_settings};
use super::represented::{Represented, represent_opened};
use crate::commands::write_json;
use crate::progress::Spinner;
use crate::say;

/// Sources, made ready to be measured.
pub struct SetUp {
    pub represented: Represented,
    /// Names of the runs that are one but for their seeds.
    pub groups: Vec<Vec<String>>,
    /// The options, with what depends on the data.
    pub options: ProbeOptions,
}

impl SetUp {
    /// Makes the representations of `sources`, and says what may mislead about them.
    pub fn new(
        sources: Vec<(String, Source)>,
        dataset: Dataset,
        flags: &ProbeFlags,
        options: &ProbeOptions,
        spinner: &Spinner,
    ) -> Result<SetUp> {
        let mut represented = represent_opened(sources, dataset, flags, spinner)?;
        let options = options_for(&represented.dataset, options)?;
        if options.folds > 1 {
            let found = fold_warnings(&represented.names, options.folds, &represented.dataset)?;
            represented.warnings.extend(found);
        }
        let groups = seed_groups(&represented.names, flags)?;
        Ok(SetUp {
            represented,
            groups,
            options,
        })
    }

    /// Everything that is measured: features, those of groups as runs of one, then what learns from each draw of labels.
    pub fn contenders<'a>(
        &'a self,
        flags: &ProbeFlags,
        spinner: &Spinner,
    ) -> Result<Vec<Contender<'a>>> {
        let (of, options) = (&self.represented, &self.options);
        let mut all = contenders(&of.made, &self.groups);
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

    /// Writes `found` as JSON and shows it as text, as the flags say, and writes `page` with what is known of the sources.
    pub fn show(
        &self,
        flags: &ProbeFlags,
        found: &impl Serialize,
        text: &str,
        page: impl FnOnce() -> Result<Page>,
    ) -> Result<()> {
        if let Some(path) = &flags.json {
            write_json(path, found)?;
        }
        let say = |text: &str| {
            if !flags.is_quiet() {
                println!("{}", text.trim_end());
            }
        };
        say(text);
        if let Some(path) = &flags.html {
            self.write_page(path, page()?)?;
            say(&format!("\npage: {}", path.display()));
        }
        Ok(())
    }

    fn write_page(&self, path: &Path, page: Page) -> Result<()> {
        let of = &self.represented;
        let warnings = of.warnings.iter().cloned().map(Warning::of_data);
        let page = Page {
            learned: of.learned.clone(),
            warnings: warnings.collect(),
            bad_files: of.dataset.bad.clone(),
            ..page
        };
        let page = hspace::report::html(&page)?;
        hspace::file::write_whole(path, page.as_bytes())
    }
}

/// The options, with what depends on the data.
fn options_for(dataset: &Dataset, options: &ProbeOptions) -> Result<ProbeOptions> {
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
pub(super) fn fold_warnings(
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
