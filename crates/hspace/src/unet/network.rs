//! Encoder and decoder as one function.

use burn_tensor::Tensor;

use crate::dataset::Shape;
use crate::device::Device;
use crate::encoder::grid::{places, size_after};
use crate::encoder::{Encoder, Features, axes, blank};
use crate::nn::blocks::{Conv, Residual, Shortcut, Unit, residual_blocks};
use crate::nn::layers::conv;
use crate::nn::maps::Maps;
use crate::nn::{Mode, Pass, Scope, Weights};

/// Channels of the decoder at most.
const WIDEST: usize = 256;

/// An encoder with a decoder after it. Weights are under `encoder` and `decoder`.
#[derive(Clone, Copy)]
pub(crate) struct UNet<'a> {
    /// The encoder, and the shape of its input.
    pub encoder: &'a dyn Encoder,
    pub shape: Shape,
    /// Stages of it that are used: the last has maps.
    pub depth: usize,
    /// Channels of the decoder at the image's size.
    pub width: usize,
    /// Number of classes.
    pub classes: usize,
}

impl UNet<'_> {
    /// Height and width of the images, and of the logits.
    pub fn size(&self) -> [usize; 2] {
        let [_, _, height, width] = axes(1, self.shape);
        [height, width]
    }

    /// The weights of the encoder, which are under `encoder`, and fresh ones of the decoder.
    pub fn with_decoder(&self, mut encoder: Weights, seed: u64, device: &Device) -> Weights {
        let fresh = device.run(|| {
            let pass = Pass::new(&encoder, Mode::Init(seed), device);
            self.logits(&pass, blank(2, self.shape, device));
            pass.into_fresh()
        });
        encoder.extend(fresh);
        encoder
    }

    /// Logits `[n, classes, h, w]` of images `[n, c, h, w]`.
    pub fn logits(&self, pass: &Pass, images: Tensor<4>) -> Tensor<4> {
        let decoder = pass.at("decoder");
        let mut skips = self.skips(&pass.at("encoder"), images);
        let mut x = skips.pop().expect("the images are the first");
        for (level, size) in levels(self.size(), size(&x)) {
            x = x.upsample(size);
            while skips
                .last()
                .is_some_and(|skip| is_within(self::size(skip), size))
            {
                let skip = skips.pop().expect("it is there");
                if self::size(&skip) == size {
                    x = x.concat(skip);
                }
            }
            x = block(
                &decoder.at(format!("level{level}")),
                x,
                self.channels(level),
            );
        }
        conv(&decoder.at("out"), x, self.classes, 1).into_images()
    }

    /// Channels of the decoder at the image's size halved `level` times.
    fn channels(&self, level: usize) -> usize {
        let wide = self.width.saturating_mul(1 << level.min(16));
        wide.min(self.width.max(WIDEST))
    }

    /// The images, and the encoder's maps, the last ones of each size, each smaller than the one before.
    fn skips(&self, scope: &Scope, images: Tensor<4>) -> Vec<Maps> {
        let stages = self.encoder.stages(self.shape);
        let mut skips = vec![Maps::from_images(scope, images.clone())];
        let mut x = Features::Samples(images);
        for place in 0..self.depth {
            x = self.encoder.forward(scope, x, place..place + 1);
            let found = match &x {
                Features::Maps(maps) => Some(maps.clone()),
                other => {
                    let grid = places(other.clone(), size_after(self.shape, &stages[..=place]));
                    grid.map(|grid| Maps::from_images(scope, grid.permute([0, 3, 1, 2])))
                }
            };
            let Some(found) = found else { continue };
            while skips
                .last()
                .is_some_and(|skip| is_within(size(skip), size(&found)))
            {
                skips.pop();
            }
            skips.push(found);
        }
        skips
    }
}

/// Height and width.
fn size(maps: &Maps) -> [usize; 2] {
    let [_, _, height, width] = maps.dims();
    [height, width]
}

/// Whether neither side is larger.
fn is_within(own: [usize; 2], other: [usize; 2]) -> bool {
    own[0] <= other[0] && own[1] <= other[1]
}

/// From maps of the size `from` to the `image`, the sizes of the decoder: each half of the next one, and how often the image is halved there. At
/// least the image itself.
fn levels(image: [usize; 2], from: [usize; 2]) -> Vec<(usize, [usize; 2])> {
    let mut sizes = vec![(0, image)];
    let mut size = image;
    for level in 1.. {
        size = size.map(|side| side.div_ceil(2));
        if is_within(size, from) {
            break;
        }
        sizes.push((level, size));
    }
    sizes.reverse();
    sizes
}

/// Two convolutions to `out` channels, each with batch normalisation and ReLU.
fn block(scope: &Scope, x: Maps, out: usize) -> Maps {
    let unit = |i: usize| Unit {
        conv: scope.at(format!("conv{i}")),
        norm: scope.at(format!("bn{i}")),
        block: Conv {
            out,
            kernel: 3,
            stride: 1,
            groups: 1,
            relu: true,
        },
    };
    let branch = vec![unit(0), unit(1)];
    let shortcut = Shortcut::Nothing;
    residual_blocks(vec![Residual { branch, shortcut }], x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder;

    #[test]
    fn levels_double_up_to_the_image() {
        assert_eq!(
            levels([24, 24], [2, 2]),
            [(3, [3, 3]), (2, [6, 6]), (1, [12, 12]), (0, [24, 24])]
        );
        assert_eq!(levels([9, 20], [3, 5]), [(1, [5, 10]), (0, [9, 20])]);
        // Patches of 14 pixels: no half of the image is as large as their grid.
        assert_eq!(levels([224, 224], [16, 16])[0], (3, [28, 28]));
        assert_eq!(levels([8, 8], [8, 8]), [(0, [8, 8])]);
    }

    #[test]
    fn logits_are_as_large_as_the_image_after_every_kind_of_encoder() {
        let device = Device::cpu();
        for (name, settings, size) in [
            ("cnn", "width = 4", [24, 20]),
            ("resnet18", "width = 4", [24, 24]),
            ("resnet18", "width = 4\nstem = 'imagenet'", [40, 33]),
            ("vit_tiny", "width = 16\ndepth = 2\npatch = 4", [24, 24]),
        ] {
            let encoder = encoder::make(name, settings.parse().unwrap()).unwrap();
            let [height, width] = size;
            let shape = Shape::Image {
                channels: 3,
                height,
                width,
            };
            let network = UNet {
                encoder: &*encoder,
                shape,
                depth: encoder.stages(shape).len(),
                width: 4,
                classes: 5,
            };
            let (weights, _) = encoder::init(&*encoder, shape, 0, &device);
            let weights = network.with_decoder(weights.prefixed("encoder"), 1, &device);
            let pass = Pass::new(&weights, Mode::Eval, &device);
            let logits = network.logits(&pass, blank(2, shape, &device));
            assert_eq!(logits.dims(), [2, 5, height, width], "{name}");
            assert!(weights.get("decoder.out.weight").is_some());
        }
    }
}
