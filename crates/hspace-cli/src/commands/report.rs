//! `hspace report`

use std::path::{Path, PathBuf};
use std::slice;

use hspace::config::Config;
use hspace::dataset::Split;
use hspace::device::{Device, device};
use hspace::drawings::for_report;
use hspace::evaluate::{ReportInput, run_facts};
use hspace::evaluate_fidelity::{FidelityOptions, evaluate_fidelity};
use hspace::feature_maps::{MapsOptions, feature_maps};
use hspace::generate::{GenerativeModel, draws};
use hspace::head;
use hspace::job::about;
use hspace::probe::evaluation::evaluate;
use hspace::report::{HeadResult, Page};
use hspace::representation::Representation;
use hspace::run::Line;
use hspace::run::RunFolder;
use hspace::warning::{Warning, WarningKind};
use hspace::{Error, Result};

use crate::commands::check::findings;
use crate::commands::open;
use crate::commands::probe::{ProbeFlags, data_warnings, measure_sources, represent_sources};
use crate::progress::Spinner;
use crate::say;
use crate::settings::DataFlags;

/// Measure a run compared with its baselines and write report.html and summary.json into its folder.
///
/// Of data without labels the page shows what can be seen: training, spaces, neighbours, latents, what the
/// run draws.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace report runs/a
  hspace report runs/a --data other-photos/ --labels 1,5,10,50,all")]
pub struct Args {
    /// The run
    run: PathBuf,
    /// Other data than the run's own
    #[arg(long)]
    data: Option<String>,
    /// Labels a class
    #[arg(long, value_name = "COUNTS", default_value = "1,10,100,all")]
    labels: String,
    /// Random draws of few labels
    #[arg(long)]
    draws: Option<usize>,
}

