//! Sources in the order of their scores, compared with the order of the linear probe.

use serde::{Deserialize, Serialize};

use super::spectrum::check_width;
use super::{SCORES, Score, SourceProbabilities};
use crate::dataset::{Split, Values};
use crate::error::{Error, Result};
use crate::probe::{Contender, Estimate, Labels, ProbeOptions, Transform, measure, task_column};
use crate::representation::Representation;
use crate::stats::kendall;

/// The head of a source over the classes that it learned.
#[derive(Clone, Debug)]
pub struct SourceHead {
    /// Names of its classes.
    pub classes: Vec<String>,
    /// Its probabilities for all rows of the representation, `[n, classes]`.
    pub probabilities: Vec<f64>,
}

/// A source with its scores and what the linear probe makes of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankedSource {
    /// Name of the representation.
    pub source: String,
    /// Number of features.
    pub dim: usize,
    /// Scores by name, in the order of [`SCORES`]; `None` where the source has no head over other classes.
    pub scores: Vec<(String, Option<f64>)>,
    /// Test accuracy of the linear probe with all training labels.
    pub accuracy: Estimate,
}

/// Whether a score orders the sources as the linear probe does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreAgreement {
    /// Name of the score.
    pub score: String,
    /// Kendall's τ_b of score and accuracy; `None` of fewer than two sources, or where either is the same for all.
    pub tau: Option<f64>,
    /// Number of sources that have the score.
    pub sources: usize,
}

/// Everything that [`rank`] found. Written as JSON.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::ProbeOptions;
/// use hspace_core::transferability::{SourceHead, rank};
///
/// // A head over other classes, which knows every third sample from the others.
/// let probabilities = (0..160).flat_map(|i| if i % 3 == 0 { [0.9, 0.1] } else { [0.1, 0.9] });
/// let head = SourceHead { classes: vec!["pet".into(), "farm".into()], probabilities: probabilities.collect() };
/// let found = rank(&[blobs("runs/a", 0.3)], &[Some(head)], &ProbeOptions::default(), "animals", &mut |_| ())?;
/// assert!(found.sources[0].scores.iter().all(|(_, value)| value.is_some()));
/// assert_eq!((found.classes, found.train, found.test), (3, 120, 40));
/// assert!(found.table().contains("runs/a"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// As given to `--data`.
    pub data: String,
    /// The column that is the task.
    pub task: String,
    /// Number of classes.
    pub classes: usize,
    /// Number of training samples with a label: all that the scores see.
    pub train: usize,
    /// Number of test samples with a label, for the accuracy.
    pub test: usize,
    /// The sources, the largest LogME first.
    pub sources: Vec<RankedSource>,
    /// Scores compared with the accuracy.
    pub agreement: Vec<ScoreAgreement>,
}

