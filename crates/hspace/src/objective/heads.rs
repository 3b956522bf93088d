//! Heads that several objectives put on an encoder.

use burn_tensor::Tensor;

use crate::nn::Scope;
use crate::nn::layers::{perceptron, standardise};

/// Projector or predictor, `[n, d]` to `[n, out]`, out the last of `dims`: linear layers with batch
/// normalisation and ReLU between them.
pub(super) fn projector(scope: &Scope, x: Tensor<2>, dims: &[usize]) -> Tensor<2> {
    perceptron(scope, x, dims, true)
}

/// The same with each dimension normalised over the batch at the end, without gain and bias.
pub(super) fn standardised_projector(scope: &Scope, x: Tensor<2>, dims: &[usize]) -> Tensor<2> {
    standardise(perceptron(scope, x, dims, true))
}

/// `problem` unless `ok`: what the checks of settings are made of.
pub(super) fn must(ok: bool, problem: impl FnOnce() -> String) -> Vec<String> {
    match ok {
        true => vec![],
        false => vec![problem()],
    }
}

/// Sizes of 0, each with its key.
pub(super) fn positive(sizes: &[(&str, usize)]) -> Vec<String> {
    let wrong = sizes.iter().filter(|(_, size)| *size == 0);
    let problem = |(key, _): &(&str, usize)| format!("{key}=0 must be at least 1");
    wrong.map(problem).collect()
}

/// What is no number above 0.
pub(super) fn positive_number(key: &str, value: f64) -> Vec<String> {
    let ok = value.is_finite() && value > 0.0;
    must(ok, || format!("{key}={value} must be above 0"))
}

/// What is no share of something, 0 to 1.
pub(super) fn share(key: &str, value: f64) -> Vec<String> {
    let ok = (0.0..=1.0).contains(&value);
    must(ok, || format!("{key}={value} must be in 0..=1"))
}

/// What is no number of 0 or above, each with its key.
pub(super) fn not_negative(numbers: &[(&str, f64)]) -> Vec<String> {
    let wrong = |(_, x): &&(&str, f64)| !(x.is_finite() && *x >= 0.0);
    let problem = |(key, x): &(&str, f64)| format!("{key}={x} must be 0 or above");
    numbers.iter().filter(wrong).map(problem).collect()
}
