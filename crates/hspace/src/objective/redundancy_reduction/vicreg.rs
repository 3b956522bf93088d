//! VICReg: views agree, every dimension varies, and no two vary together.
//!
//! `loss = λ s(z, z') + μ (v(z) + v(z')) + ν (c(z) + c(z'))` with s the mean squared difference,
//! v the mean over dimensions of `max(0, 1 − sqrt(var + 10⁻⁴))`, and c the sum of the squared
//! covariances of different dimensions, divided by their number (Bardes et al. 2022,
//! arXiv:2105.04906, equations 1 to 6). As in the authors' code, v is the mean of both views', and s a mean
//! over dimensions too, where equation 5 adds them up.
//!
//! The projection and the hidden layers have 512 dimensions rather than 8192, see `barlow_twins`.

use burn_tensor::Tensor;
use burn_tensor::activation::relu;
use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::list::{self, Configured, Entry};
use crate::objective::heads::{not_negative, positive, projector};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, two_views};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct VicReg {
    /// λ ≥ 0, weight of the views' difference.
    invariance: f64,
    /// μ ≥ 0, weight of what variances fall short.
    variance: f64,
    /// ν ≥ 0, weight of covariances.
    covariance: f64,
    /// Hidden units of the projector.
    hidden: usize,
    /// Dimensions of the projection.
    projection: usize,
}

impl Default for VicReg {
    fn default() -> Self {
        VicReg {
            invariance: 25.0,
            variance: 25.0,
            covariance: 1.0,
            hidden: 512,
            projection: 512,
        }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "vicreg",
    summary: "views agree, every dimension varies, no two vary together",
    source: "Bardes et al. 2022, arXiv:2105.04906",
    item: Configured {
        defaults: list::defaults::<VicReg>,
        make: |table| {
            let settings: VicReg = list::parse(table)?;
            let problems = [
                positive(&[
                    ("hidden", settings.hidden),
                    ("projection", settings.projection),
                ]),
                not_negative(&[
                    ("invariance", settings.invariance),
                    ("variance", settings.variance),
                    ("covariance", settings.covariance),
                ]),
            ];
            list::refuse(problems.concat())?;
            Ok(Box::new(settings))
        },
    },
};

impl Objective for VicReg {
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

impl VicReg {
    /// The loss of the views' projections, `[n, d]` each, with its parts.
    fn compare(&self, a: Tensor<2>, b: Tensor<2>, device: &Device) -> Loss {
        let terms = terms(a, b, device);
        let weights = [self.invariance, self.variance, self.covariance];
        let weighted = terms
            .iter()
            .zip(weights)
            .map(|(part, weight)| part.clone() * weight);
        let total = weighted.reduce(|a, b| a + b).expect("three terms");
        let names = ["invariance", "variance", "covariance"];
        Loss {
            metrics: names.into_iter().zip(terms).collect(),
            ..Loss::of(total, vec![])
        }
    }
}

/// Difference of the views, what variances fall short, covariances: `[1]` each.
fn terms(a: Tensor<2>, b: Tensor<2>, device: &Device) -> [Tensor<1>; 3] {
    let [n, d] = a.dims();
    let invariance = (a.clone() - b.clone()).powi_scalar(2).mean();
    let others = -Tensor::<2>::eye(d, device) + 1.0;
    let own = |z: Tensor<2>| {
        let z = z.clone() - z.mean_dim(0);
        let left = (n - 1).max(1) as f64;
        let variance = z.clone().powi_scalar(2).sum_dim(0) / left;
        let short = relu(-(variance + 1e-4).sqrt() + 1.0).mean();
        let covariance = z.clone().transpose().matmul(z) / left;
        (
            short,
            (covariance * others.clone()).powi_scalar(2).sum() / d as f64,
        )
    };
    let (a, b) = (own(a), own(b));
    [invariance, (a.0 + b.0) * 0.5, a.1 + b.1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{check_loss, matrix};

    #[test]
    fn agrees_with_lightly() {
        let other = matrix([12, 5], 1.1);
        let weighed = VicReg {
            invariance: 3.0,
            variance: 5.0,
            covariance: 7.0,
            ..VicReg::default()
        };
        for (name, vicreg) in [("vicreg", VicReg::default()), ("vicreg_weighed", weighed)] {
            check_loss(name, [12, 5], |z| {
                vicreg.compare(z, other.clone(), &Device::cpu()).total
            });
        }
    }
}
