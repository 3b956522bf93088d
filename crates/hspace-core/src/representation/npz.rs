//! `.npz` and `.npy`, to and from numpy.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;

use npyz::{DType, NpyFile, Order, TypeChar, TypeStr, WriteOptions, WriterBuilder};

use super::{
    Representation, Stored, column_from_text, column_name, column_to_text, file_hash, parse_split,
    split_text, stored_names,
};
use crate::dataset::{Column, Role, Values};
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::npz::{NpzReader, NpzWriter};

/// Names of the features' array, by preference.
const FEATURES: [&str; 7] = [
    "features",
    "embeddings",
    "embedding",
    "X",
    "x",
    "feats",
    "arr_0",
];
/// Names of the ids' array, by preference.
const IDS: [&str; 6] = ["ids", "filenames", "filename", "paths", "names", "id"];

pub(super) fn read_npy(path: &Path) -> Result<Stored> {
    let file = File::open(path).map_err(|e| Error::file(path, e))?;
    let mut file = BufReader::new(file);
    let features = Array::new(&mut file)
        .and_then(matrix)
        .map_err(|e| broken(path, e))?;
    Ok(Stored {
        name: path.display().to_string(),
        features,
        ids: None,
        columns: Vec::new(),
        split: None,
        origin: file_hash(path)?,
        shift: Vec::new(),
    })
}

pub(super) fn read_npz(path: &Path) -> Result<Stored> {
    let mut archive = NpzReader::open(path).map_err(|e| broken(path, e))?;
    let names = archive.names();
    let name = features_name(path, &mut archive, &names)?;
    let features = with(path, &mut archive, &name, matrix)?;
    let mut stored = Stored {
        name: path.display().to_string(),
        features,
        ids: None,
        columns: Vec::new(),
        split: None,
        origin: file_hash(path)?,
        shift: Vec::new(),
    };
    let has = |name: &str| names.iter().any(|n| n == name);
    if let Some(ids) = IDS.iter().find(|id| has(id) && **id != name) {
        stored.ids = Some(with(path, &mut archive, ids, texts)?);
    }
    if has("split") {
        stored.split = Some(parse_split(
            path,
            &with(path, &mut archive, "split", texts)?,
        )?);
    }
    let label = if has("label_name") {
        with(path, &mut archive, "label_name", texts)?.pop()
    } else {
        None
    };
    // Columns in the order they are stored in, the label first.
    let order = if has("column_order") {
        with(path, &mut archive, "column_order", texts)?
    } else {
        names
    };
    for key in order.iter().filter(|key| **key != name) {
        if let Some((column, role)) = column_name(key) {
            let column = if column == "label" {
                label.as_deref().unwrap_or(column)
            } else {
                column
            };
            stored.columns.push(with(path, &mut archive, key, |array| {
                self::column(column, role, array)
            })?);
        }
    }
    Ok(stored)
}

/// The array that holds the features: a known name, or the only one of two dimensions.
fn features_name(path: &Path, archive: &mut NpzReader, names: &[String]) -> Result<String> {
    if let Some(name) = FEATURES.iter().find(|f| names.iter().any(|n| n == *f)) {
        return Ok(name.to_string());
    }
    let mut wide = Vec::new();
    for name in names {
        if with(path, archive, name, |array| Ok(array.shape().len()))? == 2 {
            wide.push(name.clone());
        }
    }
    match wide.len() {
        1 => Ok(wide.remove(0)),
        _ => Err(Error::file(
            path,
            format!(
                "no array of features (arrays: {}); name it `features`",
                names.join(", ")
            ),
        )),
    }
}

/// An array about to be read, from a file or from inside an archive.
type Array<'a> = NpyFile<&'a mut dyn Read>;

fn with<T>(
    path: &Path,
    archive: &mut NpzReader,
    name: &str,
    f: impl FnOnce(Array<'_>) -> io::Result<T>,
) -> Result<T> {
    let open = || -> io::Result<T> {
        let mut file = archive.array(name)?;
        let file: &mut dyn Read = &mut file;
        f(Array::new(file)?)
    };
    open().map_err(|e| Error::file(path, format!("array `{name}`: {e}")))
}

fn broken(path: &Path, e: io::Error) -> Error {
    Error::file(path, format!("cannot be read as a numpy file: {e}"))
}

/// `[n, …]` of any number type, flattened to `[n, d]`.
fn matrix(array: Array<'_>) -> io::Result<Matrix> {
    let shape: Vec<usize> = array.shape().iter().map(|&s| s as usize).collect();
    let order = array.order();
    let [n, rest @ ..] = &shape[..] else {
        return Err(invalid("features need two dimensions"));
    };
    if rest.is_empty() {
        return Err(invalid("features need two dimensions, [samples, features]"));
    }
    let d: usize = rest.iter().product();
    let values = numbers(array)?;
    let data = match order {
        Order::C => values.iter().map(|&v| v as f32).collect(),
        Order::Fortran if rest.len() == 1 => (0..n * d)
            .map(|e| values[e % d * n + e / d] as f32)
            .collect(),
        Order::Fortran => {
            return Err(invalid(
                "more than two dimensions in Fortran order; save np.ascontiguousarray of it",
            ));
        }
    };
    Ok(Matrix::new(*n, d, data))
}

/// Numbers of any type.
fn numbers(array: Array<'_>) -> io::Result<Vec<f64>> {
    fn all<T: npyz::Deserialize>(array: Array<'_>, f: impl Fn(T) -> f64) -> io::Result<Vec<f64>> {
        Ok(array.into_vec::<T>()?.into_iter().map(f).collect())
    }
    let DType::Plain(kind) = array.dtype() else {
        return Err(invalid("records are not supported"));
    };
    match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 4) => all(array, |v: f32| f64::from(v)),
        (TypeChar::Float, 8) => all(array, |v: f64| v),
        (TypeChar::Int, 1) => all(array, |v: i8| f64::from(v)),
        (TypeChar::Int, 2) => all(array, |v: i16| f64::from(v)),
        (TypeChar::Int, 4) => all(array, |v: i32| f64::from(v)),
        (TypeChar::Int, 8) => all(array, |v: i64| v as f64),
        (TypeChar::Uint, 1) => all(array, |v: u8| f64::from(v)),
        (TypeChar::Uint, 2) => all(array, |v: u16| f64::from(v)),
        (TypeChar::Uint, 4) => all(array, |v: u32| f64::from(v)),
        (TypeChar::Uint, 8) => all(array, |v: u64| v as f64),
        (TypeChar::Bool, _) => all(array, |v: bool| f64::from(u8::from(v))),
        _ => Err(invalid(&format!(
            "numbers of type `{kind}` are not supported; save them as float32"
        ))),
    }
}

