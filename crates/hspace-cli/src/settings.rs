//! Flags that end up in the configuration.

use std::path::{Path, PathBuf};

use hspace::config::{merge, set};
use hspace::dataset::{Dataset, Missing, OpenOptions, Pages};
use hspace::device::Device;
use hspace::source::Sources;
use hspace::toml::{Table, Value};
use hspace::{Error, Result};

/// Parses a seed: those that a configuration can hold.
pub fn seed() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(..=i64::MAX as u64)
}

/// Parses a number of things.
pub fn count(range: std::ops::RangeInclusive<u64>) -> clap::builder::RangedU64ValueParser<usize> {
    clap::builder::RangedU64ValueParser::new().range(range)
}

/// Parses a length of time.
pub fn seconds(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds.is_finite() => Ok(seconds),
        _ => Err("must be a number above 0".to_owned()),
    }
}

/// How data are read, as flags.
#[derive(clap::Args, Clone, Default)]
#[command(next_help_heading = "How data are read")]
pub struct DataFlags {
    /// Column of a table that names the samples
    #[arg(long, value_name = "COLUMN")]
    pub id: Option<String>,
    /// Column of a table that says train, val or test
    #[arg(long, value_name = "COLUMN")]
    pub split_column: Option<String>,
    /// What a column is for: label, labels, text, target, nuisance, factor, domain, group, mask, id, split, feature or
    /// ignore; may be given many times
    #[arg(long, value_name = "COLUMN=ROLE", value_parser = column_role)]
    pub role: Vec<String>,
    /// Table of the labels of a folder of images (none: no table) [default: labels.csv in it, or one that names its files]
    #[arg(long, value_name = "FILE")]
    pub label_file: Option<String>,
    /// Take NA, NaN, null and ? for names of classes; only empty cells are unknown
    #[arg(long)]
    pub keep_na: bool,
    /// Rows without a value of some feature: refuse, mean (of the training rows) or drop [default: refuse]
    #[arg(long, value_name = "HOW", value_parser = missing)]
    pub missing: Option<Missing>,
    /// Share of samples held out for the test where the data have no test split [default: 0.2]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub holdout: Option<f64>,
    /// Pages of a TIFF: samples (each is one), channels (of one image) or first [default: first]
    #[arg(long, value_name = "WHAT")]
    pub pages: Option<Pages>,
    /// Images of more pixels are left out [default: 100000000]
    #[arg(long, value_name = "COUNT")]
    pub max_pixels: Option<u64>,
    /// Keep so many labels a class of the training samples (of numbers and several labels a sample: in total), those of a draw of `probe --labels`,
    /// and take no others: to see what few labels would give [default: all]
    #[arg(long, value_name = "COUNT", value_parser = count(1..=1_000_000_000))]
    pub few_labels: Option<usize>,
    /// Which draw of few labels [default: 0]
    #[arg(long, value_name = "NUMBER", requires = "few_labels", value_parser = seed())]
    pub few_labels_draw: Option<u64>,
    /// Pair the rows of a file of features without ids with the samples by their position
    #[arg(long)]
    pub by_position: bool,
}

impl DataFlags {
    /// The options; `label` is the column that is the task, if one is named.
    pub fn options(&self, label: Option<&str>) -> OpenOptions {
        let mut options = OpenOptions::default();
        self.lay_over(&mut options);
        if let Some(label) = label {
            options.label = label.to_owned();
        }
        options
    }

