//! A handful of samples is learned, and distinguished.

use hspace::embed::to_matrix;
use hspace::network::weights::Weights;
use hspace::objective::Net;
use hspace::optim::{Optimizer, OptimizerState, Rule};
use hspace::train::watch;

use crate::case::{Case, Choice, KINDS, samples};

impl Case {
    /// How far the features of different samples lie apart (see `watch::Health`), if that is next to nothing.
    fn collapsed(&self, weights: &Weights) -> Option<f64> {
        let pass = self.pass(weights);
        let net = Net::new(&*self.encoder, &pass);
        let features = net.encode(samples(self.choice.shape, 0.0, &self.device));
        let spread = watch::health(&[to_matrix(features)]).unwrap().spread;
        if spread > 0.01 { None } else { Some(spread) }
    }

    /// The least that the loss can be, and the share of the way there that learning a handful of samples takes it.
    fn goal(&self) -> (f64, f64) {
        match self.choice.objective {
            // A cosine, negative.
            "simsiam" => (-1.0, 0.8),
            // Nats of a density have no least, but begin far above 0.
            _ => (0.0, 0.2),
        }
    }
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
        let first = case.loss(&weights, &[]);
        let mut last = first;
        for step in 0..40 {
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
                .after_step(&mut weights, f64::from(step) / 40.0);
        }
        let learned = match case.objective.update_groups(1.0, &*case.encoder).len() {
            1 => {
                let (least, share) = case.goal();
                first > least && first - last > share * (first - least)
            }
            // One of two that play against each other sees both sides normalised over their own batches,
            // which leaves a network of four units little to tell them by: its loss need only fall.
            _ => last < first,
        };
        assert!(learned, "{}: loss {first} only fell to {last}", case.name);
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
