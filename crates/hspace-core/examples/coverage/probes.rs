//! Coverage of what `measure` says: scores, pairs, savings.

use std::collections::BTreeMap;

use hspace_core::Result;
use hspace_core::auto::Auto;
use hspace_core::probe::comparison::compare;
use hspace_core::probe::savings::savings;
use hspace_core::probe::{Contender, Labels, ProbeOptions, Row, measure};
use hspace_core::representation::Representation;
use hspace_core::stats::Estimate;
use rayon::prelude::*;

use super::cell::Cell;
use super::population::{Population, Sizes, representations};

/// What is repeated.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// For the table.
    pub name: &'a str,
    pub population: &'a Population,
    pub sizes: Sizes,
    /// Labels a class; `None` is all.
    pub labels: &'a [Option<usize>],
    pub probes: &'a [&'a str],
    /// Name and noise of each source; the first is the baseline.
    pub sources: &'a [(&'a str, f64)],
    pub draws: usize,
}

fn options(setting: &Setting<'_>) -> ProbeOptions {
    ProbeOptions {
        probes: setting.probes.iter().map(|p| (*p).to_owned()).collect(),
        labels: setting
            .labels
            .iter()
            .map(|k| k.map_or(Labels::All, Labels::PerClass))
            .collect(),
        draws: Auto::Set(setting.draws),
        baseline: setting.sources[0].0.into(),
        ..ProbeOptions::default()
    }
}

fn rows(of: Vec<Representation>, options: ProbeOptions) -> Result<Vec<Row>> {
    let contenders = of.into_iter().map(Contender::Fixed).collect();
    Ok(measure(contenders, &options, "drawn", &mut |_| ())?.rows)
}

fn seed_of(repetition: u64, seed: u64) -> u64 {
    seed.wrapping_mul(1_000_003).wrapping_add(repetition)
}

/// The rows of each repetition.
pub fn repeat(setting: &Setting<'_>, repetitions: usize, seed: u64) -> Result<Vec<Vec<Row>>> {
    let one = |repetition: u64| {
        let Setting {
            population,
            sizes,
            sources,
            ..
        } = *setting;
        let made = representations(population, sizes, sources, seed_of(repetition, seed));
        let options = ProbeOptions {
            seed: repetition,
            ..options(setting)
        };
        rows(made, options)
    };
    (0..repetitions as u64).into_par_iter().map(one).collect()
}

/// Test rows that the truth of a calibration error is measured on.
const LARGE: usize = 10_000;

/// The calibration error of fits to all labels. It is one of the fits themselves, which it says to be so far from their confidence: the
/// truth is that of the same fit on 10,000 other test rows.
pub fn calibration(setting: &Setting<'_>, repetitions: usize, seed: u64) -> Result<Vec<Cell>> {
    let setting = Setting {
        labels: &[None],
        ..*setting
    };
    let Sizes { train, test, .. } = setting.sizes;
    let large = Sizes {
        test: test + LARGE,
        ..setting.sizes
    };
    let one = |repetition: u64| -> Result<[Vec<Row>; 2]> {
        let made = representations(
            setting.population,
            large,
            setting.sources,
            seed_of(repetition, seed),
        );
        let of = |tested: std::ops::Range<usize>| {
            let index: Vec<usize> = (0..train).chain(tested).collect();
            let selected = made.iter().map(|r| r.select(&index)).collect();
            rows(selected, options(&setting))
        };
        let end = train + test;
        Ok([of(train..end)?, of(end..end + LARGE)?])
    };
    let found: Vec<[Vec<Row>; 2]> = (0..repetitions as u64)
        .into_par_iter()
        .map(one)
        .collect::<Result<_>>()?;
    let mut all: BTreeMap<Key, Vec<Estimate>> = BTreeMap::new();
    for [small, large] in &found {
        for (own, truth) in small.iter().zip(large) {
            if let (Some(e), Some(truth)) = (score(own, CALIBRATION), score(truth, CALIBRATION)) {
                // As if the truth were 0.
                all.entry(key(own)).or_default().push(Estimate {
                    mean: e.mean - truth.mean,
                    low: e.low - truth.mean,
                    high: e.high - truth.mean,
                });
            }
        }
    }
    let line = |((source, probe, labels), off): (Key, Vec<Estimate>)| {
        let what = format!(
            "{}: {CALIBRATION} of {source}, {probe}, {labels}",
            setting.name
        );
        cell(what, 0.0, &off)
    };
    Ok(all.into_iter().map(line).collect())
}

const CALIBRATION: &str = "calibration_error";

fn score(row: &Row, name: &str) -> Option<Estimate> {
    row.scores.iter().find(|s| s.0 == name).map(|s| s.1)
}

