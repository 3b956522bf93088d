//! Contenders × probes × numbers of labels → [`Measurements`], by one protocol for all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use super::answer::{Answered, Features, answer, over_draws};
use super::conditioning::Conditioning;
use super::few_labels::mix;
use super::options::ProbeOptions;
use super::savings::savings;
use super::scores::{CLASS_SCORES, NUMBER_SCORES};
use super::task::{Known, Plan, Task, task_column};
use super::{
    Confusion, Contender, FitOnDraw, Geometry, Labels, Measurements, Nuisance, PROTOCOL, Row,
    cluster, geometry,
};
use crate::dataset::{Column, Role, Split};
use crate::error::{Error, Result};
use crate::matrix::{Matrix, spaced};
use crate::representation::Representation;

/// Rows that geometry and clusters look at.
const SHAPE_ROWS: usize = 5000;
/// Training rows that a nuisance is read off.
const NUISANCE_ROWS: usize = 5000;

/// Measures every contender on one task. Baselines are contenders like any other; chance is added
/// here. `progress` is told what is being measured.
///
/// Test labels are looked at for the final scores alone; every choice is made inside the training
/// labels. With a numeric task the linear and kNN probes give way to ridge regression. Features with a large
/// common part, or far from 1, are conditioned first (`conditioning.rs`).
///
/// # Errors
/// When options are out of range, the task is unknown, a split has no labels, all training labels are
/// of one class, or contenders differ in their ids, columns or split, or hold NaN or infinite features.
pub fn measure(
    mut contenders: Vec<Contender<'_>>,
    options: &ProbeOptions,
    data_name: &str,
    progress: &mut dyn FnMut(&str),
) -> Result<Measurements> {
    options.check()?;
    let known = Known::of(first_fixed(&contenders)?);
    check_names(&contenders)?;
    for contender in &contenders {
        if let Contender::Fixed(r) = contender {
            known.check(r)?;
        }
    }
    let scales: Vec<f64> = contenders.iter_mut().map(condition).collect();
    let column = task_column(first_fixed(&contenders)?, &options.task)?;
    let task = Task::new(column, &known.split)?;
    let study = Study {
        probes: task.probes(options)?,
        plans: task.plans(options),
        task,
        options,
    };
    let Study { task, probes, .. } = &study;
    let mut out = Measurements {
        protocol: PROTOCOL,
        code_version: env!("CARGO_PKG_VERSION").into(),
        data: data_name.into(),
        task: column.name.clone(),
        split_hash: known.split_hash(),
        seed: options.seed,
        train: task.train.len(),
        test: task.test.len(),
        classes: task.classes.clone(),
        chance: task.chance(),
        origins: Vec::new(),
        rows: Vec::new(),
        savings: Vec::new(),
        geometry: Vec::new(),
        nuisances: Vec::new(),
        confusions: Vec::new(),
    };
    let geometry_wanted = options.probes.iter().any(|p| p == "geometry");
    for (contender, &scale) in contenders.iter().zip(&scales) {
        let origin = study.run(contender, scale, &mut out, progress)?;
        out.origins.push((contender.name().into(), origin));
        if let Contender::Fixed(r) = contender {
            if geometry_wanted {
                progress(&format!("{}: geometry", r.name));
                out.geometry.push(shape(r, task, options.seed)?);
            }
            for column in r.columns.iter().filter(|c| c.role == Role::Nuisance) {
                progress(&format!("{}: nuisance {}", r.name, column.name));
                out.nuisances.extend(nuisance(r, scale, column, options)?);
            }
        }
    }
    let curve = |name: &str, probe: &str| -> Vec<&Row> {
        out.rows
            .iter()
            .filter(|row| row.representation == name && row.probe == probe)
            .collect()
    };
    let others = contenders
        .iter()
        .map(Contender::name)
        .filter(|name| *name != options.baseline);
    out.savings = others
        .flat_map(|name| probes.iter().map(move |probe| (name, *probe)))
        .flat_map(|(name, probe)| {
            savings(
                &curve(name, probe),
                &curve(&options.baseline, probe),
                options.seed,
            )
        })
        .collect();
    Ok(out)
}

impl Contender<'_> {
    /// How tables call it.
    pub fn name(&self) -> &str {
        match self {
            Contender::Fixed(r) => &r.name,
            Contender::PerDraw { name, .. } => name,
        }
    }
}