/// Unicode or byte strings, or whole numbers, as text.
fn texts(array: Array<'_>) -> io::Result<Vec<String>> {
    let DType::Plain(kind) = array.dtype() else {
        return Err(invalid("records are not supported"));
    };
    match kind.type_char() {
        TypeChar::UnicodeStr => array.into_vec::<String>(),
        TypeChar::ByteStr => {
            let bytes = array.into_vec::<Vec<u8>>()?;
            Ok(bytes
                .iter()
                .map(|b| String::from_utf8_lossy(b).into_owned())
                .collect())
        }
        TypeChar::Object => Err(invalid(
            "Python objects are not read; save strings with .astype(str)",
        )),
        _ => Ok(numbers(array)?.iter().map(|v| v.to_string()).collect()),
    }
}

/// Whole numbers and strings are classes, others numbers.
fn column(name: &str, role: Role, array: Array<'_>) -> io::Result<Column> {
    // MedMNIST keeps labels as [n, 1].
    if array.shape().iter().skip(1).any(|&s| s != 1) {
        return Err(invalid("a column must have one value per sample"));
    }
    let float = matches!(array.dtype(), DType::Plain(kind) if kind.type_char() == TypeChar::Float);
    if float {
        let known = |v: f64| v.is_finite().then_some(v);
        let values = Values::Numbers(numbers(array)?.into_iter().map(known).collect());
        return Ok(Column {
            name: name.into(),
            role,
            values,
        });
    }
    Ok(column_from_text(name, role, &texts(array)?))
}

fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

/// Writes the arrays one after the other, uncompressed.
pub(super) fn write<W: Write + Seek>(r: &Representation, file: W) -> io::Result<()> {
    let mut out = NpzWriter::new(file);
    let shape = [r.features.rows as u64, r.features.cols as u64];
    let mut features = WriteOptions::new()
        .default_dtype()
        .shape(&shape)
        .writer(out.array("features")?)
        .begin_nd()?;
    features.extend(&r.features.data)?;
    features.finish()?;
    write_texts(&mut out, "ids", &r.ids)?;
    let split: Vec<String> = r.split.iter().map(|&s| split_text(s).into()).collect();
    write_texts(&mut out, "split", &split)?;
    let stored = stored_names(&r.columns);
    write_texts(&mut out, "column_order", &stored)?;
    for (column, stored) in r.columns.iter().zip(&stored) {
        if stored == "labels" {
            write_texts(&mut out, "label_name", std::slice::from_ref(&column.name))?;
        }
        match &column.values {
            Values::Classes { .. } | Values::MultiLabel { .. } => {
                write_texts(&mut out, stored, &column_to_text(column))?
            }
            Values::Numbers(values) => {
                let shape = [values.len() as u64];
                let mut array = WriteOptions::new()
                    .default_dtype()
                    .shape(&shape)
                    .writer(out.array(stored)?)
                    .begin_nd()?;
                array.extend(values.iter().map(|v| v.unwrap_or(f64::NAN)))?;
                array.finish()?;
            }
        }
    }
    out.finish()
}

fn write_texts<W: Write + Seek>(
    out: &mut NpzWriter<W>,
    name: &str,
    texts: &[String],
) -> io::Result<()> {
    let longest = texts
        .iter()
        .map(|t| t.chars().count())
        .max()
        .unwrap_or(0)
        .max(1);
    let kind: TypeStr = format!("<U{longest}")
        .parse()
        .map_err(|_| invalid("text too long"))?;
    let shape = [texts.len() as u64];
    let mut array = WriteOptions::<str>::new()
        .dtype(DType::new_scalar(kind))
        .shape(&shape)
        .writer(out.array(name)?)
        .begin_nd()?;
    for text in texts {
        array.push(text.as_str())?;
    }
    array.finish()
}
