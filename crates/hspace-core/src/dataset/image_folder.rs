//! A folder of images, searched recursively and streamed: only names are kept in memory.
//!
//! Which samples, labels and split it holds is read off its layout, the first that fits:
//!
//! 1. `labels.csv` in it: see [`labels_csv`](crate::dataset::labels_csv).
//! 2. sub-folders `train/` and possibly `test/`, `val/` (counted as train) and nothing else:
//!    that is the split, and each is laid out as 3 or 4.
//! 3. every image in a sub-folder: the first sub-folder's name is the class.
//! 4. otherwise the images are unlabelled.
//!
//! Hidden files and folders are passed over. Files that are no usable image are listed as bad.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};

use crate::dataset::decode::{self, Header};
use crate::dataset::pages::Part;
use crate::dataset::{BadFile, Column, Dataset, Entry, Kind, OpenOptions, Role, Sample, Samples};
use crate::dataset::{Shape, Split, channels, column, labels_csv, split};
use crate::error::{Error, Result};

/// The line in the list of datasets.
pub const ENTRY: Entry = Entry {
    name: "image folder",
    summary: "folder of images (PNG, JPEG, TIFF, BMP, WebP, GIF, PNM and more): unlabelled, in a sub-folder per class, \
              in train/ and test/, or with a labels.csv",
    open,
};

/// What a layout says about the samples, in the order of `ids`.
pub struct Layout {
    /// Relative paths with forward slashes.
    pub ids: Vec<String>,
    /// Labels and the like.
    pub columns: Vec<Column>,
    /// The split, where the data have one.
    pub split: Option<Vec<Split>>,
}

fn open(source: &str, options: &OpenOptions) -> Option<Result<Dataset>> {
    let root = Path::new(source);
    root.is_dir().then(|| open_folder(root, options))
}

fn open_folder(root: &Path, options: &OpenOptions) -> Result<Dataset> {
    let mut bad = Vec::new();
    let files = list(root, &mut bad);
    let table = labels_csv::read(root)?;
    // The table may name files by any extension; without one, the extension says what to look at.
    let mut wanted = Vec::new();
    for file in files {
        match &table {
            Some(table) if table.lists(&file) => wanted.push(file),
            _ if !decode::looks_like_picture(&root.join(&file)) => {}
            Some(_) => {
                let reason = "not listed in labels.csv".into();
                bad.push(BadFile { path: file, reason });
            }
            None => wanted.push(file),
        }
    }
    let (usable, sizes) = read_headers(root, wanted, options.max_pixels, &mut bad);
    let layout = match table {
        Some(table) => table.layout(usable, &mut bad),
        None => by_folders(usable),
    };
    bad.sort_by(|a, b| a.path.cmp(&b.path));
    if layout.ids.is_empty() {
        return Err(nothing_found(root, &bad));
    }
    let split = layout
        .split
        .unwrap_or_else(|| split::by_hash(&layout.ids, options.holdout));
    let shape = sizes.most_common();
    Ok(Dataset {
        name: root.display().to_string(),
        kind: if sizes.channels == 3 {
            Kind::Photo
        } else {
            Kind::Grey
        },
        shape,
        columns: layout.columns,
        split,
        bad,
        samples: Box::new(Files {
            root: root.to_path_buf(),
            paths: layout.ids.clone(),
            max_pixels: options.max_pixels,
        }),
        ids: layout.ids,
    })
}

/// Every file below `root`, relative, with forward slashes, sorted; what cannot be listed is bad.
fn list(root: &Path, bad: &mut Vec<BadFile>) -> Vec<String> {
    let hidden = |entry: &DirEntry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() > 0 && (name.starts_with('.') || name == "__MACOSX")
    };
    let relative = |path: &Path| {
        let path = path.strip_prefix(root).unwrap_or(path);
        let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
        parts
            .map(|p| p.join("/"))
            .ok_or_else(|| path.to_string_lossy().into_owned())
    };
    let mut files = Vec::new();
    for entry in WalkDir::new(root)
        .follow_links(true)
        .into_iter()
        .filter_entry(|e| !hidden(e))
    {
        let (path, reason) = match &entry {
            Ok(entry) if !entry.file_type().is_file() => continue,
            Ok(entry) => (relative(entry.path()), None),
            Err(error) => {
                let path = relative(error.path().unwrap_or(root));
                let reason = match error.io_error() {
                    Some(e) => format!("cannot be read: {e}"),
                    None => "links to a folder it lies in".into(),
                };
                (path, Some(reason))
            }
        };
        match (path, reason) {
            (Ok(path), None) => files.push(path),
            (Ok(path) | Err(path), Some(reason)) => bad.push(BadFile { path, reason }),
            (Err(path), None) => {
                let reason = "its name is not valid UTF-8; rename it".into();
                bad.push(BadFile { path, reason });
            }
        }
    }
    files.sort();
    files
}

