//! What the columns of a table are for: one grammar, through which every table is read and written.
//!
//! A column has a [`Role`] and [`Values`]. Both follow from its title and its cells, by the rules of
//! [`header`] (titles), cells (values) and [`roles`] (all columns of a table together). Whatever holds
//! columns goes through them: vectors in `.csv`, `.npz`, `.npy`; the table of labels of an image folder; files of
//! features; the column of a density.
//!
//! The result is listed column by column in a [`Reading`], which `hspace check` prints.

mod arrays;
pub(crate) mod cells;
mod csv;
pub mod header;
pub(crate) mod names;
mod profile;
pub mod roles;
mod table;
mod write;

pub(crate) use arrays::{Samples, read_npy, read_npz};
pub(crate) use csv::Csv;
pub use csv::Place;
pub use roles::Rules;
pub(crate) use roles::{Holds, assign};
pub(crate) use table::read_csv;
pub use table::{Missing, Table, TableOptions};
pub(crate) use write::{Rows, write_csv, write_npz};

use serde::{Deserialize, Serialize};

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A task: something the representation should make easy.
    Label,
    /// Something it should *not* carry (scanner, batch): probed too, and warned about.
    Nuisance,
    /// A known generating factor that is no task; see [`factors`].
    Factor,
    /// Where a sample comes from (hospital, laboratory).
    Domain,
    /// Path or name of a mask: a class for each pixel of the sample ([`Mask`](crate::dataset::Mask)).
    Mask,
    /// What belongs together (patient, video): never cut by a split or a fold.
    Group,
}

/// A column of known values, one per sample; `None` where unknown.
///
/// ```
/// use hspace_core::columns::Values;
///
/// let mut ages = Values::Numbers(vec![Some(3.0), None, Some(7.0)]);
/// assert!(ages.is_known(0) && !ages.is_known(1));
/// assert_eq!(ages.select(&[2, 0]), Values::Numbers(vec![Some(7.0), Some(3.0)]));
/// ages.mask(&[false, true, true]);
/// assert!(!ages.is_known(0));
/// let mut classes = Values::Classes {
///     names: vec!["cat".into(), "cow".into(), "dog".into()],
///     index: vec![Some(2), None, Some(0)],
/// };
/// classes.drop_unused_names();
/// assert!(matches!(classes, Values::Classes { names, .. } if names == ["cat", "dog"]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// One of several names: classes, domains, groups, names of masks.
    Classes {
        /// Distinct names, in natural order.
        names: Vec<String>,
        /// Each sample's index into them.
        index: Vec<Option<u32>>,
    },
    /// A number per sample.
    Numbers(Vec<Option<f64>>),
    /// Any number of labels per sample.
    MultiLabel {
        /// Distinct names, in natural order.
        names: Vec<String>,
        /// Each sample's labels as ascending indices into them.
        sets: Vec<Option<Vec<u32>>>,
    },
}

/// A named column.
///
/// ```
/// use hspace_core::columns::{Column, Role, Values};
///
/// let age = Column {
///     name: "age".into(),
///     role: Role::Label,
///     values: Values::Numbers(vec![Some(61.0), Some(38.0), None]),
/// };
/// assert_eq!(age.select(&[1]).values, Values::Numbers(vec![Some(38.0)]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// `label` where the data give no name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The values.
    pub values: Values,
}

