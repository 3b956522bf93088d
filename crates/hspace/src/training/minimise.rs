//! The training loop: of each step the batches, the gradients, the updates. What is trained, on what and by which loss are its parameters;
//! an objective's training and the two of [`crate::invert`] are all run by it.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use burn_tensor::Tensor;

use crate::device::Device;
use crate::error::Result;
use crate::nn::Weights;
use crate::objective::UpdateGroup;
use crate::optim::{self, Gradients, Optimizer, OptimizerState};

/// What a training changes.
#[derive(Clone, Default)]
pub(crate) struct Parameters {
    /// Every weight.
    pub weights: Weights,
    /// Optimizer state by update group.
    pub optimizers: BTreeMap<String, OptimizerState>,
}

/// One of the updates of a step.
pub(crate) struct Update {
    /// Which weights, at which part of the learning rate.
    pub group: UpdateGroup,
    /// By which rule.
    pub optimizer: Optimizer,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Longest gradient allowed (all weights together); 0 for any.
    pub clip: f64,
}

/// For what gradients are asked.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// Steps done before.
    pub step: usize,
    /// Which of the step's updates.
    pub update: usize,
    /// Number of the micro-batch, from the first of the training on.
    pub batch: usize,
    /// Micro-batches of the step.
    pub batches: usize,
}

/// What one micro-batch gives.
pub(crate) struct Evaluated {
    /// By the names of the tracked weights.
    pub gradients: Gradients,
    /// Running statistics, by name.
    pub statistics: BTreeMap<String, Tensor<1>>,
}

/// What is trained by which loss.
pub(crate) trait Problem: Send {
    /// What a loss is computed of.
    type Batch: Send;

    /// The updates of a step, made one after the other.
    fn updates(&mut self, step: usize) -> Vec<Update>;

    /// Gradients of the loss with respect to the tracked ones among `weights`.
    ///
    /// # Errors
    /// A loss that is no longer finite.
    fn gradients(
        &mut self,
        place: Place,
        batch: &Self::Batch,
        weights: &Weights,
    ) -> Result<Evaluated>;

    /// What follows without gradients after the updates of a step, whose gradients had the lengths `norms`.
    fn after_updates(&mut self, _step: usize, _weights: &mut Weights, _norms: &[f64]) {}
}

/// Makes the steps `steps`. `batches` gives the micro-batches of a step, whose gradients are averaged; `after` is called after each step
/// with the number of steps done, and can end the training.
///
/// # Errors
/// Errors of `batches`, of the problem and of `after`.
pub(crate) fn minimise<P: Problem>(
    problem: &mut P,
    parameters: &mut Parameters,
    steps: Range<usize>,
    device: &Device,
    mut batches: impl FnMut(usize) -> Result<Vec<P::Batch>>,
    mut after: impl FnMut(&mut P, &Parameters, usize) -> Result<ControlFlow<()>>,
) -> Result<()> {
    for step in steps {
        let batches = batches(step)?;
        device.run(|| one(problem, parameters, step, batches))?;
        if after(problem, parameters, step + 1)?.is_break() {
            break;
        }
    }
    Ok(())
}

fn one<P: Problem>(
    problem: &mut P,
    Parameters {
        weights,
        optimizers,
    }: &mut Parameters,
    step: usize,
    batches: Vec<P::Batch>,
) -> Result<()> {
    let mut norms = Vec::new();
    for (nth, update) in problem.updates(step).into_iter().enumerate() {
        let Update {
            group,
            optimizer,
            learning_rate,
            clip,
        } = update;
        let mut gradients = Vec::with_capacity(batches.len());
        for (part, batch) in batches.iter().enumerate() {
            let place = Place {
                step,
                update: nth,
                batch: step * batches.len() + part,
                batches: batches.len(),
            };
            let tracked = weights.tracked(|name| group.covers(name));
            let evaluated = problem.gradients(place, batch, &tracked)?;
            for (name, value) in evaluated.statistics {
                weights.set(&name, value.inner());
            }
            gradients.push(evaluated.gradients);
        }
        let mut gradients = optim::mean(gradients);
        norms.push(optim::clip(&mut gradients, clip));
        let state = optimizers.entry(group.name.clone()).or_default();
        let rate = |weight: &str| learning_rate * group.rate_of(weight);
        optimizer.step(weights, gradients, state, rate);
    }
    problem.after_updates(step, weights, &norms);
    Ok(())
}
