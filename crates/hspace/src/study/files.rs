//! Results as files of JSON.

use std::path::Path;

use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Error, Result};
use crate::file;

pub(super) fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::file(path, e))?;
    file::write_whole(path, text.as_bytes())
}

pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_str(&file::read_text(path)?).map_err(|e| {
        Error::file(
            path,
            format!("is no result of this version ({e}); delete it, and it is made again"),
        )
    })
}

pub(super) fn read_if<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    path.exists().then(|| read(path)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A study that goes on computes with the speeds it reads.
    #[test]
    fn speeds_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pace.json");
        let speeds: Vec<f64> = (1..2000).map(|i| 1e4 / f64::from(i).sqrt()).collect();
        write(&path, &speeds).unwrap();
        assert_eq!(read::<Vec<f64>>(&path).unwrap(), speeds);
    }
}
