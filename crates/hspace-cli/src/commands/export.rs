//! `hspace export`

use std::path::{Path, PathBuf};

use hspace::dataset::Shape;
use hspace::device::device;
use hspace::export::{self, encoder_of};
use hspace::file::quoted;
use hspace::head::{self, Head};
use hspace::nn::files::write_weights;
use hspace::run::{RunFolder, TrainedEncoder};
use hspace::source::Source;
use hspace::{Error, Result};

use crate::commands::predict::check_origin;
use crate::say;

/// Write an encoder with its head for use elsewhere, or its weights alone for PyTorch.
///
/// A folder holds all that `hspace predict` needs: encoder.safetensors, encoder.toml and, where there is a head, head.safetensors.
/// Neither the run nor the data are needed any more. A file that ends in .safetensors holds the encoder's weights alone, by the names of
/// torchvision or timm; the lines that load it are printed.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace export runs/supervised --out winner                           # with the head that it was trained with
  hspace export runs/a --head head.safetensors --out winner            # with one that `probe --save-head` fitted
  hspace export runs/a@layer3 --head head.safetensors --out winner     # up to a stage
  hspace predict winner --data new/ --out predictions.csv              # on any machine
  hspace export runs/a --out encoder.safetensors                       # weights for PyTorch")]
pub struct Args {
    /// A run, a run up to one of its stages (runs/a@layer2), or a model of the Hugging Face Hub (hf:OWNER/NAME)
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Folder to write, or a file that ends in .safetensors
    #[arg(long, value_name = "FOLDER|FILE.safetensors")]
    out: PathBuf,
    /// The head, as `hspace probe --save-head` fitted it to this source [default: that of a supervised run]
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// Replace an exported folder that is in --out
    #[arg(long)]
    overwrite: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let file = is_file(&args.out)?;
    if file && args.head.is_some() {
        return Err(Error::config(format!(
            "{}: a .safetensors file holds the encoder alone; name a folder to write it with --head",
            args.out.display()
        )));
    }
    let (source, on) = (Source::parse(&args.source)?, device("cpu")?);
    let encoder = encoder_of(&args.source, &source, &on)?;
    let own = match (&args.head, &source) {
        (Some(path), _) => Some(head::read(path)?),
        (None, Source::Run(path)) => head::of_run_if_any(path, &on)?,
        (None, _) => None,
    };
    if let Some(own) = &own {
        check_origin(own, &args.source, &encoder.about.hash)?;
    }
    match file {
        true => {
            write_weights(&args.out, &encoder.weights)?;
            if own.is_some() {
                say::note(format_args!(
                    "the head of {} is not in the file; --out FOLDER writes both, for hspace predict",
                    args.source
                ));
            }
        }
        false => {
            check_place(&args.out, args.overwrite)?;
            export::write(&args.out, &encoder, own.as_ref(), &on)?;
        }
    }
    print(args, &encoder, own.as_ref().filter(|_| !file), file);
    Ok(())
}

/// Whether a file of weights is asked for, not a folder.
fn is_file(out: &Path) -> Result<bool> {
    let ending = out.extension().unwrap_or_default().to_string_lossy();
    match ending.to_lowercase().as_str() {
        "safetensors" => Ok(true),
        other if other.is_empty() || other.chars().any(|c| !c.is_alphabetic()) => Ok(false),
        _ => Err(Error::file(
            out,
            "a folder or a .safetensors file is written; choose a name without an ending, or one that ends in .safetensors",
        )),
    }
}

/// Refuses to replace anything but what was exported.
fn check_place(out: &Path, overwrite: bool) -> Result<()> {
    let taken = match std::fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => out.exists(),
    };
    if !taken {
        return Ok(());
    }
    let exported = RunFolder::open(out).is_ok_and(|folder| !folder.has_config());
    match (overwrite, exported) {
        (true, true) => Ok(()),
        (false, true) => Err(Error::file(
            out,
            "exists already; add --overwrite to replace it, or choose another --out",
        )),
        (_, false) => Err(Error::file(
            out,
            "is there already and was not exported by hspace, so it is not overwritten; choose another --out",
        )),
    }
}

fn print(args: &Args, encoder: &TrainedEncoder, head: Option<&Head>, file: bool) {
    let (about, out) = (&encoder.about, args.out.display());
    let stage = about
        .stage
        .as_ref()
        .map_or(String::new(), |stage| format!(" up to {stage}"));
    println!(
        "{out}: {}{stage}, {} features",
        about.architecture, about.features
    );
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
    if !file {
        let out = quoted(&out);
        match head {
            Some(head) => println!(
                "head: {}, {}\nhspace predict {out} --data NEW --out predictions.csv",
                head.about.task, head.about.made
            ),
            None => println!(
                "no head: fit one with hspace probe {out} --data DATA --save-head head.safetensors"
            ),
        }
        return;
    }
    match encoder.encoder.python(input.shape) {
        Some(lines) => println!(
            "\n{lines}from safetensors.torch import load_file\n\
             model.load_state_dict(load_file({:?}), strict=True)\nmodel.eval()",
            args.out
        ),
        None => println!(
            "neither torchvision nor timm makes this network as it is; its layers have torchvision's names"
        ),
    }
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
