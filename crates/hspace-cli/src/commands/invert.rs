//! `hspace invert`

use std::path::PathBuf;

use hspace::dataset::Split;
use hspace::device::device;
use hspace::drawings::side_by_side;
use hspace::embed::Embedded;
use hspace::generate::GenerativeModel;
use hspace::invert::{Inversion, Method, invert};
use hspace::matrix::spaced;
use hspace::representation::check_ending;
use hspace::run::RunFolder;
use hspace::source::represent_rows;
use hspace::{Error, Result, picture};

use crate::commands::{apart, ending, open, write_json};
use crate::progress::{Spinner, stop_flag};
use crate::settings::{DataFlags, seed};

/// Find the latents of real samples: what a run would draw them from.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace invert runs/gan --data photos/ --out latents.npz --png inverted.png
  hspace invert runs/gan --data photos/ --method optimise --steps 500 --out latents.npz
  hspace probe latents.npz runs/gan --data photos/     # with --common if there were --samples")]
pub struct Args {
    /// The run
    run: PathBuf,
    /// The samples
    #[arg(long)]
    data: String,
    /// How: by optimisation, by an encoder taught on drawn samples, or from what that says on
    #[arg(long, value_enum, default_value = "both")]
    method: How,
    /// Steps of the optimisation
    #[arg(long, default_value_t = 200)]
    steps: usize,
    /// Starts of the optimisation without an encoder; the best is kept
    #[arg(long, default_value_t = 3)]
    starts: usize,
    /// Steps in which the encoder is taught
    #[arg(long, default_value_t = 600)]
    encoder_steps: usize,
    /// Weight of the latents' squares relative to the squared error a value
    #[arg(long, default_value_t = 1e-3)]
    prior: f64,
    /// Samples at most, spread over all, training and test apart
    #[arg(long)]
    samples: Option<usize>,
    /// Seed of everything random
    #[arg(long, default_value_t = 0, value_parser = seed())]
    seed: u64,
    /// Latents to write, a representation as `hspace probe` takes it: .npz or .csv
    #[arg(long, default_value = "latents.npz")]
    out: PathBuf,
    /// Write a picture of samples above what their latents look like
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// Write the errors by step as JSON to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// cpu, or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    device: String,
    #[command(flatten)]
    reading: DataFlags,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum How {
    Optimise,
    Encoder,
    Both,
}

/// Samples on the picture.
const SHOWN: usize = 24;

pub fn run(args: &Args) -> Result<()> {
    if args.starts == 0 || args.samples == Some(0) || !(args.prior >= 0.0 && args.prior.is_finite())
    {
        return Err(Error::config(
            "--starts and --samples must be at least 1, --prior 0 or above",
        ));
    }
    check_ending(&args.out)?;
    args.png.iter().try_for_each(|png| ending(png, "png"))?;
    let outputs = [
        ("--out", Some(args.out.as_path())),
        ("--json", args.json.as_deref()),
        ("--png", args.png.as_deref()),
    ];
    apart(&outputs, &[("data", &args.data)])?;
    let drawer = GenerativeModel::open(&RunFolder::open(&args.run)?, &device(&args.device)?)?;
    let dataset = open(&args.data, &args.reading.options(None))?;
    let [train, test] = [Split::Train, Split::Test].map(|split| dataset.indices(split));
    let all = train.len() + test.len();
    let wanted = args.samples.unwrap_or(all).min(all);
    let of_test = (wanted * test.len()).div_ceil(all.max(1));
    let mut rows: Vec<usize> = [(train, wanted - of_test), (test, of_test)]
        .iter()
        .flat_map(|(of, share)| spaced(of.len(), *share).into_iter().map(move |i| of[i]))
        .collect();
    rows.sort_unstable();
    let how = Inversion {
        method: match args.method {
            How::Optimise => Method::Optimise,
            How::Encoder => Method::Encoder,
            How::Both => Method::Both,
        },
        steps: args.steps,
        starts: args.starts,
        encoder_steps: args.encoder_steps,
        prior: args.prior,
        seed: args.seed,
    };
    let stop = stop_flag()?;
    let spinner = Spinner::new("inverting");
    let found = invert(
        &drawer,
        &dataset,
        &rows,
        &how,
        &mut |what, share| spinner.say(&format!("{what}: {:.0} %", 100.0 * share)),
        stop,
    );
    spinner.done();
    let found = found?;
    let latents = Embedded {
        features: found.latents.clone(),
        rows: found.rows.clone(),
        bad: vec![],
    };
    let name = args.run.display().to_string();
    let origin = format!("inversion of {name}");
    represent_rows(&dataset, &name, latents, origin).write(&args.out)?;
    if let Some(path) = &args.json {
        write_json(path, &found.errors)?;
    }
    if args.json.as_deref() != Some("-".as_ref()) {
        println!("steps  mean squared error a value");
        for (step, error) in &found.errors {
            println!("{step:5}  {error:.5}");
        }
        println!(
            "{}: latents of {} samples",
            args.out.display(),
            found.rows.len()
        );
    }
    if let Some(path) = &args.png {
        let shown = spaced(found.rows.len(), SHOWN);
        let rows: Vec<usize> = shown.iter().map(|&i| found.rows[i]).collect();
        let sheet = side_by_side(&drawer, &dataset, &rows, &found.latents.select(&shown))?;
        hspace::file::write_whole(path, &picture::png(&sheet)?)?;
    }
    Ok(())
}
