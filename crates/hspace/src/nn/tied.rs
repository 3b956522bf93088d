//! Layers that are used both ways, by a matrix and its transpose: autoencoders with tied weights, restricted Boltzmann machines.
//!
//! On the CPU each function is one operation of our kernels, elsewhere a composition of burn's.

use burn_tensor::Tensor;
use burn_tensor::activation::{relu, sigmoid};

use super::{Scope, kernels};

/// The function f of hidden units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HiddenUnit {
    /// σ(x).
    Logistic,
    /// max(0, x).
    Rectified,
}

/// A layer `x Wᵀ + b` of which `h W` leads back. Weights are those of an encoder, which takes what is below normalised: `(x − mean) / scale`.
#[derive(Clone)]
pub(crate) struct TiedLayer {
    /// W, `[units, below]`.
    pub weights: Tensor<2>,
    /// b, `[units]`.
    pub bias: Tensor<1>,
    /// c, what is added below, `[below]`.
    pub shift: Tensor<1>,
    /// Mean and scale of what is below, `[below]` each, where it is normalised.
    pub normalisation: Option<[Tensor<1>; 2]>,
}

impl TiedLayer {
    /// What is below, `[n, below]`, as W takes it.
    fn normalised(&self, x: Tensor<2>) -> Tensor<2> {
        match &self.normalisation {
            Some([mean, scale]) => {
                (x - mean.clone().unsqueeze()) * scale.clone().recip().unsqueeze()
            }
            None => x,
        }
    }

    /// `x Wᵀ + b` of `x [n, below]`: `[n, units]`.
    pub fn inputs(&self, scope: &Scope, x: Tensor<2>) -> Tensor<2> {
        let (weights, bias) = (self.weights.clone(), Some(self.bias.clone()));
        super::layers::affine(scope, self.normalised(x), weights, bias, None, None)
    }

    /// [`TiedLayer::inputs`] that are known already: `inputs`, now with the gradients of W and b.
    pub fn known_inputs(&self, scope: &Scope, x: Tensor<2>, inputs: Tensor<2>) -> Tensor<2> {
        match scope.device().kernels() {
            Some(on) => {
                let x = self.normalised(x);
                kernels::known_linear(on, x, self.weights.clone(), self.bias.clone(), inputs)
            }
            None => self.inputs(scope, x),
        }
    }

    /// The same layer, whose weights no gradient flows to.
    pub fn detached(&self) -> TiedLayer {
        TiedLayer {
            weights: self.weights.clone().detach(),
            bias: self.bias.clone().detach(),
            shift: self.shift.clone().detach(),
            normalisation: self.normalisation.clone(),
        }
    }

    /// `x · c` of rows `x [n, below]`: `[n]`.
    pub fn shift_product(&self, scope: &Scope, x: Tensor<2>) -> Tensor<1> {
        let [n, _] = x.dims();
        let shift = self.shift.clone().unsqueeze();
        super::layers::affine(scope, x, shift, None, None, None).reshape([n])
    }

    /// What hidden units `h [n, units]` say of what is below, `h W + c` where that is not normalised: `[n, below]`. No gradient flows through it.
    pub fn below(&self, scope: &Scope, h: Tensor<2>) -> Tensor<2> {
        let this = self.detached();
        let units = this.weights.dims()[0];
        scope.count(h.dims()[0] * this.weights.shape().num_elements());
        debug_assert_eq!(h.dims()[1], units);
        let scale = this.inverse_scale();
        if let Some(on) = scope.device().kernels() {
            return kernels::visible(on, h, this.weights, scale.as_ref(), this.shift);
        }
        this.led_back(h.detach(), scale)
    }

    /// Hidden units `h = f(x Wᵀ + b)`, without their gradient, and what they say of what is below: `[n, units]` and `[n, below]`.
    pub fn autoencoder(&self, scope: &Scope, x: Tensor<2>, unit: HiddenUnit) -> [Tensor<2>; 2] {
        let x = self.normalised(x).detach();
        let scale = self.inverse_scale();
        if let Some(on) = scope.device().kernels() {
            let [units, below] = self.weights.dims();
            scope.count(2 * x.dims()[0] * units * below);
            let weights = self.weights.clone().reshape([units * below]);
            let all = [weights, self.bias.clone(), self.shift.clone()];
            return kernels::autoencoder(on, x, all, scale.as_ref(), unit);
        }
        let inputs = super::layers::affine(
            scope,
            x,
            self.weights.clone(),
            Some(self.bias.clone()),
            None,
            None,
        );
        let h = match unit {
            HiddenUnit::Logistic => sigmoid(inputs),
            HiddenUnit::Rectified => relu(inputs),
        };
        [h.clone().detach(), self.led_back(h, scale)]
    }

    /// What results below are multiplied by: x has W's columns divided by its scale.
    fn inverse_scale(&self) -> Option<Tensor<1>> {
        let [_, scale] = self.normalisation.as_ref()?;
        Some(scale.clone().recip())
    }

