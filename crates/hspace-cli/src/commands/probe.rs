//! `hspace probe`

mod addition;
mod answers;
mod flags;
mod kept_head;
mod learners;
mod masks;
mod measuring;
mod network_maps;
mod represented;
mod saved_masks;
mod set_up;

use std::path::PathBuf;

use hspace::probe::Measurements;
use hspace::source::Source;
use hspace::{Error, Result};

use crate::commands::apart;
pub use addition::{Added, Addition};
pub use answers::minutes;
pub use answers::{Answers, deadline};
pub use flags::ProbeFlags;
use kept_head::{KeepHead, print_head};
pub use kept_head::{print_scores, roc_picture};
pub use learners::run_settings;
pub use measuring::{measure_and_add, measure_sources, print_measurements};
pub use represented::{
    Represented, data_warnings, parsed, parsed_with_features, represent_sources,
};
use saved_masks::SaveMasks;
pub use set_up::{SetUp, seed_groups};

/// Measure how easy representations make a task, compared with chance, pixels, PCA and an untrained encoder.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace probe runs/a --data photos/ --labels 1,10,100,all
  hspace probe runs/a pixels pca:50 random:cnn emb.npz --data photos/ --json probe.json
  hspace probe latents.npz pixels --data photos/ --common    # latents of some samples alone
  hspace probe hf:timm/resnet18.a1_in1k runs/a --data photos/
  hspace probe emb.npy --data photos/ --by-position           # a file without ids
  hspace probe runs/a --layers all --data photos/ --html layers.html  # accuracy layer by layer
  hspace probe runs/a@layer2 runs/a@layer3 --data photos/     # up to a stage; `--layers all` names them
  hspace probe runs/seed0 runs/seed1 runs/seed2 --data photos/  # one row, whose intervals hold the training
  hspace probe runs/a supervised:cnn --data photos/ --labels 10,100,all  # against the labels alone
  hspace probe runs/a supervised:cnn --data photos/ --json p.json --minutes 30  # the same command goes on later
  hspace probe runs/a runs/a@layer2 pixels --data photos/ --label mask --labels 3,10,all  # masks, on feature maps
  hspace probe runs/a@layer1+layer3 runs/a@all --data photos/ --label mask    # several stages as one, as fine as the finest
  hspace probe unet:runs/a runs/a --data photos/ --label mask --labels 3,10,all  # fine-tuned with a decoder
  hspace probe unet:runs/a --data photos/ --label mask --save-masks predicted/  # masks of test images as PNG
  hspace probe pixels pca:20 --data few.csv --folds 5         # every labelled sample tested once
  hspace probe fixmatch:cnn finetune:runs/a --data few/ --labels 5 --folds 5  # by methods, too
  hspace probe runs/a runs/b pixels --data photos/ --folds 5 --train-only      # to choose: no test label is read
  hspace probe head:runs/fixmatch runs/a --data photos/       # a trained model's own head, next to the baselines
  hspace probe runs/a --data photos/ --save-head head.safetensors  # then hspace predict, or export
  hspace probe runs/a --data chests/ --save-head head.safetensors --roc roc.png  # of two classes
  hspace probe pixels --data fashion/ --probe knn --set knn.k=5 --set knn.metric=euclidean
  hspace probe pixels --data fashion/ --probe linear --set linear.c=0.01")]
pub struct Args {
    /// Runs, feature files (.npz, .npy, .csv), models of timm on the Hugging Face Hub (hf:OWNER/NAME,
    /// downloaded once), `pixels`, `pca:D`, `ica:D`, `kmeans:K`, `random:ENCODER`; a network up to one of its stages, runs/a@layer2,
    /// or to several together, runs/a@layer1+layer3, runs/a@all; `unet:RUN` and `unet:ENCODER`, which learn from each draw of masks;
    /// METHOD:ENCODER, METHOD:RUN and METHOD:SOURCE, which learn from each draw of labels and answer with their own head, such as `supervised:cnn`,
    /// `finetune:runs/a`, `label_spreading:runs/a`: see `hspace list encoders`; `head:RUN`: the own head of a run that learned from labels
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// Fit the probe to all training labels of the one source, calibrate it, and write it to this file, for `hspace predict`; of
    /// `--probe knn` all labelled features, 4 bytes a number. The page of --html shows how right it is
    #[arg(long, value_name = "FILE.safetensors")]
    save_head: Option<PathBuf>,
    /// Draw the receiver operating characteristic of the head of --save-head as a picture, of two classes
    #[arg(long, value_name = "FILE.png", requires = "save_head")]
    roc: Option<PathBuf>,
    /// Where --label names masks: write what the one source answers for each test image, with the most masks of --labels, into this new folder: a
    /// PNG a sample with its id as name, whose values are class numbers
    #[arg(long, value_name = "FOLDER", conflicts_with = "save_head")]
    save_masks: Option<PathBuf>,
    #[command(flatten)]
    pub flags: ProbeFlags,
}

/// What is measured, shown as the flags say, with what is added.
pub fn measured(args: &Args, addition: Option<&mut dyn Addition>) -> Result<Measurements> {
    args.flags.check_outputs(&args.sources)?;
    let options = args.flags.options()?;
    Ok(measure_and_add(&args.sources, &args.flags, &options, addition)?.0)
}

pub fn run(args: &Args) -> Result<()> {
    args.flags.check_outputs(&args.sources)?;
    let options = args.flags.options()?;
    if let Some(folder) = &args.save_masks {
        let mut save = SaveMasks::of(folder, &args.sources)?;
        return measured(args, Some(&mut save)).map(|_| ());
    }
    let Some(path) = &args.save_head else {
        return measured(args, None).map(|_| ());
    };
    let [source] = &args.sources[..] else {
        return Err(Error::config(
            "--save-head: name one source, whose head is to be kept",
        ));
    };
    Source::parse(source)?.check_has_features()?;
    super::ending(path, "safetensors")?;
    if let Some(roc) = &args.roc {
        super::ending(roc, "png")?;
    }
    let outputs = [
        ("--save-head", Some(path.as_path())),
        ("--roc", args.roc.as_deref()),
    ];
    apart(&outputs, &[("source", source)])?;
    let mut keep = KeepHead {
        source,
        path,
        options: &options,
        kept: None,
    };
    measure_and_add(&args.sources, &args.flags, &options, Some(&mut keep))?;
    let Some((head, evaluation)) = keep.kept else {
        return Ok(());
    };
    let is_quiet = args.flags.json.as_deref() == Some("-".as_ref());
    if !is_quiet {
        print_head(&head, path, source);
    }
    if let Some(roc) = &args.roc {
        let picture = roc_picture(&head.about, &evaluation)?;
        hspace::file::write_whole(roc, &picture)?;
        if !is_quiet {
            println!("curve: {}", roc.display());
        }
    }
    Ok(())
}