pub fn run(args: &Args) -> Result<()> {
    let folder = RunFolder::open(&args.run)?;
    let table = folder.read_config()?;
    let own = Config::data_of(&table).unwrap_or_default().to_owned();
    let data = args.data.clone().unwrap_or(own);
    let reading = Config::reading_of(&table)?;
    let dataset = open(&data, &reading)?;
    let config = Config::resolve(table, about(&dataset))?;
    let name = args.run.display().to_string();
    let has_task = config.label != "auto" || dataset.task().is_some();
    let flags = ProbeFlags {
        train_only: false,
        data: Some(data),
        folds: None,
        seeds_apart: false,
        layers: None,
        labels: Some(args.labels.clone()),
        probe: None,
        label: Some(config.label.clone()),
        draws: args.draws,
        seed: config.seed,
        set: vec![],
        // They are there to compare with.
        no_baselines: !has_task,
        common: false,
        json: None,
        html: None,
        answers: None,
        minutes: None,
        device: config.device.clone(),
        reading: DataFlags::of(&reading),
        quiet: false,
    };
    let options = flags.options()?;
    let (measurements, made) = if has_task {
        let (measurements, made) = measure_sources(slice::from_ref(&name), &flags, &options)?;
        (Some(measurements), made)
    } else {
        say::note(format_args!(
            "{} has no label column, so there is no task to measure",
            flags.data()?
        ));
        let spinner = Spinner::new("reading");
        let names = ["pixels".to_owned(), name.clone()];
        let made = represent_sources(&names, &flags, &spinner)?.made;
        spinner.done();
        (None, made)
    };
    let lines: Vec<Line> = folder.read_metrics(usize::MAX)?;
    let device = device(&config.device)?;
    let trained = folder.read_encoder(&device)?;
    let task = match &measurements {
        Some(measurements) => measurements.task.as_str(),
        None => "",
    };
    let options = MapsOptions::default();
    let maps = feature_maps(&name, &trained, &dataset, task, options, &device)?;
    let data = data_warnings(slice::from_ref(&name), &dataset)?;
    let mut warnings: Vec<Warning> = data.into_iter().map(Warning::of_data).collect();
    warnings.extend(trained.about.warnings);
    let found = findings(&dataset)?.warnings.into_iter();
    warnings.extend(found.map(Warning::of_data));
    let own_head = match (&measurements, made.iter().find(|r| r.name == name)) {
        (Some(measurements), Some(space)) => {
            own_head(&args.run, &measurements.task, space, &device, &mut warnings)?
        }
        _ => None,
    };
    let mut spaces: Vec<_> = made
        .into_iter()
        .filter(|r| r.name == "pixels" || r.name == name)
        .collect();
    spaces.sort_by_key(|space| space.name == name);
    let (mut drawings, mut has_prior) = (vec![], false);
    if folder.has_model() && draws(&config.objective) {
        let drawer = GenerativeModel::open(&folder, &device)?;
        let how = FidelityOptions {
            seed: config.seed,
            ..FidelityOptions::default()
        };
        // A GAN's prior is not that of its encoder's features.
        has_prior = drawer.has_prior() && drawer.has_latents();
        let judged = || {
            evaluate_fidelity(
                &drawer,
                open(flags.data()?, &reading)?,
                &how,
                &device,
                &mut |_| (),
            )
        };
        let fidelity = match drawer.has_prior().then(judged) {
            Some(Ok(found)) => Some(found),
            // Of a handful of samples, for instance.
            Some(Err(error)) => {
                let text = format!("what it draws was not judged: {error}");
                warnings.push(Warning::new(WarningKind::Unmeasured, text));
                None
            }
            None => None,
        };
        drawings = for_report(&drawer, &dataset, fidelity.as_ref(), config.seed)?;
        warnings.extend(fidelity.and_then(|found| found.diagnose()));
    }
    let story = ReportInput {
        title: name.clone(),
        dataset: &dataset,
        run: Some(run_facts(&config, &lines, trained.weights.trained_values())),
        lines: &lines,
        measurements,
        seed: config.seed,
        learned: vec![name],
        spaces: &spaces,
        has_prior,
        feature_maps: maps.into_iter().collect(),
        drawings,
        warnings,
        bad: dataset.bad.clone(),
    };
    let page = Page {
        head: own_head,
        ..story.page()?
    };
    write(&folder, &page)
}

/// How right the head of a supervised run is on the test samples of `space`, whose labels are the column `task`; `None` where it has no head.
fn own_head(
    run: &Path,
    task: &str,
    space: &Representation,
    device: &Device,
    warnings: &mut Vec<Warning>,
) -> Result<Option<HeadResult>> {
    let Some(mut head) = head::of_run_if_any(run, device)? else {
        return Ok(None);
    };
    head.about.task = task.to_owned();
    let rows = 0..space.ids.len();
    let test: Vec<usize> = rows.filter(|&i| space.split[i] == Split::Test).collect();
    match evaluate(&head, &space.select(&test).with_shift(&head.offset)) {
        Ok(evaluation) => Ok(Some(HeadResult {
            about: head.about,
            evaluation,
        })),
        // Of data with other classes, for instance.
        Err(error) => {
            let text = format!("the run's own head was not measured: {error}");
            warnings.push(Warning::new(WarningKind::Unmeasured, text));
            Ok(None)
        }
    }
}

/// Writes report.html and summary.json into the run's folder and says so.
pub fn write(folder: &RunFolder, page: &Page) -> Result<()> {
    folder.write("report.html", &hspace::report::html(page)?)?;
    let summary = serde_json::json!({
        "headline": page.headline,
        "run": page.run,
        "warnings": page.warnings,
        "measurements": page.measurements,
        "head": page.head,
    });
    let text = serde_json::to_string_pretty(&summary).map_err(|e| Error::file(folder.path(), e))?;
    folder.write("summary.json", &text)?;
    let path = folder.path().join("report.html");
    println!("\nreport: {}", path.display());
    Ok(())
}
