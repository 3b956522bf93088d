//! The table of labels of a folder of images: which table it is, and which of its rows is of which image.
//!
//! It is the file that `--label-file` names; else `labels.csv` in the folder; else a table that names images of the
//! folder: `metadata.csv` or `FOLDER.csv` in it or next to it, or the only other `.csv` in it. The column that names
//! most images is the id. Names may lack the folder, the extension or both, or have folders before those in the folder:
//! what fits best is taken, and a name that fits several files is of none. Rows without a file, files without a row, and
//! rows that repeat an earlier one are reported; rows that contradict one another are an error.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::columns::{Column, Csv, Holds, Reading, Role, Table, Values, read_csv};
use crate::dataset::{BadFile, OpenOptions, Split};
use crate::error::{Error, Result};

/// Tables that hspace leaves in folders, which are no labels.
const OURS: [&str; 1] = ["bad_files.csv"];

/// A table of labels, matched with files.
pub struct Labels {
    /// The name of the file, for messages.
    pub name: String,
    table: Table,
    /// The row of each file that has one.
    rows: HashMap<String, usize>,
    /// Files that a column of masks names.
    pub masks: HashSet<String>,
    /// The folder that it lies in.
    folder: PathBuf,
    /// Rows that are of no image.
    pub bad: Vec<BadFile>,
}

/// Finds the table of the images `files` of the folder `root`, and reads it. What was guessed is added to `notes`.
///
/// # Errors
/// If the table that is named, or `labels.csv`, cannot be read or names no image; rows in contradiction.
pub fn open(
    root: &Path,
    files: &[String],
    options: &OpenOptions,
    notes: &mut Vec<String>,
) -> Result<Option<Labels>> {
    let names = Names::of(files);
    match options.label_file.as_str() {
        "none" => return Ok(None),
        "auto" => {}
        named => return read(Path::new(named), &names, files, options).map(Some),
    }
    let own = root.join("labels.csv");
    if own.is_file() {
        return read(&own, &names, files, options).map(Some);
    }
    let mut found = Vec::new();
    for path in candidates(root) {
        match read(&path, &names, files, options) {
            Ok(labels) => found.push((path, labels)),
            Err(error) => notes.push(format!("not taken as a table of labels: {error}")),
        }
    }
    if found.len() > 1 {
        let names: Vec<String> = found.iter().map(|(p, _)| p.display().to_string()).collect();
        notes.push(format!(
            "several tables name images of the folder, and none is taken: {}; say which with --label-file {}",
            names.join(", "),
            crate::file::quoted(&names[0])
        ));
        return Ok(None);
    }
    Ok(found.pop().map(|(path, labels)| {
        notes.push(format!(
            "labels are those of {} (--label-file none leaves it)",
            path.display()
        ));
        labels
    }))
}

/// Tables that could be the labels of the folder: those of a usual name if there is one, else every one in it.
fn candidates(root: &Path) -> Vec<PathBuf> {
    let whole = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let mut usual = vec![root.join("metadata.csv")];
    if let (Some(name), Some(parent)) = (whole.file_name().and_then(|n| n.to_str()), root.parent())
    {
        let table = format!("{name}.csv");
        usual.push(root.join(&table));
        let parent = match parent.as_os_str().is_empty() {
            true => Path::new(".").to_owned(),
            false => parent.to_owned(),
        };
        usual.push(parent.join(&table));
    }
    usual.retain(|path| path.is_file());
    usual.truncate(1);
    if !usual.is_empty() {
        return usual;
    }
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut tables: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && crate::dataset::extension(path) == "csv")
        .filter(|path| !OURS.iter().any(|ours| path.ends_with(ours)))
        .collect();
    tables.sort();
    tables
}

