//! Weights as safetensors files.

use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::weights::{values, vector};
use super::{Weight, Weights};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::file;

/// Name, axes, values.
pub(crate) type Named = (String, Vec<usize>, Vec<f32>);

/// Tensors as the bytes of a safetensors file.
pub(crate) fn to_bytes(
    tensors: &[Named],
    metadata: Option<std::collections::HashMap<String, String>>,
) -> Result<Vec<u8>> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let mut views = Vec::with_capacity(tensors.len());
    for ((name, shape, _), bytes) in tensors.iter().zip(&bytes) {
        let made = TensorView::new(Dtype::F32, shape.clone(), bytes);
        let made = made.map_err(|e| Error::data(format!("tensor `{name}`: {e}")))?;
        views.push((name.clone(), made));
    }
    safetensors::serialize(views, metadata).map_err(|e| Error::data(format!("safetensors: {e}")))
}

/// Writes weights alone, whole.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hspace::dataset::Shape;
/// use hspace::device::Device;
/// use hspace::encoder;
/// use hspace::nn::files::{read_weights, write_weights};
///
/// let path = folder.path().join("encoder.safetensors");
/// let mlp = encoder::make("mlp", Default::default())?;
/// let (weights, _) = encoder::init(&*mlp, Shape::Vector { dim: 4 }, 0, &Device::cpu());
/// write_weights(&path, &weights)?;
/// read_weights(&path, &Device::cpu())?.check_like(&weights, &path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Names the file.
pub fn write_weights(path: &Path, weights: &Weights) -> Result<()> {
    let tensors: Vec<_> = weights
        .iter()
        .map(|(name, w)| (name.to_owned(), w.shape.clone(), values(w.value.clone())))
        .collect();
    file::write_whole(path, &to_bytes(&tensors, None)?)
}

/// Reads single-precision tensors as weights. Running statistics are known by their name.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hspace::device::Device;
/// use hspace::nn::files::read_weights;
///
/// let path = folder.path().join("encoder.safetensors");
/// std::fs::write(&path, "not safetensors")?;
/// let error = read_weights(&path, &Device::cpu()).unwrap_err();
/// assert!(error.to_string().contains("encoder.safetensors"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Names the file: missing, cut short, not safetensors, or tensors of another type.
pub fn read_weights(path: &Path, device: &Device) -> Result<Weights> {
    let bytes = file::read(path)?;
    let tensors = parse(path, &bytes)?;
    let mut weights = Weights::default();
    for (name, shape, values) in read_tensors(path, &tensors)? {
        let value = vector(values, device);
        let trained = !name.contains("running_");
        weights.insert(
            name,
            Weight {
                value,
                shape,
                trained,
            },
        );
    }
    Ok(weights)
}

/// The tensors of a file.
pub(crate) fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<SafeTensors<'a>> {
    SafeTensors::deserialize(bytes).map_err(|e| broken(path, &e))
}

/// That a file is damaged.
pub(crate) fn broken(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::file(
        path,
        format!("is cut short or no safetensors file ({error}); take another copy of it"),
    )
}

/// The tensors in the order of their names.
pub(crate) fn read_tensors(path: &Path, tensors: &SafeTensors) -> Result<Vec<Named>> {
    let mut named = Vec::new();
    for (name, view) in tensors.iter() {
        if view.dtype() != Dtype::F32 {
            let dtype = view.dtype();
            return Err(Error::file(
                path,
                format!("tensor `{name}` is {dtype:?}; hspace reads F32"),
            ));
        }
        let values = view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        named.push((name.to_owned(), view.shape().to_vec(), values.collect()));
    }
    named.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(named)
}
