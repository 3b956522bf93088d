//! Representations → scores with their intervals.
//!
//! A score is taken on all rows and on [`GROUPS`] random groups of them, from which its 95 % interval and what bias is left come
//! (`stats::random_groups`). The interval holds what the choice of samples and the metric's own randomness bring, not the spread
//! over several trainings of an encoder.
//!
//! Factors serve for measuring alone, so rows of both splits do.

use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{
    Dependence, Disentanglement, Factor, FactorFacts, METRICS, Measure, Metric, Options, PROTOCOL,
    Row, SHOWN, Score, WIDEST, of_columns, udr,
};
use crate::dataset::Column;
use crate::error::{Error, Result, unknown, valid};
use crate::list::Entry;
use crate::matrix::Matrix;
use crate::random::{mix, shuffled};
use crate::representation::Representation;
use crate::stats::{Estimate, random_groups};

/// Groups behind an interval.
const GROUPS: usize = 5;
/// Rows of a group at least; of fewer rows there is no interval.
pub(super) const GROUP_ROWS: usize = 100;
/// Rows at least.
const FEWEST: usize = 50;

/// Measures representations of the same samples. `progress` is called with what is being done.
///
/// ```
/// # use hspace_core::dataset::{Column, Role, Split, Values};
/// # use hspace_core::{matrix::Matrix, representation::Representation};
/// # let n = 600;
/// # let factor = |name: &str, of: &dyn Fn(usize) -> usize| Column {
/// #     name: name.into(),
/// #     role: Role::Factor,
/// #     values: Values::Numbers((0..n).map(|i| Some(of(i) as f64)).collect()),
/// # };
/// # let entangled = Representation {
/// #     name: "runs/vae".into(),
/// #     features: Matrix::new(n, 2, (0..n).flat_map(|i| {
/// #         let [x, y] = [(i % 5) as f32, (i / 5 % 5) as f32];
/// #         [x + y, x - y]
/// #     }).collect()),
/// #     ids: (0..n).map(|i| i.to_string()).collect(),
/// #     columns: vec![factor("x", &|i| i % 5), factor("y", &|i| i / 5 % 5)],
/// #     split: vec![Split::Train; n],
/// #     origin: String::new(),
/// #     shift: vec![],
/// # };
/// use hspace_core::disentangle::{Options, measure};
///
/// // Latents x + y and x − y: both know as much of either factor.
/// let options = Options { metrics: vec!["mig".into()], ..Options::default() };
/// let found = measure(&[entangled], &options, "shapes", &mut |_| ())?;
/// let (name, mig) = &found.rows[0].scores[0];
/// assert!(name == "mig" && mig.mean < 0.1);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// If metrics need factors the data do not have, if names are unknown, or with too few samples, too
/// many latents or features that are not finite.
pub fn measure(
    of: &[Representation],
    options: &Options,
    data: &str,
    progress: &mut dyn FnMut(&str),
) -> Result<Disentanglement> {
    let first = of
        .first()
        .ok_or_else(|| Error::config("there is nothing to measure: name a source"))?;
    check(of, first)?;
    let (chosen, factors) = prepare(&first.columns, options, data)?;
    let n = first.features.rows;
    let dealt = deal(n, options.seed);
    let mut rows: Vec<Row> = of.iter().map(empty).collect();
    for (r, row) in of.iter().zip(&mut rows) {
        for metric in &chosen {
            let one = |rows: Option<&[usize]>, seed: u64| -> Result<Vec<f64>> {
                let part = rows.map(|rows| r.features.select(rows));
                let latents = part.as_ref().unwrap_or(&r.features);
                match (&metric.measure, rows) {
                    (Measure::Factors(score), None) => score(latents, &factors, seed),
                    (Measure::Factors(score), Some(rows)) => {
                        let own: Vec<Factor> = factors.iter().map(|f| f.select(rows)).collect();
                        score(latents, &own, seed)
                    }
                    (Measure::Latents(score), _) => score(latents),
                    (Measure::Runs(_), _) => Ok(Vec::new()),
                }
            };
            if matches!(metric.measure, Measure::Runs(_)) {
                continue;
            }
            progress(&format!("{} of {}", metric.name, r.name));
            let whole = one(None, options.seed)?;
            let each =
                |(g, rows): (usize, &Vec<usize>)| one(Some(rows), mix(&[options.seed, g as u64]));
            // A group that a score cannot be taken on, such as one where no factor varies: no interval.
            let groups: Result<Vec<Vec<f64>>> = dealt.iter().enumerate().map(each).collect();
            let groups = groups.unwrap_or_default();
            row.scores.extend(estimates(metric, &whole, &groups));
        }
    }
    for metric in &chosen {
        if let Measure::Runs(score) = metric.measure {
            for names in &options.runs {
                same_runs(metric, score, of, names, &dealt, &mut rows)?;
            }
        }
    }
    let wants = |name: &str| chosen.iter().any(|m| m.name == name);
    let shown = of
        .iter()
        .filter(|r| wants("dependence") && r.features.cols <= SHOWN);
    Ok(Disentanglement {
        protocol: PROTOCOL,
        code_version: env!("CARGO_PKG_VERSION").into(),
        data: data.to_owned(),
        seed: options.seed,
        samples: n,
        groups: dealt.len(),
        dependence: shown
            .map(|r| Dependence::of(&r.name, &r.features, &factors))
            .collect(),
        factors: factors
            .into_iter()
            .map(|f| FactorFacts {
                name: f.name,
                values: f.count,
            })
            .collect(),
        rows,
    })
}

