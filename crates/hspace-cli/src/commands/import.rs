//! `hspace import`

use std::path::PathBuf;

use hspace::config::{overlay, set};
use hspace::dataset::Shape;
use hspace::encoder::ENCODERS;
use hspace::toml::{Table, Value};
use hspace::views::InputSpec;
use hspace::{Error, Result, list, pretrained};

/// Make a run of weights that torchvision or timm trained, to measure them like any other.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace import resnet18.pth --encoder resnet18 --out runs/imagenet
  hspace import vit.safetensors --encoder vit_small --set encoder.patch=16 --mean 0.5,0.5,0.5 \\
      --std 0.5,0.5,0.5 --out runs/vit
  hspace probe runs/imagenet --data photos/")]
pub struct Args {
    /// .safetensors, or a state dict that torch.save wrote (.pth)
    file: PathBuf,
    /// Architecture: see `hspace list encoders`
    #[arg(long)]
    encoder: String,
    /// A setting of the encoder, such as encoder.patch=16; may be given many times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Height and width of its input in pixels
    #[arg(long, default_value_t = 224)]
    image_size: usize,
    /// What is taken off each channel, of values in 0..1 [default: ImageNet's]
    #[arg(long, value_delimiter = ',', default_values_t = [0.485, 0.456, 0.406])]
    mean: Vec<f32>,
    /// What each channel is then divided by [default: ImageNet's]
    #[arg(long, value_delimiter = ',', default_values_t = [0.229, 0.224, 0.225])]
    std: Vec<f32>,
    /// Folder of the run
    #[arg(long)]
    out: PathBuf,
    /// Replace the run that is in --out
    #[arg(long)]
    overwrite: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let entry = list::find("encoder", ENCODERS, &args.encoder).map_err(Error::config)?;
    let (mut given, mut problems) = (Table::new(), Vec::new());
    for assignment in &args.set {
        problems.extend(set(&mut given, assignment).err());
    }
    let own = match given.remove("encoder") {
        Some(Value::Table(own)) => own,
        _ => Table::new(),
    };
    let others = given
        .keys()
        .map(|key| format!("--set {key}…: only settings of the encoder count here"));
    problems.extend(others);
    let mut settings = (entry.defaults)();
    overlay(&mut settings, own, "encoder", &mut problems);
    if !problems.is_empty() {
        return Err(Error::Config(problems));
    }
    let input = InputSpec {
        shape: Shape::Image {
            channels: args.mean.len(),
            height: args.image_size,
            width: args.image_size,
        },
        mean: args.mean.clone(),
        std: args.std.clone(),
    };
    let (file, out) = (&args.file, &args.out);
    let about = pretrained::import(file, entry.name, settings, input, out, args.overwrite)?;
    let out = out.display();
    println!("{out}: {}, {} features", about.architecture, about.features);
    println!("measure it: hspace probe {out} --data DATA");
    Ok(())
}
