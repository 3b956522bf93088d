//! What tables of text (`.csv`) have in common: titles, cells without a value, numbers of lines, and what is said of
//! a table that cannot be read.

use std::collections::HashSet;

use csv::{ErrorKind, Position, Reader, ReaderBuilder, StringRecord, Trim};

/// Cells that stand for a value that is not known, in any case.
const MISSING: [&str; 7] = ["", "na", "n/a", "nan", "null", "none", "?"];

/// Whether a cell stands for a value that is not known.
pub fn is_missing(cell: &str) -> bool {
    MISSING
        .iter()
        .any(|missing| cell.eq_ignore_ascii_case(missing))
}

/// A reader of a table's rows, and its header.
///
/// # Errors
/// If the header cannot be read.
pub fn open(bytes: &[u8]) -> Result<(Reader<&[u8]>, StringRecord), String> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(bytes);
    let header = reader.headers().map_err(|e| unreadable(&e, bytes))?.clone();
    Ok((reader, header))
}

/// A title without the byte-order mark that some spreadsheets put before it.
pub fn clean(title: &str) -> &str {
    title.trim_start_matches('\u{feff}').trim()
}

/// Refuses a header that seems to be separated by another sign than commas.
///
/// # Errors
/// What is wrong, with the header.
pub fn check_commas(titles: &[&str]) -> Result<(), String> {
    match titles {
        [one] if one.contains([';', '\t']) => Err(format!(
            "its columns must be separated by commas; its first line is `{one}`"
        )),
        _ => Ok(()),
    }
}

/// Refuses titles that occur more than once.
///
/// # Errors
/// Names the first such title.
pub fn check_distinct(titles: &[&str]) -> Result<(), String> {
    let mut seen = HashSet::new();
    match titles.iter().find(|title| !seen.insert(**title)) {
        Some(title) => Err(repeated(title)),
        None => Ok(()),
    }
}

/// What is said of a title that occurs more than once.
pub fn repeated(title: &str) -> String {
    format!("has more than one column `{title}`; rename all but one")
}

/// Number of the line, from 1, on which the record at this place of the file begins.
///
/// The reader leaves empty lines, and the line feed after a carriage return, to the record that follows them; so the
/// line it says may be one before the record.
pub fn line_of(bytes: &[u8], at: Option<&Position>) -> u64 {
    let Some(at) = at else {
        return 1;
    };
    let ends = |b: &&u8| matches!(**b, b'\n' | b'\r');
    let left = bytes.iter().skip(at.byte() as usize).take_while(ends);
    at.line() + left.filter(|b| **b == b'\n').count() as u64
}

/// Why a line of the file cannot be read, and what to do.
pub fn unreadable(error: &csv::Error, bytes: &[u8]) -> String {
    match error.kind() {
        ErrorKind::Utf8 { pos, .. } => format!(
            "line {} is not UTF-8; save the file in that encoding",
            line_of(bytes, pos.as_ref())
        ),
        ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => format!(
            "line {} has {len} cells and the lines before {expected_len}; give every row as many as the header",
            line_of(bytes, pos.as_ref())
        ),
        _ => format!("cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        for end in ["\n", "\r\n"] {
            let text = ["a,b", "1,2", "", "\"x", "y\",3", "4", ""].join(end);
            let bytes = text.as_bytes();
            let mut reader = csv::Reader::from_reader(bytes);
            let mut record = csv::StringRecord::new();
            let mut lines = Vec::new();
            let error = loop {
                match reader.read_record(&mut record) {
                    Ok(true) => lines.push(line_of(bytes, record.position())),
                    Ok(false) => panic!("the last row is too short"),
                    Err(error) => break error,
                }
            };
            assert_eq!(lines, [2, 4]);
            let text = unreadable(&error, bytes);
            assert!(
                text.contains("line 6 has 1 cells and the lines before 2"),
                "{text}"
            );
        }
    }

    #[test]
    fn cells_without_a_value_are_known() {
        for cell in ["", "NA", "N/A", "NaN", "null", "None", "?"] {
            assert!(is_missing(cell), "{cell}");
        }
        for cell in ["0", "nano", "-"] {
            assert!(!is_missing(cell), "{cell}");
        }
    }

    #[test]
    fn headers_that_mislead_are_refused() {
        for titles in [["a;b"], ["a\tb"]] {
            assert!(check_commas(&titles).unwrap_err().contains("commas"));
        }
        assert_eq!(check_commas(&["a;b", "c"]), Ok(()));
        assert!(
            check_distinct(&["a", "b", "a"])
                .unwrap_err()
                .contains("`a`")
        );
        assert_eq!(check_distinct(&["a", "b"]), Ok(()));
    }
}
