//! Extension points: each is one static list of entries.
//!
//! A list feeds the command line, the reports and the tests. Adding an objective, an encoder, a probe, a metric, a density, a format
//! of data or a view is one file and one line in its list.

use std::ops::Deref;

use crate::error::unknown;

/// A line of a list: what all have, and what it lists, whose fields are the entry's own.
///
/// ```
/// use hspace_core::list::{Entry, find};
///
/// struct Curve {
///     at: fn(f64) -> f64,
/// }
/// static CURVES: &[Entry<Curve>] = &[Entry {
///     name: "square",
///     summary: "x²",
///     source: "",
///     item: Curve { at: |x| x * x },
/// }];
/// let curve = find("curve", CURVES, "square").unwrap();
/// assert_eq!((curve.at)(3.0), 9.0);
/// assert!(find("curve", CURVES, "sqare").err().is_some_and(|e| e.contains("square")));
/// ```
pub struct Entry<T> {
    /// By which it is chosen.
    pub name: &'static str,
    /// One line for `hspace list`.
    pub summary: &'static str,
    /// Author, year, title or identifier; empty where there is nothing to cite.
    pub source: &'static str,
    /// What is listed.
    pub item: T,
}

impl<T> Deref for Entry<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

/// Finds an entry by name.
///
/// ```
/// use hspace_core::density::DENSITIES;
/// use hspace_core::list::find;
///
/// assert!(find("density", DENSITIES, "gamma").is_ok());
/// let text = find("density", DENSITIES, "gama").err().unwrap();
/// assert!(text.contains("did you mean `gamma`?"));
/// ```
///
/// # Errors
/// The nearest valid name and the whole list.
pub fn find<T>(
    what: &str,
    list: &'static [Entry<T>],
    name: &str,
) -> Result<&'static Entry<T>, String> {
    list.iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| unknown(what, name, list.iter().map(|entry| entry.name)))
}
