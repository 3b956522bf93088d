//! The name of a source that learns from each draw of labels, read: `METHOD:SUBJECT:KEY=VALUE…`.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::config::{merge, set};
use crate::device::Device;
use crate::encoder::ENCODERS;
use crate::error::{Error, Result, unknown};
use crate::list;
use crate::objective::{self, OBJECTIVES, Objective};
use crate::run::RunFolder;

/// What a method is applied to ([`Learner::on`]).
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// An encoder that begins from random weights: its section in the configuration.
    Encoder(Table),
    /// The encoder of a run, from its weights.
    Run(PathBuf),
    /// The features of a run in place of the samples, and the section of the encoder that begins on them.
    Features(PathBuf, Table),
}

/// A source that learns from each draw of labels.
///
/// ```
/// use hspace::learner::{Learner, Subject};
///
/// let learner = Learner::parse("supervised:resnet18:width=16:label_smoothing=0.1").unwrap().unwrap();
/// assert_eq!(learner.method, "supervised");
/// assert_eq!(learner.untrained().as_deref(), Some("resnet18:width=16"));
/// assert!(Learner::parse("pca:50").is_none());
/// assert!(Learner::parse("supervised:resnet18:widht=16").unwrap().is_err());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Learner {
    /// Name of the objective.
    pub method: String,
    /// What it is applied to.
    pub on: Subject,
    /// Settings of the configuration that were given, by section.
    pub(crate) settings: Table,
}

/// The objectives that train a head of their own: names and summaries.
///
/// ```
/// let mut methods = hspace::learner::methods();
/// assert!(methods.any(|(name, _summary)| name == "fixmatch"));
/// ```
pub fn methods() -> impl Iterator<Item = (&'static str, &'static str)> {
    let answers = |entry: &&list::Entry<list::Configured<dyn Objective>>| {
        (entry.make)((entry.defaults)()).is_ok_and(|objective| objective.answers())
    };
    let entries = OBJECTIVES.iter().filter(answers);
    entries.map(|entry| (entry.name, entry.summary))
}

/// Whether it is the name of one of them.
///
/// ```
/// use hspace::learner::is_method;
///
/// assert!(is_method("finetune") && !is_method("simclr"));
/// ```
pub fn is_method(name: &str) -> bool {
    methods().any(|(method, _)| method == name)
}

impl Learner {
    /// Reads a source's name; `None` where it does not begin with the name of an objective.
    pub fn parse(text: &str) -> Option<Result<Learner>> {
        let (method, rest) = text.split_once(':')?;
        let entry = OBJECTIVES.iter().find(|entry| entry.name == method)?;
        Some(read(text, entry, rest))
    }

    /// The supervised baseline of an encoder, without settings.
    pub fn supervised(encoder: &str) -> Learner {
        Learner {
            method: "supervised".to_owned(),
            on: Subject::Encoder(Table::from_iter([(
                "name".to_owned(),
                Value::String(encoder.to_owned()),
            )])),
            settings: Table::new(),
        }
    }

    /// The run from which it begins.
    pub fn run(&self) -> Option<&Path> {
        match &self.on {
            Subject::Run(path) | Subject::Features(path, _) => Some(path),
            Subject::Encoder(_) => None,
        }
    }

    /// The encoder that begins from random weights, as `random:` names it.
    pub fn untrained(&self) -> Option<String> {
        let Subject::Encoder(section) = &self.on else {
            return None;
        };
        let name = section["name"].as_str().unwrap_or_default().to_owned();
        let settings = section.iter().filter(|(key, _)| *key != "name");
        Some(settings.fold(name, |text, (key, value)| format!("{text}:{key}={value}")))
    }

    /// The objective, not yet prepared.
    ///
    /// # Errors
    /// Settings that do not fit.
    pub fn objective(&self) -> Result<Box<dyn Objective>> {
        let mut section = self.objective_section();
        section.remove("name");
        objective::make(&self.method, section).map_err(Error::config)
    }

    pub(crate) fn objective_section(&self) -> Table {
        let mut section = Table::from_iter([("name".to_owned(), self.method.clone().into())]);
        if let Some(Value::Table(own)) = self.settings.get("objective") {
            section.extend(own.clone());
        }
        section
    }

