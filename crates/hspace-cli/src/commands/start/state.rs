//! What `hspace start` keeps in its folder to go on from: start.toml.

use std::path::{Path, PathBuf};

use hspace::dataset::OpenOptions;
use hspace::file::{read_text, write_whole};
use hspace::{Error, Result, toml};
use serde::{Deserialize, Serialize};

use crate::say;

/// What was asked for, as far as results depend on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) data: String,
    pub(super) label: String,
    pub(super) encoder: String,
    pub(super) seed: u64,
    pub(super) reading: OpenOptions,
}

/// start.toml: what was asked for, and what was chosen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) asked: Asked,
    /// What is kept, once that is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) chosen: Option<Chosen>,
}

/// What is kept, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Chosen {
    pub(super) source: String,
    pub(super) why: String,
}

fn state_file(out: &Path) -> PathBuf {
    out.join("start.toml")
}

/// Begins in a new folder, or goes on in one where the same was begun.
pub(super) fn begin(out: &Path, asked: Asked, overwrite: bool) -> Result<Begun> {
    let path = state_file(out);
    let is_empty = std::fs::read_dir(out).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty && !path.is_file() {
        return Err(Error::file(
            out,
            "is not empty and nothing that `hspace start` began; choose another --out",
        ));
    }
    if path.is_file() && overwrite {
        std::fs::remove_dir_all(out).map_err(|e| Error::file(out, hspace::file::explain(&e)))?;
    }
    if path.is_file() {
        let text = read_text(&path)?;
        let known: Begun =
            toml::from_str(&text).map_err(|e| Error::file(&path, e.message().to_owned()))?;
        if known.asked != asked {
            return Err(Error::file(
                out,
                "was begun with other data or flags (start.toml has them); choose another --out, or --overwrite",
            ));
        }
        say::note(format_args!("going on in {}", out.display()));
        return Ok(known);
    }
    std::fs::create_dir_all(out).map_err(|e| Error::file(out, hspace::file::explain(&e)))?;
    let state = Begun {
        asked,
        chosen: None,
    };
    write_state(out, &state)?;
    Ok(state)
}

/// Writes start.toml, whole.
pub(super) fn write_state(out: &Path, state: &Begun) -> Result<()> {
    let path = state_file(out);
    let text = toml::to_string(state).map_err(|e| Error::file(&path, e))?;
    write_whole(&path, text.as_bytes())
}
