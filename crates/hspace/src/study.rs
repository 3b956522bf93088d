//! Objectives side by side: each on each encoder and each dataset, for the same time, over several
//! seeds, measured by one protocol compared with the baselines.
//!
//! The time becomes a number of steps before anything is trained: every combination's speed is measured
//! first ([`Job::pace`]) and written down, so that the results that follow are a function of the seed
//! and these numbers, whatever else the machine does meanwhile. Every result is a file of its own; a
//! study that was stopped goes on where it left off.

mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use toml::{Table, Value};

use crate::config::{self, Config};
use crate::dataset::{Dataset, Split};
use crate::device::device;
use crate::embed::embed;
use crate::encoder::ENCODERS;
use crate::error::{Error, Result};
use crate::evaluate::scaling;
use crate::file;
use crate::job::{Job, about};
use crate::list;
use crate::matrix::spaced;
use crate::objective::{OBJECTIVES, Subset};
use crate::per_draw::{SupervisedBudget, supervised, supervised_settings};
use crate::probe::{Contender, Labels, Measurements, ProbeOptions, measure};
use crate::source::{Source, Sources, baseline_components, represent_rows};
use crate::train::Start;
use crate::warning::Warning;

/// Seconds for which a combination's speed is measured.
const PACE: f64 = 2.0;
/// Labels a class of the few-label columns, and the points of the baseline's curve.
const FEW: usize = 10;
const CURVE: [usize; 6] = [1, 5, FEW, 50, 100, 500];

/// What is compared, and for how long.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hspace::study::{Study, StudyPlan};
///
/// let plan = StudyPlan {
///     data: vec!["builtin:shapes".into()],
///     encoders: vec!["cnn:width=4".into()],
///     objectives: vec!["simclr".into(), "vicreg".into()],
///     seconds: 60.0,
///     seeds: 3,
///     samples: 1000,
///     sources: vec!["pca:5".into()],
///     set: vec!["train.batch_size=16".into()],
///     device: "cpu".into(),
/// };
/// assert!(Study::open(folder.path(), plan.clone()).is_ok());
/// // A folder has one study.
/// assert!(Study::open(folder.path(), StudyPlan { seeds: 5, ..plan }).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyPlan {
    /// Datasets, as `--data` takes them.
    pub data: Vec<String>,
    /// Encoders: a name, and settings after colons, such as `resnet18:width=16`.
    pub encoders: Vec<String>,
    /// Objectives.
    pub objectives: Vec<String>,
    /// Seconds of training for each.
    pub seconds: f64,
    /// Seeds 0, 1, … of each.
    pub seeds: u64,
    /// Training samples that probes learn from, at most.
    pub samples: usize,
    /// Sources of `hspace probe` that are measured besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Settings for all, as `--set` takes them.
    pub set: Vec<String>,
    /// Where to compute.
    pub device: String,
}

/// One combination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Cell {
    data: String,
    encoder: String,
    objective: String,
}

impl Cell {
    fn key(&self) -> String {
        let Cell {
            data,
            encoder,
            objective,
        } = self;
        [data, encoder, objective].map(|name| plain(name)).join(".")
    }
}

/// What a name leaves in the name of a file.
fn plain(name: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || "-=_".contains(c);
    let text: String = name
        .chars()
        .map(|c| if keep(c) { c } else { '-' })
        .collect();
    text.trim_matches('-').to_owned()
}

/// The name in `name:key=value`.
fn name(text: &str) -> Result<String> {
    let section = config::section(text)?;
    Ok(section["name"].as_str().unwrap_or_default().to_owned())
}

/// How fast a combination is, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Pace {
    ImagesPerSecond(f64),
    Unsuitable(String),
}

/// One training, measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Outcome {
    cell: Cell,
    seed: u64,
    /// Whether it saw the training labels.
    labels: bool,
    steps: usize,
    batch: usize,
    images_per_s: f64,
    warnings: Vec<Warning>,
    measured: Measurements,
}

/// What came of a training.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Found {
    /// It ended.
    Measured(Box<Outcome>),
    /// It could not go on, and why.
    Diverged { diverged: String },
}

