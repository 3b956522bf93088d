//! How well a training does on samples that it does not learn from, compared with some that it does: overfitting, without labels.

use std::collections::BTreeMap;

use burn_tensor::{Tensor, TensorData};

use crate::dataset::{Split, groups};
use crate::embed::inputs;
use crate::encoder::axes;
use crate::error::Result;
use crate::job::{Job, PROBED};
use crate::matrix::{Matrix, spaced};
use crate::nn::{Mode, Pass, Weights};
use crate::objective::Net;

/// The rows that a training learns from, and those that overfitting is measured on.
pub(super) struct Parts {
    /// Rows that are learned from.
    pub learned: Vec<usize>,
    /// Rows that are not; none where the objective asks for none.
    pub held_out: Vec<usize>,
    /// `val`, or `held_out` where there is no val split and training samples are held out.
    pub name: &'static str,
}

/// The val samples, if there are any that are not learned from; else the share of the training samples, or of their groups, that the objective
/// says, evenly spaced.
pub(super) fn parts(job: &Job) -> Parts {
    let share = job.objective.held_out();
    let learned = job.rows.clone();
    if share <= 0.0 {
        return Parts {
            learned,
            held_out: vec![],
            name: "held_out",
        };
    }
    let mut val = job.dataset.indices(Split::Val);
    val.retain(|row| job.rows.binary_search(row).is_err());
    if !val.is_empty() {
        return Parts {
            learned,
            held_out: val,
            name: "val",
        };
    }
    let groups = groups(&job.dataset.columns);
    let is_held_out = |&(nth, row): &(usize, usize)| {
        let unit = groups.as_ref().map_or(nth, |groups| groups[row] as usize);
        let before = |units: usize| (units as f64 * share).floor();
        before(unit + 1) > before(unit)
    };
    let all = learned.into_iter().enumerate();
    let (held_out, learned): (Vec<_>, Vec<_>) = all.partition(is_held_out);
    let rows = |part: Vec<(usize, usize)>| part.into_iter().map(|(_, row)| row).collect();
    Parts {
        learned: rows(learned),
        held_out: rows(held_out),
        name: "held_out",
    }
}

/// Samples of both parts, as the encoder takes them.
pub(super) struct HeldOut {
    train: Matrix,
    held_out: Matrix,
    name: &'static str,
}

impl HeldOut {
    /// Up to 1,000 samples of each part, evenly spaced; `None` where none are held out.
    ///
    /// # Errors
    /// A dataset whose views cannot be made.
    pub fn read(job: &Job) -> Result<Option<HeldOut>> {
        let parts = parts(job);
        if parts.held_out.is_empty() {
            return Ok(None);
        }
        let read = |rows: &[usize]| -> Result<Matrix> {
            let some = spaced(rows.len(), PROBED).into_iter().map(|i| rows[i]);
            let some: Vec<usize> = some.collect();
            Ok(inputs(&job.views.random, job.dataset, &some)?.features)
        };
        let (train, held_out) = (read(&parts.learned)?, read(&parts.held_out)?);
        Ok((train.rows > 0 && held_out.rows > 0).then_some(HeldOut {
            train,
            held_out,
            name: parts.name,
        }))
    }

    /// What the objective measures on both parts at `progress` in 0..=1 of the training: each number on training samples, on those held out, and
    /// how much higher it is on these (`gap`).
    pub fn measure(&self, job: &Job, weights: &Weights, progress: f64) -> BTreeMap<String, f64> {
        let [train, held_out] = [&self.train, &self.held_out]
            .map(|samples| job.device.run(|| means(job, weights, progress, samples)));
        let mut values = BTreeMap::new();
        for (name, train) in train {
            let Some(&held_out) = held_out.get(&name) else {
                continue;
            };
            values.insert(format!("{name}_train"), train);
            values.insert(format!("{name}_{}", self.name), held_out);
            values.insert(format!("{name}_gap"), held_out - train);
        }
        values
    }
}

