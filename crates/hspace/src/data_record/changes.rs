//! What has changed in data since a run learned from them, in words.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{DataRecord, Entry, classes, contents, hashes, key, labels};
use crate::dataset::{Column, Dataset, Kind, Shape, Split};

/// Class names that a message lists.
const LISTED: usize = 8;

/// Samples of a kind: how many, and the first one's id where it is known.
#[derive(Default)]
struct Count {
    n: usize,
    first: Option<String>,
}

impl Count {
    fn add(&mut self, first: impl FnOnce() -> Option<String>) {
        if self.n == 0 {
            self.first = first();
        }
        self.n += 1;
    }

    /// `3 samples were added (first: b/7.png)`; nothing of none.
    fn say(&self, one: &str, many: &str) -> Option<String> {
        let first = match &self.first {
            Some(first) => format!(" (first: {first})"),
            None => String::new(),
        };
        match self.n {
            0 => None,
            1 => Some(format!("1 sample {one}{first}")),
            n => Some(format!("{n} samples {many}{first}")),
        }
    }
}

impl DataRecord {
    /// Every difference of `dataset` from the recorded data, in words; empty if there is none. Labels of test samples
    /// are not compared.
    pub fn changes(&self, dataset: &Dataset) -> Vec<String> {
        let about = &self.about;
        let mut changes = Vec::new();
        if dataset.shape != about.shape {
            let [now, before] = [dataset.shape, about.shape].map(described);
            changes.push(format!("samples are {now}, were {before}"));
        }
        if dataset.kind != about.kind {
            let [now, before] = [dataset.kind, about.kind].map(kind_name);
            changes.push(format!("the kind of data is {now}, was {before}"));
        }
        let task = dataset.task_of(&about.label).ok().flatten();
        let task = task.map(|place| &dataset.columns[place]);
        let name = task.map(|column| &column.name);
        match (&about.task, name) {
            (Some(before), Some(now)) if before != now => {
                changes.push(format!("the task is `{now}`, was `{before}`"));
            }
            (Some(before), None) => changes.push(format!("the task `{before}` is gone")),
            (None, Some(now)) => changes.push(format!("the task is `{now}`, there was none")),
            _ => {}
        }
        let task = task.filter(|_| about.task.as_ref() == name);
        let labels = labels(dataset, task);
        let recorded = [&about.id_hash, &about.split_hash, &about.label_hash];
        let same = hashes(dataset, &labels).each_ref() == recorded;
        changes.extend(match (same, task) {
            (true, Some(task)) => class_changes(&about.classes, &classes(task), &BTreeMap::new()),
            (true, None) => vec![],
            (false, _) => self.sample_changes(dataset, task, &labels),
        });
        let (compared, differing) = self.differing(dataset);
        if let Some(first) = differing.first() {
            let n = differing.len();
            changes.push(format!(
                "{n} of {compared} compared samples {} other values (first: {first})",
                if n == 1 { "has" } else { "have" },
            ));
        }
        changes
    }

