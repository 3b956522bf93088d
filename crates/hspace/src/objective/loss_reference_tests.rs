//! What losses are made of: each total again in plain arithmetic of double precision, from the formula in the
//! head of its file, with weights that differ from the defaults and from one another. The pieces (divergences,
//! likelihoods, discrepancies) have golden values in their own files; here it is signs, weights, which noise
//! goes where, and what follows the progress.
//!
//! Encoder and decoder are linear maps, the data six vectors of five numbers.

use burn_tensor::Tensor;
use toml::Table;

use super::{Batch, DataSpec, Net, Objective, init, make};
use crate::dataset::Shape;
use crate::device::Device;
use crate::encoder::latent::with_latents;
use crate::encoder::{self, Encoder};
use crate::golden::noise;
use crate::nn::weights::{values, vector};
use crate::nn::{Mode, Pass, Weights};
use crate::objective::variational::factor_vae;

const N: usize = 6;
const DIM: usize = 5;
const SHAPE: Shape = Shape::Vector { dim: DIM };
/// Training samples that there are said to be.
const SAMPLES: usize = 50;
/// What all likelihoods here have.
const SCALE: f64 = 0.7;
const LIKELIHOOD: &str = "likelihood = \"gaussian\"\nscale = 0.7\ndecoder_layers = 0\n";
const LOG_TWO_PI: f64 = 1.837_877_066_409_345_5;

type Rows = Vec<Vec<f64>>;

/// An objective with its networks, and everything that its loss depends on.
struct ReferenceModel {
    objective: Box<dyn Objective>,
    encoder: Box<dyn Encoder>,
    weights: Weights,
    progress: f64,
}

impl ReferenceModel {
    fn new(name: &str, settings: &str, progress: f64) -> ReferenceModel {
        let device = Device::cpu();
        let spec = DataSpec {
            shape: SHAPE,
            local: SHAPE,
            // Off again before anything is compared.
            mean: vec![3.0, -2.0, 0.5, 10.0, 0.0],
            std: vec![2.0, 0.1, 1.0, 30.0, 0.5],
            samples: SAMPLES,
            columns: vec![],
            task: None,
        };
        let mut objective = make(name, settings.parse().unwrap()).unwrap();
        assert_eq!(objective.prepare(&spec), Vec::<String>::new());
        let linear = Table::from_iter([("layers".to_owned(), 0.into())]);
        let encoder = encoder::make("mlp", linear).unwrap();
        let encoder = with_latents(encoder, objective.latents());
        let weights = init(&*objective, &*encoder, &spec, 7, &device);
        ReferenceModel {
            objective,
            encoder,
            weights,
            progress,
        }
    }

    fn with_net<T>(&self, f: impl FnOnce(&Net) -> T) -> T {
        let device = Device::cpu();
        let pass = Pass::new(&self.weights, Mode::Train, &device);
        let pass = pass.with_seed(11).with_progress(self.progress);
        f(&Net::new(&*self.encoder, &pass))
    }

    /// Asserts that update group `group`'s total is `expected`.
    fn assert_total(&self, group: usize, expected: f64) {
        let batch = Batch {
            views: vec![noise([N, DIM, 1, 1], 0.3)],
            rows: (0..N).collect(),
        };
        let found = self.with_net(|net| self.objective.loss(net, &[batch], group).total);
        let found = f64::from(values(found)[0]);
        let off = (found - expected).abs() / expected.abs().max(1.0);
        assert!(off < 1e-5, "{found} is not {expected}");
    }

    /// The samples.
    fn x(&self) -> Rows {
        rows(noise([N, DIM], 0.3))
    }

    /// Standard normal numbers that the pass draws.
    fn normal(&self, what: &str, size: [usize; 2]) -> Rows {
        self.with_net(|net| rows(net.normal(what, size)))
    }