    /// Representations of `dataset`, features files read as the flags say.
    pub fn sources<'a>(&self, dataset: &'a Dataset, device: Device, seed: u64) -> Sources<'a> {
        let table = self.options(None).table();
        Sources::new(dataset, device, seed).features(table, self.by_position)
    }

    /// The flags that were given, as words of a command.
    pub fn words(&self) -> Vec<String> {
        let DataFlags {
            id,
            split_column,
            role,
            label_file,
            keep_na,
            missing,
            holdout,
            pages,
            max_pixels,
            few_labels,
            few_labels_draw,
            by_position,
        } = self;
        let word = |value: &Option<Missing>| {
            value.map(|missing| match missing {
                Missing::Refuse => "refuse".to_owned(),
                Missing::Mean => "mean".to_owned(),
                Missing::Drop => "drop".to_owned(),
            })
        };
        let mut words = Vec::new();
        for (flag, value) in [
            ("--id", id.clone()),
            ("--split-column", split_column.clone()),
            ("--label-file", label_file.clone()),
            ("--missing", word(missing)),
            ("--holdout", holdout.map(|x| x.to_string())),
            ("--pages", pages.map(|pages| pages.to_string())),
            ("--max-pixels", max_pixels.map(|n| n.to_string())),
            ("--few-labels", few_labels.map(|n| n.to_string())),
            ("--few-labels-draw", few_labels_draw.map(|n| n.to_string())),
        ] {
            words.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        }
        words.extend(
            role.iter()
                .flat_map(|role| ["--role".to_owned(), role.clone()]),
        );
        let switches = [("--keep-na", keep_na), ("--by-position", by_position)];
        let on = switches.iter().filter(|(_, on)| **on);
        words.extend(on.map(|(flag, _)| (*flag).to_owned()));
        words
    }

    /// The flags that say what `options` do.
    pub fn of(options: &OpenOptions) -> DataFlags {
        DataFlags {
            id: Some(options.id.clone()),
            split_column: Some(options.split_column.clone()),
            role: options.roles.clone(),
            label_file: Some(options.label_file.clone()),
            keep_na: options.keep_na,
            missing: Some(options.missing),
            holdout: Some(options.holdout),
            pages: Some(options.pages),
            max_pixels: Some(options.max_pixels),
            few_labels: Some(options.few_labels),
            few_labels_draw: Some(options.few_labels_draw),
            by_position: false,
        }
    }

    /// Changes what is said by a flag.
    pub fn lay_over(&self, options: &mut OpenOptions) {
        fn set<T: Clone>(to: &mut T, from: &Option<T>) {
            if let Some(value) = from {
                *to = value.clone();
            }
        }
        set(&mut options.id, &self.id);
        set(&mut options.split_column, &self.split_column);
        set(&mut options.label_file, &self.label_file);
        set(&mut options.missing, &self.missing);
        set(&mut options.holdout, &self.holdout);
        set(&mut options.pages, &self.pages);
        set(&mut options.max_pixels, &self.max_pixels);
        set(&mut options.few_labels, &self.few_labels);
        set(&mut options.few_labels_draw, &self.few_labels_draw);
        options.roles.extend(self.role.iter().cloned());
        options.keep_na |= self.keep_na;
    }
}

fn column_role(text: &str) -> std::result::Result<String, String> {
    match text.rsplit_once('=') {
        Some((column, role)) if !column.is_empty() && !role.is_empty() => Ok(text.to_owned()),
        _ => Err("give it as COLUMN=ROLE, such as age=target".to_owned()),
    }
}

fn missing(text: &str) -> std::result::Result<Missing, String> {
    match text {
        "refuse" => Ok(Missing::Refuse),
        "mean" => Ok(Missing::Mean),
        "drop" => Ok(Missing::Drop),
        _ => Err("give refuse, mean or drop".to_owned()),
    }
}

fn share(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("give a number of at least 0 and below 1".to_owned()),
    }
}

