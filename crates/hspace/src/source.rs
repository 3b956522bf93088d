//! What can be measured: `hspace probe SOURCE…`.
//!
//! A source is a run, a file of features made by any tool, or a closed-form encoder. Here each
//! becomes a [`Representation`] of a dataset; from there on nobody knows where it came from.

mod kmeans;
mod maps;
mod on_features;
mod stages;
mod unet;

pub use maps::MapSources;
pub use on_features::OnFeatures;
pub use unet::Unet;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::device::Device;

use crate::columns::TableOptions;
use crate::config;
use crate::dataset::check::channel_statistics;
use crate::dataset::{Dataset, Shape, Split};
use crate::embed::{Embedded, inputs};
use crate::encoder::{self, ENCODERS};
use crate::error::{Error, Result, unknown};
use crate::hub;
use crate::ica;
use crate::kmeans_features;
use crate::learner::Learner;
use crate::list;
use crate::matrix::Matrix;
use crate::pca;
use crate::pretrained;
use crate::representation::{self, Representation, Stored};
use crate::run::{EncoderFile, RunFolder, TrainedEncoder};
use crate::views::{InputSpec, Views, ViewsConfig};

/// Pixels of larger images are measured at this size: more dimensions than that help no probe.
const PIXELS: usize = 32;
/// Images up to this size are taken as they are.
const SMALL: usize = 64;

/// Closed-form encoders: name and summary, for `hspace list encoders`.
pub const CLOSED_FORM: &[(&str, &str)] = &[
    (
        "pixels",
        "the samples' own values; images over 64 px at 32 px",
    ),
    ("pca:D", "the first D principal components of the pixels"),
    (
        "ica:D",
        "D independent components (FastICA, Hyvarinen & Oja 2000) within the first D principal ones",
    ),
    (
        "kmeans:K",
        "K centroids of image patches (Coates & Ng 2012), pooled over regions; settings after colons: kmeans:400:patch=9:pool=4",
    ),
    (
        "random:ENCODER",
        "that encoder, untrained; settings after colons: random:resnet18:width=16",
    ),
];

/// Something with features.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "simclr")?;
/// use hspace::source::Source;
///
/// assert_eq!(Source::parse("pca:50")?, Source::Pca(50));
/// assert_eq!(Source::parse("random:resnet18:width=16")?, Source::Random("resnet18:width=16".into()));
/// let stage = Source::parse(&run.path().display().to_string())?.at("conv1")?;
/// assert_eq!(stage.run(), Some(run.path()));
/// assert!(Source::parse("supervised:cnn")?.check_has_features().is_err());
/// assert!(Source::parse("pxiels").unwrap_err().to_string().contains("did you mean `pixels`?"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The encoder of a run.
    Run(PathBuf),
    /// A model of the Hugging Face Hub.
    Hub(String),
    /// Features in .npz, .npy or .csv.
    File(PathBuf),
    /// Raw values.
    Pixels,
    /// That many principal components.
    Pca(usize),
    /// That many independent components.
    Ica(usize),
    /// Centroids of image patches.
    Kmeans(Box<kmeans_features::Settings>),
    /// An encoder with fresh weights: its name, and settings after colons.
    Random(String),
    /// A network up to one of its stages, or to each of several: `runs/a@layer2`, `runs/a@layer1+layer3`, `runs/a@all`.
    At(Box<Source>, String),
    /// A method that learns from each draw of labels ([`crate::per_draw`]). It has no features, only answers.
    Learner(Box<Learner>),
    /// A method that learns from each draw of labels and from the features of all training samples ([`crate::semi_supervised`]).
    OnFeatures(Box<OnFeatures>),
    /// A U-Net that learns from each draw of masks ([`crate::unet`]). It has no features, only answers.
    Unet(Box<Unet>),
    /// A run's own head, which learned from labels in the training: `head:RUN`. It has no features, only answers.
    Head(PathBuf),
}

