//! Features with their ids and columns: all that a probe ever sees.
//!
//! Written as `.npz` (numpy reads it with `allow_pickle=False`) or `.csv`, and read from those, or
//! from the `.npz`, `.npy` or `.csv` of any other tool, as [`Stored`]; see [`read`].

mod npz;
mod table;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;

use crate::dataset::column::classes;
use crate::dataset::{Column, Role, Split, Values};
use crate::error::{Error, Result};
use crate::file::write_with;
use crate::matrix::Matrix;

/// Features `[n, d]` of n samples, and what is known about those samples.
#[derive(Clone, Debug)]
pub struct Representation {
    /// How tables call it: `pixels`, `pca:50`, `runs/a`, `emb.npz`.
    pub name: String,
    /// One row per sample.
    pub features: Matrix,
    /// One per row, unique.
    pub ids: Vec<String>,
    /// Labels, targets, nuisances, factors; values in row order.
    pub columns: Vec<Column>,
    /// Train, val or test, per row.
    pub split: Vec<Split>,
    /// Where the features came from: a hash of the encoder's weights or of the file.
    pub origin: String,
    /// What was subtracted from each feature, in double precision, before it became single; empty for nothing.
    pub shift: Vec<f64>,
}

/// Features as a file holds them: a file of another tool may lack ids, labels and split.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The path as given.
    pub name: String,
    /// One row per sample, `[n, d]`.
    pub features: Matrix,
    /// One per row.
    pub ids: Option<Vec<String>>,
    /// The file's own labels and other columns.
    pub columns: Vec<Column>,
    /// Train or test, per row.
    pub split: Option<Vec<Split>>,
    /// Hash of the file.
    pub origin: String,
    /// As [`Representation::shift`].
    pub shift: Vec<f64>,
}

/// Reads features from `.npz`, `.npy` or `.csv`.
///
/// - `.npz`: the features are the array `features`, `embeddings`, `embedding`, `X`, `x` or `arr_0`, or
///   the only one of two dimensions; further dimensions are flattened. Ids are `ids` or `filenames`.
/// - `.csv`: a header; columns `embedding_0…`, or else every column that is no id, label or split.
///
/// # Errors
/// When the file cannot be read, holds no features, or its arrays differ in length.
pub fn read(path: &Path) -> Result<Stored> {
    let stored = match extension(path).as_str() {
        "npz" => npz::read_npz(path),
        "npy" => npz::read_npy(path),
        "csv" => table::read(path),
        _ => Err(Error::file(
            path,
            "features are read from .npz, .npy or .csv; rename or convert the file",
        )),
    }?;
    let n = stored.features.rows;
    let lengths = [
        ("ids", stored.ids.as_ref().map(Vec::len)),
        ("split", stored.split.as_ref().map(Vec::len)),
    ];
    let columns = stored
        .columns
        .iter()
        .map(|c| (c.name.as_str(), Some(values_len(c))));
    if let Some((what, len)) = lengths
        .into_iter()
        .chain(columns)
        .find(|(_, len)| len.is_some_and(|len| len != n))
    {
        let problem = format!("{n} rows of features but {} of `{what}`", len.unwrap_or(0));
        return Err(Error::file(path, problem));
    }
    Ok(stored)
}

impl Stored {
    /// The rows that belong to a dataset, in its order: by id, or one to one where the file has no ids.
    ///
    /// # Errors
    /// When an id of the dataset is missing, an id is there twice, the numbers of rows differ without
    /// ids, or features are NaN or infinite.
    pub fn align(
        self,
        ids: &[String],
        columns: &[Column],
        split: &[Split],
    ) -> Result<Representation> {
        let features = match &self.ids {
            Some(own) => self.features.select(&order(&self.name, own, ids)?),
            None if self.features.rows == ids.len() => self.features,
            None => {
                return Err(Error::data(format!(
                    "{}: {} rows of features without ids, but the data have {} samples; add an array `ids` or embed the same samples",
                    self.name,
                    self.features.rows,
                    ids.len()
                )));
            }
        };
        let aligned = Representation {
            shift: self.shift,
            name: self.name,
            features,
            ids: ids.to_vec(),
            columns: columns.to_vec(),
            split: split.to_vec(),
            origin: self.origin,
        };
        aligned.check()?;
        Ok(aligned)
    }
}

