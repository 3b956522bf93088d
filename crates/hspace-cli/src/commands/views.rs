//! `hspace views`

use std::path::PathBuf;

use hspace::config::Config;
use hspace::job::{Job, about};
use hspace::toml::Value;
use hspace::views::sheet::contact_sheet;
use hspace::{Result, picture};

use crate::commands::{apart, ending, open};
use crate::settings::{DataFlags, SettingFlags, count};

/// Draw samples next to their random views: what the encoder will see.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace views builtin:mnist-mini
  hspace views photos/ --objective dino --view-set dino
  hspace views photos/ --out views.png --image-size 128 --set views.flip.horizontal=0")]
pub struct Args {
    /// builtin:NAME, a folder, .npz, .npy or .csv
    data: String,
    /// PNG file to write
    #[arg(long, default_value = "views.png")]
    out: PathBuf,
    /// Samples: rows of the sheet
    #[arg(long, default_value_t = 8, value_parser = count(1..=10_000))]
    samples: usize,
    /// Views of each: columns
    #[arg(long, default_value_t = 8, value_parser = count(1..=10_000))]
    views: usize,
    #[command(flatten)]
    settings: SettingFlags,
    #[command(flatten)]
    reading: DataFlags,
}

pub fn run(args: &Args) -> Result<()> {
    apart(&[("--out", Some(&args.out))], &[("data", &args.data)])?;
    ending(&args.out, "png")?;
    let mut table = args.settings.table()?;
    table.insert("data".into(), Value::String(args.data.clone()));
    let dataset = open(&args.data, &args.reading.options(None))?;
    let config = Config::resolve(table, about(&dataset))?;
    let job = Job::new(config, &dataset, None)?;
    let (names, views): (Vec<_>, Vec<_>) = job.random_views().into_iter().unzip();
    let (sheet, rows) = contact_sheet(&dataset, &views, args.samples, args.views, job.config.seed)?;
    hspace::file::write_whole(&args.out, &picture::png(&sheet)?)?;
    let order = match names.len() {
        1 => String::new(),
        _ => format!("; by turns: {}", names.join(", ")),
    };
    println!(
        "{}: the sample, then random views of it; samples: {rows}, views of each: {}{order}",
        args.out.display(),
        args.views
    );
    Ok(())
}
