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
//! activation from `target` (Lee, Ekanadham & Ng 2008). At the end of each epoch free energy and reconstruction are measured on training
//! samples and on held-out ones. Each layer has an equal share of the training, with warm-up and decay of its own.
//!
//! It teaches `mlp` with `encoder.norm=false`. The first machine sees images in 0..1: its W and b are those of the encoder's first layer, which takes
//! normalised images, in these units.

use burn_tensor::Tensor;
use burn_tensor::activation::{relu, sigmoid};
use serde::{Deserialize, Serialize};

use super::layers::{self, Samples, activated};
use crate::encoder::Encoder;
use crate::list::{self, Configured, Entry};
use crate::nn::cross_entropy::cross_entropy;
use crate::nn::tied::{HiddenUnit, TiedLayer, logistic};
use crate::nn::{Init, Scope};
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
    /// Share of the training samples that is held out where there is no val split, 0..1; their free energy shows overfitting.
    held_out: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            steps: 1,
            persistent: false,
            sparsity: 0.0,
            target: 0.1,
            held_out: layers::HELD_OUT,
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
                layers::validate_held_out(settings.held_out),
            ];
            list::refuse(problems.concat())?;
            let samples = Samples::default();
            Ok(Box::new(DeepBeliefNet { settings, samples }))
        },
    },
};

/// Chains that go on from step to step.
const CHAINS: usize = 100;

/// Where the memory has the hidden units of those of a layer.
fn chain(layer: usize) -> String {
    format!("chain{layer}")
}

/// A restricted Boltzmann machine.
struct Machine<'a> {
    /// W, b and c.
    of: TiedLayer,
    /// Whether visible units are Gaussian rather than binary.
    gaussian: bool,
    unit: HiddenUnit,
    /// Where products are counted.
    scope: Scope<'a>,
}

impl Machine<'_> {
    /// Inputs of the hidden units for `v [n, visible]`, without gradients: `[n, hidden]`.
    fn inputs(&self, v: &Tensor<2>) -> Tensor<2> {
        self.of.detached().inputs(&self.scope, v.clone())
    }

    /// What the hidden units are expected to be by their inputs, without gradients.
    fn expected(&self, inputs: &Tensor<2>) -> Tensor<2> {
        activated(&self.scope, inputs.clone(), self.unit)
    }

    /// F of each row of `v [n, visible]` with the inputs `x [n, hidden]` of the hidden units: `[n]`.
    fn free_energy(&self, v: Tensor<2>, x: Tensor<2>) -> Tensor<1> {
        let of_hidden = match self.unit {
            // Σ log(1 + eˣ) is a cross entropy with zeros, but for the sign.
            HiddenUnit::Logistic => {
                let zeros = Tensor::zeros(x.dims(), self.scope.device());
                -cross_entropy(self.scope.device(), x, zeros)
            }
            HiddenUnit::Rectified => sum_columns(relu(x).powi_scalar(2) * 0.5),
        };
        let of_visible = match self.gaussian {
            true => sum_columns((v - self.of.shift.clone().unsqueeze()).powi_scalar(2) * 0.5),
            false => -self.of.shift_product(&self.scope, v),
        };
        of_visible - of_hidden
    }

    /// Hidden units drawn by their inputs, `[n, hidden]`.
    fn draw(&self, net: &Net, inputs: &Tensor<2>, what: &str) -> Tensor<2> {
        match self.unit {
            HiddenUnit::Logistic => net.bernoulli(what, &self.expected(inputs)),
            HiddenUnit::Rectified => {
                let noise = net.normal(what, inputs.dims());
                let spread = logistic(&self.scope, inputs.clone()).sqrt();
                relu(inputs.clone() + noise * spread)
            }
        }
    }

    /// What the visible units are expected to be by hidden ones, `[n, visible]`, without gradients.
    fn seen(&self, hidden: Tensor<2>) -> Tensor<2> {
        let inputs = self.of.below(&self.scope, hidden);
        match self.gaussian {
            true => inputs,
            false => logistic(&self.scope, inputs),
        }
    }
}

