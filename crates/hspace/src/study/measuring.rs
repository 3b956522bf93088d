//! One combination trained and measured, and one baseline measured.

use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::Study;
use super::plan::Cell;
use crate::config::{self, Config};
use crate::dataset::{Dataset, Split};
use crate::device::device;
use crate::embed::embed;
use crate::error::{Error, Result};
use crate::evaluate::scaling;
use crate::job::{Job, about};
use crate::matrix::spaced;
use crate::objective::Subset;
use crate::per_draw::{Budget, PerDraw};
use crate::probe::{Contender, Labels, Measurements, ProbeOptions, measure};
use crate::source::{Source, Sources, represent_rows};
use crate::training::Start;
use crate::warning::Warning;

/// Labels a class of the few-label columns, and the points of the baseline's curve.
pub(super) const FEW: usize = 10;
const CURVE: [usize; 6] = [1, 5, FEW, 50, 100, 500];

/// One training, measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) cell: Cell,
    pub(super) seed: u64,
    /// Whether it saw the training labels.
    pub(super) labels: bool,
    pub(super) steps: usize,
    pub(super) batch: usize,
    pub(super) images_per_s: f64,
    pub(super) warnings: Vec<Warning>,
    pub(super) measured: Measurements,
}

/// What came of a training.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Found {
    /// It ended.
    Measured(Box<Outcome>),
    /// It could not go on, and why.
    Diverged { diverged: String },
}

impl Study {
    fn dataset(&self, cell: &Cell) -> &Dataset {
        let place = self.plan.data.iter().position(|data| *data == cell.data);
        &self.datasets[place.expect("cells are made of the plan's data")]
    }

    pub(super) fn job(&self, cell: &Cell, seed: u64, steps: usize) -> Result<Job<'_>> {
        let dataset = self.dataset(cell);
        let mut table = Table::new();
        table.insert("data".into(), cell.data.clone().into());
        table.insert("device".into(), self.plan.device.clone().into());
        table.insert("seed".into(), (seed as i64).into());
        for (key, text) in [("encoder", &cell.encoder), ("objective", &cell.objective)] {
            table.insert(key.into(), config::section(text)?.into());
        }
        let train = [
            ("steps", Value::from(steps as i64)),
            ("online_probe", false.into()),
        ];
        let train = train.map(|(key, value)| (key.to_owned(), value));
        table.insert("train".into(), Table::from_iter(train).into());
        let assign = |assignment: &String| config::set(&mut table, assignment).err();
        let problems: Vec<String> = self.plan.set.iter().filter_map(assign).collect();
        if !problems.is_empty() {
            return Err(Error::Config(problems));
        }
        Job::new(Config::resolve(table, about(dataset))?, dataset, None)
    }

    /// The rows that are measured: training samples spread over all, and every val and test sample.
    fn rows(&self, dataset: &Dataset) -> Vec<usize> {
        let train = dataset.indices(Split::Train);
        let picked = spaced(train.len(), self.plan.samples.min(train.len()));
        let mut rows: Vec<usize> = picked.into_iter().map(|i| train[i]).collect();
        rows.extend(dataset.indices(Split::Val));
        rows.extend(dataset.indices(Split::Test));
        rows.sort_unstable();
        rows
    }

    pub(super) fn train(
        &self,
        cell: &Cell,
        rate: f64,
        seed: u64,
        stop: &AtomicBool,
    ) -> Result<Outcome> {
        let batch = *self.job(cell, seed, 0)?.config.train.batch_size.get();
        let steps = ((self.plan.seconds * rate / batch as f64) as usize).max(1);
        let job = self.job(cell, seed, steps)?;
        let trained = job.run(None, Start::Fresh, &mut |_| (), stop)?;
        let (encoder, views, device) = job.encoder();
        let dataset = self.dataset(cell);
        let rows = self.rows(dataset);
        let weights = &trained.encoder;
        let embedded = embed(encoder, weights, views, dataset, &rows, device, &mut |_| ())?;
        let name = cell.objective.clone();
        let learned = represent_rows(dataset, &name, embedded, cell.key());
        let options = options(dataset, &[FEW])?;
        let contender = vec![Contender::Fixed(learned)];
        Ok(Outcome {
            cell: cell.clone(),
            seed,
            labels: job.streams().iter().any(|s| s.subset == Subset::Labelled),
            steps,
            batch,
            images_per_s: rate,
            warnings: trained.warnings,
            measured: measure(contender, &options, &cell.data, &mut |_| ())?,
        })
    }

    pub(super) fn baseline(
        &self,
        index: usize,
        name: &str,
        stop: &AtomicBool,
    ) -> Result<Measurements> {
        let dataset = &self.datasets[index];
        let mut rows = self.rows(dataset);
        let contender = match Source::parse(name)? {
            Source::Learner(learner) => {
                rows.retain(|&row| dataset.samples.get(row).is_ok());
                let Some(task) = dataset.task() else {
                    return Err(Error::data(format!("{name} needs a label column")));
                };
                let per_draw = PerDraw {
                    name: name.to_owned(),
                    base: learner.base(&[], &self.plan.device)?,
                    budget: Budget::of(&*learner.objective()?),
                    learner: *learner,
                    dataset,
                    rows,
                    labels_alone: None,
                };
                per_draw.contender(task, stop)?
            }
            source => {
                let device = device(&self.plan.device)?;
                let sources = Sources::new(dataset, device, 0).only(rows);
                Contender::Fixed(
                    sources
                        .raw_vectors()
                        .represent(name, &source, &mut |_| ())?,
                )
            }
        };
        let options = options(dataset, if name == "pixels" { &CURVE } else { &[FEW] })?;
        let contender = vec![contender];
        measure(contender, &options, &self.plan.data[index], &mut |_| ())
    }
}

fn options(dataset: &Dataset, few: &[usize]) -> Result<ProbeOptions> {
    let mut labels: Vec<Labels> = few.iter().map(|&n| Labels::PerClass(n)).collect();
    labels.push(Labels::All);
    Ok(ProbeOptions {
        probes: ["linear", "knn"].map(String::from).to_vec(),
        labels,
        scaling: scaling(dataset)?,
        ..ProbeOptions::default()
    })
}
