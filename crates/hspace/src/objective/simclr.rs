//! SimCLR: two views of a sample attract, views of different samples repel.
//!
//! With z the projections of the 2n views, scaled to length 1, and j(i) the other view of the
//! sample of i: `loss = −mean_i log( exp(z_i·z_j(i)/τ) / Σ_{k≠i} exp(z_i·z_k/τ) )`
//! (NT-Xent; Chen et al. 2020, arXiv:2002.05709, equation 1).
//!
//! Each view goes through the encoder as its own batch (the paper's code normalises both together),
//! the projector sees both. We deviate in one default: the temperature is 0.2 rather than 0.1 or 0.5, which suits batches of
//! a few hundred.

use burn_tensor::Tensor;
use burn_tensor::activation::log_softmax;
use serde::{Deserialize, Serialize};

use super::heads::projector;
use super::{Batch, Facts, Loss, Net, Objective, Stream, two_views};
use crate::device::Device;
use crate::list::{self, Entry};
use crate::network::layers::{l2_normalise, pick};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SimClr {
    /// τ > 0.
    temperature: f64,
    /// Hidden units of the projector.
    hidden: usize,
    /// Dimensions of the projection.
    projection: usize,
}

impl Default for SimClr {
    fn default() -> Self {
        SimClr {
            temperature: 0.2,
            hidden: 512,
            projection: 128,
        }
    }
}

pub(super) const ENTRY: Entry<dyn Objective> = Entry {
    name: "simclr",
    summary: "contrastive: two views of a sample attract, different samples repel",
    source: "Chen et al. 2020, arXiv:2002.05709",
    defaults: list::defaults::<SimClr>,
    make: |table| {
        let settings: SimClr = list::parse(table)?;
        if settings.temperature.is_nan() || settings.temperature <= 0.0 {
            let given = settings.temperature;
            return Err(format!("temperature={given} must be above 0"));
        }
        Ok(Box::new(settings))
    },
};

impl Objective for SimClr {
    fn prepare(&mut self, _: &Facts) -> Vec<String> {
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        two_views()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let features = Tensor::cat(net.encode_views(&batches[0].views), 0);
        let z = projector(
            &net.at("projector"),
            features.clone(),
            self.hidden,
            self.projection,
        );
        Loss {
            total: nt_xent(z, self.temperature, net.device()),
            parts: vec![],
            features,
        }
    }
}

/// NT-Xent of projections `[2n, d]`, the first views of all samples before the second.
fn nt_xent(z: Tensor<2>, temperature: f64, device: &Device) -> Tensor<1> {
    let [m, _] = z.dims();
    let z = l2_normalise(z);
    let similarity = z.clone().matmul(z.transpose()) / temperature;
    // Far below any similarity, so that its exponential is zero.
    let not_itself = similarity - Tensor::<2>::eye(m, device) * 1e9;
    let other_view: Vec<u32> = (0..m).map(|i| ((i + m / 2) % m) as u32).collect();
    -pick(log_softmax(not_itself, 1), &other_view).mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{assert_close, fill, number, numbers};
    use crate::network::weights::{values, vector};

    #[test]
    fn agrees_with_lightly() {
        let device = Device::cpu();
        let leaf = vector(fill(60, 0.3), &device).autodiff().require_grad();
        let loss = nt_xent(leaf.clone().reshape([12, 5]), 0.2, &device);
        let mut gradients = loss.backward();
        assert_close(
            "loss",
            &values(loss.inner()),
            &[number(&["simclr", "loss"])],
            1e-6,
        );
        let gradient = values(leaf.grad_remove(&mut gradients).unwrap());
        assert_close("gradient", &gradient, &numbers(&["simclr", "grad"]), 1e-5);
    }
}
