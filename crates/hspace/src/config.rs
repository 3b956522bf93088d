//! The configuration of a run: flags, file and defaults made one, and checked whole.
//!
//! A configuration is a TOML table laid over the table of defaults. The defaults come from the
//! structs that are configured (the encoder's and the objective's from their entry in the lists),
//! so the keys that are accepted and the keys that exist are the same by construction.

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

/// Sets `key` (dotted) to `text` read as a TOML value, or as a string if it is none.
///
/// ```
/// use hspace::config::set;
///
/// let mut settings = hspace::toml::Table::new();
/// set(&mut settings, "encoder=cnn")?;
/// set(&mut settings, "encoder.width=16")?;
/// assert_eq!(settings["encoder"]["name"].as_str(), Some("cnn"));
/// assert_eq!(settings["encoder"]["width"].as_integer(), Some(16));
/// assert!(set(&mut settings, "encoder.width").is_err());
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// If `assignment` is not `key=value`, or goes through something that is no section.
pub fn set(table: &mut Table, assignment: &str) -> std::result::Result<(), String> {
    let (key, text) = assignment
        .split_once('=')
        .ok_or_else(|| format!("--set {assignment}: give it as key=value"))?;
    let value = text
        .parse::<Value>()
        .unwrap_or_else(|_| Value::String(text.to_owned()));
    let mut path: Vec<&str> = key.trim().split('.').collect();
    let last = path.pop().unwrap_or_default();
    let mut at = table;
    for part in path {
        let inner = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
        spell_out(part, inner);
        at = inner
            .as_table_mut()
            .ok_or_else(|| format!("--set {assignment}: `{part}` is no section"))?;
    }
    at.insert(last.to_owned(), value);
    Ok(())
}

/// `encoder = "cnn"` and `objective = "simclr"` are short for sections of that name.
fn spell_out(key: &str, value: &mut Value) {
    if let ("encoder" | "objective", Value::String(name)) = (key, &mut *value) {
        let name = Value::String(std::mem::take(name));
        *value = Table::from_iter([("name".to_owned(), name)]).into();
    }
}

/// The section `[encoder]` or `[objective]` from a name with settings after colons, such as
/// `resnet18:width=16`.
///
/// ```
/// use hspace::config::section;
///
/// let encoder = section("resnet18:width=16")?;
/// assert_eq!(encoder["name"].as_str(), Some("resnet18"));
/// assert_eq!(encoder["width"].as_integer(), Some(16));
/// # Ok::<(), hspace::Error>(())
/// ```
///
/// # Errors
/// If what follows a colon is not `key=value`.
pub fn section(text: &str) -> Result<Table> {
    let mut parts = text.split(':');
    let mut table = Table::new();
    table.insert("name".into(), parts.next().unwrap_or_default().into());
    for part in parts {
        set(&mut table, part).map_err(|_| {
            Error::config(format!(
                "`{text}`: give settings as NAME:KEY=VALUE, such as resnet18:width=16"
            ))
        })?;
    }
    Ok(table)
}

/// Lays `over` onto `base`, section by section.
///
/// ```
/// use hspace::config::merge;
/// use hspace::toml::Table;
///
/// let mut base: Table = "seed = 1\n[train]\nsteps = 10\nema = 0.9".parse()?;
/// merge(&mut base, "[train]\nsteps = 20".parse()?);
/// assert_eq!(base["train"]["steps"].as_integer(), Some(20));
/// assert_eq!(base["train"]["ema"].as_float(), Some(0.9));
/// # Ok::<(), hspace::toml::de::Error>(())
/// ```
pub fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        if let Some(old) = base.get_mut(&key) {
            spell_out(&key, old);
        }
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Lays `user` onto `defaults`, whose keys are the only ones accepted; notes each unknown key and
/// each value of the wrong type under `path`.
///
/// ```
/// use hspace::config::overlay;
/// use hspace::toml::Table;
///
/// let mut settings: Table = "temperature = 0.5".parse()?;
/// let mut problems = Vec::new();
/// overlay(&mut settings, "temprature = 1".parse()?, "objective", &mut problems);
/// assert!(problems[0].contains("did you mean `temperature`?"));
/// overlay(&mut settings, "temperature = 1".parse()?, "objective", &mut vec![]);
/// assert_eq!(settings["temperature"].as_float(), Some(1.0));
/// # Ok::<(), hspace::toml::de::Error>(())
/// ```
pub fn overlay(defaults: &mut Table, user: Table, path: &str, problems: &mut Vec<String>) {
    for (key, value) in user {
        let full = match path {
            "" => key.clone(),
            _ => format!("{path}.{key}"),
        };
        let Some(default) = defaults.get_mut(&key) else {
            let what = match path {
                "" => "key".to_owned(),
                _ => format!("key in [{path}]"),
            };
            problems.push(unknown(&what, &key, defaults.keys().map(String::as_str)));
            continue;
        };
        match (default, value) {
            (Value::Table(inner), Value::Table(user)) => overlay(inner, user, &full, problems),
            (default, value) => match fit(default, value) {
                Ok(value) => *default = value,
                Err(text) => problems.push(format!("{full}={text}")),
            },
        }
    }
}

