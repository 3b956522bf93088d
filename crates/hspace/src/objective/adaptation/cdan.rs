//! Conditional domain-adversarial training: a discriminator that sees features and answers together cannot tell the domains apart.
//!
//! As [`super::dann`] with `f(x) ⊗ p(y | x)` in place of the features, the probabilities being constants (Long et al. 2018, arXiv:1705.10667, equations 3
//! and 4; TLLib). With `entropy` samples count by `1 + exp(−H(p))` (CDAN+E, equation 8), scaled to a mean of 1 in each domain.
//!
//! Deviations: the outer product is never projected at random to fewer dimensions (the paper does above 4,096).

use burn_tensor::Tensor;
use burn_tensor::activation::softmax;
use serde::{Deserialize, Serialize};

use super::adversary::adversarial;
use super::alignment::{self, Alignment};
use super::part::Part;
use super::source_and_target::{Encoded, joined, parted};
use crate::list::{Configured, Entry};
use crate::objective::heads::positive;
use crate::objective::{Net, Objective};

#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Cdan {
    /// Whether sure answers count more.
    entropy: bool,
    /// Units of each of the discriminator's two hidden layers.
    units: usize,
}

impl Default for Cdan {
    fn default() -> Self {
        Cdan {
            entropy: false,
            units: 1024,
        }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: Cdan::NAME,
    summary: "domain adaptation: the same of features and answers together",
    source: "Long et al. 2018, arXiv:1705.10667",
    item: alignment::objective::<Cdan>(),
};

impl Alignment for Cdan {
    const NAME: &'static str = "cdan";

    fn validate(&self) -> Vec<String> {
        positive(&[("units", self.units)])
    }

    fn term(&self, net: &Net, step: &Encoded) -> Part {
        let [n, _] = step.features[0].dims();
        let p = net.constant(softmax(joined(&step.logits), 1));
        let x = outer(joined(&step.features), p.clone());
        let weights = self.entropy.then(|| parted(p, n).map(certainty));
        adversarial(net, x, n, self.units, weights)
    }
}

/// The outer product of each row of `f [n, d]` and `p [n, c]`, `[n, c · d]`.
fn outer(f: Tensor<2>, p: Tensor<2>) -> Tensor<2> {
    let ([n, d], [_, c]) = (f.dims(), p.dims());
    let products = p.reshape([n, c, 1]) * f.reshape([n, 1, d]);
    products.reshape([n, c * d])
}

/// `1 + exp(−H(p))` of each row, scaled to a mean of 1, `[n, 1]`.
pub(super) fn certainty(p: Tensor<2>) -> Tensor<2> {
    let entropy = -(p.clone() * (p + 1e-5).log()).sum_dim(1);
    let weight = (-entropy).exp() + 1.0;
    let mean = weight.clone().mean().reshape([1, 1]);
    weight / mean
}

#[cfg(test)]
mod tests {
    use super::super::adversary::discrimination;
    use super::*;
    use crate::golden::{check_loss, matrix};

    #[test]
    fn outer_products_and_certainties_agree_with_pytorch() {
        let p = softmax(matrix([6, 3], 1.1), 1);
        check_loss("cdan", [6, 4], |f| {
            let weight = matrix([1, 12], 2.3);
            let x = (outer(f, p.clone()) * weight).sum_dim(1);
            let weights = parted(p.clone(), 3).map(certainty);
            discrimination(parted(x, 3), Some(weights))
        });
    }
}
