//! SwAV: the code of one view, its assignment to prototypes, must be predicted from another view.
//!
//! With s the cosines of a projection and the K prototypes, and q(i) the code of global view i:
//! `loss = mean over i and over the other views v of −Σ_k q_k(i) log softmax(s(v)/τ)_k`. Codes are what
//! Sinkhorn and Knopp's iteration makes of exp(s/ε): all prototypes are used alike by the samples of
//! a batch, so that there is no collapse. No gradient flows through codes (Caron et al. 2020,
//! arXiv:2006.09882, equations 1 to 6).
//!
//! A batch of fewer samples than prototypes cannot use them alike. For such the last `queue` projections of each
//! global view are kept, the first in, the first out, and codes are made of them and the batch's together; the loss
//! takes those of the batch. From `queue_start` on they serve, if as many have come in (the authors, with 3000
//! prototypes and batches of 256, keep 3840, from epoch 15 of 200 or 400 on).
//!
//! Deviations: K is 256 rather than 3000, and the projector's width 512 rather than 2048, for data sets
//! of some ten thousand samples and batches of a few hundred, which need no queue; there are 4 local views rather
//! than 6. Prototypes are scaled to length 1 where they are used, not after each step. They are kept for the
//! first hundredth of the training, as the authors keep them for the first epoch. The queue is filled from the first
//! step on, not only once it serves.

use std::collections::BTreeMap;

use burn_tensor::Tensor;
use burn_tensor::activation::log_softmax;
use serde::{Deserialize, Serialize};

use crate::encoder::Encoder;
use crate::list::{self, Configured, Entry};
use crate::nn::Init;
use crate::nn::layers::l2_normalise;
use crate::nn::weights::{values, vector};
use crate::objective::contrastive::moco::enqueued;
use crate::objective::heads::{must, positive, positive_number, projector, share};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, UpdateGroup, multi_crop};
use crate::warning::WarningKind;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Swav {
    /// K, at least 2.
    prototypes: usize,
    /// τ > 0.
    temperature: f64,
    /// ε of the codes, at least 10⁻⁶: the larger, the more alike prototypes share a sample.
    epsilon: f64,
    /// Iterations of Sinkhorn and Knopp.
    iterations: usize,
    /// Earlier projections of each global view that codes are made with, for batches of fewer samples than
    /// prototypes; 0 for none.
    queue: usize,
    /// Share of the training after which they serve, 0 to 1.
    queue_start: f64,
    /// Local views of each sample, in addition to two global ones.
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
            queue: 0,
            queue_start: 0.05,
            local_views: 4,
            hidden: 512,
            projection: 128,
        }
    }
}

/// Below, what single precision leaves of scores ÷ ε says little.
const LEAST_EPSILON: f64 = 1e-6;

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "swav",
    summary: "predicts one view's assignment to prototypes from another view; multi-crop",
    source: "Caron et al. 2020, arXiv:2006.09882",
    item: Configured {
        defaults: list::defaults::<Swav>,
        make: |table| {
            let settings: Swav = list::parse(table)?;
            let (prototypes, epsilon) = (settings.prototypes, settings.epsilon);
            let problems = [
                positive(&[
                    ("hidden", settings.hidden),
                    ("projection", settings.projection),
                    ("iterations", settings.iterations),
                ]),
                must(prototypes > 1, || {
                    format!("prototypes={prototypes} must be at least 2")
                }),
                positive_number("temperature", settings.temperature),
                must(epsilon.is_finite() && epsilon >= LEAST_EPSILON, || {
                    format!("epsilon={epsilon} must be at least {LEAST_EPSILON}")
                }),
                share("queue_start", settings.queue_start),
            ];
            list::refuse(problems.concat())?;
            Ok(Box::new(settings))
        },
    },
};

impl Objective for Swav {
    fn prepare(&mut self, _: &DataSpec) -> Vec<String> {
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        multi_crop(self.local_views)
    }

