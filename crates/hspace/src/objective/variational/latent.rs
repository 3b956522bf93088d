//! What autoencoders with an explicit latent space share: posterior, reparameterisation, decoder and
//! likelihood.
//!
//! The posterior of a sample is `q(z | x) = N(μ(x), diag σ²(x))`, the prior `p(z) = N(0, I)`
//! (Kingma & Welling 2014, arXiv:1312.6114). μ is a linear map of the encoder's features and becomes
//! the representation; log σ² is another. All terms are in nats a sample.
//!
//! A method is a [`Variant`]: its own settings and its loss, made of these pieces.

use std::collections::BTreeMap;

use burn_tensor::Tensor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::encoder::Encoder;
use crate::list;
use crate::nn::Init;
use crate::nn::layers::linear;
use crate::objective::decoder::Decoder;
use crate::objective::heads::positive;
use crate::objective::likelihood::Likelihood;
use crate::objective::{
    Batch, DataSpec, Generator, ImportanceTerms, Loss, Net, Objective, Stream, Subset, UpdateGroup,
    ViewKind,
};
use crate::stats::ACTIVE;
use crate::warning::WarningKind;

/// `log 2π`
pub(in crate::objective) const LOG_TWO_PI: f64 = 1.837_877_066_409_345_5;

/// Share of the training after which a posterior should say something.
const SETTLED: f64 = 0.3;

/// The settings that all of them have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Shared {
    /// Dimensions of the latent space.
    latents: usize,
}

impl Default for Shared {
    fn default() -> Self {
        Shared { latents: 16 }
    }
}

/// The pieces, for one shape of data.
#[derive(Clone, Debug)]
pub(in crate::objective) struct Model {
    pub(in crate::objective) latents: usize,
    pub(in crate::objective) decoder: Decoder,
    pub(in crate::objective) likelihood: Likelihood,
    /// Training samples.
    pub(in crate::objective) samples: usize,
}

/// A method over the shared pieces.
pub(in crate::objective) trait Variant:
    Clone + Default + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Every setting that makes no sense, or not with so many latents.
    fn validate(&self, _latents: usize) -> Vec<String> {
        vec![]
    }

    /// The loss of update group `group`.
    fn loss(&self, model: &Model, net: &Net, batch: &Batch, group: usize) -> Loss;

    /// As [`Objective::update_groups`].
    fn update_groups(&self) -> Vec<UpdateGroup> {
        vec![UpdateGroup::all()]
    }

    /// The code of a sample: [`Objective::latents`] many coordinates from the trunk's features.
    fn code(&self, _model: &Model, _net: &Net, means: Tensor<2>) -> Tensor<2> {
        means
    }

    /// Whether samples have a posterior, so that likelihoods can be estimated.
    fn has_posterior(&self) -> bool {
        true
    }

    /// What to do when the posterior has collapsed.
    fn advice(&self) -> &'static str {
        "lower train.learning_rate, or weaken the decoder (objective.decoder_width, objective.decoder_units)"
    }

    /// As [`Generator::has_prior`].
    fn has_prior(&self) -> bool {
        true
    }

    /// What to tell the user of the numbers of a logged step, besides what all are watched for.
    fn diagnose(&self, _values: &BTreeMap<String, f64>) -> Option<(WarningKind, String)> {
        None
    }
}

/// A method and the shared pieces as an objective.
struct Variational<V> {
    variant: V,
    model: Model,
}

/// Every setting of a method with its default.
pub(in crate::objective) fn defaults<V: Variant>() -> Table {
    let mut all = list::defaults::<Shared>();
    all.extend(list::defaults::<V>());
    all.extend(list::defaults::<Decoder>());
    all.extend(list::defaults::<Likelihood>());
    all
}