    /// Differences of classes, of ids and of what belongs to an id. `own` are the labels of `dataset`.
    fn sample_changes(
        &self,
        dataset: &Dataset,
        task: Option<&Column>,
        own: &[Option<String>],
    ) -> Vec<String> {
        let hashed = self.about.hashed_ids;
        let recorded: Vec<&Entry> = self.samples.iter().filter(|e| e.1.is_some()).collect();
        let by_key: HashMap<&str, &Entry> = recorded.iter().map(|e| (e.0.as_str(), *e)).collect();
        let find = |id: &String| by_key.get(key(id, hashed).as_str()).copied();
        let found: Vec<Option<&Entry>> = dataset.ids.iter().map(find).collect();
        let mut changes = Vec::new();
        let mut renamed = BTreeMap::new();
        if let Some(task) = task {
            let (names, before) = (classes(task), &self.about.classes);
            let pair = |(entry, now): (&Option<&'_ Entry>, &'_ Option<String>)| {
                Some((entry.as_ref()?.3.clone()?, now.clone()?))
            };
            let pairs = found.iter().zip(own).filter_map(pair);
            renamed = renamed_classes(before, &names, pairs);
            changes.extend(class_changes(before, &names, &renamed));
        }
        let [mut added, mut moved, mut relabelled, mut gone] = [(); 4].map(|()| Count::default());
        for (row, entry) in found.iter().enumerate() {
            let (id, now) = (&dataset.ids[row], dataset.split[row]);
            let Some(Entry(_, Some(split), _, label)) = entry else {
                added.add(|| Some(id.clone()));
                continue;
            };
            if *split != now {
                let [split, now] = [*split, now].map(Split::name);
                moved.add(|| Some(format!("{id}, was {split}, is {now}")));
            }
            let labels = [
                label.as_ref().map(|l| renamed.get(l).unwrap_or(l)),
                own[row].as_ref(),
            ];
            let compared = *split != Split::Test && now != Split::Test && !hashed;
            if compared && task.is_some() && labels[0] != labels[1] {
                let [before, now] =
                    labels.map(|label| label.map_or("unknown".to_owned(), |l| format!("`{l}`")));
                relabelled.add(|| Some(format!("{id}, was {before}, is {now}")));
            }
        }
        let here: Vec<&str> = found.iter().flatten().map(|e| e.0.as_str()).collect();
        let known: HashSet<&str> = here.iter().copied().collect();
        for entry in recorded.iter().filter(|e| !known.contains(e.0.as_str())) {
            gone.add(|| (!hashed).then(|| entry.0.clone()));
        }
        changes.extend(added.say("was added", "were added"));
        changes.extend(gone.say("is gone", "are gone"));
        changes.extend(moved.say("is in another split", "are in another split"));
        changes.extend(relabelled.say("has another label", "have another label"));
        if added.n + gone.n == 0 && !recorded.iter().map(|e| e.0.as_str()).eq(here) {
            changes.push("the samples are in another order".to_owned());
        }
        // The labels of each sample are not recorded where ids are hashed.
        if changes.is_empty() && task.is_some() {
            changes.push("labels of train or val samples differ".to_owned());
        }
        changes
    }

    /// Of the samples whose values are recorded and that are in `dataset`: how many there are, and the ids of those
    /// whose values differ.
    fn differing(&self, dataset: &Dataset) -> (usize, Vec<String>) {
        let recorded = &self.about.contents;
        let known = |&row: &usize| recorded.contains_key(&dataset.ids[row]);
        let rows: Vec<usize> = (0..dataset.len()).filter(known).collect();
        let now = contents(dataset, &rows).into_iter();
        let differing = now.filter(|(row, hash)| recorded[&dataset.ids[*row]] != *hash);
        let differing = differing.map(|(row, _)| dataset.ids[row].clone());
        (rows.len(), differing.collect())
    }

    /// Whether the run learned from samples of `dataset`: those have the ids of some, and the values that were recorded are the same.
    ///
    /// ```
    /// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
    /// # use data::short_run;
    /// # let folder = tempfile::tempdir()?;
    /// # let (shapes, run) = short_run(folder.path(), "simclr")?;
    /// use hspace::data_record::DataRecord;
    /// use hspace::dataset::{Dataset, OpenOptions};
    ///
    /// let record = DataRecord::read(&run)?.expect("runs have one");
    /// assert!(record.has_learned_from(&shapes));
    /// let digits = Dataset::open("builtin:mnist-mini", &OpenOptions::default())?;
    /// assert!(!record.has_learned_from(&digits));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn has_learned_from(&self, dataset: &Dataset) -> bool {
        let learned = self.learned();
        let hashed = self.about.hashed_ids;
        let is_learned = |id: &String| learned.contains(key(id, hashed).as_str());
        dataset.ids.iter().any(is_learned) && !DataRecord::is_of_others(&self.differing(dataset))
    }

    /// Ids of the samples that were learned from, or their hashes.
    fn learned(&self) -> HashSet<&str> {
        let learned = self.samples.iter().filter(|entry| entry.2);
        learned.map(|entry| entry.0.as_str()).collect()
    }

    /// Whether the compared samples show that the data are others: numbered samples have the same ids in all data.
    fn is_of_others((compared, differing): &(usize, Vec<String>)) -> bool {
        2 * differing.len() > *compared
    }

    /// Why measurements of the run called `run` on `dataset` may mislead, in words: test samples that it learned from,
    /// data that have changed since, classes in another order.
    pub fn warnings(&self, run: &str, dataset: &Dataset) -> Vec<String> {
        let data = &dataset.name;
        let mut warnings = Vec::new();
        let compared_samples = self.differing(dataset);
        let compared = compared_samples.0;
        if !DataRecord::is_of_others(&compared_samples) {
            let learned = self.learned();
            let mut leaked = Count::default();
            for row in dataset.indices(Split::Test) {
                let id = &dataset.ids[row];
                if learned.contains(key(id, self.about.hashed_ids).as_str()) {
                    leaked.add(|| Some(id.clone()));
                }
            }
            if let Some(first) = leaked.first {
                let n = leaked.n;
                let of = match (compared, n) {
                    (0, 1) => format!("has the id of a training sample of {run}"),
                    (0, _) => format!("have the ids of training samples of {run}"),
                    (_, 1) => format!("was a training sample of {run}"),
                    (_, _) => format!("were training samples of {run}"),
                };
                warnings.push(format!(
                    "{n} of the test samples of {data} {of} (first: {first}): its results there are too good"
                ));
            }
        }
        if self.about.data == *data {
            let changes = self.changes(dataset);
            if !changes.is_empty() {
                let changes = changes.join("; ");
                warnings.push(format!(
                    "{data} has changed since {run} learned from it: {changes}"
                ));
            }
        } else if let Some(order) = self.other_order(dataset) {
            warnings.push(format!("{data} is not the data of {run}: {order}"));
        }
        warnings
    }

    /// Says so where the column that was the task has the same classes in another order.
    fn other_order(&self, dataset: &Dataset) -> Option<String> {
        let task = self.about.task.as_ref()?;
        let column = dataset.columns.iter().find(|c| c.name == *task)?;
        let (before, now) = (&self.about.classes, classes(column));
        let sorted = |names: &[String]| {
            let mut names = names.to_vec();
            names.sort_unstable();
            names
        };
        (sorted(before) == sorted(&now))
            .then(|| {
                order_change(
                    &before.iter().collect::<Vec<_>>(),
                    &now.iter().collect::<Vec<_>>(),
                )
            })
            .flatten()
    }
}

