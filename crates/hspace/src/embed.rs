//! Encoder → features of a dataset.

use burn_tensor::{Tensor, TensorData};
use rayon::prelude::*;

use crate::dataset::{BadFile, Dataset};
use crate::device::Device;
use crate::encoder::{Encoder, Exit, axes, features_at};
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::nn::weights::values;
use crate::nn::{Mode, Pass, Weights};
use crate::views::Views;

/// Samples encoded at once.
const BATCH: usize = 256;

/// Features of some rows of a dataset.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (shapes, run) = short_run(folder.path(), "simclr")?;
/// use hspace::device::Device;
/// use hspace::embed::embed;
///
/// let device = Device::cpu();
/// let of = run.read_encoder(&device)?;
/// let views = of.views(&shapes)?;
/// let embedded = embed(&*of.encoder, &of.weights, &views, &shapes, &[7, 3], &device, &mut |_| ())?;
/// assert_eq!((embedded.features.rows, embedded.features.cols), (2, of.about.features));
/// assert!(embedded.rows == [7, 3] && embedded.bad.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::embed::to_matrix;
///
/// let x = Tensor::<2>::ones([2, 3], &Device::cpu());
/// assert_eq!(to_matrix(x).data, [1.0; 6]);
/// ```
pub fn to_matrix(tensor: Tensor<2>) -> Matrix {
    let [n, d] = tensor.dims();
    Matrix::new(n, d, values(tensor))
}

/// Samples of `rows` as the encoder's input, without random views: `[n, input]`. The inputs'
/// rows and the unreadable samples come with it.
///
/// ```
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::embed::inputs;
/// use hspace::views::{InputSpec, Views, ViewsConfig};
///
/// let digits = Dataset::open("builtin:mnist-mini", &OpenOptions::default())?;
/// let input = InputSpec { shape: digits.shape, mean: vec![0.0], std: vec![1.0], shift: vec![] };
/// let views = Views::new(ViewsConfig::none(), input, None)?;
/// let pixels = inputs(&views, &digits, &[0, 1])?.features;
/// assert_eq!((pixels.rows, pixels.cols), (2, 28 * 28));
/// assert!(pixels.data.iter().all(|x| (0.0..=1.0).contains(x)));
/// # Ok::<(), hspace::Error>(())
/// ```
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
/// ```
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::device::Device;
/// use hspace::views::{InputSpec, Views, ViewsConfig};
/// use hspace::{embed::embed, encoder};
///
/// let digits = Dataset::open("builtin:mnist-mini", &OpenOptions::default())?;
/// let input = InputSpec { shape: digits.shape, mean: vec![0.13], std: vec![0.31], shift: vec![] };
/// let views = Views::new(ViewsConfig::none(), input, None)?;
///
/// // An untrained encoder.
/// let device = Device::cpu();
/// let cnn = encoder::make("cnn", "width = 4".parse()?)?;
/// let (weights, features) = encoder::init(&*cnn, digits.shape, 0, &device);
/// let rows = [0, 1, 2];
/// let embedded = embed(&*cnn, &weights, &views, &digits, &rows, &device, &mut |_| ())?;
/// assert_eq!((embedded.features.rows, embedded.features.cols), (3, features));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (shapes, run) = short_run(folder.path(), "simclr")?;
/// use hspace::device::Device;
/// use hspace::embed::{Network, embed_at};
/// use hspace::encoder::Exit;
///
/// let device = Device::cpu();
/// let of = run.read_encoder(&device)?;
/// let views = of.views(&shapes)?;
/// let network = Network { encoder: &*of.encoder, weights: &of.weights, views: &views };
/// let exits = [Exit::After(1), Exit::End];
/// let made = embed_at(&exits, network, &shapes, &[0, 1], &device, &mut |_| ())?;
/// // The first stage has fewer channels than the last.
/// assert!(made[0].features.cols < made[1].features.cols);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
