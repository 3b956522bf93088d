//! A run on disk: one folder with everything that repeats, resumes, uses and explains it.

mod metrics;

use std::fs::File;
use std::path::{Path, PathBuf};

use hspace_core::head::Calibration;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::dataset::{BadFile, Dataset, Shape};
use crate::device::Device;
use crate::encoder::latent::with_latents;
use crate::encoder::{self, Encoder, Exit};
use crate::error::{Error, Result};
use crate::file;
use crate::nn::Weights;
use crate::nn::files::{read_weights, write_weights};
use crate::objective::TaskHead;
use crate::optim::ema::Export;
use crate::views::{InputSpec, Views, ViewsConfig};
use crate::warning::Warning;

pub use metrics::Line;

const WEIGHTS: &str = "encoder.safetensors";
const ABOUT: &str = "encoder.toml";

/// The folder of a run.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "simclr")?;
/// use hspace::device::Device;
/// use hspace::run::RunFolder;
///
/// let run = RunFolder::open(run.path())?;
/// assert!(run.has_config() && run.has_model() && run.weights().is_file());
/// assert_eq!(run.read_config()?["objective"]["name"].as_str(), Some("simclr"));
/// assert_eq!(run.read_encoder(&Device::cpu())?.about.architecture, "cnn");
/// assert!(RunFolder::create(run.path(), false).is_err()); // It is there already.
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

/// encoder.toml: all that is needed to use encoder.safetensors.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "simclr")?;
/// use hspace::run::EncoderFile;
///
/// let about: EncoderFile = hspace::toml::from_str(&run.read("encoder.toml")?)?;
/// assert_eq!((about.architecture.as_str(), &about.classes), ("cnn", &vec!["circle".into(), "square".into()]));
/// assert_eq!(about.make()?.stages(about.input.shape).len(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EncoderFile {
    /// Name of the architecture.
    pub architecture: String,
    /// Number of features.
    pub features: usize,
    /// blake3 of encoder.safetensors.
    pub hash: String,
    /// Class names of the task the data had, if any.
    pub classes: Vec<String>,
    /// Warnings in training, such as collapse.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// Latent coordinates after the architecture; 0 for none.
    #[serde(default)]
    pub latents: usize,
    /// Which weights of the training it has (`train.export`).
    #[serde(default = "model")]
    pub exported: Export,
    /// The stage that it ends with; `None` for the whole of the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// How the head of a supervised training is calibrated; `None` where there is none, and of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<OwnHead>,
    /// The heads of a training of several columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskHead>,
    /// The architecture's settings.
    pub settings: toml::Table,
    /// Shape and normalisation of the input.
    pub input: InputSpec,
}

/// How the head among the weights of model.safetensors is calibrated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnHead {
    /// Its logits are divided by it.
    pub temperature: f64,
    /// Whether that was chosen, and by what.
    pub calibration: Calibration,
}

/// What version 0.1.0 kept.
fn model() -> Export {
    Export::Model
}

impl EncoderFile {
    /// The encoder that it describes, with all its stages.
    ///
    /// # Errors
    /// An unknown architecture, settings that do not fit.
    pub fn make(&self) -> std::result::Result<Box<dyn Encoder>, String> {
        let encoder = encoder::make(&self.architecture, self.settings.clone())?;
        Ok(with_latents(encoder, self.latents))
    }
}

/// A trained encoder, read back.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (shapes, run) = short_run(folder.path(), "simclr")?;
/// use hspace::device::Device;
/// use hspace::encoder::Exit;
///
/// let encoder = run.read_encoder(&Device::cpu())?;
/// assert_eq!(encoder.exit()?, Exit::End);
/// assert_eq!(encoder.views(&shapes)?.input().shape, shapes.shape);
/// let part = encoder.until("conv1")?;
/// assert_eq!(part.exit()?, Exit::After(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TrainedEncoder {
    /// What it is.
    pub about: EncoderFile,
    /// The function.
    pub encoder: Box<dyn Encoder>,
    /// Its weights, names without prefix.
    pub weights: Weights,
}

impl TrainedEncoder {
    /// It up to the stage of that name.
    ///
    /// # Errors
    /// When it has no such stage, or several are named.
    pub fn until(self, stage: &str) -> Result<TrainedEncoder> {
        let stages = self.encoder.stages(self.about.input.shape);
        let exits = Exit::after_each(stage, &stages).map_err(Error::config)?;
        if exits.len() != 1 {
            return Err(Error::config(format!(
                "@{stage}: a network is kept up to one stage; name the last one"
            )));
        }
        let until = TrainedEncoder {
            about: EncoderFile {
                hash: format!("{}@{stage}", self.about.hash),
                stage: Some(stage.to_owned()),
                // The head is for the features of the end.
                head: None,
                tasks: vec![],
                ..self.about
            },
            ..self
        };
        until.exit()?;
        Ok(until)
    }

