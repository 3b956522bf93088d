//! Files written whole: to a temporary name next to the target, then renamed over it.

use std::fs::{File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Hash of a file's bytes: the first 16 digits of blake3.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hspace_core::file::{hash, hash_of, write_whole};
///
/// let path = folder.path().join("a.bin");
/// write_whole(&path, b"abc")?;
/// assert_eq!(hash(&path)?, hash_of(b"abc"));
/// assert_eq!(hash(&path)?.len(), 16);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Names the file that cannot be read.
pub fn hash(path: &Path) -> Result<String> {
    Ok(hash_of(&read(path)?))
}

/// The first 16 digits of blake3.
///
/// ```
/// use hspace_core::file::hash_of;
///
/// assert_eq!(hash_of(b"abc"), "6437b3ac38465133");
/// ```
pub fn hash_of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..16].to_owned()
}

/// Writes `bytes` to `path`, or leaves what was there untouched.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hspace_core::file::{read, write_whole};
///
/// let path = folder.path().join("a.bin");
/// write_whole(&path, b"first")?;
/// write_whole(&path, b"second")?;
/// assert_eq!(read(&path)?, b"second");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Names the file; a full disk says so.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// Lets `fill` write `path`, or leaves what was there untouched. A symbolic link stays, and what it leads to is
/// written; a device or a FIFO is written as it is.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hspace_core::file::{read_text, write_with};
/// use std::io::Write;
///
/// let path = folder.path().join("numbers.txt");
/// write_with(&path, |file| (1..4).try_for_each(|i| writeln!(file, "{i}")))?;
/// assert_eq!(read_text(&path)?, "1\n2\n3\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`write_whole`].
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<()> {
    let failed = |e: io::Error| Error::file(path, format!("cannot write: {}", explain(&e)));
    match std::fs::metadata(path) {
        Ok(there) if there.is_dir() => Err(Error::file(path, "is a folder; name a file")),
        Ok(there) if !there.is_file() => pour(path, fill).map_err(failed),
        _ => replace(&behind_links(path), fill).map_err(failed),
    }
}

/// Writes a new file and gives it the place of what was there.
fn replace(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-");
    // The user's umask takes from these what it takes from any new file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder)?;
    let mut out = BufWriter::new(file.as_file());
    fill(&mut out)?;
    out.flush()?;
    drop(out);
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// Lets `fill` write the files of a new folder, which then takes the place of `path`, or leaves what was there untouched.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hspace_core::file::{read_text, write_folder, write_whole};
///
/// let path = folder.path().join("export");
/// write_folder(&path, |new| write_whole(&new.join("a.txt"), b"a"))?;
/// assert_eq!(read_text(&path.join("a.txt"))?, "a");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Names the folder; whatever `fill` answers.
pub fn write_folder(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let failed = |e: io::Error| Error::file(path, format!("cannot write: {}", explain(&e)));
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent).map_err(failed)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    // Removed with all that is in it when it is dropped.
    let aside = builder.tempdir_in(parent).map_err(failed)?;
    let (new, old) = (aside.path().join("new"), aside.path().join("old"));
    std::fs::create_dir(&new).map_err(failed)?;
    fill(&new)?;
    if path.exists() {
        std::fs::rename(path, &old).map_err(failed)?;
    }
    std::fs::rename(&new, path).map_err(failed)
}

/// Writes into what is there, such as a FIFO that someone reads.
fn pour(path: &Path, fill: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    let mut out = BufWriter::new(&file);
    fill(&mut out)?;
    out.flush()
}

/// Where symbolic links lead, even if nothing is there yet; a path that is none, as it is.
fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // As many as Linux follows.
    for _ in 0..40 {
        let Ok(to) = std::fs::read_link(&path) else {
            break;
        };
        path = path.parent().unwrap_or(Path::new("")).join(to);
    }
    path
}

/// Keeps other processes out that ask for the same folder, until what it gives is dropped or the process ends: a lock
/// on the file `lock` in it. Where the file system knows no locks, nobody is kept out.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hspace_core::file::occupy;
///
/// let lock = occupy(folder.path())?;
/// assert!(occupy(folder.path()).is_err());
/// drop(lock);
/// assert!(occupy(folder.path()).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If another process has it, or the file cannot be made.
pub fn occupy(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(|e| Error::file(&path, explain(&e)))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::file(
            folder,
            "another hspace is at work there; wait until it ends, or choose another --out",
        )),
        _ => Ok(file),
    }
}

