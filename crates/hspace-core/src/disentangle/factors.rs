//! Generating factors as the metrics take them: a few values, each row having one.

use crate::dataset::{Column, Values, factors};
use crate::error::{Error, Result, unknown, valid};

/// A numeric factor of more distinct values is cut into [`BINS`] intervals of equal width.
const MOST_VALUES: usize = 100;
const BINS: usize = 20;

/// A factor and the value each row has.
///
/// ```
/// use hspace_core::dataset::{Column, Role, Values};
/// use hspace_core::disentangle::Factor;
///
/// let size = Column {
///     name: "size".into(),
///     role: Role::Factor,
///     values: Values::Numbers(vec![Some(0.5), Some(2.0), Some(0.5)]),
/// };
/// let factor = Factor::new(&size)?;
/// assert_eq!((factor.count, &factor.index[..]), (2, &[0, 1, 0][..]));
/// assert_eq!(factor.members(), [vec![0, 2], vec![1]]);
/// assert_eq!(factor.select(&[1]).index, [1]);
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Factor {
    /// The column's name.
    pub name: String,
    /// Number of values.
    pub count: usize,
    /// Each row's value, below `count`.
    pub index: Vec<u32>,
    /// The values themselves where they are numbers, ascending.
    pub numbers: Option<Vec<f64>>,
}

impl Factor {
    /// Reads a column in which every row has a value.
    ///
    /// # Errors
    /// Where some row has none, or all have the same.
    pub fn new(column: &Column) -> Result<Factor> {
        let name = &column.name;
        let missing = |n: usize| {
            let text = format!("the factor `{name}` is unknown for {n} of the samples");
            Error::data(format!("{text}; name the others with --factors"))
        };
        let factor = match &column.values {
            Values::Classes { names, index } => {
                let known: Vec<u32> = index.iter().flatten().copied().collect();
                if known.len() < index.len() {
                    return Err(missing(index.len() - known.len()));
                }
                Factor::compact(name, names.len(), known, None)
            }
            Values::Numbers(numbers) => {
                let known: Vec<f64> = numbers.iter().flatten().copied().collect();
                if known.len() < numbers.len() {
                    return Err(missing(numbers.len() - known.len()));
                }
                Factor::of_numbers(name, &known)
            }
            Values::MultiLabel { .. } => {
                return Err(Error::data(format!(
                    "the factor `{name}` has several labels a sample; name factors of one value with --factors"
                )));
            }
        };
        if factor.count < 2 {
            return Err(Error::data(format!(
                "the factor `{name}` has one value in these samples; name those that vary with --factors"
            )));
        }
        Ok(factor)
    }

    fn of_numbers(name: &str, known: &[f64]) -> Factor {
        let mut distinct = known.to_vec();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        if distinct.len() <= MOST_VALUES {
            let place = |v: &f64| distinct.partition_point(|d| d < v) as u32;
            let index = known.iter().map(place).collect();
            return Factor::compact(name, distinct.len(), index, Some(distinct));
        }
        let (low, high) = (distinct[0], distinct[distinct.len() - 1]);
        let width = (high - low) / BINS as f64;
        let bin = |v: &f64| (((v - low) / width) as usize).min(BINS - 1) as u32;
        let middles = (0..BINS).map(|b| low + (b as f64 + 0.5) * width).collect();
        Factor::compact(name, BINS, known.iter().map(bin).collect(), Some(middles))
    }

    /// Leaves out values that no row has.
    fn compact(name: &str, count: usize, index: Vec<u32>, numbers: Option<Vec<f64>>) -> Factor {
        let mut used = vec![false; count];
        index.iter().for_each(|&v| used[v as usize] = true);
        let mut place = vec![0; count];
        let mut next = 0;
        for (place, &used) in place.iter_mut().zip(&used) {
            *place = next;
            next += u32::from(used);
        }
        let kept = |numbers: Vec<f64>| {
            let kept = numbers.into_iter().zip(&used).filter(|(_, used)| **used);
            kept.map(|(number, _)| number).collect()
        };
        Factor {
            name: name.to_owned(),
            count: next as usize,
            index: index.iter().map(|&v| place[v as usize]).collect(),
            numbers: numbers.map(kept),
        }
    }

