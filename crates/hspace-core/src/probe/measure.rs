//! Contenders × probes × numbers of labels → [`Measurements`], by one protocol for all.

use super::answer::{Scored, predict, score};
use super::conditioning::Conditioning;
use super::entry::Entry;
use super::estimates::{Sampling, estimates, needed};
use super::label_scores::LabelAnswers;
use super::member::Member;
use super::nuisance::read_off;
use super::options::ProbeOptions;
use super::task::{FEWEST, Known, Plan, Task, Truth, task_column, test_units};
use super::{
    Confusion, Contender, Geometry, LabelScore, Labels, Measurements, PROTOCOL, Reliability,
    ReliabilityBin, Row, TaskKind, cluster, geometry, linear,
};
use crate::dataset::{Role, Split};
use crate::error::{Error, Result};
use crate::matrix::spaced;
use crate::representation::Representation;
use crate::stats::{Crossed, Estimate, Range, Spread};

/// Rows that geometry and clusters look at.
const SHAPE_ROWS: usize = 5000;

/// Measures every contender on one task. Baselines are contenders like any other; chance is added
/// here. `progress` is told what is being measured.
///
/// Test labels are looked at for the final scores alone. Settings are chosen inside the labels of a draw, which
/// never holds validation rows; with all labels, by the validation rows where they have labels. No choice separates rows of
/// one group. With a numeric task the linear and kNN probes give way to ridge regression. All features are scaled alike
/// (`scaling.rs`). With `folds` every labelled sample, of whatever split, is tested once by what was learned from the other folds.
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
    let first = first_fixed(&contenders)?;
    let known = Known::of(first);
    check_names(&contenders)?;
    for r in contenders.iter().flat_map(Contender::fixed) {
        known.check(r)?;
    }
    let column = task_column(first, &options.task)?;
    let task = Task::new(column, &first.columns, &known.split)?;
    let names = |of: TaskKind| match task.kind() == of {
        true => task.names.clone(),
        false => Vec::new(),
    };
    let mut out = Measurements {
        protocol: PROTOCOL,
        code_version: env!("CARGO_PKG_VERSION").into(),
        data: data_name.into(),
        task: column.name.clone(),
        split_hash: known.split_hash(),
        labels_hash: task.hash(&first.ids),
        seed: options.seed,
        train: task.train.len(),
        val: task.val.len(),
        test: task.test.len(),
        classes: names(TaskKind::Classes),
        labels: names(TaskKind::LabelSets),
        chance: task.chance(),
        scaling: options.scaling,
        folds: options.folds,
        origins: Vec::new(),
        rows: Vec::new(),
        comparisons: Vec::new(),
        savings: Vec::new(),
        geometry: Vec::new(),
        nuisances: Vec::new(),
        confusions: Vec::new(),
        reliability: Vec::new(),
    };
    let study = Study::new(task, options)?;
    if options.folds > 1 {
        let rows = study.tasks().map(|task| task.test.len()).sum();
        (out.train, out.val, out.test) = (rows, 0, rows);
    }
    let geometry_wanted = options.probes.iter().any(|p| p == geometry::ENTRY.name);
    for contender in &contenders {
        let origin = study.run(contender, &mut out, progress)?;
        out.origins.push((contender.name().into(), origin));
        for r in contender.fixed() {
            if geometry_wanted {
                progress(&format!("{}: geometry", r.name));
                out.geometry
                    .push(shape(r, &study.parts[0].task, options.seed)?);
            }
            let wanted = [Role::Nuisance, Role::Domain];
            for column in r.columns.iter().filter(|c| wanted.contains(&c.role)) {
                progress(&format!("{}: {}", r.name, column.name));
                out.nuisances.extend(read_off(r, column, options)?);
            }
        }
    }
    progress("comparing");
    out.compare(&options.baseline)?;
    Ok(out)
}

