//! `hspace sample`

use std::path::PathBuf;

use hspace::device::device;
use hspace::drawings::gallery;
use hspace::generate::GenerativeModel;
use hspace::matrix::Matrix;
use hspace::representation::{Representation, check_ending};
use hspace::run::RunFolder;
use hspace::{Error, Result, picture};

use crate::settings::{count, seed};

/// Draw new samples from the prior of a run that learned to draw.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace sample runs/vae --out samples.png
  hspace sample runs/vae --count 1000 --out samples.npz")]
pub struct Args {
    /// The run
    run: PathBuf,
    /// How many
    #[arg(long, default_value_t = 64, value_parser = count(1..=100_000))]
    count: usize,
    /// Seed of the draws
    #[arg(long, default_value_t = 0, value_parser = seed())]
    seed: u64,
    /// .png: a picture of all; .npz or .csv: their values
    #[arg(long, default_value = "samples.png")]
    out: PathBuf,
    /// cpu, or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    device: String,
}

pub fn run(args: &Args) -> Result<()> {
    let drawn = args.out.extension().is_some_and(|e| e == "png");
    if !drawn && check_ending(&args.out).is_err() {
        return Err(Error::file(
            &args.out,
            "samples are written as .png, .npz or .csv; choose one of these endings",
        ));
    }
    let drawer = GenerativeModel::open(&RunFolder::open(&args.run)?, &device(&args.device)?)?;
    let latents = drawer.prior(args.count, args.seed)?;
    if drawn {
        let sheet = gallery(&drawer, &latents)?;
        hspace::file::write_whole(&args.out, &picture::png(&sheet)?)?;
    } else {
        let shift = drawer.trained().about.input.shift.clone();
        values(drawer.draw(&latents), shift, "sample").write(&args.out)?;
    }
    println!(
        "{}: {} samples from the prior",
        args.out.display(),
        args.count
    );
    Ok(())
}

/// Rows of values less `shift` as something to write, with ids that count.
fn values(rows: Matrix, shift: Vec<f64>, name: &str) -> Representation {
    Representation {
        shift,
        name: name.to_owned(),
        ids: (0..rows.rows).map(|i| format!("{name}/{i}")).collect(),
        columns: vec![],
        split: vec![hspace::dataset::Split::Train; rows.rows],
        features: rows,
        origin: "drawn".to_owned(),
    }
}
