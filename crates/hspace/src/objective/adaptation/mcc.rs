//! Minimum class confusion: the classes that the network confuses on samples of the target become few.
//!
//! `loss = mean −log p(y | x) + w / C Σ_{c ≠ c'} M_cc'`, where M is `Pᵀ W P` with rows scaled to a sum of 1: P the probabilities of the target's
//! samples at temperature T, W weights `1 + exp(−H(p))` of mean 1, constants (Jin et al. 2020, arXiv:1912.03699, equations 3 to 8).

use burn_tensor::Tensor;
use burn_tensor::activation::softmax;
use serde::{Deserialize, Serialize};

use super::alignment::{self, Alignment};
use super::cdan::certainty;
use super::part::Part;
use super::source_and_target::Encoded;
use crate::list::{Configured, Entry};
use crate::objective::heads::positive_number;
use crate::objective::{Net, Objective};

#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Mcc {
    /// T, above 0.
    temperature: f64,
}

impl Default for Mcc {
    fn default() -> Self {
        Mcc { temperature: 2.5 }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: Mcc::NAME,
    summary: "domain adaptation: the classes that are confused on the target become few",
    source: "Jin et al. 2020, arXiv:1912.03699",
    item: alignment::objective::<Mcc>(),
};

impl Alignment for Mcc {
    const NAME: &'static str = "mcc";

    fn validate(&self) -> Vec<String> {
        positive_number("temperature", self.temperature)
    }

    fn term(&self, net: &Net, step: &Encoded) -> Part {
        let [_, of_target] = step.logits.clone();
        Part::new("confusion", confusion(net, of_target, self.temperature))
    }
}

/// The mean over classes of how often they are confused with others, `[1]`, of logits `[n, C]`.
fn confusion(net: &Net, logits: Tensor<2>, temperature: f64) -> Tensor<1> {
    let [_, classes] = logits.dims();
    let p = softmax(logits / temperature, 1);
    let weights = net.constant(certainty(p.clone()));
    let confused = (p.clone() * weights).transpose().matmul(p);
    let own = Tensor::<2>::eye(classes, net.device());
    let share = confused.clone() / confused.sum_dim(1);
    (share.clone().sum() - (share * own).sum()) / classes as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::check_loss;
    use crate::nn::{Mode, Pass, Weights};

    #[test]
    fn agrees_with_pytorch() {
        let weights = Weights::default();
        let pass = Pass::new(&weights, Mode::Train, &crate::device::Device::cpu());
        let encoder = crate::encoder::make("mlp", Default::default()).unwrap();
        let net = Net::new(&*encoder, &pass);
        check_loss("mcc", [6, 4], |logits| confusion(&net, logits, 2.5));
    }
}
