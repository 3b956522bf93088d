//! `hspace select`

use std::path::{Path, PathBuf};

use hspace::auto::Auto;
use hspace::dataset::Dataset;
use hspace::device::device;
use hspace::evaluate::scaling;
use hspace::file::write_whole;
use hspace::head;
use hspace::list::find;
use hspace::representation::Representation;
use hspace::selection::{EvaluationOptions, Options, RULES, Uncertainty, evaluate, select};
use hspace::source::Source;
use hspace::{Error, Result};

use crate::commands::predict::check_origin;
use crate::commands::{apart, ending, open, write_json};
use crate::progress::Spinner;
use crate::say;
use crate::settings::{DataFlags, count, seed};

/// Choose which unlabelled training samples to label next, or measure on labelled ones whether choosing pays.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace select runs/a --data photos/ --n 50 --out to_label.csv                  # far from all labelled ones
  hspace select runs/a --data photos/ --n 50 --by both --out to_label.csv        # and uncertain to a linear probe
  hspace select runs/a --data photos/ --n 50 --by uncertainty --head head.safetensors --out to_label.csv
  hspace select pca:50 --data fashion/ --n 200 --evaluate                        # every rule against chance

To be chosen, a sample is in the training split and its label is empty. The rules: hspace list rules.")]
pub struct Args {
    /// A run, a features file (.npz, .npy, .csv), a model of the Hugging Face Hub (hf:OWNER/NAME), `pixels`, `pca:D`, `ica:D` or
    /// `random:ENCODER`
    #[arg(value_name = "SOURCE")]
    source: String,
    /// The samples; those without a label are chosen from
    #[arg(long)]
    data: String,
    /// Samples to choose; with --evaluate: labels in total
    #[arg(long, value_name = "COUNT", value_parser = count(2..=1_000_000))]
    n: usize,
    /// The rule: coreset, uncertainty, both or random
    #[arg(long, value_name = "RULE", default_value = "coreset")]
    by: String,
    /// How uncertainty is measured: margin or entropy
    #[arg(long, value_name = "HOW", default_value = "margin", value_parser = uncertainty)]
    uncertainty: Uncertainty,
    /// The head whose uncertainty counts, as written by `hspace probe --save-head` [default: a linear probe fitted to the labels that are known]
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// The table to write: id, rank, rule and score, the most urgent sample first
    #[arg(long, value_name = "FILE.csv", required_unless_present = "evaluate")]
    out: Option<PathBuf>,
    /// On labelled data: choose by each rule and at random, fit a linear probe to what was chosen, and show its test accuracy
    #[arg(long, conflicts_with_all = ["out", "by", "head"])]
    evaluate: bool,
    /// With --evaluate: labels drawn at random before a rule chooses the rest [default: a quarter of --n, at least two a class, at most half]
    #[arg(long, value_name = "COUNT", requires = "evaluate")]
    start: Option<usize>,
    /// With --evaluate: times that it is done
    #[arg(long, value_name = "COUNT", default_value_t = 5, requires = "evaluate", value_parser = count(1..=1000))]
    seeds: usize,
    /// Column that is to be labelled
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// Seed of what is random, and of untrained encoders
    #[arg(long, default_value_t = 0, value_parser = seed())]
    seed: u64,
    /// Write what was found as JSON to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// cpu (cpu:direct, cpu:avx2, cpu:portable, cpu:burn), or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    device: String,
    #[command(flatten)]
    reading: DataFlags,
}

fn uncertainty(text: &str) -> std::result::Result<Uncertainty, String> {
    match text {
        "margin" => Ok(Uncertainty::Margin),
        "entropy" => Ok(Uncertainty::Entropy),
        _ => Err("give margin or entropy".to_owned()),
    }
}

