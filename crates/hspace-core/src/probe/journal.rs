//! The answers of a measurement that may be stopped: a line of JSON for each source and draw of labels.
//!
//! A line says what it was measured under (protocol and version, hashes of the split, the labels, the groups and the settings of the probes), of which
//! source (name, and hash of its features, or of what it learns from), on which draw, and what each probe scored by test sample. A measurement
//! reads the lines that are of the same, and measures what is missing. Lines are appended whole; one that was cut off by a crash is ignored.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Labels;
use super::answer::ProbeAnswer;
use crate::error::{Error, Result};
use crate::file;
use crate::representation::Representation;

/// What answers depend on, but for the source and the draw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Conditions {
    pub(super) protocol: u32,
    pub(super) version: String,
    /// Hashes.
    pub(super) split: String,
    pub(super) labels_hash: String,
    pub(super) groups: String,
    pub(super) options: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Line {
    source: String,
    hash: String,
    labels: Labels,
    draw: usize,
    #[serde(flatten)]
    conditions: Conditions,
    answers: Vec<ProbeAnswer>,
}

/// A file of answers.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// # let folder = tempfile::tempdir()?;
/// use hspace_core::probe::{Contender, Journal, Labels, Limits, ProbeOptions, measure_within};
///
/// let options = ProbeOptions { labels: vec![Labels::PerClass(5)], ..ProbeOptions::default() };
/// let path = folder.path().join("answers.jsonl");
/// let mut known = Vec::new();
/// for _ in 0..2 {
///     let mut journal = Journal::open(&path)?;
///     let mut limits = Limits::new(Some(&mut journal), None);
///     let contenders = [Contender::Fixed(blobs("runs/a", 0.2))];
///     measure_within(&contenders, &options, "animals", &mut limits, &mut |_| ())?;
///     assert!(journal.notes().is_empty() && journal.path() == path);
///     known.push(journal.known());
/// }
/// // The second measurement has nothing left to do.
/// assert_eq!(known, [0, 10]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    lines: Vec<Line>,
    /// Something in the file is no line, so that nothing can be appended to it.
    torn: bool,
    /// Of the measurement that has begun.
    conditions: Option<Conditions>,
    hashes: HashMap<String, String>,
    known: HashMap<(String, Labels, usize), Vec<ProbeAnswer>>,
    notes: Vec<String>,
    /// Which of several measurements lines are of, before the names of their sources.
    scope: String,
}

impl Journal {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// Names the file: it cannot be read or written, holds something else, or another process measures into it.
    pub fn open(path: &Path) -> Result<Journal> {
        let text = match path.exists() {
            true => file::read_text(path)?,
            false => String::new(),
        };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut lines = Vec::new();
        let mut unread = 0;
        for line in text[..whole].lines() {
            match serde_json::from_str(line) {
                Ok(line) => lines.push(line),
                Err(_) => unread += 1,
            }
        }
        // A file of ours, cut off within its first line, begins as they all do.
        if lines.is_empty() && !text.is_empty() && !text.starts_with("{\"source\":") {
            return Err(Error::file(
                path,
                "holds no answers of hspace, so nothing is added to it; name another file",
            ));
        }
        let notes = match unread {
            0 => Vec::new(),
            n => vec![format!(
                "{}: {n} lines could not be read and are left out",
                path.display()
            )],
        };
        Ok(Journal {
            file: append_to(path)?,
            path: path.to_owned(),
            lines,
            torn: unread > 0 || whole < text.len(),
            conditions: None,
            hashes: HashMap::new(),
            known: HashMap::new(),
            notes,
            scope: String::new(),
        })
    }

    /// Says which of several measurements that share the file begins next.
    pub(crate) fn set_scope(&mut self, scope: String) {
        self.scope = scope;
    }

    fn scoped(&self, source: &str) -> String {
        match self.scope.is_empty() {
            true => source.to_owned(),
            false => format!("{}: {source}", self.scope),
        }
    }

    /// What was found to have changed, or could not be read, in sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Draws of labels whose answers the file has for the measurement that was last begun.
    pub fn known(&self) -> usize {
        self.known.len()
    }

