//! Autoencoder: the features must suffice to draw the sample again.
//!
//! `loss = mean (decoder(h) − x)² + sparsity · mean |h| + contraction · ‖∂h/∂x‖²` over samples and values, x
//! normalised as the encoder's input (Hinton & Salakhutdinov 2006). What the encoder sees may be
//! corrupted, the target never is (denoising, Vincent et al. 2010, JMLR 11: masking, Gaussian,
//! salt-and-pepper noise). The last term is the contractive autoencoder's squared Frobenius norm (Rifai et
//! al. 2011, ICML), a mean over samples: estimated, without bias for small steps, as the squared change of
//! h along one random direction a sample, since second derivatives are not to be had. The penalty on |h| is
//! the plain one that makes codes sparse (Ng 2011, lecture notes, has a divergence instead). Samples are the run's views
//! (weak ones by default), unlike the variational objectives', which see them as they are.

use burn_tensor::{Tensor, TensorData};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::decoder::Decoder;
use super::heads::not_negative;
use super::latent::active_units;
use super::{Batch, Facts, Generator, Look, Loss, Net, Objective, Stream, Which};
use crate::dataset::Shape;
use crate::list::{self, Entry};

/// What is done to what the encoder sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Corruption {
    None,
    /// A share `noise` of the values becomes black (of vectors: the mean).
    Masking,
    /// Normal noise of `noise` standard deviations of the data is added.
    Gaussian,
    /// A share `noise` of the values becomes black or white.
    SaltAndPepper,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct Settings {
    /// Dimensions of the code, a linear map of the encoder's features; 0: the features are the code.
    latents: usize,
    /// `none`, `masking`, `gaussian` or `salt_and_pepper`.
    corruption: Corruption,
    /// How much of it: a share of the values, or standard deviations.
    noise: f64,
    /// Weight ≥ 0 of the mean absolute value of the code.
    sparsity: f64,
    /// Weight ≥ 0 of the squared derivatives of the code.
    contraction: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            latents: 0,
            corruption: Corruption::None,
            noise: 0.25,
            sparsity: 0.0,
            contraction: 0.0,
        }
    }
}

struct Autoencoder {
    settings: Settings,
    decoder: Decoder,
    /// Black and white as the encoder takes them, by channel; the mean and nothing for vectors.
    extremes: Vec<[f32; 2]>,
    mean: Vec<f32>,
    std: Vec<f32>,
    images: bool,
}

pub(super) const ENTRY: Entry<dyn Objective> = Entry {
    name: "autoencoder",
    summary: "a decoder draws the sample from its features; plain, denoising, sparse, contractive",
    source: "Hinton & Salakhutdinov 2006, doi:10.1126/science.1127647",
    defaults: || {
        let mut all = list::defaults::<Settings>();
        all.extend(list::defaults::<Decoder>());
        all
    },
    make: |mut table| {
        let decoder: Decoder = list::take(&mut table)?;
        let settings: Settings = list::take(&mut table)?;
        list::nothing_left(&table)?;
        let Settings {
            noise,
            sparsity,
            contraction,
            ..
        } = settings;
        not_negative(&[
            ("noise", noise),
            ("sparsity", sparsity),
            ("contraction", contraction),
        ])?;
        if noise > 1.0 && settings.corruption != Corruption::Gaussian {
            return Err(format!("noise={noise} must be a share, 0 to 1"));
        }
        match decoder.problem() {
            Some(problem) => Err(problem),
            None => Ok(Box::new(Autoencoder {
                settings,
                decoder,
                extremes: vec![],
                mean: vec![],
                std: vec![],
                images: true,
            })),
        }
    },
};

/// Length of the step along which derivatives are estimated, of the deviation of the data.
const STEP: f64 = 1e-2;

impl Objective for Autoencoder {
    fn prepare(&mut self, facts: &Facts) -> Vec<String> {
        let mut problems: Vec<String> = self.decoder.prepare(facts).into_iter().collect();
        self.images = matches!(facts.shape, Shape::Image { .. });
        (self.mean, self.std) = (facts.mean.clone(), facts.std.clone());
        let channels = facts.mean.iter().zip(&facts.std);
        self.extremes = channels
            .map(|(mean, std)| match self.images {
                true => [-mean / std, (1.0 - mean) / std],
                false => [0.0, 0.0],
            })
            .collect();
        if !self.images && self.settings.corruption == Corruption::SaltAndPepper {
            problems.push(
                "objective.corruption=salt_and_pepper makes pixels black or white, and the data are \
                 vectors; use masking or gaussian"
                    .to_owned(),
            );
        }
        problems
    }

