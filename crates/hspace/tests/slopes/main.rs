//! Gradients of every layer against finite differences in double precision.
//!
//! In single precision a step must be so long that it passes kinks (of ReLU, of max pooling, of the choice of a word),
//! and a slope that is off might be one of them. In double precision a step that changes the loss by 10⁻⁸ of itself is
//! still exact to some 10⁻⁷, and hardly ever passes one. The process has this precision: burn's device takes it for
//! all its tensors, so these tests have a binary of their own, and compute by burn's operations. That our kernels do
//! the same is what the conformance tests say of devices.

// The conformance tests use more of it.
#[allow(dead_code)]
#[path = "../conformance/case.rs"]
mod case;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use burn_tensor::{FloatDType, Tensor};
use hspace::device::Device;
use hspace::nn::weights::Weights;
use hspace::optim::Gradients;
use rayon::prelude::*;

use case::{Case, Evaluated, number};

/// The draw of weights.
const DRAW: u64 = 30;
/// Shares of the loss (of 1, if it is less) that a step changes it by. Of the 9118 directions of draws 30 and 31
/// one passed a kink in the first step; the second is for such. The third is for the classifier of M2, whose gradient is small next to the loss, so that
/// its steps are long.
const SHARES: [f64; 3] = [1e-8, 1e-9, 1e-10];
/// How far a slope may be off, as a share of it. They are by 1.4e-6 at most.
const CLOSE: f64 = 1e-5;
/// A gradient so much shorter than the middle one of all weights' is 0 but for rounding.
const NOTHING: f64 = 1e-8;

/// The processor, in double precision.
fn double() -> Device {
    static DEVICE: LazyLock<Device> = LazyLock::new(|| {
        let device = Device::cpu_with(None);
        let mut place = (*device).clone();
        let configured = place.configure(FloatDType::F64);
        configured.expect("nothing was computed before");
        device
    });
    DEVICE.clone()
}

fn length(x: &Tensor<1>) -> f64 {
    number((x.clone() * x.clone()).sum()).sqrt()
}

/// Directions along the gradient of one layer each, or of one block of layers. Weights move the farther the shorter
/// their gradients are, so that each has its share in the slope.
fn layers(gradients: &Gradients) -> BTreeMap<String, Gradients> {
    let mut lengths: Vec<f64> = gradients.values().map(length).collect();
    lengths.sort_by(f64::total_cmp);
    let least = NOTHING * lengths[lengths.len() / 2];
    let mut layers: BTreeMap<String, Gradients> = BTreeMap::new();
    for (name, gradient) in gradients {
        let length = length(gradient);
        if length > least {
            let (place, _) = name.rsplit_once('.').expect("a place and a name");
            let layer: Vec<&str> = place.split('.').take(3).collect();
            let way = gradient.clone() / length.powf(1.5);
            let layer = layers.entry(layer.join(".")).or_default();
            layer.insert(name.clone(), way);
        }
    }
    layers
}

/// How far the loss's slope along `direction` is off the one that the gradient says, as a share of that, by central
/// differences: of the first of [`SHARES`] that is [`CLOSE`], or the last.
fn slope_error(case: &Case, weights: &Weights, at: &Evaluated, direction: &Gradients) -> f64 {
    let along = |(name, way): (&String, &Tensor<1>)| {
        number((way.clone() * at.gradients[name].clone()).sum())
    };
    let slope: f64 = direction.iter().map(along).sum();
    let moved = |by: f64| {
        let mut moved = weights.clone();
        for (name, way) in direction {
            let before = weights.get(name).expect("a weight").value.clone();
            moved.set(name, before + way.clone() * by);
        }
        case.loss(&moved, &at.constants)
    };
    let mut error = f64::INFINITY;
    for share in SHARES {
        let step = share * at.loss.abs().max(1.0) / slope;
        error = ((moved(step) - moved(-step)) / (2.0 * step * slope) - 1.0).abs();
        if error < CLOSE {
            break;
        }
    }
    error
}

#[test]
fn gradients_of_every_layer_agree_with_finite_differences() {
    let device = double();
    let mut cases: Vec<Case> = Case::all().collect();
    cases
        .iter_mut()
        .for_each(|case| case.device = device.clone());
    let errors = |case: &Case| -> Vec<(String, f64)> {
        let weights = case.weights(DRAW);
        let at = case.evaluate(&weights);
        let error = |(layer, direction)| {
            let name = format!("{}: {layer}", case.name);
            (name, slope_error(case, &weights, &at, &direction))
        };
        layers(&at.gradients).into_iter().map(error).collect()
    };
    let found: Vec<(String, f64)> = cases.par_iter().flat_map_iter(errors).collect();
    let worst = found.iter().map(|(_, error)| *error).fold(0.0, f64::max);
    println!("{} directions, off by {worst:.1e} at most", found.len());
    // What is no number is not close.
    let close = |error: f64| error < CLOSE;
    let off: Vec<_> = found.iter().filter(|(_, error)| !close(*error)).collect();
    assert!(off.is_empty(), "slopes are off by {off:#?}");
}
