//! The training loop: batches, losses, updates, checkpoints. It knows no objective by name.

pub mod checkpoint;
pub mod ema;
pub mod loader;
pub(crate) mod online;
pub mod optimizer;
pub mod run_views;
pub mod schedule;
pub mod settings;
pub mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::device::Device;
use serde::Serialize;

use crate::dataset::{BadFile, Dataset};
use crate::embed::to_matrix;
use crate::encoder::{Encoder, latent};
use crate::error::{Error, Result};
use crate::file;
use crate::matrix::Matrix;
use crate::network::{Mode, Pass, Weights};
use crate::objective::{self, Batch, Facts, Net, Objective};
use crate::run::RunFolder;
use checkpoint::{Checkpoint, State};
pub use ema::Export;
use loader::{Loader, Plan, Source};
use optimizer::{Gradients, Optimizer, OptimizerState};
pub use run_views::RunViews;
pub use settings::{LearnFrom, Metric, TrainSettings};

/// All that one training needs.
pub struct Setup<'a> {
    /// The data.
    pub dataset: &'a Dataset,
    /// Rows to learn from.
    pub rows: Vec<usize>,
    /// Val rows with their class, which the online probe answers; without any it answers training rows.
    pub choosing: Vec<(usize, u32)>,
    /// Shape, columns and task.
    pub facts: Facts,
    /// The encoder.
    pub encoder: &'a dyn Encoder,
    /// The objective, prepared.
    pub objective: &'a dyn Objective,
    /// The views.
    pub views: &'a RunViews,
    /// Settings without `auto` (see [`TrainSettings::resolve`]).
    pub settings: TrainSettings,
    /// Seed of everything random.
    pub seed: u64,
    /// Where to compute.
    pub device: Device,
}

/// Where training starts.
pub enum Start {
    /// From fresh weights.
    Fresh,
    /// From these encoder weights (names without prefix); everything else fresh.
    From(Weights, PathBuf),
    /// Where the run's last checkpoint left off.
    Resume,
}

/// What the user sees while it runs.
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
    /// What was noticed at the step, such as collapse; each kind of thing once in a training.
    pub noticed: Vec<String>,
}

/// A line of metrics.jsonl.
#[derive(Clone, Debug, Serialize, serde::Deserialize)]
pub struct Line {
    /// Steps done.
    pub step: usize,
    /// Epoch, from 1.
    pub epoch: usize,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Everything measured, by name.
    #[serde(flatten)]
    pub values: BTreeMap<String, f64>,
}

/// The result of training.
pub struct Trained {
    /// The weights that are kept as the encoder (`train.export`), names without prefix.
    pub encoder: Weights,
    /// Those of everything, decoders and other heads too.
    pub model: Weights,
    /// Steps done in all.
    pub steps: usize,
    /// Seconds of training.
    pub seconds: f64,
    /// Samples seen, of all streams.
    pub samples: usize,
    /// What was noticed (collapse, an objective's own way of failing).
    pub warnings: Vec<String>,
    /// Samples that could not be read.
    pub bad: Vec<BadFile>,
    /// The logged lines.
    pub lines: Vec<Line>,
}

/// Trains. With a `folder`, checkpoints and metrics are written there; without, all stays in
/// memory. `progress` hears of every step; `stop` asks to finish the step, save and return
/// [`Error::Interrupted`].
///
/// # Errors
/// A loss that is no longer finite, unreadable data, files that cannot be written, an
/// interruption.
pub fn train(
    setup: &Setup,
    folder: Option<&RunFolder>,
    start: Start,
    progress: &mut dyn FnMut(&Progress),
    stop: &AtomicBool,
) -> Result<Trained> {
    let sources = sources(setup)?;
    let epochs = sources.iter().find(|source| source.stream.counts_epochs);
    let steps_per_epoch = epochs.unwrap_or(&sources[0]).steps();
    let mut trainer = Trainer::begin(setup, folder, start, steps_per_epoch)?;
    let plan = Plan {
        dataset: setup.dataset,
        views: setup.views,
        sources,
        seed: setup.seed,
    };
    std::thread::scope(|scope| {
        let loader = Loader::start(scope, plan, trainer.state.step..trainer.steps)?;
        trainer.run(&loader, progress, stop)?;
        trainer.finish(loader.bad())
    })
}

