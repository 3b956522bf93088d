//! The layers of a perceptron, trained one after the other: which learns when, and what it sees.

use burn_tensor::{Tensor, TensorData};

use crate::dataset::Shape;
use crate::encoder::{Encoder, Perceptron};
use crate::nn::Init;
use crate::nn::layers::flatten;
use crate::objective::heads::must;
use crate::objective::likelihood::plain;
use crate::objective::{DataSpec, Net, UpdateGroup};

/// A layer, whose inputs are `W v + b`.
pub(super) struct Layer {
    /// W, `[units, below]`.
    pub weights: Tensor<2>,
    /// b, `[1, units]`.
    pub bias: Tensor<2>,
    /// What is added when the layer below is restored, `[1, below]`.
    pub shift: Tensor<2>,
}

/// What is wrong with an encoder for `objective`.
pub(super) fn validate(encoder: &dyn Encoder, objective: &str) -> Vec<String> {
    let layers = encoder.perceptron();
    must(
        layers.is_some_and(|layers| !layers.norm && !layers.units.is_empty()),
        || {
            format!(
                "objective `{objective}` trains the layers of a perceptron without batch normalisation one after the other; use --encoder mlp with \
             encoder.norm=false"
            )
        },
    )
}

/// The layer that learns at `progress`.
pub(super) fn at(layers: &Perceptron, progress: f64) -> usize {
    let count = layers.units.len();
    ((progress * count as f64) as usize).min(count - 1)
}

/// The group of the layer that learns at `progress`: the encoder's, and what is under `extra`, followed by its number.
///
/// # Panics
/// If the encoder is no perceptron.
pub(super) fn group(encoder: &dyn Encoder, progress: f64, extra: &str) -> UpdateGroup {
    let layers = encoder.perceptron().expect("a perceptron was asked for");
    let (layer, count) = (at(&layers, progress), layers.units.len() as f64);
    let prefixes = [
        format!("encoder.{}", layers.place(layer)),
        format!("{extra}.{layer}"),
    ];
    UpdateGroup {
        phase: [layer, layer + 1].map(|i| i as f64 / count),
        ..UpdateGroup::of(&format!("layer{layer}"), &prefixes.each_ref().map(|p| &**p))
    }
}

/// The samples that the layers of a perceptron learn from.
#[derive(Default)]
pub(super) struct Samples {
    is_images: bool,
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl Samples {
    pub fn prepare(&mut self, spec: &DataSpec) {
        self.is_images = matches!(spec.shape, Shape::Image { .. });
        (self.mean, self.std) = (spec.mean.clone(), spec.std.clone());
    }

    /// Whether samples are images, whose values are in 0..1.
    pub fn is_images(&self) -> bool {
        self.is_images
    }

    /// Every layer, of samples like `x`, with what is added to what it sees when that is restored: `bias` under `extra`. All are looked up at
    /// once, so that all are made before the first learns.
    pub fn each(&self, net: &Net, x: &Tensor<4>, extra: &str) -> Vec<Layer> {
        let layers = net.perceptron();
        let mut below: usize = x.dims()[1..].iter().product();
        let mut found = Vec::new();
        for (layer, &units) in layers.units.iter().enumerate() {
            let scope = net.at("encoder").at(layers.place(layer));
            let init = Init::UniformFanIn(below);
            let mut weights: Tensor<2> = scope.weight("weight", [units, below], init);
            let bias: Tensor<1> = scope.weight("bias", [units], init);
            let mut bias: Tensor<2> = bias.unsqueeze();
            if layer == 0 {
                let [mean, std] = self.units(net, below);
                weights = weights / std;
                bias = bias - mean.matmul(weights.clone().transpose());
            }
            let shift: Tensor<1> =
                net.at(extra)
                    .at(layer)
                    .weight("bias", [below], Init::Constant(0.0));
            found.push(Layer {
                weights,
                bias,
                shift: shift.unsqueeze(),
            });
            below = units;
        }
        found
    }

    /// What `layer` sees of samples `x` as the encoder takes them, `[n, below]`: the layer below, or the samples in their own units, images in
    /// 0..1.
    pub fn below(&self, net: &Net, x: &Tensor<4>, layer: usize) -> Tensor<2> {
        match layer {
            0 if self.is_images => flatten(plain(x.clone(), &self.mean, &self.std, true)),
            0 => flatten(x.clone()),
            _ => net.encode_stages(flatten(x.clone()), 0..layer),
        }
    }

    /// Mean and deviation by which each number of a sample is normalised for the encoder, `[1, numbers]`.
    fn units(&self, net: &Net, numbers: usize) -> [Tensor<2>; 2] {
        let row = |values: &[f32], of_vectors: f32| {
            let all = match self.is_images {
                true => {
                    let each = numbers / values.len();
                    values.iter().flat_map(|&x| vec![x; each]).collect()
                }
                false => vec![of_vectors; numbers],
            };
            Tensor::from_data(TensorData::new(all, [1, numbers]), net.device())
        };
        [row(&self.mean, 0.0), row(&self.std, 1.0)]
    }
}
