//! What happens between the steps of a training: epochs end, numbers are logged, failures warnings, checkpoints written.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::checkpoint::{self, Checkpoint, State};
use super::held_out::HeldOut;
use super::minimise::Parameters;
use super::{Progress, Start, Trained, online};
use crate::config::Metric;
use crate::dataset::BadFile;
use crate::encoder::latent;
use crate::error::{Error, Result};
use crate::file;
use crate::job::Job;
use crate::nn::Weights;
use crate::nn::files::{read_weights, write_weights};
use crate::objective;
use crate::optim::{self, ema};
use crate::run::{Line, RunFolder};
use crate::warning::{Warning, WarningKind};

/// What one step measured.
#[derive(Default)]
pub(super) struct Measured {
    pub loss: f64,
    pub values: BTreeMap<String, f64>,
    pub samples: usize,
}

/// Where a training is, and what it has logged.
pub(super) struct Monitor<'a> {
    job: &'a Job<'a>,
    folder: Option<&'a RunFolder>,
    state: State,
    /// Steps in all.
    pub steps: usize,
    steps_per_epoch: usize,
    lines: Vec<Line>,
    best: Option<Weights>,
    /// What overfitting is measured on.
    held_out: Option<HeldOut>,
    /// When the process began to train, and seconds of training before that.
    started: (Instant, f64),
    /// Since when the speed is measured, and over how many samples.
    window: (Instant, usize),
    /// When the last checkpoint was written, and how long that took.
    saved: (Instant, Duration),
}

impl<'a> Monitor<'a> {
    /// A training and its parameters where it starts.
    pub fn begin(
        job: &'a Job<'a>,
        folder: Option<&'a RunFolder>,
        start: Start,
        steps_per_epoch: usize,
    ) -> Result<(Monitor<'a>, Parameters)> {
        let (objective, encoder, device) = (&*job.objective, &*job.encoder, &job.device);
        let mut weights = objective::init(objective, encoder, &job.spec, job.config.seed, device);
        ema::init(&mut weights, *job.config.train.ema.get());
        let mut parameters = Parameters {
            weights,
            ..Parameters::default()
        };
        let now = Instant::now();
        let mut monitor = Monitor {
            job,
            folder,
            state: State::default(),
            steps: match job.config.train.steps {
                0 => job.config.train.epochs.get() * steps_per_epoch,
                steps => steps,
            },
            steps_per_epoch,
            lines: Vec::new(),
            best: None,
            held_out: HeldOut::read(job)?,
            started: (now, 0.0),
            window: (now, 0),
            saved: (now, Duration::ZERO),
        };
        match (start, folder) {
            (Start::Fresh, _) => {}
            (Start::From(mut given, path), _) => {
                let fresh = parameters.weights.under("encoder");
                latent::complete(encoder, &mut given, &fresh);
                given.check_like(&fresh, &path)?;
                parameters.weights.extend(given.prefixed("encoder"));
                objective.after_init(&mut parameters.weights);
                ema::init(&mut parameters.weights, *job.config.train.ema.get());
            }
            (Start::Resume, None) => {
                return Err(Error::data("a training without a folder cannot be resumed"));
            }
            (Start::Resume, Some(folder)) => {
                let last = Checkpoint::read(&folder.checkpoint(), &parameters.weights, device)?;
                monitor.lines = folder.read_metrics(last.state.step)?;
                monitor.started.1 = last.state.seconds;
                monitor.state = last.state;
                parameters = Parameters {
                    weights: last.weights,
                    optimizers: last.optimizers,
                };
                if job.config.train.keep_best != Metric::None && folder.best().exists() {
                    monitor.best = Some(read_weights(&folder.best(), device)?);
                }
            }
        }
        if let Some(folder) = folder {
            folder.write_metrics(&monitor.lines)?;
            if monitor.state.step == 0 {
                monitor.save(&parameters)?;
            }
        }
        monitor.window.0 = Instant::now();
        monitor.saved.0 = Instant::now();
        Ok((monitor, parameters))
    }

    /// The steps to come.
    pub fn remaining(&self) -> Range<usize> {
        let end = match self.stopped_early() {
            true => self.state.step,
            false => self.steps,
        };
        self.state.step..end
    }

    /// Share of the training that `step` steps are, in 0..=1.
    pub fn share_of(&self, step: usize) -> f64 {
        step as f64 / self.steps as f64
    }

