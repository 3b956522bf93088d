//! `hspace train`

use std::path::{Path, PathBuf};

use hspace::config::Config;
use hspace::job::{Job, about};
use hspace::run::RunFolder;
use hspace::toml::Value;
use hspace::train::{Start, Trained};
use hspace::{Error, Result, encoder, hub, pretrained};

use crate::commands::check::findings;
use crate::commands::open;
use crate::progress::{TrainingLine, clock, stop_flag};
use crate::settings::SettingFlags;

/// Learn a representation and leave it in a run folder.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace train --data builtin:mnist-mini --out runs/a
  hspace train --data photos/ --encoder resnet18 --objective simclr --out runs/a --epochs 20 \\
      --batch-size 256 --seed 0 --set encoder.width=16
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
    /// Go on with a run that was stopped
    #[arg(long, value_name = "RUN", conflicts_with_all = ["data", "out", "overwrite", "init_from", "config", "set"])]
    resume: Option<PathBuf>,
    /// Do not read every sample once before training to report what is there
    #[arg(long)]
    no_check: bool,
    /// Start from the encoder of this run, or from weights of torchvision or timm: .safetensors, .pth, or
    /// hf:OWNER/NAME (Hugging Face Hub, downloaded once)
    #[arg(long, value_name = "RUN|FILE|hf:…")]
    init_from: Option<String>,
    #[command(flatten)]
    settings: SettingFlags,
}

pub fn run(args: &Args) -> Result<()> {
    if let Some(path) = &args.resume {
        return resume(path);
    }
    let mut table = args.settings.table()?;
    if let Some(data) = &args.data {
        table.insert("data".into(), Value::String(data.clone()));
    }
    let source = Config::data_of(&table).ok_or_else(|| {
        Error::config("no data: give --data, such as --data builtin:mnist-mini or --data photos/")
    })?;
    let dataset = open(source)?;
    let config = Config::resolve(table, about(&dataset))?;
    let out = args.out.clone().unwrap_or_else(|| {
        PathBuf::from(format!(
            "runs/{}-{}",
            config.objective.name, config.encoder.name
        ))
    });
    let job = Job::new(config, &dataset, None)?;
    let start = match &args.init_from {
        None => Start::Fresh,
        Some(from) if Path::new(from).is_dir() => {
            let folder = RunFolder::open(Path::new(from))?;
            let from = folder.read_encoder(job.encoder().2)?;
            Start::From(from.weights, folder.weights())
        }
        Some(from) => {
            let path = match from.starts_with(hub::PREFIX) {
                true => hub::weights(from)?,
                false => PathBuf::from(from),
            };
            let (encoder, views, device) = job.encoder();
            let (like, _) = encoder::init(encoder, views.input().shape, job.config.seed, device);
            Start::From(pretrained::read(&path, encoder, &like, device)?, path)
        }
    };
    let folder = RunFolder::create(&out, args.overwrite)?;
    if !args.no_check {
        eprintln!("{}", findings(&dataset)?);
    }
    folder.write_config(&job.config)?;
    go(&job, &folder, start)
}

fn resume(path: &std::path::Path) -> Result<()> {
    let folder = RunFolder::open(path)?;
    let table = folder.read_config()?;
    let source = Config::data_of(&table).unwrap_or_default();
    let dataset = open(source)?;
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
    eprintln!(
        "training {} with {} on {}: {} parameters, {length} of batches of {}",
        config.encoder.name,
        config.objective.name,
        config.data,
        job.parameters(),
        config.train.batch_size.get()
    );
    let mut line = TrainingLine::new("training");
    let trained = job.run(Some(folder), start, &mut |p| line.show(p), stop);
    line.done();
    summary(&trained?, folder);
    Ok(())
}

/// What came out, and how to go on.
fn summary(trained: &Trained, folder: &RunFolder) {
    let run = folder.path().display();
    if !trained.bad.is_empty() {
        eprintln!(
            "note: {} samples could not be read and were left out; see {run}/bad_files.csv",
            trained.bad.len()
        );
    }
    println!(
        "{} steps in {} ({:.0} images/s); the encoder is {run}/encoder.safetensors",
        trained.steps,
        clock(trained.seconds),
        trained.samples as f64 / trained.seconds.max(1e-9)
    );
    println!("measure it: hspace report {run}");
}