fn first_fixed<'a>(contenders: &'a [Contender<'_>]) -> Result<&'a Representation> {
    let first = contenders.iter().find_map(|c| match c {
        Contender::Fixed(r) => Some(r),
        Contender::PerDraw { .. } => None,
    });
    first.ok_or_else(|| {
        Error::config(
            "there is nothing to measure; name at least one representation, such as `pixels`",
        )
    })
}

/// Conditions features that do not depend on the draw, by their training rows; returns their scale.
fn condition(contender: &mut Contender<'_>) -> f64 {
    let Contender::Fixed(Representation {
        features, split, ..
    }) = contender
    else {
        return 1.0;
    };
    let train = (0..features.rows).filter(|&i| split[i] == Split::Train);
    let conditioning = Conditioning::fit(features, train);
    conditioning.apply(features);
    conditioning.scale
}

fn check_names(contenders: &[Contender<'_>]) -> Result<()> {
    let mut names: Vec<&str> = contenders.iter().map(Contender::name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::config(format!(
            "`{}` is to be measured twice; name it once",
            pair[0]
        ))),
        None => Ok(()),
    }
}

/// Everything that is the same for all contenders.
struct Study<'a> {
    task: Task,
    plans: Vec<Plan>,
    probes: Vec<&'static str>,
    options: &'a ProbeOptions,
}

/// One draw of one plan.
struct Draw<'a> {
    plan: usize,
    number: usize,
    rows: &'a [usize],
}

impl Study<'_> {
    /// The draws on which a contender is measured.
    fn draws_of(&self, contender: &Contender<'_>) -> Vec<Draw<'_>> {
        let most = match contender {
            Contender::Fixed(_) => usize::MAX,
            Contender::PerDraw { draws, .. } => (*draws).max(1),
        };
        let mut all = Vec::new();
        for (plan, drawn) in self.plans.iter().enumerate() {
            for (number, rows) in drawn.draws.iter().take(most).enumerate() {
                all.push(Draw { plan, number, rows });
            }
        }
        all
    }

    /// Features of each draw's own rows and the test rows, learned on as many threads as there are
    /// cores, the largest draws first.
    fn learn(
        &self,
        name: &str,
        fit: &FitOnDraw<'_>,
        jobs: &[Draw<'_>],
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Matrix>> {
        let one = |job: &Draw<'_>| -> Result<Matrix> {
            let needed: Vec<usize> = job.rows.iter().chain(&self.task.test).copied().collect();
            let seed = mix(&[self.options.seed, job.number as u64]);
            let features = fit(job.rows, &needed, seed)?;
            if features.rows != needed.len() || features.data.iter().any(|x| !x.is_finite()) {
                return Err(Error::data(format!(
                    "{name}: {} rows of features for {} samples, or NaN or infinite values among them",
                    features.rows,
                    needed.len()
                )));
            }
            Ok(features)
        };
        let next = AtomicUsize::new(0);
        let (send, receive) = channel();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut learned = vec![Matrix::zeros(0, 0); jobs.len()];
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let send = send.clone();
                let (next, one) = (&next, &one);
                scope.spawn(move || {
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let Some(i) = jobs.len().checked_sub(i + 1) else {
                            return;
                        };
                        let result = one(&jobs[i]);
                        let failed = result.is_err();
                        if send.send((i, result)).is_err() || failed {
                            next.fetch_add(jobs.len(), Ordering::Relaxed);
                            return;
                        }
                    }
                });
            }
            drop(send);
            for (done, (i, result)) in receive.into_iter().enumerate() {
                progress(&format!("{name}: trained {} of {}", done + 1, jobs.len()));
                learned[i] = result?;
            }
            Ok(learned)
        })
    }

    /// Measures one contender, whose features were multiplied by `scale`, by all plans and probes; returns where they
    /// came from.
    fn run(
        &self,
        contender: &Contender<'_>,
        scale: f64,
        out: &mut Measurements,
        progress: &mut dyn FnMut(&str),
    ) -> Result<String> {
        let Study {
            task,
            plans,
            probes,
            options,
            ..
        } = self;
        let name = contender.name();
        let fixed = match contender {
            Contender::Fixed(r) => Some((r.features.select(&task.test), r.origin.clone())),
            Contender::PerDraw { .. } => None,
        };
        let mut results: HashMap<(&str, usize), Vec<Answered>> = HashMap::new();
        let mut origin = fixed.as_ref().map_or(String::new(), |f| f.1.clone());
        let jobs: Vec<Draw> = self.draws_of(contender);
        let mut learned = match contender {
            Contender::Fixed(_) => Vec::new(),
            Contender::PerDraw { fit, .. } => {
                origin = "learned anew from each draw of labels".into();
                self.learn(name, &**fit, &jobs, progress)?
            }
        };
        for (i, draw) in jobs.iter().enumerate() {
            let rows = draw.rows;
            progress(&format!(
                "{name}: {} labels, draw {}",
                rows.len(),
                draw.number + 1
            ));
            let fitted;
            let (train, test, scale) = match (contender, &fixed) {
                (Contender::Fixed(r), Some((test, _))) => (r.features.select(rows), test, scale),
                _ => {
                    let mut features = std::mem::replace(&mut learned[i], Matrix::zeros(0, 0));
                    let conditioning = Conditioning::fit(&features, 0..rows.len());
                    conditioning.apply(&mut features);
                    let (train, test): (Vec<usize>, Vec<usize>) =
                        (0..features.rows).partition(|&i| i < rows.len());
                    fitted = features.select(&test);
                    (features.select(&train), &fitted, conditioning.scale)
                }
            };
            let features = Features {
                train: &train,
                test,
                scale,
            };
            for &probe in probes {
                let answered = answer(probe, task, &features, rows, draw.number == 0, options)?;
                results
                    .entry((probe, draw.plan))
                    .or_default()
                    .push(answered);
            }
        }
        let names: &[&str] = if task.classes.is_empty() {
            &NUMBER_SCORES
        } else {
            &CLASS_SCORES
        };
        for &probe in probes {
            for (p, plan) in plans.iter().enumerate() {
                let answered = results.remove(&(probe, p)).unwrap_or_default();
                let Some(head) = answered.first() else {
                    continue;
                };
                if let (Labels::All, "linear", Some(counts)) = (plan.labels, probe, &head.confusion)
                {
                    out.confusions.push(Confusion {
                        representation: name.into(),
                        classes: task.classes.clone(),
                        counts: counts.clone(),
                    });
                }
                let scores = names.iter().enumerate().filter_map(|(s, measure)| {
                    Some((measure.to_string(), over_draws(&answered, s, measure)?))
                });
                out.rows.push(Row {
                    representation: name.into(),
                    probe: probe.into(),
                    labels: plan.labels,
                    labelled: plan.draws[0].len(),
                    scores: scores.collect(),
                    draws: answered.iter().filter_map(|a| a.scores[0]).collect(),
                    chosen: answered.into_iter().map(|a| a.chosen).collect(),
                });
            }
        }
        Ok(origin)
    }
}

