//! Does what was learned on other data help with a task? What a source does with some labels of the task, compared with learning from those labels
//! alone: by label savings where a difference is seen ([`super::savings`]).

use serde::{Deserialize, Serialize};

use super::savings::savings;
use super::{Comparison, Estimate, HEAD, Labels, Measurements, Row, Savings, probes_of};
use crate::error::Result;
use crate::text::{aligned_left, short};

/// The number of labels that a sentence is about, chosen before anything is measured.
const FEW: Labels = Labels::PerClass(10);

/// Whether a source is better than the labels alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It is seen to be better.
    Helps,
    /// It is seen to be worse.
    Hurts,
    /// No difference is seen.
    NoDifference,
    /// There is no interval, so nothing is known.
    Unknown,
}

/// What one source does with one number of labels, compared with the labels alone.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, Effect, Labels, ProbeOptions, Transfer, measure};
///
/// let contenders = vec![
///     Contender::Fixed(blobs("runs/a", 0.2)),
///     Contender::Fixed(blobs("pixels", 0.9)),
/// ];
/// let options = ProbeOptions { labels: [5, 10].map(Labels::PerClass).to_vec(), ..ProbeOptions::default() };
/// let found = measure(contenders, &options, "animals", &mut |_| ())?;
/// let transfer = Transfer::of(&found, "runs/a", "pixels")?;
/// assert!(transfer.len() == 2 && transfer[1].effect == Effect::Helps);
/// let text = Transfer::sentence(&transfer, &found);
/// assert!(text.starts_with("On animals, the linear probe on runs/a helps: 30 labels do what "));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// Name of the source that was measured: features, or a method that begins with weights, such as `finetune:runs/a`.
    pub source: String,
    /// The probe; [`HEAD`] where the source answers with its own head.
    pub probe: String,
    /// Name of what learns from the labels alone.
    pub baseline: String,
    /// Labels both were given.
    pub labels: Labels,
    /// Number of labelled samples that is.
    pub labelled: usize,
    /// Which one is better.
    pub effect: Effect,
    /// The main measure of the source less that of the baseline; `None` where no interval is known.
    pub difference: Option<Estimate>,
    /// Labels that the baseline needs for the same, where a difference is seen.
    pub savings: Option<Savings>,
}

impl Transfer {
    /// What `source` does compared with `baseline` at each number of labels, ascending, by the first probe; empty where it was not measured.
    ///
    /// # Errors
    /// When scores are not finite.
    pub fn of(found: &Measurements, source: &str, baseline: &str) -> Result<Vec<Transfer>> {
        let Some(&probe) = probes_of(&found.rows).first() else {
            return Ok(Vec::new());
        };
        let rows = |name: &str| -> Vec<&Row> {
            let own = found.rows.iter();
            let mut own: Vec<&Row> = own
                .filter(|row| row.representation == name && row.is_under(probe))
                .collect();
            own.sort_by_key(|row| row.labels);
            own
        };
        let own = rows(source);
        let saved = savings(&own, &rows(baseline), &found.comparisons, found.seed)?;
        let one = |row: &&Row| {
            let pair = found.comparisons.iter().find(|c| {
                let names = [c.a.as_str(), c.b.as_str()];
                (c.probe.as_str(), c.labels) == (probe, row.labels)
                    && names.contains(&source)
                    && names.contains(&baseline)
            });
            let is_better = |pair: &Comparison| pair.a == source;
            Transfer {
                source: source.to_owned(),
                probe: row.probe.clone(),
                baseline: baseline.to_owned(),
                labels: row.labels,
                labelled: row.labelled,
                effect: match pair {
                    None => Effect::Unknown,
                    Some(pair) if !pair.seen => Effect::NoDifference,
                    Some(pair) if is_better(pair) => Effect::Helps,
                    Some(_) => Effect::Hurts,
                },
                difference: pair.map(|pair| match is_better(pair) {
                    true => pair.difference,
                    false => negative(pair.difference),
                }),
                savings: saved
                    .iter()
                    .find(|s| s.labels == row.labelled && s.seen)
                    .cloned(),
            }
        };
        Ok(own.iter().map(one).collect())
    }

    /// What was measured, in words.
    fn what(&self) -> String {
        match self.probe.as_str() {
            HEAD => self.source.clone(),
            probe => format!("the {probe} probe on {}", self.source),
        }
    }

    /// `helps: 40 labels do what 130 (95 % interval 90 to 210) do on supervised:cnn`; `shows no difference to supervised:cnn with 40 labels: +.012 (95 %
    /// interval −.020 to +.044)`.
    fn verdict(&self) -> String {
        let (n, baseline) = (self.labelled, &self.baseline);
        let difference = self.difference.map_or(String::new(), |d| {
            let [mean, low, high] = [d.mean, d.low, d.high].map(signed);
            format!("{mean} (95 % interval {low} to {high})")
        });
        let verb = match self.effect {
            Effect::Helps => "helps",
            Effect::Hurts => "hurts",
            Effect::NoDifference => {
                return format!("shows no difference to {baseline} with {n} labels: {difference}");
            }
            Effect::Unknown => {
                return format!(
                    "is not compared with {baseline} with {n} labels: no interval is known"
                );
            }
        };
        let savings = self.savings.as_ref();
        match savings.and_then(|s| s.amount(&|n| format!("{n:.0}"))) {
            Some(amount) => format!("{verb}: {n} labels do what {amount} do on {baseline}"),
            None => format!("{verb}: {difference} to {baseline} with {n} labels"),
        }
    }

