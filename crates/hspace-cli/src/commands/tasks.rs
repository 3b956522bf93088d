//! `hspace tasks`

use std::path::{Path, PathBuf};
use std::time::Instant;

use hspace::config::Config;
use hspace::many_tasks::{ManyTasks, TasksPlan};
use hspace::report::Page;
use hspace::toml::{Table, Value};
use hspace::warning::Warning;
use hspace::{Error, Result};

use crate::commands::{apart, open, write_json};
use crate::progress::{Counted, clock, stop_flag};
use crate::say;
use crate::settings::{DataFlags, SettingFlags, count};

/// Is it better to learn several tasks together? Each label column alone, all with one network, pairs, and each held out.
///
/// Columns may be classes, several labels a sample, and numbers, and samples may lack any of them. Of each task it is said what a network that learns all gains
/// or loses compared with one that learns the task alone, on the same test samples; which task helps or hurts which, from networks of two tasks;
/// and how well a task that a network never saw is read off its features. Each network is kept as a run in --out, for `hspace predict` and
/// `hspace probe`; what was stopped goes on when the same command is given again.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace tasks --data builtin:shapes --encoder cnn --steps 300 --out tasks/shapes
  hspace tasks --data scans/ --columns finding,age,sex --encoder resnet18 --epochs 20 --out tasks/scans --html tasks.html
  hspace tasks --data scans/ --weighting fixed,uncertainty,pcgrad,cagrad:distance=0.2 --no-pairs --out tasks/weightings
  hspace train --objective multi_task --set objective.weighting=mgda --data scans/ --out runs/all   # one such network
  hspace predict runs/all --label age --data new/ --out ages.csv")]
pub struct Args {
    /// Samples, with at least two label columns: builtin:NAME, a folder, .npz, .npy or .csv
    #[arg(long)]
    data: Option<String>,
    /// Columns that are the tasks [default: all label columns]
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    columns: Vec<String>,
    /// How the losses of all tasks become one: fixed, uncertainty, dwa, gradnorm, pcgrad, cagrad or mgda; several are compared, settings follow after colons
    #[arg(
        long,
        value_name = "WEIGHTINGS",
        value_delimiter = ',',
        default_value = "fixed"
    )]
    weighting: Vec<String>,
    /// Trainings of each network, with seeds 0, 1, …
    #[arg(long, default_value_t = 3, value_parser = count(1..=1000))]
    seeds: usize,
    /// Do not learn pairs of tasks
    #[arg(long)]
    no_pairs: bool,
    /// Do not hold tasks out
    #[arg(long)]
    no_held_out: bool,
    /// Folder of the runs
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Write the results as JSON to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
    #[command(flatten)]
    reading: DataFlags,
}

pub fn run(args: &Args) -> Result<()> {
    let mut settings = args.settings.table()?;
    for (key, instead) in [
        ("objective", "--weighting"),
        ("label", "--columns"),
        ("seed", "--seeds"),
    ] {
        if settings.contains_key(key) {
            return Err(Error::config(format!(
                "--{key}: of the tasks it is said by {instead}; leave it out"
            )));
        }
    }
    if let Some(data) = &args.data {
        settings.insert("data".into(), Value::String(data.clone()));
    }
    let data = Config::data_of(&settings)
        .map(str::to_owned)
        .ok_or_else(|| {
            Error::config("no data: give --data, such as --data builtin:shapes or --data scans/")
        })?;
    let outputs = [
        ("--json", args.json.as_deref()),
        ("--html", args.html.as_deref()),
    ];
    apart(&outputs, &[("data", &data)])?;
    let mut reading = Config::reading_of(&settings)?;
    args.reading.lay_over(&mut reading);
    let dataset = open(&data, &reading)?;
    let section = Table::try_from(&reading).map_err(Error::config)?;
    settings.insert("reading".into(), section.into());
    let plan = TasksPlan {
        settings,
        columns: args.columns.clone(),
        weightings: args.weighting.clone(),
        seeds: args.seeds as u64,
        pairs: !args.no_pairs,
        held_out: !args.no_held_out,
    };
    let stop = stop_flag()?;
    let mut line = Counted::new();
    let started = Instant::now();
    let show = &mut |text: &str, done, total| line.show(text, done, total);
    let found = plan.run(&dataset, &args.out, show, stop);
    line.done();
    let found = found.map_err(|error| match error {
        Error::Interrupted(_) => Error::Interrupted(format!(
            "stopped; what was trained is in {}: the same command goes on",
            args.out.display()
        )),
        other => other,
    })?;
    say::info(format_args!(
        "done in {}",
        clock(started.elapsed().as_secs_f64())
    ));
    if let Some(path) = &args.json {
        write_json(path, &found)?;
    }
    if let Some(path) = &args.html {
        write_page(path, &data, &found, &dataset.bad)?;
    }
    if args.json.as_deref() != Some("-".as_ref()) {
        println!("{}\n{}", found.table(), found.headline());
        if let Some(path) = &args.html {
            println!("\npage: {}", path.display());
        }
    }
    Ok(())
}

fn write_page(
    path: &Path,
    data: &str,
    found: &ManyTasks,
    bad: &[hspace::dataset::BadFile],
) -> Result<()> {
    let few = found.seeds == 1;
    let warning = few.then(|| {
        Warning::of_data(
            "one training each: the intervals do not hold the training, --seeds 3 does".into(),
        )
    });
    let page = Page {
        title: format!("tasks: {data}"),
        headline: found.headline(),
        many_tasks: Some(found.clone()),
        warnings: warning.into_iter().collect(),
        bad_files: bad.to_vec(),
        ..Page::default()
    };
    let page = hspace::report::html(&page)?;
    hspace::file::write_whole(path, page.as_bytes())
}
