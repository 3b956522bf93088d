//! Vectors from a `.csv` file with a header, such as `hspace embed` writes.
//!
//! A column called `id` or `filename` holds the ids, `split` the split (`train`, `val`, `test`).
//! `label`, `class`, `target`, `y` and columns with a prefix (`label:`, `target:`, `nuisance:`,
//! `factor:`) hold known values. Of the others, those whose first value is a number or missing are
//! features and must be finite numbers all the way down; those whose first value is text are labels.
//! The default task is the first label, see [`column::columns`].

use std::collections::HashSet;
use std::path::Path;

use csv::StringRecord;

use crate::csv_text::{self, check_commas, check_distinct, clean, is_missing, line_of, unreadable};
use crate::dataset::column::{self, Header};
use crate::dataset::memory::Vectors;
use crate::dataset::{Dataset, Entry, Kind, OpenOptions, Shape, Split, extension, split};
use crate::error::{Error, Result};
use crate::file;
use crate::matrix::Matrix;

/// The line in the list of datasets.
pub const ENTRY: Entry = Entry {
    name: ".csv file",
    summary: "table with a header: numeric columns are features; id, label, target:..., split are \
              recognised",
    open: |source, options| {
        let path = Path::new(source);
        let fits = path.is_file() && extension(path) == "csv";
        fits.then(|| open_table(path, options))
    },
};

/// What a column is for.
enum Use {
    Id,
    Split,
    Feature,
    Known { header: Header, cells: Vec<String> },
}

fn open_table(path: &Path, options: &OpenOptions) -> Result<Dataset> {
    let wrong = |problem: String| Error::file(path, problem);
    let bytes = file::read(path)?;
    let (mut reader, header) = csv_text::open(&bytes).map_err(wrong)?;
    let titles: Vec<&str> = header.iter().map(clean).collect();
    check_commas(&titles).map_err(wrong)?;
    check_distinct(&titles).map_err(wrong)?;
    let mut record = StringRecord::new();
    let mut uses: Vec<Use> = Vec::new();
    let (mut ids, mut features, mut splits) = (Vec::new(), Vec::new(), Vec::new());
    let mut rows = 0;
    while reader
        .read_record(&mut record)
        .map_err(|e| wrong(unreadable(&e, &bytes)))?
    {
        if rows == 0 {
            uses = titles
                .iter()
                .zip(&record)
                .map(|(title, cell)| usage(title, cell))
                .collect();
        }
        rows += 1;
        let line = || line_of(&bytes, record.position());
        for ((cell, title), usage) in record.iter().zip(&titles).zip(&mut uses) {
            match usage {
                Use::Id => ids.push(cell.to_string()),
                Use::Known { cells, .. } => cells.push(cell.to_string()),
                Use::Split => splits.push(Split::parse(cell).ok_or_else(|| {
                    wrong(format!(
                        "line {}: unknown split `{cell}`; train, val or test is needed",
                        line()
                    ))
                })?),
                Use::Feature => match cell.parse::<f32>() {
                    Ok(value) if value.is_finite() => features.push(value),
                    _ => {
                        return Err(wrong(format!(
                            "line {}, column `{title}`: `{cell}` is no finite number; fill it, \
                             drop the row, or call the column `label:{title}` if it is no feature",
                            line()
                        )));
                    }
                },
            }
        }
    }
    if rows == 0 {
        return Err(wrong("has no rows below its header".into()));
    }
    let dim = features.len() / rows;
    if dim == 0 {
        return Err(wrong(
            "has no numeric column; for images, give the folder that holds them".into(),
        ));
    }
    if ids.is_empty() {
        ids = (0..rows).map(|i| format!("row/{i:06}")).collect();
    }
    let mut seen = HashSet::new();
    if let Some(id) = ids.iter().find(|id| !seen.insert(id.as_str())) {
        return Err(wrong(format!("the id `{id}` occurs twice")));
    }
    let own = Some(splits).filter(|all| all.contains(&Split::Test));
    Ok(Dataset {
        name: path.display().to_string(),
        kind: Kind::Vectors,
        shape: Shape::Vector { dim },
        split: own.unwrap_or_else(|| split::by_hash(&ids, options.holdout)),
        ids,
        columns: column::columns(uses.iter().filter_map(known)),
        bad: Vec::new(),
        reading: Default::default(),
        samples: Box::new(Vectors(Matrix::new(rows, dim, features))),
    })
}

