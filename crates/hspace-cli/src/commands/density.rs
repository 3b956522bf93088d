//! `hspace density`

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use hspace::config::{merge, options, set};
use hspace::dataset::{Dataset, Split};
use hspace::density::outliers::{Outliers, outliers};
use hspace::density::questions::Question;
use hspace::density::space::SpaceFits;
use hspace::density::{DensityOptions, OutlierOptions, column, fit};
use hspace::device::device;
use hspace::error::valid;
use hspace::matrix::Matrix;
use hspace::report::{Page, html};
use hspace::representation::{self, Representation};
use hspace::source::Source;
use hspace::toml::{Table, Value};
use hspace::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::commands::{apart, open, write_json};
use crate::progress::Spinner;
use crate::settings::{DataFlags, count, seed};

/// Fit densities to a column of numbers and ask them, or to a representation and find outliers.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace density visits.csv --column visits --above 500
  hspace density visits.csv --column seconds --between 10,60 --html density.html
  hspace density visits.csv --column seconds --candidates gamma,weibull,kde --set kde.bandwidth=silverman
  hspace density runs/a --data photos/                           # which density the space has
  hspace density runs/a --data photos/ --against other-photos/   # how well it tells other data
  hspace density pca:20 --data digits/ --against letters/ --candidates normal_shrunk,knn --json -
  hspace density ours.npz --data photos/ --against theirs.npz    # features of both, from one encoder

`hspace list densities` says what there is.")]
pub struct Args {
    /// A .csv file with a header; or, with --data, a run, a features file, `pixels`, `pca:D`,
    /// `random:ENCODER`, `hf:OWNER/NAME`
    #[arg(value_name = "FILE|SOURCE")]
    source: String,
    /// Column of the file
    #[arg(long, value_name = "NAME", conflicts_with_all = ["data", "against"])]
    column: Option<String>,
    /// Ask for the probability of a value above this; may be given many times
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    above: Vec<f64>,
    /// Ask for the probability of a value below this; may be given many times
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    below: Vec<f64>,
    /// Ask for the probability of a value from A to B, both included; may be given many times
    #[arg(long, value_name = "A,B", value_parser = range, allow_hyphen_values = true)]
    between: Vec<Question>,
    /// Whether whole numbers are counts: auto, counts, continuous
    #[arg(long, value_name = "KIND", conflicts_with = "data")]
    kind: Option<String>,
    /// Parts of the values of which each is held out once [default: 5]
    #[arg(long, conflicts_with = "data", value_parser = count(2..=1_000_000))]
    folds: Option<usize>,
    /// Ordinary data: densities are fitted to its training split, its test split is scored
    #[arg(long)]
    data: Option<String>,
    /// Other data, all of it outliers, to be distinguished from the test split; for a features file, a file of features from the same encoder
    #[arg(long, requires = "data")]
    against: Option<String>,
    /// Densities, such as normal,kde [default: all that fit]
    #[arg(long, value_name = "NAMES")]
    candidates: Option<String>,
    /// Bootstrap resamples for the intervals of answers and the goodness of fit; 0: neither [default: 200]
    #[arg(long, value_name = "COUNT", conflicts_with = "data", value_parser = count(0..=1_000_000))]
    bootstrap: Option<usize>,
    /// Seed of folds, resamples, starts and untrained encoders
    #[arg(long, default_value_t = 0, value_parser = seed())]
    seed: u64,
    /// Change any setting, such as kde.kernel=epanechnikov, histogram.bins=20, knn.k=10 or
    /// mixture.components=3; may be given many times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Write everything found as JSON to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with the fits drawn over the data to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// cpu, or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    device: String,
    #[command(flatten)]
    reading: DataFlags,
}