/// The user's value in the default's type.
fn fit(default: &Value, value: Value) -> std::result::Result<Value, String> {
    match (default, value) {
        (Value::Float(_), Value::Integer(whole)) => Ok(Value::Float(whole as f64)),
        (Value::Array(default), Value::Array(items)) => {
            let floats = matches!(default.first(), Some(Value::Float(_)));
            let float = |item| match item {
                Value::Integer(whole) if floats => Value::Float(whole as f64),
                other => other,
            };
            Ok(Value::Array(items.into_iter().map(float).collect()))
        }
        // `auto` may be numbers too, and a number may be given back to `auto`.
        (Value::String(auto), value) if auto == "auto" => Ok(value),
        (_, Value::String(auto)) if auto == "auto" => Ok(Value::String(auto)),
        (default, value) if default.same_type(&value) => Ok(value),
        (default, value) => Err(format!(
            "{value} must be a {}, such as {default}",
            default.type_str()
        )),
    }
}

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
        train.resolve(about.samples + val, about.shape);
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

/// Reads a struct from a table, which may have tables within; each value that does not fit is a problem of
/// its own.
fn parse<C: Default + Serialize + serde::de::DeserializeOwned>(
    path: &str,
    table: Table,
    problems: &mut Vec<String>,
) -> Option<C> {
    if let Ok(value) = table.clone().try_into::<C>() {
        return Some(value);
    }
    let alone = |change: Table| {
        let mut all = list::defaults::<C>();
        merge(&mut all, change);
        all.try_into::<C>().err()
    };
    for (key, value) in table {
        let changes: Vec<(String, Value)> = match value {
            Value::Table(inner) => inner.into_iter().collect(),
            value => vec![(String::new(), value)],
        };
        for (inner, value) in changes {
            let (name, change) = match inner.as_str() {
                "" => (key.clone(), value.clone()),
                _ => (
                    format!("{key}.{inner}"),
                    Table::from_iter([(inner, value.clone())]).into(),
                ),
            };
            if let Some(error) = alone(Table::from_iter([(key.clone(), change)])) {
                problems.push(format!("{path}{name}={value}: {}", error.message()));
            }
        }
    }
    None
}

/// A struct of settings: its defaults with `user` laid over them. `problems` are those found before.
///
/// ```
/// use hspace::config::options;
/// use hspace::probe::ProbeOptions;
///
/// let options: ProbeOptions = options("draws = 20\n[knn]\nk = 5".parse()?, vec![])?;
/// assert_eq!((options.draws, *options.knn.k.get()), (20, 5));
/// let wrong = hspace::config::options::<ProbeOptions>("drows = 20".parse()?, vec![]);
/// assert!(wrong.unwrap_err().to_string().contains("did you mean `draws`?"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those, every unknown key and every value that does not fit: all at once.
pub fn options<C: Default + Serialize + serde::de::DeserializeOwned>(
    user: Table,
    mut problems: Vec<String>,
) -> Result<C> {
    let mut table = list::defaults::<C>();
    overlay(&mut table, user, "", &mut problems);
    match parse("", table, &mut problems) {
        Some(options) if problems.is_empty() => Ok(options),
        _ => Err(Error::Config(problems)),
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
