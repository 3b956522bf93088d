//! `hspace quickstart`

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use hspace::config::Config;
use hspace::dataset::{Dataset, OpenOptions, Split};
use hspace::evaluate::{ReportInput, rows_of, run_facts};
use hspace::feature_maps::{MapsOptions, feature_maps};
use hspace::job::{Job, about};
use hspace::per_draw::{Budget, supervised};
use hspace::probe::{Contender, ProbeOptions, measure};
use hspace::representation::Representation;
use hspace::run::RunFolder;
use hspace::source::{Source, Sources};
use hspace::toml::{Table, Value};
use hspace::training::{Start, Trained};
use hspace::{Error, Result};

use crate::commands::{open, report};
use crate::progress::{Spinner, TrainingLine, clock, stop_flag};
use crate::settings::seed;

/// The whole job on embedded data: learn from unlabelled digits, measure, explain.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace quickstart
  hspace quickstart --seconds 60 --out runs/short")]
pub struct Args {
    /// Time it may take, about; a longer one trains longer
    #[arg(long, default_value_t = 170, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    seconds: u64,
    /// Folder of the run
    #[arg(long, default_value = "runs/quickstart")]
    out: PathBuf,
    /// Seed of everything random
    #[arg(long, default_value_t = 0, value_parser = seed())]
    seed: u64,
    /// Replace the run that is in --out (the default folder is always replaced)
    #[arg(long)]
    overwrite: bool,
}

/// Channels of the encoder's first block.
const WIDTH: i64 = 32;
/// SimCLR's temperature; it, the width and the passes were chosen on held-out training images (docs/experiments).
const TEMPERATURE: f64 = 0.5;
const DATA: &str = "builtin:mnist-mini";
/// Passes over the data within the default budget.
const EPOCHS: f64 = 20.0;
const BUDGET: f64 = 170.0;
/// Share of the budget for learning; the rest is for the baselines and the measuring.
const LEARNING: f64 = 0.45;
/// Seconds of the trial of the machine's speed.
const TRIAL: f64 = 3.0;

pub fn run(args: &Args) -> Result<()> {
    let started = Instant::now();
    let stop = stop_flag()?;
    let dataset = open(DATA, &OpenOptions::default())?;
    let folder = RunFolder::create(&args.out, args.overwrite || args.out == *"runs/quickstart")?;
    let train = dataset.indices(Split::Train).len();
    println!(
        "{train} handwritten digits to learn from without their labels, {} to test on",
        dataset.len() - train
    );
    let epochs = plan(&dataset, args, stop)?;
    let job = Job::new(config(&dataset, args.seed, epochs)?, &dataset, None)?;
    folder.write_config(&job.config)?;
    let mut line = TrainingLine::new("learning");
    let trained = job.run(Some(&folder), Start::Fresh, &mut |p| line.show(p), stop)?;
    line.done();
    println!(
        "learned for {}: {} steps, {:.0} images/s",
        clock(trained.seconds),
        trained.steps,
        trained.samples as f64 / trained.seconds
    );
    show(args, &dataset, &folder, &job, trained, stop)?;
    println!("done in {}", clock(started.elapsed().as_secs_f64()));
    Ok(())
}

fn config(dataset: &Dataset, seed: u64, epochs: usize) -> Result<Config> {
    let mut table = Table::new();
    let mut set = |key: &str, value: Value| table.insert(key.to_owned(), value);
    set("data", DATA.into());
    set("seed", (seed as i64).into());
    let encoder = Table::from_iter([
        ("name".to_owned(), "cnn".into()),
        ("width".to_owned(), WIDTH.into()),
    ]);
    set("encoder", encoder.into());
    let objective = Table::from_iter([
        ("name".to_owned(), "simclr".into()),
        ("temperature".to_owned(), TEMPERATURE.into()),
    ]);
    set("objective", objective.into());
    let train = Table::from_iter([("epochs".to_owned(), Value::Integer(epochs as i64))]);
    set("train", train.into());
    Config::resolve(table, about(dataset))
}

