//! Test images corrupted in every way, next to the images as they are.

use serde::{Deserialize, Serialize};

use crate::corruptions::{Corruption, corrupt};
use crate::dataset::{Column, Dataset, Mask, Role, Sample, Samples, Split, Values};
use crate::error::{Error, Result};

/// Name of the column that says how a sample is corrupted.
pub const CONDITION: &str = "corruption";

/// A corruption at a severity.
///
/// ```
/// use hspace_core::robustness::Condition;
///
/// assert_eq!(Condition { corruption: "fog".into(), severity: 2 }.name(), "fog 2");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Name of the corruption.
    pub corruption: String,
    /// In 1..=5.
    pub severity: usize,
}

impl Condition {
    /// As in the column [`CONDITION`].
    pub fn name(&self) -> String {
        format!("{} {}", self.corruption, self.severity)
    }
}

struct Corrupted {
    clean: Box<dyn Samples>,
    /// Number of clean samples.
    count: usize,
    /// Rows of those that are corrupted.
    rows: Vec<usize>,
    conditions: Vec<(&'static Corruption, usize)>,
    seed: u64,
}

impl Corrupted {
    /// The clean row behind `index`, and how it is corrupted.
    fn origin(&self, index: usize) -> (usize, Option<(&'static Corruption, usize)>) {
        match index.checked_sub(self.count) {
            None => (index, None),
            Some(place) => {
                let condition = self.conditions[place / self.rows.len()];
                (self.rows[place % self.rows.len()], Some(condition))
            }
        }
    }
}

impl Samples for Corrupted {
    fn get(&self, index: usize) -> Result<Sample<'_>> {
        let (row, condition) = self.origin(index);
        let sample = self.clean.get(row)?;
        match (sample, condition) {
            (Sample::Image(image), Some((corruption, severity))) => {
                // Each sample has random numbers of its own, the same at every severity.
                let seed = self.seed.wrapping_add(row as u64);
                Ok(Sample::Image(corrupt(&image, corruption, severity, seed)?))
            }
            (sample, _) => Ok(sample),
        }
    }

    fn mask(&self, index: usize, column: &str) -> Result<Mask> {
        self.clean.mask(self.origin(index).0, column)
    }
}

/// `dataset`, followed by its test samples `rows` in each of `conditions`, as test samples; the test samples that are not among `rows` are left
/// without a label. A column `corruption` says how each is corrupted, the first of its classes being `clean`.
///
/// ```
/// use hspace_core::corruptions::SUITES;
/// use hspace_core::dataset::{Dataset, OpenOptions, Split};
/// use hspace_core::robustness::corrupted;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let (count, rows) = (shapes.len(), shapes.indices(Split::Test)[..10].to_vec());
/// let fog = SUITES[0].corruption("fog")?;
/// let both = corrupted(shapes, &rows, &[(fog, 1), (fog, 5)], 0)?;
/// assert_eq!(both.len(), count + 20);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When the samples are no images, there is nothing to corrupt, or there is a column of that name already.
pub fn corrupted(
    dataset: Dataset,
    rows: &[usize],
    conditions: &[(&'static Corruption, usize)],
    seed: u64,
) -> Result<Dataset> {
    if !matches!(dataset.shape, crate::dataset::Shape::Image { .. }) {
        return Err(Error::config(
            "corruptions are of images, and these samples are vectors",
        ));
    }
    if rows.is_empty() || conditions.is_empty() {
        return Err(Error::data(
            "there is no test sample to corrupt; the data need a test split (--holdout)",
        ));
    }
    if dataset.columns.iter().any(|c| c.name == CONDITION) {
        return Err(Error::config(format!(
            "{} has a column `{CONDITION}` already; rename it",
            dataset.name
        )));
    }
    let count = dataset.len();
    let names: Vec<String> = conditions
        .iter()
        .map(|(corruption, severity)| {
            Condition {
                corruption: corruption.name.to_owned(),
                severity: *severity,
            }
            .name()
        })
        .collect();
    let copies = conditions.iter().flat_map(|_| rows.iter().copied());
    let all: Vec<usize> = (0..count).chain(copies).collect();
    let mut keep: Vec<bool> = dataset.split.iter().map(|s| *s != Split::Test).collect();
    rows.iter().for_each(|&row| keep[row] = true);
    keep.resize(all.len(), true);
    let mut columns: Vec<Column> = dataset.columns.iter().map(|c| c.select(&all)).collect();
    for column in &mut columns {
        if column.role != Role::Group {
            column.values.mask(&keep);
        }
    }
    let condition = (0..all.len()).map(|i| match i.checked_sub(count) {
        None => Some(0),
        Some(place) => Some((1 + place / rows.len()) as u32),
    });
    columns.push(Column {
        name: CONDITION.into(),
        role: Role::Domain,
        values: Values::Classes {
            names: std::iter::once("clean".to_owned())
                .chain(names.iter().cloned())
                .collect(),
            index: condition.collect(),
        },
    });
    let mut ids = dataset.ids.clone();
    for name in &names {
        ids.extend(
            rows.iter()
                .map(|&row| format!("{name}/{}", dataset.ids[row])),
        );
    }
    let mut split = dataset.split.clone();
    split.resize(all.len(), Split::Test);
    Ok(Dataset {
        ids,
        columns,
        split,
        samples: Box::new(Corrupted {
            clean: dataset.samples,
            count,
            rows: rows.to_vec(),
            conditions: conditions.to_vec(),
            seed,
        }),
        ..dataset
    })
}
