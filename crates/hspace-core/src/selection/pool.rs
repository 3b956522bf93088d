//! Unlabelled training samples of a representation, and which of them to label.

use serde::{Deserialize, Serialize};

use super::{Pick, Pool, Rule, Uncertainty};
use crate::dataset::{Split, Values};
use crate::error::{Error, Result};
use crate::head::Head;
use crate::list::Entry;
use crate::matrix::Matrix;
use crate::probe::folds::Selection as ChosenBy;
use crate::probe::{Scaling, TaskKind, Transform, linear, task_column};
use crate::representation::Representation;

/// Settings of [`select`].
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// # use hspace_core::dataset::Values;
/// use hspace_core::list::find;
/// use hspace_core::selection::{Options, RULES, Uncertainty, select};
///
/// # let mut samples = blobs("runs/a", 0.3);
/// # if let Values::Classes { index, .. } = &mut samples.columns[0].values {
/// #     index[40..].fill(None); // The first 40 samples are labelled, 30 of them for training.
/// # }
/// // Entropy is uncertainty about all classes, the margin about the best two.
/// let options = Options { uncertainty: Uncertainty::Entropy, ..Options::default() };
/// let rule = find("rule", RULES, "uncertainty").unwrap();
/// let [a, b] = [options, Options::default()].map(|options| select(&samples, rule, 5, None, &options));
/// assert_ne!(a?.samples[0].1, b?.samples[0].1);
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Name of the column that is to be labelled; `auto` is the first label column.
    pub task: String,
    /// How uncertainty is measured.
    pub uncertainty: Uncertainty,
    /// How features are scaled before distances are measured.
    pub scaling: Scaling,
    /// Seed of what is random.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            task: "auto".into(),
            uncertainty: Uncertainty::Margin,
            scaling: Scaling::Auto,
            seed: 0,
        }
    }
}

/// Samples to label, the most urgent first.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// # use hspace_core::dataset::Values;
/// use hspace_core::list::find;
/// use hspace_core::selection::{Options, RULES, select};
///
/// # let mut samples = blobs("runs/a", 0.3);
/// # if let Values::Classes { index, .. } = &mut samples.columns[0].values {
/// #     index[40..].fill(None); // The first 40 samples are labelled, 30 of them for training.
/// # }
/// let rule = find("rule", RULES, "coreset").unwrap();
/// let found = select(&samples, rule, 5, None, &Options::default())?;
/// let table = found.csv()?;
/// assert!(table.starts_with("id,rank,rule,score\n"));
/// assert_eq!(table.lines().count(), 1 + 5);
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// Name of the rule.
    pub rule: String,
    /// The column that is to be labelled.
    pub task: String,
    /// Number of training samples with a label.
    pub labelled: usize,
    /// Number of training samples without one.
    pub open: usize,
    /// Ids and scores.
    pub samples: Vec<(String, f64)>,
}

