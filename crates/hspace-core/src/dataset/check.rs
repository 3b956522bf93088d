//! A full pass over the data: what is there, and what might spoil a measurement.
//!
//! Every sample is decoded once, in parallel; kept of each are 16 bytes of hash and, of images, a thumbnail (about 300 bytes).
//! Sums are added up in a fixed order, so that the findings do not depend on the number of threads.

mod features;
mod groups;
mod leaks;
mod near;
mod near_vectors;
mod reading;
mod scan;
mod text;
mod thumbnail;

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use scan::{Keep, scan};

pub use features::{FeatureFindings, Telling};
pub use groups::SharedGroups;
pub use leaks::{Leaks, feature_names};
pub use near::NearIdentical;

use crate::dataset::{BadFile, Column, Dataset, Kind, Reading, Role, Sample, Shape, Split, Values};
use crate::error::{Error, Result};

/// So many examples of a kind are listed.
const EXAMPLES: usize = 5;
/// Fewer training samples of a class than this are warned about.
const TINY_CLASS: usize = 5;
/// A largest class so many times the smallest is warned about.
const IMBALANCE: usize = 10;

/// Pairs of splits: samples of the second should not be known from the first.
const PAIRS: [[Split; 2]; 3] = [
    [Split::Train, Split::Val],
    [Split::Train, Split::Test],
    [Split::Val, Split::Test],
];

/// All that [`check`] found.
///
/// ```
/// use hspace_core::dataset::check::check;
/// use hspace_core::dataset::{Dataset, OpenOptions};
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let findings = check(&shapes, &|_done, _all| ())?;
/// assert_eq!(findings.train + findings.test, 1600);
/// assert_eq!(findings.sizes.map(|sizes| sizes.max), Some([24, 24]));
/// assert_eq!(findings.duplicates.across, 0);
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Findings {
    /// As given to `--data`.
    pub name: String,
    /// What the samples show.
    pub kind: Kind,
    /// Readable training samples.
    pub train: usize,
    /// Readable validation samples.
    pub val: usize,
    /// Readable test samples.
    pub test: usize,
    /// Sizes of images; none for vectors.
    pub sizes: Option<Sizes>,
    /// Number of features; none for images.
    pub features: Option<usize>,
    /// Images by number of channels.
    pub channels: BTreeMap<usize, usize>,
    /// Images by bits per value.
    pub bits: BTreeMap<usize, usize>,
    /// Mean of each channel in `0..1`; of all features together for vectors.
    pub mean: Vec<f32>,
    /// Standard deviation, likewise.
    pub std: Vec<f32>,
    /// How the columns of the table were understood, and what was guessed or ignored.
    pub reading: Reading,
    /// What is known about the samples.
    pub columns: Vec<ColumnFindings>,
    /// Exact duplicates.
    pub duplicates: Duplicates,
    /// Groups, near-identical samples and features that would make scores come out too high.
    pub leaks: Leaks,
    /// Files left out when the data were opened, and those that could not be decoded.
    pub bad: Vec<BadFile>,
    /// What might spoil a measurement, in words.
    pub warnings: Vec<String>,
}

/// Sizes of images as `[width, height]` in pixels, ordered by area.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sizes {
    /// The smallest.
    pub min: [usize; 2],
    /// The one in the middle.
    pub median: [usize; 2],
    /// The largest.
    pub max: [usize; 2],
    /// How many different ones.
    pub distinct: usize,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnFindings {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Samples without a value.
    pub unknown: usize,
    /// Its values.
    pub values: ValueFindings,
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueFindings {
    /// Each class with its numbers of samples.
    Classes(Vec<ClassCount>),
    /// Each label of several a sample may have, likewise.
    MultiLabel(Vec<ClassCount>),
    /// Smallest, mean and largest value.
    Numbers {
        /// The smallest.
        min: f64,
        /// The mean.
        mean: f64,
        /// The largest.
        max: f64,
    },
}

/// How many samples are of a class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// Its name.
    pub name: String,
    /// Training samples.
    pub train: usize,
    /// Validation samples.
    pub val: usize,
    /// Test samples.
    pub test: usize,
}

impl ClassCount {
    fn add(&mut self, split: Split) {
        match split {
            Split::Train => self.train += 1,
            Split::Val => self.val += 1,
            Split::Test => self.test += 1,
        }
    }
}

