//! `labels.csv` beside a folder's images: their labels, and possibly their split.
//!
//! The column `path` (or `filename`, `file`, `image`) names the files, relative to the folder; a
//! column `split` says `train`, `val` (counted as train) or `test`. Every other column is a label
//! unless its name says otherwise: `nuisance:hospital`, `factor:x`, `target:age`. An empty cell is
//! an unknown value. Listed files that are missing, images that are not listed, and lines that
//! repeat an earlier one are left out and reported; lines that contradict each other are an error.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use crate::dataset::image_folder::Layout;
use crate::dataset::{BadFile, Split, column, split};
use crate::error::{Error, Result};

const NAME: &str = "labels.csv";
const PATH_NAMES: [&str; 4] = ["path", "filename", "file", "image"];

/// A `labels.csv` in memory.
pub struct Table {
    headers: Vec<column::Header>,
    /// For each path its line and its cells in the order of `headers`.
    rows: HashMap<String, (u64, Vec<String>)>,
    /// For each path its split, if there is such a column.
    split: Option<HashMap<String, Split>>,
    /// Lines that repeat an earlier one.
    repeated: Vec<BadFile>,
}

/// Reads the table in `root`, if there is one.
///
/// # Errors
/// If it is no table, has no column of paths, an unknown split, or lines in contradiction.
pub fn read(root: &Path) -> Result<Option<Table>> {
    let path = root.join(NAME);
    if !path.is_file() {
        return Ok(None);
    }
    let wrong = |problem: String| Error::file(&path, problem);
    let reader = ReaderBuilder::new().trim(csv::Trim::All).from_path(&path);
    let mut reader = reader.map_err(|e| wrong(format!("cannot be read: {e}")))?;
    let titles = reader
        .headers()
        .map_err(|e| wrong(format!("cannot be read: {e}")))?
        .clone();
    let position = |names: &[&str]| {
        titles
            .iter()
            .position(|t| names.iter().any(|name| clean(t).eq_ignore_ascii_case(name)))
    };
    let of_path = position(&PATH_NAMES).ok_or_else(|| {
        let titles: Vec<&str> = titles.iter().collect();
        wrong(format!(
            "no column `path` in its header ({})",
            titles.join(", ")
        ))
    })?;
    let of_split = position(&["split"]);
    let known = |i: &usize| *i == of_path || Some(*i) == of_split;
    let others: Vec<usize> = (0..titles.len()).filter(|i| !known(i)).collect();
    let headers = others
        .iter()
        .map(|&i| column::Header::parse(clean(&titles[i])))
        .collect();
    let mut rows: HashMap<String, (u64, Vec<String>)> = HashMap::new();
    let mut splits: HashMap<String, Split> = HashMap::new();
    let mut repeated = Vec::new();
    let mut record = StringRecord::new();
    while reader
        .read_record(&mut record)
        .map_err(|e| wrong(e.to_string()))?
    {
        let line = record.position().map_or(0, csv::Position::line);
        let file = record[of_path].replace('\\', "/");
        let file = file.trim_start_matches("./").to_string();
        if file.is_empty() {
            return Err(wrong(format!("line {line} has no path")));
        }
        let cells: Vec<String> = others.iter().map(|&i| record[i].to_string()).collect();
        let split = of_split.map(|i| {
            split::parse(&record[i]).ok_or_else(|| {
                let text = format!("line {line}: unknown split `{}`", &record[i]);
                wrong(format!("{text}; train, val or test is needed"))
            })
        });
        let split = split.transpose()?;
        if let Some((earlier, before)) = rows.get(&file) {
            if *before != cells || splits.get(&file).copied() != split {
                let text = format!("line {line} contradicts line {earlier} about {file}");
                return Err(wrong(format!("{text}; keep one of them")));
            }
            let reason = format!("line {line} repeats line {earlier} ({file}); counted once");
            repeated.push(BadFile {
                path: NAME.into(),
                reason,
            });
            continue;
        }
        if let Some(split) = split {
            splits.insert(file.clone(), split);
        }
        rows.insert(file, (line, cells));
    }
    let split = of_split.map(|_| splits);
    Ok(Some(Table {
        headers,
        rows,
        split,
        repeated,
    }))
}

/// A title without the byte-order mark that some spreadsheets put before it.
fn clean(title: &str) -> &str {
    title.trim_start_matches('\u{feff}').trim()
}

impl Table {
    /// Whether it has a line for `path`.
    pub fn lists(&self, path: &str) -> bool {
        self.rows.contains_key(path)
    }

    /// Columns and split of the usable files; repeated lines and missing files go to `bad`.
    pub fn layout(mut self, ids: Vec<String>, bad: &mut Vec<BadFile>) -> Layout {
        let mut cells: Vec<Vec<String>> = vec![Vec::with_capacity(ids.len()); self.headers.len()];
        for id in &ids {
            let (_, row) = self.rows.remove(id).unwrap_or_default();
            for (column, cell) in cells.iter_mut().zip(row) {
                column.push(cell);
            }
        }
        bad.append(&mut self.repeated);
        // Rows left over: listed files that are broken are already there, the others do not exist.
        let known: HashSet<String> = bad.iter().map(|b| b.path.clone()).collect();
        for (path, (line, _)) in self.rows {
            if !known.contains(&path) {
                let reason = format!("no such file (line {line} of labels.csv)");
                bad.push(BadFile { path, reason });
            }
        }
        let columns = self
            .headers
            .iter()
            .zip(&cells)
            .map(|(header, cells)| header.column(cells));
        let split = self
            .split
            .map(|of| ids.iter().filter_map(|id| of.get(id).copied()).collect());
        Layout {
            columns: columns.collect(),
            split,
            ids,
        }
    }
}
