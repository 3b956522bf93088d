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
use burn_tensor::activation::{relu, sigmoid, softplus};
use serde::{Deserialize, Serialize};

use super::layers::{self, Layer, Samples};
use crate::encoder::{Activation, Encoder};
use crate::list::{self, Configured, Entry};
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
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            corruption: vec![0.1, 0.2, 0.3],
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
            ];
            list::refuse(problems.concat())?;
            let samples = Samples::default();
            Ok(Box::new(StackedAutoencoder { settings, samples }))
        },
    },
};

/// The cost `[n]` of outputs `[n, d]` for values `x [n, d]`: a cross entropy where they are in 0..1, else half a squared distance.
fn cost(outputs: Tensor<2>, x: Tensor<2>, in_0_1: bool) -> Tensor<1> {
    sum_columns(match in_0_1 {
        true => softplus(outputs.clone(), 1.0) - x * outputs,
        false => (outputs - x).powi_scalar(2) * 0.5,
    })
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

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let x = batches[0].views[0].clone();
        let perceptron = net.perceptron();
        let layer = layers::at(&perceptron, net.progress());
        let mut all = self.samples.each(net, &x, "decoder").into_iter();
        let Layer {
            weights,
            bias,
            shift,
        } = all.nth(layer).expect("it has that layer");
        let input = self.samples.below(net, &x, layer);
        let corruption = &self.settings.corruption;
        let share = corruption[layer.min(corruption.len() - 1)];
        let kept = net.kept(&format!("corruption {layer}"), input.dims(), 1.0 - share);
        let code = (input.clone() * kept).matmul(weights.clone().transpose()) + bias;
        let activation = perceptron.activation;
        let code = match activation {
            Activation::Sigmoid => sigmoid(code),
            Activation::Relu => relu(code),
        };
        let in_0_1 = match layer {
            0 => self.samples.is_images(),
            _ => activation == Activation::Sigmoid,
        };
        let total = cost(code.clone().matmul(weights) + shift, input, in_0_1);
        Loss {
            metrics: vec![("layer", Tensor::full([1], layer as f64, net.device()))],
            ..Loss::of(total.mean(), vec![code])
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
                cost(outputs, x.clone(), in_0_1).mean()
            });
        }
    }
}
