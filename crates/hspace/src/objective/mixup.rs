//! Mixtures of samples (Zhang et al. 2018, arXiv:1710.09412): `λ x + (1 − λ) x'`, λ ~ Beta(α, α), x' another row of the batch.

use burn_tensor::{Int, Tensor, TensorData};
use rand::seq::SliceRandom;
use rand_distr::{Beta, Distribution};

use super::Net;

/// Which row each row of a batch is mixed with, and how much of it stays.
pub(super) struct Mixup {
    order: Tensor<1, Int>,
    /// λ of each row, `[n]`.
    share: Tensor<1>,
}

impl Mixup {
    /// For `n` rows; `alpha` above 0. With `mostly_own` λ is at least a half (MixMatch).
    pub fn draw(net: &Net, alpha: f64, n: usize, mostly_own: bool) -> Mixup {
        let mut rng = net.rng("mixup");
        let beta = Beta::new(alpha, alpha).expect("alpha is above 0");
        let share = |_| {
            let share: f64 = beta.sample(&mut rng);
            let share = if mostly_own {
                share.max(1.0 - share)
            } else {
                share
            };
            share as f32
        };
        let share: Vec<f32> = (0..n).map(share).collect();
        let mut order: Vec<i64> = (0..n as i64).collect();
        order.shuffle(&mut rng);
        let device = net.device();
        Mixup {
            order: Tensor::from_data(TensorData::new(order, [n]), device),
            share: Tensor::from_data(TensorData::new(share, [n]), device),
        }
    }

    /// Rows, mixed.
    pub fn of<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let mut axes = [1; D];
        axes[0] = x.dims()[0];
        let share = self.share.clone().reshape(axes);
        let other = x.clone().select(0, self.order.clone());
        x * share.clone() + other * (-share + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::encoder;
    use crate::nn::weights::{values, vector};
    use crate::nn::{Mode, Pass, Weights};

    #[test]
    fn every_row_is_between_itself_and_another() {
        let (weights, device) = (Weights::default(), Device::cpu());
        let pass = Pass::new(&weights, Mode::Train, &device).with_seed(3);
        let encoder = encoder::make("mlp", toml::Table::new()).unwrap();
        let net = Net::new(&*encoder, &pass);
        let rows = vector((0..200).map(|i| i as f32).collect(), &device);
        for mostly_own in [false, true] {
            let mixup = Mixup::draw(&net, 0.75, 200, mostly_own);
            let (mixed, share) = (values(mixup.of(rows.clone())), values(mixup.share.clone()));
            let other = values(rows.clone().select(0, mixup.order.clone()));
            let mut partners = other.clone();
            partners.sort_by(f32::total_cmp);
            assert_eq!(partners, values(rows.clone()), "each row is a partner once");
            for (i, x) in mixed.iter().enumerate() {
                let wanted = share[i] * i as f32 + (1.0 - share[i]) * other[i];
                assert!((x - wanted).abs() < 1e-3, "{i}: {x}, not {wanted}");
            }
            let least = share.iter().copied().fold(1.0, f32::min);
            assert_eq!(least >= 0.5, mostly_own, "{least}");
        }
    }
}