/// What a column is for, by its title and its first value.
fn usage(title: &str, first: &str) -> Use {
    let header = Header::parse(title);
    match title.to_ascii_lowercase().as_str() {
        "id" | "filename" => Use::Id,
        "split" => Use::Split,
        _ if !header.marked && (is_missing(first) || first.parse::<f32>().is_ok()) => Use::Feature,
        _ => Use::Known {
            header,
            cells: Vec::new(),
        },
    }
}

/// Header and cells of a column of known values.
fn known(usage: &Use) -> Option<(&Header, &[String])> {
    match usage {
        Use::Known { header, cells } => Some((header, cells.as_slice())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Role, Sample, Values};

    fn open(text: impl AsRef<[u8]>) -> Result<Dataset> {
        let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Dataset::open(file.path().to_str().unwrap(), &OpenOptions::default())
    }

    #[test]
    fn every_kind_of_column() {
        let text = "filename,embedding_0,embedding_1,label,nuisance:site,species,split\n\
                    a.png,1,2.5,7,north,x,train\nb.png,-3,4e2,8,,y,test\n";
        let dataset = open(text).unwrap();
        assert_eq!(dataset.ids, ["a.png", "b.png"]);
        assert_eq!(dataset.split, [Split::Train, Split::Test]);
        assert_eq!(dataset.shape, Shape::Vector { dim: 2 });
        assert_eq!(
            dataset.samples.get(1).unwrap(),
            Sample::Vector(vec![-3.0, 400.0].into())
        );
        let names: Vec<&str> = dataset.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["label", "site", "species"]);
        assert_eq!(dataset.columns[1].role, Role::Nuisance);
        let Values::Classes { index, .. } = &dataset.columns[1].values else {
            panic!("classes expected")
        };
        assert_eq!(index, &[Some(0), None]);
    }

    #[test]
    fn broken_tables_are_named_with_line_and_column() {
        for (text, why) in [
            (
                "a,b\n1,2\n3,NaN\n",
                "line 3, column `b`: `NaN` is no finite number",
            ),
            ("a,b\n1,2\ninf,3\n", "line 3, column `a`: `inf`"),
            ("a,b\n1,2\n3,\n", "line 3, column `b`: ``"),
            ("a,b\n1,2\n3\n", "line 3 has 1 cells and the lines before 2"),
            (
                "a,b\nNA,2\n3,4\n",
                "line 2, column `a`: `NA` is no finite number",
            ),
            ("a,b\n1,?\n", "line 2, column `b`: `?`"),
            ("a,b\r\n1,2\r\n\r\n3,x\r\n", "line 4, column `b`: `x`"),
            ("a;b\n1;2\n", "separated by commas"),
            (
                "a,b,a\n1,2,3\n",
                "more than one column `a`; rename all but one",
            ),
            ("a,b\n", "no rows"),
            ("", "no rows"),
            ("path,species\nx.png,cat\n", "no numeric column"),
            ("id,a\nx,1\nx,2\n", "`x` occurs twice"),
            ("a,split\n1,dev\n", "unknown split `dev`"),
        ] {
            let error = open(text).err().unwrap().to_string();
            assert!(error.contains(".csv") && error.contains(why), "{error}");
        }
        let error = open(b"a,b\r\n1,2\r\n\xff,3\r\n").err().unwrap().to_string();
        assert!(error.contains("line 3 is not UTF-8"), "{error}");
    }

    #[test]
    fn the_task_is_the_column_that_says_so() {
        for (text, task) in [
            ("a,city,class\n1,Bonn,x\n2,Ulm,y\n", "class"),
            ("a,city,label:kind\n1,Bonn,x\n2,Ulm,y\n", "kind"),
            ("a,city,kind\n1,Bonn,x\n2,Ulm,y\n", "city"),
        ] {
            let dataset = open(text).unwrap();
            assert_eq!(dataset.task().unwrap().name, task);
        }
    }
}