/// Samples whose decoded values are the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Duplicates {
    /// Training samples that repeat an earlier training sample.
    pub within_train: usize,
    /// Validation samples that repeat an earlier validation sample.
    pub within_val: usize,
    /// Test samples that repeat an earlier test sample.
    pub within_test: usize,
    /// Test samples that are also in the training set.
    pub across: usize,
    /// Validation samples that are also in the training set.
    pub train_val: usize,
    /// Test samples that are also in the validation set.
    pub val_test: usize,
    /// A few pairs of ids, those across splits first.
    pub examples: Vec<[String; 2]>,
}

/// Decodes every sample and reports what is there.
///
/// `progress(done, all)` is called now and then, from any thread. A sample that cannot be decoded
/// is listed in [`Findings::bad`].
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("data.csv");
/// use hspace_core::dataset::check::check;
/// use hspace_core::dataset::{Dataset, OpenOptions};
///
/// // The test row repeats the first training row.
/// std::fs::write(&path, "x,y,label,split\n1,2,a,train\n3,4,b,train\n1,2,a,test\n")?;
/// let dataset = Dataset::open(&path.display().to_string(), &OpenOptions::default())?;
/// let findings = check(&dataset, &|_done, _all| ())?;
/// assert_eq!(findings.duplicates.across, 1);
/// assert!(findings.warnings.iter().any(|text| text.contains("training")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If not one sample can be read.
pub fn check(dataset: &Dataset, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Findings> {
    let indices: Vec<usize> = (0..dataset.len()).collect();
    let seen = scan(dataset, &indices, Keep::Contents, progress);
    if seen.hashes.is_empty() {
        let why = seen
            .bad
            .first()
            .map_or(String::new(), |(_, reason)| format!(": {reason}"));
        return Err(Error::data(format!(
            "{}: not one sample can be read{why}",
            dataset.name
        )));
    }
    let mut readable = vec![true; dataset.len()];
    let mut bad = dataset.bad.clone();
    for (index, reason) in &seen.bad {
        readable[*index] = false;
        bad.push(BadFile {
            path: dataset.ids[*index].clone(),
            reason: reason.clone(),
        });
    }
    let count = |split| {
        (0..dataset.len())
            .filter(|&i| readable[i] && dataset.split[i] == split)
            .count()
    };
    let (mut mean, std) = seen.moments.finish();
    if let Some(shift) = dataset.samples.shift() {
        let sum: f64 = shift.iter().sum();
        mean[0] = (f64::from(mean[0]) + sum / shift.len() as f64) as f32;
    }
    let holders = holders(dataset, &seen.hashes);
    let repeated = |index: usize, split: Split| holders[index] & bit(split) != 0;
    let leaks = Leaks::of_dataset(dataset, &seen.thumbnails, &readable, &repeated);
    let mut findings = Findings {
        name: dataset.name.clone(),
        kind: dataset.kind,
        train: count(Split::Train),
        val: count(Split::Val),
        test: count(Split::Test),
        sizes: sizes(&seen.sizes),
        features: match dataset.shape {
            Shape::Vector { dim } => Some(dim),
            Shape::Image { .. } => None,
        },
        channels: seen.channels,
        bits: seen.bits,
        mean,
        std,
        reading: dataset.reading.clone(),
        columns: dataset
            .columns
            .iter()
            .map(|c| describe(c, &dataset.split, &readable))
            .collect(),
        duplicates: duplicates(dataset, seen.hashes),
        leaks,
        bad,
        warnings: Vec::new(),
    };
    findings.warnings = warnings(&findings);
    findings.warnings.extend(findings.leaks.warnings());
    Ok(findings)
}

/// Mean and standard deviation of each channel of the training images, in `0..1`; of each feature
/// of vectors, in its own unit. The deviation of what never varies is given as 1.
///
/// At most `limit` training samples, evenly spaced, are looked at.
///
/// ```
/// use hspace_core::dataset::check::channel_statistics;
/// use hspace_core::dataset::{Dataset, OpenOptions};
///
/// let digits = Dataset::open("builtin:mnist-mini", &OpenOptions::default())?;
/// let (mean, std) = channel_statistics(&digits, usize::MAX)?;
/// assert!((mean[0] - 0.13).abs() < 0.01 && (std[0] - 0.31).abs() < 0.01);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// If there is no readable training sample among them.
pub fn channel_statistics(dataset: &Dataset, limit: usize) -> Result<(Vec<f32>, Vec<f32>)> {
    channel_statistics_of(dataset, &dataset.indices(Split::Train), limit)
}

/// [`channel_statistics`] of the samples `rows` in place of the training samples.
///
/// ```
/// use hspace_core::dataset::check::{channel_statistics, channel_statistics_of};
/// use hspace_core::dataset::{Dataset, OpenOptions, Split};
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let train = shapes.indices(Split::Train);
/// let all = channel_statistics(&shapes, usize::MAX)?;
/// assert_eq!(channel_statistics_of(&shapes, &train, usize::MAX)?, all);
/// assert_ne!(channel_statistics_of(&shapes, &train[..10], usize::MAX)?, all);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// If no sample among them can be read.
pub fn channel_statistics_of(
    dataset: &Dataset,
    rows: &[usize],
    limit: usize,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let count = rows.len().min(limit);
    let chosen: Vec<usize> = (0..count).map(|i| rows[i * rows.len() / count]).collect();
    if let Shape::Vector { dim } = dataset.shape {
        return feature_statistics(dataset, &chosen, dim);
    }
    let seen = scan(dataset, &chosen, Keep::Sums, &|_, _| ());
    if seen.moments.count == 0 {
        let why = seen
            .bad
            .first()
            .map_or(String::new(), |(_, reason)| format!(": {reason}"));
        return Err(Error::data(format!(
            "{}: no readable training sample{why}",
            dataset.name
        )));
    }
    let (mean, std) = seen.moments.finish();
    Ok((mean, std.into_iter().map(or_one).collect()))
}

fn or_one(std: f32) -> f32 {
    if std > 0.0 { std } else { 1.0 }
}

/// Mean and standard deviation of each of `dim` features over `rows`, by centred sums.
fn feature_statistics(
    dataset: &Dataset,
    rows: &[usize],
    dim: usize,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let (mut mean, mut squares) = (vec![0.0f64; dim], vec![0.0f64; dim]);
    for (n, &row) in (1..).zip(rows) {
        let Sample::Vector(vector) = dataset.samples.get(row)? else {
            return Err(Error::data(format!("{} is no vector", dataset.ids[row])));
        };
        for ((mean, squares), &x) in mean.iter_mut().zip(&mut squares).zip(vector.iter()) {
            let before = f64::from(x) - *mean;
            *mean += before / f64::from(n);
            *squares += before * (f64::from(x) - *mean);
        }
    }
    let n = rows.len().max(1) as f64;
    let std = squares.into_iter().map(|s| or_one((s / n).sqrt() as f32));
    Ok((mean.into_iter().map(|m| m as f32).collect(), std.collect()))
}

fn sizes(counts: &BTreeMap<(usize, usize), usize>) -> Option<Sizes> {
    let mut all: Vec<_> = counts.iter().collect();
    all.sort_by_key(|((w, h), _)| (w * h, *w));
    let total: usize = counts.values().sum();
    let mut before = 0;
    let middle = all.iter().find(|(_, n)| {
        before += **n;
        before * 2 >= total
    });
    let pair = |entry: &(&(usize, usize), &usize)| [entry.0.0, entry.0.1];
    Some(Sizes {
        min: all.first().map(pair)?,
        median: middle.map(pair)?,
        max: all.last().map(pair)?,
        distinct: all.len(),
    })
}

fn describe(column: &Column, split: &[Split], readable: &[bool]) -> ColumnFindings {
    let rows = || (0..readable.len()).filter(|&row| readable[row]);
    let unknown = rows().filter(|&row| !column.values.is_known(row)).count();
    let counts = |names: &[String], classes: &dyn Fn(usize) -> Vec<u32>| {
        let count = |name: &String| ClassCount {
            name: name.clone(),
            ..ClassCount::default()
        };
        let mut counts: Vec<ClassCount> = names.iter().map(count).collect();
        for row in rows() {
            for class in classes(row) {
                counts[class as usize].add(split[row]);
            }
        }
        counts
    };
    let values = match &column.values {
        Values::Classes { names, index } => {
            ValueFindings::Classes(counts(names, &|row| index[row].into_iter().collect()))
        }
        Values::MultiLabel { names, sets } => {
            ValueFindings::MultiLabel(counts(names, &|row| sets[row].clone().unwrap_or_default()))
        }
        Values::Numbers(numbers) => {
            let known: Vec<f64> = rows().filter_map(|row| numbers[row]).collect();
            ValueFindings::Numbers {
                min: known.iter().copied().fold(f64::INFINITY, f64::min),
                mean: known.iter().sum::<f64>() / known.len() as f64,
                max: known.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            }
        }
    };
    ColumnFindings {
        name: column.name.clone(),
        role: column.role,
        unknown,
        values,
    }
}

fn bit(split: Split) -> u8 {
    1 << split as u8
}

/// For each sample the splits that hold one with the same values, as [`bit`]s.
fn holders(dataset: &Dataset, hashes: &[([u8; 16], usize)]) -> Vec<u8> {
    let mut by_content: HashMap<[u8; 16], u8> = HashMap::new();
    for (hash, index) in hashes {
        *by_content.entry(*hash).or_default() |= bit(dataset.split[*index]);
    }
    let mut holders = vec![0; dataset.len()];
    for (hash, index) in hashes {
        holders[*index] = by_content[hash];
    }
    holders
}

fn duplicates(dataset: &Dataset, mut hashes: Vec<([u8; 16], usize)>) -> Duplicates {
    hashes.sort_unstable();
    let mut found = Duplicates::default();
    let (mut across, mut within) = (Vec::new(), Vec::new());
    for group in hashes
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|group| group.len() > 1)
    {
        let of = |split| -> Vec<usize> {
            let all = group.iter().map(|g| g.1);
            all.filter(|&i| dataset.split[i] == split).collect()
        };
        let [train, val, test] = Split::ALL.map(of);
        found.within_train += train.len().saturating_sub(1);
        found.within_val += val.len().saturating_sub(1);
        found.within_test += test.len().saturating_sub(1);
        let mut apart = false;
        for (first, second, count) in [
            (&train, &test, &mut found.across),
            (&train, &val, &mut found.train_val),
            (&val, &test, &mut found.val_test),
        ] {
            if let (Some(&a), Some(&b)) = (first.first(), second.first()) {
                *count += second.len();
                across.push([a, b]);
                apart = true;
            }
        }
        if !apart {
            within.push([group[0].1, group[1].1]);
        }
    }
    across.sort_unstable();
    within.sort_unstable();
    let pairs = across.into_iter().chain(within).take(EXAMPLES);
    found.examples = pairs
        .map(|pair| pair.map(|i| dataset.ids[i].clone()))
        .collect();
    found
}

