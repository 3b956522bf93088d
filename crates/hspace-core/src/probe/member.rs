//! The features of a contender, ready for probes: scaled, for each part and draw.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use super::answer::Features;
use super::measure::Study;
use super::scaling::{Scaling, Transform};
use super::{Contender, FitOnDraw};
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::matrix::{Matrix, spaced};
use crate::random::mix;
use crate::representation::Representation;

/// Training rows whose features, learned on a draw, give the statistics of a scaling by column.
const STATISTICS: usize = 1000;

/// One run of a contender.
pub(super) enum Member<'a> {
    /// Features that do not depend on the labels, and for each part what is the same for all draws.
    Fixed {
        of: &'a Representation,
        parts: Vec<Prepared>,
    },
    /// Features of the rows that a draw needs, by plan and number of the draw: its own, test rows, validation rows that it
    /// looks at, and training rows for a scaling by column.
    Learned(HashMap<(usize, usize), Matrix>),
}

/// Test and validation features of a part, scaled, and as they are where a probe asks for that.
pub(super) struct Prepared {
    scaled: Option<Ready>,
    as_they_are: Option<Ready>,
}

struct Ready {
    transform: Transform,
    test: Matrix,
    val: Matrix,
}

impl<'a> Member<'a> {
    /// The runs of a contender, and where it came from.
    pub(super) fn of(
        contender: &'a Contender<'_>,
        study: &Study<'_>,
        progress: &mut dyn FnMut(&str),
    ) -> Result<(Vec<Member<'a>>, String)> {
        let fixed = |of: &'a Representation| Member::Fixed {
            of,
            parts: (0..study.parts.len())
                .map(|part| prepared(of, study, part))
                .collect(),
        };
        Ok(match contender {
            Contender::Fixed(r) => (vec![fixed(r)], r.origin.clone()),
            Contender::Seeds { runs, .. } => {
                let origins: Vec<&str> = runs.iter().map(|r| r.origin.as_str()).collect();
                (runs.iter().map(fixed).collect(), origins.join(" "))
            }
            Contender::PerDraw { name, draws, fit } => {
                let learned = learn(name, &**fit, *draws, study, progress)?;
                let origin = "learned from each draw of labels".to_owned();
                (vec![Member::Learned(learned)], origin)
            }
        })
    }

    /// Number of draws of a plan.
    pub(super) fn draws(&self, study: &Study<'_>, plan: usize) -> usize {
        match self {
            Member::Fixed { .. } => study.parts[0].plans[plan].draws.len(),
            Member::Learned(of) => of.keys().filter(|key| key.0 == plan).count(),
        }
    }

    /// What `use_them` makes of the features for one part, plan and draw; `by_hand` leaves them as they are.
    pub(super) fn with_features<T>(
        &self,
        study: &Study<'_>,
        [part, plan, number]: [usize; 3],
        by_hand: bool,
        use_them: impl FnOnce(&Features<'_>) -> Result<T>,
    ) -> Result<T> {
        let place = &study.parts[part];
        let rows = &place.plans[plan].draws[number];
        let has_val = !place.val_of(plan).is_empty();
        match self {
            Member::Fixed { of, parts } => {
                let ready = match by_hand {
                    true => &parts[part].as_they_are,
                    false => &parts[part].scaled,
                };
                let Some(ready) = ready else {
                    return Err(Error::data("features were not prepared for a probe"));
                };
                let mut train = of.features.select(rows);
                ready.transform.apply(&mut train);
                use_them(&Features {
                    train: &train,
                    test: &ready.test,
                    val: has_val.then_some(&ready.val),
                    unit: ready.transform.unit(),
                })
            }
            Member::Learned(of) => {
                let mut features = of[&(plan, number)].clone();
                let tested = rows.len() + place.task.test.len();
                let looked_at = tested + place.val_of(plan).len();
                let scaling = study.options.scaling;
                let statistics = match by_hand || scaling != Scaling::Columns {
                    true => 0..rows.len(),
                    false => looked_at..features.rows,
                };
                let transform = Transform::fit(&features, statistics, scaling, by_hand);
                transform.apply(&mut features);
                let part =
                    |rows: std::ops::Range<usize>| features.select(&rows.collect::<Vec<usize>>());
                let (test, val) = (part(rows.len()..tested), part(tested..looked_at));
                use_them(&Features {
                    train: &part(0..rows.len()),
                    test: &test,
                    val: has_val.then_some(&val),
                    unit: transform.unit(),
                })
            }
        }
    }
}