    /// Takes down what a step measured, and says whether another follows.
    ///
    /// # Errors
    /// Files that cannot be written, an interruption.
    pub fn end_step(
        &mut self,
        measured: Measured,
        parameters: &Parameters,
        progress: &mut dyn FnMut(&Progress),
        stop: &AtomicBool,
    ) -> Result<ControlFlow<()>> {
        self.state.step += 1;
        self.state.samples += measured.samples;
        self.state.seconds = self.started.1 + self.started.0.elapsed().as_secs_f64();
        self.state.record_step(&measured.values);
        self.window.1 += measured.samples;
        let images_per_s = self.window.1 as f64 / self.window.0.elapsed().as_secs_f64();
        let now = |warning: &&Warning| warning.step == Some(self.state.step);
        let warnings = self.state.warnings.iter();
        progress(&Progress {
            step: self.state.step,
            steps: self.steps,
            epoch: self.epoch(),
            loss: measured.loss,
            images_per_s,
            warnings: warnings.filter(now).cloned().collect(),
        });
        let mut values = measured.values;
        values.insert("images_per_s".into(), images_per_s);
        if self.window.0.elapsed() > Duration::from_secs(5) {
            self.window = (Instant::now(), 0);
        }
        let epoch_done = self.ends_epoch(self.state.step);
        if epoch_done {
            self.end_epoch(&mut values, &parameters.weights)?;
        }
        let every = self.job.config.train.log_every;
        if epoch_done || self.state.step.is_multiple_of(every) || self.state.step == 1 {
            self.log(values)?;
        }
        let asked = stop.load(Ordering::Relaxed);
        let ends = asked || self.state.step == self.steps || self.stopped_early();
        let (saved, writing) = self.saved;
        if ends || checkpoint::due(epoch_done, saved.elapsed(), writing) {
            let begun = Instant::now();
            self.save(parameters)?;
            self.saved = (Instant::now(), begun.elapsed());
        }
        if asked && self.state.step < self.steps {
            return Err(self.interrupted());
        }
        Ok(match ends {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    }

    /// Epoch of the latest step, from 1.
    fn epoch(&self) -> usize {
        1 + (self.state.step.max(1) - 1) / self.steps_per_epoch
    }

    /// Whether an epoch, the last of which may be cut short, ends with `step`.
    fn ends_epoch(&self, step: usize) -> bool {
        step.is_multiple_of(self.steps_per_epoch) || step == self.steps
    }

    /// Notes what is wrong at the coming step, each kind of thing once.
    pub fn warn(&mut self, kind: WarningKind, text: String) {
        let warnings = &mut self.state.warnings;
        if warnings.iter().all(|known| known.kind != kind) {
            let step = Some(self.state.step + 1);
            warnings.push(Warning { kind, step, text });
        }
    }

    /// Whether the features of the coming step are measured: at logged steps and at the ends of epochs.
    pub fn looks_at_features(&self) -> bool {
        let next = self.state.step + 1;
        next.is_multiple_of(self.job.config.train.log_every) || self.ends_epoch(next)
    }

    /// Whether what they show can be a failure: not in the first steps, in which any encoder's are alike.
    pub fn is_under_way(&self) -> bool {
        self.state.step + 1 >= 10
    }

    /// That the loss of the coming step is no number.
    pub fn diverged(&self, loss: f64) -> Error {
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
            self.job.config.train.learning_rate.get()
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
    fn end_epoch(&mut self, values: &mut BTreeMap<String, f64>, weights: &Weights) -> Result<()> {
        let settings = &self.job.config.train;
        let mut means = self.state.epoch_means();
        let mut ends = BTreeMap::from([("epoch_loss".to_owned(), means["loss"])]);
        if settings.online_probe
            && let Some(accuracy) = online::accuracy(self.job, &settings.export.encoder(weights))?
        {
            ends.insert("online_probe".into(), accuracy);
        }
        if let Some(held_out) = &self.held_out {
            // Of the layer that learned, at the end of its phase too.
            let progress = self.share_of(self.state.step - 1);
            ends.extend(held_out.measure(self.job, weights, progress));
        }
        means.extend(ends.clone());
        values.extend(ends);
        self.state.stopping.record_epoch(settings.stop_on, &means);
        if self.state.kept.record_epoch(settings.keep_best, &means) {
            if let Some(folder) = self.folder {
                write_weights(&folder.best(), weights)?;
            }
            self.best = Some(weights.clone());
        }
        Ok(())
    }

    fn stopped_early(&self) -> bool {
        let settings = &self.job.config.train;
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

    fn save(&self, parameters: &Parameters) -> Result<()> {
        let Some(folder) = self.folder else {
            return Ok(());
        };
        if !optim::finite(&parameters.weights) {
            let text = format!(
                "a weight is no longer finite after step {}; the last good checkpoint is kept. \
                 Lower train.learning_rate, or set train.clip=1",
                self.state.step
            );
            return Err(Error::Diverged(text));
        }
        let checkpoint = Checkpoint {
            state: self.state.clone(),
            weights: parameters.weights.clone(),
            optimizers: parameters.optimizers.clone(),
        };
        checkpoint.write(&folder.checkpoint())
    }

    /// The result.
    pub fn finish(self, weights: Weights, bad: Vec<BadFile>) -> Trained {
        let export = self.job.config.train.export;
        let model = export.model(&self.best.unwrap_or(weights));
        Trained {
            encoder: model.under("encoder"),
            model,
            steps: self.state.step,
            seconds: self.state.seconds,
            samples: self.state.samples,
            warnings: self.state.warnings,
            head: None,
            bad,
            lines: self.lines,
        }
    }
}
