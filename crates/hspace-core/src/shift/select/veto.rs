//! A few labels from away, which may refuse what was chosen without them, and choose nothing.

use serde::{Deserialize, Serialize};

use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::stats::ALPHA;
use crate::stats::sign_test::sign_test;

/// What a few labels from away say of the source that was chosen without them: it is refused where, of the samples on which it and the source that learns at home
/// alone differ, it is wrong more often than chance explains (p < .05 of the one-sided exact sign test).
///
/// ```
/// use hspace_core::shift::Veto;
///
/// let veto = Veto { source: "dann:cnn".into(), labels: 10, worse: 6, better: 0 };
/// assert!(veto.is_refused() && veto.p() < 0.02);
/// assert!(!Veto { worse: 3, better: 1, ..veto }.is_refused());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Veto {
    /// The source that was chosen without labels from away.
    pub source: String,
    /// Labels from away that were looked at.
    pub labels: usize,
    /// Samples on which it is wrong more often than the source that learns at home alone.
    pub worse: usize,
    /// Samples on which it is right more often.
    pub better: usize,
}

impl Veto {
    /// Compares how often each sample is answered right, 0..=1, by the chosen source and by the one that learns at home alone.
    pub(super) fn new(source: &str, chosen: &[f64], alone: &[f64]) -> Veto {
        let pairs = || chosen.iter().zip(alone);
        Veto {
            source: source.to_owned(),
            labels: chosen.len(),
            worse: pairs().filter(|(own, alone)| own < alone).count(),
            better: pairs().filter(|(own, alone)| own > alone).count(),
        }
    }

    /// How likely so many samples speak against the source if it is as good as the one that learns at home alone, 0..=1.
    pub fn p(&self) -> f64 {
        sign_test(self.worse, self.better)
    }

    /// Whether the source is refused.
    pub fn is_refused(&self) -> bool {
        self.p() < ALPHA
    }

    /// In one sentence.
    pub(crate) fn text(&self) -> String {
        format!(
            "{} labels from away: {} is worse than what learns at home alone on {} of them, and better on {} (p {:.3}), so it is {}",
            self.labels,
            self.source,
            self.worse,
            self.better,
            self.p(),
            if self.is_refused() {
                "refused"
            } else {
                "not refused"
            }
        )
    }
}

/// So many labelled training rows away, by a hash of their ids: the same ones whatever is compared.
///
/// # Errors
/// When there are fewer.
pub(super) fn labelled_rows(
    count: usize,
    away: &str,
    is_away: &[bool],
    labels: &[Option<u32>],
    (ids, split): (&[String], &[Split]),
) -> Result<Vec<usize>> {
    let is = |row: &usize| is_away[*row] && labels[*row].is_some() && split[*row] == Split::Train;
    let mut rows: Vec<usize> = (0..ids.len()).filter(is).collect();
    if rows.len() < count {
        return Err(Error::data(format!(
            "--target-labels {count}: {away} has {} labelled training samples; ask for fewer, or leave it out",
            rows.len()
        )));
    }
    rows.sort_by_cached_key(|&row| {
        *blake3::hash(format!("veto {}", ids[row]).as_bytes()).as_bytes()
    });
    rows.truncate(count);
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_labels_refuse_what_is_clearly_worse_and_nothing_else() {
        let alone = [1.0; 10];
        let mut chosen = [1.0; 10];
        chosen[..4].fill(0.0);
        // 1/16 by chance.
        assert!(!Veto::new("dann", &chosen, &alone).is_refused());
        chosen[4] = 0.5;
        let veto = Veto::new("dann", &chosen, &alone);
        assert_eq!((veto.worse, veto.better), (5, 0));
        assert!(veto.is_refused() && veto.text().ends_with("refused"));
        // What is better is never refused.
        assert!(!Veto::new("dann", &alone, &chosen).is_refused());
    }

    #[test]
    fn rows_are_labelled_training_rows_away_and_too_few_are_refused() {
        let ids: Vec<String> = (0..8).map(|i| i.to_string()).collect();
        let is_away: Vec<bool> = (0..8).map(|i| i >= 2).collect();
        let mut labels = vec![Some(0); 8];
        labels[3] = None;
        let mut split = vec![Split::Train; 8];
        split[4] = Split::Test;
        let of = |count| labelled_rows(count, "b", &is_away, &labels, (&ids, &split));
        let mut four = of(4).unwrap();
        assert_eq!(four[..2], of(2).unwrap());
        four.sort_unstable();
        assert_eq!(four, [2, 5, 6, 7]);
        let error = of(5).unwrap_err().to_string();
        assert!(error.contains("--target-labels 5: b has 4"), "{error}");
    }
}
