//! The training of an objective, as the loop sees it: the updates of a step, their gradients, what follows.

use std::collections::BTreeMap;

use super::minimise::{Evaluated, Place, Problem, Update};
use super::monitor::{Measured, Monitor};
use super::watch;
use crate::embed::to_matrix;
use crate::error::Result;
use crate::job::Job;
use crate::matrix::Matrix;
use crate::nn::{Mode, Pass, Weights};
use crate::objective::{Batch, Net, UpdateGroup};
use crate::optim::{Optimizer, ema, schedule};
use crate::warning::WarningKind;

/// An objective's training.
pub(super) struct Trainer<'a> {
    pub job: &'a Job<'a>,
    pub monitor: Monitor<'a>,
    /// What the step under way measured so far.
    pub measured: Measured,
}

impl Problem for Trainer<'_> {
    type Batch = Vec<Batch>;

    fn updates(&mut self, step: usize) -> Vec<Update> {
        let settings = &self.job.config.train;
        let share = self.monitor.share_of(step);
        let update_groups = self.job.objective.update_groups(share, &*self.job.encoder);
        let update = |group: UpdateGroup| {
            let (done, length) = group.within(step, self.monitor.steps);
            let warmup = (settings.warmup * length as f64).round() as usize;
            let factor = settings.schedule.factor(done, length, warmup);
            Update {
                group,
                optimizer: Optimizer {
                    rule: settings.optimizer,
                    weight_decay: schedule::cosine(
                        *settings.weight_decay.get(),
                        *settings.weight_decay_end.get(),
                        done as f64 / length as f64,
                    ),
                    momentum: settings.momentum,
                },
                learning_rate: settings.learning_rate.get() * factor,
                clip: settings.clip,
            }
        };
        let updates: Vec<Update> = update_groups.into_iter().map(update).collect();
        if let Some(first) = updates.first() {
            let rate = first.learning_rate;
            self.measured.values.insert("lr".into(), rate);
        }
        updates
    }

    fn gradients(
        &mut self,
        place: Place,
        batches: &Vec<Batch>,
        weights: &Weights,
    ) -> Result<Evaluated> {
        // What is random in a pass differs from step to step and from part to part.
        let seed = self.job.config.seed ^ (place.batch as u64).rotate_left(32);
        let Job {
            objective,
            encoder,
            device,
            ..
        } = self.job;
        let progress = self.monitor.share_of(place.step);
        let pass = Pass::new(weights, Mode::Train, device)
            .with_seed(seed)
            .with_progress(progress);
        let net = Net::new(&**encoder, &pass);
        let loss = objective.loss(&net, batches, place.update);
        let value = f64::from(loss.total.clone().inner().into_scalar::<f32>());
        if !value.is_finite() {
            return Err(self.monitor.diverged(value));
        }
        let metrics = loss.metrics.iter().map(|(name, part)| (*name, part));
        let of_tasks = loss.task_metrics.iter().map(|(name, part)| (&**name, part));
        for (name, part) in metrics.chain(of_tasks) {
            let part = f64::from(part.clone().inner().into_scalar::<f32>());
            self.measured.values.insert(name.to_owned(), part);
        }
        if self.monitor.looks_at_features() && !loss.features.is_empty() {
            let features = loss.features.iter();
            let features: Vec<Matrix> = features.map(|x| to_matrix(x.clone().inner())).collect();
            let health = watch::health(&features)?;
            self.measured.values.extend(health.values());
            if self.monitor.is_under_way()
                && let Some(text) = health.collapse(features[0].cols)
            {
                self.monitor.warn(WarningKind::FeatureCollapse, text);
            }
        }
        let gradients = net.gradients(&loss.total);
        self.measured.loss += value / place.batches as f64;
        if place.update == 0 {
            self.measured.samples += batches.iter().map(|b| b.rows.len()).sum::<usize>();
        }
        Ok(Evaluated {
            gradients,
            statistics: pass.into_statistics(),
        })
    }

    fn after_updates(&mut self, step: usize, weights: &mut Weights, norms: &[f64]) {
        let values: &mut BTreeMap<String, f64> = &mut self.measured.values;
        if let Some(&norm) = norms.last() {
            values.insert("gradient_norm".into(), norm);
        }
        let progress = self.monitor.share_of(step + 1);
        self.job.objective.after_step(weights, progress);
        ema::update(weights, *self.job.config.train.ema.get(), step + 1);
        values.insert("loss".into(), self.measured.loss);
        if self.monitor.looks_at_features()
            && self.monitor.is_under_way()
            && let Some((kind, text)) = self.job.objective.diagnose(values, progress)
        {
            self.monitor.warn(kind, text);
        }
    }
}
