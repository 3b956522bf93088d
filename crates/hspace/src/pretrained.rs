//! Weights trained elsewhere, in `.safetensors` or as `torch.save` writes them (`.pth`, `.pt`, `.ckpt`): a state dict, a
//! checkpoint of any training code that holds one, or a whole module. Nothing in a file is executed.

mod contents;
mod numbers;
mod pickle;
mod prefix;
#[cfg(test)]
mod tests;
mod torch;

use std::path::Path;

use contents::{Contents, Entry};
use prefix::{Candidate, Rest};

use crate::device::Device;
use crate::encoder::{self, Encoder, latent};
use crate::error::{Error, Result};
use crate::file;
use crate::nn::weights::{listed, mismatch, vector};
use crate::nn::{Weight, Weights};
use crate::optim::ema::Export;
use crate::run::{EncoderFile, TrainedEncoder};
use crate::views::InputSpec;

/// Weights from a file.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "simclr")?;
/// use hspace::device::Device;
/// use hspace::pretrained::read;
///
/// // All weights of a run, of which the encoder's are under `encoder.`.
/// let device = Device::cpu();
/// let of = run.read_encoder(&device)?;
/// let path = run.path().join("model.safetensors");
/// let found = read(&path, None, &*of.encoder, &of.weights, &device)?;
/// assert_eq!(found.weights.iter().count(), of.weights.iter().count());
/// assert!(found.notes.iter().any(|note| note.contains("encoder")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Read {
    /// All weights of the encoder.
    pub weights: Weights,
    /// What the user should know: which of the file's tensors were taken, left out or changed. Each is a sentence
    /// about the file, without its name.
    pub notes: Vec<String>,
}

/// The weights of `encoder` from a file: names and shapes must be those of `like`.
///
/// The network's names may follow any prefix of dictionaries and modules, such as `state_dict` and
/// `module.encoder_q.`; what lies outside the prefix, heads and counters are left out. If several prefixes fit, `key`
/// is the wanted one or some of its components (`teacher`, `encoder_q`). A latent space that the file does
/// not have keeps the weights of `like`.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hspace::dataset::Shape;
/// use hspace::device::Device;
/// use hspace::nn::files::write_weights;
/// use hspace::{encoder, pretrained};
///
/// let (device, path) = (Device::cpu(), folder.path().join("weights.safetensors"));
/// let mlp = encoder::make("mlp", Default::default())?;
/// let (weights, _) = encoder::init(&*mlp, Shape::Vector { dim: 4 }, 0, &device);
/// write_weights(&path, &weights)?;
/// assert!(pretrained::read(&path, None, &*mlp, &weights, &device).is_ok());
/// // Weights for vectors of another length do not fit.
/// let (other, _) = encoder::init(&*mlp, Shape::Vector { dim: 5 }, 0, &device);
/// assert!(pretrained::read(&path, None, &*mlp, &other, &device).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Names the file: missing, damaged, of another kind; no or several prefixes fit; tensors that are missing, extra or of
/// another shape; numbers that are not finite, and negative variances.
pub fn read(
    path: &Path,
    key: Option<&str>,
    encoder: &dyn Encoder,
    like: &Weights,
    device: &Device,
) -> Result<Read> {
    let bytes = file::read(path)?;
    let error = |problem: String| Error::file(path, problem);
    let mut contents = contents::open(&bytes).map_err(error)?;
    let entries = contents.entries().to_vec();
    let all = like.shapes();
    let mut needed = all.clone();
    needed.retain(|name, _| !latent::is_optional(encoder, name));
    let chosen = prefix::choose(&mut *contents, &entries, &needed, key).map_err(error)?;
    let numbers = numbers(&mut *contents, &entries, &chosen).map_err(error)?;

    let mut notes: Vec<String> = chosen
        .place()
        .map(|place| format!("took the weights {place}"))
        .into_iter()
        .collect();
    let mut weights = Weights::default();
    for ((&name, &index), values) in chosen.taken.iter().zip(numbers) {
        let wanted = like.get(name);
        let found = Weight {
            value: vector(values, device),
            shape: entries[index].shape.clone(),
            trained: wanted.is_none_or(|wanted| wanted.trained),
        };
        let adapted = wanted.and_then(|wanted| encoder.adapt(name, &found, &wanted.shape));
        if let Some(adapted) = &adapted {
            let (from, to) = (&found.shape, &adapted.shape);
            notes.push(format!("resized `{name}` from {from:?} to {to:?}"));
        }
        weights.insert(name.to_owned(), adapted.unwrap_or(found));
    }
    latent::complete(encoder, &mut weights, like);
    let rest = Rest::of(&chosen, &entries, &all);
    let mut shapes = weights.shapes();
    shapes.extend(
        rest.extra
            .iter()
            .map(|&(name, index)| (name, &entries[index].shape[..])),
    );
    if let Some(problem) = mismatch(&shapes, &all) {
        return Err(error(prefix::misfit_text("", &problem)));
    }
    notes.extend(rest.note());
    Ok(Read { weights, notes })
}

