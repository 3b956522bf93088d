//! What the pages of a file are: samples, or channels of one sample.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, unknown};

/// How a TIFF with several pages is read. Other formats have one page.
///
/// ```
/// use hspace_core::dataset::{OpenOptions, Pages};
///
/// let pages: Pages = "channels".parse()?;
/// assert_eq!(pages, Pages::Channels);
/// let options = OpenOptions { pages, ..OpenOptions::default() };
/// assert_eq!(options.pages.to_string(), "channels");
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pages {
    /// Every page is a sample, `file.tif#1`, `file.tif#2`, …
    Samples,
    /// The pages, grey and of one size, are the channels of one image.
    Channels,
    /// The first page is read, the others are not.
    #[default]
    First,
}

impl Pages {
    /// All of them, in the order of help texts.
    pub const ALL: [Pages; 3] = [Pages::Samples, Pages::Channels, Pages::First];

    fn name(self) -> &'static str {
        match self {
            Pages::Samples => "samples",
            Pages::Channels => "channels",
            Pages::First => "first",
        }
    }
}

impl fmt::Display for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Pages {
    type Err = Error;

    fn from_str(text: &str) -> Result<Pages, Error> {
        let found = Pages::ALL.into_iter().find(|pages| pages.name() == text);
        let names = Pages::ALL.map(Pages::name);
        found.ok_or_else(|| Error::config(unknown("use of pages", text, names)))
    }
}

/// What of a file is one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// The image of the file; of several pages the first.
    #[default]
    First,
    /// One page of a TIFF.
    Page {
        /// Counted from 1.
        number: usize,
        /// Byte at which its directory begins, so that pages can be read in any order.
        directory: u64,
    },
    /// All pages of a TIFF as the channels of one image.
    Channels,
}

impl Part {
    /// The sample's id where the file's is `file`: `file` itself, or `file#number` for a page.
    pub fn id(self, file: &str) -> String {
        match self {
            Part::First | Part::Channels => file.to_owned(),
            Part::Page { number, .. } => format!("{file}#{number}"),
        }
    }
}

/// What is said where so many `files` have pages that are not read; `None` if there are none.
pub fn unread_pages(files: usize) -> Option<String> {
    let (have, them) = match files {
        0 => return None,
        1 => ("file has", "its"),
        _ => ("files have", "their"),
    };
    Some(format!(
        "{files} {have} several pages; only the first is read (--pages samples reads {them} pages as samples, \
         --pages channels as the channels of one image)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_refused() {
        for pages in Pages::ALL {
            assert_eq!(pages.to_string().parse::<Pages>().unwrap(), pages);
            let text = serde_json::to_string(&pages).unwrap();
            assert_eq!(text, format!("\"{pages}\""));
        }
        let text = "sample".parse::<Pages>().unwrap_err().to_string();
        assert!(text.contains("did you mean `samples`?"), "{text}");
    }

    #[test]
    fn ids_of_pages_are_counted_from_one() {
        let page = Part::Page {
            number: 2,
            directory: 8,
        };
        assert_eq!(page.id("a/b.tif"), "a/b.tif#2");
        assert_eq!(Part::First.id("a/b.tif"), "a/b.tif");
        assert_eq!(unread_pages(0), None);
        let text = unread_pages(3).unwrap();
        assert!(text.starts_with("3 files have several pages"), "{text}");
    }
}