    /// Begins a measurement of `sources`, each with its hash. Lines of these sources that were measured under other conditions, or whose source has
    /// changed, are removed.
    pub(super) fn begin(
        &mut self,
        conditions: Conditions,
        sources: Vec<(String, String)>,
    ) -> Result<()> {
        let mut stale: Vec<(String, &'static str, usize)> = Vec::new();
        let scoped = sources.into_iter();
        let scoped = scoped.map(|(source, hash)| (self.scoped(&source), hash));
        self.hashes = scoped.collect();
        self.known.clear();
        let mut kept = Vec::new();
        for line in std::mem::take(&mut self.lines) {
            let Some(hash) = self.hashes.get(&line.source) else {
                kept.push(line);
                continue;
            };
            let Some(what) = difference(&line, &conditions, hash) else {
                let place = (line.source.clone(), line.labels, line.draw);
                let known = self.known.entry(place).or_default();
                known.extend(line.answers.iter().cloned());
                kept.push(line);
                continue;
            };
            let same = |s: &&mut (String, &str, usize)| s.0 == line.source && s.1 == what;
            match stale.iter_mut().find(same) {
                Some((.., count)) => *count += 1,
                None => stale.push((line.source, what, 1)),
            }
        }
        self.lines = kept;
        self.conditions = Some(conditions);
        if !stale.is_empty() || self.torn {
            self.rewrite()?;
        }
        let path = self.path.display();
        let say = |(source, what, count): (String, &str, usize)| {
            format!("{path}: {count} draws of {source} are of {what}; they are measured again")
        };
        self.notes.extend(stale.into_iter().map(say));
        Ok(())
    }

    /// What is known of a source and draw.
    pub(super) fn get(&self, source: &str, labels: Labels, draw: usize) -> &[ProbeAnswer] {
        let place = (self.scoped(source), labels, draw);
        self.known.get(&place).map_or(&[], Vec::as_slice)
    }

    /// Keeps answers.
    pub(super) fn add(
        &mut self,
        source: &str,
        labels: Labels,
        draw: usize,
        answers: Vec<ProbeAnswer>,
    ) -> Result<()> {
        let source = self.scoped(source);
        let (Some(conditions), Some(hash)) = (&self.conditions, self.hashes.get(&source)) else {
            return Err(Error::data(format!("{source} is not being measured")));
        };
        let line = Line {
            source,
            hash: hash.clone(),
            labels,
            draw,
            conditions: conditions.clone(),
            answers,
        };
        let text = as_text(&self.path, &line)?;
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|e| Error::file(&self.path, file::explain(&e)))
    }

    /// Writes the file again from the lines that are left.
    fn rewrite(&mut self) -> Result<()> {
        let lines = self.lines.iter().map(|line| as_text(&self.path, line));
        let text: Result<String> = lines.collect();
        file::write_whole(&self.path, text?.as_bytes())?;
        self.file = append_to(&self.path)?;
        self.torn = false;
        Ok(())
    }
}

/// The file, to append to, locked against other processes where the file system can.
fn append_to(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let file = options.append(true).create(true).open(path);
    let file = file.map_err(|e| Error::file(path, file::explain(&e)))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::file(
            path,
            "another hspace keeps its answers there; wait until it ends, or name another file by --answers",
        )),
        _ => Ok(file),
    }
}

fn as_text(path: &Path, line: &Line) -> Result<String> {
    let text = serde_json::to_string(line).map_err(|e| Error::file(path, e))?;
    Ok(text + "\n")
}

/// What a line was measured on that is no longer the same.
fn difference(line: &Line, now: &Conditions, hash: &str) -> Option<&'static str> {
    let then = &line.conditions;
    let version = |c: &Conditions| (c.protocol, c.version.clone());
    let checks = [
        (version(then) != version(now), "another version of hspace"),
        (then.split != now.split, "other samples or another split"),
        (then.labels_hash != now.labels_hash, "other labels"),
        (then.groups != now.groups, "other groups"),
        (then.options != now.options, "other settings of the probes"),
        (line.hash != hash, "other weights or values of the samples"),
    ];
    checks.into_iter().find(|c| c.0).map(|c| c.1)
}

/// Hash of the features.
pub(crate) fn hash_of_features(r: &Representation) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(&(r.features.cols as u64).to_le_bytes());
    for value in &r.shift {
        hash.update(&value.to_le_bytes());
    }
    for row in r.features.data.chunks(1 << 12) {
        let bytes: Vec<u8> = row.iter().flat_map(|x| x.to_le_bytes()).collect();
        hash.update(&bytes);
    }
    hash.finalize().to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests;
