//! MoCo: a view must find the momentum teacher's key of the other view among many keys.
//!
//! `loss = −mean log( exp(q·k₊/τ) / (exp(q·k₊/τ) + Σ_k exp(q·k/τ)) )` with the keys k of earlier
//! batches in a queue: the first in, the first out (He et al. 2020, arXiv:1911.05722, equation 1;
//! projector of v2, Chen et al. 2020, arXiv:2003.04297). With `queue = 0` it is v3 (Chen, Xie & He
//! 2021, arXiv:2104.02057): the other keys of the batch are the negatives, a predictor ends the
//! learner, both views are queries, and the loss is multiplied by 2τ.
//!
//! Deviations: m is 0.99 rather than 0.999, since a teacher must be able to turn over many times in
//! a run of a few thousand steps (v2 keeps it as it is, v3 lets it rise); the queue has 4096 keys
//! rather than 65536, for data sets of some ten thousand samples, and no more than half the training samples,
//! since a sample's own earlier keys are no negatives. Hidden layers are normalised, which v2's are not, and
//! have 512 units rather than 2048 (v3: 4096). The keys' views are a batch of their
//! own for batch normalisation; there is no shuffling, which exchanges samples between GPUs.
//!
//! Of v3 besides: the projection has 128 dimensions rather than 256. Heads are the same for all encoders, while the
//! authors' differ: the projector has three layers, as theirs for ViTs (two for ResNets), and the predictor ends
//! without normalisation, as theirs for ResNets. The temperature is theirs for ViTs (1 for ResNets), and the patch
//! projection is trained, not frozen. Views are alike on both sides (theirs differ in blur and solarisation, as BYOL's).

use std::collections::BTreeMap;

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::list::{self, Configured, Entry};
use crate::nn::layers::{l2_normalise, perceptron};
use crate::nn::{Init, Scope, Weights};
use crate::objective::heads::{positive, positive_number, projector, standardised_projector};
use crate::objective::similarity::{
    LEAST_CENTRED_SPREAD, constant_projections, info_nce, projection_spread, symmetric,
};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, teacher, two_views};
use crate::optim::ema::Export;
use crate::warning::WarningKind;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MoCo {
    /// Keys in the queue, no more than half the training samples; 0 for MoCo v3.
    queue: usize,
    /// τ > 0.
    temperature: f64,
    /// m of the teacher, 0 ≤ m < 1.
    momentum: f64,
    /// Hidden units of projector and predictor.
    hidden: usize,
    /// Dimensions of the projection.
    projection: usize,
}

impl Default for MoCo {
    fn default() -> Self {
        MoCo {
            queue: 4096,
            temperature: 0.2,
            momentum: 0.99,
            hidden: 512,
            projection: 128,
        }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "moco",
    summary: "contrastive: a view finds the momentum teacher's key of the other among a queue of keys",
    source: "He et al. 2020, arXiv:1911.05722; v3: Chen, Xie & He 2021, arXiv:2104.02057",
    item: Configured {
        defaults: list::defaults::<MoCo>,
        make: |table| {
            let settings: MoCo = list::parse(table)?;
            let problems = [
                positive(&[
                    ("hidden", settings.hidden),
                    ("projection", settings.projection),
                ]),
                positive_number("temperature", settings.temperature),
                teacher::validate(settings.momentum),
            ];
            list::refuse(problems.concat())?;
            Ok(Box::new(settings))
        },
    },
};

const TAUGHT: [&str; 2] = ["encoder", "projector"];

impl Objective for MoCo {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        if self.queue > 0 {
            self.queue = self.queue.min(spec.samples / 2).max(1);
        }
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        two_views()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let views = &batches[0].views;
        match self.queue {
            0 => self.without_queue(net, views),
            _ => self.with_queue(net, views),
        }
    }

    fn exports(&self) -> &'static [Export] {
        teacher::EXPORTS
    }

    fn after_init(&self, weights: &mut Weights) {
        teacher::init_ema(weights, &TAUGHT);
    }

    fn after_step(&self, weights: &mut Weights, progress: f64) {
        let progress = if self.queue == 0 { progress } else { 0.0 };
        teacher::update_ema(weights, &TAUGHT, self.momentum, progress);
    }

    fn diagnose(
        &self,
        values: &BTreeMap<String, f64>,
        progress: f64,
    ) -> Option<(WarningKind, String)> {
        if self.queue == 0 {
            let remedies = "lower train.learning_rate, or raise objective.momentum or train.warmup";
            return constant_projections(values, progress, LEAST_CENTRED_SPREAD, remedies);
        }
        (*values.get("queue_cosine")? > 0.95).then(|| {
            let text = "the queue is saturated: its keys are nearly all alike (mean cosine above 0.95), so \
                        they loss nothing apart; lower objective.temperature or raise objective.momentum";
            (WarningKind::SaturatedQueue, text.to_owned())
        })
    }
}

