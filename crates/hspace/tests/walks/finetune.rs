//! Fine-tuning with layer decay (Clark et al. 2020, arXiv:2003.10555): each stage learns at .5 of the rate of the next, the first not at all.

use hspace::dataset::{Shape, Split};
use hspace::encoder::Encoder;
use hspace::network::layers::linear;
use hspace::objective::{
    Batch, DataSpec, Loss, Net, Objective, Stream, Subset, UpdateGroup, ViewKind,
};

#[derive(Default)]
struct Finetune {
    labels: Vec<Option<u32>>,
    shape: Option<Shape>,
}

impl Objective for Finetune {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.labels = spec.classes().expect("the data have classes").1.to_vec();
        self.shape = Some(spec.shape);
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::new(Subset::Labelled, vec![ViewKind::Random])]
    }

    fn update_groups(&self, _: f64, encoder: &dyn Encoder) -> Vec<UpdateGroup> {
        let stages = encoder.stages(self.shape.expect("it is prepared"));
        let rates = stages.iter().enumerate().flat_map(|(depth, stage)| {
            let rate = match depth {
                0 => 0.0,
                _ => 0.5_f64.powi((stages.len() - depth) as i32),
            };
            stage
                .prefixes
                .iter()
                .map(move |prefix| (format!("encoder.{prefix}"), rate))
        });
        vec![UpdateGroup {
            rates: rates.collect(),
            ..UpdateGroup::all()
        }]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let labels: Vec<u32> = batches[0]
            .rows
            .iter()
            .filter_map(|&row| self.labels[row])
            .collect();
        let features = net.encode(batches[0].views[0].clone());
        let logits = linear(&net.at("head"), features.clone(), 10, true);
        Loss::of(super::cross_entropy(logits, &labels), vec![features])
    }
}

#[test]
fn stages_learn_at_their_own_rates_and_frozen_ones_stay() {
    let dataset = super::digits();
    let labelled = dataset.indices(Split::Train);
    let run = |steps| super::trained_for(&dataset, &labelled, Box::<Finetune>::default(), steps);
    let [one, two] = [1, 2].map(run);
    let moved = |name| super::distance(&one, &two, name);
    assert_eq!(moved("encoder.conv0.weight"), 0.0);
    assert!(moved("head.weight") > 1.5 * moved("encoder.conv3.weight"));
    assert!(moved("encoder.conv3.weight") > 1.5 * moved("encoder.conv2.weight"));
}