/// The objective of a method.
///
/// # Errors
/// Settings that do not fit, with their keys.
pub(in crate::objective) fn make<V: Variant>(table: Table) -> Result<Box<dyn Objective>, String> {
    let mut left = table;
    let shared: Shared = list::take(&mut left)?;
    let decoder: Decoder = list::take(&mut left)?;
    let likelihood: Likelihood = list::take(&mut left)?;
    let variant: V = list::take(&mut left)?;
    list::nothing_left(&left)?;
    let problems = [
        positive(&[("latents", shared.latents)]),
        variant.validate(shared.latents),
        decoder.validate(),
        likelihood.validate(),
    ];
    list::refuse(problems.concat())?;
    Ok(Box::new(Variational {
        variant,
        model: Model {
            latents: shared.latents,
            decoder,
            likelihood,
            samples: 1,
        },
    }))
}

impl<V: Variant> Objective for Variational<V> {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.model.samples = spec.samples.max(1);
        let decoder = self.model.decoder.prepare(spec);
        decoder
            .into_iter()
            .chain(self.model.likelihood.prepare(spec))
            .collect()
    }

    fn latents(&self) -> usize {
        self.model.latents
    }

    fn generator(&self) -> Option<&dyn Generator> {
        Some(self)
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::new(Subset::All, vec![ViewKind::Plain])]
    }

    fn update_groups(&self, _: f64, _: &dyn Encoder) -> Vec<UpdateGroup> {
        self.variant.update_groups()
    }

    fn loss(&self, net: &Net, batches: &[Batch], group: usize) -> Loss {
        self.variant.loss(&self.model, net, &batches[0], group)
    }

    fn diagnose(
        &self,
        values: &BTreeMap<String, f64>,
        progress: f64,
    ) -> Option<(WarningKind, String)> {
        // Fresh weights tell nothing apart either.
        if progress < SETTLED {
            return None;
        }
        let active = values
            .get("active_units")
            .filter(|_| self.variant.has_posterior());
        let collapse = active.filter(|&&units| units < 0.5).map(|units| {
            let latents = self.model.latents;
            let advice = self.variant.advice();
            let text = format!(
                "the posterior has collapsed onto the prior: no latent tells one sample from another ({units:.0} of \
                 {latents} are active); {advice}"
            );
            (WarningKind::PosteriorCollapse, text)
        });
        self.variant.diagnose(values).or(collapse)
    }
}

impl<V: Variant> Generator for Variational<V> {
    fn has_prior(&self) -> bool {
        self.variant.has_prior()
    }

    fn draw(&self, net: &Net, z: Tensor<2>) -> Tensor<4> {
        let code = self.variant.code(&self.model, net, z);
        self.model.likelihood.samples(self.model.decode(net, code))
    }

    fn importance_terms(&self, net: &Net, x: Tensor<4>, draws: usize) -> Option<ImportanceTerms> {
        if !self.variant.has_posterior() {
            return None;
        }
        let posterior = self.model.posterior(net, x.clone());
        let many = posterior.repeated(draws);
        let z = many.draw(net, "posterior");
        let log_ratio = standard_normal(z.clone()) - many.log_density(z.clone());
        Some(ImportanceTerms {
            log_likelihood: self.model.log_likelihood(net, x.repeat_dim(0, draws), z),
            log_ratio,
            divergence: sum_columns(posterior.divergence()),
            unit: self.model.likelihood.unit(),
        })
    }
}

impl Model {
    /// The posterior of samples, as the encoder takes them.
    pub(in crate::objective) fn posterior(&self, net: &Net, x: Tensor<4>) -> Posterior {
        self.posterior_of(net, net.trunk(x))
    }

    /// The posterior by the trunk's features.
    pub(in crate::objective) fn posterior_of(&self, net: &Net, features: Tensor<2>) -> Posterior {
        Posterior {
            mean: net.coordinates(features.clone(), self.latents),
            log_variance: linear(&net.at("log_variance"), features, self.latents, true),
        }
    }

    /// The decoder's outputs for latents `[n, latents]`.
    pub(in crate::objective) fn decode(&self, net: &Net, z: Tensor<2>) -> Tensor<4> {
        self.decoder.outputs(&net.at("decoder"), z)
    }

    /// `log p(x | z)` of samples as the encoder takes them, `[n]`.
    pub(in crate::objective) fn log_likelihood(
        &self,
        net: &Net,
        x: Tensor<4>,
        z: Tensor<2>,
    ) -> Tensor<1> {
        let outputs = self.decode(net, z);
        self.likelihood.log_density(net, outputs, x)
    }
}

