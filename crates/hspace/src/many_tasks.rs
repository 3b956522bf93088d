//! Several tasks learned together, compared with each learned alone: the trainings, and what is measured of them.
//!
//! Every network is trained on all training samples that have a label of one of its tasks, for the same number of steps, and kept as a run
//! folder, so that a comparison that was stopped goes on, and the networks can be used. What is compared is said in
//! [`hspace_core::many_tasks`].

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

pub use hspace_core::many_tasks::{
    Compared, Learned, ManyTasks, TaskResult, TaskSource, measure_task,
};
use toml::{Table, Value};

use crate::config::{Config, merge};
use crate::dataset::{Column, Dataset, Role, Split};
use crate::embed::{Embedded, embed};
use crate::error::{Error, Result, unknown};
use crate::head;
use crate::job::{Job, about};
use crate::matrix::{Matrix, spaced};
use crate::nn::Weights;
use crate::probe::{Contender, Draw, ProbeOptions};
use crate::representation::Representation;
use crate::run::RunFolder;
use crate::source::represent_rows;
use crate::training::Start;

/// Training samples that the probe of a task held out learns from, at most.
const PROBED: usize = 10_000;

/// What is compared.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::many_tasks::TasksPlan;
/// use std::sync::atomic::AtomicBool;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let plan = TasksPlan {
///     settings: "encoder = {name = 'cnn', width = 4}\ntrain = {steps = 2, batch_size = 16}".parse()?,
///     weightings: vec!["fixed".into(), "pcgrad".into()],
///     seeds: 1,
///     ..TasksPlan::default()
/// };
/// let stop = AtomicBool::new(false);
/// let found = plan.run(&shapes, folder.path(), &mut |_doing, _done, _all| (), &stop)?;
/// println!("{}\n{}", found.table(), found.headline());
/// assert_eq!((found.tasks.len(), found.tasks[0].together.len()), (2, 2)); // Shape and colour, two weightings.
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TasksPlan {
    /// Settings of all trainings: encoder, `[train]`, `[views]`, data.
    pub settings: Table,
    /// Columns, at least two; none: all label columns.
    pub columns: Vec<String>,
    /// How the losses of all tasks together are weighted, each a comparison: values of `objective.weighting`, settings after colons as
    /// `cagrad:distance=0.2`.
    pub weightings: Vec<String>,
    /// Trainings of each network, ≥ 1.
    pub seeds: u64,
    /// Whether each pair of tasks is learned, to say which helps which.
    pub pairs: bool,
    /// Whether each task is held out, to be learned from what the others taught.
    pub held_out: bool,
}

impl Default for TasksPlan {
    fn default() -> Self {
        TasksPlan {
            settings: Table::new(),
            columns: vec![],
            weightings: vec!["fixed".to_owned()],
            seeds: 3,
            pairs: true,
            held_out: true,
        }
    }
}

/// A network that is trained.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Training {
    /// Its tasks, in the order of the plan.
    columns: Vec<String>,
    weighting: String,
    seed: u64,
}

impl Training {
    /// `shape+colour, pcgrad, seed 0`
    fn name(&self) -> String {
        let columns = self.columns.join("+");
        match self.columns.len() {
            1 => format!("{columns}, seed {}", self.seed),
            _ => format!("{columns}, {}, seed {}", self.weighting, self.seed),
        }
    }

    /// The folder of its run under that of the comparison.
    fn folder(&self, under: &Path) -> PathBuf {
        let plain = |c: char| {
            if c.is_alphanumeric() || "+-_.=".contains(c) {
                c
            } else {
                '_'
            }
        };
        let name = self.name().replace(", seed ", "-").replace(", ", "-");
        under.join(name.chars().map(plain).collect::<String>())
    }
}