    fn update_groups(&self, progress: f64, _: &dyn Encoder) -> Vec<UpdateGroup> {
        let trains: &[&str] = match progress < 0.01 {
            true => &["encoder", "projector"],
            false => &[],
        };
        vec![UpdateGroup::of("all", trains)]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let learned = net.encode_by_size(&batches[0].views);
        let n = batches[0].rows.len();
        let all = Tensor::cat(learned.clone(), 0);
        let z = projector(&net.at("projector"), all, &[self.hidden, self.projection]);
        let z = l2_normalise(z);
        let shape = [self.prototypes, self.projection];
        let init = Init::UniformFanIn(self.projection);
        let prototypes = net.at("prototypes").weight("weight", shape, init);
        let prototypes = l2_normalise(prototypes).transpose();
        let scores = z.clone().matmul(prototypes.clone());
        let of_view = |view: usize| scores.clone().narrow(0, view * n, n);
        let codes = [0, 1].map(|view| {
            let own = z.clone().narrow(0, view * n, n).inner();
            net.constant(self.codes(net, view, own, prototypes.clone().inner()))
        });
        let total = swapped_prediction(&codes, learned.len(), |view| {
            of_view(view) / self.temperature
        });
        let used = vector(vec![used(of_view(0).inner())], net.device());
        Loss {
            metrics: vec![("prototypes_used", used)],
            ..Loss::of(total, learned[..2].to_vec())
        }
    }

    fn diagnose(
        &self,
        values: &BTreeMap<String, f64>,
        progress: f64,
    ) -> Option<(WarningKind, String)> {
        let collapsed = progress > 0.1 && *values.get("prototypes_used")? < 1.5;
        collapsed.then(|| {
            (WarningKind::PrototypeCollapse, "the prototypes have collapsed: one is nearest to nearly every sample; lower objective.epsilon or \
             train.learning_rate"
                .to_owned())
        })
    }
}

impl Swav {
    /// The codes `[n, K]` of projections `[n, d]` of the global view `view`, with prototypes `[d, K]`; all of
    /// length 1.
    fn codes(&self, net: &Net, view: usize, z: Tensor<2>, prototypes: Tensor<2>) -> Tensor<2> {
        let [n, _] = z.dims();
        let mut all = vec![z.clone()];
        all.extend(self.earlier(net, view, z));
        let scores = Tensor::cat(all, 0).matmul(prototypes);
        sinkhorn(scores, self.epsilon, self.iterations).narrow(0, 0, n)
    }

