//! What a study compares: its settings, and the combinations and baselines that follow from them.

use serde::{Deserialize, Serialize};

use super::Study;
use crate::config;
use crate::dataset::Split;
use crate::error::Result;
use crate::source::baseline_components;

/// What is compared, and for how long.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hspace::study::{Study, StudyPlan};
///
/// let plan = StudyPlan {
///     data: vec!["builtin:shapes".into()],
///     encoders: vec!["cnn:width=4".into()],
///     objectives: vec!["simclr".into(), "vicreg".into()],
///     seconds: 60.0,
///     seeds: 3,
///     samples: 1000,
///     sources: vec!["pca:5".into()],
///     set: vec!["train.batch_size=16".into()],
///     device: "cpu".into(),
/// };
/// assert!(Study::open(folder.path(), plan.clone()).is_ok());
/// // A folder has one study.
/// assert!(Study::open(folder.path(), StudyPlan { seeds: 5, ..plan }).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyPlan {
    /// Datasets, as `--data` takes them.
    pub data: Vec<String>,
    /// Encoders: a name, and settings after colons, such as `resnet18:width=16`.
    pub encoders: Vec<String>,
    /// Objectives.
    pub objectives: Vec<String>,
    /// Seconds of training for each.
    pub seconds: f64,
    /// Seeds 0, 1, … of each.
    pub seeds: u64,
    /// Training samples that probes learn from, at most.
    pub samples: usize,
    /// Sources of `hspace probe` that are measured besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Settings for all, as `--set` takes them.
    pub set: Vec<String>,
    /// Where to compute.
    pub device: String,
}

/// One combination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Cell {
    pub(super) data: String,
    pub(super) encoder: String,
    pub(super) objective: String,
}

impl Cell {
    pub(super) fn key(&self) -> String {
        let Cell {
            data,
            encoder,
            objective,
        } = self;
        [data, encoder, objective].map(|name| plain(name)).join(".")
    }
}

/// What a name leaves in the name of a file.
pub(super) fn plain(name: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || "-=_".contains(c);
    let text: String = name
        .chars()
        .map(|c| if keep(c) { c } else { '-' })
        .collect();
    text.trim_matches('-').to_owned()
}

/// The name in `name:key=value`.
pub(super) fn name(text: &str) -> Result<String> {
    let section = config::section(text)?;
    Ok(section["name"].as_str().unwrap_or_default().to_owned())
}

impl Study {
    /// Every combination, in the order of the plan.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let StudyPlan {
            data,
            encoders,
            objectives,
            ..
        } = &self.plan;
        let mut cells = Vec::new();
        for data in data {
            for encoder in encoders {
                cells.extend(objectives.iter().map(|objective| Cell {
                    data: data.clone(),
                    encoder: encoder.clone(),
                    objective: objective.clone(),
                }));
            }
        }
        cells
    }

    /// Which baselines of which dataset.
    pub(super) fn baselines(&self) -> Vec<(usize, String)> {
        let untrained = self.plan.encoders.iter().map(|e| format!("random:{e}"));
        let untrained: Vec<String> = untrained.collect();
        let of = |data: usize| {
            let mut names = self.closed_forms(data);
            for name in untrained.iter().chain(&self.plan.sources) {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
            names.into_iter().map(move |name| (data, name))
        };
        (0..self.plan.data.len()).flat_map(of).collect()
    }

    /// Sources of a dataset that need no encoder.
    pub(super) fn closed_forms(&self, data: usize) -> Vec<String> {
        let dataset = &self.datasets[data];
        let train = dataset.indices(Split::Train).len().min(self.plan.samples);
        let pca = baseline_components(dataset.shape, train).map(|dims| format!("pca:{dims}"));
        std::iter::once("pixels".to_owned()).chain(pca).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_files() {
        assert_eq!(plain("../shared/data/fashion/"), "shared-data-fashion");
    }
}
