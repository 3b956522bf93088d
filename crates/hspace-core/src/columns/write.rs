//! Features written with all that is known about them, in the form in which [`read_csv`](super::read_csv) and
//! [`read_npz`](super::read_npz) read them back to the same.
//!
//! `.csv`: `filename,embedding_0,…`, the layout that lightly writes, then the other columns under titles with their
//! prefixes, and `split`. `.npz`: arrays `features`, `ids`, `split`, and one for each column under the same title.

use std::io::{self, Seek, Write};

use npyz::{DType, TypeStr, WriteOptions, WriterBuilder};

use super::cells::cells;
use super::header::Header;
use super::{Column, Values};
use crate::dataset::Split;
use crate::matrix::Matrix;
use crate::npz::NpzWriter;

/// What is written.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// `[n, d]`
    pub features: &'a Matrix,
    /// What was subtracted from each feature; empty for nothing.
    pub shift: &'a [f64],
    /// One per row.
    pub ids: &'a [String],
    /// One per row.
    pub split: &'a [Split],
    /// What is known about the rows.
    pub columns: &'a [Column],
}

impl Rows<'_> {
    fn splits(&self) -> Vec<String> {
        self.split.iter().map(|s| s.name().to_owned()).collect()
    }

    /// A row of features with what was subtracted added again.
    fn wide(&self, row: usize) -> impl Iterator<Item = f64> {
        let shift = self.shift.iter().copied().chain(std::iter::repeat(0.0));
        let values = self.features.row(row).iter();
        values.zip(shift).map(|(&x, shift)| f64::from(x) + shift)
    }
}

/// Writes text.
///
/// # Errors
/// What writing brings.
pub fn write_csv<W: Write>(rows: Rows<'_>, file: W) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(file);
    let mut header = vec!["filename".to_string()];
    header.extend((0..rows.features.cols).map(|i| format!("embedding_{i}")));
    header.extend(rows.columns.iter().map(Header::of));
    header.push("split".into());
    out.write_record(&header)?;
    let columns: Vec<Vec<String>> = rows.columns.iter().map(|c| cells(&c.values)).collect();
    for (i, id) in rows.ids.iter().enumerate() {
        let mut record = vec![id.clone()];
        match rows.shift {
            [] => record.extend(rows.features.row(i).iter().map(f32::to_string)),
            _ => record.extend(rows.wide(i).map(|x| x.to_string())),
        }
        record.extend(columns.iter().map(|c| c[i].clone()));
        record.push(rows.split[i].name().into());
        out.write_record(&record)?;
    }
    out.flush()
}

/// Writes arrays one after the other, uncompressed.
///
/// # Errors
/// What writing brings.
pub fn write_npz<W: Write + Seek>(rows: Rows<'_>, file: W) -> io::Result<()> {
    let mut out = NpzWriter::new(file);
    let shape = [rows.features.rows as u64, rows.features.cols as u64];
    let options = WriteOptions::new().shape(&shape);
    match rows.shift {
        [] => {
            let writer = options.default_dtype().writer(out.array("features")?);
            let mut features = writer.begin_nd()?;
            features.extend(&rows.features.data)?;
            features.finish()?;
        }
        _ => {
            let options = WriteOptions::new().shape(&shape);
            let writer = options.default_dtype().writer(out.array("features")?);
            let mut features = writer.begin_nd()?;
            for row in 0..rows.features.rows {
                features.extend(rows.wide(row))?;
            }
            features.finish()?;
        }
    }
    texts(&mut out, "ids", rows.ids)?;
    texts(&mut out, "split", &rows.splits())?;
    for column in rows.columns {
        let title = Header::of(column);
        match &column.values {
            Values::Numbers(values) => {
                let shape = [values.len() as u64];
                let mut array = WriteOptions::new()
                    .default_dtype()
                    .shape(&shape)
                    .writer(out.array(&title)?)
                    .begin_nd()?;
                array.extend(values.iter().map(|v| v.unwrap_or(f64::NAN)))?;
                array.finish()?;
            }
            values => texts(&mut out, &title, &cells(values))?,
        }
    }
    out.finish()
}

fn texts<W: Write + Seek>(out: &mut NpzWriter<W>, name: &str, texts: &[String]) -> io::Result<()> {
    let longest = texts.iter().map(|t| t.chars().count()).max();
    let kind: TypeStr = format!("<U{}", longest.unwrap_or(0).max(1))
        .parse()
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "text too long"))?;
    let shape = [texts.len() as u64];
    let mut array = WriteOptions::<str>::new()
        .dtype(DType::new_scalar(kind))
        .shape(&shape)
        .writer(out.array(name)?)
        .begin_nd()?;
    for text in texts {
        array.push(text.as_str())?;
    }
    array.finish()
}
