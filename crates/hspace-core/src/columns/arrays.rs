//! Tables as NumPy arrays: `.npz`, and `.npy` with the `.csv` of the same name.
//!
//! - One array has the samples: `features`, `embeddings`, `X`, `data`, `images`, `arr_0`, … in any case, or the only
//!   one of two or more dimensions. `[n, d]` are vectors; what `[n, h, w]` and `[n, h, w, c]` are, the caller says.
//! - Or there is one for each split: `train_images`, `val_images`, `test_images` (MedMNIST), `x_train`, `x_test` (Keras).
//! - An array `[n, h, w]` next to images is a column of masks if it is called `mask`, `masks` or `mask:NAME`, or a flag says so. The cells of
//!   the column name the masks: `NAME/000012`.
//! - Every other array of n values is a column, its name the title; in archives by splits the name less the split's.
//!   `[n, k]` of 0 and 1 is `NAME=0` to `NAME=k−1`, one-hot; of other values k columns `NAME_0`, ….
//!
//! From there on the rules of [`roles`](super::roles) hold, as for text.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::header::{Header, Use};
use super::names::{MASKS, plain};
use super::profile::Profile;
use super::roles::{Assigned, Holds, Problem, assign};
use super::table::{
    Missing, Table, TableOptions, known_columns, read_csv, reading, shift_note, shifts,
};
use super::{ColumnReading, Reading, Role};
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

/// The samples of an archive.
pub enum Samples {
    /// In the table's features.
    Vectors,
    /// Images, and what is known of their pixels.
    Images {
        /// `[n, h, w]` or `[n, h, w, c]` of 8 or 16 bits.
        images: Array,
        /// Names of columns of masks with their arrays, of two or more dimensions after the first.
        masks: Vec<(String, Array)>,
    },
}

/// Reads an archive. `images`: whether arrays of three and four dimensions of 8- or 16-bit numbers are images; else they
/// are vectors.
///
/// # Errors
/// Names the file and the array.
pub fn read_npz(path: &Path, images: bool, options: &TableOptions) -> Result<(Table, Samples)> {
    let archive = NpzReader::open(path);
    let archive = archive.map_err(|e| Error::file(path, format!("not a readable .npz: {e}")))?;
    let mut archive = Archive {
        names: archive.names(),
        reader: archive,
        notes: Vec::new(),
        path,
    };
    let parts = archive.parts()?;
    let (mut table, mut samples) = archive.samples(&parts, images)?;
    let rows: Vec<usize> = parts.iter().map(|part| part.rows).collect();
    let (mut titles, mut cells, mut ignored) = (Vec::new(), Vec::new(), Vec::new());
    for title in archive.titles(&parts) {
        if let Samples::Images { masks, .. } = &mut samples
            && is_mask(&title, options)
            && let Some(array) = archive.masks(&title, &parts)?
        {
            let name = Header::parse(&title).name;
            let number = |row: usize| format!("{name}/{row:06}");
            cells.push((0..array.dims[0]).map(number).collect());
            titles.push(format!("mask:{name}"));
            masks.push((name, array));
            continue;
        }
        match archive.column(&title, &parts, &rows)? {
            Found::Columns(columns) => {
                for (title, own) in columns {
                    titles.push(title);
                    cells.push(own);
                }
            }
            Found::Ignored(why) => ignored.push((title, why)),
        }
    }
    let given: Option<Vec<Split>> = parts[0].split.map(|_| {
        let split =
            |part: &Part| std::iter::repeat_n(part.split.unwrap_or(Split::Train), part.rows);
        parts.iter().flat_map(split).collect()
    });
    if given.is_some() {
        let number = |part: &Part| -> Vec<String> {
            let name = part.split.map_or("row", Split::name);
            (0..part.rows).map(|i| format!("{name}/{i:06}")).collect()
        };
        table.ids = Some(parts.iter().flat_map(number).collect());
    }
    let failed = |text: String| Error::file(path, text);
    fill(&mut table, &titles, cells, options, given).map_err(failed)?;
    table.reading.notes.append(&mut archive.notes);
    for part in &parts {
        table.reading.columns.insert(
            0,
            ColumnReading {
                title: part.samples.clone(),
                role: "samples".into(),
                why: "name, or the only array of several dimensions".into(),
                kind: format!("{:?}", part.dims),
                missing: 0,
                distinct: None,
            },
        );
    }
    for (title, why) in ignored {
        table.reading.columns.push(ColumnReading {
            title,
            role: "ignored".into(),
            why,
            kind: "array".into(),
            missing: 0,
            distinct: None,
        });
    }
    let note = shift_note(&table.shift, |place| format!("feature {place}"));
    table.reading.notes.extend(note);
    refuse_gaps(&mut table, options).map_err(failed)?;
    Ok((table, samples))
}

