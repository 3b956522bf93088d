//! Stacked denoising autoencoders: each layer learns to restore what the layer below gave, from a corrupted version of it.
//!
//! With x the layer's input, x̃ the same with a share of its values set to 0, `h = f(W x̃ + b)` and `y = Wᵀ h + c` the loss is the cross entropy of
//! x and the logistic function of y where x is in 0..1 (samples that are images, and layers that end in the logistic function), and
//! `½ ‖x − y‖²` otherwise, a sum over values and a mean over samples (Vincent et al. 2010, JMLR 11, equations 3 to 5, section 3). Each layer has an
//! equal share of the training, with warm-up and decay of its own, and sees the layers below as they are by then, uncorrupted.
//!
//! It teaches `mlp` with `encoder.norm=false`, with `encoder.activation=sigmoid` as in the paper. Fine-tuned is by `finetune:RUN` or `--init-from`.
//!
//! Deviation: AdamW in place of plain stochastic gradient descent (`train.optimizer=sgd`, `train.momentum=0` as there).

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::layers::{self, Samples};
use crate::device::Device;
use crate::encoder::Encoder;
use crate::list::{self, Configured, Entry};
use crate::nn::cross_entropy::cross_entropy;
use crate::nn::tied::HiddenUnit;
use crate::objective::heads::{must, share};
use crate::objective::variational::latent::sum_columns;
use crate::objective::{
    Batch, DataSpec, Loss, Net, Objective, Stream, Subset, UpdateGroup, ViewKind,
};

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Share of the values that are set to 0, of each layer's input, 0..=1; the last one is that of all above.
    corruption: Vec<f64>,
    /// Share of the training samples that is held out where there is no val split, 0..1; their reconstruction shows overfitting.
    held_out: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            corruption: vec![0.1, 0.2, 0.3],
            held_out: layers::HELD_OUT,
        }
    }
}

struct StackedAutoencoder {
    settings: Settings,
    samples: Samples,
}

const NAME: &str = "stacked_autoencoder";

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: NAME,
    summary: "greedy layer-wise: each layer of a perceptron restores what was taken from the one below",
    source: "Vincent et al. 2010, JMLR 11",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let shares = settings.corruption.iter();
            let problems = [
                shares.flat_map(|&x| share("corruption", x)).collect(),
                must(!settings.corruption.is_empty(), || {
                    "corruption=[] must have at least one number".to_owned()
                }),
                layers::validate_held_out(settings.held_out),
            ];
            list::refuse(problems.concat())?;
            let samples = Samples::default();
            Ok(Box::new(StackedAutoencoder { settings, samples }))
        },
    },
};

/// The cost `[n]` of outputs `[n, d]` for values `x [n, d]`: a cross entropy where they are in 0..1, else half a squared distance.
fn cost(device: &Device, outputs: Tensor<2>, x: Tensor<2>, in_0_1: bool) -> Tensor<1> {
    match in_0_1 {
        true => -cross_entropy(device, outputs, x),
        false => sum_columns((outputs - x).powi_scalar(2) * 0.5),
    }
}

impl StackedAutoencoder {
    /// Code `[n, units]` of `layer`, without its gradient, and cost `[n]` for samples `x`.
    fn cost(&self, net: &Net, x: &Tensor<4>, layer: usize) -> (Tensor<2>, Tensor<1>) {
        let layers = self.samples.each(net, x, "decoder");
        let input = self.samples.below(net, &layers, x, layer);
        let corruption = &self.settings.corruption;
        let share = corruption[layer.min(corruption.len() - 1)];
        let kept = net.kept(&format!("corruption {layer}"), input.dims(), 1.0 - share);
        let (scope, unit) = (net.at("encoder"), layers::unit(net));
        let [code, outputs] = layers[layer].autoencoder(&scope, input.clone() * kept, unit);
        let in_0_1 = match layer {
            0 => self.samples.is_images(),
            _ => unit == HiddenUnit::Logistic,
        };
        (code, cost(net.device(), outputs, input, in_0_1))
    }
}

impl Objective for StackedAutoencoder {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.samples.prepare(spec);
        vec![]
    }

    fn validate(&self, encoder: &dyn Encoder, _: &DataSpec) -> Vec<String> {
        layers::validate(encoder, NAME)
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::new(Subset::All, vec![ViewKind::Plain])]
    }

    fn update_groups(&self, progress: f64, encoder: &dyn Encoder) -> Vec<UpdateGroup> {
        vec![layers::group(encoder, progress, "decoder")]
    }

    fn held_out(&self) -> f64 {
        self.settings.held_out
    }

    /// The cost of restoring corrupted samples, the same values of them set to 0 in each epoch.
    fn measure_held_out(&self, net: &Net, x: &Tensor<4>) -> Vec<(String, f64)> {
        let layer = layers::at(&net.perceptron(), net.progress());
        let (_, cost) = self.cost(net, x, layer);
        vec![(
            layers::named(layer, "reconstruction"),
            layers::number(cost.mean()),
        )]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let x = batches[0].views[0].clone();
        let layer = layers::at(&net.perceptron(), net.progress());
        let (code, cost) = self.cost(net, &x, layer);
        Loss {
            metrics: vec![("layer", Tensor::full([1], layer as f64, net.device()))],
            ..Loss::of(cost.mean(), vec![code])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{check_loss, matrix};

    #[test]
    fn costs_agree_with_pytorch() {
        let x = (matrix([6, 4], 1.1) + 1.0) * 0.5;
        for (name, in_0_1) in [("restored", true), ("restored_numbers", false)] {
            check_loss(name, [6, 4], |outputs| {
                cost(&Device::cpu(), outputs, x.clone(), in_0_1).mean()
            });
        }
    }
}
