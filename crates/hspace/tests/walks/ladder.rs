//! Ladder network (Rasmus et al. 2015, arXiv:1507.02672): clean and noisy pre-activations of each layer, and a decoder that takes the noise off. The
//! objective computes its own function of the encoder's weights, layer by layer; what is embedded stays the encoder.

use burn_tensor::Tensor;
use burn_tensor::activation::relu;
use hspace::dataset::Split;
use hspace::network::Init;
use hspace::network::layers::{flatten, linear, standardise};
use hspace::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind};

use super::cross_entropy;

const UNITS: usize = 16;
const LAYERS: usize = 2;

#[derive(Default)]
struct Ladder {
    labels: Vec<Option<u32>>,
}

/// Pre-activations `[n, units]` of each layer, with noise of that size added to the input and to each of them, and the features.
fn path(net: &Net, x: Tensor<2>, noise: f64) -> (Vec<Tensor<2>>, Tensor<2>) {
    let noisy = |z: Tensor<2>, at: usize| {
        let drawn = net.normal(&format!("noise {at}"), z.dims());
        z + drawn * noise
    };
    let mut h = noisy(x, 0);
    let mut found = vec![];
    for layer in 0..LAYERS {
        let [dense, norm] = [3 * layer, 3 * layer + 1].map(|i| net.at(&format!("encoder.{i}")));
        let z = noisy(standardise(linear(&dense, h, UNITS, false)), layer + 1);
        let gain = norm.weight("weight", [UNITS], Init::Constant(1.0));
        let shift = norm.weight("bias", [UNITS], Init::Constant(0.0));
        h = relu(z.clone() * gain.unsqueeze() + shift.unsqueeze());
        found.push(z);
    }
    (found, h)
}

impl Objective for Ladder {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.labels = spec.classes().expect("the data have classes").1.to_vec();
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        vec![
            Stream::new(Subset::Labelled, vec![ViewKind::Plain]).cycles(),
            Stream::new(Subset::All, vec![ViewKind::Plain]),
        ]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let [known, all] = [0, 1].map(|i| flatten(batches[i].views[0].clone()));
        net.encode(batches[1].views[0].clone()); // Running statistics, for what is embedded.
        let labels = batches[0].rows.iter().filter_map(|&row| self.labels[row]);
        let answers = linear(&net.at("head"), path(net, known, 0.3).1, 10, true);
        let supervised = cross_entropy(answers, &labels.collect::<Vec<u32>>());
        let (clean, _) = path(net, all.clone(), 0.0);
        let (noisy, top) = path(net, all, 0.3);
        let (mut above, mut cost) = (top, vec![]);
        for layer in (0..LAYERS).rev() {
            let down = linear(&net.at(&format!("decoder.{layer}")), above, UNITS, true);
            let mixed = Tensor::cat(vec![noisy[layer].clone(), down], 1);
            above = linear(&net.at(&format!("combinator.{layer}")), mixed, UNITS, true);
            let error = above.clone() - net.constant(clean[layer].clone());
            cost.push(error.powi_scalar(2).mean());
        }
        let denoising = Tensor::cat(cost, 0).mean();
        Loss {
            metrics: vec![("denoising", denoising.clone())],
            ..Loss::of(supervised + denoising, vec![])
        }
    }
}

#[test]
fn every_layer_is_denoised() {
    let dataset = super::digits();
    let few: Vec<usize> = dataset.indices(Split::Train).into_iter().take(40).collect();
    let encoder = format!("name = \"mlp\"\nwidth = {UNITS}\nlayers = {LAYERS}");
    let run =
        |steps| super::trained_with(&encoder, &dataset, &few, Box::<Ladder>::default(), steps);
    let [one, two] = [1, 2].map(run);
    assert!(two.lines.iter().all(|line| line.values["denoising"] > 0.0));
    for name in [
        "encoder.0.weight",
        "encoder.3.weight",
        "combinator.0.weight",
        "head.weight",
    ] {
        assert!(super::distance(&one, &two, name) > 0.0, "{name}");
    }
}