/// Classes that have another name: all samples of one that is gone are now of one that is new.
fn renamed_classes(
    before: &[String],
    now: &[String],
    labels: impl Iterator<Item = (String, String)>,
) -> BTreeMap<String, String> {
    let mut names: BTreeMap<String, Option<String>> = BTreeMap::new();
    for (old, new) in labels.filter(|(old, _)| before.contains(old) && !now.contains(old)) {
        let known = names.entry(old).or_insert_with(|| Some(new.clone()));
        if known.as_ref() != Some(&new) {
            *known = None;
        }
    }
    let pairs = names.into_iter().filter_map(|(old, new)| Some((old, new?)));
    let pairs: Vec<_> = pairs.filter(|(_, new)| !before.contains(new)).collect();
    let taken = |name: &String| pairs.iter().filter(|(_, new)| new == name).count();
    let alone = pairs.iter().filter(|(_, new)| taken(new) == 1);
    alone.cloned().collect()
}

/// Classes that are renamed, gone or new, and another order of the others.
fn class_changes(
    before: &[String],
    now: &[String],
    renamed: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut changes = Vec::new();
    for (old, new) in renamed {
        changes.push(format!("class `{old}` is now `{new}`"));
    }
    let before: Vec<&String> = before
        .iter()
        .map(|name| renamed.get(name).unwrap_or(name))
        .collect();
    for name in before.iter().filter(|name| !now.contains(name)) {
        changes.push(format!("class `{name}` is gone"));
    }
    for name in now.iter().filter(|name| !before.contains(name)) {
        changes.push(format!("class `{name}` is new"));
    }
    let common = |names: Vec<&'_ String>, others: &[&String]| -> Vec<String> {
        let kept = names.into_iter().filter(|name| others.contains(name));
        kept.cloned().collect()
    };
    let now: Vec<&String> = now.iter().collect();
    let (old, new) = (common(before.clone(), &now), common(now, &before));
    let [old, new] = [&old, &new].map(|names| names.iter().collect::<Vec<_>>());
    changes.extend(order_change(&old, &new));
    changes
}

fn order_change(before: &[&String], now: &[&String]) -> Option<String> {
    let list = |names: &[&String]| {
        let shown = names.iter().take(LISTED).map(|name| format!("`{name}`"));
        let more = if names.len() > LISTED { ", …" } else { "" };
        shown.collect::<Vec<_>>().join(", ") + more
    };
    (before != now).then(|| {
        let [before, now] = [before, now].map(list);
        format!("the order of classes differs: was {before}; is {now}")
    })
}

fn described(shape: Shape) -> String {
    match shape {
        Shape::Image {
            channels,
            height,
            width,
        } => format!(
            "images of {width}×{height} with {channels} channel{}",
            if channels == 1 { "" } else { "s" }
        ),
        Shape::Vector { dim } => format!("vectors of length {dim}"),
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Digits => "digits",
        Kind::Grey => "grey",
        Kind::Photo => "photo",
        Kind::Vectors => "vectors",
    }
}
