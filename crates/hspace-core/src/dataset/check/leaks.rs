//! What would make scores on held-out samples come out too high: all of it, for data and for features.

use std::borrow::Cow;

use serde::Serialize;

use super::features::{self, FeatureFindings};
use super::groups::{self, SharedGroups};
use super::near::{self, NearIdentical};
use super::near_vectors;
use super::thumbnail::Thumbnail;
use crate::dataset::{Column, Dataset, Role, Sample, Shape, Split};
use crate::matrix::Matrix;
use crate::representation::Representation;

/// What was found.
///
/// ```
/// use hspace_core::dataset::check::Leaks;
/// use hspace_core::dataset::{Column, Role, Split, Values};
///
/// let patient = Column {
///     name: "patient".into(),
///     role: Role::Group,
///     values: Values::Classes { names: vec!["ann".into()], index: vec![Some(0), Some(0)] },
/// };
/// let leaks = Leaks::of_groups(&[patient], &[Split::Train, Split::Test]);
/// assert_eq!((leaks.groups[0].groups, leaks.groups[0].samples), (1, 1));
/// assert!(leaks.warnings()[0].contains("ann"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Leaks {
    /// Groups with samples in two splits.
    pub groups: Vec<SharedGroups>,
    /// Samples that are near-identical in two splits.
    pub near_identical: Vec<NearIdentical>,
    /// Single features; `None` for images.
    pub features: Option<FeatureFindings>,
}

impl Leaks {
    /// In words.
    pub fn warnings(&self) -> Vec<String> {
        let groups = self.groups.iter().map(SharedGroups::warning);
        let near = self.near_identical.iter().map(NearIdentical::warning);
        let features = self.features.iter().flat_map(FeatureFindings::warnings);
        groups.chain(near).chain(features).collect()
    }

    /// Groups in two splits alone.
    pub fn of_groups(columns: &[Column], split: &[Split]) -> Leaks {
        Leaks {
            groups: groups::shared(columns, split),
            ..Leaks::default()
        }
    }

    /// Near-identical vectors and single features of features as a file holds them. `names` of the features may be empty.
    ///
    /// Not for learned features: those of an encoder may well say the task, and are equal where it sees no difference.
    ///
    /// ```
    /// # use hspace_core::dataset::{Column, Role, Split, Values};
    /// # use hspace_core::{matrix::Matrix, representation::Representation};
    /// # let n = 200;
    /// # let class = |i: usize| (i * 7 % 11 % 2) as u32;
    /// # let noise = |i: usize, j: usize| ((i * 7919 + j * 104_729) % 1009) as f32;
    /// # let features = Representation {
    /// #     name: "data.csv".into(),
    /// #     features: Matrix::new(n, 3, (0..n).flat_map(|i| [noise(i, 1), noise(i, 2), class(i) as f32]).collect()),
    /// #     ids: (0..n).map(|i| i.to_string()).collect(),
    /// #     columns: vec![Column {
    /// #         name: "label".into(),
    /// #         role: Role::Label,
    /// #         values: Values::Classes {
    /// #             names: vec!["ill".into(), "well".into()],
    /// #             index: (0..n).map(|i| Some(class(i))).collect(),
    /// #         },
    /// #     }],
    /// #     split: (0..n).map(|i| if i % 4 == 0 { Split::Test } else { Split::Train }).collect(),
    /// #     origin: String::new(),
    /// #     shift: vec![],
    /// # };
    /// use hspace_core::dataset::check::Leaks;
    ///
    /// let names = ["weight", "height", "diagnosis_code"].map(String::from);
    /// let leaks = Leaks::of_features(&features, &names);
    /// let telling = &leaks.features.as_ref().expect("features").telling;
    /// assert!(telling[0].feature.contains("diagnosis_code") && telling.len() == 1);
    /// ```
    pub fn of_features(features: &Representation, names: &[String]) -> Leaks {
        let get = |row: usize| Some(Cow::Borrowed(features.features.row(row)));
        let rows: Vec<usize> = (0..features.features.rows).collect();
        let part = features.select(&features::chosen(rows.len(), features.features.cols));
        Leaks {
            groups: Vec::new(),
            near_identical: near_vectors::vectors(
                &get,
                &part.features,
                &features.split,
                &features.ids,
            ),
            features: Some(features::inspect(
                &part.features,
                &part.columns,
                &part.split,
                &|j| name(names, j),
            )),
        }
    }

    /// Leaks in data that were scanned. `readable` says which samples can be read.
    pub(super) fn of_dataset(
        dataset: &Dataset,
        thumbnails: &[Thumbnail],
        readable: &[bool],
        repeated: &(dyn Fn(usize, Split) -> bool + Sync),
    ) -> Leaks {
        let groups = groups::shared(&dataset.columns, &dataset.split);
        // Data with known factors are drawn on a lattice: there, neighbours differ by little on purpose.
        let drawn = dataset.columns.iter().any(|c| c.role == Role::Factor);
        let Shape::Vector { dim } = dataset.shape else {
            let near = || near::images(thumbnails, &dataset.split, &dataset.ids, repeated);
            return Leaks {
                groups,
                near_identical: if drawn { Vec::new() } else { near() },
                features: None,
            };
        };
        let rows: Vec<usize> = (0..dataset.len()).filter(|&row| readable[row]).collect();
        let get = |row: usize| match dataset.samples.get(row) {
            Ok(Sample::Vector(values)) => Some(values),
            _ => None,
        };
        let chosen: Vec<usize> = features::chosen(rows.len(), dim)
            .into_iter()
            .map(|i| rows[i])
            .collect();
        let mut data = Vec::with_capacity(chosen.len() * dim);
        let used: Vec<usize> = chosen
            .into_iter()
            .filter(|&row| {
                get(row)
                    .inspect(|values| data.extend_from_slice(values))
                    .is_some()
            })
            .collect();
        let part = Matrix::new(used.len(), dim, data);
        let columns: Vec<_> = dataset.columns.iter().map(|c| c.select(&used)).collect();
        let split: Vec<Split> = used.iter().map(|&row| dataset.split[row]).collect();
        let names = feature_names(dataset);
        let near = || near_vectors::vectors(&get, &part, &dataset.split, &dataset.ids);
        Leaks {
            groups,
            near_identical: if drawn { Vec::new() } else { near() },
            features: Some(features::inspect(&part, &columns, &split, &|j| {
                name(&names, j)
            })),
        }
    }
}

/// What the features of a table are called; empty where that is not known.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("data.csv");
/// use hspace_core::dataset::check::feature_names;
/// use hspace_core::dataset::{Dataset, OpenOptions};
///
/// std::fs::write(&path, "id,width,height\na,1,2\nb,3,5\n")?;
/// let dataset = Dataset::open(&path.display().to_string(), &OpenOptions::default())?;
/// assert_eq!(feature_names(&dataset), ["width", "height"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn feature_names(dataset: &Dataset) -> Vec<String> {
    let features = dataset
        .reading
        .columns
        .iter()
        .filter(|c| c.role == "feature");
    let names: Vec<String> = features.map(|c| c.title.trim().to_owned()).collect();
    match dataset.shape {
        Shape::Vector { dim } if dim == names.len() => names,
        _ => Vec::new(),
    }
}

/// A feature by its title, or by its number from 0.
fn name(names: &[String], feature: usize) -> String {
    names
        .get(feature)
        .map_or_else(|| feature.to_string(), |name| format!("`{name}`"))
}
