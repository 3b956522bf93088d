//! `hspace reconstruct`

use std::path::PathBuf;

use hspace::dataset::Split;
use hspace::device::device;
use hspace::drawings::reconstructions;
use hspace::generate::GenerativeModel;
use hspace::matrix::spaced;
use hspace::run::RunFolder;
use hspace::{Error, Result, picture};

use crate::commands::{ending, open};
use crate::settings::DataFlags;

/// Draw samples again from their latents, side by side with the originals, and say how far off that is.
#[derive(clap::Args)]
#[command(after_help = "Example:
  hspace reconstruct runs/vae --data photos/ --out reconstructions.png")]
pub struct Args {
    /// The run
    run: PathBuf,
    /// The samples
    #[arg(long)]
    data: String,
    /// How many to draw; the error is of all test samples
    #[arg(long, default_value_t = 24)]
    count: usize,
    /// Picture to write: a row of samples above a row of their reconstructions, and so on
    #[arg(long, default_value = "reconstructions.png")]
    out: PathBuf,
    /// cpu, or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    device: String,
    #[command(flatten)]
    reading: DataFlags,
}

pub fn run(args: &Args) -> Result<()> {
    ending(&args.out, "png")?;
    if args.count == 0 {
        return Err(Error::config("--count 0: there is nothing to draw"));
    }
    let drawer = GenerativeModel::open(&RunFolder::open(&args.run)?, &device(&args.device)?)?;
    let dataset = open(&args.data, &args.reading.options(None))?;
    let test = dataset.indices(Split::Test);
    let rows = if test.is_empty() {
        dataset.indices(Split::Train)
    } else {
        test
    };
    let shown: Vec<usize> = spaced(rows.len(), args.count)
        .into_iter()
        .map(|i| rows[i])
        .collect();
    let sheet = reconstructions(&drawer, &dataset, &shown)?;
    hspace::file::write_whole(&args.out, &picture::png(&sheet)?)?;
    let samples = drawer.samples(&dataset, &rows)?.features;
    let drawn = drawer.draw(&drawer.latents(&dataset, &rows)?.features);
    let scale = drawer.scale();
    let off = |a: &[f32], b: &[f32]| -> f64 {
        let each = a.iter().zip(b).zip(&scale);
        let squares = each.map(|((a, b), scale)| f64::from((a - b) / scale).powi(2));
        squares.sum::<f64>() / a.len().max(1) as f64
    };
    let mean: Vec<f32> = samples.column_means().iter().map(|&x| x as f32).collect();
    let n = samples.rows.max(1) as f64;
    let over = |one: &dyn Fn(usize) -> f64| (0..samples.rows).map(one).sum::<f64>() / n;
    let error = over(&|i| off(samples.row(i), drawn.row(i)));
    let spread = over(&|i| off(samples.row(i), &mean));
    println!(
        "{}: samples above their reconstructions\nmean squared error {error:.5} a value over {} samples; \
         {:.1} % of their variance is lost",
        args.out.display(),
        samples.rows,
        100.0 * error / spread.max(f64::MIN_POSITIVE)
    );
    Ok(())
}
