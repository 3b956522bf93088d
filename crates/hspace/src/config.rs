//! The configuration of a run: flags, file and defaults made one, and checked whole.
//!
//! A configuration is a TOML table laid over the table of defaults. The defaults come from the
//! structs that are configured (the encoder's and the objective's from their entry in the lists),
//! so the keys that are accepted and the keys that exist are the same by construction.

mod table;
mod train;
mod views;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::dataset::{Kind, OpenOptions, Shape, Split};
use crate::encoder::ENCODERS;
use crate::error::{Error, Result, unknown};
use crate::list;
use crate::objective::{OBJECTIVES, learns_from_labels};
use crate::views::Recipes;
pub use table::{merge, options, overlay, section, set};
use table::{parse, spell_out};
pub use train::{LearnFrom, Metric, TrainSettings};

const AUTO: &str = "auto";

/// A name and its settings.
///
/// ```
/// use hspace::config::{Config, section};
///
/// // The objective of a table of settings, as `Config` has it in `Config::objective`.
/// let mut table = hspace::toml::Table::new();
/// table.insert("objective".into(), section("vae:beta=4.0")?.into());
/// let (name, settings) = Config::objective_of(&table).expect("an objective");
/// assert_eq!((name.as_str(), settings["beta"].as_float()), ("vae", Some(4.0)));
/// # Ok::<(), hspace::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Name in its list.
    pub name: String,
    /// All settings.
    pub settings: Table,
}

/// What the encoder begins from: `[init]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Init {
    /// A run, a file of weights or `hf:OWNER/NAME`; empty: fresh weights.
    pub from: String,
    /// Keys or modules around the network in a checkpoint, where several fit; empty: the one that fits.
    pub weights_key: String,
    /// Hash of the weights, so that a run is not repeated from others; empty until they are read.
    pub hash: String,
}

/// Every setting of a run, resolved.
///
/// ```
/// use hspace::config::Config;
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::job::about;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let settings = "objective = 'vicreg'\n[encoder]\nname = 'resnet18'\nwidth = 16\n".parse()?;
/// let config = Config::resolve(settings, about(&shapes))?;
/// assert_eq!(config.encoder.settings["width"].as_integer(), Some(16));
/// assert!(*config.train.batch_size.get() > 0); // `auto` has a value by now.
///
/// // As it is in a run's config.toml: the same again.
/// assert_eq!(Config::resolve(config.to_toml().parse()?, about(&shapes))?, config);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// As given to `--data`.
    pub data: String,
    /// Column that is the task; `auto`: the first label column.
    pub label: String,
    /// Seed of everything random.
    pub seed: u64,
    /// `cpu`, or a GPU device that the binary was built with.
    pub device: String,
    /// Where the defaults of `views` come from: a name of [`crate::views::PRESETS`], or `auto`: `strong` for objectives that compare several views
    /// of a sample, else `weak`.
    pub view_set: String,
    /// How the data are read.
    pub reading: OpenOptions,
    /// The encoder.
    pub encoder: Choice,
    /// The objective.
    pub objective: Choice,
    /// The random views.
    pub views: Recipes,
    /// The training.
    pub train: TrainSettings,
    /// What the encoder begins from.
    pub init: Init,
}

/// The settings outside any section.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Top {
    data: String,
    label: String,
    seed: u64,
    device: String,
    view_set: String,
}

impl Default for Top {
    fn default() -> Self {
        Top {
            data: String::new(),
            label: "auto".into(),
            seed: 0,
            device: "cpu".into(),
            view_set: AUTO.into(),
        }
    }
}

const READING: &str = "reading";
const INIT: &str = "init";
const SECTIONS: [&str; 6] = ["encoder", "objective", "views", "train", READING, INIT];

/// What the data say, for the defaults that depend on it.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// What the samples show.
    pub kind: Kind,
    /// Their shape.
    pub shape: Shape,
    /// Number of training samples.
    pub samples: usize,
    /// Number of val samples.
    pub val: usize,
}

impl Config {
    /// The source of the data, if it is named.
    pub fn data_of(table: &Table) -> Option<&str> {
        table.get("data")?.as_str()
    }

    /// How the data are to be read: the section `[reading]`, and the column that is the task.
    ///
    /// # Errors
    /// Every unknown key and every value that does not fit.
    pub fn reading_of(table: &Table) -> Result<OpenOptions> {
        let mut problems = Vec::new();
        let section = table.get(READING).and_then(Value::as_table);
        let mut reading = reading(section.cloned().unwrap_or_default(), &mut problems);
        if !problems.is_empty() {
            return Err(Error::Config(problems));
        }
        if let Some(label) = table.get("label").and_then(Value::as_str) {
            reading.label = label.to_owned();
        }
        Ok(reading)
    }

