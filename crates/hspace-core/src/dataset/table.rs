//! Vectors from a table: `.csv` or `.tsv` with a header, such as a spreadsheet or `hspace embed` writes.
//!
//! What each column is for is said by the grammar of [`columns`](crate::columns).

use std::collections::HashSet;
use std::path::Path;

use crate::columns::{Holds, Table, read_csv};
use crate::dataset::memory::Vectors;
use crate::dataset::{
    Dataset, Entry, Format, Kind, OpenOptions, Samples, Shape, Split, extension, split,
};
use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// The line in the list of datasets.
pub const ENTRY: Entry = Entry {
    name: ".csv file",
    summary: "table with a header: numeric columns are features; id, label, target:..., split are \
              recognised",
    source: "",
    item: Format {
        open: |source, options| {
            let path = Path::new(source);
            let fits = path.is_file() && ["csv", "tsv"].contains(&extension(path).as_str());
            fits.then(|| open_table(path, options))
        },
    },
};

fn open_table(path: &Path, options: &OpenOptions) -> Result<Dataset> {
    let table = read_csv(path, Holds::Vectors, &options.table(), None)?;
    if table.features.cols == 0 {
        return Err(Error::file(
            path,
            "has no numeric column that is a feature; for images, give the folder that holds them (and this table with \
             --label-file), for other columns say --role COLUMN=feature",
        ));
    }
    of_vectors(path, table, options)
}

/// The dataset of a table that holds features.
pub fn of_vectors(path: &Path, mut table: Table, options: &OpenOptions) -> Result<Dataset> {
    let features = std::mem::replace(&mut table.features, Matrix::zeros(0, 0));
    let shape = Shape::Vector { dim: features.cols };
    table.features = features;
    assemble(path, table, Kind::Vectors, shape, options, |table| {
        Box::new(Vectors {
            shift: std::mem::take(&mut table.shift),
            rows: std::mem::replace(&mut table.features, Matrix::zeros(0, 0)),
        })
    })
}

/// A dataset of what a table says, with the samples that `samples` makes.
pub fn assemble(
    path: &Path,
    mut table: Table,
    kind: Kind,
    shape: Shape,
    options: &OpenOptions,
    samples: impl FnOnce(&mut Table) -> Box<dyn Samples>,
) -> Result<Dataset> {
    let rows = table.rows();
    let ids = table.ids.take();
    let ids = ids.unwrap_or_else(|| (0..rows).map(|i| format!("row/{i:06}")).collect());
    let mut seen = HashSet::with_capacity(rows);
    if let Some(id) = ids.iter().find(|id| !seen.insert(id.as_str())) {
        return Err(Error::file(
            path,
            format!(
                "the id `{id}` occurs twice; ids must be unique (--id COLUMN says which column they are in)"
            ),
        ));
    }
    drop(seen);
    let given = table.split.take();
    let split = split::resolve(
        &ids,
        given,
        &table.columns,
        options.holdout,
        &mut table.reading.notes,
    );
    let train: Vec<bool> = split.iter().map(|s| *s == Split::Train).collect();
    table.fill_gaps(&train);
    let samples = samples(&mut table);
    Ok(Dataset {
        name: path.display().to_string(),
        kind,
        shape,
        split,
        ids,
        columns: table.columns,
        bad: Vec::new(),
        reading: table.reading,
        samples,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Role, Sample};

    fn open(text: impl AsRef<[u8]>) -> Result<Dataset> {
        let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Dataset::open(file.path().to_str().unwrap(), &OpenOptions::default())
    }

    #[test]
    fn a_table_becomes_vectors() {
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
    }

    #[test]
    fn what_is_no_table_of_vectors_is_refused() {
        for (text, why) in [
            ("path,species\nx.png,cat\n", "no numeric column"),
            ("id,a\nx,1\nx,2\n", "`x` occurs twice"),
            ("a,b\n", "no rows"),
        ] {
            let error = open(text).err().unwrap().to_string();
            assert!(error.contains(".csv") && error.contains(why), "{error}");
        }
    }

    #[test]
    fn groups_stay_on_one_side() {
        let rows: String = (0..200)
            .map(|i| format!("s{i},{},p{}\n", i * 7 % 13, i / 4))
            .collect();
        let dataset = open(format!("id,a,group:patient\n{rows}")).unwrap();
        let test = dataset.indices(Split::Test);
        assert!((20..70).contains(&test.len()), "{}", test.len());
        for group in dataset.split.chunks(4) {
            assert!(group.iter().all(|s| *s == group[0]));
        }
    }
}
