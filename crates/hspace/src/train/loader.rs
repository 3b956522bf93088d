//! Batches ahead of the training step.
//!
//! What step s sees is a pure function of (seed, s): the order of samples of each pass over the
//! data, and each view's key. A thread decodes and augments the coming batches on its own pool
//! while the step runs; how many threads there are changes nothing but the speed.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::Scope;

use burn_tensor::{Tensor, TensorData};
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::dataset::{BadFile, Dataset, Shape};
use crate::device::Device;
use crate::encoder::axes;
use crate::error::{Error, Result};
use crate::network::weights::rng_for;
use crate::objective::{Batch, Look};
use crate::views::{Key, Views, sample_key};

/// Batches that may wait ready.
const AHEAD: usize = 2;

/// One stream, with the rows it draws from.
#[derive(Clone, Debug)]
pub struct Source {
    /// Rows of the dataset.
    pub rows: Vec<usize>,
    /// Views of each.
    pub looks: Vec<Look>,
    /// Rows per step.
    pub batch: usize,
}

impl Source {
    /// Steps in one pass over the rows; what does not fill a batch waits for another pass.
    pub fn steps(&self) -> usize {
        (self.rows.len() / self.batch).max(1)
    }

    /// The rows of step `step` in their order, and the number of the pass.
    fn at(&self, step: usize, order: &mut (usize, Vec<usize>), name: &str, seed: u64) -> usize {
        let pass = step / self.steps();
        if order.0 != pass || order.1.is_empty() {
            let mut rows = self.rows.clone();
            rows.shuffle(&mut rng_for(&format!("order/{name}/{pass}"), seed));
            *order = (pass, rows);
        }
        pass
    }
}

/// One step's host buffers: of each stream the views, and the rows.
struct Loaded {
    streams: Vec<(Vec<Vec<f32>>, Vec<usize>)>,
}

/// The receiving end.
pub struct Loader {
    batches: Receiver<Result<Loaded>>,
    /// Of each stream, the shapes of its views.
    shapes: Vec<Vec<Shape>>,
    bad: Arc<Mutex<BTreeMap<usize, BadFile>>>,
}

/// Everything the loading thread needs.
pub struct Plan<'a> {
    /// The data.
    pub dataset: &'a Dataset,
    /// The views.
    pub views: &'a Views,
    /// The local views.
    pub local: &'a Views,
    /// The streams.
    pub sources: Vec<Source>,
    /// Seed of the run.
    pub seed: u64,
}

impl Plan<'_> {
    /// The views that a look is.
    fn of(&self, look: Look) -> &Views {
        match look {
            Look::Random | Look::Plain => self.views,
            Look::Local => self.local,
        }
    }
}

impl Loader {
    /// Starts loading steps `steps` in a thread of `scope`.
    ///
    /// # Errors
    /// If no thread pool can be had.
    pub fn start<'scope, 'a: 'scope>(
        scope: &'scope Scope<'scope, '_>,
        plan: Plan<'a>,
        steps: std::ops::Range<usize>,
    ) -> Result<Loader> {
        let pool = rayon::ThreadPoolBuilder::new()
            .thread_name(|i| format!("loader-{i}"))
            .build()
            .map_err(|e| Error::data(format!("cannot start the loading threads: {e}")))?;
        let (send, batches) = sync_channel(AHEAD);
        let bad = Arc::new(Mutex::new(BTreeMap::new()));
        let shared = bad.clone();
        let shape = |&look: &Look| plan.of(look).input().shape;
        let shapes = |source: &Source| source.looks.iter().map(shape).collect();
        let shapes = plan.sources.iter().map(shapes).collect();
        scope.spawn(move || pool.install(|| produce(&plan, steps, &send, &shared)));
        Ok(Loader {
            batches,
            shapes,
            bad,
        })
    }

    /// The next step's batches, one per stream, on the device.
    ///
    /// # Errors
    /// If no sample of a batch could be read.
    pub fn next(&self, device: &Device) -> Result<Vec<Batch>> {
        let loaded = self
            .batches
            .recv()
            .map_err(|_| Error::data("the loading thread ended early"))??;
        let mut batches = Vec::with_capacity(self.shapes.len());
        for ((views, rows), shapes) in loaded.streams.into_iter().zip(&self.shapes) {
            let tensor = |(values, &shape)| {
                let axes = axes(rows.len(), shape);
                Tensor::from_data(TensorData::new(values, axes), device)
            };
            let views = views.into_iter().zip(shapes).map(tensor).collect();
            batches.push(Batch { views, rows });
        }
        Ok(batches)
    }

    /// Samples that could not be read so far, by row.
    pub fn bad(&self) -> Vec<BadFile> {
        let bad = self
            .bad
            .lock()
            .expect("no thread panics with the lock held");
        bad.values().cloned().collect()
    }
}

