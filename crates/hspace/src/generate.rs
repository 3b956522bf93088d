//! A run that learned to draw: from samples to latents, from latents to samples, and how likely
//! samples are.

use burn_tensor::{Tensor, TensorData};
use rand_distr::{Distribution, StandardNormal};
use serde::Serialize;

use crate::config::{Choice, Config};
use crate::dataset::{Dataset, Shape};
use crate::device::Device;
use crate::embed::{Embedded, embed, inputs, to_matrix};
use crate::encoder::axes;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::nn::layers::flatten;
use crate::nn::weights::{rng_for, values};
use crate::nn::{Mode, Pass, Weights};
use crate::objective::{self, DataSpec, Generator, Net, OBJECTIVES, Objective};
use crate::run::{RunFolder, TrainedEncoder};
use crate::stats::ACTIVE;
use crate::views::Views;

/// Samples drawn or weighed at once.
const BATCH: usize = 100;
/// Draws from a posterior that are weighed at once.
const DRAWS: usize = 10;

/// A run that learned to draw, read back.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (shapes, run) = short_run(folder.path(), "vae")?;
/// use hspace::device::Device;
/// use hspace::generate::GenerativeModel;
///
/// let model = GenerativeModel::open(&run, &Device::cpu())?;
/// assert!(model.has_latents() && model.has_prior());
/// // From samples to latents and back, and from the prior to new samples.
/// let latents = model.latents(&shapes, &[0, 1, 2])?.features;
/// assert_eq!((latents.rows, latents.cols), (3, model.dims()));
/// let drawn = model.draw(&latents);
/// assert_eq!((drawn.rows, drawn.cols), (3, 3 * 24 * 24));
/// assert!(model.draw(&model.prior(5, 0)?).data.iter().all(|x| (0.0..=1.0).contains(x)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct GenerativeModel {
    objective: Box<dyn Objective>,
    trained: TrainedEncoder,
    weights: Weights,
    device: Device,
}

/// How well a model explains samples, in nats a sample, means over the samples.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (shapes, run) = short_run(folder.path(), "vae")?;
/// use hspace::device::Device;
/// use hspace::generate::GenerativeModel;
///
/// let model = GenerativeModel::open(&run, &Device::cpu())?;
/// let found = model.explain(&shapes, &[0, 1, 2, 3], 8, 0, &mut |_| ())?;
/// // Several draws bound the likelihood more tightly than one.
/// assert!(found.samples == 4 && found.log_likelihood >= found.elbo);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// How many samples.
    pub samples: usize,
    /// Draws from each one's posterior.
    pub draws: usize,
    /// `log p(x)` by importance sampling: a lower bound that more draws raise.
    pub log_likelihood: f64,
    /// Its standard error over samples.
    pub error: f64,
    /// The bound of a single draw: `log p(x | z)` less the divergence.
    pub elbo: f64,
    /// Mean `log p(x | z)`.
    pub reconstruction: f64,
    /// Mean divergence of the posterior from the prior.
    pub divergence: f64,
    /// `−log p(x)` in bits, of each value of a sample.
    pub bits_per_dim: f64,
    /// Latents whose mean varies by more than [`ACTIVE`] over the samples (Burda et al. 2016).
    pub active_units: usize,
    /// Latents there are.
    pub latents: usize,
    /// What the likelihood is of.
    pub unit: &'static str,
}

/// Whether an objective with these settings draws.
///
/// ```
/// use hspace::config::Choice;
/// use hspace::generate::draws;
///
/// let choice = |name: &str| Choice { name: name.into(), settings: Default::default() };
/// assert!(draws(&choice("vae")) && !draws(&choice("simclr")));
/// ```
pub fn draws(choice: &Choice) -> bool {
    let made = objective::make(&choice.name, choice.settings.clone());
    made.is_ok_and(|objective| objective.generator().is_some())
}

impl GenerativeModel {
    /// Reads a run's encoder and decoder.
    ///
    /// # Errors
    /// A run of an objective that does not draw, one that is not finished, files that are broken.
    pub fn open(folder: &RunFolder, device: &Device) -> Result<GenerativeModel> {
        let trained = folder.read_encoder(device)?;
        let cannot = |what: &str| {
            let drawing = OBJECTIVES.iter().filter(|entry| {
                let made = (entry.make)((entry.defaults)());
                made.is_ok_and(|objective| objective.generator().is_some())
            });
            let names: Vec<&str> = drawing.map(|entry| entry.name).collect();
            Error::file(
                folder.path(),
                format!("{what}; train with one that does: {}", names.join(", ")),
            )
        };
        if !folder.has_config() {
            return Err(cannot("has an encoder from elsewhere and no decoder"));
        }
        let table = folder.read_config()?;
        let (name, settings) = Config::objective_of(&table)
            .ok_or_else(|| Error::file(folder.path(), "config.toml names no objective"))?;
        let mut objective = objective::make(&name, settings).map_err(Error::config)?;
        if objective.generator().is_none() {
            return Err(cannot(&format!(
                "learned by `{name}`, which does not draw samples"
            )));
        }
        let input = &trained.about.input;
        let problems = objective.prepare(&DataSpec {
            shape: input.shape,
            local: input.shape,
            mean: input.mean.clone(),
            std: input.std.clone(),
            samples: 1,
            columns: vec![],
            task: None,
        });
        if !problems.is_empty() {
            return Err(Error::Config(problems));
        }
        Ok(GenerativeModel {
            objective,
            trained,
            weights: folder.read_model(device)?,
            device: device.clone(),
        })
    }

