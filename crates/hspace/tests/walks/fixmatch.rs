//! FixMatch (Sohn et al. 2020): labels for few samples, and for the others what a weak view is confidently taken for.

use burn_tensor::Tensor;
use burn_tensor::activation::{log_softmax, softmax};
use hspace::dataset::Split;
use hspace::network::layers::linear;
use hspace::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind};

#[derive(Default)]
struct FixMatch {
    classes: usize,
    labels: Vec<Option<u32>>,
}

impl Objective for FixMatch {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        let (names, labels) = spec.classes().expect("the data have classes");
        (self.classes, self.labels) = (names.len(), labels.to_vec());
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        vec![
            Stream::new(Subset::Labelled, vec![ViewKind::Weak]).cycles(),
            Stream::new(Subset::Unlabelled, vec![ViewKind::Weak, ViewKind::Strong]).ratio(7),
        ]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let logits =
            |x: &Tensor<4>| linear(&net.at("head"), net.encode(x.clone()), self.classes, true);
        let [labelled, others] = [&batches[0], &batches[1]];
        assert!(others.rows.iter().all(|&row| self.labels[row].is_none()));
        let labels: Vec<u32> = labelled
            .rows
            .iter()
            .filter_map(|&row| self.labels[row])
            .collect();
        assert_eq!(labels.len(), labelled.rows.len());
        let known = super::cross_entropy(logits(&labelled.views[0]), &labels);
        let weak = softmax(logits(&others.views[0]), 1).detach();
        let (confidence, taken) = weak.max_dim_with_indices(1);
        let sure = confidence.greater_equal_elem(0.12).float();
        let strong = log_softmax(logits(&others.views[1]), 1).gather(1, taken);
        Loss::of(known - (strong * sure).mean(), vec![])
    }
}

#[test]
fn forty_labels_and_all_other_samples() {
    let dataset = super::digits();
    let few: Vec<usize> = dataset.indices(Split::Train).into_iter().take(10).collect();
    let run = || super::trained(&dataset, &few, Box::<FixMatch>::default());
    let trained = run();
    let loss = |line: &hspace::run::Line| line.values["loss"];
    assert_eq!(trained.lines.len(), 2);
    assert!(trained.lines.iter().all(|line| loss(line).is_finite()));
    assert_eq!(trained.samples, 2 * 8 * 16);
    let again = run();
    assert_eq!(loss(&trained.lines[1]), loss(&again.lines[1]));
}
