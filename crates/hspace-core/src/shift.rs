//! How far what was learned in one domain (a hospital, a scanner, a data set) holds in another.
//!
//! A source learns from the labels of one domain, at home, and is tested on the test samples of another, away. Next to that: its score on the
//! test samples at home, the drop between both, and the ceiling, which the same source reaches with labels of the other domain. A source that
//! adapts learns from the training samples of the other domain too, without labels; the share of the gap that it closes is
//! (away − reference away) / (ceiling − reference away), with a reference that does not adapt. All scores are the main measure of one protocol
//! ([`crate::probe`]), with 95 % intervals: differences on the same test samples are paired, those between the test samples of two domains are not.
//!
//! Nothing is chosen by samples of the domain that is tested: settings are chosen inside the labels at home.

mod between;
mod distance;
mod estimates;
mod inputs;
mod select;
mod table;

use serde::{Deserialize, Serialize};

use crate::dataset::{Column, Split, Values};
use crate::error::{Error, Result, unknown};
use crate::probe::{
    Confidence, Contender, Estimate, Labels, Limits, Nuisance, ProbeOptions, task_column,
};
use crate::representation::Representation;

pub use distance::Distance;
pub use inputs::{InputDifference, compare_inputs};
pub use select::{Candidate, Choice, Veto};

/// A source, and how it stands to the domains.
pub struct ShiftSource<'a> {
    /// The source.
    pub contender: Contender<'a>,
    /// Whether it learns from samples of the other domain, without their labels.
    pub adapts: bool,
    /// The source that does not adapt, against which it is compared: its gap is the one to close. None for itself.
    pub reference: Option<String>,
}

/// Between which domains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directions {
    /// Each domain is tested by what was learned in all others together, not in each other alone.
    pub leave_one_out: bool,
    /// Domains to learn in; empty for all.
    pub from: Vec<String>,
    /// Domains to test in; empty for all.
    pub to: Vec<String>,
    /// Whether to choose between the sources that adapt, without labels from away: where there is no val split, a tenth of the labels of each domain is kept
    /// from all sources for that.
    pub select: bool,
    /// So many labels from away may refuse what is chosen, and choose nothing; 0 for none.
    pub target_labels: usize,
}

/// What [`measure`] finds.
///
/// ```
/// use hspace_core::shift::Shift;
///
/// // Of nothing.
/// let found = Shift {
///     data: "labs".into(),
///     task: "cell".into(),
///     measure: "accuracy".into(),
///     domain: "lab".into(),
///     domains: vec![],
///     rows: vec![],
///     decodability: vec![],
///     distances: vec![],
///     inputs: vec![],
///     choices: vec![],
///     left_out: vec![],
/// };
/// assert!(found.table().is_empty() && found.headline().is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shift {
    /// As given to `--data`.
    pub data: String,
    /// Name of the column that is the task.
    pub task: String,
    /// Name of the main measure.
    pub measure: String,
    /// Name of the column of domains.
    pub domain: String,
    /// The domains.
    pub domains: Vec<DomainSize>,
    /// A row for each pair of domains, source and number of labels.
    pub rows: Vec<ShiftRow>,
    /// How well the domain is decoded from representations; balanced accuracy.
    pub decodability: Vec<Nuisance>,
    /// How far apart the domains are in representations.
    pub distances: Vec<Distance>,
    /// How the samples of the domains differ.
    pub inputs: Vec<InputDifference>,
    /// What was chosen for each pair of domains, where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// What there was no time for.
    pub left_out: Vec<String>,
}

/// A domain and its samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainSize {
    /// Its name.
    pub name: String,
    /// Training, validation and test samples.
    pub samples: [usize; 3],
}

/// A source between two domains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShiftRow {
    /// Name of the source.
    pub source: String,
    /// Name of the probe.
    pub probe: String,
    /// Labels it was given at home.
    pub labels: Labels,
    /// Whether it learned from samples of the other domain, without labels.
    pub adapts: bool,
    /// The domains whose labels it learned from.
    pub home: Vec<String>,
    /// The domain in which it is tested.
    pub away: String,
    /// Test samples there.
    pub tested: usize,
    /// The main measure on test samples at home; `None` where there are none.
    pub at_home: Option<Estimate>,
    /// The main measure on test samples of the other domain.
    pub score: Estimate,
    /// The mean of recalls of the classes there, where the task is of classes.
    pub balanced: Option<Estimate>,
    /// At home less away.
    pub drop: Option<Estimate>,
    /// Away, learned from labels of the other domain: of a source that adapts that of its reference.
    pub ceiling: Option<Estimate>,
    /// Its score less that of its reference, away.
    pub gain: Option<Estimate>,
    /// Share of the gap between reference and ceiling that it closes; `None` where no gap is seen.
    pub closed: Option<Estimate>,
    /// How far its probabilities say at home whether it is right; `None` where the task is none of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration_at_home: Option<Reliability>,
    /// The same of test samples of the other domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Reliability>,
}