    fn latents(&self) -> usize {
        self.settings.latents
    }

    fn generator(&self) -> Option<&dyn Generator> {
        Some(self)
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream {
            which: Which::All,
            looks: vec![Look::Random],
            share: 1,
        }]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let x = batches[0].views[0].clone();
        let seen = self.corrupted(net, x.clone());
        let code = self.code(net, seen.clone());
        let drawn = self.decoder.outputs(&net.at("decoder"), code.clone());
        let error = (drawn - x).powi_scalar(2).mean();
        let mut total = error.clone();
        let mut parts = vec![
            ("reconstruction", error),
            ("active_units", active_units(code.clone())),
        ];
        let Settings {
            sparsity,
            contraction,
            ..
        } = self.settings;
        if sparsity > 0.0 {
            let penalty = code.clone().abs().mean();
            total = total + penalty.clone() * sparsity;
            parts.push(("sparsity", penalty));
        }
        if contraction > 0.0 {
            let axes = seen.dims();
            let size = [axes[0], axes[1..].iter().product()];
            let direction = net.normal("direction", size).reshape(axes);
            let penalty = stretch(seen, direction, code.clone(), |x| self.code(net, x));
            total = total + penalty.clone() * contraction;
            parts.push(("contraction", penalty));
        }
        Loss {
            parts,
            ..Loss::of(total, vec![code])
        }
    }
}

/// `E ‖J v‖²` along the directions v, for codes `[n, d]` of samples x by `f`. `[1]`
fn stretch<const D: usize>(
    x: Tensor<D>,
    direction: Tensor<D>,
    code: Tensor<2>,
    f: impl Fn(Tensor<D>) -> Tensor<2>,
) -> Tensor<1> {
    let change = f(x + direction * STEP) - code;
    change.powi_scalar(2).sum_dim(1).mean() / (STEP * STEP)
}

impl Autoencoder {
    fn code(&self, net: &Net, x: Tensor<4>) -> Tensor<2> {
        let features = net.trunk(x);
        match self.settings.latents {
            0 => features,
            dims => net.coordinates(features, dims),
        }
    }

    /// What the encoder sees.
    fn corrupted(&self, net: &Net, x: Tensor<4>) -> Tensor<4> {
        let (axes, noise) = (x.dims(), self.settings.noise);
        let count: usize = axes.iter().product();
        let tensor =
            |values: Vec<f32>| Tensor::<4>::from_data(TensorData::new(values, axes), net.device());
        // 1 where a value stays, and what stands where it does not.
        let (mut stays, mut instead) = (vec![1.0f32; count], vec![0.0f32; count]);
        match self.settings.corruption {
            Corruption::None => return x,
            Corruption::Gaussian => {
                let drawn = net.normal("corruption", [axes[0], count / axes[0]]);
                return x + drawn.reshape(axes) * noise;
            }
            Corruption::Masking | Corruption::SaltAndPepper => {
                let mut rng = net.rng("corruption");
                let both = self.settings.corruption == Corruption::SaltAndPepper;
                let pixels = axes[2] * axes[3];
                for at in 0..count {
                    if rng.random::<f64>() < noise {
                        let white = both && rng.random::<bool>();
                        stays[at] = 0.0;
                        instead[at] = self.extremes[at / pixels % axes[1]][usize::from(white)];
                    }
                }
            }
        }
        x * tensor(stays) + tensor(instead)
    }
}

impl Generator for Autoencoder {
    fn has_prior(&self) -> bool {
        false
    }

    fn draw(&self, net: &Net, z: Tensor<2>) -> Tensor<4> {
        let outputs = self.decoder.outputs(&net.at("decoder"), z);
        super::likelihood::plain(outputs, &self.mean, &self.std, self.images)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{check_loss_within, matrix};

    #[test]
    fn contraction_agrees_with_forward_differentiation() {
        let (x, direction) = (matrix([6, 5], 1.1), matrix([6, 5], 2.3));
        // The rest is half a step of curvature.
        check_loss_within("contraction", [5, 3], 2e-2, |weights| {
            let f = |x: Tensor<2>| x.matmul(weights.clone()).tanh();
            stretch(x.clone(), direction.clone(), f(x.clone()), f)
        });
    }
}
