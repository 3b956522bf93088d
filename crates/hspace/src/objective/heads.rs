//! Heads that several objectives put on an encoder.

use burn_tensor::Tensor;

use crate::network::Scope;
use crate::network::layers::{perceptron, standardise};

/// Projector or predictor, `[n, d]` to `[n, out]`, out the last of `dims`: linear layers with batch
/// normalisation and ReLU between them.
pub(super) fn projector(scope: &Scope, x: Tensor<2>, dims: &[usize]) -> Tensor<2> {
    perceptron(scope, x, dims, true)
}

/// The same with each dimension normalised over the batch at the end, without gain and bias.
pub(super) fn standardised_projector(scope: &Scope, x: Tensor<2>, dims: &[usize]) -> Tensor<2> {
    standardise(perceptron(scope, x, dims, true))
}

/// All that was refused.
pub(super) fn problems<const N: usize>(checks: [Result<(), String>; N]) -> Vec<String> {
    checks.into_iter().filter_map(Result::err).collect()
}

/// Refuses sizes of 0, each with its key.
pub(super) fn positive(sizes: &[(&str, usize)]) -> Result<(), String> {
    match sizes.iter().find(|(_, size)| *size == 0) {
        Some((key, _)) => Err(format!("{key}=0 must be at least 1")),
        None => Ok(()),
    }
}

/// Refuses what is no number above 0.
pub(super) fn positive_number(key: &str, value: f64) -> Result<(), String> {
    match value.is_finite() && value > 0.0 {
        true => Ok(()),
        false => Err(format!("{key}={value} must be above 0")),
    }
}

/// Refuses what is no share of something, 0 to 1.
pub(super) fn share(key: &str, value: f64) -> Result<(), String> {
    match (0.0..=1.0).contains(&value) {
        true => Ok(()),
        false => Err(format!("{key}={value} must be in 0..=1")),
    }
}

/// Refuses what is no number of 0 or above, each with its key.
pub(super) fn not_negative(numbers: &[(&str, f64)]) -> Result<(), String> {
    let wrong = |(_, x): &&(&str, f64)| !(x.is_finite() && *x >= 0.0);
    match numbers.iter().find(wrong) {
        Some((key, x)) => Err(format!("{key}={x} must be 0 or above")),
        None => Ok(()),
    }
}
