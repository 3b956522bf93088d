//! All candidates on one column: fitted, held out, tested, ranked, asked.
//!
//! The ranking is by held-out log-likelihood: the values are dealt into folds, each fold gets the
//! densities fitted to the others, and the mean over all values counts, in nats a value. It needs no
//! number of parameters, so kernel densities can be compared with normal ones. AIC = 2p − 2 ln L and
//! BIC = p ln n − 2 ln L, with p fitted parameters, are given where p is fixed.
//!
//! A count's probability and a density are different things: the likelihood of the one has no unit, that
//! of the other 1/unit of x. Of counts the masses are ranked, and densities stand apart.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::column::Column;
use super::drawing::{Drawing, drawing};
use super::goodness::goodness;
use super::histogram::quantile;
use super::questions::{Answer, Question, ask, observed};
use super::ranking::rank;
use super::special::{constant, moments};
use super::{DENSITIES, Density, DensityOptions, Entry, Kind, Random, Support};
use crate::error::{Error, Result, valid};
use crate::random::mix;
use crate::stats::mean_gap::MeanGap;

/// One fitted density.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Name from the list.
    pub name: String,
    /// What was fitted, by name.
    pub parameters: Vec<(String, f64)>,
    /// Number of fitted parameters; `None` where it grows with the data.
    pub free: Option<usize>,
    /// Log-likelihood of all values, in nats.
    pub log_likelihood: f64,
    /// Akaike's criterion; lower is better.
    pub aic: Option<f64>,
    /// Schwarz's criterion; lower is better.
    pub bic: Option<f64>,
    /// Mean held-out log-likelihood, in nats a value; `None` where some fold had no fit, or gave a
    /// held-out value no density at all.
    pub held_out: Option<f64>,
    /// Why a fold had no fit.
    #[serde(default)]
    pub not_held_out: Option<String>,
    /// How much less that is than the best one's; `None` for the best one.
    pub behind: Option<MeanGap>,
    /// Whether the held-out values show no difference between it and the best one; false for the best one.
    pub no_difference: bool,
    /// Held-out values that had no density: −∞.
    pub impossible: usize,
    /// Kolmogorov's distance.
    pub distance: f64,
    /// Its p-value by parametric bootstrap; `None` where that cannot be.
    pub p: Option<f64>,
    /// Why there is none.
    #[serde(default)]
    pub untested: Option<String>,
    /// Density (or mass) where it is drawn.
    pub curve: Vec<f64>,
    /// Probability up to there.
    pub cdf: Vec<f64>,
}

/// What the values are like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Smallest.
    pub least: f64,
    /// Half are below.
    pub median: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation (÷ n).
    pub std: f64,
    /// Largest.
    pub greatest: f64,
}

/// A candidate that is not listed, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unfit {
    /// Name from the list.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl Unfit {
    /// The error when there is no fit at all, with every reason.
    pub(super) fn all(data: &str, unfit: &[Unfit]) -> Error {
        let reasons = unfit
            .iter()
            .map(|u| format!("\n  - {}: {}", u.name, u.reason));
        Error::data(format!(
            "{data}: no density could be fitted{}",
            reasons.collect::<String>()
        ))
    }
}

/// Why a density whose fit equals one that is listed is not listed too.
pub(super) fn equals(simpler: &str) -> String {
    format!("its best fit is the {simpler} density")
}

