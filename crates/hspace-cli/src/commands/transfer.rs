//! `hspace transfer`

use std::collections::BTreeMap;
use std::path::Path;

use hspace::dataset::{Dataset, Values};
use hspace::device::device;
use hspace::evaluate::group_name;
use hspace::learner::Learner;
use hspace::per_draw::{labels_alone, supervised_name};
use hspace::probe::{Estimate, Labels, Measurements, ProbeOptions, Transfer};
use hspace::representation::Representation;
use hspace::source::Source;
use hspace::toml::Table;
use hspace::transferability::{Ranking, rank};
use hspace::{Error, Result, hub};
use serde_json::Value;

use crate::commands::probe::{
    Added, Addition, ProbeFlags, measure_and_add, parsed_with_features, run_settings, seed_groups,
};
use crate::commands::rank::own_head;
use crate::progress::Spinner;
use crate::say;

/// Labels a class, where none are asked for: few, as many as the sentence is about, and enough for the baseline's curve.
const LABELS: &str = "4,10,100";

/// Does what was learned on other data help on these? A source fine-tuned, and its features, against the same encoder trained on the labels alone.
///
/// Measured by one protocol: the source's features under the linear probe, finetune:SOURCE, supervised:ENCODER (the same encoder trained
/// on the labels alone), random:ENCODER, PCA and pixels. Then a sentence says how many labels the source saves, that no difference is seen, or that it hurts.
/// Of several sources the scores of `hspace rank` are shown too.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace transfer runs/photos --data xrays/ --labels 4,10,100 --draws 5
  hspace transfer runs/a runs/b --data other/ --json transfer.json --html transfer.html   # which one, and what LogME says
  hspace transfer runs/a --data other/ --labels 10,all --minutes 30    # the same command goes on later
  hspace transfer runs/a --data few/ --labels 5 --folds 5              # every labelled sample tested once
  hspace transfer hf:timm/resnet18.a1_in1k --data photos/              # its features; to fine-tune it: hspace import")]
pub struct Args {
    /// What was learned elsewhere: runs, which are fine-tuned too; models of timm on the Hugging Face Hub (hf:OWNER/NAME), runs up to a stage
    /// (runs/a@layer2) and files of features, whose features alone are measured
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    #[command(flatten)]
    flags: ProbeFlags,
}

/// A source, and what is compared.
struct Question {
    name: String,
    source: Source,
    /// The method that begins with its weights.
    finetuned: Option<String>,
    /// What learns from the labels alone.
    baseline: String,
}

pub fn run(args: &Args) -> Result<()> {
    let flags = &args.flags;
    flags.check_outputs(&args.sources)?;
    if flags.no_baselines {
        return Err(Error::config(
            "--no-baselines: transfer compares a source with baselines; leave it out, or use hspace probe",
        ));
    }
    let mut options = flags.options_with(LABELS)?;
    if options.probes == ProbeOptions::default().probes {
        options.probes = vec!["linear".to_owned()];
    }
    let questions = questions(&args.sources)?;
    let mut names = args.sources.clone();
    for question in &questions {
        let more = question.finetuned.iter().chain([&question.baseline]);
        for name in more {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    if let Some(first) = questions.first() {
        options.baseline.clone_from(&first.baseline);
    }
    let mut comparing = Comparing {
        questions,
        groups: seed_groups(&args.sources, flags)?,
        flags,
    };
    measure_and_add(&names, flags, &options, Some(&mut comparing)).map(|_| ())
}

/// What is asked of each source.
fn questions(names: &[String]) -> Result<Vec<Question>> {
    let sources = parsed_with_features(names)?;
    let runs = run_settings(names)?;
    let question = |(name, source): (String, Source)| -> Result<Question> {
        Ok(Question {
            name,
            baseline: alone(&source, &runs)?,
            finetuned: match &source {
                Source::Run(run) => Some(finetuned(run)),
                // Up to a stage it is features.
                _ => None,
            },
            source,
        })
    };
    sources.into_iter().map(question).collect()
}

fn finetuned(run: &Path) -> String {
    format!("finetune:{}", run.display())
}

/// What learns from the labels alone: the encoder of `source`, or where none is known a probe on pixels.
fn alone(source: &Source, runs: &[Table]) -> Result<String> {
    let baseline = match source {
        Source::At(network, _) => return alone(network, runs),
        Source::Hub(model) => {
            let model = hub::model(model)?;
            let mut section = model.settings;
            section.insert("name".to_owned(), model.encoder.into());
            Some(supervised_name(&section, runs)?)
        }
        Source::Run(run) => match Learner::parse(&finetuned(run)) {
            Some(learner) => labels_alone(&learner?, &[], runs)?.map(|alone| alone.baseline),
            None => None,
        },
        _ => None,
    };
    Ok(baseline.unwrap_or("pixels".to_owned()))
}

struct Comparing<'a> {
    questions: Vec<Question>,
    /// Runs that differ in their seed alone.
    groups: Vec<Vec<String>>,
    flags: &'a ProbeFlags,
}

impl Addition for Comparing<'_> {
    fn check(&self, dataset: &Dataset, label: Option<&str>) -> Result<()> {
        let masks = label.and_then(|label| dataset.mask_column(label));
        let task = masks.or(dataset.task());
        match task {
            Some(task) if masks.is_some() || !matches!(task.values, Values::Classes { .. }) => {
                Err(Error::config(format!(
                    "`{}` is no column of classes, which is what fine-tuning learns; measure features by hspace probe, or name another column by --label",
                    task.name
                )))
            }
            _ => Ok(()),
        }
    }

    fn add(&mut self, found: &Measurements, made: &[Representation]) -> Result<Added> {
        let (mut all, mut sentences, mut text) = (Vec::new(), Vec::new(), String::new());
        let mut seen: Vec<String> = Vec::new();
        for question in &self.questions {
            let name = self.as_measured(&question.name);
            let mut own = Vec::new();
            for name in question.finetuned.iter().chain([&name]) {
                // Of several seeds the features are one row.
                if !seen.contains(name) && *name != question.baseline {
                    own.extend(Transfer::of(found, name, &question.baseline)?);
                    seen.push(name.clone());
                }
            }
            if own.is_empty() {
                continue;
            }
            sentences.push(Transfer::sentence(&own, found));
            text += &format!("{name} against {}, by labels a class\n", question.baseline);
            text += &Transfer::table(&own);
            all.extend(own);
        }
        let mut json = BTreeMap::from([("transfer", as_json(&all)?)]);
        if self.questions.len() > 1
            && let Some(ranking) = self.ranking(found, made)?
        {
            text += &format!("\n{}", self.ranked(&ranking, found));
            json.insert("ranking", as_json(&ranking)?);
        }
        Ok(Added {
            headline: Some(sentences.join(". ")).filter(|text| !text.is_empty()),
            text,
            json,
            ..Added::default()
        })
    }
}

