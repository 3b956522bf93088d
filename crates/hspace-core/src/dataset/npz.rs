//! NumPy files: image sets in the layout of MedMNIST, and vectors.
//!
//! - `.npz` with `train_images`, `train_labels`, `val_…`, `test_…` (<https://medmnist.com>) or
//!   `x_train`, `y_train`, `x_test`, `y_test` (Keras): the split is theirs.
//! - `.npz` with `features` (or `X`, `data`, `images`, …), and where known labels, ids and other columns.
//! - `.npz` with `imgs` and `latents_classes`: dSprites, see `latents`.
//! - `.npy` with the features, and where there is a `.csv` of the same name, its columns.
//!
//! Arrays `[samples, features]` are vectors; 8- or 16-bit whole numbers of rank 3 `[samples, height, width]` or
//! 4 `[samples, height, width, channels]` are images, and may have masks, whole numbers `[samples, height, width]` in an array called `mask`,
//! `masks` or `mask:NAME`, or one that `--role NAME=mask` says. What the other arrays are is said by the grammar of
//! [`columns`](crate::columns).

use std::borrow::Cow;
use std::path::Path;

use crate::columns::{Samples, read_npy, read_npz};
use crate::dataset::mask::other_size;
use crate::dataset::memory::Images;
use crate::dataset::table::{assemble, of_vectors};
use crate::dataset::{Dataset, Entry, Format, Kind, OpenOptions, Pixels, Shape};
use crate::dataset::{channels, extension, latents};
use crate::error::{Error, Result};
use crate::npz::NpzReader;
use crate::npz::array::{Array, Data};

/// The line for archives in the list of datasets.
pub const ENTRY: Entry = Entry {
    name: ".npz file",
    summary: "NumPy archive: images as MedMNIST (train_images, ...) or dSprites (imgs, latents_classes) \
              lay them out, or features, labels, ids",
    source: "",
    item: Format {
        open: |source, options| {
            let path = Path::new(source);
            let fits = path.is_file() && extension(path) == "npz";
            fits.then(|| open_npz(path, options))
        },
    },
};

/// The line for single arrays in the list of datasets.
pub const ENTRY_NPY: Entry = Entry {
    name: ".npy file",
    summary: "NumPy array of vectors [samples, features]; its columns are in the .csv of the same name, if there is one",
    source: "",
    item: Format {
        open: |source, options| {
            let path = Path::new(source);
            let fits = path.is_file() && extension(path) == "npy";
            fits.then(|| of_vectors(path, read_npy(path, &options.table())?, options))
        },
    },
};

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
    drop(archive);
    let (table, samples) = read_npz(path, true, &options.table())?;
    match samples {
        Samples::Vectors => of_vectors(path, table, options),
        Samples::Images {
            images: array,
            masks,
        } => {
            let mut images = images(array).map_err(|problem| Error::file(path, problem))?;
            for (name, array) in masks {
                let classes = classes(array, &images);
                let wrong =
                    |problem| Error::file(path, format!("array of masks `{name}`: {problem}"));
                images.masks.push((name.clone(), classes.map_err(wrong)?));
            }
            let shape = images.shape();
            let kind = match shape {
                Shape::Image { channels: 3, .. } => Kind::Photo,
                _ => Kind::Grey,
            };
            assemble(path, table, kind, shape, options, |_| Box::new(images))
        }
    }
}

/// Class numbers of masks `[samples, height, width]`, of the size of `images`.
fn classes(array: Array, images: &Images) -> std::result::Result<Vec<u8>, String> {
    let size = [images.height, images.width];
    match array.dims[..] {
        [_, height, width] | [_, height, width, 1] if [height, width] == size => {}
        [_, height, width] | [_, height, width, 1] => {
            return Err(other_size([height, width], size, "of the same row"));
        }
        _ => {
            return Err(format!(
                "of shape {:?}; [samples, height, width] is needed",
                array.dims
            ));
        }
    }
    let class = |value: i64| {
        u8::try_from(value)
            .map_err(|_| format!("holds {value}; classes are 0 to 254, and 255 is ignored"))
    };
    match array.data {
        Data::U8(values) => Ok(values),
        Data::U16(values) => values.into_iter().map(|v| class(v.into())).collect(),
        Data::Integers(values) => values.into_iter().map(class).collect(),
        Data::Unsigned(values) => {
            let clamped = values
                .into_iter()
                .map(|v| i64::try_from(v).unwrap_or(i64::MAX));
            clamped.map(class).collect()
        }
        _ => Err("is no array of whole numbers; save class numbers as uint8".into()),
    }
}

