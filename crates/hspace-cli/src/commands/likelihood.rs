//! `hspace likelihood`

use std::path::PathBuf;

use hspace::dataset::Split;
use hspace::device::device;
use hspace::generate::GenerativeModel;
use hspace::matrix::spaced;
use hspace::run::RunFolder;
use hspace::{Error, Result};

use crate::commands::{open, write_json};
use crate::progress::Spinner;
use crate::settings::{DataFlags, seed};

/// How likely samples are to a variational run, in nats: by importance sampling, and the bound's parts.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace likelihood runs/vae --data digits.npz
  hspace likelihood runs/vae --data digits.npz --draws 5000 --samples 100 --json -")]
pub struct Args {
    /// The run
    run: PathBuf,
    /// The samples; those of the test split are taken
    #[arg(long)]
    data: String,
    /// Draws from each sample's posterior: more come nearer to the likelihood, from below
    #[arg(long, default_value_t = 200)]
    draws: usize,
    /// Samples at most, spread over all
    #[arg(long)]
    samples: Option<usize>,
    /// Seed of the draws
    #[arg(long, default_value_t = 0, value_parser = seed())]
    seed: u64,
    /// Write the numbers as JSON to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// cpu, or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    device: String,
    #[command(flatten)]
    reading: DataFlags,
}

pub fn run(args: &Args) -> Result<()> {
    if args.draws == 0 || args.samples == Some(0) {
        return Err(Error::config("--draws and --samples must be at least 1"));
    }
    let drawer = GenerativeModel::open(&RunFolder::open(&args.run)?, &device(&args.device)?)?;
    let dataset = open(&args.data, &args.reading.options(None))?;
    let test = dataset.indices(Split::Test);
    let picked = spaced(test.len(), args.samples.unwrap_or(test.len()));
    let rows: Vec<usize> = picked.into_iter().map(|i| test[i]).collect();
    if rows.is_empty() {
        return Err(Error::data(format!("{} has no test samples", args.data)));
    }
    let spinner = Spinner::new("weighing");
    let found = drawer.explain(&dataset, &rows, args.draws, args.seed, &mut |done| {
        spinner.say(&format!("weighing {done} of {}", rows.len()));
    });
    spinner.done();
    let found = found?;
    if let Some(path) = &args.json {
        write_json(path, &found)?;
    }
    if args.json.as_deref() == Some("-".as_ref()) {
        return Ok(());
    }
    println!(
        "log-likelihood  {:.2} ±{:.2} nats ({} draws, {} samples), {:.4} bits a value\n\
         bound (ELBO)    {:.2} nats\n  reconstruction  {:.2}\n  divergence      {:.2}\n\
         active units    {} of {} latents",
        found.log_likelihood,
        1.96 * found.error,
        found.draws,
        found.samples,
        found.bits_per_dim,
        found.elbo,
        found.reconstruction,
        found.divergence,
        found.active_units,
        found.latents
    );
    println!("The likelihood is {}.", found.unit);
    if found.active_units == 0 {
        println!(
            "the posterior has collapsed onto the prior: no latent tells one sample from another"
        );
    }
    Ok(())
}
