//! Gradient normalisation (Chen et al. 2018, arXiv:1711.02257): weights move such that the gradients `w_t ∇L_t` of the tasks are as long as the mean of
//! them, times the relative inverse training rate `r_t` to the power α, algorithm 1. A step of the weights is that of the derivative of
//! `Σ |w_t ‖∇L_t‖ − target_t|`, here over the mean length, so that it does not depend on the scale of the losses; weights sum to the
//! number of tasks.

use super::{State, Step};

/// Weights stay above it.
const LEAST: f64 = 0.01;

/// The weights of the tasks that are there, for this step; the moved ones are for the next.
pub(super) fn weights(step: &Step, state: &State, restoring: f64, rate: f64) -> Vec<f64> {
    let mut weights = state.get("weights", 1.0);
    let mut at_first = state.get("at_first", 0.0);
    for (&task, &loss) in step.present.iter().zip(&step.losses) {
        if at_first[task] == 0.0 {
            at_first[task] = loss;
        }
    }
    let now: Vec<f64> = step.present.iter().map(|&task| weights[task]).collect();
    let relative = step.present.iter().zip(&step.losses);
    let relative: Vec<f64> = relative
        .map(|(&task, loss)| loss / at_first[task].max(f64::MIN_POSITIVE))
        .collect();
    let norms: Vec<f64> = (0..now.len()).map(|t| step.products.norm(t)).collect();
    for (&task, weight) in step
        .present
        .iter()
        .zip(moved(&now, &norms, &relative, restoring, rate))
    {
        weights[task] = weight;
    }
    let sum: f64 = weights.iter().sum();
    weights
        .iter_mut()
        .for_each(|w| *w *= state.tasks as f64 / sum);
    state.set("weights", &weights);
    state.set("at_first", &at_first);
    now
}

/// Weights after a step, from those before, the lengths of the gradients and the losses compared with the first ones.
fn moved(weights: &[f64], norms: &[f64], relative: &[f64], restoring: f64, rate: f64) -> Vec<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let lengths: Vec<f64> = weights.iter().zip(norms).map(|(w, n)| w * n).collect();
    let (length, loss) = (mean(&lengths), mean(relative));
    if length <= 0.0 || loss <= 0.0 {
        return weights.to_vec();
    }
    let step = |task: usize| {
        let target = length * (relative[task] / loss).powf(restoring);
        let slope = (lengths[task] - target).signum() * norms[task] / length;
        (weights[task] - rate * slope).max(LEAST)
    };
    (0..weights.len()).map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_with_a_short_gradient_and_one_that_is_behind_gain_weight() {
        let after = moved(&[1.0, 1.0], &[3.0, 1.0], &[0.5, 0.5], 1.5, 0.1);
        assert!((after[0] - 0.85).abs() < 1e-12 && (after[1] - 1.05).abs() < 1e-12);
        let behind = moved(&[1.0, 1.0], &[1.0, 1.0], &[0.9, 0.1], 1.5, 0.1);
        assert!(behind[0] > 1.0 && behind[1] < 1.0);
    }
}