/// `10,60`
fn range(text: &str) -> std::result::Result<Question, String> {
    let ends = text
        .split_once(',')
        .map(|(a, b)| (a.trim().parse(), b.trim().parse()));
    match ends {
        Some((Ok(a), Ok(b))) if a <= b => Ok(Question::Between(a, b)),
        _ => Err("give two numbers, the smaller first, such as 10,60".into()),
    }
}

pub fn run(args: &Args) -> Result<()> {
    let mut inputs = vec![("source", args.source.as_str())];
    inputs.extend(args.data.iter().map(|data| ("data", data.as_str())));
    inputs.extend(
        args.against
            .iter()
            .map(|data| ("other data", data.as_str())),
    );
    let outputs = [
        ("--json", args.json.as_deref()),
        ("--html", args.html.as_deref()),
    ];
    apart(&outputs, &inputs)?;
    match (&args.data, &args.against) {
        (None, _) => of_column(args),
        (Some(data), None) => of_space(args, data),
        (Some(data), Some(against)) => features(args, data, against),
    }
}

/// The FILE form.
fn of_column(args: &Args) -> Result<()> {
    let path = Path::new(&args.source);
    if !path.is_file() {
        return Err(Error::config(format!(
            "`{}` is no file; give a .csv with --column, or for a representation --data",
            args.source
        )));
    }
    let options: DensityOptions = args.options()?;
    valid(options.validate())?;
    let questions: Vec<Question> = args
        .above
        .iter()
        .map(|x| Question::Above(*x))
        .chain(args.below.iter().map(|x| Question::Below(*x)))
        .chain(args.between.iter().copied())
        .collect();
    let column = column::read(path, args.column.as_deref())?;
    let spinner = Spinner::new("fitting");
    let say = &mut |text: &str| spinner.say(text);
    let found = fit::fit(&column, &args.source, &questions, &options, say);
    spinner.done();
    let found = found?;
    let page = Page {
        title: format!("{} in {}", found.column, found.data),
        headline: found.headline(),
        column: Some(found.clone()),
        ..Page::default()
    };
    args.output(
        &found,
        &format!("{}\n{}", found.table(), found.headline()),
        &page,
    )
}

/// The SOURCE form without other data.
fn of_space(args: &Args, data: &str) -> Result<()> {
    let options = args.of_features()?;
    let source = Source::parse(&args.source)?;
    let dataset = open(data, &args.reading.options(None))?;
    let mut sources = args
        .reading
        .sources(&dataset, device(&args.device)?, args.seed);
    let spinner = Spinner::new("fitting");
    let space = sources.represent(&args.source, &source, &mut |done| {
        spinner.say(&format!("{}: {done}/{}", args.source, dataset.len()));
    });
    let found = space.and_then(|space| {
        spinner.say("fitting");
        SpaceFits::of(&space, &options)
    });
    spinner.done();
    let found = found?;
    let page = Page {
        title: format!("{}: the density of {data}", args.source),
        headline: found.headline(),
        space: Some(found.clone()),
        ..Page::default()
    };
    let text = format!("{}\n{}", found.table(), found.headline());
    args.output(&found, &text, &page)
}

/// The SOURCE form with other data.
fn features(args: &Args, data: &str, against: &str) -> Result<()> {
    let options = args.of_features()?;
    let source = Source::parse(&args.source)?;
    let spinner = Spinner::new("reading");
    let sides = match &source {
        Source::File(_) => from_files(args, &source, data, against),
        _ => encoded(args, &source, data, against, &spinner),
    };
    let found = sides.and_then(|(inside, outside)| {
        let say = &mut |text: &str| spinner.say(text);
        outliers(&inside, &outside, [data, against], &options, say)
    });
    spinner.done();
    let found: Outliers = found?;
    let page = Page {
        title: format!("{}: {against} compared with {data}", args.source),
        headline: found.headline(),
        outliers: Some(found.clone()),
        ..Page::default()
    };
    args.output(
        &found,
        &format!("{}\n{}", found.table(), found.headline()),
        &page,
    )
}

