//! Features with their ids and columns: all that a probe ever sees.
//!
//! Written as `.npz` (numpy reads it with `allow_pickle=False`) or `.csv`, and read from those, or
//! from the `.npz`, `.npy` or `.csv` of any other tool, as [`Stored`]; see [`read`]. Both go through the grammar of
//! [`columns`].

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;

use crate::columns::{self, Column, Holds, Rows, Table, TableOptions};
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::file::write_with;
use crate::matrix::Matrix;

/// Features `[n, d]` of n samples, and what is known about those samples.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("features.npz");
/// use hspace_core::dataset::{Column, Role, Split, Values};
/// use hspace_core::matrix::Matrix;
/// use hspace_core::representation::{Representation, read};
///
/// let features = Representation {
///     name: "mine".into(),
///     features: Matrix::new(3, 2, vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
///     ids: vec!["a.png".into(), "b.png".into(), "c.png".into()],
///     columns: vec![Column {
///         name: "age".into(),
///         role: Role::Label,
///         values: Values::Numbers(vec![Some(61.0), None, Some(38.5)]),
///     }],
///     split: vec![Split::Train, Split::Train, Split::Test],
///     origin: String::new(),
///     shift: vec![],
/// };
/// features.check()?;
/// features.write(&path)?;
/// assert_eq!(read(&path, &Default::default())?.table.features, features.features);
/// assert_eq!(features.select(&[2]).ids, ["c.png"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("features.csv");
/// use hspace_core::dataset::Split;
/// use hspace_core::representation::read;
///
/// std::fs::write(&path, "filename,embedding_0\nb.png,2\na.png,1\n")?;
/// let ids = ["a.png", "b.png"].map(String::from);
/// let features = read(&path, &Default::default())?.align(&ids, &[], &[Split::Train; 2], false)?;
/// assert_eq!(features.features.data, [1.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stored {
    /// The path as given.
    pub name: String,
    /// Features, ids, columns and split, as far as the file has them.
    pub table: Table,
    /// Hash of the file.
    pub origin: String,
}

/// Reads features from `.npz`, `.npy` or `.csv`, by the grammar of [`columns`].
///
/// - `.npz`: the features are the array `features`, `embeddings`, `X`, … or the only one of two or more dimensions;
///   further dimensions are flattened.
/// - `.csv`: columns `embedding_0…`, or else every number whose title says nothing else.
/// - `.npy`: the array; ids and columns are those of the `.csv` of the same name, if there is one.
///
/// Of what `options` say about columns that are not there, nothing is heeded: they may be those of the data.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("features.csv");
/// use hspace_core::representation::read;
///
/// std::fs::write(&path, "filename,embedding_0,embedding_1\na.png,0.5,1\nb.png,2,3\n")?;
/// let stored = read(&path, &Default::default())?;
/// assert_eq!(stored.table.features.data, [0.5, 1.0, 2.0, 3.0]);
/// assert_eq!(stored.table.ids, Some(vec!["a.png".into(), "b.png".into()]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the file cannot be read, holds no features, or its arrays differ in length.
pub fn read(path: &Path, options: &TableOptions) -> Result<Stored> {
    let mut options = options.clone();
    options.rules.optional = true;
    let options = &options;
    let table = match extension(path).as_str() {
        "npz" => columns::read_npz(path, false, options).map(|(table, _)| table),
        "npy" => columns::read_npy(path, options),
        "csv" | "tsv" => columns::read_csv(path, Holds::Vectors, options, None),
        _ => Err(Error::file(
            path,
            "features are read from .npz, .npy or .csv; rename or convert the file",
        )),
    }?;
    if table.features.cols == 0 {
        return Err(Error::file(
            path,
            "no columns of features; call them embedding_0, embedding_1, …",
        ));
    }
    Ok(Stored {
        name: path.display().to_string(),
        table,
        origin: file_hash(path)?,
    })
}

