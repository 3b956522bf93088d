//! SwAV: the code of one view, its assignment to prototypes, must be told from another view.
//!
//! With s the cosines of a projection and the K prototypes, and q(i) the code of global view i:
//! `loss = mean over i and over the other views v of −Σ_k q_k(i) log softmax(s(v)/τ)_k`. Codes are what
//! Sinkhorn and Knopp's iteration makes of exp(s/ε): all prototypes are used alike by the samples of
//! a batch, so that there is no collapse. No gradient flows through codes (Caron et al. 2020,
//! arXiv:2006.09882, equations 1 to 6).
//!
//! Deviations: K is 256 rather than 3000, and the projector's width 512 rather than 2048, for data sets
//! of some ten thousand samples and batches of a few hundred; there are 4 local views rather than 6.
//! Prototypes are scaled to length 1 where they are used, not after each step. They are kept for the
//! first hundredth of the training, as the authors keep them for the first epoch.

use std::collections::BTreeMap;

use burn_tensor::Tensor;
use burn_tensor::activation::log_softmax;
use serde::{Deserialize, Serialize};

use super::heads::{positive, positive_number, projector};
use super::{Batch, Facts, Loss, Net, Objective, Stream, Turn, multi_crop};
use crate::list::{self, Entry};
use crate::network::Init;
use crate::network::layers::l2_normalise;
use crate::network::weights::{values, vector};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Swav {
    /// K, at least 2.
    prototypes: usize,
    /// τ > 0.
    temperature: f64,
    /// ε > 0 of the codes: the larger, the more alike prototypes share a sample.
    epsilon: f64,
    /// Iterations of Sinkhorn and Knopp.
    iterations: usize,
    /// Local views of each sample, beside two global ones.
    local_views: usize,
    /// Hidden units of the projector.
    hidden: usize,
    /// Dimensions of the projection.
    projection: usize,
}

impl Default for Swav {
    fn default() -> Self {
        Swav {
            prototypes: 256,
            temperature: 0.1,
            epsilon: 0.05,
            iterations: 3,
            local_views: 4,
            hidden: 512,
            projection: 128,
        }
    }
}

pub(super) const ENTRY: Entry<dyn Objective> = Entry {
    name: "swav",
    summary: "tells one view's assignment to prototypes from another view; multi-crop",
    source: "Caron et al. 2020, arXiv:2006.09882",
    defaults: list::defaults::<Swav>,
    make: |table| {
        let settings: Swav = list::parse(table)?;
        positive(&[
            ("hidden", settings.hidden),
            ("projection", settings.projection),
            ("iterations", settings.iterations),
        ])?;
        if settings.prototypes < 2 {
            return Err(format!(
                "prototypes={} must be at least 2",
                settings.prototypes
            ));
        }
        positive_number("temperature", settings.temperature)?;
        positive_number("epsilon", settings.epsilon)?;
        Ok(Box::new(settings))
    },
};

impl Objective for Swav {
    fn prepare(&mut self, _: &Facts) -> Vec<String> {
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        multi_crop(self.local_views)
    }

    fn turns(&self, progress: f64) -> Vec<Turn> {
        let trains = match progress < 0.01 {
            true => vec!["encoder", "projector"],
            false => vec![],
        };
        vec![Turn {
            name: "all",
            trains,
            rate: 1.0,
        }]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let learned = net.encode_by_size(&batches[0].views);
        let n = batches[0].rows.len();
        let all = Tensor::cat(learned.clone(), 0);
        let z = projector(&net.at("projector"), all, &[self.hidden, self.projection]);
        let shape = [self.prototypes, self.projection];
        let init = Init::UniformFanIn(self.projection);
        let prototypes = net.at("prototypes").weight("weight", shape, init);
        let scores = l2_normalise(z).matmul(l2_normalise(prototypes).transpose());
        let of_view = |view: usize| scores.clone().narrow(0, view * n, n);
        let codes = [0, 1].map(|view| {
            let scores = of_view(view).detach();
            net.constant(sinkhorn(scores, self.epsilon, self.iterations))
        });
        let total = swapped(&codes, learned.len(), |view| {
            of_view(view) / self.temperature
        });
        let used = vector(vec![used(of_view(0).inner())], net.device());
        Loss {
            parts: vec![("prototypes_used", used)],
            ..Loss::of(total, learned[..2].to_vec())
        }
    }