impl TasksPlan {
    /// Trains what `folder` does not have yet, and measures.
    ///
    /// # Errors
    /// Fewer than two tasks, columns and settings that do not fit, runs in `folder` with other settings, whatever a training can end with;
    /// [`Error::Interrupted`] after `stop`: what was trained is kept, and the same call goes on.
    pub fn run(
        &self,
        dataset: &Dataset,
        folder: &Path,
        progress: &mut dyn FnMut(&str, usize, usize),
        stop: &AtomicBool,
    ) -> Result<ManyTasks> {
        let columns = self.columns_of(dataset)?;
        let all = self.trainings(&columns);
        // Everything that is wrong with settings is said before anything is trained.
        let mut jobs = Vec::new();
        for training in &all {
            jobs.push(self.job(training, dataset)?);
        }
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::file(folder, crate::file::explain(&e)))?;
        for (done, (training, job)) in all.iter().zip(&jobs).enumerate() {
            progress(&training.name(), done, all.len());
            trained(job, &training.folder(folder), stop)?;
        }
        progress("measuring", all.len(), all.len());
        let of = Trained {
            plan: self,
            dataset,
            folder,
            columns: &columns,
        };
        let tasks = columns.iter().map(|column| of.measured(column));
        Ok(ManyTasks {
            data: dataset.name.clone(),
            seeds: self.seeds as usize,
            tasks: tasks.collect::<Result<_>>()?,
        })
    }

    /// The columns, in their order.
    fn columns_of(&self, dataset: &Dataset) -> Result<Vec<String>> {
        let of_data = || dataset.columns.iter().map(|column| column.name.as_str());
        for name in &self.columns {
            if !of_data().any(|own| own == name) {
                return Err(Error::config(unknown("column", name, of_data())));
            }
        }
        let is_task = |column: &&Column| match self.columns.is_empty() {
            true => column.role == Role::Label,
            false => self.columns.contains(&column.name),
        };
        let tasks = dataset.columns.iter().filter(is_task);
        let found: Vec<String> = tasks.map(|column| column.name.clone()).collect();
        match found.len() {
            0 | 1 => Err(Error::data(format!(
                "{} has {} label column{}, and it takes two to compare tasks; name them by --columns, and what is none by --role COLUMN=label",
                dataset.name,
                found.len(),
                if found.len() == 1 { "" } else { "s" },
            ))),
            _ => Ok(found),
        }
    }

    /// Every network that is needed, once.
    fn trainings(&self, columns: &[String]) -> Vec<Training> {
        let mut all = Vec::new();
        let mut add = |training: Training| {
            if !all.contains(&training) {
                all.push(training);
            }
        };
        for seed in 0..self.seeds {
            for column in columns {
                add(self.one(std::slice::from_ref(column), seed));
            }
            for weighting in &self.weightings {
                add(Training {
                    columns: columns.to_vec(),
                    weighting: weighting.clone(),
                    seed,
                });
            }
            for column in columns {
                if self.held_out {
                    add(self.one(&without(columns, column), seed));
                }
                for other in columns
                    .iter()
                    .filter(|other| self.pairs && *other != column)
                {
                    add(self.one(&pair(columns, column, other), seed));
                }
            }
        }
        all
    }

    /// Tasks learned together by the first of the weightings, `fixed` if that is among them.
    fn one(&self, columns: &[String], seed: u64) -> Training {
        let fixed = self.weightings.iter().find(|w| *w == "fixed");
        let weighting = fixed.or(self.weightings.first());
        Training {
            columns: columns.to_vec(),
            weighting: match columns.len() {
                1 => "fixed".to_owned(),
                _ => weighting.map_or("fixed".to_owned(), String::clone),
            },
            seed,
        }
    }

    fn job<'a>(&self, training: &Training, dataset: &'a Dataset) -> Result<Job<'a>> {
        let mut objective =
            crate::config::section(&format!("multi_task:weighting={}", training.weighting))?;
        let columns = training.columns.iter().cloned().map(Value::String);
        objective.insert("columns".into(), Value::Array(columns.collect()));
        let mut table = self.settings.clone();
        let mut own = Table::new();
        own.insert("objective".into(), objective.into());
        own.insert("label".into(), training.columns[0].clone().into());
        own.insert("seed".into(), (training.seed as i64).into());
        let train = [("online_probe".to_owned(), Value::Boolean(false))];
        own.insert("train".into(), Table::from_iter(train).into());
        merge(&mut table, own);
        let problem = |error: Error| Error::config(format!("{}: {error}", training.name()));
        Job::new(
            Config::resolve(table, about(dataset)).map_err(problem)?,
            dataset,
            None,
        )
        .map_err(problem)
    }
}

/// `columns` but one.
fn without(columns: &[String], column: &String) -> Vec<String> {
    columns.iter().filter(|c| *c != column).cloned().collect()
}

/// Two of `columns`, in their order.
fn pair(columns: &[String], a: &String, b: &String) -> Vec<String> {
    columns
        .iter()
        .filter(|c| *c == a || *c == b)
        .cloned()
        .collect()
}

/// Trains `job` into `path`, or finds it there.
fn trained(job: &Job<'_>, path: &Path, stop: &AtomicBool) -> Result<()> {
    let settings = job.config.to_toml();
    if path.join("encoder.toml").is_file() {
        let found = RunFolder::open(path)?;
        let same = found.read("config.toml").is_ok_and(|text| text == settings);
        return match same {
            true => Ok(()),
            false => Err(Error::file(
                path,
                "is a run with other settings; repeat those, or use another --out",
            )),
        };
    }
    let folder = RunFolder::create(path, true)?;
    folder.write_config(&job.config)?;
    job.run(Some(&folder), Start::Fresh, &mut |_| (), stop)?;
    Ok(())
}

/// Networks that were trained, to be measured.
struct Trained<'a> {
    plan: &'a TasksPlan,
    dataset: &'a Dataset,
    folder: &'a Path,
    columns: &'a [String],
}