    /// The objective's name and settings.
    pub fn objective_of(table: &Table) -> Option<(String, Table)> {
        let mut settings = table.get("objective")?.as_table()?.clone();
        let name = settings.remove("name")?.as_str()?.to_owned();
        Some((name, settings))
    }

    /// The device that is named, or the default.
    pub fn device_of(table: &Table) -> &str {
        let named = table.get("device").and_then(Value::as_str);
        named.unwrap_or("cpu")
    }

    /// Makes the configuration out of what the user gave and what the data are.
    ///
    /// # Errors
    /// Every unknown name and key, every value of the wrong type or out of range: all at once.
    pub fn resolve(mut user: Table, about: About) -> Result<Config> {
        let mut problems = Vec::new();
        let mut sections = SECTIONS.map(|name| {
            let mut section = user.remove(name).unwrap_or(Table::new().into());
            spell_out(name, &mut section);
            match section {
                Value::Table(table) => table,
                other => {
                    problems.push(format!("{name}={other} must be a section, [{name}]"));
                    Table::new()
                }
            }
        });
        let mut top = list::defaults::<Top>();
        let known: Vec<String> = top
            .keys()
            .cloned()
            .chain(SECTIONS.map(Into::into))
            .collect();
        user.retain(|key, _| {
            let ok = known.iter().any(|k| k == key);
            if !ok {
                problems.push(unknown("key", key, known.iter().map(String::as_str)));
            }
            ok
        });
        overlay(&mut top, user, "", &mut problems);
        let top: Top = parse("", top, &mut problems).unwrap_or_default();

        let default_encoder = match about.shape {
            Shape::Image { .. } => "cnn",
            Shape::Vector { .. } => "mlp",
        };
        let encoder = choose(
            "encoder",
            ENCODERS,
            default_encoder,
            &mut sections[0],
            &mut problems,
        );
        let objective = choose(
            "objective",
            OBJECTIVES,
            "simclr",
            &mut sections[1],
            &mut problems,
        );

        let mut table = list::defaults::<TrainSettings>();
        overlay(
            &mut table,
            std::mem::take(&mut sections[3]),
            "train",
            &mut problems,
        );
        let train: Option<TrainSettings> = parse("train.", table, &mut problems);
        let mut train = train.unwrap_or_default();
        let val = match &objective {
            Some((made, _)) if train.learn_from.has(Split::Val) && !learns_from_labels(&**made) => {
                about.val
            }
            _ => 0,
        };
        let made = objective.as_ref().map(|(made, _)| &**made);
        train.resolve(about.samples + val, about.shape, made);
        problems.extend(train.validate());

        let streams = objective
            .as_ref()
            .map_or(vec![], |(made, _)| made.streams());
        let side = match about.shape {
            Shape::Image { .. } => *train.image_size.get(),
            Shape::Vector { .. } => 0,
        };
        let views = views::views(
            &top.view_set,
            &streams,
            (about.kind, side),
            std::mem::take(&mut sections[2]),
            &mut problems,
        );

        let mut reading = reading(std::mem::take(&mut sections[4]), &mut problems);
        reading.label = top.label.clone();

        let mut table = list::defaults::<Init>();
        overlay(
            &mut table,
            std::mem::take(&mut sections[5]),
            INIT,
            &mut problems,
        );
        let init: Init = parse("init.", table, &mut problems).unwrap_or_default();

        match (encoder, objective) {
            (Some((_, encoder)), Some((_, objective))) if problems.is_empty() => Ok(Config {
                reading,
                data: top.data,
                label: top.label,
                seed: top.seed,
                device: top.device,
                view_set: top.view_set,
                encoder,
                objective,
                views,
                train,
                init,
            }),
            _ => Err(Error::Config(problems)),
        }
    }

    /// As config.toml; [`Config::resolve`] on it gives the same configuration.
    pub fn to_toml(&self) -> String {
        let top = Top {
            data: self.data.clone(),
            label: self.label.clone(),
            seed: self.seed,
            device: self.device.clone(),
            view_set: self.view_set.clone(),
        };
        let table = |value: std::result::Result<Table, toml::ser::Error>| {
            value.expect("plain settings serialise")
        };
        let mut all = table(Table::try_from(top));
        for (section, choice) in [("encoder", &self.encoder), ("objective", &self.objective)] {
            let mut settings = Table::from_iter([("name".into(), choice.name.clone().into())]);
            settings.extend(choice.settings.clone());
            all.insert(section.into(), settings.into());
        }
        let mut views = table(Table::try_from(&self.views.random));
        for (recipe, own) in &self.views.named {
            views.insert(recipe.name().into(), table(Table::try_from(own)).into());
        }
        all.insert("views".into(), views.into());
        all.insert("train".into(), table(Table::try_from(&self.train)).into());
        all.insert(READING.into(), table(Table::try_from(&self.reading)).into());
        if !self.init.from.is_empty() {
            all.insert(INIT.into(), table(Table::try_from(&self.init)).into());
        }
        all.to_string()
    }
}

