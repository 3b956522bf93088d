//! One file per subcommand.

pub mod bench;
pub mod check;
pub mod compare;
pub mod completions;
pub mod density;
pub mod disentangle;
pub mod embed;
pub mod export;
pub mod fidelity;
pub mod import;
pub mod invert;
pub mod likelihood;
pub mod list;
pub mod man;
pub mod maps;
pub mod predict;
pub mod probe;
pub mod quickstart;
pub mod rank;
pub mod reconstruct;
pub mod report;
pub mod robustness;
pub mod sample;
pub mod select;
pub mod shift;
pub mod start;
pub mod study;
pub mod tasks;
pub mod train;
pub mod transfer;
pub mod traverse;
pub mod views;

use std::path::Path;

use crate::say;
use hspace::dataset::{Dataset, OpenOptions};
use hspace::file::quoted;
use hspace::{Error, Result};

/// Notes on how data were read that are shown; `--verbose` and `hspace check` show all.
const NOTES: usize = 4;

/// Opens a dataset and says on stderr what was guessed and what had to be left out.
pub fn open(source: &str, options: &OpenOptions) -> Result<Dataset> {
    let dataset = Dataset::open(source, options)?;
    let notes = &dataset.reading.notes;
    let most = if say::is_verbose() {
        notes.len()
    } else {
        NOTES
    };
    for note in notes.iter().take(most) {
        say::note(note);
    }
    if notes.len() > most {
        let (more, source) = (notes.len() - most, quoted(source));
        say::note(format_args!(
            "{more} more; `hspace check {source}` has them all"
        ));
    }
    if !dataset.bad.is_empty() {
        let (n, first) = (dataset.bad.len(), &dataset.bad[0]);
        say::note(format_args!(
            "{n} file{} left out, such as {} ({}); `hspace check {}` lists them",
            if n == 1 { "" } else { "s" },
            first.path,
            first.reason,
            quoted(source)
        ));
    }
    Ok(dataset)
}

/// Shows on stderr which weights of a checkpoint were taken and which were left out.
pub fn notes_on(checkpoint: &str, notes: &[String]) {
    for note in notes {
        say::note(format_args!("{checkpoint}: {note}"));
    }
}

/// Writes a value as JSON to a file, or to standard output for `-`.
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::file(path, e))?;
    if path == Path::new("-") {
        println!("{text}");
        return Ok(());
    }
    hspace::file::write_whole(path, (text + "\n").as_bytes())
}

/// Refuses to write over what is read, before anything is. Each output comes after its flag, each input after what it
/// is, such as `data`.
pub fn apart(outputs: &[(&str, Option<&Path>)], inputs: &[(&str, &str)]) -> Result<()> {
    for (flag, out) in outputs {
        let Some((out, Ok(place))) = out.map(|out| (out, out.canonicalize())) else {
            continue;
        };
        let own = |input: &&(&str, &str)| {
            Path::new(input.1)
                .canonicalize()
                .is_ok_and(|own| own == place)
        };
        if let Some((what, _)) = inputs.iter().find(own) {
            let out = out.display();
            let text = format!("{flag} {out} is the {what}; choose another file");
            return Err(Error::config(text));
        }
    }
    Ok(())
}

/// Refuses a file to write that is not named as what is written there, such as `png`.
pub fn ending(out: &Path, wanted: &str) -> Result<()> {
    let own = out.extension();
    match own.is_some_and(|own| own.eq_ignore_ascii_case(wanted)) {
        true => Ok(()),
        false => Err(Error::file(
            out,
            format!("a .{wanted} file is written; choose a name that ends in .{wanted}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_told_whatever_their_case() {
        assert!(ending(Path::new("a/b.PNG"), "png").is_ok());
        for name in ["a.jpg", "png", ".png", "a.png/b"] {
            let error = ending(Path::new(name), "png").unwrap_err().to_string();
            assert!(error.ends_with("ends in .png"), "{error}");
        }
    }
}