/// A word of a command as a POSIX shell takes it: in single quotes, where it needs them.
///
/// ```
/// use hspace_core::file::quoted;
///
/// assert_eq!(quoted("runs/a"), "runs/a");
/// assert_eq!(quoted("my run"), "'my run'");
/// ```
pub fn quoted(word: impl std::fmt::Display) -> String {
    let word = word.to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+:,=@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// An input/output error in words that say what to do.
///
/// ```
/// use hspace_core::file::explain;
/// use std::io::{Error, ErrorKind};
///
/// assert_eq!(explain(&Error::from(ErrorKind::PermissionDenied)), "permission denied");
/// ```
pub fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => {
            "no space left on the device; free some space or choose another place with --out".into()
        }
        io::ErrorKind::NotFound => "there is no such file or folder".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

/// Reads a whole file.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hspace_core::file::read;
///
/// let error = read(&folder.path().join("a.bin")).unwrap_err();
/// assert!(error.to_string().ends_with("a.bin: there is no such file or folder"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Names the file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::file(path, explain(&e)))
}

/// Reads a text file.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hspace_core::file::{read_text, write_whole};
///
/// let path = folder.path().join("a.txt");
/// write_whole(&path, "naïve".as_bytes())?;
/// assert_eq!(read_text(&path)?, "naïve");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Names the file.
pub fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| Error::file(path, explain(&e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_at_work() {
        let folder = tempfile::tempdir().unwrap();
        let first = occupy(folder.path()).unwrap();
        let problem = occupy(folder.path()).unwrap_err().to_string();
        assert!(problem.contains("another hspace is at work"), "{problem}");
        drop(first);
        assert!(occupy(folder.path()).is_ok());
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        for word in ["runs/a-1.b_2", "builtin:mnist-mini", "../bücher", "lr=0.1"] {
            assert_eq!(quoted(word), word);
        }
        for (word, text) in [
            ("my runs/a", "'my runs/a'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("~/a", "'~/a'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), text);
        }
    }

    #[test]
    fn what_was_there_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_whole(&path, b"a long text").unwrap();
        write_whole(&path, b"short").unwrap();
        let broken = write_with(&path, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        let error = broken.unwrap_err().to_string();
        assert!(error.contains("no space left"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"short");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("far/model");
        let fill = |text: &'static str| {
            move |at: &Path| {
                write_whole(&at.join("a"), text.as_bytes())?;
                write_whole(&at.join(text), b"")
            }
        };
        write_folder(&path, fill("first")).unwrap();
        write_folder(&path, fill("second")).unwrap();
        let broken = write_folder(&path, |at| {
            write_whole(&at.join("a"), b"half")?;
            Err(Error::data("broken"))
        });
        assert!(broken.is_err());
        assert_eq!(std::fs::read(path.join("a")).unwrap(), b"second");
        assert!(path.join("second").exists() && !path.join("first").exists());
        let left = std::fs::read_dir(folder.path().join("far")).unwrap();
        assert_eq!(left.count(), 1);
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_whole(folder.path(), b"x").unwrap_err().to_string();
        assert!(error.ends_with("is a folder; name a file"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_and_what_they_lead_to_is_written() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        std::fs::create_dir(at.join("far")).unwrap();
        std::fs::write(at.join("far/old"), b"old").unwrap();
        symlink("far/old", at.join("a")).unwrap();
        symlink(at.join("a"), at.join("b")).unwrap();
        // Nothing is there yet.
        symlink("far/new", at.join("c")).unwrap();
        for (link, file) in [("a", "far/old"), ("b", "far/old"), ("c", "far/new")] {
            write_whole(&at.join(link), link.as_bytes()).unwrap();
            assert!(at.join(link).is_symlink(), "{link}");
            assert!(!at.join(file).is_symlink(), "{link}");
            assert_eq!(std::fs::read(at.join(file)).unwrap(), link.as_bytes());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_fifo_stays_one_and_its_reader_is_served() {
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        if !made.is_ok_and(|status| status.success()) {
            return;
        }
        let from = path.clone();
        let reader = std::thread::spawn(move || std::fs::read(from));
        write_whole(&path, b"text").unwrap();
        let there = std::fs::metadata(&path).unwrap();
        assert!(there.file_type().is_fifo());
        assert_eq!(reader.join().unwrap().unwrap(), b"text");
    }
}
