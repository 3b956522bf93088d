//! What `torch.save` writes since PyTorch 1.6: a ZIP archive of a pickle, which says what there is, and a file of raw
//! numbers for each storage.

use std::collections::HashSet;
use std::io::{Cursor, Read};
use std::rc::Rc;

use zip::ZipArchive;

use super::contents::{Contents, Entry};
use super::numbers::Kind;
use super::pickle::{self, Pickle, Tensor, Value};

/// A file of an archive is at most so many times as large as the archive; torch.save does not compress.
const EXPANSION: u64 = 16;
/// Containers within one another that are looked into.
const DEPTH: usize = 64;
/// Bytes of a name, with the keys before it.
const NAME: usize = 1024;

/// An archive, with its tensors listed.
pub(super) struct Archive<'a> {
    files: Files<'a>,
    folder: String,
    entries: Vec<Entry>,
    tensors: Vec<Rc<Tensor>>,
    /// The storage that was read last, by its key.
    last: Option<(String, Vec<f32>)>,
}

struct Files<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    largest: u64,
}

impl Files<'_> {
    fn read(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let failed = |e: &dyn std::fmt::Display| format!("{name}: {e}");
        let mut file = self.zip.by_name(name).map_err(|e| failed(&e))?;
        let mut bytes = Vec::new();
        let within = file.by_ref().take(self.largest).read_to_end(&mut bytes);
        within.map_err(|e| failed(&e))?;
        match file.read(&mut [0]).map_err(|e| failed(&e))? {
            0 => Ok(bytes),
            _ => Err(failed(&"expands to more than torch.save can have written")),
        }
    }
}

impl<'a> Archive<'a> {
    /// Reads the list of tensors.
    ///
    /// # Errors
    /// What is wrong with the archive.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Archive<'a>, String> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
        let names: Vec<String> = zip
            .file_names()
            .filter_map(Result::ok)
            .map(|name| name.into_owned())
            .collect();
        let pickle = names.iter().find(|name| name.ends_with("/data.pkl"));
        let pickle = pickle.ok_or("there is no data.pkl in it: torch.save did not write it")?;
        let folder = pickle.trim_end_matches("data.pkl").to_owned();
        let largest = EXPANSION.saturating_mul(bytes.len() as u64);
        let mut files = Files { zip, largest };
        let order = format!("{folder}byteorder");
        if names.contains(&order) && files.read(&order)? != b"little" {
            return Err(
                "its numbers have the highest byte first; load it in PyTorch and save it again on a common machine"
                    .into(),
            );
        }
        let pickle = pickle::read(&files.read(pickle)?)?;
        let mut list = List::new(&pickle);
        list.visit(&pickle.top, DEPTH);
        Ok(Archive {
            files,
            folder,
            entries: list.entries,
            tensors: list.tensors,
            last: None,
        })
    }
}

impl Contents for Archive<'_> {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn values(&mut self, index: usize) -> Result<Vec<f32>, String> {
        let (Entry { name, kind, .. }, tensor) = (&self.entries[index], &self.tensors[index]);
        let key = &tensor.storage.key;
        // Storages of one key have one class in an honest file; another class would need its own numbers.
        let known = format!("{key} {}", tensor.storage.class);
        if self.last.as_ref().is_none_or(|(last, _)| *last != known) {
            let bytes = self.files.read(&format!("{}data/{key}", self.folder))?;
            let values = kind.decode(&bytes);
            let values = values
                .ok_or_else(|| format!("`{name}` holds no floating-point numbers that are read"))?;
            self.last = Some((known, values));
        }
        let values = self
            .last
            .as_ref()
            .and_then(|(_, storage)| tensor.values(storage));
        values.ok_or_else(|| format!("`{name}` reaches beyond the numbers in data/{key}"))
    }
}

impl Tensor {
    /// Its numbers in order; `None` where the storage is too small.
    fn values(&self, storage: &[f32]) -> Option<Vec<f32>> {
        let mut sizes = self.shape.iter();
        let count = sizes.try_fold(1usize, |n, size| n.checked_mul(*size))?;
        if count > storage.len() {
            return None;
        }
        let axes = || self.shape.iter().zip(&self.stride);
        let last = axes().try_fold(self.offset, |last, (size, stride)| {
            last.checked_add(size.saturating_sub(1).checked_mul(*stride)?)
        })?;
        if count > 0 && last >= storage.len() {
            return None;
        }
        let mut values = Vec::with_capacity(count);
        let mut index = vec![0; self.shape.len()];
        for _ in 0..count {
            let steps = index.iter().zip(&self.stride).map(|(i, s)| i * s);
            values.push(storage[self.offset + steps.sum::<usize>()]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < self.shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Some(values)
    }
}

/// What the numbers of a class of storages are.
fn kind(class: &str) -> Kind {
    match class {
        "DoubleStorage" => Kind::Double,
        "FloatStorage" => Kind::Single,
        "HalfStorage" => Kind::Half,
        "BFloat16Storage" => Kind::BFloat16,
        "LongStorage" | "IntStorage" | "BoolStorage" => Kind::Whole(class.to_owned()),
        _ => Kind::Other(class.to_owned()),
    }
}

/// Lists the tensors in dictionaries, sequences and modules within one another.
struct List<'a> {
    pickle: &'a Pickle,
    /// Keys of what is looked into, each with a dot.
    path: String,
    seen: HashSet<(bool, usize)>,
    entries: Vec<Entry>,
    tensors: Vec<Rc<Tensor>>,
}

impl<'a> List<'a> {
    fn new(pickle: &'a Pickle) -> Self {
        List {
            pickle,
            path: String::new(),
            seen: HashSet::new(),
            entries: Vec::new(),
            tensors: Vec::new(),
        }
    }

    fn visit(&mut self, value: &Value, depth: usize) {
        let pickle = self.pickle;
        match *value {
            Value::Map(at) if self.seen.insert((true, at)) => {
                for (key, value) in &pickle.maps[at] {
                    match key {
                        // The state of an object, and where a module keeps what it has.
                        Value::Text(key)
                            if ["", "_parameters", "_buffers", "_modules"].contains(&&**key) =>
                        {
                            self.item("", value, depth);
                        }
                        Value::Text(key) => self.item(key, value, depth),
                        Value::Number(key) => self.item(&key.to_string(), value, depth),
                        _ => {}
                    }
                }
            }
            Value::Sequence(at) if self.seen.insert((false, at)) => {
                for (i, value) in pickle.sequences[at].iter().enumerate() {
                    self.item(&i.to_string(), value, depth);
                }
            }
            _ => {}
        }
    }

    /// A value under a key; an empty key leaves the names as they are.
    fn item(&mut self, key: &str, value: &Value, depth: usize) {
        let length = self.path.len();
        if length + key.len() > NAME {
            return;
        }
        match value {
            Value::Tensor(tensor) => {
                self.entries.push(Entry {
                    name: format!("{}{key}", self.path),
                    keys: length,
                    shape: tensor.shape.clone(),
                    kind: kind(&tensor.storage.class),
                });
                self.tensors.push(tensor.clone());
            }
            Value::Map(_) | Value::Sequence(_) if depth > 0 => {
                self.path.push_str(key);
                if !key.is_empty() {
                    self.path.push('.');
                }
                self.visit(value, depth - 1);
                self.path.truncate(length);
            }
            _ => {}
        }
    }
}
