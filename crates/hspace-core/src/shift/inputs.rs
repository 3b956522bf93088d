//! How the samples of two domains differ before anything is learned: size, channels, range, polarity and colour of images, scale of features, classes.
//!
//! A data set that is scaled otherwise, or inverted, looks like a hard case of adaptation and is none.

mod classes;
mod images;
mod vectors;

use serde::{Deserialize, Serialize};

use super::Domains;
use crate::dataset::check::feature_names;
use crate::dataset::{Column, Dataset, Shape, Split, Values};
use crate::error::Result;
use crate::matrix::spaced;

pub(super) use classes::CLASS_MIX;
use classes::shares;
use images::Images;
use vectors::Vectors;

/// Training samples of each domain that are looked at.
const SAMPLES: usize = 300;

/// Two domains, and how their samples differ.
///
/// ```
/// use hspace_core::shift::InputDifference;
///
/// let found = InputDifference { a: "old".into(), b: "new".into(), findings: vec![], class_mix: None };
/// assert_eq!(found.text(), "inputs of old and new: no difference seen\n");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputDifference {
    /// The one domain.
    pub a: String,
    /// The other.
    pub b: String,
    /// What differs, a sentence each; empty where nothing was seen.
    pub findings: Vec<String>,
    /// Total variation between the shares of the classes, in 0..=1; `None` without classes.
    pub class_mix: Option<f64>,
}

impl InputDifference {
    /// A line for each finding, below one that names the domains.
    pub fn text(&self) -> String {
        let (a, b) = (&self.a, &self.b);
        match self.findings.is_empty() {
            true => format!("inputs of {a} and {b}: no difference seen\n"),
            false => format!("inputs of {a} and {b}\n  {}\n", self.findings.join("\n  ")),
        }
    }
}

/// Compares the training samples of all pairs of domains that the column `domain` names, at most 300 of each, and the shares of the classes of
/// `task`. Samples that cannot be read are left out.
///
/// ```
/// use hspace_core::dataset::{Dataset, OpenOptions};
/// use hspace_core::shift::compare_inputs;
///
/// // The same images twice.
/// let shapes = || Dataset::open("builtin:shapes", &OpenOptions::default());
/// let both = Dataset::of_domains(vec![("a".into(), shapes()?), ("b".into(), shapes()?)])?;
/// let found = compare_inputs(&both, "domain", both.task())?;
/// assert!(found[0].findings.is_empty() && found[0].class_mix == Some(0.0));
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When there is no such column of at least two domains.
pub fn compare_inputs(
    dataset: &Dataset,
    domain: &str,
    task: Option<&Column>,
) -> Result<Vec<InputDifference>> {
    let domains = Domains::of(&dataset.columns, domain)?;
    let mut all = Vec::new();
    for domain in 0..domains.names.len() {
        let own = domains.rows(&[domain]);
        let is_own = |&row: &usize| own[row] && dataset.split[row] == Split::Train;
        let own: Vec<usize> = (0..dataset.len()).filter(is_own).collect();
        let seen: Vec<usize> = spaced(own.len(), SAMPLES)
            .into_iter()
            .map(|i| own[i])
            .collect();
        let classes = task.and_then(|task| shares(task, &own));
        let values = match dataset.shape {
            Shape::Image { .. } => Inputs::Images(Images::of(dataset, &seen)),
            Shape::Vector { dim } => Inputs::Vectors(Vectors::of(dataset, &seen, dim)),
        };
        all.push((values, classes, own.len()));
    }
    let names = match task.map(|task| &task.values) {
        Some(Values::Classes { names, .. }) => &names[..],
        _ => &[],
    };
    let mut found = Vec::new();
    for a in 0..all.len() {
        for b in a + 1..all.len() {
            let ((of_a, mix_a, count_a), (of_b, mix_b, count_b)) = (&all[a], &all[b]);
            if count_a.min(count_b) == &0 {
                continue;
            }
            let pair = [&domains.names[a][..], &domains.names[b]];
            let mut findings = match (of_a, of_b) {
                (Inputs::Images(x), Inputs::Images(y)) => images::differences(pair, x, y),
                (Inputs::Vectors(x), Inputs::Vectors(y)) => {
                    vectors::differences(pair, x, y, &feature_names(dataset))
                }
                _ => Vec::new(),
            };
            let mut class_mix = None;
            if let (Some(x), Some(y)) = (mix_a, mix_b) {
                let apart: f64 = x.iter().zip(y).map(|(p, q)| (p - q).abs()).sum();
                class_mix = Some(0.5 * apart);
                findings.extend(classes::differences(pair, names, x, y));
            }
            found.push(InputDifference {
                a: pair[0].to_owned(),
                b: pair[1].to_owned(),
                findings,
                class_mix,
            });
        }
    }
    Ok(found)
}

enum Inputs {
    Images(Images),
    Vectors(Vectors),
}