fn produce(
    plan: &Plan,
    steps: std::ops::Range<usize>,
    send: &SyncSender<Result<Loaded>>,
    bad: &Mutex<BTreeMap<usize, BadFile>>,
) {
    let mut orders = vec![(0, Vec::new()); plan.sources.len()];
    for step in steps {
        let mut streams = Vec::new();
        for (i, source) in plan.sources.iter().enumerate() {
            let pass = source.at(step, &mut orders[i], &i.to_string(), plan.seed);
            let start = (step % source.steps()) * source.batch;
            let end = (start + source.batch).min(orders[i].1.len());
            streams.push(load(plan, source, &orders[i].1[start..end], pass, bad));
        }
        let result = streams.into_iter().collect::<Result<Vec<_>>>();
        let failed = result.is_err();
        let sent = send.send(result.map(|streams| Loaded { streams }));
        if sent.is_err() || failed {
            return;
        }
    }
}

/// Views of the rows, one buffer per look; rows that cannot be read are left out.
fn load(
    plan: &Plan,
    source: &Source,
    rows: &[usize],
    pass: usize,
    bad: &Mutex<BTreeMap<usize, BadFile>>,
) -> Result<(Vec<Vec<f32>>, Vec<usize>)> {
    let len = |look: Look| plan.of(look).input().len();
    let all: usize = source.looks.iter().map(|&look| len(look)).sum();
    let one = |&row: &usize| -> Result<Vec<f32>> {
        let sample = plan.dataset.samples.get(row)?;
        let mut all = vec![0.0; all];
        let mut rest = &mut all[..];
        for (view, &look) in source.looks.iter().enumerate() {
            let (out, after) = rest.split_at_mut(len(look));
            rest = after;
            let key = Key {
                seed: plan.seed,
                epoch: pass as u64,
                sample: sample_key(&plan.dataset.ids[row]),
                view: view as u64,
            };
            match look {
                Look::Random | Look::Local => plan.of(look).random(&sample, key, out)?,
                Look::Plain => plan.views.plain(&sample, out)?,
            }
        }
        Ok(all)
    };
    let done: Vec<Result<Vec<f32>>> = rows.par_iter().map(one).collect();
    let room = |&look: &Look| Vec::with_capacity(len(look) * rows.len());
    let mut views: Vec<Vec<f32>> = source.looks.iter().map(room).collect();
    let mut kept = Vec::with_capacity(rows.len());
    for (&row, result) in rows.iter().zip(done) {
        match result {
            Ok(values) => {
                kept.push(row);
                let mut rest = &values[..];
                for (view, &look) in views.iter_mut().zip(&source.looks) {
                    let (values, after) = rest.split_at(len(look));
                    view.extend_from_slice(values);
                    rest = after;
                }
            }
            Err(error) => {
                let path = plan.dataset.ids[row].clone();
                let reason = error.to_string();
                let mut bad = bad.lock().expect("no thread panics with the lock held");
                bad.entry(row).or_insert(BadFile { path, reason });
            }
        }
    }
    if kept.is_empty() {
        let first = &plan.dataset.ids[rows[0]];
        return Err(Error::data(format!(
            "none of the {} samples of a batch could be read, `{first}` among them; \
             `hspace check` lists what is wrong",
            rows.len()
        )));
    }
    Ok((views, kept))
}
