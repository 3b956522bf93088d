//! What a method of adaptation adds to the loss, under the name of its curve.

use burn_tensor::Tensor;

/// A term of the loss, and the numbers to log with it.
pub(super) struct Part {
    /// The term, `[1]`.
    pub value: Tensor<1>,
    /// Worth a curve, `[1]` each.
    pub metrics: Vec<(&'static str, Tensor<1>)>,
}

impl Part {
    /// A term that is logged under `name`.
    pub fn new(name: &'static str, value: Tensor<1>) -> Part {
        Part {
            metrics: vec![(name, value.clone())],
            value,
        }
    }

    /// The same, with one number more to log.
    pub fn with(mut self, name: &'static str, value: Tensor<1>) -> Part {
        self.metrics.push((name, value));
        self
    }
}
