//! The IDX format of MNIST, gzipped or not (<http://yann.lecun.com/exdb/mnist/>).
//!
//! A file is a magic number `0, 0, 8 (unsigned byte), rank`, then `rank` big-endian 32-bit sizes,
//! then the bytes, last index fastest. Images have rank 3 `[samples, height, width]` or
//! 4 `[samples, height, width, channels]`, labels rank 1.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use crate::columns::cells;
use crate::dataset::memory::Images;
use crate::dataset::{Column, Dataset, Entry, Format, Kind, OpenOptions, Pixels, Role, Split};
use crate::dataset::{channels, split};
use crate::error::{Error, Result};

/// The line in the list of datasets.
pub const ENTRY: Entry = Entry {
    name: "idx folder",
    summary: "folder with IDX files named as MNIST's are (train-images-idx3-ubyte[.gz], ...)",
    source: "",
    item: Format { open },
};

/// One IDX file in memory.
pub struct Array {
    /// The sizes, first index slowest.
    pub dims: Vec<usize>,
    /// The bytes.
    pub data: Vec<u8>,
}

/// One split: images `[samples, height, width(, channels)]` and, where known, labels `[samples]`.
pub struct Part {
    /// Train or test.
    pub split: Split,
    /// The images and the name errors give them.
    pub images: (Array, PathBuf),
    /// The labels and the name errors give them.
    pub labels: Option<(Array, PathBuf)>,
}

fn open(source: &str, options: &OpenOptions) -> Option<Result<Dataset>> {
    let folder = Path::new(source);
    let train = find(folder, &["train"], "images", &[3, 4])?;
    Some(open_folder(folder, train, options))
}

fn open_folder(folder: &Path, train: PathBuf, options: &OpenOptions) -> Result<Dataset> {
    let part = |split, images: PathBuf, prefixes: &[&str]| -> Result<Part> {
        let labels = find(folder, prefixes, "labels", &[1]);
        let labels = labels
            .map(|path| Ok((read_file(&path)?, path)))
            .transpose()?;
        Ok(Part {
            split,
            images: (read_file(&images)?, images),
            labels,
        })
    };
    let mut parts = vec![part(Split::Train, train, &["train"])?];
    let held_out = ["t10k", "test"];
    if let Some(test) = find(folder, &held_out, "images", &[3, 4]) {
        parts.push(part(Split::Test, test, &held_out)?);
    }
    let mut dataset = assemble(parts)?;
    if dataset.kind == Kind::Grey && holds_digits(folder) {
        dataset.kind = Kind::Digits;
    }
    if !dataset.split.contains(&Split::Test) {
        let Dataset {
            ids,
            columns,
            reading,
            ..
        } = &mut dataset;
        dataset.split = split::resolve(ids, None, columns, options.holdout, &mut reading.notes);
    }
    Ok(dataset)
}

/// The file of one part, in any of the spellings in use.
fn find(folder: &Path, prefixes: &[&str], what: &str, ranks: &[u8]) -> Option<PathBuf> {
    for prefix in prefixes {
        for rank in ranks {
            for (dash, gz) in [("-", ""), ("-", ".gz"), (".", ""), (".", ".gz")] {
                let path = folder.join(format!("{prefix}-{what}{dash}idx{rank}-ubyte{gz}"));
                if path.is_file() {
                    return Some(path);
                }
            }
        }
    }
    None
}

/// Whether a folder's name is that of handwriting, not of one of the data sets modelled on MNIST.
fn holds_digits(folder: &Path) -> bool {
    const OTHERS: [&str; 13] = [
        "fashion",
        "med",
        "path",
        "chest",
        "derma",
        "oct",
        "pneumonia",
        "retina",
        "breast",
        "blood",
        "tissue",
        "organ",
        "sign",
    ];
    let folder = folder
        .canonicalize()
        .unwrap_or_else(|_| folder.to_path_buf());
    let name = folder
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default();
    let name = name.to_ascii_lowercase();
    name.contains("mnist") && !OTHERS.iter().any(|other| name.contains(other))
}

