//! Multilayer perceptron for vectors and small images.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Encoder, Features, Stage};
use crate::dataset::Shape;
use crate::list::{self, Configured, Entry};
use crate::network::Scope;
use crate::network::blocks::dense_block;
use crate::network::layers::linear_relu;

/// Linear, batch normalisation if wanted, ReLU; `layers` times.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Mlp {
    /// Units of each hidden layer.
    width: usize,
    /// Number of hidden layers; the last one's output is the feature vector. 0: the values themselves,
    /// for linear autoencoders and classifiers.
    layers: usize,
    /// Whether layers are normalised over the batch.
    norm: bool,
}

impl Default for Mlp {
    fn default() -> Self {
        Mlp {
            width: 512,
            layers: 3,
            norm: true,
        }
    }
}

pub(super) const ENTRY: Entry<Configured<dyn Encoder>> = Entry {
    name: "mlp",
    summary: "fully connected layers; images are flattened",
    source: "",
    item: Configured {
        defaults: list::defaults::<Mlp>,
        make: |table| Ok(Box::new(list::parse::<Mlp>(table)?)),
    },
};

impl Encoder for Mlp {
    fn stages(&self, _: Shape) -> Vec<Stage> {
        let stage = |i: usize| match self.norm {
            true => Stage::new(&[&(3 * i).to_string(), &(3 * i + 1).to_string()], 1),
            false => Stage::new(&[&(2 * i).to_string()], 1),
        };
        (0..self.layers).map(stage).collect()
    }

    fn forward(&self, scope: &Scope, x: Features, stages: Range<usize>) -> Features {
        let mut x = x.pooled();
        for i in stages {
            x = match self.norm {
                true => dense_block(&scope.at(3 * i), &scope.at(3 * i + 1), x, self.width),
                false => linear_relu(&scope.at(2 * i), x, self.width),
            };
        }
        Features::Vector(x)
    }

    fn takes_any_size(&self, _: Shape) -> bool {
        false
    }

    fn validate(&self, _: Shape) -> Vec<String> {
        let mut problems = Vec::new();
        if self.width == 0 {
            problems.push("encoder.width must be at least 1".to_owned());
        }
        problems
    }
}
