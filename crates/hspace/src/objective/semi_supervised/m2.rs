//! M2: a sample comes from its class and a latent, and the class of an unlabelled one is a latent too.
//!
//! With `L(x, y) = −E_q(z|x,y) log p(x | y, z) − log p(y) + KL(q(z | x, y) ‖ N(0, I))` the loss is
//! `(n_l L̄_labelled + n_u Ū) / (n_l + n_u) + α mean −log q(y | x)`, where `U(x) = Σ_y q(y | x) (L(x, y) + log q(y | x))` sums over all classes, and n_l and n_u are the training samples
//! with and without label (Kingma et al. 2014, arXiv:1406.5298, equations 6 to 9, divided by the number of samples). α is theirs, .1. q(y | x) is the
//! head on the encoder's features, q(z | x, y) a perceptron of the sample and the class, p(y) even.
//!
//! `m2:runs/vae` is their M1+M2: the features of a run, the mean latents of a VAE for example, take the place of the samples; latents that it leaves
//! unused are left out. The authors draw these latents again for every batch; `input_noise` does so with one deviation for all.
//!
//! An encoder that can tell every labelled sample from all others (one with batch normalisation, say) learns them by heart and answers all others
//! evenly, which U likes as long as the class explains nothing; `norm=false` and one layer of units, as the authors have, generalise.
//!
//! Deviations: labelled samples are among the unlabelled ones; the Gaussian likelihood has one deviation for all values and samples; batches have as
//! many labelled samples as `ratio` says rather than their share of the data.

use burn_tensor::Tensor;
use burn_tensor::activation::log_softmax;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::list::{self, Configured, Entry};
use crate::nn::Weights;
use crate::nn::layers::{flatten, perceptron};
use crate::objective::classes::{Classes, accuracy, cross_entropy};
use crate::objective::decoder::Decoder;
use crate::objective::heads::{not_negative, positive};
use crate::objective::likelihood::Likelihood;
use crate::objective::variational::latent::{Posterior, sum_columns};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind};

/// What a user may set, besides decoder and likelihood.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct Settings {
    /// Coordinates of z.
    codes: usize,
    /// Units of the hidden layer of q(z | x, y).
    posterior_units: usize,
    /// α, 0 or above.
    weight: f64,
    /// Standard deviation of noise that is added to vectors, standardised as they are, 0 or above.
    input_noise: f64,
    /// Unlabelled samples per labelled one.
    ratio: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            codes: 50,
            posterior_units: 500,
            weight: 0.1,
            input_noise: 0.0,
            ratio: 1,
        }
    }
}

struct M2 {
    settings: Settings,
    decoder: Decoder,
    likelihood: Likelihood,
    classes: Classes,
    /// Share of the training samples with a label.
    labelled: f64,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "m2",
    summary: "semi-supervised: a VAE in which the class is a latent, summed over where it is unknown",
    source: "Kingma et al. 2014, arXiv:1406.5298",
    item: Configured {
        defaults: || {
            let mut all = list::defaults::<Settings>();
            all.extend(list::defaults::<Decoder>());
            all.extend(list::defaults::<Likelihood>());
            all
        },
        make: |mut table| {
            let settings: Settings = list::take(&mut table)?;
            let decoder: Decoder = list::take(&mut table)?;
            let likelihood: Likelihood = list::take(&mut table)?;
            list::nothing_left(&table)?;
            let problems = [
                positive(&[
                    ("codes", settings.codes),
                    ("posterior_units", settings.posterior_units),
                    ("ratio", settings.ratio),
                ]),
                not_negative(&[
                    ("weight", settings.weight),
                    ("input_noise", settings.input_noise),
                ]),
                decoder.validate(),
                likelihood.validate(),
            ];
            list::refuse(problems.concat())?;
            Ok(Box::new(M2 {
                settings,
                decoder,
                likelihood,
                classes: Classes::default(),
                labelled: 0.0,
            }))
        },
    },
};

impl M2 {
    /// Samples with noise of [`Settings::input_noise`].
    fn noisy(&self, net: &Net, stream: usize, x: Tensor<4>) -> Tensor<4> {
        match self.settings.input_noise {
            0.0 => x,
            std => {
                let drawn = net.normal(&format!("input noise {stream}"), flatten(x.clone()).dims());
                x.clone() + drawn.reshape(x.dims()) * std
            }
        }
    }

