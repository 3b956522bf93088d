//! Sources that learn from each draw of labels and answer with their own head: `METHOD:SUBJECT`, such as `supervised:cnn` or `finetune:runs/a`.
//!
//! METHOD is any objective that trains a head ([`crate::objective::Objective::answers`]); SUBJECT is an encoder, which begins from random weights, or a
//! run, from whose weights it goes on, or whose features take the place of the samples (`m2:runs/vae`). Of the labels of training samples a method sees those of the draw alone, of validation and test samples none; samples
//! without a label it sees are training samples. In folds a method is given the training rows of each fold, whatever the split of the data, and sees
//! no sample that the fold tests.

mod features;
mod keep;
mod labels_alone;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use toml::{Table, Value};

use crate::config::{About, Config, merge};
use crate::data_record;
use crate::dataset::{Column, Dataset, Split, Values};
use crate::device::Device;
use crate::embed::{Embedded, embed};
use crate::error::{Error, Result};
use crate::head::{self, Head};
use crate::job::{Job, about};
use crate::learner::{Learner, Subject};
use crate::matrix::Matrix;
use crate::nn::Weights;
use crate::objective::{self, Objective, learns_from_labels};
use crate::probe::{Contender, Draw, LabelsAlone};
use crate::run::RunFolder;
use crate::source::represent_rows;
use crate::training::Start;

pub use keep::config_of_all_labels;
pub use labels_alone::{labels_alone, supervised_name};

/// How long a method is trained on each draw of labels.
///
/// ```
/// use hspace::learner::Learner;
/// use hspace::per_draw::Budget;
///
/// let learner = Learner::parse("fixmatch:cnn").expect("a method")?;
/// assert_eq!(Budget::of(&*learner.objective()?).steps, 1000);
/// assert_eq!(Budget::default().steps, 200);
/// # Ok::<(), hspace::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Draws per number of labels; it is trained once for each.
    pub draws: usize,
    /// Steps: of methods that see labelled samples alone at least so many, of others exactly.
    pub steps: usize,
    /// Labelled samples per step at most.
    pub batch: usize,
    /// Passes over the labelled samples at least, of methods that see no others.
    pub passes: usize,
}

impl Budget {
    /// What `METHOD:SUBJECT` takes, unless its settings say otherwise (`train.steps=`).
    pub fn of(objective: &dyn Objective) -> Budget {
        Budget {
            draws: 3,
            steps: objective.steps_per_draw(),
            batch: 64,
            passes: 10,
        }
    }
}

/// A learner and the data, ready to learn from draws.
///
/// ```
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::learner::Learner;
/// use hspace::per_draw::{Budget, PerDraw};
/// use hspace::probe::{Labels, ProbeOptions, measure};
/// use std::sync::atomic::AtomicBool;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let name = "fixmatch:cnn:width=4:ratio=2:train.steps=2";
/// let learner = Learner::parse(name).expect("a method")?;
/// let fixmatch = PerDraw {
///     name: name.to_owned(),
///     base: learner.base(&[], "cpu")?,
///     budget: Budget { draws: 1, ..Budget::of(&*learner.objective()?) },
///     learner,
///     dataset: &shapes,
///     rows: (0..1600).step_by(8).collect(),
///     labels_alone: None,
/// };
/// let stop = AtomicBool::new(false);
/// let contender = fixmatch.contender(shapes.task().expect("a label"), &stop)?;
/// let options = ProbeOptions { labels: vec![Labels::PerClass(5)], ..ProbeOptions::default() };
/// let found = measure(vec![contender], &options, "builtin:shapes", &mut |_| ())?;
/// assert_eq!(found.rows[0].labelled, 10);
/// # Ok::<(), hspace::Error>(())
/// ```
pub struct PerDraw<'a> {
    /// As it is called.
    pub name: String,
    /// What it is.
    pub learner: Learner,
    /// The settings that its own are laid over ([`Learner::base`]).
    pub base: Table,
    /// The data.
    pub dataset: &'a Dataset,
    /// The samples that it is measured on, and learns from.
    pub rows: Vec<usize>,
    /// How long it is trained.
    pub budget: Budget,
    /// What learns from the labels alone, where this source learns from more ([`labels_alone`]).
    pub labels_alone: Option<LabelsAlone>,
}