fn read_file(path: &Path) -> Result<Array> {
    let file = File::open(path).map_err(|e| Error::file(path, format!("cannot be read: {e}")))?;
    let file = BufReader::new(file);
    let gzipped = path.extension().is_some_and(|e| e == "gz");
    let array = if gzipped {
        read(GzDecoder::new(file))
    } else {
        read(file)
    };
    array.map_err(|problem| Error::file(path, problem))
}

/// Reads one IDX stream of unsigned bytes.
///
/// # Errors
/// With what is wrong with it: no IDX file, another type, cut short, or too long.
pub fn read(mut reader: impl Read) -> std::result::Result<Array, String> {
    let mut head = |what: &str| {
        let mut four = [0; 4];
        let read = reader.read_exact(&mut four);
        read.map(|()| four)
            .map_err(|e| format!("cannot be read, the {what} is cut short ({e})"))
    };
    let rank = match head("magic number")? {
        [0, 0, 8, rank @ 1..=4] => usize::from(rank),
        other => {
            return Err(format!(
                "not an IDX file of unsigned bytes (it starts with {other:?})"
            ));
        }
    };
    let mut dims = Vec::with_capacity(rank);
    for _ in 0..rank {
        dims.push(u32::from_be_bytes(head("list of sizes")?) as usize);
    }
    let size = dims.iter().try_fold(1usize, |all, &n| all.checked_mul(n));
    let size = size.ok_or_else(|| format!("impossible sizes {dims:?}"))?;
    // The vector grows with what is really there, however large the header says it is.
    let mut data = Vec::new();
    let end = reader.by_ref().take(size as u64).read_to_end(&mut data);
    if data.len() < size {
        let why = end.err().map_or(String::new(), |e| format!(" ({e})"));
        let found = data.len();
        return Err(format!(
            "cut short: {dims:?} needs {size} bytes, {found} are there{why}"
        ));
    }
    match reader.read(&mut [0]) {
        Ok(0) => Ok(Array { dims, data }),
        Ok(_) => Err(format!(
            "longer than its header says: {dims:?} needs {size} bytes"
        )),
        Err(e) => Err(format!("cannot be read to its end ({e})")),
    }
}

