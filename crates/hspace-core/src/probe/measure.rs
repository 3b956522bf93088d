//! Contenders × probes × numbers of labels → [`Measurements`], by one protocol for all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use super::few_labels::{estimate, mix};
use super::options::ProbeOptions;
use super::ridge::Ridge;
use super::savings::savings;
use super::scores::{Answers, CLASS_SCORES, ClassAnswers, NUMBER_SCORES, NumberAnswers, bounded};
use super::task::{Known, Plan, Task, task_column};
use super::{
    Confusion, Contender, Estimate, FitOnDraw, Geometry, Labels, Measurements, Nuisance, PROTOCOL,
    Row, cluster, geometry, knn, linear,
};
use crate::auto::Auto;
use crate::dataset::{Column, Role};
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
/// labels. With a numeric task the linear and kNN probes give way to ridge regression.
///
/// # Errors
/// When options are out of range, the task is unknown, a split has no labels, all training labels are
/// of one class, or contenders differ in their ids, columns or split, or hold NaN or infinite features.
pub fn measure(
    contenders: Vec<Contender<'_>>,
    options: &ProbeOptions,
    data_name: &str,
    progress: &mut dyn FnMut(&str),
) -> Result<Measurements> {
    options.check()?;
    let first = contenders.iter().find_map(|c| match c {
        Contender::Fixed(r) => Some(r),
        Contender::PerDraw { .. } => None,
    });
    let Some(first) = first else {
        return Err(Error::config(
            "there is nothing to measure; name at least one representation, such as `pixels`",
        ));
    };
    let known = Known::of(first);
    check_names(&contenders)?;
    for contender in &contenders {
        if let Contender::Fixed(r) = contender {
            known.check(r)?;
        }
    }
    let column = task_column(first, &options.task)?;
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
    for contender in &contenders {
        let origin = study.run(contender, &mut out, progress)?;
        out.origins.push((contender.name().into(), origin));
        if let Contender::Fixed(r) = contender {
            if geometry_wanted {
                progress(&format!("{}: geometry", r.name));
                out.geometry.push(shape(r, task, options.seed)?);
            }
            for column in r.columns.iter().filter(|c| c.role == Role::Nuisance) {
                progress(&format!("{}: nuisance {}", r.name, column.name));
                out.nuisances.extend(nuisance(r, column, options)?);
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

/// What one probe answered on one draw.
struct Answered {
    scores: Vec<f64>,
    errors: Vec<f64>,
    chosen: String,
    confusion: Option<Vec<Vec<usize>>>,
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

    /// Measures one contender by all plans and probes; returns where its features came from.
    fn run(
        &self,
        contender: &Contender<'_>,
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
            let (train, test) = match (contender, &fixed) {
                (Contender::Fixed(r), Some((test, _))) => (r.features.select(rows), test),
                _ => {
                    let features = std::mem::replace(&mut learned[i], Matrix::zeros(0, 0));
                    let (train, test): (Vec<usize>, Vec<usize>) =
                        (0..features.rows).partition(|&i| i < rows.len());
                    fitted = features.select(&test);
                    (features.select(&train), &fitted)
                }
            };
            for &probe in probes {
                let answered = answer(probe, task, &train, rows, test, draw.number == 0, options)?;
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
                let scores = names.iter().enumerate().map(|(s, measure)| {
                    let values: Vec<f64> = answered.iter().map(|a| a.scores[s]).collect();
                    (
                        measure.to_string(),
                        bounded(measure, estimate(&values, head.errors[s])),
                    )
                });
                out.rows.push(Row {
                    representation: name.into(),
                    probe: probe.into(),
                    labels: plan.labels,
                    labelled: plan.draws[0].len(),
                    scores: scores.collect(),
                    draws: answered.iter().map(|a| a.scores[0]).collect(),
                    chosen: answered.into_iter().map(|a| a.chosen).collect(),
                });
            }
        }
        Ok(origin)
    }
}

/// Fits one probe on `train` (the features of `rows`) and scores it on `test`; standard errors from
/// the test set only where `with_errors`.
fn answer(
    probe: &str,
    task: &Task,
    train: &Matrix,
    rows: &[usize],
    test: &Matrix,
    with_errors: bool,
    options: &ProbeOptions,
) -> Result<Answered> {
    let classes = task.classes.len();
    let (labels, targets) = task.truth_of(rows);
    let (truth, true_numbers) = task.truth_of(&task.test);
    if probe == "ridge" {
        let alpha = match options.ridge.alpha {
            Auto::Auto => None,
            Auto::Set(alpha) => Some(alpha),
        };
        let ridge = Ridge::fit(train, &targets, alpha)?;
        let predicted = ridge.predict(test);
        let answers = NumberAnswers {
            predicted: &predicted,
            truth: &true_numbers,
        };
        return Ok(Answered::of(
            &answers,
            format!("alpha={:.3e}", ridge.alpha),
            None,
            with_errors,
            options,
        ));
    }
    let (probabilities, chosen) = if probe == "knn" {
        let settings = knn::choose(train, &labels, classes, &options.knn);
        let found = knn::neighbours(train, test, settings.metric, settings.k, None);
        (
            knn::probabilities(&found, &labels, classes, settings.k, settings.weights),
            settings.to_string(),
        )
    } else {
        let (model, c) = fit_linear(train, &labels, classes, options)?;
        (model.probabilities(test), format!("c={c:.3e}"))
    };
    let answers = ClassAnswers::new(&probabilities, &truth, classes);
    Ok(Answered::of(
        &answers,
        chosen,
        Some(answers.confusion()),
        with_errors,
        options,
    ))
}

fn fit_linear(
    train: &Matrix,
    labels: &[u32],
    classes: usize,
    options: &ProbeOptions,
) -> Result<(linear::Softmax, f64)> {
    match options.linear.c {
        Auto::Set(c) => Ok((linear::fit(train, labels, classes, c)?, c)),
        Auto::Auto => linear::fit_auto(train, labels, classes, options.seed),
    }
}

impl Answered {
    fn of(
        answers: &dyn Answers,
        chosen: String,
        confusion: Option<Vec<Vec<usize>>>,
        with_errors: bool,
        options: &ProbeOptions,
    ) -> Answered {
        let errors = if with_errors {
            answers.standard_errors(options.seed)
        } else {
            Vec::new()
        };
        Answered {
            scores: answers.plain(),
            errors,
            chosen,
            confusion,
        }
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
    let agreement = labels.map(|labels| {
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
/// or one split has no value of it.
fn nuisance(
    r: &Representation,
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
    let answered = answer(
        probe,
        &task,
        &r.features.select(&rows),
        &rows,
        &r.features.select(&task.test),
        true,
        options,
    )?;
    // Balanced accuracy, or R².
    let measure = usize::from(!numeric);
    let name = if numeric {
        NUMBER_SCORES[measure]
    } else {
        CLASS_SCORES[measure]
    };
    let decodability: Estimate = bounded(
        name,
        estimate(&[answered.scores[measure]], answered.errors[measure]),
    );
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
        warning: decodability.low > chance,
    }))
}