    fn concern(&self, values: &BTreeMap<String, f64>, progress: f64) -> Option<String> {
        let collapsed = progress > 0.1 && *values.get("prototypes_used")? < 1.5;
        collapsed.then(|| {
            "the prototypes have collapsed: one is nearest to nearly every sample; lower objective.epsilon or \
             train.learning_rate"
                .to_owned()
        })
    }
}

/// How many prototypes the samples of a batch lie nearest to, from scores `[n, K]`: e to the entropy of their
/// shares. Of codes it would say K even if all samples were the same.
fn used(scores: Tensor<2>) -> f32 {
    let [n, k] = scores.dims();
    let mut shares = vec![0.0f32; k];
    for row in values(scores).chunks_exact(k) {
        let nearest = (0..k).max_by(|&a, &b| row[a].total_cmp(&row[b]));
        shares[nearest.unwrap_or(0)] += 1.0 / n as f32;
    }
    let terms = shares.iter().filter(|share| **share > 0.0);
    (-terms.map(|share| share * share.ln()).sum::<f32>()).exp()
}

/// Mean cross-entropy of each code with the softmax of the `logits` of every other view, `[1]`.
pub(super) fn swapped(
    codes: &[Tensor<2>],
    views: usize,
    logits: impl Fn(usize) -> Tensor<2>,
) -> Tensor<1> {
    let log: Vec<Tensor<2>> = (0..views)
        .map(|view| log_softmax(logits(view), 1))
        .collect();
    let [n, _] = codes[0].dims();
    let mut terms = Vec::new();
    for (i, code) in codes.iter().enumerate() {
        let others = log.iter().enumerate().filter(|&(view, _)| view != i);
        terms.extend(others.map(|(_, log)| -(code.clone() * log.clone()).sum() / n as f64));
    }
    let count = terms.len() as f64;
    terms
        .into_iter()
        .reduce(|a, b| a + b)
        .expect("two views or more")
        / count
}

/// Codes `[n, K]` of scores `[n, K]`: each row sums to 1, each column to about n/K (algorithm 1
/// of the paper's appendix).
fn sinkhorn(scores: Tensor<2>, epsilon: f64, iterations: usize) -> Tensor<2> {
    let [n, k] = scores.dims();
    // A factor common to all makes no difference; so nothing overflows.
    let highest = scores.clone().max().unsqueeze();
    let mut q = ((scores - highest) / epsilon).exp();
    for _ in 0..iterations {
        q = q.clone() / (q.sum_dim(0) + 1e-12) / k as f64;
        q = q.clone() / q.sum_dim(1) / n as f64;
    }
    q * n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::golden::{check_loss, matrix, numbers};

    #[test]
    fn agrees_with_lightly() {
        let codes = sinkhorn(matrix([6, 5], 1.1), 0.05, 3);
        let expected = numbers(&["swav_codes"]);
        crate::golden::assert_close("codes", &values(codes.clone()), &expected, 1e-5);
        check_loss("swav", [6, 5], |scores| {
            let other = matrix([6, 5], 2.3);
            let codes = [codes.clone()];
            swapped(&codes, 3, |view| {
                let scores = [other.clone(), scores.clone(), other.clone()][view].clone();
                scores / 0.1
            })
        });
    }

    #[test]
    fn equal_samples_use_one_prototype_whatever_their_codes_are() {
        let equal = matrix([1, 5], 0.7).repeat_dim(0, 6);
        assert!((used(equal.clone()) - 1.0).abs() < 1e-6);
        let codes = values(sinkhorn(equal, 0.05, 3).mean_dim(0));
        assert!(codes.iter().all(|share| (share - 0.2).abs() < 1e-4));
        assert!((used(Tensor::eye(5, &Device::cpu())) - 5.0).abs() < 1e-4);
    }

    #[test]
    fn codes_share_the_prototypes() {
        let codes = sinkhorn(matrix([12, 3], 0.7), 0.5, 100);
        let of_samples = values(codes.clone().sum_dim(1));
        let of_prototypes = values(codes.sum_dim(0));
        assert!(
            of_samples.iter().all(|s| (s - 1.0).abs() < 1e-4),
            "{of_samples:?}"
        );
        assert!(
            of_prototypes.iter().all(|s| (s - 4.0).abs() < 1e-3),
            "{of_prototypes:?}"
        );
    }
}