impl DeepBeliefNet {
    /// The machine of `layer`, and what it sees of samples `x`. All layers and their chains are made before the first learns.
    fn machine<'a>(&self, net: &'a Net, x: &Tensor<4>, layer: usize) -> (Machine<'a>, Tensor<2>) {
        let mut layers = self.samples.each(net, x, "visible");
        let v = self.samples.below(net, &layers, x, layer);
        let unit = layers::unit(net);
        let machine = Machine {
            of: layers.swap_remove(layer),
            gaussian: match layer {
                0 => !self.samples.is_images(),
                _ => unit == HiddenUnit::Rectified,
            },
            unit,
            scope: net.at("encoder"),
        };
        (machine, v)
    }

    /// The hidden units of the chains of `layer`, `[chains, hidden]`.
    fn chains(&self, net: &Net, layer: usize) -> Tensor<2> {
        let units = net.perceptron().units.into_iter().enumerate();
        let each = units.map(|(layer, units)| {
            let init = Init::Constant(0.0);
            let chain = net.at("memory").buffer(&chain(layer), CHAINS * units, init);
            chain.reshape([CHAINS, units])
        });
        each.collect::<Vec<_>>().swap_remove(layer)
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

    fn held_out(&self) -> f64 {
        self.settings.held_out
    }

    /// The free energy, which is lower for training samples the more the machine overfits (Hinton 2010, section 6), and the squared error a value of
    /// what expected hidden units expect to see.
    fn measure_held_out(&self, net: &Net, x: &Tensor<4>) -> Vec<(String, f64)> {
        let layer = layers::at(&net.perceptron(), net.progress());
        let (machine, v) = self.machine(net, x, layer);
        let inputs = machine.inputs(&v);
        let again = machine.seen(machine.expected(&inputs));
        let error = (again - v.clone()).powi_scalar(2).mean();
        let energy = machine.free_energy(v, inputs).mean();
        vec![
            (layers::named(layer, "free_energy"), layers::number(energy)),
            (
                layers::named(layer, "reconstruction"),
                layers::number(error),
            ),
        ]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let x = batches[0].views[0].clone();
        let layer = layers::at(&net.perceptron(), net.progress());
        let (machine, v) = self.machine(net, &x, layer);
        let own_inputs = machine.inputs(&v);
        let expected = machine.expected(&own_inputs);
        let persistent = self.settings.persistent;
        let mut hidden = match persistent {
            true => self.chains(net, layer),
            false => machine.draw(net, &own_inputs, "step 0"),
        };
        let steps = self.settings.steps;
        for step in 1..steps {
            let inputs = machine.inputs(&machine.seen(hidden));
            hidden = machine.draw(net, &inputs, &format!("step {step}"));
        }
        let model = net.constant(machine.seen(hidden));
        let model_inputs = machine.inputs(&model);
        if persistent {
            let drawn = machine.draw(net, &model_inputs, &format!("step {steps}"));
            let size = drawn.shape().num_elements();
            net.at("memory")
                .update(&chain(layer), drawn.inner().reshape([size]));
        }
        // The inputs of both are known: what is left is one gradient.
        let n = v.dims()[0];
        let both = Tensor::cat(vec![v, model], 0);
        let known = Tensor::cat(vec![own_inputs, model_inputs], 0);
        let inputs = machine.of.known_inputs(&machine.scope, both.clone(), known);
        let energies = machine.free_energy(both, inputs.clone());
        let drawn = energies.dims()[0] - n;
        let own = energies.clone().narrow(0, 0, n).mean();
        let mut total = own.clone() - energies.narrow(0, n, drawn).mean();
        if self.settings.sparsity > 0.0 {
            let inputs = inputs.narrow(0, 0, n);
            let hidden = match machine.unit {
                HiddenUnit::Logistic => sigmoid(inputs),
                HiddenUnit::Rectified => relu(inputs),
            };
            let off = hidden.mean_dim(0) - self.settings.target;
            total = total + off.powi_scalar(2).sum() * self.settings.sparsity;
        }
        Loss {
            metrics: vec![
                ("free_energy", own),
                ("layer", Tensor::full([1], layer as f64, net.device())),
            ],
            ..Loss::of(total, vec![expected])
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

    fn machine<'a>(pass: &'a Pass, gaussian: bool, unit: HiddenUnit) -> Machine<'a> {
        let device = pass.device();
        Machine {
            of: TiedLayer {
                weights: matrix([3, 4], 0.9),
                bias: vector(fill(3, 0.2), device),
                shift: vector(fill(4, 1.7), device),
                normalisation: None,
            },
            gaussian,
            unit,
            scope: pass.at("encoder"),
        }
    }

    #[test]
    fn free_energies_agree_with_pytorch() {
        let (weights, device) = (Weights::default(), Device::cpu());
        let pass = Pass::new(&weights, Mode::Train, &device);
        for (name, gaussian, unit) in [
            ("free_energy", false, HiddenUnit::Logistic),
            ("free_energy_gaussian", true, HiddenUnit::Logistic),
            ("free_energy_relu", true, HiddenUnit::Rectified),
        ] {
            let machine = machine(&pass, gaussian, unit);
            check_loss(name, [6, 4], |v| {
                let inputs = machine.of.inputs(&machine.scope, v.clone());
                machine.free_energy(v, inputs).mean()
            });
        }
    }

    /// `exp(−F(v)) = Σ_h exp(cᵀv + hᵀ(W v + b))`: by the sum over all eight states of the hidden units.
    #[test]
    fn free_energies_are_sums_over_hidden_states() {
        let (weights, device) = (Weights::default(), Device::cpu());
        let pass = Pass::new(&weights, Mode::Train, &device);
        let machine = machine(&pass, false, HiddenUnit::Logistic);
        let v = vector(vec![1.0, 0.0, 1.0, 1.0], &device).reshape([1, 4]);
        let energies = machine.free_energy(v.clone(), machine.inputs(&v));
        let found = f64::from(values(energies)[0]);
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
        let pass = Pass::new(&weights, Mode::Train, &device).with_seed(5);
        let machine = machine(&pass, false, HiddenUnit::Logistic);
        let states: Vec<f32> = (0..16u32)
            .flat_map(|state| (0..4).map(move |i| (state >> i & 1) as f32))
            .collect();
        let all = vector(states.clone(), &device).reshape([16, 4]);
        let energies = values(machine.free_energy(all.clone(), machine.inputs(&all)));
        let p: Vec<f64> = energies.iter().map(|f| (-f64::from(*f)).exp()).collect();
        let z: f64 = p.iter().sum();
        let mean = |i: usize| -> f64 {
            (0..16)
                .map(|s| p[s] / z * f64::from(states[4 * s + i]))
                .sum()
        };
        let net = Net::new(&*encoder, &pass);
        let mut v = Tensor::full([4000, 4], 0.5, &device);
        for step in 0..40 {
            let hidden = machine.draw(&net, &machine.inputs(&v), &format!("step {step}"));
            let seen = machine.seen(hidden);
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
