//! Settings as TOML tables: assignments, one table laid over another, structs read from them.

use serde::Serialize;
use toml::{Table, Value};

use crate::error::{Error, Result, unknown};
use crate::list;

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
pub(super) fn spell_out(key: &str, value: &mut Value) {
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

/// Reads a struct from a table, which may have tables within; each value that does not fit is a problem of
/// its own.
pub(super) fn parse<C: Default + Serialize + serde::de::DeserializeOwned>(
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
/// assert_eq!((*options.draws.get(), *options.knn.k.get()), (20, 5));
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