/// How far the probabilities of a source's answers in one domain say whether they are right.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// The calibration error, 0..=1, as of [`crate::probe::scores`].
    pub error: Estimate,
    /// The error of the surer half of the answers, and by how much the source is too sure.
    pub confidence: Confidence,
}

/// Measures `sources` between the domains of the column `domain`. `progress` is called with what is being measured.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::dataset::{Column, Role, Values};
/// use hspace_core::probe::{Contender, Labels, Limits, ProbeOptions};
/// use hspace_core::shift::{Directions, ShiftSource, measure};
///
/// // Two sites, of which the second adds a constant to every feature.
/// let mut samples = blobs("pixels", 0.2);
/// let site = |row: usize| (row / 3 % 2) as u32;
/// let values = (0..160).map(|row| Some(site(row))).collect();
/// let values = Values::Classes { names: vec!["old".into(), "new".into()], index: values };
/// samples.columns.push(Column { name: "site".into(), role: Role::Domain, values });
/// for row in (0..160).filter(|&row| site(row) == 1) {
///     let width = samples.features.cols;
///     samples.features.data[row * width..(row + 1) * width].iter_mut().for_each(|x| *x += 2.0);
/// }
/// let source = ShiftSource { contender: Contender::Fixed(samples), adapts: false, reference: None };
/// let options = ProbeOptions { probes: vec!["linear".into()], labels: vec![Labels::All], ..ProbeOptions::default() };
/// let directions = Directions { from: vec!["old".into()], ..Directions::default() };
/// let (mut limits, say) = (Limits::default(), &mut |_: &str| ());
/// let found = measure(vec![source], "site", &directions, &options, "blobs", &mut limits, say)?;
/// let row = &found.rows[0];
/// assert_eq!((row.home[0].as_str(), row.away.as_str()), ("old", "new"));
/// assert!(row.drop.expect("a drop").low > 0.0 && row.ceiling.expect("a ceiling").mean > 0.9);
/// println!("{}", found.table());
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When there is no such column of at least two domains, and as [`crate::probe::measure`].
pub fn measure(
    sources: Vec<ShiftSource<'_>>,
    domain: &str,
    directions: &Directions,
    options: &ProbeOptions,
    data_name: &str,
    limits: &mut Limits<'_>,
    progress: &mut dyn FnMut(&str),
) -> Result<Shift> {
    let samples = sources.iter().flat_map(|s| s.contender.samples()).next();
    let Some(first) = samples else {
        return Err(Error::config(
            "there is nothing to measure; name at least one source, such as `pixels`",
        ));
    };
    let domains = Domains::of(&first.columns, domain)?;
    let pairs = domains.pairs(directions)?;
    let sizes = domains.sizes(&first.split);
    let mut decodability = Vec::new();
    let mut apart = Vec::new();
    for r in sources.iter().flat_map(|s| s.contender.fixed()) {
        progress(&format!("{}: decoding the domain", r.name));
        decodability.extend(crate::probe::read_off(r, domains.column(r), options)?);
        apart.extend(distance::distances(r, &domains, options)?);
    }
    let held_out = match directions.select {
        true => Some(held_out(first, options)?),
        false => None,
    };
    let (ids, split) = (first.ids.clone(), first.split.clone());
    let task = task_column(first, &options.task)?.clone();
    let is_known = |row: usize, part: Split| {
        task.values.is_known(row) && (options.folds > 1 || split[row] == part)
    };
    let usable = [Split::Train, Split::Test]
        .map(|part| (0..split.len()).map(|row| is_known(row, part)).collect());
    let mut found = between::Between::new(sources, &domains, options, data_name, usable, held_out);
    let samples = select::Samples {
        task: &task,
        ids: &ids,
        split: &split,
    };
    let (mut rows, mut choices) = (Vec::new(), Vec::new());
    let mut measure = String::new();
    for pair in &pairs {
        let (name, own) = estimates::rows(&mut found, pair, limits, progress)?;
        measure = name;
        if directions.select {
            choices.extend(select::choose(
                &found,
                pair,
                &own,
                &samples,
                directions.target_labels,
            )?);
        }
        rows.extend(own);
    }
    let left_out = found.left_out;
    Ok(Shift {
        data: data_name.into(),
        task: task.name,
        measure,
        domain: domains.name.clone(),
        domains: sizes,
        rows,
        decodability,
        distances: apart,
        inputs: Vec::new(),
        choices,
        left_out,
    })
}

