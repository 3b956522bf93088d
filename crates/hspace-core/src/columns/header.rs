//! Titles: what a header says about its column.
//!
//! A title is `name`, `type:name`, `role:name` or `role:type:name`, the prefixes in any case:
//!
//! | prefix | the column is |
//! | --- | --- |
//! | `label:` | a task of classes; missing marks (NA, empty, …) are unknown |
//! | `text:` | the same, but only an empty cell is unknown: a class may be called `NA` |
//! | `target:` | a task of numbers |
//! | `labels:` | a task with several labels a sample: `a\|b\|c`, and `\|` for none |
//! | `nuisance:` | something the representation should not carry |
//! | `factor:` | a known generating factor |
//! | `domain:` | where a sample comes from |
//! | `group:` | what belongs together: never cut by splits and folds |
//! | `mask:` | path of a picture with a class for each pixel |
//! | `id:`, `split:`, `feature:`, `ignore:` | that |
//!
//! After `nuisance:` and `factor:` a type may follow: `nuisance:target:dose`. Without one, numbers with fractions or
//! with more than 20 distinct values are numbers, and everything else is classes. `NAME=VALUE` is one column of a
//! one-hot encoding of `NAME`. Titles without a prefix are looked up among usual names, see [`roles`](super::roles).

use super::{Column, Role, Values};

/// What a column is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The samples' names.
    Id,
    /// `train`, `val` or `test`.
    Split,
    /// A number that the representation is made from.
    Feature,
    /// Nothing.
    Ignored,
    /// A known value.
    Known(Role),
}

/// How cells become values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Numbers where all are and there are fractions or many distinct values, else classes.
    Guess,
    /// Classes, unless there are fractions: a column called `label` or `class`.
    MostlyClasses,
    /// Classes.
    Classes,
    /// Classes; only an empty cell is unknown.
    Text,
    /// Numbers; any other text is an error.
    Numbers,
    /// Several labels a cell, `a|b|c`.
    MultiLabel,
}

/// A title, taken apart.
///
/// ```
/// use hspace_core::columns::header::{Header, Reading, Use};
/// use hspace_core::columns::{Column, Role, Values};
///
/// let header = Header::parse("nuisance:target:dose");
/// assert_eq!(header.name, "dose");
/// assert_eq!(header.usage, Some(Use::Known(Role::Nuisance)));
/// assert_eq!(header.reading, Reading::Numbers);
///
/// let values = Values::Numbers(vec![Some(0.5), None]);
/// let column = Column { name: "age".into(), role: Role::Label, values };
/// assert_eq!(Header::of(&column), "target:age");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name without prefixes.
    pub name: String,
    /// What a prefix says.
    pub usage: Option<Use>,
    /// How cells become values.
    pub reading: Reading,
}

/// The names of [`Use`]s that `--role COLUMN=ROLE` takes: the prefixes of titles.
pub const PREFIXES: [&str; 13] = [
    "label", "labels", "text", "target", "nuisance", "factor", "domain", "group", "mask", "id",
    "split", "feature", "ignore",
];

fn prefix(text: &str) -> Option<(Use, Reading)> {
    let known = |role| Use::Known(role);
    Some(match text.trim().to_ascii_lowercase().as_str() {
        "label" => (known(Role::Label), Reading::Classes),
        "text" => (known(Role::Label), Reading::Text),
        "labels" => (known(Role::Label), Reading::MultiLabel),
        "target" => (known(Role::Label), Reading::Numbers),
        // Files of features of hspace 0.1 call labels so.
        "column" => (known(Role::Label), Reading::Guess),
        "nuisance" => (known(Role::Nuisance), Reading::Guess),
        "factor" => (known(Role::Factor), Reading::Guess),
        "domain" => (known(Role::Domain), Reading::Classes),
        "group" => (known(Role::Group), Reading::Classes),
        "mask" => (known(Role::Mask), Reading::Classes),
        "id" => (Use::Id, Reading::Text),
        "split" => (Use::Split, Reading::Text),
        "feature" => (Use::Feature, Reading::Numbers),
        "ignore" => (Use::Ignored, Reading::Text),
        _ => return None,
    })
}