/// Normal distributions `[n, d]`, one a sample, independent over dimensions.
#[derive(Clone)]
pub(in crate::objective) struct Posterior {
    pub(in crate::objective) mean: Tensor<2>,
    pub(in crate::objective) log_variance: Tensor<2>,
}

impl Posterior {
    /// The same distributions so many times, all samples' before they come again.
    pub(in crate::objective) fn repeated(&self, times: usize) -> Posterior {
        let repeat = |x: &Tensor<2>| x.clone().repeat_dim(0, times);
        Posterior {
            mean: repeat(&self.mean),
            log_variance: repeat(&self.log_variance),
        }
    }

    /// `μ + σ ε`, ε from the standard normal: `[n, d]`.
    pub(in crate::objective) fn draw(&self, net: &Net, what: &str) -> Tensor<2> {
        let noise = net.normal(what, self.mean.dims());
        self.mean.clone() + (self.log_variance.clone() * 0.5).exp() * noise
    }

    /// `KL(q ‖ N(0, I))` by dimension: `½ (μ² + σ² − log σ² − 1)`, `[n, d]`.
    pub(in crate::objective) fn divergence(&self) -> Tensor<2> {
        let Posterior { mean, log_variance } = self.clone();
        let squares = mean.powi_scalar(2) + log_variance.clone().exp();
        (squares - log_variance - 1.0) * 0.5
    }

    /// `log q(z)`, `[n]`.
    pub(in crate::objective) fn log_density(&self, z: Tensor<2>) -> Tensor<1> {
        sum_columns(self.log_densities(z))
    }

    /// The same by dimension, `[n, d]`.
    pub(in crate::objective) fn log_densities(&self, z: Tensor<2>) -> Tensor<2> {
        let Posterior { mean, log_variance } = self.clone();
        let squares = (z - mean).powi_scalar(2) * (-log_variance.clone()).exp();
        (squares + log_variance + LOG_TWO_PI) * -0.5
    }

    /// Latents whose mean varies over the batch, `[1]`.
    pub(in crate::objective) fn active_units(&self) -> Tensor<1> {
        active_units(self.mean.clone())
    }
}

/// Columns of `[n, d]` whose variance over rows is above [`ACTIVE`], `[1]`.
pub(in crate::objective) fn active_units(mean: Tensor<2>) -> Tensor<1> {
    let off = mean.clone() - mean.mean_dim(0);
    let variance = off.powi_scalar(2).mean_dim(0).detach();
    variance.greater_elem(ACTIVE as f32).float().sum()
}

/// `log N(z; 0, I)`, `[n]`.
pub(in crate::objective) fn standard_normal(z: Tensor<2>) -> Tensor<1> {
    sum_columns((z.powi_scalar(2) + LOG_TWO_PI) * -0.5)
}

/// Sums of the rows of `[n, d]`, `[n]`.
pub(in crate::objective) fn sum_columns(x: Tensor<2>) -> Tensor<1> {
    let [n, _] = x.dims();
    x.sum_dim(1).reshape([n])
}

/// `log Σ exp` along an axis, which stays with length 1.
pub(in crate::objective) fn log_sum_exp<const D: usize>(x: Tensor<D>, axis: usize) -> Tensor<D> {
    let most = x.clone().max_dim(axis).detach();
    (x - most.clone()).exp().sum_dim(axis).log() + most
}

/// A number that is learned, at `place`, `[1]`.
pub(in crate::objective) fn learned_number(net: &Net, place: &str, start: f32) -> Tensor<1> {
    net.at(place).weight("value", [1], Init::Constant(start))
}