/// How often each size occurs, and how many channels the images have.
#[derive(Default)]
struct Sizes {
    counts: HashMap<(usize, usize), usize>,
    channels: usize,
}

impl Sizes {
    fn most_common(&self) -> Shape {
        let most = self
            .counts
            .iter()
            .max_by_key(|&(size, count)| (count, size));
        let (height, width) = most.map_or((0, 0), |(size, _)| *size);
        Shape::Image {
            channels: self.channels,
            height,
            width,
        }
    }
}

/// Reads the headers in parallel, and keeps the files that have a good one.
fn read_headers(
    root: &Path,
    files: Vec<String>,
    max_pixels: u64,
    bad: &mut Vec<BadFile>,
) -> (Vec<String>, Sizes) {
    let read = |file: &String| decode::header(&root.join(file), Part::First, max_pixels);
    let headers: Vec<_> = files.par_iter().map(read).collect();
    let (mut usable, mut sizes) = (Vec::new(), Sizes::default());
    sizes.channels = channels::common(headers.iter().flatten().map(|header| header.channels));
    for (path, header) in files.into_iter().zip(headers) {
        let fits = |header: Header| {
            channels::fits(header.channels, sizes.channels).map(|()| (header.height, header.width))
        };
        match header.and_then(fits) {
            Ok(size) => {
                *sizes.counts.entry(size).or_default() += 1;
                usable.push(path);
            }
            Err(reason) => bad.push(BadFile { path, reason }),
        }
    }
    (usable, sizes)
}

/// Labels and split from the names of folders.
fn by_folders(ids: Vec<String>) -> Layout {
    let part = |id: &'_ String| {
        let (folder, rest) = id.split_once('/')?;
        Some((split::parse(folder)?, rest.to_string()))
    };
    let folder = |path: &str| path.split_once('/').map(|(folder, _)| folder.to_string());
    let parts: Option<Vec<(Split, String)>> = ids.iter().map(part).collect();
    // Without a training part, folders of these names are classes like any other.
    let parts = parts.filter(|parts| parts.iter().any(|(split, _)| *split == Split::Train));
    let labels: Vec<String> = match &parts {
        Some(parts) => {
            let labelled = |part| {
                let mut paths = parts.iter().filter(|(split, _)| *split == part);
                paths.all(|(_, path)| path.contains('/'))
            };
            let (train, test) = (labelled(Split::Train), labelled(Split::Test));
            let label = |(split, path): &(Split, String)| {
                let known = if *split == Split::Train { train } else { test };
                folder(path).filter(|_| known).unwrap_or_default()
            };
            parts.iter().map(label).collect()
        }
        None => {
            let folders: Option<Vec<String>> = ids.iter().map(|id| folder(id)).collect();
            folders.unwrap_or_default()
        }
    };
    let column = labels.iter().any(|l| !l.is_empty()).then(|| Column {
        name: "label".into(),
        role: Role::Label,
        values: column::classes(&labels),
    });
    let split = parts.map(|parts| parts.iter().map(|(split, _)| *split).collect::<Vec<_>>());
    Layout {
        ids,
        columns: column.into_iter().collect(),
        split: split.filter(|all| all.contains(&Split::Test)),
    }
}

fn nothing_found(root: &Path, bad: &[BadFile]) -> Error {
    let looked = "we looked for PNG, JPEG, TIFF, BMP, WebP, GIF and other images in it and its sub-folders, \
                  for a labels.csv and for IDX files (train-images-idx3-ubyte)";
    let found = match bad {
        [] => String::new(),
        [BadFile { path, reason }, ..] => {
            format!(
                "; {} files cannot be used, such as {path}: {reason}",
                bad.len()
            )
        }
    };
    Error::file(root, format!("no usable image; {looked}{found}"))
}