    /// The queue `[queue, d]` of a global view, where it serves; after that `z` `[n, d]` takes the place of the
    /// oldest.
    fn earlier(&self, net: &Net, view: usize, z: Tensor<2>) -> Option<Tensor<2>> {
        if self.queue == 0 {
            return None;
        }
        let memory = net.at("memory");
        let name = format!("queue.{view}");
        let size = [self.queue, self.projection];
        let queue = memory.buffer(&name, size[0] * size[1], Init::Constant(0.0));
        let queue = queue.reshape(size);
        let next = enqueued(queue.clone(), z);
        memory.update(&name, next.reshape([size[0] * size[1]]));
        // The last row is zeros until so many have come in.
        let oldest = values(queue.clone().narrow(0, self.queue - 1, 1));
        let full = oldest.iter().any(|x| *x != 0.0);
        (full && net.progress() >= self.queue_start).then_some(queue)
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
pub(in crate::objective) fn swapped_prediction(
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
/// of the paper's appendix; here in logarithms, of which none overflows or vanishes).
fn sinkhorn(scores: Tensor<2>, epsilon: f64, iterations: usize) -> Tensor<2> {
    let mut log = scores / epsilon;
    for _ in 0..iterations {
        // Shares of a prototype's samples, then of a sample's prototypes.
        log = log_softmax(log_softmax(log, 0), 1);
    }
    log.exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::encoder;
    use crate::golden::{check_loss, matrix, numbers};
    use crate::nn::{Mode, Pass, Weight, Weights};

    fn rows<const D: usize>(of: &[[f32; D]]) -> Tensor<2> {
        vector(of.as_flattened().to_vec(), &Device::cpu()).reshape([of.len(), D])
    }

    /// What `f` gives of a pass at `progress`, and what that leaves in the queue of the first view, `queue`.
    fn pass<T>(queue: &mut Vec<f32>, progress: f64, f: impl FnOnce(&Net) -> T) -> T {
        let device = Device::cpu();
        let encoder = encoder::make("mlp", toml::Table::new()).unwrap();
        let mut weights = Weights::default();
        let memory = Weight {
            shape: vec![queue.len()],
            value: vector(std::mem::take(queue), &device),
            trained: false,
        };
        weights.insert("memory.queue.0".into(), memory);
        let pass = Pass::new(&weights, Mode::Train, &device).with_progress(progress);
        let found = f(&Net::new(&*encoder, &pass));
        *queue = values(pass.into_statistics()["memory.queue.0"].clone());
        found
    }

    #[test]
    fn agrees_with_lightly() {
        let codes = sinkhorn(matrix([6, 5], 1.1), 0.05, 3);
        let expected = numbers(&["swav_codes"]);
        crate::golden::assert_close("codes", &values(codes.clone()), &expected, 1e-5);
        check_loss("swav", [6, 5], |scores| {
            let other = matrix([6, 5], 2.3);
            let codes = [codes.clone()];
            swapped_prediction(&codes, 3, |view| {
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

    /// By hand: the second sample has the first prototype alone, and the first one's share in that is ⅓, ⅕, ⅐ after
    /// so many iterations.
    #[test]
    fn codes_of_a_small_epsilon_are_no_others() {
        let scores = rows(&[[1.0, 0.9], [1.0, 0.5]]);
        let codes = values(sinkhorn(scores, 0.001, 3));
        crate::golden::assert_close("codes", &codes, &[1.0 / 7.0, 6.0 / 7.0, 1.0, 0.0], 1e-5);
        for epsilon in [LEAST_EPSILON, 0.001, 0.05, 1e6] {
            let codes = sinkhorn(matrix([12, 3], 0.7), epsilon, 3);
            let of_samples = values(codes.sum_dim(1));
            assert!(
                of_samples.iter().all(|s| (s - 1.0).abs() < 1e-4),
                "{epsilon}: {of_samples:?}"
            );
        }
        for wrong in ["epsilon = 1e-7", "epsilon = 0.0", "queue_start = 1.5"] {
            let problem = (ENTRY.make)(wrong.parse().unwrap()).err().unwrap();
            assert!(problem.starts_with(&wrong[..7]), "{problem}");
        }
    }

    #[test]
    fn the_oldest_leave_the_queue_and_a_full_one_serves_from_its_time_on() {
        let swav = Swav {
            queue: 4,
            queue_start: 0.5,
            projection: 1,
            ..Swav::default()
        };
        let mut queue = vec![0.0; 4];
        for (progress, z, serves, left) in [
            (0.6, vec![1.0, 2.0, 3.0], None, [1.0, 2.0, 3.0, 0.0]),
            (0.6, vec![4.0, 5.0], None, [4.0, 5.0, 1.0, 2.0]),
            (0.4, vec![6.0], None, [6.0, 4.0, 5.0, 1.0]),
            (
                0.5,
                vec![7.0, 8.0],
                Some([6.0, 4.0, 5.0, 1.0]),
                [7.0, 8.0, 6.0, 4.0],
            ),
            (1.0, vec![9.0; 6], Some([7.0, 8.0, 6.0, 4.0]), [9.0; 4]),
        ] {
            let z = vector(z.clone(), &Device::cpu()).reshape([z.len(), 1]);
            let found = pass(&mut queue, progress, |net| swav.earlier(net, 0, z));
            let serves = serves.map(|rows| rows.to_vec());
            assert_eq!(found.map(values), serves, "at {progress}");
            assert_eq!(queue, left);
        }
    }

    /// Two samples of the first prototype must share all four of them, unless others are known to take theirs.
    #[test]
    fn a_queue_balances_codes_of_a_small_batch() {
        let one = |k: usize| std::array::from_fn::<f32, 4, _>(|i| if i == k { 1.0 } else { 0.0 });
        let earlier = [1, 1, 2, 2, 3, 3].map(one);
        let (z, prototypes) = (rows(&[one(0), one(0)]), rows(&[0, 1, 2, 3].map(one)));
        let mut codes = Vec::new();
        for queue_start in [1.0, 0.5] {
            let swav = Swav {
                queue: 6,
                queue_start,
                projection: 4,
                ..Swav::default()
            };
            let mut queue = earlier.as_flattened().to_vec();
            let found = pass(&mut queue, 0.5, |net| {
                swav.codes(net, 0, z.clone(), prototypes.clone())
            });
            assert_eq!(found.dims(), [2, 4]);
            codes.push(values(found));
            assert_eq!(queue[..8], [one(0), one(0)].concat());
        }
        assert!(codes[0].iter().all(|share| (share - 0.25).abs() < 1e-4));
        assert!(codes[1][0] > 0.999 && codes[1][4] > 0.999, "{codes:?}");
    }
}
