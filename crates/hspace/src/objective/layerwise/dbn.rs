//! Deep belief net: restricted Boltzmann machines, one on the hidden units of the other, by contrastive divergence.
//!
//! A machine with free energy F lowers `mean F(v) − F(v_k)`, v_k what k steps of Gibbs sampling make of v, through which no gradient flows: that is
//! contrastive divergence, CD-k (Hinton 2002; Hinton, Osindero & Teh 2006). With `persistent` the chains go on from where the last step left them
//! (Tieleman 2008). With inputs `x = W v + b` of the hidden units
//!
//! - binary units: `F = −cᵀv − Σ softplus(x)`, hidden units are 1 with probability σ(x);
//! - rectified ones (`encoder.activation=relu`): `F = −cᵀv − ½ Σ max(0, x)²`, hidden units are `max(0, x + N(0, σ(x)))` (Nair & Hinton 2010), whose
//!   expected gradient that is, nearly;
//! - Gaussian visible units of variance 1, of vectors and above rectified ones: `½ ‖v − c‖²` in place of `−cᵀv`.
//!
//! Binary visible units take probabilities, as their users do (pixels in 0..1); in the chain they are the probabilities themselves, and binary
//! hidden units are drawn (Hinton 2010, "A practical guide", section 3). `sparsity` adds that number times the squared distance of each hidden unit's mean
//! activation from `target` (Lee, Ekanadham & Ng 2008). Each layer has an equal share of the training, with warm-up and decay of its own.
//!
//! It teaches `mlp` with `encoder.norm=false`. The first machine sees images in 0..1: its W and b are those of the encoder's first layer, which takes
//! normalised images, in these units.

use burn_tensor::Tensor;
use burn_tensor::activation::{relu, sigmoid, softplus};
use serde::{Deserialize, Serialize};

use super::layers::{self, Layer, Samples};
use crate::encoder::{Activation, Encoder};
use crate::list::{self, Configured, Entry};
use crate::nn::Init;
use crate::objective::heads::{not_negative, positive, share};
use crate::objective::variational::latent::sum_columns;
use crate::objective::{
    Batch, DataSpec, Loss, Net, Objective, Stream, Subset, UpdateGroup, ViewKind,
};

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// k: steps of Gibbs sampling.
    steps: usize,
    /// Whether chains go on from step to step.
    persistent: bool,
    /// Weight of the sparsity of hidden units, 0 or above.
    sparsity: f64,
    /// Mean activation that sparsity asks for, 0..=1.
    target: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            steps: 1,
            persistent: false,
            sparsity: 0.0,
            target: 0.1,
        }
    }
}

struct DeepBeliefNet {
    settings: Settings,
    samples: Samples,
}

const NAME: &str = "dbn";

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: NAME,
    summary: "greedy layer-wise: restricted Boltzmann machines, one on the other (deep belief net)",
    source: "Hinton, Osindero & Teh 2006, Neural Computation 18",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let problems = [
                positive(&[("steps", settings.steps)]),
                not_negative(&[("sparsity", settings.sparsity)]),
                share("target", settings.target),
            ];
            list::refuse(problems.concat())?;
            let samples = Samples::default();
            Ok(Box::new(DeepBeliefNet { settings, samples }))
        },
    },
};

/// Chains that go on from step to step.
const CHAINS: usize = 100;

/// Where the memory has those of a layer.
fn chain(layer: usize) -> String {
    format!("chain{layer}")
}

/// A restricted Boltzmann machine.
struct Machine {
    /// W, b and c.
    of: Layer,
    /// Whether visible units are Gaussian rather than binary.
    gaussian: bool,
    activation: Activation,
}

impl Machine {
    /// Inputs of the hidden units for `v [n, visible]`.
    fn inputs(&self, v: &Tensor<2>) -> Tensor<2> {
        v.clone().matmul(self.of.weights.clone().transpose()) + self.of.bias.clone()
    }

