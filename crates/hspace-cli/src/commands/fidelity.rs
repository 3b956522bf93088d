//! `hspace fidelity`

use std::path::PathBuf;

use hspace::device::device;
use hspace::evaluate_fidelity::{FidelityOptions, evaluate_fidelity};
use hspace::fidelity::Scores;
use hspace::generate::GenerativeModel;
use hspace::run::RunFolder;
use hspace::{Error, Result};

use crate::commands::{open, write_json};
use crate::progress::Spinner;
use crate::settings::{DataFlags, seed};

/// Compare what a run generates with real samples: precision, recall and the Fréchet distance.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace fidelity runs/gan --data photos/
  hspace fidelity runs/vae --data photos/ --space runs/simclr --samples 5000 --json -

Training samples are judged in the place of drawn ones too: that is what perfect samples would score.
Compare the Fréchet distance only where space and number of samples are the same.")]
pub struct Args {
    /// The run
    run: PathBuf,
    /// The real samples; those of the test split are drawn samples' neighbours
    #[arg(long)]
    data: String,
    /// Where distances are taken: a run, `pca:D`, `pixels`, `random:ENCODER`, `hf:OWNER/NAME` [default:
    /// pca:50, of small data pixels]
    #[arg(long, value_name = "SOURCE")]
    space: Option<String>,
    /// Samples on each side, at most
    #[arg(long, default_value_t = FidelityOptions::default().samples)]
    samples: usize,
    /// Which neighbour's distance counts
    #[arg(long, default_value_t = FidelityOptions::default().k)]
    k: usize,
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
    if args.k == 0 {
        return Err(Error::config("--k must be at least 1"));
    }
    let device = device(&args.device)?;
    let drawer = GenerativeModel::open(&RunFolder::open(&args.run)?, &device)?;
    let how = FidelityOptions {
        space: args.space.clone(),
        samples: args.samples,
        k: args.k,
        seed: args.seed,
    };
    let dataset = open(&args.data, &args.reading.options(None))?;
    let spinner = Spinner::new("drawing");
    let found = evaluate_fidelity(&drawer, dataset, &how, &device, &mut |done| {
        spinner.say(&format!("embedding {done}"));
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
        "{} samples compared with {} test samples of {} in {} ({} features), k = {}\n",
        found.samples, found.samples, found.data, found.space, found.dim, found.k
    );
    println!("                   precision  recall  Fréchet distance");
    for (what, scores) in [("drawn", &found.drawn), ("training samples", &found.real)] {
        let Scores {
            precision,
            recall,
            frechet,
        } = scores;
        println!("{what:<17}  {precision:>9.3}  {recall:>6.3}  {frechet:>16.4}");
    }
    if let Some(diagnosis) = found.diagnose() {
        println!("\n{diagnosis}");
    }
    Ok(())
}
