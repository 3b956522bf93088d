//! `hspace start`: from data to a model that is kept, by commands that a user could type.
//!
//! Each step is a command of hspace, shown before it runs; what it leaves is in one folder. A step that has ended is not run again, so the same command goes on
//! with what was stopped.

mod state;
mod verdict;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::Parser;
use hspace::advice::{Advice, DataSummary};
use hspace::config::section;
use hspace::dataset::{Dataset, Shape};
use hspace::file::quoted;
use hspace::job::Job;
use hspace::objective::learns_from_labels;
use hspace::per_draw::config_of_all_labels;
use hspace::probe::{Measurements, TaskKind};
use hspace::run::RunFolder;
use hspace::source::Source;
use hspace::{Error, Result};

use crate::commands::probe::{minutes, run_settings};
use crate::commands::{open, probe, train};
use crate::progress::{clock, stop_flag};
use crate::say;
use crate::settings::{DataFlags, seed};
use state::{Asked, Begun, Chosen, begin, write_state};
use verdict::{Verdict, choose};

/// Few labels and many samples: learn a representation, choose a method by the labels there are, keep the model, and measure it once on the test samples.
///
/// Images are learned from without labels first (SimCLR). From 10 labels a class on candidates are compared by five-fold cross-validation inside the
/// training samples, a probe on pixels and a network trained on the labels alone among them; below that a rule from hspace's own measurements
/// says what to take. The model is kept, and measured on the test samples next to the baselines. Each step is a command that is shown, and could be typed.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace start photos/                                  20 minutes; the model and a page are in runs/start
  hspace start photos/ --minutes 60 --out runs/photos   the same command goes on with what was stopped
  hspace start builtin:mnist-mini --few-labels 10       what 10 labels a class would give
  hspace start patients.csv --label outcome --minutes 5")]
pub struct Args {
    /// Samples, some of them labelled: builtin:NAME, a folder, .npz or .csv
    data: String,
    /// Folder of what is made
    #[arg(long, default_value = "runs/start")]
    out: PathBuf,
    /// Replace what is in --out
    #[arg(long)]
    overwrite: bool,
    /// About how long it may take; a method that does not fit is left out or trained for less
    #[arg(long, value_name = "M", default_value_t = 20.0, value_parser = minutes)]
    minutes: f64,
    /// Networks that are trained, settings after colons [default: cnn:width=16 for images, mlp for vectors]
    #[arg(long)]
    encoder: Option<String>,
    /// Column that is the task
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// Seed of everything random
    #[arg(long, default_value_t = 0, value_parser = seed())]
    seed: u64,
    /// cpu, or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    device: String,
    #[command(flatten)]
    reading: DataFlags,
}

/// Shares of the time: learning without labels, choosing, and the model that is kept; the rest is for the table.
const LEARNING: f64 = 0.3;
const CHOOSING: f64 = 0.35;
const KEEPING: f64 = 0.2;
/// Share of the time up to which a network is trained for the table alone.
const ENOUGH_LEFT: f64 = 0.9;

/// Folds that a choice is made by.
const FOLDS: usize = 5;
/// Share of the time for choosing that a method which learns from unlabelled samples may take.
const SHARE_OF_ONE: f64 = 0.4;
/// Steps of such a method below which nothing is said of it.
const FEWEST_STEPS: usize = 200;
/// Seconds of a trial of the machine's speed.
const TRIAL: f64 = 2.0;

/// A command's flags, parsed from words.
#[derive(Parser)]
struct Words<T: clap::Args> {
    #[command(flatten)]
    args: T,
}

pub fn run(args: &Args) -> Result<()> {
    let begun = Instant::now();
    let reading = args.reading.options(args.label.as_deref());
    let dataset = open(&args.data, &reading)?;
    let summary = DataSummary::of(&dataset);
    println!("{}", summary.text());
    if summary.task.is_some() && summary.test == 0 {
        return Err(Error::data(format!(
            "{}: no test sample has a label, so nothing could be said of the result; label some, or leave the split out and --holdout holds some back",
            args.data
        )));
    }
    if summary.task.is_none() && !summary.pretrains() {
        return Err(Error::data(format!(
            "{}: no training sample has a label; give some, and name their column by --label",
            args.data
        )));
    }
    let default = match summary.shape {
        Shape::Image { .. } => "cnn:width=16",
        Shape::Vector { .. } => "mlp",
    };
    let asked = Asked {
        data: args.data.clone(),
        label: reading.label.clone(),
        encoder: args.encoder.clone().unwrap_or(default.to_owned()),
        seed: args.seed,
        reading,
    };
    drop(dataset);
    let state = begin(&args.out, asked, args.overwrite)?;
    let mut starting = Starting {
        args,
        begun,
        summary,
        state,
        run: None,
    };
    starting.learn()?;
    if starting.summary.task.is_none() {
        println!("\nno labels: what was learned is kept, and nothing chosen");
        return Ok(());
    }
    let chosen = starting.choose()?;
    println!("\n{}: {}", chosen.source, chosen.why);
    let kept = starting.keep(&chosen.source)?;
    starting.measure(&kept, &chosen)?;
    println!("done in {}", clock(begun.elapsed().as_secs_f64()));
    Ok(())
}

