//! A configuration and a dataset, made ready to train.

mod run_views;
mod seen;

use crate::config::{About, Config, LearnFrom, Metric, TrainSettings};
use crate::data_record::DataRecord;
use crate::dataset::{Dataset, Shape, Split};
use crate::device::{Device, device};
use crate::encoder::latent::with_latents;
use crate::encoder::{self, Encoder};
use crate::error::{Error, Result};
use crate::objective::{self, DataSpec, Objective, Stream, Subset, ViewKind, learns_from_labels};
use crate::optim::ema::Export;
use crate::run::EncoderFile;
use crate::views::{Recipe, Views};

pub(crate) use run_views::RunViews;
use seen::Seen;

/// Training samples, and val samples, that the online probe looks at.
pub(crate) const PROBED: usize = 1000;

/// A training, ready to start: nothing has been written yet.
///
/// ```
/// use hspace::config::Config;
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::job::{Job, about};
/// use hspace::training::Start;
/// use std::sync::atomic::AtomicBool;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let settings = "objective = 'simclr'\n[encoder]\nname = 'cnn'\nwidth = 4\n[train]\nsteps = 2\nbatch_size = 16";
/// let job = Job::new(Config::resolve(settings.parse()?, about(&shapes))?, &shapes, None)?;
/// assert!(job.parameters() > 0 && job.streams().len() == 1);
/// assert_eq!(job.describe().architecture, "cnn");
///
/// let mut losses = vec![];
/// let trained = job.run(None, Start::Fresh, &mut |now| losses.push(now.loss), &AtomicBool::new(false))?;
/// assert_eq!((trained.steps, losses.len()), (2, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Job<'a> {
    /// The resolved configuration.
    pub config: Config,
    /// The data.
    pub(crate) dataset: &'a Dataset,
    /// Rows that are learned from.
    pub(crate) rows: Vec<usize>,
    /// Val rows with their class, which the online probe answers, and by which epochs are chosen; without any it answers training rows.
    pub(crate) choosing: Vec<(usize, u32)>,
    /// Shape, columns and task.
    pub(crate) spec: DataSpec,
    /// The encoder.
    pub(crate) encoder: Box<dyn Encoder>,
    /// The objective, prepared.
    pub(crate) objective: Box<dyn Objective>,
    /// The views.
    pub(crate) views: RunViews,
    /// Where to compute.
    pub(crate) device: Device,
}

/// What a configuration needs to know of a dataset.
///
/// ```
/// use hspace::dataset::{Dataset, Kind, OpenOptions};
/// use hspace::job::about;
///
/// let digits = Dataset::open("builtin:mnist-mini", &OpenOptions::default())?;
/// let about = about(&digits);
/// assert_eq!((about.kind, about.samples, about.val), (Kind::Digits, 10_000, 0));
/// # Ok::<(), hspace::Error>(())
/// ```
pub fn about(dataset: &Dataset) -> About {
    About {
        kind: dataset.kind,
        shape: dataset.shape,
        samples: dataset.indices(Split::Train).len(),
        val: dataset.indices(Split::Val).len(),
    }
}