impl Representation {
    /// The rows that belong to a dataset, in its order, by id.
    ///
    /// # Errors
    /// As [`Stored::align`].
    pub fn align(
        &self,
        ids: &[String],
        columns: &[Column],
        split: &[Split],
    ) -> Result<Representation> {
        Stored {
            name: self.name.clone(),
            features: self.features.clone(),
            ids: Some(self.ids.clone()),
            columns: Vec::new(),
            split: None,
            origin: self.origin.clone(),
            shift: self.shift.clone(),
        }
        .align(ids, columns, split)
    }

    /// The rows named by `rows`, in that order.
    pub fn select(&self, rows: &[usize]) -> Representation {
        Representation {
            shift: self.shift.clone(),
            name: self.name.clone(),
            features: self.features.select(rows),
            ids: rows.iter().map(|&row| self.ids[row].clone()).collect(),
            columns: self.columns.iter().map(|c| c.select(rows)).collect(),
            split: rows.iter().map(|&row| self.split[row]).collect(),
            origin: self.origin.clone(),
        }
    }

    /// Refuses features that are NaN or infinite.
    ///
    /// # Errors
    /// Naming the first such row and column, and how many rows there are.
    pub fn check(&self) -> Result<()> {
        let bad = |row: &[f32]| row.iter().position(|x| !x.is_finite());
        let mut found =
            (0..self.features.rows).filter_map(|i| bad(self.features.row(i)).map(|c| (i, c)));
        let Some((row, column)) = found.next() else {
            return Ok(());
        };
        let value = self.features.row(row)[column];
        Err(Error::data(format!(
            "{}: feature {column} of `{}` (row {row}) is {value}, and {} more rows hold NaN or infinite features; leave those samples out or mend what made them",
            self.name,
            self.ids[row],
            found.count()
        )))
    }

    /// Writes `.npz` or `.csv`, by the extension of `path`; whole, or not at all.
    ///
    /// # Errors
    /// When the extension is another or the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        check_ending(path)?;
        match extension(path).as_str() {
            "npz" => write_with(path, |file| npz::write(self, file)),
            _ => write_with(path, |file| table::write(self, file)),
        }
    }
}

/// Whether features can be written to such a file: asked before they are computed.
///
/// # Errors
/// When they cannot.
pub fn check_ending(path: &Path) -> Result<()> {
    match ["npz", "csv"].contains(&extension(path).as_str()) {
        true => Ok(()),
        false => Err(Error::file(
            path,
            "features are written as .npz or .csv; choose one of these endings",
        )),
    }
}

/// For each of `wanted` its place in `own`.
fn order(name: &str, own: &[String], wanted: &[String]) -> Result<Vec<usize>> {
    let mut place: HashMap<&str, usize> = HashMap::with_capacity(own.len());
    for (i, id) in own.iter().enumerate() {
        if place.insert(id, i).is_some() {
            return Err(Error::data(format!(
                "{name}: the id `{id}` is there twice; ids must be unique"
            )));
        }
    }
    let missing: Vec<&str> = wanted
        .iter()
        .map(String::as_str)
        .filter(|id| !place.contains_key(id))
        .collect();
    if missing.is_empty() {
        return Ok(wanted.iter().map(|id| place[id.as_str()]).collect());
    }
    let shown = missing
        .iter()
        .take(3)
        .map(|id| format!("`{id}`"))
        .collect::<Vec<_>>()
        .join(", ");
    Err(Error::data(format!(
        "{name}: {} of the {} samples of the data are not among the {} ids of the file, such as {shown} (the file has, for example, `{}`); embed the same data, or let `hspace probe --common` measure on the samples that all files hold",
        missing.len(),
        wanted.len(),
        own.len(),
        own.first().map_or("", String::as_str)
    )))
}

