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
use crate::job::RunViews;
use crate::nn::weights::rng_for;
use crate::objective::{Batch, Stream, ViewKind};
use crate::views::{Key, sample_key};

/// Batches that may wait ready.
const AHEAD: usize = 2;

/// One stream, with the rows it draws from.
#[derive(Clone, Debug)]
pub struct Source {
    /// Rows of the dataset, at least one.
    pub rows: Vec<usize>,
    /// The same rows by class, at least one each, where each class is shown as often; empty where all rows are.
    pub classes: Vec<Vec<usize>>,
    /// Samples and views.
    pub stream: Stream,
    /// Rows per step.
    pub batch: usize,
}

/// Rows in the order of one pass over them.
#[derive(Default)]
struct Order {
    pass: usize,
    rows: Vec<usize>,
}

impl Order {
    /// Row number `place` of pass `pass` over `rows`, whose order `name` and the seed give.
    fn row(
        &mut self,
        rows: &[usize],
        (pass, place): (usize, usize),
        name: &str,
        seed: u64,
    ) -> usize {
        if self.pass != pass || self.rows.is_empty() {
            let mut rows = rows.to_vec();
            rows.shuffle(&mut rng_for(&format!("order/{name}/{pass}"), seed));
            *self = Order { pass, rows };
        }
        self.rows[place]
    }
}

impl Source {
    /// Steps in one pass over the rows; what does not fill a batch waits for another pass.
    pub fn steps(&self) -> usize {
        (self.rows.len() / self.batch).max(1)
    }

    /// Orders before the first step: one, or one of each class.
    fn orders(&self) -> Vec<Order> {
        let count = self.classes.len().max(1);
        std::iter::repeat_with(Order::default).take(count).collect()
    }

    /// The rows of step `step`, each with the number of the pass it is of. Fewer rows than a batch are gone through one pass after the
    /// other, and so is each class where all are shown as often.
    fn at(&self, step: usize, orders: &mut [Order], name: &str, seed: u64) -> Vec<(usize, usize)> {
        if !self.classes.is_empty() {
            return self.balanced_at(step, orders, name, seed);
        }
        let place = |i: usize| match self.batch <= self.rows.len() {
            true => (step / self.steps(), step % self.steps() * self.batch + i),
            false => {
                let seen = step * self.batch + i;
                (seen / self.rows.len(), seen % self.rows.len())
            }
        };
        let rows = (0..self.batch).map(|i| {
            let at = place(i);
            (orders[0].row(&self.rows, at, name, seed), at.0)
        });
        rows.collect()
    }