    /// What the hidden units are for `v`, `[n, hidden]`.
    fn expected(&self, v: &Tensor<2>) -> Tensor<2> {
        match self.activation {
            Activation::Sigmoid => sigmoid(self.inputs(v)),
            Activation::Relu => relu(self.inputs(v)),
        }
    }

    /// F of each row, `[n]`.
    fn free_energy(&self, v: &Tensor<2>) -> Tensor<1> {
        let x = self.inputs(v);
        let of_hidden = match self.activation {
            Activation::Sigmoid => softplus(x, 1.0),
            Activation::Relu => relu(x).powi_scalar(2) * 0.5,
        };
        let of_visible = match self.gaussian {
            true => (v.clone() - self.of.shift.clone()).powi_scalar(2) * 0.5,
            false => -(v.clone() * self.of.shift.clone()),
        };
        sum_columns(of_visible) - sum_columns(of_hidden)
    }

    /// A step of Gibbs sampling: hidden units drawn, and what they expect to see.
    fn step(&self, net: &Net, v: &Tensor<2>, what: &str) -> Tensor<2> {
        let x = self.inputs(v);
        let hidden = match self.activation {
            Activation::Sigmoid => net.bernoulli(what, &sigmoid(x)),
            Activation::Relu => {
                let noise = net.normal(what, x.dims());
                relu(x.clone() + noise * sigmoid(x).sqrt())
            }
        };
        let back = hidden.matmul(self.of.weights.clone()) + self.of.shift.clone();
        if self.gaussian { back } else { sigmoid(back) }
    }
}

