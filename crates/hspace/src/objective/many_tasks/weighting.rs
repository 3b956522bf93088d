//! How the losses of several tasks become one: a weight for each.
//!
//! Methods that work on the gradients of the tasks see those of the shared features z, ∇_z L_t, by their inner products: one forward and one backward
//! pass of the encoder whatever the number of tasks (the upper bound of Sener & Koltun 2018, arXiv:1810.04650). What each does to the gradients is a
//! linear combination of them, so it is a weight for each loss, which is all that differs from a plain sum.

mod cagrad;
mod dwa;
mod gradnorm;
mod mgda;
mod pcgrad;
mod uncertainty;

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::task::Task;
use crate::nn::weights::{values, vector};
use crate::nn::{Init, Scope};
use crate::objective::Net;

/// Which weights the losses of tasks have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Weighting {
    /// As the settings say; all 1 by default.
    #[default]
    Fixed,
    /// Learned, by the noise of each task.
    Uncertainty,
    /// Larger for tasks whose loss falls more slowly.
    Dwa,
    /// Such that all tasks learn at the same rate.
    GradNorm,
    /// Each gradient without its part against another.
    PcGrad,
    /// The direction near the mean that is best for the worst task.
    CaGrad,
    /// The shortest convex combination of the gradients.
    Mgda,
}

/// Numbers that methods take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WeightingSettings {
    /// Which method.
    pub weighting: Weighting,
    /// Of `fixed`: one weight per column, > 0; none: all 1.
    pub weights: Vec<f64>,
    /// Of `dwa`: large ones make weights equal, > 0.
    pub temperature: f64,
    /// Of `gradnorm`: how much more a task that is behind counts, ≥ 0.
    pub restoring: f64,
    /// Of `gradnorm`: how far a weight moves in a step, > 0.
    pub rate: f64,
    /// Of `cagrad`: how far from the mean gradient, 0..1.
    pub distance: f64,
}

impl Default for WeightingSettings {
    fn default() -> Self {
        WeightingSettings {
            weighting: Weighting::Fixed,
            weights: vec![],
            temperature: 2.0,
            restoring: 1.5,
            rate: 0.025,
            distance: 0.4,
        }
    }
}

/// What is known of a step's losses, those of tasks without a labelled sample in the batch left out.
pub(super) struct Step {
    /// Which tasks they are of, ascending.
    present: Vec<usize>,
    /// Their values.
    losses: Vec<f64>,
    /// Inner products of their gradients, row by row; empty for methods that need none.
    products: Products,
}

/// Inner products of the gradients of tasks.
#[derive(Clone, Debug, Default)]
pub(super) struct Products {
    /// Number of tasks.
    n: usize,
    /// `[n, n]`
    of: Vec<f64>,
}

impl Products {
    /// Of these gradients, all of one length.
    pub fn new(gradients: &[Vec<f32>]) -> Products {
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            let terms = a.iter().zip(b);
            terms.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
        };
        let rows = gradients.iter();
        Products {
            n: gradients.len(),
            of: rows
                .flat_map(|a| gradients.iter().map(move |b| dot(a, b)))
                .collect(),
        }
    }

    fn get(&self, a: usize, b: usize) -> f64 {
        self.of[a * self.n + b]
    }

    /// The length of a gradient.
    fn norm(&self, task: usize) -> f64 {
        self.get(task, task).sqrt()
    }

    /// Inner products of gradient `task` with Σ w_t g_t.
    fn with(&self, task: usize, weights: &[f64]) -> f64 {
        let terms = weights.iter().enumerate();
        terms.map(|(other, w)| w * self.get(task, other)).sum()
    }

    /// The squared length of Σ w_t g_t.
    fn squared(&self, weights: &[f64]) -> f64 {
        let terms = weights.iter().enumerate();
        let sum: f64 = terms.map(|(task, w)| w * self.with(task, weights)).sum();
        sum.max(0.0)
    }

    /// The mean cosine of the angles between gradients of different tasks; 1 of a single one.
    pub fn mean_cosine(&self) -> f64 {
        let pairs = (0..self.n).flat_map(|a| (0..a).map(move |b| (a, b)));
        let cosine = |(a, b)| self.get(a, b) / (self.norm(a) * self.norm(b)).max(f64::MIN_POSITIVE);
        let cosines: Vec<f64> = pairs.map(cosine).collect();
        match cosines.len() {
            0 => 1.0,
            count => cosines.iter().sum::<f64>() / count as f64,
        }
    }
}

