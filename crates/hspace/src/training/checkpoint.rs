//! Checkpoints: one safetensors file with weights, optimizer moments and the state of the run.
//!
//! One file, because one rename replaces it whole: a run killed at any instant has the old
//! checkpoint or the new one, never half of each. The safetensors header holds offsets of all
//! tensors, so a file cut short is recognised.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::device::Device;
use safetensors::tensor::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::config::Metric;
use crate::error::{Error, Result};
use crate::file;
use crate::nn::files::{broken, parse, read_tensors, to_bytes};
use crate::nn::weights::{values, vector};
use crate::nn::{Weight, Weights};
use crate::optim::OptimizerState;
use crate::warning::Warning;

/// Where a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Steps done.
    pub step: usize,
    /// Samples seen, of all streams; a checkpoint of version 0.1.0 does not say.
    #[serde(default)]
    pub samples: usize,
    /// Seconds of training so far, over all resumptions.
    pub seconds: f64,
    /// Updates that each update group's optimizer has made of each weight, by group and weight.
    pub updates: BTreeMap<String, BTreeMap<String, u64>>,
    /// Of the metric that `keep_best` names.
    pub kept: Record,
    /// Of the metric that `stop_on` names.
    pub stopping: Record,
    /// Sum and number of what was measured in the epoch under way, by name.
    pub epoch: BTreeMap<String, (f64, usize)>,
    /// Warnings so far.
    pub warnings: Vec<Warning>,
}

impl State {
    /// Notes what a step measured, as far as it is finite.
    pub fn record_step(&mut self, values: &BTreeMap<String, f64>) {
        for (name, value) in values.iter().filter(|(_, value)| value.is_finite()) {
            let (sum, count) = self.epoch.entry(name.clone()).or_default();
            *sum += value;
            *count += 1;
        }
    }

    /// The means of what was measured since the last call, by name.
    pub fn epoch_means(&mut self) -> BTreeMap<String, f64> {
        let measured = std::mem::take(&mut self.epoch).into_iter();
        let mean = |(name, (sum, count))| (name, sum / count as f64);
        measured.map(mean).collect()
    }
}

/// The best epoch so far by one metric.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its value.
    pub best: Option<f64>,
    /// Epochs since.
    pub epochs_since: usize,
}

impl Record {
    /// Hears an epoch's means: whether it is the best so far. An epoch without the metric counts not.
    pub fn record_epoch(&mut self, metric: Metric, values: &BTreeMap<String, f64>) -> bool {
        let Some(value) = metric.of(values) else {
            return false;
        };
        let is_best = self.best.is_none_or(|best| metric.better(value, best));
        match is_best {
            true => (self.best, self.epochs_since) = (Some(value), 0),
            false => self.epochs_since += 1,
        }
        is_best
    }
}

/// All that is needed to go on.
pub struct Checkpoint {
    /// Where the run is.
    pub state: State,
    /// Every weight.
    pub weights: Weights,
    /// Optimizer state by update group.
    pub optimizers: BTreeMap<String, OptimizerState>,
}

/// So long after the last checkpoint one is due wherever the run is.
const AFTER: Duration = Duration::from_secs(120);

/// Whether a checkpoint is due `since` the last one, which took `writing`: at an epoch's end where that takes no
/// more than a fiftieth of the time, and after two minutes where it takes no more than a tenth.
pub fn due(epoch_done: bool, since: Duration, writing: Duration) -> bool {
    (epoch_done && since > 49 * writing) || (since > AFTER && since > 9 * writing)
}

const STATE: &str = "hspace_state";