/// Means over samples. What is random is the same for both parts, and in each epoch.
fn means(job: &Job, weights: &Weights, progress: f64, samples: &Matrix) -> BTreeMap<String, f64> {
    let batch = *job.config.train.batch_size.get();
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for (nth, data) in samples.data.chunks(batch * samples.cols).enumerate() {
        let n = data.len() / samples.cols;
        let data = TensorData::new(data.to_vec(), axes(n, job.spec.shape));
        let pass = Pass::new(weights, Mode::Eval, &job.device)
            .with_seed(job.config.seed ^ (nth as u64).rotate_left(32))
            .with_progress(progress);
        let net = Net::new(&*job.encoder, &pass);
        let x = Tensor::from_data(data, &job.device);
        for (name, value) in job.objective.measure_held_out(&net, &x) {
            *sums.entry(name).or_default() += value * n as f64 / samples.rows as f64;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::config::Config;
    use crate::dataset::{Dataset, OpenOptions};
    use crate::job::about;
    use crate::training::Start;
    use crate::training::streams::sources;

    const SETTINGS: &str = "objective = { name = 'dbn', held_out = 0.1 }\n[encoder]\nname = 'mlp'\nunits = [8, 8]\nnorm = false\n\
        activation = 'sigmoid'\n[train]\nepochs = 2\nbatch_size = 50\nonline_probe = false";

    fn shapes() -> Dataset {
        Dataset::open("builtin:shapes", &OpenOptions::default()).unwrap()
    }

    fn job(dataset: &Dataset) -> Job<'_> {
        let config = Config::resolve(SETTINGS.parse().unwrap(), about(dataset)).unwrap();
        Job::new(config, dataset, None).unwrap()
    }

    #[test]
    fn without_a_val_split_every_tenth_training_sample_is_held_out() {
        let dataset = shapes();
        let job = job(&dataset);
        let parts = parts(&job);
        let held_out = job.rows.iter().copied().skip(9).step_by(10);
        assert_eq!(parts.held_out, held_out.collect::<Vec<_>>());
        assert!(
            parts
                .held_out
                .iter()
                .all(|row| !parts.learned.contains(row))
        );
        assert_eq!(parts.learned.len() + parts.held_out.len(), job.rows.len());
        assert_eq!(sources(&job).unwrap()[0].rows, parts.learned);
        let trained = job.run(None, Start::Fresh, &mut |_| (), &AtomicBool::new(false));
        let lines = trained.unwrap().lines;
        // One machine each epoch.
        for layer in 0..2 {
            let of_it = |name: &str| {
                let name = format!("layer{layer}_{name}");
                let with = lines.iter().filter_map(|line| line.values.get(&name));
                let found: Vec<f64> = with.copied().collect();
                assert_eq!(found.len(), 1, "{name}");
                found[0]
            };
            for what in ["free_energy", "reconstruction"] {
                let [train, held_out, gap] =
                    ["train", "held_out", "gap"].map(|part| of_it(&format!("{what}_{part}")));
                assert!(train != held_out && gap == held_out - train);
            }
        }
    }

    #[test]
    fn groups_are_held_out_whole() {
        use crate::dataset::{Column, Role, Values};
        let mut dataset = shapes();
        let names = (0..20).map(|group| format!("p{group}")).collect();
        let index = (0..dataset.len())
            .map(|row| Some(row as u32 % 20))
            .collect();
        dataset.columns.push(Column {
            name: "patient".into(),
            role: Role::Group,
            values: Values::Classes { names, index },
        });
        let found = parts(&job(&dataset));
        let groups = |rows: &[usize]| {
            let mut all: Vec<usize> = rows.iter().map(|row| row % 20).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        assert_eq!(groups(&found.held_out), [9, 19]);
        assert_eq!(groups(&found.learned).len(), 18);
    }

    #[test]
    fn val_samples_are_held_out_where_there_are_any() {
        let mut dataset = shapes();
        let first = dataset.indices(Split::Train)[0];
        dataset.split[first] = Split::Val;
        let job = job(&dataset);
        let parts = parts(&job);
        assert_eq!((parts.name, &parts.held_out[..]), ("val", &[first][..]));
        assert_eq!(parts.learned, job.rows);
    }
}
