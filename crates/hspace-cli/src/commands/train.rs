//! `hspace train`

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use hspace::advice::DataSummary;
use hspace::config::{Config, Init, set};
use hspace::data_record::DataRecord;
use hspace::dataset::Dataset;
use hspace::file::quoted;
use hspace::job::{Job, about};
use hspace::per_draw::config_of_all_labels;
use hspace::run::RunFolder;
use hspace::source::Source;
use hspace::toml::{Table, Value};
use hspace::training::{Progress, Start, Trained};
use hspace::{Error, Result, encoder, hub, pretrained};

use crate::commands::check::findings;
use crate::commands::probe::{minutes, run_settings};
use crate::commands::{notes_on, open};
use crate::progress::{Spinner, TrainingLine, clock, stop_flag};
use crate::say;
use crate::settings::{DataFlags, SettingFlags};

/// Learn a representation and leave it in a run folder.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace train --data builtin:mnist-mini --out runs/a
  hspace train --data photos/ --encoder resnet18 --objective simclr --out runs/a --epochs 20 \\
      --batch-size 256 --seed 0 --set encoder.width=16
  hspace train --data photos/ --objective dino --export teacher --out runs/dino
  hspace train --data photos/ --objective supervised --ema 0.999 --out runs/averaged
  hspace train --data photos/ --objective auto --minutes 30 --out runs/auto   # by what the labels are; says why
  hspace train --data photos/ --source fixmatch:cnn --out runs/fixmatch       # as `hspace probe` measures it, kept
  hspace train --resume runs/a
  hspace train --config runs/a/config.toml --set objective.temperature=0.5 --out runs/b")]
pub struct Args {
    /// Samples to learn from: builtin:NAME, a folder, .npz, .npy or .csv
    #[arg(long)]
    data: Option<String>,
    /// Folder of the run [default: runs/OBJECTIVE-ENCODER]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Replace the run that is in --out
    #[arg(long)]
    overwrite: bool,
    /// Go on with a run that was stopped, with the settings it has
    #[arg(long, value_name = "RUN", conflicts_with_all = ["data", "out", "overwrite", "init_from", "config", "set",
        "encoder", "objective", "epochs", "steps", "batch_size", "learning_rate", "image_size", "learn_from", "stop_on", "keep_best", "ema",
        "export", "label", "seed", "device", "id", "split_column", "role", "label_file", "keep_na", "missing", "holdout", "max_pixels", "pages", "few_labels", "few_labels_draw"])]
    resume: Option<PathBuf>,
    /// Train what `hspace probe` calls so, such as fixmatch:cnn:width=16 or finetune:runs/a, with the settings it is measured with, on all labels,
    /// and keep it
    #[arg(long, value_name = "METHOD:SUBJECT", conflicts_with_all = ["resume", "init_from", "config", "set", "encoder", "objective", "view_set", "epochs",
        "steps", "batch_size", "learning_rate", "image_size", "learn_from", "stop_on", "keep_best", "ema", "export"])]
    source: Option<String>,
    /// Train for about so many minutes: as many steps as fit, by a trial of this machine's speed; with --source no more than it takes
    #[arg(long, value_name = "M", value_parser = minutes, conflicts_with_all = ["resume", "epochs", "steps"])]
    minutes: Option<f64>,
    /// With --resume: go on although the data are not those that the run began with
    #[arg(long)]
    allow_changed_data: bool,
    /// Do not read every sample once before training to report what is there
    #[arg(long)]
    no_check: bool,
    /// Start from the encoder of this run, or from weights of torchvision or timm: .safetensors, .pth, or
    /// hf:OWNER/NAME (Hugging Face Hub, downloaded once). Samples are standardised as the new data are
    #[arg(long, value_name = "RUN|FILE|hf:…")]
    init_from: Option<String>,
    /// Which weights of a checkpoint to take where several fit: keys or modules around the network, such as teacher,
    /// state_dict_ema or module.encoder_q
    #[arg(long, value_name = "KEY", requires = "init_from")]
    weights_key: Option<String>,
    #[command(flatten)]
    settings: SettingFlags,
    #[command(flatten)]
    reading: DataFlags,
}

/// What is said of the data in place of an objective's name.
const AUTO: &str = "auto";
/// Seconds of the trial of the machine's speed.
const TRIAL: f64 = 3.0;

/// The column that is the task may have been named by its title; from here on it has its name.
fn name_task(table: &mut Table, dataset: &Dataset) {
    if let Some(label) = table
        .get_mut("label")
        .filter(|l| l.as_str() != Some("auto"))
        && let Some(task) = dataset.task()
    {
        *label = Value::String(task.name.clone());
    }
}

