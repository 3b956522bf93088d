//! From samples back to latents: which latents does a generator draw this sample from?
//!
//! By optimisation: the latents move down the gradient of `mean (G(z) − x)² + λ mean z²`, means over the values
//! of a sample and over its latents (Lipton & Tripathi 2017, arXiv:1702.04782; Creswell & Bharath 2018,
//! arXiv:1611.05644), vectors in standard deviations of their columns, from several starts; of all starts and
//! steps those with the smallest error are kept. By a learned encoder: a network is trained to tell z from
//! G(z), and then sees real samples. By both: the optimisation starts from what the encoder says (Zhu et al.
//! 2016, arXiv:1609.03552).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use burn_tensor::{Tensor, TensorData};
use serde::Serialize;

use crate::dataset::Dataset;
use crate::device::Device;
use crate::encoder::latent::with_latents;
use crate::encoder::{self, Encoder, axes};
use crate::error::{Error, Result};
use crate::generate::Drawer;
use crate::matrix::Matrix;
use crate::network::weights::{values, vector};
use crate::network::{Mode, Pass, Weight, Weights};
use crate::objective::Net;
use crate::train::optimizer::{Optimizer, OptimizerState, Rule};
use crate::train::schedule::cosine;

/// How latents are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// By optimisation, from draws of the prior.
    Optimise,
    /// By an encoder that was taught on drawn samples.
    Encoder,
    /// By optimisation, from what the encoder says.
    Both,
}

/// How long, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Inversion {
    /// How latents are found.
    pub method: Method,
    /// Steps of the optimisation.
    pub steps: usize,
    /// Starts of it, for [`Method::Optimise`]; the best is kept, sample by sample.
    pub starts: usize,
    /// Steps in which the encoder is taught.
    pub lessons: usize,
    /// λ ≥ 0: how much latents far from the prior's middle cost.
    pub prior: f64,
    /// Seed of everything random.
    pub seed: u64,
}

/// Latents of samples, and how well they were found.
pub struct Inverted {
    /// `[n, d]`
    pub latents: Matrix,
    /// Rows of the dataset that they are of.
    pub rows: Vec<usize>,
    /// Mean squared error a value of the best latents found in so many steps from any start; of vectors in standard
    /// deviations of their columns. The last one is that of the latents here.
    pub errors: Vec<(usize, f64)>,
}

/// Samples inverted at once.
const BATCH: usize = 128;
/// Samples in a lesson of the encoder.
const LESSON: usize = 128;
const RATE: f64 = 0.05;
const LESSON_RATE: f64 = 1e-3;

/// Finds the latents of some rows of a dataset. `progress` hears what is done, and how far it is in
/// 0..=1.
///
/// # Errors
/// Data of another kind than the run's; an interruption.
pub fn invert(
    drawer: &Drawer,
    dataset: &Dataset,
    rows: &[usize],
    how: &Inversion,
    progress: &mut dyn FnMut(&str, f64),
    stop: &AtomicBool,
) -> Result<Inverted> {
    let found = drawer.samples(dataset, rows)?;
    let samples = found.features;
    let student = match how.method {
        Method::Optimise => None,
        Method::Encoder | Method::Both => Some(Student::taught(drawer, how, progress, stop)?),
    };
    let mut latents = Matrix::zeros(0, drawer.dims());
    let mut errors: BTreeMap<usize, f64> = BTreeMap::new();
    let all: Vec<usize> = (0..samples.rows).collect();
    for (at, chunk) in all.chunks(BATCH).enumerate() {
        let part = samples.select(chunk);
        let starts: Vec<Matrix> = match &student {
            Some(student) => vec![student.latents(drawer, &part)],
            None => (at * how.starts..(at + 1) * how.starts)
                .map(|start| drawer.prior(part.rows, how.seed ^ (start as u64) << 8))
                .collect::<Result<_>>()?,
        };
        let mut best = Best::new(part.rows, drawer.dims());
        let steps = if how.method == Method::Encoder {
            0
        } else {
            how.steps
        };
        let count = starts.len();
        let mut curves: Vec<BTreeMap<usize, Vec<f64>>> = Vec::new();
        for (nth, start) in starts.into_iter().enumerate() {
            let done = (at * BATCH) as f64 / all.len() as f64;
            let share = part.rows as f64 / all.len() as f64 / count as f64;
            let mut tell = |part: f64| {
                progress("optimising", done + share * (nth as f64 + part));
            };
            let descent = Descent {
                drawer,
                samples: &part,
                steps,
                prior: how.prior,
                stop,
            };
            curves.push(descent.from(start, &mut best, &mut tell)?);
        }
        for step in curves[0].keys() {
            let least = |i: usize| {
                curves
                    .iter()
                    .map(|c| c[step][i])
                    .fold(f64::INFINITY, f64::min)
            };
            *errors.entry(*step).or_default() += (0..part.rows).map(least).sum::<f64>();
        }
        latents.rows += part.rows;
        latents.data.extend(best.latents.data);
    }
    let n = all.len().max(1) as f64;
    Ok(Inverted {
        latents,
        rows: found.rows,
        errors: errors
            .into_iter()
            .map(|(step, sum)| (step, sum / n))
            .collect(),
    })
}

