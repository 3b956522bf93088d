//! Where the answers of a measurement are kept as they come, so that one that was stopped goes on.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hspace::probe::Journal;
use hspace::{Error, Result};

use super::ProbeFlags;
use crate::say;

/// The file, if there is one.
pub struct Answers {
    journal: Option<Journal>,
    /// It is removed when all is measured.
    is_temporary: bool,
}

impl Answers {
    /// Opens `--answers`, or a file next to `--json` or `--html`, or one in the user's cache for this command.
    pub fn open(names: &[String], flags: &ProbeFlags) -> Result<Answers> {
        let outputs = [&flags.json, &flags.html].into_iter().flatten();
        let mut outputs = outputs.filter(|path| !is_stream(path));
        let (path, is_temporary) = match (&flags.answers, outputs.next()) {
            (Some(path), _) => (Some(path.clone()), false),
            (None, Some(path)) => (Some(path.with_extension("answers.jsonl")), false),
            (None, None) => (cached(names, flags), true),
        };
        let journal = match path {
            None => None,
            Some(path) if !is_temporary => Some(Journal::open(&path)?),
            // Without a cache answers are not kept, which matters to who wants to go on alone.
            Some(path) => match Journal::open(&path) {
                Ok(journal) => Some(journal),
                Err(error) => {
                    say::note(format_args!("answers are not kept: {error}"));
                    None
                }
            },
        };
        match (flags.minutes, &journal) {
            (Some(_), None) => Err(Error::config(
                "--minutes: there is no place to keep answers in; name a file by --answers",
            )),
            _ => Ok(Answers {
                journal,
                is_temporary,
            }),
        }
    }

    pub fn journal(&mut self) -> Option<&mut Journal> {
        self.journal.as_mut()
    }

    /// Says what was known, what has changed, and how to go on.
    pub fn done(mut self, without: Option<String>, flags: &ProbeFlags) -> Result<()> {
        let Some(journal) = self.journal.take() else {
            return Ok(());
        };
        let path = journal.path().to_owned();
        journal.notes().iter().for_each(say::note);
        if journal.known() > 0 {
            say::note(format_args!(
                "{} draws of labels were known from {}, and not measured again",
                journal.known(),
                path.display()
            ));
        }
        drop(journal);
        let is_empty = remove_empty(&path);
        match without {
            Some(without) => {
                if flags.is_quiet() {
                    say::warning(without);
                }
                let kept = match is_empty {
                    true => String::new(),
                    false => format!("; the answers so far are in {}", path.display()),
                };
                say::note(format_args!("the same command goes on{kept}"));
                Ok(())
            }
            None if self.is_temporary && !is_empty => std::fs::remove_file(&path)
                .map_err(|e| Error::file(&path, hspace::file::explain(&e))),
            None => Ok(()),
        }
    }
}

impl Drop for Answers {
    /// What failed before anything was measured leaves no empty file.
    fn drop(&mut self) {
        if let Some(journal) = &self.journal {
            remove_empty(journal.path());
        }
    }
}

/// Removes a file without answers; whether there is none now.
fn remove_empty(path: &Path) -> bool {
    let is_empty = path.metadata().is_ok_and(|m| m.len() == 0);
    if is_empty {
        let _ = std::fs::remove_file(path);
    }
    is_empty || !path.exists()
}

/// Standard output, or a device.
fn is_stream(path: &Path) -> bool {
    path == Path::new("-") || path.metadata().is_ok_and(|m| !m.is_file())
}

/// The file of this command in the user's cache; `None` where there is none.
fn cached(names: &[String], flags: &ProbeFlags) -> Option<PathBuf> {
    let absolute =
        |name: &str| std::env::var_os(name).filter(|value| Path::new(value).is_absolute());
    let cache = match absolute("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => Path::new(&absolute("HOME")?).join(".cache"),
    };
    let folder = cache.join("hspace");
    std::fs::create_dir_all(&folder).ok()?;
    let place = std::env::current_dir().ok()?;
    let command = format!("{place:?} {names:?} {:?} {:?}", flags.data, flags.label);
    let hash = hspace::file::hash_of(command.as_bytes());
    Some(folder.join(format!("{hash}.answers.jsonl")))
}

/// Minutes from now on.
pub fn deadline(minutes: f64) -> Instant {
    Instant::now() + Duration::from_secs_f64(60.0 * minutes)
}

/// A number above 0.
pub fn minutes(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(m) if m > 0.0 && m <= 1e6 => Ok(m),
        _ => Err("must be a number of minutes above 0".to_owned()),
    }
}