/// Images of rank 3 or 4.
fn images(x: Array) -> std::result::Result<Images, String> {
    let [height, width, channels] = match x.dims[..] {
        [_, _, _] | [_, _, _, _] => channels::of_array(&x.dims)?,
        _ => {
            return Err(format!(
                "an array of shape {:?}; [samples, features] or [samples, height, width(, channels)] is needed",
                x.dims
            ));
        }
    };
    let pixels = match x.data {
        Data::U8(values) => Pixels::U8(Cow::Owned(values)),
        Data::U16(values) => Pixels::U16(Cow::Owned(values)),
        _ => {
            return Err(format!(
                "an array of shape {:?} that is no uint8 or uint16: save images as one of these (x * 255 for 0..1), or \
                 vectors as [samples, features]",
                x.dims
            ));
        }
    };
    if height * width == 0 {
        return Err("images without pixels".into());
    }
    Ok(Images {
        pixels,
        width,
        height,
        channels,
        masks: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::dataset::{Image, Role, Sample, Split, Values};
    use crate::npz::array::tests::npy;

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
    fn masks_are_arrays_of_the_images_size() {
        let images = |name: &str| (name.to_owned(), npy("|u1", false, "2, 2, 3", &[9; 12]));
        let long = |values: &[i64]| {
            values
                .iter()
                .flat_map(|v| v.to_le_bytes())
                .collect::<Vec<u8>>()
        };
        let numbers: Vec<i64> = (0..11).chain([255]).collect();
        let opened = |masks: Vec<u8>, title: &str, roles: &[&str]| {
            let (name, images) = images("images");
            let file = npz(&[(&name, images), (title, masks)]);
            let options = OpenOptions {
                roles: roles.iter().map(|role| role.to_string()).collect(),
                ..OpenOptions::default()
            };
            Dataset::open(file.path().to_str().unwrap(), &options)
        };
        let array = || npy("<i8", false, "2, 2, 3", &long(&numbers));
        for (title, name, roles) in [
            ("mask:parts", "parts", &[][..]),
            ("masks", "masks", &[]),
            ("lesion", "lesion", &["lesion=mask"]),
        ] {
            let dataset = opened(array(), title, roles).unwrap();
            assert_eq!(dataset.columns[0].role, Role::Mask);
            assert_eq!(dataset.columns[0].name, name);
            let mask = dataset.samples.mask(1, name).unwrap();
            assert_eq!((mask.width, mask.height), (3, 2));
            assert_eq!(mask.classes, [6, 7, 8, 9, 10, 255]);
        }
        let plain = opened(array(), "lesion", &[]).unwrap();
        assert!(plain.columns.is_empty());
        let large = npy("<i8", false, "2, 2, 3", &long(&[300; 12]));
        for (masks, why) in [
            (
                npy("|u1", false, "2, 3, 2", &[0; 12]),
                "is 2x3 pixels large",
            ),
            (
                npy("|u1", false, "1, 2, 3", &[0; 6]),
                "of shape [1, 2, 3] for 2 samples",
            ),
            (large, "holds 300"),
            (
                npy("<f4", false, "2, 2, 3", &floats(&[0.0; 12])),
                "no array of whole numbers",
            ),
        ] {
            let text = opened(masks, "masks", &[]).err().unwrap().to_string();
            assert!(text.contains("`masks`") && text.contains(why), "{text}");
        }
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
    }

    #[test]
    fn arrays_are_columns_by_the_rules_of_tables() {
        let x = npy("<f4", false, "3, 1", &floats(&[1.0, 2.0, 4.0]));
        let file = npz(&[
            ("X", x),
            ("Y", npy("|u1", false, "3,", &[5, 6, 5])),
            ("label", npy("|u1", false, "3, 2", &[0, 1, 1, 1, 0, 0])),
            ("grades", npy("|u1", false, "3, 2", &[0, 7, 1, 8, 2, 7])),
            ("group:patient", npy("|u1", false, "3,", &[1, 2, 1])),
            (
                "target:age",
                npy(
                    "<f8",
                    false,
                    "3,",
                    &[1f64, f64::NAN, 2.0].map(f64::to_le_bytes).concat(),
                ),
            ),
            ("note", npy("|u1", false, "7,", &[0; 7])),
            (
                "ID",
                npy(
                    "<u8",
                    false,
                    "3,",
                    &[u64::MAX, 7, 1 << 60].map(u64::to_le_bytes).concat(),
                ),
            ),
        ]);
        let dataset = open(file.path()).unwrap();
        assert_eq!(dataset.ids[0], "18446744073709551615");
        let names: Vec<&str> = dataset.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(
            names,
            ["Y", "label", "grades_0", "grades_1", "patient", "age"]
        );
        assert!(matches!(
            dataset.columns[1].values,
            Values::MultiLabel { .. }
        ));
        let ages = Values::Numbers(vec![Some(1.0), None, Some(2.0)]);
        assert_eq!(dataset.columns[5].values, ages);
        let ignored = dataset.reading.columns.last().unwrap();
        assert_eq!(
            (ignored.title.as_str(), ignored.role.as_str()),
            ("note", "ignored")
        );
    }

    #[test]
    fn a_table_beside_an_array_has_its_columns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        std::fs::write(&path, npy("<f4", false, "2, 1", &floats(&[1.0, 2.0]))).unwrap();
        std::fs::write(path.with_extension("csv"), "id,kind\na,x\nb,y\n").unwrap();
        let dataset = open(&path).unwrap();
        assert_eq!(dataset.ids, ["a", "b"]);
        assert_eq!(dataset.task().unwrap().name, "kind");
        std::fs::write(path.with_extension("csv"), "id,kind\na,x\n").unwrap();
        let text = open(&path).err().unwrap().to_string();
        assert!(
            text.contains("has 2 rows") && text.contains("has 1"),
            "{text}"
        );
    }

    #[test]
    fn broken_archives_are_named_with_what_is_wrong() {
        let x = || npy("<f4", false, "2, 1", &floats(&[1.0, 2.0]));
        for (arrays, why) in [
            (
                vec![("weights", x())],
                "it holds weights); name it `features` or `images`",
            ),
            (
                vec![("x", npy("<f4", false, "1, 2", &floats(&[1.0, f32::NAN])))],
                "1 values of features are NaN",
            ),
            (
                vec![("x", x()), ("ids", npy("|S1", false, "2,", b"aa"))],
                "`a` occurs twice",
            ),
            (
                vec![("x", x()), ("ids", npy("|S1", false, "1,", b"a"))],
                "array `ids`: of shape [1] for 2 samples",
            ),
            (
                vec![("x", x()), ("y", npy("|u1", false, "3,", &[0; 3]))],
                "array `y`: of shape [3] for 2 samples",
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
        let count = |split| dataset.indices(split).len();
        assert_eq!(Split::ALL.map(count), [4_708, 524, 624]);
    }
}