/// Decodes a file each time it is asked for.
struct Files {
    root: PathBuf,
    paths: Vec<String>,
    max_pixels: u64,
}

impl Samples for Files {
    fn get(&self, index: usize) -> Result<Sample<'_>> {
        let path = self.paths.get(index);
        let path = path.ok_or_else(|| Error::data(format!("there is no sample {index}")))?;
        let path = self.root.join(path);
        let image = decode::read(&path, Part::First, self.max_pixels);
        image
            .map(Sample::Image)
            .map_err(|reason| Error::file(path, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Values;

    /// A PNG of a colour of its own.
    fn png(colour: u8) -> Vec<u8> {
        let image = image::RgbImage::from_pixel(3, 2, image::Rgb([colour, 0, 0]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn images(names: &[&str]) -> tempfile::TempDir {
        let bytes: Vec<Vec<u8>> = (0..).take(names.len()).map(png).collect();
        let files: Vec<(&str, &[u8])> = names
            .iter()
            .zip(&bytes)
            .map(|(n, b)| (*n, &b[..]))
            .collect();
        folder(&files)
    }

    fn open(folder: &tempfile::TempDir) -> Result<Dataset> {
        Dataset::open(folder.path().to_str().unwrap(), &OpenOptions::default())
    }

    /// The label of each sample, `-` where unknown.
    fn labels(dataset: &Dataset) -> Vec<&str> {
        let Some(Column {
            values: Values::Classes { names, index },
            ..
        }) = dataset.task()
        else {
            return Vec::new();
        };
        index
            .iter()
            .map(|i| i.map_or("-", |i| &names[i as usize]))
            .collect()
    }

    fn test_ids(dataset: &Dataset) -> Vec<&str> {
        dataset
            .indices(Split::Test)
            .into_iter()
            .map(|i| dataset.ids[i].as_str())
            .collect()
    }

    #[test]
    fn layouts_by_folders() {
        let classes = open(&images(&["cat/b.png", "ant/deep/a.PNG", "cat/.hidden.png"])).unwrap();
        assert_eq!(classes.ids, ["ant/deep/a.PNG", "cat/b.png"]);
        assert_eq!(labels(&classes), ["ant", "cat"]);

        let none = open(&images(&["a.png", "deep/b.png"])).unwrap();
        assert!(none.columns.is_empty() && none.len() == 2);

        let names = [
            "train/x/a.png",
            "val/y/b.png",
            "test/x/c.png",
            "test/y/d.png",
        ];
        let own = open(&images(&names)).unwrap();
        assert_eq!(test_ids(&own), ["test/x/c.png", "test/y/d.png"]);
        assert_eq!(labels(&own), ["x", "y", "x", "y"]);

        let half = open(&images(&["train/a.png", "train/b.png", "test/x/c.png"])).unwrap();
        assert_eq!(labels(&half), ["x", "-", "-"]);
    }

    #[test]
    fn broken_files_are_left_out_with_a_reason() {
        let good = png(1);
        let cut = &good[..20];
        let dataset = open(&folder(&[
            ("good.png", &good),
            ("cut.png", cut),
            ("empty.jpg", b""),
            ("text.webp", b"this is no image"),
            ("moving.gif", b"GIF89a"),
            ("photo.heic", b"\0\0\0\x18ftypheic"),
            ("photo.jpg_large", &good),
            ("notes.txt", b"nothing to see"),
        ]))
        .unwrap();
        assert_eq!(dataset.ids, ["good.png", "photo.jpg_large"]);
        let bad: Vec<&str> = dataset.bad.iter().map(|b| b.path.as_str()).collect();
        assert_eq!(
            bad,
            [
                "cut.png",
                "empty.jpg",
                "moving.gif",
                "photo.heic",
                "text.webp"
            ]
        );
        let text = dataset.bad_files_csv();
        for why in [
            "cut short",
            "0 bytes",
            "HEIC is not supported",
            "not an image",
        ] {
            assert!(text.contains(why), "{text}");
        }
    }

    #[test]
    fn a_file_that_breaks_later_is_named() {
        let folder = images(&["a.png", "b.png"]);
        let dataset = open(&folder).unwrap();
        std::fs::remove_file(folder.path().join("b.png")).unwrap();
        assert!(dataset.samples.get(0).is_ok());
        let text = dataset.samples.get(1).err().unwrap().to_string();
        assert!(
            text.contains("b.png") && text.contains("cannot be read"),
            "{text}"
        );
    }

    #[test]
    fn nothing_usable_is_an_error() {
        let text = open(&folder(&[("a.txt", b"x")])).err().unwrap().to_string();
        assert!(
            text.contains("no usable image; we looked for PNG"),
            "{text}"
        );
        let text = open(&folder(&[("a.png", b"")])).err().unwrap().to_string();
        assert!(
            text.contains("1 files cannot be used, such as a.png: empty"),
            "{text}"
        );
    }

    #[test]
    fn old_samples_keep_their_side_when_files_are_added() {
        let names: Vec<String> = (0..40).map(|i| format!("c{}/{i}.png", i % 2)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (few, all) = (
            open(&images(&names[..20])).unwrap(),
            open(&images(&names)).unwrap(),
        );
        let expected = test_ids(&all);
        let kept: Vec<&str> = expected
            .into_iter()
            .filter(|id| few.ids.iter().any(|i| i == id))
            .collect();
        assert_eq!(test_ids(&few), kept);
    }

    fn with_table(table: &str) -> Result<Dataset> {
        let (a, b, c) = (png(1), png(2), png(3));
        let files: [(&str, &[u8]); 5] = [
            ("x/a.png", &a),
            ("b.png", &b),
            ("c.png", &c),
            ("broken.png", b"?"),
            ("labels.csv", table.as_bytes()),
        ];
        open(&folder(&files))
    }

    #[test]
    fn a_table_gives_labels_roles_and_split() {
        let table = "\u{feff}path,kind,nuisance:site,target:age,split\n\
                     ./x\\a.png,dog,north,7,train\nb.png,,south,8,test\nc.png,cat,north,9,val\n";
        let dataset = with_table(table).unwrap();
        assert_eq!(dataset.ids, ["b.png", "c.png", "x/a.png"]);
        assert_eq!(test_ids(&dataset), ["b.png"]);
        assert_eq!(labels(&dataset), ["-", "cat", "dog"]);
        assert_eq!(dataset.columns[1].role, Role::Nuisance);
        let ages = Values::Numbers(vec![Some(8.0), Some(9.0), Some(7.0)]);
        assert_eq!(dataset.columns[2].values, ages);
        assert_eq!(dataset.bad.len(), 1, "{:?}", dataset.bad);
    }

    #[test]
    fn a_table_with_faults_is_reported() {
        let table = "path,kind\nb.png,dog\nb.png,dog\ngone.png,cat\nbroken.png,cat\n";
        let dataset = with_table(table).unwrap();
        assert_eq!(dataset.ids, ["b.png"]);
        let bad: Vec<String> = dataset
            .bad
            .iter()
            .map(|b| format!("{}: {}", b.path, b.reason))
            .collect();
        assert_eq!(bad.len(), 5, "{bad:?}");
        assert!(bad[0].starts_with("broken.png: not an image"), "{bad:?}");
        assert_eq!(bad[1], "c.png: not listed in labels.csv");
        assert_eq!(bad[2], "gone.png: no such file (line 4 of labels.csv)");
        assert_eq!(
            bad[3],
            "labels.csv: line 3 repeats line 2 (b.png); counted once"
        );
        assert_eq!(bad[4], "x/a.png: not listed in labels.csv");
        for (table, why) in [
            (
                "path,kind\nb.png,dog\nb.png,cat\n",
                "line 3 contradicts line 2 about b.png",
            ),
            (
                "name,kind\nb.png,dog\n",
                "no column `path` in its header (name, kind)",
            ),
            ("path,split\nb.png,dev\n", "line 2: unknown split `dev`"),
            (
                "path,kind\nb.png\n",
                "line 2 has 1 cells and the lines before 2",
            ),
        ] {
            let text = with_table(table).err().unwrap().to_string();
            assert!(text.contains("labels.csv") && text.contains(why), "{text}");
        }
    }
}
