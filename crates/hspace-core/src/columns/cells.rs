//! Cells: which are missing, which are numbers, and what values a column of them has.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap, HashSet};

use super::Values;
use super::header::{Header, Reading};

/// More distinct whole numbers than this are numbers, not classes.
pub const MOST_CLASSES: usize = 20;

/// Cells that stand for a value that is not known, in any case.
const MISSING: [&str; 11] = [
    "", "na", "n/a", "#n/a", "#nv", "<na>", "nan", "-nan", "null", "nat", "?",
];

/// Whether a cell means a value that is not known: `NA`, `NaN`, `null` and their kin in any case, `None`, nothing.
pub fn is_missing(cell: &str) -> bool {
    let cell = cell.trim();
    cell.len() <= 4 && (cell == "None" || MISSING.iter().any(|m| cell.eq_ignore_ascii_case(m)))
}

/// A cell as a finite number.
pub fn number(cell: &str) -> Option<f64> {
    cell.trim().parse().ok().filter(|v: &f64| v.is_finite())
}

/// `a|b|c` as separate labels, each once; `|` alone is none of them.
fn labels(cell: &str) -> BTreeSet<&str> {
    let parts = cell.split('|').map(str::trim);
    parts.filter(|part| !part.is_empty()).collect()
}

/// The values of a column of cells, one a sample, by the rule of its header.
///
/// `keep_na`: cells such as `NA` are classes of that name, and only empty cells are unknown.
///
/// # Errors
/// The place and text of the first cell that is no number where numbers are needed.
pub fn values<S: AsRef<str>>(
    header: &Header,
    cells: &[S],
    keep_na: bool,
) -> Result<Values, (usize, String)> {
    let text = |cell: &S| -> bool { cell.as_ref().trim().is_empty() };
    let unknown = |cell: &S| is_missing(cell.as_ref());
    let known = || cells.iter().filter(|cell| !unknown(cell));
    let numbers = || known().map(|cell| number(cell.as_ref()));
    let fractions = || numbers().flatten().any(|v| v.fract() != 0.0);
    let many = || {
        let distinct: HashSet<u64> = numbers().flatten().map(f64::to_bits).collect();
        distinct.len() > MOST_CLASSES
    };
    let numeric = || known().next().is_some() && numbers().all(|v| v.is_some());
    let as_numbers = match header.reading {
        Reading::Classes | Reading::Text | Reading::MultiLabel => false,
        Reading::Numbers => true,
        Reading::MostlyClasses => numeric() && fractions(),
        Reading::Guess => numeric() && (fractions() || many()),
    };
    if as_numbers {
        let one = |(row, cell): (usize, &S)| match number(cell.as_ref()) {
            Some(value) => Ok(Some(value)),
            None if unknown(cell) => Ok(None),
            None => Err((row, cell.as_ref().trim().to_owned())),
        };
        let read: Result<_, _> = cells.iter().enumerate().map(one).collect();
        return Ok(Values::Numbers(read?));
    }
    let keep_na = keep_na || header.reading == Reading::Text;
    let missing = |cell: &S| if keep_na { text(cell) } else { unknown(cell) };
    if header.reading == Reading::MultiLabel {
        let sets: Vec<Option<BTreeSet<&str>>> = cells
            .iter()
            .map(|cell| (!missing(cell)).then(|| labels(cell.as_ref())))
            .collect();
        return Ok(multi_label(&sets));
    }
    // Whole numbers that a spreadsheet wrote with a point are one class: 1 and 1.0.
    let whole = header.reading != Reading::Text && numeric() && !fractions();
    let names: Vec<String> = cells
        .iter()
        .map(|cell| match (missing(cell), number(cell.as_ref())) {
            (true, _) => String::new(),
            (false, Some(value)) if whole && cell.as_ref().contains('.') => format!("{value}"),
            _ => cell.as_ref().trim().to_owned(),
        })
        .collect();
    Ok(classes(&names))
}

/// Class names in natural order, and each cell's index into them; an empty cell is unknown.
pub fn classes<S: AsRef<str>>(cells: &[S]) -> Values {
    let distinct: HashSet<&str> = cells.iter().map(|c| c.as_ref().trim()).collect();
    let names = in_order(distinct.into_iter().filter(|c| !c.is_empty()));
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

/// Sets of labels, names in natural order.
pub fn multi_label(sets: &[Option<BTreeSet<&str>>]) -> Values {
    let distinct: HashSet<&str> = sets.iter().flatten().flatten().copied().collect();
    let names = in_order(distinct.into_iter());
    let place: HashMap<&str, u32> = (0..).zip(&names).map(|(i, &name)| (name, i)).collect();
    let one = |set: &BTreeSet<&str>| {
        let mut set: Vec<u32> = set.iter().map(|name| place[name]).collect();
        set.sort_unstable();
        set
    };
    Values::MultiLabel {
        names: names.iter().map(|name| name.to_string()).collect(),
        sets: sets.iter().map(|set| set.as_ref().map(one)).collect(),
    }
}

/// Names that are all numbers by value, others in natural order.
fn in_order<'a>(distinct: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = distinct.collect();
    let values: Option<Vec<f64>> = names.iter().map(|name| number(name)).collect();
    match values {
        Some(_) => names.sort_by(|a, b| {
            let by_value = number(a).partial_cmp(&number(b));
            by_value.unwrap_or(Ordering::Equal).then_with(|| a.cmp(b))
        }),
        None => names.sort_by(|a, b| natural(a, b)),
    }
    names
}

