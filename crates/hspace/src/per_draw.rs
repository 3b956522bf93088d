//! Sources that learn from each draw of labels and answer with their own head: `supervised:cnn`.

use std::sync::atomic::AtomicBool;

use toml::Table;

use crate::config::{About, Config};
use crate::data_record;
use crate::dataset::{Column, Dataset};
use crate::embed::{Embedded, embed};
use crate::error::{Error, Result};
use crate::head::{self, Head};
use crate::job::{Job, about};
use crate::matrix::Matrix;
use crate::network::Weights;
use crate::probe::{Contender, Draw};
use crate::source::represent_rows;
use crate::train::Start;

/// Such sources: name and summary, for `hspace list encoders`.
pub const PER_DRAW: &[(&str, &str)] = &[(
    "supervised:ENCODER",
    "that encoder, trained on each draw of labels alone and answering with its own head: for probe, compare and study",
)];

/// How long the supervised baseline is trained on each draw of labels.
///
/// ```
/// use hspace::per_draw::SupervisedBudget;
///
/// let budget = SupervisedBudget { draws: 1, ..SupervisedBudget::default() };
/// assert_eq!((budget.steps, budget.batch), (200, 64));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SupervisedBudget {
    /// Draws per number of labels; the encoder is trained once for each.
    pub draws: usize,
    /// Steps at least.
    pub steps: usize,
    /// Samples per step at most.
    pub batch: usize,
    /// Passes over the labelled samples at least.
    pub passes: usize,
}

impl Default for SupervisedBudget {
    /// What `supervised:ENCODER` takes.
    fn default() -> Self {
        SupervisedBudget {
            draws: 3,
            steps: 200,
            batch: 64,
            passes: 10,
        }
    }
}

/// The settings of `supervised:ENCODER` on `dataset`, where no run of that encoder lends its own: the defaults.
///
/// ```
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::per_draw::supervised_settings;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let config = supervised_settings("cnn:width=8", &shapes, "cpu")?;
/// assert_eq!(config.objective.name, "supervised");
/// assert_eq!(config.encoder.settings["width"].as_integer(), Some(8));
/// # Ok::<(), hspace::Error>(())
/// ```
///
/// # Errors
/// Settings of the encoder that are wrong.
pub fn supervised_settings(encoder: &str, dataset: &Dataset, device: &str) -> Result<Config> {
    let mut table = Table::new();
    table.insert("encoder".into(), crate::config::section(encoder)?.into());
    table.insert("objective".into(), "supervised".into());
    table.insert("device".into(), device.into());
    Config::resolve(table, about(dataset))
}

/// The supervised baseline, called `name`: the encoder of `like`, trained with its views by the objective `supervised` on each draw of the labels
/// of `task`, and answering with the head it was trained with. It is measured on the samples `rows`.
///
/// ```
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::per_draw::{SupervisedBudget, supervised, supervised_settings};
/// use hspace::probe::{HEAD, Labels, ProbeOptions, measure};
/// use std::sync::atomic::AtomicBool;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let like = supervised_settings("cnn:width=4", &shapes, "cpu")?;
/// let task = shapes.task().expect("a label");
/// let budget = SupervisedBudget { draws: 1, steps: 2, batch: 8, passes: 1 };
/// let (rows, stop) = ((0..1600).step_by(8).collect(), AtomicBool::new(false));
/// let baseline = supervised("supervised:cnn", like, &shapes, rows, task, budget, &stop)?;
///
/// let options = ProbeOptions { labels: vec![Labels::PerClass(5)], ..ProbeOptions::default() };
/// let found = measure(vec![baseline], &options, "builtin:shapes", &mut |_| ())?;
/// assert_eq!((found.rows[0].probe.as_str(), found.rows[0].labelled), (HEAD, 10));
/// # Ok::<(), hspace::Error>(())
/// ```
///
/// # Errors
/// If the task is of another kind than classes.
pub fn supervised<'a>(
    name: &str,
    like: Config,
    dataset: &'a Dataset,
    rows: Vec<usize>,
    task: &Column,
    budget: SupervisedBudget,
    stop: &'a AtomicBool,
) -> Result<Contender<'a>> {
    if !matches!(task.values, crate::dataset::Values::Classes { .. }) {
        return Err(Error::config(format!(
            "{name} learns classes, and `{}` has none; leave it out",
            task.name
        )));
    }
    let like = Config {
        label: task.name.clone(),
        ..like
    };
    let samples = Embedded {
        features: Matrix::new(rows.len(), 0, Vec::new()),
        rows: rows.clone(),
        bad: Vec::new(),
    };
    let origin = origin(&like, budget, dataset, &rows);
    let answer = move |draw: &Draw<'_>| -> Result<Vec<f64>> {
        let in_dataset = |part: &[usize]| part.iter().map(|&i| rows[i]).collect::<Vec<_>>();
        let (labelled, test) = (in_dataset(draw.labelled), in_dataset(draw.test));
        let config = supervised_config(&like, dataset, labelled.len(), budget, draw.seed)?;
        let job = Job::new(config, dataset, Some(&labelled))?;
        let trained = job.run(None, Start::Fresh, &mut |_| (), stop)?;
        let (encoder, views, device) = job.encoder();
        let weights = &trained.encoder;
        let made = embed(encoder, weights, views, dataset, &test, device, &mut |_| ())?;
        own_head(&trained.model, &job)?.answer(&made.features)
    };
    Ok(Contender::PerDraw {
        name: name.to_owned(),
        samples: Box::new(represent_rows(dataset, name, samples, String::new())),
        origin,
        draws: budget.draws,
        answer: Box::new(answer),
    })
}

/// Hash of everything that the answers depend on: settings, and the values of all samples.
fn origin(like: &Config, budget: SupervisedBudget, dataset: &Dataset, rows: &[usize]) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(like.to_toml().as_bytes());
    hash.update(format!("{budget:?}").as_bytes());
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

/// `like` with the objective `supervised` and a length fit for `labelled` samples.
fn supervised_config(
    like: &Config,
    dataset: &Dataset,
    labelled: usize,
    budget: SupervisedBudget,
    seed: u64,
) -> Result<Config> {
    let mut table: Table = like
        .to_toml()
        .parse()
        .map_err(|e| Error::data(format!("the run's settings: {e}")))?;
    let about = About {
        samples: labelled,
        ..about(dataset)
    };
    let batch = (1usize << (labelled / 2).max(2).ilog2()).min(budget.batch);
    let epochs = (budget.steps * batch)
        .div_ceil(labelled.max(1))
        .max(budget.passes);
    let mut train = Table::new();
    if let Some(size) = table.get("train").and_then(|t| t.get("image_size")) {
        train.insert("image_size".into(), size.clone());
    }
    train.insert("batch_size".into(), (batch as i64).into());
    train.insert("epochs".into(), (epochs as i64).into());
    train.insert("online_probe".into(), false.into());
    table.insert("train".into(), train.into());
    table.insert("objective".into(), "supervised".into());
    table.insert("seed".into(), ((seed >> 1) as i64).into());
    Config::resolve(table, about)
}

#[cfg(test)]
mod tests;