/// A tenth of the labelled training rows, by a hash of their ids; none where there are val rows.
fn held_out(samples: &Representation, options: &ProbeOptions) -> Result<Vec<bool>> {
    if options.folds > 1 {
        return Err(Error::config(
            "--select: folds leave no labels to choose by; leave one of them out",
        ));
    }
    let has_val = samples.split.contains(&Split::Val);
    let is = |(id, split): (&String, &Split)| {
        let hash = blake3::hash(format!("held out {id}").as_bytes());
        !has_val && *split == Split::Train && hash.as_bytes()[0] < 26
    };
    Ok(samples.ids.iter().zip(&samples.split).map(is).collect())
}

/// The domains of some samples.
pub(crate) struct Domains {
    /// Name of their column.
    name: String,
    names: Vec<String>,
    /// Of each row.
    index: Vec<Option<u32>>,
}

/// Domains to learn in, and the one to test in: places in the names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pair {
    home: Vec<usize>,
    away: usize,
}

impl Domains {
    /// The domains that the column `name` says.
    ///
    /// # Errors
    /// When there is no such column, or it does not name at least two domains.
    pub(crate) fn of(columns: &[Column], name: &str) -> Result<Domains> {
        let titles = || columns.iter().map(|c| c.name.as_str());
        let column = columns.iter().find(|c| c.name == name);
        let column = column.ok_or_else(|| Error::config(unknown("column", name, titles())))?;
        let Values::Classes { names, index } = &column.values else {
            return Err(Error::config(format!(
                "`{name}` does not name domains, one a sample; give a column of classes, such as hospital or scanner"
            )));
        };
        let seen = (0..names.len() as u32).filter(|&d| index.contains(&Some(d)));
        if seen.count() < 2 {
            return Err(Error::data(format!(
                "`{name}` names one domain only; a shift is between two"
            )));
        }
        Ok(Domains {
            name: name.to_owned(),
            names: names.clone(),
            index: index.clone(),
        })
    }

    fn column<'r>(&self, r: &'r Representation) -> &'r Column {
        let own = r.columns.iter().find(|c| c.name == self.name);
        own.expect("all sources are of the same samples")
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// For each row whether it is of one of `domains`.
    pub(crate) fn rows(&self, domains: &[usize]) -> Vec<bool> {
        let is = |of: &Option<u32>| of.is_some_and(|of| domains.contains(&(of as usize)));
        self.index.iter().map(is).collect()
    }

    fn sizes(&self, split: &[Split]) -> Vec<DomainSize> {
        let count = |domain: usize, part: Split| {
            let own = self.index.iter().zip(split);
            own.filter(|(of, own)| **of == Some(domain as u32) && **own == part)
                .count()
        };
        let size = |(place, name): (usize, &String)| DomainSize {
            name: name.clone(),
            samples: [Split::Train, Split::Val, Split::Test].map(|part| count(place, part)),
        };
        self.names.iter().enumerate().map(size).collect()
    }

    /// The names of `domains`.
    fn named(&self, domains: &[usize]) -> Vec<String> {
        domains.iter().map(|&d| self.names[d].clone()).collect()
    }

    fn places(&self, wanted: &[String], flag: &str) -> Result<Vec<usize>> {
        if wanted.is_empty() {
            return Ok((0..self.names.len()).collect());
        }
        let place = |name: &String| {
            let names = || self.names.iter().map(String::as_str);
            let found = self.names.iter().position(|own| own == name);
            found.ok_or_else(|| {
                let text = unknown("domain", name, names());
                Error::config(format!("{flag}: {text}"))
            })
        };
        wanted.iter().map(place).collect()
    }

    fn pairs(&self, directions: &Directions) -> Result<Vec<Pair>> {
        let from = self.places(&directions.from, "--from")?;
        let to = self.places(&directions.to, "--to")?;
        let mut pairs = Vec::new();
        for &away in &to {
            let others: Vec<usize> = from.iter().copied().filter(|&d| d != away).collect();
            match directions.leave_one_out {
                true if !others.is_empty() => pairs.push(Pair { home: others, away }),
                true => {}
                false => pairs.extend(others.into_iter().map(|home| Pair {
                    home: vec![home],
                    away,
                })),
            }
        }
        // By what was learned, then by where it is tested.
        pairs.sort_by(|a, b| (&a.home, a.away).cmp(&(&b.home, b.away)));
        match pairs.is_empty() {
            true => Err(Error::config(
                "--from and --to name the same domain only, and there is no shift to itself",
            )),
            false => Ok(pairs),
        }
    }
}

#[cfg(test)]
mod tests;
