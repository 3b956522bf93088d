//! The columns of an archive: every array that has a value, or k, for each sample.

use super::archive::{Archive, Part, join, without_split};
use crate::columns::header::Header;
use crate::columns::profile::Profile;
use crate::error::Result;
use crate::npz::array::Array;

/// What a name that is no array of samples means.
pub(super) enum Found {
    Columns(Vec<(String, Vec<String>)>),
    Ignored(String),
}

impl Archive<'_> {
    /// Names of columns, less the names of splits, in the order of the archive.
    pub(super) fn titles(&self, parts: &[Part]) -> Vec<String> {
        let mut titles: Vec<String> = Vec::new();
        for name in &self.names {
            if parts.iter().any(|part| part.samples == *name) {
                continue;
            }
            let rest = parts.iter().filter(|part| part.split.is_some());
            let rest = rest
                .filter_map(|part| without_split(name, &part.word))
                .next();
            let title = rest.unwrap_or(name).to_owned();
            if !titles.contains(&title) {
                titles.push(title);
            }
        }
        titles
    }

    /// The array of masks `[n, h, w, …]` over all parts; `None` where it has fewer dimensions.
    pub(super) fn masks(&mut self, title: &str, parts: &[Part]) -> Result<Option<Array>> {
        let mut arrays = Vec::new();
        for part in parts {
            let name = match part.split {
                None => Some(title.to_owned()),
                Some(_) => {
                    let fits = |name: &&String| without_split(name, &part.word) == Some(title);
                    self.names.iter().find(fits).cloned()
                }
            };
            let Some(name) = name else {
                let text = format!("there is none for {}", part.samples);
                return Err(self.wrong(title, text));
            };
            let dims = self.dims(&name)?;
            if dims.len() < 3 {
                return Ok(None);
            }
            if dims[0] != part.rows {
                let text = format!("of shape {dims:?} for {} samples", part.rows);
                return Err(self.wrong(&name, text));
            }
            arrays.push(self.load(&name)?);
        }
        let joined = join(arrays).map_err(|e| self.wrong(title, e))?;
        Ok(Some(joined))
    }

    /// The cells of a column over all parts.
    pub(super) fn column(&mut self, title: &str, parts: &[Part], rows: &[usize]) -> Result<Found> {
        let total: usize = rows.iter().sum();
        let own = |part: &Part| {
            let fits = |name: &&String| without_split(name, &part.word) == Some(title);
            self.names.iter().find(fits).cloned()
        };
        let names: Vec<Option<String>> = match parts[0].split {
            None => vec![Some(title.to_owned())],
            Some(_) if self.names.iter().any(|name| name == title) => {
                return self.whole(title, total);
            }
            Some(_) => parts.iter().map(own).collect(),
        };
        let mut arrays = Vec::new();
        for name in &names {
            arrays.push(name.as_ref().map(|name| self.load(name)).transpose()?);
        }
        let width = |array: &Array| match array.dims[..] {
            [_] => Some(1),
            [_, k] if k > 0 => Some(k),
            _ => None,
        };
        let mut widths = arrays.iter().flatten().map(width);
        let first = widths.next().flatten();
        let Some(k) = first.filter(|k| widths.all(|other| other == Some(*k))) else {
            let dims: Vec<&[usize]> = arrays.iter().flatten().map(|a| &a.dims[..]).collect();
            return Ok(Found::Ignored(format!(
                "shape {dims:?}, not one value a sample"
            )));
        };
        for ((array, name), &rows) in arrays.iter().zip(&names).zip(rows) {
            let Some(array) = array else { continue };
            if array.dims[0] != rows {
                let name = name.as_deref().unwrap_or(title);
                if Header::parse(title).usage.is_none()
                    && parts[0].split.is_none()
                    && !is_known(title)
                {
                    return Ok(Found::Ignored(format!(
                        "{} values for {rows} samples",
                        array.dims[0]
                    )));
                }
                let text = format!("of shape {:?} for {rows} samples", array.dims);
                return Err(self.wrong(name, text));
            }
        }
        for (part, _) in parts.iter().zip(&arrays).filter(|(_, a)| a.is_none()) {
            let note = format!("`{title}` is unknown for all samples of {}", part.word);
            self.notes.push(note);
        }
        let cells = arrays.iter().zip(rows).map(|(array, rows)| match array {
            Some(array) => array.cells(),
            None => vec![String::new(); rows * k],
        });
        Ok(Found::Columns(spread(title, cells.flatten().collect(), k)))
    }

    /// An array for all parts together.
    fn whole(&mut self, title: &str, total: usize) -> Result<Found> {
        let array = self.load(title)?;
        Ok(match array.dims[..] {
            [n] | [n, 1] if n == total => Found::Columns(spread(title, array.cells(), 1)),
            _ => Found::Ignored(format!("shape {:?} for {total} samples", array.dims)),
        })
    }
}

/// Whether a title has a usual name: then an array of another length is an error, and not something else.
fn is_known(title: &str) -> bool {
    let name = title.to_lowercase();
    let usual = [
        "label", "labels", "target", "targets", "y", "split", "id", "ids",
    ];
    usual.contains(&name.as_str())
}

/// k columns of cells `[n, k]`: one, or one-hot, or numbered.
fn spread(title: &str, cells: Vec<String>, k: usize) -> Vec<(String, Vec<String>)> {
    if k == 1 {
        return vec![(title.to_owned(), cells)];
    }
    let columns: Vec<Vec<String>> = (0..k)
        .map(|i| cells.iter().skip(i).step_by(k).cloned().collect())
        .collect();
    let profiles: Vec<Profile> = columns.iter().map(|column| Profile::of(column)).collect();
    let name = match title.to_lowercase().as_str() {
        "labels" => "label".to_owned(),
        "targets" => "target".to_owned(),
        _ => title.to_owned(),
    };
    let binary = profiles.iter().all(Profile::is_binary);
    let tasks = is_known(title);
    let title = |(i, p): (usize, &Profile)| match (binary, tasks) {
        (true, _) => format!("{name}={i}"),
        (false, true) if p.fractions > 0 => format!("target:{name}_{i}"),
        (false, true) => format!("label:{name}_{i}"),
        (false, false) => format!("{name}_{i}"),
    };
    let titles: Vec<String> = profiles.iter().enumerate().map(title).collect();
    titles.into_iter().zip(columns).collect()
}
