//! `hspace disentangle`

use std::path::{Path, PathBuf};

use hspace::dataset::{Dataset, Shape};
use hspace::device::device;
use hspace::disentangle::{self, Disentanglement, Options, WIDEST, measure};
use hspace::error::valid;
use hspace::report::Page;
use hspace::representation::{self, Representation};
use hspace::run::RunFolder;
use hspace::source::Source;
use hspace::toml::{Table, Value};
use hspace::{Error, Result};

use crate::commands::{apart, open, write_json};
use crate::progress::Spinner;
use crate::say;
use crate::settings::{DataFlags, count, seed};

/// Latents up to which ICA is a baseline.
const MOST_ICA: usize = 64;
/// Latents of the baselines where the first source does not say.
const LATENTS: usize = 10;
/// Raw values with more dimensions than this are no baseline: nobody takes pixels for factors.
const RAW: usize = 64;

/// Measure whether latents keep the factors behind the data apart, compared with PCA, ICA and noise.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace disentangle runs/vae --data builtin:dsprites --html factors.html
  hspace disentangle runs/a runs/b runs/c --data builtin:shapes --factors shape,x,y,size
  hspace disentangle pca:10 ica:10 --data builtin:dsprites --samples 5000 --metric mig,dci
  hspace disentangle runs/a --data photos/ --metric total_correlation,dependence")]
pub struct Args {
    /// What `hspace probe` takes: runs, feature files, hf:OWNER/NAME, `pixels`, `pca:D`, `ica:D`, `kmeans:K`,
    /// `random:ENCODER`
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// The samples
    #[arg(long)]
    data: String,
    /// Columns that are the factors [default: those the data mark]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    factors: Vec<String>,
    /// Metrics, such as mig,dci: see `hspace list metrics` [default: all that can be taken]
    #[arg(long, value_name = "METRICS", value_delimiter = ',')]
    metric: Vec<String>,
    /// Samples to measure on, chosen at random
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = count(1..=1_000_000_000))]
    samples: usize,
    /// Seed of the samples, of what is random in the metrics, and of untrained encoders
    #[arg(long, default_value_t = 0, value_parser = seed())]
    seed: u64,
    /// Measure the sources alone, without PCA, ICA and noise
    #[arg(long)]
    no_baselines: bool,
    /// Print how latents depend on one another and on the factors
    #[arg(long)]
    matrix: bool,
    /// Write the measurements as JSON to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with the scores and the matrices to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// cpu (cpu:direct, cpu:avx2, cpu:portable, cpu:burn), or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    device: String,
    #[command(flatten)]
    reading: DataFlags,
}

pub fn run(args: &Args) -> Result<()> {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for name in &args.sources {
        match Source::parse(name) {
            Ok(source) => sources.push((name.clone(), source)),
            Err(Error::Config(found)) => problems.extend(found),
            Err(other) => return Err(other),
        }
    }
    if !problems.is_empty() {
        return Err(Error::Config(problems));
    }
    let mut inputs = vec![("data", args.data.as_str())];
    inputs.extend(
        args.sources
            .iter()
            .map(|source| ("source", source.as_str())),
    );
    let outputs = [
        ("--json", args.json.as_deref()),
        ("--html", args.html.as_deref()),
    ];
    apart(&outputs, &inputs)?;
    let device = device(&args.device)?;
    let dataset = open(&args.data, &args.reading.options(None))?;
    let options = Options {
        factors: args.factors.clone(),
        metrics: args.metric.clone(),
        seed: args.seed,
        runs: same_settings(&sources, args.metric.iter().any(|name| name == "udr"))?,
    };
    // Said before anything is encoded.
    valid(disentangle::validate(
        &dataset.columns,
        &options,
        &args.data,
    ))?;
    let rows = disentangle::sample(dataset.len(), args.samples, args.seed);
    let count = rows.len();
    let makers = args.reading.sources(&dataset, device, args.seed);
    let mut makers = makers.only(rows);
    let spinner = Spinner::new("reading");
    let mut made = Vec::new();
    let mut represent = |name: &str, source: &Source, made: &mut Vec<Representation>| {
        let say = &mut |done| spinner.say(&format!("{name}: {done}/{count}"));
        makers.represent(name, source, say).map(|r| made.push(r))
    };
    // Files of features come last: by then it is known which samples can be read.
    let is_file = |source: &Source| matches!(source, Source::File(_));
    for (name, source) in sources.iter().filter(|(_, source)| !is_file(source)) {
        represent(name, source, &mut made)?;
        made.iter().try_for_each(disentangle::check_width)?;
    }
    let latents = match (sources.first(), made.first()) {
        (Some((_, Source::File(path))), _) => {
            representation::read(path, &args.reading.options(None).table())?
                .table
                .features
                .cols
        }
        (_, Some(first)) => first.features.cols,
        (_, None) => LATENTS,
    };
    if !args.no_baselines {
        for name in baselines(&dataset, latents) {
            if args.sources.iter().all(|own| *own != name) {
                let source = Source::parse(&name)?;
                if let Err(error) = represent(&name, &source, &mut made) {
                    say::note(format_args!("without the baseline {name}: {error}"));
                }
            }
        }
    }
    for (name, source) in sources.iter().filter(|(_, source)| is_file(source)) {
        represent(name, source, &mut made)?;
    }
    let place = |r: &Representation| args.sources.iter().position(|name| *name == r.name);
    made.sort_by_key(|r| place(r).unwrap_or(args.sources.len()));
    if let Some(first) = made.first().filter(|_| !args.no_baselines) {
        made.push(disentangle::noise(first, args.seed));
    }
    let measured = measure(&made, &options, &args.data, &mut |text| spinner.say(text));
    spinner.done();
    show(args, &measured?)
}

