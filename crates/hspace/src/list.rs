//! Entries that are made from settings: each a plain configuration struct under the name it is chosen by.
//!
//! The lists feed the command line, the configuration parser, the documentation and the conformance tests.

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Table;

pub use hspace_core::list::{Entry, find};

/// What is made from settings.
///
/// ```
/// use hspace::encoder::ENCODERS;
/// use hspace::list::find;
///
/// let cnn = find("encoder", ENCODERS, "cnn")?;
/// let settings = (cnn.defaults)();
/// assert!(settings.contains_key("width"));
/// assert!((cnn.make)(settings).is_ok());
/// # Ok::<(), String>(())
/// ```
pub struct Configured<T: ?Sized> {
    /// Every setting with its default. Its keys are the only ones accepted.
    pub defaults: fn() -> Table,
    /// Makes the thing from settings; the error names key and value.
    pub make: fn(Table) -> Result<Box<T>, String>,
}

/// The default settings of a configuration struct, as a table.
///
/// ```
/// use hspace::config::TrainSettings;
/// use hspace::list::defaults;
///
/// assert_eq!(defaults::<TrainSettings>()["log_every"].as_integer(), Some(10));
/// ```
///
/// # Panics
/// If the struct does not serialise to a table: a bug that the conformance tests catch.
pub fn defaults<C: Default + Serialize>() -> Table {
    Table::try_from(C::default()).expect("plain settings serialise to a table")
}

/// Reads a configuration struct from a table.
///
/// ```
/// use hspace::list::parse;
/// use hspace::views::ViewsConfig;
///
/// let views: ViewsConfig = parse("[blur]\np = 0.5".parse()?)?;
/// assert_eq!(views.blur.p, 0.5);
/// assert!(parse::<ViewsConfig>("[blurr]\np = 0.5".parse()?).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// What does not fit, with its key.
pub fn parse<C: DeserializeOwned>(table: Table) -> Result<C, String> {
    let read = |table: Table| -> Result<C, String> {
        let read = table.try_into();
        read.map_err(|error: toml::de::Error| error.message().to_owned())
    };
    read(table.clone()).map_err(|problem| {
        // A value that does not fit says so without its key; alone it fails in the same way.
        let alone = |key: &str| Table::from_iter([(key.to_owned(), table[key].clone())]);
        let fails = |key: &&String| read(alone(key)).err().as_ref() == Some(&problem);
        match table.keys().find(fails) {
            Some(key) if !problem.contains(&format!("`{key}`")) => {
                format!("{key}={}: {problem}", table[key])
            }
            _ => problem,
        }
    })
}

/// What `validate` found as an error of [`Configured::make`].
///
/// ```
/// use hspace::list::refuse;
///
/// assert!(refuse(vec![]).is_ok());
/// assert_eq!(refuse(vec!["a".into(), "b".into()]), Err("a\nb".into()));
/// ```
///
/// # Errors
/// All problems, if there are any, each on a line.
pub fn refuse(problems: Vec<String>) -> Result<(), String> {
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems.join("\n")),
    }
}

/// Each problem that [`Configured::make`] found, with the section `what` before its key.
///
/// ```
/// use hspace::list::in_section;
///
/// assert_eq!(in_section("encoder", "width: must be at least 1"), ["encoder.width: must be at least 1"]);
/// ```
pub fn in_section(what: &str, problems: &str) -> Vec<String> {
    let lines = problems.lines();
    lines.map(|line| format!("{what}.{line}")).collect()
}

/// Takes the settings of one of several structs out of a table that has those of all.
///
/// ```
/// use hspace::config::TrainSettings;
/// use hspace::list::{nothing_left, take};
///
/// let mut table = "steps = 10\nnoise = 0.1".parse()?;
/// let train: TrainSettings = take(&mut table)?;
/// assert_eq!((train.steps, table.contains_key("noise")), (10, true));
/// assert!(nothing_left(&table).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// What does not fit, with its key.
pub fn take<C: Default + Serialize + DeserializeOwned>(table: &mut Table) -> Result<C, String> {
    let keys = defaults::<C>();
    let own = keys.keys().filter_map(|key| table.remove_entry(key));
    parse(own.collect())
}

/// Refuses what no struct took ([`take`]).
///
/// ```
/// use hspace::list::nothing_left;
///
/// assert!(nothing_left(&Default::default()).is_ok());
/// assert!(nothing_left(&"noise = 0.1".parse()?).unwrap_err().contains("noise"));
/// # Ok::<(), hspace::toml::de::Error>(())
/// ```
///
/// # Errors
/// The first key that is left.
pub fn nothing_left(table: &Table) -> Result<(), String> {
    match table.keys().next() {
        Some(key) => Err(format!("`{key}` is none of its settings")),
        None => Ok(()),
    }
}