/// Everything found about one column. Written as JSON, read by the report.
///
/// ```
/// use hspace_core::density::column::Column;
/// use hspace_core::density::{DensityOptions, fit::fit};
///
/// let values = (1..200).map(|i| -(f64::from(i) / 200.0).ln()).collect();
/// let waits = Column { name: "minutes".into(), values, missing: 0 };
/// let candidates = ["normal", "exponential"].map(String::from).to_vec();
/// let options = DensityOptions { candidates, resamples: 0, ..DensityOptions::default() };
/// let fits = fit(&waits, "waits.csv", &[], &options, &mut |_| ())?;
/// assert_eq!(fits.fits[0].name, "exponential");
/// assert!(fits.headline().contains("exponential") && fits.table().contains("normal"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnFits {
    /// hspace's version.
    pub code_version: String,
    /// The file.
    pub data: String,
    /// The column.
    pub column: String,
    /// Number of values.
    pub count: usize,
    /// Rows without a value.
    pub missing: usize,
    /// `Counts` or `Continuous`.
    pub kind: Kind,
    /// What the values are like.
    pub summary: Summary,
    /// Of measurements: a value that is there far more often than any other, and how often.
    #[serde(default)]
    pub spike: Option<(f64, usize)>,
    /// Folds of the held-out likelihood; 0 where there were too few values.
    pub folds: usize,
    /// Bootstrap resamples.
    pub resamples: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// The fits, best first.
    pub fits: Vec<Fit>,
    /// Of counts: densities, best first. Their likelihoods are comparable with each other alone.
    pub apart: Vec<Fit>,
    /// What could not be fitted.
    pub unfit: Vec<Unfit>,
    /// Answers to the questions.
    pub answers: Vec<Answer>,
    /// The data as they are drawn.
    pub drawing: Drawing,
}

/// A fit, and what it is still needed for.
pub(super) struct Made {
    pub(super) fit: Fit,
    pub(super) density: Box<dyn Density>,
    /// Held-out log-likelihood of each value.
    pub(super) held_out: Vec<f64>,
}

