//! The layers of a perceptron, trained one after the other: which learns when, and what it sees.

use burn_tensor::Tensor;
use burn_tensor::activation::relu;

use crate::dataset::Shape;
use crate::encoder::{Activation, Encoder, Perceptron};
use crate::nn::layers::flatten;
use crate::nn::tied::{HiddenUnit, TiedLayer, logistic};
use crate::nn::weights::vector;
use crate::nn::{Init, Scope};
use crate::objective::heads::must;
use crate::objective::likelihood::plain;
use crate::objective::{DataSpec, Net, UpdateGroup};

/// Share of the training samples that is held out where there is no val split.
pub(super) const HELD_OUT: f64 = 0.02;

/// What is wrong with that share.
pub(super) fn validate_held_out(held_out: f64) -> Vec<String> {
    must((0.0..1.0).contains(&held_out), || {
        format!("held_out={held_out} must be at least 0 and below 1")
    })
}

/// The name of what was measured of a layer.
pub(super) fn named(layer: usize, what: &str) -> String {
    format!("layer{layer}_{what}")
}

/// A tensor's one value.
pub(super) fn number(x: Tensor<1>) -> f64 {
    f64::from(x.inner().into_scalar::<f32>())
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
    pub fn each(&self, net: &Net, x: &Tensor<4>, extra: &str) -> Vec<TiedLayer> {
        let layers = net.perceptron();
        let mut below: usize = x.dims()[1..].iter().product();
        let mut found = Vec::new();
        for (layer, &units) in layers.units.iter().enumerate() {
            let scope = net.at("encoder").at(layers.place(layer));
            let init = Init::UniformFanIn(below);
            let zero = Init::Constant(0.0);
            found.push(TiedLayer {
                weights: scope.weight("weight", [units, below], init),
                bias: scope.weight("bias", [units], init),
                shift: net.at(extra).at(layer).weight("bias", [below], zero),
                normalisation: (layer == 0 && self.is_images)
                    .then(|| self.normalisation(net, below)),
            });
            below = units;
        }
        found
    }

    /// What `layer` sees of samples `x` as the encoder takes them, `[n, below]`: what the `layers` below give, or the samples in their own units,
    /// images in 0..1. No gradient flows through it.
    pub fn below(&self, net: &Net, layers: &[TiedLayer], x: &Tensor<4>, layer: usize) -> Tensor<2> {
        if layer == 0 && self.is_images {
            return flatten(plain(x.clone(), &self.mean, &self.std, true));
        }
        let (scope, unit) = (net.at("encoder"), unit(net));
        let mut seen = flatten(x.clone());
        for layer in &layers[..layer] {
            // The samples are normalised already.
            let layer = TiedLayer {
                normalisation: None,
                ..layer.detached()
            };
            seen = activated(&scope, layer.inputs(&scope, seen), unit);
        }
        seen
    }

    /// Mean and deviation by which each number of a sample is normalised for the encoder, `[numbers]`.
    fn normalisation(&self, net: &Net, numbers: usize) -> [Tensor<1>; 2] {
        let each = numbers / self.mean.len().max(1);
        [&self.mean, &self.std].map(|of_channel| {
            let all = of_channel.iter().flat_map(|&x| vec![x; each]).collect();
            vector(all, net.device())
        })
    }
}

/// What hidden units of the encoder are.
pub(super) fn unit(net: &Net) -> HiddenUnit {
    match net.perceptron().activation {
        Activation::Sigmoid => HiddenUnit::Logistic,
        Activation::Relu => HiddenUnit::Rectified,
    }
}

/// Hidden units of the inputs `[n, units]`, through which no gradient flows.
pub(super) fn activated(scope: &Scope, inputs: Tensor<2>, unit: HiddenUnit) -> Tensor<2> {
    match unit {
        HiddenUnit::Logistic => logistic(scope, inputs),
        HiddenUnit::Rectified => relu(inputs.detach()),
    }
}
