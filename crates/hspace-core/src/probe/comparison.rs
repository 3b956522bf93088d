//! Pairs of representations: is one better?
//!
//! The difference of the main measure is taken on the same draws of labels and the same test samples, so that what both
//! have in common cancels. The pairs of one probe and one number of labels are a family, tested with Holm's correction: the
//! probability that any of its claims is wrong is at most 5 %. The interval of a pair has the coverage that its test
//! was held to, at least 95 %, and excludes 0 just where one of both is better.

use serde::{Deserialize, Serialize};

use super::{Labels, Row, probes_of};
use crate::stats::{ALPHA, Components, Estimate, Range, Spread, Step, holm, smooth_draws};

/// Two representations under one probe with the same labels.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, Labels, ProbeOptions, measure};
///
/// let contenders = vec![
///     Contender::Fixed(blobs("pixels", 0.9)),
///     Contender::Fixed(blobs("runs/a", 0.2)),
/// ];
/// let options = ProbeOptions { labels: vec![Labels::PerClass(5)], ..ProbeOptions::default() };
/// let pair = &measure(contenders, &options, "animals", &mut |_| ())?.comparisons[0];
/// assert!(pair.seen && pair.a == "runs/a" && pair.difference.low > 0.0);
/// assert!(pair.verdict().starts_with("better by"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Name of the one representation: of the better one, where there is one.
    pub a: String,
    /// Name of the other.
    pub b: String,
    /// The probe.
    pub probe: String,
    /// Labels both were given.
    pub labels: Labels,
    /// The main measure of `a` less that of `b`. Its interval covers at least 95 %, see Holm's correction.
    pub difference: Estimate,
    /// The same with the 95 % interval of this pair by itself, for a question that was asked before all pairs were: whether a method is worse than the labels alone.
    /// `None` of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_itself: Option<Estimate>,
    /// p-value of no difference, corrected for the pairs of the family.
    pub p: f64,
    /// Whether a difference is seen, at 5 % for the family.
    pub seen: bool,
}

impl Comparison {
    /// `better by .034 (.012 to .056)`, or `no difference seen (at most .021)`.
    pub fn verdict(&self) -> String {
        let Estimate { mean, low, high } = self.difference;
        let short = crate::text::short;
        match self.seen {
            true => format!(
                "better by {} ({} to {})",
                short(mean),
                short(low),
                short(high)
            ),
            false => format!("no difference seen (at most {})", short(high.max(-low))),
        }
    }
}

/// Two rows under one probe with the same labels, their difference, and its variance; the first is the better one.
struct Pair<'a> {
    probe: &'a str,
    a: &'a Row,
    b: &'a Row,
    difference: f64,
    spread: Spread,
}

/// All pairs of `rows`, family by family in the order of the rows. Rows without scores of test samples and pairs of which no interval is
/// known are left out.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::comparison::compare;
/// use hspace_core::probe::{Contender, Labels, ProbeOptions, measure};
///
/// let contenders = ["a", "b", "c"].map(|name| Contender::Fixed(blobs(name, 0.5)));
/// let labels = vec![Labels::PerClass(5)];
/// let options = ProbeOptions { probes: vec!["knn".into()], labels, ..ProbeOptions::default() };
/// let found = measure(contenders.into(), &options, "animals", &mut |_| ())?;
/// let pairs = compare(&found.rows);
/// // Equal features: three pairs, and no difference.
/// assert!(pairs.len() == 3 && pairs.iter().all(|pair| !pair.seen));
/// # Ok::<(), hspace_core::Error>(())
/// ```
pub fn compare(rows: &[Row]) -> Vec<Comparison> {
    let mut families: Vec<(&str, Labels)> = Vec::new();
    let mut curves: Vec<(&str, &str)> = Vec::new();
    let probes = probes_of(rows);
    for row in rows {
        for probe in probes.iter().filter(|probe| row.is_under(probe)) {
            let (family, curve) = ((*probe, row.labels), (*probe, &*row.representation));
            if !families.contains(&family) {
                families.push(family);
            }
            if !curves.contains(&curve) {
                curves.push(curve);
            }
        }
    }
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    for (i, &(probe, a)) in curves.iter().enumerate() {
        for &(other_probe, b) in &curves[i + 1..] {
            if probe == other_probe {
                pairs.extend(along_curves(rows, probe, a, b));
            }
        }
    }
    let family = |(probe, labels): (&str, Labels)| {
        let own = |pair: &&Pair<'_>| pair.probe == probe && pair.a.labels == labels;
        of_family(&pairs.iter().filter(own).collect::<Vec<_>>())
    };
    families.into_iter().flat_map(family).collect()
}

