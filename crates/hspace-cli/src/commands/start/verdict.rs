//! What the measurement on the test samples says of what was chosen.

use hspace::Result;
use hspace::dataset::Dataset;
use hspace::probe::{Estimate, Labels, Measurements};
use hspace::representation::Representation;

use crate::commands::probe::{Added, Addition};

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
                let than = match theirs.mean > own.high.max(own.mean) {
                    true => "is better than what was chosen without test labels",
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

/// The source with the best main score with all labels, of those that are `wanted`, and the score's name; of equals the first.
pub(super) fn best(
    found: &Measurements,
    wanted: impl Fn(&str) -> bool,
) -> Option<(String, String, Estimate)> {
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

pub(super) fn with_interval(score: &Estimate) -> String {
    match score.has_interval() {
        true => format!("{:.3} ({:.3} to {:.3})", score.mean, score.low, score.high),
        false => format!("{:.3}", score.mean),
    }
}
