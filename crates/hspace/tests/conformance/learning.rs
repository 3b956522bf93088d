//! A handful of samples is learned, and distinguished.

use hspace::embed::to_matrix;
use hspace::nn::weights::Weights;
use hspace::objective::Net;
use hspace::optim::{Optimizer, OptimizerState, Rule};
use hspace::training::watch;

use crate::case::{Case, Choice, KINDS, SAMPLES, samples};

impl Case {
    /// How far the features of different samples lie apart (see `watch::Health`), if that is next to nothing.
    fn collapsed(&self, weights: &Weights) -> Option<f64> {
        let pass = self.pass(weights);
        let net = Net::new(&*self.encoder, &pass);
        let features = net.encode(samples(self.choice.shape, 0.0, &self.device));
        let spread = watch::health(&[to_matrix(features)]).unwrap().spread;
        if spread > 0.01 { None } else { Some(spread) }
    }

    /// What learning a handful of samples must reach. Each group learns by itself: what other groups train stays.
    fn goal(&self, fresh: &Weights) -> Goal {
        let goal = |steps, least, share| Goal {
            steps,
            least,
            share,
        };
        match (self.choice.objective, &*self.trains.name) {
            // A cosine, negative.
            ("simsiam", _) => goal(40, -1.0, 0.8),
            // Of the same samples twice: the kernels of a sample and itself count between domains alone.
            ("dan" | "jan", _) => goal(40, -10.0 / SAMPLES as f64, 0.2),
            // Scale and shift alone move, and each by no more than the rate in a step.
            ("tent", _) => goal(200, 0.0, 0.2),
            // Which of these draws are shuffled can be learned by heart.
            ("factor_vae", "discriminator") => goal(40, 0.0, 0.9),
            // Real and drawn samples are normalised each over their own batch, which leaves the four units of a
            // perceptron little to distinguish them by.
            ("gan", "discriminator") if self.choice.encoder == "mlp" => goal(120, 0.0, 0.2),
            ("gan", "discriminator") => goal(120, 0.0, 0.9),
            ("gan", "generator") => goal(120, self.least_of_generators(fresh), 0.25),
            // Nats of a density have no least, but begin far above 0.
            _ => goal(40, 0.0, 0.2),
        }
    }

    /// The least loss of any generator against the fresh discriminator: how real drawn samples can look to it on
    /// average is bounded by the last layer before its logits.
    fn least_of_generators(&self, fresh: &Weights) -> f64 {
        let numbers = |name: &str| -> Vec<f64> {
            let value = fresh.get(name).unwrap().value.clone();
            value.into_data_as::<f64>().try_into_vec().unwrap()
        };
        let (weight, bias) = (
            numbers("discriminator.weight"),
            numbers("discriminator.bias"),
        );
        let (units, samples) = (weight.len() as f64, SAMPLES as f64);
        // The mean of a ReLU of numbers of mean 0 and variance 1: half of them at 1, or one of them above all others.
        let rectified = |least: f64| -> f64 {
            let most = |w: &f64| (w * 0.5).max(w * least);
            weight.iter().map(most).sum()
        };
        let most = match self.choice.encoder {
            "mlp" => rectified((samples - 1.0).sqrt() / samples),
            "cnn" => rectified(0.0),
            // Numbers of mean 0 and variance 1 of each sample.
            name if name.starts_with("vit_") => {
                let mean = weight.iter().sum::<f64>() / units;
                let squares: f64 = weight.iter().map(|w| (w - mean).powi(2)).sum();
                (units * squares).sqrt()
            }
            // A sum of blocks has no bound.
            _ => f64::INFINITY,
        };
        let logit = most + bias[0];
        match self.choice.form {
            "game = \"hinge\"" => -logit,
            // Convex: least where all samples look alike.
            _ => (-logit).exp().ln_1p(),
        }
    }
}

/// What a loss must reach: after so many steps, a share of the way from its first value to the least that it can be.
struct Goal {
    steps: usize,
    least: f64,
    share: f64,
}

#[test]
fn a_handful_of_samples_is_learned_and_stays_told_apart() {
    for case in Case::all() {
        let mut weights = case.weights(5);
        let optimizer = Optimizer {
            rule: Rule::AdamW,
            weight_decay: 0.0,
            momentum: 0.9,
        };
        let mut state = OptimizerState::default();
        let Goal {
            steps,
            least,
            share,
        } = case.goal(&weights);
        let first = case.loss(&weights, &[]);
        let mut last = first;
        for step in 0..steps {
            let evaluated = case.evaluate(&weights);
            last = evaluated.loss;
            let rate = 0.005 * case.trains.rate;
            optimizer.step(&mut weights, evaluated.gradients, &mut state, |_| rate);
            // A memory would soon hold nothing but the samples that are to be distinguished from it.
            let statistics = evaluated.statistics.into_iter();
            for (name, value) in statistics.filter(|(name, _)| !name.starts_with("memory.")) {
                weights.set(&name, value.inner());
            }
            case.objective
                .after_step(&mut weights, step as f64 / steps as f64);
        }
        let learned = first > least && first - last > share * (first - least);
        assert!(
            learned,
            "{}: loss {first} only fell to {last} in {steps} steps, of {least}",
            case.name
        );
        let collapsed = case.collapsed(&weights);
        assert_eq!(collapsed, None, "{}: collapsed to this spread", case.name);
    }
}

#[test]
fn features_that_are_nearly_all_the_same_count_as_collapsed() {
    for ((shape, encoder), last) in KINDS.into_iter().zip(["bn3", "norm", "7"]) {
        let choice = Choice::new("simsiam", "", encoder, shape);
        let case = Case::new(choice, 0).unwrap();
        let mut weights = case.weights(9);
        assert_eq!(case.collapsed(&weights), None, "{encoder}: fresh");
        // The last normalisation hardly lets anything through, and adds the same to all samples.
        let [gain, bias] = ["weight", "bias"].map(|name| format!("encoder.{last}.{name}"));
        let value = |name: &str| weights.get(name).unwrap().value.clone();
        let (little, same) = (value(&gain) * 1e-3, value(&bias).ones_like());
        weights.set(&gain, little);
        weights.set(&bias, same);
        let collapsed = case.collapsed(&weights);
        assert!(collapsed.is_some(), "{encoder}: not seen to have collapsed");
    }
}