impl Contender<'_> {
    /// How tables call it.
    pub fn name(&self) -> &str {
        match self {
            Contender::Fixed(r) => &r.name,
            Contender::Seeds { name, .. } | Contender::PerDraw { name, .. } => name,
        }
    }

    /// Its features that do not depend on labels.
    fn fixed(&self) -> &[Representation] {
        match self {
            Contender::Fixed(r) => std::slice::from_ref(r),
            Contender::Seeds { runs, .. } => runs,
            Contender::PerDraw { .. } => &[],
        }
    }
}

fn first_fixed<'a>(contenders: &'a [Contender<'_>]) -> Result<&'a Representation> {
    contenders
        .iter()
        .flat_map(Contender::fixed)
        .next()
        .ok_or_else(|| {
            Error::config(
                "there is nothing to measure; name at least one representation, such as `pixels`",
            )
        })
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
pub(super) struct Study<'a> {
    /// One, or one a fold.
    pub(super) parts: Vec<Part>,
    probes: Vec<&'static Entry>,
    pub(super) options: &'a ProbeOptions,
    /// True values of the test rows of all parts, one after the other.
    truth: Truth,
    /// Whether test samples belong together.
    grouped: bool,
    /// How the scores are sampled, but for the draws.
    sampling: Sampling,
}

/// Rows to learn from and rows to test on.
pub(super) struct Part {
    pub(super) task: Task,
    pub(super) plans: Vec<Plan>,
}

impl Part {
    /// The validation rows that decide between the settings of a plan: none but for all labels.
    pub(super) fn val_of(&self, plan: usize) -> &[usize] {
        match self.plans[plan].by_val {
            true => &self.task.val,
            false => &[],
        }
    }
}

/// The results of one probe for one plan: scores `[seeds][draws]`, and what was chosen.
#[derive(Default)]
struct Collected {
    scored: Vec<Vec<Scored>>,
    chosen: Vec<String>,
    val_labels: usize,
}

impl<'a> Study<'a> {
    fn new(task: Task, options: &'a ProbeOptions) -> Result<Study<'a>> {
        let probes = task.probes(options)?;
        let tasks = match options.folds {
            1 => vec![task],
            folds => task.folds(folds, options.seed)?,
        };
        let truth = tasks[0].truth.select(
            &tasks
                .iter()
                .flat_map(|t| t.test.clone())
                .collect::<Vec<_>>(),
        );
        let units = test_units(&tasks);
        let part = |task: Task| Part {
            plans: task.plans(options),
            task,
        };
        let mut parts: Vec<Part> = tasks.into_iter().map(part).collect();
        // What one fold has too few labels for, or draws less often, all leave out.
        let shared: Vec<(Labels, usize)> = parts[0]
            .plans
            .iter()
            .filter_map(|plan| {
                let same = parts
                    .iter()
                    .map(|p| p.plans.iter().find(|q| q.labels == plan.labels));
                let draws: Option<Vec<usize>> = same.map(|q| Some(q?.draws.len())).collect();
                Some((plan.labels, draws?.into_iter().min()?))
            })
            .collect();
        for part in &mut parts {
            part.plans
                .retain(|p| shared.iter().any(|s| s.0 == p.labels));
            let pairs = part.plans.iter_mut().zip(&shared);
            pairs.for_each(|(plan, (_, draws))| plan.draws.truncate(*draws));
        }
        if parts[0].plans.is_empty() {
            return Err(Error::config(format!(
                "labels: with {} at least {FEWEST} labelled samples in total are measured; raise them, or use `all`",
                parts[0].task.kind().text()
            )));
        }
        Ok(Study {
            probes,
            options,
            grouped: units.is_some(),
            sampling: Sampling::new(&truth, parts[0].task.names.len(), units),
            truth,
            parts,
        })
    }

    /// Whether a probe wants features as they are (`true`), or scaled.
    pub(super) fn asks_for(&self, by_hand: bool) -> bool {
        let mut probes = self.probes.iter();
        probes.any(|probe| (probe.is_fixed)(self.options) == by_hand)
    }

    fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.parts.iter().map(|part| &part.task)
    }

    /// Measures one contender by all plans and probes; returns where it came from.
    fn run(
        &self,
        contender: &Contender<'_>,
        out: &mut Measurements,
        progress: &mut dyn FnMut(&str),
    ) -> Result<String> {
        let (members, origin) = Member::of(contender, self, progress)?;
        let mut curves: Vec<Vec<(Row, Vec<Option<Crossed>>)>> = Vec::new();
        curves.resize_with(self.probes.len(), Vec::new);
        for plan in 0..self.parts[0].plans.len() {
            let mut collected: Vec<Collected> = Vec::new();
            collected.resize_with(self.probes.len(), Collected::default);
            for member in &members {
                collected.iter_mut().for_each(|c| c.scored.push(Vec::new()));
                for number in 0..member.draws(self, plan) {
                    let labelled = self.parts[0].plans[plan].draws[number].len();
                    let name = contender.name();
                    progress(&format!("{name}: {labelled} labels, draw {}", number + 1));
                    self.answer(member, plan, number, &mut collected)?;
                }
            }
            for (place, collected) in collected.into_iter().enumerate() {
                let row = self.row(contender.name(), self.probes[place], plan, collected, out);
                curves[place].extend(row);
            }
        }
        let names = self.parts[0].task.kind().scores();
        for curve in curves {
            let (mut rows, mut values): (Vec<Row>, Vec<Vec<Option<Crossed>>>) =
                curve.into_iter().unzip();
            for (s, name) in names.iter().enumerate() {
                let taken = rows.iter().zip(&mut values);
                let of: Vec<(usize, Option<Crossed>)> = taken
                    .map(|(row, own)| (row.labelled, own[s].take()))
                    .collect();
                let found = estimates(&of, name);
                for ((row, estimate), (_, crossed)) in rows.iter_mut().zip(found).zip(of) {
                    row.scores.extend(estimate.map(|e| (name.to_string(), e)));
                    if s == 0 {
                        row.answers = crossed;
                    }
                }
            }
            out.rows.extend(rows);
        }
        Ok(origin)
    }

    /// Fits every probe on one draw, in every part, and scores the answers.
    fn answer(
        &self,
        member: &Member<'_>,
        plan: usize,
        number: usize,
        collected: &mut [Collected],
    ) -> Result<()> {
        for (&probe, collected) in self.probes.iter().zip(collected) {
            let (mut values, mut chosen) = (Vec::new(), Vec::new());
            for part in 0..self.parts.len() {
                let Part { task, plans } = &self.parts[part];
                let rows = &plans[plan].draws[number];
                let by_hand = (probe.is_fixed)(self.options);
                let predicted =
                    member.with_features(self, [part, plan, number], by_hand, |features| {
                        predict(probe, task, features, rows, self.options)
                    })?;
                values.extend(predicted.values);
                if !chosen.contains(&predicted.chosen) {
                    chosen.push(predicted.chosen);
                }
                collected.val_labels = predicted.val_labels;
            }
            let scored = score(&self.truth, &values, self.parts[0].task.names.len());
            collected.chosen.push(chosen.join(" | "));
            if let Some(draws) = collected.scored.last_mut() {
                draws.push(scored);
            }
        }
        Ok(())
    }

    /// The row of one probe and plan, still without its measures, which follow by seed, draw and unit; `None` where nothing was measured.
    fn row(
        &self,
        name: &str,
        probe: &'static Entry,
        plan: usize,
        collected: Collected,
        out: &mut Measurements,
    ) -> Option<(Row, Vec<Option<Crossed>>)> {
        let Collected {
            scored,
            chosen,
            val_labels,
        } = collected;
        let task = &self.parts[0].task;
        let plans = || self.parts.iter().map(|part| &part.plans[plan]);
        let labels = plans().next()?.labels;
        scored.first()?.first()?;
        let overlaps: Option<Vec<f64>> = plans().map(|plan| plan.overlap).collect();
        let overlap = overlaps.map(|of| of.iter().sum::<f64>() / of.len() as f64);
        let sampling = self.sampling.drawn(overlap);
        if labels == Labels::All {
            if probe.name == linear::probe::ENTRY.name {
                out.confusions.extend(confusion(name, task, &scored));
            }
            out.reliability
                .extend(reliability(name, probe.name, &scored));
        }
        let measures = 0..task.kind().scores().len();
        let values: Vec<Option<Crossed>> = measures.map(|s| sampling.crossed(&scored, s)).collect();
        let main = values.first()?.as_ref();
        let unknown = main.and_then(|main| main.components().err());
        let counts: Vec<usize> = plans().flat_map(|p| p.draws.iter().map(Vec::len)).collect();
        let row = Row {
            representation: name.into(),
            probe: probe.name.into(),
            labels,
            labelled: (counts.iter().sum::<usize>() as f64 / counts.len() as f64).round() as usize,
            val_labels,
            scores: Vec::new(),
            label_scores: label_scores(task, &self.truth, &sampling, &scored),
            draws: main.map_or(Vec::new(), Crossed::draw_means),
            chosen,
            needs: unknown.map(|unknown| needed(unknown, self.grouped)),
            answers: None,
        };
        Some((row, values))
    }
}

/// The confusion matrix of all seeds together.
fn confusion(name: &str, task: &Task, scored: &[Vec<Scored>]) -> Option<Confusion> {
    let mut all = scored.iter().flatten().filter_map(|s| s.confusion.as_ref());
    let mut counts = all.next()?.clone();
    for more in all {
        let cells = counts.iter_mut().flatten().zip(more.iter().flatten());
        cells.for_each(|(sum, count)| *sum += count);
    }
    Some(Confusion {
        representation: name.into(),
        classes: task.names.clone(),
        counts,
    })
}

/// The calibration of all seeds together; shares have Wilson's interval for the test samples alone.
fn reliability(name: &str, probe: &str, scored: &[Vec<Scored>]) -> Option<Reliability> {
    let seeds = scored.len() as f64;
    let mut all = scored.iter().flatten().map(|s| &s.reliability);
    let mut sums = all.next()?.clone();
    for more in all {
        for (sum, bin) in sums.iter_mut().zip(more) {
            *sum = (sum.0 + bin.0, sum.1 + bin.1, sum.2 + bin.2);
        }
    }
    let bin = |&(confidence, right, count): &(f64, usize, usize)| {
        let n = count as f64;
        let share = right as f64 / n;
        // Of several seeds, a sample is there as often as there are seeds.
        let units = n / seeds;
        let spread = Spread {
            variance: share * (1.0 - share) / units,
            freedom: (units - 1.0).max(1.0),
            units: units.ceil() as usize,
        };
        ReliabilityBin {
            confidence: confidence / n,
            accuracy: match count > 1 {
                true => spread.interval(share, Range::Share),
                false => Estimate::without_interval(share),
            },
            count,
        }
    };
    let bins: Vec<ReliabilityBin> = sums.iter().filter(|b| b.2 > 0).map(bin).collect();
    (!bins.is_empty()).then(|| Reliability {
        representation: name.into(),
        probe: probe.into(),
        bins,
    })
}

/// The measures of each label, where a sample has several.
fn label_scores(
    task: &Task,
    truth: &Truth,
    sampling: &Sampling,
    scored: &[Vec<Scored>],
) -> Vec<LabelScore> {
    let Truth::LabelSets(sets) = truth else {
        return Vec::new();
    };
    let one = |(label, name): (usize, &String)| {
        let with = |set: &&Vec<u32>| set.contains(&(label as u32));
        let score = |place: usize, name: &str| sampling.estimate(scored, place, name);
        LabelScore {
            label: name.clone(),
            positives: sets.iter().filter(with).count(),
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
    let mut features = r.features.select(&rows);
    let train = (0..r.split.len()).filter(|&i| r.split[i] == Split::Train);
    Conditioning::fit(&r.features, train).apply(&mut features);
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
