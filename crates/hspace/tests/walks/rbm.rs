//! Restricted Boltzmann machines, one layer after the other (Hinton 2002; Hinton, Osindero & Teh 2006). Contrastive divergence is the gradient of
//! F(v) − F(v'), where v' comes from v by a step of Gibbs sampling and is taken as given, so it needs no path of its own.

use burn_tensor::activation::{sigmoid, softplus};
use burn_tensor::{Distribution, Tensor};
use hspace::dataset::Split;
use hspace::encoder::Encoder;
use hspace::network::layers::flatten;
use hspace::network::{Init, Scope};
use hspace::objective::{
    Batch, DataSpec, Loss, Net, Objective, Stream, Subset, UpdateGroup, ViewKind,
};

const UNITS: usize = 16;

struct Rbms;

/// Weights `[hidden, visible]` and both biases of a machine, the first and the hidden bias those of a layer of the encoder.
fn machine(net: &Net, layer: usize, visible: usize) -> [Tensor<2>; 3] {
    let of: Scope = net.at(&format!("encoder.{}", 2 * layer));
    let weights = of.weight("weight", [UNITS, visible], Init::UniformFanIn(visible));
    let hidden = of.weight("bias", [UNITS], Init::UniformFanIn(visible));
    let of = net.at(&format!("visible.{layer}"));
    let bias = of.weight("bias", [visible], Init::Constant(0.0));
    [weights, hidden.unsqueeze(), bias.unsqueeze()]
}

impl Objective for Rbms {
    fn prepare(&mut self, _: &DataSpec) -> Vec<String> {
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::new(Subset::All, vec![ViewKind::Plain])]
    }

    fn update_groups(&self, progress: f64, _: &dyn Encoder) -> Vec<UpdateGroup> {
        let layer = usize::from(progress >= 0.5);
        let prefixes = [format!("encoder.{}", 2 * layer), format!("visible.{layer}")];
        vec![UpdateGroup {
            phase: [0.5 * layer as f64, 0.5 + 0.5 * layer as f64],
            ..UpdateGroup::of(&format!("layer{layer}"), &prefixes.each_ref().map(|p| &**p))
        }]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let mut v = sigmoid(flatten(batches[0].views[0].clone()));
        let size = v.dims()[1];
        let machines = [machine(net, 0, size), machine(net, 1, UNITS)];
        let layer = usize::from(net.progress() >= 0.5);
        if layer == 1 {
            let [weights, hidden, _] = &machines[0];
            v = sigmoid(v.matmul(weights.clone().transpose()) + hidden.clone());
        }
        let [weights, hidden, visible] = &machines[layer];
        let inputs = |v: &Tensor<2>| v.clone().matmul(weights.clone().transpose()) + hidden.clone();
        let energy = |v: &Tensor<2>| {
            -(v.clone() * visible.clone()).sum_dim(1) - softplus(inputs(v), 1.0).sum_dim(1)
        };
        let up = sigmoid(inputs(&v)).detach();
        let chance = up.random_like(Distribution::Uniform(0.0, 1.0));
        let on = up.greater(chance).float();
        let again = net.constant(sigmoid(on.matmul(weights.clone()) + visible.clone()));
        Loss::of((energy(&v) - energy(&again)).mean(), vec![])
    }
}

#[test]
fn layers_learn_one_after_the_other() {
    let dataset = super::digits();
    let all = dataset.indices(Split::Train);
    let encoder = format!("name = \"mlp\"\nwidth = {UNITS}\nlayers = 2\nnorm = false");
    let run = |steps| super::trained_with(&encoder, &dataset, &all, Box::new(Rbms), steps);
    let [one, two, four] = [1, 2, 4].map(run);
    let moved = |a, b, name| super::distance(a, b, name);
    assert!(moved(&one, &two, "visible.0.bias") + moved(&one, &two, "visible.1.bias") > 0.0);
    // Steps 1 and 2 of four teach the first layer, 3 and 4 the second.
    assert_eq!(four.lines.len(), 4);
    assert!(
        four.lines
            .iter()
            .all(|line| line.values["loss"].is_finite())
    );
    for name in ["encoder.0.weight", "encoder.2.weight", "visible.1.bias"] {
        assert!(moved(&one, &four, name) > 0.0, "{name}");
    }
}
