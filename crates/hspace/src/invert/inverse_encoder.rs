//! Inversion by an encoder that is trained on drawn samples.

use std::sync::atomic::AtomicBool;

use burn_tensor::{Tensor, TensorData};

use super::{Inversion, unless_stopped, update};
use crate::device::Device;
use crate::embed::to_matrix;
use crate::encoder::latent::with_latents;
use crate::encoder::{self, Encoder, axes};
use crate::error::{Error, Result};
use crate::generate::GenerativeModel;
use crate::matrix::Matrix;
use crate::nn::{Mode, Pass, Weights};
use crate::objective::Net;
use crate::optim::schedule::cosine;
use crate::training::minimise::{Evaluated, Parameters, Place, Problem, Update, minimise};

/// Samples in a lesson.
const LESSON: usize = 128;
/// Learning rate at the beginning; 0 at the end.
const RATE: f64 = 1e-3;

/// An encoder that learned latents from drawn samples.
pub(super) struct InverseEncoder {
    encoder: Box<dyn Encoder>,
    weights: Weights,
}

/// The inverse encoder in training.
struct Lessons<'a> {
    encoder: &'a dyn Encoder,
    device: &'a Device,
    encoder_steps: usize,
}

impl Problem for Lessons<'_> {
    /// Samples as the encoder takes them, and the latents `[n, d]` they were drawn from.
    type Batch = (Tensor<4>, Tensor<2>);

    fn updates(&mut self, step: usize) -> Vec<Update> {
        let share = step as f64 / self.encoder_steps as f64;
        vec![update(cosine(RATE, 0.0, share))]
    }

    fn gradients(
        &mut self,
        _: Place,
        (x, target): &Self::Batch,
        weights: &Weights,
    ) -> Result<Evaluated> {
        let pass = Pass::new(weights, Mode::Train, self.device);
        let net = Net::new(self.encoder, &pass);
        let loss = (net.encode(x.clone()) - target.clone())
            .powi_scalar(2)
            .mean();
        let gradients = net.gradients(&loss);
        Ok(Evaluated {
            gradients,
            statistics: pass.into_statistics(),
        })
    }
}

impl InverseEncoder {
    /// Of the run's own architecture, from fresh weights.
    pub fn taught(
        drawer: &GenerativeModel,
        how: &Inversion,
        progress: &mut dyn FnMut(&str, f64),
        stop: &AtomicBool,
    ) -> Result<InverseEncoder> {
        let (about, device) = (&drawer.trained().about, drawer.device());
        let trunk = encoder::make(&about.architecture, about.settings.clone());
        let encoder = with_latents(trunk.map_err(Error::config)?, drawer.dims());
        let (fresh, _) = encoder::init(&*encoder, about.input.shape, how.seed, device);
        let mut parameters = Parameters {
            weights: fresh.prefixed("encoder"),
            ..Parameters::default()
        };
        let mut encoder_steps = Lessons {
            encoder: &*encoder,
            device,
            encoder_steps: how.encoder_steps,
        };
        minimise(
            &mut encoder_steps,
            &mut parameters,
            0..how.encoder_steps,
            device,
            |lesson| {
                let latents = drawer.prior(LESSON, how.seed ^ (lesson as u64 + 1) << 20)?;
                let x = input(drawer, &drawer.draw(&latents));
                let target = TensorData::new(latents.data, [LESSON, drawer.dims()]);
                Ok(vec![(x, Tensor::from_data(target, device))])
            },
            |_, _, done| {
                let share = (done - 1) as f64 / how.encoder_steps as f64;
                progress("teaching the encoder", share);
                unless_stopped(stop)
            },
        )?;
        Ok(InverseEncoder {
            weights: parameters.weights,
            encoder,
        })
    }

    pub fn latents(&self, drawer: &GenerativeModel, samples: &Matrix) -> Matrix {
        let x = input(drawer, samples);
        let device: &Device = drawer.device();
        device.run(|| {
            let pass = Pass::new(&self.weights, Mode::Eval, device);
            let net = Net::new(&*self.encoder, &pass);
            to_matrix(net.encode(x))
        })
    }
}

/// Drawn or real samples as the run's encoder takes them.
fn input(drawer: &GenerativeModel, samples: &Matrix) -> Tensor<4> {
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
