//! Ladder network: every layer of a noisy pass is denoised by a decoder, towards the layer of a clean pass.
//!
//! Layer l of a perceptron computes `z̃ = N(W h̃) + noise`, `h̃ = ReLU(γ z̃ + β)`, N the normalisation over the batch; the clean pass is the same
//! without noise. The decoder goes down: `u = N(V ẑ_{l+1})`, `ẑ = g(z̃, u)` with the combinator `g = (z̃ − μ(u)) v(u) + μ(u)`,
//! `μ(u) = a₁ σ(a₂ u + a₃) + a₄ u + a₅`, v alike. `loss = mean −log p̃(y | x) + Σ_l λ_l mean ‖z − N_clean(ẑ)‖² / m_l`, m_l the units, N_clean the
//! clean pass's own mean and deviation (Rasmus et al. 2015, arXiv:1507.02672, equations 2 and 3, algorithm 1). Layer 0 is the sample itself, the last
//! one the logits. Noise and distances of layer 0 are in the samples' own units: images in 0..1.
//!
//! It teaches `mlp` with normalisation; the paper's is `encoder.units=[1000,500,250,250,250]`, with batches of 100 labelled and 100 other samples and
//! 150 epochs. λ are the paper's for MNIST with 100 labels, chosen by validation labels there.
//!
//! Deviations: the logits have a bias and are not normalised in what is kept and answers, so in the noisy pass their noise is in units of their
//! own deviation; running statistics come from a clean pass over the unlabelled batch.

use burn_tensor::Tensor;
use burn_tensor::activation::{relu, sigmoid, softmax};
use serde::{Deserialize, Serialize};

use crate::dataset::Shape;
use crate::encoder::Encoder;
use crate::list::{self, Configured, Entry};
use crate::nn::layers::{flatten, linear, standardise};
use crate::nn::{Init, Scope};
use crate::objective::classes::{Classes, accuracy, cross_entropy};
use crate::objective::heads::{must, not_negative, positive};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind};

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Standard deviation of the noise, 0 or above.
    noise: f64,
    /// λ of each layer, from the sample on; the last one is that of all above.
    weights: Vec<f64>,
    /// Unlabelled samples per labelled one.
    ratio: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            noise: 0.3,
            weights: vec![1000.0, 10.0, 0.1],
            ratio: 1,
        }
    }
}

struct Ladder {
    settings: Settings,
    classes: Classes,
    /// What each number of a sample was divided by.
    std: Vec<f32>,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "ladder",
    summary: "semi-supervised: every layer of a perceptron is denoised, down to the sample",
    source: "Rasmus et al. 2015, arXiv:1507.02672",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let weights = settings.weights.iter().map(|&weight| ("weights", weight));
            let problems = [
                not_negative(&[("noise", settings.noise)]),
                not_negative(&weights.collect::<Vec<_>>()),
                must(!settings.weights.is_empty(), || {
                    "weights=[] must have at least one number".to_owned()
                }),
                positive(&[("ratio", settings.ratio)]),
            ];
            list::refuse(problems.concat())?;
            Ok(Box::new(Ladder {
                settings,
                classes: Classes::default(),
                std: vec![],
            }))
        },
    },
};

/// What one pass through the perceptron gives.
struct Layers {
    /// z of each layer, from the sample to the logits.
    z: Vec<Tensor<2>>,
    /// Mean and deviation `[1, units]` by which each was normalised; those of the sample are 0 and 1.
    by: Vec<[Tensor<2>; 2]>,
    /// `[n, classes]`.
    logits: Tensor<2>,
}

/// Mean and deviation of each column, `[1, d]`.
fn moments(x: &Tensor<2>) -> [Tensor<2>; 2] {
    let mean = x.clone().mean_dim(0);
    let variance = (x.clone() - mean.clone()).powi_scalar(2).mean_dim(0);
    [mean, (variance + 1e-5).sqrt()]
}

/// The combinator g of `z` and what comes from above, both `[n, d]`, with the weights of `scope`.
fn combine(scope: &Scope, z: Tensor<2>, above: Tensor<2>) -> Tensor<2> {
    let [_, d] = z.dims();
    let part = |name: &str| {
        let number = |i: usize| {
            let start = if i == 2 { 1.0 } else { 0.0 };
            let weight = scope.weight(&format!("{name}{i}"), [d], Init::Constant(start));
            weight.reshape([1, d])
        };
        let bend = sigmoid(number(2) * above.clone() + number(3));
        number(1) * bend + number(4) * above.clone() + number(5)
    };
    let (mean, share) = (part("mean"), part("share"));
    (z - mean.clone()) * share + mean
}

impl Ladder {
    /// Samples `[n, numbers]`, with noise in their own units.
    fn samples(&self, net: &Net, x: Tensor<2>, noise: f64, of: &str) -> Tensor<2> {
        let drawn = net.normal(&format!("{of} noise 0"), x.dims());
        x.clone() + drawn * noise / self.deviations(net, x.dims()[1])
    }

    /// What each number of a sample was divided by, `[1, numbers]`.
    fn deviations(&self, net: &Net, numbers: usize) -> Tensor<2> {
        let each = numbers / self.std.len();
        let all: Vec<f32> = self.std.iter().flat_map(|&std| vec![std; each]).collect();
        Tensor::from_data(
            burn_tensor::TensorData::new(all, [1, numbers]),
            net.device(),
        )
    }