/// Geometry and clusters, on test rows.
fn shape(r: &Representation, task: &Task, seed: u64) -> Result<Geometry> {
    let rows: Vec<usize> = spaced(task.test.len(), SHAPE_ROWS)
        .into_iter()
        .map(|i| task.test[i])
        .collect();
    let features = r.features.select(&rows);
    let labels = Some(task.truth_of(&rows).0).filter(|labels| !labels.is_empty());
    let (alignment, uniformity) = geometry::alignment_and_uniformity(&features, labels.as_deref());
    let agreement = labels.and_then(|labels| {
        cluster::agreement(
            &cluster::kmeans(&features, task.classes.len(), seed),
            &labels,
        )
    });
    Ok(Geometry {
        representation: r.name.clone(),
        dim: features.cols,
        effective_rank: geometry::effective_rank(&features)?,
        alignment,
        uniformity,
        nmi: agreement.map(|a| a.0),
        ari: agreement.map(|a| a.1),
    })
}

/// Reads a column off a representation that should not hold it; `None` where the column does not vary
/// or one split has no value of it. The features were multiplied by `scale`.
fn nuisance(
    r: &Representation,
    scale: f64,
    column: &Column,
    options: &ProbeOptions,
) -> Result<Option<Nuisance>> {
    let Ok(task) = Task::new(column, &r.split) else {
        return Ok(None);
    };
    let numeric = task.classes.is_empty();
    let rows: Vec<usize> = spaced(task.train.len(), NUISANCE_ROWS)
        .into_iter()
        .map(|i| task.train[i])
        .collect();
    let probe = if numeric { "ridge" } else { "linear" };
    let features = Features {
        train: &r.features.select(&rows),
        test: &r.features.select(&task.test),
        scale,
    };
    let answered = answer(probe, &task, &features, &rows, true, options)?;
    // Balanced accuracy, or R².
    let measure = usize::from(!numeric);
    let name = if numeric {
        NUMBER_SCORES[measure]
    } else {
        CLASS_SCORES[measure]
    };
    let has_interval = answered.errors[measure].is_some();
    let Some(decodability) = over_draws(&[answered], measure, name) else {
        return Ok(None);
    };
    let (truth, _) = task.truth_of(&task.test);
    let seen = (0..task.classes.len() as u32)
        .filter(|c| truth.contains(c))
        .count();
    let chance = if numeric {
        0.0
    } else {
        1.0 / seen.max(1) as f64
    };
    Ok(Some(Nuisance {
        representation: r.name.clone(),
        column: column.name.clone(),
        decodability,
        chance,
        warning: has_interval && decodability.low > chance,
    }))
}

#[cfg(test)]
mod tests;
