//! `hspace compare`

mod tasks;

use std::collections::BTreeSet;
use std::path::Path;

use hspace::probe::{Measurements, join};
use hspace::run::RunFolder;
use hspace::toml::{Table, Value};
use hspace::{Error, Result};

use crate::commands::probe::{ProbeFlags, measure_sources, print_measurements};
use crate::commands::write_json;

/// Compare runs: what differs in their settings, and which is better; on two tasks, whether the same one is better. Or measurements, by their stored
/// answers.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace compare runs/a runs/b --data photos/ --html compare.html
  hspace compare runs/a runs/b pixels --data photos/ --tasks label,mask   # ranks for classes and for masks in one table
  hspace compare classes.json masks.json   # the same of measurements of two tasks
  hspace compare a.json b.json      # written by `hspace probe --json`; nothing is measured again")]
pub struct Args {
    /// Runs (other sources of `hspace probe` are taken too), or files of measurements (.json)
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
    /// Measure on two columns, such as label,mask, and rank the sources on both: does the order depend on the task?
    #[arg(long, value_name = "COLUMN,COLUMN", conflicts_with = "label")]
    tasks: Option<String>,
    #[command(flatten)]
    flags: ProbeFlags,
}

pub fn run(args: &Args) -> Result<()> {
    args.flags.check_outputs(&args.runs)?;
    let is_stored = |name: &&String| Path::new(name).extension().is_some_and(|e| e == "json");
    match args.runs.iter().filter(is_stored).count() {
        0 => {}
        n if n == args.runs.len() => return stored(args),
        _ => {
            return Err(Error::config(
                "either files of measurements (.json) or sources can be compared, not both at once",
            ));
        }
    }
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
    if !args.flags.is_quiet() {
        print!("{}", differences(&settings));
    }
    match &args.tasks {
        Some(tasks) => tasks::measure(args, tasks),
        None => measure_sources(&args.runs, &args.flags, &options).map(|_| ()),
    }
}

/// Measurements, compared by their stored answers.
fn stored(args: &Args) -> Result<()> {
    let read = |name: &String| -> Result<(String, Measurements)> {
        let text = hspace::file::read_text(Path::new(name))?;
        let found: Measurements = serde_json::from_str(&text).map_err(|e| {
            Error::file(name, format!("holds no measurements of this version ({e}); write them by `hspace probe --json`"))
        })?;
        Ok((name.clone(), found))
    };
    let files: Vec<(String, Measurements)> = args.runs.iter().map(read).collect::<Result<_>>()?;
    if args.flags.html.is_some() {
        return Err(Error::config(
            "--html: a page needs the data; compare the sources with --data instead of their measurements",
        ));
    }
    if let [(_, first), (_, second)] = &files[..]
        && first.task != second.task
    {
        return tasks::show(args, [first, second]);
    }
    if args.tasks.is_some() {
        return Err(Error::config(
            "--tasks: files say themselves what they were measured on; give two, of different tasks",
        ));
    }
    let joined = join(files, &args.flags.options()?.baseline)?;
    if let Some(path) = &args.flags.json {
        write_json(path, &joined)?;
    }
    if !args.flags.is_quiet() {
        print_measurements(&joined);
    }
    Ok(())
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

/// The settings in which runs differ, one a line; a column for each run.
fn differences(runs: &[(&str, Vec<(String, String)>)]) -> String {
    let keys: BTreeSet<&String> = runs
        .iter()
        .flat_map(|(_, s)| s.iter().map(|(k, _)| k))
        .collect();
    let mut header = vec![String::new()];
    header.extend(runs.iter().map(|(run, _)| (*run).to_owned()));
    let mut lines = vec![header];
    for key in keys {
        let of = |settings: &[(String, String)]| {
            let found = settings.iter().find(|(k, _)| k == key);
            found.map_or("-".to_owned(), |(_, value)| value.clone())
        };
        let values: Vec<String> = runs.iter().map(|(_, settings)| of(settings)).collect();
        if values.iter().any(|v| *v != values[0]) {
            let mut line = vec![key.clone()];
            line.extend(values);
            lines.push(line);
        }
    }
    match lines.len() {
        1 => String::new(),
        _ => format!("Settings that differ\n{}\n", columns(&lines)),
    }
}

/// Columns of equal width, all to the left.
fn columns(lines: &[Vec<String>]) -> String {
    let width = |c: usize| lines.iter().map(|line| line[c].chars().count()).max();
    let mut text = String::new();
    for line in lines {
        for (c, cell) in line.iter().enumerate() {
            text.push_str(&format!("  {cell:<w$}", w = width(c).unwrap_or(0)));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told_a_column_a_run() {
        let settings = |pairs: [(&str, &str); 2]| -> Vec<(String, String)> {
            let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
            pairs.map(own).to_vec()
        };
        let a = settings([("seed", "0"), ("train.epochs", "5")]);
        let b = settings([("label", "x"), ("train.epochs", "5")]);
        let text = differences(&[("runs/a", a.clone()), ("b", b)]);
        let wanted =
            "Settings that differ\n         runs/a  b\n  label  -       x\n  seed   0       -\n\n";
        assert_eq!(text, wanted);
        assert_eq!(differences(&[("a", a.clone()), ("b", a)]), "");
    }
}
