//! Training: batches, losses, updates, checkpoints. It knows no objective by name.

mod calibration;
pub(crate) mod checkpoint;
mod held_out;
pub(crate) mod loader;
pub(crate) mod minimise;
mod monitor;
mod online;
mod run;
mod streams;
mod trainer;
mod unlabelled;
pub mod watch;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use crate::dataset::BadFile;
use crate::error::Result;
use crate::job::Job;
use crate::nn::Weights;
use crate::run::{Line, OwnHead, RunFolder};
use crate::warning::Warning;
use loader::{Loader, LoaderPlan};
use minimise::minimise;
use monitor::{Measured, Monitor};
use trainer::Trainer;

/// Where training starts.
///
/// ```
/// use hspace::config::Config;
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::job::{Job, about};
/// use hspace::training::Start;
/// use std::sync::atomic::AtomicBool;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let settings = "objective = 'simclr'\n[encoder]\nname = 'cnn'\nwidth = 4\n[train]\nsteps = 1\nbatch_size = 16";
/// let job = Job::new(Config::resolve(settings.parse()?, about(&shapes))?, &shapes, None)?;
/// let stop = AtomicBool::new(false);
/// let first = job.run(None, Start::Fresh, &mut |_| (), &stop)?;
/// // Another training of the encoder that the first one made.
/// let second = job.run(None, Start::From(first.encoder, "runs/a".into()), &mut |_| (), &stop)?;
/// assert_eq!(second.steps, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub enum Start {
    /// From fresh weights.
    Fresh,
    /// From these encoder weights (names without prefix); everything else fresh.
    From(Weights, PathBuf),
    /// Where the run's last checkpoint left off.
    Resume,
}

/// What the user sees while it runs.
///
/// ```
/// # use hspace::config::Config;
/// # use hspace::dataset::{Dataset, OpenOptions};
/// # use hspace::job::{Job, about};
/// # use std::sync::atomic::{AtomicBool, Ordering};
/// # let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// # let settings = "objective = 'simclr'\n[encoder]\nname = 'cnn'\nwidth = 4\n[train]\nsteps = 9\nbatch_size = 16";
/// # let job = Job::new(Config::resolve(settings.parse()?, about(&shapes))?, &shapes, None)?;
/// use hspace::training::{Progress, Start};
///
/// // Stops after two of nine steps.
/// let stop = AtomicBool::new(false);
/// let mut watch = |now: &Progress| {
///     println!("step {} of {}: loss {:.3}", now.step, now.steps, now.loss);
///     stop.store(now.step == 2, Ordering::Relaxed);
/// };
/// let result = job.run(None, Start::Fresh, &mut watch, &stop);
/// assert!(matches!(result, Err(hspace::Error::Interrupted(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Epoch, from 1.
    pub epoch: usize,
    /// Loss of the step.
    pub loss: f64,
    /// Samples per second, over the last steps.
    pub images_per_s: f64,
    /// Warnings at the step, such as collapse; each kind of thing once in a training.
    pub warnings: Vec<Warning>,
}

/// The result of training.
///
/// ```
/// # use hspace::config::Config;
/// # use hspace::dataset::{Dataset, OpenOptions};
/// # use hspace::job::{Job, about};
/// # use hspace::training::Start;
/// # use std::sync::atomic::AtomicBool;
/// # let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// # let settings = "objective = 'vae'\n[encoder]\nname = 'cnn'\nwidth = 4\n[train]\nsteps = 2\nbatch_size = 16";
/// # let job = Job::new(Config::resolve(settings.parse()?, about(&shapes))?, &shapes, None)?;
/// let trained = job.run(None, Start::Fresh, &mut |_| (), &AtomicBool::new(false))?;
/// assert_eq!((trained.steps, trained.samples), (2, 32));
/// // The decoder is in the model, not in the encoder.
/// assert!(trained.encoder.trained_values() < trained.model.trained_values());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Trained {
    /// The encoder's weights, names without prefix.
    pub encoder: Weights,
    /// Weights of everything, decoders and other heads too.
    pub model: Weights,
    /// Steps done in all.
    pub steps: usize,
    /// Seconds of training.
    pub seconds: f64,
    /// Samples seen, of all streams.
    pub samples: usize,
    /// Warnings (collapse, an objective's own way of failing).
    pub warnings: Vec<Warning>,
    /// How the head of a supervised training is calibrated, where there is a folder.
    pub head: Option<OwnHead>,
    /// Samples that could not be read.
    pub bad: Vec<BadFile>,
    /// The logged lines.
    pub lines: Vec<Line>,
}

/// Steps of a pass over the samples of the stream that counts epochs.
fn steps_per_epoch(sources: &[loader::Source]) -> usize {
    let counting = sources.iter().find(|source| source.stream.counts_epochs);
    counting.unwrap_or(&sources[0]).steps()
}

/// Trains. With a `folder`, checkpoints and metrics are written there; without, all stays in
/// memory. `progress` is called at every step; `stop` asks to finish the step, save and return
/// [`Error::Interrupted`](crate::Error::Interrupted).
///
/// ```
/// use hspace::config::Config;
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::job::{Job, about};
/// use hspace::training::{Start, train};
/// use std::sync::atomic::AtomicBool;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let settings = "objective = 'byol'\n[encoder]\nname = 'cnn'\nwidth = 4\n[train]\nsteps = 2\nbatch_size = 16\nlog_every = 1";
/// let job = Job::new(Config::resolve(settings.parse()?, about(&shapes))?, &shapes, None)?;
/// let trained = train(&job, None, Start::Fresh, &mut |_| (), &AtomicBool::new(false))?;
/// assert_eq!(trained.lines.len(), 2);
/// assert!(trained.lines[0].values["loss"].is_finite() && trained.bad.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A loss that is no longer finite, unreadable data, files that cannot be written, an
/// interruption.
pub fn train(
    job: &Job,
    folder: Option<&RunFolder>,
    start: Start,
    progress: &mut dyn FnMut(&Progress),
    stop: &AtomicBool,
) -> Result<Trained> {
    let sources = streams::sources(job)?;
    let begun = Monitor::begin(job, folder, start, steps_per_epoch(&sources))?;
    let (monitor, mut parameters) = begun;
    let plan = LoaderPlan {
        dataset: job.dataset,
        views: &job.views,
        sources,
        seed: job.config.seed,
    };
    let steps = monitor.remaining();
    let mut trainer = Trainer {
        job,
        monitor,
        measured: Measured::default(),
    };
    std::thread::scope(|scope| {
        let loader = Loader::start(scope, plan, steps.clone())?;
        minimise(
            &mut trainer,
            &mut parameters,
            steps,
            &job.device,
            |_| {
                let batches = loader.next(&job.device)?;
                Ok(streams::split(batches, job.config.train.accumulate))
            },
            |trainer, parameters, _| {
                let measured = std::mem::take(&mut trainer.measured);
                let monitor = &mut trainer.monitor;
                monitor.end_step(measured, parameters, progress, stop)
            },
        )?;
        Ok(trainer.monitor.finish(parameters.weights, loader.bad()))
    })
}