impl<'a> Job<'a> {
    /// Makes everything that `config` names. `labelled` restricts the labels that may be used to
    /// those of these rows; otherwise all training labels may be learned from, and val labels choose the best epoch.
    /// Test labels are never used.
    ///
    /// # Errors
    /// Every problem of configuration and data together.
    pub fn new(
        config: Config,
        dataset: &'a Dataset,
        labelled: Option<&[usize]>,
    ) -> Result<Job<'a>> {
        let choice = &config.objective;
        let objective = objective::make(&choice.name, choice.settings.clone());
        Job::with_objective(config, dataset, labelled, objective)
    }

    /// [`Job::new`] with an objective of any origin in place of the one that `config` names.
    ///
    /// ```
    /// use burn_tensor::Tensor;
    /// use hspace::config::Config;
    /// use hspace::dataset::{Dataset, OpenOptions};
    /// use hspace::job::{Job, about};
    /// use hspace::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind};
    /// # use hspace::training::Start;
    /// # use std::sync::atomic::AtomicBool;
    ///
    /// /// Views of a sample should have the same features. (They all become the same: an objective needs more.)
    /// struct Agree;
    ///
    /// impl Objective for Agree {
    ///     fn prepare(&mut self, _: &DataSpec) -> Vec<String> {
    ///         vec![]
    ///     }
    ///     fn streams(&self) -> Vec<Stream> {
    ///         vec![Stream::new(Subset::All, vec![ViewKind::Random; 2])]
    ///     }
    ///     fn loss(&self, net: &Net, batches: &[Batch], _group: usize) -> Loss {
    ///         let features = net.encode_views(&batches[0].views);
    ///         let difference: Tensor<2> = features[0].clone() - features[1].clone();
    ///         Loss::of(difference.powi_scalar(2).mean(), features)
    ///     }
    /// }
    ///
    /// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
    /// let settings = "[encoder]\nname = 'cnn'\nwidth = 4\n[train]\nsteps = 2\nbatch_size = 16".parse()?;
    /// let config = Config::resolve(settings, about(&shapes))?;
    /// let job = Job::with_objective(config, &shapes, None, Ok(Box::new(Agree)))?;
    /// # let trained = job.run(None, Start::Fresh, &mut |_| (), &AtomicBool::new(false))?;
    /// # assert_eq!(trained.steps, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Job::new`]; what is wrong with the objective among them.
    pub fn with_objective(
        config: Config,
        dataset: &'a Dataset,
        labelled: Option<&[usize]>,
        objective: std::result::Result<Box<dyn Objective>, String>,
    ) -> Result<Job<'a>> {
        Job::of_seen(config, Seen::of_split(dataset, labelled), objective)
    }

    /// [`Job::new`] in a fold: of all samples those of `train` alone are training samples, whatever the split of the data, and the labels of
    /// `labelled` alone may be learned from. No other sample is looked at.
    ///
    /// # Errors
    /// As [`Job::new`].
    pub(crate) fn in_fold(
        config: Config,
        dataset: &'a Dataset,
        train: &[usize],
        labelled: &[usize],
    ) -> Result<Job<'a>> {
        let choice = &config.objective;
        let objective = objective::make(&choice.name, choice.settings.clone());
        Job::of_seen(config, Seen::of_fold(dataset, train, labelled), objective)
    }

    fn of_seen(
        config: Config,
        seen: Seen<'a, '_>,
        objective: std::result::Result<Box<dyn Objective>, String>,
    ) -> Result<Job<'a>> {
        let device = device(&config.device)?;
        let dataset = seen.dataset;
        let train = seen.rows(|split| split == Split::Train);
        if train.len() < 2 {
            return Err(Error::data(format!(
                "{} has {} training samples; at least 2 are needed",
                dataset.name,
                train.len()
            )));
        }
        let size = match dataset.shape {
            Shape::Image { .. } => Some(*config.train.image_size.get()),
            Shape::Vector { .. } => None,
        };
        let input = seen.input(&train, size)?;
        let reference = seen.marginals(&train)?;
        let encoder = encoder::make(&config.encoder.name, config.encoder.settings.clone());
        let patches = encoder.as_ref().ok().and_then(|encoder| encoder.patches());
        let patch = match (patches, input.shape) {
            (Some(patches), Shape::Image { height, width, .. }) => {
                Some(patches.side(height, width))
            }
            _ => None,
        };
        let views = RunViews::new(&config.views, input, reference, patch)?;
        let from_labels = objective.as_ref().is_ok_and(|o| learns_from_labels(&**o));
        let learn_from = match from_labels {
            // Val samples have no labels to learn from.
            true => LearnFrom::Train,
            false => config.train.learn_from,
        };
        let rows = seen.rows(|split| learn_from.has(split));
        let spec = DataSpec {
            samples: rows.len(),
            ..seen.spec(&views, &config.label)?
        };
        let choosing = seen.val_classes(spec.task);
        let (encoder, mut objective) = (
            encoder.map_err(Error::config)?,
            objective.map_err(Error::config)?,
        );
        let encoder = with_latents(encoder, objective.latents());
        let mut problems = encoder.validate(spec.shape);
        problems.extend(objective.prepare(&spec));
        problems.extend(objective::validate(&*objective, &*encoder, &spec));
        problems.extend(validate_metrics(&config.train, &*objective, &spec));
        problems.extend(validate_balance(&config, &*objective, &spec));
        problems.extend(validate_export(&config, &*objective));
        let batch = *config.train.batch_size.get();
        if batch > rows.len() {
            problems.push(format!(
                "train.batch_size={batch} is more than the {} training samples; lower it, or \
                 leave it on `auto`",
                rows.len()
            ));
        }
        if !problems.is_empty() {
            return Err(Error::Config(problems));
        }
        Ok(Job {
            config,
            dataset,
            rows,
            choosing,
            spec,
            encoder,
            objective,
            views,
            device,
        })
    }

    /// Which samples are learned from, which are kept for choosing, and what answers the online probe, in sentences.
    pub fn samples_used(&self) -> Vec<String> {
        let count = |split| {
            let rows = self.rows.iter();
            rows.filter(|&&row| self.dataset.split[row] == split)
                .count()
        };
        let mut lines = vec![match learns_from_labels(&*self.objective) {
            true => {
                let rows = self.rows.iter();
                let labelled = rows.filter(|&&row| self.spec.labelled(row)).count();
                format!("learning from {labelled} train samples with labels")
            }
            false => format!("learning from {} train samples", count(Split::Train)),
        }];
        let val = self.dataset.indices(Split::Val).len();
        match count(Split::Val) {
            _ if val == 0 => return lines,
            0 if self.config.train.learn_from == LearnFrom::TrainVal => lines.push(format!(
                "{val} val samples are not learned from: {} learns from labels, and val labels are kept for choosing",
                self.config.objective.name
            )),
            0 => lines.push(format!(
                "{val} val samples are kept for choosing epochs and settings, and not learned from"
            )),
            learned => lines[0] += &format!(" and {learned} val samples without their labels"),
        }
        if self.config.train.online_probe && !self.choosing.is_empty() {
            let classes = self.choosing.len().min(PROBED);
            lines.push(format!(
                "online_probe is the kNN accuracy on {classes} val samples, answered by train samples"
            ));
        }
        lines
    }

    /// The record of the data in the run's folder. `earlier` is that of the run so far.
    ///
    /// # Errors
    /// If the task is no column of the data.
    pub fn data_record(&self, earlier: Option<&DataRecord>) -> Result<DataRecord> {
        DataRecord::new(self.dataset, &self.config.label, &self.rows, earlier)
    }

    /// The encoder's parameters: how many there are.
    pub fn parameters(&self) -> usize {
        let shape = self.spec.shape;
        let (weights, _) = encoder::init(&*self.encoder, shape, 0, &self.device);
        weights.trained_values()
    }

    /// Multiply-adds of one sample's loss, forward, all views and heads included.
    pub fn multiply_adds(&self) -> usize {
        let Job {
            objective,
            encoder,
            spec,
            device,
            ..
        } = self;
        let samples = 2;
        objective::cost(&**objective, &**encoder, spec, samples, device) / samples
    }

    /// encoder.toml, its hash still empty.
    pub fn describe(&self) -> EncoderFile {
        let shape = self.spec.shape;
        let (_, features) = encoder::init(&*self.encoder, shape, 0, &self.device);
        EncoderFile {
            architecture: self.config.encoder.name.clone(),
            features,
            hash: String::new(),
            classes: self
                .spec
                .classes()
                .map_or(vec![], |(names, _)| names.to_vec()),
            warnings: vec![],
            latents: self.objective.latents(),
            exported: self.config.train.export,
            stage: None,
            head: None,
            tasks: self.objective.task_heads(),
            settings: self.config.encoder.settings.clone(),
            input: self.views.random.input().clone(),
        }
    }

    /// The samples and views of a step.
    pub fn streams(&self) -> Vec<Stream> {
        self.objective.streams()
    }

    /// The random views that the objective takes of a sample, each with the name of its recipe; those of `[views]` where it takes none.
    pub fn random_views(&self) -> Vec<(&'static str, &Views)> {
        let mut found: Vec<(&'static str, &Views)> = Vec::new();
        for stream in self.streams() {
            for (nth, kind) in stream.view_kinds.iter().enumerate() {
                let (name, views) = match (kind, stream.recipe(nth)) {
                    (ViewKind::Plain, _) => continue,
                    (_, None) => ("random", &self.views.random),
                    (_, Some(recipe)) => match self.views.by_recipe(recipe) {
                        Some(views) => (recipe.name(), views),
                        // Without a recipe of its own the second view is one more of `[views]`.
                        None if recipe == Recipe::Second => continue,
                        None => (recipe.name(), &self.views.random),
                    },
                };
                if !found.iter().any(|(known, _)| *known == name) {
                    found.push((name, views));
                }
            }
        }
        if found.is_empty() {
            found.push(("random", &self.views.random));
        }
        found
    }

    /// The encoder and what its input is.
    pub fn encoder(&self) -> (&dyn Encoder, &Views, &Device) {
        (&*self.encoder, &self.views.random, &self.device)
    }
}

