//! What a command adds to the measurements that `probe` makes.

use std::collections::BTreeMap;
use std::path::Path;

use hspace::Result;
use hspace::dataset::Dataset;
use hspace::probe::Measurements;
use hspace::report::HeadResult;
use hspace::representation::Representation;
use serde::Serialize;
use serde_json::Value;

use super::saved_masks::SaveMasks;
use crate::commands::write_json;

/// A command that measures as `probe` does and says more about it.
pub trait Addition {
    /// Refuses data and a task that it is not for, before anything is measured; `label` is the task if one is named.
    fn check(&self, dataset: &Dataset, label: Option<&str>) -> Result<()>;

    /// Where the masks that a source answers with are to be kept, if they are.
    fn masks(&self) -> Option<SaveMasks<'_>> {
        None
    }

    /// What it adds once all is measured.
    fn add(&mut self, found: &Measurements, made: &[Representation]) -> Result<Added>;
}

/// What is added to tables, JSON and page.
#[derive(Default)]
pub struct Added {
    /// A head that was kept, for the page.
    pub head: Option<HeadResult>,
    /// In place of the headline about label savings, on the page and below the tables.
    pub headline: Option<String>,
    /// Printed below that.
    pub text: String,
    /// By name, besides the measurements.
    pub json: BTreeMap<&'static str, Value>,
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    found: &'a Measurements,
    #[serde(flatten)]
    added: &'a BTreeMap<&'static str, Value>,
}

impl Added {
    /// Writes the measurements with what is added.
    pub(super) fn write(&self, path: &Path, found: &Measurements) -> Result<()> {
        let added = &self.json;
        match added.is_empty() {
            true => write_json(path, found),
            false => write_json(path, &Whole { found, added }),
        }
    }
}
