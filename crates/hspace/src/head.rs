//! Heads as files.
//!
//! A head is a safetensors file with `shift` and `factor` `[d]`, which scale the features (less `offset`, if there is one), and what is known of it as JSON in the metadata. A
//! linear map is `weight` `[outputs, d]` and `bias` `[outputs]`, as `torch.nn.Linear` has them. Labelled rows whose nearest vote are
//! `features` `[n, d]` in single precision, 4 n · d bytes, and `labels` `[n, outputs]`, bytes that are 1 where a row has the label; k, metric and
//! weights are in the metadata.
//!
//! An encoder that was exported with a head ([`crate::export`]) has it as head.safetensors in its folder.

mod own;

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

pub use hspace_core::head::{About, Calibration, Head, HeldOut, Map, Prediction, Predictions};
pub(crate) use own::of_weights;
pub use own::{of_run, of_run_for, of_run_if_any};

use crate::error::{Error, Result};
use crate::file;
use crate::matrix::Matrix;
use crate::probe::knn::{LabelledRows, Settings};

/// Where the metadata have it.
const ABOUT: &str = "hspace_head";

/// The file of a head in the folder of its encoder.
pub const FILE: &str = "head.safetensors";

/// k, metric and weights of neighbours.
const NEIGHBOURS: &str = "hspace_neighbours";

/// A tensor of a file: name, type, axes, bytes.
type Tensor = (&'static str, Dtype, Vec<usize>, Vec<u8>);

fn doubles(name: &'static str, shape: Vec<usize>, values: impl Iterator<Item = f64>) -> Tensor {
    let bytes = values.flat_map(f64::to_le_bytes).collect();
    (name, Dtype::F64, shape, bytes)
}

/// The tensors of what answers, whose heads have `outputs`.
fn tensors(map: &Map, outputs: usize) -> Vec<Tensor> {
    match map {
        Map::Linear { weights, bias } => {
            let (d, data) = (weights.rows, &weights.data);
            let weight = (0..outputs * d).map(|i| f64::from(data[i % d * outputs + i / d]));
            vec![
                doubles("weight", vec![outputs, d], weight),
                doubles("bias", vec![outputs], bias.iter().copied()),
            ]
        }
        Map::Neighbours(rows) => {
            let (n, d) = (rows.features.rows, rows.features.cols);
            let features = rows.features.data.iter().flat_map(|x| x.to_le_bytes());
            let flags = rows.labels.iter().flat_map(|labels| {
                (0..outputs as u32).map(|label| u8::from(labels.contains(&label)))
            });
            vec![
                ("features", Dtype::F32, vec![n, d], features.collect()),
                ("labels", Dtype::U8, vec![n, outputs], flags.collect()),
            ]
        }
    }
}

/// Writes a head, whole.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "supervised")?;
/// use hspace::device::Device;
/// use hspace::head::{of_run, read, write};
///
/// let head = of_run(run.path(), &Device::cpu())?;
/// let path = folder.path().join("head.safetensors");
/// write(&path, &head)?;
/// assert_eq!(read(&path)?, head);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Names the file.
pub fn write(path: &Path, head: &Head) -> Result<()> {
    let failed = |e: &dyn std::fmt::Display| Error::file(path, e);
    let d = head.features();
    let mut all = tensors(&head.map, head.outputs());
    all.push(doubles("shift", vec![d], head.shift.iter().copied()));
    all.push(doubles("factor", vec![d], head.factor.iter().copied()));
    if !head.offset.is_empty() {
        all.push(doubles("offset", vec![d], head.offset.iter().copied()));
    }
    let mut views = Vec::new();
    for (name, dtype, shape, bytes) in &all {
        let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(|e| failed(&e))?;
        views.push((*name, view));
    }
    let about = serde_json::to_string(&head.about).map_err(|e| failed(&e))?;
    let mut metadata = HashMap::from([(ABOUT.to_owned(), about)]);
    if let Map::Neighbours(rows) = &head.map {
        let settings = serde_json::to_string(&rows.settings).map_err(|e| failed(&e))?;
        metadata.insert(NEIGHBOURS.to_owned(), settings);
    }
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| failed(&e))?;
    file::write_whole(path, &bytes)
}

/// Reads a head.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::device::Device;
/// use hspace::head::{read, write};
/// use hspace::probe::{ProbeOptions, fit_head};
/// use hspace::source::{Source, Sources};
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let rows = (0..1600).step_by(8).collect();
/// let mut sources = Sources::new(&shapes, Device::cpu(), 0).only(rows);
/// let pixels = sources.represent("pca:5", &Source::Pca(5), &mut |_| ())?;
/// let (head, _) = fit_head(&pixels, &ProbeOptions::default())?;
/// let path = folder.path().join("head.safetensors");
/// write(&path, &head)?;
/// assert_eq!(read(&path)?.about.names, ["circle", "square"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Names the file: missing, cut short, or something else.
pub fn read(path: &Path) -> Result<Head> {
    let bytes = file::read(path)?;
    parse(&bytes).map_err(|problem| {
        Error::file(
            path,
            format!(
                "is no head of hspace ({problem}); `hspace probe SOURCE --data DATA --save-head FILE` makes one"
            ),
        )
    })
}