impl Source {
    /// Reads the source's name.
    ///
    /// # Errors
    /// If it is neither a known name nor a path that exists.
    pub fn parse(text: &str) -> Result<Source> {
        if let Some((network, stage)) = text.rsplit_once('@')
            && !Path::new(text).exists()
        {
            return Source::parse(network)?.at(stage);
        }
        if text == "pixels" {
            return Ok(Source::Pixels);
        }
        if let Some(dims) = components(text, "pca:") {
            return dims.map(Source::Pca);
        }
        if let Some(dims) = components(text, "ica:") {
            return dims.map(Source::Ica);
        }
        if let Some(source) = kmeans::parse(text) {
            return source;
        }
        if text.starts_with(hub::PREFIX) {
            return Ok(Source::Hub(text.to_owned()));
        }
        if let Some(name) = text.strip_prefix("random:") {
            let section = config::section(name)?;
            let architecture = section["name"].as_str().unwrap_or_default();
            list::find("encoder", ENCODERS, architecture).map_err(Error::config)?;
            return Ok(Source::Random(name.to_owned()));
        }
        if let Some(run) = text.strip_prefix("head:") {
            return match Path::new(run).is_dir() {
                true => Ok(Source::Head(run.into())),
                false => Err(Error::config(format!("`{text}`: there is no run {run}"))),
            };
        }
        if let Some(source) = unet::parse(text) {
            return source;
        }
        if let Some(source) = on_features::parse(text) {
            return source;
        }
        if let Some(learner) = Learner::parse(text) {
            return Ok(Source::Learner(Box::new(learner?)));
        }
        let path = PathBuf::from(text);
        match (path.is_dir(), path.is_file()) {
            (true, _) => Ok(Source::Run(path)),
            (_, true) => Ok(Source::File(path)),
            _ => {
                let names = [
                    "pixels",
                    "pca:50",
                    "ica:50",
                    "kmeans:400",
                    "random:cnn",
                    "supervised:cnn",
                    "unet:cnn",
                ];
                let text = unknown("source", text, names);
                Err(Error::config(format!(
                    "{text}, and there is no run folder or features file of that name"
                )))
            }
        }
    }
}

impl Source {
    /// This network up to the stage of that name, or to each of several ([`Exit::after_each`](crate::encoder::Exit::after_each)).
    ///
    /// # Errors
    /// When it is no network.
    pub fn at(self, stage: &str) -> Result<Source> {
        match self {
            Source::Run(_) | Source::Hub(_) | Source::Random(_) => {
                Ok(Source::At(Box::new(self), stage.to_owned()))
            }
            _ => Err(Error::config(format!(
                "@{stage}: only networks have stages: runs, random:ENCODER and hf:MODEL"
            ))),
        }
    }

    /// Refuses a source that learns from each draw of labels, where features or an encoder are asked for.
    ///
    /// # Errors
    /// Says where it can be named, and how to train a run instead.
    pub fn check_has_features(&self) -> Result<()> {
        match self {
            Source::Learner(learner) => Err(without_features(learner)),
            Source::OnFeatures(method) => Err(only_answers(method)),
            Source::Head(run) => Err(head_only(run)),
            Source::Unet(_) => Err(masks_only()),
            _ => Ok(()),
        }
    }

    /// The folder of the run that it is, is a stage of, or begins from.
    pub fn run(&self) -> Option<&Path> {
        match self {
            Source::Run(path) => Some(path),
            Source::At(network, _) => network.run(),
            Source::Learner(learner) => learner.run(),
            Source::OnFeatures(method) => method.features.run(),
            Source::Head(path) => Some(path),
            Source::Unet(unet) => unet.of.run(),
            _ => None,
        }
    }
}

/// Why a method that learns from draws cannot be embedded.
fn without_features(learner: &Learner) -> Error {
    let Learner { method, .. } = learner;
    let begin = match learner.untrained() {
        Some(encoder) => format!(
            "--encoder {}",
            encoder.split(':').next().unwrap_or_default()
        ),
        None => "--init-from RUN".to_owned(),
    };
    Error::config(format!(
        "{method}: learns from each draw of labels and has no features of its own: `hspace probe`, `compare` and `study` take it; to train one \
         network and keep it: hspace train --data DATA --objective {method} {begin} --out RUN"
    ))
}

/// Why a method on features cannot be embedded.
fn only_answers(method: &OnFeatures) -> Error {
    let OnFeatures { method, of, .. } = method;
    Error::config(format!(
        "{method}: answers on the features of {of} and has none of its own: `hspace probe` and `compare` take it; here name {of}"
    ))
}