/// Reads a `.npy` of vectors, and the columns of the `.csv` of the same name, if there is one.
///
/// # Errors
/// As [`read_npz`]; a table of another number of rows.
pub fn read_npy(path: &Path, options: &TableOptions) -> Result<Table> {
    let wrong = |text: String| Error::file(path, text);
    let mut open =
        |f: &mut dyn FnMut(&mut dyn std::io::Read, u64) -> std::result::Result<(), String>| {
            let file = File::open(path).map_err(|e| format!("cannot be read: {e}"))?;
            let size = file.metadata().map_err(|e| e.to_string())?.len();
            f(&mut BufReader::with_capacity(1 << 20, file), size)
        };
    let features = array::features(&mut open, |moments| shifts(moments)).map_err(wrong)?;
    let mut table = bare(features);
    let names = path.with_extension("csv");
    if names.is_file() {
        let known = read_csv(&names, Holds::Labels, options, None)?;
        if known.rows() != table.rows() {
            let text = format!(
                "has {} rows, but {} has {}; rename the table if it is of other samples",
                table.rows(),
                names.display(),
                known.rows()
            );
            return Err(wrong(text));
        }
        table.ids = known.ids;
        table.split = known.split;
        table.columns = known.columns;
        table.reading = known.reading;
        let note = format!("columns are those of {}", names.display());
        table.reading.notes.insert(0, note);
    }
    let note = shift_note(&table.shift, |place| format!("feature {place}"));
    table.reading.notes.extend(note);
    refuse_gaps(&mut table, options).map_err(wrong)?;
    Ok(table)
}

fn bare(features: Features) -> Table {
    let titles = (0..features.matrix.cols).map(|i| i.to_string());
    Table {
        feature_titles: titles.collect(),
        features: features.matrix,
        shift: features.shift,
        ids: None,
        split: None,
        columns: Vec::new(),
        places: Vec::new(),
        gaps: features.gaps,
        reading: Reading::default(),
    }
}

/// NaN among features: an error, or dropped, or left to [`Table::fill_gaps`].
fn refuse_gaps(table: &mut Table, options: &TableOptions) -> std::result::Result<(), String> {
    match (options.missing, table.gaps.first()) {
        (Missing::Drop, _) => table.drop_gaps(),
        (Missing::Refuse, Some((row, column))) => {
            let rows: std::collections::BTreeSet<usize> =
                table.gaps.iter().map(|(row, _)| *row).collect();
            return Err(format!(
                "{} values of features are NaN, in {} of {} rows (first: feature {column} of row {row}, both counted from 0); \
                 give --missing mean or --missing drop, or mend what made them",
                table.gaps.len(),
                rows.len(),
                table.rows()
            ));
        }
        _ => {}
    }
    Ok(())
}

/// Says what columns of cells are for, and puts them into the table.
fn fill(
    table: &mut Table,
    titles: &[String],
    cells: Vec<Vec<String>>,
    options: &TableOptions,
    given: Option<Vec<Split>>,
) -> std::result::Result<(), String> {
    let profiles: Vec<Profile> = cells.iter().map(|cells| Profile::of(cells)).collect();
    let failed = |problem: Problem| match problem {
        Problem::Table(text) => text,
        Problem::Row(row, title, text) => format!("array `{title}`, value {row}: {text}"),
    };
    let assignment = assign(titles, &profiles, &options.rules, Holds::Labels).map_err(failed)?;
    table.reading = reading(titles, &profiles, &assignment.columns, assignment.notes);
    table.split = given;
    let mut known: Vec<(Assigned, Vec<String>)> = Vec::new();
    for (assigned, cells) in assignment.columns.into_iter().zip(cells) {
        match assigned.usage {
            Use::Id => table.ids = Some(cells),
            Use::Split => {
                let parse = |cell: &String| {
                    let text = || format!("unknown split `{cell}`; train, val or test is needed");
                    Split::parse(cell).ok_or_else(text)
                };
                let split: std::result::Result<_, String> = cells.iter().map(parse).collect();
                table.split = Some(split?);
            }
            Use::Known(_) => known.push((assigned, cells)),
            Use::Feature | Use::Ignored => {}
        }
    }
    table.columns = known_columns(known, options.keep_na).map_err(failed)?;
    Ok(())
}

