//! `hspace traverse`

use std::path::PathBuf;

use hspace::dataset::{Dataset, Split};
use hspace::device::device;
use hspace::drawings::{
    Interpolation, SPREAD, Spread, axes, frames, interpolations, plane, traversal,
};
use hspace::generate::GenerativeModel;
use hspace::matrix::{Matrix, spaced};
use hspace::run::RunFolder;
use hspace::{Error, Result, error, picture};

use crate::commands::{ending, open};
use crate::settings::{DataFlags, seed};

/// Move the latents of a sample one at a time, two together, or from one sample to another, and draw what comes.
///
/// Where no encoder gives the latents of samples (`gan`), those of drawn samples are moved: leave --data out, and
/// name them by their number among those that `hspace sample` draws, from 0.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace traverse runs/vae --data builtin:shapes --out traverse.png
  hspace traverse runs/vae --data builtin:shapes --gif traverse.gif
  hspace traverse runs/vae --data builtin:shapes --plane --steps 15
  hspace traverse runs/vae --data photos/ --between cat/1.png,dog/4.png --out between.png
  hspace traverse runs/gan --sample 7
  hspace traverse runs/gan --between 7,9")]
pub struct Args {
    /// The run
    run: PathBuf,
    /// Samples whose latents say how far to go
    #[arg(long)]
    data: Option<String>,
    /// Id of the sample that is moved [default: the first test sample, or the first that is drawn]
    #[arg(long)]
    sample: Option<String>,
    /// Ids of two samples: go from one to the other instead
    #[arg(long, value_parser = pair, value_name = "ID,ID", conflicts_with = "sample")]
    between: Option<[String; 2]>,
    /// Move two latents at once, those that vary (or change a drawn sample) most: one from left to right, the other upwards
    #[arg(long, conflicts_with_all = ["between", "latents", "gif"])]
    plane: bool,
    /// Latents to move, those that vary (or change a drawn sample) most
    #[arg(long, default_value_t = 12)]
    latents: usize,
    /// Pictures on the way
    #[arg(long, default_value_t = 11)]
    steps: usize,
    /// How far, in standard deviations of the latent over the samples, or of its prior
    #[arg(long, default_value_t = 2.5)]
    span: f32,
    /// Picture to write: a row for each latent; with --plane, the plane
    #[arg(long, default_value = "traverse.png")]
    out: PathBuf,
    /// Write an animation as well: all latents at once, each in its own tile
    #[arg(long, value_name = "FILE")]
    gif: Option<PathBuf>,
    /// Seed of drawn samples
    #[arg(long, default_value_t = 0, value_parser = seed(), conflicts_with = "data")]
    seed: u64,
    /// cpu, or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    device: String,
    #[command(flatten)]
    reading: DataFlags,
}