/// The settings of a run, as flags.
#[derive(clap::Args, Default)]
pub struct SettingFlags {
    /// Read settings from this file (a run's config.toml repeats that run); flags go before it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Change any setting, such as objective.temperature=0.2; may be given many times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Encoder: see `hspace list encoders`
    #[arg(long)]
    pub encoder: Option<String>,
    /// Random views by name, of which views.* changes single settings: see `hspace list view-sets`
    /// [default: auto, by objective, kind of data and size]
    #[arg(long, value_name = "NAME")]
    pub view_set: Option<String>,
    /// Objective: see `hspace list objectives`; auto: by the labels there are, and says why
    #[arg(long)]
    pub objective: Option<String>,
    /// Passes over the data
    #[arg(long, value_parser = count(1..=1_000_000_000))]
    pub epochs: Option<usize>,
    /// Steps in all, instead of passes
    #[arg(long, conflicts_with = "epochs", value_parser = count(1..=1_000_000_000))]
    pub steps: Option<usize>,
    /// Samples per step
    #[arg(long, value_parser = count(1..=1_000_000_000))]
    pub batch_size: Option<usize>,
    /// Highest learning rate
    #[arg(long)]
    pub learning_rate: Option<f64>,
    /// Height and width of the encoder's input in pixels
    #[arg(long)]
    pub image_size: Option<usize>,
    /// Splits to learn from: train, or train,val (val samples without their labels) [default: train]
    #[arg(long, value_name = "SPLITS")]
    pub learn_from: Option<String>,
    /// Stop when this has not improved for train.patience epochs: epoch_loss, online_probe,
    /// effective_rank, spread, alignment or uniformity
    #[arg(long, value_name = "METRIC")]
    pub stop_on: Option<String>,
    /// Keep the weights of the epoch that was best by this, not the last
    #[arg(long, value_name = "METRIC")]
    pub keep_best: Option<String>,
    /// Average the weights of the training with this decay, such as 0.999 (exponential moving average), and keep the average
    #[arg(long, value_name = "DECAY")]
    pub ema: Option<f64>,
    /// Weights to keep as the encoder: model, ema, or teacher (of byol, moco, dino) [default: ema with --ema, else model]
    #[arg(long, value_name = "WEIGHTS")]
    pub export: Option<String>,
    /// Column that is the task
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// Seed of everything random
    #[arg(long, value_parser = seed())]
    pub seed: Option<u64>,
    /// cpu (cpu:direct: no Winograd; cpu:avx2, cpu:portable: no better instructions; cpu:burn: without
    /// our kernels), or a GPU this hspace was built for [default: HSPACE_DEVICE, or cpu]
    #[arg(long)]
    pub device: Option<String>,
}

impl SettingFlags {
    /// File, then --set, then flags, as one table.
    pub fn table(&self) -> Result<Table> {
        let mut table = match &self.config {
            Some(path) => read(path)?,
            None => Table::new(),
        };
        let mut problems = Vec::new();
        let mut over = Table::new();
        let flags = [
            ("encoder.name", text(&self.encoder)),
            ("objective.name", text(&self.objective)),
            ("view_set", text(&self.view_set)),
            ("label", text(&self.label)),
            ("device", text(&self.device)),
            ("train.epochs", self.epochs.map(|n| n.to_string())),
            ("train.steps", self.steps.map(|n| n.to_string())),
            ("train.batch_size", self.batch_size.map(|n| n.to_string())),
            ("train.image_size", self.image_size.map(|n| n.to_string())),
            (
                "train.learning_rate",
                self.learning_rate.map(|x| format!("{x:?}")),
            ),
            ("train.learn_from", text(&self.learn_from)),
            ("train.stop_on", text(&self.stop_on)),
            ("train.keep_best", text(&self.keep_best)),
            ("train.ema", self.ema.map(|x| format!("{x:?}"))),
            ("train.export", text(&self.export)),
            ("seed", self.seed.map(|n| n.to_string())),
        ];
        let flags = flags
            .into_iter()
            .filter_map(|(key, value)| Some(format!("{key}={}", value?)));
        for assignment in self.set.iter().cloned().chain(flags) {
            if let Err(problem) = set(&mut over, &assignment) {
                problems.push(problem);
            }
        }
        if !problems.is_empty() {
            return Err(Error::Config(problems));
        }
        // Another encoder, objective or set of views than the file's begins from its own defaults.
        for section in ["encoder", "objective"] {
            let name = |table: &Table| table.get(section)?.get("name").cloned();
            if name(&over).is_some() && name(&over) != name(&table) {
                table.remove(section);
            }
        }
        let views = |table: &Table| table.get("view_set").cloned();
        if views(&over).is_some() && views(&over) != views(&table) {
            table.remove("views");
        }
        merge(&mut table, over);
        // What a file or a flag says comes before it; and it must not count as a flag, which --resume refuses.
        if let (None, Ok(device)) = (table.get("device"), std::env::var("HSPACE_DEVICE")) {
            table.insert("device".into(), Value::String(device));
        }
        Ok(table)
    }
}

/// A string as TOML, in quotes.
fn text(value: &Option<String>) -> Option<String> {
    Some(Value::String(value.clone()?).to_string())
}

/// Reads a TOML file.
fn read(path: &Path) -> Result<Table> {
    let text = hspace::file::read_text(path)?;
    text.parse()
        .map_err(|e: hspace::toml::de::Error| Error::file(path, e.message()))
}