impl Stored {
    /// The rows that belong to a dataset, in its order: by id, or where `by_position` is set and the file has no ids,
    /// one to one.
    ///
    /// # Errors
    /// When an id of the dataset is missing, an id is there twice, the file has no ids, or features are NaN or infinite.
    pub fn align(
        self,
        ids: &[String],
        columns: &[Column],
        split: &[Split],
        by_position: bool,
    ) -> Result<Representation> {
        let rows = self.table.rows();
        let mut table = match &self.table.ids {
            Some(own) => self.table.select(&order(&self.name, own, ids)?),
            None if by_position && rows == ids.len() => self.table,
            None if by_position => {
                return Err(Error::data(format!(
                    "{}: {rows} rows of features, but the data have {} samples: they cannot be paired by position",
                    self.name,
                    ids.len()
                )));
            }
            None => {
                return Err(Error::data(format!(
                    "{}: has no ids, so which row is of which sample is not known; add a column (or an array) `id`, \
                     or give --by-position if its {rows} rows are in the order of the data",
                    self.name
                )));
            }
        };
        let train: Vec<bool> = split.iter().map(|s| *s == Split::Train).collect();
        table.fill_gaps(&train);
        let aligned = Representation {
            name: self.name,
            features: table.features,
            ids: ids.to_vec(),
            columns: columns.to_vec(),
            split: split.to_vec(),
            origin: self.origin,
            shift: table.shift,
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
        let aligned = Representation {
            name: self.name.clone(),
            features: self.features.select(&order(&self.name, &self.ids, ids)?),
            ids: ids.to_vec(),
            columns: columns.to_vec(),
            split: split.to_vec(),
            origin: self.origin.clone(),
            shift: self.shift.clone(),
        };
        aligned.check()?;
        Ok(aligned)
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

    /// The same features less another `shift`, `[d]` or empty for none.
    pub fn with_shift(mut self, shift: &[f64]) -> Representation {
        if self.shift == shift {
            return self;
        }
        let of = |shift: &[f64], column: usize| shift.get(column).copied().unwrap_or(0.0);
        for row in self
            .features
            .data
            .chunks_exact_mut(self.features.cols.max(1))
        {
            for (column, x) in row.iter_mut().enumerate() {
                let moved = of(&self.shift, column) - of(shift, column);
                *x = (f64::from(*x) + moved) as f32;
            }
        }
        self.shift = shift.to_vec();
        self
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
        let rows = Rows {
            features: &self.features,
            shift: &self.shift,
            ids: &self.ids,
            split: &self.split,
            columns: &self.columns,
        };
        match extension(path).as_str() {
            "npz" => write_with(path, |file| columns::write_npz(rows, file)),
            _ => write_with(path, |file| columns::write_csv(rows, file)),
        }
    }
}

/// Whether features can be written to such a file: asked before they are computed.
///
/// ```
/// use hspace_core::representation::check_ending;
///
/// assert!(check_ending("features.npz".as_ref()).is_ok());
/// assert!(check_ending("features.txt".as_ref()).is_err());
/// ```
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
    // Blanks around an id are none of it, if without them it is still one of its own.
    let mut trimmed: HashMap<&str, Option<usize>> = HashMap::new();
    for (i, id) in own.iter().enumerate() {
        let entry = trimmed.entry(id.trim()).or_insert(Some(i));
        *entry = entry.filter(|first| *first == i);
    }
    let find = |id: &str| {
        let exact = place.get(id).copied();
        exact.or_else(|| trimmed.get(id.trim()).copied().flatten())
    };
    let missing: Vec<&str> = wanted
        .iter()
        .map(String::as_str)
        .filter(|id| find(id).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(wanted.iter().filter_map(|id| find(id)).collect());
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
    use crate::columns::{Role, Values, cells};

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    fn column(title: &str, cells: &[&str]) -> Column {
        let header = columns::header::Header::parse(title);
        let role = match header.usage {
            Some(columns::header::Use::Known(role)) => role,
            _ => Role::Label,
        };
        Column {
            values: cells::values(&header, cells, false).unwrap(),
            name: header.name,
            role,
        }
    }

    fn sample() -> Representation {
        Representation {
            name: "a".into(),
            features: Matrix::new(3, 2, vec![0.5, -1.0, 2.0, 1e-7, 3.25, 4.0]),
            ids: ["x/ä.png", " x/2.png", "y,1.png"]
                .map(String::from)
                .to_vec(),
            columns: vec![
                column("label", &["cat", "dog", ""]),
                column("target:age", &["1", "", "3"]),
                column("nuisance:site", &["2", "10", "2"]),
                column("nuisance:target:dose", &["2", "10", "2"]),
                column("labels:tags", &["a|b", "|", ""]),
                column("domain:lab", &["1", "2", "1"]),
                column("group:patient", &["p1", "p2", ""]),
                column("mask:parts", &["m/1.png", "", "m/3.png"]),
                column("text:country", &["NA", "DE", ""]),
            ],
            split: vec![Split::Train, Split::Val, Split::Test],
            origin: String::new(),
            shift: vec![],
        }
    }

    fn read_plainly(path: &Path) -> Result<Stored> {
        read(path, &TableOptions::default())
    }

    #[test]
    fn what_is_written_is_read_back() -> Outcome {
        let folder = tempfile::tempdir()?;
        let shifted = Representation {
            shift: vec![1_700_000_000.0, 0.0],
            ..sample()
        };
        for before in [sample(), shifted] {
            for name in ["a.npz", "a.csv"] {
                let path = folder.path().join(name);
                before.write(&path)?;
                let after = read_plainly(&path)?.table;
                assert_eq!(after.ids.as_ref(), Some(&before.ids));
                assert_eq!(after.split.as_ref(), Some(&before.split));
                assert_eq!(after.columns, before.columns, "{name}");
                for row in 0..3 {
                    for c in 0..2 {
                        let shift = |of: &[f64]| of.get(c).copied().unwrap_or(0.0);
                        let [ours, theirs] = [
                            f64::from(before.features.row(row)[c]) + shift(&before.shift),
                            f64::from(after.features.row(row)[c]) + shift(&after.shift),
                        ];
                        assert_eq!(ours, theirs, "{name}");
                    }
                }
            }
        }
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 2);
        assert!(sample().write(&folder.path().join("a.txt")).is_err());
        assert!(sample().write(&folder.path().join("none/a.csv")).is_err());
        Ok(())
    }

    #[test]
    fn files_of_numpy_and_lightly_are_read() -> Outcome {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        for name in ["probe_other.npz", "probe_other.csv", "probe_other.npy"] {
            let path = golden.join(name);
            let table = read_plainly(&path)?.table;
            assert_eq!((table.features.rows, table.features.cols), (3, 4), "{name}");
            assert_eq!(table.features.row(2), [8.0, 9.0, 10.0, 11.0], "{name}");
            let ids = table.ids.as_deref();
            assert_eq!(ids.map(|ids| ids[1].as_str()), Some("b.png"), "{name}");
            let Values::Classes { names, index } = &table.columns[0].values else {
                return Err("no classes".into());
            };
            assert_eq!((names.len(), index[2]), (2, Some(1)));
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
    fn rows_without_ids_are_paired_by_position_only_when_asked() -> Outcome {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("f.csv");
        std::fs::write(&path, "embedding_0\n1.5\n2.5\n3.5\n")?;
        let align = |count: usize, by_position| {
            let ids: Vec<String> = (0..count).map(|i| format!("s{i}")).collect();
            let split = vec![Split::Train; count];
            let stored = read_plainly(&path)?;
            stored.align(&ids, &[], &split, by_position)
        };
        let text = align(3, false).map_or_else(|e| e.to_string(), |_| String::new());
        assert!(
            text.contains("has no ids") && text.contains("--by-position"),
            "{text}"
        );
        assert_eq!(align(3, true)?.features.row(1), [2.5]);
        let text = align(2, true).map_or_else(|e| e.to_string(), |_| String::new());
        assert!(
            text.contains("3 rows") && text.contains("2 samples"),
            "{text}"
        );
        Ok(())
    }

    #[test]
    fn features_that_are_no_numbers_are_refused() {
        let mut r = sample();
        r.features.data[3] = f32::NAN;
        let text = r.check().map_or_else(|e| e.to_string(), |()| String::new());
        assert!(
            text.contains("feature 1 of ` x/2.png` (row 1) is NaN"),
            "{text}"
        );
    }

    #[test]
    fn a_broken_file_is_an_error_that_names_it() -> Outcome {
        let folder = tempfile::tempdir()?;
        for name in ["a.npz", "a.npy", "b.csv", "a.txt", "none.npz"] {
            let path = folder.path().join(name);
            if name != "none.npz" {
                std::fs::write(&path, b"embedding_0\nx\n")?;
            }
            let text = read_plainly(&path).map_or_else(|e| e.to_string(), |_| String::new());
            assert!(text.contains(name), "{text}");
        }
        Ok(())
    }
}