impl WeightingSettings {
    /// Everything out of range; `tasks` is how many there are.
    pub fn validate(&self, tasks: usize) -> Vec<String> {
        let given = self.weights.len();
        let mut problems = Vec::new();
        if given > 0 && given != tasks {
            problems.push(format!(
                "weights: {given} are given for {tasks} columns; give one for each"
            ));
        }
        if given > 0 && self.weighting != Weighting::Fixed {
            problems.push("weights: they are of weighting=fixed alone; leave them out".to_owned());
        }
        problems
    }

    /// The same, without the number of columns.
    pub fn validate_numbers(&self) -> Vec<String> {
        use crate::objective::heads::{not_negative, positive_number, share};
        let mut problems = Vec::new();
        for weight in &self.weights {
            problems.extend(positive_number("weights", *weight));
        }
        problems.extend(positive_number("temperature", self.temperature));
        problems.extend(not_negative(&[("restoring", self.restoring)]));
        problems.extend(positive_number("rate", self.rate));
        problems.extend(share("distance", self.distance));
        problems
    }

    /// The loss of all tasks, of these losses, `None` of tasks without a labelled sample in the batch; and its weights, one per task, 0 of those.
    /// `gradients` gives the gradients of the losses that are there, in their order.
    pub fn combine(
        &self,
        net: &Net,
        tasks: &[Task],
        losses: &[Option<Tensor<1>>],
        gradients: impl FnOnce() -> Products,
    ) -> Combined {
        let memory = net.at("weighting");
        let present: Vec<usize> = (0..losses.len()).filter(|&t| losses[t].is_some()).collect();
        if let Weighting::Uncertainty = self.weighting {
            return uncertainty::combine(&memory, tasks, losses);
        }
        let numbers = losses.iter().flatten();
        let step = Step {
            losses: numbers
                .map(|loss| f64::from(loss.clone().inner().into_scalar::<f32>()))
                .collect(),
            products: match self.weighting {
                Weighting::Fixed | Weighting::Uncertainty | Weighting::Dwa => Products::default(),
                _ => gradients(),
            },
            present,
        };
        let state = State {
            memory,
            tasks: losses.len(),
        };
        let own = match self.weighting {
            Weighting::Fixed | Weighting::Uncertainty => match self.weights.is_empty() {
                true => vec![1.0; step.present.len()],
                false => step.present.iter().map(|&t| self.weights[t]).collect(),
            },
            Weighting::Dwa => dwa::weights(&step, &state, self.temperature, net.progress()),
            Weighting::GradNorm => gradnorm::weights(&step, &state, self.restoring, self.rate),
            Weighting::PcGrad => pcgrad::weights(&step.products, &mut net.rng("order")),
            Weighting::CaGrad => cagrad::weights(&step.products, self.distance),
            Weighting::Mgda => mgda::weights(&step),
        };
        let mut weights = vec![0.0f32; losses.len()];
        for (&task, weight) in step.present.iter().zip(own) {
            weights[task] = weight as f32;
        }
        let weights = vector(weights, net.device()).reshape([1, losses.len()]);
        let weights = net.constant(weights).reshape([losses.len()]);
        let terms = losses.iter().enumerate().filter_map(|(task, loss)| {
            let weight = weights.clone().narrow(0, task, 1);
            loss.clone().map(|loss| loss * weight)
        });
        Combined {
            total: terms.reduce(|a, b| a + b),
            mean_cosine: (step.products.n > 1).then(|| step.products.mean_cosine()),
            weights,
        }
    }
}

/// What [`WeightingSettings::combine`] gives.
pub(super) struct Combined {
    /// The loss, `[1]`; `None` if no task has one.
    pub total: Option<Tensor<1>>,
    /// `[tasks]`
    pub weights: Tensor<1>,
    /// Of the gradients, where the method needs them.
    pub mean_cosine: Option<f64>,
}

/// What a method remembers from step to step, a number per task under each name.
pub(super) struct State<'a> {
    memory: Scope<'a>,
    tasks: usize,
}

impl State<'_> {
    fn get(&self, name: &str, at_first: f32) -> Vec<f64> {
        let init = Init::Constant(at_first);
        let kept = self.memory.buffer(name, self.tasks, init);
        values(kept.inner()).into_iter().map(f64::from).collect()
    }

    fn set(&self, name: &str, values: &[f64]) {
        let values: Vec<f32> = values.iter().map(|&x| x as f32).collect();
        let values = vector(values, self.memory.device());
        self.memory.update(name, values);
    }
}

#[cfg(test)]
mod tests;