impl Trained<'_> {
    fn measured(&self, column: &String) -> Result<TaskResult> {
        let plan = self.plan;
        let mut own = vec![self.own(Learned::Alone, column, &|seed| {
            plan.one(std::slice::from_ref(column), seed)
        })?];
        for weighting in &plan.weightings {
            let learned = Learned::Together(weighting.clone());
            own.push(self.own(learned, column, &|seed| Training {
                columns: self.columns.to_vec(),
                weighting: weighting.clone(),
                seed,
            })?);
        }
        let others = self.columns.iter().filter(|other| *other != column);
        for other in others.filter(|_| plan.pairs && self.columns.len() > 2) {
            let learned = Learned::With(other.clone());
            own.push(self.own(learned, column, &|seed| {
                plan.one(&pair(self.columns, column, other), seed)
            })?);
        }
        let mut probed = Vec::new();
        if plan.held_out {
            for learned in [Learned::Others, Learned::Nothing] {
                let seeds = (0..plan.seeds).map(|seed| self.features(&learned, column, seed));
                let seeds = seeds.collect::<Result<_>>()?;
                probed.push(TaskSource { learned, seeds });
            }
        }
        let options = ProbeOptions {
            task: column.clone(),
            labels: vec![crate::probe::Labels::All],
            probes: vec!["linear".to_owned()],
            ..ProbeOptions::default()
        };
        measure_task(own, probed, &options, &self.dataset.name, &mut |_| ())
    }

    /// Networks that answer for `column` with their own heads.
    fn own<'s>(
        &self,
        learned: Learned,
        column: &str,
        training: &dyn Fn(u64) -> Training,
    ) -> Result<TaskSource<'s>> {
        let one = |seed| self.answering(&training(seed), column);
        let seeds = (0..self.plan.seeds).map(one).collect::<Result<_>>()?;
        Ok(TaskSource { learned, seeds })
    }

    fn answering<'s>(&self, training: &Training, column: &str) -> Result<Contender<'s>> {
        let path = training.folder(self.folder);
        let job = self.plan.job(training, self.dataset)?;
        let head = head::of_run_for(&path, column, job.encoder().2)?;
        let of = RunFolder::open(&path)?.read_encoder(job.encoder().2)?;
        let dataset = self.dataset;
        let test = dataset.indices(Split::Test);
        let embedded = self.embedded(&job, &of.weights, &test)?;
        let places = embedded.rows.iter().copied().enumerate();
        let place_of: HashMap<usize, usize> = places.map(|(place, row)| (row, place)).collect();
        let samples = Embedded {
            features: Matrix::new(dataset.len(), 0, Vec::new()),
            rows: (0..dataset.len()).collect(),
            bad: Vec::new(),
        };
        let name = training.name();
        let features = embedded.features;
        let answer = move |draw: &Draw<'_>| {
            let place = |row: &usize| {
                place_of.get(row).copied().ok_or_else(|| {
                    Error::data("a test image cannot be read; `hspace check` lists what is wrong")
                })
            };
            let rows: Vec<usize> = draw.test.iter().map(place).collect::<Result<_>>()?;
            head.answer(&features.select(&rows))
        };
        Ok(Contender::PerDraw {
            samples: Box::new(represent_rows(dataset, &name, samples, String::new())),
            origin: of.about.hash,
            draws: 1,
            labels_alone: None,
            answer: Box::new(answer),
            name,
        })
    }

    /// Features for a probe of `column`: of a network that learned all others, or of one that learned nothing.
    fn features<'s>(&self, learned: &Learned, column: &String, seed: u64) -> Result<Contender<'s>> {
        let training = self.plan.one(&without(self.columns, column), seed);
        let job = self.plan.job(&training, self.dataset)?;
        let dataset = self.dataset;
        let train = dataset.indices(Split::Train);
        let picked = spaced(train.len(), PROBED.min(train.len()));
        let mut rows: Vec<usize> = picked.into_iter().map(|i| train[i]).collect();
        rows.extend(dataset.indices(Split::Val));
        rows.extend(dataset.indices(Split::Test));
        rows.sort_unstable();
        let device = job.encoder().2;
        let (name, weights) = match learned {
            Learned::Nothing => {
                let (encoder, ..) = job.encoder();
                let shape = job.spec.shape;
                let (weights, _) = crate::encoder::init(encoder, shape, seed, device);
                (format!("untrained, seed {seed}"), weights)
            }
            _ => {
                let run = RunFolder::open(&training.folder(self.folder))?;
                (training.name(), run.read_encoder(device)?.weights)
            }
        };
        let embedded = self.embedded(&job, &weights, &rows)?;
        let origin = String::new();
        let found: Representation = represent_rows(dataset, &name, embedded, origin);
        Ok(Contender::Fixed(found))
    }

    fn embedded(&self, job: &Job<'_>, weights: &Weights, rows: &[usize]) -> Result<Embedded> {
        let (encoder, views, device) = job.encoder();
        embed(
            encoder,
            weights,
            views,
            self.dataset,
            rows,
            device,
            &mut |_| (),
        )
    }
}
