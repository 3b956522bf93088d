//! Sources of a comparison that learn from each draw of labels.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use hspace::config::Config;
use hspace::dataset::{self, Dataset};
use hspace::evaluate::rows_of;
use hspace::job::about;
use hspace::per_draw::{SupervisedBudget, supervised, supervised_settings};
use hspace::probe::{Contender, ProbeOptions};
use hspace::representation::Representation;
use hspace::run::RunFolder;
use hspace::source::Source;
use hspace::toml::Table;
use hspace::{Error, Result};

use super::ProbeFlags;

static NEVER: AtomicBool = AtomicBool::new(false);

/// The settings of the runs among the sources `names`.
pub(super) fn run_settings(names: &[String]) -> Result<Vec<Table>> {
    let mut found = Vec::new();
    for name in names {
        let source = Source::parse(name)?;
        let Some(path) = source.run().map(Path::to_owned) else {
            continue;
        };
        let folder = RunFolder::open(&path)?;
        if folder.has_config() {
            found.push(folder.read_config()?);
        }
    }
    Ok(found)
}

/// `supervised:ENCODER`, on the samples of `made`. As `random:ENCODER` it has settings, input and views of the first of `runs` with that
/// encoder, where there is one.
pub(super) fn learner<'a>(
    name: &str,
    encoder: &str,
    runs: &[Table],
    data: &'a Dataset,
    made: &[Representation],
    options: &ProbeOptions,
    flags: &ProbeFlags,
) -> Result<Contender<'a>> {
    let is_same = |run: &&Table| {
        let own = run.get("encoder").and_then(|e| e.get("name"));
        own.and_then(|name| name.as_str()) == Some(encoder)
    };
    let mut like = match runs.iter().find(is_same) {
        Some(run) => Config::resolve(run.clone(), about(data))?,
        None => supervised_settings(encoder, data, &flags.device)?,
    };
    like.device.clone_from(&flags.device);
    let rows = match made.first() {
        Some(first) => rows_of(data, &first.ids),
        None => (0..data.len())
            .filter(|&row| data.samples.get(row).is_ok())
            .collect(),
    };
    let place = match options.task.as_str() {
        "auto" => dataset::task(&data.columns),
        task => data.columns.iter().position(|c| c.name == task),
    };
    let Some(task) = place.map(|place| &data.columns[place]) else {
        return Err(Error::data(format!(
            "{name} learns from labels, and there is no column of them; name it by --label"
        )));
    };
    let budget = SupervisedBudget::default();
    let budget = SupervisedBudget {
        draws: flags.draws.unwrap_or(budget.draws),
        ..budget
    };
    supervised(name, like, data, rows, task, budget, &NEVER)
}
