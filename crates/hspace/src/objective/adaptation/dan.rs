//! Deep adaptation network: the maximum mean discrepancy of the features of both domains is small.
//!
//! `loss = mean −log p(y | x) + w MMD²(f_s, f_t)`, with five Gaussian kernels ([`super::mmd`]; Long et al. 2015, arXiv:1502.02791, equation 5).
//!
//! Deviations: of the pooled features alone (the paper: of the last three layers), with kernels of equal weight, which the paper learns; unbiased over
//! all pairs, as TLLib, not its linear-time estimate.

use serde::{Deserialize, Serialize};

use super::alignment::{self, Alignment};
use super::mmd::{OWN, discrepancy, kernels};
use super::part::Part;
use super::source_and_target::{Encoded, joined};
use crate::list::{Configured, Entry};
use crate::objective::{Net, Objective};

#[derive(Default, Serialize, Deserialize)]
struct Dan {}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: Dan::NAME,
    summary: "domain adaptation: the maximum mean discrepancy of the features of both domains is small",
    source: "Long et al. 2015, arXiv:1502.02791",
    item: alignment::objective::<Dan>(),
};

impl Alignment for Dan {
    const NAME: &'static str = "dan";

    fn term(&self, net: &Net, step: &Encoded) -> Part {
        let [n, _] = step.features[0].dims();
        let k = kernels(net, joined(&step.features));
        Part::new("distance", discrepancy(k, n, OWN))
    }
}
