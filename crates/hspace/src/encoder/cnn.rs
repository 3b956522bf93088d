//! A small convolutional network: four blocks, each halving the image and doubling the channels.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Encoder, Features, Stage, image_problems};
use crate::dataset::Shape;
use crate::list::{self, Configured, Entry};
use crate::nn::Scope;
use crate::nn::blocks::{Conv, Residual, Shortcut, Unit, residual_blocks};

/// 3×3 convolution, batch normalisation, ReLU; four times with `width`, 2, 4 and 8 `width`
/// channels; then the mean over the image: `8 width` features.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Cnn {
    /// Channels of the first block.
    width: usize,
}

impl Default for Cnn {
    fn default() -> Self {
        Cnn { width: 32 }
    }
}

const BLOCKS: usize = 4;

pub(super) const ENTRY: Entry<Configured<dyn Encoder>> = Entry {
    name: "cnn",
    summary: "four convolution blocks for small images",
    source: "",
    item: Configured {
        defaults: list::defaults::<Cnn>,
        make: |table| Ok(Box::new(list::parse::<Cnn>(table)?)),
    },
};

impl Encoder for Cnn {
    fn stages(&self, _: Shape) -> Vec<Stage> {
        let stage = |i| Stage::new(&[&format!("conv{i}"), &format!("bn{i}")], 2);
        (0..BLOCKS).map(stage).collect()
    }

    fn forward(&self, scope: &Scope, x: Features, stages: Range<usize>) -> Features {
        if stages.is_empty() {
            return x;
        }
        let units = stages.map(|i| Unit {
            conv: scope.at(format!("conv{i}")),
            norm: scope.at(format!("bn{i}")),
            block: Conv {
                out: self.width << i,
                kernel: 3,
                stride: 2,
                groups: 1,
                relu: true,
            },
        });
        let blocks = Residual {
            branch: units.collect(),
            shortcut: Shortcut::Nothing,
        };
        Features::Maps(residual_blocks(vec![blocks], x.into_maps(scope)))
    }

    fn validate(&self, shape: Shape) -> Vec<String> {
        let mut problems = image_problems("cnn", shape, 8);
        if self.width == 0 {
            problems.push("encoder.width must be at least 1".to_owned());
        }
        problems
    }
}
