//! From measurements between domains to drops, ceilings and gaps.

use super::between::{Between, Group};
use super::{Pair, Reliability, ShiftRow};
use crate::error::Result;
use crate::probe::{Estimate, Limits, Measurements, Row};
use crate::stats::{ALPHA, Components, Crossed, Joint, Range};

/// Resamples of a share of a gap.
const RESAMPLES: usize = 4000;

/// The rows of one pair of domains, and the name of their measure.
pub(super) fn rows(
    between: &mut Between<'_>,
    pair: &Pair,
    limits: &mut Limits<'_>,
    progress: &mut dyn FnMut(&str),
) -> Result<(String, Vec<ShiftRow>)> {
    let (home, away) = (&pair.home[..], [pair.away]);
    let plain = between.of(Group::Plain, [home, &[], &away], limits, progress)?;
    let adapted = between.of(Group::Adapting, [home, &away, &away], limits, progress)?;
    let mut ask = |group, domains| between.if_possible(group, domains, limits, progress);
    let at_home = ask(Group::Plain, [home, &[], home])?;
    let ceilings = ask(Group::Plain, [&away, &[], &away])?;
    let adapted_home = ask(Group::Adapting, [home, &away, home])?;
    let names = between.domains;
    let mut found = Vec::new();
    let mut measure = String::new();
    for (own, own_home, adapts) in [(&plain, &at_home, false), (&adapted, &adapted_home, true)] {
        let Some(own) = own else { continue };
        for row in &own.rows {
            let Some((name, score)) = row.main_score() else {
                continue;
            };
            measure.clone_from(name);
            let reference = between.reference(&row.representation);
            let reference_row = reference.and_then(|name| same(plain.as_ref()?, row, name));
            let of_ceiling = match adapts {
                true => reference,
                false => Some(row.representation.as_str()),
            };
            let ceiling = of_ceiling.and_then(|name| same(ceilings.as_ref()?, row, name));
            let home_row = own_home
                .as_ref()
                .and_then(|m| same(m, row, &row.representation));
            // A gap is between the reference and what the reference reaches with labels there.
            let reference_ceiling = reference.and_then(|name| same(ceilings.as_ref()?, row, name));
            let balanced = row.scores.iter().find(|s| s.0 == "balanced_accuracy");
            found.push(ShiftRow {
                source: row.representation.clone(),
                probe: row.probe.clone(),
                labels: row.labels,
                adapts,
                home: names.named(home),
                away: names.named(&away).concat(),
                tested: own.test,
                at_home: home_row.and_then(Row::main_score).map(|s| s.1),
                score: *score,
                balanced: balanced.map(|s| s.1),
                drop: home_row.and_then(|home| drop(home, row)),
                ceiling: ceiling.and_then(Row::main_score).map(|s| s.1),
                gain: reference_row.and_then(|reference| gain(row, reference)),
                closed: match (reference_row, reference_ceiling) {
                    (Some(low), Some(high)) => closed(row, low, high)?,
                    _ => None,
                },
                calibration_at_home: home_row.and_then(calibration),
                calibration: calibration(row),
            });
        }
    }
    Ok((measure, found))
}

/// The row of the source `name` under the probe and with the labels of `like`. A source that answers with its own head is found by its own.
fn same<'m>(found: &'m Measurements, like: &Row, name: &str) -> Option<&'m Row> {
    let own = |row: &&Row| row.representation == name && row.labels == like.labels;
    let mut rows = found.rows.iter().filter(own);
    let first = rows.clone().next();
    rows.find(|row| row.probe == like.probe).or(first)
}

/// How far the probabilities of a row's answers say whether they are right.
fn calibration(row: &Row) -> Option<Reliability> {
    let error = row.scores.iter().find(|s| s.0 == "calibration_error")?.1;
    let confidence = row.confidence?;
    Some(Reliability { error, confidence })
}

/// At home less away, on the test samples of two domains, which are not paired: from the intervals of both (Zou & Donner 2008, equation 2), which of
/// shares are Wilson's and have a width where all answers are right too.
fn drop(home: &Row, away: &Row) -> Option<Estimate> {
    let (home, away) = (home.main_score()?.1, away.main_score()?.1);
    let mean = home.mean - away.mean;
    if !(home.has_interval() && away.has_interval()) {
        return Some(Estimate::without_interval(mean));
    }
    Some(Estimate {
        mean,
        low: mean - (home.mean - home.low).hypot(away.high - away.mean),
        high: mean + (home.high - home.mean).hypot(away.mean - away.low),
    })
}

/// The score less that of the reference, on the same test samples.
fn gain(row: &Row, reference: &Row) -> Option<Estimate> {
    let (own, other) = (row.answers.as_ref()?, reference.answers.as_ref()?);
    let (mean, components) = own.minus(other);
    Some(match components {
        Ok(components) => components.spread().interval(mean, Range::Any),
        Err(_) => Estimate::without_interval(mean),
    })
}

/// The share of the gap between `low` and `high` that `row` closes, with the quantiles of resamples; `None` where the gap may be none.
fn closed(row: &Row, low: &Row, high: &Row) -> Result<Option<Estimate>> {
    let of = |row: &'_ Row| -> Option<(Crossed, Components)> {
        let scores = row.answers.clone()?;
        let components = scores.components().ok()?;
        Some((scores, components))
    };
    let (Some(own), Some(low), Some(high)) = (of(row), of(low), of(high)) else {
        return Ok(None);
    };
    let joint = Joint::new(&[(&own.0, &own.1), (&low.0, &low.1), (&high.0, &high.1)])?;
    // Labels of the other domain are drawn on their own.
    let joint = joint.with_own_draws(2, &high.1);
    let mut shares = Vec::with_capacity(RESAMPLES);
    let mut none = 0;
    for means in joint.resample(RESAMPLES, 0) {
        let gap = means[2] - means[1];
        none += usize::from(gap <= 0.0);
        shares.push((means[0] - means[1]) / gap);
    }
    if none as f64 > 0.5 * ALPHA * RESAMPLES as f64 {
        return Ok(None);
    }
    shares.sort_by(f64::total_cmp);
    let at = |share: f64| shares[((RESAMPLES - 1) as f64 * share).round() as usize];
    let [own, low, high] = [own, low, high].map(|of| of.0.mean());
    Ok(Some(Estimate {
        mean: (own - low) / (high - low),
        low: at(0.5 * ALPHA),
        high: at(1.0 - 0.5 * ALPHA),
    }))
}