/// A study in its folder.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hspace::study::{Study, StudyPlan};
/// # use std::sync::atomic::AtomicBool;
///
/// let plan = StudyPlan {
///     data: vec!["builtin:shapes".into()],
///     encoders: vec!["cnn:width=4".into()],
///     objectives: vec!["simclr".into()],
///     seconds: 60.0,
///     seeds: 1,
///     samples: 1000,
///     sources: vec![],
///     set: vec![],
///     device: "cpu".into(),
/// };
/// let study = Study::open(folder.path(), plan)?;
/// assert!(study.val_notes().is_empty()); // There are no val samples.
/// # // Stopped at once.
/// # let stop = AtomicBool::new(true);
/// assert!(study.run(&mut |_doing, _done, _all| (), &stop).is_err());
/// let _table = study.markdown()?; // Of the results so far: none.
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Study {
    folder: PathBuf,
    plan: StudyPlan,
    datasets: Vec<Dataset>,
}

impl Study {
    /// Begins a study, or goes on with the same one.
    ///
    /// # Errors
    /// Data that cannot be opened, a folder with another study, names and settings that are wrong.
    pub fn open(folder: &Path, plan: StudyPlan) -> Result<Study> {
        if plan.seeds == 0 || !(plan.seconds > 0.0 && plan.seconds.is_finite()) {
            return Err(Error::config(
                "seeds and seconds must be above 0: there is nothing to do",
            ));
        }
        let mut problems = Vec::new();
        for names in [&plan.data, &plan.encoders, &plan.objectives, &plan.sources] {
            let mut files: Vec<String> = names.iter().map(|name| plain(name)).collect();
            files.sort_unstable();
            if let Some(pair) = files.windows(2).find(|pair| pair[0] == pair[1]) {
                problems.push(format!(
                    "two of {names:?} would be the same file `{}`; name each once",
                    pair[0]
                ));
            }
        }
        for encoder in &plan.encoders {
            problems.extend(list::find("encoder", ENCODERS, &name(encoder)?).err());
        }
        for objective in &plan.objectives {
            problems.extend(list::find("objective", OBJECTIVES, &name(objective)?).err());
        }
        for source in &plan.sources {
            match Source::parse(source) {
                Err(Error::Config(found)) => problems.extend(found),
                parsed => drop(parsed?),
            }
        }
        if !problems.is_empty() {
            return Err(Error::Config(problems));
        }
        let mut settings = Table::new();
        for assignment in &plan.set {
            config::set(&mut settings, assignment).map_err(Error::config)?;
        }
        let reading = Config::reading_of(&settings)?;
        let open = |source: &String| Dataset::open(source, &reading);
        let datasets = plan.data.iter().map(open).collect::<Result<_>>()?;
        let path = folder.join("study.toml");
        let taken = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
        let text = toml::to_string(&plan).map_err(|e| Error::file(&path, e))?;
        if path.exists() {
            let found: Option<StudyPlan> = toml::from_str(&file::read_text(&path)?).ok();
            if found.as_ref() != Some(&plan) {
                return Err(Error::file(
                    &path,
                    "is of a study with other settings; repeat those, or use another --out",
                ));
            }
        } else if taken {
            return Err(Error::file(
                folder,
                "is not empty and no study, so nothing is written to it; choose another --out",
            ));
        } else {
            std::fs::create_dir_all(folder.join("results"))
                .map_err(|e| Error::file(folder, file::explain(&e)))?;
            file::write_whole(&path, text.as_bytes())?;
        }
        Ok(Study {
            folder: folder.to_owned(),
            plan,
            datasets,
        })
    }

    /// What becomes of val samples, a line for each dataset that has some.
    pub fn val_notes(&self) -> Vec<String> {
        let mut table = Table::new();
        for assignment in &self.plan.set {
            // Settings that are wrong are named when trainings begin.
            let _ = config::set(&mut table, assignment);
        }
        let learn_from = table.get("train").and_then(|train| train.get("learn_from"));
        let does = match learn_from.and_then(Value::as_str) {
            Some("train,val") => "are learned from too, without their labels",
            _ => "are kept for choosing settings, and not learned from",
        };
        let note = |dataset: &Dataset| match dataset.indices(Split::Val).len() {
            0 => None,
            val => Some(format!("{}: {val} val samples {does}", dataset.name)),
        };
        self.datasets.iter().filter_map(note).collect()
    }