/// Why a head cannot be embedded.
fn head_only(run: &Path) -> Error {
    let run = run.display();
    Error::config(format!(
        "head:{run} answers and has no features of its own; here name {run}"
    ))
}

/// Why a U-Net cannot be embedded, nor measured on classes.
fn masks_only() -> Error {
    Error::config(
        "unet: learns from each draw of masks, and has no features of its own: `hspace probe` and `compare` take it where --label names a column of masks",
    )
}

/// The number of components after `prefix`; `None` where the text begins otherwise.
fn components(text: &str, prefix: &str) -> Option<Result<usize>> {
    let dims = text.strip_prefix(prefix)?.parse().ok();
    let dims = dims.filter(|dims| *dims > 0);
    Some(dims.ok_or_else(|| {
        Error::config(format!(
            "`{text}`: give the number of components, such as {prefix}50"
        ))
    }))
}

/// Makes representations of one dataset.
///
/// ```
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::device::Device;
/// use hspace::source::{Source, Sources};
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let mut sources = Sources::new(&shapes, Device::cpu(), 0).only((0..1600).step_by(8).collect());
/// let components = sources.represent("pca:5", &Source::Pca(5), &mut |_| ())?;
/// assert_eq!((components.features.rows, components.features.cols), (200, 5));
/// assert_eq!(components.ids[1], shapes.ids[8]);
/// # Ok::<(), hspace::Error>(())
/// ```
pub struct Sources<'a> {
    dataset: &'a Dataset,
    device: Device,
    seed: u64,
    rows: Vec<usize>,
    /// Runs read so far: `random:ENCODER` takes settings and input of a run with that encoder.
    runs: Vec<EncoderFile>,
    /// Rows that could be read, once samples have been: features files are matched against them.
    readable: Option<Vec<usize>>,
    /// What was guessed about features files, in words.
    pub notes: Vec<String>,
    /// How features files are read.
    files: TableOptions,
    by_position: bool,
    /// `pixels` of vectors are not standardised.
    raw: bool,
}

impl<'a> Sources<'a> {
    /// `seed` is that of untrained encoders, of independent components and of centroids.
    pub fn new(dataset: &'a Dataset, device: Device, seed: u64) -> Self {
        Sources {
            dataset,
            device,
            seed,
            rows: (0..dataset.len()).collect(),
            runs: Vec::new(),
            readable: None,
            notes: Vec::new(),
            files: TableOptions::default(),
            by_position: false,
            raw: false,
        }
    }

    /// `pixels` are vectors as they are, where samples are vectors: for probes, which scale all sources alike. Otherwise they are
    /// standardised over the training samples.
    pub fn raw_vectors(self) -> Self {
        Sources { raw: true, ..self }
    }

    /// How files of features are read, and whether those without ids are paired with the samples by position.
    pub fn features(self, files: TableOptions, by_position: bool) -> Self {
        Sources {
            files,
            by_position,
            ..self
        }
    }

    /// The same of these rows of the dataset alone.
    pub fn only(self, rows: Vec<usize>) -> Self {
        Sources { rows, ..self }
    }

    /// Architectures of the runs read so far, each once.
    pub fn architectures(&self) -> impl Iterator<Item = &str> {
        let names: std::collections::BTreeSet<&str> = self
            .runs
            .iter()
            .map(|run| run.architecture.as_str())
            .collect();
        names.into_iter()
    }

