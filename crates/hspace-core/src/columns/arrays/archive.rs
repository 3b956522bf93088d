//! An archive of arrays: which of them are the samples, of which split, and reading them.

use std::path::Path;

use super::{Samples, bare};
use crate::columns::table::{Table, shifts};
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::npz::NpzReader;
use crate::npz::array::{self, Array, Data, Features, Layout};

/// Names of the array of samples, in lower case, by falling preference.
const SAMPLES: [&str; 11] = [
    "features",
    "embeddings",
    "embedding",
    "feats",
    "images",
    "image",
    "imgs",
    "x",
    "data",
    "inputs",
    "arr_0",
];

/// Names of splits in names of arrays.
const SPLITS: [&str; 7] = [
    "train",
    "training",
    "val",
    "valid",
    "validation",
    "dev",
    "test",
];

/// An archive, open.
pub(super) struct Archive<'a> {
    pub(super) path: &'a Path,
    pub(super) reader: NpzReader,
    pub(super) names: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// The samples of one split, or of all.
pub(super) struct Part {
    pub(super) split: Option<Split>,
    /// As it is in names of arrays.
    pub(super) word: String,
    pub(super) samples: String,
    pub(super) dims: Vec<usize>,
    pub(super) rows: usize,
}

/// `train_labels` or `labels_train` less the split.
pub(super) fn without_split<'n>(name: &'n str, word: &str) -> Option<&'n str> {
    let (start, end) = (name.get(..word.len()), name.len().checked_sub(word.len()));
    if start.is_some_and(|start| start.eq_ignore_ascii_case(word)) {
        return name[word.len()..].strip_prefix('_');
    }
    let at = end.filter(|at| name.is_char_boundary(*at))?;
    match name[at..].eq_ignore_ascii_case(word) {
        true => name[..at].strip_suffix('_'),
        false => None,
    }
}