    fn flat(&self, name: &str) -> Vec<f64> {
        let weight = self.weights.get(name).expect(name);
        values(weight.value.clone())
            .into_iter()
            .map(f64::from)
            .collect()
    }

    /// `W x + b` by the layer at `place`.
    fn linear(&self, place: &str, x: &Rows) -> Rows {
        let (weight, bias) = (
            self.flat(&format!("{place}.weight")),
            self.flat(&format!("{place}.bias")),
        );
        let one = |x: &Vec<f64>| {
            let outputs = weight.chunks(x.len()).zip(&bias);
            outputs.map(|(w, b)| dot(w, x) + b).collect()
        };
        x.iter().map(one).collect()
    }

    /// Means and logarithms of variances of the posteriors.
    fn posterior(&self) -> [Rows; 2] {
        ["encoder.latent", "log_variance"].map(|place| self.linear(place, &self.x()))
    }

    /// Draws from them, as often as rows of noise allow.
    fn draw(&self, [mean, log_variance]: &[Rows; 2], noise: &Rows) -> Rows {
        let one = |(i, noise): (usize, &Vec<f64>)| {
            let places = mean[i % N].iter().zip(&log_variance[i % N]).zip(noise);
            places.map(|((m, v), e)| m + (0.5 * v).exp() * e).collect()
        };
        noise.iter().enumerate().map(one).collect()
    }

    /// `log p(x | z)`, samples again and again for more latents.
    fn log_likelihood(&self, z: &Rows) -> Vec<f64> {
        let (x, drawn) = (self.x(), self.linear("decoder.0", z));
        let one = |(i, drawn): (usize, &Vec<f64>)| log_normal(&x[i % N], drawn, SCALE.ln());
        drawn.iter().enumerate().map(one).collect()
    }

    /// Divergences from the prior, by dimension.
    fn divergence(&self) -> Rows {
        let [mean, log_variance] = self.posterior();
        let one = |(m, v): (&Vec<f64>, &Vec<f64>)| {
            let pairs = m.iter().zip(v);
            pairs
                .map(|(m, v)| 0.5 * (m * m + v.exp() - v - 1.0))
                .collect()
        };
        mean.iter().zip(&log_variance).map(one).collect()
    }

    /// One draw of each posterior.
    fn z(&self) -> Rows {
        let posterior = self.posterior();
        self.draw(
            &posterior,
            &self.normal("posterior", [N, posterior[0][0].len()]),
        )
    }

    /// Mean log-likelihood of one draw, and mean divergence.
    fn terms(&self) -> [f64; 2] {
        let divergences: Vec<f64> = self.divergence().iter().map(|d| d.iter().sum()).collect();
        [mean(&self.log_likelihood(&self.z())), mean(&divergences)]
    }
}