impl<'a> PerDraw<'a> {
    /// The source as a contender for the task `task`. `stop` ends what it is at.
    ///
    /// # Errors
    /// If the task is of another kind than classes, and everything that is wrong with the settings or the run.
    pub fn contender(self, task: &Column, stop: &'a AtomicBool) -> Result<Contender<'a>> {
        let (name, learner) = (&self.name, &self.learner);
        if !matches!(task.values, Values::Classes { .. }) {
            return Err(Error::config(format!(
                "{name} learns classes, and `{}` has none; leave it out",
                task.name
            )));
        }
        let mut base = self.base.clone();
        base.insert("label".into(), task.name.clone().into());
        let problem = |error: Error| Error::config(format!("{name}: {error}"));
        let plan = Plan {
            objective: learner.objective().map_err(problem)?,
            learner: learner.clone(),
            base,
            budget: self.budget,
        };
        let device = plan.base.get("device").and_then(Value::as_str);
        let device = crate::device::device(device.unwrap_or("cpu"))?;
        let made = match &learner.on {
            Subject::Features(path, _) => {
                Some(features::of_run(path, self.dataset, &self.rows, &device)?)
            }
            Subject::Encoder(_) | Subject::Run(_) => None,
        };
        // What is wrong with the settings is said before anything is trained.
        let given = made.as_ref().unwrap_or(self.dataset);
        let most = about(given).samples;
        let config = plan.config(about(given), most, most, 0).map_err(problem)?;
        let start = start(&learner.on, &device)?;
        let samples = Embedded {
            features: Matrix::new(self.rows.len(), 0, Vec::new()),
            rows: self.rows.clone(),
            bad: Vec::new(),
        };
        let (dataset, rows) = (self.dataset, self.rows);
        let origin = origin(&config, self.budget, start.as_ref(), dataset, &rows);
        let samples = Box::new(represent_rows(dataset, name, samples, String::new()));
        let is_train = |&place: &usize| dataset.split[rows[place]] == Split::Train;
        let own_split: Vec<usize> = (0..rows.len()).filter(is_train).collect();
        let answer = move |draw: &Draw<'_>| -> Result<Vec<f64>> {
            // Features are of these rows alone.
            let dataset = made.as_ref().unwrap_or(dataset);
            let is_made = made.is_some();
            let row = |&i: &usize| if is_made { i } else { rows[i] };
            let in_dataset = |part: &[usize]| part.iter().map(row).collect::<Vec<_>>();
            let [labelled, train, test] = [draw.labelled, draw.train, draw.test].map(in_dataset);
            let in_fold = draw.train != own_split;
            let mut about = about(dataset);
            if in_fold {
                about.val = 0;
            }
            let config = plan.config(about, labelled.len(), train.len(), draw.seed)?;
            let job = match in_fold {
                true => Job::in_fold(config, dataset, &train, &labelled)?,
                false => Job::new(config, dataset, Some(&labelled))?,
            };
            let start = match &start {
                Some((weights, path, _)) if !is_made => Start::From(weights.clone(), path.clone()),
                _ => Start::Fresh,
            };
            let trained = job.run(None, start, &mut |_| (), stop)?;
            let (encoder, views, device) = job.encoder();
            let weights = &trained.encoder;
            let made = embed(encoder, weights, views, dataset, &test, device, &mut |_| ())?;
            own_head(&trained.model, &job)?.answer(&made.features)
        };
        Ok(Contender::PerDraw {
            name: name.clone(),
            samples,
            origin,
            draws: self.budget.draws,
            labels_alone: self.labels_alone,
            answer: Box::new(answer),
        })
    }
}

/// The weights that a subject begins with, where they are, and their hash; `None` where they are random.
fn start(on: &Subject, device: &Device) -> Result<Option<(Weights, PathBuf, String)>> {
    let (Subject::Run(path) | Subject::Features(path, _)) = on else {
        return Ok(None);
    };
    let folder = RunFolder::open(path)?;
    let trained = folder.read_encoder(device)?;
    Ok(Some((
        trained.weights,
        folder.weights(),
        trained.about.hash,
    )))
}

/// Hash of everything that the answers depend on: settings, the weights they begin with, and the values of all samples.
fn origin(
    config: &Config,
    budget: Budget,
    start: Option<&(Weights, PathBuf, String)>,
    dataset: &Dataset,
    rows: &[usize],
) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(config.to_toml().as_bytes());
    hash.update(format!("{budget:?}").as_bytes());
    if let Some((_, _, of)) = start {
        hash.update(of.as_bytes());
    }
    for (row, content) in data_record::contents(dataset, rows) {
        hash.update(format!("{}\0{content}\n", dataset.ids[row]).as_bytes());
    }
    hash.finalize().to_hex()[..16].to_owned()
}

