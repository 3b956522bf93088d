//! Sources that learn from more than labels, compared with the labels alone.
//!
//! Unlabelled samples, or the weights of another training, can do harm. So a source that learns from them names the one that learns from the
//! labels alone, and where the paired difference is below 0 with the 95 % interval of that pair by itself ([`super::comparison`]), a sentence says so. It is a question that was asked before
//! anything was measured; corrected for all pairs of a table of twenty sources, even .36 next to .71 would not be seen with three draws. Of forty such sentences one is wrong on average.

use serde::{Deserialize, Serialize};

use super::{Comparison, Estimate, HEAD, Labels, Measurements, Row, linear, probes_of};
use crate::text::short;

/// What a source would be without what it learns from besides labels.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, Draw, Labels, LabelsAlone, ProbeOptions, measure};
///
/// let guessing = Contender::PerDraw {
///     name: "guessing".into(),
///     samples: Box::new(blobs("samples", 0.2)),
///     origin: "guessing".into(),
///     draws: 3,
///     labels_alone: Some(LabelsAlone::of_features("runs/a")),
///     answer: Box::new(|draw: &Draw<'_>| Ok(vec![1.0 / 3.0; 3 * draw.test.len()])),
/// };
/// let contenders = vec![Contender::Fixed(blobs("runs/a", 0.2)), guessing];
/// let options = ProbeOptions { labels: vec![Labels::PerClass(5)], ..ProbeOptions::default() };
/// let found = measure(contenders, &options, "animals", &mut |_| ())?;
/// let harm = &found.worse_than_labels_alone()[0];
/// assert!(harm.starts_with("guessing is worse than the linear probe on runs/a at 5 labels a class: −."));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelsAlone {
    /// Name of the source that learns from the same labels alone.
    pub baseline: String,
    /// The probe that answers for it; `None` where it answers with its own head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// What is learned from besides, in the plural, such as `the unlabelled samples`.
    pub besides: String,
}

impl LabelsAlone {
    /// Of a method that learns from the features of the source `name`, also those of samples without a label: the linear probe on them.
    pub fn of_features(name: &str) -> LabelsAlone {
        LabelsAlone {
            baseline: name.to_owned(),
            probe: Some(linear::probe::ENTRY.name.to_owned()),
            besides: "the unlabelled samples".to_owned(),
        }
    }

    /// The baseline in words.
    fn text(&self) -> String {
        match &self.probe {
            None => self.baseline.clone(),
            Some(probe) => format!("the {probe} probe on {}", self.baseline),
        }
    }

    /// Whether it is what `row` is about.
    fn is(&self, row: &Row) -> bool {
        let probe = self.probe.as_deref().unwrap_or(HEAD);
        row.representation == self.baseline && row.probe == probe
    }
}

impl Measurements {
    /// Where a source that learns from more than labels is seen to be worse than the labels alone with as many of them, a sentence each, by source and
    /// rising labels.
    pub fn worse_than_labels_alone(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (source, alone) in &self.labels_alone {
            let own = self.rows.iter().filter(|r| r.representation == *source);
            let mut labels: Vec<Labels> = own.map(|row| row.labels).collect();
            labels.sort_unstable();
            labels.dedup();
            for labels in labels {
                let Some(pair) = self.pair(source, alone, labels) else {
                    continue;
                };
                // Measurements of earlier versions have the corrected interval alone.
                let difference = pair.by_itself.unwrap_or(pair.difference);
                if difference.low > 0.0 && pair.a == alone.baseline {
                    found.push(self.harm(source, alone, labels, difference));
                }
            }
        }
        found
    }

    /// Which sources that learn from more than labels could not be compared with the labels alone, because those were not measured, a sentence each.
    pub fn without_labels_alone(&self) -> Vec<String> {
        let is_measured = |name: &str| self.rows.iter().any(|r| r.representation == name);
        let is_left_out = |name: &str| self.left_out.iter().any(|text| text.starts_with(name));
        let missing = self.labels_alone.iter().filter(|(source, alone)| {
            let is_there = self.rows.iter().any(|row| alone.is(row));
            is_measured(source) && !is_there && !is_left_out(&alone.baseline)
        });
        let text = |(source, alone): &(String, LabelsAlone)| {
            format!(
                "{source} is not compared with the labels alone: {} is not measured",
                alone.text()
            )
        };
        missing.map(text).collect()
    }

    /// Both, for a table: warnings and notes, and a blank line after them; nothing where nothing is to be said.
    pub(super) fn labels_alone_lines(&self) -> Vec<String> {
        let harm = self.worse_than_labels_alone().into_iter();
        let harm = harm.map(|text| format!("warning: {text}"));
        let missing = self.without_labels_alone().into_iter();
        let missing = missing.map(|text| format!("note: {text}"));
        let mut lines: Vec<String> = harm.chain(missing).collect();
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines
    }

    /// The comparison of a source with the labels alone.
    fn pair(&self, source: &str, alone: &LabelsAlone, labels: Labels) -> Option<&Comparison> {
        // Two that answer with their own heads are in the table of every probe.
        let first = *probes_of(&self.rows).first()?;
        let probe = alone.probe.as_deref().unwrap_or(first);
        let names = [source, alone.baseline.as_str()];
        self.comparisons.iter().find(|c| {
            c.probe == probe
                && c.labels == labels
                && names.contains(&c.a.as_str())
                && names.contains(&c.b.as_str())
        })
    }

    fn harm(&self, source: &str, alone: &LabelsAlone, labels: Labels, d: Estimate) -> String {
        let at = match labels {
            Labels::All => format!("with all {}s", self.label_or_mask()),
            Labels::PerClass(k) => format!("at {k} {}", self.per()),
        };
        let than = alone.text();
        format!(
            "{source} is worse than {than} {at}: −{} (−{} to −{}): here {} do harm",
            short(d.mean),
            short(d.high),
            short(d.low),
            alone.besides
        )
    }
}

#[cfg(test)]
mod tests;
