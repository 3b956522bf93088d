//! Log-likelihood of values in 0..1 under Bernoulli distributions, given by their logits.
//!
//! On the CPU it is one operation of our kernels, elsewhere a composition of burn's.

use burn_tensor::Tensor;

use super::kernels;
use crate::device::Device;

/// `Σ x l − log(1 + eˡ)` over the columns of `logits [n, d]` and `x [n, d]`: `[n]`. No gradient flows
/// through x.
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
    use burn_tensor::Distribution;
    use hspace_kernels::Machine;

    use super::*;
    use crate::network::weights::values;

    #[test]
    fn our_kernel_agrees_with_burns() {
        let cpu = burn_tensor::Device::flex();
        let logits = Tensor::<2>::random([9, 37], Distribution::Normal(0.0, 4.0), &cpu);
        let x = Tensor::<2>::random([9, 37], Distribution::Uniform(0.0, 1.0), &cpu);
        let weight = Tensor::<1>::random([9], Distribution::Normal(0.0, 1.0), &cpu);
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