/// The streams with their rows.
fn sources(setup: &Setup) -> Result<Vec<Source>> {
    let batch = *setup.settings.batch_size.get();
    let source = |stream: objective::Stream| {
        let of_it = |&&row: &&usize| stream.which.has(&setup.facts, row);
        let rows: Vec<usize> = setup.rows.iter().filter(of_it).copied().collect();
        let batch = batch * stream.share;
        if rows.is_empty() {
            return Err(Error::data(format!(
                "the objective asks for {:?} samples, and none of the {} training samples is one",
                stream.which,
                setup.rows.len()
            )));
        }
        if stream.counts_epochs && rows.len() < batch {
            return Err(Error::config(format!(
                "train.batch_size={batch}, but there are only {} training samples for it; \
                 lower it or leave it on `auto`",
                rows.len()
            )));
        }
        Ok(Source {
            rows,
            stream,
            batch,
        })
    };
    setup.objective.streams().into_iter().map(source).collect()
}

struct Trainer<'a> {
    setup: &'a Setup<'a>,
    folder: Option<&'a RunFolder>,
    weights: Weights,
    optimizers: BTreeMap<String, OptimizerState>,
    state: State,
    steps: usize,
    steps_per_epoch: usize,
    lines: Vec<Line>,
    best: Option<Weights>,
    started: Instant,
    before: f64,
}

/// One step's result.
struct Step {
    loss: f64,
    values: BTreeMap<String, f64>,
    samples: usize,
}

