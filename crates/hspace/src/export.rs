//! An encoder and its head as one folder, for use without the run and the data that they came from.
//!
//! The folder has `encoder.safetensors` and `encoder.toml`, as a run has them, and `head.safetensors`. So it is a source like a run,
//! and [`crate::head::of_run`] finds the head in it.

use std::path::Path;

use crate::device::Device;
use crate::encoder;
use crate::error::{Error, Result};
use crate::file;
use crate::head::{self, Head};
use crate::hub;
use crate::pretrained;
use crate::run::{RunFolder, TrainedEncoder, write_encoder};
use crate::source::Source;

/// The encoder that a source is.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "simclr")?;
/// use hspace::device::Device;
/// use hspace::export::encoder_of;
/// use hspace::source::Source;
///
/// let name = run.path().display().to_string();
/// let encoder = encoder_of(&name, &Source::parse(&name)?, &Device::cpu())?;
/// assert_eq!(encoder.about.architecture, "cnn");
/// assert!(encoder_of("pixels", &Source::Pixels, &Device::cpu()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When it is no run, no model of the Hub and none of them up to a stage; when it cannot be read.
pub fn encoder_of(name: &str, source: &Source, device: &Device) -> Result<TrainedEncoder> {
    match source {
        Source::Run(path) => RunFolder::open(path)?.read_encoder(device),
        Source::Hub(model) => {
            let hub::Model {
                weights,
                encoder,
                settings,
                input,
            } = hub::model(model)?;
            pretrained::encoder(&weights, None, encoder, settings, input, device).map(|of| of.0)
        }
        Source::At(of, stage) => encoder_of(name, of, device)?.until(stage),
        _ => Err(Error::config(format!(
            "{name} has no weights to export; name a run, runs/a@STAGE or hf:MODEL"
        ))),
    }
}

/// Writes the folder, whole, in the place of an earlier one.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "simclr")?;
/// use hspace::device::Device;
/// use hspace::export::write;
/// use hspace::run::RunFolder;
///
/// let device = Device::cpu();
/// let path = folder.path().join("export");
/// let encoder = run.read_encoder(&device)?;
/// write(&path, &encoder, None, &device)?;
/// // It is a source as the run is.
/// let again = RunFolder::open(&path)?.read_encoder(&device)?;
/// assert_eq!(again.about.hash, encoder.about.hash);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Names the file.
pub fn write(
    path: &Path,
    encoder: &TrainedEncoder,
    head: Option<&Head>,
    device: &Device,
) -> Result<()> {
    let mut about = encoder.about.clone();
    // The head that is written is a file of its own.
    about.head = None;
    about.features = encoder::features_after(
        &*encoder.encoder,
        about.input.shape,
        encoder.exit()?,
        device,
    );
    file::write_folder(path, |folder| {
        let hash = write_encoder(folder, about.clone(), &encoder.weights)?;
        let Some(head) = head else {
            return Ok(());
        };
        let mut head = head.clone();
        // As `read_encoder` will name it.
        head.about.source.1 = match &about.stage {
            Some(stage) => format!("{hash}@{stage}"),
            None => hash,
        };
        head::write(&folder.join(head::FILE), &head)
    })
}