/// Fits, ranks, tests and asks. `data` is the file's name; `progress` is called with what is being done.
///
/// ```
/// use hspace_core::density::column::Column;
/// use hspace_core::density::questions::Question;
/// use hspace_core::density::{DensityOptions, fit::fit};
///
/// // Visits a day.
/// let values = (0..200).map(|i| f64::from(i * 7 % 5)).collect();
/// let visits = Column { name: "visits".into(), values, missing: 0 };
/// let options = DensityOptions { resamples: 0, ..DensityOptions::default() };
/// let fits = fit(&visits, "visits.csv", &[Question::Above(3.0)], &options, &mut |_| ())?;
/// assert!(fits.fits.iter().any(|fit| fit.name == "poisson"));
/// assert_eq!(fits.answers[0].observed, 40);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// Options that cannot be, fewer than two values, or values that no candidate can be fitted to: every
/// reason is given.
pub fn fit(
    column: &Column,
    data: &str,
    questions: &[Question],
    options: &DensityOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<ColumnFits> {
    valid(options.validate())?;
    valid(questions.iter().flat_map(|q| q.validate()).collect())?;
    let values = &column.values;
    let name = format!("{data}, column `{}`", column.name);
    if values.len() < 2 {
        return Err(Error::data(format!(
            "{name}: {} value{} and {} missing; a density needs at least 2 values",
            values.len(),
            if values.len() == 1 { "" } else { "s" },
            column.missing
        )));
    }
    let counts = counts(values, options).map_err(|e| Error::data(format!("{name}: {e}")))?;
    let mut sorted = values.clone();
    sorted.sort_by(f64::total_cmp);
    let (least, greatest) = (sorted[0], sorted[sorted.len() - 1]);
    if !(greatest - least).is_finite() {
        return Err(Error::data(format!(
            "{name}: {least:e} to {greatest:e} is farther than a number can be large; divide the values by a constant"
        )));
    }
    let drawing = drawing(&sorted, counts);
    let folds = options.folds.min(values.len() / 2);
    let folds = if folds < 2 { 0 } else { folds };
    let (mut made, mut unfit) = (Vec::<Made>::new(), Vec::new());
    for entry in candidates(values, counts, options) {
        progress(&format!("fitting {}", entry.name));
        let listed: Vec<&str> = made.iter().map(|m| m.fit.name.as_str()).collect();
        match one(entry, &listed, &sorted, counts, folds, &drawing, options) {
            Ok(found) => made.push(found),
            Err(reason) => unfit.push(Unfit {
                name: entry.name.into(),
                reason,
            }),
        }
    }
    if made.is_empty() {
        return Err(Unfit::all(&name, &unfit));
    }
    let is_mass = |made: &Made| {
        let entry = DENSITIES.iter().find(|e| e.name == made.fit.name);
        entry.is_some_and(|e| e.support == Support::Counts)
    };
    let (mut first, mut apart): (Vec<Made>, Vec<Made>) =
        made.into_iter().partition(|m| is_mass(m) == counts);
    rank(&mut first);
    rank(&mut apart);
    let mut answers: Vec<Answer> = Vec::new();
    for question in questions {
        let (observed, share) = observed(*question, values);
        answers.push(Answer {
            question: *question,
            observed,
            share,
            fits: Vec::new(),
        });
    }
    for made in first.iter().chain(&apart) {
        progress(&format!("asking {}", made.fit.name));
        let bootstrap = (options.resamples, options.seed);
        let own = counts && is_mass(made);
        let found = ask(
            questions,
            &made.fit.name,
            &*made.density,
            values,
            own,
            bootstrap,
        );
        for (answer, probability) in answers.iter_mut().zip(found) {
            answer.fits.push(probability);
        }
    }
    let (mean, variance) = moments(values);
    Ok(ColumnFits {
        code_version: env!("CARGO_PKG_VERSION").into(),
        data: data.into(),
        column: column.name.clone(),
        count: values.len(),
        missing: column.missing,
        kind: if counts {
            Kind::Counts
        } else {
            Kind::Continuous
        },
        summary: Summary {
            least,
            median: quantile(&sorted, 0.5),
            mean,
            std: variance.sqrt(),
            greatest,
        },
        spike: spike(&sorted).filter(|_| !counts),
        folds,
        resamples: options.resamples,
        seed: options.seed,
        fits: first.into_iter().map(|m| m.fit).collect(),
        apart: apart.into_iter().map(|m| m.fit).collect(),
        unfit,
        answers,
        drawing,
    })
}

/// A value that makes up at least a fiftieth of `sorted`, at least ten times and more than five times as
/// often as any other.
fn spike(sorted: &[f64]) -> Option<(f64, usize)> {
    let runs = sorted.chunk_by(|a, b| a == b);
    let mut runs: Vec<(f64, usize)> = runs.map(|run| (run[0], run.len())).collect();
    runs.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let (&[most], rest) = runs.split_first_chunk()?;
    let next = rest.first()?.1;
    let often = most.1 >= 10 && 50 * most.1 >= sorted.len();
    (often && most.1 > 5 * next).then_some(most)
}

/// Whether the values are counts.
fn counts(values: &[f64], options: &DensityOptions) -> std::result::Result<bool, String> {
    let problem = Support::Counts.problem(values);
    let asked = |entry: &&Entry| options.candidates.iter().any(|c| c == entry.name);
    // Only densities asked for: then they are what is ranked.
    let densities_alone = !options.candidates.is_empty()
        && !DENSITIES
            .iter()
            .filter(asked)
            .any(|e| e.support == Support::Counts);
    match (options.kind, problem) {
        (Kind::Counts, Some(problem)) => Err(format!("counts: {problem}")),
        (Kind::Continuous, _) => Ok(false),
        (_, problem) => Ok(problem.is_none() && !densities_alone),
    }
}

/// Those asked for; or else all whose support holds the values, masses for counts alone.
fn candidates(
    values: &[f64],
    counts: bool,
    options: &DensityOptions,
) -> impl Iterator<Item = &'static Entry> {
    let fits = move |entry: &&Entry| {
        if options.candidates.is_empty() {
            let mass = entry.support == Support::Counts;
            (counts || !mass) && entry.support.problem(values).is_none()
        } else {
            options.candidates.iter().any(|c| c == entry.name)
        }
    };
    DENSITIES.iter().filter(fits)
}