impl Comparing<'_> {
    /// How tables call a source: runs that differ in their seed alone are one.
    fn as_measured(&self, name: &str) -> String {
        let mut groups = self.groups.iter();
        let group = groups.find(|group| group.iter().any(|own| own == name));
        group.map_or(name.to_owned(), |group| group_name(group))
    }

    /// The scores of transferability; `None`, and why, where they cannot be taken.
    fn ranking(&self, found: &Measurements, made: &[Representation]) -> Result<Option<Ranking>> {
        let device = device(&self.flags.device)?;
        let (mut features, mut heads) = (Vec::new(), Vec::new());
        for question in &self.questions {
            if let Some(r) = made.iter().find(|r| r.name == question.name) {
                heads.push(own_head(&question.source, r, &device)?);
                features.push(r.clone());
            }
        }
        let options = ProbeOptions {
            seed: found.seed,
            scaling: found.scaling,
            task: found.task.clone(),
            ..ProbeOptions::default()
        };
        let spinner = Spinner::new("scores of transferability");
        let ranking = rank(&features, &heads, &options, &found.data, &mut |text| {
            spinner.say(text);
        });
        spinner.done();
        Ok(ranking
            .inspect_err(|error| say::note(format_args!("without scores: {error}")))
            .ok())
    }

    /// The ranking next to what fine-tuning says with the fewest labels.
    fn ranked(&self, ranking: &Ranking, found: &Measurements) -> String {
        let finetuned = |source: &str| {
            let own = self.questions.iter().find(|q| q.name == source)?;
            own.finetuned.as_deref()
        };
        let rows = || {
            found
                .rows
                .iter()
                .filter(|row| self.is_finetuned(&row.representation))
        };
        let labels: Option<Labels> = rows().map(|row| row.labels).min();
        let score = |source: &str| -> Option<Estimate> {
            let name = finetuned(source)?;
            let row = rows().find(|r| r.representation == name && Some(r.labels) == labels);
            row?.main_score().map(|score| score.1)
        };
        let title = labels.map(|labels| match labels {
            Labels::All => "fine-tuned, all labels".to_owned(),
            Labels::PerClass(k) => format!("fine-tuned, {k} labels a class"),
        });
        ranking.table_with(&title.unwrap_or_default(), &score)
    }

    fn is_finetuned(&self, name: &str) -> bool {
        let mut questions = self.questions.iter();
        questions.any(|q| q.finetuned.as_deref() == Some(name))
    }
}

fn as_json(value: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|e| Error::data(e.to_string()))
}
