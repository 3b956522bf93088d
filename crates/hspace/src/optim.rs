//! Optimizers: formulas on flat weights.

pub mod ema;
pub mod schedule;

use std::collections::BTreeMap;

use burn_tensor::Tensor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::device::on_cpu;
use crate::nn::update::{self, Adam, Momentum};
use crate::nn::weights::values;
use crate::nn::{Weight, Weights};

/// Gradients by the name of their weight.
pub type Gradients = BTreeMap<String, Tensor<1>>;

/// The update rule.
///
/// ```
/// use hspace::config::TrainSettings;
/// use hspace::optim::Rule;
///
/// let settings: TrainSettings = hspace::list::parse("optimizer = 'lars'".parse()?)?;
/// assert_eq!(settings.optimizer, Rule::Lars);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101);
    /// β = (0.9, 0.999), ε = 1e-8.
    AdamW,
    /// Stochastic gradient descent with momentum, the decay added to the gradient, as in PyTorch.
    Sgd,
    /// Layer-wise adaptive rates (You et al. 2017, arXiv:1708.03888) with trust coefficient
    /// 0.001, in the form of SimCLR's code: lengths are compared after the decay was added to the gradient, the rate is
    /// in the velocity, and biases and normalisation are neither scaled nor decayed.
    Lars,
}

/// An update rule with its constants.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::embed::to_matrix;
/// use hspace::nn::{Weight, Weights};
/// use hspace::optim::{Gradients, Optimizer, OptimizerState, Rule};
///
/// let number = |x: f32| Tensor::<1>::from_floats([x], &Device::cpu());
/// let mut weights = Weights::default();
/// weights.insert("bias".into(), Weight { value: number(1.0), shape: vec![1], trained: true });
///
/// let sgd = Optimizer { rule: Rule::Sgd, weight_decay: 0.0, momentum: 0.0 };
/// let gradients = Gradients::from([("bias".to_owned(), number(2.0))]);
/// sgd.step(&mut weights, gradients, &mut OptimizerState::new(), |_| 0.1);
/// let value = weights.get("bias").expect("it is there").value.clone();
/// assert!((to_matrix(value.unsqueeze()).data[0] - 0.8).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Optimizer {
    /// The rule.
    pub rule: Rule,
    /// Decay of matrices and kernels.
    pub weight_decay: f64,
    /// Momentum of SGD and LARS.
    pub momentum: f64,
}

/// What an optimizer remembers, by weight name.
pub type OptimizerState = BTreeMap<String, WeightState>;

/// What an optimizer remembers of a weight.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::nn::{Weight, Weights};
/// use hspace::optim::{Gradients, Optimizer, OptimizerState, Rule};
///
/// let number = |x: f32| Tensor::<1>::from_floats([x], &Device::cpu());
/// let mut weights = Weights::default();
/// weights.insert("bias".into(), Weight { value: number(1.0), shape: vec![1], trained: true });
/// let adam = Optimizer { rule: Rule::AdamW, weight_decay: 0.0, momentum: 0.0 };
/// let mut state = OptimizerState::new();
/// for _ in 0..3 {
///     let gradients = Gradients::from([("bias".to_owned(), number(2.0))]);
///     adam.step(&mut weights, gradients, &mut state, |_| 0.1);
/// }
/// assert_eq!((state["bias"].updates, state["bias"].moments.len()), (3, 2));
/// ```
#[derive(Clone, Default)]
pub struct WeightState {
    /// Number of updates made: fewer than steps, if it was not trained from the first on.
    pub updates: u64,
    /// The moments, one or two of them.
    pub moments: Vec<Tensor<1>>,
}

impl Optimizer {
    /// Moves the weights that have a gradient, each at the learning rate of its name.
    pub fn step(
        &self,
        weights: &mut Weights,
        gradients: Gradients,
        state: &mut OptimizerState,
        learning_rate: impl Fn(&str) -> f64 + Sync,
    ) {
        let own = gradients.into_iter().map(|(name, gradient)| {
            let weight = weights.remove(&name).expect("gradients are of weights");
            let past = state.remove(&name).unwrap_or_default();
            (name, weight, gradient, past)
        });
        let own: Vec<_> = own.collect();
        let step =
            |(name, mut weight, gradient, mut past): (String, Weight, Tensor<1>, WeightState)| {
                let decays = weight.decays();
                let rate = learning_rate(&name);
                weight.value = self.moved(weight.value, decays, gradient, &mut past, rate);
                (name, weight, past)
            };
        // Weights do not see one another.
        let on_cpu = own
            .iter()
            .all(|(_, weight, ..)| on_cpu(&weight.value.device()));
        for (name, weight, past) in each(own, on_cpu, step) {
            weights.insert(name.clone(), weight);
            state.insert(name, past);
        }
    }

