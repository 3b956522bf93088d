//! Heads as files, and the head of a supervised run.
//!
//! A head is a safetensors file with `weight` `[outputs, d]` and `bias` `[outputs]`, as `torch.nn.Linear` has them, `shift` and `factor`
//! `[d]`, which scale the features first, and what else is known of it as JSON in the metadata.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

pub use hspace_core::head::{About, Head, Prediction, Predictions};

use crate::device::Device;
use crate::error::{Error, Result};
use crate::file;
use crate::matrix::Matrix;
use crate::network::weights::values;
use crate::probe::TaskKind;
use crate::run::RunFolder;

/// Where the metadata have it.
const ABOUT: &str = "hspace_head";

/// Writes a head, whole.
///
/// # Errors
/// Names the file.
pub fn write(path: &Path, head: &Head) -> Result<()> {
    let (d, outputs) = (head.weights.rows, head.weights.cols);
    let weight = (0..outputs * d).map(|i| f64::from(head.weights.data[i % d * outputs + i / d]));
    let tensors: [(&str, Vec<usize>, Vec<f64>); 4] = [
        ("weight", vec![outputs, d], weight.collect()),
        ("bias", vec![outputs], head.bias.clone()),
        ("shift", vec![d], head.shift.clone()),
        ("factor", vec![d], head.factor.clone()),
    ];
    let bytes = tensors.each_ref().map(|(.., values)| {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes());
        bytes.collect::<Vec<u8>>()
    });
    let failed = |e: &dyn std::fmt::Display| Error::file(path, e);
    let mut views = Vec::new();
    for ((name, shape, _), bytes) in tensors.iter().zip(&bytes) {
        let view = TensorView::new(Dtype::F64, shape.clone(), bytes).map_err(|e| failed(&e))?;
        views.push((*name, view));
    }
    let about = serde_json::to_string(&head.about).map_err(|e| failed(&e))?;
    let metadata = HashMap::from([(ABOUT.to_owned(), about)]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| failed(&e))?;
    file::write_whole(path, &bytes)
}

/// Reads a head.
///
/// # Errors
/// Names the file: missing, cut short, or something else.
pub fn read(path: &Path) -> Result<Head> {
    let broken = |what: &dyn std::fmt::Display| {
        Error::file(
            path,
            format!(
                "is no head of hspace ({what}); `hspace probe SOURCE --data DATA --save-head FILE` makes one"
            ),
        )
    };
    let bytes = file::read(path)?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| broken(&e))?;
    let about = header.metadata().as_ref().and_then(|m| m.get(ABOUT));
    let about = about.ok_or_else(|| broken(&"it says nothing of itself"))?;
    let about: About = serde_json::from_str(about).map_err(|e| broken(&e))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| broken(&e))?;
    let tensor = |name: &str| -> Result<(Vec<usize>, Vec<f64>)> {
        let tensor = tensors.tensor(name).map_err(|e| broken(&e))?;
        let values = tensor.data().as_chunks::<8>().0;
        match tensor.dtype() {
            Dtype::F64 => Ok((
                tensor.shape().to_vec(),
                values.iter().map(|b| f64::from_le_bytes(*b)).collect(),
            )),
            other => Err(broken(&format!("`{name}` is {other:?}"))),
        }
    };
    let (shape, weight) = tensor("weight")?;
    let [outputs, d] = shape[..] else {
        return Err(broken(&"`weight` has not two axes"));
    };
    let vector = |name: &str, length: usize| match tensor(name)? {
        (_, values) if values.len() == length => Ok(values),
        (_, values) => Err(broken(&format!(
            "`{name}` has {} numbers, not {length}",
            values.len()
        ))),
    };
    let data = (0..outputs * d).map(|i| weight[i % outputs * d + i / outputs] as f32);
    let head = Head {
        weights: Matrix::new(d, outputs, data.collect()),
        bias: vector("bias", outputs)?,
        shift: vector("shift", d)?,
        factor: vector("factor", d)?,
        about,
    };
    match head.about.names.len().max(1) == outputs {
        true => Ok(head),
        false => Err(broken(&"its names are not as many as its outputs")),
    }
}

/// The head that a supervised run was trained with.
///
/// # Errors
/// When the run has none: it learned without labels, or was made by a version that did not keep it.
pub fn of_run(path: &Path, device: &Device) -> Result<Head> {
    let none = |why: &str| {
        let run = file::quoted(path.display());
        Error::file(
            path,
            format!(
                "{why}; fit a head to its features: hspace probe {run} --data DATA --save-head head.safetensors, and predict with --head"
            ),
        )
    };
    let folder = RunFolder::open(path)?;
    let trained = folder.read_encoder(device)?;
    if !folder.has_model() {
        return Err(none("has no head of its own"));
    }
    let weights = folder.read_model(device)?;
    let (Some(weight), Some(bias)) = (weights.get("head.weight"), weights.get("head.bias")) else {
        return Err(none("has no head of its own"));
    };
    let (names, d) = (trained.about.classes.clone(), trained.about.features);
    let outputs = names.len();
    if weight.shape != [outputs, d] || bias.shape != [outputs] {
        return Err(none("has a head for another task than that of its labels"));
    }
    let weight = values(weight.value.clone());
    let data = (0..outputs * d).map(|i| weight[i % outputs * d + i / outputs]);
    let bias = values(bias.value.clone());
    Ok(Head {
        weights: Matrix::new(d, outputs, data.collect()),
        bias: bias.into_iter().map(f64::from).collect(),
        shift: vec![0.0; d],
        factor: vec![1.0; d],
        about: About {
            task: label(&folder),
            kind: TaskKind::Classes,
            names,
            source: (path.display().to_string(), trained.about.hash),
            made: "the run's own".to_owned(),
            samples: 0,
            temperature: 1.0,
            threshold: None,
            scores: Vec::new(),
        },
    })
}

/// The column that a run learned, as in its settings; `label` where they leave it to the data.
fn label(folder: &RunFolder) -> String {
    let settings = folder.read_config().unwrap_or_default();
    let label = settings.get("label").and_then(toml::Value::as_str);
    let label = label.filter(|label| *label != "auto");
    label.unwrap_or("label").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Estimate;

    #[test]
    fn a_head_is_read_back_to_the_bit_and_other_files_are_refused() -> Result<()> {
        let folder = tempfile::tempdir().map_err(|e| Error::data(e.to_string()))?;
        let path = folder.path().join("head.safetensors");
        let head = Head {
            weights: Matrix::new(3, 2, vec![0.1, -2.0, 3.5, 1e-9, 7.0, 0.3]),
            bias: vec![0.1, f64::NEG_INFINITY],
            shift: vec![4e6 + 0.1, 0.0, -1.0],
            factor: vec![0.25; 3],
            about: About {
                task: "finding".into(),
                kind: TaskKind::Classes,
                names: vec!["normal".into(), "pneumonia".into()],
                source: ("runs/a".into(), "5eed".into()),
                made: "linear c=1".into(),
                samples: 100,
                temperature: 1.3,
                threshold: Some(0.4),
                scores: vec![("accuracy".into(), Estimate::without_interval(0.9))],
            },
        };
        write(&path, &head)?;
        assert_eq!(read(&path)?, head);
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
