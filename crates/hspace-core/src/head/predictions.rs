//! Answers of a head for samples, as a table.

use super::{About, Head};
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::probe::TaskKind;

/// One sample's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The class, the labels that are more probable than not (`a|b`), or the number; `None` where the head abstains.
    pub answer: Option<String>,
    /// The probability of the answer: of the class, or of all labels as answered where they are independent. Of numbers none.
    pub confidence: Option<f64>,
    /// Probabilities of classes or labels; of numbers none.
    pub probabilities: Vec<f64>,
}

/// Answers of a head for samples.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::head::Predictions;
/// use hspace_core::matrix::Matrix;
/// use hspace_core::probe::{ProbeOptions, fit_head};
///
/// let (head, _) = fit_head(&blobs("runs/a", 0.2), &ProbeOptions::default())?;
/// let ids = ["new.png", "between.png"].map(String::from);
/// // The second sample lies between two classes: at least 80 % are asked for.
/// let features = Matrix::new(2, 2, vec![0.0, 0.0, 0.5, 0.0]);
/// let predictions = Predictions::of(&head, &ids, &features, Some(0.8))?;
/// assert_eq!(predictions.answers[0].answer.as_deref(), Some("cat"));
/// assert_eq!((predictions.abstained(), &predictions.answers[1].answer), (1, &None));
/// assert!(predictions.csv()?.starts_with("id,predicted,confidence,p:cat,p:cow,p:dog\nnew.png,cat,"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// What was asked.
    pub about: About,
    /// The samples.
    pub ids: Vec<String>,
    /// Their answers.
    pub answers: Vec<Prediction>,
}

impl Predictions {
    /// Of `features` `[m, d]` of the samples `ids`. Answers less probable than `least` are left open.
    ///
    /// # Errors
    /// As [`Head::answer`]; with `least`, of numbers, which have no probability.
    pub fn of(head: &Head, ids: &[String], features: &Matrix, least: Option<f64>) -> Result<Self> {
        let kind = head.about.kind;
        if kind == TaskKind::Numbers && least.is_some() {
            return Err(Error::config(format!(
                "`{}` is a number, which has no probability to abstain by; leave --min-confidence out",
                head.about.task
            )));
        }
        let values = head.answer(features)?;
        let outputs = head.outputs();
        let one = |values: &[f64]| match kind {
            TaskKind::Numbers | TaskKind::Masks => Prediction {
                answer: Some(values[0].to_string()),
                confidence: None,
                probabilities: Vec::new(),
            },
            TaskKind::Classes => head.class(values),
            TaskKind::LabelSets => head.labels(values),
        };
        let mut answers: Vec<Prediction> = values.chunks_exact(outputs).map(one).collect();
        for prediction in &mut answers {
            let unsure = |p: f64| least.is_some_and(|least| p < least);
            if prediction.confidence.is_some_and(unsure) {
                prediction.answer = None;
            }
        }
        Ok(Predictions {
            about: head.about.clone(),
            ids: ids.to_vec(),
            answers,
        })
    }

    /// How many are left open.
    pub fn abstained(&self) -> usize {
        self.answers.iter().filter(|p| p.answer.is_none()).count()
    }

    /// `id,predicted,confidence` and a column `p:NAME` for each class or label; empty where the head abstains.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub fn csv(&self) -> Result<String> {
        let failed = |e: csv::Error| Error::data(format!("predictions: {e}"));
        let mut out = csv::Writer::from_writer(Vec::new());
        let mut titles = vec!["id".to_owned(), "predicted".to_owned()];
        if self.about.kind != TaskKind::Numbers {
            titles.push("confidence".into());
            titles.extend(self.about.names.iter().map(|name| format!("p:{name}")));
        }
        out.write_record(&titles).map_err(failed)?;
        for (id, prediction) in self.ids.iter().zip(&self.answers) {
            let mut record = vec![id.clone(), prediction.answer.clone().unwrap_or_default()];
            let numbers = prediction
                .confidence
                .iter()
                .chain(&prediction.probabilities);
            record.extend(numbers.map(|p| format!("{p:.6}")));
            out.write_record(&record).map_err(failed)?;
        }
        let bytes = out
            .into_inner()
            .map_err(|e| Error::data(format!("predictions: {e}")))?;
        String::from_utf8(bytes).map_err(|e| Error::data(format!("predictions: {e}")))
    }
}

impl Head {
    fn class(&self, probabilities: &[f64]) -> Prediction {
        let place = match (self.about.threshold, probabilities) {
            (Some(threshold), [_, second]) => usize::from(*second >= threshold),
            // Of equally probable ones the first.
            _ => (0..probabilities.len())
                .rev()
                .max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]))
                .unwrap_or(0),
        };
        Prediction {
            answer: Some(self.about.names[place].clone()),
            confidence: Some(probabilities[place]),
            probabilities: probabilities.to_vec(),
        }
    }

    fn labels(&self, probabilities: &[f64]) -> Prediction {
        let pairs = self.about.names.iter().zip(probabilities);
        let has: Vec<&str> = pairs
            .filter(|(_, p)| **p >= 0.5)
            .map(|(name, _)| name.as_str())
            .collect();
        Prediction {
            // As in tables of labels: `|` says that there is none.
            answer: Some(if has.is_empty() {
                "|".into()
            } else {
                has.join("|")
            }),
            confidence: Some(probabilities.iter().map(|p| p.max(1.0 - p)).product()),
            probabilities: probabilities.to_vec(),
        }
    }
}