    /// The representation of every sample that can be read.
    ///
    /// # Errors
    /// Whatever is wrong with the source, or features that are not finite numbers.
    pub fn represent(
        &mut self,
        name: &str,
        source: &Source,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Representation> {
        let made = match source {
            Source::Learner(learner) => return Err(without_features(learner)),
            Source::OnFeatures(method) => return Err(only_answers(method)),
            Source::Head(run) => return Err(head_only(run)),
            Source::Unet(_) => return Err(masks_only()),
            Source::Pixels => self.pixels(name, self.raw)?,
            Source::Pca(dims) => {
                let pixels = self.pixels(name, false)?;
                let fitted = pca::Pca::fit(&training(&pixels), *dims)?;
                Representation {
                    features: fitted.transform(&pixels.features),
                    ..pixels
                }
            }
            Source::Ica(dims) => {
                let pixels = self.pixels(name, false)?;
                let fitted = ica::Ica::fit(&training(&pixels), *dims, self.seed)?;
                let origin = match fitted.converged {
                    true => pixels.origin,
                    false => format!("closed form, unsettled after {} steps", fitted.steps),
                };
                Representation {
                    features: fitted.transform(&pixels.features),
                    origin,
                    ..pixels
                }
            }
            Source::Kmeans(settings) => self.kmeans(name, settings)?,
            Source::Run(_) | Source::Hub(_) | Source::Random(_) => {
                self.stages_of(source, &[(name, None)], progress)?.remove(0)
            }
            Source::At(of, stage) => self
                .stages_of(of, &[(name, Some(stage))], progress)?
                .remove(0),
            Source::File(path) => {
                let stored = representation::read(path, &self.files)?;
                let notes = stored.table.reading.notes.iter();
                self.notes
                    .extend(notes.map(|note| format!("{name}: {note}")));
                self.leave_out_unreadable(&stored);
                let Dataset {
                    ids,
                    columns,
                    split,
                    ..
                } = self.dataset;
                let rows = self.readable.as_ref().unwrap_or(&self.rows);
                let ids: Vec<String> = rows.iter().map(|&row| ids[row].clone()).collect();
                let columns: Vec<_> = columns.iter().map(|c| c.select(rows)).collect();
                let split: Vec<Split> = rows.iter().map(|&row| split[row]).collect();
                stored.align(&ids, &columns, &split, self.by_position)?
            }
        };
        made.check()?;
        Ok(Representation {
            name: name.to_owned(),
            ..made
        })
    }

    /// The encoder that a source is.
    fn network(&mut self, source: &Source) -> Result<TrainedEncoder> {
        let run = match source {
            Source::Run(path) => RunFolder::open(path)?.read_encoder(&self.device)?,
            Source::Hub(model) => {
                let hub::Model {
                    weights,
                    encoder,
                    settings,
                    input,
                } = hub::model(model)?;
                // The notes on timm's models name their heads.
                pretrained::encoder(&weights, None, encoder, settings, input, &self.device)?.0
            }
            Source::Random(architecture) => return self.untrained(architecture),
            _ => return Err(Error::config("there is no encoder in this source")),
        };
        self.runs.push(run.about.clone());
        Ok(run)
    }

    /// Samples that a file of features does not hold are left out if none of them can be read: they could not be
    /// embedded. Is one of them whole, the file is of other data, and [`Stored::align`] says so.
    fn leave_out_unreadable(&mut self, stored: &Stored) {
        let (None, Some(own)) = (&self.readable, &stored.table.ids) else {
            return;
        };
        let own: HashSet<&str> = own.iter().map(String::as_str).collect();
        let held = |row: &usize| own.contains(self.dataset.ids[*row].as_str());
        let (held, missing): (Vec<usize>, Vec<usize>) =
            self.rows.iter().copied().partition(|row| held(row));
        let broken = |row: &usize| self.dataset.samples.get(*row).is_err();
        if !held.is_empty() && missing.iter().all(broken) {
            self.readable = Some(held);
        }
    }

    /// The values of images in 0..1; of vectors standardised over the training samples, unless `raw`.
    fn pixels(&mut self, name: &str, raw: bool) -> Result<Representation> {
        let dataset = self.dataset;
        let input = match dataset.shape {
            Shape::Image { channels, .. } => InputSpec {
                shape: pixels_shape(dataset.shape),
                mean: vec![0.0; channels],
                std: vec![1.0; channels],
                shift: vec![],
            },
            Shape::Vector { dim } => {
                let shift = dataset.samples.shift().unwrap_or_default().to_vec();
                let (mean, std) = match raw {
                    true => (vec![0.0; dim], vec![1.0; dim]),
                    false => channel_statistics(dataset, usize::MAX)?,
                };
                InputSpec {
                    shape: dataset.shape,
                    mean,
                    std,
                    shift,
                }
            }
        };
        let views = Views::new(ViewsConfig::none(), input, None)?;
        let shift = views.input().shift.clone();
        let values = inputs(&views, dataset, &self.rows)?;
        let made = self.of_rows(name, values, "closed form".to_owned());
        Ok(match raw {
            true => Representation { shift, ..made },
            false => made,
        })
    }

    /// An encoder with fresh weights, with the settings and the input of a run of the same
    /// architecture if one came before, else with the defaults.
    fn untrained(&self, named: &str) -> Result<TrainedEncoder> {
        let about = match self.runs.iter().find(|run| run.architecture == named) {
            Some(run) => run.clone(),
            None => {
                let section = config::section(named)?;
                let config = config::Config::resolve(
                    toml::Table::from_iter([("encoder".into(), section.into())]),
                    crate::job::about(self.dataset),
                )?;
                let job = crate::job::Job::new(config, self.dataset, None)?;
                job.describe()
            }
        };
        let encoder = about.make().map_err(Error::config)?;
        let (weights, _) = encoder::init(&*encoder, about.input.shape, self.seed, &self.device);
        let hash = format!("untrained, seed {}", self.seed);
        Ok(TrainedEncoder {
            about: EncoderFile { hash, ..about },
            encoder,
            weights,
        })
    }

    fn of_rows(&mut self, name: &str, embedded: Embedded, origin: String) -> Representation {
        self.readable = Some(embedded.rows.clone());
        represent_rows(self.dataset, name, embedded, origin)
    }
}

/// Principal components of the baseline for samples of that shape, of which `train` are for training: 50, or half
/// of what there could be; `None` where that is one or none.
///
/// ```
/// use hspace::dataset::Shape;
/// use hspace::source::baseline_components;
///
/// let images = Shape::Image { channels: 3, height: 32, width: 32 };
/// assert_eq!(baseline_components(images, 10_000), Some(50));
/// assert_eq!(baseline_components(Shape::Vector { dim: 8 }, 10_000), Some(4));
/// assert_eq!(baseline_components(Shape::Vector { dim: 2 }, 10_000), None);
/// ```
pub fn baseline_components(shape: Shape, train: usize) -> Option<usize> {
    let most = match shape {
        Shape::Image { .. } => train,
        Shape::Vector { dim } => dim.min(train),
    };
    Some((most / 2).min(50)).filter(|dims| *dims > 1)
}

/// The shape of the samples of `pixels`.
fn pixels_shape(shape: Shape) -> Shape {
    match shape {
        Shape::Image {
            channels,
            height,
            width,
        } if height.max(width) > SMALL => Shape::Image {
            channels,
            height: PIXELS,
            width: PIXELS,
        },
        other => other,
    }
}

/// The features of the training samples.
fn training(of: &Representation) -> Matrix {
    of.features.select(&training_rows(of))
}

fn training_rows(of: &Representation) -> Vec<usize> {
    let is_train = |&i: &usize| of.split[i] == Split::Train;
    (0..of.ids.len()).filter(is_train).collect()
}

/// Features of some rows with what the dataset knows about them.
///
/// ```
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::embed::Embedded;
/// use hspace::matrix::Matrix;
/// use hspace::source::represent_rows;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// // Features of two samples, computed elsewhere.
/// let features = Matrix::new(2, 1, vec![0.5, 0.7]);
/// let embedded = Embedded { features, rows: vec![3, 9], bad: vec![] };
/// let mine = represent_rows(&shapes, "mine", embedded, "a hash".into());
/// assert_eq!(mine.ids, [shapes.ids[3].clone(), shapes.ids[9].clone()]);
/// assert_eq!(mine.columns.len(), shapes.columns.len());
/// # Ok::<(), hspace::Error>(())
/// ```
pub fn represent_rows(
    dataset: &Dataset,
    name: &str,
    embedded: Embedded,
    origin: String,
) -> Representation {
    let rows = &embedded.rows;
    Representation {
        shift: Vec::new(),
        name: name.to_owned(),
        ids: rows.iter().map(|&row| dataset.ids[row].clone()).collect(),
        columns: dataset.columns.iter().map(|c| c.select(rows)).collect(),
        split: rows.iter().map(|&row| dataset.split[row]).collect(),
        features: embedded.features,
        origin,
    }
}
