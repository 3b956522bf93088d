//! `labels.csv` beside a folder's images: their labels, and possibly their split.
//!
//! The column `path` (or `filename`, `file`, `image`) names the files, relative to the folder; a
//! column `split` says `train`, `val` (counted as train) or `test`. Every other column is a label
//! unless its name says otherwise: `nuisance:hospital`, `factor:x`, `target:age`. An empty cell is
//! an unknown value. The default task is the first label, see [`column::columns`]. Listed files that
//! are missing, images that are not listed, and lines that repeat an earlier one are left out and
//! reported; lines that contradict each other are an error.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use csv::StringRecord;

use crate::csv_text::{self, check_commas, clean, line_of, unreadable};
use crate::dataset::image_folder::Layout;
use crate::dataset::{BadFile, Split, column, split};
use crate::error::{Error, Result};
use crate::file;

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
    let bytes = file::read(&path)?;
    let (mut reader, header) = csv_text::open(&bytes).map_err(wrong)?;
    let titles: Vec<&str> = header.iter().map(clean).collect();
    check_commas(&titles).map_err(wrong)?;
    let position = |names: &[&str]| {
        titles
            .iter()
            .position(|title| names.iter().any(|name| title.eq_ignore_ascii_case(name)))
    };
    let of_path = position(&PATH_NAMES).ok_or_else(|| {
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
        .map(|&i| column::Header::parse(titles[i]))
        .collect();
    let mut rows: HashMap<String, (u64, Vec<String>)> = HashMap::new();
    let mut splits: HashMap<String, Split> = HashMap::new();
    let mut repeated = Vec::new();
    let mut record = StringRecord::new();
    while reader
        .read_record(&mut record)
        .map_err(|e| wrong(unreadable(&e, &bytes)))?
    {
        let line = line_of(&bytes, record.position());
        let file = record[of_path].replace('\\', "/");
        let file = file.trim_start_matches("./").to_string();
        if file.is_empty() {
            return Err(wrong(format!("line {line} has no path")));
        }
        let cells: Vec<String> = others.iter().map(|&i| record[i].to_string()).collect();
        let split = of_split.map(|i| {
            Split::parse(&record[i]).ok_or_else(|| {
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
        let columns = column::columns(self.headers.iter().zip(cells.iter().map(Vec::as_slice)));
        let split = self
            .split
            .map(|of| ids.iter().filter_map(|id| of.get(id).copied()).collect());
        Layout {
            columns,
            split,
            ids,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: impl AsRef<[u8]>) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), text).unwrap();
        read(folder.path()).err().unwrap().to_string()
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (text, why) in [
            ("path;kind\na.png;cat\n", "separated by commas"),
            ("path,kind\r\na.png\r\n", "line 2 has 1 cells"),
            ("path,kind\r\na.png,cat\r\n,dog\r\n", "line 3 has no path"),
        ] {
            let text = problem(text);
            assert!(text.contains(NAME) && text.contains(why), "{text}");
        }
        let text = problem(b"path,kind\r\na.png,\xff\r\n");
        assert!(text.contains("line 2 is not UTF-8"), "{text}");
    }
}
