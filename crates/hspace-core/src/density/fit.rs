//! All candidates on one column: fitted, held out, tested, ranked, asked.
//!
//! The ranking is by held-out log-likelihood: the values are dealt into folds, each fold gets the
//! densities fitted to the others, and the mean over all values counts, in nats a value. It needs no
//! number of parameters, so kernel densities can be compared with normal ones. AIC = 2p − 2 ln L and
//! BIC = p ln n − 2 ln L, with p fitted parameters, are given where p is fixed.
//!
//! A count's probability and a density are different things: the likelihood of the one has no unit, that
//! of the other 1/unit of x. Of counts the masses are ranked, and densities stand apart.

mod candidate;
mod results;

use super::column::Column;
use super::drawing::drawing;
use super::histogram::quantile;
use super::questions::{Answer, Question, ask, observed};
use super::ranking::rank;
use super::special::moments;
use super::{DENSITIES, DensityOptions, Entry, Kind, Support};
use crate::error::{Error, Result, valid};
use candidate::fit_candidate;
pub(super) use candidate::{Made, equals};
pub use results::{ColumnFits, Fit, Summary, Unfit};

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
        match fit_candidate(entry, &listed, &sorted, counts, folds, &drawing, options) {
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
