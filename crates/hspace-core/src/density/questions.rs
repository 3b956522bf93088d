//! Questions to the fits: how probable is a value of more, of less, or between?
//!
//! Intervals are 95 % intervals of the parametric bootstrap: as many values are drawn from the fit and fitted
//! again, and the percentiles are corrected for bias and acceleration (BCa: Efron & Tibshirani 1993, ch. 6.5 and 14.3; the
//! acceleration by a jackknife that leaves out up to 50 parts). Of 50 and 500 values they hold the true probability in 93 to 100 % of samples
//! (102 each). They say what a sample of this size leaves open
//! if the density is the right one, and not whether it is: compare the fits, and the share in the data, whose interval is
//! exact.
//!
//! Histogram, kernels and neighbours have no interval: they smooth, and a bootstrap shows the variance of that, not its
//! bias. Of 500 values its intervals held the true probability in 0 to 96 % of samples. Kernels so narrow that the bias is
//! negligible give the share in the data.

use std::fmt;

use rand::SeedableRng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use statrs::function::erf::erfc_inv;

use super::special::normal_cdf;
use super::{Density, Random};
use crate::random::{mix, shuffled};
use crate::stats::proportion::{self, NORMAL_95};

/// Something to ask, in units of the values.
///
/// ```
/// use hspace_core::density::questions::Question;
/// use hspace_core::density::{DENSITIES, DensityOptions};
/// use hspace_core::list::find;
///
/// let question = Question::Between(2.0, 7.0);
/// assert!(question.holds(7.0) && question.validate().is_empty());
/// let values: Vec<f64> = (0..100).map(|i| f64::from(i % 10)).collect();
/// let normal = (find("density", DENSITIES, "normal")?.fit)(&values, &DensityOptions::default())?;
/// assert!((question.probability(&*normal, false) - 0.61).abs() < 0.01);
/// # Ok::<(), String>(())
/// ```
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
        let before = |x: f64| if counts { x.ceil() - 1.0 } else { x };
        match self {
            Question::Above(x) => density.above(x),
            Question::Below(x) => density.cdf(before(x)),
            // From the side that is small, where the difference keeps its digits.
            Question::Between(a, b) => match before(a) {
                a if density.cdf(a) > 0.5 => (density.above(a) - density.above(b)).max(0.0),
                a => (density.cdf(b) - density.cdf(a)).max(0.0),
            },
        }
    }

    /// What it asks for that is no finite number; empty if it can be answered.
    pub fn validate(self) -> Vec<String> {
        let ends = match self {
            Question::Above(x) | Question::Below(x) => [x, x],
            Question::Between(a, b) => [a, b],
        };
        let wrong = ends.iter().find(|x| !x.is_finite());
        let problem = wrong.map(|x| format!("probability of {self}: {x} is no finite number"));
        problem.into_iter().collect()
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
    /// Ends of the interval.
    pub interval: Option<[f64; 2]>,
    /// Why there is none.
    #[serde(default)]
    pub no_interval: Option<String>,
}

/// A question, answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// Number of such values in the data.
    pub observed: usize,
    /// Their share, with its exact interval.
    pub share: Probability,
    /// By each of the fits, best first.
    pub fits: Vec<Probability>,
}

/// Parts of the values that the jackknife leaves out in turn, at most.
const PARTS: usize = 50;

/// The answers of one fit to all questions; `values` are those that it was fitted to.
///
/// ```
/// use hspace_core::density::questions::{Question, ask};
/// use hspace_core::density::{DENSITIES, DensityOptions};
/// use hspace_core::list::find;
///
/// let values: Vec<f64> = (0..100).map(|i| f64::from(i % 10)).collect();
/// let normal = (find("density", DENSITIES, "normal")?.fit)(&values, &DensityOptions::default())?;
/// let questions = [Question::Above(4.5)];
/// let answers = ask(&questions, "normal", &*normal, &values, false, (100, 0));
/// let [low, high] = answers[0].interval.expect("an interval");
/// assert!(low < 0.5 && 0.5 < high);
/// # Ok::<(), String>(())
/// ```
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
        let mut random = Random::seed_from_u64(mix(&[seed, 3, i as u64]));
        let drawn: Vec<f64> = values.iter().map(|_| density.draw(&mut random)).collect();
        density.refit(&drawn).ok().map(|fit| all(&*fit))
    };
    let found: Vec<Vec<f64>> = match density.free() {
        Some(_) => (0..resamples).into_par_iter().filter_map(again).collect(),
        None => Vec::new(),
    };
    let no_interval = match density.free() {
        None => Some("it smooths the data, and its bias is not known; see the share in the data"),
        _ if resamples == 0 => Some("no bootstrap was asked for"),
        _ if 2 * found.len() <= resamples => Some("most samples drawn from it could not be fitted"),
        _ => None,
    };
    let parts = PARTS.min(values.len());
    let order = shuffled(values.to_vec(), mix(&[seed, 4]));
    let without = |part: usize| {
        let kept = order.iter().enumerate().filter(|(i, _)| i % parts != part);
        let kept: Vec<f64> = kept.map(|(_, x)| *x).collect();
        density.refit(&kept).ok().map(|fit| all(&*fit))
    };
    let jackknife: Vec<Vec<f64>> = match no_interval {
        Some(_) => Vec::new(),
        None => (0..parts).into_par_iter().filter_map(without).collect(),
    };
    let of = |fits: &[Vec<f64>], q: usize| fits.iter().map(|f| f[q]).collect::<Vec<f64>>();
    let probabilities = all(density).into_iter().enumerate();
    let answer = |(q, probability)| Probability {
        name: name.to_owned(),
        probability,
        interval: match no_interval {
            Some(_) => None,
            None => {
                let accelerated = acceleration(&of(&jackknife, q));
                Some(interval(of(&found, q), probability, accelerated))
            }
        },
        no_interval: no_interval.map(String::from),
    };
    probabilities.map(answer).collect()
}