    /// Does what is left to do. `progress` is called with what is done now, how many results there are and how
    /// many there will be.
    ///
    /// # Errors
    /// Whatever a training can end with; [`Error::Interrupted`] after `stop`. What was done is kept.
    pub fn run(
        &self,
        progress: &mut dyn FnMut(&str, usize, usize),
        stop: &AtomicBool,
    ) -> Result<()> {
        let _alone = file::occupy(&self.folder.join("results"))?;
        let paces = self.paces(progress, stop)?;
        let suitable = |(cell, pace): (&Cell, &Pace)| match pace {
            Pace::ImagesPerSecond(rate) => Some((cell.clone(), *rate)),
            Pace::Unsuitable(_) => None,
        };
        let cells: Vec<(Cell, f64)> = paces.iter().filter_map(suitable).collect();
        let baselines = self.baselines();
        let total = cells.len() * self.plan.seeds as usize + baselines.len();
        let mut done = 0;
        for (index, name) in baselines {
            let text = format!("{}: {name}", self.plan.data[index]);
            progress(&text, done, total);
            let measured = self.once(&self.baseline_path(index, &name), || {
                self.baseline(index, &name, stop)
            });
            match measured {
                Err(Error::Interrupted(_)) => {}
                outcome => outcome?,
            }
            done += 1;
            self.check(stop)?;
        }
        for seed in 0..self.plan.seeds {
            for (cell, rate) in &cells {
                let text = format!(
                    "{}: {} on {}, seed {seed}",
                    cell.data, cell.objective, cell.encoder
                );
                progress(&text, done, total);
                let path = self.result_path(cell, seed);
                let train = || match self.train(cell, *rate, seed, stop) {
                    Err(Error::Diverged(diverged)) => Ok(Found::Diverged { diverged }),
                    outcome => Ok(Found::Measured(Box::new(outcome?))),
                };
                match self.once(&path, train) {
                    Err(Error::Interrupted(_)) => {}
                    outcome => outcome?,
                }
                done += 1;
                self.check(stop)?;
            }
        }
        progress("done", done, total);
        Ok(())
    }

    fn check(&self, stop: &AtomicBool) -> Result<()> {
        match stop.load(Ordering::Relaxed) {
            true => Err(Error::Interrupted(format!(
                "stopped; what was done is in {}: the same command goes on",
                self.folder.display()
            ))),
            false => Ok(()),
        }
    }

    fn result_path(&self, cell: &Cell, seed: u64) -> PathBuf {
        let name = format!("{}.{seed}.json", cell.key());
        self.folder.join("results").join(name)
    }

    fn baseline_path(&self, data: usize, name: &str) -> PathBuf {
        let file = format!("{}.{}.json", plain(&self.plan.data[data]), plain(name));
        self.folder.join("results").join(file)
    }

    /// Makes the file `path` out of what `make` finds, unless it is there.
    fn once<T: Serialize>(&self, path: &Path, make: impl FnOnce() -> Result<T>) -> Result<()> {
        if path.exists() {
            return Ok(());
        }
        write(path, &make()?)
    }

    /// Every combination, in the order of the plan.
    fn cells(&self) -> Vec<Cell> {
        let StudyPlan {
            data,
            encoders,
            objectives,
            ..
        } = &self.plan;
        let mut cells = Vec::new();
        for data in data {
            for encoder in encoders {
                cells.extend(objectives.iter().map(|objective| Cell {
                    data: data.clone(),
                    encoder: encoder.clone(),
                    objective: objective.clone(),
                }));
            }
        }
        cells
    }

