//! Optimizers: formulas on flat weights.

use std::collections::BTreeMap;

use burn_tensor::Tensor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::network::Weights;
use crate::network::update::{self, Adam, Momentum};
use crate::network::weights::values;

/// Gradients by the name of their weight.
pub type Gradients = BTreeMap<String, Tensor<1>>;

/// The update rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101);
    /// β = (0.9, 0.999), ε = 1e-8.
    AdamW,
    /// Stochastic gradient descent with momentum, the decay added to the gradient, as in PyTorch.
    Sgd,
    /// Layer-wise adaptive rates (You et al. 2017, arXiv:1708.03888) with trust coefficient
    /// 0.001; biases and normalisation are neither scaled nor decayed, as SimCLR and BYOL do.
    Lars,
}

/// An update rule with its constants.
#[derive(Clone, Copy, Debug)]
pub struct Optimizer {
    /// The rule.
    pub rule: Rule,
    /// Decay of matrices and kernels.
    pub weight_decay: f64,
    /// Momentum of SGD and LARS.
    pub momentum: f64,
}

/// What an optimizer remembers: moments by weight name, one or two of them each.
#[derive(Clone, Default)]
pub struct OptimizerState {
    /// Number of updates made.
    pub updates: u64,
    /// The moments.
    pub moments: BTreeMap<String, Vec<Tensor<1>>>,
}

impl Optimizer {
    /// Moves the weights that have a gradient.
    pub fn step(
        &self,
        weights: &mut Weights,
        gradients: Gradients,
        state: &mut OptimizerState,
        learning_rate: f64,
    ) {
        state.updates += 1;
        let updates = state.updates;
        // Weights do not see one another.
        let own = gradients.into_iter().map(|(name, gradient)| {
            let weight = weights.remove(&name).expect("gradients are of weights");
            let moments = state.moments.remove(&name).unwrap_or_default();
            (name, weight, gradient, moments)
        });
        let own: Vec<_> = own.collect();
        let moved: Vec<_> = own
            .into_par_iter()
            .with_max_len(1)
            .map(|(name, mut weight, gradient, moments)| {
                let decays = weight.decays();
                let (value, moments) = self.moved(
                    weight.value,
                    decays,
                    gradient,
                    moments,
                    updates,
                    learning_rate,
                );
                weight.value = value;
                (name, weight, moments)
            })
            .collect();
        for (name, weight, moments) in moved {
            weights.insert(name.clone(), weight);
            state.moments.insert(name, moments);
        }
    }

    /// A weight's values and moments after an update.
    fn moved(
        &self,
        value: Tensor<1>,
        decays: bool,
        gradient: Tensor<1>,
        mut moments: Vec<Tensor<1>>,
        updates: u64,
        learning_rate: f64,
    ) -> (Tensor<1>, Vec<Tensor<1>>) {
        let decay = if decays { self.weight_decay } else { 0.0 };
        let fresh = || gradient.zeros_like();
        if self.rule == Rule::AdamW {
            let square = moments.pop().unwrap_or_else(fresh);
            let mean = moments.pop().unwrap_or_else(fresh);
            const BETA: [f64; 2] = [0.9, 0.999];
            let correct = BETA.map(|beta| 1.0 - beta.powf(updates as f64));
            let by = Adam {
                keep: BETA,
                shrink: 1.0 - learning_rate * decay,
                rate: learning_rate / correct[0],
                correction: 1.0 / correct[1],
                epsilon: 1e-8,
            };
            let (value, mean, square) = update::adam(&by, value, gradient, mean, square);
            return (value, vec![mean, square]);
        }
        let velocity = moments.pop().unwrap_or_else(fresh);
        let (scale, rate) = match self.rule {
            Rule::Lars if decays => (learning_rate * trust(&value, &gradient, decay), 1.0),
            Rule::Lars => (learning_rate, 1.0),
            _ => (1.0, learning_rate),
        };
        let by = Momentum {
            momentum: self.momentum,
            scale,
            decay,
            rate,
        };
        let (value, velocity) = update::momentum(&by, value, gradient, velocity);
        (value, vec![velocity])
    }
}

/// 0.001 ‖w‖ / ‖g‖ with g the gradient plus `decay` w, or 1 where either is zero.
fn trust(value: &Tensor<1>, gradient: &Tensor<1>, decay: f64) -> f64 {
    let direction = &(gradient.clone() + value.clone() * decay);
    let norm = |x: &Tensor<1>| f64::from((x.clone() * x.clone()).sum().into_scalar::<f32>()).sqrt();
    match (norm(value), norm(direction)) {
        (w, g) if w > 0.0 && g > 0.0 => 0.001 * w / g,
        _ => 1.0,
    }
}

