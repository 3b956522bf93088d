//! From latents to samples.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::dataset::Shape;
use crate::encoder::axes;
use crate::nn::Scope;
use crate::nn::blocks::{Conv, Residual, Shortcut, Unit, residual_blocks};
use crate::nn::layers::{conv, linear, perceptron};
use crate::nn::maps::Maps;
use crate::objective::DataSpec;
use crate::objective::heads::{must, positive};

/// What decoders are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// `cnn` for images, `mlp` for vectors.
    Auto,
    /// Fully connected layers.
    Mlp,
    /// A small map, made twice as large again and again, a convolution after each time.
    Cnn,
    /// The same with a residual block of two convolutions after each time.
    Resnet,
}

/// A decoder and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Decoder {
    /// `mlp`, `cnn`, `resnet`, or `auto`: cnn for images.
    decoder: Kind,
    /// Channels of the last block of a cnn or resnet; each one before has twice as many.
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
    pub(super) fn validate(&self) -> Vec<String> {
        let (width, units) = (self.decoder_width, self.decoder_units);
        let problems = [
            must(width > 1, || {
                format!("decoder_width={width} must be at least 2")
            }),
            positive(&[("decoder_units", units)]),
        ];
        problems.concat()
    }

    /// For one shape of data; why it cannot draw it.
    pub(super) fn prepare(&mut self, spec: &DataSpec) -> Option<String> {
        self.shape = spec.shape;
        let vectors = matches!(spec.shape, Shape::Vector { .. });
        let name = match self.decoder {
            Kind::Cnn => "cnn",
            Kind::Resnet => "resnet",
            Kind::Auto | Kind::Mlp => return None,
        };
        vectors.then(|| {
            format!("objective.decoder={name} draws images, and these are vectors; set mlp or auto")
        })
    }

    /// The layer that takes the latents, in the decoder `scope`.
    pub(super) fn first(&self, scope: &str) -> String {
        let layer = match (self.decoder, self.shape) {
            (Kind::Mlp, _) | (_, Shape::Vector { .. }) => "0",
            (Kind::Cnn | Kind::Auto | Kind::Resnet, _) => "linear",
        };
        format!("{scope}.{layer}")
    }

    /// Outputs `[n, channels, height, width]` for latents `[n, d]`, without bounds.
    pub(super) fn outputs(&self, scope: &Scope, z: Tensor<2>) -> Tensor<4> {
        let axes = axes(z.dims()[0], self.shape);
        match (self.decoder, self.shape) {
            (Kind::Mlp, _) | (_, Shape::Vector { .. }) => {
                let mut dims = vec![self.decoder_units; self.decoder_layers];
                dims.push(axes[1..].iter().product());
                perceptron(scope, z, &dims, false).reshape(axes)
            }
            (Kind::Cnn | Kind::Auto, _) => self.grown(scope, z, axes, plain_block),
            (Kind::Resnet, _) => self.grown(scope, z, axes, residual_block),
        }
    }

    /// Images `[n, channels, height, width]`: a linear layer to a small map, then nearest-neighbour
    /// upsampling (which leaves no checkerboard, Odena et al. 2016, doi:10.23915/distill.00003) and a block to
    /// half as many channels, until they are large enough, then a last convolution.
    fn grown<'a>(
        &self,
        scope: &Scope<'a>,
        z: Tensor<2>,
        axes: [usize; 4],
        block: impl Fn(&Scope<'a>, usize, usize) -> Residual<Unit<'a>>,
    ) -> Tensor<4> {
        let [n, channels, height, width] = axes;
        let sizes = sizes([height, width]);
        let stages = sizes.len() - 1;
        let out = |stage: usize| self.decoder_width << (stages - stage);
        let [h, w] = sizes[0];
        let map = linear(&scope.at("linear"), z, out(0) * h * w, true);
        let mut x = Maps::from_images(scope, map.reshape([n, out(0), h, w]));
        for (stage, &size) in sizes.iter().enumerate().skip(1) {
            let block = block(scope, stage - 1, out(stage));
            x = residual_blocks(vec![block], x.upsample(size));
        }
        let drawn = conv(&scope.at("out"), x, channels, 3);
        drawn.into_images().reshape(axes)
    }
}

/// From the map that a decoder begins with to the image, each twice as large: at least two times, and the
/// first of at most 8 pixels a side.
fn sizes(image: [usize; 2]) -> Vec<[usize; 2]> {
    let mut sizes = vec![image];
    let mut size = image;
    while sizes.len() < 3 || size[0].max(size[1]) > 8 {
        size = size.map(|side| side.div_ceil(2));
        sizes.push(size);
    }
    sizes.reverse();
    sizes
}

/// A convolution to `out` channels, normalised, with a ReLU if `relu`.
fn unit<'a>(conv: Scope<'a>, norm: Scope<'a>, out: usize, kernel: usize, relu: bool) -> Unit<'a> {
    let block = Conv {
        out,
        kernel,
        stride: 1,
        groups: 1,
        relu,
    };
    Unit { conv, norm, block }
}

/// One convolution with a ReLU.
fn plain_block<'a>(scope: &Scope<'a>, i: usize, out: usize) -> Residual<Unit<'a>> {
    let (conv, norm) = (scope.at(format!("conv{i}")), scope.at(format!("bn{i}")));
    Residual::plain(unit(conv, norm, out, 3, true))
}

/// Two convolutions and a projection around them, as in a residual network's stages.
fn residual_block<'a>(scope: &Scope<'a>, i: usize, out: usize) -> Residual<Unit<'a>> {
    let scope = scope.at(format!("block{i}"));
    let place = |name: &str| scope.at(name);
    let around = unit(place("downsample.0"), place("downsample.1"), out, 1, false);
    Residual {
        branch: vec![
            unit(place("conv1"), place("bn1"), out, 3, true),
            unit(place("conv2"), place("bn2"), out, 3, true),
        ],
        shortcut: Shortcut::Project(around),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_doubled_from_at_most_eight_pixels_to_the_image() {
        assert_eq!(sizes([28, 28]), [[7, 7], [14, 14], [28, 28]]);
        assert_eq!(sizes([9, 5]), [[3, 2], [5, 3], [9, 5]]);
        assert_eq!(sizes([224, 64]).first(), Some(&[7, 2]));
        assert_eq!(sizes([224, 64]).len(), 6);
    }
}
