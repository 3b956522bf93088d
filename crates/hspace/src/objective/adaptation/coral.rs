//! Deep CORAL: features of both domains have the same mean and covariance.
//!
//! `loss = mean −log p(y | x) + w (mean_i (μ_s − μ_t)² + mean_ij (C_s − C_t)²)`, C the unbiased covariances of the features in the batch (Sun & Saenko
//! 2016, arXiv:1607.01719, equation 1), with the distance of means that TLLib adds.
//!
//! Deviations: as TLLib, the mean over the d² entries in place of the paper's sum over 4d²; on the pooled features, not on the logits, and w is 1, which
//! the paper chooses so that both parts end up alike.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::source_and_target::SourceAndTarget;
use crate::list::{self, Configured, Entry};
use crate::objective::heads::{not_negative, positive};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream};

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// w, 0 or above.
    weight: f64,
    /// Samples of the target per labelled one.
    ratio: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            weight: 1.0,
            ratio: 1,
        }
    }
}

struct Coral {
    settings: Settings,
    domains: SourceAndTarget,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "coral",
    summary: "domain adaptation: features of both domains have the same mean and covariance",
    source: "Sun & Saenko 2016, arXiv:1607.01719",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let problems = [
                not_negative(&[("weight", settings.weight)]),
                positive(&[("ratio", settings.ratio)]),
            ];
            list::refuse(problems.concat())?;
            let domains = SourceAndTarget::new(settings.ratio);
            Ok(Box::new(Coral { settings, domains }))
        },
    },
};

/// The mean squared difference of means and of covariances, `[1]`, of rows of two domains, `[n, d]` and `[m, d]`.
pub(super) fn alignment([source, target]: [Tensor<2>; 2]) -> Tensor<1> {
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

impl Objective for Coral {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.domains.prepare(spec, "coral")
    }

    fn answers(&self) -> bool {
        true
    }

    fn streams(&self) -> Vec<Stream> {
        self.domains.streams()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let encoded = self.domains.encode(net, batches);
        let features = [encoded.source[0].clone(), encoded.target[0].clone()];
        let distance = alignment(features.clone());
        let mut metrics = encoded.metrics;
        metrics.push(("distance", distance.clone()));
        Loss {
            metrics,
            ..Loss::of(
                encoded.supervised + distance * self.settings.weight,
                features.to_vec(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::check_loss;
    use crate::objective::adaptation::dann::halves;

    #[test]
    fn agrees_with_pytorch() {
        check_loss("coral", [9, 4], |x| alignment(halves(x, 4)));
    }
}