type Key = (String, String, Labels);

fn key(row: &Row) -> Key {
    (row.representation.clone(), row.probe.clone(), row.labels)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    values.for_each(|x| (sum, count) = (sum + x, count + 1.0));
    sum / count
}

fn deviation(values: &[f64]) -> f64 {
    let m = mean(values.iter().copied());
    (mean(values.iter().map(|x| (x - m).powi(2)))).sqrt()
}

fn cell(what: String, truth: f64, estimates: &[Estimate]) -> Cell {
    let shown: Vec<&Estimate> = estimates.iter().filter(|e| e.has_interval()).collect();
    let means: Vec<f64> = estimates.iter().map(|e| e.mean).collect();
    let ideal = 2.0 * 1.96 * deviation(&means);
    let width = mean(shown.iter().map(|e| e.high - e.low)) / ideal;
    let holds = |e: &&&Estimate| e.low <= truth && truth <= e.high;
    Cell {
        what,
        nominal: 0.95,
        held: shown.iter().filter(holds).count(),
        of: shown.len(),
        width: (ideal > 0.0).then_some(width),
    }
}

/// The measure `name` of every source, probe and number of labels. The truth is the mean over all repetitions.
pub fn scores(setting: &Setting<'_>, found: &[Vec<Row>], name: &str) -> Vec<Cell> {
    let mut all: BTreeMap<Key, Vec<Estimate>> = BTreeMap::new();
    for row in found.iter().flatten() {
        all.entry(key(row)).or_default().extend(score(row, name));
    }
    let one = |((source, probe, labels), estimates): (Key, Vec<Estimate>)| {
        let truth = mean(estimates.iter().map(|e| e.mean));
        cell(
            format!("{}: {name} of {source}, {probe}, {labels}", setting.name),
            truth,
            &estimates,
        )
    };
    all.into_iter()
        .filter(|(_, e)| !e.is_empty())
        .map(one)
        .collect()
}

/// What pairs of the first source and `other` say at one probe and number of labels.
#[derive(Default)]
pub struct Pairs {
    /// First source less the other, in the order of the sources.
    pub differences: Vec<Estimate>,
    /// How often one is called better.
    pub seen: usize,
}

/// Pairs of the first source and each other one, each a family of its own.
pub fn pairs(setting: &Setting<'_>, found: &[Vec<Row>]) -> BTreeMap<Key, Pairs> {
    let baseline = setting.sources[0].0;
    let mut all: BTreeMap<Key, Pairs> = BTreeMap::new();
    for (other, _) in &setting.sources[1..] {
        for rows in found {
            let two = |r: &&Row| r.representation == baseline || r.representation == *other;
            let two: Vec<Row> = rows.iter().filter(two).cloned().collect();
            for c in compare(&two) {
                let e = c.difference;
                let turned = match c.a == *other {
                    true => e,
                    false => Estimate {
                        mean: -e.mean,
                        low: -e.high,
                        high: -e.low,
                    },
                };
                let own = all
                    .entry(((*other).to_owned(), c.probe, c.labels))
                    .or_default();
                own.differences.push(turned);
                own.seen += usize::from(c.seen);
            }
        }
    }
    all
}

/// Coverage of differences; and how often one is called better: of equal sources wrongly, else the power.
pub fn pair_cells(setting: &Setting<'_>, found: &[Vec<Row>]) -> Vec<Cell> {
    let noise = |name: &str| setting.sources.iter().find(|s| s.0 == name).map(|s| s.1);
    let mut cells = Vec::new();
    for ((other, probe, labels), pairs) in pairs(setting, found) {
        let truth = mean(pairs.differences.iter().map(|e| e.mean));
        let what = format!(
            "{}: {other} less {}, {probe}, {labels}",
            setting.name, setting.sources[0].0
        );
        let equal = noise(&other) == Some(setting.sources[0].1);
        let truth = if equal { 0.0 } else { truth };
        cells.push(cell(
            format!("{what} (true {truth:.3})"),
            truth,
            &pairs.differences,
        ));
        let of = pairs.differences.len();
        cells.push(match equal {
            true => Cell {
                what: format!("{what}: not called better"),
                nominal: 0.95,
                held: of - pairs.seen,
                of,
                width: None,
            },
            false => Cell {
                what: format!("{what}: difference seen (power)"),
                nominal: 0.0,
                held: pairs.seen,
                of,
                width: None,
            },
        });
    }
    cells
}

