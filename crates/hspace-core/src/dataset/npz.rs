//! NumPy files: image sets in the layout of MedMNIST, and vectors.
//!
//! - `.npz` with `train_images`, `train_labels`, `val_…`, `test_…` (<https://medmnist.com>) or
//!   `x_train`, `y_train`, `x_test`, `y_test` (Keras): the split is theirs, val counted as train.
//! - `.npz` with `features` (or `x`, `X`, `data`, `images`), and where known `labels` (or `label`,
//!   `y`) and `ids`.
//! - `.npz` with `imgs` and `latents_classes`: dSprites, see `latents`.
//! - `.npy` with the features alone.
//!
//! Rank 2 `[samples, features]` are vectors; 8- or 16-bit whole numbers of rank 3
//! `[samples, height, width]` or 4 `[samples, height, width, channels]` are images. Labels are
//! `[samples]`, or `[samples, k]` for k columns.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use crate::dataset::array::{self, Array, Data};
use crate::dataset::memory::{Images, Vectors};
use crate::dataset::{Column, Dataset, Entry, Kind, OpenOptions, Pixels, Role, Samples, Shape};
use crate::dataset::{Split, Values, channels, column, extension, latents, split};
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::npz::NpzReader;

/// The line for archives in the list of datasets.
pub const ENTRY: Entry = Entry {
    name: ".npz file",
    summary: "NumPy archive: images as MedMNIST (train_images, ...) or dSprites (imgs, latents_classes) \
              lay them out, or features, labels, ids",
    open: |source, options| {
        let path = Path::new(source);
        let fits = path.is_file() && extension(path) == "npz";
        fits.then(|| open_npz(path, options))
    },
};

/// The line for single arrays in the list of datasets.
pub const ENTRY_NPY: Entry = Entry {
    name: ".npy file",
    summary: "NumPy array of vectors [samples, features], unlabelled",
    open: |source, options| {
        let path = Path::new(source);
        let fits = path.is_file() && extension(path) == "npy";
        fits.then(|| open_npy(path, options))
    },
};

/// Arrays that belong together.
struct Part {
    /// What ids start with.
    prefix: &'static str,
    /// The split, if the data have one.
    split: Option<Split>,
    /// The samples.
    x: Array,
    /// Their labels.
    labels: Option<Array>,
}

/// Names of samples and labels in an archive, id prefix, split.
const SPLIT_NAMES: [(&str, &str, &str, Split); 5] = [
    ("train_images", "train_labels", "train", Split::Train),
    ("val_images", "val_labels", "val", Split::Train),
    ("test_images", "test_labels", "test", Split::Test),
    ("x_train", "y_train", "train", Split::Train),
    ("x_test", "y_test", "test", Split::Test),
];
const SHAPES: &str = "[samples, features] or [samples, height, width(, channels)]";
const PLAIN_NAMES: [&str; 5] = ["features", "x", "X", "data", "images"];
const LABEL_NAMES: [&str; 3] = ["labels", "label", "y"];

fn open_npy(path: &Path, options: &OpenOptions) -> Result<Dataset> {
    let unreadable = |e| Error::file(path, format!("cannot be read: {e}"));
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let x = array::read(BufReader::new(file), size).map_err(|e| Error::file(path, e))?;
    assemble(
        path,
        vec![Part {
            prefix: "row",
            split: None,
            x,
            labels: None,
        }],
        None,
        options,
    )
}