/// A sixth of the skewness of the estimates' influences, from those `without` parts of the values.
fn acceleration(without: &[f64]) -> f64 {
    let mean = without.iter().sum::<f64>() / without.len().max(1) as f64;
    let sum = |power: i32| without.iter().map(|x| (mean - x).powi(power)).sum::<f64>();
    match sum(2) > 0.0 {
        true => sum(3) / (6.0 * sum(2).powf(1.5)),
        false => 0.0,
    }
}

/// The 95 % interval of an estimate from those of the bootstrap, corrected for bias and acceleration a: where a share b of
/// them are below the estimate and w = Φ⁻¹(b), the ends are their Φ(w + (w ± 1.96) / (1 − a (w ± 1.96))) quantiles. A share p of the
/// distribution is expected below the value in place p (B + 1) of B.
///
/// Deviation: it also encloses the uncorrected percentiles. A probability that is largest near the fitted parameters, such
/// as that of a range around the mean, is above all others of the bootstrap, which is no bias.
fn interval(mut again: Vec<f64>, estimate: f64, acceleration: f64) -> [f64; 2] {
    again.sort_by(f64::total_cmp);
    let (n, half) = (again.len() as f64, 0.5 / again.len() as f64);
    let below = again.partition_point(|p| *p < estimate) as f64;
    let equal = again.partition_point(|p| *p <= estimate) as f64 - below;
    let share = ((below + 0.5 * equal) / n).clamp(half, 1.0 - half);
    // Φ⁻¹ by the complementary error function.
    let off = -std::f64::consts::SQRT_2 * erfc_inv(2.0 * share);
    let at = |z: f64| {
        let place = (normal_cdf(z) * (n + 1.0) - 1.0).clamp(0.0, n - 1.0);
        let (below, part) = (again[place.floor() as usize], place.fract());
        below + part * (again[place.ceil() as usize] - below)
    };
    let corrected = |z: f64| {
        let moved = off + z;
        // Its sign must not change.
        at(off + moved / (1.0 - acceleration * moved).max(0.1))
    };
    [
        corrected(-NORMAL_95).min(at(-NORMAL_95)),
        corrected(NORMAL_95).max(at(NORMAL_95)),
    ]
}

/// How many of the values are such, and their share with its exact interval.
///
/// ```
/// use hspace_core::density::questions::{Question, observed};
///
/// let (count, share) = observed(Question::Below(2.0), &[1.0, 2.0, 3.0, 0.5]);
/// assert_eq!((count, share.probability), (2, 0.5));
/// ```
pub fn observed(question: Question, values: &[f64]) -> (usize, Probability) {
    let count = values.iter().filter(|x| question.holds(**x)).count();
    let share = proportion::exact(count, values.len());
    let probability = Probability {
        name: "data".into(),
        probability: share.mean,
        interval: Some([share.low, share.high]),
        no_interval: None,
    };
    (count, probability)
}

#[cfg(test)]
mod tests {
    use super::super::{DensityOptions, normal, poisson, special};
    use super::*;

    #[test]
    fn far_out_a_range_is_as_probable_as_what_is_above_it() -> std::result::Result<(), String> {
        let values: Vec<f64> = (0..100).map(|i| f64::from(i % 7)).collect();
        let options = DensityOptions::default();
        for (entry, counts) in [(&normal::ENTRY, false), (&poisson::ENTRY, true)] {
            let density = (entry.fit)(&values, &options)?;
            let ask = |question: Question| question.probability(&*density, counts);
            let above = ask(Question::Above(if counts { 39.0 } else { 40.0 }));
            let between = ask(Question::Between(40.0, 4000.0));
            assert!(above > 0.0 && between == above, "{between} {above}");
            // The other end keeps its digits too.
            let below = ask(Question::Below(-30.0));
            assert_eq!(ask(Question::Between(-3000.0, -30.0)), below);
        }
        // Between whole numbers there is no count.
        let density = (poisson::ENTRY.fit)(&values, &options)?;
        let at = |k: f64| density.ln_density(k).exp();
        let found = Question::Between(6.5, 8.0).probability(&*density, true);
        assert!((found - at(7.0) - at(8.0)).abs() < 1e-15);
        let mean = special::moments(&values).0;
        let half = Question::Between(mean, mean + 1e3);
        let normal = (normal::ENTRY.fit)(&values, &options)?;
        assert!((half.probability(&*normal, false) - 0.5).abs() < 1e-15);
        Ok(())
    }

    #[test]
    fn what_is_no_number_cannot_be_asked() {
        for question in [
            Question::Above(f64::NAN),
            Question::Below(f64::INFINITY),
            Question::Between(0.0, f64::INFINITY),
        ] {
            let problems = question.validate();
            assert!(problems[0].contains("no finite number"), "{problems:?}");
        }
        assert!(Question::Between(-1.0, 2.0).validate().is_empty());
    }
}