    /// The encoder.
    pub fn trained(&self) -> &TrainedEncoder {
        &self.trained
    }

    fn generator(&self) -> &dyn Generator {
        let generator = self.objective.generator();
        generator.expect("only objectives that draw are opened")
    }

    /// Whether the run's encoder gives latents; else they must be found by inversion.
    pub fn has_latents(&self) -> bool {
        self.generator().latents().is_none()
    }

    /// Dimensions of its latents.
    pub fn dims(&self) -> usize {
        self.generator()
            .latents()
            .unwrap_or(self.trained.about.features)
    }

    /// Latents of some rows of a dataset.
    ///
    /// # Errors
    /// If the data are of another kind than the run's, or no sample can be read.
    pub fn latents(&self, dataset: &Dataset, rows: &[usize]) -> Result<Embedded> {
        if !self.has_latents() {
            return Err(Error::data(
                "the run draws from latents that no encoder gives; `hspace invert` finds those of samples",
            ));
        }
        let views = self.trained.views(dataset)?;
        let TrainedEncoder {
            encoder, weights, ..
        } = &self.trained;
        embed(
            &**encoder,
            weights,
            &views,
            dataset,
            rows,
            &self.device,
            &mut |_| (),
        )
    }

    /// The samples themselves as [`GenerativeModel::draw`] gives them: images in 0..1, channels first, in the
    /// encoder's size; vectors in their own units, less the shift of the data the run learned from.
    ///
    /// # Errors
    /// As [`GenerativeModel::latents`].
    pub fn samples(&self, dataset: &Dataset, rows: &[usize]) -> Result<Embedded> {
        let views: Views = self.trained.views(dataset)?;
        let mut found = inputs(&views, dataset, rows)?;
        let input = &self.trained.about.input;
        let each = input.len() / input.mean.len().max(1);
        for row in found.features.data.chunks_exact_mut(input.len()) {
            for (i, x) in row.iter_mut().enumerate() {
                *x = *x * input.std[i / each] + input.mean[i / each];
            }
        }
        Ok(found)
    }

    /// What latents `[n, d]` look like, one row of values each.
    pub fn draw(&self, latents: &Matrix) -> Matrix {
        let mut all = Matrix::zeros(0, self.trained.about.input.len());
        let rows: Vec<usize> = (0..latents.rows).collect();
        for chunk in rows.chunks(BATCH) {
            let part = latents.select(chunk);
            let data = TensorData::new(part.data, [part.rows, part.cols]);
            let z = Tensor::from_data(data, &self.device);
            let drawn = self.device.run(|| to_matrix(self.drawn(z)));
            all.rows += drawn.rows;
            all.data.extend(drawn.data);
        }
        all
    }

    /// The same of tensors, through which gradients flow: `[n, d]` to `[n, values]`.
    pub fn drawn(&self, latents: Tensor<2>) -> Tensor<2> {
        let pass = Pass::new(&self.weights, Mode::Eval, &self.device);
        let net = Net::new(&*self.trained.encoder, &pass);
        flatten(self.generator().draw(&net, latents))
    }

    /// What differences of samples' values are measured in: 1 for images, for vectors each column's standard
    /// deviation, so that no column's unit decides.
    pub fn scale(&self) -> Vec<f32> {
        let input = &self.trained.about.input;
        match input.shape {
            Shape::Image { .. } => vec![1.0; input.len()],
            Shape::Vector { .. } => input.std.clone(),
        }
    }

    /// The device it computes on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether latents can be drawn that samples should have.
    pub fn has_prior(&self) -> bool {
        self.generator().has_prior()
    }

    /// Latents from the prior, the standard normal distribution, `[n, d]`.
    ///
    /// # Errors
    /// If the run's objective gives its latents none.
    pub fn prior(&self, n: usize, seed: u64) -> Result<Matrix> {
        if !self.has_prior() {
            return Err(Error::data(
                "the run's latents have no prior to draw from: its objective does not say how they are \
                 distributed; `vae` and its kin, `wae_mmd` and `gan` do. What the encoder says of samples is \
                 what `hspace embed` writes",
            ));
        }
        let dims = self.dims();
        let mut rng = rng_for("prior", seed);
        let draw = |_| StandardNormal.sample(&mut rng);
        Ok(Matrix::new(n, dims, (0..n * dims).map(draw).collect()))
    }

