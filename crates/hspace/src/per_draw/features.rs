//! The features of a run as a dataset: what a method learns from that takes the place of samples.

use std::borrow::Cow;
use std::path::Path;

use crate::dataset::{Dataset, Kind, Reading, Sample, Samples, Shape, Split};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::source::{Source, Sources};

struct Features(Matrix);

impl Samples for Features {
    fn get(&self, index: usize) -> Result<Sample<'_>> {
        match index < self.0.rows {
            true => Ok(Sample::Vector(Cow::Borrowed(self.0.row(index)))),
            false => Err(Error::data(format!("there is no sample number {index}"))),
        }
    }
}

/// A column that spreads less than this share of the widest one is unused.
const UNUSED: f64 = 0.1;

/// Features without unused columns, by their spread over `train` rows; scaled to one spread they would be noise. A VAE leaves latents it does not need at its prior, and their means
/// near 0. So do Kingma et al. 2014 in their code.
fn without_unused(features: &Matrix, train: &[usize]) -> Matrix {
    let n = train.len().max(1) as f64;
    let column = |j: usize| train.iter().map(move |&i| f64::from(features.row(i)[j]));
    let spread = |j: usize| {
        let mean = column(j).sum::<f64>() / n;
        (column(j).map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt()
    };
    let spreads: Vec<f64> = (0..features.cols).map(spread).collect();
    let widest = spreads.iter().copied().fold(0.0, f64::max);
    let used: Vec<usize> = (0..features.cols)
        .filter(|&j| spreads[j] >= UNUSED * widest)
        .collect();
    let rows = (0..features.rows).flat_map(|i| used.iter().map(move |&j| features.row(i)[j]));
    Matrix::new(features.rows, used.len(), rows.collect())
}

/// The features that the run `path` gives the samples `rows` of `dataset`, in their order.
///
/// # Errors
/// A run that cannot be read, or does not take such samples.
pub(super) fn of_run(
    path: &Path,
    dataset: &Dataset,
    rows: &[usize],
    device: &Device,
) -> Result<Dataset> {
    let name = path.display().to_string();
    let mut sources = Sources::new(dataset, device.clone(), 0).only(rows.to_vec());
    let made = sources.represent(&name, &Source::Run(path.to_owned()), &mut |_| ())?;
    if made.ids.len() != rows.len() {
        return Err(Error::data(format!(
            "{} of {} samples cannot be read; leave them out",
            rows.len() - made.ids.len(),
            rows.len()
        )));
    }
    let is_train = |&row: &usize| made.split[row] == Split::Train;
    let train: Vec<usize> = (0..made.ids.len()).filter(is_train).collect();
    let features = without_unused(&made.features, &train);
    Ok(Dataset {
        name: dataset.name.clone(),
        kind: Kind::Vectors,
        shape: Shape::Vector { dim: features.cols },
        ids: made.ids,
        columns: made.columns,
        split: made.split,
        bad: vec![],
        reading: Reading::default(),
        samples: Box::new(Features(features)),
    })
}