fn rows(x: Tensor<2>) -> Rows {
    let [_, columns] = x.dims();
    let all: Vec<f64> = values(x).into_iter().map(f64::from).collect();
    all.chunks(columns).map(<[f64]>::to_vec).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// Of independent normal numbers, one log s for all.
fn log_normal(x: &[f64], mean: &[f64], log_scale: f64) -> f64 {
    let one = |(x, m): (&f64, &f64)| {
        -0.5 * (((x - m) / log_scale.exp()).powi(2) + LOG_TWO_PI) - log_scale
    };
    x.iter().zip(mean).map(one).sum()
}

fn log_mean_exp(x: &[f64]) -> f64 {
    let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + mean(&x.iter().map(|x| (x - most).exp()).collect::<Vec<f64>>()).ln()
}

/// Covariances of columns over rows, each row counting 1/n.
fn covariance(x: &Rows) -> Rows {
    let column = |j: usize| -> Vec<f64> { x.iter().map(|row| row[j]).collect() };
    let off = |j: usize| -> Vec<f64> {
        let middle = mean(&column(j));
        column(j).iter().map(|x| x - middle).collect()
    };
    let d = x[0].len();
    let one = |i: usize| {
        (0..d)
            .map(|j| dot(&off(i), &off(j)) / x.len() as f64)
            .collect()
    };
    (0..d).map(one).collect()
}

fn latents(n: usize, more: &str) -> String {
    format!("{LIKELIHOOD}latents = {n}\n{more}")
}

#[test]
fn vae_follows_its_warmup_and_leaves_free_bits() {
    let columns = |divergences: Rows| -> Vec<f64> {
        let column = |j: usize| divergences.iter().map(|d| d[j]).collect::<Vec<f64>>();
        (0..2).map(|j| mean(&column(j))).collect()
    };
    let cost = columns(ReferenceModel::new("vae", &latents(2, ""), 1.0).divergence());
    // One of them costs less than that, the other more.
    let free = mean(&cost);
    let paid: f64 = cost.iter().map(|c| c.max(free)).sum();
    let settings = latents(2, &format!("warmup = 0.2\nfree_bits = {free}"));
    for (progress, weight) in [(0.05, 0.25), (0.2, 1.0), (1.0, 1.0)] {
        let plain = ReferenceModel::new("vae", &settings, progress);
        let [likelihood, _] = plain.terms();
        plain.assert_total(0, weight * paid - likelihood);
    }
}

#[test]
fn a_learned_scale_is_the_weight_of_that_name() {
    let settings = "likelihood = \"gaussian\"\nlatents = 2\ndecoder_layers = 0\nwarmup = 0.0";
    let mut plain = ReferenceModel::new("vae", settings, 1.0);
    plain
        .weights
        .set("log_scale.value", vector(vec![-0.3], &Device::cpu()));
    let (x, drawn) = (plain.x(), plain.linear("decoder.0", &plain.z()));
    let likelihoods = x
        .iter()
        .zip(&drawn)
        .map(|(x, m)| log_normal(x, m, f64::from(-0.3f32)));
    let likelihood = mean(&likelihoods.collect::<Vec<f64>>());
    let [_, divergence] = plain.terms();
    plain.assert_total(0, divergence - likelihood);
}

#[test]
fn beta_vae_weighs_the_divergence_or_what_it_is_off_a_rising_capacity() {
    let plain = ReferenceModel::new("beta_vae", &latents(2, "beta = 3.0"), 0.4);
    let [likelihood, divergence] = plain.terms();
    plain.assert_total(0, 3.0 * divergence - likelihood);
    let settings = latents(
        2,
        "capacity_weight = 3.0\ncapacity = 8.0\ncapacity_rise = 0.8",
    );
    for (progress, capacity) in [(0.2, 2.0), (0.9, 8.0)] {
        let plain = ReferenceModel::new("beta_vae", &settings, progress);
        plain.assert_total(0, 3.0 * (divergence - capacity).abs() - likelihood);
    }
}

#[test]
fn beta_tcvae_weighs_three_parts_of_the_divergence() {
    let plain = ReferenceModel::new(
        "beta_tcvae",
        &latents(2, "alpha = 0.5\nbeta = 3.0\ngamma = 2.0"),
        1.0,
    );
    let ([mean_of, log_variance], z) = (plain.posterior(), plain.z());
    let one = |i: usize, j: usize, k: usize| {
        log_normal(&z[i][k..=k], &mean_of[j][k..=k], 0.5 * log_variance[j][k])
    };
    let (mut information, mut correlation, mut own) = (vec![], vec![], vec![]);
    for (i, own_z) in z.iter().enumerate() {
        // The mean over the batch, where the sum over all samples is meant.
        let all = |f: &dyn Fn(usize) -> f64| {
            let all: Vec<f64> = (0..N).map(f).collect();
            log_mean_exp(&all) - (SAMPLES as f64).ln()
        };
        let posterior: f64 = (0..2).map(|k| one(i, i, k)).sum();
        let joint = all(&|j| (0..2).map(|k| one(i, j, k)).sum());
        let product: f64 = (0..2).map(|k| all(&|j| one(i, j, k))).sum();
        information.push(posterior - joint);
        correlation.push(joint - product);
        own.push(product - log_normal(own_z, &[0.0; 2], 0.0));
    }
    let cost = 0.5 * mean(&information) + 3.0 * mean(&correlation) + 2.0 * mean(&own);
    plain.assert_total(0, cost - mean(&plain.log_likelihood(&z)));
}

#[test]
fn factor_vae_plays_both_turns() {
    let settings = "gamma = 3.0\ndiscriminator_layers = 1\ndiscriminator_units = 4";
    let plain = ReferenceModel::new("factor_vae", &latents(2, settings), 1.0);
    // Log probabilities of a draw as it is, and of a shuffled one.
    let logits = |z: &Rows| -> Vec<[f64; 2]> {
        let mut hidden = plain.linear("discriminator.0", z);
        hidden
            .iter_mut()
            .flatten()
            .for_each(|x| *x = x.max(0.2 * *x));
        let logits = plain.linear("discriminator.2", &hidden);
        let sums = logits.iter().map(|l| log_mean_exp(l) + 2f64.ln());
        logits
            .iter()
            .zip(sums)
            .map(|(l, sum)| [l[0] - sum, l[1] - sum])
            .collect()
    };
    let z = plain.z();
    let own = logits(&z);
    let correlation = mean(
        &own.iter()
            .map(|[as_is, mixed]| as_is - mixed)
            .collect::<Vec<f64>>(),
    );
    let [likelihood, divergence] = plain.terms();
    plain.assert_total(0, divergence - likelihood + 3.0 * correlation);
    let flat = z.iter().flatten().map(|x| *x as f32).collect();
    let mixed = plain.with_net(|net| {
        let z = vector(flat, net.device()).reshape([N, 2]);
        rows(factor_vae::shuffled(net, z))
    });
    let right = own
        .iter()
        .zip(logits(&mixed))
        .map(|(own, mixed)| own[0] + mixed[1]);
    plain.assert_total(1, -0.5 * mean(&right.collect::<Vec<f64>>()));
}

#[test]
fn dip_vae_holds_the_covariance_of_means_or_of_draws() {
    for (form, draws) in [("I", 0.0), ("II", 1.0)] {
        let settings = format!("form = \"{form}\"\noff_diagonal = 3.0\ndiagonal = 2.0");
        let plain = ReferenceModel::new("dip_vae", &latents(3, &settings), 1.0);
        let [means, log_variances] = plain.posterior();
        let c = covariance(&means);
        let mut penalty = 0.0;
        for i in 0..3 {
            let variances = log_variances.iter().map(|v| v[i].exp());
            let own = mean(&variances.collect::<Vec<f64>>()) * draws;
            penalty += 2.0 * (c[i][i] + own - 1.0).powi(2);
            penalty += (0..3)
                .filter(|&j| j != i)
                .map(|j| 3.0 * c[i][j].powi(2))
                .sum::<f64>();
        }
        let [likelihood, divergence] = plain.terms();
        plain.assert_total(0, divergence - likelihood + penalty);
    }
}

#[test]
fn wae_holds_codes_at_the_prior() {
    let plain = ReferenceModel::new("wae_mmd", &latents(2, "lambda = 3.0"), 1.0);
    let codes = plain.linear("encoder.latent", &plain.x());
    let prior = plain.normal("prior", [N, 2]);
    let kernel = |a: &Vec<f64>, b: &Vec<f64>| -> f64 {
        let scales = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0].map(|s| 2.0 * 2.0 * s);
        scales
            .iter()
            .map(|c| c / (c + squared_distance(a, b)))
            .sum()
    };
    let mut discrepancy = 0.0;
    for i in 0..N {
        for j in 0..N {
            if i != j {
                let both = kernel(&codes[i], &codes[j]) + kernel(&prior[i], &prior[j]);
                discrepancy += both / (N * (N - 1)) as f64;
            }
            discrepancy -= 2.0 * kernel(&codes[i], &prior[j]) / (N * N) as f64;
        }
    }
    plain.assert_total(0, 3.0 * discrepancy - mean(&plain.log_likelihood(&codes)));
}