    /// How likely some rows of a dataset are, by importance sampling with `draws` draws of each one's
    /// posterior (Burda et al. 2016, equation 8). `progress` is called with how many samples are done.
    ///
    /// # Errors
    /// As [`GenerativeModel::latents`], and if the objective has no likelihood.
    pub fn explain(
        &self,
        dataset: &Dataset,
        rows: &[usize],
        draws: usize,
        seed: u64,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Explained> {
        let views = self.trained.views(dataset)?;
        let shape = views.input().shape;
        let (mut sums, mut found, mut done, mut unit) = ([0.0f64; 2], Vec::new(), 0, "");
        for (at, chunk) in rows.chunks(BATCH).enumerate() {
            let batch = inputs(&views, dataset, chunk)?;
            let n = batch.rows.len();
            if n == 0 {
                continue;
            }
            let data = TensorData::new(batch.features.data, axes(n, shape));
            let x = Tensor::from_data(data, &self.device);
            let mut weights: Vec<Vec<f64>> = vec![Vec::with_capacity(draws); n];
            for first in (0..draws).step_by(DRAWS) {
                let count = DRAWS.min(draws - first);
                let pass_seed = seed ^ ((at as u64) << 32 | first as u64);
                let weighed = self.device.run(|| {
                    let pass = Pass::new(&self.weights, Mode::Eval, &self.device);
                    let pass = pass.with_seed(pass_seed);
                    let net = Net::new(&*self.trained.encoder, &pass);
                    self.generator().importance_terms(&net, x.clone(), count)
                });
                let Some(weighed) = weighed else {
                    return Err(Error::data(
                        "the run's objective gives samples no likelihood; vae, beta_vae, beta_tcvae, \
                         factor_vae, dip_vae and iwae do",
                    ));
                };
                unit = weighed.unit;
                let likelihood = values(weighed.log_likelihood);
                let ratio = values(weighed.log_ratio);
                for (i, (a, b)) in likelihood.iter().zip(&ratio).enumerate() {
                    weights[i % n].push(f64::from(*a) + f64::from(*b));
                    sums[0] += f64::from(*a) / draws as f64;
                }
                let share = count as f64 / draws as f64;
                let divergence = values(weighed.divergence);
                sums[1] += divergence
                    .iter()
                    .map(|&d| f64::from(d) * share)
                    .sum::<f64>();
            }
            found.extend(weights.iter().map(|weights| log_mean_exp(weights)));
            done += n;
            progress(done);
        }
        if found.is_empty() {
            return Err(Error::data(format!(
                "{}: no sample could be read",
                dataset.name
            )));
        }
        let n = found.len() as f64;
        let mean = found.iter().sum::<f64>() / n;
        let squares: f64 = found.iter().map(|x| (x - mean).powi(2)).sum();
        let [reconstruction, divergence] = sums.map(|sum| sum / n);
        let latents = self.latents(dataset, rows)?.features;
        Ok(Explained {
            samples: found.len(),
            draws,
            log_likelihood: mean,
            error: (squares / (n - 1.0).max(1.0) / n).sqrt(),
            elbo: reconstruction - divergence,
            reconstruction,
            divergence,
            bits_per_dim: -mean / std::f64::consts::LN_2 / views.input().len() as f64,
            active_units: deviations(&latents)
                .iter()
                .filter(|&&s| s * s > ACTIVE)
                .count(),
            latents: latents.cols,
            unit,
        })
    }
}

/// `log (1/k) Σ exp w`
fn log_mean_exp(weights: &[f64]) -> f64 {
    let most = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = weights.iter().map(|w| (w - most).exp()).sum();
    most + (sum / weights.len().max(1) as f64).ln()
}

/// Standard deviation of each column.
///
/// ```
/// use hspace::generate::deviations;
/// use hspace::matrix::Matrix;
///
/// let x = Matrix::new(2, 2, vec![1.0, 5.0, 3.0, 5.0]);
/// assert_eq!(deviations(&x), [1.0, 0.0]);
/// ```
pub fn deviations(x: &Matrix) -> Vec<f64> {
    let off = x.minus(&x.column_means());
    let mut squares = vec![0.0f64; x.cols];
    for row in off.data.chunks_exact(x.cols.max(1)) {
        squares
            .iter_mut()
            .zip(row)
            .for_each(|(sum, &x)| *sum += f64::from(x).powi(2));
    }
    squares
        .iter()
        .map(|sum| (sum / x.rows.max(1) as f64).sqrt())
        .collect()
}
