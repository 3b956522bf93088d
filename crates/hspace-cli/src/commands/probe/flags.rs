//! The flags of `probe`, `compare` and `transfer`, and what they set.

use std::path::PathBuf;

use hspace::config::{merge, options, set};
use hspace::dataset::OpenOptions;
use hspace::probe::ProbeOptions;
use hspace::toml::{Table, Value};
use hspace::{Error, Result};

use super::answers::minutes;
use crate::commands::apart;
use crate::settings::{DataFlags, seed};

/// How to probe.
#[derive(Clone, clap::Args)]
pub struct ProbeFlags {
    /// The labelled samples
    #[arg(long)]
    pub data: Option<String>,
    #[arg(
        long,
        value_name = "COUNTS",
        help = "Labels a class, such as 1,10,100,all; for numbers, masks and several labels a sample: labelled samples in total [default: all; of transfer 4,10,100]"
    )]
    pub labels: Option<String>,
    /// Probes, such as linear,knn: see `hspace list probes`
    #[arg(long, value_name = "PROBES")]
    pub probe: Option<String>,
    /// Column that is the task; one of masks is measured on feature maps
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// Random draws of few labels [default: 10; 5 from 50 labels a class (500 in total) on, 3 from 100 (1000) on]
    #[arg(long)]
    pub draws: Option<usize>,
    /// Test every labelled sample once, in so many folds, instead of the data's own test samples: for data with few of them
    #[arg(long, value_name = "N")]
    pub folds: Option<usize>,
    /// With --folds: measure on the training samples alone, so that no val or test label is read: to choose between sources
    #[arg(long, requires = "folds")]
    pub train_only: bool,
    /// Measure each run on its own: otherwise runs that differ in their seed alone are one, whose intervals hold the training too
    #[arg(long)]
    pub seeds_apart: bool,
    /// Measure each network up to its stages too, layer by layer: `all`, or some, such as layer1,layer2
    #[arg(long, value_name = "STAGES")]
    pub layers: Option<String>,
    /// Seed of the draws and of untrained encoders
    #[arg(long, default_value_t = 0, value_parser = seed())]
    pub seed: u64,
    /// Change any setting of the probes, such as knn.k=5; may be given many times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Measure the sources alone, without pixels, PCA, the untrained encoder and, for methods that learn from more than labels, the same encoder
    /// trained on the labels alone
    #[arg(long)]
    pub no_baselines: bool,
    /// Measure on the samples that all feature files hold, where they do not hold all
    #[arg(long)]
    pub common: bool,
    #[command(flatten)]
    pub reading: DataFlags,
    /// Write the measurements as JSON to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write a page with curves, projections and neighbours to this file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Keep the answers to each draw of labels in this file as they come, from which the same command goes on after a stop [default: next to
    /// --json or --html, as NAME.answers.jsonl; else in ~/.cache/hspace, until all is measured]
    #[arg(long, value_name = "FILE.jsonl")]
    pub answers: Option<PathBuf>,
    /// Stop measuring after so many minutes: what is done is shown, and the same command goes on with the rest. No draw of labels is begun that
    /// would end later by the pace so far; the first one of each kind, whose pace is not known, may
    #[arg(long, value_name = "M", value_parser = minutes)]
    pub minutes: Option<f64>,
    /// cpu (cpu:direct: no Winograd; cpu:avx2, cpu:portable: no better instructions; cpu:burn: without
    /// our kernels), or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    pub device: String,
    /// Print no tables, whatever --json says
    #[arg(skip)]
    pub quiet: bool,
}

impl ProbeFlags {
    /// Whether standard output is for something other than tables.
    pub fn is_quiet(&self) -> bool {
        self.quiet || self.json.as_deref() == Some("-".as_ref())
    }

    /// Where the data are.
    pub fn data(&self) -> Result<&str> {
        self.data.as_deref().ok_or_else(|| {
            Error::config("--data is missing: name the labelled samples, such as --data photos/")
        })
    }

    /// How the data are read.
    pub fn open_options(&self) -> OpenOptions {
        self.reading.options(self.label.as_deref())
    }

    /// Refuses to write over the data or a source.
    pub fn check_outputs(&self, sources: &[String]) -> Result<()> {
        let mut inputs: Vec<(&str, &str)> =
            self.data.iter().map(|d| ("data", d.as_str())).collect();
        inputs.extend(sources.iter().map(|name| ("source", name.as_str())));
        let outputs = [
            ("--json", self.json.as_deref()),
            ("--html", self.html.as_deref()),
            ("--answers", self.answers.as_deref()),
        ];
        apart(&outputs, &inputs)
    }

    /// The options, with the linear probe alone unless others are named.
    pub fn linear_options(&self) -> Result<ProbeOptions> {
        let mut options = self.options()?;
        if options.probes == ProbeOptions::default().probes {
            options.probes = vec!["linear".to_owned()];
        }
        Ok(options)
    }

    /// The options: defaults, --set, flags.
    pub fn options(&self) -> Result<ProbeOptions> {
        self.options_with("all")
    }

    /// The same, where `labels` is the default of --labels.
    pub fn options_with(&self, labels: &str) -> Result<ProbeOptions> {
        let mut problems = Vec::new();
        let mut user = Table::new();
        for assignment in &self.set {
            if let Err(problem) = set(&mut user, assignment) {
                problems.push(problem);
            }
        }
        let mut flags = Table::new();
        let list = |text: &str| -> Value {
            let item = |item: &str| match item.trim().parse::<i64>() {
                Ok(count) => Value::Integer(count),
                Err(_) => Value::String(item.trim().to_owned()),
            };
            text.split(',').map(item).collect::<Vec<_>>().into()
        };
        flags.insert(
            "labels".into(),
            list(self.labels.as_deref().unwrap_or(labels)),
        );
        if let Some(probes) = &self.probe {
            flags.insert("probes".into(), list(probes));
        }
        if let Some(label) = &self.label {
            flags.insert("task".into(), Value::String(label.clone()));
        }
        if let Some(draws) = self.draws {
            flags.insert("draws".into(), Value::Integer(draws as i64));
        }
        if let Some(folds) = self.folds {
            flags.insert("folds".into(), Value::Integer(folds as i64));
        }
        flags.insert("seed".into(), Value::Integer(self.seed as i64));
        merge(&mut user, flags);
        options(user, problems)
    }
}
