//! An encoder whose features are the coordinates of a latent space: a linear map of another's.
//!
//! Variational and other autoencoders give a representation a shape of its own; what is embedded and
//! probed is then the code (the mean of the posterior), not the layer before it. The map's weights are
//! at `latent` next to the trunk's.

use std::ops::Range;

use burn_tensor::Tensor;

use super::{Encoder, Features, Patches, Stage};
use crate::dataset::Shape;
use crate::nn::layers::linear;
use crate::nn::{Scope, Weight, Weights};

/// Where the map's weights are.
const NAME: &str = "latent";

/// `trunk`, then a linear map to `dims` coordinates.
pub struct Latent {
    trunk: Box<dyn Encoder>,
    dims: usize,
}

/// `encoder` with so many latents after it; as it is for 0.
pub fn with_latents(encoder: Box<dyn Encoder>, dims: usize) -> Box<dyn Encoder> {
    match dims {
        0 => encoder,
        _ => Box::new(Latent {
            trunk: encoder,
            dims,
        }),
    }
}

/// Coordinates `[n, dims]` of the trunk's features `[n, d]`; `scope` is the encoder's.
pub fn coordinates(scope: &Scope, features: Tensor<2>, dims: usize) -> Tensor<2> {
    linear(&scope.at(NAME), features, dims, true)
}

/// Gives weights from elsewhere, which know no latent space, the `fresh` ones of it where `encoder` has
/// one.
pub fn complete(encoder: &dyn Encoder, weights: &mut Weights, fresh: &Weights) {
    if encoder.trunk().is_some() && weights.under(NAME).iter().next().is_none() {
        weights.extend(fresh.under(NAME).prefixed(NAME));
    }
}

/// Whether weights from elsewhere may lack that name, since it is of a latent space.
pub fn is_optional(encoder: &dyn Encoder, name: &str) -> bool {
    encoder.trunk().is_some() && name.split('.').next() == Some(NAME)
}

impl Encoder for Latent {
    fn stages(&self, shape: Shape) -> Vec<Stage> {
        self.trunk.stages(shape)
    }

    fn forward(&self, scope: &Scope, x: Features, stages: Range<usize>) -> Features {
        self.trunk.forward(scope, x, stages)
    }

    fn pool(&self, scope: &Scope, x: Features) -> Tensor<2> {
        coordinates(scope, self.trunk.pool(scope, x), self.dims)
    }

    fn trunk(&self) -> Option<&dyn Encoder> {
        Some(&*self.trunk)
    }

    fn patches(&self) -> Option<&dyn Patches> {
        self.trunk.patches()
    }

    fn adapt(&self, name: &str, found: &Weight, wanted: &[usize]) -> Option<Weight> {
        self.trunk.adapt(name, found, wanted)
    }

    fn takes_any_size(&self, shape: Shape) -> bool {
        self.trunk.takes_any_size(shape)
    }

    fn validate(&self, shape: Shape) -> Vec<String> {
        self.trunk.validate(shape)
    }
}