    /// A weight's values after an update, which becomes part of its past.
    fn moved(
        &self,
        value: Tensor<1>,
        decays: bool,
        gradient: Tensor<1>,
        past: &mut WeightState,
        learning_rate: f64,
    ) -> Tensor<1> {
        past.updates += 1;
        let decay = if decays { self.weight_decay } else { 0.0 };
        let fresh = || gradient.zeros_like();
        if self.rule == Rule::AdamW {
            let square = past.moments.pop().unwrap_or_else(fresh);
            let mean = past.moments.pop().unwrap_or_else(fresh);
            const BETA: [f64; 2] = [0.9, 0.999];
            let correct = BETA.map(|beta| 1.0 - beta.powf(past.updates as f64));
            let by = Adam {
                keep: BETA,
                shrink: 1.0 - learning_rate * decay,
                rate: learning_rate / correct[0],
                correction: 1.0 / correct[1],
                epsilon: 1e-8,
            };
            let (value, mean, square) = update::adam(&by, value, gradient, mean, square);
            past.moments = vec![mean, square];
            return value;
        }
        let velocity = past.moments.pop().unwrap_or_else(fresh);
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
        past.moments = vec![velocity];
        value
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

/// What `of` makes of each, on all threads; but a GPU is asked by one ([`crate::device::Device::run`]).
fn each<T: Send, U: Send>(all: Vec<T>, on_cpu: bool, of: impl Fn(T) -> U + Sync + Send) -> Vec<U> {
    match on_cpu {
        true => all.into_par_iter().with_max_len(1).map(of).collect(),
        false => all.into_iter().map(of).collect(),
    }
}

/// Length of all gradients together; scales them down to `limit` if it is longer and not 0.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::optim::{Gradients, clip};
///
/// let vector = Tensor::<1>::from_floats([3.0, 4.0], &Device::cpu());
/// let mut gradients = Gradients::from([("bias".to_owned(), vector)]);
/// assert!((clip(&mut gradients, 1.0) - 5.0).abs() < 1e-6);
/// assert!((clip(&mut gradients, 0.0) - 1.0).abs() < 1e-5); // 0 is no limit.
/// ```
pub fn clip(gradients: &mut Gradients, limit: f64) -> f64 {
    let square = |g: &Tensor<1>| f64::from((g.clone() * g.clone()).sum().into_scalar::<f32>());
    let all: Vec<&Tensor<1>> = gradients.values().collect();
    let on_cpu = all.iter().all(|g| on_cpu(&g.device()));
    let norm = each(all, on_cpu, square).iter().sum::<f64>().sqrt();
    if limit > 0.0 && norm > limit {
        for gradient in gradients.values_mut() {
            *gradient = gradient.clone() * (limit / norm);
        }
    }
    norm
}

/// Mean of several micro-batches' gradients.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::embed::to_matrix;
/// use hspace::optim::{Gradients, mean};
///
/// let of = |x: f32| Gradients::from([("bias".to_owned(), Tensor::<1>::from_floats([x], &Device::cpu()))]);
/// let found = mean(vec![of(1.0), of(3.0)])["bias"].clone();
/// assert_eq!(to_matrix(found.unsqueeze()).data, [2.0]);
/// ```
pub fn mean(parts: Vec<Gradients>) -> Gradients {
    let n = parts.len();
    let mut sum = sum(parts);
    if n > 1 {
        sum.values_mut().for_each(|g| *g = g.clone() / n as f64);
    }
    sum
}

/// Sum of several gradients; a weight may be missing in some.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::embed::to_matrix;
/// use hspace::optim::{Gradients, sum};
///
/// let of = |name: &str, x: f32| Gradients::from([(name.to_owned(), Tensor::<1>::from_floats([x], &Device::cpu()))]);
/// let found = sum(vec![of("a", 1.0), of("a", 3.0), of("b", 5.0)]);
/// assert_eq!(to_matrix(found["a"].clone().unsqueeze()).data, [4.0]);
/// assert_eq!(found.len(), 2);
/// ```
pub fn sum(mut parts: Vec<Gradients>) -> Gradients {
    let mut sum = parts.pop().unwrap_or_default();
    for part in parts {
        for (name, gradient) in part {
            match sum.remove(&name) {
                Some(other) => sum.insert(name, other + gradient),
                None => sum.insert(name, gradient),
            };
        }
    }
    sum
}

/// Whether every value of every weight is a finite number.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::nn::{Weight, Weights};
/// use hspace::optim::finite;
///
/// let of = |x: f32| {
///     let value = Tensor::from_floats([x], &Device::cpu());
///     let mut weights = Weights::default();
///     weights.insert("bias".into(), Weight { value, shape: vec![1], trained: true });
///     weights
/// };
/// assert!(finite(&of(1.0)) && !finite(&of(f32::NAN)));
/// ```
pub fn finite(weights: &Weights) -> bool {
    let sum = |w: &crate::nn::Weight| values(w.value.clone().sum())[0];
    weights.iter().all(|(_, weight)| sum(weight).is_finite())
}

#[cfg(test)]
mod tests {
    use crate::device::Device;

    use super::*;
    use crate::golden::{assert_close, numbers};
    use crate::nn::Weight;
    use crate::nn::weights::vector;

    /// Weights of one shape with these names and values.
    fn weights(named: &[(&str, [f32; 2])], shape: &[usize]) -> Weights {
        let mut weights = Weights::default();
        for (name, values) in named {
            let weight = Weight {
                value: vector(values.to_vec(), &Device::cpu()),
                shape: shape.to_vec(),
                trained: true,
            };
            weights.insert((*name).to_owned(), weight);
        }
        weights
    }

    /// The golden script's gradient `(0.5, 0.25) · k` at step k, for each of these weights.
    fn gradients(names: &[&str], k: u8) -> Gradients {
        let gradient = |name: &&str| {
            let values = vec![0.5 * f32::from(k), 0.25 * f32::from(k)];
            ((*name).to_owned(), vector(values, &Device::cpu()))
        };
        names.iter().map(gradient).collect()
    }

    fn assert_weight(weights: &Weights, name: &str, expected: &[&str]) {
        let found = values(weights.get(name).unwrap().value.clone());
        assert_close(name, &found, &numbers(expected), 1e-6);
    }

    #[test]
    fn rules_agree_with_pytorch() {
        for (rule, name) in [(Rule::AdamW, "adamw"), (Rule::Sgd, "sgd")] {
            let mut weights = weights(&[(name, [1.0, -2.0])], &[2, 1]);
            let optimizer = Optimizer {
                rule,
                weight_decay: 0.01,
                momentum: 0.9,
            };
            let mut state = OptimizerState::default();
            for k in 1..=3 {
                optimizer.step(&mut weights, gradients(&[name], k), &mut state, |_| 0.1);
            }
            assert_weight(&weights, name, &["optimizers", name]);
        }
    }

    /// Prototypes of SwAV are such: their moments are younger than those of the other weights.
    #[test]
    fn a_weight_that_joins_late_agrees_with_pytorch() {
        let mut weights = weights(&[("early", [1.0, -2.0]), ("late", [1.0, -2.0])], &[2, 1]);
        let optimizer = Optimizer {
            rule: Rule::AdamW,
            weight_decay: 0.01,
            momentum: 0.9,
        };
        let mut state = OptimizerState::default();
        for k in 1..=5 {
            let names = ["early", "late"];
            let trained = if k > 2 { &names[..] } else { &names[..1] };
            optimizer.step(&mut weights, gradients(trained, k), &mut state, |_| 0.1);
        }
        for name in ["early", "late"] {
            assert_weight(&weights, name, &["optimizers", "adamw_late", name]);
        }
    }

    #[test]
    fn lars_agrees_with_simclrs_formula() {
        let mut all = weights(&[("matrix", [3.0, 4.0]), ("zero", [0.0, 0.0])], &[2, 1]);
        all.extend(weights(&[("bias", [3.0, 4.0])], &[2]));
        let optimizer = Optimizer {
            rule: Rule::Lars,
            weight_decay: 0.1,
            momentum: 0.9,
        };
        let names = ["matrix", "zero", "bias"];
        let mut state = OptimizerState::default();
        for k in 1..=4 {
            let rate = 2.0 / f64::from(k);
            optimizer.step(&mut all, gradients(&names, k), &mut state, |_| rate);
        }
        for name in names {
            assert_weight(&all, name, &["optimizers", "lars", name]);
        }
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
