//! Encoder → features of a dataset.

use burn_tensor::{Tensor, TensorData};
use rayon::prelude::*;

use crate::dataset::{BadFile, Dataset};
use crate::device::Device;
use crate::encoder::{Encoder, Exit, axes, features_at};
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::network::weights::values;
use crate::network::{Mode, Pass, Weights};
use crate::views::Views;

/// Samples encoded at once.
const BATCH: usize = 256;

/// Features of some rows of a dataset.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// One row of features per entry of `rows`.
    pub features: Matrix,
    /// The rows of the dataset that could be read, in the order asked for.
    pub rows: Vec<usize>,
    /// Those that could not.
    pub bad: Vec<BadFile>,
}

/// A tensor `[n, d]` as a plain matrix.
pub fn to_matrix(tensor: Tensor<2>) -> Matrix {
    let [n, d] = tensor.dims();
    Matrix::new(n, d, values(tensor))
}

/// Samples of `rows` as the encoder's input, without random views: `[n, input]`. The inputs'
/// rows and the unreadable samples come with it.
///
/// # Errors
/// If no sample can be read.
pub fn inputs(views: &Views, dataset: &Dataset, rows: &[usize]) -> Result<Embedded> {
    let len = views.input().len();
    let read = |&row: &usize| -> Result<Vec<f32>> {
        let mut out = vec![0.0; len];
        views.plain(&dataset.samples.get(row)?, &mut out)?;
        Ok(out)
    };
    let read: Vec<Result<Vec<f32>>> = rows.par_iter().map(read).collect();
    let (mut data, mut kept, mut bad) = (Vec::with_capacity(len * rows.len()), vec![], vec![]);
    for (&row, result) in rows.iter().zip(read) {
        match result {
            Ok(values) => {
                data.extend_from_slice(&values);
                kept.push(row);
            }
            Err(error) => bad.push(BadFile {
                path: dataset.ids[row].clone(),
                reason: error.to_string(),
            }),
        }
    }
    Ok(Embedded {
        features: Matrix::new(kept.len(), len, data),
        rows: kept,
        bad,
    })
}

/// A network with the input that it takes.
#[derive(Clone, Copy)]
pub struct Network<'a> {
    /// The function.
    pub encoder: &'a dyn Encoder,
    /// Its weights, names without prefix.
    pub weights: &'a Weights,
    /// How samples become its input.
    pub views: &'a Views,
}

/// Features `[n, d]` of `rows`, evaluated with running statistics. `progress` is called with how many
/// are done.
///
/// # Errors
/// If no sample can be read.
pub fn embed(
    encoder: &dyn Encoder,
    weights: &Weights,
    views: &Views,
    dataset: &Dataset,
    rows: &[usize],
    device: &Device,
    progress: &mut dyn FnMut(usize),
) -> Result<Embedded> {
    let network = Network {
        encoder,
        weights,
        views,
    };
    let mut all = embed_at(&[Exit::End], network, dataset, rows, device, progress)?;
    Ok(all.remove(0))
}

/// The same at each of `exits`, in one pass over the samples.
///
/// # Errors
/// If no sample can be read.
pub fn embed_at(
    exits: &[Exit],
    network: Network,
    dataset: &Dataset,
    rows: &[usize],
    device: &Device,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Embedded>> {
    let shape = network.views.input().shape;
    let weights = network.weights.clone().prefixed("encoder");
    let mut features = vec![Matrix::zeros(0, 0); exits.len()];
    let (mut kept, mut bad) = (Vec::with_capacity(rows.len()), vec![]);
    for chunk in rows.chunks(BATCH) {
        let batch = inputs(network.views, dataset, chunk)?;
        let n = batch.rows.len();
        if n > 0 {
            let data = TensorData::new(batch.features.data, axes(n, shape));
            let found: Vec<Matrix> = device.run(|| {
                let pass = Pass::new(&weights, Mode::Eval, device);
                let x = Tensor::from_data(data, device);
                let scope = pass.at("encoder");
                let found = features_at(network.encoder, &scope, x, shape, exits);
                found.into_iter().map(to_matrix).collect()
            });
            for (all, found) in features.iter_mut().zip(found) {
                all.cols = found.cols;
                all.rows += n;
                all.data.extend(found.data);
            }
        }
        kept.extend(batch.rows);
        bad.extend(batch.bad);
        progress(kept.len());
    }
    if kept.is_empty() {
        return Err(Error::data(format!(
            "none of the {} samples of {} could be read; `hspace check` lists what is wrong",
            rows.len(),
            dataset.name
        )));
    }
    let embedded = |features| Embedded {
        features,
        rows: kept.clone(),
        bad: bad.clone(),
    };
    Ok(features.into_iter().map(embedded).collect())
}
