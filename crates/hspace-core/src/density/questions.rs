//! Questions to the fits: how probable is a value of more, of less, or between?
//!
//! Intervals are 95 % percentile intervals of the bootstrap: the values are drawn anew with replacement
//! and fitted again (Efron & Tibshirani 1993, ch. 13). They say what the sample leaves open, not whether
//! the density is the right one: compare the fits, and the share in the data with Wilson's (1927)
//! interval.

use std::fmt;

use rand::{RngExt, SeedableRng};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::histogram::quantile;
use super::{Density, Random};
use crate::probe::few_labels::mix;

/// Something to ask, in units of the values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// More than this.
    Above(f64),
    /// Less than this.
    Below(f64),
    /// From the first to the second, both included.
    Between(f64, f64),
}

impl Question {
    /// Its probability.
    pub fn probability(self, density: &dyn Density, counts: bool) -> f64 {
        // A count below x is at most the whole number before it.
        let below = |x: f64| density.cdf(if counts { x.ceil() - 1.0 } else { x });
        match self {
            Question::Above(x) => density.above(x),
            Question::Below(x) => below(x),
            Question::Between(a, b) => (density.cdf(b) - below(a)).max(0.0),
        }
    }

    /// Whether `x` is such a value.
    pub fn holds(self, x: f64) -> bool {
        match self {
            Question::Above(a) => x > a,
            Question::Below(a) => x < a,
            Question::Between(a, b) => (a..=b).contains(&x),
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Question::Above(x) => write!(f, "more than {x}"),
            Question::Below(x) => write!(f, "less than {x}"),
            Question::Between(a, b) => write!(f, "{a} to {b}"),
        }
    }
}

/// A probability with its 95 % interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probability {
    /// Name of the fit.
    pub name: String,
    /// In 0..=1.
    pub probability: f64,
    /// Ends of the interval; `None` where there was no bootstrap, or most resamples had no fit.
    pub interval: Option<[f64; 2]>,
}

/// A question, answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// Number of such values in the data.
    pub observed: usize,
    /// Their share, with Wilson's interval.
    pub share: Probability,
    /// By each of the fits, best first.
    pub fits: Vec<Probability>,
}

/// The answers of one fit to all questions.
pub fn ask(
    questions: &[Question],
    name: &str,
    density: &dyn Density,
    values: &[f64],
    counts: bool,
    (resamples, seed): (usize, u64),
) -> Vec<Probability> {
    if questions.is_empty() {
        return Vec::new();
    }
    let all = |density: &dyn Density| -> Vec<f64> {
        let each = questions.iter();
        each.map(|q| q.probability(density, counts)).collect()
    };
    let again = |i: usize| {
        // The same draws for every fit.
        let mut random = Random::seed_from_u64(mix(&[seed, 3, i as u64]));
        let n = values.len();
        let drawn: Vec<f64> = (0..n).map(|_| values[random.random_range(0..n)]).collect();
        density.refit(&drawn).ok().map(|fit| all(&*fit))
    };
    let found: Vec<Vec<f64>> = (0..resamples).into_par_iter().filter_map(again).collect();
    let interval = |q: usize| {
        let mut sorted: Vec<f64> = found.iter().map(|f| f[q]).collect();
        sorted.sort_by(f64::total_cmp);
        let enough = 2 * sorted.len() > resamples && !sorted.is_empty();
        enough.then(|| [quantile(&sorted, 0.025), quantile(&sorted, 0.975)])
    };
    let probabilities = all(density).into_iter().enumerate();
    let answer = |(q, probability)| Probability {
        name: name.to_owned(),
        probability,
        interval: interval(q),
    };
    probabilities.map(answer).collect()
}

/// How many of the values are such, and their share with Wilson's interval.
pub fn observed(question: Question, values: &[f64]) -> (usize, Probability) {
    let count = values.iter().filter(|x| question.holds(**x)).count();
    let (n, z) = (values.len() as f64, 1.959_963_984_540_054);
    let share = count as f64 / n;
    let centre = share + z * z / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    let interval = [(centre - half) / scale, (centre + half) / scale];
    let probability = Probability {
        name: "data".into(),
        probability: share,
        interval: Some(interval.map(|p| p.clamp(0.0, 1.0))),
    };
    (count, probability)
}
