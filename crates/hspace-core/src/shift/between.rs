//! Measurements between domains, each made once.

use std::collections::HashMap;
use std::sync::Mutex;

use super::{Domains, ShiftSource};
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::probe::{
    Contender, DomainRows, Draw, LearnAndAnswer, Limits, Measurements, ProbeOptions,
    measure_between,
};

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
    pub(super) domains: &'a Domains,
    options: &'a ProbeOptions,
    data: &'a str,
    known: HashMap<Key, Measurements>,
    pub(super) left_out: Vec<String>,
    pub(super) task: String,
}

impl<'a> Between<'a> {
    pub(super) fn new(
        sources: Vec<ShiftSource<'a>>,
        domains: &'a Domains,
        options: &'a ProbeOptions,
        data: &'a str,
    ) -> Between<'a> {
        let (mut plain, mut adapting, mut references) = (Vec::new(), Vec::new(), HashMap::new());
        for source in sources {
            if let Some(reference) = source.reference {
                references.insert(source.contender.name().to_owned(), reference);
            }
            let own = remembering(source.contender, options.folds);
            match source.adapts {
                true => adapting.push(own),
                false => plain.push(own),
            }
        }
        Between {
            plain,
            adapting,
            references,
            domains,
            options,
            data,
            known: HashMap::new(),
            left_out: Vec::new(),
            task: String::new(),
        }
    }

    /// The source that `source` is compared with.
    pub(super) fn reference(&self, source: &str) -> Option<&str> {
        self.references.get(source).map(String::as_str)
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
        let rows = DomainRows {
            labelled: self.domains.rows(labelled),
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
        let found = measure_between(contenders, &rows, self.options, self.data, limits, say);
        let found = found.map_err(|error| match error {
            Error::Data(text) => Error::data(format!("{place}: {text}")),
            other => other,
        })?;
        let without = found.left_out.iter();
        self.left_out
            .extend(without.map(|what| format!("{place}: {what}")));
        self.task.clone_from(&found.task);
        self.known.insert(key, found.clone());
        Ok(Some(found))
    }
}

/// A source that learns from draws, so that what it learned once is asked about all test rows and not learned again for other test rows.
fn remembering(contender: Contender<'_>, folds: usize) -> Contender<'_> {
    let Contender::PerDraw {
        name,
        samples,
        origin,
        draws,
        labels_alone,
        answer,
    } = contender
    else {
        return contender;
    };
    let is_tested = |row: &usize| folds > 1 || samples.split[*row] == Split::Test;
    let memory = Memory {
        rows: (0..samples.ids.len()).filter(is_tested).collect(),
        learn: answer,
        known: Mutex::new(HashMap::new()),
    };
    Contender::PerDraw {
        name,
        samples,
        origin,
        draws,
        labels_alone,
        answer: Box::new(move |draw| memory.answer(draw)),
    }
}

/// What was learned from: labelled rows, all training rows, seed.
type Learned = (Vec<usize>, Vec<usize>, u64);

struct Memory<'a> {
    learn: Box<LearnAndAnswer<'a>>,
    /// Rows that may be tested.
    rows: Vec<usize>,
    /// Answers by row.
    known: Mutex<HashMap<Learned, HashMap<usize, Vec<f64>>>>,
}

impl Memory<'_> {
    fn answer(&self, draw: &Draw<'_>) -> Result<Vec<f64>> {
        let learned = (draw.labelled.to_vec(), draw.train.to_vec(), draw.seed);
        let of = |answers: &HashMap<usize, Vec<f64>>| -> Option<Vec<f64>> {
            let of = draw.test.iter().map(|row| answers.get(row));
            let of = of.collect::<Option<Vec<_>>>()?;
            Some(of.into_iter().flatten().copied().collect())
        };
        let lock = || {
            self.known
                .lock()
                .unwrap_or_else(|broken| broken.into_inner())
        };
        if let Some(known) = lock().get(&learned).and_then(of) {
            return Ok(known);
        }
        let is_new = |row: &usize| draw.train.binary_search(row).is_err();
        let rows: Vec<usize> = self.rows.iter().copied().filter(is_new).collect();
        let values = (self.learn)(&Draw {
            test: &rows,
            ..*draw
        })?;
        let width = values.len() / rows.len().max(1);
        let answers = rows.into_iter().zip(values.chunks(width.max(1)));
        let answers: HashMap<usize, Vec<f64>> =
            answers.map(|(row, own)| (row, own.to_vec())).collect();
        let asked = of(&answers).ok_or_else(|| Error::data("a test row was not answered for"))?;
        lock().insert(learned, answers);
        Ok(asked)
    }
}