struct Starting<'a> {
    args: &'a Args,
    begun: Instant,
    summary: DataSummary,
    state: Begun,
    /// What was learned without labels.
    run: Option<String>,
}

impl Starting<'_> {
    fn place(&self, name: &str) -> String {
        self.args.out.join(name).display().to_string()
    }

    /// The words of a command, shown, parsed.
    fn command<T: clap::Args>(&self, name: &str, words: Vec<String>) -> Result<T> {
        let shown: Vec<String> = words.iter().map(quoted).collect();
        println!("\n$ hspace {name} {}", shown.join(" "));
        let all = std::iter::once(name.to_owned()).chain(words);
        let parsed = Words::<T>::try_parse_from(all);
        Ok(parsed.map_err(Error::config)?.args)
    }

    /// Data, how they are read, seed, device.
    fn common(&self) -> Vec<String> {
        self.common_with(&self.args.reading)
    }

    fn common_with(&self, reading: &DataFlags) -> Vec<String> {
        let Args {
            data,
            label,
            seed,
            device,
            ..
        } = self.args;
        let mut words = vec!["--data".to_owned(), data.clone()];
        let label = label
            .iter()
            .flat_map(|label| ["--label".into(), label.clone()]);
        words.extend(label);
        words.extend(reading.words());
        if *seed != 0 {
            words.extend(["--seed".into(), seed.to_string()]);
        }
        if device != "cpu" {
            words.extend(["--device".into(), device.clone()]);
        }
        words
    }

    fn minutes(&self, share: f64) -> [String; 2] {
        let minutes = share * self.args.minutes;
        ["--minutes".into(), format!("{minutes:.2}")]
    }

    /// Trains by `words` into `folder`, or goes on with that.
    fn train(&self, folder: &str, words: Vec<String>) -> Result<()> {
        let path = Path::new(folder);
        let is_run = RunFolder::open(path).ok();
        if is_run.as_ref().is_some_and(|run| run.weights().is_file()) {
            println!("\n{folder} is trained");
            return Ok(());
        }
        let words = match is_run.filter(|run| run.checkpoint().is_file()) {
            Some(_) => vec!["--resume".to_owned(), folder.to_owned()],
            None => {
                let mut words = words;
                words.extend(["--out".into(), folder.to_owned(), "--no-check".into()]);
                if path.exists() {
                    words.push("--overwrite".into());
                }
                words
            }
        };
        train::run(&self.command("train", words)?)
    }

    /// Learns from images without their labels.
    fn learn(&mut self) -> Result<()> {
        if !self.summary.pretrains() {
            return Ok(());
        }
        let folder = self.place("simclr");
        let encoder = section(&self.state.asked.encoder)?;
        let mut words = self.common();
        for (key, value) in &encoder {
            match value.as_str().filter(|_| key == "name") {
                Some(name) => words.extend(["--encoder".into(), name.to_owned()]),
                None => words.extend(["--set".into(), format!("encoder.{key}={value}")]),
            }
        }
        words.extend(["--objective".into(), "simclr".into()]);
        words.extend(self.minutes(LEARNING));
        self.train(&folder, words)?;
        self.run = Some(folder);
        Ok(())
    }

    /// What is to be kept: the best of the candidates by cross-validation, or what a rule says.
    fn choose(&mut self) -> Result<Chosen> {
        if let Some(chosen) = &self.state.chosen {
            return Ok(chosen.clone());
        }
        let (encoder, run) = (self.state.asked.encoder.clone(), self.run.as_deref());
        let by_rule = |Advice { name, why }| Chosen { source: name, why };
        let rule = self.summary.without_choosing(run);
        let chosen = match self.summary.can_choose() {
            false => by_rule(rule),
            true => {
                let candidates = self.summary.candidates(&encoder, run);
                let fitting: Result<Vec<Option<String>>> =
                    candidates.iter().map(|name| self.fitted(name)).collect();
                let found = self.compare(fitting?.into_iter().flatten().collect())?;
                let found = choose(&found, &rule.name);
                found.map_or(by_rule(rule), |(source, why)| Chosen { source, why })
            }
        };
        self.state.chosen = Some(chosen.clone());
        write_state(&self.args.out, &self.state)?;
        Ok(chosen)
    }

    /// A candidate with as many steps as its share of the time has room for, or all it takes; `None`, and a note, where that would be too few to judge it by.
    fn fitted(&self, name: &str) -> Result<Option<String>> {
        let learner = match Source::parse(name)? {
            Source::Learner(learner) => learner,
            _ => return Ok(Some(name.to_owned())),
        };
        let objective = learner.objective()?;
        if learns_from_labels(&*objective) {
            return Ok(Some(name.to_owned()));
        }
        let dataset = Dataset::open(&self.args.data, &self.state.asked.reading)?;
        let base = learner.base(&run_settings(&[name.to_owned()])?, &self.args.device)?;
        let config = config_of_all_labels(&learner, base, &dataset, self.args.seed)?;
        let (wanted, batch) = (config.train.steps, *config.train.batch_size.get());
        let stop = stop_flag()?;
        let rate = Job::new(config, &dataset, None)?.pace(TRIAL, stop)?;
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted(
                "stopped; the same command goes on".into(),
            ));
        }
        let seconds = 60.0 * self.args.minutes * CHOOSING * SHARE_OF_ONE / FOLDS as f64;
        let fit = (seconds * rate / batch as f64) as usize;
        if fit < FEWEST_STEPS {
            say::note(format_args!(
                "{name} is left out: {FOLDS} folds of {FEWEST_STEPS} steps do not fit; more --minutes"
            ));
            return Ok(None);
        }
        Ok(Some(match fit < wanted {
            true => format!("{name}:train.steps={fit}"),
            false => name.to_owned(),
        }))
    }

    /// The candidates by cross-validation inside the training samples.
    fn compare(&self, candidates: Vec<String>) -> Result<Measurements> {
        let mut words = candidates;
        let mut reading = self.args.reading.clone();
        reading.few_labels = self.summary.labels_to_choose_by().or(reading.few_labels);
        words.extend(self.common_with(&reading));
        words.extend(["--folds".into(), FOLDS.to_string()]);
        let more = ["--train-only", "--probe", "linear", "--no-baselines"];
        words.extend(more.map(String::from));
        words.extend(self.minutes(CHOOSING));
        words.extend(["--json".into(), self.place("choice.json")]);
        probe::measured(&self.command("probe", words)?, None)
    }

    /// Trains or fits the model on all labels, and keeps it: how it is measured, and how it predicts.
    fn keep(&self, source: &str) -> Result<Kept> {
        if let Source::Learner(_) = Source::parse(source)? {
            let folder = self.place("chosen");
            let mut words = vec!["--source".to_owned(), source.to_owned()];
            words.extend(self.common());
            words.extend(self.minutes(KEEPING));
            self.train(&folder, words)?;
            return Ok(Kept {
                measured_as: format!("head:{folder}"),
                predict: quoted(&folder),
            });
        }
        let head = self.place("head.safetensors");
        if !Path::new(&head).is_file() {
            let mut words = vec![source.to_owned()];
            words.extend(self.common());
            let more = ["--probe", "linear", "--no-baselines", "--save-head", &head];
            words.extend(more.map(String::from));
            probe::run(&self.command("probe", words)?)?;
        }
        Ok(Kept {
            measured_as: source.to_owned(),
            predict: format!("{} --head {}", quoted(source), quoted(&head)),
        })
    }

    /// The model on the test samples, next to the baselines.
    fn measure(&self, kept: &Kept, chosen: &Chosen) -> Result<()> {
        let mut words = vec![kept.measured_as.clone()];
        words.extend(self.run.clone().filter(|run| *run != kept.measured_as));
        let alone = format!("supervised:{}", self.state.asked.encoder);
        // It would be trained a second time.
        if self.summary.task == Some(TaskKind::Classes) && alone != chosen.source {
            match self.begun.elapsed().as_secs_f64() < 60.0 * ENOUGH_LEFT * self.args.minutes {
                true => words.push(alone),
                false => say::note(format_args!(
                    "{alone} is left out of the table: the time is over"
                )),
            }
        }
        words.extend(self.common());
        words.extend(["--probe".into(), "linear".into()]);
        words.extend(["--json".into(), self.place("table.json")]);
        words.extend(["--html".into(), self.place("report.html")]);
        let mut verdict = Verdict {
            chosen: &chosen.source,
            why: &chosen.why,
            measured_as: &kept.measured_as,
        };
        probe::measured(&self.command("probe", words)?, Some(&mut verdict))?;
        println!(
            "answers for new samples: hspace predict {} --data NEW --out answers.csv",
            kept.predict
        );
        Ok(())
    }
}

/// The model.
struct Kept {
    /// The source that measures it.
    measured_as: String,
    /// What `hspace predict` takes.
    predict: String,
}