impl Header {
    /// Takes a title apart.
    pub fn parse(title: &str) -> Header {
        let title = title.trim();
        let plain = || Header {
            name: title.to_owned(),
            usage: None,
            reading: Reading::Guess,
        };
        let Some((first, rest)) = title.split_once(':') else {
            return plain();
        };
        let Some((usage, reading)) = prefix(first) else {
            return plain();
        };
        let (mut name, mut reading) = (rest.trim(), reading);
        if matches!(usage, Use::Known(role) if role != Role::Label)
            && let Some((second, last)) = name.split_once(':')
            && let Some((Use::Known(Role::Label), kind)) = prefix(second)
        {
            (name, reading) = (last.trim(), kind);
        }
        if name.is_empty() {
            name = first.trim();
        }
        Header {
            name: name.to_owned(),
            usage: Some(usage),
            reading,
        }
    }

    /// The title under which `column` reads back to the same values, whatever they are.
    pub fn of(column: &Column) -> String {
        let name = &column.name;
        let role = match column.role {
            Role::Label => "",
            Role::Nuisance => "nuisance:",
            Role::Factor => "factor:",
            Role::Domain => "domain:",
            Role::Mask => "mask:",
            Role::Group => "group:",
        };
        let cells = super::cells::cells(&column.values);
        let reads_back = |title: &String| {
            let values = super::cells::values(&Header::parse(title), &cells, false);
            let kind = std::mem::discriminant::<Values>;
            values.is_ok_and(|values| {
                kind(&values) == kind(&column.values) && super::cells::cells(&values) == cells
            })
        };
        let short = match column.role {
            Role::Label if name == "label" => name.clone(),
            Role::Label => format!("label:{name}"),
            _ => format!("{role}{name}"),
        };
        let is_plain = Header::parse(&short).name == *name;
        if is_plain && column.role != Role::Label && reads_back(&short) {
            return short;
        }
        let typed = |kind: &str| format!("{role}{kind}:{name}");
        match column.values {
            Values::Numbers(_) => typed("target"),
            Values::MultiLabel { .. } => typed("labels"),
            Values::Classes { .. } if !reads_back(&typed("label")) => typed("text"),
            Values::Classes { .. } if column.role == Role::Label => short,
            Values::Classes { .. } => typed("label"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_set_use_type_and_name() {
        let known = |role| Some(Use::Known(role));
        for (title, name, usage, reading) in [
            ("label:kind", "kind", known(Role::Label), Reading::Classes),
            ("Target: age", "age", known(Role::Label), Reading::Numbers),
            (
                "labels:tags",
                "tags",
                known(Role::Label),
                Reading::MultiLabel,
            ),
            (
                "nuisance:site",
                "site",
                known(Role::Nuisance),
                Reading::Guess,
            ),
            (
                "nuisance:target:dose",
                "dose",
                known(Role::Nuisance),
                Reading::Numbers,
            ),
            (
                "factor:label:label:x",
                "label:x",
                known(Role::Factor),
                Reading::Classes,
            ),
            ("domain:lab", "lab", known(Role::Domain), Reading::Classes),
            (
                "label:time:utc",
                "time:utc",
                known(Role::Label),
                Reading::Classes,
            ),
            ("id:key", "key", Some(Use::Id), Reading::Text),
            ("time:utc", "time:utc", None, Reading::Guess),
            ("width", "width", None, Reading::Guess),
            ("label:", "label", known(Role::Label), Reading::Classes),
        ] {
            let expected = Header {
                name: name.into(),
                usage,
                reading,
            };
            assert_eq!(Header::parse(title), expected, "{title}");
        }
        for word in PREFIXES {
            assert!(
                Header::parse(&format!("{word}:x")).usage.is_some(),
                "{word}"
            );
        }
    }
}
