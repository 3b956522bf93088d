//! Tables of text: `.csv`, separated by commas, semicolons or tabs, with a header.
//!
//! A table is read twice as a stream: first to learn what its columns hold ([`Csv::scan`]), then for the values that
//! are wanted ([`Csv::rows`]). So it takes the memory of those values, not of its text.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use csv::{ErrorKind, Position, Reader, ReaderBuilder, StringRecord, Trim};

use super::names;
use super::profile::Profile;
use crate::error::{Error, Result};
use crate::file;

const BUFFER: usize = 1 << 20;

/// A table whose header was read.
pub struct Csv {
    path: PathBuf,
    delimiter: u8,
    /// Titles, without blanks around them.
    pub titles: Vec<String>,
    /// Whether blanks stood around each title; then they do not count in cells either, where they might.
    padded: Vec<bool>,
    /// Whether numbers have a decimal comma, so that a point is between thousands.
    decimal_comma: bool,
}

/// Whether a cell is a number that may have points between thousands and a comma before decimals: `1.234,5`.
fn is_german(cell: &str) -> bool {
    let cell = cell.trim();
    let cell = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    let (whole, decimals) = cell.split_once(',').unwrap_or((cell, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mut parts = whole.split('.');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let grouped = rest.is_empty() || first.len() <= 3;
    digits(decimals) && digits(first) && grouped && rest.iter().all(|p| p.len() == 3 && digits(p))
}

/// Where a row is in the file, for messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    byte: u64,
    line: u64,
}

impl Csv {
    /// Reads the header.
    ///
    /// # Errors
    /// No file, no text, no header, or two columns of one title.
    pub fn open(path: &Path) -> Result<Csv> {
        let mut table = Csv {
            path: path.to_owned(),
            delimiter: b',',
            titles: Vec::new(),
            padded: Vec::new(),
            decimal_comma: false,
        };
        table.delimiter = table.find_delimiter()?;
        let mut reader = table.reader()?;
        let header = reader.headers().map_err(|e| table.unreadable(&e))?;
        let header: Vec<&str> = header
            .iter()
            .map(|t| t.trim_start_matches('\u{feff}'))
            .collect();
        table.padded = header.iter().map(|title| title.trim() != *title).collect();
        table.titles = header.iter().map(|title| title.trim().to_owned()).collect();
        if table.titles.iter().all(String::is_empty) {
            return Err(table.wrong("is empty; a header line that names the columns is needed"));
        }
        let mut seen = std::collections::HashSet::new();
        let mut titles = table.titles.iter().filter(|title| !title.is_empty());
        if let Some(title) = titles.find(|title| !seen.insert(title.as_str())) {
            return Err(table.wrong(format!(
                "has more than one column `{title}`; rename all but one"
            )));
        }
        drop(reader);
        if table.delimiter != b',' {
            table.decimal_comma = table.has_decimal_comma()?;
        }
        Ok(table)
    }

    /// Whether some cell is a number with a decimal comma.
    fn has_decimal_comma(&self) -> Result<bool> {
        let mut found = false;
        self.rows(&mut |_, record| {
            found |= record
                .iter()
                .any(|cell| is_german(cell) && cell.contains(','));
            Ok(())
        })?;
        Ok(found)
    }

    /// The separator, if it is another than the comma.
    pub fn separator(&self) -> Option<&'static str> {
        match self.delimiter {
            b';' => Some("semicolons"),
            b'\t' => Some("tabs"),
            _ => None,
        }
    }

    /// Comma, semicolon or tab: what occurs most in the first line, outside quotes.
    fn find_delimiter(&self) -> Result<u8> {
        let mut line = Vec::new();
        let mut reader = BufReader::new(self.file()?);
        let failed = |e: std::io::Error| self.wrong(file::explain(&e));
        // The line of a header may itself be long, but not endless.
        let most = reader.by_ref().take(1 << 24).read_until(b'\n', &mut line);
        most.map_err(failed)?;
        let binary = [
            (&b"\xff\xfe"[..], "is UTF-16 text"),
            (b"\xfe\xff", "is UTF-16 text"),
            (b"PK\x03\x04", "is a workbook or an archive, no text"),
            (b"\xd0\xcf\x11\xe0", "is a workbook, no text"),
        ];
        if let Some((_, what)) = binary.iter().find(|(start, _)| line.starts_with(start)) {
            return Err(self.wrong(format!("{what}; save it as CSV in UTF-8")));
        }
        let mut quoted = false;
        let mut counts = [0usize; 3];
        for byte in &line {
            match byte {
                b'"' => quoted = !quoted,
                b',' if !quoted => counts[0] += 1,
                b';' if !quoted => counts[1] += 1,
                b'\t' if !quoted => counts[2] += 1,
                _ => {}
            }
        }
        let most = counts.into_iter().max().unwrap_or(0);
        let place = counts.iter().position(|count| *count == most);
        Ok([b',', b';', b'\t'][place.unwrap_or(0)])
    }

    fn file(&self) -> Result<File> {
        File::open(&self.path).map_err(|e| self.wrong(file::explain(&e)))
    }

    fn reader(&self) -> Result<Reader<BufReader<File>>> {
        let reader = BufReader::with_capacity(BUFFER, self.file()?);
        Ok(ReaderBuilder::new()
            .delimiter(self.delimiter)
            .trim(Trim::None)
            .from_reader(reader))
    }

    /// An error about the file.
    pub fn wrong(&self, problem: impl std::fmt::Display) -> Error {
        Error::file(&self.path, problem)
    }

    /// A cell without the blanks around it, and with a point where a table separated by semicolons has a decimal
    /// comma; `raw`: as it is, but for blanks where the title has some too.
    pub fn cell<'a>(
        &self,
        record: &'a StringRecord,
        column: usize,
        raw: bool,
    ) -> std::borrow::Cow<'a, str> {
        let cell = record.get(column).unwrap_or_default();
        if raw && !self.padded[column] {
            return cell.into();
        }
        let cell = cell.trim();
        match self.decimal_comma && !raw && is_german(cell) {
            true => cell.replace('.', "").replace(',', ".").into(),
            false => cell.into(),
        }
    }

    /// Calls `each` with every row: its number from 0, and its cells.
    ///
    /// # Errors
    /// Rows of another length than the header, text that is not UTF-8, and what `each` refuses.
    pub fn rows(&self, each: &mut dyn FnMut(usize, &StringRecord) -> Result<()>) -> Result<()> {
        let mut reader = self.reader()?;
        // Places are those of rows only once the header is read.
        reader.headers().map_err(|e| self.unreadable(&e))?;
        let mut record = StringRecord::new();
        let mut row = 0;
        while reader
            .read_record(&mut record)
            .map_err(|e| self.unreadable(&e))?
        {
            // Spreadsheets end with rows of separators alone.
            if record.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            each(row, &record)?;
            row += 1;
        }
        Ok(())
    }

    /// Counts what each column holds. `is_sample`: whether a cell names a picture of the folder.
    ///
    /// # Errors
    /// As [`Csv::rows`]; a table without rows.
    pub fn scan(&self, is_sample: Option<&dyn Fn(&str) -> bool>) -> Result<Vec<Profile>> {
        let candidate = |title: &String| names::rank(title).is_some();
        let mut profiles: Vec<Profile> = self
            .titles
            .iter()
            .map(|title| Profile::new(candidate(title)))
            .collect();
        self.rows(&mut |_, record| {
            for (column, profile) in profiles.iter_mut().enumerate() {
                let cell = self.cell(record, column, false);
                profile.matches += usize::from(is_sample.is_some_and(|is| is(&cell)));
                profile.add(&cell);
            }
            Ok(())
        })?;
        match profiles.first() {
            Some(first) if first.rows > 0 => Ok(profiles),
            _ => Err(self.wrong("has no rows below its header")),
        }
    }

    /// The place of a record.
    pub fn place(record: &StringRecord) -> Place {
        let at = record.position();
        Place {
            byte: at.map_or(0, Position::byte),
            line: at.map_or(1, Position::line),
        }
    }

    /// Number of the line, from 1, on which row `row` begins; it is looked up in the file.
    pub fn line_of_row(&self, row: usize) -> u64 {
        let mut line = 0;
        let found = self.rows(&mut |at, record| {
            if at < row {
                return Ok(());
            }
            line = self.line(Csv::place(record));
            Err(self.wrong("found"))
        });
        let _ = found;
        line
    }

    /// Number of the line, from 1, at a place.
    ///
    /// The reader leaves empty lines, and the line feed after a carriage return, to the record that follows them; so
    /// the line it says may be one before the record.
    pub fn line(&self, at: Place) -> u64 {
        let feeds = || -> std::io::Result<u64> {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(at.byte))?;
            let mut feeds = 0;
            for byte in BufReader::new(file).bytes() {
                match byte? {
                    b'\n' => feeds += 1,
                    b'\r' => {}
                    _ => break,
                }
            }
            Ok(feeds)
        };
        at.line + feeds().unwrap_or(0)
    }

    /// Why a line of the file cannot be read, and what to do.
    fn unreadable(&self, error: &csv::Error) -> Error {
        let line = |pos: &Option<Position>| {
            let at = pos.as_ref().map(|pos| Place {
                byte: pos.byte(),
                line: pos.line(),
            });
            self.line(at.unwrap_or(Place { byte: 0, line: 1 }))
        };
        self.wrong(match error.kind() {
            ErrorKind::Utf8 { pos, .. } => format!(
                "line {} is not UTF-8; save the file in that encoding",
                line(pos)
            ),
            ErrorKind::UnequalLengths {
                pos,
                expected_len,
                len,
            } => format!(
                "line {} has {len} cells and the lines before {expected_len}; give every row as many as the header",
                line(pos)
            ),
            _ => format!("cannot be read: {error}"),
        })
    }

    /// Empty lines before the last that is not: in a table of one column, rows without a value.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn empty_lines(&self) -> Result<usize> {
        let (mut empty, mut pending) = (0, 0);
        for line in BufReader::with_capacity(BUFFER, self.file()?).split(b'\n') {
            let line = line.map_err(|e| self.wrong(file::explain(&e)))?;
            match &line[..] {
                [] | [b'\r'] => pending += 1,
                _ => empty += std::mem::take(&mut pending),
            }
        }
        Ok(empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(text: impl AsRef<[u8]>) -> (tempfile::NamedTempFile, Result<Csv>) {
        let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let table = Csv::open(file.path());
        (file, table)
    }

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        for end in ["\n", "\r\n"] {
            let (_file, table) = csv(["a,b", "1,2", "", "\"x", "y\",3", "4", ""].join(end));
            let table = table.unwrap();
            let mut lines = Vec::new();
            let error = table.rows(&mut |_, record| {
                lines.push(table.line(Csv::place(record)));
                Ok(())
            });
            assert_eq!(lines, [2, 4]);
            let text = error.unwrap_err().to_string();
            assert!(
                text.contains("line 6 has 1 cells and the lines before 2"),
                "{text}"
            );
            assert_eq!(table.line_of_row(1), 4);
        }
    }

    #[test]
    fn other_separators_and_decimal_commas_are_read() {
        let (_file, table) = csv("a;\"b,c\"\n1,5;x\n2;y,z\n");
        let table = table.unwrap();
        assert_eq!(table.titles, ["a", "b,c"]);
        assert_eq!(table.separator(), Some("semicolons"));
        let profiles = table.scan(None).unwrap();
        assert_eq!((profiles[0].numbers, profiles[0].fractions), (2, 1));
        assert_eq!(profiles[1].numbers, 0);
        // Where commas are decimal, points are between thousands; rows of separators alone are none.
        let (_file, table) = csv("a;b\n1.006;8,5\n999;1.234.567,25\n;\n");
        let profiles = table.unwrap().scan(None).unwrap();
        assert_eq!((profiles[0].rows, profiles[0].mean), (2, 1002.5));
        assert_eq!(profiles[1].mean, (8.5 + 1_234_567.25) / 2.0);
        let (_file, table) = csv("a;b\n1.006;8\n2.5;9\n");
        assert_eq!(
            table.unwrap().scan(None).unwrap()[0].mean,
            (1.006 + 2.5) / 2.0
        );
        let (_file, table) = csv("a\tb\n1\t2\n");
        assert_eq!(table.unwrap().titles, ["a", "b"]);
    }

    #[test]
    fn ids_keep_their_blanks_unless_titles_have_some() {
        for (text, id) in [("id,b\n x,1\n", " x"), (" id , b\n x , 1\n", "x")] {
            let (_file, table) = csv(text);
            let table = table.unwrap();
            table
                .rows(&mut |_, record| {
                    assert_eq!(table.cell(record, 0, true), id);
                    Ok(())
                })
                .unwrap();
        }
    }

    #[test]
    fn what_is_no_table_is_named() {
        for (text, why) in [
            (&b""[..], "is empty"),
            (b"a,a\n1,2\n", "more than one column `a`"),
            (b"\xff\xfea\0", "UTF-16"),
            (b"PK\x03\x04", "workbook"),
        ] {
            let text = csv(text).1.err().unwrap().to_string();
            assert!(text.contains(".csv") && text.contains(why), "{text}");
        }
        let (_file, table) = csv("a,b\n");
        let text = table.unwrap().scan(None).unwrap_err().to_string();
        assert!(text.contains("no rows"), "{text}");
        let (_file, table) = csv(b"a,b\r\n1,2\r\n\xff,3\r\n");
        let text = table.unwrap().scan(None).unwrap_err().to_string();
        assert!(text.contains("line 3 is not UTF-8"), "{text}");
    }
}