    fn pass(&self, net: &Net, x: Tensor<2>, noise: f64, of: &str) -> Layers {
        let noisy = |z: Tensor<2>, layer: usize| match noise {
            0.0 => z,
            _ => {
                let drawn = net.normal(&format!("{of} noise {layer}"), z.dims());
                z + drawn * noise
            }
        };
        let sample = match noise {
            0.0 => x,
            _ => self.samples(net, x, noise, of),
        };
        let still = [0.0, 1.0].map(|x| Tensor::full([1, 1], x, net.device()));
        let (mut h, mut z, mut by) = (sample.clone(), vec![sample], vec![still]);
        let layers = net.perceptron();
        for (layer, &units) in layers.units.iter().enumerate() {
            let place = layers.place(layer);
            let [dense, norm] = [place, place + 1].map(|i| net.at(&format!("encoder.{i}")));
            let plain = linear(&dense, h, units, false);
            let [mean, deviation] = moments(&plain);
            let own = noisy((plain - mean.clone()) / deviation.clone(), layer + 1);
            by.push([mean, deviation]);
            let gain = norm.weight("weight", [units], Init::Constant(1.0));
            let shift = norm.weight("bias", [units], Init::Constant(0.0));
            h = relu(own.clone() * gain.unsqueeze() + shift.unsqueeze());
            z.push(own);
        }
        let plain = self.classes.logits(net, h);
        let [mean, deviation] = moments(&plain);
        let normal = (plain - mean.clone()) / deviation.clone();
        let own = noisy(normal, layers.units.len() + 1);
        by.push([mean.clone(), deviation.clone()]);
        z.push(own.clone());
        let logits = own * deviation + mean;
        Layers { z, by, logits }
    }
}

impl Objective for Ladder {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.std = match spec.shape {
            Shape::Image { .. } => spec.std.clone(),
            Shape::Vector { .. } => vec![1.0],
        };
        self.classes.prepare(spec, "ladder")
    }

    fn validate(&self, encoder: &dyn Encoder, _: &DataSpec) -> Vec<String> {
        must(
            encoder.perceptron().is_some_and(|layers| layers.norm),
            || {
                "objective `ladder` denoises the layers of a perceptron with batch normalisation; use --encoder mlp with encoder.norm=true".to_owned()
            },
        )
    }

    fn answers(&self) -> bool {
        true
    }

    fn streams(&self) -> Vec<Stream> {
        vec![
            Stream::new(Subset::Labelled, vec![ViewKind::Plain]).cycles(),
            Stream::new(Subset::All, vec![ViewKind::Plain]).ratio(self.settings.ratio),
        ]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let noise = self.settings.noise;
        let labels = self.classes.of(&batches[0]);
        let [known, x] = [0, 1].map(|stream| flatten(batches[stream].views[0].clone()));
        // Running statistics, for what is embedded.
        let features = net.encode(batches[1].views[0].clone());
        let known = self.pass(net, known, noise, "labelled").logits;
        let supervised = cross_entropy(known.clone(), &labels);
        let (clean, noisy) = (
            self.pass(net, x.clone(), 0.0, ""),
            self.pass(net, x, noise, "unlabelled"),
        );
        let mut above = standardise(softmax(noisy.logits.clone(), 1));
        let mut costs: Vec<Tensor<1>> = Vec::new();
        for layer in (0..noisy.z.len()).rev() {
            let z = noisy.z[layer].clone();
            let [_, units] = z.dims();
            if layer + 1 < noisy.z.len() {
                let down = net.at(&format!("decoder.{layer}"));
                above = standardise(linear(&down, above, units, false));
            }
            let found = combine(&net.at(&format!("combinator.{layer}")), z, above);
            let [mean, deviation] = clean.by[layer].clone();
            let mut off = clean.z[layer].clone() - (found.clone() - mean) / deviation;
            if layer == 0 {
                off = off * self.deviations(net, units);
            }
            let weights = &self.settings.weights;
            let weight = weights[layer.min(weights.len() - 1)];
            costs.push(off.powi_scalar(2).mean() * weight);
            above = found;
        }
        let denoising = Tensor::cat(costs, 0).sum();
        Loss {
            metrics: vec![
                ("accuracy", accuracy(known, &labels, net)),
                ("supervised", supervised.clone()),
                ("denoising", denoising.clone()),
            ],
            ..Loss::of(supervised + denoising, vec![features])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::golden::{check_loss, matrix};
    use crate::nn::weights::{Weight, vector};
    use crate::nn::{Mode, Pass, Weights};

    /// With a of the combinator .1, .2, … .5 for the mean, and .6, … 1 for the share.
    #[test]
    fn the_combinator_agrees_with_pytorch() {
        let device = Device::cpu();
        let mut weights = Weights::default();
        for (part, first) in [("mean", 1), ("share", 6)] {
            for i in 1..=5 {
                let value = vec![(first + i - 1) as f32 / 10.0; 4];
                let weight = Weight {
                    value: vector(value, &device),
                    shape: vec![4],
                    trained: true,
                };
                weights.insert(format!("combinator.{part}{i}"), weight);
            }
        }
        let above = matrix([6, 4], 1.1);
        check_loss("ladder", [6, 4], |z| {
            let pass = Pass::new(&weights, Mode::Train, &device);
            combine(&pass.at("combinator"), z, above.clone())
                .powi_scalar(2)
                .mean()
        });
    }
}
