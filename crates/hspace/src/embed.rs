//! Encoder → features of a dataset.

use burn_tensor::{Tensor, TensorData};
use rayon::prelude::*;

use crate::dataset::{BadFile, Dataset};
use crate::device::Device;
use crate::encoder::{Encoder, axes};
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::network::weights::values;
use crate::network::{Mode, Pass, Weights};
use crate::views::Views;

/// Samples encoded at once.
const BATCH: usize = 256;

/// Features of some rows of a dataset.
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

/// Features `[n, d]` of `rows`, evaluated with running statistics. `progress` hears how many
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
    let weights = weights.clone().prefixed("encoder");
    let mut all = Embedded {
        features: Matrix::zeros(0, 0),
        rows: Vec::with_capacity(rows.len()),
        bad: vec![],
    };
    for chunk in rows.chunks(BATCH) {
        let batch = inputs(views, dataset, chunk)?;
        let n = batch.rows.len();
        if n > 0 {
            let data = TensorData::new(batch.features.data, axes(n, views.input().shape));
            let features = device.run(|| {
                let pass = Pass::new(&weights, Mode::Eval, device);
                let x = Tensor::from_data(data, device);
                to_matrix(encoder.features(&pass.at("encoder"), x))
            });
            all.features.cols = features.cols;
            all.features.rows += n;
            all.features.data.extend(features.data);
        }
        all.rows.extend(batch.rows);
        all.bad.extend(batch.bad);
        progress(all.rows.len());
    }
    if all.rows.is_empty() {
        return Err(Error::data(format!(
            "none of the {} samples of {} could be read; `hspace check` lists what is wrong",
            rows.len(),
            dataset.name
        )));
    }
    Ok(all)
}