/// Log weights of three draws of each posterior, by sample.
fn log_weights(plain: &ReferenceModel) -> Rows {
    let posterior = plain.posterior();
    let noise = plain.normal("posterior", [3 * N, 2]);
    let z = plain.draw(&posterior, &noise);
    let likelihoods = plain.log_likelihood(&z);
    let weight = |i: usize| {
        let [means, variances] = &posterior;
        let at = |k: usize| {
            log_normal(
                &z[i][k..=k],
                &means[i % N][k..=k],
                0.5 * variances[i % N][k],
            )
        };
        likelihoods[i] + log_normal(&z[i], &[0.0; 2], 0.0) - at(0) - at(1)
    };
    (0..N)
        .map(|i| (0..3).map(|draw| weight(draw * N + i)).collect())
        .collect()
}

#[test]
fn iwae_takes_the_mean_of_weights_sample_by_sample() {
    let plain = ReferenceModel::new("iwae", &latents(2, "draws = 3"), 1.0);
    let bounds = log_weights(&plain)
        .iter()
        .map(|w| log_mean_exp(w))
        .collect::<Vec<f64>>();
    plain.assert_total(0, -mean(&bounds));
}

#[test]
fn vq_vae_draws_from_the_nearest_words() {
    let settings = latents(4, "words = 3\nword_size = 2\ncommitment = 0.7");
    let plain = ReferenceModel::new("vq_vae", &settings, 1.0);
    let latents = plain.linear("encoder.latent", &plain.x());
    let words = plain.flat("memory.words");
    let nearest = |group: &[f64]| {
        let distance = |word: &&[f64]| squared_distance(group, word);
        let words = words.chunks(2);
        words
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .unwrap()
            .to_vec()
    };
    let code: Rows = latents
        .iter()
        .map(|row| row.chunks(2).flat_map(nearest).collect())
        .collect();
    let away = latents
        .iter()
        .zip(&code)
        .map(|(a, b)| squared_distance(a, b));
    let away = mean(&away.collect::<Vec<f64>>());
    plain.assert_total(0, 0.7 * away - mean(&plain.log_likelihood(&code)));
}

