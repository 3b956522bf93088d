//! `hspace compare`

use std::collections::BTreeSet;
use std::path::Path;

use hspace::Result;
use hspace::run::RunFolder;
use hspace::toml::{Table, Value};

use crate::commands::probe::{ProbeFlags, measure_sources};

/// Put runs side by side: what differs in their settings, and what each is worth.
#[derive(clap::Args)]
#[command(after_help = "Example:
  hspace compare runs/a runs/b --data photos/ --html compare.html")]
pub struct Args {
    /// Runs (other sources of `hspace probe` are taken too)
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
    #[command(flatten)]
    flags: ProbeFlags,
}

pub fn run(args: &Args) -> Result<()> {
    let options = args.flags.options()?;
    let mut settings = Vec::new();
    for name in &args.runs {
        let path = Path::new(name);
        if path.is_dir() {
            let folder = RunFolder::open(path)?;
            // An encoder from elsewhere has no settings that could differ.
            if folder.has_config() {
                settings.push((name.as_str(), flat(&folder.read_config()?)));
            }
        }
    }
    if args.flags.json.as_deref() != Some("-".as_ref()) {
        print!("{}", differences(&settings));
    }
    measure_sources(&args.runs, &args.flags, &options).map(|_| ())
}

/// `section.key` and value of every setting.
fn flat(table: &Table) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                let inner = flat(inner).into_iter();
                all.extend(inner.map(|(k, v)| (format!("{key}.{k}"), v)));
            }
            value => all.push((key.clone(), value.to_string())),
        }
    }
    all
}

/// The settings in which runs differ, one a line.
fn differences(runs: &[(&str, Vec<(String, String)>)]) -> String {
    let keys: BTreeSet<&String> = runs
        .iter()
        .flat_map(|(_, s)| s.iter().map(|(k, _)| k))
        .collect();
    let mut text = String::new();
    for key in keys {
        let of = |settings: &[(String, String)]| {
            let found = settings.iter().find(|(k, _)| k == key);
            found.map_or("-".to_owned(), |(_, value)| value.clone())
        };
        let values: Vec<String> = runs.iter().map(|(_, settings)| of(settings)).collect();
        if values.iter().any(|v| *v != values[0]) {
            let pairs = runs.iter().zip(&values);
            let pairs: Vec<String> = pairs.map(|((run, _), v)| format!("{run}: {v}")).collect();
            text.push_str(&format!("{key}  {}\n", pairs.join("   ")));
        }
    }
    match text.is_empty() {
        true => text,
        false => format!("Settings that differ\n{text}\n"),
    }
}