/// Fits `entry`, or the simpler density that its fit equals unless that is `listed`.
fn one(
    entry: &Entry,
    listed: &[&str],
    sorted: &[f64],
    counts: bool,
    folds: usize,
    drawing: &Drawing,
    options: &DensityOptions,
) -> std::result::Result<Made, String> {
    if let Some(problem) = entry.support.problem(sorted) {
        return Err(problem);
    }
    if entry.support == Support::Counts && !counts {
        return Err(
            "gives probabilities to whole numbers; these values are taken as measurements".into(),
        );
    }
    let (mut entry, mut density) = (entry, (entry.fit)(sorted, options)?);
    if let Some(simpler) = density.reduces_to() {
        if listed.contains(&simpler) {
            return Err(equals(simpler));
        }
        if let Some(of) = DENSITIES.iter().find(|e| e.name == simpler) {
            (entry, density) = (of, (of.fit)(sorted, options)?);
        }
    }
    let (held_out, not_held_out) = match held_out(entry, &*density, sorted, folds, options) {
        Ok(each) => (each, None),
        Err(reason) => (vec![], Some(reason)),
    };
    let tested = goodness(
        sorted,
        &*density,
        entry.support,
        options.resamples,
        options.seed,
    );
    let each: Vec<f64> = sorted.par_iter().map(|x| density.ln_density(*x)).collect();
    let log_likelihood: f64 = each.iter().sum();
    if !log_likelihood.is_finite() {
        return Err("its likelihood is not finite on these values".into());
    }
    let impossible = held_out.iter().filter(|l| **l == f64::NEG_INFINITY).count();
    let mean = held_out.iter().sum::<f64>() / held_out.len() as f64;
    let n = sorted.len() as f64;
    let free = density.free();
    let named = density.parameters().into_iter();
    let fit = Fit {
        name: entry.name.into(),
        parameters: named.map(|(name, value)| (name.into(), value)).collect(),
        free,
        log_likelihood,
        aic: free.map(|p| 2.0 * p as f64 - 2.0 * log_likelihood),
        bic: free.map(|p| p as f64 * n.ln() - 2.0 * log_likelihood),
        held_out: Some(mean).filter(|m| m.is_finite()),
        not_held_out,
        behind: None,
        no_difference: false,
        impossible,
        distance: tested.distance,
        p: tested.p.as_ref().ok().copied(),
        untested: tested.p.err(),
        curve: drawing
            .x
            .iter()
            .map(|x| density.ln_density(*x).exp())
            .collect(),
        cdf: drawing.x.iter().map(|x| density.cdf(*x)).collect(),
    };
    Ok(Made {
        fit,
        density,
        held_out,
    })
}

/// Log-likelihood of each value under the fit to the other folds, the same folds for every candidate; or
/// why a fold has no fit, even as `density`, the fit to all, is refitted.
fn held_out(
    entry: &Entry,
    density: &dyn Density,
    sorted: &[f64],
    folds: usize,
    options: &DensityOptions,
) -> std::result::Result<Vec<f64>, String> {
    if folds == 0 {
        return Err("there are too few values".into());
    }
    let n = sorted.len();
    let mut fold: Vec<usize> = (0..n).map(|i| i % folds).collect();
    fold.shuffle(&mut Random::seed_from_u64(mix(&[options.seed, 4])));
    let mut found = vec![0.0; n];
    for f in 0..folds {
        let inside: Vec<f64> = (0..n)
            .filter(|i| fold[*i] != f)
            .map(|i| sorted[i])
            .collect();
        let again = (entry.fit)(&inside, options);
        let density = again.or_else(|reason| density.refit(&inside).map_err(|_| reason))?;
        let outside: Vec<usize> = (0..n).filter(|i| fold[*i] == f).collect();
        let each: Vec<f64> = outside
            .par_iter()
            .map(|i| density.ln_density(sorted[*i]))
            .collect();
        for (i, value) in outside.into_iter().zip(each) {
            found[i] = value;
        }
    }
    Ok(found)
}

impl ColumnFits {
    /// What was found, in a sentence or two.
    pub fn headline(&self) -> String {
        let Some(best) = self.fits.first() else {
            return String::new();
        };
        let close: Vec<String> = self.fits[1..]
            .iter()
            .filter(|f| f.no_difference)
            .map(Fit::compared)
            .collect();
        let also = match close.as_slice() {
            [] => String::new(),
            names => format!("; these values show no difference to {}", names.join(", ")),
        };
        let test = match best.p {
            Some(p) if p < 0.05 => format!(
                ". Yet it is not right: values drawn from it lie closer to their fit (p = {p:.3})"
            ),
            Some(p) => format!(". The data do not contradict it (p = {p:.2})"),
            None => String::new(),
        };
        if best.held_out.is_none() {
            let why = match self.folds {
                0 => "too few values to hold some out",
                _ => {
                    "every density has a fold that it could not be fitted without, or found a held-out value impossible"
                }
            };
            return format!(
                "{} of {} could not be ranked: {why}",
                self.column, self.data
            );
        }
        format!(
            "The best density of {} is {}{also}{test}.",
            self.column, best.name
        )
    }

