//! Label savings: how many labels a baseline needs for what a representation does with fewer.
//!
//! The baseline's few-label curve is its mean score at each number of labels, made monotone by isotonic regression (more
//! labels do no harm; what looks otherwise is noise), and interpolated linearly in the log of the number of labels. Where it
//! is flat, a range of labels does the same.
//!
//! A saving is reported only where the paired difference to the baseline with as many labels is seen ([`super::comparison`]);
//! else the answer is "no difference seen". Its interval holds draws of labels, test samples and, with several runs, training
//! seeds: the representation's score and the baseline's curve are resampled together 2,000 times (`Joint`), and the ends are
//! the quantiles at 2.5 and 97.5 %. Where an end lies beyond the baseline's curve, that end is open, and the other is a bound.

use super::comparison::Comparison;
use super::{HEAD, Row, Savings};
use crate::error::Result;
use crate::stats::{ALPHA, Components, Crossed, Joint, isotonic, smooth_draws};

const RESAMPLES: usize = 2000;

/// A row of a curve with its scores and their variance.
type Point<'a> = (&'a Row, &'a Crossed, Components);

/// The `rows` that have an interval, by rising labels.
fn curve<'a>(rows: &[&'a Row]) -> Vec<Point<'a>> {
    let point = |row: &&'a Row| -> Option<Point<'a>> {
        let answers = row.answers.as_ref()?;
        Some((row, answers, answers.components().ok()?))
    };
    let mut points: Vec<Point<'a>> = rows.iter().filter_map(point).collect();
    points.sort_by_key(|(row, ..)| row.labelled);
    let curve = points.iter_mut().map(|(row, _, c)| (row.labelled, c));
    smooth_draws(&mut curve.collect::<Vec<_>>());
    points
}

/// Savings of every row of `of` over the curve of `baseline`, both of one probe; rows without an interval, or that were not
/// compared with the baseline, have none.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::savings::savings;
/// use hspace_core::probe::{Contender, Labels, ProbeOptions, measure};
///
/// let contenders = vec![
///     Contender::Fixed(blobs("pixels", 0.9)),
///     Contender::Fixed(blobs("runs/a", 0.2)),
/// ];
/// let labels = [1, 5, 10, 20].map(Labels::PerClass).to_vec();
/// let options = ProbeOptions { probes: vec!["knn".into()], labels, ..ProbeOptions::default() };
/// let found = measure(contenders, &options, "animals", &mut |_| ())?;
/// let (baseline, of): (Vec<_>, Vec<_>) = found.rows.iter().partition(|r| r.representation == "pixels");
/// let savings = savings(&of, &baseline, &found.comparisons, 0)?;
/// assert!(savings.iter().any(|s| s.seen && s.at_least.is_some_and(|n| n > s.labels as f64)));
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When scores are not finite.
pub fn savings(
    of: &[&Row],
    baseline: &[&Row],
    comparisons: &[Comparison],
    seed: u64,
) -> Result<Vec<Savings>> {
    let points = curve(baseline);
    let mut found = Vec::new();
    for own in curve(of) {
        found.extend(one(&own, &points, comparisons, seed)?);
    }
    Ok(found)
}

