//! `hspace predict`: answers for samples.

use std::path::{Path, PathBuf};

use hspace::device::device;
use hspace::file::{quoted, write_whole};
use hspace::head::{self, Head, Predictions};
use hspace::probe::TaskKind;
use hspace::probe::evaluation::{Evaluation, evaluate};
use hspace::report::{HeadResult, Page};
use hspace::source::Source;
use hspace::warning::Warning;
use hspace::{Error, Result};
use serde::Serialize;

use crate::commands::probe::{print_scores, roc_picture};
use crate::commands::{apart, open, write_json};
use crate::progress::Spinner;
use crate::say;
use crate::settings::DataFlags;

/// Answer for new samples: by a supervised run's own head, or by one that `probe --save-head` fitted.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace predict runs/supervised --data new/ --out predictions.csv
  hspace predict runs/many --label age --data new/ --out ages.csv               # of a run that learned several columns
  hspace probe runs/a --data labelled/ --save-head head.safetensors
  hspace predict runs/a --head head.safetensors --data new/ --out predictions.csv
  hspace export runs/a --head head.safetensors --out winner                     # both in one folder
  hspace predict winner --data new/ --out predictions.csv
  hspace predict runs/a --head head.safetensors --data new/ --min-confidence 0.9 --out sure.csv
  hspace predict runs/a --head head.safetensors --data chests/ --threshold 0.2 --out sensitive.csv
  hspace predict winner --data other-hospital/ --out predictions.csv --html how-right.html   # where labels are known
  hspace predict winner --data other-hospital/ --out predictions.csv --roc roc.png    # of two classes, as a picture")]
pub struct Args {
    /// A run, what `hspace export` wrote, a features file (.npz, .npy, .csv), a model of the Hugging Face Hub (hf:OWNER/NAME), or `pixels`: that which the head was
    /// fitted on
    #[arg(value_name = "SOURCE")]
    source: String,
    /// The samples; labels that they may have are looked at for --html and --roc alone
    #[arg(long)]
    data: String,
    /// The table to write: id, predicted, confidence, and the probability of each class or label
    #[arg(long, value_name = "FILE.csv")]
    out: PathBuf,
    /// The head, as written by `hspace probe --save-head` [default: that of a supervised run or of what was exported]
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// The column to answer, of a run that learned several
    #[arg(long, value_name = "COLUMN", conflicts_with = "head")]
    label: Option<String>,
    /// Leave answers open that are less probable
    #[arg(long, value_name = "PROBABILITY", value_parser = probability)]
    min_confidence: Option<f64>,
    /// Of two classes, answer the second where its probability is at least this [default: the head's]
    #[arg(long, value_name = "PROBABILITY", value_parser = probability)]
    threshold: Option<f64>,
    /// Where the samples are labelled: write a page on how right the answers are, of two classes with the receiver operating characteristic
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Where the samples are labelled, by two classes: draw the receiver operating characteristic as a picture
    #[arg(long, value_name = "FILE.png")]
    roc: Option<PathBuf>,
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
    /// How right they are, with `--html` or `--roc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluation: Option<Evaluation>,
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
        ("--html", args.html.as_deref()),
        ("--roc", args.roc.as_deref()),
        ("--json", args.json.as_deref()),
    ];
    apart(&outputs, &inputs)?;
    super::ending(&args.out, "csv")?;
    if let Some(path) = &args.roc {
        super::ending(path, "png")?;
    }
    let source = Source::parse(&args.source)?;
    refuse_fitted_to_data(&args.source, &source)?;
    let on = device(&args.device)?;
    let mut head = match (&args.head, &source) {
        (Some(path), _) => head::read(path)?,
        (None, Source::Run(path)) => match &args.label {
            Some(column) => head::of_run_for(path, column, &on)?,
            None => head::of_run(path, &on)?,
        },
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
    if !matches!(source, Source::File(_)) {
        check_origin(&head, &made.name, &made.origin)?;
    }
    let made = made.with_shift(&head.offset);
    let predictions = Predictions::of(&head, &made.ids, &made.features, args.min_confidence)?;
    let evaluated = args.html.is_some() || args.roc.is_some();
    let evaluation = evaluated.then(|| evaluate(&head, &made));
    let evaluation = evaluation.transpose().map_err(|e| needs_labels(&e))?;
    let picture = match (&args.roc, &evaluation) {
        (Some(path), Some(evaluation)) => Some((path, roc_picture(&head.about, evaluation)?)),
        _ => None,
    };
    write_whole(&args.out, predictions.csv()?.as_bytes())?;
    if let (Some(path), Some(evaluation)) = (&args.html, &evaluation) {
        write_page(path, args, &head, evaluation)?;
    }
    if let Some((path, picture)) = picture {
        write_whole(path, &picture)?;
    }
    let summary = Summary {
        head: &head.about,
        data: &args.data,
        samples: predictions.ids.len(),
        abstained: predictions.abstained(),
        answers: counts(&predictions),
        evaluation,
    };
    if let Some(path) = &args.json {
        write_json(path, &summary)?;
    }
    if args.json.as_deref() != Some("-".as_ref()) {
        print(&summary, args);
    }
    Ok(())
}

/// Why neither page nor picture can be made.
fn needs_labels(error: &Error) -> Error {
    Error::data(format!(
        "--html and --roc show how right the answers are, which takes labels: {error}; leave them out where there are none"
    ))
}

fn write_page(path: &Path, args: &Args, head: &Head, evaluation: &Evaluation) -> Result<()> {
    let page = Page {
        title: format!("{} on {}", args.source, args.data),
        head: Some(HeadResult {
            about: head.about.clone(),
            evaluation: evaluation.clone(),
        }),
        warnings: vec![
            Warning::of_data(
                "Scores are too high on samples that the head, or the encoder before it, learned from: give others.".to_owned(),
            ),
        ],
        ..Page::default()
    };
    write_whole(path, hspace::report::html(&page)?.as_bytes())
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
        Source::Pca(_) | Source::Ica(_) | Source::Kmeans(_) | Source::Random(_) => {
            Err(Error::config(format!(
                "{name} depends on the samples at hand, so a head does not fit it; use a run, `hf:MODEL`, `pixels` or a features file"
            )))
        }
        Source::At(network, _) => refuse_fitted_to_data(name, network),
        Source::Learner(_) | Source::OnFeatures(..) | Source::Unet(_) | Source::Head(_) => {
            source.check_has_features()
        }
        _ => Ok(()),
    }
}

/// Refuses a head that was fitted to the features of another encoder than `name`, which come from `origin`.
pub fn check_origin(head: &Head, name: &str, origin: &str) -> Result<()> {
    let (own, from) = &head.about.source;
    match from == origin {
        true => Ok(()),
        false => Err(Error::config(format!(
            "the head was fitted on {own}, whose encoder is {from}; that of {name} is {origin}. Give the source that it was fitted on, or \
             fit a head to this one with `hspace probe {} --data DATA --save-head FILE`",
            quoted(name)
        ))),
    }
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
    if let Some(text) = head.calibration_text() {
        println!("probabilities: {text}");
    }
    if let (Some(threshold), [first, second]) = (head.threshold, &head.names[..]) {
        println!("{second} where its probability is at least {threshold:.3}, else {first}");
    }
    if let Some(evaluation) = &summary.evaluation {
        println!("on {} labelled samples:", evaluation.samples);
        print_scores(&evaluation.scores);
    }
    for (what, path) in [("page", &args.html), ("curve", &args.roc)] {
        if let Some(path) = path {
            println!("{what}: {}", path.display());
        }
    }
}
