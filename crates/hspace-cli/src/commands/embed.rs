//! `hspace embed`

use std::path::PathBuf;

use hspace::Result;
use hspace::device::device;
use hspace::representation::check_ending;
use hspace::source::Source;

use crate::commands::{apart, open};
use crate::progress::Spinner;
use crate::settings::{DataFlags, seed};

/// Write the features of every sample: .npz (numpy reads it) or .csv.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace embed runs/a --data photos/ --out emb.npz
  hspace embed pca:50 --data builtin:mnist-mini --out emb.csv")]
pub struct Args {
    /// A run, `pixels`, `pca:D`, `ica:D`, `kmeans:K` or `random:ENCODER`
    source: String,
    /// Samples to embed
    #[arg(long)]
    data: String,
    /// File to write, .npz or .csv
    #[arg(long)]
    out: PathBuf,
    /// Seed of an untrained encoder
    #[arg(long, default_value_t = 0, value_parser = seed())]
    seed: u64,
    /// cpu (cpu:direct: no Winograd; cpu:avx2, cpu:portable: no better instructions; cpu:burn: without
    /// our kernels), or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    device: String,
    #[command(flatten)]
    reading: DataFlags,
}

pub fn run(args: &Args) -> Result<()> {
    let inputs = [("data", &args.data), ("source", &args.source)];
    let inputs = inputs.map(|(what, input)| (what, input.as_str()));
    apart(&[("--out", Some(&args.out))], &inputs)?;
    let source = Source::parse(&args.source)?;
    source.check_has_features()?;
    check_ending(&args.out)?;
    let dataset = open(&args.data, &args.reading.options(None))?;
    let mut sources = args
        .reading
        .sources(&dataset, device(&args.device)?, args.seed);
    let spinner = Spinner::new("embedding");
    let total = dataset.len();
    let features = sources.represent(&args.source, &source, &mut |done| {
        spinner.say(&format!("embedding {done}/{total}"));
    });
    spinner.done();
    let features = features?;
    features.write(&args.out)?;
    println!(
        "{} samples, {} features each: {}",
        features.ids.len(),
        features.features.cols,
        args.out.display()
    );
    Ok(())
}
