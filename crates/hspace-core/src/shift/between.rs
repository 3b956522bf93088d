//! Measurements between domains, each made once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Domains, Pair, ShiftSource};
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::probe::{
    Contender, DomainRows, Draw, LearnAndAnswer, Limits, Measurements, ProbeOptions, measure_within,
};
use crate::representation::Representation;

/// Which sources a measurement is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Group {
    Plain,
    Adapting,
}

/// Domains whose labels are read, from whose samples is learned without labels, and which is tested.
type Key = (Group, Vec<usize>, Vec<usize>, Vec<usize>);

/// The sources, and what is known of them.
pub(super) struct Between<'a> {
    pub(super) plain: Vec<Contender<'a>>,
    pub(super) adapting: Vec<Contender<'a>>,
    /// The reference of each source that has one.
    references: HashMap<String, String>,
    /// What each source that learns from draws has answered.
    memories: HashMap<String, Known>,
    /// Rows whose labels are kept from all sources, to choose between them.
    pub(super) held_out: Vec<bool>,
    pub(super) domains: &'a Domains,
    pub(super) options: &'a ProbeOptions,
    data: &'a str,
    /// Rows with a value of the task that may be learned from, and that may be tested.
    usable: [Vec<bool>; 2],
    known: HashMap<Key, Measurements>,
    pub(super) left_out: Vec<String>,
}

impl<'a> Between<'a> {
    pub(super) fn new(
        sources: Vec<ShiftSource<'a>>,
        domains: &'a Domains,
        options: &'a ProbeOptions,
        data: &'a str,
        usable: [Vec<bool>; 2],
        held_out: Option<Vec<bool>>,
    ) -> Between<'a> {
        let (mut plain, mut adapting, mut references) = (Vec::new(), Vec::new(), HashMap::new());
        let mut memories = HashMap::new();
        for source in sources {
            if let Some(reference) = source.reference {
                references.insert(source.contender.name().to_owned(), reference);
            }
            let name = source.contender.name().to_owned();
            let (own, memory) = remembering(source.contender, options.folds, held_out.is_some());
            memories.extend(memory.map(|memory| (name, memory)));
            match source.adapts {
                true => adapting.push(own),
                false => plain.push(own),
            }
        }
        Between {
            plain,
            adapting,
            references,
            memories,
            held_out: held_out.unwrap_or_else(|| vec![false; domains.index.len()]),
            domains,
            options,
            data,
            usable,
            known: HashMap::new(),
            left_out: Vec::new(),
        }
    }

    /// The source that `source` is compared with.
    pub(super) fn reference(&self, source: &str) -> Option<&str> {
        self.references.get(source).map(String::as_str)
    }

    /// As [`Between::of`]; `None`, too, where the domains have no label to learn from or no sample to test: a ceiling, or a score at home, is then not known.
    pub(super) fn if_possible(
        &mut self,
        group: Group,
        domains: [&[usize]; 3],
        limits: &mut Limits<'_>,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Option<Measurements>> {
        let has = |domains: &[usize], usable: &[bool]| {
            let mut rows = self.domains.rows(domains).into_iter().zip(usable);
            rows.any(|(is, usable)| is && *usable)
        };
        let [labelled, _, tested] = domains;
        match has(labelled, &self.usable[0]) && has(tested, &self.usable[1]) {
            true => self.of(group, domains, limits, progress),
            false => Ok(None),
        }
    }

    /// The measurement of one group of sources with labels of `labelled`, samples of `unlabelled`, tested in `tested`; `None` of no source.
    pub(super) fn of(
        &mut self,
        group: Group,
        [labelled, unlabelled, tested]: [&[usize]; 3],
        limits: &mut Limits<'_>,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Option<Measurements>> {
        let contenders = match group {
            Group::Plain => &self.plain,
            Group::Adapting => &self.adapting,
        };
        if contenders.is_empty() {
            return Ok(None);
        }
        let key = (
            group,
            labelled.to_vec(),
            unlabelled.to_vec(),
            tested.to_vec(),
        );
        if let Some(known) = self.known.get(&key) {
            return Ok(Some(known.clone()));
        }
        let mut known = self.domains.rows(labelled);
        let held_out = known.iter_mut().zip(&self.held_out);
        held_out.for_each(|(is, held_out)| *is &= !held_out);
        let rows = DomainRows {
            labelled: known,
            unlabelled: self.domains.rows(unlabelled),
            tested: self.domains.rows(tested),
        };
        let named = |domains: &[usize]| self.domains.named(domains).join(" + ");
        let mut place = format!("{} → {}", named(labelled), named(tested));
        if !unlabelled.is_empty() && unlabelled != tested {
            place += &format!(", adapted to {}", named(unlabelled));
        }
        if let Some(journal) = &mut limits.journal {
            journal.set_scope(place.clone());
        }
        let say = &mut |text: &str| progress(&format!("{place}: {text}"));
        let limits = &mut limits.between(&rows);
        let found = measure_within(contenders, self.options, self.data, limits, say);
        let found = found.map_err(|error| match error {
            Error::Data(text) => Error::data(format!("{place}: {text}")),
            other => other,
        })?;
        let without = found.left_out.iter();
        self.left_out
            .extend(without.map(|what| format!("{place}: {what}")));
        self.known.insert(key, found.clone());
        Ok(Some(found))
    }
}