#[test]
fn an_autoencoder_draws_what_was_there_before_the_corruption() {
    let settings = "latents = 2\ndecoder_layers = 0\nsparsity = 0.3\ncontraction = 0.2\n\
                    corruption = \"gaussian\"\nnoise = 0.5";
    let plain = ReferenceModel::new("autoencoder", settings, 1.0);
    let (x, noise) = (plain.x(), plain.normal("corruption", [N, DIM]));
    let add = |(x, noise): (&Vec<f64>, &Vec<f64>)| {
        x.iter().zip(noise).map(|(x, e)| x + 0.5 * e).collect()
    };
    let code = plain.linear("encoder.latent", &x.iter().zip(&noise).map(add).collect());
    let drawn = plain.linear("decoder.0", &code);
    let errors = x
        .iter()
        .zip(&drawn)
        .map(|(a, b)| squared_distance(a, b) / DIM as f64);
    let sizes = code.iter().flatten().map(|c| c.abs()).collect::<Vec<f64>>();
    let weight = plain.flat("encoder.latent.weight");
    let slopes = plain.normal("direction", [N, DIM]);
    let slope = |v: &Vec<f64>| weight.chunks(DIM).map(|w| dot(w, v).powi(2)).sum();
    let slopes: Vec<f64> = slopes.iter().map(slope).collect();
    let error = mean(&errors.collect::<Vec<f64>>());
    // Derivatives are differences of numbers in single precision, over a hundredth.
    plain.assert_total(0, error + 0.3 * mean(&sizes) + 0.2 * mean(&slopes));
}

