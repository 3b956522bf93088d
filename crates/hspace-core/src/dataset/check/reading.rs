//! How a table was understood, as a table.

use std::fmt;

use crate::columns::{ColumnReading, Reading};
use crate::text::aligned_left;

/// More columns of one use that follow one another are shown as one line.
const ALIKE: usize = 3;
/// Lines of the table.
const LINES: usize = 40;

/// Writes the columns of the table, one a line, and the notes.
pub fn write(out: &mut fmt::Formatter<'_>, reading: &Reading) -> fmt::Result {
    if !reading.columns.is_empty() {
        let titles = [
            "column",
            "is",
            "because of",
            "values",
            "missing",
            "distinct",
        ];
        let mut lines = vec![titles.map(String::from).to_vec()];
        let alike = |a: &ColumnReading, b: &ColumnReading| (&a.role, &a.why) == (&b.role, &b.why);
        for run in reading.columns.chunk_by(alike) {
            match run.len() > ALIKE {
                true => lines.push(together(run)),
                false => lines.extend(run.iter().map(one)),
            }
        }
        let left = lines.len().saturating_sub(LINES);
        lines.truncate(LINES);
        writeln!(out, "  columns")?;
        for line in aligned_left(&lines).lines() {
            writeln!(out, "  {line}")?;
        }
        if left > 0 {
            writeln!(out, "    and {left} more (--json has them all)")?;
        }
    }
    for note in &reading.notes {
        writeln!(out, "  note        {note}")?;
    }
    Ok(())
}

fn one(column: &ColumnReading) -> Vec<String> {
    let title = match column.title.as_str() {
        "" => "(untitled)",
        title => title,
    };
    vec![
        title.to_owned(),
        column.role.clone(),
        column.why.clone(),
        column.kind.clone(),
        column.missing.to_string(),
        distinct(column),
    ]
}

fn distinct(column: &ColumnReading) -> String {
    match (column.distinct, column.role.as_str()) {
        (Some(count), _) => count.to_string(),
        (None, "samples") => String::new(),
        (None, _) => "very many".to_owned(),
    }
}

/// Columns of one use as one line.
fn together(run: &[ColumnReading]) -> Vec<String> {
    let (first, last) = (&run[0], &run[run.len() - 1]);
    let kinds = match run.iter().all(|column| column.kind == first.kind) {
        true => first.kind.clone(),
        false => "several kinds".to_owned(),
    };
    let missing: usize = run.iter().map(|column| column.missing).sum();
    vec![
        format!("{} … {} ({} columns)", first.title, last.title, run.len()),
        first.role.clone(),
        first.why.clone(),
        kinds,
        missing.to_string(),
        String::new(),
    ]
}
