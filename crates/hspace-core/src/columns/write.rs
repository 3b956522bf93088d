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

#[cfg(test)]
mod tests {
    use std::fs::File;

    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus as Random;

    use super::*;
    use crate::columns::{Holds, Role, Table, TableOptions, read_csv, read_npz};

    /// Pieces of names and values that a reader could stumble over.
    const WORDS: [&str; 18] = [
        "a", "é", "NA", "nan", "1", "2.50", "-3e4", "x y", "a,b", "\"q\"", "label", "id", "p:q",
        "0012", "True", "none", "#", "split",
    ];

    fn word(random: &mut Random) -> String {
        let count = random.random_range(1..3);
        let words: Vec<&str> = (0..count)
            .map(|_| WORDS[random.random_range(0..WORDS.len())])
            .collect();
        words.join("_")
    }

    /// A column of any role and kind of values, a tenth of them unknown.
    fn column(random: &mut Random, place: usize, rows: usize) -> Column {
        let roles = [
            Role::Label,
            Role::Nuisance,
            Role::Factor,
            Role::Domain,
            Role::Group,
            Role::Mask,
        ];
        let role = roles[random.random_range(0..roles.len())];
        let kind = match role {
            Role::Label => random.random_range(0..3),
            Role::Nuisance | Role::Factor => random.random_range(0..2),
            _ => 0,
        };
        let count = random.random_range(1..30);
        let mut names: Vec<String> = (0..count).map(|_| word(random)).collect();
        names.sort();
        names.dedup();
        let known = |random: &mut Random| random.random_range(0..10) > 0;
        let values = match kind {
            0 => {
                let cells = (0..rows).map(|_| match known(random) {
                    true => names[random.random_range(0..names.len())].clone(),
                    false => String::new(),
                });
                crate::columns::cells::classes(&cells.collect::<Vec<_>>())
            }
            1 => Values::Numbers(
                (0..rows)
                    .map(|_| {
                        let value = match random.random_range(0..3) {
                            0 => f64::from(random.random_range(-5..5)),
                            1 => random.random::<f64>() * 1e-7,
                            _ => random.random::<f64>() * 1e19,
                        };
                        known(random).then_some(value)
                    })
                    .collect(),
            ),
            _ => {
                let sets: Vec<Option<std::collections::BTreeSet<&str>>> = (0..rows)
                    .map(|_| {
                        let set = names.iter().filter(|_| random.random_range(0..4) == 0);
                        let set = set.map(String::as_str).collect();
                        known(random).then_some(set)
                    })
                    .collect();
                crate::columns::cells::multi_label(&sets)
            }
        };
        Column {
            name: format!("{}{place}", word(random)),
            role,
            values,
        }
    }

    fn assert_same(table: &Table, rows: Rows<'_>, what: &str) {
        assert_eq!(table.ids.as_deref(), Some(rows.ids), "{what}");
        assert_eq!(table.split.as_deref(), Some(rows.split), "{what}");
        assert_eq!(table.features, *rows.features, "{what}");
        let [read, written] = [&table.columns[..], rows.columns].map(|columns| {
            // The task goes first among labels; the others keep their order.
            let mut columns: Vec<&Column> = columns.iter().collect();
            columns.sort_by(|a, b| (&a.name, a.role).cmp(&(&b.name, b.role)));
            columns
        });
        for (read, written) in read.iter().zip(&written) {
            assert_eq!(
                (&read.name, read.role),
                (&written.name, written.role),
                "{what}"
            );
            let [read, written] = [read, written].map(|column| cells(&column.values));
            assert_eq!(read, written, "{what}");
        }
        assert_eq!(read.len(), written.len(), "{what}");
    }

    #[test]
    fn random_tables_read_back_to_the_same() {
        let folder = tempfile::tempdir().unwrap();
        for seed in 0..150 {
            let random = &mut Random::seed_from_u64(seed);
            let (rows, dims) = (random.random_range(1..40), random.random_range(1..6));
            let data = (0..rows * dims).map(|_| {
                let value: f32 = random.random();
                (value - 0.5) * 10f32.powi(random.random_range(-30..30))
            });
            let features = Matrix::new(rows, dims, data.collect());
            let large = random.random_range(0..2) == 0;
            let ids: Vec<String> = (0..rows)
                .map(|i| match large {
                    true => (9_952_793_945_419_160_240u64 + i as u64).to_string(),
                    false => format!("{} {i}", word(random)),
                })
                .collect();
            let split: Vec<Split> = (0..rows)
                .map(|_| Split::ALL[random.random_range(0..3)])
                .collect();
            let count = random.random_range(0..6);
            let columns: Vec<Column> = (0..count).map(|i| column(random, i, rows)).collect();
            let given = Rows {
                features: &features,
                shift: &[],
                ids: &ids,
                split: &split,
                columns: &columns,
            };
            let [text, arrays] = ["t.csv", "t.npz"].map(|name| folder.path().join(name));
            write_csv(given, File::create(&text).unwrap()).unwrap();
            write_npz(given, File::create(&arrays).unwrap()).unwrap();
            let options = TableOptions::default();
            let table = read_csv(&text, Holds::Vectors, &options, None).unwrap();
            // What is far from 0 against its spread comes back less its shift, and is compared elsewhere.
            if table.shift.is_empty() {
                assert_same(&table, given, &format!("seed {seed}, csv"));
            }
            let (table, _) = read_npz(&arrays, false, &options).unwrap();
            assert_same(&table, given, &format!("seed {seed}, npz"));
        }
    }
}