fn parse(bytes: &[u8]) -> std::result::Result<Head, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let about = metadata.get(ABOUT).ok_or("it says nothing of itself")?;
    let about: About = serde_json::from_str(about).map_err(|e| e.to_string())?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let outputs = about.names.len().max(1);
    let (shape, shift) = doubles_of(&tensors, "shift")?;
    let d = shape.iter().product();
    let doubles = |name: &str, wanted: &[usize]| match doubles_of(&tensors, name)? {
        (shape, values) if shape == wanted => Ok(values),
        (shape, _) => Err(format!("`{name}` is {shape:?}, not {wanted:?}")),
    };
    let map = match metadata.get(NEIGHBOURS) {
        None => {
            let weight = doubles("weight", &[outputs, d])?;
            let data = (0..outputs * d).map(|i| weight[i % outputs * d + i / outputs] as f32);
            Map::Linear {
                weights: Matrix::new(d, outputs, data.collect()),
                bias: doubles("bias", &[outputs])?,
            }
        }
        Some(settings) => {
            let settings: Settings = serde_json::from_str(settings).map_err(|e| e.to_string())?;
            Map::Neighbours(labelled_rows(&tensors, d, outputs, settings)?)
        }
    };
    Ok(Head {
        map,
        factor: doubles("factor", &[d])?,
        offset: match tensors.names().contains(&"offset") {
            true => doubles("offset", &[d])?,
            false => Vec::new(),
        },
        shift,
        about,
    })
}

/// Axes and values of a tensor in double precision.
fn doubles_of(
    tensors: &SafeTensors,
    name: &str,
) -> std::result::Result<(Vec<usize>, Vec<f64>), String> {
    let tensor = tensors.tensor(name).map_err(|e| e.to_string())?;
    if tensor.dtype() != Dtype::F64 {
        return Err(format!("`{name}` is {:?}", tensor.dtype()));
    }
    let values = tensor.data().as_chunks::<8>().0.iter();
    let values = values.map(|b| f64::from_le_bytes(*b)).collect();
    Ok((tensor.shape().to_vec(), values))
}

/// Rows `[n, d]` with their labels, of which there are `outputs`.
fn labelled_rows(
    tensors: &SafeTensors,
    d: usize,
    outputs: usize,
    settings: Settings,
) -> std::result::Result<LabelledRows, String> {
    let tensor = |name: &str, dtype: Dtype, columns: usize| {
        let tensor = tensors.tensor(name).map_err(|e| e.to_string())?;
        match (tensor.dtype(), tensor.shape()) {
            (own, &[n, cols]) if own == dtype && cols == columns => Ok((n, tensor)),
            (own, shape) => Err(format!("`{name}` is {own:?} {shape:?}")),
        }
    };
    let (n, features) = tensor("features", Dtype::F32, d)?;
    let (labelled, flags) = tensor("labels", Dtype::U8, outputs)?;
    if labelled != n || n == 0 {
        return Err(format!("{n} rows of features have {labelled} of labels"));
    }
    let values = features.data().as_chunks::<4>().0.iter();
    let labels = flags.data().chunks_exact(outputs).map(|row| {
        let all = 0..outputs as u32;
        all.filter(|&label| row[label as usize] != 0).collect()
    });
    Ok(LabelledRows {
        features: Matrix::new(n, d, values.map(|b| f32::from_le_bytes(*b)).collect()),
        labels: labels.collect(),
        settings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::knn::{Metric, Weights};
    use crate::probe::{Estimate, TaskKind};

    fn head(map: Map, names: &[&str], kind: TaskKind) -> Head {
        Head {
            map,
            offset: vec![],
            shift: vec![4e6 + 0.1, 0.0, -1.0],
            factor: vec![0.25; 3],
            about: About {
                task: "finding".into(),
                kind,
                names: names.iter().map(|name| name.to_string()).collect(),
                source: ("runs/a".into(), "5eed".into()),
                made: "linear c=1".into(),
                samples: 100,
                temperature: 1.3,
                calibration: None,
                threshold: Some(0.4),
                scores: vec![("accuracy".into(), Estimate::without_interval(0.9))],
            },
        }
    }

    fn linear() -> Head {
        let map = Map::Linear {
            weights: Matrix::new(3, 2, vec![0.1, -2.0, 3.5, 1e-9, 7.0, 0.3]),
            bias: vec![0.1, f64::NEG_INFINITY],
        };
        head(map, &["normal", "pneumonia"], TaskKind::Classes)
    }

    fn neighbours() -> Head {
        let rows = LabelledRows {
            features: Matrix::new(2, 3, vec![0.1, -2.0, 3.5, 1e-9, 7.0, 0.3]),
            labels: vec![vec![0, 2], vec![]],
            settings: Settings {
                k: 7,
                metric: Metric::Cosine,
                weights: Weights::Distance,
            },
        };
        head(Map::Neighbours(rows), &["a", "b", "c"], TaskKind::LabelSets)
    }

    #[test]
    fn a_head_is_read_back_to_the_bit_and_other_files_are_refused() -> Result<()> {
        let folder = tempfile::tempdir().map_err(|e| Error::data(e.to_string()))?;
        let path = folder.path().join("head.safetensors");
        let far = Head {
            offset: vec![1.7e9, 0.0, 0.1],
            ..linear()
        };
        for head in [linear(), far, neighbours()] {
            write(&path, &head)?;
            assert_eq!(read(&path)?, head);
        }
        let refused = |bytes: &[u8]| -> String {
            let other = folder.path().join("other");
            std::fs::write(&other, bytes).unwrap();
            read(&other).unwrap_err().to_string()
        };
        let bytes = std::fs::read(&path).unwrap();
        for bytes in [&bytes[..bytes.len() - 3], b"not a head", b""] {
            let text = refused(bytes);
            assert!(
                text.contains("no head of hspace") && text.contains("--save-head"),
                "{text}"
            );
        }
        Ok(())
    }
}