fn warnings(f: &Findings) -> Vec<String> {
    let mut out = Vec::new();
    if f.train == 0 {
        out.push("no training samples".to_string());
    }
    if f.test == 0 {
        out.push("no test samples: nothing can be measured on them".to_string());
    }
    let tasks = f.columns.iter().filter(|c| c.role == Role::Label);
    for column in tasks {
        let ValueFindings::Classes(classes) = &column.values else {
            continue;
        };
        let name = &column.name;
        let few = |what: &str, chosen: Vec<&ClassCount>| {
            let names: Vec<&str> = chosen
                .iter()
                .take(EXAMPLES)
                .map(|c| c.name.as_str())
                .collect();
            let dots = if chosen.len() > EXAMPLES { ", ..." } else { "" };
            (!chosen.is_empty()).then(|| {
                format!(
                    "{name}: {} {what}: {}{dots}",
                    chosen.len(),
                    names.join(", ")
                )
            })
        };
        if let [only] = &classes[..] {
            out.push(format!(
                "{name}: one class only ({}), so there is nothing to tell apart",
                only.name
            ));
            continue;
        }
        let tiny = |c: &&ClassCount| (1..TINY_CLASS).contains(&c.train);
        out.extend(few(
            "classes without a training sample",
            classes.iter().filter(|c| c.train == 0).collect(),
        ));
        out.extend(few(
            "classes of fewer than 5 training samples",
            classes.iter().filter(tiny).collect(),
        ));
        if f.test > 0 {
            out.extend(few(
                "classes without a test sample",
                classes.iter().filter(|c| c.test == 0).collect(),
            ));
        }
        let most = classes.iter().max_by_key(|c| c.train);
        let least = classes
            .iter()
            .filter(|c| c.train > 0)
            .min_by_key(|c| c.train);
        if let (Some(most), Some(least)) = (most, least)
            && most.train >= IMBALANCE * least.train
        {
            out.push(format!(
                "{name}: unbalanced, {} of {} but {} of {}; look at balanced accuracy",
                most.train, most.name, least.train, least.name
            ));
        }
    }
    let d = &f.duplicates;
    for (count, what, other) in [
        (d.across, "test", "training"),
        (d.train_val, "validation", "training"),
        (d.val_test, "test", "validation"),
    ] {
        if count > 0 {
            out.push(format!(
                "{count} {what} samples are also in the {other} set"
            ));
        }
    }
    out
}

#[cfg(test)]
mod tests;
