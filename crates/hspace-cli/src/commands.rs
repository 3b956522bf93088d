//! One file per subcommand.

pub mod bench;
pub mod check;
pub mod compare;
pub mod density;
pub mod disentangle;
pub mod embed;
pub mod export;
pub mod fidelity;
pub mod import;
pub mod invert;
pub mod likelihood;
pub mod list;
pub mod probe;
pub mod quickstart;
pub mod reconstruct;
pub mod report;
pub mod sample;
pub mod study;
pub mod train;
pub mod traverse;
pub mod views;

use std::path::Path;

use hspace::dataset::{Dataset, OpenOptions};
use hspace::{Error, Result};

/// Opens a dataset and says on stderr what had to be left out.
pub fn open(source: &str) -> Result<Dataset> {
    let dataset = Dataset::open(source, &OpenOptions::default())?;
    if !dataset.bad.is_empty() {
        let (n, first) = (dataset.bad.len(), &dataset.bad[0]);
        eprintln!(
            "note: {n} file{} left out, such as {} ({}); `hspace check {source}` lists them",
            if n == 1 { "" } else { "s" },
            first.path,
            first.reason
        );
    }
    Ok(dataset)
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
