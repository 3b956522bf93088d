//! Domain-adversarial training: features from which a discriminator cannot tell the domains apart.
//!
//! `loss = mean −log p(y | x) + w mean BCE(D(R(f(x))), domain)` over samples of both domains, the mean of the two domains' means, with the gradient
//! reversal R of [`super::adversary`] (Ganin et al. 2016, arXiv:1505.07818). The discriminator has two hidden layers of 1,024 units, as in TLLib (whose λ
//! rises over 1,000 steps to .46 alone).
//!
//! Deviations: one learning rate for all (the papers' encoders begin pretrained, at a tenth of the heads').

use serde::{Deserialize, Serialize};

use super::adversary::adversarial;
use super::alignment::{self, Alignment};
use super::part::Part;
use super::source_and_target::{Encoded, joined};
use crate::list::{Configured, Entry};
use crate::objective::heads::positive;
use crate::objective::{Net, Objective};

#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Dann {
    /// Units of each of the discriminator's two hidden layers.
    units: usize,
}

impl Default for Dann {
    fn default() -> Self {
        Dann { units: 1024 }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: Dann::NAME,
    summary: "domain adaptation: features from which a discriminator cannot tell the domains apart",
    source: "Ganin et al. 2016, arXiv:1505.07818",
    item: alignment::objective::<Dann>(),
};

impl Alignment for Dann {
    const NAME: &'static str = "dann";

    fn validate(&self) -> Vec<String> {
        positive(&[("units", self.units)])
    }

    fn term(&self, net: &Net, step: &Encoded) -> Part {
        let [n, _] = step.features[0].dims();
        adversarial(net, joined(&step.features), n, self.units, None)
    }
}
