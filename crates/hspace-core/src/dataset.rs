//! What hspace learns from: samples, their ids, their columns and their split.
//!
//! A [`Dataset`] knows nothing of training. Samples are fetched one at a time, so a folder of a
//! million files costs no more memory than its list of names.
//!
//! Each format is one file in `dataset/` and one line in [`DATASETS`]; [`Dataset::open`] asks them
//! in turn.

mod builtin;
mod channels;
pub mod check;
mod computed;
mod decode;
mod domains;
mod dsprites;
mod few;
mod idx;
mod image_folder;
mod joined;
mod labels;
mod latents;
pub mod mask;
mod memory;
mod npz;
mod pages;
mod shapes;
mod split;
mod table;
mod tiff;

use std::borrow::Cow;
use std::path::Path;

pub use domains::DOMAIN;
pub use mask::Mask;
pub use pages::Pages;
use serde::{Deserialize, Serialize};

use crate::columns::header::Header;
pub use crate::columns::{Column, Missing, Reading, Role, Values, factors, groups, task};
use crate::columns::{Rules, TableOptions};
use crate::error::{Error, Result, unknown};
use crate::list;

/// The shape of one sample.
///
/// ```
/// use hspace_core::dataset::Shape;
///
/// assert_eq!(Shape::Vector { dim: 30 }.what(), "vectors of 30 numbers");
/// assert_eq!(Shape::Image { channels: 3, height: 32, width: 32 }.what(), "images");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    /// An image, `[channels, height, width]`.
    Image {
        /// 1 (grey), 3 (RGB) or any other number (a microscope's, a satellite's).
        channels: usize,
        /// Rows of pixels.
        height: usize,
        /// Columns of pixels.
        width: usize,
    },
    /// A vector of `dim` numbers.
    Vector {
        /// Number of features.
        dim: usize,
    },
}

impl Shape {
    /// Samples of it, in words, as far as an encoder minds: one takes images of any size.
    pub fn what(self) -> String {
        match self {
            Shape::Image { .. } => "images".to_owned(),
            Shape::Vector { dim } => format!("vectors of {dim} numbers"),
        }
    }
}

/// What the samples show: chooses the views that make sense (`digits` are never mirrored).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Handwriting, glyphs, documents: orientation and side carry meaning.
    Digits,
    /// Grey images of things that may be mirrored (clothes, X-rays).
    Grey,
    /// Photographs in colour.
    Photo,
    /// Rows of numbers.
    Vectors,
}

/// Which part of the data a sample belongs to.
///
/// ```
/// use hspace_core::dataset::Split;
///
/// assert_eq!(Split::parse("validation"), Some(Split::Val));
/// assert_eq!(Split::ALL.map(Split::name), ["train", "val", "test"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// To learn from.
    Train,
    /// To choose by (epochs, settings). Never learned from unless asked for.
    Val,
    /// Read once, at the end.
    Test,
}

/// Pixel values as stored, interleaved, row-major: `[height, width, channels]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Pixels<'a> {
    /// 0..=255
    U8(Cow<'a, [u8]>),
    /// 0..=65535
    U16(Cow<'a, [u16]>),
}

/// One decoded image. Alpha is already blended onto white and the EXIF orientation applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Image<'a> {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 1 (grey), 3 (RGB) or any other number.
    pub channels: usize,
    /// The values.
    pub pixels: Pixels<'a>,
}

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample<'a> {
    /// An image.
    Image(Image<'a>),
    /// A vector.
    Vector(Cow<'a, [f32]>),
}

/// Where samples come from. `get` may be called from many threads at once.
///
/// ```
/// use hspace_core::dataset::{Dataset, Kind, Sample, Samples, Shape, Split};
/// use hspace_core::Result;
///
/// /// Row i is (i, i²).
/// struct Squares;
///
/// impl Samples for Squares {
///     fn get(&self, index: usize) -> Result<Sample<'_>> {
///         let i = index as f32;
///         Ok(Sample::Vector(vec![i, i * i].into()))
///     }
/// }
///
/// let dataset = Dataset {
///     name: "squares".into(),
///     kind: Kind::Vectors,
///     shape: Shape::Vector { dim: 2 },
///     ids: (0..10).map(|i| i.to_string()).collect(),
///     columns: vec![],
///     split: vec![Split::Train; 10],
///     bad: vec![],
///     reading: Default::default(),
///     samples: Box::new(Squares),
/// };
/// assert_eq!(dataset.samples.get(3)?, Sample::Vector(vec![3.0, 9.0].into()));
/// # Ok::<(), hspace_core::Error>(())
/// ```
pub trait Samples: Send + Sync {
    /// Sample `index`, decoded.
    ///
    /// # Errors
    /// When the file behind it cannot be read or decoded; the error names it.
    fn get(&self, index: usize) -> Result<Sample<'_>>;

    /// What was subtracted from each feature of vectors, in double precision, before they became single: large common
    /// parts, which would cost the digits that matter. `None` where nothing was.
    fn shift(&self) -> Option<&[f64]> {
        None
    }

    /// The mask of sample `index` by the column of masks called `column`.
    ///
    /// # Errors
    /// When its file cannot be read or has another size than the sample, which the error names; when the data are of a kind whose
    /// masks are not read.
    fn mask(&self, index: usize, column: &str) -> Result<Mask> {
        let _ = index;
        Err(Error::data(format!(
            "the masks of `{column}` cannot be read: masks are read for folders of images with a table (labels.csv), .npz archives of \
             images and builtin:shapes"
        )))
    }
}

/// A file that could not be used, and why. Listed in `bad_files.csv`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadFile {
    /// The file, relative to the dataset.
    pub path: String,
    /// Why it was left out.
    pub reason: String,
}