impl Checkpoint {
    /// Writes the checkpoint, whole.
    ///
    /// # Errors
    /// Names the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut tensors = Vec::new();
        for (name, w) in self.weights.iter() {
            tensors.push((
                format!("weights/{name}"),
                w.shape.clone(),
                values(w.value.clone()),
            ));
        }
        let mut state = self.state.clone();
        for (group, optimizer) in &self.optimizers {
            let updates = state.updates.entry(group.clone()).or_default();
            for (name, past) in optimizer {
                updates.insert(name.clone(), past.updates);
                for (i, moment) in past.moments.iter().enumerate() {
                    let moment = values(moment.clone());
                    let name = format!("optimizer/{group}/{i}/{name}");
                    tensors.push((name, vec![moment.len()], moment));
                }
            }
        }
        let state = serde_json::to_string(&state).map_err(|e| Error::file(path, e))?;
        let metadata = [(STATE.to_owned(), state)].into();
        file::write_whole(path, &to_bytes(&tensors, Some(metadata))?)
    }

    /// Reads a checkpoint into weights like `like` (same names, shapes and roles).
    ///
    /// # Errors
    /// Names the file: missing, cut short, of another network.
    pub fn read(path: &Path, like: &Weights, device: &Device) -> Result<Checkpoint> {
        let bytes = file::read(path)?;
        let tensors = parse(path, &bytes)?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| broken(path, &e))?;
        let state = header.metadata().as_ref().and_then(|m| m.get(STATE));
        let state = state.ok_or_else(|| Error::file(path, "is no checkpoint of hspace"))?;
        let state: State = serde_json::from_str(state).map_err(|e| {
            let problem = format!("is of another version of hspace ({e}); train again");
            Error::file(path, problem)
        })?;
        let mut weights = Weights::default();
        let mut optimizers: BTreeMap<String, OptimizerState> = BTreeMap::new();
        for (group, updates) in &state.updates {
            let optimizer = optimizers.entry(group.clone()).or_default();
            for (name, &updates) in updates {
                optimizer.entry(name.clone()).or_default().updates = updates;
            }
        }
        // Sorted, so that moment 0 of a weight comes before its moment 1.
        for (name, shape, values) in read_tensors(path, &tensors)? {
            let value = vector(values, device);
            if let Some(name) = name.strip_prefix("weights/") {
                let trained = like.get(name).is_some_and(|w| w.trained);
                weights.insert(
                    name.to_owned(),
                    Weight {
                        value,
                        shape,
                        trained,
                    },
                );
            } else if let [_, group, _, name] = name.splitn(4, '/').collect::<Vec<_>>()[..] {
                let optimizer = optimizers.entry(group.to_owned()).or_default();
                let past = optimizer.entry(name.to_owned()).or_default();
                past.moments.push(value);
            }
        }
        weights.check_like(like, path)?;
        Ok(Checkpoint {
            state,
            weights,
            optimizers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::WeightState;

    fn checkpoint(device: &Device) -> Checkpoint {
        let mut weights = Weights::default();
        for (name, trained) in [
            ("encoder.a", true),
            ("encoder.b", true),
            ("encoder.running_mean", false),
        ] {
            let value = vector(vec![1.5, -2.0, 1e-30, 4.0], device);
            let shape = vec![2, 2];
            weights.insert(
                name.into(),
                Weight {
                    value,
                    shape,
                    trained,
                },
            );
        }
        // One of two weights joined later.
        let optimizer = [("encoder.a", 7), ("encoder.b", 3)].map(|(name, updates)| {
            let moments = (0..2).map(|i| vector(vec![i as f32; 4], device)).collect();
            (name.to_owned(), WeightState { updates, moments })
        });
        let optimizer = OptimizerState::from(optimizer);
        Checkpoint {
            state: State {
                step: 12,
                kept: Record {
                    best: Some(0.5),
                    epochs_since: 2,
                },
                ..State::default()
            },
            weights,
            optimizers: [("all".to_owned(), optimizer)].into(),
        }
    }

    #[test]
    fn writing_takes_little_of_the_time_and_little_is_lost() {
        let [step, hour] = [0.05, 3600.0].map(Duration::from_secs_f64);
        for (steps_per_epoch, seconds) in [
            (1, 0.1),
            (1, 5.0),
            (200, 0.1),
            (200, 5.0),
            (100_000, 5.0),
            (1, 30.0),
        ] {
            let cost = Duration::from_secs_f64(seconds);
            let (mut now, mut last, mut writing, mut written) =
                (Duration::ZERO, Duration::ZERO, Duration::ZERO, 0u32);
            let mut steps = 0;
            while now < hour {
                now += step;
                steps += 1;
                if due(steps % steps_per_epoch == 0, now - last, writing) {
                    now += cost;
                    (last, writing, written) = (now, cost, written + 1);
                }
                assert!(now - last <= AFTER.max(9 * cost) + step);
            }
            let share = (written * cost).as_secs_f64() / now.as_secs_f64();
            // A tenth where two minutes are not enough to write in a fiftieth of the time.
            let most = if seconds > 2.0 { 0.101 } else { 0.0201 };
            assert!(
                share < most,
                "{steps_per_epoch} steps, {seconds} s: {share}"
            );
            // Short epochs are saved as often as that allows.
            assert!((steps_per_epoch, seconds) != (1, 0.1) || share > 0.018);
            assert!((steps_per_epoch, seconds) != (1, 30.0) || share > 0.09);
        }
    }

    #[test]
    fn an_epoch_counts_with_its_means_even_when_it_was_interrupted() {
        let device = Device::cpu();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        let mut stopped = checkpoint(&device);
        let step = |spread: f64, norm: f64| {
            BTreeMap::from([("spread".into(), spread), ("gradient_norm".into(), norm)])
        };
        stopped.state.epoch.clear();
        stopped.state.record_step(&step(0.5, 2.0));
        // What is not finite must not spoil the file.
        stopped.state.record_step(&step(0.7, f64::INFINITY));
        stopped.write(&path).unwrap();
        let read = Checkpoint::read(&path, &stopped.weights, &device).unwrap();
        let mut state = read.state;
        state.record_step(&step(0.9, 4.0));
        let means = state.epoch_means();
        assert!((means["spread"] - 0.7).abs() < 1e-12, "{means:?}");
        assert_eq!(means["gradient_norm"], 3.0);
        assert!(state.epoch_means().is_empty());
    }

    #[test]
    fn what_stops_and_what_is_kept_go_by_their_own_metrics() {
        let (mut stopping, mut kept) = (Record::default(), Record::default());
        let mut best = Vec::new();
        for (probe, loss) in [(0.3, 0.5), (0.4, 0.6), (0.4, 0.4), (0.2, 0.3)] {
            let named = [("online_probe", probe), ("epoch_loss", loss)];
            let values = named.map(|(name, value)| (name.to_owned(), value)).into();
            stopping.record_epoch(Metric::OnlineProbe, &values);
            best.push(kept.record_epoch(Metric::EpochLoss, &values));
            assert!(!Record::default().record_epoch(Metric::Alignment, &values));
        }
        assert_eq!(best, [true, false, true, true]);
        assert_eq!((stopping.epochs_since, stopping.best), (2, Some(0.4)));
        assert_eq!((kept.epochs_since, kept.best), (0, Some(0.3)));
    }

    #[test]
    fn reads_what_it_wrote() {
        let device = Device::cpu();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        let written = checkpoint(&device);
        written.write(&path).unwrap();
        let read = Checkpoint::read(&path, &written.weights, &device).unwrap();
        assert_eq!(
            (read.state.step, &read.state.kept),
            (12, &written.state.kept)
        );
        for (name, updates) in [("encoder.a", 7), ("encoder.b", 3)] {
            let past = &read.optimizers["all"][name];
            assert_eq!(past.updates, updates);
            assert_eq!(values(past.moments[1].clone()), [1.0; 4]);
        }
        for (name, weight) in written.weights.iter() {
            let again = read.weights.get(name).unwrap();
            assert_eq!(again.trained, weight.trained);
            assert_eq!(values(again.value.clone()), values(weight.value.clone()));
        }
    }

    #[test]
    fn a_file_cut_short_is_named() {
        let device = Device::cpu();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        let written = checkpoint(&device);
        written.write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for keep in [0, 4, 100, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..keep]).unwrap();
            let Err(error) = Checkpoint::read(&path, &written.weights, &device) else {
                panic!("{keep} bytes of {} were taken", bytes.len());
            };
            let text = error.to_string();
            assert!(
                text.contains("last.safetensors") && text.contains("cut short"),
                "{text}"
            );
        }
    }
}
