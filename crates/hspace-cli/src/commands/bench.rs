//! `hspace bench`

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use hspace::config::{Config, section, set};
use hspace::dataset::Dataset;
use hspace::device::{device, threads};
use hspace::embed::embed;
use hspace::encoder;
use hspace::job::{Job, about};
use hspace::nn::{Mode, Pass};
use hspace::objective::OBJECTIVES;
use hspace::toml::Table;
use hspace::views::measure::samples_per_second;
use hspace::{Error, Result};
use serde::Serialize;

use crate::commands::{open, write_json};
use crate::progress::Spinner;
use crate::say;
use crate::settings::{DataFlags, count, seconds};

/// Measure this machine: products, training, views, loading, embedding.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace bench
  hspace bench --data photos/ --encoder resnet18 --image-size 64 --batch-size 32 --json bench.json")]
pub struct Args {
    /// Samples to measure with
    #[arg(long, default_value = "builtin:mnist-mini")]
    data: String,
    /// Encoders, separated by commas; settings follow after colons, such as resnet18:stem=small
    #[arg(long, default_value = "mlp,cnn,resnet18")]
    encoder: String,
    /// Objectives, separated by commas; the default is all
    #[arg(long)]
    objective: Option<String>,
    /// Width of the encoders; the default is each one's own, 16 for residual networks
    #[arg(long)]
    width: Option<usize>,
    /// Samples per step
    #[arg(long, default_value_t = 64, value_parser = count(1..=1_000_000_000))]
    batch_size: usize,
    /// Height and width of the input in pixels
    #[arg(long)]
    image_size: Option<usize>,
    /// Change any setting, such as views.blur.p=0; may be given many times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Seconds for each measurement
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// Write the numbers as JSON to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// cpu (cpu:direct: no Winograd; cpu:avx2, cpu:portable: no better instructions; cpu:burn: without
    /// our kernels), or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    device: String,
    #[command(flatten)]
    reading: DataFlags,
}

/// One measurement.
#[derive(Serialize)]
struct Line {
    what: String,
    rate: f64,
    unit: &'static str,
    /// Share of the matrix-product rate, where that says something.
    share: Option<f64>,
}

pub fn run(args: &Args) -> Result<()> {
    let dataset = open(&args.data, &args.reading.options(None))?;
    let spinner = Spinner::new("measuring");
    let peak = products(args)?;
    let mut lines = vec![Line {
        what: "matrix product 1024 x 1024 x 1024".into(),
        rate: peak / 1e9,
        unit: "GFLOP/s",
        share: None,
    }];
    let mut skipped = BTreeSet::new();
    for name in args.encoder.split(',') {
        let wanted = |name: &str| {
            args.objective
                .as_ref()
                .is_none_or(|all| all.split(',').any(|o| o == name))
        };
        for objective in OBJECTIVES.iter().filter(|o| wanted(o.name)) {
            spinner.say(&format!("training {name} with {}", objective.name));
            match training(args, &dataset, name, objective.name, peak) {
                Ok(line) => lines.push(line),
                // Such as a supervised objective on data without labels.
                Err(Error::Config(problems)) => skipped.extend(problems),
                Err(error) => return Err(error),
            }
        }
        spinner.say(&format!("embedding with {name}"));
        lines.push(embedding(args, &dataset, name, peak)?);
    }
    spinner.say("views and loading");
    let first = args.encoder.split(',').next().unwrap_or_default();
    let job = job(args, &dataset, first, "simclr")?;
    let threads = threads();
    for threads in [1, threads] {
        let (_, views, _) = job.encoder();
        let samples = &*dataset.samples;
        lines.push(Line {
            what: format!("decoding and two random views, {threads} threads"),
            rate: samples_per_second(views, samples, dataset.len(), threads, args.seconds)?,
            unit: "samples/s",
            share: None,
        });
    }
    spinner.done();
    for problem in skipped {
        say::note(format_args!("skipped: {problem}"));
    }
    if let Some(path) = &args.json {
        write_json(path, &lines)?;
    }
    if args.json.as_deref() != Some("-".as_ref()) {
        print(args, &lines);
    }
    Ok(())
}