/// The best latents so far, sample by sample.
struct Best {
    errors: Vec<f64>,
    latents: Matrix,
}

impl Best {
    fn new(n: usize, dims: usize) -> Best {
        Best {
            errors: vec![f64::INFINITY; n],
            latents: Matrix::zeros(n, dims),
        }
    }

    fn hear(&mut self, errors: &[f64], latents: &[f32]) {
        let dims = self.latents.cols;
        for (i, &error) in errors.iter().enumerate() {
            if error < self.errors[i] {
                self.errors[i] = error;
                let own = &mut self.latents.data[i * dims..][..dims];
                own.copy_from_slice(&latents[i * dims..][..dims]);
            }
        }
    }
}

/// What latents move down.
struct Descent<'a> {
    drawer: &'a Drawer,
    samples: &'a Matrix,
    steps: usize,
    /// Weight of the latents' squares.
    prior: f64,
    stop: &'a AtomicBool,
}

impl Descent<'_> {
    /// Moves latents down the gradient; answers with each sample's lowest error up to some of the steps.
    fn from(
        &self,
        start: Matrix,
        best: &mut Best,
        progress: &mut dyn FnMut(f64),
    ) -> Result<BTreeMap<usize, Vec<f64>>> {
        let Descent {
            drawer,
            samples,
            steps,
            prior,
            stop,
        } = *self;
        let [n, dims] = [start.rows, start.cols];
        let device = drawer.device();
        let target = Tensor::<2>::from_data(
            TensorData::new(samples.data.clone(), [n, samples.cols]),
            device,
        );
        let scale = TensorData::new(drawer.scale(), [1, samples.cols]);
        let scale = Tensor::<2>::from_data(scale, device);
        let mut weights = Weights::default();
        weights.insert(
            "z".into(),
            Weight {
                value: vector(start.data, device),
                shape: vec![n, dims],
                trained: true,
            },
        );
        let optimizer = Optimizer {
            rule: Rule::AdamW,
            weight_decay: 0.0,
            momentum: 0.9,
        };
        let (mut state, mut curve) = (OptimizerState::default(), BTreeMap::new());
        let mut own = Best::new(n, dims);
        for step in 0..=steps {
            let tracked = weights.tracked(|_| true);
            let z = tracked
                .iter()
                .next()
                .map(|(_, weight)| weight.value.clone());
            let z = z.expect("the latents are the only weight");
            let (errors, gradients) = device.run(|| {
                let latents = z.clone().reshape([n, dims]);
                let drawn = drawer.drawn(latents.clone());
                let squares = ((drawn - target.clone()) / scale.clone()).powi_scalar(2);
                let squares = squares.mean_dim(1);
                let errors = values(squares.clone().inner().reshape([n]));
                let cost = squares.sum() + latents.powi_scalar(2).mean_dim(1).sum() * prior;
                let mut gradients = cost.backward();
                (errors, z.grad_remove(&mut gradients))
            });
            let errors: Vec<f64> = errors.into_iter().map(f64::from).collect();
            own.hear(&errors, &values(z.clone().inner()));
            // 0, 1, 2, 5, 10, 20, 50, …, and the last.
            let shown = [1, 2, 5].iter().any(|first| {
                let mut at = *first;
                while at < step {
                    at *= 10;
                }
                at == step
            });
            if step == 0 || step == steps || shown {
                curve.insert(step, own.errors.clone());
            }
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted("stopped; nothing was written".into()));
            }
            let Some(gradient) = gradients else {
                break;
            };
            let rate = cosine(RATE, 0.1 * RATE, step as f64 / steps.max(1) as f64);
            let named = BTreeMap::from([("z".to_owned(), gradient)]);
            optimizer.step(&mut weights, named, &mut state, |_| rate);
            progress(step as f64 / steps.max(1) as f64);
        }
        best.hear(&own.errors, &own.latents.data);
        Ok(curve)
    }
}

