//! metrics.jsonl: a line a logged step.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::RunFolder;
use crate::error::{Error, Result};
use crate::file;

/// A line of metrics.jsonl.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hspace::run::{Line, RunFolder};
///
/// let run = RunFolder::create(&folder.path().join("a"), false)?;
/// let line = |step, loss| Line { step, epoch: 1, seconds: 0.1, values: [("loss".to_owned(), loss)].into() };
/// run.write_metrics(&[line(1, 5.0)])?;
/// run.append_metrics(&line(2, 4.5))?;
/// let lines = run.read_metrics(usize::MAX)?;
/// assert_eq!((lines.len(), lines[1].values["loss"]), (2, 4.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Steps done.
    pub step: usize,
    /// Epoch, from 1.
    pub epoch: usize,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Everything measured, by name.
    #[serde(flatten)]
    pub values: BTreeMap<String, f64>,
}

impl RunFolder {
    fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// The lines of metrics.jsonl up to `step`.
    ///
    /// # Errors
    /// Names the file. A last line cut short by a kill is left out.
    pub fn read_metrics(&self, step: usize) -> Result<Vec<Line>> {
        let text = match std::fs::read_to_string(self.metrics()) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(Error::file(self.metrics(), file::explain(&e))),
        };
        let lines = text.lines().filter_map(|l| serde_json::from_str(l).ok());
        Ok(lines.filter(|line: &Line| line.step <= step).collect())
    }

    /// Replaces metrics.jsonl.
    ///
    /// # Errors
    /// Names the file.
    pub fn write_metrics(&self, lines: &[Line]) -> Result<()> {
        let mut text = String::new();
        for line in lines {
            text.push_str(&self.line(line)?);
        }
        file::write_whole(&self.metrics(), text.as_bytes())
    }

    /// Adds a line to metrics.jsonl.
    ///
    /// # Errors
    /// Names the file.
    pub fn append_metrics(&self, line: &Line) -> Result<()> {
        let text = self.line(line)?;
        let append = || {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.create(true).append(true).open(self.metrics())?;
            file.write_all(text.as_bytes())
        };
        append().map_err(|e| Error::file(self.metrics(), file::explain(&e)))
    }

    fn line(&self, line: &Line) -> Result<String> {
        let text = serde_json::to_string(line).map_err(|e| Error::file(self.metrics(), e))?;
        Ok(text + "\n")
    }
}
