//! Autoencoder: the features must suffice to draw the sample again.
//!
//! `loss = mean (decoder(h) − x)² + sparsity · mean |h| + contraction · ‖∂h/∂x‖²` over samples and values, x
//! normalised as the encoder's input (Hinton & Salakhutdinov 2006). What the encoder sees may be
//! corrupted, the target never is (denoising, Vincent et al. 2010, JMLR 11: masking, Gaussian,
//! salt-and-pepper noise). The last term is the contractive autoencoder's squared Frobenius norm (Rifai et
//! al. 2011, ICML), a mean over samples, estimated along random directions ([`crate::objective::jacobian`]). The penalty on |h| is
//! the plain one that makes codes sparse (Ng 2011, lecture notes, has a divergence instead). Samples are the run's views
//! (weak ones by default), unlike the variational objectives', which see them as they are.

use burn_tensor::{Tensor, TensorData};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::dataset::Shape;
use crate::list::{self, Configured, Entry};
use crate::objective::decoder::Decoder;
use crate::objective::heads::{must, not_negative};
use crate::objective::jacobian;
use crate::objective::variational::latent::active_units;
use crate::objective::{
    Batch, DataSpec, Generator, Loss, Net, Objective, Stream, Subset, ViewKind,
};

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

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "autoencoder",
    summary: "a decoder draws the sample from its features; plain, denoising, sparse, contractive",
    source: "Hinton & Salakhutdinov 2006, doi:10.1126/science.1127647",
    item: Configured {
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
            let is_gaussian = settings.corruption == Corruption::Gaussian;
            let problems = [
                not_negative(&[
                    ("noise", noise),
                    ("sparsity", sparsity),
                    ("contraction", contraction),
                ]),
                must(noise.is_nan() || noise <= 1.0 || is_gaussian, || {
                    format!("noise={noise} must be a share, 0 to 1")
                }),
                decoder.validate(),
            ];
            list::refuse(problems.concat())?;
            Ok(Box::new(Autoencoder {
                settings,
                decoder,
                extremes: vec![],
                mean: vec![],
                std: vec![],
                images: true,
            }))
        },
    },
};

impl Objective for Autoencoder {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        let mut problems: Vec<String> = self.decoder.prepare(spec).into_iter().collect();
        self.images = matches!(spec.shape, Shape::Image { .. });
        (self.mean, self.std) = (spec.mean.clone(), spec.std.clone());
        let channels = spec.mean.iter().zip(&spec.std);
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
        vec![Stream::new(Subset::All, vec![ViewKind::Random])]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let x = batches[0].views[0].clone();
        let seen = self.corrupted(net, x.clone());
        let code = self.coded(net, net.trunk(seen.clone()));
        let drawn = self.decoder.outputs(&net.at("decoder"), code.clone());
        let error = (drawn - x).powi_scalar(2).mean();
        let mut total = error.clone();
        let mut metrics = vec![
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
            metrics.push(("sparsity", penalty));
        }
        if contraction > 0.0 {
            let code = |x| self.coded(net, net.trunk_without_bn_update(x));
            let penalty = jacobian::squared(net, "direction", seen, code);
            total = total + penalty.clone() * contraction;
            metrics.push(("contraction", penalty));
        }
        Loss {
            metrics,
            ..Loss::of(total, vec![code])
        }
    }
}

impl Autoencoder {
    /// The code of a sample, from the trunk's features.
    fn coded(&self, net: &Net, features: Tensor<2>) -> Tensor<2> {
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
        // 1 where a value stays, and what is in its place where it does not.
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
        crate::objective::likelihood::plain(outputs, &self.mean, &self.std, self.images)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::golden::noise;
    use crate::nn::weights::values;
    use crate::nn::{Mode, Pass, Weights};

    const SHAPE: Shape = Shape::Image {
        channels: 2,
        height: 30,
        width: 30,
    };

    /// 5,400 numbers, and what is left of them by the settings, images of two channels that were normalised
    /// by different numbers.
    fn seen(settings: &str) -> (Vec<f32>, Vec<f32>) {
        let mut objective = Autoencoder {
            settings: settings.parse::<toml::Table>().unwrap().try_into().unwrap(),
            decoder: Decoder::default(),
            extremes: vec![],
            mean: vec![],
            std: vec![],
            images: true,
        };
        let spec = DataSpec {
            shape: SHAPE,
            local: SHAPE,
            mean: vec![0.2, 0.5],
            std: vec![0.1, 0.25],
            samples: 3,
            columns: vec![],
            task: None,
        };
        assert_eq!(objective.prepare(&spec), Vec::<String>::new());
        let (none, device) = (Weights::default(), Device::cpu());
        let encoder = crate::encoder::make("mlp", toml::Table::new()).unwrap();
        let pass = Pass::new(&none, Mode::Train, &device).with_seed(1);
        let x: Tensor<4> = noise([3, 2, 30, 30], 0.3);
        let net = Net::new(&*encoder, &pass);
        (values(x.clone()), values(objective.corrupted(&net, x)))
    }

    /// Black and white of the number at `i`.
    fn extremes(i: usize) -> [f32; 2] {
        [[-2.0, 8.0], [-2.0, 2.0]][i / 900 % 2]
    }

    /// Asserts that `found` of 5,400 are `share` of them within four standard errors.
    fn assert_share(found: usize, share: f64) {
        let error = (share * (1.0 - share) / 5400.0).sqrt();
        let found = found as f64 / 5400.0;
        assert!((found - share).abs() < 4.0 * error, "{found} of {share}");
    }

    #[test]
    fn a_share_of_the_values_becomes_black_or_white_and_the_others_stay() {
        let near = |a: f32, b: f32| (a - b).abs() < 1e-5;
        let (x, masked) = seen("corruption = \"masking\"\nnoise = 0.3");
        let pairs = || x.iter().zip(&masked).enumerate();
        let black = pairs().filter(|(i, (_, y))| near(**y, extremes(*i)[0]));
        assert_share(black.count(), 0.3);
        assert!(pairs().all(|(i, (x, y))| x == y || near(*y, extremes(i)[0])));

        let (x, salted) = seen("corruption = \"salt_and_pepper\"\nnoise = 0.4");
        let pairs = || x.iter().zip(&salted).enumerate();
        for side in [0, 1] {
            let there = pairs().filter(|(i, (_, y))| near(**y, extremes(*i)[side]));
            assert_share(there.count(), 0.2);
        }
        assert!(pairs().all(|(i, (x, y))| x == y || extremes(i).iter().any(|e| near(*y, *e))));
        assert_eq!(seen("").0, seen("").1, "nothing is done unasked");
    }

    #[test]
    fn noise_has_the_deviation_that_was_asked_for() {
        let (x, noisy) = seen("corruption = \"gaussian\"\nnoise = 0.7");
        let off: Vec<f64> = x
            .iter()
            .zip(&noisy)
            .map(|(x, y)| f64::from(y - x))
            .collect();
        let mean = off.iter().sum::<f64>() / 5400.0;
        let variance = off.iter().map(|o| o * o).sum::<f64>() / 5400.0;
        // Standard errors of a normal sample's mean and variance, four times.
        assert!(mean.abs() < 4.0 * 0.7 / 5400f64.sqrt(), "{mean}");
        let error = 0.49 * (2.0 / 5400f64).sqrt();
        assert!((variance - 0.49).abs() < 4.0 * error, "{variance}");
    }
}