/// Passes over the data: as many as the budget is meant for, fewer if a trial of the machine's
/// speed says that they would not fit. The result is a function of the seed and this number.
fn plan(dataset: &Dataset, args: &Args, stop: &AtomicBool) -> Result<usize> {
    let wanted = (EPOCHS * args.seconds as f64 / BUDGET).round().max(1.0);
    let job = Job::new(config(dataset, args.seed, 1)?, dataset, None)?;
    let spinner = Spinner::new("trying how fast this machine is");
    let rate = job.pace(TRIAL, stop)?;
    spinner.done();
    if stop.load(Ordering::Relaxed) {
        return Err(Error::Interrupted("stopped before the training".into()));
    }
    let samples = dataset.indices(Split::Train).len() as f64;
    let fit = (LEARNING * args.seconds as f64 * rate / samples)
        .floor()
        .max(1.0);
    if fit < wanted {
        println!(
            "at {rate:.0} images/s this machine has time for {fit} passes over the data, not \
             {wanted}; more --seconds gives a better result"
        );
    }
    Ok(wanted.min(fit) as usize)
}

/// Contenders, measurement, table, headline, report.
fn show(
    args: &Args,
    dataset: &Dataset,
    folder: &RunFolder,
    job: &Job,
    trained: Trained,
    stop: &AtomicBool,
) -> Result<()> {
    let run = args.out.display().to_string();
    let learned = "simclr cnn".to_owned();
    let (_, _, device) = job.encoder();
    let mut makers = Sources::new(dataset, device.clone(), args.seed);
    let spinner = Spinner::new("embedding");
    let named = [
        (learned.as_str(), Source::parse(&run)?),
        ("pixels", Source::Pixels),
        ("pca:50", Source::Pca(50)),
        ("random:cnn", Source::Random("cnn".into())),
    ];
    let mut made: Vec<Representation> = Vec::new();
    for (name, source) in &named {
        spinner.say(&format!("embedding {name}"));
        made.push(makers.represent(name, source, &mut |_| ())?);
    }
    let spaces = vec![made[1].clone(), made[0].clone()];
    let budget = Budget {
        // Enough for its own head: on held-out training images of MNIST with 10 labels a class 200 steps reach .84, and 600 .84 too.
        steps: 200,
        passes: 6,
        ..Budget::default()
    };
    let rows = rows_of(dataset, &made[0].ids);
    let Some(task) = dataset.task() else {
        return Err(Error::data("the digits have labels"));
    };
    let mut contenders: Vec<Contender> = made.into_iter().map(Contender::Fixed).collect();
    let (like, name) = (&job.config, "supervised:cnn");
    contenders.push(supervised(name, like, dataset, rows, task, budget, stop)?);
    let options = ProbeOptions {
        seed: args.seed,
        ..ProbeOptions::default()
    };
    let measurements = measure(contenders, &options, DATA, &mut |text| spinner.say(text))?;
    spinner.done();
    println!("\n{}", measurements.table());
    println!("\n{}", measurements.headline());
    let encoder = folder.read_encoder(device)?;
    let task = &measurements.task;
    let maps = feature_maps(
        &learned,
        &encoder,
        dataset,
        task,
        MapsOptions::default(),
        device,
    )?;
    let story = ReportInput {
        title: "hspace quickstart".into(),
        dataset,
        run: Some(run_facts(&job.config, &trained.lines, job.parameters())),
        lines: &trained.lines,
        seed: measurements.seed,
        measurements: Some(measurements),
        learned: vec![learned],
        spaces: &spaces,
        has_prior: false,
        feature_maps: maps.into_iter().collect(),
        drawings: vec![],
        warnings: trained.warnings,
        bad: trained.bad,
    };
    report::write(folder, &story.page()?)
}
