//! How accuracy falls as test images are corrupted: what was learned from clean images, tested on noise, blur, other contrast, at five severities.
//!
//! A source learns from the labels of the clean training samples, and answers for test samples as they are and with each corruption at each
//! severity ([`crate::corruptions`]). Its mean over corruptions and severities is compared with the clean score, and with raw pixels: the mean corruption
//! error of Hendrycks & Dietterich 2019 (arXiv:1903.12261, equation 1) is the mean over corruptions of its error as a share of that of the baseline, both
//! summed over severities.
//!
//! Intervals are for test samples (or groups of samples), draws of labels and training seeds, as everywhere ([`crate::stats`]); those of ratios are the
//! quantiles of a bootstrap over test samples alone.

mod corrupted;
mod estimates;
mod table;

use serde::{Deserialize, Serialize};

use crate::dataset::{Role, Values};
use crate::error::{Error, Result};
use crate::probe::{
    Answered, Contender, DomainRows, Estimate, Labels, Limits, ProbeOptions, Row, measure_within,
};

pub use corrupted::{CONDITION, Condition, corrupted};

/// What [`measure`] finds.
///
/// ```
/// use hspace_core::robustness::Robustness;
///
/// // Of nothing.
/// let found = Robustness {
///     data: "chests".into(),
///     task: "label".into(),
///     suite: "xray".into(),
///     samples: 0,
///     baseline: "pixels".into(),
///     rows: vec![],
///     left_out: vec![],
/// };
/// assert!(found.headline().is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Robustness {
    /// As given to `--data`.
    pub data: String,
    /// Name of the column that is the task.
    pub task: String,
    /// Name of the suite of corruptions.
    pub suite: String,
    /// Test samples, each of which was corrupted in every way.
    pub samples: usize,
    /// Name of the source that errors are compared with.
    pub baseline: String,
    /// A row for each source and number of labels.
    pub rows: Vec<RobustnessRow>,
    /// What there was no time for.
    pub left_out: Vec<String>,
}

/// A source on clean and corrupted samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustnessRow {
    /// Name of the source.
    pub source: String,
    /// Name of the probe.
    pub probe: String,
    /// Labels it was given.
    pub labels: Labels,
    /// On the samples as they are.
    pub clean: ConditionScore,
    /// Mean accuracy over all corruptions and severities.
    pub corrupted: Estimate,
    /// The same as a share of the clean accuracy.
    pub kept: Estimate,
    /// Mean corruption error: its errors as a share of those of the baseline; `None` of the baseline itself.
    pub corruption_error: Option<Estimate>,
    /// On corrupted samples, by corruption and severity.
    pub conditions: Vec<ConditionScore>,
}

/// One corruption at one severity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConditionScore {
    /// Name of the corruption; `clean` of none.
    pub corruption: String,
    /// In 1..=5; 0 of none.
    pub severity: usize,
    /// Share of the samples that are answered right.
    pub accuracy: Estimate,
    /// Error of the half of the samples whose answers are most probable: of those that would be answered if the others were referred to a human.
    pub confident_error: f64,
    /// Mean probability of the answers less the accuracy; above 0 where the source is too sure.
    pub overconfidence: f64,
}

/// Measures `contenders`, whose samples are those of [`corrupted`], by one probe. `progress` is called with what is being measured.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::dataset::{Column, Role, Values};
/// use hspace_core::probe::{Contender, Labels, Limits, ProbeOptions};
/// use hspace_core::robustness::{CONDITION, Condition, measure};
///
/// // Every second test sample is taken to be corrupted.
/// let mut samples = blobs("pixels", 0.2);
/// let noise = Condition { corruption: "noise".into(), severity: 3 };
/// let index = (0..160).map(|row| Some(u32::from(row % 8 == 4))).collect();
/// let values = Values::Classes { names: vec!["clean".into(), noise.name()], index };
/// samples.columns.push(Column { name: CONDITION.into(), role: Role::Domain, values });
/// let options = ProbeOptions { probes: vec!["linear".into()], labels: vec![Labels::All], ..ProbeOptions::default() };
/// let contenders = [Contender::Fixed(samples)];
/// let found = measure(&contenders, &[noise], "noise", &options, "blobs", &mut Limits::default(), &mut |_| ())?;
/// assert!(found.rows[0].kept.mean > 0.9 && found.rows[0].conditions.len() == 1);
/// println!("{}", found.table());
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When the task is none of classes, several probes are asked for, and as [`crate::probe::measure`].
pub fn measure(
    contenders: &[Contender<'_>],
    conditions: &[Condition],
    suite: &str,
    options: &ProbeOptions,
    data_name: &str,
    limits: &mut Limits<'_>,
    progress: &mut dyn FnMut(&str),
) -> Result<Robustness> {
    let Some(first) = contenders.iter().flat_map(|c| c.samples()).next() else {
        return Err(Error::config(
            "there is nothing to measure; name at least one source, such as `pixels`",
        ));
    };
    if options.folds > 1 {
        return Err(Error::config(
            "--folds: corrupted samples are test samples of the data's own split; leave it out",
        ));
    }
    let column = first.columns.iter().find(|c| c.name == CONDITION);
    let Some(Values::Classes { index, .. }) = column.map(|c| &c.values) else {
        return Err(Error::data("the samples have no corrupted ones among them"));
    };
    let is_clean: Vec<bool> = index.iter().map(|of| *of == Some(0)).collect();
    let all = vec![true; is_clean.len()];
    let domains = DomainRows {
        unlabelled: vec![false; is_clean.len()],
        labelled: is_clean,
        tested: all,
    };
    let mut answers = Vec::new();
    let mut limits = Limits {
        answers: Some(&mut answers),
        ..limits.between(&domains)
    };
    let found = measure_within(contenders, options, data_name, &mut limits, progress)?;
    let task = first.columns.iter().find(|c| c.name == found.task);
    let Some(Values::Classes { index: truth, .. }) = task.map(|c| &c.values) else {
        return Err(Error::config(format!(
            "`{}` is no column of classes, which is what corruptions are measured on; name one by --label",
            found.task
        )));
    };
    let samples = estimates::Tested::new(&answers, index, truth, groups(first), conditions.len())?;
    let baseline = answers_of(&answers, &options.baseline);
    let mut rows = Vec::new();
    for row in &found.rows {
        let own: Vec<&Answered> = answers.iter().filter(|a| is_of(a, row)).collect();
        if own.is_empty() {
            continue;
        }
        let against: Vec<&Answered> = baseline
            .iter()
            .copied()
            .filter(|a| a.labels == row.labels && row.representation != options.baseline)
            .collect();
        rows.push(samples.row(row, &own, &against, conditions));
    }
    Ok(Robustness {
        data: data_name.into(),
        task: found.task,
        suite: suite.into(),
        samples: samples.originals(),
        baseline: options.baseline.clone(),
        rows,
        left_out: found.left_out,
    })
}

fn is_of(answered: &Answered, row: &Row) -> bool {
    answered.source == row.representation
        && answered.probe == row.probe
        && answered.labels == row.labels
}

fn answers_of<'a>(answers: &'a [Answered], source: &str) -> Vec<&'a Answered> {
    answers.iter().filter(|a| a.source == source).collect()
}

/// The group of each row, where there are groups.
fn groups(r: &crate::representation::Representation) -> Option<Vec<u32>> {
    let has_groups = r.columns.iter().any(|c| c.role == Role::Group);
    has_groups
        .then(|| crate::dataset::groups(&r.columns))
        .flatten()
}

#[cfg(test)]
mod tests;