/// Reads a table and finds the file of each row.
fn read(path: &Path, names: &Names, files: &[String], options: &OpenOptions) -> Result<Labels> {
    let is_file = |cell: &str| !matches!(names.find(cell), Found::None);
    let table = read_csv(path, Holds::Labels, &options.table(), Some(&is_file))?;
    let wrong = |problem: String| Error::file(path, problem);
    let csv = Csv::open(path)?;
    let Some(ids) = &table.ids else {
        return Err(wrong(format!(
            "no column names an image of the folder, such as `{}` (its columns: {}); say which does with --id COLUMN",
            files.first().map_or("", String::as_str),
            csv.titles.join(", ")
        )));
    };
    let name = path
        .file_name()
        .map_or("the table".into(), |n| n.to_string_lossy().into_owned());
    let masks = masks(&table.columns, names, files);
    let (mut rows, mut bad) = (HashMap::<String, usize>::new(), Vec::new());
    // What shows masks is no image of that name.
    let images: Vec<String> = files
        .iter()
        .filter(|file| !masks.contains(*file))
        .cloned()
        .collect();
    let names = Names::of(&images);
    for (row, id) in ids.iter().enumerate() {
        let line = || csv.line(table.places[row]);
        let left_out = |reason: String| BadFile {
            path: id.clone(),
            reason: format!("{reason} (line {} of {name})", line()),
        };
        bad.push(match names.find(id) {
            Found::One(file) => {
                let file = &images[file];
                match rows.get(file).copied() {
                    None => {
                        rows.insert(file.clone(), row);
                        continue;
                    }
                    Some(before) => {
                        let (line, earlier) = (line(), csv.line(table.places[before]));
                        if !same(&table, before, row) {
                            return Err(wrong(format!(
                                "line {line} contradicts line {earlier} about {file}; keep one of them"
                            )));
                        }
                        BadFile {
                            path: name.clone(),
                            reason: format!("line {line} repeats line {earlier} ({file}); counted once"),
                        }
                    }
                }
            }
            Found::None if id.trim().is_empty() => {
                return Err(wrong(format!("line {} has no path", line())));
            }
            Found::None => left_out("no such file".into()),
            Found::Several(count) => {
                left_out(format!("could be any of {count} files; give its path"))
            }
        });
    }
    if rows.is_empty() {
        return Err(wrong(format!(
            "names no image of the folder: `{}` is none, such as `{}` is; --id COLUMN says which column names them, \
             --label-file none leaves the table",
            ids.first().map_or("", String::as_str),
            images.first().map_or("", String::as_str)
        )));
    }
    Ok(Labels {
        name,
        table,
        rows,
        masks,
        folder: path.parent().map(Path::to_owned).unwrap_or_default(),
        bad,
    })
}

/// Whether two rows say the same.
fn same(table: &Table, a: usize, b: usize) -> bool {
    let values = |column: &Column| match &column.values {
        Values::Classes { index, .. } => index[a] == index[b],
        Values::Numbers(numbers) => numbers[a] == numbers[b],
        Values::MultiLabel { sets, .. } => sets[a] == sets[b],
    };
    let split: Option<(Split, Split)> = table.split.as_ref().map(|split| (split[a], split[b]));
    split.is_none_or(|(a, b)| a == b) && table.columns.iter().all(values)
}

/// The files that columns of masks name.
fn masks(columns: &[Column], names: &Names, files: &[String]) -> HashSet<String> {
    let mut masks = HashSet::new();
    for column in columns.iter().filter(|c| c.role == Role::Mask) {
        if let Values::Classes { names: paths, .. } = &column.values {
            for path in paths {
                if let Some(file) = names.exact(path) {
                    masks.insert(files[file].clone());
                }
            }
        }
    }
    masks
}

impl Labels {
    /// Whether it has a row for a file.
    pub fn lists(&self, file: &str) -> bool {
        self.rows.contains_key(file)
    }

    /// How its columns were understood.
    pub fn reading(&self) -> Reading {
        self.table.reading.clone()
    }

    /// Columns and split of these files, each of which has a row.
    pub fn select(&self, files: &[String]) -> (Vec<Column>, Option<Vec<Split>>) {
        let rows: Vec<usize> = files.iter().map(|file| self.rows[file]).collect();
        let table = self.table.select(&rows);
        (table.columns, table.split)
    }

    /// Where the path of a mask lies: relative to the table's folder, or else to the folder of images, `root`.
    pub fn mask_path(&self, path: &str, root: &Path) -> PathBuf {
        let own = self.folder.join(path);
        match own.is_file() {
            true => own,
            false => root.join(path),
        }
    }
}

/// Files by their names, whole and in part.
struct Names {
    /// By path, path without extension, name, name without extension.
    places: [HashMap<String, Places>; 4],
}

