//! Columns from text or numbers: which are classes, which are numbers, and what each is for.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap, HashSet};

use crate::dataset::{Column, Role, Values};

/// More distinct whole numbers than this are numbers, not classes.
const MOST_CLASSES: usize = 20;

/// How a column's values are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// Always class names: `label:NAME`.
    Classes,
    /// Class names unless fractions are among them: a column called `label` or `class`.
    MostlyClasses,
    /// Numbers where every value is one: `target:NAME`.
    Numbers,
    /// Numbers where every value is one and there are fractions or many distinct values.
    Guess,
}

/// What a header says: its name without prefix, its role, and how to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name without prefix.
    pub name: String,
    /// The role; `Label` if nothing else is said.
    pub role: Role,
    /// Whether prefix or name say that this is a known value and no feature.
    pub marked: bool,
    reading: Reading,
}

impl Header {
    /// Reads `name`, `label:name`, `target:name`, `nuisance:name` or `factor:name`.
    pub fn parse(text: &str) -> Self {
        let (prefix, name) = text.trim().split_once(':').unwrap_or(("", text));
        let (role, reading) = match prefix.trim() {
            "label" => (Role::Label, Reading::Classes),
            "target" => (Role::Label, Reading::Numbers),
            "nuisance" => (Role::Nuisance, Reading::Guess),
            "factor" => (Role::Factor, Reading::Guess),
            _ => {
                let name = text.trim().to_string();
                let (marked, reading) = match name.to_ascii_lowercase().as_str() {
                    "label" | "labels" | "class" => (true, Reading::MostlyClasses),
                    "target" | "y" => (true, Reading::Guess),
                    _ => (false, Reading::Guess),
                };
                return Header {
                    name,
                    role: Role::Label,
                    marked,
                    reading,
                };
            }
        };
        Header {
            name: name.trim().to_string(),
            role,
            marked: true,
            reading,
        }
    }

    /// Whether its name, or the prefix `label:`, says that this is the task; `target:` may mark many columns.
    fn names_a_task(&self) -> bool {
        self.role == Role::Label && self.marked && self.reading != Reading::Numbers
    }

    /// The column of `cells`, one per sample; an empty cell is an unknown value.
    pub fn column<S: AsRef<str>>(&self, cells: &[S]) -> Column {
        let known = || {
            cells
                .iter()
                .map(|c| c.as_ref().trim())
                .filter(|c| !c.is_empty())
        };
        let numeric = known().all(|c| number(c).is_some());
        let fractions = || known().any(|c| number(c).is_some_and(|v| v.fract() != 0.0));
        let many = || known().collect::<HashSet<_>>().len() > MOST_CLASSES;
        let as_numbers = numeric
            && match self.reading {
                Reading::Classes => false,
                Reading::MostlyClasses => fractions(),
                Reading::Numbers => true,
                Reading::Guess => fractions() || many(),
            };
        let values = if as_numbers {
            Values::Numbers(cells.iter().map(|c| number(c.as_ref())).collect())
        } else {
            classes(cells)
        };
        Column {
            name: self.name.clone(),
            role: self.role,
            values,
        }
    }
}

/// The columns of a table, by their headers and cells. The first label is the default task; so where that would be
/// one only because its header says nothing, the first that is called `label`, `class`, `target` or `y`, or marked with
/// `label:`, goes before it.
pub fn columns<'a>(table: impl Iterator<Item = (&'a Header, &'a [String])>) -> Vec<Column> {
    let mut table: Vec<(&Header, &[String])> = table.collect();
    let first = table
        .iter()
        .position(|(header, _)| header.role == Role::Label);
    let task = table.iter().position(|(header, _)| header.names_a_task());
    if let (Some(first), Some(task)) = (first, task)
        && !table[first].0.marked
    {
        table[first..=task].rotate_right(1);
    }
    let column = |(header, cells): (&Header, &[String])| header.column(cells);
    table.into_iter().map(column).collect()
}

/// Class names in natural order, and each cell's index into them.
pub fn classes<S: AsRef<str>>(cells: &[S]) -> Values {
    let distinct: BTreeSet<&str> = cells.iter().map(|c| c.as_ref().trim()).collect();
    let mut names: Vec<&str> = distinct.into_iter().filter(|c| !c.is_empty()).collect();
    names.sort_by(|a, b| natural(a, b));
    let place: HashMap<&str, u32> = (0..).zip(&names).map(|(i, &name)| (name, i)).collect();
    let index = cells
        .iter()
        .map(|c| place.get(c.as_ref().trim()).copied())
        .collect();
    Values::Classes {
        names: names.iter().map(|name| name.to_string()).collect(),
        index,
    }
}

