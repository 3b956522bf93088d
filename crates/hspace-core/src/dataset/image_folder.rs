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

mod layout;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};

use self::layout::{Layout, by_folders};
use crate::columns::cells;
use crate::dataset::decode::{self, Header};
use crate::dataset::mask::{self, MaskFiles};
use crate::dataset::pages::{Pages, Part, unread_pages};
use crate::dataset::{
    BadFile, Column, Dataset, Entry, Format, Kind, Mask, OpenOptions, Role, Sample, Samples,
};
use crate::dataset::{Shape, channels, labels, split};
use crate::error::{Error, Result};

/// The line in the list of datasets.
pub const ENTRY: Entry = Entry {
    name: "image folder",
    summary: "folder of images (PNG, JPEG, TIFF, BMP, WebP, GIF, PNM and more): unlabelled, in a sub-folder per class, \
              in train/, val/ and test/, or with a table of labels (labels.csv)",
    source: "",
    item: Format { open },
};

fn open(source: &str, options: &OpenOptions) -> Option<Result<Dataset>> {
    let root = Path::new(source);
    root.is_dir().then(|| open_folder(root, options))
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
    let mut masks = Vec::new();
    let mut layout = match table {
        Some(table) => {
            bad.extend(table.bad.iter().cloned());
            let (columns, split) = table.select(&paths);
            masks = MaskFiles::of(&columns, |path| table.mask_path(path, root));
            for missing in masks.iter().flat_map(|masks| masks.missing(&paths)) {
                bad.push(missing);
            }
            let layout = Layout {
                kept: (0..paths.len()).collect(),
                columns,
                split,
                reading: table.reading(),
            };
            layout.completed_by_folders(&paths)
        }
        None => by_folders(&paths, &mut bad),
    };
    // Of a file that is listed for two reasons, the first is kept.
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
    // A table lists every image, so that all are kept and their masks are in the same order.
    debug_assert!(masks.is_empty() || layout.kept.len() == paths.len());
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
            sizes: kept
                .iter()
                .map(|i| [i.header.height, i.header.width])
                .collect(),
            masks,
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
    /// Height and width of each.
    sizes: Vec<[usize; 2]>,
    masks: Vec<MaskFiles>,
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

    fn mask(&self, index: usize, column: &str) -> Result<Mask> {
        let mut masks = self.masks.iter();
        let own = masks.find(|masks| masks.column == column);
        let path = own.and_then(|masks| masks.paths.get(index)?.as_deref());
        match (path, self.images.get(index), self.sizes.get(index)) {
            (Some(path), Some((file, _)), Some(&size)) => {
                mask::read(path, size, file, self.max_pixels)
            }
            _ => Err(Error::data(format!(
                "sample number {index} has no mask of `{column}`"
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