/// In how many families of all sources any pair is called better.
pub fn family_cells(setting: &Setting<'_>, found: &[Vec<Row>]) -> Vec<Cell> {
    let mut clean: BTreeMap<(String, Labels), (usize, usize)> = BTreeMap::new();
    for rows in found {
        let mut seen: BTreeMap<(String, Labels), bool> = BTreeMap::new();
        for c in compare(rows) {
            *seen.entry((c.probe, c.labels)).or_default() |= c.seen;
        }
        for (key, seen) in seen {
            let counts = clean.entry(key).or_default();
            *counts = (counts.0 + usize::from(!seen), counts.1 + 1);
        }
    }
    let line = |((probe, labels), (held, of)): ((String, Labels), (usize, usize))| Cell {
        what: format!(
            "{}: nothing called better in a family of {} equal sources, {probe}, {labels}",
            setting.name,
            setting.sources.len()
        ),
        nominal: 0.95,
        held,
        of,
        width: None,
    };
    clean.into_iter().map(line).collect()
}

/// The number of labels at which the mean curve reaches `score`; infinite beyond its ends.
fn crossing(curve: &[(f64, f64)], score: f64) -> f64 {
    if score < curve[0].1 {
        return 0.0;
    }
    for pair in curve.windows(2) {
        let [(a, low), (b, high)] = [pair[0], pair[1]];
        if (low..=high).contains(&score) {
            return (a.ln() + (score - low) / (high - low).max(1e-12) * (b.ln() - a.ln())).exp();
        }
    }
    f64::INFINITY
}

/// Savings of the other sources over the first: how often what is said is true. "No difference seen" is never wrong.
pub fn saving_cells(setting: &Setting<'_>, found: &[Vec<Row>]) -> Result<Vec<Cell>> {
    let baseline = setting.sources[0].0;
    let mut means: BTreeMap<Key, (f64, f64)> = BTreeMap::new();
    for row in found.iter().flatten() {
        let sum = means.entry(key(row)).or_default();
        let score = row.main_score().map_or(0.0, |s| s.1.mean);
        *sum = (sum.0 + score / found.len() as f64, row.labelled as f64);
    }
    let (mut cells, mut all, mut bounds) = (Vec::new(), [0, 0], [0, 0]);
    for &(other, noise) in &setting.sources[1..] {
        for probe in setting.probes {
            let of = |name: &str, rows: &[Row]| -> Vec<Row> {
                let own = |r: &&Row| r.representation == name && r.probe == *probe;
                rows.iter().filter(own).cloned().collect()
            };
            let mut curve: Vec<(f64, f64)> = means
                .iter()
                .filter(|(key, _)| key.0 == baseline && key.1 == *probe)
                .map(|(_, mean)| (mean.1, mean.0))
                .collect();
            curve.sort_by(|a, b| a.0.total_cmp(&b.0));
            // (true claims, claims with an interval or a bound, rows, no difference seen)
            let mut tally: BTreeMap<usize, [usize; 3]> = BTreeMap::new();
            for rows in found {
                let (own, base) = (of(other, rows), of(baseline, rows));
                let compared = compare(&[own.clone(), base.clone()].concat());
                let (own_rows, base_rows): (Vec<&Row>, Vec<&Row>) =
                    (own.iter().collect(), base.iter().collect());
                for s in savings(&own_rows, &base_rows, &compared, 1)? {
                    let row = own.iter().find(|r| r.labelled == s.labels);
                    let Some(row) = row else { continue };
                    let truth = match noise == setting.sources[0].1 {
                        true => s.labels as f64,
                        false => crossing(&curve, means[&key(row)].0),
                    };
                    let holds = s.at_least.is_none_or(|low| low <= 1.0001 * truth)
                        && s.at_most.is_none_or(|high| truth <= 1.0001 * high);
                    let one_sided = s.seen && s.at_least.is_some() != s.at_most.is_some();
                    let t = tally.entry(s.labels).or_default();
                    let right = !s.seen || holds;
                    *t = [
                        t[0] + usize::from(right),
                        t[1] + 1,
                        t[2] + usize::from(!s.seen),
                    ];
                    all = [all[0] + usize::from(right), all[1] + 1];
                    if one_sided {
                        bounds = [bounds[0] + usize::from(holds), bounds[1] + 1];
                    }
                }
            }
            for (labels, [held, of, none]) in tally {
                cells.push(Cell {
                    what: format!(
                        "{}: {labels} labels on {other} ({baseline}), {probe}; no difference seen in {none}",
                        setting.name
                    ),
                    nominal: 0.95,
                    held,
                    of,
                    width: None,
                });
            }
        }
    }
    for (what, [held, of]) in [("all savings", all), ("bounds among them", bounds)] {
        cells.push(Cell {
            what: format!("{}: {what}", setting.name),
            nominal: 0.95,
            held,
            of,
            width: None,
        });
    }
    Ok(cells)
}
