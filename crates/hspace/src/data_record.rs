//! Which data a run learned from: `data.toml` and `samples.jsonl` in its folder.
//!
//! They are written when a training starts. `train --resume` refuses data that have changed since ([`DataRecord::changes`]),
//! and measurements warn of test samples that the run learned from ([`DataRecord::warnings`]).

mod changes;

use std::collections::{BTreeMap, HashSet};
use std::io::Write;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::{Column, Dataset, Kind, Pixels, Sample, Shape, Split, Values};
use crate::error::{Error, Result};
use crate::file;
use crate::matrix::spaced;
use crate::run::RunFolder;

/// With more samples than this, `samples.jsonl` has hashes of ids instead of ids and labels.
const IDS: usize = 100_000;
/// Samples whose values are hashed.
const HASHED_SAMPLES: usize = 64;

const ABOUT: &str = "data.toml";
const SAMPLES: &str = "samples.jsonl";

/// data.toml: the data as they were when the training started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataFile {
    /// As given to `--data`.
    pub data: String,
    /// What the samples show.
    pub kind: Kind,
    /// The column that was named as the task, or `auto`.
    pub label: String,
    /// The column that was the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Its classes in order; empty where it has none.
    pub classes: Vec<String>,
    /// Train samples.
    pub train: usize,
    /// Val samples.
    pub val: usize,
    /// Test samples.
    pub test: usize,
    /// Samples that were learned from.
    pub learned: usize,
    /// Hash of all ids in order.
    pub id_hash: String,
    /// Hash of all ids, each with its split.
    pub split_hash: String,
    /// Hash of the train and val ids, each with its value of the task.
    pub label_hash: String,
    /// Whether `samples.jsonl` has hashes of ids instead of ids and labels.
    pub hashed_ids: bool,
    /// Shape of a sample.
    pub shape: Shape,
    /// Hashes of the values of up to 64 of the samples that were learned from, by id.
    pub contents: BTreeMap<String, String>,
}

/// A line of samples.jsonl, `[id, split, learned, label]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry(
    /// The id, or its hash.
    String,
    /// The split; none for a sample that was learned from earlier and is no longer in the data.
    Option<Split>,
    /// Whether the run learned from it.
    bool,
    /// Its value of the task, for train and val samples with ids.
    Option<String>,
);

/// What a run learned from.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (mut shapes, run) = short_run(folder.path(), "simclr")?;
/// use hspace::data_record::DataRecord;
/// use hspace::dataset::Split;
///
/// let record = DataRecord::read(&run)?.expect("runs have one");
/// assert!(record.changes(&shapes).is_empty());
/// // A training sample has become a test sample.
/// let moved = shapes.indices(Split::Train)[0];
/// shapes.split[moved] = Split::Test;
/// assert!(record.changes(&shapes)[0].contains("was train, is test"));
/// assert!(record.warnings("runs/a", &shapes)[0].contains("runs/a"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct DataRecord {
    /// data.toml.
    pub about: DataFile,
    samples: Vec<Entry>,
}

impl DataRecord {
    /// The record of a training on the rows `learned` of `dataset` with the task that `label` names. `earlier` is the
    /// record of the run so far: what it learned from before stays in the list.
    ///
    /// # Errors
    /// If `label` names no column.
    pub fn new(
        dataset: &Dataset,
        label: &str,
        learned: &[usize],
        earlier: Option<&DataRecord>,
    ) -> Result<DataRecord> {
        let hashed = dataset.len() > IDS || earlier.is_some_and(|e| e.about.hashed_ids);
        DataRecord::build(dataset, label, learned, earlier, hashed)
    }

    fn build(
        dataset: &Dataset,
        label: &str,
        learned: &[usize],
        earlier: Option<&DataRecord>,
        hashed_ids: bool,
    ) -> Result<DataRecord> {
        let task = dataset.task_of(label)?.map(|place| &dataset.columns[place]);
        let mut is_learned = vec![false; dataset.len()];
        learned.iter().for_each(|&row| is_learned[row] = true);
        let chosen = spaced(learned.len(), HASHED_SAMPLES);
        let chosen: Vec<usize> = chosen.into_iter().map(|i| learned[i]).collect();
        let contents = contents(dataset, &chosen).into_iter();
        let count = |split| dataset.split.iter().filter(|&&s| s == split).count();
        let labels = labels(dataset, task);
        let [id_hash, split_hash, label_hash] = hashes(dataset, &labels);
        let entry = |(row, label): (usize, Option<String>)| {
            Entry(
                key(&dataset.ids[row], hashed_ids),
                Some(dataset.split[row]),
                is_learned[row],
                label.filter(|_| !hashed_ids),
            )
        };
        let mut samples: Vec<Entry> = labels.into_iter().enumerate().map(entry).collect();
        if let Some(earlier) = earlier {
            add_earlier(&mut samples, earlier, hashed_ids);
        }
        Ok(DataRecord {
            about: DataFile {
                data: dataset.name.clone(),
                kind: dataset.kind,
                label: label.to_owned(),
                task: task.map(|column| column.name.clone()),
                classes: task.map_or(vec![], classes),
                train: count(Split::Train),
                val: count(Split::Val),
                test: count(Split::Test),
                learned: samples.iter().filter(|entry| entry.2).count(),
                id_hash,
                split_hash,
                label_hash,
                hashed_ids,
                shape: dataset.shape,
                contents: contents
                    .map(|(row, hash)| (dataset.ids[row].clone(), hash))
                    .collect(),
            },
            samples,
        })
    }

