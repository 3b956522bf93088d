//! MixMatch: unlabelled samples get the sharpened mean answer of several views, and all samples are mixed with others.
//!
//! The guess for a sample is `q̄^(1/T) / Σ q̄^(1/T)`, q̄ the mean of p over `views` random views. All views, labelled and unlabelled, are mixed with
//! rows of them all (λ ~ Beta(α, α), at least a half), labels and guesses alike. `loss = mean −Σ t log p` over the labelled rows
//! `+ w(t) mean (p − t)²` over the others, the mean over rows and classes; w rises on a straight line to `weight` over `ramp_up` of the training
//! (Berthelot et al. 2019, arXiv:1905.02249, equations 3 to 5, algorithm 1; w as in the authors' code, which is 75 for CIFAR-10).
//!
//! Deviations: the rows go through the encoder as one batch, whose statistics normalise it, where the authors interleave batches; guesses leave
//! running statistics as they are; the authors' w rises over the first 16,384 steps, ours over the whole training, which is mostly shorter: w at its end after a
//! few steps makes guesses of nothing the truth (.20 of MNIST's digits with 40 labels a class after 500 steps, where a rise over all of them has .91).

use burn_tensor::Tensor;
use burn_tensor::activation::softmax;
use serde::{Deserialize, Serialize};

use super::pi_model::consistency;
use crate::list::{self, Configured, Entry};
use crate::objective::classes::{Classes, soft_cross_entropy};
use crate::objective::heads::{must, not_negative, positive_number, share};
use crate::objective::mixup::Mixup;
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind};
use crate::optim::schedule::ramp;

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// T of the sharpening, above 0.
    temperature: f64,
    /// α of the mixtures, above 0.
    alpha: f64,
    /// Views of each unlabelled sample.
    views: usize,
    /// w at its end, 0 or above.
    weight: f64,
    /// Share of the training over which w rises, 0..=1.
    ramp_up: f64,
    /// Unlabelled samples per labelled one.
    ratio: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            temperature: 0.5,
            alpha: 0.75,
            views: 2,
            weight: 75.0,
            ramp_up: 1.0,
            ratio: 1,
        }
    }
}

struct MixMatch {
    settings: Settings,
    classes: Classes,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "mixmatch",
    summary: "semi-supervised: sharpened answers for unlabelled samples, and mixtures of all samples",
    source: "Berthelot et al. 2019, arXiv:1905.02249",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let problems = [
                positive_number("temperature", settings.temperature),
                positive_number("alpha", settings.alpha),
                must(settings.views > 0, || {
                    "views=0 must be at least 1".to_owned()
                }),
                not_negative(&[("weight", settings.weight)]),
                share("ramp_up", settings.ramp_up),
                must(settings.ratio > 0, || {
                    "ratio=0 must be at least 1".to_owned()
                }),
            ];
            list::refuse(problems.concat())?;
            let classes = Classes::default();
            Ok(Box::new(MixMatch { settings, classes }))
        },
    },
};

/// Probabilities to the power 1/T, `[n, classes]`, rows of sum 1.
fn sharpened(p: Tensor<2>, temperature: f64) -> Tensor<2> {
    let powers = p.powf_scalar(1.0 / temperature);
    powers.clone() / powers.sum_dim(1)
}

impl Objective for MixMatch {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.classes.prepare(spec, "mixmatch")
    }

    fn answers(&self) -> bool {
        true
    }

    fn ema(&self) -> f64 {
        0.999
    }

    fn streams(&self) -> Vec<Stream> {
        let Settings { views, ratio, .. } = self.settings;
        vec![
            Stream::new(Subset::Labelled, vec![ViewKind::Weak]).cycles(),
            Stream::new(Subset::All, vec![ViewKind::Weak; views]).ratio(ratio),
        ]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let Settings {
            temperature,
            alpha,
            views,
            weight,
            ramp_up,
            ..
        } = self.settings;
        let labels = self.classes.of(&batches[0]);
        let n = labels.len();
        let others = Tensor::cat(batches[1].views.clone(), 0);
        let m = others.dims()[0] / views;
        let guesses = self
            .classes
            .logits(net, net.encode_without_bn_update(others.clone()));
        let guesses = softmax(net.constant(guesses), 1);
        let parts = (0..views).map(|view| guesses.clone().narrow(0, view * m, m));
        let sum = parts.reduce(|sum, part| sum + part).expect("a view");
        let guess = sharpened(sum / views as f64, temperature);
        let mut targets = vec![self.classes.one_hot(net, &labels)];
        targets.extend(vec![guess; views]);
        let all = Tensor::cat(vec![batches[0].views[0].clone(), others], 0);
        let mixup = Mixup::draw(net, alpha, n + views * m, true);
        let targets = mixup.of(Tensor::cat(targets, 0));
        let features = net.encode(mixup.of(all));
        let logits = self.classes.logits(net, features.clone());
        let part = |x: &Tensor<2>, at: usize, rows: usize| x.clone().narrow(0, at, rows);
        let supervised = soft_cross_entropy(part(&logits, 0, n), part(&targets, 0, n)).mean();
        let unlabelled = consistency(part(&logits, n, views * m), part(&targets, n, views * m));
        let weight = ramp(0.0, weight, ramp_up, net.progress());
        Loss {
            metrics: vec![
                ("supervised", supervised.clone()),
                ("unlabelled", unlabelled.clone()),
            ],
            ..Loss::of(supervised + unlabelled * weight, vec![features])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::nn::weights::{values, vector};

    #[test]
    fn sharpening_squares_at_half_the_temperature() {
        let p = vector(vec![0.5, 0.25, 0.25], &Device::cpu()).reshape([1, 3]);
        let found = values(sharpened(p, 0.5));
        let wanted = [2.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0];
        assert!(
            found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6),
            "{found:?}"
        );
    }
}
