//! Barlow Twins: each dimension agrees between views, and no two dimensions say the same.
//!
//! With C the correlations between the dimensions of the projections of the first and of the second
//! views, over the batch: `loss = Σ_i (1 − C_ii)² + λ Σ_{i≠j} C_ij²` (Zbontar et al. 2021,
//! arXiv:2103.03230, equation 1).
//!
//! The projection and the hidden layers have 512 dimensions rather than 8192: wider costs more than our encoders, and
//! needs the long trainings of the paper to pay.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::list::{self, Configured, Entry};
use crate::nn::layers::standardise;
use crate::objective::heads::{positive, positive_number, projector};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, two_views};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BarlowTwins {
    /// Weight λ > 0 of the correlations between different dimensions.
    lambda: f64,
    /// Hidden units of the projector.
    hidden: usize,
    /// Dimensions of the projection.
    projection: usize,
}

impl Default for BarlowTwins {
    fn default() -> Self {
        BarlowTwins {
            lambda: 5e-3,
            hidden: 512,
            projection: 512,
        }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "barlow_twins",
    summary: "dimensions agree between views and do not repeat each other",
    source: "Zbontar et al. 2021, arXiv:2103.03230",
    item: Configured {
        defaults: list::defaults::<BarlowTwins>,
        make: |table| {
            let settings: BarlowTwins = list::parse(table)?;
            let problems = [
                positive(&[
                    ("hidden", settings.hidden),
                    ("projection", settings.projection),
                ]),
                positive_number("lambda", settings.lambda),
            ];
            list::refuse(problems.concat())?;
            Ok(Box::new(settings))
        },
    },
};

impl Objective for BarlowTwins {
    fn prepare(&mut self, _: &DataSpec) -> Vec<String> {
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        two_views()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let learned = net.encode_views(&batches[0].views);
        let dims = [self.hidden, self.hidden, self.projection];
        let z = learned
            .iter()
            .map(|h| projector(&net.at("projector"), h.clone(), &dims));
        let [a, b] = z.collect::<Vec<_>>().try_into().expect("two views");
        Loss {
            features: learned,
            ..self.compare(a, b, net.device())
        }
    }
}

impl BarlowTwins {
    /// The loss of the views' projections, `[n, d]` each, with its parts.
    fn compare(&self, a: Tensor<2>, b: Tensor<2>, device: &Device) -> Loss {
        let [on, off] = correlations(a, b, device);
        let total = on.clone() + off.clone() * self.lambda;
        Loss {
            metrics: vec![("invariance", on), ("redundancy", off)],
            ..Loss::of(total, vec![])
        }
    }
}

/// `Σ_i (1 − C_ii)²` and `Σ_{i≠j} C_ij²`, `[1]` each.
fn correlations(a: Tensor<2>, b: Tensor<2>, device: &Device) -> [Tensor<1>; 2] {
    let [n, d] = a.dims();
    let c = standardise(a).transpose().matmul(standardise(b)) / n as f64;
    let eye = Tensor::<2>::eye(d, device);
    let on = ((c.clone() - 1.0) * eye.clone()).powi_scalar(2).sum();
    let off = (c.clone() * (-eye + 1.0)).powi_scalar(2).sum();
    [on, off]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{check_loss, matrix};

    #[test]
    fn agrees_with_lightly() {
        let other = matrix([12, 5], 1.1);
        let weighed = BarlowTwins {
            lambda: 0.3,
            ..BarlowTwins::default()
        };
        for (name, twins) in [
            ("barlow_twins", BarlowTwins::default()),
            ("barlow_twins_weighed", weighed),
        ] {
            check_loss(name, [12, 5], |z| {
                twins.compare(z, other.clone(), &Device::cpu()).total
            });
        }
    }
}
