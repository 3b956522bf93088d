//! `hspace traverse`

use std::path::PathBuf;

use hspace::dataset::{Dataset, Split};
use hspace::device::device;
use hspace::drawings::{SPREAD, Spread, axes, frames, interpolations, plane, traversal};
use hspace::generate::Drawer;
use hspace::matrix::spaced;
use hspace::run::RunFolder;
use hspace::{Error, Result, error, picture};

use crate::commands::open;

/// Move the latents of a sample one at a time, two together, or from one sample to another, and draw what comes.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace traverse runs/vae --data builtin:shapes --out traverse.png
  hspace traverse runs/vae --data builtin:shapes --gif traverse.gif
  hspace traverse runs/vae --data builtin:shapes --plane --steps 15
  hspace traverse runs/vae --data photos/ --between cat/1.png,dog/4.png --out between.png")]
pub struct Args {
    /// The run
    run: PathBuf,
    /// Samples whose latents say how far to go
    #[arg(long)]
    data: String,
    /// Id of the sample that is moved [default: the first test sample]
    #[arg(long)]
    sample: Option<String>,
    /// Ids of two samples: go from one to the other instead
    #[arg(
        long,
        value_delimiter = ',',
        num_args = 2,
        value_name = "ID,ID",
        conflicts_with = "sample"
    )]
    between: Option<Vec<String>>,
    /// Move the two latents that vary most together: one from left to right, the other upwards
    #[arg(long, conflicts_with_all = ["between", "latents", "gif"])]
    plane: bool,
    /// Latents to move, those that vary most
    #[arg(long, default_value_t = 12)]
    latents: usize,
    /// Pictures on the way
    #[arg(long, default_value_t = 11)]
    steps: usize,
    /// How far, in standard deviations of the latent over the samples
    #[arg(long, default_value_t = 2.5)]
    span: f32,
    /// Picture to write: a row for each latent; with --plane, the plane
    #[arg(long, default_value = "traverse.png")]
    out: PathBuf,
    /// Write an animation as well: all latents at once, each in its own tile
    #[arg(long, value_name = "FILE")]
    gif: Option<PathBuf>,
    /// cpu, or a GPU this hspace was built for
    #[arg(long, default_value = "cpu")]
    device: String,
}

pub fn run(args: &Args) -> Result<()> {
    if args.steps < 2 || args.latents == 0 {
        return Err(Error::config(
            "--steps must be at least 2 and --latents at least 1",
        ));
    }
    let drawer = Drawer::open(&RunFolder::open(&args.run)?, &device(&args.device)?)?;
    let dataset = open(&args.data)?;
    let rows = match &args.between {
        Some(ids) => {
            let ends = [row_of(&dataset, &ids[0])?, row_of(&dataset, &ids[1])?];
            let latents = drawer.latents(&dataset, &ends)?.features;
            interpolations(
                &drawer,
                &latents.select(&[0]),
                &latents.select(&[1]),
                args.steps,
            )
        }
        None => {
            let some: Vec<usize> = spaced(dataset.len(), SPREAD);
            let spread = Spread::of(&drawer.latents(&dataset, &some)?.features);
            let first = dataset.indices(Split::Test).first().copied().unwrap_or(0);
            let base = match &args.sample {
                Some(id) => row_of(&dataset, id)?,
                None => first,
            };
            let base = drawer.latents(&dataset, &[base])?.features;
            let base = base.row(0);
            if args.plane {
                if spread.order.len() < 2 {
                    return Err(Error::config("--plane needs two latents; this run has one"));
                }
                let names = ["from left to right", "upwards"];
                for (latent, name) in axes(&spread).into_iter().zip(names) {
                    let (mean, deviation) = (spread.mean[latent], spread.deviation[latent]);
                    println!("{name}: latent {latent}, {mean:.3} ± {deviation:.3}");
                }
                plane(&drawer, base, &spread, (args.steps, args.span))
            } else {
                for (place, &latent) in spread.order.iter().take(args.latents).enumerate() {
                    println!(
                        "row {}: latent {latent}, {:.3} ± {:.3}",
                        place + 1,
                        spread.mean[latent],
                        spread.deviation[latent]
                    );
                }
                let how = (args.steps, args.span, args.latents);
                traversal(&drawer, base, &spread, how)
            }
        }
    };
    let sheet = picture::sheet(&rows, false)?;
    hspace::file::write_whole(&args.out, &picture::png(&sheet)?)?;
    println!("{}", args.out.display());
    if let Some(path) = &args.gif {
        let animation = picture::animation(&frames(&rows)?)?;
        hspace::file::write_whole(path, &animation)?;
        println!("{}", path.display());
    }
    Ok(())
}

fn row_of(dataset: &Dataset, id: &str) -> Result<usize> {
    let found = dataset.ids.iter().position(|own| own == id);
    found.ok_or_else(|| {
        let some = dataset.ids.iter().map(String::as_str).take(1000);
        let text = error::unknown("sample", id, some);
        // The nearest names are of use, a list of a thousand is not.
        let short: String = text.chars().take(200).collect();
        Error::config(format!("{short} (ids are those of `hspace embed`)"))
    })
}
