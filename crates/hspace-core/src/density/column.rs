//! A column of numbers from a `.csv` file with a header.

use std::path::Path;

use csv::StringRecord;

use crate::csv_text::{self, check_commas, clean, is_missing, line_of, repeated, unreadable};
use crate::error::{Error, Result, unknown};
use crate::file;

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The header's name for it.
    pub name: String,
    /// Known values, finite, in the file's order.
    pub values: Vec<f64>,
    /// Number of rows without a value.
    pub missing: usize,
}

/// Reads the column `name`, or the only one there is.
///
/// # Errors
/// When the file cannot be read, has no header or no such column, or a value is no finite number; the error names
/// its line.
pub fn read(path: &Path, name: Option<&str>) -> Result<Column> {
    let wrong = |problem: String| Error::file(path, problem);
    let bytes = file::read(path)?;
    let (mut reader, header) = csv_text::open(&bytes).map_err(wrong)?;
    let titles: Vec<&str> = header.iter().map(clean).collect();
    if titles.is_empty() {
        return Err(wrong("is empty".into()));
    }
    // Such titles are values, and the first of each column would be lost. Some may be numbers: years.
    if titles.iter().all(|title| title.parse::<f64>().is_ok()) {
        return Err(wrong(format!(
            "its first line, {}, is numbers; it needs a header line that names the columns",
            titles.join(",")
        )));
    }
    if name.is_none_or(|name| name != titles[0]) {
        check_commas(&titles).map_err(wrong)?;
    }
    let at = match name {
        Some(name) => {
            let mut places = (0..titles.len()).filter(|i| titles[*i] == name);
            let Some(at) = places.next() else {
                return Err(wrong(unknown("column", name, titles.iter().copied())));
            };
            if places.next().is_some() {
                return Err(wrong(repeated(name)));
            }
            at
        }
        None if titles.len() == 1 => 0,
        None => {
            let all = titles.join(", ");
            return Err(wrong(format!("say which column with --column: {all}")));
        }
    };
    let mut column = Column {
        name: titles[at].to_owned(),
        values: Vec::new(),
        missing: 0,
    };
    let mut record = StringRecord::new();
    if titles.len() == 1 {
        // The reader passes over empty lines, which are rows without a value here.
        column.missing = empty_lines(&bytes);
    }
    while reader
        .read_record(&mut record)
        .map_err(|e| wrong(unreadable(&e, &bytes)))?
    {
        let cell = record.get(at).unwrap_or_default();
        if is_missing(cell) {
            column.missing += 1;
            continue;
        }
        match cell.parse::<f64>() {
            Ok(value) if value.is_finite() => column.values.push(value),
            _ => {
                let line = line_of(&bytes, record.position());
                return Err(wrong(format!(
                    "line {line}, column `{}`: `{cell}` is no finite number; mend it, or leave the cell empty if the value is not known",
                    column.name
                )));
            }
        }
    }
    Ok(column)
}

/// Empty lines before the last that is not.
fn empty_lines(bytes: &[u8]) -> usize {
    let lines = bytes.trim_ascii_end().split(|b| *b == b'\n');
    lines.filter(|line| matches!(line, [] | [b'\r'])).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(text: &str, name: Option<&str>) -> std::result::Result<Column, String> {
        let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path(), name).map_err(|e| e.to_string())
    }

    #[test]
    fn missing_values_are_counted_and_wrong_ones_named_by_line() {
        let text = "\u{feff}day,visits\n1,5\n2,?\n3,NA\n4, 7.5\n5,1e2\n";
        let read = column(text, Some("visits")).unwrap();
        assert_eq!((read.values, read.missing), (vec![5.0, 7.5, 100.0], 2));
        assert_eq!(column(text, Some("day")).unwrap().values.len(), 5);
        let error = column("day,visits\n1,5\n2,many\n", Some("visits")).unwrap_err();
        assert!(error.contains("line 3, column `visits`: `many`"), "{error}");
        assert!(column("x\ninf\n", None).unwrap_err().contains("line 2"));
        let error = column(text, Some("visit")).unwrap_err();
        assert!(error.contains("did you mean `visits`?"), "{error}");
        assert!(
            column(text, None)
                .unwrap_err()
                .contains("--column: day, visits")
        );
        assert_eq!(column("x\n1\n", None).unwrap().name, "x");
        for (text, part) in [
            ("x,y,x\n1,2,3\n", "more than one column `x`"),
            ("x;y\n1;2\n", "separated by commas"),
            ("x,y\n1,2\n3\n", "line 3 has 1 cells and the lines before 2"),
            ("x,y\r\n1,2\r\n3\r\n", "line 3 has 1 cells"),
        ] {
            let error = column(text, Some("x")).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        for text in ["x\n1\n\n2\n\n\n3\n\n", "x\r\n1\r\n\r\n2\r\n\r\n\r\n3"] {
            let gaps = column(text, None).unwrap();
            assert_eq!((gaps.values, gaps.missing), (vec![1.0, 2.0, 3.0], 3));
        }
        for text in ["x\n\n1\n\nmany\n", "x,y\r\n\r\n1,2\r\n\r\nmany,3"] {
            let error = column(text, Some("x")).unwrap_err();
            assert!(error.contains("line 5, column `x`: `many`"), "{error}");
        }
    }

    #[test]
    fn a_file_needs_a_header() {
        for (text, name) in [("3.14\n2.71\n", None), ("1,5\n2,6\n", Some("1"))] {
            let error = column(text, name).unwrap_err();
            assert!(error.contains("needs a header line"), "{error}");
        }
        assert_eq!(
            column("day,2019\n1,5\n", Some("2019")).unwrap().values,
            [5.0]
        );
        for name in [None, Some("x")] {
            let error = column("", name).unwrap_err();
            assert!(error.contains("is empty"), "{error}");
        }
    }
}