pub fn run(args: &Args) -> Result<()> {
    if let Some(path) = &args.resume {
        return resume(path, args.allow_changed_data);
    }
    if args.allow_changed_data {
        let text = "--allow-changed-data is for --resume: a new run takes the data as they are";
        return Err(Error::config(text));
    }
    let mut table = args.settings.table()?;
    if let Some(data) = &args.data {
        table.insert("data".into(), Value::String(data.clone()));
    }
    let source = Config::data_of(&table).ok_or_else(|| {
        Error::config("no data: give --data, such as --data builtin:mnist-mini or --data photos/")
    })?;
    let mut reading = Config::reading_of(&table)?;
    args.reading.lay_over(&mut reading);
    let dataset = open(source, &reading)?;
    name_task(&mut table, &dataset);
    let section = Table::try_from(&reading).map_err(Error::config)?;
    table.insert("reading".into(), section.into());
    if Config::objective_of(&table).is_some_and(|(name, _)| name == AUTO) {
        let advice = DataSummary::of(&dataset).objective();
        say::info(format_args!(
            "objective auto: {}, for {}",
            advice.name, advice.why
        ));
        set(&mut table, &format!("objective.name='{}'", advice.name)).map_err(Error::config)?;
    }
    if let Some(from) = &args.init_from {
        let key = args.weights_key.clone().unwrap_or_default();
        let init = [("from", from.clone()), ("weights_key", key)];
        let init = init.map(|(key, value)| (key.to_owned(), Value::String(value)));
        table.insert("init".into(), Table::from_iter(init).into());
    }
    let mut config = match &args.source {
        None => Config::resolve(table, about(&dataset))?,
        Some(name) => of_source(name, table, &dataset)?,
    };
    if let Some(minutes) = args.minutes {
        config = within(config, &dataset, minutes, args.source.is_some())?;
    }
    let weights = initial_weights(&mut config.init)?;
    let out = args.out.clone().unwrap_or_else(|| {
        PathBuf::from(format!(
            "runs/{}-{}",
            config.objective.name, config.encoder.name
        ))
    });
    let job = Job::new(config, &dataset, None)?;
    let start = match weights {
        None => Start::Fresh,
        Some(path) => {
            let init = &job.config.init;
            let (encoder, views, device) = job.encoder();
            let (like, _) = encoder::init(encoder, views.input().shape, job.config.seed, device);
            let key = Some(init.weights_key.as_str()).filter(|key| !key.is_empty());
            let read = pretrained::read(&path, key, encoder, &like, device)?;
            notes_on(&init.from, &read.notes);
            Start::From(read.weights, path)
        }
    };
    let folder = RunFolder::create(&out, args.overwrite)?;
    if !args.no_check {
        let findings = findings(&dataset)?;
        folder.add_bad_files(&findings.bad)?;
        say::info(findings);
    }
    folder.write_config(&job.config)?;
    go(&job, &folder, start)
}