/// What is wrong with `options` for data with these columns, all of it, before anything is encoded.
///
/// ```
/// use hspace_core::disentangle::{Options, validate};
///
/// // Without known factors only the latents can be looked at.
/// let of_latents = Options { metrics: vec!["dependence".into()], ..Options::default() };
/// assert!(validate(&[], &of_latents, "data").is_empty());
/// let of_factors = Options { metrics: vec!["mig".into()], ..Options::default() };
/// assert!(!validate(&[], &of_factors, "data").is_empty());
/// ```
pub fn validate(columns: &[Column], options: &Options, data: &str) -> Vec<String> {
    match prepare(columns, options, data) {
        Ok(_) => Vec::new(),
        Err(Error::Config(problems)) => problems,
        Err(other) => vec![other.to_string()],
    }
}

/// The rows to measure on: `count` of `n` at random, ascending; all where there are no more.
///
/// ```
/// use hspace_core::disentangle::sample;
///
/// let rows = sample(1000, 10, 0);
/// assert!(rows.len() == 10 && rows.is_sorted());
/// assert_eq!(sample(3, 10, 0), [0, 1, 2]);
/// ```
pub fn sample(n: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut rows = shuffled((0..n).collect(), mix(&[seed, 2]));
    rows.truncate(count);
    rows.sort_unstable();
    rows
}

/// As many latents as `like` has, of normal numbers that know nothing: what guessing looks like.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::disentangle::noise;
///
/// let latents = blobs("runs/vae", 0.2);
/// let guess = noise(&latents, 0);
/// assert_eq!((guess.name.as_str(), &guess.ids), ("noise", &latents.ids));
/// assert!(guess.features.column_means().iter().all(|mean| mean.abs() < 0.3));
/// ```
pub fn noise(like: &Representation, seed: u64) -> Representation {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(mix(&[seed, 3]));
    let numbers = (0..like.features.data.len()).map(|_| random.sample(StandardNormal));
    Representation {
        name: "noise".into(),
        features: Matrix::new(like.features.rows, like.features.cols, numbers.collect()),
        origin: String::new(),
        ..like.clone()
    }
}

/// The metrics to take and the factors they are given.
fn prepare(
    columns: &[Column],
    options: &Options,
    data: &str,
) -> Result<(Vec<&'static Entry<Metric>>, Vec<Factor>)> {
    let (chosen, mut problems) = choose(&options.metrics);
    let factors = match of_columns(columns, &options.factors) {
        Ok(factors) => Some(factors),
        Err(Error::Config(found)) => {
            problems.extend(found);
            None
        }
        Err(other) => return Err(other),
    };
    let needing = chosen
        .iter()
        .filter(|m| matches!(m.measure, Measure::Factors(_)));
    let needing: Vec<&str> = needing.map(|m| m.name).collect();
    let too_few = factors.as_ref().map(Vec::len).filter(|&there| there < 2);
    if let Some(there) = too_few.filter(|_| !needing.is_empty()) {
        problems.push(no_factors(data, &needing, there));
    }
    if options.metrics.iter().any(|name| name == "udr")
        && options.runs.is_empty()
        && let Err(Error::Config(found)) = udr::udr(&[])
    {
        problems.extend(found);
    }
    valid(problems)?;
    Ok((chosen, factors.unwrap_or_default()))
}

/// The metrics by name, each once, all of them where none is named; and unknown names.
fn choose(names: &[String]) -> (Vec<&'static Entry<Metric>>, Vec<String>) {
    let is_unknown = |name: &&String| METRICS.iter().all(|m| m.name != **name);
    let known = || METRICS.iter().map(|m| m.name);
    let problems = names.iter().filter(is_unknown);
    let problems = problems.map(|name| unknown("metric", name, known()));
    let wanted = |m: &&Entry<Metric>| names.is_empty() || names.iter().any(|name| name == m.name);
    (METRICS.iter().filter(wanted).collect(), problems.collect())
}