impl Between<'_> {
    /// What `source` answered for each row, by each set of labels of the home of `pair` that it learned from, of those with the most labels; none where it
    /// does not learn from draws. With or without samples from away, as `adapts` says.
    pub(super) fn answers(&self, source: &str, pair: &Pair, adapts: bool) -> Vec<RowAnswers> {
        let Some(memory) = self.memories.get(source) else {
            return Vec::new();
        };
        let [home, away] = [&pair.home[..], &[pair.away]].map(|d| self.domains.rows(d));
        let known = lock(memory);
        let is_own = |learned: &Learned| {
            let (labelled, train, _) = learned;
            labelled.iter().all(|&row| home[row]) && train.iter().any(|&row| away[row]) == adapts
        };
        let mut own: Vec<(&Learned, &RowAnswers)> = known
            .iter()
            .filter(|(learned, _)| is_own(learned))
            .collect();
        let most = own.iter().map(|(learned, _)| learned.0.len()).max();
        own.retain(|(learned, _)| Some(learned.0.len()) == most);
        own.sort_by_key(|(learned, _)| learned.2);
        own.into_iter()
            .map(|(_, answers)| answers.clone())
            .collect()
    }

    /// Features that depend on no label: of the first source that has any.
    pub(super) fn features(&self) -> Option<&Representation> {
        self.plain.iter().flat_map(|c| c.fixed()).next()
    }

    /// All sources that learn from draws, and whether they adapt.
    pub(super) fn learners(&self) -> Vec<(String, bool)> {
        let of = |all: &[Contender<'_>], adapts: bool| -> Vec<(String, bool)> {
            let names = all.iter().map(|c| c.name().to_owned());
            let own = names.filter(|name| self.memories.contains_key(name));
            own.map(|name| (name, adapts)).collect()
        };
        [of(&self.plain, false), of(&self.adapting, true)].concat()
    }
}

/// A source that learns from draws, so that what it learned once is asked about all test rows and not learned again for other test rows; with `selects`
/// about all rows whose labels it did not see.
fn remembering(
    contender: Contender<'_>,
    folds: usize,
    selects: bool,
) -> (Contender<'_>, Option<Known>) {
    let Contender::PerDraw {
        name,
        samples,
        origin,
        draws,
        labels_alone,
        answer,
    } = contender
    else {
        return (contender, None);
    };
    let is_tested = |row: &usize| folds > 1 || samples.split[*row] == Split::Test;
    let known = Known::default();
    let memory = Memory {
        rows: (0..samples.ids.len()).filter(is_tested).collect(),
        all: samples.ids.len(),
        selects,
        learn: answer,
        known: known.clone(),
    };
    let own = Contender::PerDraw {
        name,
        samples,
        origin,
        draws,
        labels_alone,
        answer: Box::new(move |draw| memory.answer(draw)),
    };
    (own, Some(known))
}

/// What was learned from: labelled rows, all training rows, seed.
type Learned = (Vec<usize>, Vec<usize>, u64);

/// Answers by row.
pub(super) type RowAnswers = HashMap<usize, Vec<f64>>;

/// What was answered, shared by a source and who chooses.
type Known = Arc<Mutex<HashMap<Learned, RowAnswers>>>;

fn lock(known: &Known) -> MutexGuard<'_, HashMap<Learned, RowAnswers>> {
    known.lock().unwrap_or_else(|broken| broken.into_inner())
}

struct Memory<'a> {
    learn: Box<LearnAndAnswer<'a>>,
    /// Rows that may be tested.
    rows: Vec<usize>,
    /// Number of all rows.
    all: usize,
    /// Whether all rows without a label are asked for, too.
    selects: bool,
    known: Known,
}

impl Memory<'_> {
    fn answer(&self, draw: &Draw<'_>) -> Result<Vec<f64>> {
        let learned = (draw.labelled.to_vec(), draw.train.to_vec(), draw.seed);
        let of = |answers: &HashMap<usize, Vec<f64>>| -> Option<Vec<f64>> {
            let of = draw.test.iter().map(|row| answers.get(row));
            let of = of.collect::<Option<Vec<_>>>()?;
            Some(of.into_iter().flatten().copied().collect())
        };
        if let Some(known) = lock(&self.known).get(&learned).and_then(of) {
            return Ok(known);
        }
        let is_new = |row: &usize| draw.train.binary_search(row).is_err();
        let is_open = |row: &usize| draw.labelled.binary_search(row).is_err();
        let rows: Vec<usize> = match self.selects {
            true => (0..self.all).filter(is_open).collect(),
            false => self.rows.iter().copied().filter(is_new).collect(),
        };
        let values = (self.learn)(&Draw {
            test: &rows,
            ..*draw
        })?;
        let width = values.len() / rows.len().max(1);
        let answers = rows.into_iter().zip(values.chunks(width.max(1)));
        let answers: HashMap<usize, Vec<f64>> =
            answers.map(|(row, own)| (row, own.to_vec())).collect();
        let asked = of(&answers).ok_or_else(|| Error::data("a test row was not answered for"))?;
        lock(&self.known).insert(learned, answers);
        Ok(asked)
    }
}