    /// [`Source::at`] where the classes take turns.
    fn balanced_at(
        &self,
        step: usize,
        orders: &mut [Order],
        name: &str,
        seed: u64,
    ) -> Vec<(usize, usize)> {
        let rows = (0..self.batch).map(|i| {
            let seen = step * self.batch + i;
            let class = seen % self.classes.len();
            let (rows, nth) = (&self.classes[class], seen / self.classes.len());
            let at = (nth / rows.len(), nth % rows.len());
            let name = format!("{name}/class{class}");
            (orders[class].row(rows, at, &name, seed), at.0)
        });
        rows.collect()
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
pub struct LoaderPlan<'a> {
    /// The data.
    pub dataset: &'a Dataset,
    /// The views.
    pub views: &'a RunViews,
    /// The streams.
    pub sources: Vec<Source>,
    /// Seed of the run.
    pub seed: u64,
}

impl Loader {
    /// Starts loading steps `steps` in a thread of `scope`.
    ///
    /// # Errors
    /// If no thread pool can be had.
    pub fn start<'scope, 'a: 'scope>(
        scope: &'scope Scope<'scope, '_>,
        plan: LoaderPlan<'a>,
        steps: std::ops::Range<usize>,
    ) -> Result<Loader> {
        let pool = rayon::ThreadPoolBuilder::new()
            .thread_name(|i| format!("loader-{i}"))
            .build()
            .map_err(|e| Error::data(format!("cannot start the loading threads: {e}")))?;
        let (send, batches) = sync_channel(AHEAD);
        let bad = Arc::new(Mutex::new(BTreeMap::new()));
        let shared = bad.clone();
        let shapes = |source: &Source| {
            let views = plan.views.of_stream(&source.stream).into_iter();
            views.map(|views| views.input().shape).collect()
        };
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
    plan: &LoaderPlan,
    steps: std::ops::Range<usize>,
    send: &SyncSender<Result<Loaded>>,
    bad: &Mutex<BTreeMap<usize, BadFile>>,
) {
    let mut orders: Vec<Vec<Order>> = plan.sources.iter().map(Source::orders).collect();
    for step in steps {
        let mut streams = Vec::new();
        for (i, source) in plan.sources.iter().enumerate() {
            let rows = source.at(step, &mut orders[i], &i.to_string(), plan.seed);
            streams.push(load(plan, i, &rows, bad));
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
    plan: &LoaderPlan,
    stream: usize,
    rows: &[(usize, usize)],
    bad: &Mutex<BTreeMap<usize, BadFile>>,
) -> Result<(Vec<Vec<f32>>, Vec<usize>)> {
    let view_kinds = &plan.sources[stream].stream.view_kinds;
    let views = plan.views.of_stream(&plan.sources[stream].stream);
    let sizes: Vec<usize> = views.iter().map(|views| views.input().len()).collect();
    let all: usize = sizes.iter().sum();
    let one = |&(row, pass): &(usize, usize)| -> Result<Vec<f32>> {
        let sample = plan.dataset.samples.get(row)?;
        let mut all = vec![0.0; all];
        let mut rest = &mut all[..];
        for (view, &kind) in view_kinds.iter().enumerate() {
            let (out, after) = rest.split_at_mut(sizes[view]);
            rest = after;
            let key = Key {
                seed: plan.seed,
                epoch: pass as u64,
                stream: stream as u64,
                sample: sample_key(&plan.dataset.ids[row]),
                view: view as u64,
            };
            match kind {
                ViewKind::Plain => views[view].plain(&sample, out)?,
                _ => views[view].random(&sample, key, out)?,
            }
        }
        Ok(all)
    };
    let done: Vec<Result<Vec<f32>>> = rows.par_iter().map(one).collect();
    let room = |&size: &usize| Vec::with_capacity(size * rows.len());
    let mut made: Vec<Vec<f32>> = sizes.iter().map(room).collect();
    let mut kept = Vec::with_capacity(rows.len());
    for (&(row, _), result) in rows.iter().zip(done) {
        match result {
            Ok(values) => {
                kept.push(row);
                let mut rest = &values[..];
                for (view, &size) in made.iter_mut().zip(&sizes) {
                    let (values, after) = rest.split_at(size);
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
        let first = &plan.dataset.ids[rows[0].0];
        return Err(Error::data(format!(
            "none of the {} samples of a batch could be read, `{first}` among them; \
             `hspace check` lists what is wrong",
            rows.len()
        )));
    }
    Ok((made, kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objective::Subset;

    fn source(rows: usize, batch: usize) -> Source {
        Source {
            rows: (0..rows).collect(),
            classes: vec![],
            stream: Stream::new(Subset::All, vec![ViewKind::Plain]),
            batch,
        }
    }

    fn steps(source: &Source, steps: std::ops::Range<usize>) -> Vec<Vec<(usize, usize)>> {
        let mut orders = source.orders();
        steps
            .map(|step| source.at(step, &mut orders, "0", 7))
            .collect()
    }

    #[test]
    fn a_pass_goes_through_whole_batches() {
        let found = steps(&source(10, 4), 0..4);
        for (step, rows) in found.iter().enumerate() {
            assert!(rows.iter().all(|&(_, pass)| pass == step / 2), "{rows:?}");
        }
        let mut first: Vec<usize> = found[..2].concat().iter().map(|r| r.0).collect();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), 8);
        assert_eq!(steps(&source(10, 4), 3..4)[0], found[3]);
    }

    #[test]
    fn few_rows_fill_batches_pass_by_pass() {
        let few = source(3, 7);
        let found = steps(&few, 0..6).concat();
        for pass in 0..14 {
            let mut rows: Vec<usize> = found.iter().filter(|r| r.1 == pass).map(|r| r.0).collect();
            rows.sort_unstable();
            assert_eq!(rows, [0, 1, 2], "pass {pass}");
        }
        assert_eq!(steps(&few, 4..5).concat(), found[28..35]);
    }

    /// 40 rows of one class and 4 of each of two others.
    #[test]
    fn classes_are_shown_as_often_whatever_their_size() {
        let mut unbalanced = source(48, 8);
        unbalanced.classes = vec![(0..40).collect(), (40..44).collect(), (44..48).collect()];
        let found = steps(&unbalanced, 0..15).concat();
        let count = |of: std::ops::Range<usize>| {
            let rows = found.iter().filter(|(row, _)| of.contains(row));
            rows.count()
        };
        assert_eq!([count(0..40), count(40..44), count(44..48)], [40; 3]);
        // All of the first class were seen, none of them twice; the others ten times, each time in another pass, which has other views.
        let mut seen = found.clone();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), found.len());
        assert_eq!(found.iter().filter(|seen| **seen == (41, 9)).count(), 1);
        // Each batch has nearly as many of each.
        for batch in steps(&unbalanced, 0..15) {
            let first = batch.iter().filter(|(row, _)| *row < 40).count();
            assert!((2..=3).contains(&first), "{batch:?}");
        }
        assert_eq!(steps(&unbalanced, 4..5).concat(), found[32..40]);
    }
}