/// Joins the parts into one dataset with ids `train/000000`, ... and one column `label`.
pub fn assemble(parts: Vec<Part>) -> Result<Dataset> {
    let (mut ids, mut split, mut labels, mut pixels) = (vec![], vec![], vec![], Vec::new());
    let mut size: Option<[usize; 3]> = None;
    for part in parts {
        let (images, path) = part.images;
        let (count, this) = match images.dims[..] {
            [n, ..] => (n, channels::of_array(&images.dims)),
            [] => (0, channels::of_array(&[])),
        };
        let this = this.map_err(|problem| Error::file(&path, problem))?;
        if count == 0 {
            return Err(Error::file(path, "holds no images"));
        }
        if let Some(size) = size.filter(|size| *size != this) {
            let text = format!("images of {this:?}, but {size:?} in the training set");
            return Err(Error::file(path, text));
        }
        size = Some(this);
        match part.labels {
            Some((array, path)) if array.dims != [count] => {
                let text = format!("labels of shape {:?} for {count} images", array.dims);
                return Err(Error::file(path, text));
            }
            Some((array, _)) => labels.extend(array.data.iter().map(u8::to_string)),
            None => labels.extend((0..count).map(|_| String::new())),
        }
        let name = if part.split == Split::Train {
            "train"
        } else {
            "test"
        };
        ids.extend((0..count).map(|i| format!("{name}/{i:06}")));
        split.extend((0..count).map(|_| part.split));
        if pixels.is_empty() {
            pixels = images.data;
        } else {
            pixels.extend_from_slice(&images.data);
        }
    }
    let [height, width, channels] = size.ok_or_else(|| Error::data("no images"))?;
    let images = Images {
        pixels: Pixels::U8(Cow::Owned(pixels)),
        width,
        height,
        channels,
        masks: Vec::new(),
    };
    let known = labels.iter().any(|l| !l.is_empty());
    let columns = known.then(|| Column {
        name: "label".into(),
        role: Role::Label,
        values: cells::classes(&labels),
    });
    Ok(Dataset {
        name: String::new(),
        kind: if channels == 3 {
            Kind::Photo
        } else {
            Kind::Grey
        },
        shape: images.shape(),
        ids,
        columns: columns.into_iter().collect(),
        split,
        bad: Vec::new(),
        reading: Default::default(),
        samples: Box::new(images),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::dataset::{Sample, Shape, Values};

    fn idx(dims: &[u32], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|n| n.to_be_bytes()));
        bytes.extend(data);
        bytes
    }

    fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    fn open_all(folder: &Path) -> Result<Dataset> {
        Dataset::open(folder.to_str().unwrap(), &OpenOptions::default())
    }

    #[test]
    fn plain_colour_and_gzipped_files_are_read() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&idx(&[1, 1, 2, 3], &[9, 8, 7, 6, 5, 4]))
            .unwrap();
        let folder = folder(&[
            ("train-images.idx4-ubyte", idx(&[2, 1, 2, 3], &[1; 12])),
            ("train-labels.idx1-ubyte", idx(&[2], &[7, 10])),
            ("t10k-images-idx4-ubyte.gz", gz.finish().unwrap()),
        ]);
        let dataset = open_all(folder.path()).unwrap();
        assert_eq!(dataset.ids, ["train/000000", "train/000001", "test/000000"]);
        assert_eq!(
            dataset.shape,
            Shape::Image {
                channels: 3,
                height: 1,
                width: 2
            }
        );
        assert_eq!(dataset.kind, Kind::Photo);
        let Values::Classes { names, index } = &dataset.task().unwrap().values else {
            panic!("classes expected")
        };
        assert_eq!(names, &["7", "10"]);
        assert_eq!(index, &[Some(0), Some(1), None]);
        let Sample::Image(image) = dataset.samples.get(2).unwrap() else {
            panic!("an image expected")
        };
        assert!(matches!(
            &image.pixels,
            Pixels::U8(Cow::Borrowed([9, 8, 7, 6, 5, 4]))
        ));
        assert!(dataset.samples.get(3).is_err());
    }

    #[test]
    fn broken_files_are_named_with_what_is_wrong() {
        let good = idx(&[1, 2, 2], &[0; 4]);
        let mut long = good.clone();
        long.push(0);
        for (bytes, why) in [
            (vec![], "magic number is cut short"),
            (b"GIF89a..".to_vec(), "not an IDX file"),
            (
                good[..good.len() - 1].to_vec(),
                "cut short: [1, 2, 2] needs 4 bytes, 3",
            ),
            (long, "longer than its header"),
            (idx(&[u32::MAX; 4], &[]), "impossible sizes"),
            (idx(&[u32::MAX, 100, 100], &[1]), "cut short"),
            (idx(&[4], &[0; 4]), "images of shape [4]"),
            (idx(&[0, 2, 2], &[]), "holds no images"),
        ] {
            let folder = folder(&[("train-images-idx3-ubyte", bytes)]);
            let text = open_all(folder.path()).err().unwrap().to_string();
            assert!(
                text.contains("train-images-idx3-ubyte") && text.contains(why),
                "{text}"
            );
        }
        let labels = ("train-labels-idx1-ubyte", idx(&[2], &[0; 2]));
        let folder = folder(&[("train-images-idx3-ubyte", good), labels]);
        let text = open_all(folder.path()).err().unwrap().to_string();
        assert!(text.contains("labels of shape [2] for 1 images"), "{text}");
    }

    #[test]
    fn handwriting_is_told_by_the_folder() {
        assert!(holds_digits(Path::new("data/MNIST")) && holds_digits(Path::new("kmnist")));
        assert!(!holds_digits(Path::new("fashion-mnist")));
        assert!(!holds_digits(Path::new("pneumoniamnist")));
    }

    #[test]
    fn a_real_folder_is_read() {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/fashion-mnist");
        if !folder.is_dir() {
            println!("skipped: {} is not there", folder.display());
            return;
        }
        let dataset = open_all(&folder).unwrap();
        assert_eq!(dataset.kind, Kind::Grey);
        assert_eq!(dataset.indices(Split::Train).len(), 60_000);
        assert_eq!(dataset.indices(Split::Test).len(), 10_000);
    }
}
