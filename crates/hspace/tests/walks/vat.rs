//! Virtual adversarial training (Miyato et al. 2018, arXiv:1704.03976): the direction in which the answer changes most is a gradient by the input,
//! computed inside the loss.

use burn_tensor::Tensor;
use burn_tensor::activation::log_softmax;
use hspace::dataset::Split;
use hspace::network::layers::linear;
use hspace::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind};

use super::cross_entropy;

/// Length of the change of a sample, and of the probe for its direction, in deviations of the data.
const LENGTH: f64 = 2.0;
const PROBE: f64 = 0.1;

#[derive(Default)]
struct Vat {
    labels: Vec<Option<u32>>,
}

/// Each sample's numbers scaled to length 1.
fn unit(x: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let square = x.clone().powi_scalar(2).reshape([n, c * h * w]).sum_dim(1);
    x / (square + 1e-20).sqrt().reshape([n, 1, 1, 1])
}

impl Vat {
    fn log_p(&self, net: &Net, x: Tensor<4>) -> Tensor<2> {
        log_softmax(
            linear(&net.at("head"), net.encode_without_bn_update(x), 10, true),
            1,
        )
    }

    /// The mean divergence of the answers to samples moved by `r` from `p`.
    fn divergence(&self, net: &Net, p: &Tensor<2>, x: &Tensor<4>, r: Tensor<4>) -> Tensor<1> {
        let log_q = self.log_p(net, x.clone() + r);
        (p.clone() * ((p.clone() + 1e-20).log() - log_q))
            .sum_dim(1)
            .mean()
    }
}

impl Objective for Vat {
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
        let [known, x] = [0, 1].map(|i| batches[i].views[0].clone());
        let labels = batches[0].rows.iter().filter_map(|&row| self.labels[row]);
        let answers = linear(&net.at("head"), net.encode(known), 10, true);
        let supervised = cross_entropy(answers, &labels.collect::<Vec<u32>>());
        let p = net.constant(self.log_p(net, x.clone()).exp());
        let [n, c, h, w] = x.dims();
        let drawn = net
            .normal("direction", [n, c * h * w])
            .reshape([n, c, h, w]);
        let r = (unit(drawn) * PROBE).autodiff().require_grad();
        let change = self.divergence(net, &p, &x, r.clone());
        let gradient = r.grad(&change.backward()).expect("it asks for one");
        let adversarial = self.divergence(net, &p, &x, unit(gradient) * LENGTH);
        let random = self.divergence(net, &p, &x, unit(r.inner()) * LENGTH);
        Loss {
            metrics: vec![
                ("adversarial", adversarial.clone()),
                ("random", random.detach()),
            ],
            ..Loss::of(supervised + adversarial, vec![])
        }
    }
}

#[test]
fn the_adversarial_direction_changes_answers_more_than_a_random_one() {
    let dataset = super::digits();
    let few: Vec<usize> = dataset.indices(Split::Train).into_iter().take(40).collect();
    let trained = super::trained(&dataset, &few, Box::<Vat>::default());
    for line in &trained.lines {
        let [adversarial, random] = ["adversarial", "random"].map(|part| line.values[part]);
        assert!(adversarial > 2.0 * random, "{adversarial} {random}");
    }
}