/// The cells of a column: what [`values`] reads back to the same.
pub fn cells(values: &Values) -> Vec<String> {
    match values {
        Values::Classes { names, index } => index
            .iter()
            .map(|i| i.map_or(String::new(), |i| names[i as usize].clone()))
            .collect(),
        Values::Numbers(numbers) => numbers
            .iter()
            .map(|v| v.map_or(String::new(), |v| v.to_string()))
            .collect(),
        Values::MultiLabel { names, sets } => sets
            .iter()
            .map(|set| match set.as_deref() {
                None => String::new(),
                Some(set) => {
                    let names: Vec<&str> =
                        set.iter().map(|&i| names[i as usize].as_str()).collect();
                    let cell = names.join("|");
                    // No label, or one that is called as what is missing.
                    if is_missing(&cell) { cell + "|" } else { cell }
                }
            })
            .collect(),
    }
}

/// Text order in which runs of digits compare by value: `img2` before `img10`.
pub fn natural(a: &str, b: &str) -> Ordering {
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

    fn read(title: &str, cells: &[&str]) -> Values {
        values(&Header::parse(title), cells, false).unwrap()
    }

    fn is_numbers(values: &Values) -> bool {
        matches!(values, Values::Numbers(_))
    }

    #[test]
    fn missing_marks_are_unknown_and_words_are_not() {
        for cell in [
            "", " ", "NA", "n/a", "NaN", "null", "None", "?", "<NA>", "#N/A", "-nan",
        ] {
            assert!(is_missing(cell), "{cell}");
        }
        for cell in ["0", "nano", "-", "none", "Nan1", "missing"] {
            assert!(!is_missing(cell), "{cell}");
        }
    }

    #[test]
    fn classes_and_numbers_are_distinguished() {
        let many: Vec<String> = (0..30).map(|i| i.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(is_numbers(&read("nuisance:age", &many)));
        assert!(is_numbers(&read("nuisance:age", &["1", "2.5", "", "NA"])));
        assert!(!is_numbers(&read("nuisance:age", &["1", "2", "1"])));
        assert!(!is_numbers(&read("nuisance:age", &["", "NA"])));
        assert!(!is_numbers(&read("label:age", &["0.5"])));
        assert!(is_numbers(&read("target:age", &["1", "2"])));
        let wrong = values(&Header::parse("target:age"), &["1", "old"], false);
        assert_eq!(wrong, Err((1, "old".to_owned())));
    }

    #[test]
    fn class_names_are_in_natural_order_and_gaps_stay_unknown() {
        let expected = Values::Classes {
            names: vec!["img2".into(), "img10".into()],
            index: vec![Some(1), None, Some(0), Some(0)],
        };
        assert_eq!(read("label:x", &["img10", "", "img2", "img2"]), expected);
        // A spreadsheet that has gaps writes whole numbers with a point.
        let Values::Classes { names, .. } = read("label:x", &["1.0", "", "0.0"]) else {
            panic!("classes expected")
        };
        assert_eq!(names, ["0", "1"]);
        let names = ["10", "b", "9", "a10b", "a9b", "a", "1e3", "5", "1x"];
        let sorted = ["1e3", "1x", "5", "9", "10", "a", "a9b", "a10b", "b"];
        assert_eq!(in_order(names.into_iter()), sorted);
        assert_eq!(in_order(["1e1", "9", "-1"].into_iter()), ["-1", "9", "1e1"]);
    }

    #[test]
    fn na_can_be_a_class() {
        let names = |title: &str, keep| match values(&Header::parse(title), &["NA", "DE", ""], keep)
            .unwrap()
        {
            Values::Classes { names, index } => (names.len(), index[2]),
            _ => panic!("classes expected"),
        };
        assert_eq!(names("label:country", false), (1, None));
        assert_eq!(names("label:country", true), (2, None));
        assert_eq!(names("text:country", false), (2, None));
    }

    #[test]
    fn several_labels_a_cell() {
        let Values::MultiLabel { names, sets } = read("labels:tags", &["b|a", "|", "", "a| c"])
        else {
            panic!("sets expected")
        };
        assert_eq!(names, ["a", "b", "c"]);
        let expected = [Some(vec![0, 1]), Some(vec![]), None, Some(vec![0, 2])];
        assert_eq!(sets, expected);
    }

    #[test]
    fn cells_read_back_to_the_same_values() {
        for (title, given) in [
            ("labels:t", &["a|b", "|", "", "c"][..]),
            ("target:t", &["1", "", "0.1", "-3e300"]),
            ("label:t", &["x", "", "y z"]),
        ] {
            let before = read(title, given);
            let again = cells(&before);
            assert_eq!(values(&Header::parse(title), &again, false), Ok(before));
        }
    }
}
