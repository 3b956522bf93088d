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

mod archive;
mod known;

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
use crate::npz::NpzReader;
use crate::npz::array::{self, Array, Features};
use archive::{Archive, Part};
use known::Found;

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