    /// The same of these rows alone; values keep their number.
    pub fn select(&self, rows: &[usize]) -> Factor {
        Factor {
            index: rows.iter().map(|&row| self.index[row]).collect(),
            ..self.clone()
        }
    }

    /// Rows by value, `[count]`.
    pub fn members(&self) -> Vec<Vec<u32>> {
        let mut members = vec![Vec::new(); self.count];
        for (row, &value) in (0..).zip(&self.index) {
            members[value as usize].push(row);
        }
        members
    }
}

/// The factors among `columns`: those named, or where none is named all that are known; see
/// [`crate::dataset::factors`]. Empty where the data have none.
///
/// ```
/// use hspace_core::dataset::{Dataset, OpenOptions};
/// use hspace_core::disentangle::of_columns;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let counts: Vec<usize> = of_columns(&shapes.columns, &[])?.iter().map(|f| f.count).collect();
/// assert_eq!(counts, [2, 2, 10, 10, 4]);
/// assert_eq!(of_columns(&shapes.columns, &["size".into()])?[0].name, "size");
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// If a named column is not there, or one does not serve.
pub fn of_columns(columns: &[Column], named: &[String]) -> Result<Vec<Factor>> {
    let chosen: Vec<&Column> = match named {
        [] => factors(columns),
        named => {
            let find = |name: &String| {
                let names = || columns.iter().map(|c| c.name.as_str());
                if columns.is_empty() {
                    return Err(format!(
                        "factor `{name}`: the data have no columns; a table next to them heads factors `factor:NAME`"
                    ));
                }
                let found = columns.iter().find(|c| c.name == *name);
                found.ok_or_else(|| unknown("factor", name, names()))
            };
            let is_twice = |i: &usize| named[..*i].contains(&named[*i]);
            let twice = (1..named.len()).filter(is_twice).map(|i| {
                let name = &named[i];
                format!("factor `{name}` is named twice, and would count twice; name it once")
            });
            let mut problems: Vec<String> = twice.collect();
            problems.extend(named.iter().filter_map(|name| find(name).err()));
            valid(problems)?;
            named.iter().filter_map(|name| find(name).ok()).collect()
        }
    };
    chosen.into_iter().map(Factor::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Role;

    fn numbers(role: Role, values: &[f64]) -> Column {
        Column {
            name: "x".into(),
            role,
            values: Values::Numbers(values.iter().map(|&v| Some(v)).collect()),
        }
    }

    #[test]
    fn values_become_indices() -> Result<()> {
        let factor = Factor::new(&numbers(Role::Factor, &[0.5, -1.0, 0.5, 3.0]))?;
        assert_eq!(
            (factor.count, factor.index.as_slice()),
            (3, &[1, 0, 1, 2][..])
        );
        assert_eq!(factor.numbers.as_deref(), Some(&[-1.0, 0.5, 3.0][..]));
        let many: Vec<f64> = (0..1000).map(f64::from).collect();
        let factor = Factor::new(&numbers(Role::Factor, &many))?;
        assert_eq!(
            (factor.count, factor.index[999], factor.index[50]),
            (20, 19, 1)
        );
        assert_eq!(factor.select(&[999, 0]).index, [19, 0]);
        assert_eq!(factor.members()[0].len(), 50);
        Ok(())
    }

    #[test]
    fn factors_are_found_by_role_or_by_name() -> Result<()> {
        let label = numbers(Role::Label, &[1.0, 2.0]);
        assert!(of_columns(std::slice::from_ref(&label), &[])?.is_empty());
        assert_eq!(
            of_columns(std::slice::from_ref(&label), &["x".into()])?.len(),
            1
        );
        let both = [label, numbers(Role::Factor, &[1.0, 3.0])];
        assert_eq!(of_columns(&both, &[])?.len(), 2);
        let text =
            of_columns(&both, &["z".into()]).map_or_else(|e| e.to_string(), |_| String::new());
        assert!(text.contains("unknown factor `z`"), "{text}");
        let one = Factor::new(&numbers(Role::Factor, &[1.0, 1.0]));
        assert!(one.is_err_and(|e| e.to_string().contains("one value")));
        Ok(())
    }
}