/// Samples with their ids, columns and split. All vectors have one entry per sample.
///
/// ```
/// use hspace_core::dataset::{Dataset, OpenOptions, Sample, Split};
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// assert_eq!(shapes.len(), 1600);
/// assert!(!shapes.indices(Split::Test).is_empty());
/// assert_eq!(shapes.task().map(|task| task.name.as_str()), Some("shape"));
/// assert_eq!(shapes.column("colour")?.values.len(), 1600);
/// let Sample::Image(image) = shapes.samples.get(0)? else { panic!("an image") };
/// assert_eq!((image.channels, image.height, image.width), (3, 24, 24));
/// # Ok::<(), hspace_core::Error>(())
/// ```
pub struct Dataset {
    /// As given to `--data`.
    pub name: String,
    /// What the samples show.
    pub kind: Kind,
    /// Shape of a sample; in a folder of mixed sizes, the most common one.
    pub shape: Shape,
    /// Unique and stable: the relative path, or `train/000123` for arrays.
    pub ids: Vec<String>,
    /// What is known about the samples. The first `Label` column is the default task.
    pub columns: Vec<Column>,
    /// Train, val or test.
    pub split: Vec<Split>,
    /// What had to be left out.
    pub bad: Vec<BadFile>,
    /// How the table was understood, and what was guessed.
    pub reading: Reading,
    /// The samples themselves.
    pub samples: Box<dyn Samples>,
}

/// How data are to be read. Kept in a run's config.toml, so that the run's data are read the same way again.
///
/// ```
/// use hspace_core::dataset::{Dataset, OpenOptions};
///
/// let options = OpenOptions { label: "size".into(), ..OpenOptions::default() };
/// let shapes = Dataset::open("builtin:shapes", &options)?;
/// assert_eq!(shapes.task().map(|task| task.name.as_str()), Some("size"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OpenOptions {
    /// The column that is the default task; `auto` is the first label column. (A run's configuration has it as `label`.)
    #[serde(skip, default = "auto")]
    pub label: String,
    /// Share of samples held out as test set where the data have no split of their own, in `0..1`.
    pub holdout: f64,
    /// Images of more pixels than this are left out, unread.
    pub max_pixels: u64,
    /// Title of the column of ids; `auto` finds it.
    pub id: String,
    /// Title of the column of splits; `auto` finds it.
    pub split_column: String,
    /// What columns are for, such as `age=target` or `site=nuisance`, in place of what their titles say.
    pub roles: Vec<String>,
    /// The table of labels of a folder of images; `auto` looks for it in the folder and next to it, `none` takes none.
    pub label_file: String,
    /// Whether `NA` and its kin may be the name of a class; only an empty cell is unknown then.
    pub keep_na: bool,
    /// What becomes of rows of a table without a value of some feature.
    pub missing: Missing,
    /// What the pages of a TIFF with several are.
    pub pages: Pages,
    /// Labels a class that are kept ([`Dataset::keep_few_labels`]); 0: all.
    pub few_labels: usize,
    /// Number of the draw of them.
    pub few_labels_draw: u64,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions {
            label: AUTO.into(),
            holdout: 0.2,
            max_pixels: 100_000_000,
            id: AUTO.into(),
            split_column: AUTO.into(),
            roles: Vec::new(),
            label_file: AUTO.into(),
            keep_na: false,
            missing: Missing::Refuse,
            pages: Pages::First,
            few_labels: 0,
            few_labels_draw: 0,
        }
    }
}

/// What is found, not said.
const AUTO: &str = "auto";

fn auto() -> String {
    AUTO.to_owned()
}