/// An encoder of that architecture and these settings, for that input, with weights from elsewhere, and notes on them
/// ([`Read`]).
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "simclr")?;
/// use hspace::dataset::Shape;
/// use hspace::device::Device;
/// use hspace::pretrained;
/// use hspace::views::InputSpec;
///
/// let input = InputSpec {
///     shape: Shape::Image { channels: 3, height: 24, width: 24 },
///     mean: vec![0.5; 3],
///     std: vec![0.25; 3],
///     shift: vec![],
/// };
/// let settings = "width = 4".parse()?;
/// let (cnn, _) = pretrained::encoder(&run.weights(), None, "cnn", settings, input, &Device::cpu())?;
/// assert_eq!(cnn.about.features, run.read_encoder(&Device::cpu())?.about.features);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`read`]; settings or an input that cannot be.
pub fn encoder(
    path: &Path,
    key: Option<&str>,
    architecture: &str,
    settings: toml::Table,
    input: InputSpec,
    device: &Device,
) -> Result<(TrainedEncoder, Vec<String>)> {
    let encoder = encoder::make(architecture, settings.clone()).map_err(Error::config)?;
    let mut problems = encoder.validate(input.shape);
    problems.extend(input.validate());
    if !problems.is_empty() {
        return Err(Error::Config(problems));
    }
    let (like, features) = encoder::init(&*encoder, input.shape, 0, device);
    let Read { weights, notes } = read(path, key, &*encoder, &like, device)?;
    let about = EncoderFile {
        architecture: architecture.to_owned(),
        features,
        hash: String::new(),
        classes: vec![],
        warnings: vec![],
        latents: 0,
        exported: Export::Model,
        stage: None,
        head: None,
        tasks: vec![],
        settings,
        input,
    };
    let trained = TrainedEncoder {
        about,
        encoder,
        weights,
    };
    Ok((trained, notes))
}

/// The numbers of all tensors that are taken.
///
/// # Errors
/// Numbers that are not read, that the file lacks, or that no trained network has.
fn numbers(
    contents: &mut dyn Contents,
    entries: &[Entry],
    chosen: &Candidate,
) -> std::result::Result<Vec<Vec<f32>>, String> {
    let taken = || chosen.taken.values().map(|&index| (index, &entries[index]));
    let unreadable: Vec<String> = taken()
        .filter_map(|(_, entry)| {
            entry
                .kind
                .unreadable()
                .map(|kind| format!("`{}` is {kind}", entry.name))
        })
        .collect();
    if !unreadable.is_empty() {
        return Err(format!(
            "{}; floating-point numbers of 64, 32 and 16 bits and bfloat16 are read",
            listed(unreadable.into_iter())
        ));
    }
    let (mut numbers, mut impossible) = (Vec::new(), Vec::new());
    for (index, entry) in taken() {
        let values = contents.values(index)?;
        impossible.extend(impossible_values(&entry.name, &values));
        numbers.push(values);
    }
    match impossible.is_empty() {
        true => Ok(numbers),
        false => Err(format!(
            "has values that no trained network has: {}; the training diverged or the file is damaged, so take an \
             earlier checkpoint or another copy",
            listed(impossible.into_iter())
        )),
    }
}

/// How many values of a tensor are not finite, or negative where they are variances.
fn impossible_values(name: &str, values: &[f32]) -> Option<String> {
    let variance = name.ends_with("running_var");
    let count = |is: &dyn Fn(&f32) -> bool| values.iter().filter(|v| is(v)).count();
    let kinds = [
        ("NaN", count(&|v| v.is_nan())),
        ("infinite", count(&|v| v.is_infinite())),
        (
            "negative",
            count(&|v| variance && *v < 0.0 && v.is_finite()),
        ),
    ];
    let kinds = kinds.iter().filter(|(_, n)| *n > 0);
    let counts: Vec<String> = kinds.map(|(kind, n)| format!("{n} {kind}")).collect();
    let all = values.len();
    (!counts.is_empty()).then(|| format!("`{name}` ({} of {all})", counts.join(" and ")))
}
