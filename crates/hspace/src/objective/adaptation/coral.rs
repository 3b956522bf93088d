//! Deep CORAL: features of both domains have the same mean and covariance.
//!
//! `loss = mean −log p(y | x) + w (mean_i (μ_s − μ_t)² + mean_ij (C_s − C_t)²)`, C the unbiased covariances of the features in the batch (Sun & Saenko
//! 2016, arXiv:1607.01719, equation 1), with the distance of means that TLLib adds.
//!
//! Deviations: as TLLib, the mean over the d² entries in place of the paper's sum over 4d²; on the pooled features, not on the logits, and w is 1, which
//! the paper chooses so that both parts end up alike.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::alignment::{self, Alignment};
use super::part::Part;
use super::source_and_target::Encoded;
use crate::list::{Configured, Entry};
use crate::objective::{Net, Objective};

#[derive(Default, Serialize, Deserialize)]
struct Coral {}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: Coral::NAME,
    summary: "domain adaptation: features of both domains have the same mean and covariance",
    source: "Sun & Saenko 2016, arXiv:1607.01719",
    item: alignment::objective::<Coral>(),
};

impl Alignment for Coral {
    const NAME: &'static str = "coral";

    fn term(&self, _: &Net, step: &Encoded) -> Part {
        Part::new("distance", distance(step.features.clone()))
    }
}

/// The mean squared difference of means and of covariances, `[1]`, of rows of two domains, `[n, d]` and `[m, d]`.
fn distance([source, target]: [Tensor<2>; 2]) -> Tensor<1> {
    let moments = |x: Tensor<2>| {
        let [n, _] = x.dims();
        let mean = x.clone().mean_dim(0);
        let centred = x - mean.clone();
        let covariance = centred.clone().transpose().matmul(centred);
        (mean, covariance / (n as f64 - 1.0).max(1.0))
    };
    let ((mean_s, covariance_s), (mean_t, covariance_t)) = (moments(source), moments(target));
    let squares = |a: Tensor<2>, b: Tensor<2>| (a - b).powi_scalar(2).mean();
    squares(mean_s, mean_t) + squares(covariance_s, covariance_t)
}

#[cfg(test)]
mod tests {
    use super::super::source_and_target::parted;
    use super::*;
    use crate::golden::check_loss;

    #[test]
    fn agrees_with_pytorch() {
        check_loss("coral", [9, 4], |x| distance(parted(x, 4)));
    }
}