/// Scores each of `made` by the labels of training rows, and measures the linear probe on all of them. `heads` are those of the
/// sources, in the same order. Of `options` task, scaling, seed and the linear probe's settings count. `progress` is called with what
/// is being done.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::ProbeOptions;
/// use hspace_core::transferability::rank;
///
/// let sources = [blobs("runs/noisy", 1.5), blobs("runs/clear", 0.3)];
/// let found = rank(&sources, &[None, None], &ProbeOptions::default(), "animals", &mut |_| ())?;
/// assert_eq!(found.sources[0].source, "runs/clear");
/// // LogME orders them as the linear probe does.
/// assert_eq!(found.agreement[0].tau, Some(1.0));
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When the task is none of classes, a split has no labels, the representations are not of the same samples, or hold NaN.
pub fn rank(
    made: &[Representation],
    heads: &[Option<SourceHead>],
    options: &ProbeOptions,
    data: &str,
    progress: &mut dyn FnMut(&str),
) -> Result<Ranking> {
    let options = ProbeOptions {
        probes: vec!["linear".into()],
        labels: vec![Labels::All],
        folds: 1,
        ..options.clone()
    };
    let first = made
        .first()
        .ok_or_else(|| Error::config("there is nothing to rank; name at least two sources"))?;
    let column = task_column(first, &options.task)?;
    let Values::Classes { names, index } = &column.values else {
        return Err(Error::config(format!(
            "scores are for classes, and `{}` has none; name another column with --label",
            column.name
        )));
    };
    let rows: Vec<usize> = (0..first.split.len())
        .filter(|&i| first.split[i] == Split::Train && index[i].is_some())
        .collect();
    let labels: Vec<u32> = rows.iter().filter_map(|&i| index[i]).collect();
    let classes = names.len();
    // Said before anything is measured.
    for r in made {
        check_width(rows.len(), r.features.cols).map_err(|e| named(&r.name, e))?;
    }
    let contenders = made.iter().cloned().map(Contender::Fixed).collect();
    let measured = measure(contenders, &options, data, progress)?;
    let mut sources = Vec::new();
    for (place, r) in made.iter().enumerate() {
        let train = (0..r.split.len()).filter(|&i| r.split[i] == Split::Train);
        let transform = Transform::fit(&r.features, train, options.scaling, false);
        let mut features = r.features.select(&rows);
        transform.apply(&mut features);
        let head = heads.get(place).and_then(Option::as_ref);
        let head = head.filter(|head| head.classes != *names);
        if let Some(head) = head
            && head.probabilities.len() != r.features.rows * head.classes.len()
        {
            return Err(Error::data(format!(
                "{}: {} probabilities of its head are not {} for each of {} samples",
                r.name,
                head.probabilities.len(),
                head.classes.len(),
                r.features.rows
            )));
        }
        let mut scores = Vec::new();
        for entry in SCORES {
            progress(&format!("{}: {}", r.name, entry.name));
            let value = match (&entry.item, head) {
                (Score::Features(of), _) => {
                    Some(of(&features, &labels, classes).map_err(|e| named(&r.name, e))?)
                }
                (Score::Probabilities(_), None) => None,
                (Score::Probabilities(of), Some(head)) => {
                    let z = head.classes.len();
                    let row = |&i: &usize| head.probabilities[i * z..(i + 1) * z].iter().copied();
                    let values: Vec<f64> = rows.iter().flat_map(row).collect();
                    let probabilities = SourceProbabilities {
                        values: &values,
                        classes: z,
                    };
                    Some(of(&probabilities, &labels, classes).map_err(|e| named(&r.name, e))?)
                }
            };
            scores.push((entry.name.to_owned(), value));
        }
        let row = measured
            .rows
            .iter()
            .find(|row| row.representation == r.name);
        let (_, accuracy) = row
            .and_then(|row| row.main_score())
            .ok_or_else(|| Error::data(format!("{}: the accuracy is not known", r.name)))?;
        sources.push(RankedSource {
            source: r.name.clone(),
            dim: r.features.cols,
            scores,
            accuracy: *accuracy,
        });
    }
    sources.sort_by(|a, b| {
        b.scores[0]
            .1
            .unwrap_or(f64::NAN)
            .total_cmp(&a.scores[0].1.unwrap_or(f64::NAN))
    });
    let agreement = (0..SCORES.len()).map(|s| agreement(&sources, s)).collect();
    Ok(Ranking {
        data: data.to_owned(),
        task: column.name.clone(),
        classes,
        train: rows.len(),
        test: measured.test,
        sources,
        agreement,
    })
}

/// The error with the name of the source.
fn named(source: &str, error: Error) -> Error {
    Error::data(format!("{source}: {error}"))
}

fn agreement(sources: &[RankedSource], score: usize) -> ScoreAgreement {
    let pairs = sources
        .iter()
        .filter_map(|source| Some((source.scores[score].1?, source.accuracy.mean)));
    let (own, accuracy): (Vec<f64>, Vec<f64>) = pairs.unzip();
    ScoreAgreement {
        score: SCORES[score].name.to_owned(),
        tau: kendall(&own, &accuracy),
        sources: own.len(),
    }
}
