//! Weights by the noise of each task (Kendall, Gal & Cipolla 2018, arXiv:1705.07115).
//!
//! Of classes and labels `exp(−s) L + s/2`, of numbers, whose loss is a squared error, `exp(−s) L / 2 + s/2` (equations 7 and 10), with s = log σ²
//! of each task, learned with the network and 0 at first.

use burn_tensor::Tensor;

use super::Combined;
use crate::nn::weights::vector;
use crate::nn::{Init, Scope};
use crate::objective::many_tasks::task::Task;

/// The loss of all tasks, and exp(−s), half of it for numbers.
pub(super) fn combine(memory: &Scope, tasks: &[Task], losses: &[Option<Tensor<1>>]) -> Combined {
    let s = memory.weight("log_variance", [tasks.len()], Init::Constant(0.0));
    let halves = tasks
        .iter()
        .map(|task| if task.is_numeric() { 0.5 } else { 1.0 });
    let present = losses
        .iter()
        .map(|loss| f32::from(u8::from(loss.is_some())));
    let factors: Vec<f32> = halves.zip(present).map(|(half, is)| half * is).collect();
    let weights = (-s.clone()).exp() * vector(factors, memory.device());
    let terms = losses.iter().enumerate().filter_map(|(task, loss)| {
        let of_task = |x: &Tensor<1>| x.clone().narrow(0, task, 1);
        let loss = loss.clone()?;
        Some(loss * of_task(&weights) + of_task(&s) * 0.5)
    });
    Combined {
        total: terms.reduce(|a, b| a + b),
        weights,
        mean_cosine: None,
    }
}