/// An encoder that learned latents from drawn samples.
struct Student {
    encoder: Box<dyn Encoder>,
    weights: Weights,
}

impl Student {
    /// Of the run's own architecture, from fresh weights.
    fn taught(
        drawer: &Drawer,
        how: &Inversion,
        progress: &mut dyn FnMut(&str, f64),
        stop: &AtomicBool,
    ) -> Result<Student> {
        let (about, device) = (&drawer.trained().about, drawer.device());
        let trunk = encoder::make(&about.architecture, about.settings.clone());
        let encoder = with_latents(trunk.map_err(Error::config)?, drawer.dims());
        let (fresh, _) = encoder::init(&*encoder, about.input.shape, how.seed, device);
        let mut student = Student {
            encoder,
            weights: fresh.prefixed("encoder"),
        };
        let optimizer = Optimizer {
            rule: Rule::AdamW,
            weight_decay: 0.0,
            momentum: 0.9,
        };
        let mut state = OptimizerState::default();
        for lesson in 0..how.lessons {
            let latents = drawer.prior(LESSON, how.seed ^ (lesson as u64 + 1) << 20)?;
            let drawn = drawer.draw(&latents);
            let target = Tensor::<2>::from_data(
                TensorData::new(latents.data, [LESSON, drawer.dims()]),
                device,
            );
            let x = student.input(drawer, &drawn);
            let tracked = student.weights.tracked(|_| true);
            let (gradients, statistics) = device.run(|| {
                let pass = Pass::new(&tracked, Mode::Train, device);
                let net = Net::new(&*student.encoder, &pass);
                let loss = (net.encode(x.clone()) - target.clone())
                    .powi_scalar(2)
                    .mean();
                (net.gradients(&loss), pass.into_statistics())
            });
            for (name, value) in statistics {
                student.weights.set(&name, value.inner());
            }
            let share = lesson as f64 / how.lessons.max(1) as f64;
            let rate = cosine(LESSON_RATE, 0.0, share);
            optimizer.step(&mut student.weights, gradients, &mut state, |_| rate);
            progress("teaching the encoder", share);
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted("stopped; nothing was written".into()));
            }
        }
        Ok(student)
    }

    /// Drawn or real samples as the encoder takes them.
    fn input(&self, drawer: &Drawer, samples: &Matrix) -> Tensor<4> {
        let input = &drawer.trained().about.input;
        let each = input.len() / input.mean.len().max(1);
        let mut data = samples.data.clone();
        for row in data.chunks_exact_mut(input.len()) {
            for (i, x) in row.iter_mut().enumerate() {
                *x = (*x - input.mean[i / each]) / input.std[i / each];
            }
        }
        let data = TensorData::new(data, axes(samples.rows, input.shape));
        Tensor::from_data(data, drawer.device())
    }

    fn latents(&self, drawer: &Drawer, samples: &Matrix) -> Matrix {
        let x = self.input(drawer, samples);
        let device: &Device = drawer.device();
        device.run(|| {
            let pass = Pass::new(&self.weights, Mode::Eval, device);
            let net = Net::new(&*self.encoder, &pass);
            crate::embed::to_matrix(net.encode(x))
        })
    }
}