/// A column from text: whole numbers and words are classes, other numbers are numbers, and an empty
/// text is unknown.
fn column_from_text(name: &str, role: Role, texts: &[String]) -> Column {
    let number = |text: &String| text.trim().parse::<f64>().ok();
    let given = || texts.iter().filter(|t| !t.trim().is_empty());
    let numeric = given().all(|t| number(t).is_some());
    let whole = given().all(|t| t.trim().parse::<i64>().is_ok());
    let values = if numeric && !whole {
        let finite = |text| number(text).filter(|v| v.is_finite());
        Values::Numbers(texts.iter().map(finite).collect())
    } else {
        classes(texts)
    };
    Column {
        name: name.into(),
        role,
        values,
    }
}

fn values_len(column: &Column) -> usize {
    column.values.len()
}

/// The values of a column as text, empty where unknown.
fn column_to_text(column: &Column) -> Vec<String> {
    match &column.values {
        Values::Classes { names, index } => index
            .iter()
            .map(|i| i.map_or(String::new(), |i| names[i as usize].clone()))
            .collect(),
        Values::Numbers(values) => values
            .iter()
            .map(|v| v.map_or(String::new(), |v| format!("{v:?}")))
            .collect(),
        Values::MultiLabel { .. } => Vec::new(),
    }
}

/// Names under which columns are stored: the first label as `labels`, others as `column:NAME` (labels),
/// `nuisance:NAME` and `factor:NAME`.
fn stored_names(columns: &[Column]) -> Vec<String> {
    let first = columns.iter().position(|c| c.role == Role::Label);
    let name = |(i, c): (usize, &Column)| match c.role {
        Role::Label if Some(i) == first => "labels".to_string(),
        Role::Label => format!("column:{}", c.name),
        Role::Nuisance => format!("nuisance:{}", c.name),
        Role::Factor => format!("factor:{}", c.name),
        other => format!("{other:?}:{}", c.name),
    };
    columns.iter().enumerate().map(name).collect()
}

/// What a stored name stands for, if it is a column at all.
fn column_name(stored: &str) -> Option<(&str, Role)> {
    match stored.split_once(':') {
        Some(("column", name)) => Some((name, Role::Label)),
        Some(("nuisance", name)) => Some((name, Role::Nuisance)),
        Some(("factor", name)) => Some((name, Role::Factor)),
        _ if ["labels", "label", "y", "target", "targets"].contains(&stored) => {
            Some(("label", Role::Label))
        }
        _ => None,
    }
}

fn parse_split(path: &Path, texts: &[String]) -> Result<Vec<Split>> {
    let one = |text: &String| {
        Split::parse(text).ok_or_else(|| {
            let text = format!("split `{text}` is none of `train`, `val` and `test`");
            Error::file(path, text)
        })
    };
    texts.iter().map(one).collect()
}

fn split_text(split: Split) -> &'static str {
    split.name()
}

fn extension(path: &Path) -> String {
    path.extension()
        .map_or(String::new(), |e| e.to_string_lossy().to_ascii_lowercase())
}