    /// Where its features leave it: at its end, or after the stage that it is kept up to.
    ///
    /// # Errors
    /// When it has no such stage.
    pub fn exit(&self) -> Result<Exit> {
        match &self.about.stage {
            None => Ok(Exit::End),
            Some(stage) => {
                let stages = self.encoder.stages(self.about.input.shape);
                Exit::after(stage, &stages).map_err(Error::config)
            }
        }
    }

    /// Its input, without random views; for vectors less another shift than those it was trained on, with the mean
    /// that belongs to it.
    ///
    /// # Errors
    /// If the dataset's samples are of another kind than those it was trained on.
    pub fn views(&self, dataset: &Dataset) -> Result<Views> {
        let fits = match (self.about.input.shape, dataset.shape) {
            (Shape::Vector { dim: a }, Shape::Vector { dim: b }) => a == b,
            (Shape::Image { .. }, Shape::Image { .. }) => true,
            _ => false,
        };
        if !fits {
            return Err(Error::data(format!(
                "the encoder takes {}, but the samples of {} are {}: give data like those it was trained on",
                self.about.input.shape.what(),
                dataset.name,
                dataset.shape.what()
            )));
        }
        let input = self.about.input.for_shift(dataset.samples.shift());
        Views::new(ViewsConfig::none(), input, None)
    }
}

/// Writes encoder.safetensors and encoder.toml into a folder; the hash of its weights.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "simclr")?;
/// use hspace::device::Device;
/// use hspace::run::{RunFolder, write_encoder};
///
/// let encoder = run.read_encoder(&Device::cpu())?;
/// let copy = folder.path().join("copy");
/// std::fs::create_dir(&copy)?;
/// let hash = write_encoder(&copy, encoder.about, &encoder.weights)?;
/// assert_eq!(RunFolder::open(&copy)?.read_encoder(&Device::cpu())?.about.hash, hash);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Names the file.
pub fn write_encoder(folder: &Path, mut about: EncoderFile, weights: &Weights) -> Result<String> {
    let path = folder.join(WEIGHTS);
    write_weights(&path, weights)?;
    about.hash = file::hash(&path)?;
    let text = toml::to_string(&about).map_err(|e| Error::file(folder, e))?;
    file::write_whole(&folder.join(ABOUT), text.as_bytes())?;
    Ok(about.hash)
}

impl RunFolder {
    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// If something is there already and `overwrite` is not set. Only a folder that is a run (or
    /// empty) is ever overwritten.
    pub fn create(path: &Path, overwrite: bool) -> Result<RunFolder> {
        let run = RunFolder {
            path: path.to_owned(),
        };
        let taken = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        if path.is_file() {
            return Err(Error::file(path, "is a file; choose another --out"));
        }
        if taken && !overwrite {
            return Err(Error::file(
                path,
                "exists already; add --overwrite to replace it, or choose another --out \
                 (a training that was stopped goes on with --resume)",
            ));
        }
        if taken && !run.is_run() {
            return Err(Error::file(
                path,
                "is not empty and no run of hspace, so it is not overwritten; choose another --out",
            ));
        }
        if taken && run.checkpoints().is_dir() {
            run.occupy()?;
        }
        let make = || -> std::io::Result<()> {
            if taken {
                std::fs::remove_dir_all(path)?;
            }
            std::fs::create_dir_all(run.checkpoints())
        };
        make().map_err(|e| Error::file(path, file::explain(&e)))?;
        Ok(run)
    }

    /// Opens an existing run.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(path: &Path) -> Result<RunFolder> {
        let run = RunFolder {
            path: path.to_owned(),
        };
        if run.is_run() {
            return Ok(run);
        }
        Err(Error::file(
            path,
            match path.exists() {
                true => "is no run of hspace: it has neither config.toml nor encoder.toml",
                false => "there is no such run",
            },
        ))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A training's folder has its configuration; an encoder from elsewhere has none.
    fn is_run(&self) -> bool {
        self.has_config() || self.path.join(ABOUT).is_file()
    }

    fn config_path(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Keeps other trainings out of the folder, until what it gives is dropped.
    ///
    /// # Errors
    /// If another is at work there.
    pub fn occupy(&self) -> Result<File> {
        file::occupy(&self.checkpoints())
    }

    /// The last checkpoint.
    pub fn checkpoint(&self) -> PathBuf {
        self.checkpoints().join("last.safetensors")
    }

    /// All weights of the best epoch, where `train.keep_best` asks for it.
    pub fn best(&self) -> PathBuf {
        self.checkpoints().join("best.safetensors")
    }

    /// The trained encoder's weights.
    pub fn weights(&self) -> PathBuf {
        self.path.join(WEIGHTS)
    }

    /// Writes a text file of the run, whole.
    ///
    /// # Errors
    /// Names the file.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        file::write_whole(&self.path.join(name), text.as_bytes())
    }

    /// Reads a text file of the run.
    ///
    /// # Errors
    /// Names the file.
    pub fn read(&self, name: &str) -> Result<String> {
        file::read_text(&self.path.join(name))
    }

