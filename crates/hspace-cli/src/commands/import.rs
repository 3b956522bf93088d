//! `hspace import`

use std::path::{Path, PathBuf};

use hspace::config::{overlay, set};
use hspace::dataset::Shape;
use hspace::device::Device;
use hspace::encoder::ENCODERS;
use hspace::file::quoted;
use hspace::run::{RunFolder, TrainedEncoder};
use hspace::toml::{Table, Value};
use hspace::views::InputSpec;
use hspace::{Error, Result, hub, list, pretrained};

use crate::commands::notes_on;

/// Mean and deviation of ImageNet's channels, in 0..1, and the size at which networks learn from it.
const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
const SIZE: usize = 224;

/// Make a run of weights that torchvision or timm trained, to measure them like any other.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace import resnet18.pth --encoder resnet18 --out runs/imagenet
  hspace import moco.pth.tar --encoder resnet50 --weights-key encoder_q --out runs/moco
  hspace import hf:timm/vit_small_patch16_224.augreg_in1k --out runs/vit
  hspace import vit.safetensors --encoder vit_small --set encoder.patch=16 --mean 0.5,0.5,0.5 \\
      --std 0.5,0.5,0.5 --out runs/vit
  hspace probe runs/imagenet --data photos/")]
pub struct Args {
    /// .safetensors, a checkpoint that torch.save wrote (.pth, .pt, .ckpt), or hf:OWNER/NAME, a model of timm on the
    /// Hugging Face Hub (downloaded once)
    #[arg(value_name = "FILE|hf:…")]
    from: String,
    /// Architecture of a file's weights: see `hspace list encoders`
    #[arg(long)]
    encoder: Option<String>,
    /// A setting of the encoder, such as encoder.patch=16; may be given many times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Which weights of a checkpoint to take where several fit: keys or modules around the network, such as teacher,
    /// state_dict_ema or module.encoder_q
    #[arg(long, value_name = "KEY")]
    weights_key: Option<String>,
    /// Height and width of its input in pixels [default: 224, or the model's own]
    #[arg(long)]
    image_size: Option<usize>,
    /// What is taken off each channel, of values in 0..1 [default: ImageNet's, or the model's own]
    #[arg(long, value_delimiter = ',')]
    mean: Option<Vec<f32>>,
    /// What each channel is then divided by [default: ImageNet's, or the model's own]
    #[arg(long, value_delimiter = ',')]
    std: Option<Vec<f32>>,
    /// Folder of the run
    #[arg(long)]
    out: PathBuf,
    /// Replace the run that is in --out
    #[arg(long)]
    overwrite: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let device = Device::cpu();
    let (found, notes) = match args.from.starts_with(hub::PREFIX) {
        true => of_hub(args, &device)?,
        false => of_file(args, &device)?,
    };
    notes_on(&args.from, &notes);
    let folder = RunFolder::create(&args.out, args.overwrite)?;
    folder.write_encoder(found.about.clone(), &found.weights)?;
    let (out, about) = (args.out.display(), found.about);
    println!("{out}: {}, {} features", about.architecture, about.features);
    println!("measure it: hspace probe {} --data DATA", quoted(out));
    Ok(())
}

/// A model says itself what it is.
fn of_hub(args: &Args, device: &Device) -> Result<(TrainedEncoder, Vec<String>)> {
    if args.encoder.is_some() || !args.set.is_empty() || args.mean.is_some() || args.std.is_some() {
        return Err(Error::config(format!(
            "{} says its encoder and input itself; leave out --encoder, --set, --mean and --std",
            args.from
        )));
    }
    let mut model = hub::model(&args.from)?;
    if let (Some(size), Shape::Image { height, width, .. }) =
        (args.image_size, &mut model.input.shape)
    {
        (*height, *width) = (size, size);
    }
    let (weights, key, name) = (&model.weights, args.weights_key.as_deref(), model.encoder);
    pretrained::encoder(weights, key, name, model.settings, model.input, device)
}

fn of_file(args: &Args, device: &Device) -> Result<(TrainedEncoder, Vec<String>)> {
    let Some(name) = &args.encoder else {
        return Err(Error::config(
            "give --encoder, the architecture of the weights: see `hspace list encoders`",
        ));
    };
    let entry = list::find("encoder", ENCODERS, name).map_err(Error::config)?;
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
    let mean = args.mean.clone().unwrap_or(IMAGENET.0.to_vec());
    let size = args.image_size.unwrap_or(SIZE);
    let input = InputSpec {
        shape: Shape::Image {
            channels: mean.len(),
            height: size,
            width: size,
        },
        mean,
        std: args.std.clone().unwrap_or(IMAGENET.1.to_vec()),
        shift: vec![],
    };
    let (path, key) = (Path::new(&args.from), args.weights_key.as_deref());
    pretrained::encoder(path, key, entry.name, settings, input, device)
}
