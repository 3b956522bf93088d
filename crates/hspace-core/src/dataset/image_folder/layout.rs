//! Labels and split by the names of folders.

use std::collections::{BTreeMap, BTreeSet};

use crate::columns::{ColumnReading, Reading, cells};
use crate::dataset::{BadFile, Column, Role, Split};

/// What is known about the samples, in their order.
pub struct Layout {
    /// Places in the list of images.
    pub kept: Vec<usize>,
    /// What is known about each.
    pub columns: Vec<Column>,
    /// Where the layout says it.
    pub split: Option<Vec<Split>>,
    /// How it was understood.
    pub reading: Reading,
}

impl Layout {
    /// What a table does not say of all images, and the names of their folders do: the split, and where the table has no
    /// label, the class.
    pub fn completed_by_folders(mut self, paths: &[String]) -> Layout {
        let mut misfits = Vec::new();
        let folders = by_folders(paths, &mut misfits);
        if !misfits.is_empty() {
            return self;
        }
        if self.split.is_none() && folders.split.is_some() {
            self.split = folders.split;
            let note = "the table has no split: that of the folders is taken";
            self.reading.notes.push(note.into());
        }
        let has_label = self.columns.iter().any(|column| column.role == Role::Label);
        if !has_label && !folders.columns.is_empty() {
            self.columns.splice(0..0, folders.columns);
            let note = "the table has no label: the names of folders are taken for classes";
            self.reading.notes.push(note.into());
        }
        self
    }
}

/// Labels and split from the names of folders. Images that do not fit are added to `bad`.
pub fn by_folders(paths: &[String], bad: &mut Vec<BadFile>) -> Layout {
    let shared = shared_folders(paths);
    let below: Vec<&str> = paths.iter().map(|path| &path[shared..]).collect();
    let folder = |path: &&str| path.split_once('/').map(|(folder, _)| folder.to_owned());
    let part = |path: &&str| folder(path).and_then(|folder| Split::parse(&folder));
    let parts: Vec<Option<Split>> = below.iter().map(part).collect();
    let has = |split: Split| parts.contains(&Some(split));
    // Without a training part, or with nothing next to it, folders of these names are like any other.
    let alone = parts.iter().all(Option::is_some);
    let by_split = has(Split::Train) && (alone || has(Split::Test) || has(Split::Val));
    let mut out = |path: &str, reason: String| {
        bad.push(BadFile {
            path: path.to_owned(),
            reason,
        });
    };
    let (mut kept, mut labels, mut splits) = (Vec::new(), Vec::new(), Vec::new());
    if by_split {
        for split in Split::ALL {
            let own: Vec<usize> = (0..paths.len())
                .filter(|&i| parts[i] == Some(split))
                .collect();
            let rest = |i: usize| below[i].split_once('/').map_or("", |(_, rest)| rest);
            let names: Vec<&str> = own.iter().map(|&i| rest(i)).collect();
            let classes = classes(&names, 1);
            for (i, class) in own.into_iter().zip(classes) {
                match class {
                    Some(class) => {
                        kept.push(i);
                        labels.push(class);
                        splits.push(split);
                    }
                    None => out(&paths[i], "lies in no folder of a class".into()),
                }
            }
        }
        for i in (0..paths.len()).filter(|&i| parts[i].is_none()) {
            let reason = "lies outside the folders of the splits (train, val, test)";
            out(&paths[i], reason.into());
        }
    } else {
        for (i, class) in classes(&below, 2).into_iter().enumerate() {
            match class {
                Some(class) => {
                    kept.push(i);
                    labels.push(class);
                }
                None => out(&paths[i], "lies in no folder of a class".into()),
            }
        }
    }
    let mut order: Vec<usize> = (0..kept.len()).collect();
    order.sort_by_key(|&i| kept[i]);
    let labels: Vec<String> = order.iter().map(|&i| labels[i].clone()).collect();
    let splits: Vec<Split> = match by_split {
        true => order.iter().map(|&i| splits[i]).collect(),
        false => Vec::new(),
    };
    let mut reading = Reading::default();
    let mut read = |title: &str, role: &str, why: &str, values: BTreeMap<&str, usize>| {
        reading.columns.push(ColumnReading {
            title: title.into(),
            role: role.into(),
            why: why.into(),
            kind: "text".into(),
            missing: values.get("").copied().unwrap_or(0),
            distinct: Some(values.keys().filter(|value| !value.is_empty()).count()),
        });
    };
    let mut counts = BTreeMap::new();
    splits
        .iter()
        .for_each(|s| *counts.entry(s.name()).or_default() += 1);
    if by_split {
        read("(folders)", "split", "names of folders", counts);
    }
    let mut counts = BTreeMap::new();
    labels
        .iter()
        .for_each(|l| *counts.entry(l.as_str()).or_default() += 1);
    let labelled = labels.iter().any(|l| !l.is_empty());
    if labelled {
        read("(folders)", "label", "names of folders", counts);
    }
    let misfits = paths.len() - kept.len();
    if misfits > 0 {
        reading.notes.push(format!(
            "{misfits} images fit into no folder of a {} and are left out (see bad files)",
            if by_split { "split or class" } else { "class" }
        ));
    } else if !labelled && paths.iter().any(|path| path.contains('/')) {
        reading
            .notes
            .push("folders are not taken for classes: most images lie outside of them, or there is but one".into());
    }
    let column = labelled.then(|| Column {
        name: "label".into(),
        role: Role::Label,
        values: cells::classes(&labels),
    });
    Layout {
        kept: order.into_iter().map(|i| kept[i]).collect(),
        columns: column.into_iter().collect(),
        split: by_split.then_some(splits),
        reading,
    }
}

/// The length of the folders that all paths begin with.
fn shared_folders(paths: &[String]) -> usize {
    let Some(first) = paths.first() else {
        return 0;
    };
    let mut shared = 0;
    for (at, _) in first.match_indices('/') {
        let folders = &first[..=at];
        // The folder of a split is not one to look below.
        let own = &folders[shared..at];
        if Split::parse(own).is_some() || !paths.iter().all(|path| path.starts_with(folders)) {
            break;
        }
        shared = at + 1;
    }
    shared
}

/// The class of each path, by its first folder: where at least `least` folders hold at least half of the images. Else
/// there are none, and each is empty. `None`: an image that lies outside.
fn classes(paths: &[&str], least: usize) -> Vec<Option<String>> {
    let folder = |path: &&str| path.split_once('/').map(|(folder, _)| folder.to_owned());
    let folders: Vec<Option<String>> = paths.iter().map(folder).collect();
    let inside = folders.iter().flatten().count();
    let distinct: BTreeSet<&String> = folders.iter().flatten().collect();
    let whole = inside == paths.len() && distinct.len() >= least;
    match whole || (distinct.len() >= 2 && 2 * inside >= paths.len()) {
        true => folders,
        false => vec![Some(String::new()); paths.len()],
    }
}
