//! A folder of images, searched recursively and streamed: only names are kept in memory.
//!
//! Which samples, labels and split it holds is read off a table of labels, where there is one (see
//! [`labels`](crate::dataset::labels)), else off its folders, below those that all images share:
//!
//! 1. `train/` with `test/` or `val/` (or their usual other names): that is the split, and each is laid out as 2 or 3.
//! 2. At least two sub-folders, with at least half of the images: their names are the classes.
//! 3. Otherwise the images are unlabelled.
//!
//! Hidden files and folders are passed over. Files that are no usable image are listed as bad, and so are images that lie
//! outside the folders of splits or classes.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};

use crate::columns::{ColumnReading, Reading, cells};
use crate::dataset::decode::{self, Header};
use crate::dataset::pages::{Pages, Part, unread_pages};
use crate::dataset::{BadFile, Column, Dataset, Entry, Kind, OpenOptions, Role, Sample, Samples};
use crate::dataset::{Shape, Split, channels, labels, split};
use crate::error::{Error, Result};

/// The line in the list of datasets.
pub const ENTRY: Entry = Entry {
    name: "image folder",
    summary: "folder of images (PNG, JPEG, TIFF, BMP, WebP, GIF, PNM and more): unlabelled, in a sub-folder per class, \
              in train/, val/ and test/, or with a table of labels (labels.csv)",
    open,
};

fn open(source: &str, options: &OpenOptions) -> Option<Result<Dataset>> {
    let root = Path::new(source);
    root.is_dir().then(|| open_folder(root, options))
}

/// What is known about the samples, in their order.
struct Layout {
    /// Places in the list of images.
    kept: Vec<usize>,
    columns: Vec<Column>,
    split: Option<Vec<Split>>,
    reading: Reading,
}

