//! `hspace export`

use std::path::PathBuf;

use hspace::Result;
use hspace::dataset::Shape;
use hspace::device::device;
use hspace::network::files::write_weights;
use hspace::run::RunFolder;

use crate::commands::ending;

/// Write a run's encoder for use elsewhere, and say how it is loaded there.
#[derive(clap::Args)]
#[command(after_help = "Example:
  hspace export runs/a --out encoder.safetensors")]
pub struct Args {
    /// The run
    run: PathBuf,
    /// File to write, .safetensors
    #[arg(long)]
    out: PathBuf,
    /// What to write
    #[arg(long, default_value = "safetensors")]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// Tensors with torchvision's or timm's names
    Safetensors,
}

pub fn run(args: &Args) -> Result<()> {
    ending(&args.out, "safetensors")?;
    let trained = RunFolder::open(&args.run)?.read_encoder(&device("cpu")?)?;
    match args.format {
        Format::Safetensors => write_weights(&args.out, &trained.weights)?,
    }
    let (about, out) = (&trained.about, args.out.display());
    println!("{out}: {}, {} features", about.architecture, about.features);
    let input = &about.input;
    // With what was subtracted before.
    let mean = match input.shift.is_empty() {
        true => format!("{:?}", input.mean),
        false => {
            let pairs = input.mean.iter().zip(&input.shift);
            let whole: Vec<f64> = pairs
                .map(|(&mean, shift)| f64::from(mean) + shift)
                .collect();
            format!("{whole:?} (in double precision)")
        }
    };
    println!(
        "input: {}, less {mean}, divided by {:?}",
        described(input.shape),
        input.std
    );
    match trained.encoder.python(input.shape) {
        Some(lines) => println!(
            "\n{lines}from safetensors.torch import load_file\n\
             model.load_state_dict(load_file({:?}), strict=True)\nmodel.eval()",
            args.out
        ),
        None => println!(
            "neither torchvision nor timm makes this network as it is; its layers have torchvision's names"
        ),
    }
    Ok(())
}

/// What the encoder takes, before the mean is taken off.
fn described(shape: Shape) -> String {
    match shape {
        Shape::Image {
            channels,
            height,
            width,
        } => format!("{channels} x {height} x {width} (channels, height, width), values in 0..1"),
        Shape::Vector { .. } => shape.what(),
    }
}