impl OpenOptions {
    /// What of them a table is read by.
    pub fn table(&self) -> TableOptions {
        let said = |text: &String| (text != AUTO).then(|| text.clone());
        let role = |text: &String| {
            // Titles may hold an equals sign, roles do not.
            let (column, role) = text.rsplit_once('=').unwrap_or((text, ""));
            (column.trim().to_owned(), role.trim().to_owned())
        };
        TableOptions {
            rules: Rules {
                id: said(&self.id),
                split: said(&self.split_column),
                label: said(&self.label),
                roles: self.roles.iter().map(role).collect(),
                optional: false,
            },
            keep_na: self.keep_na,
            missing: self.missing,
        }
    }
}

/// Tries to open a source: `None` where this is not its format.
pub type Open = fn(source: &str, options: &OpenOptions) -> Option<Result<Dataset>>;

/// A format of data that hspace can read.
///
/// ```
/// use hspace_core::dataset::DATASETS;
///
/// let names: Vec<&str> = DATASETS.iter().map(|entry| entry.name).collect();
/// assert!(names.contains(&"builtin:mnist-mini"));
/// ```
pub struct Format {
    /// Recognises and opens it.
    pub open: Open,
}

/// A line of [`DATASETS`]; its name is what lists call the format, and of built-in data what `--data` takes.
pub type Entry = list::Entry<Format>;

/// Every kind of data, in the order they are tried.
pub static DATASETS: &[Entry] = &[
    builtin::ENTRY,
    shapes::ENTRY,
    dsprites::ENTRY,
    npz::ENTRY,
    npz::ENTRY_NPY,
    table::ENTRY,
    idx::ENTRY,
    image_folder::ENTRY,
];

impl Dataset {
    /// Opens `builtin:NAME`, a folder or a file: the first of [`DATASETS`] that recognises it.
    ///
    /// ```
    /// use hspace_core::dataset::{Dataset, Kind, OpenOptions};
    ///
    /// let digits = Dataset::open("builtin:mnist-mini", &OpenOptions::default())?;
    /// assert_eq!((digits.len(), digits.kind), (12_000, Kind::Digits));
    ///
    /// let error = Dataset::open("builtin:mnist-mimi", &OpenOptions::default()).err().unwrap();
    /// assert!(error.to_string().contains("did you mean `builtin:mnist-mini`?"));
    /// # Ok::<(), hspace_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If nothing is there, if no format fits, if the data are broken as a whole, or if the
    /// options do not fit. Single broken files are left out and listed in [`Dataset::bad`].
    pub fn open(source: &str, options: &OpenOptions) -> Result<Dataset> {
        if !(0.0..1.0).contains(&options.holdout) {
            let text = format!(
                "holdout must be at least 0 and below 1, not {}",
                options.holdout
            );
            return Err(Error::config(text));
        }
        let builtin = source.starts_with("builtin:");
        if !builtin && let Err(error) = std::fs::metadata(source) {
            let hint = "give a folder, a file, or `builtin:mnist-mini`";
            return Err(Error::file(
                source,
                format!("cannot be opened: {error}; {hint}"),
            ));
        }
        let mut dataset = match DATASETS
            .iter()
            .find_map(|entry| (entry.open)(source, options))
        {
            Some(opened) => opened?,
            None if builtin => {
                let names = DATASETS.iter().map(|entry| entry.name);
                let names = names.filter(|name| name.starts_with("builtin:"));
                return Err(Error::config(unknown("dataset", source, names)));
            }
            None => {
                let known: Vec<&str> = DATASETS.iter().map(|entry| entry.name).collect();
                let text = format!("not a format hspace reads ({})", known.join(", "));
                return Err(Error::file(source, text));
            }
        };
        dataset.name = source.to_string();
        if options.label != AUTO {
            dataset.choose_task(&options.label)?;
        }
        if options.few_labels > 0 {
            dataset.keep_few_labels(options.few_labels, options.few_labels_draw)?;
        }
        Ok(dataset)
    }

    /// The default task: the first label column.
    pub fn task(&self) -> Option<&Column> {
        task(&self.columns).map(|place| &self.columns[place])
    }

    /// Place of the column that is the task: the one called `label`, or the first label column where that is `auto`; `None` without
    /// labels.
    ///
    /// ```
    /// # use hspace_core::dataset::{Dataset, OpenOptions};
    /// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
    /// assert_eq!(shapes.task_of("auto")?, Some(0));
    /// assert_eq!(shapes.task_of("size")?, Some(4));
    /// assert!(shapes.task_of("weight").is_err());
    /// # Ok::<(), hspace_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the name is none of the columns, or that of a column of masks, which no objective learns from.
    pub fn task_of(&self, label: &str) -> Result<Option<usize>> {
        if label == "auto" {
            return Ok(task(&self.columns));
        }
        match self.columns.iter().position(|c| c.name == label) {
            Some(column) if self.columns[column].role == Role::Mask => Err(Error::config(format!(
                "`{label}` holds masks, which no objective learns from; `hspace probe --label {label}` measures them"
            ))),
            Some(column) => Ok(Some(column)),
            None => Err(Error::config(unknown(
                "column",
                label,
                self.columns.iter().map(|c| c.name.as_str()),
            ))),
        }
    }

