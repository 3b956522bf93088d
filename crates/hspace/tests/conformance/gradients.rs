//! Gradients of the fastest kernels against finite differences, as a whole: those of each layer are compared in double
//! precision (`tests/slopes`), and with the kernels' in `devices`.

use std::collections::BTreeSet;

use burn_tensor::Tensor;
use hspace::nn::weights::Weights;
use hspace::optim::Gradients;

use crate::case::{Case, Choice, Evaluated, number};

fn length(x: &Tensor<1>) -> f64 {
    number((x.clone() * x.clone()).sum()).sqrt()
}

/// A gradient so much shorter than the middle one of all weights' is nothing but rounding: what should be 0 comes out
/// as a millionth, what should not be as a hundredth or more.
const NOTHING: f64 = 3e-5;

impl Evaluated {
    /// The weights whose gradient is nothing but rounding.
    fn silent(&self) -> BTreeSet<String> {
        let each = self.gradients.iter();
        let lengths: Vec<(&String, f64)> = each.map(|(name, g)| (name, length(g))).collect();
        let mut sorted: Vec<f64> = lengths.iter().map(|(_, length)| *length).collect();
        sorted.sort_by(f64::total_cmp);
        let least = NOTHING * sorted[sorted.len() / 2];
        let silent = lengths.into_iter().filter(|(_, length)| *length <= least);
        silent.map(|(name, _)| name.clone()).collect()
    }
}

impl Choice {
    /// Whether the loss is the same for any value of this weight, though it is trained.
    fn has_no_effect(&self, weight: &str) -> bool {
        match (self.objective, weight) {
            // It is added to all samples, and the loss is of what they differ by from their mean or each other.
            ("barlow_twins" | "simsiam" | "moco" | "vicreg", "projector.6.bias") => true,
            // The same, by a normalisation over the batch: in the predictor, in the encoder that sees drawn vectors,
            // in the projector that sees the features of a ViT.
            ("byol", "projector.3.bias") | ("gan", "generator.4.bias") => true,
            (
                "simclr" | "moco" | "byol" | "simsiam" | "barlow_twins" | "vicreg" | "swav"
                | "supcon",
                "encoder.norm.bias",
            ) => true,
            _ => false,
        }
    }

    /// Whether the slopes of drawn and of real samples by this weight cancel: those of the hinges do where
    /// none of the samples is beyond its margin.
    fn may_cancel(&self, weight: &str) -> bool {
        self.form == "game = \"hinge\""
            && matches!(weight, "discriminator.bias" | "encoder.norm.bias")
    }
}

impl Case {
    /// How far the loss's slope along `direction` is off the one that the gradient of `turn` says, as a share of
    /// that (central differences, single precision). Steps change the loss by [`SHARES`]; the best of them counts,
    /// and none is tried after one that is [`CLOSE`].
    fn slope_error(&self, weights: &Weights, evaluated: &Evaluated, direction: &Gradients) -> f64 {
        let along =
            |name: &str, way: Tensor<1>| number((way * evaluated.gradients[name].clone()).sum());
        // The loss after a step, and what the gradient says of that step: of the one that was made, since small
        // steps of many weights are rounded.
        let moved = |by: f64| {
            let (mut moved, mut promised) = (weights.clone(), 0.0);
            for (name, way) in direction {
                let before = weights.get(name).unwrap().value.clone();
                let after = before.clone() + way.clone() * by;
                promised += along(name, after.clone() - before);
                moved.set(name, after);
            }
            (self.loss(&moved, &evaluated.constants), promised)
        };
        let ratio = |step: f64| {
            let (ahead, behind) = (moved(step), moved(-step));
            (ahead.0 - behind.0) / (ahead.1 - behind.1)
        };
        let ways = direction.iter();
        let slope: f64 = ways.map(|(name, way)| along(name, way.clone())).sum();
        let mut least = f64::INFINITY;
        for share in SHARES {
            let step = share * evaluated.loss.abs().max(1.0) / slope;
            // Twice the step takes off most of the curvature.
            let error = ((4.0 * ratio(step) - ratio(2.0 * step)) / 3.0 - 1.0).abs();
            least = least.min(error);
            if least < CLOSE {
                break;
            }
        }
        least
    }
}

/// Shares of the loss (of 1, if it is less) that a step changes it by. Short steps drown in the rounding of the loss,
/// long ones in its curvature (deep networks with normalisation are strongly curved).
const SHARES: [f64; 4] = [3e-4, 1e-3, 1e-4, 3e-5];
/// How far a slope may be off. Nearly all agree to 0.005.
const CLOSE: f64 = 0.02;

/// Along the gradient, the loss must change as it says.
#[test]
fn gradients_agree_with_finite_differences() {
    for case in Case::all() {
        let weights = case.weights(3);
        let evaluated = case.evaluate(&weights);
        let squares = evaluated.gradients.values().map(|g| length(g).powi(2));
        let norm = squares.sum::<f64>().sqrt();
        assert!(norm > 0.0, "{}: no gradient", case.name);
        let unit = |(name, g): (&String, &Tensor<1>)| (name.clone(), g.clone() / norm);
        let direction: Gradients = evaluated.gradients.iter().map(unit).collect();
        let error = case.slope_error(&weights, &evaluated, &direction);
        assert!(error < CLOSE, "{}: the slope is off by {error}", case.name);
    }
}

#[test]
fn every_trained_weight_gets_a_gradient_and_no_other_does() {
    for case in Case::all() {
        let weights = case.weights(4);
        let evaluated = case.evaluate(&weights);
        for (name, weight) in weights.iter() {
            let has = evaluated.gradients.contains_key(name);
            let wanted = weight.trained && case.trains.covers(name);
            assert_eq!(has, wanted, "{}: gradient of {name}", case.name);
        }
        let names = evaluated.gradients.keys();
        let without: BTreeSet<String> = names
            .filter(|name| case.choice.has_no_effect(name))
            .cloned()
            .collect();
        let silent = |evaluated: &Evaluated| {
            let mut silent = evaluated.silent();
            silent.retain(|name| !case.choice.may_cancel(name));
            silent
        };
        let mut found = silent(&evaluated);
        // Chance can make slopes cancel at some weights; only a reason can at all.
        for seed in [14, 24] {
            if found != without {
                found = &found & &silent(&case.evaluate(&case.weights(seed)));
            }
        }
        assert_eq!(found, without, "{}: gradients that are 0", case.name);
    }
}
