//! The encoder and the weights of one pass, as an objective sees them.

use burn_tensor::Tensor;

use crate::device::Device;
use crate::encoder::Encoder;
use crate::network::{Pass, Scope, Weight};
use crate::train::optimizer::Gradients;

/// The encoder and the weights of one pass.
pub struct Net<'a> {
    encoder: &'a dyn Encoder,
    pass: &'a Pass<'a>,
}

impl<'a> Net<'a> {
    /// The encoder, with the weights of `pass`.
    pub fn new(encoder: &'a dyn Encoder, pass: &'a Pass<'a>) -> Self {
        Net { encoder, pass }
    }

    /// The place of a head, such as `projector`.
    pub fn at(&self, name: &str) -> Scope<'_> {
        self.pass.at(name)
    }

    /// The device that tensors must be on.
    pub fn device(&self) -> &Device {
        self.pass.device()
    }

    /// Features `[n, d]` of samples `[n, c, h, w]`.
    pub fn encode(&self, x: Tensor<4>) -> Tensor<2> {
        self.encoder.features(&self.pass.at("encoder"), x)
    }

    /// Features of several views, each its own batch for batch normalisation.
    pub fn encode_views(&self, views: &[Tensor<4>]) -> Vec<Tensor<2>> {
        views.iter().map(|x| self.encode(x.clone())).collect()
    }

    /// Features by the momentum teacher's copy of the encoder: no gradients, no cost of them.
    pub fn encode_by_teacher(&self, x: Tensor<4>) -> Tensor<2> {
        let scope = self.pass.at("teacher.encoder").frozen();
        self.encoder.features(&scope, x)
    }

    /// Gradients of `loss` by the names of the tracked weights.
    pub fn gradients(&self, loss: &Tensor<1>) -> Gradients {
        let mut found = loss.backward();
        let weights = self.pass.weights().iter();
        let gradient = |(name, weight): (&str, &Weight)| {
            Some((name.to_owned(), weight.value.grad_remove(&mut found)?))
        };
        weights.filter_map(gradient).collect()
    }
}
