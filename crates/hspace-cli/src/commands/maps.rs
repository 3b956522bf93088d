//! `hspace maps`

use std::path::PathBuf;

use hspace::device::device;
use hspace::feature_maps::{MapsOptions, feature_maps};
use hspace::run::RunFolder;
use hspace::{Error, Result, picture};

use crate::commands::{apart, ending, open};
use crate::settings::{DataFlags, count};

/// Draw the filters of a network's first layer and the feature maps of its stages for some test images.
///
/// Of each stage the channels that vary most over the places of 16 test images; each goes from its lowest value among the images
/// drawn (dark) to its highest (yellow).
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace maps runs/a --data photos/ --out maps.png
  hspace maps runs/a --data photos/ --samples 8 --channels 12 --stages 3")]
pub struct Args {
    /// The run
    run: PathBuf,
    /// Images to draw, of the test split where there is one
    #[arg(long)]
    data: String,
    /// Images: rows of each stage
    #[arg(long, default_value_t = MapsOptions::default().images, value_parser = count(1..=1000))]
    samples: usize,
    /// Channels of each stage: columns after the image
    #[arg(long, default_value_t = MapsOptions::default().channels, value_parser = count(1..=1000))]
    channels: usize,
    /// Stages at most, evenly spaced over the network
    #[arg(long, default_value_t = MapsOptions::default().stages, value_parser = count(1..=1000))]
    stages: usize,
    /// PNG file to write: the filters, then for each stage a row an image
    #[arg(long, default_value = "maps.png")]
    out: PathBuf,
    /// cpu, or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    device: String,
    #[command(flatten)]
    reading: DataFlags,
}

pub fn run(args: &Args) -> Result<()> {
    apart(&[("--out", Some(&args.out))], &[("data", &args.data)])?;
    ending(&args.out, "png")?;
    let device = device(&args.device)?;
    let folder = RunFolder::open(&args.run)?;
    let network = folder.read_encoder(&device)?;
    let dataset = open(&args.data, &args.reading.options(None))?;
    let name = args.run.display().to_string();
    let options = MapsOptions {
        images: args.samples,
        channels: args.channels,
        stages: args.stages,
    };
    let maps = feature_maps(&name, &network, &dataset, "", options, &device)?.ok_or_else(|| {
        Error::data(format!(
            "{name} takes vectors, which have no places; only networks of images have feature maps"
        ))
    })?;
    let sheet = picture::png(&maps.sheet()?)?;
    hspace::file::write_whole(&args.out, &sheet)?;
    println!("{}, from top to bottom", args.out.display());
    if let Some(filters) = &maps.filters {
        let [_, height, width] = filters.size;
        println!(
            "  {}: {} of {} filters of {width}x{height}, those of the largest norm first, each in its own range",
            filters.name, filters.tiles.count, filters.total
        );
    }
    for stage in &maps.stages {
        let [height, width] = stage.size;
        let shown: Vec<String> = stage.shown.iter().map(ToString::to_string).collect();
        println!(
            "  {}: channels {} of {}, maps of {width}x{height}",
            stage.name,
            shown.join(", "),
            stage.channels
        );
    }
    maps.notes.iter().for_each(|note| println!("  {note}"));
    Ok(())
}
