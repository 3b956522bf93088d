//! M2 (Kingma et al. 2014, arXiv:1406.5298): a VAE whose latents are a class and a code; the class is summed over where it is not known.

use burn_tensor::Tensor;
use burn_tensor::activation::{log_softmax, sigmoid, softplus};
use hspace::dataset::Split;
use hspace::network::layers::{flatten, linear, perceptron, pick};
use hspace::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind};

const CODES: usize = 4;
const CLASSES: usize = 10;
/// Weight of the classification loss.
const ALPHA: f64 = 0.1;

#[derive(Default)]
struct M2 {
    labels: Vec<Option<u32>>,
}

/// Classes as columns of zeros and a one, `[n, classes]`.
fn one_hot(labels: &[u32], like: &Tensor<2>) -> Tensor<2> {
    let row = |&label: &u32| (0..CLASSES as u32).map(move |c| f32::from(u8::from(c == label)));
    let values: Vec<f32> = labels.iter().flat_map(row).collect();
    Tensor::from_data(
        burn_tensor::TensorData::new(values, [labels.len(), CLASSES]),
        &like.device().inner(),
    )
}

/// −log p(x, y) at most, `[n]`: in nats, by one draw of the code.
fn bound(net: &Net, features: &Tensor<2>, x: &Tensor<2>, class: Tensor<2>) -> Tensor<1> {
    let given = Tensor::cat(vec![features.clone(), class.clone()], 1);
    let posterior = linear(&net.at("posterior"), given, 2 * CODES, true);
    let [n, dim] = x.dims();
    let (mean, log_variance) = (
        posterior.clone().narrow(1, 0, CODES),
        posterior.narrow(1, CODES, CODES),
    );
    let z = mean.clone() + (log_variance.clone() * 0.5).exp() * net.normal("code", [n, CODES]);
    let logits = perceptron(
        &net.at("decoder"),
        Tensor::cat(vec![z, class], 1),
        &[32, dim],
        false,
    );
    let likelihood = (x.clone() * logits.clone() - softplus(logits, 1.0)).sum_dim(1);
    let divergence = (mean.powi_scalar(2) + log_variance.clone().exp() - log_variance - 1.0) * 0.5;
    (divergence.sum_dim(1) - likelihood + (CLASSES as f64).ln()).reshape([n])
}

impl Objective for M2 {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.labels = spec.classes().expect("the data have classes").1.to_vec();
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        vec![
            Stream::new(Subset::Labelled, vec![ViewKind::Plain]).cycles(),
            Stream::new(Subset::Unlabelled, vec![ViewKind::Plain]),
        ]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let views = [0, 1].map(|i| batches[i].views[0].clone());
        let features = net.encode_views(&views);
        let [known, others] = views.map(|x| sigmoid(flatten(x)));
        let classes = |features: &Tensor<2>| {
            log_softmax(linear(&net.at("head"), features.clone(), CLASSES, true), 1)
        };
        let labels = batches[0].rows.iter().filter_map(|&row| self.labels[row]);
        let labels: Vec<u32> = labels.collect();
        let class = -pick(classes(&features[0]), &labels).mean();
        let labelled = bound(net, &features[0], &known, one_hot(&labels, &known)).mean();
        let log_q = classes(&features[1]);
        let n = others.dims()[0];
        let mut unlabelled = (log_q.clone().exp() * log_q.clone())
            .sum_dim(1)
            .reshape([n]);
        for label in 0..CLASSES {
            let all = one_hot(&vec![label as u32; n], &others);
            let q = log_q.clone().narrow(1, label, 1).exp().reshape([n]);
            unlabelled = unlabelled + q * bound(net, &features[1], &others, all);
        }
        let unlabelled = unlabelled.mean();
        Loss {
            metrics: vec![
                ("labelled", labelled.clone()),
                ("unlabelled", unlabelled.clone()),
            ],
            ..Loss::of(labelled + unlabelled + class * ALPHA, vec![])
        }
    }
}

#[test]
fn unknown_classes_are_summed_over() {
    let dataset = super::digits();
    let few: Vec<usize> = dataset.indices(Split::Train).into_iter().take(40).collect();
    let run = |steps| super::trained_for(&dataset, &few, Box::<M2>::default(), steps);
    let [one, two] = [1, 2].map(run);
    for part in ["labelled", "unlabelled"] {
        // About 784 log 2 nats from fresh weights.
        let first = two.lines[0].values[part];
        assert!((500.0..600.0).contains(&first), "{part}: {first}");
    }
    for name in ["posterior.weight", "decoder.0.weight", "head.weight"] {
        assert!(super::distance(&one, &two, name) > 0.0, "{name}");
    }
}
