//! Inversion by optimisation: latents move down the gradient of the error.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use burn_tensor::{Tensor, TensorData};

use super::{Best, unless_stopped, update};
use crate::error::Result;
use crate::generate::GenerativeModel;
use crate::matrix::Matrix;
use crate::nn::weights::{values, vector};
use crate::nn::{Weight, Weights};
use crate::optim::Gradients;
use crate::optim::schedule::cosine;
use crate::training::minimise::{Evaluated, Parameters, Place, Problem, Update, minimise};

/// Learning rate at the beginning; a tenth of it at the end.
const RATE: f64 = 0.05;

/// Latents `z` that move down the gradient.
pub(super) struct Latents<'a> {
    drawer: &'a GenerativeModel,
    /// `[n, values]`
    target: Tensor<2>,
    /// `[1, values]`
    scale: Tensor<2>,
    /// Weight of the latents' squares.
    prior: f64,
    steps: usize,
    best: Best,
    /// Each sample's lowest error up to some of the steps.
    curve: BTreeMap<usize, Vec<f64>>,
}

impl<'a> Latents<'a> {
    pub fn new(
        drawer: &'a GenerativeModel,
        samples: &Matrix,
        prior: f64,
        steps: usize,
    ) -> Latents<'a> {
        let rows = |data: Vec<f32>, n: usize| {
            let data = TensorData::new(data, [n, samples.cols]);
            Tensor::<2>::from_data(data, drawer.device())
        };
        Latents {
            drawer,
            target: rows(samples.data.clone(), samples.rows),
            scale: rows(drawer.scale(), 1),
            prior,
            steps,
            best: Best::new(samples.rows, drawer.dims()),
            curve: BTreeMap::new(),
        }
    }

    /// Moves them from `start`; `best` records the best, and the answer is each sample's lowest error up to some of the steps.
    pub fn optimised(
        mut self,
        start: Matrix,
        best: &mut Best,
        progress: &mut dyn FnMut(f64),
        stop: &AtomicBool,
    ) -> Result<BTreeMap<usize, Vec<f64>>> {
        let device = self.drawer.device();
        let mut parameters = Parameters::default();
        parameters.weights.insert(
            "z".into(),
            Weight {
                value: vector(start.data, device),
                shape: vec![start.rows, start.cols],
                trained: true,
            },
        );
        let steps = self.steps;
        minimise(
            &mut self,
            &mut parameters,
            // One more than there are updates to be made, for the errors after the last.
            0..steps + 1,
            device,
            |_| Ok(vec![()]),
            |_, _, done| {
                progress((done - 1) as f64 / steps.max(1) as f64);
                unless_stopped(stop)
            },
        )?;
        best.record_epoch(&self.best.errors, &self.best.latents.data);
        Ok(self.curve)
    }
}

impl Problem for Latents<'_> {
    type Batch = ();

    fn updates(&mut self, step: usize) -> Vec<Update> {
        let share = step as f64 / self.steps.max(1) as f64;
        vec![update(cosine(RATE, 0.1 * RATE, share))]
    }

    fn gradients(&mut self, place: Place, _: &(), weights: &Weights) -> Result<Evaluated> {
        let z = weights.get("z").expect("the latents are the only weight");
        let [n, dims] = [z.shape[0], z.shape[1]];
        let latents = z.value.clone().reshape([n, dims]);
        let drawn = self.drawer.drawn(latents.clone());
        let squares = ((drawn - self.target.clone()) / self.scale.clone()).powi_scalar(2);
        let squares = squares.mean_dim(1);
        let errors = values(squares.clone().inner().reshape([n]));
        let errors: Vec<f64> = errors.into_iter().map(f64::from).collect();
        self.best
            .record_epoch(&errors, &values(z.value.clone().inner()));
        if place.step == self.steps || is_shown(place.step) {
            self.curve.insert(place.step, self.best.errors.clone());
        }
        let cost = squares.sum() + latents.powi_scalar(2).mean_dim(1).sum() * self.prior;
        let gradient = z.value.grad_remove(&mut cost.backward());
        let named = gradient.map(|gradient| ("z".to_owned(), gradient));
        Ok(Evaluated {
            gradients: Gradients::from_iter(named),
            statistics: BTreeMap::new(),
        })
    }
}

/// Whether `step` is 0, 1, 2, 5, 10, 20, 50, …
fn is_shown(step: usize) -> bool {
    let mut rest = step;
    while rest > 0 && rest.is_multiple_of(10) {
        rest /= 10;
    }
    [0, 1, 2, 5].contains(&rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_steps_are_shown_of_many() {
        let shown: Vec<usize> = (0..300).filter(|&step| is_shown(step)).collect();
        assert_eq!(shown, [0, 1, 2, 5, 10, 20, 50, 100, 200]);
    }
}