fn open_folder(root: &Path, options: &OpenOptions) -> Result<Dataset> {
    let mut bad = Vec::new();
    let files = list(root, &mut bad);
    let mut notes = Vec::new();
    let table = labels::open(root, &files, options, &mut notes)?;
    // The table may name files by any extension; without one, the extension says what to look at.
    let mut wanted = Vec::new();
    for file in files {
        match &table {
            Some(table) if table.masks.contains(&file) => {}
            Some(table) if table.lists(&file) => wanted.push(file),
            _ if !decode::looks_like_picture(&root.join(&file)) => {}
            Some(table) => {
                let reason = format!("not listed in {}", table.name);
                bad.push(BadFile { path: file, reason });
            }
            None => wanted.push(file),
        }
    }
    let images = read_headers(root, wanted, options, &mut bad);
    let paths: Vec<String> = images.iter().map(|image| image.file.clone()).collect();
    let mut layout = match table {
        Some(table) => {
            bad.extend(table.bad.iter().cloned());
            let (columns, split) = table.select(&paths, root, &mut bad);
            Layout {
                kept: (0..paths.len()).collect(),
                columns,
                split,
                reading: table.reading(),
            }
        }
        None => by_folders(&paths, &mut bad),
    };
    // Of a file that is listed for two reasons, the first is told.
    bad.sort_by(|a, b| a.path.cmp(&b.path));
    bad.dedup_by(|b, a| a.path == b.path && b.reason.starts_with("no such file"));
    if layout.kept.is_empty() {
        return Err(nothing_found(root, &bad));
    }
    notes.extend(unread_pages(
        images.iter().filter(|image| image.header.pages > 1).count(),
    ));
    layout.reading.notes.splice(0..0, notes);
    let kept: Vec<&Picture> = layout.kept.iter().map(|&i| &images[i]).collect();
    let ids: Vec<String> = kept
        .iter()
        .map(|image| image.part.id(&image.file))
        .collect();
    let shape = most_common(kept.iter().map(|image| &image.header));
    if options.pages == Pages::Samples && !layout.columns.iter().any(|c| c.role == Role::Group) {
        layout.columns.extend(files_as_groups(&kept));
    }
    let notes = &mut layout.reading.notes;
    Ok(Dataset {
        name: root.display().to_string(),
        kind: match shape {
            Shape::Image { channels: 3, .. } => Kind::Photo,
            _ => Kind::Grey,
        },
        shape,
        split: split::resolve(&ids, layout.split, &layout.columns, options.holdout, notes),
        columns: layout.columns,
        bad,
        reading: layout.reading,
        samples: Box::new(Files {
            root: root.to_path_buf(),
            images: kept.iter().map(|i| (i.file.clone(), i.part)).collect(),
            max_pixels: options.max_pixels,
        }),
        ids,
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

/// A sample: a file, or one of its pages.
struct Picture {
    file: String,
    part: Part,
    header: Header,
}

/// A column that says of pages that are samples which file they are of, if a file has several.
fn files_as_groups(images: &[&Picture]) -> Option<Column> {
    let is_page = |image: &&Picture| matches!(image.part, Part::Page { .. });
    images.iter().any(is_page).then(|| {
        let files: Vec<&str> = images.iter().map(|image| image.file.as_str()).collect();
        Column {
            name: "file".into(),
            role: Role::Group,
            values: cells::classes(&files),
        }
    })
}

/// The commonest size and number of channels.
fn most_common<'a>(headers: impl Iterator<Item = &'a Header> + Clone) -> Shape {
    let mut counts = HashMap::<(usize, usize), usize>::new();
    for header in headers.clone() {
        *counts.entry((header.height, header.width)).or_default() += 1;
    }
    let most = counts.iter().max_by_key(|&(size, count)| (count, size));
    let (height, width) = most.map_or((0, 0), |(size, _)| *size);
    Shape::Image {
        channels: channels::common(headers.map(|header| header.channels)),
        height,
        width,
    }
}

/// Reads the headers in parallel, and keeps the samples that have a good one and as many channels as most.
fn read_headers(
    root: &Path,
    files: Vec<String>,
    options: &OpenOptions,
    bad: &mut Vec<BadFile>,
) -> Vec<Picture> {
    let read = |file: &String| {
        let path = root.join(file);
        let parts = decode::parts(&path, options.pages)?;
        let header = |part: Part| {
            let header = decode::header(&path, part, options.max_pixels);
            (part, header)
        };
        Ok(parts.into_iter().map(header).collect::<Vec<_>>())
    };
    let mut found = Vec::with_capacity(files.len());
    let headers: Vec<std::result::Result<_, String>> = files.par_iter().map(read).collect();
    for (file, parts) in files.into_iter().zip(headers) {
        match parts {
            Ok(parts) => {
                found.extend(
                    parts
                        .into_iter()
                        .map(|(part, header)| (file.clone(), part, header)),
                );
            }
            Err(reason) => bad.push(BadFile { path: file, reason }),
        }
    }
    let good = found
        .iter()
        .filter_map(|(_, _, header)| header.as_ref().ok());
    let common = channels::common(good.map(|header| header.channels));
    let mut usable = Vec::with_capacity(found.len());
    for (file, part, header) in found {
        let fits = |header: Header| channels::fits(header.channels, common).map(|()| header);
        match header.and_then(fits) {
            Ok(header) => usable.push(Picture { file, part, header }),
            Err(reason) => {
                let path = part.id(&file);
                bad.push(BadFile { path, reason });
            }
        }
    }
    usable
}

/// Labels and split from the names of folders. Images that do not fit are added to `bad`.
fn by_folders(paths: &[String], bad: &mut Vec<BadFile>) -> Layout {
    let shared = shared_folders(paths);
    let below: Vec<&str> = paths.iter().map(|path| &path[shared..]).collect();
    let folder = |path: &&str| path.split_once('/').map(|(folder, _)| folder.to_owned());
    let part = |path: &&str| folder(path).and_then(|folder| Split::parse(&folder));
    let parts: Vec<Option<Split>> = below.iter().map(part).collect();
    let has = |split: Split| parts.contains(&Some(split));
    // Without a training part, or with nothing next to it, folders of these names are like any other.
    let alone = parts.iter().all(Option::is_some);
    let by_split = has(Split::Train) && (alone || has(Split::Test) || has(Split::Val));
    let mut out = |path: &str, reason: String| {
        bad.push(BadFile {
            path: path.to_owned(),
            reason,
        });
    };
    let (mut kept, mut labels, mut splits) = (Vec::new(), Vec::new(), Vec::new());
    if by_split {
        for split in Split::ALL {
            let own: Vec<usize> = (0..paths.len())
                .filter(|&i| parts[i] == Some(split))
                .collect();
            let rest = |i: usize| below[i].split_once('/').map_or("", |(_, rest)| rest);
            let names: Vec<&str> = own.iter().map(|&i| rest(i)).collect();
            let classes = classes(&names, 1);
            for (i, class) in own.into_iter().zip(classes) {
                match class {
                    Some(class) => {
                        kept.push(i);
                        labels.push(class);
                        splits.push(split);
                    }
                    None => out(&paths[i], "lies in no folder of a class".into()),
                }
            }
        }
        for i in (0..paths.len()).filter(|&i| parts[i].is_none()) {
            let reason = "lies outside the folders of the splits (train, val, test)";
            out(&paths[i], reason.into());
        }
    } else {
        for (i, class) in classes(&below, 2).into_iter().enumerate() {
            match class {
                Some(class) => {
                    kept.push(i);
                    labels.push(class);
                }
                None => out(&paths[i], "lies in no folder of a class".into()),
            }
        }
    }
    let mut order: Vec<usize> = (0..kept.len()).collect();
    order.sort_by_key(|&i| kept[i]);
    let labels: Vec<String> = order.iter().map(|&i| labels[i].clone()).collect();
    let splits: Vec<Split> = match by_split {
        true => order.iter().map(|&i| splits[i]).collect(),
        false => Vec::new(),
    };
    let mut reading = Reading::default();
    let mut read = |title: &str, role: &str, why: &str, values: BTreeMap<&str, usize>| {
        reading.columns.push(ColumnReading {
            title: title.into(),
            role: role.into(),
            why: why.into(),
            kind: "text".into(),
            missing: values.get("").copied().unwrap_or(0),
            distinct: Some(values.keys().filter(|value| !value.is_empty()).count()),
        });
    };
    let mut counts = BTreeMap::new();
    splits
        .iter()
        .for_each(|s| *counts.entry(s.name()).or_default() += 1);
    if by_split {
        read("(folders)", "split", "names of folders", counts);
    }
    let mut counts = BTreeMap::new();
    labels
        .iter()
        .for_each(|l| *counts.entry(l.as_str()).or_default() += 1);
    let labelled = labels.iter().any(|l| !l.is_empty());
    if labelled {
        read("(folders)", "label", "names of folders", counts);
    }
    let misfits = paths.len() - kept.len();
    if misfits > 0 {
        reading.notes.push(format!(
            "{misfits} images fit into no folder of a {} and are left out (see bad files)",
            if by_split { "split or class" } else { "class" }
        ));
    } else if !labelled && paths.iter().any(|path| path.contains('/')) {
        reading
            .notes
            .push("folders are not taken for classes: most images lie outside of them, or there is but one".into());
    }
    let column = labelled.then(|| Column {
        name: "label".into(),
        role: Role::Label,
        values: cells::classes(&labels),
    });
    Layout {
        kept: order.into_iter().map(|i| kept[i]).collect(),
        columns: column.into_iter().collect(),
        split: by_split.then_some(splits),
        reading,
    }
}

/// The length of the folders that all paths begin with.
fn shared_folders(paths: &[String]) -> usize {
    let Some(first) = paths.first() else {
        return 0;
    };
    let mut shared = 0;
    for (at, _) in first.match_indices('/') {
        let folders = &first[..=at];
        // The folder of a split is not one to look below.
        let own = &folders[shared..at];
        if Split::parse(own).is_some() || !paths.iter().all(|path| path.starts_with(folders)) {
            break;
        }
        shared = at + 1;
    }
    shared
}

/// The class of each path, by its first folder: where at least `least` folders hold at least half of the images. Else
/// there are none, and each is empty. `None`: an image that lies outside.
fn classes(paths: &[&str], least: usize) -> Vec<Option<String>> {
    let folder = |path: &&str| path.split_once('/').map(|(folder, _)| folder.to_owned());
    let folders: Vec<Option<String>> = paths.iter().map(folder).collect();
    let inside = folders.iter().flatten().count();
    let distinct: std::collections::BTreeSet<&String> = folders.iter().flatten().collect();
    let whole = inside == paths.len() && distinct.len() >= least;
    match whole || (distinct.len() >= 2 && 2 * inside >= paths.len()) {
        true => folders,
        false => vec![Some(String::new()); paths.len()],
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
    images: Vec<(String, Part)>,
    max_pixels: u64,
}

impl Samples for Files {
    fn get(&self, index: usize) -> Result<Sample<'_>> {
        let image = self.images.get(index);
        let (file, part) =
            image.ok_or_else(|| Error::data(format!("there is no sample {index}")))?;
        let path = self.root.join(file);
        let image = decode::read(&path, *part, self.max_pixels);
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
        let one = open(&images(&["images/a.png", "images/b.png"])).unwrap();
        assert!(one.columns.is_empty(), "one folder says no class");

        let names = [
            "train/x/a.png",
            "validation/y/b.png",
            "test/x/c.png",
            "test/y/d.png",
        ];
        for wrapper in ["", "photos/", "a/b/"] {
            let names = names.map(|name| format!("{wrapper}{name}"));
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let own = open(&images(&names)).unwrap();
            assert_eq!(test_ids(&own), [names[2], names[3]]);
            // In the order of their paths.
            assert_eq!(labels(&own), ["x", "y", "x", "y"]);
            assert_eq!(own.indices(Split::Val), [3]);
        }

        let half = open(&images(&["train/a.png", "train/b.png", "test/x/c.png"])).unwrap();
        assert_eq!(labels(&half), ["x", "-", "-"]);
    }

    #[test]
    fn stray_images_do_not_cost_the_labels() {
        for (names, expected, left_out) in [
            (
                &["cat/a.png", "cat/b.png", "dog/c.png", "banner.png"][..],
                &["cat", "cat", "dog"][..],
                "banner.png",
            ),
            (
                &["train/a/1.png", "test/b/2.png", "grid.png"],
                &["b", "a"],
                "grid.png",
            ),
            (
                &["train/a/1.png", "train/b/2.png", "train/x.png"],
                &["a", "b"],
                "train/x.png",
            ),
            (
                &["train/a/1.png", "test/b/2.png", "docs/x.png"],
                &["b", "a"],
                "docs/x.png",
            ),
            (
                &["train/a/1.png", "test/b/2.png", "eval/a/x.png"],
                &["b", "a"],
                "eval/a/x.png",
            ),
        ] {
            let dataset = open(&images(names)).unwrap();
            assert_eq!(labels(&dataset), expected, "{names:?}");
            let bad: Vec<&str> = dataset.bad.iter().map(|b| b.path.as_str()).collect();
            assert_eq!(bad, [left_out]);
            assert!(
                dataset
                    .reading
                    .notes
                    .iter()
                    .any(|n| n.contains("1 images fit into no folder"))
            );
        }
    }

    #[test]
    fn a_table_of_another_name_is_found_and_matched() {
        let (a, b) = (png(1), png(2));
        let table = b"image,sender_id,label,kids\na,7,Hat,False\nb,9,Shoe,True\nc,9,Shoe,True\n";
        let folder = folder(&[
            ("images/a.png", &a),
            ("images/b.png", &b),
            ("images.csv", table),
        ]);
        for root in [folder.path().to_owned(), folder.path().join("images")] {
            let dataset = Dataset::open(root.to_str().unwrap(), &OpenOptions::default()).unwrap();
            assert_eq!(labels(&dataset), ["Hat", "Shoe"]);
            assert_eq!(dataset.bad.len(), 1);
            assert!(
                dataset.bad[0]
                    .reason
                    .contains("no such file (line 4 of images.csv)")
            );
            assert!(dataset.reading.notes[0].contains("images.csv"));
            let none = OpenOptions {
                label_file: "none".into(),
                ..OpenOptions::default()
            };
            let dataset = Dataset::open(root.to_str().unwrap(), &none).unwrap();
            assert!(dataset.columns.is_empty());
        }
    }

    #[test]
    fn masks_are_neither_samples_nor_bad() {
        let (a, m) = (png(1), png(2));
        let dataset = open(&folder(&[
            ("a.png", &a),
            ("masks/a.png", &m),
            (
                "labels.csv",
                b"path,label:k,mask:parts\na.png,x,masks/a.png\n",
            ),
        ]))
        .unwrap();
        assert_eq!(dataset.ids, ["a.png"]);
        assert!(dataset.bad.is_empty(), "{:?}", dataset.bad);
        assert_eq!(dataset.columns[1].role, Role::Mask);
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
            ("notes.txt", b"nothing to see"),
        ]))
        .unwrap();
        assert_eq!(dataset.ids, ["good.png"]);
        let bad: Vec<&str> = dataset.bad.iter().map(|b| b.path.as_str()).collect();
        assert_eq!(bad, ["cut.png", "empty.jpg", "moving.gif", "text.webp"]);
        let text = dataset.bad_files_csv();
        for why in [
            "cut short",
            "0 bytes",
            "moving.gif,damaged or cut short",
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
                "size,kind\nlarge,dog\n",
                "no column names an image of the folder",
            ),
            ("path,split\nb.png,eval\n", "unknown split `eval`"),
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