fn no_factors(data: &str, needing: &[&str], there: usize) -> String {
    let what = match there {
        0 => "has no known factors",
        _ => "has one known factor, and two are needed",
    };
    format!(
        "{data} {what}, which {} look at. Without factors, --metric total_correlation,dependence can be \
         measured, and of several runs with the same settings udr. Factors are the columns that a table \
         heads `factor:NAME`; --factors NAME,NAME takes other columns",
        needing.join(", ")
    )
}

fn check(of: &[Representation], first: &Representation) -> Result<()> {
    for (i, r) in of.iter().enumerate() {
        r.check()?;
        if r.ids != first.ids {
            let text = format!("{} and {} are not of the same ids", first.name, r.name);
            return Err(Error::data(format!(
                "{text}; measure representations of the same samples"
            )));
        }
        if of[..i].iter().any(|other| other.name == r.name) {
            return Err(Error::config(format!(
                "{} is measured twice; name it once",
                r.name
            )));
        }
        check_width(r)?;
    }
    let n = first.features.rows;
    if n < FEWEST {
        return Err(Error::data(format!(
            "{n} samples are too few to measure on; give at least {FEWEST}"
        )));
    }
    Ok(())
}

/// Says where a representation is too wide, before others are made.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::disentangle::check_width;
/// use hspace_core::matrix::Matrix;
///
/// let mut latents = blobs("runs/vae", 0.2);
/// assert!(check_width(&latents).is_ok());
/// latents.features = Matrix::zeros(160, 2048);
/// assert!(check_width(&latents).is_err());
/// ```
///
/// # Errors
/// Where it has more than [`WIDEST`] dimensions.
pub fn check_width(r: &Representation) -> Result<()> {
    if r.features.cols <= WIDEST {
        return Ok(());
    }
    Err(Error::data(format!(
        "{} has {} dimensions; these metrics look at each alone and with every other, for up to {WIDEST}. \
         `hspace probe` measures wider ones",
        r.name, r.features.cols
    )))
}

/// Rows dealt into groups at random; none where groups would be too small.
fn deal(n: usize, seed: u64) -> Vec<Vec<usize>> {
    let groups = GROUPS.min(n / GROUP_ROWS);
    if groups < 2 {
        return Vec::new();
    }
    let order = shuffled((0..n).collect(), mix(&[seed, n as u64]));
    let group = |g: usize| order.iter().skip(g).step_by(groups).copied().collect();
    (0..groups).map(group).collect()
}

fn empty(of: &Representation) -> Row {
    Row {
        representation: of.name.clone(),
        origin: of.origin.clone(),
        dim: of.features.cols,
        scores: Vec::new(),
    }
}

/// Each score with the interval that its values over the groups give.
fn estimates(
    metric: &Entry<Metric>,
    whole: &[f64],
    groups: &[Vec<f64>],
) -> Vec<(String, Estimate)> {
    let one = |(i, score): (usize, &Score)| {
        let groups: Vec<f64> = groups.iter().map(|g| g[i]).collect();
        let estimate = random_groups(whole[i], &groups, score.bias, score.range);
        let estimate = match score.has_interval {
            true => estimate,
            false => Estimate::without_interval(estimate.mean),
        };
        (score.name.to_owned(), estimate)
    };
    metric.scores.iter().enumerate().map(one).collect()
}

/// The scores of runs with the same settings, written into their rows.
fn same_runs(
    metric: &Entry<Metric>,
    score: fn(&[&Matrix]) -> Result<Vec<f64>>,
    of: &[Representation],
    names: &[String],
    dealt: &[Vec<usize>],
    rows: &mut [Row],
) -> Result<()> {
    let at: Vec<usize> = (0..of.len())
        .filter(|&i| names.contains(&of[i].name))
        .collect();
    let whole: Vec<&Matrix> = at.iter().map(|&i| &of[i].features).collect();
    let whole = score(&whole)?;
    let mut groups = Vec::new();
    for part in dealt {
        let latents: Vec<Matrix> = at.iter().map(|&i| of[i].features.select(part)).collect();
        groups.push(score(&latents.iter().collect::<Vec<_>>())?);
    }
    for (place, &i) in at.iter().enumerate() {
        let own: Vec<Vec<f64>> = groups.iter().map(|g| vec![g[place]]).collect();
        rows[i]
            .scores
            .extend(estimates(metric, &whole[place..=place], &own));
    }
    Ok(())
}
