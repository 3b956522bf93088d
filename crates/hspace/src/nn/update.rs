//! What moves flat weights: on the CPU one pass in place, elsewhere a composition of burn's
//! operations.

use burn_flex::{Flex, FlexTensor};
use burn_tensor::Tensor;
use hspace_kernels::{Machine, update};

pub use hspace_kernels::update::{Adam, Momentum};

use crate::device::on_cpu;

/// Weight and velocity after a step with momentum.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::embed::to_matrix;
/// use hspace::nn::update::{Momentum, momentum};
///
/// let number = |x: f32| Tensor::<1>::from_floats([x], &Device::cpu());
/// // Velocity 0.5 · 2 + 1, weight 10 − 0.1 · 2.
/// let by = Momentum { momentum: 0.5, scale: 1.0, decay: 0.0, rate: 0.1 };
/// let (weight, velocity) = momentum(&by, number(10.0), number(1.0), number(2.0));
/// assert!((to_matrix(weight.unsqueeze()).data[0] - 9.8).abs() < 1e-5);
/// assert_eq!(to_matrix(velocity.unsqueeze()).data, [2.0]);
/// ```
pub fn momentum(
    by: &Momentum,
    weight: Tensor<1>,
    gradient: Tensor<1>,
    velocity: Tensor<1>,
) -> (Tensor<1>, Tensor<1>) {
    if let Some(on) = kernels(&weight) {
        let (mut weight, gradient) = (numbers(weight), numbers(gradient));
        let mut velocity = numbers(velocity);
        let (w, v) = (weight.storage_mut(), velocity.storage_mut());
        by.step(on, w, gradient.storage(), v);
        return (tensor(weight), tensor(velocity));
    }
    let direction = gradient + weight.clone() * by.decay;
    let velocity = velocity * by.momentum + direction * by.scale;
    (weight - velocity.clone() * by.rate, velocity)
}

/// Weight, mean and square after a step of Adam.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::embed::to_matrix;
/// use hspace::nn::update::{Adam, adam};
///
/// let number = |x: f32| Tensor::<1>::from_floats([x], &Device::cpu());
/// // The first step of Adam with learning rate 0.1 is 0.1 long, whatever the gradient.
/// let (rate, correction) = (0.1 / (1.0 - 0.9), 1.0 / (1.0 - 0.999));
/// let by = Adam { keep: [0.9, 0.999], shrink: 1.0, rate, correction, epsilon: 1e-8 };
/// let (weight, mean, _) = adam(&by, number(1.0), number(5.0), number(0.0), number(0.0));
/// assert!((to_matrix(weight.unsqueeze()).data[0] - 0.9).abs() < 1e-4);
/// assert!((to_matrix(mean.unsqueeze()).data[0] - 0.5).abs() < 1e-5);
/// ```
pub fn adam(
    by: &Adam,
    weight: Tensor<1>,
    gradient: Tensor<1>,
    mean: Tensor<1>,
    square: Tensor<1>,
) -> (Tensor<1>, Tensor<1>, Tensor<1>) {
    if let Some(on) = kernels(&weight) {
        let (mut weight, gradient) = (numbers(weight), numbers(gradient));
        let (mut mean, mut square) = (numbers(mean), numbers(square));
        let (m, v) = (mean.storage_mut(), square.storage_mut());
        let w = weight.storage_mut();
        by.step(on, w, gradient.storage(), m, v);
        return (tensor(weight), tensor(mean), tensor(square));
    }
    let own = gradient.clone() * gradient.clone() * (1.0 - by.keep[1]);
    let mean = mean * by.keep[0] + gradient * (1.0 - by.keep[0]);
    let square = square * by.keep[1] + own;
    let step = mean.clone() / ((square.clone() * by.correction).sqrt() + by.epsilon);
    (weight * by.shrink - step * by.rate, mean, square)
}

/// `momentum · weight + (1 − momentum) · source`.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::embed::to_matrix;
/// use hspace::nn::update::follow;
///
/// let number = |x: f32| Tensor::<1>::from_floats([x], &Device::cpu());
/// let teacher = follow(number(1.0), &number(3.0), 0.75);
/// assert_eq!(to_matrix(teacher.unsqueeze()).data, [1.5]);
/// ```
pub fn follow(weight: Tensor<1>, source: &Tensor<1>, momentum: f64) -> Tensor<1> {
    if let Some(on) = kernels(&weight) {
        let (mut weight, source) = (numbers(weight), numbers(source.clone()));
        update::follow(on, weight.storage_mut(), source.storage(), momentum);
        return tensor(weight);
    }
    weight * momentum + source.clone() * (1.0 - momentum)
}

/// Our kernels at their best, if a tensor is where they can see it: flat values know no more of the device.
/// Nothing is summed here, so all instruction sets with fused multiply-adds give the same.
fn kernels(tensor: &Tensor<1>) -> Option<Machine> {
    on_cpu(&tensor.device()).then(Machine::best)
}

/// A tensor's numbers in memory, all of it and contiguous; written to, they are copied first if
/// another tensor shares them.
fn numbers(tensor: Tensor<1>) -> FlexTensor {
    let len = tensor.dims()[0];
    let numbers = tensor.inner().try_into_primitive::<Flex>();
    let numbers = numbers.expect("a tensor on the CPU").to_contiguous();
    match numbers.storage::<f32>().len() == len {
        true => numbers,
        // A part of a larger tensor.
        false => FlexTensor::from_data(numbers.into_data()),
    }
}

fn tensor(numbers: FlexTensor) -> Tensor<1> {
    Tensor::from_primitive::<Flex>(numbers)
}