    /// Whether its encoder was trained here, not imported.
    pub fn has_config(&self) -> bool {
        self.config_path().is_file()
    }

    /// Reads config.toml.
    ///
    /// # Errors
    /// If it cannot be read, or the encoder was not trained here.
    pub fn read_config(&self) -> Result<toml::Table> {
        if !self.has_config() && self.is_run() {
            return Err(Error::file(
                &self.path,
                format!(
                    "has an encoder from elsewhere and no training to repeat or to tell of; measure it \
                     with: hspace probe {} --data DATA --html {}",
                    file::quoted(self.path.display()),
                    file::quoted(self.path.join("report.html").display())
                ),
            ));
        }
        let text = self.read("config.toml")?;
        let table = text.parse();
        table.map_err(|e: toml::de::Error| Error::file(self.config_path(), e.message()))
    }

    /// Writes config.toml.
    ///
    /// # Errors
    /// Names the file.
    pub fn write_config(&self, config: &Config) -> Result<()> {
        self.write("config.toml", &config.to_toml())
    }

    /// Writes the trained encoder.
    ///
    /// # Errors
    /// Names the file.
    pub fn write_encoder(&self, about: EncoderFile, weights: &Weights) -> Result<()> {
        write_encoder(&self.path, about, weights).map(|_| ())
    }

    /// Reads the trained encoder.
    ///
    /// # Errors
    /// If the training has not ended, or the files are broken or do not belong together.
    pub fn read_encoder(&self, device: &Device) -> Result<TrainedEncoder> {
        let path = self.path.join(ABOUT);
        if !path.exists() {
            return Err(Error::file(
                &self.path,
                format!(
                    "has no encoder yet: the training was stopped; go on with: \
                     hspace train --resume {}",
                    file::quoted(self.path.display())
                ),
            ));
        }
        let text = file::read_text(&path)?;
        let about: EncoderFile =
            toml::from_str(&text).map_err(|e| Error::file(&path, e.message()))?;
        let encoder = about.make().map_err(|e| Error::file(&path, e))?;
        let weights = read_weights(&self.weights(), device)?;
        let (like, _) = encoder::init(&*encoder, about.input.shape, 0, device);
        weights.check_like(&like, &self.weights())?;
        let whole = TrainedEncoder {
            about,
            encoder,
            weights,
        };
        match whole.about.stage.clone() {
            Some(stage) => whole.until(&stage),
            None => Ok(whole),
        }
    }

    /// Writes all weights: of the encoder, of heads, decoders and teachers.
    ///
    /// # Errors
    /// Names the file.
    pub fn write_model(&self, weights: &Weights) -> Result<()> {
        write_weights(&self.model(), weights)
    }

    /// Reads all weights.
    ///
    /// # Errors
    /// Names the file.
    pub fn read_model(&self, device: &Device) -> Result<Weights> {
        read_weights(&self.model(), device)
    }

    /// Whether it has them.
    pub fn has_model(&self) -> bool {
        self.model().is_file()
    }

    fn model(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }

    /// Adds to bad_files.csv what is not there yet; without any bad file there is none.
    ///
    /// # Errors
    /// Names the file.
    pub fn add_bad_files(&self, bad: &[BadFile]) -> Result<()> {
        const NAME: &str = "bad_files.csv";
        if bad.is_empty() {
            return Ok(());
        }
        let mut text = match self.path.join(NAME).exists() {
            true => self.read(NAME)?,
            false => String::new(),
        };
        for line in crate::dataset::bad_files_csv(bad).lines() {
            if !text.lines().any(|known| known == line) {
                text.push_str(line);
                text.push('\n');
            }
        }
        self.write(NAME, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warning::WarningKind;

    #[test]
    fn warnings_are_in_encoder_toml_and_those_of_older_ones_are_read() {
        let about = EncoderFile {
            architecture: "mlp".into(),
            features: 4,
            hash: String::new(),
            classes: vec![],
            warnings: vec![Warning {
                kind: WarningKind::FeatureCollapse,
                step: Some(30),
                text: "all alike".into(),
            }],
            latents: 0,
            exported: Export::Model,
            stage: None,
            head: None,
            tasks: vec![],
            settings: toml::toml! { width = 4 },
            input: InputSpec {
                shape: Shape::Vector { dim: 1 },
                mean: vec![0.0],
                std: vec![1.0],
                shift: vec![],
            },
        };
        let text = toml::to_string(&about).unwrap();
        assert!(text.contains("kind = \"feature_collapse\""), "{text}");
        let read: EncoderFile = toml::from_str(&text).unwrap();
        assert_eq!(read.warnings, about.warnings);
        let before = EncoderFile {
            warnings: vec![],
            ..about
        };
        let text = toml::to_string(&before).unwrap();
        let written = "warnings = [\"at step 30: all alike\"]";
        let older = text.replace("warnings = []", written);
        assert!(older.contains(written), "{text}");
        let read: EncoderFile = toml::from_str(&older).unwrap();
        assert_eq!(read.warnings[0].to_string(), "at step 30: all alike");
    }
}
