//! Heads: what turns features into an answer.
//!
//! A head scales its features, `x' = (x − shift) · factor`, and answers by what a probe learned of them ([`Map`]): a linear map
//! `z = x' W + b` with what follows from the kind of task (softmax for classes, a sigmoid for each of several labels, nothing for numbers),
//! or the votes of the nearest labelled rows. Probes give one ([`crate::probe::fit_head`]), and so does a supervised run.
//!
//! Probabilities of a linear map are calibrated by one temperature T, `z / T` (Guo, Pleiss, Sun & Weinberger 2017, "On calibration of modern
//! neural networks", arXiv:1706.04599); votes are shares of labelled rows and stay as they are. Of two classes the second is answered from a
//! threshold on. Both are chosen on labels that the map was not fitted to.

mod calibration;
mod predictions;
mod temperature;
mod threshold;

pub use calibration::{Calibration, HeldOut};
pub use predictions::{Prediction, Predictions};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::probe::knn::LabelledRows;
use crate::probe::{CEILING, Estimate, TaskKind};

pub(crate) use threshold::threshold;

/// A head and what is known of it.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::matrix::Matrix;
/// use hspace_core::probe::{ProbeOptions, fit_head};
///
/// let (head, _) = fit_head(&blobs("runs/a", 0.2), &ProbeOptions::default())?;
/// assert_eq!((head.features(), head.outputs()), (2, 3));
/// assert_eq!(head.about.names, ["cat", "cow", "dog"]);
/// // Two new samples: probabilities of the three classes of each.
/// let answer = head.answer(&Matrix::new(2, 2, vec![0.0, 0.0, 0.5, 0.9]))?;
/// assert!(answer[0] > 0.8 && answer[5] > 0.8);
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// What answers for scaled features.
    pub map: Map,
    /// What was taken off the features before it was fitted ([`crate::representation::Representation::shift`]), `[d]`; empty for nothing.
    pub offset: Vec<f64>,
    /// Subtracted from features, `[d]`.
    pub shift: Vec<f64>,
    /// What they are multiplied by then, `[d]`.
    pub factor: Vec<f64>,
    /// What is known of it.
    pub about: About,
}

/// What answers for scaled features.
#[derive(Clone, Debug, PartialEq)]
pub enum Map {
    /// Logits or numbers.
    Linear {
        /// `[d, outputs]`
        weights: Matrix,
        /// `[outputs]`; −∞ for a class that no training sample had.
        bias: Vec<f64>,
    },
    /// The votes of the nearest labelled rows.
    Neighbours(LabelledRows),
}

/// What is known of a head.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{ProbeOptions, fit_head};
///
/// let (head, _) = fit_head(&blobs("runs/a", 0.6), &ProbeOptions::default())?;
/// assert_eq!((head.about.task.as_str(), head.about.samples), ("kind", 120));
/// let text = head.about.calibration_text().expect("answers are classes");
/// assert!(text.starts_with("temperature") && text.contains("held-out folds"));
/// // Numbers have no temperature.
/// let options = ProbeOptions { task: "width".into(), ..ProbeOptions::default() };
/// let (head, _) = fit_head(&blobs("runs/a", 0.6), &options)?;
/// assert_eq!(head.about.calibration_text(), None);
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The column that it answers.
    pub task: String,
    /// What the answers are.
    pub kind: TaskKind,
    /// Names of the classes or labels; of numbers none.
    pub names: Vec<String>,
    /// The source of its features, and the hash of where they came from.
    pub source: (String, String),
    /// What it is: a probe with its settings, or the run's own.
    pub made: String,
    /// Samples that it was fitted to.
    pub samples: usize,
    /// Logits are divided by it; 1 of neighbours.
    pub temperature: f64,
    /// Whether it was chosen, and by what; `None` of numbers, and of heads that earlier versions made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Of two classes the second is answered where its probability is at least this.
    pub threshold: Option<f64>,
    /// What it scored on test samples, if any were labelled.
    pub scores: Vec<(String, Estimate)>,
}

impl Head {
    /// Number of features that it takes.
    pub fn features(&self) -> usize {
        self.shift.len()
    }

    /// Number of classes or labels; 1 of numbers.
    pub fn outputs(&self) -> usize {
        self.about.names.len().max(1)
    }

    /// Numbers `[m]`, or probabilities of classes or labels `[m, names]`, for `features` `[m, d]` less `offset`.
    ///
    /// # Errors
    /// When the features are of another number than those it was fitted to.
    pub fn answer(&self, features: &Matrix) -> Result<Vec<f64>> {
        if features.cols != self.features() {
            return Err(Error::data(format!(
                "the head takes {} features, and these are {}; give the source that it was fitted on, {}",
                self.features(),
                features.cols,
                self.about.source.0
            )));
        }
        let mut scaled = features.clone();
        for row in scaled.data.chunks_exact_mut(features.cols.max(1)) {
            for ((x, shift), factor) in row.iter_mut().zip(&self.shift).zip(&self.factor) {
                let value = (f64::from(*x) - shift) * factor;
                *x = value.clamp(-CEILING, CEILING) as f32;
            }
        }
        Ok(match &self.map {
            Map::Linear { weights, bias } => self.probabilities(&scaled.times(weights), bias),
            Map::Neighbours(rows) => rows.answer(&scaled, self.outputs(), self.about.kind),
        })
    }

    /// Of logits without their bias, `[m, outputs]`.
    fn probabilities(&self, logits: &Matrix, bias: &[f64]) -> Vec<f64> {
        let rows = logits.data.chunks_exact(bias.len().max(1));
        let mut z: Vec<f64> = rows
            .flat_map(|row| row.iter().zip(bias).map(|(&z, b)| f64::from(z) + b))
            .collect();
        match self.about.kind {
            TaskKind::Numbers | TaskKind::Masks => {}
            TaskKind::LabelSets => {
                for z in &mut z {
                    *z = 1.0 / (1.0 + (-*z / self.about.temperature).exp());
                }
            }
            TaskKind::Classes => {
                for row in z.chunks_exact_mut(bias.len()) {
                    softmax(row, self.about.temperature);
                }
            }
        }
        z
    }
}

/// Logits into probabilities.
fn softmax(row: &mut [f64], temperature: f64) {
    let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for z in row.iter_mut() {
        *z = ((*z - top) / temperature).exp();
        sum += *z;
    }
    row.iter_mut().for_each(|p| *p /= sum);
}

#[cfg(test)]
mod tests;
