//! `hspace predict`: answers for samples.

use std::path::PathBuf;

use hspace::device::device;
use hspace::file::{quoted, write_whole};
use hspace::head::{self, Head, Predictions};
use hspace::probe::TaskKind;
use hspace::representation::Representation;
use hspace::source::Source;
use hspace::{Error, Result};
use serde::Serialize;

use crate::commands::{apart, open, write_json};
use crate::progress::Spinner;
use crate::say;
use crate::settings::DataFlags;

/// Answer for new samples: by a supervised run's own head, or by one that `probe --save-head` fitted.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace predict runs/supervised --data new/ --out predictions.csv
  hspace probe runs/a --data labelled/ --save-head head.safetensors
  hspace predict runs/a --head head.safetensors --data new/ --out predictions.csv
  hspace predict runs/a --head head.safetensors --data new/ --min-confidence 0.9 --out sure.csv
  hspace predict runs/a --head head.safetensors --data chests/ --threshold 0.2 --out sensitive.csv")]
pub struct Args {
    /// A run, a features file (.npz, .npy, .csv), a model of the Hugging Face Hub (hf:OWNER/NAME), or `pixels`: that which the head was
    /// fitted on
    #[arg(value_name = "SOURCE")]
    source: String,
    /// The samples; labels they may have are not looked at
    #[arg(long)]
    data: String,
    /// The table to write: id, predicted, confidence, and the probability of each class or label
    #[arg(long, value_name = "FILE.csv")]
    out: PathBuf,
    /// The head, as written by `hspace probe --save-head` [default: that of a supervised run]
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// Leave answers open that are less probable
    #[arg(long, value_name = "PROBABILITY", value_parser = probability)]
    min_confidence: Option<f64>,
    /// Of two classes, answer the second where its probability is at least this [default: the head's]
    #[arg(long, value_name = "PROBABILITY", value_parser = probability)]
    threshold: Option<f64>,
    /// Write what was asked, and how often each answer was given, as JSON to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// cpu (cpu:direct, cpu:avx2, cpu:portable, cpu:burn), or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    device: String,
    #[command(flatten)]
    reading: DataFlags,
}

fn probability(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
        _ => Err("must be in 0..1".to_owned()),
    }
}

/// For `--json`.
#[derive(Serialize)]
struct Summary<'a> {
    head: &'a head::About,
    data: &'a str,
    samples: usize,
    abstained: usize,
    answers: Vec<(String, usize)>,
}

pub fn run(args: &Args) -> Result<()> {
    let head_name = args.head.as_ref().map(|path| path.display().to_string());
    let mut inputs = vec![
        ("data", args.data.as_str()),
        ("source", args.source.as_str()),
    ];
    inputs.extend(head_name.iter().map(|name| ("head", name.as_str())));
    let outputs = [
        ("--out", Some(args.out.as_path())),
        ("--json", args.json.as_deref()),
    ];
    apart(&outputs, &inputs)?;
    super::ending(&args.out, "csv")?;
    let source = Source::parse(&args.source)?;
    refuse_fitted_to_data(&args.source, &source)?;
    let on = device(&args.device)?;
    let mut head = match (&args.head, &source) {
        (Some(path), _) => head::read(path)?,
        (None, Source::Run(path)) => head::of_run(path, &on)?,
        (None, _) => {
            let text = format!(
                "--head is missing: {} is no supervised run; `hspace probe {} --data DATA --save-head FILE` makes a head",
                args.source,
                quoted(&args.source)
            );
            return Err(Error::config(text));
        }
    };
    set_threshold(&mut head, args.threshold)?;
    let dataset = open(&args.data, &args.reading.options(None))?;
    let sources = args.reading.sources(&dataset, on, 0);
    let mut sources = sources.raw_vectors();
    let spinner = Spinner::new("encoding");
    let total = dataset.len();
    let made = sources.represent(&args.source, &source, &mut |done| {
        spinner.say(&format!("encoding {done}/{total}"));
    });
    spinner.done();
    let made = made?;
    sources.notes.iter().for_each(say::note);
    check_source(&head, &made, &source)?;
    let predictions = Predictions::of(&head, &made.ids, &made.features, args.min_confidence)?;
    write_whole(&args.out, predictions.csv()?.as_bytes())?;
    let summary = Summary {
        head: &head.about,
        data: &args.data,
        samples: predictions.ids.len(),
        abstained: predictions.abstained(),
        answers: counts(&predictions),
    };
    if let Some(path) = &args.json {
        write_json(path, &summary)?;
    }
    if args.json.as_deref() != Some("-".as_ref()) {
        print(&summary, args);
    }
    Ok(())
}

fn set_threshold(head: &mut Head, threshold: Option<f64>) -> Result<()> {
    let Some(threshold) = threshold else {
        return Ok(());
    };
    if head.about.kind != TaskKind::Classes || head.about.names.len() != 2 {
        return Err(Error::config(format!(
            "--threshold is for two classes, and `{}` has {} answers",
            head.about.task,
            head.about.names.len()
        )));
    }
    head.about.threshold = Some(threshold);
    Ok(())
}

/// Refuses sources that are made from the samples at hand: fitted to them, or with an input standardised by them.
fn refuse_fitted_to_data(name: &str, source: &Source) -> Result<()> {
    match source {
        Source::Pca(_) | Source::Ica(_) | Source::Random(_) => Err(Error::config(format!(
            "{name} depends on the samples at hand, so a head does not fit it; use a run, `hf:MODEL`, `pixels` or a features file"
        ))),
        Source::At(network, _) => refuse_fitted_to_data(name, network),
        Source::Supervised(_) => source.check_has_features(),
        _ => Ok(()),
    }
}

/// Refuses features of another source than that of the head.
fn check_source(head: &Head, made: &Representation, source: &Source) -> Result<()> {
    let (name, origin) = &head.about.source;
    let from_file = matches!(source, Source::File(_));
    if !from_file && *origin != made.origin {
        return Err(Error::config(format!(
            "the head was fitted on {name}, whose encoder is {origin}; that of {} is {}. Give the source that it was fitted on, or fit a \
             head to this one with `hspace probe {} --data DATA --save-head FILE`",
            made.name,
            made.origin,
            quoted(&made.name)
        )));
    }
    Ok(())
}

/// How often each answer was given, the commonest first; of numbers none.
fn counts(predictions: &Predictions) -> Vec<(String, usize)> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    if predictions.about.kind == TaskKind::Numbers {
        return counts;
    }
    for answer in predictions.answers.iter().filter_map(|p| p.answer.as_ref()) {
        match counts.iter_mut().find(|(name, _)| name == answer) {
            Some((_, count)) => *count += 1,
            None => counts.push((answer.clone(), 1)),
        }
    }
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    counts
}

/// Answers that are listed.
const SHOWN: usize = 20;

fn print(summary: &Summary, args: &Args) {
    let Summary {
        head,
        samples,
        abstained,
        answers,
        ..
    } = summary;
    println!("{samples} samples: {} -> {}", head.task, args.out.display());
    for (answer, count) in answers.iter().take(SHOWN) {
        println!("  {count:>8}  {answer}");
    }
    if answers.len() > SHOWN {
        println!("  and {} other answers", answers.len() - SHOWN);
    }
    if *abstained > 0 {
        println!("  {abstained:>8}  left open, less probable than --min-confidence");
    }
    if let (Some(threshold), [first, second]) = (head.threshold, &head.names[..]) {
        println!("{second} where its probability is at least {threshold:.3}, else {first}");
    }
}