/// Text, JSON and the page.
fn show(args: &Args, measured: &Disentanglement) -> Result<()> {
    if let Some(path) = &args.json {
        write_json(path, measured)?;
    }
    if args.json.as_deref() != Some(Path::new("-")) {
        print!("{}", measured.table());
        for one in measured.dependence.iter().filter(|_| args.matrix) {
            print!("\n{}", one.table());
        }
    }
    if let Some(path) = &args.html {
        let page = Page {
            title: args.sources.join(", "),
            headline: measured.headline(),
            learned: args.sources.clone(),
            disentanglement: Some(measured.clone()),
            ..Page::default()
        };
        hspace::file::write_whole(path, hspace::report::html(&page)?.as_bytes())?;
        if args.json.as_deref() != Some(Path::new("-")) {
            println!("\npage: {}", path.display());
        }
    }
    Ok(())
}

/// The closed forms with as many latents as the first source (ICA where they are few), and raw values that are few.
fn baselines(dataset: &Dataset, latents: usize) -> Vec<String> {
    let raw = match dataset.shape {
        Shape::Image {
            channels,
            height,
            width,
        } => channels * height * width,
        Shape::Vector { dim } => dim,
    };
    let latents = latents.min(WIDEST).min(raw);
    let mut names = vec![format!("pca:{latents}")];
    // Its time grows with the square of the latents.
    if latents <= MOST_ICA {
        names.push(format!("ica:{latents}"));
    }
    if raw <= RAW {
        names.insert(0, "pixels".into());
    }
    names
}

/// Sets of runs that differ in nothing but their seed, for UDR. Where it is asked for by name, files of
/// features, which say nothing about their settings, are taken for one set.
fn same_settings(sources: &[(String, Source)], asked: bool) -> Result<Vec<Vec<String>>> {
    let mut sets: Vec<(Table, Vec<String>)> = Vec::new();
    let mut files = Vec::new();
    for (name, source) in sources {
        match source {
            Source::Run(path) => {
                let folder = RunFolder::open(path)?;
                if folder.has_config() {
                    let settings = without_seed(folder.read_config()?);
                    match sets.iter_mut().find(|(own, _)| *own == settings) {
                        Some((_, names)) => names.push(name.clone()),
                        None => sets.push((settings, vec![name.clone()])),
                    }
                }
            }
            Source::File(_) if asked => files.push(name.clone()),
            _ => {}
        }
    }
    let sets = sets.into_iter().map(|(_, names)| names).chain([files]);
    Ok(sets.filter(|names| names.len() > 1).collect())
}

/// A run's settings less its seed.
fn without_seed(settings: Table) -> Table {
    let keep = |(key, value): (String, Value)| (key != "seed").then_some((key, value));
    settings.into_iter().filter_map(keep).collect()
}