/// An archive, open.
struct Archive<'a> {
    path: &'a Path,
    reader: NpzReader,
    names: Vec<String>,
    notes: Vec<String>,
}

/// The samples of one split, or of all.
struct Part {
    split: Option<Split>,
    /// As it is in names of arrays.
    word: String,
    samples: String,
    dims: Vec<usize>,
    rows: usize,
}

/// What a name that is no array of samples means.
enum Found {
    Columns(Vec<(String, Vec<String>)>),
    Ignored(String),
}

/// `train_labels` or `labels_train` less the split.
fn without_split<'n>(name: &'n str, word: &str) -> Option<&'n str> {
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
    fn wrong(&self, name: &str, problem: impl std::fmt::Display) -> Error {
        Error::file(self.path, format!("array `{name}`: {problem}"))
    }

    fn dims(&mut self, name: &str) -> Result<Vec<usize>> {
        let layout = self.reader.array(name).map_err(|e| e.to_string());
        let layout = layout.and_then(|mut entry| {
            let size = entry.size();
            Layout::read(&mut entry, size)
        });
        Ok(layout.map_err(|e| self.wrong(name, e))?.dims)
    }

    fn load(&mut self, name: &str) -> Result<Array> {
        let array = self.reader.array(name).map_err(|e| e.to_string());
        let array = array.and_then(|entry| {
            let size = entry.size();
            array::read(entry, size)
        });
        array.map_err(|e| self.wrong(name, e))
    }

    /// The arrays of samples.
    fn parts(&mut self) -> Result<Vec<Part>> {
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
    fn samples(&mut self, parts: &[Part], images: bool) -> Result<(Table, Samples)> {
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

    /// Names of columns, less the names of splits, in the order of the archive.
    fn titles(&self, parts: &[Part]) -> Vec<String> {
        let mut titles: Vec<String> = Vec::new();
        for name in &self.names {
            if parts.iter().any(|part| part.samples == *name) {
                continue;
            }
            let rest = parts.iter().filter(|part| part.split.is_some());
            let rest = rest
                .filter_map(|part| without_split(name, &part.word))
                .next();
            let title = rest.unwrap_or(name).to_owned();
            if !titles.contains(&title) {
                titles.push(title);
            }
        }
        titles
    }

    /// The array of masks `[n, h, w, …]` over all parts; `None` where it has fewer dimensions.
    fn masks(&mut self, title: &str, parts: &[Part]) -> Result<Option<Array>> {
        let mut arrays = Vec::new();
        for part in parts {
            let name = match part.split {
                None => Some(title.to_owned()),
                Some(_) => {
                    let fits = |name: &&String| without_split(name, &part.word) == Some(title);
                    self.names.iter().find(fits).cloned()
                }
            };
            let Some(name) = name else {
                let text = format!("there is none for {}", part.samples);
                return Err(self.wrong(title, text));
            };
            let dims = self.dims(&name)?;
            if dims.len() < 3 {
                return Ok(None);
            }
            if dims[0] != part.rows {
                let text = format!("of shape {dims:?} for {} samples", part.rows);
                return Err(self.wrong(&name, text));
            }
            arrays.push(self.load(&name)?);
        }
        let joined = join(arrays).map_err(|e| self.wrong(title, e))?;
        Ok(Some(joined))
    }

    /// The cells of a column over all parts.
    fn column(&mut self, title: &str, parts: &[Part], rows: &[usize]) -> Result<Found> {
        let total: usize = rows.iter().sum();
        let own = |part: &Part| {
            let fits = |name: &&String| without_split(name, &part.word) == Some(title);
            self.names.iter().find(fits).cloned()
        };
        let names: Vec<Option<String>> = match parts[0].split {
            None => vec![Some(title.to_owned())],
            Some(_) if self.names.iter().any(|name| name == title) => {
                return self.whole(title, total);
            }
            Some(_) => parts.iter().map(own).collect(),
        };
        let mut arrays = Vec::new();
        for name in &names {
            arrays.push(name.as_ref().map(|name| self.load(name)).transpose()?);
        }
        let width = |array: &Array| match array.dims[..] {
            [_] => Some(1),
            [_, k] if k > 0 => Some(k),
            _ => None,
        };
        let mut widths = arrays.iter().flatten().map(width);
        let first = widths.next().flatten();
        let Some(k) = first.filter(|k| widths.all(|other| other == Some(*k))) else {
            let dims: Vec<&[usize]> = arrays.iter().flatten().map(|a| &a.dims[..]).collect();
            return Ok(Found::Ignored(format!(
                "shape {dims:?}, not one value a sample"
            )));
        };
        for ((array, name), &rows) in arrays.iter().zip(&names).zip(rows) {
            let Some(array) = array else { continue };
            if array.dims[0] != rows {
                let name = name.as_deref().unwrap_or(title);
                if Header::parse(title).usage.is_none()
                    && parts[0].split.is_none()
                    && !is_known(title)
                {
                    return Ok(Found::Ignored(format!(
                        "{} values for {rows} samples",
                        array.dims[0]
                    )));
                }
                let text = format!("of shape {:?} for {rows} samples", array.dims);
                return Err(self.wrong(name, text));
            }
        }
        for (part, _) in parts.iter().zip(&arrays).filter(|(_, a)| a.is_none()) {
            let note = format!("`{title}` is unknown for all samples of {}", part.word);
            self.notes.push(note);
        }
        let cells = arrays.iter().zip(rows).map(|(array, rows)| match array {
            Some(array) => array.cells(),
            None => vec![String::new(); rows * k],
        });
        Ok(Found::Columns(spread(title, cells.flatten().collect(), k)))
    }

    /// An array for all parts together.
    fn whole(&mut self, title: &str, total: usize) -> Result<Found> {
        let array = self.load(title)?;
        Ok(match array.dims[..] {
            [n] | [n, 1] if n == total => Found::Columns(spread(title, array.cells(), 1)),
            _ => Found::Ignored(format!("shape {:?} for {total} samples", array.dims)),
        })
    }
}

/// Whether an array of several numbers a sample holds masks, by its title or a flag.
fn is_mask(title: &str, options: &TableOptions) -> bool {
    let header = Header::parse(title);
    let is_named = |named: &String| *named == title || *named == header.name;
    let mut roles = options.rules.roles.iter();
    let usual = MASKS.contains(&plain(title).as_str());
    header.usage == Some(Use::Known(Role::Mask))
        || usual && header.usage.is_none()
        || roles.any(|(named, role)| role == "mask" && is_named(named))
}

/// Whether a title has a usual name: then an array of another length is an error, and not something else.
fn is_known(title: &str) -> bool {
    let name = title.to_lowercase();
    let usual = [
        "label", "labels", "target", "targets", "y", "split", "id", "ids",
    ];
    usual.contains(&name.as_str())
}

/// k columns of cells `[n, k]`: one, or one-hot, or numbered.
fn spread(title: &str, cells: Vec<String>, k: usize) -> Vec<(String, Vec<String>)> {
    if k == 1 {
        return vec![(title.to_owned(), cells)];
    }
    let columns: Vec<Vec<String>> = (0..k)
        .map(|i| cells.iter().skip(i).step_by(k).cloned().collect())
        .collect();
    let profiles: Vec<Profile> = columns.iter().map(|column| Profile::of(column)).collect();
    let name = match title.to_lowercase().as_str() {
        "labels" => "label".to_owned(),
        "targets" => "target".to_owned(),
        _ => title.to_owned(),
    };
    let binary = profiles.iter().all(Profile::is_binary);
    let tasks = is_known(title);
    let title = |(i, p): (usize, &Profile)| match (binary, tasks) {
        (true, _) => format!("{name}={i}"),
        (false, true) if p.fractions > 0 => format!("target:{name}_{i}"),
        (false, true) => format!("label:{name}_{i}"),
        (false, false) => format!("{name}_{i}"),
    };
    let titles: Vec<String> = profiles.iter().enumerate().map(title).collect();
    titles.into_iter().zip(columns).collect()
}

/// Appends arrays of one type along their first axis.
fn join(arrays: Vec<Array>) -> std::result::Result<Array, String> {
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
