//! What is counted of a column while a table is read for the first time: enough to say what it is for.

use std::collections::HashSet;
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher};

use super::cells::{MOST_CLASSES, is_missing, number};
use crate::dataset::Split;

/// More distinct values than this are not counted further, unless the column may be the id.
const COUNTED: usize = 10_000;

/// Counts over the cells of one column.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Cells.
    pub rows: usize,
    /// Those without a value.
    pub missing: usize,
    /// Row of the first of those.
    pub first_missing: Option<usize>,
    /// Cells that are finite numbers.
    pub numbers: usize,
    /// Those with a fraction.
    pub fractions: usize,
    /// Cells that are `true` or `false`.
    pub booleans: usize,
    /// Cells that are the name of a split.
    pub splits: usize,
    /// Cells with a `|`.
    pub bars: usize,
    /// Row and text of the first cell that is neither missing nor a number.
    pub first_text: Option<(usize, String)>,
    /// Cells that name one of the pictures of a folder.
    pub matches: usize,
    /// Mean of the numbers.
    pub mean: f64,
    /// Sum of their squared deviations from it.
    squares: f64,
    /// Distinct texts so far, by hash.
    texts: HashSet<u64, Same>,
    /// Whether `texts` may grow without limit.
    whole: bool,
    /// Whether it did not keep all.
    overflow: bool,
    /// Up to 21 distinct numbers.
    few: Vec<f64>,
    /// Whether every cell is the number before it plus 1.
    counts: bool,
    last: f64,
}

/// A hasher for hashes: they are taken as they are.
#[derive(Clone, Copy, Debug, Default)]
struct Same;

impl BuildHasher for Same {
    type Hasher = Taken;

    fn build_hasher(&self) -> Taken {
        Taken(0)
    }
}

#[derive(Clone, Copy, Debug)]
struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Profile {
    /// An empty one; `is_candidate`: the column may be the id, so whether its texts are unique must be known.
    pub fn new(is_candidate: bool) -> Profile {
        Profile {
            whole: is_candidate,
            counts: true,
            ..Profile::default()
        }
    }

    /// Counts the next cell, which is trimmed.
    pub fn add(&mut self, cell: &str) {
        let row = self.rows;
        self.rows += 1;
        if is_missing(cell) {
            self.missing += 1;
            self.first_missing.get_or_insert(row);
            self.counts = false;
            return;
        }
        self.add_text(cell);
        let Some(value) = number(cell) else {
            self.counts = false;
            self.first_text
                .get_or_insert_with(|| (row, cell.to_owned()));
            let boolean = ["true", "false"];
            self.booleans += usize::from(boolean.iter().any(|b| cell.eq_ignore_ascii_case(b)));
            self.splits += usize::from(Split::parse(cell).is_some());
            self.bars += usize::from(cell.contains('|'));
            return;
        };
        self.counts &= value.fract() == 0.0 && (row == 0 || value == self.last + 1.0);
        self.last = value;
        self.numbers += 1;
        self.fractions += usize::from(value.fract() != 0.0);
        let before = value - self.mean;
        self.mean += before / self.numbers as f64;
        self.squares += before * (value - self.mean);
        if self.few.len() <= MOST_CLASSES && !self.few.contains(&value) {
            self.few.push(value);
        }
    }

    fn add_text(&mut self, cell: &str) {
        if self.overflow {
            return;
        }
        let mut hasher = DefaultHasher::new();
        cell.hash(&mut hasher);
        self.texts.insert(hasher.finish());
        if !self.whole && self.texts.len() > COUNTED {
            self.overflow = true;
            self.texts = HashSet::default();
        }
    }

    /// The profile of cells that are at hand.
    pub fn of<S: AsRef<str>>(cells: &[S]) -> Profile {
        let mut profile = Profile::new(true);
        cells
            .iter()
            .for_each(|cell| profile.add(cell.as_ref().trim()));
        profile
    }

    /// Cells with a value.
    pub fn known(&self) -> usize {
        self.rows - self.missing
    }

    /// Distinct values; `None` where there are more than were counted.
    pub fn distinct(&self) -> Option<usize> {
        (!self.overflow).then_some(self.texts.len())
    }

    /// Whether every cell has a value of its own.
    pub fn is_unique(&self) -> bool {
        self.missing == 0 && self.distinct() == Some(self.rows)
    }

    /// Whether it counts the rows, one by one.
    pub fn counts_rows(&self) -> bool {
        self.counts && self.rows > 0
    }

    /// Whether all its values are finite numbers, and there is one.
    pub fn is_numeric(&self) -> bool {
        self.known() > 0 && self.numbers == self.known()
    }

    /// Whether all its values are `true` or `false`.
    pub fn is_boolean(&self) -> bool {
        self.known() > 0 && self.booleans == self.known()
    }

    /// Whether its numbers are 0 and 1 alone, or `true` and `false`.
    pub fn is_binary(&self) -> bool {
        self.is_boolean() || self.is_numeric() && self.few.iter().all(|v| *v == 0.0 || *v == 1.0)
    }

    /// Standard deviation of its numbers.
    pub fn deviation(&self) -> f64 {
        (self.squares / self.numbers.max(1) as f64).max(0.0).sqrt()
    }

    /// What its values are, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            p if p.known() == 0 => "empty",
            p if p.is_boolean() => "true/false",
            p if p.is_numeric() && p.fractions == 0 => "whole numbers",
            p if p.is_numeric() => "numbers",
            p if p.numbers > 0 => "numbers and text",
            _ => "text",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_counted_by_what_they_are() {
        let p = Profile::of(&["1", "2.5", "NA", "", "x", "true", "test", "a|b"]);
        assert_eq!((p.rows, p.missing, p.numbers, p.fractions), (8, 2, 2, 1));
        assert_eq!((p.booleans, p.splits, p.bars), (1, 1, 1));
        assert_eq!(p.first_text, Some((4, "x".into())));
        assert_eq!((p.distinct(), p.first_missing), (Some(6), Some(2)));
        assert!(!p.is_unique() && !p.is_numeric());
        let p = Profile::of(&["7", "8", "9"]);
        assert!(p.counts_rows() && p.is_unique() && p.is_numeric());
        assert!(!Profile::of(&["7", "9"]).counts_rows());
        assert!(Profile::of(&["0", "1", ""]).is_binary() && !Profile::of(&["0", "2"]).is_binary());
        let p = Profile::of(&["1e9", "1000000002"]);
        assert_eq!((p.mean, p.deviation()), (1_000_000_001.0, 1.0));
    }

    #[test]
    fn counting_stops_where_it_is_not_needed() {
        let mut p = Profile::new(false);
        (0..20_000).for_each(|i| p.add(&i.to_string()));
        assert_eq!(p.distinct(), None);
        assert!(p.texts.is_empty() && p.few.len() > MOST_CLASSES);
    }
}