/// Which files have a name: the first, and how many.
struct Places {
    first: usize,
    count: usize,
}

/// Which file a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    None,
    One(usize),
    Several(usize),
}

/// A path without the extension of its last part.
fn without_extension(path: &str) -> &str {
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    match path[name..].rfind('.') {
        Some(dot) if dot > 0 => &path[..name + dot],
        _ => path,
    }
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A name as tables write it, with forward slashes and nothing before the first part.
fn plain(name: &str) -> String {
    let name = name.trim().replace('\\', "/");
    name.trim_start_matches("./")
        .trim_start_matches('/')
        .to_owned()
}

impl Names {
    fn of(files: &[String]) -> Names {
        let mut places: [HashMap<String, Places>; 4] = Default::default();
        for (file, path) in files.iter().enumerate() {
            let name = last_part(path);
            let keys = [path, without_extension(path), name, without_extension(name)];
            for (places, key) in places.iter_mut().zip(keys) {
                let new = Places {
                    first: file,
                    count: 0,
                };
                places.entry(key.to_owned()).or_insert(new).count += 1;
            }
        }
        Names { places }
    }

    fn look(&self, by: usize, key: &str) -> Found {
        match self.places[by].get(key) {
            None => Found::None,
            Some(Places { first, count: 1 }) => Found::One(*first),
            Some(Places { count, .. }) => Found::Several(*count),
        }
    }

    /// The file of this path.
    fn exact(&self, name: &str) -> Option<usize> {
        match self.look(0, &plain(name)) {
            Found::One(file) => Some(file),
            _ => None,
        }
    }

    /// The file that a name fits best.
    fn find(&self, name: &str) -> Found {
        let name = plain(name);
        if name.is_empty() {
            return Found::None;
        }
        // With fewer and fewer of its folders: the table may be one that lies elsewhere.
        let mut rest = name.as_str();
        loop {
            for by in [0, 1] {
                match self.look(by, rest) {
                    Found::None => {}
                    found => return found,
                }
            }
            match rest.split_once('/') {
                Some((_, less)) => rest = less,
                None => break,
            }
        }
        let tail = last_part(&name);
        for (by, key) in [(2, tail), (3, tail), (3, without_extension(tail))] {
            match self.look(by, key) {
                Found::None => {}
                found => return found,
            }
        }
        Found::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_with_and_without_folder_and_extension() {
        let files = ["a/x.png", "a/y.v1.jpg", "b/x.png", "b/z.png"].map(String::from);
        let names = Names::of(&files);
        for (name, found) in [
            ("a/x.png", Found::One(0)),
            ("./a\\x.png", Found::One(0)),
            ("/data/a/x.png", Found::One(0)),
            ("a/x", Found::One(0)),
            ("x.png", Found::Several(2)),
            ("x", Found::Several(2)),
            ("y.v1", Found::One(1)),
            ("y.v1.jpg", Found::One(1)),
            ("z", Found::One(3)),
            ("z.jpeg", Found::One(3)),
            ("elsewhere/z.png", Found::One(3)),
            ("w", Found::None),
            ("", Found::None),
        ] {
            assert_eq!(names.find(name), found, "{name}");
        }
    }

    fn problem(text: impl AsRef<[u8]>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.csv");
        std::fs::write(&path, text).unwrap();
        let files = ["a.png", "b.png"].map(String::from);
        let found = open(
            folder.path(),
            &files,
            &OpenOptions::default(),
            &mut Vec::new(),
        );
        found.err().map_or(String::new(), |e| e.to_string())
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (text, why) in [
            ("path,kind\r\na.png\r\n", "line 2 has 1 cells"),
            ("path,kind\r\na.png,cat\r\n,dog\r\n", "line 3 has no path"),
            (
                "colour,kind\nred,cat\nblue,cat\n",
                "no column names an image",
            ),
            ("path,kind\nx.png,cat\n", "names no image"),
        ] {
            let text = problem(text);
            assert!(text.contains("labels.csv") && text.contains(why), "{text}");
        }
        let text = problem(b"path,kind\r\na.png,\xff\r\n");
        assert!(text.contains("line 2 is not UTF-8"), "{text}");
    }
}