fn one(
    (row, answers, components): &Point<'_>,
    points: &[Point<'_>],
    comparisons: &[Comparison],
    seed: u64,
) -> Result<Option<Savings>> {
    let Some(&(first, ..)) = points.first() else {
        return Ok(None);
    };
    // Of a source with its own head and of a baseline under a probe, the probe is the baseline's. Two own heads are compared in the table of every
    // probe.
    let own_heads = row.probe == HEAD && first.probe == HEAD;
    let probe = match first.is_under(&row.probe) {
        true => &row.probe,
        false => &first.probe,
    };
    let is_pair = |c: &&Comparison| {
        let names = [&c.a, &c.b];
        (own_heads || c.probe == *probe)
            && c.labels == row.labels
            && names.contains(&&row.representation)
            && names.contains(&&first.representation)
    };
    let Some(pair) = comparisons.iter().find(is_pair) else {
        return Ok(None);
    };
    let mut saving = Savings {
        representation: row.representation.clone(),
        baseline: first.representation.clone(),
        probe: pair.probe.clone(),
        labels: row.labelled,
        seen: pair.seen,
        equals: None,
        at_least: None,
        at_most: None,
    };
    let mut together: Vec<(&Crossed, &Components)> =
        points.iter().map(|(_, scores, c)| (*scores, c)).collect();
    if !pair.seen || together.iter().any(|(s, _)| s.units() != answers.units()) {
        return Ok(Some(saving));
    }
    together.push((answers, components));
    let joint = Joint::new(&together)?;
    let labels: Vec<f64> = points.iter().map(|p| (p.0.labelled as f64).ln()).collect();
    let cross = |means: &[f64]| {
        let (curve, own) = means.split_at(labels.len());
        crossing(&labels, &isotonic(curve, &vec![1.0; curve.len()]), own[0])
    };
    let sampled: Vec<[f64; 2]> = joint
        .resample(RESAMPLES, seed)
        .iter()
        .map(|m| cross(m))
        .collect();
    let quantile = |end: usize, share: f64| {
        let mut values: Vec<f64> = sampled.iter().map(|range| range[end]).collect();
        values.sort_by(f64::total_cmp);
        values[((values.len() - 1) as f64 * share).round() as usize]
    };
    // That there is a difference is known from the pair: one end is then the representation's own labels at best.
    let own = (row.labelled as f64).ln();
    let better = pair.a == row.representation;
    let (mut low, mut high) = (quantile(0, ALPHA / 2.0), quantile(1, 1.0 - ALPHA / 2.0));
    match better {
        true => (low, high) = (low.max(own), high.max(own)),
        false => (low, high) = (low.min(own), high.min(own)),
    }
    let last = labels[labels.len() - 1];
    saving.at_least = (low >= labels[0]).then(|| low.min(last).exp());
    saving.at_most = (high <= last).then(|| high.max(labels[0]).exp());
    let [start, end] = cross(joint.means());
    // The estimate is within the interval, in which the ends of a curve are open.
    let (start, end) = (start.clamp(low, high), end.clamp(low, high));
    saving.equals = (start.is_finite() && end.is_finite()).then(|| (start.exp(), end.exp()));
    Ok(Some(saving))
}

/// The first and the last log number of labels at which the rising `curve` over `labels` is `score`: −∞ below the curve's first
/// point, ∞ above its last.
fn crossing(labels: &[f64], curve: &[f64], score: f64) -> [f64; 2] {
    let last = curve.len() - 1;
    if score < curve[0] {
        return [f64::NEG_INFINITY; 2];
    }
    if score > curve[last] {
        return [f64::INFINITY; 2];
    }
    let between = |i: usize| {
        let share = (score - curve[i]) / (curve[i + 1] - curve[i]);
        labels[i] + share * (labels[i + 1] - labels[i])
    };
    // The first point that reaches the score, and the last that does not exceed it.
    let reaches = curve.partition_point(|&height| height < score);
    let within = curve.partition_point(|&height| height <= score) - 1;
    let start = if curve[reaches] > score {
        between(reaches - 1)
    } else {
        labels[reaches]
    };
    let end = if curve[within] < score {
        between(within)
    } else {
        labels[within]
    };
    [start, end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Labels;
    use crate::probe::comparison::compare;
    use crate::stats::Estimate;

    #[test]
    fn crossings_are_interpolated_in_log_labels_and_flat_stretches_are_ranges() {
        let labels = [10.0f64, 100.0, 1000.0, 10_000.0].map(f64::ln);
        let cross =
            |score| crossing(&labels, &[0.5, 0.7, 0.7, 0.8], score).map(|x| x.exp().round());
        assert_eq!(cross(0.6), [32.0, 32.0]);
        assert_eq!(cross(0.7), [100.0, 1000.0]);
        assert_eq!(cross(0.5), [10.0, 10.0]);
        assert_eq!(cross(0.8), [10_000.0, 10_000.0]);
        assert_eq!(cross(0.4), [0.0, 0.0]);
        assert_eq!(cross(0.9), [f64::INFINITY; 2]);
    }

    /// A row whose share of right answers is `accuracy`; samples that are easy are easy for all rows.
    fn row(name: &str, labels: Labels, labelled: usize, accuracy: f64) -> Row {
        let draws = if labels == Labels::All { 1 } else { 5 };
        let hash = |i: usize, d: usize| (i * 7919 + d * 104_729) % 1009;
        let right = |d: usize, i: usize| {
            let ease = 0.9 * hash(i, 0) as f64 + 0.1 * hash(i, d + labelled) as f64;
            f64::from(u8::from(ease < accuracy * 1009.0))
        };
        let scores = (0..draws)
            .map(|d| (0..1009).map(|i| right(d, i)).collect())
            .collect();
        let answers = Crossed::new(&[scores], (draws > 1).then_some(0.01));
        Row {
            representation: name.into(),
            probe: "linear".into(),
            labels,
            labelled,
            val_labels: 0,
            scores: vec![(
                "accuracy".into(),
                Estimate::without_interval(answers.mean()),
            )],
            label_scores: vec![],
            draws: answers.draw_means(),
            chosen: vec![],
            confidence: None,
            needs: None,
            answers: Some(answers),
        }
    }

    fn saved(accuracy: f64, labels: Labels, labelled: usize) -> Savings {
        let base = [
            row("pixels", Labels::PerClass(1), 10, 0.4),
            row("pixels", Labels::PerClass(10), 100, 0.6),
            row("pixels", Labels::All, 1000, 0.8),
        ];
        let own = row("a", labels, labelled, accuracy);
        let mut all = base.to_vec();
        all.push(own.clone());
        let base: Vec<&Row> = base.iter().collect();
        savings(&[&own], &base, &compare(&all), 0)
            .unwrap()
            .remove(0)
    }

    #[test]
    fn an_interval_holds_the_estimate_and_no_more_than_the_pair_allows() {
        let s = saved(0.7, Labels::PerClass(10), 100);
        let (Some((start, end)), Some(low), Some(high)) = (s.equals, s.at_least, s.at_most) else {
            panic!("{s:?}");
        };
        assert!(
            s.seen && start == end && (start / 316.0).ln().abs() < 0.3,
            "{s:?}"
        );
        assert!(
            100.0 <= low && low < start && end < high && high < 1000.0,
            "{s:?}"
        );
        let less = saved(0.5, Labels::PerClass(10), 100);
        assert!(less.at_most.is_some_and(|high| high <= 100.0), "{less:?}");
    }

    #[test]
    fn ends_beyond_the_curve_are_open() {
        let above = saved(0.9, Labels::PerClass(10), 100);
        assert_eq!((above.equals, above.at_most), (None, None));
        assert!(
            above
                .at_least
                .is_some_and(|low| (low - 1000.0).abs() < 1e-6)
        );
        let below = saved(0.3, Labels::PerClass(10), 100);
        assert_eq!((below.equals, below.at_least), (None, None));
        assert!(below.at_most.is_some_and(|high| (high - 10.0).abs() < 1e-6));
    }

    #[test]
    fn level_ones_save_nothing() {
        let level = saved(0.601, Labels::PerClass(10), 100);
        assert!(
            !level.seen && level.equals.is_none() && level.at_least.is_none(),
            "{level:?}"
        );
    }
}