/// Length of all gradients together; scales them down to `limit` if it is longer and not 0.
pub fn clip(gradients: &mut Gradients, limit: f64) -> f64 {
    let square = |g: &Tensor<1>| f64::from((g.clone() * g.clone()).sum().into_scalar::<f32>());
    let norm = gradients.values().map(square).sum::<f64>().sqrt();
    if limit > 0.0 && norm > limit {
        for gradient in gradients.values_mut() {
            *gradient = gradient.clone() * (limit / norm);
        }
    }
    norm
}

/// Mean of several micro-batches' gradients.
pub fn mean(mut parts: Vec<Gradients>) -> Gradients {
    let n = parts.len();
    let mut sum = parts.pop().unwrap_or_default();
    for part in parts {
        for (name, gradient) in part {
            match sum.remove(&name) {
                Some(other) => sum.insert(name, other + gradient),
                None => sum.insert(name, gradient),
            };
        }
    }
    if n > 1 {
        sum.values_mut().for_each(|g| *g = g.clone() / n as f64);
    }
    sum
}

/// Whether every value of every weight is a finite number.
pub fn finite(weights: &Weights) -> bool {
    let sum = |w: &crate::network::Weight| values(w.value.clone().sum())[0];
    weights.iter().all(|(_, weight)| sum(weight).is_finite())
}

#[cfg(test)]
mod tests {
    use crate::device::Device;

    use super::*;
    use crate::golden::{assert_close, numbers};
    use crate::network::Weight;
    use crate::network::weights::vector;

    /// Three steps of each rule on `w = (1, −2)`, shape [2, 1], with gradient `(0.5, 0.25) · k`
    /// at step k.
    #[test]
    fn rules_agree_with_pytorch() {
        let device = Device::cpu();
        let expected = [
            (Rule::AdamW, numbers(&["optimizers", "adamw"])),
            (Rule::Sgd, numbers(&["optimizers", "sgd"])),
        ];
        for (rule, expected) in expected {
            let mut weights = Weights::default();
            let weight = Weight {
                value: vector(vec![1.0, -2.0], &device),
                shape: vec![2, 1],
                trained: true,
            };
            weights.insert("w".into(), weight);
            let optimizer = Optimizer {
                rule,
                weight_decay: 0.01,
                momentum: 0.9,
            };
            let mut state = OptimizerState::default();
            for k in 1..=3 {
                let gradient = vector(vec![0.5 * k as f32, 0.25 * k as f32], &device);
                let gradients = Gradients::from([("w".to_owned(), gradient)]);
                optimizer.step(&mut weights, gradients, &mut state, 0.1);
            }
            let got = values(weights.get("w").unwrap().value.clone());
            assert_close(&format!("{rule:?}"), &got, &expected, 1e-6);
        }
    }

    /// On a matrix w with gradient g and no decay: w − lr · 0.001 ‖w‖/‖g‖ · g.
    #[test]
    fn lars_scales_by_the_ratio_of_lengths() {
        let device = Device::cpu();
        let mut weights = Weights::default();
        for (name, shape) in [("w", vec![2, 1]), ("b", vec![2])] {
            let value = vector(vec![3.0, 4.0], &device);
            let weight = Weight {
                value,
                shape,
                trained: true,
            };
            weights.insert(name.into(), weight);
        }
        let optimizer = Optimizer {
            rule: Rule::Lars,
            weight_decay: 0.0,
            momentum: 0.9,
        };
        let gradient = || vector(vec![0.0, 0.5], &device);
        let gradients = ["w", "b"].map(|name| (name.to_owned(), gradient()));
        let mut state = OptimizerState::default();
        optimizer.step(&mut weights, Gradients::from(gradients), &mut state, 2.0);
        let value = |name| values(weights.get(name).unwrap().value.clone());
        assert_close(
            "matrix",
            &value("w"),
            &[3.0, 4.0 - 2.0 * 0.001 * 10.0 * 0.5],
            1e-6,
        );
        assert_close("bias", &value("b"), &[3.0, 3.0], 1e-6);
    }

    #[test]
    fn clipping_keeps_the_direction() {
        let device = Device::cpu();
        let gradient = |v: &[f32]| vector(v.to_vec(), &device);
        let mut gradients = Gradients::from([
            ("a".to_owned(), gradient(&[3.0, 0.0])),
            ("b".to_owned(), gradient(&[4.0])),
        ]);
        assert_eq!(clip(&mut gradients, 1.0), 5.0);
        assert_eq!(values(gradients["b"].clone()), [0.8]);
        let length = clip(&mut gradients, 0.0);
        assert!((length - 1.0).abs() < 1e-6, "{length}");
    }
}