    /// The column called `name`.
    ///
    /// # Errors
    /// If there is none; the error lists those there are.
    pub fn column(&self, name: &str) -> Result<&Column> {
        let found = self.columns.iter().find(|c| c.name == name);
        found.ok_or_else(|| {
            if self.columns.is_empty() {
                return Error::config(format!("no column `{name}`: {} has no labels", self.name));
            }
            Error::config(unknown(
                "column",
                name,
                self.columns.iter().map(|c| c.name.as_str()),
            ))
        })
    }

    /// Makes the column `name` a label and the default task.
    fn choose_task(&mut self, name: &str) -> Result<()> {
        // A title may have been given, with its prefix.
        let bare = Header::parse(name).name;
        let place = |name: &str| self.columns.iter().position(|c| c.name == name);
        let Some(place) = place(name).or_else(|| place(&bare)) else {
            return self.column(name).map(|_| ());
        };
        self.columns[..=place].rotate_right(1);
        // A task of masks remains one.
        if self.columns[0].role != Role::Mask {
            self.columns[0].role = Role::Label;
        }
        Ok(())
    }

    /// The column of masks that is called `label`, with or without the prefix of its title; `None` where that is no column of masks.
    pub fn mask_column(&self, label: &str) -> Option<&Column> {
        let bare = Header::parse(label).name;
        let mut columns = self.columns.iter();
        columns.find(|c| c.role == Role::Mask && [label, &bare].contains(&c.name.as_str()))
    }

    /// [`Dataset::bad`] as the text of `bad_files.csv`.
    pub fn bad_files_csv(&self) -> String {
        bad_files_csv(&self.bad)
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Indices of the samples of one split, ascending.
    pub fn indices(&self, split: Split) -> Vec<usize> {
        (0..self.len())
            .filter(|&i| self.split[i] == split)
            .collect()
    }
}

/// The text of `bad_files.csv`: a header `path,reason` and one line per file.
///
/// ```
/// use hspace_core::dataset::{BadFile, bad_files_csv};
///
/// let bad = BadFile { path: "a,b.png".into(), reason: "cut short".into() };
/// assert_eq!(bad_files_csv(&[bad]), "path,reason\n\"a,b.png\",cut short\n");
/// ```
pub fn bad_files_csv(bad: &[BadFile]) -> String {
    let field = |text: &str| {
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_string()
        }
    };
    let mut out = String::from("path,reason\n");
    for file in bad {
        out.push_str(&format!("{},{}\n", field(&file.path), field(&file.reason)));
    }
    out
}

/// The extension of `path` in lower case, empty if there is none.
fn extension(path: impl AsRef<Path>) -> String {
    let extension = path.as_ref().extension().and_then(|e| e.to_str());
    extension.unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(source: &str, options: &OpenOptions) -> String {
        Dataset::open(source, options)
            .err()
            .map_or(String::new(), |e| e.to_string())
    }

    #[test]
    fn unknown_sources_are_answered_with_what_there_is() {
        let options = OpenOptions::default();
        let text = failure("builtin:mnist-mimi", &options);
        assert!(
            text.contains("did you mean `builtin:mnist-mini`?"),
            "{text}"
        );
        let text = failure("no/such/folder", &options);
        assert!(
            text.contains("no/such/folder") && text.contains("builtin:mnist-mini"),
            "{text}"
        );
        let file = tempfile::Builder::new().suffix(".xyz").tempfile().unwrap();
        let text = failure(file.path().to_str().unwrap(), &options);
        assert!(text.contains("not a format"), "{text}");
        let options = OpenOptions {
            holdout: 1.0,
            ..options
        };
        assert!(failure("builtin:shapes", &options).contains("holdout"));
    }

    #[test]
    fn the_task_can_be_chosen() {
        let label = |name: &str| OpenOptions {
            label: name.into(),
            ..OpenOptions::default()
        };
        let dataset = Dataset::open("builtin:shapes", &label("size")).unwrap();
        assert_eq!(dataset.task().unwrap().name, "size");
        let text = failure("builtin:shapes", &label("colur"));
        assert!(text.contains("did you mean `colour`?"), "{text}");
    }

    #[test]
    fn bad_files_are_quoted_as_csv() {
        let bad = [BadFile {
            path: "a,b.png".into(),
            reason: "says \"no\"".into(),
        }];
        assert_eq!(
            bad_files_csv(&bad),
            "path,reason\n\"a,b.png\",\"says \"\"no\"\"\"\n"
        );
    }
}