/// Hash of a file's bytes, 16 hexadecimal digits.
fn file_hash(path: &Path) -> Result<String> {
    let mut hash = blake3::Hasher::new();
    let mut file = File::open(path).map_err(|e| Error::file(path, e))?;
    io::copy(&mut file, &mut hash).map_err(|e| Error::file(path, e))?;
    Ok(hash.finalize().to_hex()[..16].to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    fn sample() -> Representation {
        Representation {
            shift: Vec::new(),
            name: "a".into(),
            features: Matrix::new(3, 2, vec![0.5, -1.0, 2.0, 1e-7, 3.25, 4.0]),
            ids: ["x/ä.png", "x/2.png", "y,1.png"].map(String::from).to_vec(),
            columns: vec![
                column_from_text("label", Role::Label, &["cat", "dog", ""].map(String::from)),
                column_from_text("age", Role::Label, &["1.5", "", "3.25"].map(String::from)),
                column_from_text("site", Role::Nuisance, &["2", "10", "2"].map(String::from)),
            ],
            split: vec![Split::Train, Split::Test, Split::Train],
            origin: String::new(),
        }
    }

    #[test]
    fn what_is_written_is_read_back() -> Outcome {
        let folder = tempfile::tempdir()?;
        for name in ["a.npz", "a.csv"] {
            let path = folder.path().join(name);
            let before = sample();
            before.write(&path)?;
            let after = read(&path)?;
            assert_eq!(after.features, before.features);
            assert_eq!(after.ids.as_ref(), Some(&before.ids));
            assert_eq!(after.split.as_ref(), Some(&before.split));
            assert_eq!(after.columns, before.columns, "{name}");
            assert_eq!(
                std::fs::read_dir(folder.path())?.count(),
                if name == "a.npz" { 1 } else { 2 }
            );
        }
        assert!(sample().write(&folder.path().join("a.txt")).is_err());
        assert!(sample().write(&folder.path().join("none/a.csv")).is_err());
        Ok(())
    }

    #[test]
    fn files_of_numpy_and_lightly_are_read() -> Outcome {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        for name in ["probe_other.npz", "probe_other.csv", "probe_other.npy"] {
            let path = golden.join(name);
            let stored = read(&path)?;
            assert_eq!(
                (stored.features.rows, stored.features.cols),
                (3, 4),
                "{name}"
            );
            assert_eq!(stored.features.row(2), [8.0, 9.0, 10.0, 11.0], "{name}");
            if name != "probe_other.npy" {
                assert_eq!(
                    stored.ids.as_deref().map(|ids| ids[1].as_str()),
                    Some("b.png")
                );
                let Values::Classes { names, index } = &stored.columns[0].values else {
                    return Err("no classes".into());
                };
                assert_eq!((names.len(), index[2]), (2, Some(1)));
            }
        }
        Ok(())
    }

    #[test]
    fn rows_follow_the_dataset_s_ids() -> Outcome {
        let r = sample();
        let ids = ["y,1.png", "x/ä.png"].map(String::from);
        let aligned = r.align(&ids, &[], &[Split::Train, Split::Test])?;
        assert_eq!(aligned.features.row(0), [3.25, 4.0]);
        let unknown = ["x/ä.png", "z.png"].map(String::from);
        let text = r
            .align(&unknown, &[], &[Split::Train; 2])
            .map_or_else(|e| e.to_string(), |_| String::new());
        assert!(
            text.contains("1 of the 2") && text.contains("`z.png`"),
            "{text}"
        );
        Ok(())
    }

    #[test]
    fn rows_without_ids_must_be_as_many() {
        let r = sample();
        let stored = Stored {
            name: "f.npy".into(),
            features: r.features,
            ids: None,
            columns: Vec::new(),
            split: None,
            origin: String::new(),
            shift: Vec::new(),
        };
        let text = stored
            .align(&["a".to_string()], &[], &[Split::Train])
            .map_or_else(|e| e.to_string(), |_| String::new());
        assert!(
            text.contains("3 rows") && text.contains("1 samples"),
            "{text}"
        );
    }

    #[test]
    fn features_that_are_no_numbers_are_refused() {
        let mut r = sample();
        r.features.data[3] = f32::NAN;
        let text = r.check().map_or_else(|e| e.to_string(), |()| String::new());
        assert!(
            text.contains("feature 1 of `x/2.png` (row 1) is NaN"),
            "{text}"
        );
    }

    #[test]
    fn a_broken_file_is_an_error_that_names_it() -> Outcome {
        let folder = tempfile::tempdir()?;
        for name in ["a.npz", "a.npy", "a.csv", "a.txt", "none.npz"] {
            let path = folder.path().join(name);
            if name != "none.npz" {
                std::fs::write(&path, b"embedding_0\nx\n")?;
            }
            let text = read(&path).map_or_else(|e| e.to_string(), |_| String::new());
            assert!(text.contains(name), "{text}");
        }
        Ok(())
    }
}