    /// One sentence on all of `of`, which are on the task of `found`: each source at 10 labels a class, or where that was not measured at the fewest.
    pub fn sentence(of: &[Transfer], found: &Measurements) -> String {
        let mut texts: Vec<String> = Vec::new();
        for (place, first) in of.iter().enumerate() {
            if of[..place].iter().any(|known| known.source == first.source) {
                continue;
            }
            let own = || of.iter().filter(|t| t.source == first.source);
            let few = own().find(|t| t.labels == FEW);
            let Some(chosen) = few.or_else(|| own().min_by_key(|t| t.labels)) else {
                continue;
            };
            texts.push(format!("{} {}", chosen.what(), chosen.verdict()));
        }
        match texts.is_empty() {
            true => String::new(),
            false => format!("On {}, {}", found.data, texts.join("; ")),
        }
    }

    /// A line for each source and number of labels.
    pub fn table(of: &[Transfer]) -> String {
        let line = |t: &Transfer| vec![t.what(), t.labels.to_string(), t.verdict()];
        aligned_left(&of.iter().map(line).collect::<Vec<_>>())
    }
}

fn negative(e: Estimate) -> Estimate {
    Estimate {
        mean: -e.mean,
        low: -e.high,
        high: -e.low,
    }
}

/// With its sign: `+.034`, `−.012`.
fn signed(value: f64) -> String {
    let sign = if value < 0.0 { '−' } else { '+' };
    format!("{sign}{}", short(value.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auto::Auto;
    use crate::probe::tests::{data, nearest, short as options};
    use crate::probe::{Contender, ProbeOptions, measure};

    /// Features whose labels are harder to tell, by more the larger `noise`.
    fn noisy(name: &str, noise: f32) -> Contender<'static> {
        let mut r = data(name);
        for (i, x) in r.features.data.iter_mut().enumerate() {
            *x += noise * (((i * 31) % 17) as f32 / 17.0 - 0.5);
        }
        Contender::Fixed(r)
    }

    fn measured() -> Result<Measurements> {
        let contenders = vec![
            noisy("clear", 0.0),
            noisy("unclear", 60.0),
            nearest("supervised", 10, &|| Ok(())),
            nearest("again", 10, &|| Ok(())),
        ];
        let options = ProbeOptions {
            probes: vec!["linear".into(), "knn".into()],
            draws: Auto::Set(10),
            ..options()
        };
        measure(contenders, &options, "test", &mut |_| ())
    }

    #[test]
    fn a_worse_source_hurts_and_an_equal_one_shows_no_difference() -> Result<()> {
        let found = measured()?;
        let hurts = Transfer::of(&found, "unclear", "supervised")?;
        assert_eq!(hurts.len(), 3);
        let ten = hurts.iter().find(|t| t.labels == FEW).expect("10 labels");
        assert_eq!(ten.effect, Effect::Hurts);
        assert!(
            ten.difference
                .is_some_and(|d| d.high < 0.0 && d.low < d.mean)
        );
        assert!(
            ten.savings
                .as_ref()
                .is_some_and(|s| s.at_most.is_some_and(|most| most <= 30.0))
        );
        let text = Transfer::sentence(&hurts, &found);
        assert!(
            text.starts_with("On test, the linear probe on unclear hurts: 30 labels do what "),
            "{text}"
        );
        // Both answer alike, with their own heads.
        let same = Transfer::of(&found, "again", "supervised")?;
        assert!(
            same.iter()
                .all(|t| t.effect == Effect::NoDifference && t.savings.is_none())
        );
        let text = Transfer::sentence(&same, &found);
        assert!(
            text.starts_with(
                "On test, again shows no difference to supervised with 30 labels: +.000 (95 % interval −.0"
            ),
            "{text}"
        );
        let both = [same, hurts].concat();
        assert!(Transfer::sentence(&both, &found).contains("; the linear probe on unclear hurts"));
        assert_eq!(Transfer::table(&both).lines().count(), 6);
        assert!(Transfer::of(&found, "nobody", "supervised")?.is_empty());
        Ok(())
    }

    /// Savings between two that answer with their own heads are known, once, whatever probes others have.
    #[test]
    fn own_heads_save_labels_over_one_another() -> Result<()> {
        let found = measured()?;
        let rows = |name: &str| -> Vec<&Row> {
            found
                .rows
                .iter()
                .filter(|r| r.representation == name)
                .collect()
        };
        let saved = savings(&rows("again"), &rows("supervised"), &found.comparisons, 0)?;
        assert_eq!(saved.len(), 3);
        let mut joined = found.clone();
        joined.compare("supervised")?;
        let of_heads = joined
            .savings
            .iter()
            .filter(|s| s.representation == "again");
        assert_eq!(of_heads.count(), 3);
        Ok(())
    }

    #[test]
    fn without_an_interval_nothing_is_known() -> Result<()> {
        let contenders = vec![noisy("clear", 0.0), nearest("supervised", 1, &|| Ok(()))];
        let found = measure(contenders, &options(), "test", &mut |_| ())?;
        let all = Transfer::of(&found, "clear", "supervised")?;
        assert_eq!(all[0].effect, Effect::Unknown);
        let text = Transfer::table(&all);
        assert!(text.contains("no interval is known"), "{text}");
        Ok(())
    }
}