/// Whether the weights that are to be kept will be there.
fn validate_export(config: &Config, objective: &dyn Objective) -> Option<String> {
    let (settings, can) = (&config.train, objective.exports());
    let asked = settings.export;
    if !can.contains(&asked) && asked != Export::Auto {
        let names: Vec<&str> = can.iter().map(|export| export.name()).collect();
        return Some(format!(
            "train.export={}: objective `{}` has {}",
            asked.name(),
            config.objective.name,
            names.join(" and ")
        ));
    }
    (asked == Export::Ema && *settings.ema.get() == 0.0).then(|| {
        "train.export=ema: no average is taken; set its decay, such as train.ema=0.999".to_owned()
    })
}

/// Why labelled samples cannot be shown as often of each class.
fn validate_balance(config: &Config, objective: &dyn Objective, spec: &DataSpec) -> Option<String> {
    let mut streams = objective.streams().into_iter();
    let draws_labelled = streams.any(|stream| stream.subset == Subset::Labelled);
    let can = draws_labelled && spec.classes().is_some();
    (config.train.balance_classes && !can).then(|| {
        format!(
            "train.balance_classes=true: objective `{}` learns from no labels of classes; leave it out",
            config.objective.name
        )
    })
}

/// Why what is to stop the training, or to choose its best weights, would never be measured.
fn validate_metrics(
    settings: &TrainSettings,
    objective: &dyn Objective,
    spec: &DataSpec,
) -> Vec<String> {
    let probed = settings.online_probe && spec.classes().is_some();
    let views = objective.streams().iter().map(|s| s.view_kinds.len()).max();
    let mut problems = Vec::new();
    for (key, metric) in [
        ("stop_on", settings.stop_on),
        ("keep_best", settings.keep_best),
    ] {
        let problem = match metric {
            Metric::OnlineProbe if !probed => {
                "online_probe takes labels of classes, and train.online_probe=true"
            }
            Metric::Alignment if views.is_none_or(|views| views < 2) => {
                "alignment takes an objective with several views of a sample"
            }
            _ => continue,
        };
        problems.push(format!(
            "train.{key}: {problem}; use epoch_loss or effective_rank"
        ));
    }
    problems
}

#[cfg(test)]
mod tests;
