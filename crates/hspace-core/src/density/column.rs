//! A column of numbers from a `.csv` file with a header.

use std::path::Path;

use crate::columns::header::{Header, Use};
use crate::columns::{Csv, Holds, Rules, assign, cells};
use crate::error::{Result, unknown};

/// The values of a column.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("visits.csv");
/// use hspace_core::density::column::read;
///
/// std::fs::write(&path, "day,visits\nMon,3\nTue,\nWed,5\n")?;
/// let column = read(&path, Some("visits"))?;
/// assert_eq!((column.values, column.missing), (vec![3.0, 5.0], 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The header's name for it.
    pub name: String,
    /// Known values, finite, in the file's order.
    pub values: Vec<f64>,
    /// Number of rows without a value.
    pub missing: usize,
}

/// Reads the column `name`, a title or the name within one, or the only one of numbers there is.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("visits.csv");
/// use hspace_core::density::column::read;
///
/// std::fs::write(&path, "day,visits\nMon,3\nTue,many\n")?;
/// let error = read(&path, Some("visits")).unwrap_err().to_string();
/// assert!(error.contains("line 3") && error.contains("many"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the file cannot be read, has no header or no such column, or a value is no finite number; the error names
/// its line.
pub fn read(path: &Path, name: Option<&str>) -> Result<Column> {
    let csv = Csv::open(path)?;
    let titles = &csv.titles;
    // Such titles are values, and the first of each column would be lost. Some may be numbers: years.
    if titles.iter().all(|title| cells::number(title).is_some()) {
        return Err(csv.wrong(format!(
            "its first line, {}, is numbers; it needs a header line that names the columns",
            titles.join(",")
        )));
    }
    let at = match name {
        Some(name) => place(&csv, name)?,
        None if titles.len() == 1 => 0,
        None => only_numbers(&csv)?,
    };
    let mut column = Column {
        name: Header::parse(&titles[at]).name,
        values: Vec::new(),
        missing: 0,
    };
    if titles.len() == 1 {
        // The reader passes over empty lines, which are rows without a value here.
        column.missing = csv.empty_lines()?;
    }
    csv.rows(&mut |_, record| {
        let cell = csv.cell(record, at, false);
        match cells::number(&cell) {
            Some(value) => column.values.push(value),
            None if cells::is_missing(&cell) => column.missing += 1,
            None => {
                let line = csv.line(Csv::place(record));
                return Err(csv.wrong(format!(
                    "line {line}, column `{}`: `{cell}` is no finite number; mend it, or leave the cell empty if the value is not known",
                    column.name
                )));
            }
        }
        Ok(())
    })?;
    Ok(column)
}

/// The column of a title, or of the name within one.
fn place(csv: &Csv, name: &str) -> Result<usize> {
    let titles = &csv.titles;
    let exact = titles.iter().position(|title| title == name);
    let bare = || titles.iter().position(|t| Header::parse(t).name == name);
    exact
        .or_else(bare)
        .ok_or_else(|| csv.wrong(unknown("column", name, titles.iter().map(String::as_str))))
}

/// The only column of numbers that is no id, split or row number.
fn only_numbers(csv: &Csv) -> Result<usize> {
    let which = || {
        let all = csv.titles.join(", ");
        csv.wrong(format!("say which column with --column: {all}"))
    };
    let profiles = csv.scan(None)?;
    // Whatever is wrong with the columns together does not matter to one.
    let assigned = assign(&csv.titles, &profiles, &Rules::default(), Holds::Vectors);
    let assigned = assigned.map_err(|_| which())?;
    let numbers = (0..profiles.len()).filter(|&i| {
        let usage = assigned.columns[i].usage;
        profiles[i].is_numeric() && matches!(usage, Use::Feature | Use::Known(_))
    });
    match numbers.collect::<Vec<_>>()[..] {
        [one] => Ok(one),
        _ => Err(which()),
    }
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
        // An index, an id and a label are not meant.
        let named = column(",id,dose,label\n0,a,2.5,x\n1,b,3,y\n", None).unwrap();
        assert_eq!(
            (named.name.as_str(), named.values),
            ("dose", vec![2.5, 3.0])
        );
        assert_eq!(
            column("target:x;y\n1,5;2\n", Some("x")).unwrap().values,
            [1.5]
        );
        for (text, part) in [
            ("x,y,x\n1,2,3\n", "more than one column `x`"),
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
