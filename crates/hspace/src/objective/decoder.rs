//! From latents to samples.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::Facts;
use super::heads::decode;
use crate::dataset::Shape;
use crate::encoder::axes;
use crate::network::Scope;
use crate::network::layers::perceptron;

/// What decoders are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// `cnn` for images, `mlp` for vectors.
    Auto,
    /// Fully connected layers.
    Mlp,
    /// A small map, made larger twice with convolutions after each time.
    Cnn,
}

/// A decoder and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Decoder {
    /// `mlp`, `cnn`, or `auto`: cnn for images.
    decoder: Kind,
    /// Channels of the last block of a cnn; the one before has twice as many.
    decoder_width: usize,
    /// Units of each layer of an mlp.
    decoder_units: usize,
    /// Layers of an mlp before the last.
    decoder_layers: usize,
    #[serde(skip, default = "nothing")]
    shape: Shape,
}

fn nothing() -> Shape {
    Shape::Vector { dim: 0 }
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder {
            decoder: Kind::Auto,
            decoder_width: 16,
            decoder_units: 256,
            decoder_layers: 2,
            shape: nothing(),
        }
    }
}

impl Decoder {
    pub(super) fn problem(&self) -> Option<String> {
        if self.decoder_width < 2 {
            return Some(format!(
                "decoder_width={} must be at least 2",
                self.decoder_width
            ));
        }
        (self.decoder_units == 0).then(|| "decoder_units=0 must be at least 1".to_owned())
    }

    /// For one shape of data; why it cannot draw it.
    pub(super) fn prepare(&mut self, facts: &Facts) -> Option<String> {
        self.shape = facts.shape;
        let vectors = matches!(facts.shape, Shape::Vector { .. });
        (vectors && self.decoder == Kind::Cnn).then(|| {
            "objective.decoder=cnn draws images, and these are vectors; set mlp or auto".to_owned()
        })
    }

    /// Outputs `[n, channels, height, width]` for latents `[n, d]`, without bounds.
    pub(super) fn outputs(&self, scope: &Scope, z: Tensor<2>) -> Tensor<4> {
        let shape = self.shape;
        let cnn = match (self.decoder, shape) {
            (Kind::Mlp, _) | (Kind::Auto, Shape::Vector { .. }) => false,
            (Kind::Cnn, _) | (Kind::Auto, Shape::Image { .. }) => true,
        };
        if cnn {
            return decode(scope, z, shape, self.decoder_width);
        }
        let axes = axes(z.dims()[0], shape);
        let mut dims = vec![self.decoder_units; self.decoder_layers];
        dims.push(axes[1..].iter().product());
        perceptron(scope, z, &dims, false).reshape(axes)
    }
}