/// The settings of a source that learns from labels; of `table` the data, how they are read, seed and device count.
fn of_source(name: &str, table: Table, dataset: &Dataset) -> Result<Config> {
    let learner = match Source::parse(name)? {
        Source::Learner(learner) => learner,
        _ => {
            return Err(Error::config(format!(
                "--source {name}: only a method that learns from labels is trained so, such as fixmatch:cnn; to keep a probe on features: \
                 hspace probe {} --data DATA --save-head FILE",
                quoted(name)
            )));
        }
    };
    let seed = table.get("seed").and_then(Value::as_integer).unwrap_or(0);
    let mut base = learner.base(
        &run_settings(&[name.to_owned()])?,
        Config::device_of(&table),
    )?;
    for key in ["data", "reading"] {
        base.extend(table.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    config_of_all_labels(&learner, base, dataset, seed as u64)
}

/// The same settings with as many steps as about `minutes` have room for, and where `at_most` no more than before.
fn within(config: Config, dataset: &Dataset, minutes: f64, at_most: bool) -> Result<Config> {
    let stop = stop_flag()?;
    let batch = *config.train.batch_size.get();
    let job = Job::new(config, dataset, None)?;
    let spinner = Spinner::new("trying how fast this machine is");
    let rate = job.pace(TRIAL, stop);
    spinner.done();
    let rate = rate?;
    if stop.load(Ordering::Relaxed) {
        return Err(Error::Interrupted("stopped before the training".into()));
    }
    let fit = ((60.0 * minutes * rate / batch as f64) as usize).max(1);
    let planned = job.steps()?;
    if at_most && planned <= fit {
        return Ok(job.config);
    }
    say::info(format_args!(
        "at {rate:.0} samples/s {minutes} minutes have room for {fit} steps of {batch}{}",
        if at_most {
            format!(", not {planned}")
        } else {
            String::new()
        }
    ));
    let mut table: Table = job.config.to_toml().parse().map_err(Error::config)?;
    set(&mut table, &format!("train.steps={fit}")).map_err(Error::config)?;
    Config::resolve(table, about(dataset))
}

/// The file of the weights to begin from, whose hash is noted; refused where it is not that of the run to be repeated.
fn initial_weights(init: &mut Init) -> Result<Option<PathBuf>> {
    if init.from.is_empty() {
        return Ok(None);
    }
    let path = match Path::new(&init.from) {
        _ if init.from.starts_with(hub::PREFIX) => hub::weights(&init.from)?,
        folder if folder.is_dir() => RunFolder::open(folder)?.weights(),
        file => file.to_owned(),
    };
    let hash = hspace::file::hash(&path)?;
    if !init.hash.is_empty() && init.hash != hash {
        return Err(Error::file(
            &path,
            format!(
                "is not what that run began from: its hash is {hash}, and init.hash says {}. Give those weights back, or begin from \
                 these: --init-from {}",
                init.hash,
                quoted(&init.from)
            ),
        ));
    }
    init.hash = hash;
    Ok(Some(path))
}

fn resume(path: &Path, allow_changed_data: bool) -> Result<()> {
    let folder = RunFolder::open(path)?;
    let table = folder.read_config()?;
    let source = Config::data_of(&table).unwrap_or_default();
    let dataset = open(source, &Config::reading_of(&table)?)?;
    match DataRecord::read(&folder)?.map(|record| record.changes(&dataset)) {
        None => say::note(format_args!(
            "{} has no data.toml, so whether its data have changed is not known",
            path.display()
        )),
        Some(changes) if changes.is_empty() => {}
        Some(changes) if allow_changed_data => {
            say::note(format_args!(
                "the data have changed: {}",
                changes.join("; ")
            ));
        }
        Some(changes) => {
            let mut text = "the data are not those that the run began with:".to_owned();
            changes
                .iter()
                .for_each(|change| text += &format!("\n  - {change}"));
            text += &format!(
                "\nrestore them, or go on with the data as they are: \
                 hspace train --resume {} --allow-changed-data",
                quoted(path.display())
            );
            return Err(Error::file(source, text));
        }
    }
    let config = Config::resolve(table, about(&dataset))?;
    let job = Job::new(config, &dataset, None)?;
    go(&job, &folder, Start::Resume)
}

fn go(job: &Job, folder: &RunFolder, start: Start) -> Result<()> {
    let stop = stop_flag()?;
    let config = &job.config;
    let length = match config.train.steps {
        0 => format!("{} epochs", config.train.epochs.get()),
        steps => format!("{steps} steps"),
    };
    job.samples_used().iter().for_each(say::info);
    let doing = match start {
        Start::Resume => "resuming",
        _ => "training",
    };
    say::info(format_args!(
        "{doing} {} with {} on {}: {} parameters, {length} of batches of {}",
        config.encoder.name,
        config.objective.name,
        config.data,
        job.parameters(),
        config.train.batch_size.get()
    ));
    let mut line = TrainingLine::new("training");
    let mut stepped = false;
    let mut show = |progress: &Progress| {
        stepped = true;
        line.show(progress);
    };
    let trained = job.run(Some(folder), start, &mut show, stop);
    line.done();
    summary(&trained?, folder, stepped);
    Ok(())
}

/// What came out, and how to go on. No step is made by a run that had ended before.
fn summary(trained: &Trained, folder: &RunFolder, stepped: bool) {
    let run = folder.path().display();
    if !trained.bad.is_empty() {
        say::note(format_args!(
            "{} samples could not be read and were left out; see {run}/bad_files.csv",
            trained.bad.len()
        ));
    }
    let at_the_end = trained
        .warnings
        .iter()
        .filter(|warning| warning.step.is_none());
    at_the_end.for_each(say::warning);
    let length = format!("{} steps in {}", trained.steps, clock(trained.seconds));
    let outcome = match stepped {
        true => {
            let rate = trained.samples as f64 / trained.seconds.max(1e-9);
            format!("{length} ({rate:.0} images/s)")
        }
        false => format!("already finished: {length}"),
    };
    println!("{outcome}; the encoder is {run}/encoder.safetensors");
    if let Some(head) = &trained.head {
        let text = head.calibration.text(head.temperature);
        println!("the head in {run}/model.safetensors: {text}");
    }
    println!("measure it: hspace report {}", quoted(run));
}
