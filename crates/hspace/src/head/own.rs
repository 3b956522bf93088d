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
use crate::objective::TaskHead;
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

/// The head for the column `column` of a run that learned several (`multi_task`).
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "multi_task")?;
/// use hspace::device::Device;
/// use hspace::head::of_run_for;
///
/// let head = of_run_for(run.path(), "colour", &Device::cpu())?;
/// assert_eq!(head.about.names, ["blue", "red"]);
/// let error = of_run_for(run.path(), "size", &Device::cpu()).err().expect("no such column");
/// assert!(error.to_string().contains("shape, colour"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When it learned no such column, and when files cannot be read.
pub fn of_run_for(path: &Path, column: &str, device: &Device) -> Result<Head> {
    let folder = RunFolder::open(path)?;
    let about = folder.read_encoder(device)?.about;
    let Some(task) = about.tasks.iter().find(|task| task.column == column) else {
        let names: Vec<&str> = about.tasks.iter().map(|task| &*task.column).collect();
        return Err(Error::file(
            path,
            match names.is_empty() {
                true => "is no run that learned several columns; leave the column out".to_owned(),
                false => format!("did not learn `{column}`; it answers {}", names.join(", ")),
            },
        ));
    };
    let weights = folder.read_model(device)?;
    let source = (path.display().to_string(), about.hash.clone());
    of_column(&weights, &about, task, source)
        .ok_or_else(|| Error::file(path, format!("has no head for `{column}`; train it again")))
}

/// The head among the weights of a supervised training, whose encoder is `about`, for the column `task`; `None` where there is none for its
/// classes.
pub(crate) fn of_weights(
    weights: &Weights,
    about: &EncoderFile,
    task: String,
    source: (String, String),
) -> Option<Head> {
    let of_task = TaskHead {
        column: task,
        at: "head".to_owned(),
        kind: TaskKind::Classes,
        names: about.classes.clone(),
    };
    let mut head = of_column(weights, about, &of_task, source)?;
    let own = about.head.clone();
    head.about.temperature = own.as_ref().map_or(1.0, |own| own.temperature);
    head.about.calibration = own.map(|own| own.calibration);
    Some(head)
}

/// One of the heads of a training of several columns, whose encoder is `about`; `None` where it is not among the weights.
pub(crate) fn of_column(
    weights: &Weights,
    about: &EncoderFile,
    task: &TaskHead,
    source: (String, String),
) -> Option<Head> {
    let get = |name: &str| weights.get(&format!("{}.{name}", task.at));
    let (weight, bias) = (get("weight")?, get("bias")?);
    let (outputs, d) = (task.outputs(), about.features);
    if weight.shape != [outputs, d] || bias.shape != [outputs] {
        return None;
    }
    // Numbers are learned standardised.
    let number = |name: &str| get(name).map(|of| f64::from(values(of.value.clone())[0]));
    let (mean, std) = (number("mean").unwrap_or(0.0), number("std").unwrap_or(1.0));
    let weight = values(weight.value.clone());
    let data = (0..outputs * d).map(|i| weight[i % outputs * d + i / outputs] * std as f32);
    let bias = values(bias.value.clone()).into_iter();
    Some(Head {
        map: Map::Linear {
            weights: Matrix::new(d, outputs, data.collect()),
            bias: bias.map(|b| f64::from(b) * std + mean).collect(),
        },
        offset: Vec::new(),
        shift: vec![0.0; d],
        factor: vec![1.0; d],
        about: About {
            task: task.column.clone(),
            kind: task.kind,
            names: task.names.clone(),
            source,
            made: "the run's own".to_owned(),
            samples: 0,
            temperature: 1.0,
            calibration: None,
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