impl<'a> Trainer<'a> {
    fn begin(
        setup: &'a Setup,
        folder: Option<&'a RunFolder>,
        start: Start,
        steps_per_epoch: usize,
    ) -> Result<Trainer<'a>> {
        let Setup {
            objective,
            encoder,
            facts,
            seed,
            device,
            ..
        } = setup;
        let mut weights = objective::init(*objective, *encoder, facts, *seed, device);
        ema::init(&mut weights, setup.settings.ema);
        let mut trainer = Trainer {
            setup,
            folder,
            optimizers: BTreeMap::new(),
            state: State::default(),
            steps: match setup.settings.steps {
                0 => setup.settings.epochs.get() * steps_per_epoch,
                steps => steps,
            },
            steps_per_epoch,
            lines: Vec::new(),
            best: None,
            started: Instant::now(),
            before: 0.0,
            weights: Weights::default(),
        };
        match (start, folder) {
            (Start::Fresh, _) => {}
            (Start::From(mut given, path), _) => {
                let fresh = weights.under("encoder");
                latent::complete(*encoder, &mut given, &fresh);
                given.check_like(&fresh, &path)?;
                weights.extend(given.prefixed("encoder"));
                objective.after_init(&mut weights);
                ema::init(&mut weights, setup.settings.ema);
            }
            (Start::Resume, None) => {
                return Err(Error::data("a training without a folder cannot be resumed"));
            }
            (Start::Resume, Some(folder)) => {
                let last = Checkpoint::read(&folder.checkpoint(), &weights, device)?;
                weights = last.weights;
                trainer.optimizers = last.optimizers;
                trainer.lines = folder.read_metrics(last.state.step)?;
                trainer.before = last.state.seconds;
                trainer.state = last.state;
                if setup.settings.keep_best != Metric::None && folder.best().exists() {
                    trainer.best = Some(checkpoint::read_weights(&folder.best(), device)?);
                }
            }
        }
        trainer.weights = weights;
        if let Some(folder) = folder {
            folder.write_metrics(&trainer.lines)?;
            if trainer.state.step == 0 {
                trainer.save()?;
            }
        }
        Ok(trainer)
    }

    fn run(
        &mut self,
        loader: &Loader,
        progress: &mut dyn FnMut(&Progress),
        stop: &AtomicBool,
    ) -> Result<()> {
        let mut window = (Instant::now(), 0usize);
        let (mut saved, mut writing) = (Instant::now(), Duration::ZERO);
        while self.state.step < self.steps && !self.stopped_early() {
            let batches = loader.next(&self.setup.device)?;
            let device = self.setup.device.clone();
            let known = self.state.warnings.len();
            let step = device.run(|| self.step(batches))?;
            self.state.step += 1;
            self.state.samples += step.samples;
            self.state.seconds = self.before + self.started.elapsed().as_secs_f64();
            self.state.note(&step.values);
            window.1 += step.samples;
            let images_per_s = window.1 as f64 / window.0.elapsed().as_secs_f64();
            progress(&Progress {
                step: self.state.step,
                steps: self.steps,
                epoch: self.epoch(),
                loss: step.loss,
                images_per_s,
                noticed: self.state.warnings[known..].to_vec(),
            });
            let mut values = step.values;
            values.insert("images_per_s".into(), images_per_s);
            if window.0.elapsed() > Duration::from_secs(5) {
                window = (Instant::now(), 0);
            }
            let epoch_done = self.ends_epoch(self.state.step);
            if epoch_done {
                self.end_epoch(&mut values)?;
            }
            let every = self.setup.settings.log_every;
            if epoch_done || self.state.step.is_multiple_of(every) || self.state.step == 1 {
                self.log(values)?;
            }
            let asked = stop.load(Ordering::Relaxed);
            let ends = asked || self.state.step == self.steps || self.stopped_early();
            if ends || checkpoint::due(epoch_done, saved.elapsed(), writing) {
                let begun = Instant::now();
                self.save()?;
                (saved, writing) = (Instant::now(), begun.elapsed());
            }
            if asked && self.state.step < self.steps {
                return Err(self.interrupted());
            }
        }
        Ok(())
    }

    /// Epoch of the latest step, from 1.
    fn epoch(&self) -> usize {
        1 + (self.state.step.max(1) - 1) / self.steps_per_epoch
    }

    /// Whether an epoch, the last of which may be cut short, ends with `step`.
    fn ends_epoch(&self, step: usize) -> bool {
        step.is_multiple_of(self.steps_per_epoch) || step == self.steps
    }

    fn progress_share(&self) -> f64 {
        self.state.step as f64 / self.steps as f64
    }

    /// All turns of one step: loss, gradients, update.
    fn step(&mut self, batches: Vec<Batch>) -> Result<Step> {
        let settings = &self.setup.settings;
        let samples = batches.iter().map(|b| b.rows.len()).sum();
        let mut step = Step {
            loss: 0.0,
            values: BTreeMap::new(),
            samples,
        };
        let parts = split(batches, settings.accumulate);
        let share = self.progress_share();
        let turns = self.setup.objective.turns(share, self.setup.encoder);
        for (i, turn) in turns.iter().enumerate() {
            let (done, length) = turn.within(self.state.step, self.steps);
            let warmup = (settings.warmup * length as f64).round() as usize;
            let factor = settings.schedule.factor(done, length, warmup);
            let learning_rate = settings.learning_rate.get() * factor;
            step.values.entry("lr".into()).or_insert(learning_rate);
            let optimizer = Optimizer {
                rule: settings.optimizer,
                weight_decay: schedule::cosine(
                    *settings.weight_decay.get(),
                    *settings.weight_decay_end.get(),
                    done as f64 / length as f64,
                ),
                momentum: settings.momentum,
            };
            let mut gradients = Vec::with_capacity(parts.len());
            for (nth, part) in parts.iter().enumerate() {
                // What is random in a pass differs from step to step and from part to part.
                let count = self.state.step * parts.len() + nth;
                let seed = self.setup.seed ^ (count as u64).rotate_left(32);
                let (gradient, loss) = self.gradients(i, turn, part, seed, &mut step.values)?;
                gradients.push(gradient);
                step.loss += loss / parts.len() as f64;
            }
            let mut gradients = optimizer::mean(gradients);
            let norm = optimizer::clip(&mut gradients, settings.clip);
            step.values.insert("gradient_norm".into(), norm);
            let state = self.optimizers.entry(turn.name.clone()).or_default();
            let rate = |weight: &str| learning_rate * turn.rate_of(weight);
            optimizer.step(&mut self.weights, gradients, state, rate);
        }
        let progress = (self.state.step + 1) as f64 / self.steps as f64;
        self.setup.objective.after_step(&mut self.weights, progress);
        ema::update(&mut self.weights, settings.ema, self.state.step + 1);
        step.values.insert("loss".into(), step.loss);
        if self.looks_at_features()
            && self.is_under_way()
            && let Some(text) = self.setup.objective.concern(&step.values, progress)
        {
            self.warn(&text);
        }
        Ok(step)
    }

    /// Loss and gradients of one micro-batch; running statistics are updated on the way.
    fn gradients(
        &mut self,
        index: usize,
        turn: &objective::Turn,
        batches: &[Batch],
        seed: u64,
        report: &mut BTreeMap<String, f64>,
    ) -> Result<(Gradients, f64)> {
        let tracked = self.weights.tracked(|name| turn.covers(name));
        let pass = Pass::new(&tracked, Mode::Train, &self.setup.device)
            .with_seed(seed)
            .with_progress(self.progress_share());
        let net = Net::new(self.setup.encoder, &pass);
        let loss = self.setup.objective.loss(&net, batches, index);
        let value = f64::from(loss.total.clone().inner().into_scalar::<f32>());
        if !value.is_finite() {
            return Err(self.diverged(value));
        }
        for (name, part) in loss.parts {
            let part = f64::from(part.inner().into_scalar::<f32>());
            report.insert(name.to_owned(), part);
        }
        if self.looks_at_features() && !loss.features.is_empty() {
            let features = loss.features.into_iter();
            let features: Vec<Matrix> = features.map(|view| to_matrix(view.inner())).collect();
            let health = watch::health(&features)?;
            report.extend(health.values());
            if self.is_under_way()
                && let Some(text) = health.collapse(features[0].cols)
            {
                self.warn(&text);
            }
        }
        let named = net.gradients(&loss.total);
        for (name, value) in pass.into_statistics() {
            self.weights.set(&name, value.inner());
        }
        Ok((named, value))
    }

    /// Notes what is wrong at the coming step, each kind of thing (what stands before the colon) once.
    fn warn(&mut self, text: &str) {
        let kind = text.split(':').next().unwrap_or(text);
        let warnings = &mut self.state.warnings;
        let known = |warning: &String| warning.contains(&format!(": {kind}"));
        if !warnings.iter().any(known) {
            let step = self.state.step + 1;
            warnings.push(format!("at step {step}: {text}"));
        }
    }

    /// Whether the features of the coming step are measured: at logged steps and at the ends of epochs.
    fn looks_at_features(&self) -> bool {
        let next = self.state.step + 1;
        next.is_multiple_of(self.setup.settings.log_every) || self.ends_epoch(next)
    }

    /// Whether what they show can be a failure: not in the first steps, in which any encoder's are alike.
    fn is_under_way(&self) -> bool {
        self.state.step + 1 >= 10
    }

    fn diverged(&self, loss: f64) -> Error {
        let step = self.state.step + 1;
        let kept = match self.folder {
            Some(folder) => format!(
                "; the last good checkpoint is {}, and is kept",
                folder.checkpoint().display()
            ),
            None => String::new(),
        };
        Error::Diverged(format!(
            "the loss is {loss} at step {step}: training cannot go on{kept}. Lower \
             train.learning_rate (it is {}), or set train.clip=1",
            self.setup.settings.learning_rate.get()
        ))
    }

    fn interrupted(&self) -> Error {
        let (step, steps) = (self.state.step, self.steps);
        Error::Interrupted(match self.folder {
            Some(folder) => format!(
                "stopped at step {step} of {steps}; everything is saved. Go on with: \
                 hspace train --resume {}",
                file::quoted(folder.path().display())
            ),
            None => format!("stopped at step {step} of {steps}"),
        })
    }

    /// Measures what the end of an epoch is for: the online probe, the best weights. What steps measured
    /// counts with its mean over the epoch.
    fn end_epoch(&mut self, values: &mut BTreeMap<String, f64>) -> Result<()> {
        let settings = &self.setup.settings;
        let mut means = self.state.epoch_means();
        let mut ends = BTreeMap::from([("epoch_loss".to_owned(), means["loss"])]);
        if settings.online_probe
            && let Some(accuracy) =
                online::accuracy(self.setup, &settings.export.encoder(&self.weights))?
        {
            ends.insert("online_probe".into(), accuracy);
        }
        means.extend(ends.clone());
        values.extend(ends);
        self.state.stopping.hear(settings.stop_on, &means);
        if self.state.kept.hear(settings.keep_best, &means) {
            let best = self.weights.clone();
            if let Some(folder) = self.folder {
                checkpoint::write_weights(&folder.best(), &best)?;
            }
            self.best = Some(best);
        }
        Ok(())
    }

    fn stopped_early(&self) -> bool {
        let settings = &self.setup.settings;
        settings.stop_on != Metric::None && self.state.stopping.epochs_since >= settings.patience
    }

    fn log(&mut self, values: BTreeMap<String, f64>) -> Result<()> {
        let line = Line {
            step: self.state.step,
            epoch: self.epoch(),
            seconds: self.state.seconds,
            values,
        };
        if let Some(folder) = self.folder {
            folder.append_metrics(&line)?;
        }
        self.lines.push(line);
        Ok(())
    }

    fn save(&self) -> Result<()> {
        let Some(folder) = self.folder else {
            return Ok(());
        };
        if !optimizer::finite(&self.weights) {
            let text = format!(
                "a weight is no longer finite after step {}; the last good checkpoint is kept. \
                 Lower train.learning_rate, or set train.clip=1",
                self.state.step
            );
            return Err(Error::Diverged(text));
        }
        let checkpoint = Checkpoint {
            state: self.state.clone(),
            weights: self.weights.clone(),
            optimizers: self.optimizers.clone(),
        };
        checkpoint.write(&folder.checkpoint())
    }

    fn finish(self, bad: Vec<BadFile>) -> Result<Trained> {
        let all = self.best.unwrap_or(self.weights);
        let model = self.setup.settings.export.model(&all);
        Ok(Trained {
            encoder: model.under("encoder"),
            model,
            steps: self.state.step,
            seconds: self.state.seconds,
            samples: self.state.samples,
            warnings: self.state.warnings,
            bad,
            lines: self.lines,
        })
    }
}

/// Cuts every stream's batch into `n` micro-batches whose sizes differ by one at most; into fewer where one would
/// be of less than two samples.
fn split(batches: Vec<Batch>, n: usize) -> Vec<Vec<Batch>> {
    let pairs = batches.iter().map(|batch| batch.rows.len() / 2);
    let n = n.min(pairs.min().unwrap_or(1));
    if n < 2 {
        return vec![batches];
    }
    let cut = |i: usize| {
        let part = |batch: &Batch| {
            let [start, end] = [i, i + 1].map(|i| i * batch.rows.len() / n);
            let narrow = |view: &burn_tensor::Tensor<4>| view.clone().narrow(0, start, end - start);
            Batch {
                views: batch.views.iter().map(narrow).collect(),
                rows: batch.rows[start..end].to_vec(),
            }
        };
        batches.iter().map(part).collect()
    };
    (0..n).map(cut).collect()
}
