//! A semi-supervised method as a source of `probe`: it learns from each draw of labels and answers for test rows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Learner, Method, Options, PartialLabels};
use crate::columns::groups;
use crate::dataset::Values;
use crate::error::{Error, Result, valid};
use crate::file;
use crate::list::Entry;
use crate::matrix::Matrix;
use crate::probe::{
    Contender, Draw, LabelsAlone, Scaling, Transform, hash_of_features, task_column,
};
use crate::representation::Representation;

/// A method prepared for some training and test rows, once it is.
type Prepared = Arc<Mutex<Option<Arc<dyn Learner>>>>;

/// `method` on the features of `r` as something to be measured, called `name`. Features are scaled as those of other sources
/// ([`Scaling`]), by statistics of all training rows.
///
/// What depends on features alone, the graph, is computed once and kept for all draws of labels; in folds, once a fold.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::list::find;
/// use hspace_core::probe::{Labels, ProbeOptions, Scaling, measure};
/// use hspace_core::semi_supervised::{METHODS, Options, contender};
///
/// let method = find("method", METHODS, "label_propagation").unwrap();
/// let mut graph_of_15 = Options::default();
/// graph_of_15.graph.k = 15; // Labels reach further than over a graph of 7.
/// let features = blobs("runs/a", 0.2);
/// let spread = contender("label_propagation:runs/a", features, "kind", method, graph_of_15, Scaling::Auto)?;
/// let options = ProbeOptions { labels: vec![Labels::PerClass(2)], ..ProbeOptions::default() };
/// let found = measure(vec![spread], &options, "animals", &mut |_| ())?;
/// // Six labels are enough for nearly all of three clusters.
/// assert!(found.rows[0].main_score().is_some_and(|(_, accuracy)| accuracy.mean > 0.9));
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When settings are out of range, or the task is unknown or of another kind than classes.
pub fn contender<'a>(
    name: &str,
    r: Representation,
    task: &str,
    method: &'static Entry<Method>,
    options: Options,
    scaling: Scaling,
) -> Result<Contender<'a>> {
    valid(options.validate())?;
    r.check()?;
    let column = task_column(&r, task)?;
    let Values::Classes { names, index } = &column.values else {
        return Err(Error::config(format!(
            "{name} learns classes, and `{}` has none; leave it out",
            column.name
        )));
    };
    let (classes, truth) = (names.len(), index.clone());
    let groups = groups(&r.columns);
    let settings = format!("{} {options:?} {scaling:?}", method.name);
    let origin = file::hash_of(format!("{settings} {}", hash_of_features(&r)).as_bytes());
    let samples = Representation {
        name: name.to_owned(),
        features: Matrix::zeros(r.features.rows, 0),
        ids: r.ids.clone(),
        columns: r.columns.clone(),
        split: r.split.clone(),
        origin: String::new(),
        shift: Vec::new(),
    };
    let alone = LabelsAlone::of_features(&r.name);
    let known: Mutex<HashMap<[Vec<usize>; 2], Prepared>> = Mutex::default();
    let prepared = move |draw: &Draw<'_>| -> Result<Arc<dyn Learner>> {
        let rows = [draw.train.to_vec(), draw.test.to_vec()];
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let place = known.entry(rows).or_default().clone();
        drop(known);
        // The lock is held meanwhile: draws of the same rows wait for one graph.
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(learner) = &*place {
            return Ok(learner.clone());
        }
        let transform = Transform::fit(&r.features, draw.train.iter().copied(), scaling, false);
        let scaled = |rows: &[usize]| {
            let mut features = r.features.select(rows);
            transform.apply(&mut features);
            features
        };
        let made = (method.prepare)(scaled(draw.train), scaled(draw.test), &options)?;
        let made: Arc<dyn Learner> = made.into();
        *place = Some(made.clone());
        Ok(made)
    };
    let answer = move |draw: &Draw<'_>| -> Result<Vec<f64>> {
        let is_labelled = |row: &usize| draw.labelled.binary_search(row).is_ok();
        let labels: Vec<Option<u32>> = draw
            .train
            .iter()
            .map(|row| truth[*row].filter(|_| is_labelled(row)))
            .collect();
        let groups: Option<Vec<u32>> = groups
            .as_ref()
            .map(|groups| draw.train.iter().map(|&row| groups[row]).collect());
        let labels = PartialLabels {
            labels: &labels,
            classes,
            groups: groups.as_deref(),
            seed: draw.seed,
        };
        prepared(draw)?.learn(&labels)
    };
    Ok(Contender::PerDraw {
        name: name.to_owned(),
        samples: Box::new(samples),
        origin,
        draws: method.draws,
        labels_alone: Some(alone),
        answer: Box::new(answer),
    })
}
