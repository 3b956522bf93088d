//! Golden values from PyTorch, torchvision and lightly: `tests/golden/torch_values.json`, made by
//! the script next to it.

use burn_tensor::Tensor;
use serde_json::Value;

use crate::device::Device;
use crate::nn::weights::{values, vector};

/// The value at `path`, such as `["simclr", "loss"]`.
fn at(path: &[&str]) -> Value {
    let text = include_str!("../tests/golden/torch_values.json");
    let all: Value = serde_json::from_str(text).expect("the golden file is JSON");
    path.iter().fold(all, |value, key| value[*key].clone())
}

/// A golden number.
pub fn number(path: &[&str]) -> f64 {
    at(path).as_f64().expect("a golden number")
}

/// Golden numbers.
pub fn numbers(path: &[&str]) -> Vec<f64> {
    let list = at(path);
    let list = list.as_array().expect("golden numbers").iter();
    list.map(|v| v.as_f64().expect("a golden number")).collect()
}

/// The script's `scatter`: in -1..1, without a pattern.
pub fn scatter(n: usize, phase: f64) -> Vec<f32> {
    let value = |i: usize| {
        let x = (12.9898 * i as f64 + phase).sin() * 43758.5453;
        (2.0 * (x - x.floor()) - 1.0) as f32
    };
    (0..n).map(value).collect()
}

/// `scatter` as a tensor.
pub fn noise<const D: usize>(shape: [usize; D], phase: f64) -> Tensor<D> {
    vector(scatter(shape.iter().product(), phase), &Device::cpu()).reshape(shape)
}

/// The script's `fill`: `sin(0.7 i + phase)`.
pub fn fill(n: usize, phase: f64) -> Vec<f32> {
    (0..n)
        .map(|i| (0.7 * i as f64 + phase).sin() as f32)
        .collect()
}

/// Asserts agreement within `tolerance`, relative to the largest of the expected values.
pub fn assert_close(what: &str, got: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}: number of values");
    let scale = expected.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    for (i, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(got) - expected).abs() / scale;
        assert!(
            error <= tolerance,
            "{what}[{i}]: {got} is not {expected} (error {error:.1e} of the scale)"
        );
    }
}

/// `fill` as rows.
pub fn matrix(size: [usize; 2], phase: f64) -> Tensor<2> {
    vector(fill(size[0] * size[1], phase), &Device::cpu()).reshape(size)
}

/// Asserts that `loss` of a matrix of `size`, filled from phase 0.3 on, and its gradient are the
/// golden `name.loss` and `name.grad`.
pub fn check_loss(name: &str, size: [usize; 2], loss: impl Fn(Tensor<2>) -> Tensor<1>) {
    check(name, size, [1e-6, 1e-5], loss);
}

/// The same for an estimate, which is off by up to `tolerance`, relative to the largest of the expected values.
pub fn check_loss_within(
    name: &str,
    size: [usize; 2],
    tolerance: f64,
    loss: impl Fn(Tensor<2>) -> Tensor<1>,
) {
    check(name, size, [tolerance; 2], loss);
}

fn check(
    name: &str,
    size: [usize; 2],
    [loss_off, gradient_off]: [f64; 2],
    loss: impl Fn(Tensor<2>) -> Tensor<1>,
) {
    let leaf = vector(fill(size[0] * size[1], 0.3), &Device::cpu());
    let leaf = leaf.autodiff().require_grad();
    let loss = loss(leaf.clone().reshape(size));
    let mut gradients = loss.backward();
    let found = values(loss.inner());
    assert_close("loss", &found, &[number(&[name, "loss"])], loss_off);
    let gradient = values(leaf.grad_remove(&mut gradients).expect("a gradient"));
    let expected = numbers(&[name, "grad"]);
    assert_close("gradient", &gradient, &expected, gradient_off);
}