impl Objective for DeepBeliefNet {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.samples.prepare(spec);
        vec![]
    }

    fn validate(&self, encoder: &dyn Encoder, _: &DataSpec) -> Vec<String> {
        layers::validate(encoder, NAME)
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::new(Subset::All, vec![ViewKind::Plain])]
    }

    fn update_groups(&self, progress: f64, encoder: &dyn Encoder) -> Vec<UpdateGroup> {
        vec![layers::group(encoder, progress, "visible")]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let x = batches[0].views[0].clone();
        let perceptron = net.perceptron();
        let layer = layers::at(&perceptron, net.progress());
        let all = self.samples.each(net, &x, "visible");
        let chains = self.settings.persistent.then(|| {
            // All are made before the first layer learns.
            let each = all
                .iter()
                .enumerate()
                .map(|(layer, Layer { weights, .. })| {
                    let [_, visible] = weights.dims();
                    let size = CHAINS * visible;
                    let chain = net
                        .at("memory")
                        .buffer(&chain(layer), size, Init::Constant(0.5));
                    chain.reshape([CHAINS, visible])
                });
            each.collect::<Vec<_>>().swap_remove(layer)
        });
        let activation = perceptron.activation;
        let machine = Machine {
            of: all.into_iter().nth(layer).expect("it has that layer"),
            gaussian: match layer {
                0 => !self.samples.is_images(),
                _ => activation == Activation::Relu,
            },
            activation,
        };
        let v = self.samples.below(net, &x, layer);
        let is_kept = chains.is_some();
        let mut model = chains.unwrap_or_else(|| v.clone()).detach();
        for step in 0..self.settings.steps {
            model = machine.step(net, &model, &format!("step {step}")).detach();
        }
        if is_kept {
            let all = model.clone().inner();
            let size = all.shape().num_elements();
            net.at("memory").update(&chain(layer), all.reshape([size]));
        }
        let again = match (is_kept, self.settings.steps) {
            (false, 1) => model.clone(),
            // What is reconstructed is looked at after one step from the data.
            _ => machine.step(net, &v, "reconstruction").detach(),
        };
        let model = net.constant(model);
        let (own, of_model) = (
            machine.free_energy(&v).mean(),
            machine.free_energy(&model).mean(),
        );
        let mut total = own.clone() - of_model;
        let hidden = machine.expected(&v);
        if self.settings.sparsity > 0.0 {
            let off = hidden.clone().mean_dim(0) - self.settings.target;
            total = total + off.powi_scalar(2).sum() * self.settings.sparsity;
        }
        Loss {
            metrics: vec![
                ("free_energy", own),
                ("reconstruction", (again - v).powi_scalar(2).mean()),
                ("layer", Tensor::full([1], layer as f64, net.device())),
            ],
            ..Loss::of(total, vec![hidden])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::encoder;
    use crate::golden::{check_loss, fill, matrix};
    use crate::nn::weights::{values, vector};
    use crate::nn::{Mode, Pass, Weights};

    fn machine(gaussian: bool, activation: Activation) -> Machine {
        Machine {
            of: Layer {
                weights: matrix([3, 4], 0.9),
                bias: matrix([1, 3], 0.2),
                shift: matrix([1, 4], 1.7),
            },
            gaussian,
            activation,
        }
    }

    #[test]
    fn free_energies_agree_with_pytorch() {
        for (name, gaussian, activation) in [
            ("free_energy", false, Activation::Sigmoid),
            ("free_energy_gaussian", true, Activation::Sigmoid),
            ("free_energy_relu", true, Activation::Relu),
        ] {
            let machine = machine(gaussian, activation);
            check_loss(name, [6, 4], |v| machine.free_energy(&v).mean());
        }
    }

    /// `exp(−F(v)) = Σ_h exp(cᵀv + hᵀ(W v + b))`: by the sum over all eight states of the hidden units.
    #[test]
    fn free_energies_are_sums_over_hidden_states() {
        let machine = machine(false, Activation::Sigmoid);
        let v = vector(vec![1.0, 0.0, 1.0, 1.0], &Device::cpu()).reshape([1, 4]);
        let found = f64::from(values(machine.free_energy(&v))[0]);
        let (w, b, c) = (fill(12, 0.9), fill(3, 0.2), fill(4, 1.7));
        let v = [1.0, 0.0, 1.0, 1.0];
        let dot = |a: &[f32]| -> f64 { a.iter().zip(v).map(|(a, v)| f64::from(*a) * v).sum() };
        let inputs: Vec<f64> = (0..3)
            .map(|j| dot(&w[4 * j..4 * j + 4]) + f64::from(b[j]))
            .collect();
        let states = (0..8u32).map(|state| {
            let on = (0..3).filter(|j| state >> j & 1 == 1).map(|j| inputs[j]);
            (dot(&c) + on.sum::<f64>()).exp()
        });
        let wanted = -states.sum::<f64>().ln();
        assert!((found - wanted).abs() < 1e-5, "{found}, not {wanted}");
    }

    /// Chains of a machine forget where they began: what they expect to see is the model's, whose 16 states can be counted.
    #[test]
    fn gibbs_sampling_draws_from_the_model() {
        let (weights, device) = (Weights::default(), Device::cpu());
        let encoder = encoder::make("mlp", toml::Table::new()).unwrap();
        let machine = machine(false, Activation::Sigmoid);
        let states: Vec<f32> = (0..16u32)
            .flat_map(|state| (0..4).map(move |i| (state >> i & 1) as f32))
            .collect();
        let all = vector(states.clone(), &device).reshape([16, 4]);
        let energies = values(machine.free_energy(&all));
        let p: Vec<f64> = energies.iter().map(|f| (-f64::from(*f)).exp()).collect();
        let z: f64 = p.iter().sum();
        let mean = |i: usize| -> f64 {
            (0..16)
                .map(|s| p[s] / z * f64::from(states[4 * s + i]))
                .sum()
        };
        let pass = Pass::new(&weights, Mode::Train, &device).with_seed(5);
        let net = Net::new(&*encoder, &pass);
        let mut v = Tensor::full([4000, 4], 0.5, &device);
        for step in 0..40 {
            let seen = machine.step(&net, &v, &format!("step {step}"));
            v = net.bernoulli(&format!("seen {step}"), &seen);
        }
        let found = values(v.mean_dim(0));
        for (i, found) in found.iter().enumerate() {
            // Four standard errors.
            assert!(
                (f64::from(*found) - mean(i)).abs() < 0.032,
                "{i}: {found}, not {}",
                mean(i)
            );
        }
    }
}