    /// What its settings are laid over, on `device`: the encoder, and the size of images. As `random:ENCODER` it takes the settings of the first of
    /// `runs` (config.toml) with that encoder; `supervised` takes its views too, others have their own.
    ///
    /// # Errors
    /// A run that cannot be read.
    pub fn base(&self, runs: &[Table], device: &str) -> Result<Table> {
        let own_run;
        let (encoder, like) = match &self.on {
            Subject::Encoder(section) => {
                let is_same = |run: &&Table| {
                    let of = run.get("encoder").and_then(|encoder| encoder.get("name"));
                    section.len() == 1 && of == section.get("name")
                };
                (section.clone(), runs.iter().find(is_same))
            }
            Subject::Features(_, section) => (section.clone(), None),
            Subject::Run(path) => {
                let folder = RunFolder::open(path)?;
                own_run = match folder.has_config() {
                    true => folder.read_config()?,
                    false => Table::new(),
                };
                let about = folder.read_encoder(&Device::cpu())?.about;
                let mut section = about.settings.clone();
                section.insert("name".into(), about.architecture.clone().into());
                (section, Some(&own_run))
            }
        };
        let mut base = Table::new();
        let mut take = |section: &str| {
            if let Some(own) = like.and_then(|run| run.get(section)) {
                base.insert(section.to_owned(), own.clone());
            }
        };
        if self.method == "supervised" {
            take("views");
        }
        take("reading");
        let size = like.and_then(|run| run.get("train")?.get("image_size"));
        if let Some(size) = size {
            let train = Table::from_iter([("image_size".to_owned(), size.clone())]);
            base.insert("train".into(), train.into());
        }
        let of_run = like.and_then(|run| run.get("encoder")).cloned();
        let encoder = match (&self.on, of_run) {
            (Subject::Encoder(_), Some(section)) => section,
            _ => encoder.into(),
        };
        if let (Subject::Features(..), Some(settings)) = (&self.on, self.objective()?.on_features())
        {
            merge(&mut base, settings);
        }
        base.insert("encoder".into(), encoder);
        base.insert("device".into(), device.into());
        Ok(base)
    }
}

fn read(
    text: &str,
    entry: &list::Entry<list::Configured<dyn Objective>>,
    rest: &str,
) -> Result<Learner> {
    let refuse = |problem: String| Error::config(format!("`{text}`: {problem}"));
    if !is_method(entry.name) {
        return Err(refuse(format!(
            "objective {} trains no head for classes, so it cannot answer; train a run and name that: hspace train --data DATA --objective {0} --out RUN",
            entry.name
        )));
    }
    let (subject, settings) = match Path::new(rest).exists() {
        true => (rest, vec![]),
        false => {
            let mut parts = rest.split(':');
            (parts.next().unwrap_or_default(), parts.collect())
        }
    };
    let made = (entry.make)((entry.defaults)());
    let on_features = made.ok().and_then(|objective| objective.on_features());
    let run = PathBuf::from(subject);
    let (on, own_keys) = match (run.is_dir(), on_features) {
        (true, None) => (Subject::Run(run), Table::new()),
        (true, Some(mut settings)) => {
            let section = settings.remove("encoder");
            let Some(Value::Table(section)) = section else {
                panic!("{} names an encoder", entry.name)
            };
            let name = section["name"].as_str().unwrap_or_default();
            let encoder = list::find("encoder", ENCODERS, name).map_err(refuse)?;
            let defaults = (encoder.defaults)();
            (Subject::Features(run, section), defaults)
        }
        (false, _) => {
            let encoder = list::find("encoder", ENCODERS, subject).map_err(|problem| {
                refuse(format!(
                    "{problem}, and there is no run folder of that name"
                ))
            })?;
            let section = Table::from_iter([("name".to_owned(), subject.into())]);
            (Subject::Encoder(section), (encoder.defaults)())
        }
    };
    let mut learner = Learner {
        method: entry.name.to_owned(),
        on,
        settings: Table::new(),
    };
    let of_method = (entry.defaults)();
    for setting in settings {
        let key = setting.split('=').next().unwrap_or_default().trim();
        let bad = |_| {
            refuse(format!(
                "`{setting}` is no KEY=VALUE, such as ratio=7 or train.steps=2000"
            ))
        };
        match &mut learner.on {
            _ if key.contains('.') => set(&mut learner.settings, setting).map_err(bad)?,
            Subject::Encoder(section) | Subject::Features(_, section)
                if own_keys.contains_key(key) =>
            {
                set(section, setting).map_err(bad)?;
            }
            _ if of_method.contains_key(key) => {
                set(&mut learner.settings, &format!("objective.{setting}")).map_err(bad)?;
            }
            _ => {
                let known = of_method.keys().chain(own_keys.keys()).map(String::as_str);
                let problem = unknown("setting", key, known.chain(["train.steps"]));
                return Err(refuse(problem));
            }
        }
    }
    learner
        .objective()
        .map_err(|error| refuse(error.to_string()))?;
    Ok(learner)
}
