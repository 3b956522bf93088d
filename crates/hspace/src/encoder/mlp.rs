//! Multilayer perceptron for vectors and small images.

use std::ops::Range;

use burn_tensor::activation::sigmoid;
use serde::{Deserialize, Serialize};

use super::{Encoder, Features, Perceptron, Stage};
use crate::dataset::Shape;
use crate::list::{self, Configured, Entry};
use crate::nn::Scope;
use crate::nn::blocks::dense_block;
use crate::nn::layers::{linear, linear_relu};

/// Linear, batch normalisation if wanted, ReLU or logistic function; `layers` times.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Mlp {
    /// Units of each hidden layer.
    width: usize,
    /// Number of hidden layers; the last one's output is the feature vector. 0: the values themselves,
    /// for linear autoencoders and classifiers.
    layers: usize,
    /// Units of each hidden layer, from the first on, where they are not `layers` times `width`.
    units: Vec<usize>,
    /// Whether layers are normalised over the batch.
    norm: bool,
    /// `relu`, or `sigmoid`, which is not normalised.
    activation: Activation,
}

/// What follows a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// max(0, x).
    Relu,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
}

impl Mlp {
    fn sizes(&self) -> Vec<usize> {
        match self.units.is_empty() {
            true => vec![self.width; self.layers],
            false => self.units.clone(),
        }
    }
}

impl Default for Mlp {
    fn default() -> Self {
        Mlp {
            width: 512,
            layers: 3,
            units: vec![],
            norm: true,
            activation: Activation::Relu,
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
        (0..self.sizes().len()).map(stage).collect()
    }

    fn forward(&self, scope: &Scope, x: Features, stages: Range<usize>) -> Features {
        let (mut x, sizes) = (x.pooled(), self.sizes());
        for i in stages {
            x = match (self.norm, self.activation) {
                (true, _) => dense_block(&scope.at(3 * i), &scope.at(3 * i + 1), x, sizes[i]),
                (false, Activation::Relu) => linear_relu(&scope.at(2 * i), x, sizes[i]),
                (false, Activation::Sigmoid) => {
                    sigmoid(linear(&scope.at(2 * i), x, sizes[i], true))
                }
            };
        }
        Features::Vector(x)
    }

    fn perceptron(&self) -> Option<Perceptron> {
        Some(Perceptron {
            units: self.sizes(),
            norm: self.norm,
            activation: self.activation,
        })
    }

    fn takes_any_size(&self, _: Shape) -> bool {
        false
    }

    fn validate(&self, _: Shape) -> Vec<String> {
        let mut problems = Vec::new();
        if self.width == 0 {
            problems.push("encoder.width must be at least 1".to_owned());
        }
        if self.units.contains(&0) {
            problems.push("encoder.units must be at least 1 each".to_owned());
        }
        if self.norm && self.activation == Activation::Sigmoid {
            problems.push("encoder.activation=sigmoid: set encoder.norm=false too".to_owned());
        }
        problems
    }
}
