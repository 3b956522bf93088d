//! SimSiam: predict the projection of the other view, which gets no gradient. No negatives and no
//! teacher.
//!
//! `loss = −½ mean cos(q(z_1), sg z_2) − ½ mean cos(q(z_2), sg z_1)` with z the projection, q the
//! predictor and sg a stop of the gradient (Chen & He 2021, arXiv:2011.10566, equation 3).
//!
//! The projector ends in a batch normalisation without gain and bias, and the predictor is a
//! bottleneck of a quarter of its width, as in the authors' code. Its width is 512 rather than 2048,
//! which goes with encoders smaller than ResNet-50. The predictor's learning rate falls with the others', which the
//! paper also has; the authors' later runs hold it, for which an update group would need two rates.

use std::collections::BTreeMap;

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::list::{self, Configured, Entry};
use crate::nn::layers::perceptron;
use crate::objective::heads::{positive, standardised_projector};
use crate::objective::similarity::{
    LEAST_CENTRED_SPREAD, constant_projections, mean_cosine, projection_spread, symmetric,
};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, two_views};
use crate::warning::WarningKind;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SimSiam {
    /// Hidden units of the projector.
    hidden: usize,
    /// Dimensions of the projection.
    projection: usize,
}

impl Default for SimSiam {
    fn default() -> Self {
        SimSiam {
            hidden: 512,
            projection: 512,
        }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "simsiam",
    summary: "predicts the other view, which gets no gradient; no negatives, no teacher",
    source: "Chen & He 2021, arXiv:2011.10566",
    item: Configured {
        defaults: list::defaults::<SimSiam>,
        make: |table| {
            let settings: SimSiam = list::parse(table)?;
            list::refuse(positive(&[
                ("hidden", settings.hidden),
                ("projection", settings.projection),
            ]))?;
            Ok(Box::new(settings))
        },
    },
};

impl Objective for SimSiam {
    fn prepare(&mut self, _: &DataSpec) -> Vec<String> {
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        two_views()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let learned = net.encode_views(&batches[0].views);
        let dims = [self.hidden, self.hidden, self.projection];
        let views = [0, 1].map(|view| {
            let features = learned[view].clone();
            let z = standardised_projector(&net.at("projector"), features, &dims);
            let bottleneck = (self.projection / 4).max(1);
            let q = perceptron(
                &net.at("predictor"),
                z.clone(),
                &[bottleneck, self.projection],
                true,
            );
            (q, net.constant(z))
        });
        Loss {
            metrics: vec![("projection_spread", projection_spread(views[0].1.clone()))],
            ..Loss::of(disagreement(views), learned)
        }
    }

    fn diagnose(
        &self,
        values: &BTreeMap<String, f64>,
        progress: f64,
    ) -> Option<(WarningKind, String)> {
        let remedies = "lower train.learning_rate, or raise train.batch_size or train.warmup";
        constant_projections(values, progress, LEAST_CENTRED_SPREAD, remedies)
    }
}

/// The loss, of the prediction and the projection of each of two views.
fn disagreement(views: [(Tensor<2>, Tensor<2>); 2]) -> Tensor<1> {
    symmetric(views, mean_cosine) * -0.5
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{check_loss, matrix};

    #[test]
    fn agrees_with_lightly() {
        check_loss("simsiam", [12, 5], |predictions| {
            let [first, second] = [0, 6].map(|at| predictions.clone().narrow(0, at, 6));
            let [of_first, of_second] = [1.1, 0.5].map(|phase| matrix([6, 5], phase));
            disagreement([(first, of_first), (second, of_second)])
        });
    }
}