    /// The record in a run's folder; `None` in one of a version that wrote none, or of an imported encoder.
    ///
    /// # Errors
    /// Names the file that cannot be read.
    pub fn read(folder: &RunFolder) -> Result<Option<DataRecord>> {
        let path = folder.path().join(ABOUT);
        if !path.exists() {
            return Ok(None);
        }
        let about = toml::from_str(&file::read_text(&path)?);
        let about = about.map_err(|e| Error::file(&path, e.message()))?;
        let path = folder.path().join(SAMPLES);
        let text = file::read_text(&path)?;
        let lines = text.lines().enumerate().map(|(i, line)| {
            let entry = serde_json::from_str(line);
            entry.map_err(|e| Error::file(&path, format!("line {}: {e}", i + 1)))
        });
        let samples = lines.collect::<Result<_>>()?;
        Ok(Some(DataRecord { about, samples }))
    }

    /// Writes it into a run's folder.
    ///
    /// # Errors
    /// Names the file.
    pub fn write(&self, folder: &RunFolder) -> Result<()> {
        let path = folder.path().join(SAMPLES);
        file::write_with(&path, |out| {
            for entry in &self.samples {
                serde_json::to_writer(&mut *out, entry)?;
                out.write_all(b"\n")?;
            }
            Ok(())
        })?;
        let text = toml::to_string(&self.about).map_err(|e| Error::file(folder.path(), e))?;
        folder.write(ABOUT, &text)
    }
}

/// How an id is written.
fn key(id: &str, hashed: bool) -> String {
    match hashed {
        true => blake3::hash(id.as_bytes()).to_hex()[..16].to_owned(),
        false => id.to_owned(),
    }
}

/// Adds what was learned from earlier to the list of samples.
fn add_earlier(samples: &mut Vec<Entry>, earlier: &DataRecord, hashed: bool) {
    let rekey = hashed && !earlier.about.hashed_ids;
    let learned = earlier.samples.iter().filter(|entry| entry.2);
    let mut learned: HashSet<String> = learned.map(|entry| key(&entry.0, rekey)).collect();
    for entry in samples.iter_mut() {
        entry.2 |= learned.remove(&entry.0);
    }
    let mut gone: Vec<String> = learned.into_iter().collect();
    gone.sort_unstable();
    samples.extend(gone.into_iter().map(|id| Entry(id, None, true, None)));
}

/// The class names of a column in order.
fn classes(column: &Column) -> Vec<String> {
    match &column.values {
        Values::Classes { names, .. } | Values::MultiLabel { names, .. } => names.clone(),
        Values::Numbers(_) => vec![],
    }
}

/// The value of the task of every train and val sample, by row; test labels are not read.
fn labels(dataset: &Dataset, task: Option<&Column>) -> Vec<Option<String>> {
    let label = |row: usize| match &task?.values {
        Values::Classes { names, index } => Some(names[index[row]? as usize].clone()),
        Values::Numbers(numbers) => Some(numbers[row]?.to_string()),
        Values::MultiLabel { names, sets } => {
            let set = sets[row].as_ref()?.iter();
            let set: Vec<&str> = set.map(|&label| names[label as usize].as_str()).collect();
            Some(set.join("|"))
        }
    };
    let is_test = |row: usize| dataset.split[row] == Split::Test;
    (0..dataset.len())
        .map(|row| if is_test(row) { None } else { label(row) })
        .collect()
}

/// Hashes of the ids in order, of ids with splits, and of ids with labels.
fn hashes(dataset: &Dataset, labels: &[Option<String>]) -> [String; 3] {
    let [mut ids, mut splits, mut labelled] = [(); 3].map(|()| blake3::Hasher::new());
    for ((id, split), label) in dataset.ids.iter().zip(&dataset.split).zip(labels) {
        feed(&mut ids, &[id]);
        feed(&mut splits, &[id, split.name()]);
        if let Some(label) = label {
            feed(&mut labelled, &[id, label]);
        }
    }
    [ids, splits, labelled].map(|hasher| short(&hasher))
}

/// Adds texts to a hash, with their lengths, so that no two lists of texts are the same bytes.
fn feed(hasher: &mut blake3::Hasher, texts: &[&str]) {
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
}

fn short(hasher: &blake3::Hasher) -> String {
    hasher.finalize().to_hex()[..16].to_owned()
}

/// Hashes of the values of some samples, by row; `unreadable` where they cannot be read.
pub(crate) fn contents(dataset: &Dataset, rows: &[usize]) -> Vec<(usize, String)> {
    let shift = dataset.samples.shift();
    let hash = |&row: &usize| {
        let hash = match dataset.samples.get(row) {
            Ok(sample) => content(&sample, shift),
            Err(_) => "unreadable".to_owned(),
        };
        (row, hash)
    };
    rows.par_iter().map(hash).collect()
}

/// Hash of a sample's values. Vectors are hashed with their shift added, in single precision, so that the hash does not
/// depend on the shift.
fn content(sample: &Sample, shift: Option<&[f64]>) -> String {
    let mut hasher = blake3::Hasher::new();
    match sample {
        Sample::Image(image) => {
            for side in [image.width, image.height, image.channels] {
                hasher.update(&(side as u64).to_le_bytes());
            }
            match &image.pixels {
                Pixels::U8(values) => {
                    hasher.update(values);
                }
                Pixels::U16(values) => {
                    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                    hasher.update(&bytes);
                }
            }
        }
        Sample::Vector(values) => {
            let shift = shift.unwrap_or_default();
            for (i, &value) in values.iter().enumerate() {
                let whole = match shift.get(i) {
                    Some(shift) => (f64::from(value) + shift) as f32,
                    None => value,
                };
                hasher.update(&whole.to_le_bytes());
            }
        }
    }
    short(&hasher)
}

#[cfg(test)]
mod tests;