pub fn run(args: &Args) -> Result<()> {
    ending(&args.out, "png")?;
    if let Some(path) = &args.gif {
        ending(path, "gif")?;
    }
    if args.steps < 2 || args.latents == 0 {
        return Err(Error::config(
            "--steps must be at least 2 and --latents at least 1",
        ));
    }
    if !(args.span > 0.0 && args.span.is_finite()) {
        return Err(Error::config(format!(
            "--span {}: must be a number above 0",
            args.span
        )));
    }
    let drawer = GenerativeModel::open(&RunFolder::open(&args.run)?, &device(&args.device)?)?;
    let origin = Origin::of(args, &drawer)?;
    let rows = match &args.between {
        Some([from, to]) => {
            let [from, to] = [origin.latents(from)?, origin.latents(to)?];
            interpolations(&drawer, &from, &to, (args.steps, origin.interpolation()))
        }
        None => {
            let base = match &args.sample {
                Some(id) => origin.latents(id)?,
                None => origin.first()?,
            };
            let (base, spread) = (base.row(0), origin.spread(base.row(0))?);
            if args.plane {
                if spread.order.len() < 2 {
                    return Err(Error::config("--plane needs two latents; this run has one"));
                }
                let names = ["from left to right", "upwards"];
                for (latent, name) in axes(&spread).into_iter().zip(names) {
                    println!("{name}: {}", described(&spread, latent));
                }
                plane(&drawer, base, &spread, (args.steps, args.span))
            } else {
                for (place, &latent) in spread.order.iter().take(args.latents).enumerate() {
                    println!("row {}: {}", place + 1, described(&spread, latent));
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

/// Two ids, between which there is a comma.
fn pair(text: &str) -> std::result::Result<[String; 2], String> {
    match text.split_once(',') {
        Some((a, b)) if a != b && !b.contains(',') => Ok([a.to_owned(), b.to_owned()]),
        _ => Err("two different ids with a comma between them are needed".to_owned()),
    }
}

fn described(spread: &Spread, latent: usize) -> String {
    let (mean, deviation) = (spread.mean[latent], spread.deviation[latent]);
    format!("latent {latent}, {mean:.3} ± {deviation:.3}")
}

/// Where latents come from.
enum Origin<'a> {
    /// From samples, by the encoder.
    Samples(&'a GenerativeModel, Box<Dataset>),
    /// From the prior, with this seed.
    Prior(&'a GenerativeModel, u64),
}

impl<'a> Origin<'a> {
    fn of(args: &Args, drawer: &'a GenerativeModel) -> Result<Origin<'a>> {
        match (&args.data, drawer.has_latents()) {
            (Some(data), true) => Ok(Origin::Samples(
                drawer,
                Box::new(open(data, &args.reading.options(None))?),
            )),
            (None, false) => Ok(Origin::Prior(drawer, args.seed)),
            (None, true) => Err(Error::config(
                "--data is missing: samples whose latents are moved and say how far to go",
            )),
            (Some(_), false) => Err(Error::config(
                "no encoder of this run gives samples their latents; leave --data out to move those of drawn \
                 samples (`hspace invert` finds those of real ones)",
            )),
        }
    }

    /// Latents `[1, d]` of the sample of that id or number.
    fn latents(&self, id: &str) -> Result<Matrix> {
        match self {
            Origin::Samples(drawer, dataset) => {
                let row = row_of(dataset, id)?;
                Ok(drawer.latents(dataset, &[row])?.features)
            }
            Origin::Prior(drawer, seed) => match id.parse::<usize>() {
                Ok(number) if number < MOST_DRAWN => {
                    Ok(drawer.prior(number + 1, *seed)?.select(&[number]))
                }
                _ => Err(Error::config(format!(
                    "`{id}` is no number of a drawn sample, 0 to {}",
                    MOST_DRAWN - 1
                ))),
            },
        }
    }

    /// Latents of a sample when none is named.
    fn first(&self) -> Result<Matrix> {
        match self {
            Origin::Samples(drawer, dataset) => {
                let first = dataset.indices(Split::Test).first().copied().unwrap_or(0);
                Ok(drawer.latents(dataset, &[first])?.features)
            }
            Origin::Prior(drawer, seed) => drawer.prior(1, *seed),
        }
    }

    fn spread(&self, base: &[f32]) -> Result<Spread> {
        match self {
            Origin::Samples(drawer, dataset) => {
                let some: Vec<usize> = spaced(dataset.len(), SPREAD);
                Ok(Spread::of(&drawer.latents(dataset, &some)?.features))
            }
            Origin::Prior(drawer, _) => Ok(Spread::of_prior(drawer, base)),
        }
    }

    fn interpolation(&self) -> Interpolation {
        match self {
            Origin::Samples(..) => Interpolation::Line,
            Origin::Prior(..) => Interpolation::Arc,
        }
    }
}

/// Drawn samples that have a number.
const MOST_DRAWN: usize = 1 << 20;

fn row_of(dataset: &Dataset, id: &str) -> Result<usize> {
    let found = dataset.ids.iter().position(|own| own == id);
    found.ok_or_else(|| {
        let some = dataset.ids.iter().map(String::as_str);
        let text = error::unknown("sample", id, some);
        Error::config(format!("{text}; ids are those of `hspace embed`"))
    })
}
