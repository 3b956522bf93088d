//! The head that a supervised run was trained with.
//!
//! It is among the weights of model.safetensors, as `head.weight` `[classes, d]` and `head.bias` `[classes]`; its temperature is in encoder.toml.

use std::path::Path;

use super::{About, FILE, Head, Map, read};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::file;
use crate::matrix::Matrix;
use crate::nn::Weights;
use crate::nn::weights::values;
use crate::probe::TaskKind;
use crate::run::{EncoderFile, RunFolder};

/// The head that a supervised run was trained with, or that an encoder was exported with.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "supervised")?;
/// use hspace::device::Device;
/// use hspace::head::of_run;
///
/// let head = of_run(run.path(), &Device::cpu())?;
/// assert_eq!(head.about.names, ["circle", "square"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When there is none: the run learned without labels, or was made by a version that did not keep it.
pub fn of_run(path: &Path, device: &Device) -> Result<Head> {
    of_run_if_any(path, device)?.ok_or_else(|| {
        let run = file::quoted(path.display());
        Error::file(
            path,
            format!(
                "has no head of its own; fit one to its features: hspace probe {run} --data DATA --save-head head.safetensors, and \
                 predict with --head"
            ),
        )
    })
}

/// [`of_run`], or `None` where there is no head.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "simclr")?;
/// use hspace::device::Device;
/// use hspace::head::of_run_if_any;
///
/// // It learned without labels.
/// assert!(of_run_if_any(run.path(), &Device::cpu())?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the files cannot be read.
pub fn of_run_if_any(path: &Path, device: &Device) -> Result<Option<Head>> {
    let folder = RunFolder::open(path)?;
    if path.join(FILE).is_file() {
        return read(&path.join(FILE)).map(Some);
    }
    let trained = folder.read_encoder(device)?;
    if !folder.has_model() {
        return Ok(None);
    }
    let weights = folder.read_model(device)?;
    let source = (path.display().to_string(), trained.about.hash.clone());
    let head = of_weights(&weights, &trained.about, label(&folder), source);
    Ok(head)
}

/// The head among the weights of a supervised training, whose encoder is `about`, for the column `task`; `None` where there is none for its
/// classes.
pub(crate) fn of_weights(
    weights: &Weights,
    about: &EncoderFile,
    task: String,
    source: (String, String),
) -> Option<Head> {
    let (weight, bias) = (weights.get("head.weight")?, weights.get("head.bias")?);
    let (names, d) = (about.classes.clone(), about.features);
    let outputs = names.len();
    if weight.shape != [outputs, d] || bias.shape != [outputs] {
        return None;
    }
    let own = about.head.clone();
    let weight = values(weight.value.clone());
    let data = (0..outputs * d).map(|i| weight[i % outputs * d + i / outputs]);
    let bias = values(bias.value.clone());
    Some(Head {
        map: Map::Linear {
            weights: Matrix::new(d, outputs, data.collect()),
            bias: bias.into_iter().map(f64::from).collect(),
        },
        offset: Vec::new(),
        shift: vec![0.0; d],
        factor: vec![1.0; d],
        about: About {
            task,
            kind: TaskKind::Classes,
            names,
            source,
            made: "the run's own".to_owned(),
            samples: 0,
            temperature: own.as_ref().map_or(1.0, |own| own.temperature),
            calibration: own.map(|own| own.calibration),
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
