//! Multilayer perceptron for vectors and small images.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::Encoder;
use crate::dataset::Shape;
use crate::list::{self, Entry};
use crate::network::Scope;
use crate::network::blocks::dense_block;
use crate::network::layers::{flatten, linear_relu};

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

pub(super) const ENTRY: Entry<dyn Encoder> = Entry {
    name: "mlp",
    summary: "fully connected layers; images are flattened",
    source: "",
    defaults: list::defaults::<Mlp>,
    make: |table| Ok(Box::new(list::parse::<Mlp>(table)?)),
};

impl Encoder for Mlp {
    fn features(&self, scope: &Scope, x: Tensor<4>) -> Tensor<2> {
        let mut x = flatten(x);
        for i in 0..self.layers {
            x = match self.norm {
                true => dense_block(&scope.at(3 * i), &scope.at(3 * i + 1), x, self.width),
                false => linear_relu(&scope.at(2 * i), x, self.width),
            };
        }
        x
    }

    fn takes_any_size(&self, _: Shape) -> bool {
        false
    }

    fn problems(&self, _: Shape) -> Vec<String> {
        let mut problems = Vec::new();
        if self.width == 0 {
            problems.push("encoder.width must be at least 1".to_owned());
        }
        problems
    }
}