    /// L of samples whose classes are given as rows of zeros and a one: `[n]`.
    fn bound(&self, net: &Net, x: Tensor<4>, class: Tensor<2>) -> Tensor<1> {
        let Settings {
            codes,
            posterior_units,
            ..
        } = self.settings;
        let given = Tensor::cat(vec![flatten(x.clone()), class.clone()], 1);
        let found = perceptron(
            &net.at("posterior"),
            given,
            &[posterior_units, 2 * codes],
            false,
        );
        let posterior = Posterior {
            mean: found.clone().narrow(1, 0, codes),
            log_variance: found.narrow(1, codes, codes),
        };
        let z = posterior.draw(net, "code");
        let outputs = self
            .decoder
            .outputs(&net.at("decoder"), Tensor::cat(vec![z, class], 1));
        let likelihood = self.likelihood.log_density(net, outputs, x);
        sum_columns(posterior.divergence()) - likelihood + (self.classes.count as f64).ln()
    }
}

/// U from L of each sample with each class and the logits of q(y | x), both `[n, classes]`: `[n]`.
fn summed_over(bounds: Tensor<2>, logits: Tensor<2>) -> Tensor<1> {
    let log_q = log_softmax(logits, 1);
    sum_columns(log_q.clone().exp() * (bounds + log_q))
}

impl Objective for M2 {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        let mut problems = self.classes.prepare(spec, "m2");
        problems.extend(self.decoder.prepare(spec));
        problems.extend(self.likelihood.prepare(spec));
        let known = self.classes.known() as f64;
        self.labelled = known / (spec.samples as f64).max(known).max(1.0);
        problems
    }

    fn answers(&self) -> bool {
        true
    }

    fn steps_per_draw(&self) -> usize {
        10_000
    }

    /// The authors' networks: with a decoder of two layers the class stays unused for long. They take a rate of .0003 for 300,000 steps; with a tenth of these and fewer .003 gets farther.
    fn on_features(&self) -> Option<Table> {
        let settings = "encoder = {name = 'mlp', units = [500], norm = false}\n\
             objective = {decoder_units = 500, decoder_layers = 1}\n\
             train = {learning_rate = 0.003, weight_decay = 0.0}";
        Some(settings.parse().expect("it is TOML"))
    }

    fn streams(&self) -> Vec<Stream> {
        vec![
            Stream::new(Subset::Labelled, vec![ViewKind::Plain]).cycles(),
            Stream::new(Subset::All, vec![ViewKind::Plain]).ratio(self.settings.ratio),
        ]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let labels = self.classes.of(&batches[0]);
        let views = [0, 1].map(|stream| self.noisy(net, stream, batches[stream].views[0].clone()));
        let features = net.encode_together(&views);
        let [known, others] = [0, 1].map(|part| self.classes.logits(net, features[part].clone()));
        let supervised = cross_entropy(known.clone(), &labels);
        let [of_known, x] = views;
        let class = self.classes.one_hot(net, &labels);
        let labelled = self.bound(net, of_known, class).mean();
        // Every sample with every class, all samples before they come again.
        let (n, classes) = (x.dims()[0], self.classes.count);
        let each: Vec<u32> = (0..classes as u32)
            .flat_map(|class| vec![class; n])
            .collect();
        let class = self.classes.one_hot(net, &each);
        let bounds = self.bound(net, x.repeat_dim(0, classes), class);
        let bounds = bounds.reshape([classes, n]).transpose();
        let unlabelled = summed_over(bounds, others).mean();
        let total = labelled.clone() * self.labelled
            + unlabelled.clone() * (1.0 - self.labelled)
            + supervised.clone() * self.settings.weight;
        Loss {
            metrics: vec![
                ("accuracy", accuracy(known, &labels, net)),
                ("supervised", supervised),
                ("labelled", labelled),
                ("unlabelled", unlabelled),
            ],
            ..Loss::of(total, features)
        }
    }

    /// At first the class changes nothing: with random weights U would push the answers to whatever class these happen to draw a sample best from,
    /// before the labels have said what the classes are. The authors begin with weights next to 0.
    fn after_init(&self, weights: &mut Weights) {
        for layer in ["posterior.0".to_owned(), self.decoder.first("decoder")] {
            let name = format!("{layer}.weight");
            let weight = weights.get(&name).expect("the layer has weights");
            let [out, inputs] = weight.shape[..] else {
                panic!("{name} is a matrix")
            };
            let still = weight.value.clone().reshape([out, inputs]);
            let kept = still.narrow(1, 0, inputs - self.classes.count);
            let zeros = Tensor::zeros([out, self.classes.count], &kept.device());
            let value = Tensor::cat(vec![kept, zeros], 1).reshape([out * inputs]);
            weights.set(&name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{check_loss, matrix};

    #[test]
    fn sums_over_classes_agree_with_pytorch() {
        let bounds = matrix([6, 4], 1.1) * 3.0;
        check_loss("m2", [6, 4], |logits| {
            summed_over(bounds.clone(), logits).mean()
        });
    }
}
