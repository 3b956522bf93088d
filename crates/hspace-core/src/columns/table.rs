//! A table, read: features, ids, split and columns, with how each column was understood.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use csv::StringRecord;
use serde::{Deserialize, Serialize};

use super::cells::{self, is_missing, number};
use super::csv::{Csv, Place};
use super::header::{Header, Reading as Kind, Use};
use super::profile::Profile;
use super::roles::{Assigned, Assignment, Holds, Problem, Rules, assign, task_first};
use super::{Column, ColumnReading, Reading, Values};
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::file::quoted;
use crate::matrix::Matrix;

/// A feature whose mean is larger than so many standard deviations is stored less its mean: in single precision it
/// would have lost eight of its 24 binary digits.
const COMMON_PART: f64 = 256.0;
/// Columns that an error lists.
const LISTED: usize = 5;

/// What becomes of samples without a value of some feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// They are an error.
    #[default]
    Refuse,
    /// The mean of the feature over training samples takes the place of the value.
    Mean,
    /// They are left out.
    Drop,
}

/// How a table is to be read.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("data.csv");
/// use hspace_core::columns::{Missing, TableOptions};
/// use hspace_core::representation::read;
///
/// std::fs::write(&path, "width,height\n1,2\n,4\n5,6\n")?;
/// let options = TableOptions { missing: Missing::Drop, ..TableOptions::default() };
/// let table = read(&path, &options)?.table;
/// assert_eq!((table.rows(), table.features.row(1)), (2, &[5.0, 6.0][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableOptions {
    /// What is said of its columns.
    pub rules: Rules,
    /// Whether `NA` and its kin may be the name of a class; only an empty cell is unknown then.
    pub keep_na: bool,
    /// What becomes of rows without a value of some feature.
    pub missing: Missing,
}

/// A table in memory.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("data.csv");
/// use hspace_core::representation::read;
///
/// std::fs::write(&path, "id,width,height,label\na,1,2,cat\nb,3,4,dog\n")?;
/// let table = read(&path, &Default::default())?.table;
/// assert_eq!(table.rows(), 2);
/// assert_eq!(table.feature_titles, ["width", "height"]);
/// let last = table.select(&[1]);
/// assert_eq!((last.features.row(0), last.ids), (&[3.0, 4.0][..], Some(vec!["b".into()])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    /// `[rows, features]`; no columns in a table of labels. NaN where a value is missing.
    pub features: Matrix,
    /// Their titles.
    pub feature_titles: Vec<String>,
    /// What was subtracted from each feature before it became single precision; empty for nothing.
    pub shift: Vec<f64>,
    /// One per row.
    pub ids: Option<Vec<String>>,
    /// One per row.
    pub split: Option<Vec<Split>>,
    /// What is known about the rows, the default task first among labels.
    pub columns: Vec<Column>,
    /// Where each row is in the file.
    pub places: Vec<Place>,
    /// Row and column of features without a value.
    pub gaps: Vec<(usize, usize)>,
    /// How its columns were understood.
    pub reading: Reading,
}

