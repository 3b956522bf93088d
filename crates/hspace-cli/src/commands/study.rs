//! `hspace study`

use std::path::PathBuf;
use std::time::Instant;

use hspace::Result;
use hspace::objective::OBJECTIVES;
use hspace::study::{Study, StudyPlan};

use crate::progress::{Counted, stop_flag};
use crate::say;

/// Compare objectives: each on each encoder and each dataset, for the same time, over several seeds.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace study --data builtin:mnist-mini --encoder cnn --seconds 20 --out studies/digits
  hspace study --data photos/,builtin:mnist-mini --encoder cnn,resnet18:width=16,vit_tiny \\
      --objective simclr,byol,vicreg --seconds 60 --seeds 3 --out studies/photos --markdown table.md
  hspace study --data photos/ --encoder cnn --objective simclr --sources supervised:cnn --out studies/labels

Speeds are measured first, before anything is trained: do that on a quiet machine. The results that
follow depend on the seed and on the steps that fit the time, not on what else the machine does. A
study that was stopped goes on when the same command is given again.")]
pub struct Args {
    /// Datasets, separated by commas, as `hspace train --data` takes them; they need labels to measure by
    #[arg(long, value_delimiter = ',', required = true)]
    data: Vec<String>,
    /// Encoders, separated by commas; settings follow after colons, such as resnet18:width=16
    #[arg(long, value_delimiter = ',', default_value = "cnn")]
    encoder: Vec<String>,
    /// Objectives, separated by commas, with settings alike, such as simclr:temperature=0.1; the default is all
    #[arg(long, value_delimiter = ',')]
    objective: Vec<String>,
    /// Seconds of training for each
    #[arg(long, default_value_t = 30.0)]
    seconds: f64,
    /// Trainings of each, with seeds 0, 1, …
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// Training samples that probes learn from, at most
    #[arg(long, default_value_t = 10_000)]
    samples: usize,
    /// Sources of `hspace probe` to measure besides, separated by commas, such as supervised:cnn, which is trained on each draw of labels
    #[arg(long, value_delimiter = ',', value_name = "SOURCES")]
    sources: Vec<String>,
    /// Change any setting of all trainings, such as train.batch_size=128; may be given many times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Folder of the study
    #[arg(long)]
    out: PathBuf,
    /// Write the tables to this file as well
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Only the tables of what is done already
    #[arg(long)]
    table: bool,
    /// cpu (cpu:direct: no Winograd; cpu:avx2, cpu:portable: no better instructions; cpu:burn: without
    /// our kernels), or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    device: String,
}

pub fn run(args: &Args) -> Result<()> {
    let objectives = match args.objective.is_empty() {
        true => OBJECTIVES.iter().map(|o| o.name.to_owned()).collect(),
        false => args.objective.clone(),
    };
    let study = Study::open(
        &args.out,
        StudyPlan {
            data: args.data.clone(),
            encoders: args.encoder.clone(),
            objectives,
            seconds: args.seconds,
            seeds: args.seeds,
            samples: args.samples,
            sources: args.sources.clone(),
            set: args.set.clone(),
            device: args.device.clone(),
        },
    )?;
    if !args.table {
        study.val_notes().iter().for_each(say::info);
        let stop = stop_flag()?;
        let mut line = Counted::new();
        let started = Instant::now();
        let outcome = study.run(&mut |text, done, total| line.show(text, done, total), stop);
        line.done();
        outcome?;
        say::info(format_args!(
            "done in {}",
            crate::progress::clock(started.elapsed().as_secs_f64())
        ));
    }
    let text = study.markdown()?;
    print!("{text}");
    match &args.markdown {
        Some(path) => hspace::file::write_whole(path, (heading(args) + &text).as_bytes()),
        None => Ok(()),
    }
}

/// What the tables are, and the command that makes them.
fn heading(args: &Args) -> String {
    let mut command = format!(
        "hspace study --data {} --encoder {}",
        args.data.join(","),
        args.encoder.join(",")
    );
    if !args.objective.is_empty() {
        command += &format!(" --objective {}", args.objective.join(","));
    }
    command += &format!(
        " --seconds {} --seeds {} --samples {}",
        args.seconds, args.seeds, args.samples
    );
    if !args.sources.is_empty() {
        command += &format!(" --sources {}", args.sources.join(","));
    }
    for assignment in &args.set {
        command += &format!(" --set {assignment}");
    }
    command += &format!(" --out {}", args.out.display());
    format!(
        "# Objectives side by side\n\nMade by `{command}`: every training has the time for as many steps as \
         {} seconds allow it, at the speed that was measured first. Means over {} seeds; probes learn from at most {} training samples and are measured on all test samples. \
         † sees the training labels. ‡ warned of collapse or of its own way of failing in at least one run.\n\n",
        args.seconds, args.seeds, args.samples
    )
}
