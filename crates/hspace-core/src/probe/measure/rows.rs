//! The answers of a source → its rows of the results.

use super::Study;
use crate::dataset::Split;
use crate::error::Result;
use crate::kmeans::kmeans;
use crate::matrix::spaced;
use crate::probe::answer::ProbeAnswer;
use crate::probe::conditioning::Conditioning;
use crate::probe::estimates::{Sampling, estimates, needed};
use crate::probe::label_scores::LabelAnswers;
use crate::probe::task::{Task, Truth};
use crate::probe::{
    Confidence, Confusion, Geometry, HEAD, LabelScore, Labels, Measurements, Reliability,
    ReliabilityBin, Row, cluster, geometry, linear,
};
use crate::representation::Representation;
use crate::stats::{Crossed, Estimate, Range, Spread};

/// Rows that geometry and clusters look at.
const SHAPE_ROWS: usize = 5000;

/// A row, still without its measures, which follow by seed, draw and unit.
type Unfinished = (Row, Vec<Option<Crossed>>);

/// The rows of one source and probe: `cells` are its answers by plan, seed and draw. Plans without answers have none.
pub(super) fn of_probe(
    study: &Study<'_>,
    name: &str,
    probe: &str,
    cells: &[Vec<Vec<&ProbeAnswer>>],
    out: &mut Measurements,
) {
    let one = |(plan, cells): (usize, &Vec<Vec<&ProbeAnswer>>)| {
        unfinished(study, name, probe, plan, cells, out)
    };
    let curve: Vec<Unfinished> = cells.iter().enumerate().filter_map(one).collect();
    let (mut rows, mut values): (Vec<Row>, Vec<Vec<Option<Crossed>>>) = curve.into_iter().unzip();
    for (s, name) in study.parts[0].task.kind().scores().iter().enumerate() {
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

/// The row of one plan, from the answers `cells` by seed and draw; `None` without any.
fn unfinished(
    study: &Study<'_>,
    name: &str,
    probe: &str,
    plan: usize,
    cells: &[Vec<&ProbeAnswer>],
    out: &mut Measurements,
) -> Option<Unfinished> {
    let task = &study.parts[0].task;
    let plans = || study.parts.iter().map(|part| &part.plans[plan]);
    let labels = plans().next()?.labels;
    cells.first()?.first()?;
    let overlaps: Option<Vec<f64>> = plans().map(|plan| plan.overlap).collect();
    let overlap = overlaps.map(|of| of.iter().sum::<f64>() / of.len() as f64);
    let sampling = study.sampling.drawn(overlap);
    if labels == Labels::All {
        if [linear::probe::ENTRY.name, HEAD].contains(&probe) {
            out.confusions.extend(confusion(name, task, cells));
        }
        out.reliability.extend(reliability(name, probe, cells));
    }
    let measures = 0..task.kind().scores().len();
    let values: Vec<Option<Crossed>> = measures.map(|s| measured(&sampling, cells, s)).collect();
    let main = values.first()?.as_ref();
    let unknown = main.and_then(|main| main.components().err());
    let counts: Vec<usize> = plans().flat_map(|p| p.draws.iter().map(Vec::len)).collect();
    let answers = || cells.iter().flatten();
    let row = Row {
        representation: name.into(),
        probe: probe.into(),
        labels,
        labelled: (counts.iter().sum::<usize>() as f64 / counts.len() as f64).round() as usize,
        val_labels: answers().map(|answer| answer.val_labels).max()?,
        scores: Vec::new(),
        confidence: answers()
            .map(|answer| answer.confidence)
            .collect::<Option<Vec<_>>>()
            .and_then(|all| Confidence::mean(&all)),
        label_scores: label_scores(task, &study.truth, &sampling, cells),
        draws: main.map_or(Vec::new(), Crossed::draw_means),
        chosen: answers().map(|answer| answer.chosen.clone()).collect(),
        needs: unknown.map(|unknown| needed(unknown, study.grouped)),
        answers: None,
    };
    Some((row, values))
}

/// Measure number `s` of answers `[seeds][draws]`, by seed, draw and test unit; `None` where it is undefined in any.
fn measured(sampling: &Sampling, cells: &[Vec<&ProbeAnswer>], s: usize) -> Option<Crossed> {
    let of_seed = |draws: &Vec<&'_ ProbeAnswer>| -> Option<Vec<Crossed>> {
        draws
            .iter()
            .map(|answer| answer.scores[s].clone())
            .collect()
    };
    sampling.crossed(&cells.iter().map(of_seed).collect::<Option<Vec<_>>>()?, s)
}

/// The confusion matrix of all seeds together.
fn confusion(name: &str, task: &Task, cells: &[Vec<&ProbeAnswer>]) -> Option<Confusion> {
    let mut all = cells.iter().flatten().filter_map(|s| s.confusion.as_ref());
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
fn reliability(name: &str, probe: &str, cells: &[Vec<&ProbeAnswer>]) -> Option<Reliability> {
    let seeds = cells.len() as f64;
    let mut all = cells.iter().flatten().map(|s| &s.reliability);
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
    cells: &[Vec<&ProbeAnswer>],
) -> Vec<LabelScore> {
    let Truth::LabelSets(sets) = truth else {
        return Vec::new();
    };
    let one = |(label, name): (usize, &String)| {
        let with = |set: &&Vec<u32>| set.contains(&(label as u32));
        let score =
            |place: usize, name: &str| estimates(&[(0, measured(sampling, cells, place))], name)[0];
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
pub(super) fn shape(r: &Representation, task: &Task, seed: u64) -> Result<Geometry> {
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
    let agreement = labels
        .and_then(|labels| cluster::agreement(&kmeans(&features, task.names.len(), seed), labels));
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