/// Reads a `.csv`: vectors, or with [`Holds::Labels`] what is known about samples that are elsewhere.
/// `is_sample`: whether a cell names one of those.
///
/// # Errors
/// Names the file, and where it can the line and the column.
pub fn read_csv(
    path: &Path,
    holds: Holds,
    options: &TableOptions,
    is_sample: Option<&dyn Fn(&str) -> bool>,
) -> Result<Table> {
    let csv = Csv::open(path)?;
    refuse_values_as_titles(&csv)?;
    let profiles = csv.scan(is_sample)?;
    let failed = |problem: Problem| match problem {
        Problem::Table(text) => csv.wrong(text),
        Problem::Row(row, title, text) => csv.wrong(format!(
            "line {}, column `{title}`: {text}",
            csv.line_of_row(row)
        )),
    };
    let assignment = assign(&csv.titles, &profiles, &options.rules, holds).map_err(failed)?;
    let Assignment { columns, mut notes } = assignment;
    if let Some(separator) = csv.separator() {
        notes.insert(0, format!("columns are separated by {separator}"));
    }
    refuse_gaps(&csv, &columns, &profiles, options.missing)?;
    let reading = reading(&csv.titles, &profiles, &columns, notes);
    let features: Vec<usize> = places(&columns, Use::Feature).collect();
    let shift = shifts(features.iter().map(|&i| {
        let p = &profiles[i];
        (p.mean, p.deviation())
    }));
    let id = places(&columns, Use::Id).next();
    let split = places(&columns, Use::Split).next();
    let known: Vec<usize> = (0..columns.len())
        .filter(|&i| matches!(columns[i].usage, Use::Known(_)))
        .collect();
    let rows = profiles[0].rows;
    let mut data = Vec::with_capacity(rows * features.len());
    let mut texts: Vec<Vec<String>> = vec![Vec::with_capacity(rows); known.len()];
    let (mut ids, mut splits, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    let mut at = Vec::with_capacity(if features.is_empty() { rows } else { 0 });
    csv.rows(&mut |row, record: &StringRecord| {
        for (place, &i) in features.iter().enumerate() {
            let cell = csv.cell(record, i, false);
            data.push(match value(&cell) {
                Some(value) => (value - shift.get(place).unwrap_or(&0.0)) as f32,
                None if is_missing(&cell) => {
                    gaps.push((row, place));
                    f32::NAN
                }
                None => return Err(no_number(&csv, row, &csv.titles[i], &cell)),
            });
        }
        for (texts, &i) in texts.iter_mut().zip(&known) {
            texts.push(csv.cell(record, i, false).into_owned());
        }
        if let Some(i) = id {
            ids.push(csv.cell(record, i, true).into_owned());
        }
        if let Some(i) = split {
            let cell = csv.cell(record, i, false);
            splits.push(Split::parse(&cell).ok_or_else(|| {
                csv.wrong(format!(
                    "line {}, column `{}`: unknown split `{cell}`; train, val or test is needed (--role {}=ignore leaves the column out)",
                    csv.line(Csv::place(record)),
                    csv.titles[i],
                    quoted(&csv.titles[i])
                ))
            })?);
        }
        if features.is_empty() {
            at.push(Csv::place(record));
        }
        Ok(())
    })?;
    let mut reading = reading;
    reading.notes.extend(shift_note(&shift, |place| {
        format!("`{}`", csv.titles[features[place]])
    }));
    let columns: Vec<(Assigned, Vec<String>)> = known
        .iter()
        .map(|&i| columns[i].clone())
        .zip(texts)
        .collect();
    let width = features.len();
    let mut table = Table {
        features: Matrix::new(rows, width, data),
        feature_titles: features.iter().map(|&i| csv.titles[i].clone()).collect(),
        shift,
        ids: id.map(|_| ids),
        split: split.map(|_| splits),
        columns: known_columns(columns, options.keep_na).map_err(failed)?,
        places: at,
        gaps,
        reading,
    };
    if options.missing == Missing::Drop {
        table.drop_gaps();
    }
    Ok(table)
}

/// A first line of numbers, some of them with fractions, is a row: the table has no header.
fn refuse_values_as_titles(csv: &Csv) -> Result<()> {
    let numbers: Vec<f64> = csv.titles.iter().filter_map(|t| number(t)).collect();
    let is_row = 2 * numbers.len() > csv.titles.len() && numbers.iter().any(|v| v.fract() != 0.0);
    match is_row {
        false => Ok(()),
        true => Err(csv.wrong(format!(
            "its first line, {}, is values; it needs a header line that names the columns",
            csv.titles.join(",")
        ))),
    }
}

/// A feature: a number, or true and false as 1 and 0.
fn value(cell: &str) -> Option<f64> {
    number(cell).or_else(|| match () {
        () if cell.eq_ignore_ascii_case("true") => Some(1.0),
        () if cell.eq_ignore_ascii_case("false") => Some(0.0),
        () => None,
    })
}

fn no_number(csv: &Csv, row: usize, title: &str, cell: &str) -> Error {
    csv.wrong(format!(
        "line {}, column `{title}`: `{cell}` is no finite number; mend it, or say what the column is: --role {}=label, or ignore",
        csv.line_of_row(row),
        quoted(title)
    ))
}

fn places(columns: &[Assigned], usage: Use) -> impl Iterator<Item = usize> {
    (0..columns.len()).filter(move |&i| columns[i].usage == usage)
}

/// Missing features are an error unless something is to become of them.
fn refuse_gaps(
    csv: &Csv,
    columns: &[Assigned],
    profiles: &[Profile],
    missing: Missing,
) -> Result<()> {
    if missing != Missing::Refuse {
        return Ok(());
    }
    let gaps: Vec<(usize, &Profile)> = places(columns, Use::Feature)
        .map(|i| (i, &profiles[i]))
        .filter(|(_, p)| p.missing > 0)
        .collect();
    let Some((first, profile)) = gaps.first() else {
        return Ok(());
    };
    let row = profile.first_missing.unwrap_or_default();
    let list: Vec<String> = gaps
        .iter()
        .take(LISTED)
        .map(|(i, p)| format!("`{}` {} of {}", csv.titles[*i], p.missing, p.rows))
        .collect();
    let more = match gaps.len().saturating_sub(LISTED) {
        0 => String::new(),
        n => format!(" and {n} more columns"),
    };
    Err(csv.wrong(format!(
        "features without a value: {}{more} (first in line {}, column `{}`); give --missing mean or --missing drop, or leave a \
         column out with --role {}=ignore",
        list.join(", "),
        csv.line_of_row(row),
        csv.titles[*first],
        quoted(&csv.titles[*first])
    )))
}

/// What is to be subtracted from features of these means and deviations: nothing, or where one's common part is
/// large against its spread, the mean, rounded so that subtracting it is exact. Empty if it is nothing for all.
pub(super) fn shifts(features: impl Iterator<Item = (f64, f64)>) -> Vec<f64> {
    let shift = |(mean, deviation): (f64, f64)| {
        if deviation > 0.0 && mean.abs() > COMMON_PART * deviation {
            // So fine that what is left of the mean does not matter to an angle.
            let step = (deviation.log2().ceil() - 10.0).exp2();
            let rounded = (mean / step).round() * step;
            if rounded.is_finite() { rounded } else { 0.0 }
        } else {
            0.0
        }
    };
    let all: Vec<f64> = features.map(shift).collect();
    match all.iter().any(|s| *s != 0.0) {
        true => all,
        false => Vec::new(),
    }
}

/// What is said of features that are kept less their common part.
pub(super) fn shift_note(shift: &[f64], name: impl Fn(usize) -> String) -> Option<String> {
    let shifted: Vec<usize> = (0..shift.len()).filter(|&i| shift[i] != 0.0).collect();
    let first = *shifted.first()?;
    Some(format!(
        "{} features have a large common part, which is subtracted in double precision (first: {}, {})",
        shifted.len(),
        name(first),
        shift[first]
    ))
}

/// One entry per column.
pub(super) fn reading(
    titles: &[String],
    profiles: &[Profile],
    columns: &[Assigned],
    notes: Vec<String>,
) -> Reading {
    let column = |((title, p), assigned): ((&String, &Profile), &Assigned)| ColumnReading {
        title: title.clone(),
        role: match assigned.usage {
            Use::Id => "id".into(),
            Use::Split => "split".into(),
            Use::Feature => "feature".into(),
            Use::Ignored => "ignored".into(),
            Use::Known(role) => format!("{role:?}").to_lowercase(),
        },
        why: assigned.why.clone(),
        kind: match assigned.header.reading {
            Kind::MultiLabel if assigned.one_hot.is_none() => "sets of labels".into(),
            _ => p.kind().into(),
        },
        missing: p.missing,
        distinct: p.distinct(),
    };
    Reading {
        columns: titles
            .iter()
            .zip(profiles)
            .zip(columns)
            .map(column)
            .collect(),
        notes,
    }
}

/// The values of columns of known things, in the order in which tasks are chosen; one-hot columns become one.
pub(super) fn known_columns(
    columns: Vec<(Assigned, Vec<String>)>,
    keep_na: bool,
) -> std::result::Result<Vec<Column>, Problem> {
    let mut read: Vec<(Assigned, Values)> = Vec::new();
    let mut hot: BTreeMap<String, Vec<(String, Vec<String>)>> = BTreeMap::new();
    for (assigned, cells) in columns {
        if let Some((name, value)) = assigned.one_hot.clone() {
            let own = hot.entry(name.clone()).or_default();
            own.push((value, cells));
            if own.len() == 1 {
                let header = Header {
                    name,
                    ..assigned.header.clone()
                };
                let place = Values::Numbers(Vec::new());
                read.push((Assigned { header, ..assigned }, place));
            }
            continue;
        }
        let values = cells::values(&assigned.header, &cells, keep_na);
        let values = values.map_err(|(row, cell)| {
            let title = &assigned.header.name;
            let text = format!("`{cell}` is no number, as `target:` needs; mend it, leave the cell empty if it is not known, or head the column `label:{title}`");
            Problem::Row(row, title.clone(), text)
        })?;
        read.push((assigned, values));
    }
    for (assigned, values) in &mut read {
        if let Some((name, _)) = &assigned.one_hot {
            *values = one_hot(&hot[name]);
        }
    }
    task_first(&mut read);
    let column = |(assigned, values): (Assigned, Values)| match assigned.usage {
        Use::Known(role) => Some(Column {
            name: assigned.header.name,
            role,
            values,
        }),
        _ => None,
    };
    Ok(read.into_iter().filter_map(column).collect())
}

/// Columns of 0 and 1, one a label: classes where every row has exactly one, else sets.
fn one_hot(columns: &[(String, Vec<String>)]) -> Values {
    let rows = columns.first().map_or(0, |(_, cells)| cells.len());
    let set = |row: usize| -> Option<BTreeSet<&str>> {
        let mut set = BTreeSet::new();
        for (label, cells) in columns {
            if is_missing(&cells[row]) {
                return None;
            }
            if value(&cells[row]) == Some(1.0) {
                set.insert(label.as_str());
            }
        }
        Some(set)
    };
    sets_or_classes(&(0..rows).map(set).collect::<Vec<_>>())
}

/// Sets of labels; classes where every known one holds exactly one.
pub(super) fn sets_or_classes(sets: &[Option<BTreeSet<&str>>]) -> Values {
    if sets.iter().flatten().all(|set| set.len() == 1) {
        let one = |set: &Option<BTreeSet<&str>>| -> String {
            let first = set.as_ref().and_then(|set| set.first());
            first.map_or(String::new(), |label| label.to_string())
        };
        return cells::classes(&sets.iter().map(one).collect::<Vec<_>>());
    }
    cells::multi_label(sets)
}

impl Table {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.features.rows
    }

    /// The rows named by `rows`, in that order. Names that no row has any more are left out.
    pub fn select(&self, rows: &[usize]) -> Table {
        let pick = |column: &Column| {
            let mut column = column.select(rows);
            column.values.drop_unused_names();
            column
        };
        let place: BTreeMap<usize, usize> = rows.iter().copied().zip(0..).collect();
        let gaps = self.gaps.iter();
        Table {
            features: self.features.select(rows),
            ids: self
                .ids
                .as_ref()
                .map(|ids| rows.iter().map(|&row| ids[row].clone()).collect()),
            split: self
                .split
                .as_ref()
                .map(|split| rows.iter().map(|&row| split[row]).collect()),
            columns: self.columns.iter().map(pick).collect(),
            places: match self.places.is_empty() {
                true => Vec::new(),
                false => rows.iter().map(|&row| self.places[row]).collect(),
            },
            gaps: gaps
                .filter_map(|(row, column)| Some((*place.get(row)?, *column)))
                .collect(),
            feature_titles: self.feature_titles.clone(),
            shift: self.shift.clone(),
            reading: self.reading.clone(),
        }
    }

    /// Leaves out rows without a value of some feature, and notes how many.
    pub(super) fn drop_gaps(&mut self) {
        let gaps: BTreeSet<usize> = self.gaps.iter().map(|(row, _)| *row).collect();
        if gaps.is_empty() {
            return;
        }
        let rest: Vec<usize> = (0..self.rows()).filter(|row| !gaps.contains(row)).collect();
        let note = format!(
            "{} of {} rows are left out: a feature has no value (--missing drop)",
            gaps.len(),
            self.rows()
        );
        *self = self.select(&rest);
        self.reading.notes.push(note);
    }

    /// Puts the mean of a feature over the rows of `train` where its value is missing.
    pub fn fill_gaps(&mut self, train: &[bool]) {
        if self.gaps.is_empty() {
            return;
        }
        let columns: BTreeSet<usize> = self.gaps.iter().map(|(_, column)| *column).collect();
        let mean = |column: usize| {
            let known = (0..self.rows()).filter(|row| train[*row]);
            let known = known.map(|row| f64::from(self.features.row(row)[column]));
            let (sum, count) = known
                .filter(|value| !value.is_nan())
                .fold((0.0, 0usize), |(sum, count), value| {
                    (sum + value, count + 1)
                });
            (sum / count.max(1) as f64) as f32
        };
        let means: BTreeMap<usize, f32> = columns.iter().map(|&c| (c, mean(c))).collect();
        for (row, column) in std::mem::take(&mut self.gaps) {
            self.features.data[row * self.features.cols + column] = means[&column];
        }
        self.reading.notes.push(format!(
            "missing values of {} features are the mean of their training rows (--missing mean)",
            means.len()
        ));
    }
}

#[cfg(test)]
mod tests;