/// Features of both, from files of them.
fn from_files(
    args: &Args,
    source: &Source,
    data: &str,
    against: &str,
) -> Result<(Representation, Matrix)> {
    if !Path::new(against).is_file() {
        return Err(Error::file(
            against,
            format!(
                "{} is a file of features, so this must be one, too: the other data's, from the same encoder",
                args.source
            ),
        ));
    }
    let dataset = open(data, &args.reading.options(None))?;
    let mut sources = args
        .reading
        .sources(&dataset, device(&args.device)?, args.seed);
    let inside = sources.represent(&args.source, source, &mut |_| ())?;
    Ok((
        inside,
        representation::read(Path::new(against), &args.reading.options(None).table())?
            .table
            .features,
    ))
}

/// Features of both, through one encoder.
fn encoded(
    args: &Args,
    source: &Source,
    data: &str,
    against: &str,
    spinner: &Spinner,
) -> Result<(Representation, Matrix)> {
    let dataset: Dataset = open(data, &args.reading.options(None))?;
    let begin = dataset.len();
    let both = dataset.joined_with(open(against, &args.reading.options(None))?)?;
    let total = both.len();
    let mut sources = args
        .reading
        .sources(&both, device(&args.device)?, args.seed);
    let all = sources.represent(&args.source, source, &mut |done| {
        spinner.say(&format!("{}: {done}/{total}", args.source));
    })?;
    let others: HashSet<&str> = both.ids[begin..].iter().map(String::as_str).collect();
    let (outside, inside): (Vec<usize>, Vec<usize>) =
        (0..all.ids.len()).partition(|i| others.contains(all.ids[*i].as_str()));
    let ids: Vec<String> = inside.iter().map(|i| all.ids[*i].clone()).collect();
    let split: Vec<Split> = inside.iter().map(|i| all.split[*i]).collect();
    Ok((all.align(&ids, &[], &split)?, all.features.select(&outside)))
}

impl Args {
    /// The options of densities of features.
    fn of_features(&self) -> Result<OutlierOptions> {
        if !(self.above.is_empty() && self.below.is_empty() && self.between.is_empty()) {
            return Err(Error::config(
                "--above, --below and --between are asked of a column; leave --data and --against out",
            ));
        }
        let options: OutlierOptions = self.options()?;
        valid(options.validate())?;
        Ok(options)
    }

    /// The options: defaults, --set, flags.
    fn options<O: Default + Serialize + DeserializeOwned>(&self) -> Result<O> {
        let mut problems = Vec::new();
        let mut user = Table::new();
        for assignment in &self.set {
            problems.extend(set(&mut user, assignment).err());
        }
        let mut flags = Table::new();
        if let Some(names) = &self.candidates {
            let names = names.split(',').map(|name| Value::from(name.trim()));
            flags.insert("candidates".into(), names.collect::<Vec<_>>().into());
        }
        if let Some(count) = self.bootstrap {
            flags.insert("resamples".into(), Value::Integer(count as i64));
        }
        if let Some(folds) = self.folds {
            flags.insert("folds".into(), Value::Integer(folds as i64));
        }
        if let Some(kind) = &self.kind {
            flags.insert("kind".into(), kind.as_str().into());
        }
        flags.insert("seed".into(), Value::Integer(self.seed as i64));
        merge(&mut user, flags);
        options(user, problems)
    }

    /// Writes what was asked for.
    fn output(&self, found: &impl Serialize, text: &str, page: &Page) -> Result<()> {
        if let Some(path) = &self.json {
            write_json(path, found)?;
        }
        let quiet = self.json.as_deref() == Some("-".as_ref());
        if !quiet {
            println!("{text}");
        }
        if let Some(path) = &self.html {
            hspace::file::write_whole(path, html(page)?.as_bytes())?;
            if !quiet {
                println!("\npage: {}", path.display());
            }
        }
        Ok(())
    }
}