fn open_npz(path: &Path, options: &OpenOptions) -> Result<Dataset> {
    let archive = NpzReader::open(path);
    let mut archive =
        archive.map_err(|e| Error::file(path, format!("not a readable .npz: {e}")))?;
    let names = archive.names();
    if [latents::IMAGES, latents::CLASSES]
        .iter()
        .all(|name| names.iter().any(|held| held == name))
    {
        return latents::open(path, &mut archive, options);
    }
    let mut load = |name: &str| -> Result<Option<Array>> {
        if !names.iter().any(|held| held == name) {
            return Ok(None);
        }
        let wrong = |e: &dyn std::fmt::Display| Error::file(path, format!("array `{name}`: {e}"));
        let entry = archive.array(name).map_err(|e| wrong(&e))?;
        let size = entry.size();
        array::read(entry, size).map(Some).map_err(|e| wrong(&e))
    };
    let mut parts = Vec::new();
    for (images, labels, prefix, split) in SPLIT_NAMES {
        if let Some(x) = load(images)? {
            parts.push(Part {
                prefix,
                split: Some(split),
                x,
                labels: load(labels)?,
            });
        }
    }
    let mut ids = None;
    if parts.is_empty() {
        let first = |names: &[&'static str],
                     load: &mut dyn FnMut(&str) -> Result<Option<Array>>| {
            names
                .iter()
                .find_map(|name| load(name).transpose())
                .transpose()
        };
        let x = first(&PLAIN_NAMES, &mut load)?.ok_or_else(|| {
            let text = format!(
                "holds {}; `train_images` or `features` is needed",
                names.join(", ")
            );
            Error::file(path, text)
        })?;
        let labels = first(&LABEL_NAMES, &mut load)?;
        parts.push(Part {
            prefix: "row",
            split: None,
            x,
            labels,
        });
        ids = load("ids")?;
    }
    assemble(path, parts, ids, options)
}

fn assemble(
    path: &Path,
    parts: Vec<Part>,
    ids: Option<Array>,
    options: &OpenOptions,
) -> Result<Dataset> {
    let wrong = |text: String| Error::file(path, text);
    let (mut names, mut split, mut arrays, mut labels) = (vec![], vec![], vec![], vec![]);
    let labelled = parts.iter().any(|part| part.labels.is_some());
    for part in parts {
        let count = part.x.dims.first().copied().unwrap_or(0);
        names.extend((0..count).map(|i| format!("{}/{i:06}", part.prefix)));
        split.extend(std::iter::repeat_n(part.split, count));
        match part.labels {
            Some(array) if array.dims.first() != Some(&count) => {
                let text = format!("labels of shape {:?} for {count} samples", array.dims);
                return Err(wrong(format!("{}: {text}", part.prefix)));
            }
            Some(array) => labels.push(array),
            None if labelled => {
                return Err(wrong(format!("no labels for the {} samples", part.prefix)));
            }
            None => {}
        }
        arrays.push(part.x);
    }
    let x = join(arrays).map_err(wrong)?;
    if names.is_empty() {
        return Err(wrong("holds no samples".into()));
    }
    if let Some(ids) = ids {
        names = unique_ids(&ids, names.len()).map_err(wrong)?;
    }
    let columns = if labelled {
        label_columns(join(labels).map_err(wrong)?)
    } else {
        Ok(Vec::new())
    };
    let columns = columns.map_err(wrong)?;
    let (shape, samples) = samples(x).map_err(wrong)?;
    let own: Option<Vec<Split>> = split.into_iter().collect();
    let own = own.filter(|all| all.contains(&Split::Test));
    Ok(Dataset {
        name: path.display().to_string(),
        kind: match shape {
            Shape::Image { channels: 3, .. } => Kind::Photo,
            Shape::Image { .. } => Kind::Grey,
            Shape::Vector { .. } => Kind::Vectors,
        },
        shape,
        split: own.unwrap_or_else(|| split::by_hash(&names, options.holdout)),
        ids: names,
        columns,
        bad: Vec::new(),
        samples,
    })
}

/// Appends arrays of one type along their first axis.
fn join(arrays: Vec<Array>) -> std::result::Result<Array, String> {
    let mut all = arrays.into_iter();
    let mut first = all.next().ok_or("holds no array")?;
    for mut next in all {
        let fits = first.dims.get(1..) == next.dims.get(1..);
        match (&mut first.data, &mut next.data) {
            (Data::U8(a), Data::U8(b)) if fits => a.append(b),
            (Data::U16(a), Data::U16(b)) if fits => a.append(b),
            (Data::Integers(a), Data::Integers(b)) if fits => a.append(b),
            (Data::Floats(a), Data::Floats(b)) if fits => a.append(b),
            (Data::Text(a), Data::Text(b)) if fits => a.append(b),
            _ => {
                let (a, b) = (&first.dims, &next.dims);
                return Err(format!(
                    "parts that do not fit together: {a:?} and {b:?}, or of two types"
                ));
            }
        }
        first.dims[0] += next.dims[0];
    }
    Ok(first)
}

fn unique_ids(ids: &Array, count: usize) -> std::result::Result<Vec<String>, String> {
    let names: Vec<String> = match &ids.data {
        Data::Text(names) => names.clone(),
        Data::Integers(numbers) => numbers.iter().map(i64::to_string).collect(),
        Data::U8(numbers) => numbers.iter().map(u8::to_string).collect(),
        Data::U16(numbers) => numbers.iter().map(u16::to_string).collect(),
        Data::Floats(_) => {
            return Err("`ids` are fractions; text or whole numbers are needed".into());
        }
    };
    if names.len() != count {
        return Err(format!("{} ids for {count} samples", names.len()));
    }
    let mut seen = HashSet::new();
    match names.iter().find(|id| !seen.insert(id.as_str())) {
        Some(id) => Err(format!("the id `{id}` occurs twice")),
        None => Ok(names),
    }
}

/// One column for `[n]` or `[n, 1]`, `label_0`, `label_1`, … for `[n, k]`.
fn label_columns(labels: Array) -> std::result::Result<Vec<Column>, String> {
    let width = match labels.dims[..] {
        [_] => 1,
        [_, k] if k > 0 => k,
        _ => {
            let text = format!("labels of shape {:?}", labels.dims);
            return Err(format!("{text}; [samples] or [samples, k] is needed"));
        }
    };
    let name = |i| {
        if width == 1 {
            "label".to_string()
        } else {
            format!("label_{i}")
        }
    };
    let column = |i: usize| Column {
        name: name(i),
        role: Role::Label,
        values: match &labels.data {
            Data::U8(all) => column::integer_classes(&every(all, i, width, |&v| i64::from(v))),
            Data::U16(all) => column::integer_classes(&every(all, i, width, |&v| i64::from(v))),
            Data::Integers(all) => column::integer_classes(&every(all, i, width, |&v| v)),
            Data::Floats(all) => float_labels(&every(all, i, width, |&v| v)),
            Data::Text(all) => column::classes(&every(all, i, width, String::as_str)),
        },
    };
    Ok((0..width).map(column).collect())
}

fn every<'a, T, U>(all: &'a [T], start: usize, step: usize, map: impl Fn(&'a T) -> U) -> Vec<U> {
    all.iter().skip(start).step_by(step).map(map).collect()
}

/// Floating-point labels are read as text in a table would be; NaN is unknown.
fn float_labels(values: &[f32]) -> Values {
    let cells = values.iter().map(|v| {
        if v.is_finite() {
            v.to_string()
        } else {
            String::new()
        }
    });
    column::Header::parse("y")
        .column(&cells.collect::<Vec<_>>())
        .values
}

/// Vectors of rank 2, images of rank 3 or 4.
fn samples(x: Array) -> std::result::Result<(Shape, Box<dyn Samples>), String> {
    let size = match x.dims[..] {
        [rows, dim] if dim > 0 => {
            let data = match x.data {
                Data::Floats(values) => values,
                Data::U8(values) => values.iter().map(|&v| f32::from(v)).collect(),
                Data::U16(values) => values.iter().map(|&v| f32::from(v)).collect(),
                Data::Integers(values) => values.iter().map(|&v| v as f32).collect(),
                Data::Text(_) => return Err("features are text; numbers are needed".into()),
            };
            if let Some(at) = data.iter().position(|v| !v.is_finite()) {
                let (row, col, value) = (at / dim, at % dim, data[at]);
                let text = format!("feature {col} of row {row} is {value} (both counted from 0)");
                return Err(format!("{text}; fill or drop it"));
            }
            let vectors = Vectors(Matrix::new(rows, dim, data));
            return Ok((Shape::Vector { dim }, Box::new(vectors)));
        }
        [_, _, _] | [_, _, _, _] => channels::of_array(&x.dims)?,
        _ => {
            return Err(format!(
                "an array of shape {:?}; {SHAPES} is needed",
                x.dims
            ));
        }
    };
    let [height, width, channels] = size;
    let pixels = match x.data {
        Data::U8(values) => Pixels::U8(Cow::Owned(values)),
        Data::U16(values) => Pixels::U16(Cow::Owned(values)),
        _ => return Err("images must be uint8 or uint16".into()),
    };
    let images = Images {
        pixels,
        width,
        height,
        channels,
    };
    Ok((images.shape(), Box::new(images)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::dataset::array::tests::npy;
    use crate::dataset::{Image, Sample};

    fn npz(arrays: &[(&str, Vec<u8>)]) -> tempfile::NamedTempFile {
        let file = tempfile::Builder::new().suffix(".npz").tempfile().unwrap();
        let mut writer = crate::npz::NpzWriter::new(file.reopen().unwrap());
        for (name, bytes) in arrays {
            writer.array(name).unwrap().write_all(bytes).unwrap();
        }
        writer.finish().unwrap();
        file
    }

    fn open(path: &Path) -> Result<Dataset> {
        Dataset::open(path.to_str().unwrap(), &OpenOptions::default())
    }

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    #[test]
    fn medmnist_layout() {
        let file = npz(&[
            ("train_images", npy("|u1", false, "2, 1, 2", &[1, 2, 3, 4])),
            ("train_labels", npy("|u1", false, "2, 1", &[5, 3])),
            ("val_images", npy("|u1", false, "1, 1, 2", &[5, 6])),
            ("val_labels", npy("|u1", false, "1, 1", &[3])),
            ("test_images", npy("|u1", false, "1, 1, 2", &[7, 8])),
            ("test_labels", npy("|u1", false, "1, 1", &[5])),
        ]);
        let dataset = open(file.path()).unwrap();
        assert_eq!(
            dataset.ids,
            ["train/000000", "train/000001", "val/000000", "test/000000"]
        );
        assert_eq!(dataset.indices(Split::Test), [3]);
        let Values::Classes { names, index } = &dataset.task().unwrap().values else {
            panic!("classes expected")
        };
        assert_eq!(names, &["3", "5"]);
        assert_eq!(index, &[Some(1), Some(0), Some(0), Some(1)]);
        let Sample::Image(Image {
            pixels: Pixels::U8(pixels),
            ..
        }) = dataset.samples.get(2).unwrap()
        else {
            panic!("an image expected")
        };
        assert_eq!(pixels[..], [5, 6]);
    }

    #[test]
    fn images_of_any_number_of_channels_and_bits() {
        let words: Vec<u16> = (0..16).map(|i| i * 1000).collect();
        let bytes: Vec<u8> = words.iter().flat_map(|v| v.to_le_bytes()).collect();
        let file = npz(&[("images", npy("<u2", false, "2, 1, 2, 4", &bytes))]);
        let dataset = open(file.path()).unwrap();
        assert_eq!(dataset.kind, Kind::Grey);
        let expected = Image {
            width: 2,
            height: 1,
            channels: 4,
            pixels: Pixels::U16(Cow::Borrowed(&words[8..])),
        };
        assert_eq!(dataset.samples.get(1).unwrap(), Sample::Image(expected));
        let first = npz(&[("images", npy("|u1", false, "1, 3, 8, 8", &[0; 192]))]);
        let text = open(first.path()).err().unwrap().to_string();
        assert!(text.contains("transpose(0, 2, 3, 1)"), "{text}");
    }

    #[test]
    fn vectors_with_ids_and_labels() {
        let file = npz(&[
            (
                "features",
                npy("<f4", false, "2, 2", &floats(&[1.0, 2.0, 3.0, 4.0])),
            ),
            ("ids", npy("|S1", false, "2,", b"ab")),
            ("labels", npy("|S3", false, "2,", b"dogcat")),
        ]);
        let dataset = open(file.path()).unwrap();
        assert_eq!(dataset.ids, ["a", "b"]);
        assert_eq!(dataset.kind, Kind::Vectors);
        assert_eq!(
            dataset.samples.get(1).unwrap(),
            Sample::Vector(Cow::Owned(vec![3.0, 4.0]))
        );
        let several = label_columns(Array {
            dims: vec![2, 2],
            data: Data::U8(vec![0, 1, 1, 1]),
        })
        .unwrap();
        assert_eq!(several[1].name, "label_1");
    }

    #[test]
    fn broken_archives_are_named_with_what_is_wrong() {
        let x = || npy("<f4", false, "2, 1", &floats(&[1.0, 2.0]));
        for (arrays, why) in [
            (
                vec![("weights", x())],
                "holds weights; `train_images` or `features`",
            ),
            (
                vec![("x", npy("<f4", false, "1, 2", &floats(&[1.0, f32::NAN])))],
                "feature 1 of row 0 is NaN",
            ),
            (
                vec![("x", x()), ("ids", npy("|S1", false, "2,", b"aa"))],
                "`a` occurs twice",
            ),
            (
                vec![("x", x()), ("ids", npy("|S1", false, "1,", b"a"))],
                "1 ids for 2 samples",
            ),
            (
                vec![("x", x()), ("y", npy("|u1", false, "3,", &[0; 3]))],
                "labels of shape [3] for 2",
            ),
            (
                vec![("x", npy("<f4", false, "0, 3", &[]))],
                "holds no samples",
            ),
            (
                vec![("x", npy("<f4", false, "", &[0; 4]))],
                "holds no samples",
            ),
            (
                vec![("train_images", npy("<f4", false, "1, 1, 1", &[0; 4]))],
                "uint8 or uint16",
            ),
        ] {
            let file = npz(&arrays);
            let text = open(file.path()).err().unwrap().to_string();
            assert!(text.contains(".npz") && text.contains(why), "{text}");
        }
        let whole = npz(&[("x", x())]);
        let bytes = std::fs::read(whole.path()).unwrap();
        let cut = tempfile::Builder::new().suffix(".npz").tempfile().unwrap();
        std::fs::write(cut.path(), &bytes[..bytes.len() / 2]).unwrap();
        assert!(
            open(cut.path())
                .err()
                .unwrap()
                .to_string()
                .contains("not a readable .npz")
        );
    }

    #[test]
    fn a_real_archive_is_read() {
        let path = "../../../shared/data/pneumoniamnist/pneumoniamnist.npz";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if !path.is_file() {
            println!("skipped: {} is not there", path.display());
            return;
        }
        let dataset = open(&path).unwrap();
        assert_eq!(dataset.kind, Kind::Grey);
        assert_eq!(dataset.indices(Split::Train).len(), 2_428 + 270);
        assert_eq!(dataset.indices(Split::Test).len(), 468);
    }
}
