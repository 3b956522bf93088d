//! The one error type of the library. Each message names the file or the value and says what to do.

use std::path::{Path, PathBuf};

/// What can go wrong, by who has to act on it.
///
/// ```
/// use hspace_core::Error;
///
/// let error = Error::file("data/a.png", "cut short");
/// assert_eq!(error.to_string(), "data/a.png: cut short");
/// let error = Error::Config(vec!["epochs must be at least 1".into(), "no data".into()]);
/// assert!(error.to_string().starts_with("2 problems with the settings"));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder that cannot be read, written or understood.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file or folder as the user named it.
        path: PathBuf,
        /// What is wrong and what to do about it.
        problem: String,
    },
    /// Settings that do not fit: every problem found, not only the first.
    #[error("{}", list(.0))]
    Config(Vec<String>),
    /// Data that do not fit the request (shapes, labels, ids, values).
    #[error("{0}")]
    Data(String),
    /// Training that cannot go on: the loss is no longer a finite number.
    #[error("{0}")]
    Diverged(String),
    /// The user asked to stop; everything is saved and the text says how to go on.
    #[error("{0}")]
    Interrupted(String),
}

/// What `validate` found as a result.
///
/// ```
/// use hspace_core::error::valid;
///
/// assert!(valid(vec![]).is_ok());
/// assert!(valid(vec!["warmup: must be in 0..1".into()]).is_err());
/// ```
///
/// # Errors
/// [`Error::Config`] with all problems, if there are any.
pub fn valid(problems: Vec<String>) -> Result<()> {
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::Config(problems)),
    }
}

/// `std::result::Result` with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error about `path`.
    pub fn file(path: impl AsRef<Path>, problem: impl std::fmt::Display) -> Self {
        Error::File {
            path: path.as_ref().to_path_buf(),
            problem: problem.to_string(),
        }
    }

    /// One problem with the settings.
    pub fn config(problem: impl std::fmt::Display) -> Self {
        Error::Config(vec![problem.to_string()])
    }

    /// A problem with the data.
    pub fn data(problem: impl std::fmt::Display) -> Self {
        Error::Data(problem.to_string())
    }
}

fn list(problems: &[String]) -> String {
    match problems {
        [one] => one.clone(),
        many => {
            let mut text = format!("{} problems with the settings:", many.len());
            for problem in many {
                text.push_str("\n  - ");
                text.push_str(problem);
            }
            text
        }
    }
}

/// Answers an unknown name with the nearest valid one and the whole list.
///
/// `what` is the noun, such as `"encoder"` or `"key in [train]"`.
///
/// ```
/// use hspace_core::error::unknown;
///
/// let text = unknown("encoder", "resnet81", ["cnn", "resnet18"]);
/// assert!(text.contains("did you mean `resnet18`?"));
/// ```
pub fn unknown<'a>(what: &str, name: &str, valid: impl IntoIterator<Item = &'a str>) -> String {
    let valid: Vec<&str> = valid.into_iter().collect();
    let nearest = valid
        .iter()
        .map(|v| (strsim::damerau_levenshtein(name, v), *v))
        .min()
        .filter(|(distance, v)| *distance <= 1 + v.len() / 3);
    let hint = nearest.map_or(String::new(), |(_, v)| format!("; did you mean `{v}`?"));
    let (shown, rest) = valid.split_at(valid.len().min(SHOWN));
    let more = match rest.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    format!(
        "unknown {what} `{name}`{hint} (valid: {}{more})",
        shown.join(", ")
    )
}

/// Valid names that an error lists; names of samples can be a million.
const SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_answered_with_the_nearest() {
        let text = unknown("encoder", "resnet81", ["mlp", "cnn", "resnet18"]);
        assert!(text.contains("did you mean `resnet18`?"), "{text}");
        assert!(text.contains("valid: mlp, cnn, resnet18"), "{text}");
        let many: Vec<String> = (0..1000).map(|i| format!("row/{i}")).collect();
        let text = unknown("sample", "row/1000", many.iter().map(String::as_str));
        assert!(text.contains("row/39 and 960 more)"), "{text}");
        let far = unknown("encoder", "zzzzzz", ["mlp"]);
        assert!(!far.contains("did you mean"), "{far}");
    }

    #[test]
    fn several_setting_problems_are_listed_together() {
        let text = Error::Config(vec!["a".into(), "b".into()]).to_string();
        assert_eq!(text, "2 problems with the settings:\n  - a\n  - b");
    }
}
