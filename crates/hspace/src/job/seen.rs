//! What a job may see of the data: which samples are training samples, and whose labels it may read.

use std::borrow::Cow;

use super::RunViews;
use crate::dataset::check::channel_statistics_of;
use crate::dataset::{Dataset, Role, Sample, Shape, Split, Values};
use crate::error::Result;
use crate::matrix::Matrix;
use crate::objective::DataSpec;
use crate::views::{InputSpec, Marginals};

/// Training samples from which the input's mean and spread are measured.
const STATISTICS: usize = 2000;

/// A dataset with a split of its own, or that of a fold.
pub(super) struct Seen<'a, 'l> {
    pub(super) dataset: &'a Dataset,
    /// Split of each sample.
    split: Cow<'a, [Split]>,
    /// Rows whose labels may be read; `None`: all training rows, and val rows to choose by.
    labelled: Option<&'l [usize]>,
}

impl<'a, 'l> Seen<'a, 'l> {
    /// By the split of the data.
    pub(super) fn of_split(dataset: &'a Dataset, labelled: Option<&'l [usize]>) -> Self {
        Seen {
            dataset,
            split: Cow::Borrowed(&dataset.split),
            labelled,
        }
    }

    /// With the training rows `train`; all other rows are test rows.
    pub(super) fn of_fold(dataset: &'a Dataset, train: &[usize], labelled: &'l [usize]) -> Self {
        let mut split = vec![Split::Test; dataset.len()];
        train.iter().for_each(|&row| split[row] = Split::Train);
        Seen {
            dataset,
            split: Cow::Owned(split),
            labelled: Some(labelled),
        }
    }

    /// The rows of the splits that are `wanted`.
    pub(super) fn rows(&self, wanted: impl Fn(Split) -> bool) -> Vec<usize> {
        let rows = 0..self.split.len();
        rows.filter(|&row| wanted(self.split[row])).collect()
    }

    /// The encoder's input for images of `size` pixels (vectors keep their dimension), standardised by the rows `train`.
    pub(super) fn input(&self, train: &[usize], size: Option<usize>) -> Result<InputSpec> {
        let dataset = self.dataset;
        let shape = match (dataset.shape, size) {
            (Shape::Image { channels, .. }, Some(size)) => Shape::Image {
                channels,
                height: size,
                width: size,
            },
            (shape, _) => shape,
        };
        let (mean, std) = channel_statistics_of(dataset, train, STATISTICS)?;
        Ok(InputSpec {
            shape,
            mean,
            std,
            shift: dataset.samples.shift().unwrap_or_default().to_vec(),
        })
    }

    /// Some of the training vectors `train`, from which feature corruption draws; `None` for images.
    pub(super) fn marginals(&self, train: &[usize]) -> Result<Option<Marginals>> {
        let Shape::Vector { dim } = self.dataset.shape else {
            return Ok(None);
        };
        let every = train.len().div_ceil(STATISTICS);
        let (mut data, mut n) = (Vec::new(), 0);
        for &row in train.iter().step_by(every) {
            if let Sample::Vector(vector) = self.dataset.samples.get(row)? {
                data.extend_from_slice(&vector);
                n += 1;
            }
        }
        Ok(Marginals::new(Matrix::new(n, dim, data)))
    }

    /// The val rows whose class for the task is known, unless labels are restricted.
    pub(super) fn val_classes(&self, task: Option<usize>) -> Vec<(usize, u32)> {
        let values = task.map(|task| &self.dataset.columns[task].values);
        match (self.labelled, values) {
            (None, Some(Values::Classes { index, .. })) => {
                let val = self.rows(|split| split == Split::Val).into_iter();
                val.filter_map(|row| Some((row, index[row]?))).collect()
            }
            _ => vec![],
        }
    }

    /// The columns an objective may see: val and test rows, and rows outside `labelled`, are masked.
    pub(super) fn spec(&self, views: &RunViews, label: &str) -> Result<DataSpec> {
        let task = self.dataset.task_of(label)?;
        let train: Vec<bool> = self.split.iter().map(|&s| s == Split::Train).collect();
        let mut allowed = train.clone();
        if let Some(labelled) = self.labelled {
            allowed.fill(false);
            labelled.iter().for_each(|&row| allowed[row] = train[row]);
        }
        let mut columns = self.dataset.columns.clone();
        for column in &mut columns {
            column.values.mask(match column.role {
                // Where a sample comes from is no label: it is known of all training samples.
                Role::Domain | Role::Group => &train,
                _ => &allowed,
            });
        }
        let InputSpec {
            shape, mean, std, ..
        } = views.random.input().clone();
        Ok(DataSpec {
            shape,
            local: views.local.input().shape,
            mean,
            std,
            samples: train.iter().filter(|&&is| is).count(),
            columns,
            task,
        })
    }
}
