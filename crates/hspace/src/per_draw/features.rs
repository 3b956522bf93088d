//! The features of a run as a dataset: what a method learns from that takes the place of samples.

use std::borrow::Cow;
use std::path::Path;

use crate::dataset::{Dataset, Kind, Reading, Sample, Samples, Shape};
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
    Ok(Dataset {
        name: dataset.name.clone(),
        kind: Kind::Vectors,
        shape: Shape::Vector {
            dim: made.features.cols,
        },
        ids: made.ids,
        columns: made.columns,
        split: made.split,
        bad: vec![],
        reading: Reading::default(),
        samples: Box::new(Features(made.features)),
    })
}