/// Of all training rows of a part, labelled or not, the statistics; its test and validation features by them.
fn prepared(of: &Representation, study: &Study<'_>, part: usize) -> Prepared {
    let task = &study.parts[part].task;
    let ready = |by_hand: bool| {
        let scaling = study.options.scaling;
        let transform = match study.parts.len() {
            1 => {
                let train = (0..of.split.len()).filter(|&i| of.split[i] == Split::Train);
                Transform::fit(&of.features, train, scaling, by_hand)
            }
            _ => Transform::fit(&of.features, task.train.iter().copied(), scaling, by_hand),
        };
        let [test, val] = [&task.test, &task.val].map(|rows| {
            let mut features = of.features.select(rows);
            transform.apply(&mut features);
            features
        });
        Ready {
            transform,
            test,
            val,
        }
    };
    let wanted = |by_hand: bool| study.asks_for(by_hand).then(|| ready(by_hand));
    Prepared {
        scaled: wanted(false),
        as_they_are: wanted(true),
    }
}

/// Features that a contender learns on each draw, on as many threads as there are cores, the largest draws first.
fn learn(
    name: &str,
    fit: &FitOnDraw<'_>,
    draws: usize,
    study: &Study<'_>,
    progress: &mut dyn FnMut(&str),
) -> Result<HashMap<(usize, usize), Matrix>> {
    let [part] = &study.parts[..] else {
        return Err(Error::config(format!(
            "folds: {name} learns from each draw of labels, which cannot be measured in folds; leave one of both out"
        )));
    };
    let train = &part.task.train;
    let wanted = match study.options.scaling {
        Scaling::Columns => STATISTICS,
        Scaling::Auto | Scaling::Overall => 0,
    };
    let picked = spaced(train.len(), wanted);
    let statistics: Vec<usize> = picked.into_iter().map(|i| train[i]).collect();
    let mut jobs: Vec<(usize, usize)> = Vec::new();
    for (plan, drawn) in part.plans.iter().enumerate() {
        jobs.extend((0..drawn.draws.len().min(draws.max(1))).map(|number| (plan, number)));
    }
    let one = |&(plan, number): &(usize, usize)| -> Result<Matrix> {
        let rows = &part.plans[plan].draws[number];
        let others = part
            .task
            .test
            .iter()
            .chain(part.val_of(plan))
            .chain(&statistics);
        let needed: Vec<usize> = rows.iter().chain(others).copied().collect();
        let features = fit(rows, &needed, mix(&[study.options.seed, number as u64]))?;
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
    let threads = rayon::current_num_threads();
    let mut learned = HashMap::new();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let send = send.clone();
            let (next, one, jobs) = (&next, &one, &jobs);
            scope.spawn(move || {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(i) = jobs.len().checked_sub(i + 1) else {
                        return;
                    };
                    let result = one(&jobs[i]);
                    let failed = result.is_err();
                    if send.send((jobs[i], result)).is_err() || failed {
                        next.fetch_add(jobs.len(), Ordering::Relaxed);
                        return;
                    }
                }
            });
        }
        drop(send);
        for (done, (job, result)) in receive.into_iter().enumerate() {
            progress(&format!("{name}: trained {} of {}", done + 1, jobs.len()));
            learned.insert(job, result?);
        }
        Ok(learned)
    })
}