#[test]
fn a_game_is_played_with_noise_of_its_own_in_each_turn() {
    let softplus = |x: f64| x.exp().ln_1p();
    let hinge = |x: f64| (1.0 + x).max(0.0);
    type Side<'a> = &'a dyn Fn(f64) -> f64;
    let games: [(&str, Side, Side, Side); 2] = [
        ("non_saturating", &|r| softplus(-r), &softplus, &|d| {
            softplus(-d)
        }),
        ("hinge", &|r| hinge(-r), &hinge, &|d| -d),
    ];
    for (game, real, drawn, generator_loss) in games {
        let settings = format!("game = \"{game}\"\nr1 = 0.6\nlatents = 2\ndecoder_layers = 0");
        let plain = ReferenceModel::new("gan", &settings, 1.0);
        let logits = |x: &Rows| plain.linear("discriminator", x).concat();
        let generated =
            |what: &str| logits(&plain.linear("generator.0", &plain.normal(what, [N, 2])));
        let each = |x: Vec<f64>, f: Side| mean(&x.into_iter().map(f).collect::<Vec<f64>>());
        let weight = plain.flat("discriminator.weight");
        let slopes = plain.normal("direction", [N, DIM]);
        let slopes: Vec<f64> = slopes.iter().map(|v| dot(&weight, v).powi(2)).collect();
        let discriminator = each(logits(&plain.x()), real) + each(generated("drawn"), drawn);
        plain.assert_total(0, discriminator + 0.3 * mean(&slopes));
        plain.assert_total(1, each(generated("drawn again"), generator_loss));
    }
}

/// A linear model's likelihood is known: x is normal with covariance `W Wᵀ + s²`. Its posterior here is a
/// fresh network's, so that the weights of draws differ.
#[test]
fn importance_sampling_comes_to_the_likelihood_of_a_linear_model() {
    let plain = ReferenceModel::new("vae", &latents(1, ""), 1.0);
    let decoder = plain.flat("decoder.0.weight");
    let (squares, scale) = (dot(&decoder, &decoder), SCALE * SCALE);
    let origin = plain.linear("decoder.0", &vec![vec![0.0]]);
    let exact = |x: &Vec<f64>| {
        // Woodbury's identity for one direction.
        let off: Vec<f64> = x.iter().zip(&origin[0]).map(|(x, b)| x - b).collect();
        let along = dot(&off, &decoder);
        let distance = (dot(&off, &off) - along * along / (scale + squares)) / scale;
        let log_determinant = (DIM as f64 - 1.0) * scale.ln() + (scale + squares).ln();
        -0.5 * (distance + log_determinant + DIM as f64 * LOG_TWO_PI)
    };
    const DRAWS: usize = 20_000;
    let weighed = plain.with_net(|net| {
        let generator = plain.objective.generator().unwrap();
        let x = noise([N, DIM, 1, 1], 0.3);
        generator.importance_terms(net, x, DRAWS).unwrap()
    });
    let logs = values(weighed.log_likelihood + weighed.log_ratio);
    for (i, x) in plain.x().iter().enumerate() {
        let own: Vec<f64> = logs
            .iter()
            .skip(i)
            .step_by(N)
            .map(|w| f64::from(*w))
            .collect();
        let (found, exact) = (log_mean_exp(&own), exact(x));
        let shares: Vec<f64> = own.iter().map(|w| (w - found).exp()).collect();
        let squares: Vec<f64> = shares.iter().map(|s| (s - 1.0).powi(2)).collect();
        // The standard error of a mean of weights, relative to it.
        let error = (mean(&squares) / DRAWS as f64).sqrt();
        assert!(mean(&squares) > 1e-3, "the draws' weights are to differ");
        assert!(
            (found - exact).abs() < 4.0 * error,
            "{found} is not {exact} ± {error}"
        );
    }
}