pub fn run(args: &Args) -> Result<()> {
    let head_name = args.head.as_ref().map(|path| path.display().to_string());
    let mut inputs = vec![
        ("data", args.data.as_str()),
        ("source", args.source.as_str()),
    ];
    inputs.extend(head_name.iter().map(|name| ("head", name.as_str())));
    let outputs = [
        ("--out", args.out.as_deref()),
        ("--json", args.json.as_deref()),
    ];
    apart(&outputs, &inputs)?;
    if let Some(out) = &args.out {
        ending(out, "csv")?;
    }
    find("rule", RULES, &args.by).map_err(Error::config)?;
    let source = Source::parse(&args.source)?;
    source.check_has_features()?;
    let dataset = open(&args.data, &args.reading.options(args.label.as_deref()))?;
    let spinner = Spinner::new("reading");
    let r = represent(args, &source, &dataset, &spinner)?;
    let shown = match args.evaluate {
        true => show_evaluation(args, &r, &dataset, spinner)?,
        false => show_selection(args, &source, r, &dataset, spinner)?,
    };
    if args.json.as_deref() != Some(Path::new("-")) {
        print!("{shown}");
    }
    Ok(())
}

fn represent(
    args: &Args,
    source: &Source,
    dataset: &Dataset,
    spinner: &Spinner,
) -> Result<Representation> {
    let makers = args
        .reading
        .sources(dataset, device(&args.device)?, args.seed);
    let mut makers = makers.raw_vectors();
    let total = dataset.len();
    let r = makers.represent(&args.source, source, &mut |done| {
        spinner.say(&format!("encoding {done}/{total}"));
    })?;
    makers.notes.iter().for_each(say::note);
    Ok(r)
}

/// The name of the column, which may have been named by its title.
fn task(args: &Args, dataset: &Dataset) -> String {
    let named = args.label.as_ref().and_then(|_| dataset.task());
    named.map_or("auto".to_owned(), |task| task.name.clone())
}

fn show_evaluation(
    args: &Args,
    r: &Representation,
    dataset: &Dataset,
    spinner: Spinner,
) -> Result<String> {
    let options = EvaluationOptions {
        task: task(args, dataset),
        n: args.n,
        start: args.start.map_or(Auto::Auto, Auto::Set),
        seeds: args.seeds,
        uncertainty: args.uncertainty,
        scaling: scaling(dataset)?,
        seed: args.seed,
    };
    let found = evaluate(r, &options, &mut |text| spinner.say(text));
    spinner.done();
    let found = found?;
    if let Some(path) = &args.json {
        write_json(path, &found)?;
    }
    Ok(found.table())
}

fn show_selection(
    args: &Args,
    source: &Source,
    r: Representation,
    dataset: &Dataset,
    spinner: Spinner,
) -> Result<String> {
    let head = args.head.as_deref().map(head::read).transpose()?;
    let r = match &head {
        Some(head) => {
            if !matches!(source, Source::File(_)) {
                check_origin(head, &r.name, &r.origin)?;
            }
            r.with_shift(&head.offset)
        }
        None => r,
    };
    let options = Options {
        task: task(args, dataset),
        uncertainty: args.uncertainty,
        scaling: scaling(dataset)?,
        seed: args.seed,
    };
    spinner.say("choosing");
    let rule = find("rule", RULES, &args.by).map_err(Error::config)?;
    let chosen = select(&r, rule, args.n, head.as_ref(), &options);
    spinner.done();
    let chosen = chosen?;
    let out = args.out.as_deref().unwrap_or(Path::new("-"));
    write_whole(out, chosen.csv()?.as_bytes())?;
    if let Some(path) = &args.json {
        write_json(path, &chosen)?;
    }
    let mut text = format!(
        "{} of {} training samples without a label of `{}`, by {} -> {}\n",
        chosen.samples.len(),
        chosen.open,
        chosen.task,
        chosen.rule,
        out.display()
    );
    for (id, score) in chosen.samples.iter().take(SHOWN) {
        text.push_str(&format!("  {score:>10.3}  {id}\n"));
    }
    if chosen.samples.len() > SHOWN {
        text.push_str(&format!("  and {} more\n", chosen.samples.len() - SHOWN));
    }
    Ok(text)
}

/// Samples that are listed.
const SHOWN: usize = 5;
