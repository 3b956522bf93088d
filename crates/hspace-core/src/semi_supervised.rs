//! Semi-supervised learning on fixed features: features of all training rows, labels of a few of them → class probabilities.
//!
//! Each method is one file in `semi_supervised/` and a line in [`METHODS`]. It learns from the features of training rows alone; a test
//! row's answer depends on its own features and on nothing else of the test set. All agree with scikit-learn 1.9 where scikit-learn has an
//! answer; deviations are named in the file of each method. `knn`, which leaves unlabelled rows unused, is their baseline.

mod align;
mod contender;
mod graph;
mod knn;
mod label_propagation;
mod label_spreading;
mod options;
mod propagate;
mod self_training;

pub use contender::contender;
pub use graph::RBF_ROWS;
pub use options::{
    CoralOptions, GraphOptions, Kernel, Options, PropagationOptions, SelfTrainingOptions,
    SpreadingOptions, SubspaceOptions, TransportOptions,
};

use crate::error::{Error, Result, valid};
use crate::list::Entry;
use crate::matrix::Matrix;

/// Labels of some training rows.
#[derive(Clone, Copy, Debug)]
pub struct PartialLabels<'a> {
    /// Class of each training row `[n]`, `None` where it is not known.
    pub labels: &'a [Option<u32>],
    /// Number of classes: each label is below it.
    pub classes: usize,
    /// Group of each training row `[n]`, where there are groups: `knn` chooses its settings without rows of the same group.
    pub groups: Option<&'a [u32]>,
    /// Seed of what is random: the folds by which a penalty is chosen.
    pub seed: u64,
}

/// A method with the features of training and test rows in hand: what depends on features alone is computed once for all sets of labels.
///
/// ```
/// use hspace_core::list::find;
/// use hspace_core::matrix::Matrix;
/// use hspace_core::semi_supervised::{METHODS, Options, PartialLabels};
///
/// let train = Matrix::new(6, 1, vec![0.0, 0.1, 0.2, 1.0, 1.1, 1.2]);
/// let test = Matrix::new(1, 1, vec![0.15]);
/// let mut options = Options::default();
/// options.graph.k = 3;
/// let method = find("method", METHODS, "label_spreading").unwrap();
/// // One graph for both sets of labels.
/// let learner = (method.prepare)(train, test, &options)?;
/// for left in [0, 1] {
///     let labels = [Some(left), None, None, None, None, Some(1 - left)];
///     let p = learner.learn(&PartialLabels { labels: &labels, classes: 2, groups: None, seed: 0 })?;
///     assert!(p[left as usize] > 0.8);
/// }
/// # Ok::<(), hspace_core::Error>(())
/// ```
pub trait Learner: Send + Sync {
    /// Class probabilities `[m, classes]` of the test rows.
    ///
    /// # Errors
    /// When the labels are too few for the method, or features are not finite.
    fn learn(&self, labels: &PartialLabels<'_>) -> Result<Vec<f64>>;
}

/// A semi-supervised method.
pub struct Method {
    /// Takes features of training rows `[n, d]` and test rows `[m, d]`.
    pub prepare: fn(Matrix, Matrix, &Options) -> Result<Box<dyn Learner>>,
    /// Draws of labels that are worth their cost.
    pub draws: usize,
}

/// Every method, in the order of tables.
pub static METHODS: &[Entry<Method>] = &[
    label_propagation::ENTRY,
    label_spreading::ENTRY,
    self_training::ENTRY,
    knn::ENTRY,
    align::CORAL,
    align::SUBSPACE,
    align::TRANSPORT,
];

impl Method {
    /// Class probabilities `[m, classes]` of the rows of `test` `[m, d]`, learned from `train` `[n, d]` with the labels that are known.
    ///
    /// ```
    /// use hspace_core::list::find;
    /// use hspace_core::matrix::Matrix;
    /// use hspace_core::semi_supervised::{METHODS, Options, PartialLabels};
    ///
    /// // Two rows of points on a line, one label each.
    /// let train = Matrix::new(6, 1, vec![0.0, 0.1, 0.2, 1.0, 1.1, 1.2]);
    /// let test = Matrix::new(2, 1, vec![0.25, 0.95]);
    /// let labels = [Some(0), None, None, None, None, Some(1)];
    /// let labels = PartialLabels { labels: &labels, classes: 2, groups: None, seed: 0 };
    /// let mut options = Options::default();
    /// options.graph.k = 3;
    /// let method = find("method", METHODS, "label_propagation").unwrap();
    /// let p = method.learn(&train, &labels, &test, &options).unwrap();
    /// assert!(p[0] > 0.9 && p[3] > 0.9);
    /// ```
    ///
    /// # Errors
    /// When settings are out of range, shapes do not fit, no row is labelled, or as [`Learner::learn`].
    pub fn learn(
        &self,
        train: &Matrix,
        labels: &PartialLabels<'_>,
        test: &Matrix,
        options: &Options,
    ) -> Result<Vec<f64>> {
        valid(options.validate())?;
        check(train, labels, test)?;
        (self.prepare)(train.clone(), test.clone(), options)?.learn(labels)
    }
}

/// Refuses features and labels that do not fit together.
fn check(train: &Matrix, labels: &PartialLabels<'_>, test: &Matrix) -> Result<()> {
    if train.cols != test.cols || train.rows != labels.labels.len() {
        return Err(Error::data(format!(
            "{} x {} training features, {} labels and {} x {} test features do not fit together",
            train.rows,
            train.cols,
            labels.labels.len(),
            test.rows,
            test.cols
        )));
    }
    let mut known = labels.labels.iter().flatten();
    if let Some(label) = known.find(|&&label| label as usize >= labels.classes) {
        return Err(Error::data(format!(
            "label {label} of {} classes; labels count from 0",
            labels.classes
        )));
    }
    if labels.labels.iter().all(Option::is_none) {
        return Err(Error::data("no training row is labelled; label some"));
    }
    if let Some(groups) = labels.groups
        && groups.len() != train.rows
    {
        return Err(Error::data(format!(
            "{} groups of {} training rows do not fit together",
            groups.len(),
            train.rows
        )));
    }
    match train.data.iter().chain(&test.data).all(|x| x.is_finite()) {
        true => Ok(()),
        false => Err(Error::data(
            "features are NaN or infinite; leave those rows out or mend what made them",
        )),
    }
}

/// Share of each class among the known labels `[classes]`: the answer where nothing else is known.
fn label_shares(labels: &PartialLabels<'_>) -> Vec<f64> {
    let mut shares = vec![0.0; labels.classes];
    for &label in labels.labels.iter().flatten() {
        shares[label as usize] += 1.0;
    }
    let total: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= total.max(1.0));
    shares
}

#[cfg(test)]
mod tests;