/// Classes given as whole numbers: named by them, in ascending order.
pub fn integer_classes(numbers: &[i64]) -> Values {
    let distinct: BTreeSet<i64> = numbers.iter().copied().collect();
    let place: HashMap<i64, u32> = distinct.iter().copied().zip(0..).collect();
    Values::Classes {
        names: distinct.iter().map(i64::to_string).collect(),
        index: numbers.iter().map(|n| place.get(n).copied()).collect(),
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|v: &f64| v.is_finite())
}

/// Text order in which runs of digits compare by value: `img2` before `img10`.
pub fn natural(a: &str, b: &str) -> Ordering {
    if let (Some(x), Some(y)) = (number(a), number(b)) {
        return x.total_cmp(&y).then_with(|| a.cmp(b));
    }
    pieces(a).cmp(pieces(b)).then_with(|| a.cmp(b))
}

/// Digit runs as (0, length without leading zeros, digits), other runs as (1, 0, text).
fn pieces(text: &str) -> impl Iterator<Item = (u8, usize, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let digits = rest.chars().next()?.is_ascii_digit();
        let end = rest
            .find(|c: char| c.is_ascii_digit() != digits)
            .unwrap_or(rest.len());
        let (piece, tail) = rest.split_at(end);
        rest = tail;
        if !digits {
            return Some((1, 0, piece));
        }
        let value = piece.trim_start_matches('0');
        Some((0, value.len(), value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str, cells: &[&str]) -> Values {
        Header::parse(header).column(cells).values
    }

    fn is_numbers(values: &Values) -> bool {
        matches!(values, Values::Numbers(_))
    }

    #[test]
    fn headers_set_the_role() {
        let header = Header::parse("nuisance:hospital");
        assert_eq!(
            (header.name.as_str(), header.role),
            ("hospital", Role::Nuisance)
        );
        assert_eq!(Header::parse("factor: x").name, "x");
        assert!(Header::parse("y").marked && !Header::parse("width").marked);
        assert_eq!(Header::parse("time:utc").name, "time:utc");
    }

    #[test]
    fn the_task_comes_before_what_became_a_label() {
        let cells = ["a".to_owned(), "b".to_owned()];
        for (titles, expected) in [
            (
                ["city", "nuisance:site", "Class"],
                ["Class", "city", "site"],
            ),
            (
                ["city", "target:age", "label:grade"],
                ["grade", "city", "age"],
            ),
            (
                ["nuisance:site", "city", "target:age"],
                ["site", "city", "age"],
            ),
            (["target:age", "city", "y"], ["age", "city", "y"]),
        ] {
            let headers = titles.map(Header::parse);
            let table = headers.iter().map(|header| (header, &cells[..]));
            let columns = columns(table);
            let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
            assert_eq!(names, expected);
        }
    }

    #[test]
    fn classes_and_numbers_are_told_apart() {
        let many: Vec<String> = (0..30).map(|i| i.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(is_numbers(&read("age", &many)));
        assert!(is_numbers(&read("age", &["1", "2.5", ""])));
        assert!(!is_numbers(&read("age", &["1", "2", "1"])));
        assert!(!is_numbers(&read("label", &many)));
        assert!(is_numbers(&read("label", &["0.5"])));
        assert!(!is_numbers(&read("label:age", &["0.5"])));
        assert!(is_numbers(&read("target:age", &["1", "2"])));
        assert!(!is_numbers(&read("target:age", &["1", "old"])));
    }

    #[test]
    fn class_names_are_in_natural_order_and_gaps_stay_unknown() {
        let values = read("label", &["img10", "", "img2", "img2"]);
        let expected = Values::Classes {
            names: vec!["img2".into(), "img10".into()],
            index: vec![Some(1), None, Some(0), Some(0)],
        };
        assert_eq!(values, expected);
        let mut names = ["-1", "10", "9", "b", "a10b", "a9b", "a"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["-1", "9", "10", "a", "a9b", "a10b", "b"]);
    }
}
