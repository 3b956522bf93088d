//! `--save-masks`: what one source answers for the test images, as PNG files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use hspace::dataset::{Dataset, Mask};
use hspace::file::write_whole;
use hspace::probe::Measurements;
use hspace::representation::Representation;
use hspace::{Error, Result};

use super::addition::{Added, Addition};

/// Where the masks that a source answers with are kept.
#[derive(Clone, Copy)]
pub struct SaveMasks<'a> {
    /// Name of the source.
    pub source: &'a str,
    /// A folder that does not exist yet.
    pub folder: &'a Path,
}

impl<'a> SaveMasks<'a> {
    /// The flag for `sources`.
    ///
    /// # Errors
    /// When there is not one source, or the folder is there.
    pub fn of(folder: &'a Path, sources: &'a [String]) -> Result<SaveMasks<'a>> {
        let [source] = sources else {
            return Err(Error::config(
                "--save-masks: name one source, whose masks are to be kept",
            ));
        };
        match folder.exists() {
            true => Err(Error::file(
                folder,
                "exists; --save-masks makes a folder: choose another name",
            )),
            false => Ok(SaveMasks { source, folder }),
        }
    }
}

impl Addition for SaveMasks<'_> {
    fn check(&self, dataset: &Dataset, label: Option<&str>) -> Result<()> {
        match label.and_then(|label| dataset.mask_column(label)) {
            Some(_) => Ok(()),
            None => Err(Error::config(format!(
                "--save-masks: the task is no column of masks of {}; name one by --label",
                dataset.name
            ))),
        }
    }

    fn add(&mut self, _: &Measurements, _: &[Representation]) -> Result<Added> {
        Ok(Added::default())
    }

    fn masks(&self) -> Option<SaveMasks<'_>> {
        Some(*self)
    }
}

/// A file a mask, in a folder.
pub(super) struct MaskFiles<'a> {
    source: &'a str,
    folder: &'a Path,
    /// The file of each sample, by its place.
    names: Vec<PathBuf>,
    written: AtomicUsize,
}

impl<'a> MaskFiles<'a> {
    /// Of samples with these `ids`, in `folder`, which exists.
    pub fn new(source: &'a str, folder: &'a Path, ids: &[&str]) -> MaskFiles<'a> {
        MaskFiles {
            source,
            folder,
            names: file_names(ids),
            written: AtomicUsize::new(0),
        }
    }

    /// Writes the answer of `source` for the sample at `place`, where it is the one that is kept.
    pub fn keep(&self, source: &str, place: usize, mask: &Mask) -> Result<()> {
        if source != self.source {
            return Ok(());
        }
        let path = self.folder.join(&self.names[place]);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|e| Error::file(parent, e))?;
        }
        write_whole(&path, &mask.png()?)?;
        self.written.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// How many were written.
    pub fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }
}

/// A file for each id, in sub-folders where it has some: its ending is .png in place of its own; where two were the same, after its own.
fn file_names(ids: &[&str]) -> Vec<PathBuf> {
    let replaced: Vec<PathBuf> = ids
        .iter()
        .map(|id| inner(id).with_extension("png"))
        .collect();
    let different: BTreeSet<&PathBuf> = replaced.iter().collect();
    match different.len() == ids.len() {
        true => replaced,
        false => ids
            .iter()
            .map(|id| {
                let mut path = inner(id).into_os_string();
                path.push(".png");
                path.into()
            })
            .collect(),
    }
}

/// An id as a path that stays inside a folder: without what leads out of it, and without signs that file systems do not take.
fn inner(id: &str) -> PathBuf {
    let is_plain = |c: char| !c.is_control() && !"<>:\"|?*".contains(c);
    let part = |part: &str| -> String {
        let plain = part.chars().map(|c| if is_plain(c) { c } else { '_' });
        plain.collect()
    };
    let parts = id
        .split(['/', '\\'])
        .filter(|part| !["", ".", ".."].contains(part));
    let path: PathBuf = parts.map(part).collect();
    match path.as_os_str().is_empty() {
        true => PathBuf::from("_"),
        false => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_bear_the_names_of_their_samples_and_stay_in_the_folder() {
        let names = |ids: &[&str]| -> Vec<String> {
            let names = file_names(ids).into_iter();
            names.map(|name| name.display().to_string()).collect()
        };
        assert_eq!(
            names(&["a/b.jpg", "test/000123"]),
            ["a/b.png", "test/000123.png"]
        );
        assert_eq!(
            names(&["a.jpg", "a.png", "b.png"]),
            ["a.jpg.png", "a.png.png", "b.png.png"]
        );
        assert_eq!(
            names(&["../../x.png", "/etc/y", "c:d", ".."]),
            ["x.png", "etc/y.png", "c_d.png", "_.png"]
        );
    }
}
