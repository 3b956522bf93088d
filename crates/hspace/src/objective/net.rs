//! The encoder and the weights of one pass, as an objective sees them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use burn_tensor::{Device, Tensor};

use crate::encoder::Encoder;
use crate::network::{Mode, Pass, Scope, Weights};
use crate::train::optimizer::Gradients;

/// The encoder and the weights of one pass.
///
/// On the CPU, where burn works through a graph on one core, the views of a step are encoded each
/// on its own thread, with its own graph: the loss is computed from the features as leaves, and
/// [`Net::gradients`] takes the gradient at each leaf back through its view's graph, again in
/// parallel. The gradients are those of one graph; only the order of summation differs, and it
/// does not depend on timing.
pub struct Net<'a> {
    encoder: &'a dyn Encoder,
    pass: &'a Pass<'a>,
    branches: RefCell<Vec<Branch>>,
}

/// One view's graph.
struct Branch {
    weights: Weights,
    features: Tensor<2>,
    leaf: Tensor<2>,
}

impl<'a> Net<'a> {
    /// The encoder, with the weights of `pass`.
    pub fn new(encoder: &'a dyn Encoder, pass: &'a Pass<'a>) -> Self {
        Net {
            encoder,
            pass,
            branches: RefCell::default(),
        }
    }

    /// The place of a head, such as `projector`.
    pub fn at(&self, name: &str) -> Scope<'_> {
        self.pass.at(name)
    }

    /// The device that tensors must be on.
    pub fn device(&self) -> &Device {
        self.pass.device()
    }

    /// Features `[n, d]` of samples `[n, c, h, w]`.
    pub fn encode(&self, x: Tensor<4>) -> Tensor<2> {
        self.encoder.features(&self.pass.at("encoder"), x)
    }

    /// Features of several views, each its own batch for batch normalisation.
    pub fn encode_views(&self, views: &[Tensor<4>]) -> Vec<Tensor<2>> {
        if self.pass.mode() != Mode::Train || *self.device() != Device::flex() {
            return views.iter().map(|x| self.encode(x.clone())).collect();
        }
        let encoded = std::thread::scope(|scope| {
            let spawn = |x: &Tensor<4>| {
                let (x, weights) = (x.clone(), self.pass.weights().leaves("encoder"));
                let (encoder, device) = (self.encoder, self.device().clone());
                scope.spawn(move || {
                    let pass = Pass::new(&weights, Mode::Train, &device);
                    let features = encoder.features(&pass.at("encoder"), x);
                    let statistics = pass.into_statistics();
                    (weights, features, statistics)
                })
            };
            let threads: Vec<_> = views.iter().map(spawn).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| match thread.join() {
                Ok(encoded) => encoded,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            threads.into_iter().map(join).collect::<Vec<_>>()
        });
        let mut means: BTreeMap<String, Tensor<1>> = BTreeMap::new();
        let mut leaves = Vec::with_capacity(views.len());
        for (weights, features, statistics) in encoded {
            for (name, value) in statistics {
                let part = value / views.len() as f64;
                let mean = match means.remove(&name) {
                    Some(sum) => sum + part,
                    None => part,
                };
                means.insert(name, mean);
            }
            let leaf = features.clone().inner().autodiff().require_grad();
            leaves.push(leaf.clone());
            self.branches.borrow_mut().push(Branch {
                weights,
                features,
                leaf,
            });
        }
        self.pass.note_statistics(means);
        leaves
    }

    /// Features by the momentum teacher's copy of the encoder: no gradients, no cost of them.
    pub fn encode_by_teacher(&self, x: Tensor<4>) -> Tensor<2> {
        let scope = self.pass.at("teacher.encoder").frozen();
        self.encoder.features(&scope, x)
    }

    /// Gradients of `loss` by the names of the tracked weights.
    pub fn gradients(&self, loss: &Tensor<1>) -> Gradients {
        let mut found = loss.backward();
        let mut sum = collect(self.pass.weights(), &mut found);
        let branches = self.branches.take();
        let parts = std::thread::scope(|scope| {
            let threads: Vec<_> = branches
                .into_iter()
                .filter_map(|branch| Some((branch.leaf.grad_remove(&mut found)?, branch)))
                .map(|(gradient, branch)| {
                    scope.spawn(move || {
                        let gradient = Tensor::from_inner(gradient);
                        let mut found = (branch.features * gradient).sum().backward();
                        collect(&branch.weights, &mut found)
                    })
                })
                .collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| match thread.join() {
                Ok(part) => part,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            threads.into_iter().map(join).collect::<Vec<Gradients>>()
        });
        for (name, gradient) in parts.into_iter().flatten() {
            let total = match sum.remove(&name) {
                Some(before) => before + gradient,
                None => gradient,
            };
            sum.insert(name, total);
        }
        sum
    }
}

/// The gradients that were found, by the names of their weights.
fn collect(weights: &Weights, found: &mut burn_tensor::Gradients) -> Gradients {
    weights
        .iter()
        .filter_map(|(name, weight)| Some((name.to_owned(), weight.value.grad_remove(found)?)))
        .collect()
}