    /// What a spike means for the fits.
    pub(crate) fn diagnose(&self) -> Option<String> {
        let (value, count) = self.spike?;
        Some(format!(
            "{count} of {} values are exactly {value}. A density has no such spike: the fits spread it or bend towards it, \
             and probabilities near it are wrong. Fit the other values alone, and count those.",
            self.count
        ))
    }

    /// Whether all values are equal.
    pub(super) fn is_constant(&self) -> bool {
        constant(&[self.summary.least, self.summary.greatest]).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: Vec<f64>) -> Column {
        Column {
            name: "x".into(),
            values,
            missing: 1,
        }
    }

    fn found(values: Vec<f64>, options: &DensityOptions) -> Result<ColumnFits> {
        let questions = [Question::Above(4.0), Question::Between(1.0, 2.0)];
        fit(&column(values), "d.csv", &questions, options, &mut |_| ())
    }

    fn quick() -> DensityOptions {
        DensityOptions {
            resamples: 20,
            ..DensityOptions::default()
        }
    }

    #[test]
    fn fits_are_the_same_after_json_and_on_any_page()
    -> std::result::Result<(), Box<dyn std::error::Error>> {
        let measured = (0..90).map(|i| f64::from(i * i % 97) / 10.0).collect();
        let counted = (0..90).map(|i| f64::from(i * i % 7)).collect();
        // Equal values, and as few as there can be.
        for values in [measured, counted, vec![2.0; 9], vec![1.5, 3.0]] {
            let fits = found(values, &quick())?;
            let back: ColumnFits = serde_json::from_str(&serde_json::to_string(&fits)?)?;
            assert_eq!(back.table(), fits.table());
            let text = crate::report::html(&crate::report::Page {
                column: Some(back),
                ..crate::report::Page::default()
            })?;
            assert!(
                text.contains("<h2>Density") && !text.contains("NaN") && !text.contains("inf<")
            );
            assert!(!fits.table().contains("NaN"), "{}", fits.table());
        }
        Ok(())
    }

    #[test]
    fn a_spike_among_measurements_is_pointed_out() -> Result<()> {
        let measured = |i: i32| f64::from(i * i % 997) / 10.0 + 0.013 * f64::from(i);
        let plain: Vec<f64> = (1..200).map(measured).collect();
        assert_eq!(found(plain.clone(), &quick())?.spike, None);
        let mut spiked = plain;
        spiked.extend([0.0; 30]);
        let fits = found(spiked, &quick())?;
        assert_eq!(fits.spike, Some((0.0, 30)));
        assert!(
            fits.table().contains("30 of 229 values are exactly 0"),
            "{}",
            fits.table()
        );
        // Counts and rounded values repeat all over.
        let rounded: Vec<f64> = (0..200).map(|i| f64::from(i * i % 17) / 2.0).collect();
        assert_eq!(found(rounded, &quick())?.spike, None);
        Ok(())
    }

    #[test]
    fn the_ranking_is_of_masses_or_of_densities() -> Result<()> {
        let counted: Vec<f64> = (0..90).map(|i| f64::from(i * i % 7)).collect();
        let fits = found(counted.clone(), &quick())?;
        assert_eq!(fits.kind, Kind::Counts);
        assert!(
            fits.fits
                .iter()
                .all(|f| ["poisson", "negative_binomial"].contains(&f.name.as_str()))
        );
        // Densities alone are asked for: then they are what is ranked.
        let densities = DensityOptions {
            candidates: vec!["normal".into(), "exponential".into()],
            ..quick()
        };
        let fits = found(counted, &densities)?;
        assert_eq!(
            (fits.kind, fits.fits.len(), fits.apart.len()),
            (Kind::Continuous, 2, 0)
        );
        assert!(fits.fits[1].behind.is_some());
        Ok(())
    }
}
