//! Objectives side by side: each on each encoder and each dataset, for the same time, over several
//! seeds, measured by one protocol compared with the baselines.
//!
//! The time becomes a number of steps before anything is trained: every combination's speed is measured
//! first ([`Job::pace`](crate::job::Job::pace)) and written down, so that the results that follow are a function of the seed
//! and these numbers, whatever else the machine does meanwhile. Every result is a file of its own; a
//! study that was stopped goes on where it left off.

mod files;
mod measuring;
mod plan;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::config::{self, Config};
use crate::dataset::{Dataset, Split};
use crate::encoder::ENCODERS;
use crate::error::{Error, Result};
use crate::file;
use crate::list;
use crate::objective::OBJECTIVES;
use crate::source::Source;
use files::{read, read_if, write};
use measuring::{FEW, Found, Outcome};
pub use plan::StudyPlan;
use plan::{Cell, name, plain};

/// Seconds for which a combination's speed is measured.
const PACE: f64 = 2.0;

/// How fast a combination is, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Pace {
    ImagesPerSecond(f64),
    Unsuitable(String),
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
}
