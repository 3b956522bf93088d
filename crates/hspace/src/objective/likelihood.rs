//! `log p(x | z)`: what a decoder's outputs say of a sample.
//!
//! `bernoulli`: each value is the probability of a white pixel, `Σ x log p + (1 − x) log(1 − p)`, p the
//! logistic function of the output. For values between 0 and 1 that is a bound on the cross entropy and
//! no density. `gaussian`: `Σ log N(x; output, s²)` with one s for all values, fixed or learned (as in
//! σ-VAE, Rybkin et al. 2021, arXiv:2006.13202). Images are in 0..1, vectors standardised.

use burn_tensor::activation::sigmoid;
use burn_tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::variational::latent::{LOG_TWO_PI, learned_number, sum_columns};
use super::{DataSpec, Net};
use crate::auto::Auto;
use crate::dataset::Shape;
use crate::nn::cross_entropy::cross_entropy;
use crate::nn::layers::flatten;
use crate::nn::weights::vector;

/// The kind of distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// `bernoulli` for images, `gaussian` for vectors.
    Auto,
    Bernoulli,
    Gaussian,
}

/// The distribution of a sample given the decoder's outputs, and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Likelihood {
    /// `bernoulli` (pixels in 0..1), `gaussian`, or `auto`: bernoulli for images.
    likelihood: Kind,
    /// s of `gaussian`; `auto`: learned.
    scale: Auto<f64>,
    #[serde(skip)]
    vectors: bool,
    /// What the encoder's input was normalised by, by channel.
    #[serde(skip)]
    mean: Vec<f32>,
    #[serde(skip)]
    std: Vec<f32>,
}

impl Default for Likelihood {
    fn default() -> Self {
        Likelihood {
            likelihood: Kind::Auto,
            scale: Auto::Auto,
            vectors: false,
            mean: vec![],
            std: vec![],
        }
    }
}

impl Likelihood {
    pub(super) fn validate(&self) -> Vec<String> {
        match self.scale {
            Auto::Set(scale) if !(scale.is_finite() && scale > 0.0) => {
                vec![format!("scale={scale} must be above 0, or `auto`")]
            }
            _ => vec![],
        }
    }

    /// For one shape of data; why it says nothing of it.
    pub(super) fn prepare(&mut self, spec: &DataSpec) -> Option<String> {
        self.vectors = matches!(spec.shape, Shape::Vector { .. });
        (self.mean, self.std) = (spec.mean.clone(), spec.std.clone());
        (self.vectors && self.bernoulli()).then(|| {
            "objective.likelihood=bernoulli is for values between 0 and 1, and vectors are standardised; set \
             gaussian or auto"
                .to_owned()
        })
    }

    /// What a number of nats is about.
    pub(super) fn unit(&self) -> &'static str {
        match (self.bernoulli(), self.vectors) {
            (true, _) => {
                "of pixels that are 0 or 1; between them it is a bound on the cross entropy and no density"
            }
            (false, false) => {
                "a density of pixels from 0 to 1; of pixels from 0 to 255 it is 8 bits a value more"
            }
            (false, true) => "a density of standardised columns",
        }
    }

    fn bernoulli(&self) -> bool {
        match self.likelihood {
            Kind::Auto => !self.vectors,
            Kind::Bernoulli => true,
            Kind::Gaussian => false,
        }
    }

    /// `log p(x | outputs)` of samples as the encoder takes them, `[n]`.
    pub(super) fn log_density(&self, net: &Net, outputs: Tensor<4>, x: Tensor<4>) -> Tensor<1> {
        let x = match self.vectors {
            true => x,
            false => plain(x, &self.mean, &self.std, true),
        };
        let (outputs, x) = (flatten(outputs), flatten(x));
        if self.bernoulli() {
            return cross_entropy(net.device(), outputs, x);
        }
        let log_scale = match self.scale {
            Auto::Set(scale) => vector(vec![scale.ln() as f32], net.device()),
            Auto::Auto => learned_number(net, "log_scale", 0.0),
        };
        gaussian(outputs, x, log_scale)
    }

    /// The mean of the distribution: images in 0..1, vectors in their own units.
    pub(super) fn samples(&self, outputs: Tensor<4>) -> Tensor<4> {
        match (self.bernoulli(), self.vectors) {
            (true, _) => sigmoid(outputs),
            (false, false) => outputs.clamp(0.0, 1.0),
            (false, true) => plain(outputs, &self.mean, &self.std, false),
        }
    }
}

/// Samples as the encoder takes them, without their normalisation by channel; images in 0..1.
pub(super) fn plain(x: Tensor<4>, mean: &[f32], std: &[f32], images: bool) -> Tensor<4> {
    let [_, channels, _, _] = x.dims();
    let device = x.device().inner();
    let by_channel = |values: &[f32]| {
        let values = TensorData::new(values.to_vec(), [1, channels, 1, 1]);
        Tensor::<4>::from_data(values, &device)
    };
    let x = x * by_channel(std) + by_channel(mean);
    if images { x.clamp(0.0, 1.0) } else { x }
}

/// The other way round: samples as the encoder takes them.
pub(super) fn normalised(x: Tensor<4>, mean: &[f32], std: &[f32]) -> Tensor<4> {
    let less: Vec<f32> = mean
        .iter()
        .zip(std)
        .map(|(mean, std)| -mean / std)
        .collect();
    let times: Vec<f32> = std.iter().map(|std| 1.0 / std).collect();
    plain(x, &less, &times, false)
}

/// `Σ log N(x; mean, s²)` over the columns, from log s: `[n]`.
pub(super) fn gaussian(mean: Tensor<2>, x: Tensor<2>, log_scale: Tensor<1>) -> Tensor<1> {
    let [_, numbers] = x.dims();
    let squares = sum_columns((x - mean).powi_scalar(2));
    let each = (log_scale.clone() * 2.0 + LOG_TWO_PI) * (0.5 * numbers as f64);
    squares * (log_scale * -2.0).exp() * -0.5 - each
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::golden::{check_loss, matrix};
    use crate::nn::weights::values;

    #[test]
    fn densities_agree_with_torch() {
        check_loss("bernoulli", [6, 5], |logits| {
            cross_entropy(&Device::cpu(), logits, matrix([6, 5], 1.1).abs()).mean()
        });
        check_loss("gaussian", [6, 5], |mean| {
            let log_scale = vector(vec![0.7f32.ln()], &Device::cpu());
            gaussian(mean, matrix([6, 5], 1.1), log_scale).mean()
        });
    }

    #[test]
    fn the_scale_is_drawn_to_the_mean_squared_error() {
        // d/d log s of the mean log-density is the mean of Σ (x − m)² / s², less the numbers.
        let (mean, x) = (matrix([6, 5], 0.3), matrix([6, 5], 1.1));
        let leaf = vector(vec![-0.4], &Device::cpu()).autodiff().require_grad();
        let density = gaussian(mean.clone(), x.clone(), leaf.clone()).mean();
        let mut gradients = density.backward();
        let found = f64::from(values(leaf.grad_remove(&mut gradients).unwrap())[0]);
        let pairs = values(mean).into_iter().zip(values(x));
        let squares: f64 = pairs.map(|(m, x)| f64::from(x - m).powi(2)).sum();
        let expected = squares / 6.0 / (-0.8f64).exp() - 5.0;
        assert!(
            (found - expected).abs() < 1e-5 * expected.abs(),
            "{found} is not {expected}"
        );
    }
}