fn print(args: &Args, lines: &[Line]) {
    println!(
        "{} threads, device {}, batches of {}, data {}\n",
        threads(),
        args.device,
        args.batch_size,
        args.data
    );
    let width = lines.iter().map(|l| l.what.len()).max().unwrap_or(0);
    for line in lines {
        let share = line.share.map_or(String::new(), |share| {
            format!("   {:4.1} % of the product rate", 100.0 * share)
        });
        println!(
            "{:width$}  {:>9.1} {}{share}",
            line.what, line.rate, line.unit
        );
    }
}

/// Floating-point operations per second of a large product.
fn products(args: &Args) -> Result<f64> {
    const SIZE: usize = 1024;
    let device = device(&args.device)?;
    let rate = hspace::nn::layers::product_rate(SIZE, args.seconds, &device);
    Ok(rate)
}

fn job<'a>(args: &Args, dataset: &'a Dataset, encoder: &str, objective: &str) -> Result<Job<'a>> {
    let width = match args.width {
        Some(width) => Some(width),
        None => encoder.starts_with("resnet").then_some(16),
    };
    let mut choice = section(encoder)?;
    if let (Some(width), false) = (width, choice.contains_key("width")) {
        choice.insert("width".into(), (width as i64).into());
    }
    let mut train = Table::new();
    train.insert("batch_size".into(), (args.batch_size as i64).into());
    train.insert("online_probe".into(), false.into());
    if let Some(size) = args.image_size {
        train.insert("image_size".into(), (size as i64).into());
    }
    let mut table = Table::new();
    table.insert("data".into(), args.data.clone().into());
    table.insert("device".into(), args.device.clone().into());
    table.insert("encoder".into(), choice.into());
    table.insert("objective".into(), objective.into());
    table.insert("train".into(), train.into());
    let assign = |assignment: &String| set(&mut table, assignment).err();
    let problems: Vec<String> = args.set.iter().filter_map(assign).collect();
    if !problems.is_empty() {
        return Err(Error::Config(problems));
    }
    Job::new(Config::resolve(table, about(dataset))?, dataset, None)
}

/// Training images per second, augmentation included, the first steps left out.
fn training(
    args: &Args,
    dataset: &Dataset,
    name: &str,
    objective: &str,
    peak: f64,
) -> Result<Line> {
    let job = job(args, dataset, name, objective)?;
    let rate = job.pace(args.seconds, &AtomicBool::new(false))?;
    let multiply_adds = job.multiply_adds() as f64;
    // Backward takes two products for each of the forward pass.
    let share = 3.0 * 2.0 * multiply_adds * rate / peak;
    Ok(Line {
        what: format!("training {name} with {objective}"),
        rate,
        unit: "samples/s",
        share: Some(share),
    })
}

/// Samples embedded per second.
fn embedding(args: &Args, dataset: &Dataset, name: &str, peak: f64) -> Result<Line> {
    let job = job(args, dataset, name, "simclr")?;
    let (network, views, device) = job.encoder();
    let (weights, _) = encoder::init(network, views.input().shape, 0, device);
    let rows: Vec<usize> = (0..dataset.len().min(512)).collect();
    let prefixed = weights.clone().prefixed("encoder");
    let pass = Pass::new(&prefixed, Mode::Eval, device);
    network.features(
        &pass.at("encoder"),
        encoder::blank(1, views.input().shape, device),
    );
    let begun = Instant::now();
    let mut samples = 0;
    while begun.elapsed().as_secs_f64() < args.seconds {
        samples += embed(
            network,
            &weights,
            views,
            dataset,
            &rows,
            device,
            &mut |_| (),
        )?
        .rows
        .len();
    }
    let rate = samples as f64 / begun.elapsed().as_secs_f64();
    Ok(Line {
        what: format!("embedding with {name}"),
        rate,
        unit: "samples/s",
        share: Some(2.0 * pass.multiply_adds() as f64 * rate / peak),
    })
}