impl Archive<'_> {
    pub(super) fn wrong(&self, name: &str, problem: impl std::fmt::Display) -> Error {
        Error::file(self.path, format!("array `{name}`: {problem}"))
    }

    pub(super) fn dims(&mut self, name: &str) -> Result<Vec<usize>> {
        let layout = self.reader.array(name).map_err(|e| e.to_string());
        let layout = layout.and_then(|mut entry| {
            let size = entry.size();
            Layout::read(&mut entry, size)
        });
        Ok(layout.map_err(|e| self.wrong(name, e))?.dims)
    }

    pub(super) fn load(&mut self, name: &str) -> Result<Array> {
        let array = self.reader.array(name).map_err(|e| e.to_string());
        let array = array.and_then(|entry| {
            let size = entry.size();
            array::read(entry, size)
        });
        array.map_err(|e| self.wrong(name, e))
    }

    /// The arrays of samples.
    pub(super) fn parts(&mut self) -> Result<Vec<Part>> {
        let mut found: Vec<(Option<Split>, String, String)> = Vec::new();
        for word in SPLITS {
            let best = SAMPLES.iter().find_map(|wanted| {
                let fits = |name: &&String| {
                    without_split(name, word).is_some_and(|rest| rest.eq_ignore_ascii_case(wanted))
                };
                self.names.iter().find(fits)
            });
            if let Some(name) = best {
                found.push((Split::parse(word), word.to_owned(), name.clone()));
            }
        }
        if !found.iter().any(|(split, ..)| *split == Some(Split::Train)) {
            found = vec![(None, String::new(), self.single()?)];
        }
        let mut parts = Vec::new();
        for (split, word, samples) in found {
            let dims = self.dims(&samples)?;
            let rows = dims.first().copied().unwrap_or(0);
            parts.push(Part {
                split,
                word,
                samples,
                dims,
                rows,
            });
        }
        let shape = |part: &Part| part.dims.get(1..).map(<[usize]>::to_vec);
        if let Some(other) = parts.iter().find(|part| shape(part) != shape(&parts[0])) {
            return Err(Error::file(
                self.path,
                format!(
                    "parts that do not fit together: `{}` {:?} and `{}` {:?}",
                    parts[0].samples, parts[0].dims, other.samples, other.dims
                ),
            ));
        }
        match parts.iter().map(|part| part.rows).sum::<usize>() {
            0 => Err(Error::file(self.path, "holds no samples")),
            _ => Ok(parts),
        }
    }

    fn single(&mut self) -> Result<String> {
        let known = SAMPLES.iter().find_map(|wanted| {
            let names = self.names.iter();
            names
                .into_iter()
                .find(|name| name.eq_ignore_ascii_case(wanted))
        });
        if let Some(name) = known {
            return Ok(name.clone());
        }
        let mut wide = Vec::new();
        for name in self.names.clone() {
            if self
                .dims(&name)
                .is_ok_and(|dims| dims.len() >= 2 && dims[1] > 1)
            {
                wide.push(name);
            }
        }
        match wide.len() {
            1 => Ok(wide.remove(0)),
            _ => Err(Error::file(
                self.path,
                format!(
                    "no array of features or images (it holds {}); name it `features` or `images`",
                    self.names.join(", ")
                ),
            )),
        }
    }

    /// The table of the samples.
    pub(super) fn samples(&mut self, parts: &[Part], images: bool) -> Result<(Table, Samples)> {
        if images && parts[0].dims.len() > 2 {
            let mut arrays = Vec::new();
            for part in parts {
                arrays.push(self.load(&part.samples)?);
            }
            let joined = join(arrays).map_err(|e| self.wrong(&parts[0].samples, e))?;
            let rows = joined.dims[0];
            let none = Features {
                matrix: Matrix::zeros(rows, 0),
                shift: Vec::new(),
                gaps: Vec::new(),
            };
            let samples = Samples::Images {
                images: joined,
                masks: Vec::new(),
            };
            return Ok((bare(none), samples));
        }
        let mut all: Option<Features> = None;
        // The first part says what is subtracted from all.
        for part in parts {
            let reader = &mut self.reader;
            let mut open = |f: &mut dyn FnMut(
                &mut dyn std::io::Read,
                u64,
            ) -> std::result::Result<(), String>| {
                let mut entry = reader.array(&part.samples).map_err(|e| e.to_string())?;
                let size = entry.size();
                f(&mut entry, size)
            };
            let given = all.as_ref().map(|all| all.shift.clone());
            let own = array::features(&mut open, |moments| match &given {
                Some(shift) => shift.clone(),
                None => shifts(moments),
            });
            let own = own.map_err(|e| self.wrong(&part.samples, e))?;
            match &mut all {
                None => all = Some(own),
                Some(all) => {
                    let before = all.matrix.rows;
                    all.matrix.data.extend(own.matrix.data);
                    all.matrix.rows += own.matrix.rows;
                    let moved = own.gaps.into_iter();
                    all.gaps
                        .extend(moved.map(|(row, column)| (row + before, column)));
                }
            }
        }
        let all = all.ok_or_else(|| Error::file(self.path, "holds no samples"))?;
        if all.matrix.cols == 0 {
            return Err(self.wrong(&parts[0].samples, "samples without any feature"));
        }
        Ok((bare(all), Samples::Vectors))
    }
}

/// Appends arrays of one type along their first axis.
pub(super) fn join(arrays: Vec<Array>) -> std::result::Result<Array, String> {
    let mut all = arrays.into_iter();
    let mut first = all.next().ok_or("holds no array")?;
    for mut next in all {
        match (&mut first.data, &mut next.data) {
            (Data::U8(a), Data::U8(b)) => a.append(b),
            (Data::U16(a), Data::U16(b)) => a.append(b),
            (Data::Integers(a), Data::Integers(b)) => a.append(b),
            (Data::Floats(a), Data::Floats(b)) => a.append(b),
            (Data::Doubles(a), Data::Doubles(b)) => a.append(b),
            _ => return Err("the parts are of two types".into()),
        }
        first.dims[0] += next.dims[0];
    }
    Ok(first)
}