/// What the loss is called in logs, in addition to its parts.
pub(in crate::objective) fn loss_of(
    total: Tensor<1>,
    likelihood: Tensor<1>,
    divergence: Tensor<1>,
    posterior: &Posterior,
) -> Loss {
    let (likelihood, divergence) = (likelihood.mean(), divergence.mean());
    Loss {
        metrics: vec![
            ("reconstruction", -likelihood.clone()),
            ("kl", divergence.clone()),
            ("elbo", likelihood - divergence),
            ("active_units", posterior.active_units()),
        ],
        ..Loss::of(total, vec![posterior.mean.clone()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{check_loss, matrix};
    use crate::nn::weights::values;

    #[test]
    fn the_divergence_agrees_with_torch() {
        check_loss("divergence", [6, 5], |mean| {
            let log_variance = matrix([6, 5], 2.3);
            sum_columns(Posterior { mean, log_variance }.divergence()).mean()
        });
    }

    #[test]
    fn densities_agree_with_the_divergence() {
        // log q(z) − log p(z) at the mean of a distribution of variance 1 is ½ μ².
        let mean = matrix([3, 4], 0.2);
        let posterior = Posterior {
            mean: mean.clone(),
            log_variance: mean.clone() * 0.0,
        };
        let off = posterior.log_density(mean.clone()) - standard_normal(mean.clone());
        let expected = sum_columns(mean.powi_scalar(2) * 0.5);
        for (a, b) in values(off).iter().zip(values(expected)) {
            assert!((a - b).abs() < 1e-5, "{a} is not {b}");
        }
    }

    #[test]
    fn large_exponents_do_not_overflow() {
        let x = matrix([2, 3], 0.1) * 500.0;
        let sums = values(log_sum_exp(x.clone(), 1).reshape([2]));
        let most = values(x.max_dim(1).reshape([2]));
        for (sum, most) in sums.iter().zip(most) {
            assert!(sum.is_finite() && *sum >= most && *sum < most + 1.1);
        }
    }

    #[test]
    fn a_collapsed_posterior_is_named_and_the_remedies_are_settings() {
        let mut named = 0;
        for entry in crate::objective::OBJECTIVES {
            let defaults = (entry.defaults)();
            let objective = (entry.make)(defaults.clone()).unwrap();
            let diagnose = |units, progress| {
                let values = BTreeMap::from([("active_units".to_owned(), units)]);
                objective.diagnose(&values, progress)
            };
            assert_eq!(
                diagnose(3.0, 0.5).or(diagnose(0.0, 0.1)),
                None,
                "{}",
                entry.name
            );
            let Some((_, text)) = diagnose(0.0, 0.5) else {
                continue;
            };
            named += 1;
            assert!(text.contains("0 of 16"), "{text}");
            for word in text.split("objective.").skip(1) {
                let key = word
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next();
                assert!(
                    defaults.contains_key(key.unwrap()),
                    "{} has no {word}",
                    entry.name
                );
            }
        }
        assert_eq!(
            named, 6,
            "vae, beta_vae, beta_tcvae, factor_vae, dip_vae, iwae"
        );
    }

    #[test]
    fn what_is_for_images_is_refused_for_vectors() {
        let spec = DataSpec {
            shape: crate::dataset::Shape::Vector { dim: 3 },
            local: crate::dataset::Shape::Vector { dim: 3 },
            mean: vec![0.0; 3],
            std: vec![1.0; 3],
            samples: 9,
            columns: vec![],
            task: None,
        };
        for (text, part) in [
            ("likelihood = \"bernoulli\"", "standardised"),
            ("decoder = \"cnn\"", "vectors"),
        ] {
            let mut made = crate::objective::make("vae", text.parse().unwrap()).unwrap();
            let problems = made.prepare(&spec).concat();
            assert!(problems.contains(part), "{text}: {problems}");
        }
    }

    #[test]
    fn settings_of_all_pieces_are_taken_and_no_others() {
        let parse = |text: &str| {
            let table: Table = text.parse().unwrap();
            crate::objective::make("vae", table).err()
        };
        assert_eq!(
            parse("latents = 3\nwarmup = 0.5\nlikelihood = \"gaussian\"\nscale = 0.1"),
            None
        );
        for (text, part) in [
            ("latents = 0", "latents"),
            ("warmup = 2.0", "warmup"),
            ("scale = -1.0", "scale"),
            ("decoder_width = 1", "decoder_width"),
            ("latent = 3", "latent"),
        ] {
            let problem = parse(text).unwrap_or_default();
            assert!(problem.contains(part), "{text}: {problem}");
        }
    }
}
