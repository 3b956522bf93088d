//! What is chosen by the folds, and what the measurement on the test samples says of it.

use hspace::Result;
use hspace::dataset::Dataset;
use hspace::probe::{Comparison, Estimate, Labels, Measurements};
use hspace::representation::Representation;

use crate::commands::probe::{Added, Addition};

/// Half of a 95 % interval in standard errors.
const NORMAL: f64 = 1.96;

/// What was chosen, and how it is measured.
pub(super) struct Verdict<'a> {
    pub(super) chosen: &'a str,
    pub(super) why: &'a str,
    pub(super) measured_as: &'a str,
}

impl Addition for Verdict<'_> {
    fn check(&self, _: &Dataset, _: Option<&str>) -> Result<()> {
        Ok(())
    }

    fn add(&mut self, found: &Measurements, _: &[Representation]) -> Result<Added> {
        let own = best(found, |name| name == self.measured_as);
        let other = best(found, |name| name != self.measured_as);
        let headline = own.map(|(_, score, own)| {
            let Verdict { chosen, why, .. } = self;
            let mut text = format!(
                "{chosen} ({why}): {} {} on {} test samples",
                score.replace('_', " "),
                with_interval(&own),
                found.test
            );
            if let Some((name, _, theirs)) = other {
                let is_seen = found.comparisons.iter().any(|c| {
                    c.seen && c.labels == Labels::All && c.a == name && c.b == self.measured_as
                });
                let than = match is_seen {
                    true => "is seen to be better than what was chosen without test labels",
                    false => "is the best of the others",
                };
                text += &format!("; {name} {than}, with {}", with_interval(&theirs));
            }
            text
        });
        Ok(Added {
            headline,
            ..Added::default()
        })
    }
}

/// What the folds choose: `default`, or the best of those that are ahead of it by more than one standard error of the difference (the rule of Breiman et al. 1984, section
/// 3.4.3): of a hundred answers the best of six candidates is mostly the luckiest. With its score, and why; `None` where nothing was measured.
pub(super) fn choose(found: &Measurements, default: &str) -> Option<(String, String)> {
    let folds = found.folds;
    let Some((_, _, own)) = best(found, |name| name == default) else {
        let (name, _, score) = best(found, |_| true)?;
        let why = format!(
            "the best of what was measured in {folds} folds of the training samples, {}",
            with_interval(&score)
        );
        return Some((name, why));
    };
    let lead = |name: &str| -> Option<f64> {
        let of = |c: &&Comparison| c.labels == Labels::All && c.a == name && c.b == default;
        let pair = found.comparisons.iter().find(of)?.by_itself?;
        let standard_error = (pair.high - pair.low) / (2.0 * NORMAL);
        (pair.mean > standard_error).then_some(pair.mean)
    };
    Some(match best(found, |name| lead(name).is_some()) {
        Some((name, _, score)) => {
            let why = format!(
                "{} in {folds} folds of the training samples, ahead of {default} by more than a standard error",
                with_interval(&score)
            );
            (name, why)
        }
        None => {
            let why = format!(
                "{} in {folds} folds of the training samples, where no other candidate is ahead by more than a standard error",
                with_interval(&own)
            );
            (default.to_owned(), why)
        }
    })
}

/// The source with the best main score with all labels, of those that are `wanted`, and the score's name; of equals the first.
fn best(found: &Measurements, wanted: impl Fn(&str) -> bool) -> Option<(String, String, Estimate)> {
    let rows = found.rows.iter();
    let rows = rows.filter(|row| row.labels == Labels::All && wanted(&row.representation));
    let scored = rows.filter_map(|row| {
        let (name, score) = row.main_score()?;
        Some((row.representation.clone(), name.clone(), *score))
    });
    scored.reduce(|best, next| match next.2.mean > best.2.mean {
        true => next,
        false => best,
    })
}

fn with_interval(score: &Estimate) -> String {
    match score.has_interval() {
        true => format!("{:.3} ({:.3} to {:.3})", score.mean, score.low, score.high),
        false => format!("{:.3}", score.mean),
    }
}
