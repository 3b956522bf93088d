//! `hspace rank`

use std::path::{Path, PathBuf};

use hspace::Result;
use hspace::device::{Device, device};
use hspace::evaluate::scaling;
use hspace::head;
use hspace::probe::{ProbeOptions, TaskKind};
use hspace::representation::Representation;
use hspace::source::Source;
use hspace::transferability::{SourceHead, rank};

use crate::commands::probe::parsed_with_features;
use crate::commands::{apart, open, write_json};
use crate::progress::Spinner;
use crate::say;
use crate::settings::{DataFlags, seed};

/// Order sources for a task without training on it: LogME, H-score, LEEP and NCE, compared with the linear probe.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace rank runs/a runs/b pca:50 random:cnn --data photos/
  hspace rank hf:timm/resnet18.a1_in1k hf:timm/resnet50.a1_in1k --data photos/ --json ranking.json
  hspace rank runs/animals runs/cars pixels --data flowers/    # supervised runs: LEEP and NCE of their heads too")]
pub struct Args {
    /// Runs, feature files (.npz, .npy, .csv), models of timm on the Hugging Face Hub (hf:OWNER/NAME), `pixels`, `pca:D`, `ica:D`,
    /// `random:ENCODER`; runs up to a stage: runs/a@layer2
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// The labelled samples: scores see training labels alone
    #[arg(long)]
    data: String,
    /// Column that is the task
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// Seed of untrained encoders and of the linear probe's folds
    #[arg(long, default_value_t = 0, value_parser = seed())]
    seed: u64,
    /// Write the ranking as JSON to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// cpu (cpu:direct, cpu:avx2, cpu:portable, cpu:burn), or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    device: String,
    #[command(flatten)]
    reading: DataFlags,
}

pub fn run(args: &Args) -> Result<()> {
    let mut inputs = vec![("data", args.data.as_str())];
    inputs.extend(args.sources.iter().map(|name| ("source", name.as_str())));
    apart(&[("--json", args.json.as_deref())], &inputs)?;
    let sources = parsed_with_features(&args.sources)?;
    let device = device(&args.device)?;
    let dataset = open(&args.data, &args.reading.options(args.label.as_deref()))?;
    let makers = args.reading.sources(&dataset, device.clone(), args.seed);
    let mut makers = makers.raw_vectors();
    let spinner = Spinner::new("reading");
    let mut made: Vec<(Representation, Option<SourceHead>)> = Vec::new();
    // Files of features come last: by then it is known which samples can be read.
    let is_file = |source: &Source| matches!(source, Source::File(_));
    let first = sources.iter().filter(|(_, source)| !is_file(source));
    let files = sources.iter().filter(|(_, source)| is_file(source));
    for (name, source) in first.chain(files) {
        let total = dataset.len();
        let r = makers.represent(name, source, &mut |done| {
            spinner.say(&format!("{name}: {done}/{total}"));
        })?;
        let head = own_head(source, &r, &device)?;
        made.push((r, head));
    }
    makers.notes.iter().for_each(say::note);
    let (made, heads): (Vec<_>, Vec<_>) = made.into_iter().unzip();
    let mut options = ProbeOptions {
        seed: args.seed,
        scaling: scaling(&dataset)?,
        ..ProbeOptions::default()
    };
    if args.label.is_some()
        && let Some(task) = dataset.task()
    {
        // It may have been named by its title.
        options.task.clone_from(&task.name);
    }
    let ranking = rank(&made, &heads, &options, &args.data, &mut |text| {
        spinner.say(text);
    });
    spinner.done();
    let ranking = ranking?;
    if let Some(path) = &args.json {
        write_json(path, &ranking)?;
    }
    if args.json.as_deref() != Some(Path::new("-")) {
        print!("{}", ranking.table());
    }
    Ok(())
}

/// What a supervised run answers for the samples of `r`.
pub fn own_head(
    source: &Source,
    r: &Representation,
    device: &Device,
) -> Result<Option<SourceHead>> {
    let Source::Run(path) = source else {
        return Ok(None);
    };
    let head = head::of_run_if_any(path, device)?;
    let Some(head) = head.filter(|head| head.about.kind == TaskKind::Classes) else {
        return Ok(None);
    };
    Ok(Some(SourceHead {
        probabilities: head.answer(&r.features)?,
        classes: head.about.names,
    }))
}
