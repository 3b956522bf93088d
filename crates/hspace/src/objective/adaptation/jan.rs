//! Joint adaptation network: the maximum mean discrepancy of features and answers together is small.
//!
//! `loss = mean −log p(y | x) + w JMMD²`, whose kernel is the product of that of the features ([`super::mmd`]) and a Gaussian one of the probabilities
//! of the classes with σ = .92 (Long et al. 2017, arXiv:1605.06636, equation 9; TLLib).
//!
//! Deviations: as TLLib, without the adversarial choice of kernels (JAN-A).

use burn_tensor::activation::softmax;
use serde::{Deserialize, Serialize};

use super::alignment::{self, Alignment};
use super::mmd::{OWN, discrepancy, kernel, kernels};
use super::part::Part;
use super::source_and_target::{Encoded, joined};
use crate::list::{Configured, Entry};
use crate::objective::{Net, Objective};

/// σ of the kernel of the probabilities.
const SIGMA: f64 = 0.92;

#[derive(Default, Serialize, Deserialize)]
struct Jan {}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: Jan::NAME,
    summary: "domain adaptation: the maximum mean discrepancy of features and answers together is small",
    source: "Long et al. 2017, arXiv:1605.06636",
    item: alignment::objective::<Jan>(),
};

impl Alignment for Jan {
    const NAME: &'static str = "jan";

    fn term(&self, net: &Net, step: &Encoded) -> Part {
        let [n, _] = step.features[0].dims();
        let of_answers = kernel(softmax(joined(&step.logits), 1), SIGMA);
        let k = kernels(net, joined(&step.features)) * of_answers;
        Part::new("distance", discrepancy(k, n, OWN))
    }
}
