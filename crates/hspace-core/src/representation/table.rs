//! `.csv`: `filename,embedding_0,…`, the layout that lightly writes.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::{
    Representation, Stored, column_from_text, column_name, column_to_text, file_hash, parse_split,
    split_text, stored_names,
};
use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// Names of the column of ids.
const IDS: [&str; 7] = ["filename", "filenames", "id", "ids", "path", "name", ""];

pub(super) fn read(path: &Path) -> Result<Stored> {
    let file = File::open(path).map_err(|e| Error::file(path, e))?;
    let mut reader = csv::Reader::from_reader(io::BufReader::new(file));
    let header = reader.headers().map_err(|e| Error::file(path, e))?.clone();
    let named = |i: usize| header.get(i).unwrap_or("").trim();
    let all = || 0..header.len();
    let id = all().find(|&i| IDS.contains(&named(i)));
    let split = all().find(|&i| named(i) == "split");
    let columns: Vec<usize> = all().filter(|&i| column_name(named(i)).is_some()).collect();
    let mut features: Vec<usize> = all()
        .filter(|&i| named(i).starts_with("embedding_"))
        .collect();
    if features.is_empty() {
        features = all()
            .filter(|&i| Some(i) != id && Some(i) != split && !columns.contains(&i))
            .collect();
    }
    if features.is_empty() {
        return Err(Error::file(
            path,
            "no columns of features; call them embedding_0, embedding_1, …",
        ));
    }
    let (mut data, mut rows) = (Vec::new(), 0);
    let mut texts: Vec<Vec<String>> = vec![Vec::new(); header.len()];
    for record in reader.records() {
        let record = record.map_err(|e| Error::file(path, e))?;
        rows += 1;
        for &i in &features {
            let text = record.get(i).unwrap_or("").trim();
            data.push(text.parse::<f32>().map_err(|_| {
                Error::file(
                    path,
                    format!(
                        "row {rows}, column `{}`: `{text}` is not a number",
                        named(i)
                    ),
                )
            })?);
        }
        for &i in columns.iter().chain(&id).chain(&split) {
            texts[i].push(record.get(i).unwrap_or("").to_string());
        }
    }
    let column = |&i: &usize| {
        column_name(named(i)).map(|(name, role)| column_from_text(name, role, &texts[i]))
    };
    Ok(Stored {
        name: path.display().to_string(),
        features: Matrix::new(rows, features.len(), data),
        columns: columns.iter().filter_map(column).collect(),
        split: split.map(|i| parse_split(path, &texts[i])).transpose()?,
        ids: id.map(|i| texts[i].clone()),
        origin: file_hash(path)?,
        shift: Vec::new(),
    })
}

pub(super) fn write<W: Write>(r: &Representation, file: W) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(file);
    let mut header = vec!["filename".to_string()];
    header.extend((0..r.features.cols).map(|i| format!("embedding_{i}")));
    header.extend(stored_names(&r.columns));
    header.push("split".into());
    out.write_record(&header)?;
    let columns: Vec<Vec<String>> = r.columns.iter().map(column_to_text).collect();
    for (i, id) in r.ids.iter().enumerate() {
        let mut record = vec![id.clone()];
        record.extend(r.features.row(i).iter().map(f32::to_string));
        record.extend(columns.iter().map(|c| c[i].clone()));
        record.push(split_text(r.split[i]).into());
        out.write_record(&record)?;
    }
    out.flush()
}