/// The head that a job was trained with.
fn own_head(model: &Weights, job: &Job<'_>) -> Result<Head> {
    let task = job.config.label.clone();
    head::of_weights(model, &job.describe(), task, (String::new(), String::new()))
        .ok_or_else(|| Error::data("the objective has no head that answers"))
}

/// How each draw is learned from.
struct Plan {
    objective: Box<dyn Objective>,
    learner: Learner,
    base: Table,
    budget: Budget,
}

impl Plan {
    /// The settings for a draw of `labelled` of `train` samples of the data `about`: as many steps as the budget says, in batches no larger than half of what there is.
    fn config(&self, about: About, labelled: usize, train: usize, seed: u64) -> Result<Config> {
        let mut table = self.base.clone();
        let half = |samples: usize| 1usize << (samples / 2).max(2).ilog2();
        let alone = learns_from_labels(&*self.objective);
        let batch = match alone {
            true => half(labelled),
            // Labelled samples may fill a batch several times over.
            false => half(train / self.largest_ratio()),
        };
        let batch = batch.min(self.budget.batch);
        let mut own = Table::new();
        own.insert("batch_size".into(), (batch as i64).into());
        own.insert("online_probe".into(), false.into());
        match alone {
            true => {
                let epochs = (self.budget.steps * batch).div_ceil(labelled.max(1));
                let epochs = epochs.max(self.budget.passes);
                own.insert("epochs".into(), (epochs as i64).into());
            }
            false => {
                own.insert("steps".into(), (self.budget.steps as i64).into());
            }
        }
        let mut over = Table::new();
        over.insert("train".into(), own.into());
        over.insert("objective".into(), self.learner.objective_section().into());
        over.insert("seed".into(), ((seed >> 1) as i64).into());
        merge(&mut table, over);
        merge(&mut table, self.learner.settings.clone());
        let about = About {
            samples: if alone { labelled } else { train },
            ..about
        };
        Config::resolve(table, about)
    }

    /// Samples of the largest stream per labelled sample.
    fn largest_ratio(&self) -> usize {
        let streams = self.objective.streams();
        let ratios = streams.iter().map(|stream| stream.ratio);
        ratios.max().unwrap_or(1)
    }
}

/// The supervised baseline, called `name`: the encoder of `like`, trained with its views on each draw of the labels of `task`.
///
/// ```
/// use hspace::config::Config;
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::job::about;
/// use hspace::per_draw::{Budget, supervised};
/// use hspace::probe::{HEAD, Labels, ProbeOptions, measure};
/// use std::sync::atomic::AtomicBool;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let like = Config::resolve("encoder = {name = 'cnn', width = 4}".parse()?, about(&shapes))?;
/// let task = shapes.task().expect("a label");
/// let budget = Budget { draws: 1, steps: 2, batch: 8, passes: 1 };
/// let (rows, stop) = ((0..1600).step_by(8).collect(), AtomicBool::new(false));
/// let baseline = supervised("supervised:cnn", &like, &shapes, rows, task, budget, &stop)?;
///
/// let options = ProbeOptions { labels: vec![Labels::PerClass(5)], ..ProbeOptions::default() };
/// let found = measure(vec![baseline], &options, "builtin:shapes", &mut |_| ())?;
/// assert_eq!((found.rows[0].probe.as_str(), found.rows[0].labelled), (HEAD, 10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`PerDraw::contender`].
pub fn supervised<'a>(
    name: &str,
    like: &Config,
    dataset: &'a Dataset,
    rows: Vec<usize>,
    task: &Column,
    budget: Budget,
    stop: &'a AtomicBool,
) -> Result<Contender<'a>> {
    let learner = Learner::supervised(&like.encoder.name);
    let run: Table = like
        .to_toml()
        .parse()
        .map_err(|e| Error::data(format!("the run's settings: {e}")))?;
    let per_draw = PerDraw {
        name: name.to_owned(),
        base: learner.base(&[run], &like.device)?,
        learner,
        dataset,
        rows,
        budget,
        labels_alone: None,
    };
    per_draw.contender(task, stop)
}

impl Default for Budget {
    /// What the supervised baseline takes.
    fn default() -> Self {
        let supervised = objective::make("supervised", Table::new());
        Budget::of(&*supervised.expect("it is in the list"))
    }
}

#[cfg(test)]
mod tests;
