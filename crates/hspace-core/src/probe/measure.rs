//! Contenders × probes × numbers of labels → [`Measurements`], by one protocol for all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use super::answer::{Answered, Features, answer, over_draws};
use super::conditioning::Conditioning;
use super::few_labels::mix;
use super::label_scores::LabelAnswers;
use super::nuisance::read_off;
use super::options::ProbeOptions;
use super::savings::savings;
use super::task::{Known, Plan, Task, Truth, task_column};
use super::{
    Confusion, Contender, FitOnDraw, Geometry, LabelScore, Labels, Measurements, PROTOCOL, Row,
    TaskKind, cluster, geometry,
};
use crate::dataset::{Role, Split};
use crate::error::{Error, Result};
use crate::matrix::{Matrix, spaced};
use crate::representation::Representation;

/// Rows that geometry and clusters look at.
const SHAPE_ROWS: usize = 5000;

/// Measures every contender on one task. Baselines are contenders like any other; chance is added
/// here. `progress` is told what is being measured.
///
/// Test labels are looked at for the final scores alone. Settings are chosen inside the labels of a draw, which
/// never holds validation rows; with all labels, by the validation rows where they have labels. No choice separates rows of
/// one group. With a numeric task the linear and kNN probes give way to ridge regression. Features with a large
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
    let first = first_fixed(&contenders)?;
    let column = task_column(first, &options.task)?;
    let task = Task::new(column, &first.columns, &known.split)?;
    let names = |of: TaskKind| match task.kind() == of {
        true => task.names.clone(),
        false => Vec::new(),
    };
    let (classes, labels) = (names(TaskKind::Classes), names(TaskKind::LabelSets));
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
        val: task.val.len(),
        test: task.test.len(),
        classes,
        labels,
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
            let wanted = [Role::Nuisance, Role::Domain];
            for column in r.columns.iter().filter(|c| wanted.contains(&c.role)) {
                progress(&format!("{}: {}", r.name, column.name));
                out.nuisances.extend(read_off(r, scale, column, options)?);
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

    /// The validation rows that decide between settings on a draw: none but for all labels.
    fn val_of(&self, draw: &Draw<'_>) -> &[usize] {
        match self.plans[draw.plan].by_val {
            true => &self.task.val,
            false => &[],
        }
    }

    /// Features of each draw's own rows, the test rows and the validation rows it looks at, learned on as many threads as
    /// there are cores, the largest draws first.
    fn learn(
        &self,
        name: &str,
        fit: &FitOnDraw<'_>,
        jobs: &[Draw<'_>],
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Matrix>> {
        let one = |job: &Draw<'_>| -> Result<Matrix> {
            let others = self.task.test.iter().chain(self.val_of(job));
            let needed: Vec<usize> = job.rows.iter().chain(others).copied().collect();
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
            Contender::Fixed(r) => {
                let [test, val] = [&task.test, &task.val].map(|rows| r.features.select(rows));
                Some((test, val, r.origin.clone()))
            }
            Contender::PerDraw { .. } => None,
        };
        let mut results: HashMap<(&str, usize), Vec<Answered>> = HashMap::new();
        let mut origin = fixed.as_ref().map_or(String::new(), |f| f.2.clone());
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
            let (train, test, val, scale) = match (contender, &fixed) {
                (Contender::Fixed(r), Some((test, val, _))) => {
                    (r.features.select(rows), test, val, scale)
                }
                _ => {
                    let mut features = std::mem::replace(&mut learned[i], Matrix::zeros(0, 0));
                    let conditioning = Conditioning::fit(&features, 0..rows.len());
                    conditioning.apply(&mut features);
                    let tested = rows.len() + task.test.len();
                    let part = |rows: std::ops::Range<usize>| {
                        features.select(&rows.collect::<Vec<usize>>())
                    };
                    fitted = [part(rows.len()..tested), part(tested..features.rows)];
                    let train = part(0..rows.len());
                    (train, &fitted[0], &fitted[1], conditioning.scale)
                }
            };
            let features = Features {
                train: &train,
                test,
                val: Some(val).filter(|_| !self.val_of(draw).is_empty()),
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
                        classes: task.names.clone(),
                        counts: counts.clone(),
                    });
                }
                let names = task.kind().scores().iter().enumerate();
                let scores = names.filter_map(|(s, measure)| {
                    Some((measure.to_string(), over_draws(&answered, s, measure)?))
                });
                let labelled: usize = plan.draws.iter().map(Vec::len).sum();
                out.rows.push(Row {
                    representation: name.into(),
                    probe: probe.into(),
                    labels: plan.labels,
                    labelled: (labelled as f64 / plan.draws.len() as f64).round() as usize,
                    val_labels: head.val_labels,
                    scores: scores.collect(),
                    label_scores: label_scores(task, &answered),
                    draws: answered.iter().filter_map(|a| a.scores[0]).collect(),
                    chosen: answered.into_iter().map(|a| a.chosen).collect(),
                });
            }
        }
        Ok(origin)
    }
}

/// The measures of each label, where a sample has several.
fn label_scores(task: &Task, answered: &[Answered]) -> Vec<LabelScore> {
    let Truth::LabelSets(sets) = &task.truth else {
        return Vec::new();
    };
    let one = |(label, name): (usize, &String)| {
        let with = |row: &&usize| sets[**row].contains(&(label as u32));
        let score = |place: usize, name: &str| over_draws(answered, place, name);
        LabelScore {
            label: name.clone(),
            positives: task.test.iter().filter(with).count(),
            auroc: score(LabelAnswers::auroc_place(label), "auroc"),
            average_precision: score(
                LabelAnswers::average_precision_place(label),
                "average_precision",
            ),
        }
    };
    task.names.iter().enumerate().map(one).collect()
}

/// Geometry and clusters, on test rows.
fn shape(r: &Representation, task: &Task, seed: u64) -> Result<Geometry> {
    let rows: Vec<usize> = spaced(task.test.len(), SHAPE_ROWS)
        .into_iter()
        .map(|i| task.test[i])
        .collect();
    let features = r.features.select(&rows);
    let truth = task.truth.select(&rows);
    let labels = Some(truth.classes()).filter(|labels| !labels.is_empty());
    let (alignment, uniformity) = geometry::alignment_and_uniformity(&features, labels);
    let agreement = labels.and_then(|labels| {
        cluster::agreement(&cluster::kmeans(&features, task.names.len(), seed), labels)
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

#[cfg(test)]
mod tests;
