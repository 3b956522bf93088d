//! BYOL: predict a momentum teacher's projection of the other view. No negatives.
//!
//! `loss = mean 2 − 2 cos(q(z_1), z̄_2) + 2 − 2 cos(q(z_2), z̄_1)` with z the projection, q the
//! predictor, and z̄ by the teacher, whose weights follow the learner's with momentum m
//! (Grill et al. 2020, arXiv:2006.07733, equations 1 to 3). m rises from its start to 1 on a
//! cosine.
//!
//! Projector and predictor have 512 hidden units and 128 outputs rather than 4096 and 256, for encoders of a few
//! hundred features.
//!
//! Each view goes through the networks as its own batch, so that batch statistics are of one
//! view, as in the paper.

use std::collections::BTreeMap;

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::list::{self, Configured, Entry};
use crate::nn::Weights;
use crate::objective::heads::{positive, projector};
use crate::objective::similarity::{
    LEAST_SPREAD, constant_projections, mean_cosine, projection_spread, symmetric,
};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, teacher, two_views};
use crate::optim::ema::Export;
use crate::warning::WarningKind;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Byol {
    /// m at the start, 0 ≤ m < 1. The paper's 0.996 is for runs of 100,000 steps and more; a
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

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "byol",
    summary: "predicts a momentum teacher's view of the same sample; no negatives",
    source: "Grill et al. 2020, arXiv:2006.07733",
    item: Configured {
        defaults: list::defaults::<Byol>,
        make: |table| {
            let settings: Byol = list::parse(table)?;
            let problems = [
                positive(&[
                    ("hidden", settings.hidden),
                    ("projection", settings.projection),
                ]),
                teacher::validate(settings.momentum),
            ];
            list::refuse(problems.concat())?;
            Ok(Box::new(settings))
        },
    },
};

const TAUGHT: [&str; 2] = ["encoder", "projector"];

impl Objective for Byol {
    fn prepare(&mut self, _: &DataSpec) -> Vec<String> {
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        two_views()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let views = &batches[0].views;
        let learned = net.encode_views(views);
        let dims = [self.hidden, self.projection];
        let pairs = [0, 1].map(|view| {
            let scope = net.at("projector");
            let z = projector(&scope, learned[view].clone(), &dims);
            let q = projector(&net.at("predictor"), z, &dims);
            let taught = net.encode_by_teacher(views[view].clone());
            let scope = net.at("teacher.projector").frozen();
            (q, projector(&scope, taught, &dims))
        });
        Loss {
            metrics: vec![("projection_spread", projection_spread(pairs[0].1.clone()))],
            ..Loss::of(distances(pairs), learned)
        }
    }

    fn exports(&self) -> &'static [Export] {
        teacher::EXPORTS
    }

    fn after_init(&self, weights: &mut Weights) {
        teacher::init_ema(weights, &TAUGHT);
    }

    fn after_step(&self, weights: &mut Weights, progress: f64) {
        teacher::update_ema(weights, &TAUGHT, self.momentum, progress);
    }

    fn diagnose(
        &self,
        values: &BTreeMap<String, f64>,
        progress: f64,
    ) -> Option<(WarningKind, String)> {
        let remedies = "lower train.learning_rate, or raise objective.momentum or train.batch_size";
        constant_projections(values, progress, LEAST_SPREAD, remedies)
    }
}

/// The loss, of the prediction and the teacher's projection of each of two views.
fn distances(views: [(Tensor<2>, Tensor<2>); 2]) -> Tensor<1> {
    symmetric(views, distance)
}

/// Mean of `2 − 2 cos`, `[1]`.
fn distance(prediction: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    mean_cosine(prediction, target) * -2.0 + 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{check_loss, matrix};

    #[test]
    fn agrees_with_pytorch() {
        let target = matrix([6, 5], 1.1);
        check_loss("byol", [6, 5], |q| distance(q, target.clone()));
    }

    #[test]
    fn each_view_predicts_the_teachers_of_the_other() {
        check_loss("byol_views", [12, 5], |predictions| {
            let [first, second] = [0, 6].map(|at| predictions.clone().narrow(0, at, 6));
            let [of_first, of_second] = [1.1, 2.3].map(|phase| matrix([6, 5], phase));
            distances([(first, of_first), (second, of_second)])
        });
    }
}