    /// Which baselines of which dataset.
    fn baselines(&self) -> Vec<(usize, String)> {
        let untrained = self.plan.encoders.iter().map(|e| format!("random:{e}"));
        let untrained: Vec<String> = untrained.collect();
        let of = |data: usize| {
            let mut names = self.closed_forms(data);
            for name in untrained.iter().chain(&self.plan.sources) {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
            names.into_iter().map(move |name| (data, name))
        };
        (0..self.plan.data.len()).flat_map(of).collect()
    }

    /// Sources of a dataset that need no encoder.
    fn closed_forms(&self, data: usize) -> Vec<String> {
        let dataset = &self.datasets[data];
        let train = dataset.indices(Split::Train).len().min(self.plan.samples);
        let pca = baseline_components(dataset.shape, train).map(|dims| format!("pca:{dims}"));
        std::iter::once("pixels".to_owned()).chain(pca).collect()
    }

    /// The speed of every combination: those written down, and the others measured now.
    fn paces(
        &self,
        progress: &mut dyn FnMut(&str, usize, usize),
        stop: &AtomicBool,
    ) -> Result<BTreeMap<Cell, Pace>> {
        let path = self.folder.join("pace.json");
        let mut known: Vec<(Cell, Pace)> = match path.exists() {
            true => read(&path)?,
            false => Vec::new(),
        };
        let cells = self.cells();
        for (done, cell) in cells.iter().enumerate() {
            if known.iter().any(|(known, _)| known == cell) {
                continue;
            }
            let text = format!("speed of {} on {}", cell.objective, cell.encoder);
            progress(&text, done, cells.len());
            let pace = match self.job(cell, 0, 0) {
                Ok(job) => match job.pace(PACE, stop) {
                    Err(Error::Diverged(reason)) => Pace::Unsuitable(reason),
                    pace => Pace::ImagesPerSecond(pace?),
                },
                Err(Error::Config(problems)) => Pace::Unsuitable(problems.join("; ")),
                Err(other) => return Err(other),
            };
            self.check(stop)?;
            known.push((cell.clone(), pace));
            write(&path, &known)?;
        }
        if let Some((cell, Pace::Unsuitable(reason))) = known.first()
            && known
                .iter()
                .all(|(_, pace)| matches!(pace, Pace::Unsuitable(_)))
        {
            let _ = std::fs::remove_file(&path);
            return Err(Error::config(format!("{}: {reason}", cell.key())));
        }
        Ok(known.into_iter().collect())
    }

    fn dataset(&self, cell: &Cell) -> &Dataset {
        let place = self.plan.data.iter().position(|data| *data == cell.data);
        &self.datasets[place.expect("cells are made of the plan's data")]
    }

    fn job(&self, cell: &Cell, seed: u64, steps: usize) -> Result<Job<'_>> {
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

    fn train(&self, cell: &Cell, rate: f64, seed: u64, stop: &AtomicBool) -> Result<Outcome> {
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

    fn baseline(&self, index: usize, name: &str, stop: &AtomicBool) -> Result<Measurements> {
        let dataset = &self.datasets[index];
        let mut rows = self.rows(dataset);
        let contender = match Source::parse(name)? {
            Source::Supervised(encoder) => {
                rows.retain(|&row| dataset.samples.get(row).is_ok());
                let like = supervised_settings(&encoder, dataset, &self.plan.device)?;
                let Some(task) = dataset.task() else {
                    return Err(Error::data(format!("{name} needs a label column")));
                };
                let budget = SupervisedBudget::default();
                supervised(name, like, dataset, rows, task, budget, stop)?
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

fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::file(path, e))?;
    file::write_whole(path, text.as_bytes())
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_str(&file::read_text(path)?).map_err(|e| {
        Error::file(
            path,
            format!("is no result of this version ({e}); delete it, and it is made again"),
        )
    })
}

fn read_if<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    path.exists().then(|| read(path)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_files() {
        assert_eq!(plain("../shared/data/fashion/"), "shared-data-fashion");
    }

    /// A study that goes on computes with the speeds it reads.
    #[test]
    fn speeds_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pace.json");
        let speeds: Vec<f64> = (1..2000).map(|i| 1e4 / f64::from(i).sqrt()).collect();
        write(&path, &speeds).unwrap();
        assert_eq!(read::<Vec<f64>>(&path).unwrap(), speeds);
    }
}
