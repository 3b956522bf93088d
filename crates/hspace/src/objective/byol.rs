//! BYOL: predict a momentum teacher's projection of the other view. No negatives.
//!
//! `loss = mean 2 − 2 cos(q(z_1), z̄_2) + 2 − 2 cos(q(z_2), z̄_1)` with z the projection, q the
//! predictor, and z̄ by the teacher, whose weights follow the learner's with momentum m
//! (Grill et al. 2020, arXiv:2006.07733, equations 1 to 3). m rises from its start to 1 on a
//! cosine.
//!
//! Each view goes through the networks as its own batch, so that batch statistics are of one
//! view, as in the paper.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::heads::projector;
use super::{Batch, Facts, Loss, Net, Objective, Stream, two_views};
use crate::list::{self, Entry};
use crate::network::Weights;
use crate::network::layers::l2_normalise;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Byol {
    /// m at the start, 0 ≤ m ≤ 1. The paper's 0.996 is for runs of 100,000 steps and more; a
    /// teacher must be able to turn over many times in a run, so ours is for a few thousand.
    momentum: f64,
    /// Hidden units of projector and predictor.
    hidden: usize,
    /// Dimensions of the projection.
    projection: usize,
}

impl Default for Byol {
    fn default() -> Self {
        Byol {
            momentum: 0.98,
            hidden: 512,
            projection: 128,
        }
    }
}

pub(super) const ENTRY: Entry<dyn Objective> = Entry {
    name: "byol",
    summary: "predicts a momentum teacher's view of the same sample; no negatives",
    source: "Grill et al. 2020, arXiv:2006.07733",
    defaults: list::defaults::<Byol>,
    make: |table| {
        let settings: Byol = list::parse(table)?;
        if !(0.0..=1.0).contains(&settings.momentum) {
            let given = settings.momentum;
            return Err(format!("momentum={given} must be in 0..=1"));
        }
        Ok(Box::new(settings))
    },
};

impl Objective for Byol {
    fn prepare(&mut self, _: &Facts) -> Vec<String> {
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        two_views()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let views = &batches[0].views;
        let learned = net.encode_views(views);
        let [first, second] = [0, 1].map(|view| {
            let scope = net.at("projector");
            let z = projector(&scope, learned[view].clone(), self.hidden, self.projection);
            let q = projector(&net.at("predictor"), z, self.hidden, self.projection);
            let taught = net.encode_by_teacher(views[view].clone());
            let scope = net.at("teacher.projector").frozen();
            (q, projector(&scope, taught, self.hidden, self.projection))
        });
        Loss {
            total: distance(first.0, second.1) + distance(second.0, first.1),
            parts: vec![],
            features: learned[0].clone(),
        }
    }

    fn after_init(&self, weights: &mut Weights) {
        for part in ["encoder", "projector"] {
            weights.follow(part, &format!("teacher.{part}"), 0.0);
        }
    }

    fn after_step(&self, weights: &mut Weights, progress: f64) {
        let left = (1.0 - self.momentum) * ((std::f64::consts::PI * progress).cos() + 1.0) / 2.0;
        for part in ["encoder", "projector"] {
            weights.follow(part, &format!("teacher.{part}"), 1.0 - left);
        }
    }
}

/// Mean of `2 − 2 cos`, `[1]`.
fn distance(prediction: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    let [n, _] = prediction.dims();
    let cosine = (l2_normalise(prediction) * l2_normalise(target)).sum() / n as f64;
    cosine * -2.0 + 2.0
}

#[cfg(test)]
mod tests {
    use crate::device::Device;

    use super::*;
    use crate::golden::{assert_close, fill, number, numbers};
    use crate::network::weights::{values, vector};

    #[test]
    fn agrees_with_pytorch() {
        let device = Device::cpu();
        let leaf = vector(fill(30, 0.3), &device).autodiff().require_grad();
        let target = vector(fill(30, 1.1), &device).reshape([6, 5]);
        let loss = distance(leaf.clone().reshape([6, 5]), target);
        let mut gradients = loss.backward();
        assert_close(
            "loss",
            &values(loss.inner()),
            &[number(&["byol", "loss"])],
            1e-6,
        );
        let gradient = values(leaf.grad_remove(&mut gradients).unwrap());
        assert_close("gradient", &gradient, &numbers(&["byol", "grad"]), 1e-5);
    }
}
