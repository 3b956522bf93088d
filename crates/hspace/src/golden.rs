//! Golden values from PyTorch, torchvision and lightly: `tests/golden/torch_values.json`, made by
//! the script beside it.

use serde_json::Value;

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
