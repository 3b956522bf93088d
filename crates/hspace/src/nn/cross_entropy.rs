//! Log-likelihood of values in 0..1 under Bernoulli distributions, given by their logits.
//!
//! On the CPU it is one operation of our kernels, elsewhere a composition of burn's.

use burn_tensor::Tensor;

use super::kernels;
use crate::device::Device;

/// `Σ x l − log(1 + eˡ)` over the columns of `logits [n, d]` and `x [n, d]`: `[n]`. No gradient flows
/// through x.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::embed::to_matrix;
/// use hspace::nn::cross_entropy::cross_entropy;
///
/// let device = Device::cpu();
/// // Two values of probability ½ each: log ¼.
/// let logits = Tensor::<2>::zeros([1, 2], &device);
/// let x = Tensor::from_floats([[0.0, 1.0]], &device);
/// let found = to_matrix(cross_entropy(&device, logits, x).unsqueeze());
/// assert!((found.data[0] - 0.25f32.ln()).abs() < 1e-6);
/// ```
pub fn cross_entropy(device: &Device, logits: Tensor<2>, x: Tensor<2>) -> Tensor<1> {
    if let Some(on) = device.kernels() {
        return kernels::cross_entropy(on, logits, x);
    }
    let [n, _] = logits.dims();
    // log(1 + eˡ) without overflow.
    let softplus = logits.clone().clamp_min(0.0) + ((-logits.clone().abs()).exp() + 1.0).log();
    (logits * x.detach() - softplus).sum_dim(1).reshape([n])
}

#[cfg(test)]
mod tests {
    use hspace_kernels::Machine;

    use super::*;
    use crate::golden::noise;
    use crate::nn::weights::values;

    #[test]
    fn our_kernel_agrees_with_burns() {
        let logits = noise([9, 37], 0.1) * 8.0;
        let x = noise([9, 37], 0.2).abs();
        let weight = noise([9], 0.3);
        let run = |on: Option<Machine>| {
            let logits = logits.clone().autodiff().require_grad();
            let found = cross_entropy(&Device::cpu_with(on), logits.clone(), x.clone());
            let loss = (found.clone() * weight.clone()).sum();
            let gradient = logits
                .grad_remove(&mut loss.backward())
                .expect("a gradient");
            [values(found.inner()), values(gradient)].concat()
        };
        for (ours, burns) in run(Some(Machine::best())).iter().zip(run(None)) {
            assert!(
                (ours - burns).abs() <= 2e-6 * (1.0 + burns.abs()),
                "{ours} is not {burns}"
            );
        }
    }
}