    fn led_back(&self, h: Tensor<2>, scale: Option<Tensor<1>>) -> Tensor<2> {
        let y = h.matmul(self.weights.clone());
        let y = match scale {
            Some(scale) => y * scale.unsqueeze(),
            None => y,
        };
        y + self.shift.clone().unsqueeze()
    }
}

/// σ(x) of `x [n, d]`, through which no gradient flows.
pub(crate) fn logistic(scope: &Scope, x: Tensor<2>) -> Tensor<2> {
    match scope.device().kernels() {
        Some(on) => kernels::logistic(on, x.detach()),
        None => sigmoid(x.detach()),
    }
}

#[cfg(test)]
mod tests {
    use hspace_kernels::Machine;

    use super::*;
    use crate::device::Device;
    use crate::golden::noise;
    use crate::nn::weights::values;
    use crate::nn::{Mode, Pass, Weights};

    fn layer(normalised: bool) -> TiedLayer {
        let tracked = |shape: usize, phase| noise([shape], phase).autodiff().require_grad();
        let positive = |phase: f64| noise([11], phase).abs() + 0.5;
        TiedLayer {
            weights: noise([7, 11], 0.1).autodiff().require_grad(),
            bias: tracked(7, 0.2),
            shift: tracked(11, 0.3),
            normalisation: normalised.then(|| [noise([11], 0.7), positive(0.8)]),
        }
    }

    /// Values and gradients of `of`, by our kernels and by burn's operations.
    fn agree(what: &str, normalised: bool, of: impl Fn(&TiedLayer, &Scope) -> Vec<Tensor<2>>) {
        let run = |on: Option<Machine>| {
            let (none, device) = (Weights::default(), Device::cpu_with(on));
            let pass = Pass::new(&none, Mode::Train, &device);
            let layer = layer(normalised);
            let found = of(&layer, &pass.at("layer"));
            let last = found.last().expect("a result").clone();
            let loss = (last.clone() * noise(last.dims(), 0.5)).sum();
            let mut gradients = loss.backward();
            let mut all: Vec<f32> = found.into_iter().flat_map(|x| values(x.inner())).collect();
            let weights = layer.weights.grad_remove(&mut gradients);
            all.extend(values(weights.expect("a gradient of W")));
            for of in [layer.bias, layer.shift] {
                all.extend(of.grad_remove(&mut gradients).map_or(vec![], values));
            }
            all
        };
        let (ours, burns) = (run(Some(Machine::best())), run(None));
        assert_eq!(ours.len(), burns.len(), "{what}");
        for (ours, burns) in ours.iter().zip(burns) {
            let off = (ours - burns).abs();
            assert!(off <= 2e-6 * (1.0 + burns.abs()), "{what}: {ours}, {burns}");
        }
    }

    #[test]
    fn our_kernels_agree_with_burns() {
        let x = || noise([5, 11], 0.4).abs();
        for normalised in [false, true] {
            for unit in [HiddenUnit::Logistic, HiddenUnit::Rectified] {
                agree("autoencoder", normalised, |layer, scope| {
                    layer.autoencoder(scope, x(), unit).to_vec()
                });
            }
            agree("known inputs", normalised, |layer, scope| {
                let known = layer.detached().inputs(scope, x());
                vec![layer.known_inputs(scope, x(), known)]
            });
            agree("down and up", normalised, |layer, scope| {
                let h = logistic(scope, layer.inputs(scope, x()));
                let below = layer.below(scope, h.clone());
                vec![h, below.clone(), layer.inputs(scope, below)]
            });
            agree("product with the shift", normalised, |layer, scope| {
                let both = layer.shift_product(scope, x()).unsqueeze::<2>();
                vec![layer.inputs(scope, x()).sum_dim(1).transpose() + both]
            });
        }
    }

    /// What normalised inputs give with W is what inputs as they are give with W divided by their scale.
    #[test]
    fn normalisation_is_a_change_of_weights() {
        let (none, device) = (Weights::default(), Device::cpu());
        let pass = Pass::new(&none, Mode::Train, &device);
        let scope = pass.at("layer");
        let own = layer(true).detached();
        let [mean, scale] = own.normalisation.clone().expect("it has one");
        let weights = own.weights.clone() / scale.unsqueeze();
        let moved = mean.unsqueeze::<2>().matmul(weights.clone().transpose());
        let plain = TiedLayer {
            bias: own.bias.clone() - moved.reshape([7]),
            weights,
            normalisation: None,
            ..own.clone()
        };
        let x = noise([5, 11], 0.4);
        for unit in [HiddenUnit::Logistic, HiddenUnit::Rectified] {
            let found = own.autoencoder(&scope, x.clone(), unit);
            let expected = plain.autoencoder(&scope, x.clone(), unit);
            for (found, expected) in found.into_iter().zip(expected) {
                for (a, b) in values(found).iter().zip(values(expected)) {
                    assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "{a} is not {b}");
                }
            }
        }
    }
}
