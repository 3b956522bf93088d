//! `hspace compare --tasks`: sources ranked on two tasks.

use std::path::{Path, PathBuf};

use hspace::probe::{Measurements, TaskRanks};
use hspace::{Error, Result};
use serde::Serialize;

use super::Args;
use crate::commands::probe::{ProbeFlags, measure_sources};
use crate::commands::write_json;

/// For `--json`.
#[derive(Serialize)]
struct Whole<'a> {
    ranks: &'a TaskRanks,
    measurements: [&'a Measurements; 2],
}

/// Measures the sources on both tasks, and ranks them.
pub(super) fn measure(args: &Args, tasks: &str) -> Result<()> {
    let names: Vec<&str> = tasks.split(',').map(str::trim).collect();
    let [first, second] = names[..] else {
        return Err(Error::config(format!(
            "--tasks {tasks}: name two columns, such as --tasks label,mask"
        )));
    };
    if first == second {
        return Err(Error::config(format!(
            "--tasks {tasks}: ranks on one task are the same; name two columns"
        )));
    }
    if args.flags.html.is_some() {
        return Err(Error::config(
            "--html: a page is about one task; leave it out, or give --label in place of --tasks",
        ));
    }
    let measured = |task: &str| -> Result<Measurements> {
        let flags = of_task(&args.flags, task);
        let options = flags.options()?;
        Ok(measure_sources(&args.runs, &flags, &options)?.0)
    };
    let first = measured(first)?;
    if !args.flags.is_quiet() {
        println!();
    }
    show(args, [&first, &measured(second)?])
}

/// The flags for one of the tasks: its answers are kept in a file of its own, and both are written together.
fn of_task(flags: &ProbeFlags, task: &str) -> ProbeFlags {
    let own = |path: &PathBuf| path.with_extension(format!("{task}.answers.jsonl"));
    let json = flags.json.as_ref().filter(|path| *path != Path::new("-"));
    ProbeFlags {
        label: Some(task.to_owned()),
        answers: flags.answers.as_ref().or(json).map(own),
        json: None,
        quiet: flags.is_quiet(),
        // Half of the time for each.
        minutes: flags.minutes.map(|minutes| minutes / 2.0),
        ..flags.clone()
    }
}

/// Ranks the sources of measurements of two tasks, and shows it.
pub(super) fn show(args: &Args, [first, second]: [&Measurements; 2]) -> Result<()> {
    let ranks = TaskRanks::of(first, second)?;
    if let Some(path) = &args.flags.json {
        let whole = Whole {
            ranks: &ranks,
            measurements: [first, second],
        };
        write_json(path, &whole)?;
    }
    if !args.flags.is_quiet() {
        println!("\n{}", ranks.text().trim_end());
    }
    Ok(())
}