impl MoCo {
    fn project(&self, scope: &Scope, features: Tensor<2>) -> Tensor<2> {
        match self.queue {
            0 => {
                let dims = [self.hidden, self.hidden, self.projection];
                standardised_projector(scope, features, &dims)
            }
            _ => projector(scope, features, &[self.hidden, self.projection]),
        }
    }

    /// The teacher's features of a view, and the key made of them.
    fn key(&self, net: &Net, view: &Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let features = net.encode_by_teacher(view.clone());
        let scope = net.at("teacher.projector").frozen();
        (features.clone(), self.project(&scope, features))
    }

    fn with_queue(&self, net: &Net, views: &[Tensor<4>]) -> Loss {
        let features = net.encode(views[0].clone());
        let query = self.project(&net.at("projector"), features.clone());
        let (taught, key) = self.key(net, &views[1]);
        let key = l2_normalise(key);
        let memory = net.at("memory");
        let size = [self.queue, self.projection];
        let spread = 1.0 / (self.projection as f32).sqrt();
        let queue = memory.buffer("queue", size[0] * size[1], Init::Normal(spread));
        let queue = l2_normalise(queue.reshape(size));
        let total = info_nce(
            query,
            key.clone(),
            Some(queue.clone()),
            self.temperature,
            net.device(),
        );
        let alike = l2_normalise(queue.clone().mean_dim(0)) * queue.clone();
        let next = enqueued(queue, key);
        memory.update("queue", next.reshape([size[0] * size[1]]));
        Loss {
            metrics: vec![("queue_cosine", alike.sum() / self.queue as f64)],
            // Of the other view there are the teacher's features alone.
            ..Loss::of(total, vec![features, taught])
        }
    }

    fn without_queue(&self, net: &Net, views: &[Tensor<4>]) -> Loss {
        let learned = net.encode_views(views);
        let pairs = [0, 1].map(|view| {
            let z = self.project(&net.at("projector"), learned[view].clone());
            let dims = [self.hidden, self.projection];
            let query = perceptron(&net.at("predictor"), z, &dims, true);
            (query, self.key(net, &views[view]).1)
        });
        Loss {
            metrics: vec![("projection_spread", projection_spread(pairs[0].1.clone()))],
            ..Loss::of(contrast(pairs, self.temperature, net.device()), learned)
        }
    }
}

/// The queue, `[queue, d]`, after a batch's keys `[n, d]` came in: they are its first rows, and as many of its last,
/// the oldest, are gone.
pub(in crate::objective) fn enqueued(queue: Tensor<2>, keys: Tensor<2>) -> Tensor<2> {
    let [size, _] = queue.dims();
    Tensor::cat(vec![keys, queue], 0).narrow(0, 0, size)
}

/// The loss of v3, of the query and the key of each of two views: a query tells the other view's key.
fn contrast(views: [(Tensor<2>, Tensor<2>); 2], temperature: f64, device: &Device) -> Tensor<1> {
    let loss = |query, key| info_nce(query, key, None, temperature, device);
    symmetric(views, loss) * (2.0 * temperature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{check_loss, matrix};
    use crate::nn::weights::{values, vector};

    #[test]
    fn v3_agrees_with_its_authors_formula() {
        check_loss("moco_v3", [12, 5], |queries| {
            let [first, second] = [0, 6].map(|at| queries.clone().narrow(0, at, 6));
            let keys = [1.1, 2.3].map(|phase| matrix([6, 5], phase));
            let [of_first, of_second] = keys;
            let pairs = [(first, of_first), (second, of_second)];
            contrast(pairs, 0.2, &Device::cpu())
        });
    }

    #[test]
    fn the_oldest_keys_leave_the_queue() {
        let rows = |numbers: Vec<f32>| {
            let n = numbers.len();
            vector(numbers, &Device::cpu()).reshape([n, 1])
        };
        let mut queue = rows(vec![0.1, 0.2, 0.3, 0.4]);
        for (keys, expected) in [
            (vec![1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 0.1]),
            (vec![4.0, 5.0], [4.0, 5.0, 1.0, 2.0]),
            (vec![6.0, 7.0, 8.0, 9.0], [6.0, 7.0, 8.0, 9.0]),
            (vec![10.0, 11.0, 12.0, 13.0, 14.0], [10.0, 11.0, 12.0, 13.0]),
        ] {
            queue = enqueued(queue, rows(keys));
            assert_eq!(values(queue.clone()), expected);
        }
    }
}