/// The pairs of two representations under one probe, by rising labels.
fn along_curves<'a>(rows: &'a [Row], probe: &'a str, a: &str, b: &str) -> Vec<Pair<'a>> {
    let of = |name: &str| {
        let own = rows
            .iter()
            .filter(|r| r.is_under(probe) && r.representation == name);
        own.collect::<Vec<&Row>>()
    };
    let others = of(b);
    let mut found: Vec<(&Row, &Row, f64, Components)> = Vec::new();
    for a in of(a) {
        if let Some(b) = others.iter().find(|b| b.labels == a.labels)
            && let Some((difference, components)) = difference(a, b)
        {
            found.push((a, b, difference, components));
        }
    }
    found.sort_by_key(|(a, ..)| a.labelled);
    let curve = found.iter_mut().map(|(a, _, _, c)| (a.labelled, c));
    smooth_draws(&mut curve.collect::<Vec<_>>());
    let pair = |(a, b, difference, components): (&'a Row, &'a Row, f64, Components)| {
        let (a, b) = if difference < 0.0 { (b, a) } else { (a, b) };
        Pair {
            probe,
            a,
            b,
            difference: difference.abs(),
            spread: components.spread(),
        }
    };
    found.into_iter().map(pair).collect()
}

fn of_family(pairs: &[&Pair<'_>]) -> Vec<Comparison> {
    let p: Vec<f64> = pairs
        .iter()
        .map(|pair| pair.spread.p_value(pair.difference))
        .collect();
    let compared = |(pair, step): (&&Pair<'_>, Step)| {
        let with = |level: f64| {
            let half = pair.spread.quantile(level) * pair.spread.variance.sqrt();
            Estimate {
                mean: pair.difference,
                low: pair.difference - half,
                high: pair.difference + half,
            }
        };
        Comparison {
            a: pair.a.representation.clone(),
            b: pair.b.representation.clone(),
            probe: pair.probe.to_owned(),
            labels: pair.a.labels,
            difference: with(step.level),
            by_itself: Some(with(ALPHA)),
            p: step.adjusted,
            seen: step.adjusted <= ALPHA,
        }
    };
    pairs.iter().zip(holm(&p)).map(compared).collect()
}

/// The difference of two rows with its components of variance; `None` where that is not known.
fn difference(a: &Row, b: &Row) -> Option<(f64, Components)> {
    let (own, other) = (a.answers.as_ref()?, b.answers.as_ref()?);
    if own.units() != other.units() {
        return None;
    }
    let (difference, components) = own.minus(other);
    let mut components = components.ok()?;
    if a.range() == Some(Range::Share) {
        // One more sample for each side, of which the other is wrong (Agresti & Min 2005): with a handful of
        // discordant samples their variance is too small.
        components.widen(2.0 / (own.units() as f64).powi(2));
    }
    Some((difference, components))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::mix;
    use crate::stats::Crossed;

    fn row(name: &str, right: impl Fn(usize, usize) -> bool) -> Row {
        let draw = |d: usize| (0..400).map(|i| f64::from(u8::from(right(d, i)))).collect();
        let answers = Crossed::new(&[(0..6).map(draw).collect()], Some(0.01));
        let accuracy = Estimate::without_interval(answers.mean());
        Row {
            representation: name.into(),
            probe: "linear".into(),
            labels: Labels::PerClass(10),
            labelled: 20,
            val_labels: 0,
            scores: vec![("accuracy".into(), accuracy)],
            label_scores: vec![],
            draws: answers.draw_means(),
            chosen: vec![],
            confidence: None,
            needs: None,
            answers: Some(answers),
        }
    }

    /// Hard samples are wrong in every row, which no comparison of means would see through.
    fn rows() -> Vec<Row> {
        let hash = |i: usize, salt: usize| mix(&[i as u64, salt as u64]) % 1009;
        let base = move |d: usize, i: usize| hash(i, 1) < 700 && hash(i + 31 * d, 2) < 900;
        let better = move |d: usize, i: usize| base(d, i) || hash(i + 17 * d, 3) < 200;
        let level = move |d: usize, i: usize| base(d, i) ^ (hash(i + 7 * d, 4) < 20);
        vec![
            row("base", base),
            row("better", better),
            row("level", level),
        ]
    }

    #[test]
    fn the_better_one_is_named_and_level_ones_are_not() {
        let found = compare(&rows());
        let seen: Vec<(&str, &str, bool)> = found.iter().map(|c| (&*c.a, &*c.b, c.seen)).collect();
        assert_eq!(found.len(), 3);
        assert!(seen.contains(&("better", "base", true)), "{seen:?}");
        assert!(seen.contains(&("better", "level", true)), "{seen:?}");
        for c in &found {
            assert_eq!(c.seen, c.difference.low > 0.0, "{c:?}");
            // By itself a pair is held to less than all of them together.
            let alone = c.by_itself.unwrap();
            assert!(
                alone.low >= c.difference.low && alone.mean == c.difference.mean,
                "{c:?}"
            );
            let verdict = c.verdict();
            assert!(verdict.starts_with(if c.seen {
                "better by ."
            } else {
                "no difference seen (at most ."
            }));
        }
    }

    #[test]
    fn the_same_answers_show_no_difference() {
        let mut two = vec![rows().remove(0), rows().remove(0)];
        two[1].representation = "again".into();
        let found = compare(&two);
        assert_eq!((found.len(), found[0].seen, found[0].p), (1, false, 1.0));
        two[1].labels = Labels::All;
        assert!(compare(&two).is_empty());
        two[1].labels = two[0].labels;
        two[1].answers = None;
        assert!(compare(&two).is_empty());
    }
}