/// The section `[reading]`.
fn reading(section: Table, problems: &mut Vec<String>) -> OpenOptions {
    let mut table = list::defaults::<OpenOptions>();
    overlay(&mut table, section, READING, problems);
    parse("reading.", table, problems).unwrap_or_default()
}

/// Takes `name` and the settings out of a section and makes the thing once, to check it.
fn choose<T: ?Sized>(
    what: &str,
    entries: &'static [list::Entry<list::Configured<T>>],
    default: &str,
    section: &mut Table,
    problems: &mut Vec<String>,
) -> Option<(Box<T>, Choice)> {
    let name = match section.remove("name") {
        Some(Value::String(name)) => name,
        None => default.to_owned(),
        Some(other) => {
            problems.push(format!("{what}.name={other} must be a name in quotes"));
            return None;
        }
    };
    let entry = match list::find(what, entries, &name) {
        Ok(entry) => entry,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let mut settings = (entry.defaults)();
    overlay(&mut settings, std::mem::take(section), what, problems);
    match (entry.make)(settings.clone()) {
        Ok(made) => Some((made, Choice { name, settings })),
        Err(problem) => {
            problems.extend(list::in_section(what, &problem));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auto::Auto;

    const DIGITS: About = About {
        kind: Kind::Digits,
        shape: Shape::Image {
            channels: 1,
            height: 28,
            width: 28,
        },
        samples: 1000,
        val: 200,
    };

    fn table(sets: &[&str]) -> Table {
        let mut table = Table::new();
        sets.iter().for_each(|s| set(&mut table, s).unwrap());
        table
    }

    #[test]
    fn names_bring_their_settings() {
        let table = section("resnet18:width=16:stem=small").unwrap();
        assert_eq!(table["name"].as_str(), Some("resnet18"));
        assert_eq!(table["width"].as_integer(), Some(16));
        assert_eq!(table["stem"].as_str(), Some("small"));
        assert!(section("resnet18:16").is_err());
    }

    /// A name alone keeps its place when a setting of it follows, from whichever side.
    #[test]
    fn a_name_alone_is_a_section() {
        let mut merged: Table = "objective = 'byol'".parse().unwrap();
        merge(&mut merged, table(&["objective.momentum=0.9"]));
        for table in [table(&["objective=byol", "objective.momentum=0.9"]), merged] {
            let config = Config::resolve(table, DIGITS).unwrap();
            assert_eq!(config.objective.name, "byol");
            assert_eq!(config.objective.settings["momentum"].as_float(), Some(0.9));
        }
    }

    #[test]
    fn written_and_read_it_is_the_same() {
        let given = [
            "data=builtin:mnist-mini",
            "train.epochs=3",
            "encoder.width=8",
        ];
        let config = Config::resolve(table(&given), DIGITS).unwrap();
        assert_eq!(config.train.epochs, Auto::Set(3));
        let again = Config::resolve(config.to_toml().parse().unwrap(), DIGITS).unwrap();
        assert_eq!(config, again);
    }

    #[test]
    fn all_problems_at_once() {
        let given = [
            "sed=1",
            "encoder.name=resnet81",
            "objective.temprature=0.2",
            "train.epochs=many",
            "train.warmup=2",
        ];
        let Error::Config(problems) = Config::resolve(table(&given), DIGITS).unwrap_err() else {
            panic!("a settings error");
        };
        for part in ["did you mean `seed`", "resnet18", "`temperature`", "epochs"] {
            assert!(
                problems.iter().any(|p| p.contains(part)),
                "{part}: {problems:#?}"
            );
        }
    }

    #[test]
    fn the_default_encoder_fits_the_data() {
        let vectors = About {
            kind: Kind::Vectors,
            shape: Shape::Vector { dim: 5 },
            samples: 100,
            val: 0,
        };
        let config = Config::resolve(Table::new(), vectors).unwrap();
        assert_eq!(config.encoder.name, "mlp");
    }

    /// An objective that learns from labels has no use for samples without.
    #[test]
    fn passes_count_val_samples_that_are_learned_from() {
        let passes = |sets: &[&str]| {
            *Config::resolve(table(sets), FEW)
                .unwrap()
                .train
                .epochs
                .get()
        };
        const FEW: About = About {
            samples: 10_000,
            val: 10_000,
            ..DIGITS
        };
        let val = "train.learn_from=train,val";
        assert_eq!(passes(&[]), 50);
        assert_eq!(passes(&[val]), 25);
        assert_eq!(passes(&[val, "objective=supervised"]), 50);
        let error = Config::resolve(table(&["train.learn_from=test"]), FEW).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("train.learn_from") && text.contains("train,val"),
            "{text}"
        );
    }
}