/// `n` unlabelled training samples of `r` by `rule`. Uncertainty is that of `head`, or of a linear probe fitted to the labels that are
/// known.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::dataset::Values;
/// use hspace_core::list::find;
/// use hspace_core::selection::{Options, RULES, select};
///
/// let mut samples = blobs("runs/a", 0.3);
/// if let Values::Classes { index, .. } = &mut samples.columns[0].values {
///     index[40..].fill(None); // The first 40 samples are labelled, 30 of them for training.
/// }
/// let rule = find("rule", RULES, "uncertainty").unwrap();
/// let found = select(&samples, rule, 5, None, &Options::default())?;
/// assert_eq!((found.labelled, found.open, found.samples.len()), (30, 90, 5));
/// assert!(found.samples[0].1 >= found.samples[4].1); // The least sure is first.
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When the task is none of classes, no training sample is without a label, fewer are than asked for, or the rule needs a head and the
/// labels are too few to fit one.
pub fn select(
    r: &Representation,
    rule: &'static Entry<Rule>,
    n: usize,
    head: Option<&Head>,
    options: &Options,
) -> Result<Selection> {
    r.check()?;
    let column = task_column(r, &options.task)?;
    let Values::Classes { names, index } = &column.values else {
        return Err(Error::config(format!(
            "samples are chosen for classes, and `{}` has none; name another column with --label",
            column.name
        )));
    };
    let train: Vec<usize> = (0..r.split.len())
        .filter(|&i| r.split[i] == Split::Train)
        .collect();
    let is_labelled = |place: &usize| index[train[*place]].is_some();
    let (labelled, open): (Vec<usize>, Vec<usize>) = (0..train.len()).partition(is_labelled);
    if open.is_empty() {
        return Err(Error::data(format!(
            "all {} training samples have a label of `{}`, so there is nothing to label; --evaluate measures the rules on them",
            train.len(),
            column.name
        )));
    }
    let raw = r.features.select(&train);
    let transform = Transform::fit(&raw, 0..raw.rows, options.scaling, false);
    let mut features = raw.clone();
    transform.apply(&mut features);
    let uncertainty = match (rule.needs_head, head) {
        (false, _) => None,
        (true, Some(head)) => {
            if head.about.kind != TaskKind::Classes {
                return Err(Error::config(format!(
                    "the head answers {}, of which no uncertainty is known; give one that answers classes",
                    head.about.kind.text()
                )));
            }
            let p = head.answer(&raw.select(&open))?;
            Some(options.uncertainty.of(&p, head.outputs()))
        }
        (true, None) => {
            let y: Vec<u32> = labelled.iter().filter_map(|&i| index[train[i]]).collect();
            let known = |class: u32| y.contains(&class);
            if (0..names.len() as u32).filter(|&c| known(c)).count() < 2 {
                return Err(Error::config(format!(
                    "uncertainty takes a head, and {} labelled training samples of fewer than two classes are too few to fit one; \
                     choose by coreset, or give --head",
                    labelled.len()
                )));
            }
            let p = probabilities(&features, &labelled, &y, names.len(), &open, options.seed)?;
            Some(options.uncertainty.of(&p, names.len()))
        }
    };
    let pool = Pool {
        features: &features,
        labelled: &labelled,
        open: &open,
        uncertainty: uncertainty.as_deref(),
        seed: options.seed,
    };
    let picks = rule.choose(&pool, n)?;
    let sample = |pick: &Pick| (r.ids[train[pick.row]].clone(), pick.score);
    Ok(Selection {
        rule: rule.name.to_owned(),
        task: column.name.clone(),
        labelled: labelled.len(),
        open: open.len(),
        samples: picks.iter().map(sample).collect(),
    })
}

/// Class probabilities `[asked, classes]` of a linear probe fitted to the rows `labelled` of `features` with the classes `y`, its penalty chosen
/// inside them.
pub(super) fn probabilities(
    features: &Matrix,
    labelled: &[usize],
    y: &[u32],
    classes: usize,
    asked: &[usize],
    seed: u64,
) -> Result<Vec<f64>> {
    let own = features.select(labelled);
    let (model, _) = linear::fit_auto(&own, y, classes, ChosenBy::default(), seed)?;
    Ok(model.probabilities(&features.select(asked)))
}

impl Selection {
    /// A table of `id`, `rank` (1 is the most urgent), `rule` and `score`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn csv(&self) -> Result<String> {
        let mut out = csv::Writer::from_writer(Vec::new());
        let failed = |e: &dyn std::fmt::Display| Error::data(format!("the table: {e}"));
        out.write_record(["id", "rank", "rule", "score"])
            .map_err(|e| failed(&e))?;
        for (place, (id, score)) in self.samples.iter().enumerate() {
            let fields = [
                id.clone(),
                (place + 1).to_string(),
                self.rule.clone(),
                format!("{score:.6}"),
            ];
            out.write_record(fields).map_err(|e| failed(&e))?;
        }
        let bytes = out.into_inner().map_err(|e| failed(&e))?;
        String::from_utf8(bytes).map_err(|e| failed(&e))
    }
}