impl Values {
    /// Number of samples.
    pub fn len(&self) -> usize {
        match self {
            Values::Classes { index, .. } => index.len(),
            Values::Numbers(numbers) => numbers.len(),
            Values::MultiLabel { sets, .. } => sets.len(),
        }
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the value of sample `row` is known.
    pub fn is_known(&self, row: usize) -> bool {
        match self {
            Values::Classes { index, .. } => index[row].is_some(),
            Values::Numbers(numbers) => numbers[row].is_some(),
            Values::MultiLabel { sets, .. } => sets[row].is_some(),
        }
    }

    /// Makes the value of every sample unknown for which `keep` is false.
    pub fn mask(&mut self, keep: &[bool]) {
        fn clear<T>(values: &mut [Option<T>], keep: &[bool]) {
            for (value, _) in values.iter_mut().zip(keep).filter(|(_, keep)| !**keep) {
                *value = None;
            }
        }
        match self {
            Values::Classes { index, .. } => clear(index, keep),
            Values::Numbers(numbers) => clear(numbers, keep),
            Values::MultiLabel { sets, .. } => clear(sets, keep),
        }
    }

    /// Leaves out names that no sample has.
    pub fn drop_unused_names(&mut self) {
        let (names, places) = match self {
            Values::Numbers(_) => return,
            Values::Classes { names, index } => {
                let used = index.iter_mut().flatten().collect();
                (names, used)
            }
            Values::MultiLabel { names, sets } => {
                let used: Vec<&mut u32> = sets.iter_mut().flatten().flatten().collect();
                (names, used)
            }
        };
        let mut used = vec![false; names.len()];
        places
            .iter()
            .for_each(|place| used[**place as usize] = true);
        let mut next = 0;
        let new: Vec<u32> = used
            .iter()
            .map(|used| {
                next += u32::from(*used);
                next.saturating_sub(1)
            })
            .collect();
        for place in places {
            *place = new[*place as usize];
        }
        let mut used = used.into_iter();
        names.retain(|_| used.next().unwrap_or(false));
    }

    /// The values of `rows`, in that order.
    pub fn select(&self, rows: &[usize]) -> Values {
        fn pick<T: Clone>(values: &[T], rows: &[usize]) -> Vec<T> {
            rows.iter().map(|&row| values[row].clone()).collect()
        }
        match self {
            Values::Classes { names, index } => Values::Classes {
                names: names.clone(),
                index: pick(index, rows),
            },
            Values::Numbers(numbers) => Values::Numbers(pick(numbers, rows)),
            Values::MultiLabel { names, sets } => Values::MultiLabel {
                names: names.clone(),
                sets: pick(sets, rows),
            },
        }
    }
}

impl Column {
    /// The values of `rows`, in that order.
    pub fn select(&self, rows: &[usize]) -> Column {
        Column {
            values: self.values.select(rows),
            name: self.name.clone(),
            role: self.role,
        }
    }
}

/// The generating factors among `columns`: where one is marked as a factor, those and the labels,
/// since what data with known factors are labelled with is one of them; else none.
///
/// ```
/// # use hspace_core::dataset::{Dataset, OpenOptions};
/// use hspace_core::columns::factors;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let names: Vec<&str> = factors(&shapes.columns).iter().map(|c| c.name.as_str()).collect();
/// assert_eq!(names, ["shape", "colour", "x", "y", "size"]);
/// # Ok::<(), hspace_core::Error>(())
/// ```
pub fn factors(columns: &[Column]) -> Vec<&Column> {
    let known = columns.iter().any(|c| c.role == Role::Factor);
    let fits = |c: &&Column| known && matches!(c.role, Role::Factor | Role::Label);
    columns.iter().filter(fits).collect()
}

/// Place of the task among `columns` where none is named: the first label. Tables put one whose header says so before
/// those whose header says nothing.
///
/// ```
/// # use hspace_core::dataset::{Dataset, OpenOptions};
/// use hspace_core::columns::task;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let place = task(&shapes.columns).expect("a label");
/// assert_eq!(shapes.columns[place].name, "shape");
/// # Ok::<(), hspace_core::Error>(())
/// ```
pub fn task(columns: &[Column]) -> Option<usize> {
    columns.iter().position(|c| c.role == Role::Label)
}

/// The group of each sample, by the first column that says groups: `None` where no column does. A sample whose
/// group is unknown is a group of its own.
///
/// ```
/// use hspace_core::columns::{Column, Role, Values, groups};
///
/// let patient = Column {
///     name: "patient".into(),
///     role: Role::Group,
///     values: Values::Classes {
///         names: vec!["ann".into(), "bob".into()],
///         index: vec![Some(0), Some(1), Some(0), None],
///     },
/// };
/// // The last sample belongs to nobody else.
/// assert_eq!(groups(&[patient]), Some(vec![0, 1, 0, 2]));
/// ```
pub fn groups(columns: &[Column]) -> Option<Vec<u32>> {
    let column = columns.iter().find(|c| c.role == Role::Group)?;
    let Values::Classes { names, index } = &column.values else {
        return None;
    };
    let mut next = names.len() as u32;
    let own = |group: &Option<u32>| {
        group.unwrap_or_else(|| {
            next += 1;
            next - 1
        })
    };
    Some(index.iter().map(own).collect())
}

/// How a table was understood.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("data.csv");
/// use hspace_core::dataset::{Dataset, OpenOptions};
///
/// std::fs::write(&path, "id,width,nuisance:scanner,label\na,1.5,A,cat\nb,2.5,B,dog\n")?;
/// let reading = Dataset::open(&path.display().to_string(), &OpenOptions::default())?.reading;
/// let roles: Vec<&str> = reading.columns.iter().map(|c| c.role.as_str()).collect();
/// assert_eq!(roles, ["id", "feature", "nuisance", "label"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reading {
    /// One entry per column of the table, in its order.
    pub columns: Vec<ColumnReading>,
    /// What was guessed, ignored or changed, in words.
    pub notes: Vec<String>,
}

/// How one column was understood.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnReading {
    /// Its title in the file.
    pub title: String,
    /// `id`, `split`, `feature`, `ignored`, or the name of its [`Role`].
    pub role: String,
    /// The rule that says so.
    pub why: String,
    /// What its values are: numbers, whole numbers, text, …
    pub kind: String,
    /// Rows without a value.
    pub missing: usize,
    /// Number of distinct values; `None` where there are too many to count.
    pub distinct: Option<usize>,
}
