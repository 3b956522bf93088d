//! How far the probability of an answer says whether it is right.

use serde::{Deserialize, Serialize};

/// Whether a source is as sure as it is right. Values of several answers are means over draws of labels and training seeds.
///
/// ```
/// use hspace_core::probe::Confidence;
///
/// // Four answers, .75 sure on average; of the surer half one is wrong.
/// let found = Confidence::of([(0.9, true), (0.6, true), (0.8, false), (0.7, false)]).expect("answers");
/// assert_eq!(found.confident_error, 0.5);
/// assert!((found.overconfidence - 0.25).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// Error, 0..=1, of the half of the samples whose answers are most probable: of those that are answered if the others are referred to a human.
    pub confident_error: f64,
    /// Mean probability of the answers less the accuracy, −1..=1; above 0 where the source is too sure.
    pub overconfidence: f64,
}

impl Confidence {
    /// Of one source's answers to all test samples: the probability of each, and whether it is right. `None` of none.
    pub fn of(answers: impl IntoIterator<Item = (f64, bool)>) -> Option<Confidence> {
        let mut answers: Vec<(f64, bool)> = answers.into_iter().collect();
        answers.sort_by(|a, b| b.0.total_cmp(&a.0));
        let right = |of: &[(f64, bool)]| {
            let count = of.iter().filter(|answer| answer.1).count();
            count as f64 / of.len() as f64
        };
        let half = &answers[..answers.len().div_ceil(2)];
        let sure = answers.iter().map(|answer| answer.0).sum::<f64>() / answers.len() as f64;
        (!answers.is_empty()).then(|| Confidence {
            confident_error: 1.0 - right(half),
            overconfidence: sure - right(&answers),
        })
    }

    /// The mean of several; `None` of none.
    pub(crate) fn mean(all: &[Confidence]) -> Option<Confidence> {
        let mean = |of: fn(&Confidence) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
        (!all.is_empty()).then(|| Confidence {
            confident_error: mean(|c| c.confident_error),
            overconfidence: mean(|c| c.overconfidence),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surer_half_is_the_larger_one_of_an_odd_number() {
        let found = Confidence::of([(0.5, true), (0.9, true), (0.7, false)]).unwrap();
        assert_eq!(found.confident_error, 0.5);
        assert_eq!(Confidence::of([]), None);
    }

    #[test]
    fn several_answers_count_alike() {
        let of = |confident_error, overconfidence| Confidence {
            confident_error,
            overconfidence,
        };
        assert_eq!(
            Confidence::mean(&[of(0.5, 0.25), of(0.0, -0.25)]),
            Some(of(0.25, 0.0))
        );
        assert_eq!(Confidence::mean(&[]), None);
    }
}
