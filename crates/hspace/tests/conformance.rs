//! What every objective and every encoder in the lists must do, whatever it is.

use std::collections::BTreeMap;

use burn_tensor::{Tensor, TensorData};
use hspace::dataset::{Column, Role, Shape, Values};
use hspace::device::Device;
use hspace::encoder::{self, ENCODERS, Encoder, axes};
use hspace::network::weights::Weights;
use hspace::network::{Mode, Pass};
use hspace::objective::{self, Batch, Facts, Net, OBJECTIVES, Objective};
use hspace::train::optimizer::{Gradients, Optimizer, OptimizerState, Rule};
use toml::Table;

const IMAGE: Shape = Shape::Image {
    channels: 1,
    height: 12,
    width: 12,
};
const VECTOR: Shape = Shape::Vector { dim: 20 };
const SAMPLES: usize = 8;

/// An encoder small enough for tests.
fn small(name: &str) -> Box<dyn Encoder> {
    let entry = ENCODERS.iter().find(|entry| entry.name == name).unwrap();
    let mut settings = (entry.defaults)();
    for (size, small) in [("width", 4), ("depth", 2)] {
        if let Some(value) = settings.get_mut(size) {
            *value = toml::Value::Integer(small);
        }
    }
    encoder::make(name, settings).unwrap()
}

fn encoders_for(shape: Shape) -> impl Iterator<Item = (&'static str, Box<dyn Encoder>)> {
    let made = ENCODERS.iter().map(|entry| (entry.name, small(entry.name)));
    made.filter(move |(_, encoder)| encoder.problems(shape).is_empty())
}

fn facts(shape: Shape) -> Facts {
    let label = Column {
        name: "label".into(),
        role: Role::Label,
        values: Values::Classes {
            names: vec!["even".into(), "odd".into()],
            index: (0..SAMPLES as u32).map(|i| Some(i % 2)).collect(),
        },
    };
    Facts {
        shape,
        columns: vec![label],
        task: Some(0),
    }
}

/// Samples that differ, by a formula.
fn samples(shape: Shape, phase: f32, device: &Device) -> Tensor<4> {
    let axes = axes(SAMPLES, shape);
    let n: usize = axes.iter().product();
    let each = n / SAMPLES;
    let value = |i: usize| ((1 + i / each) as f32 * 0.37 * (i % each) as f32 + phase).sin();
    Tensor::from_data(
        TensorData::new((0..n).map(value).collect::<Vec<_>>(), axes),
        device,
    )
}

struct Case {
    name: String,
    shape: Shape,
    encoder: Box<dyn Encoder>,
    objective: Box<dyn Objective>,
    device: Device,
}

impl Case {
    fn new(objective: &str, shape: Shape, encoder: (&str, Box<dyn Encoder>)) -> Case {
        let name = format!("{objective} on {} with {shape:?}", encoder.0);
        let mut objective = objective::make(objective, Table::new()).unwrap();
        assert_eq!(
            objective.prepare(&facts(shape)),
            Vec::<String>::new(),
            "{name}"
        );
        Case {
            name,
            shape,
            encoder: encoder.1,
            objective,
            device: Device::cpu(),
        }
    }

    fn all() -> Vec<Case> {
        let mut cases = Vec::new();
        for entry in OBJECTIVES {
            for shape in [IMAGE, VECTOR] {
                cases.extend(encoders_for(shape).map(|e| Case::new(entry.name, shape, e)));
            }
        }
        cases
    }

    fn weights(&self, seed: u64) -> Weights {
        let facts = facts(self.shape);
        objective::init(&*self.objective, &*self.encoder, &facts, seed, &self.device)
    }

    fn batches(&self) -> Vec<Batch> {
        let streams = self.objective.streams().into_iter();
        let batch = |stream: objective::Stream| Batch {
            views: (0..stream.looks.len())
                .map(|view| samples(self.shape, 0.2 * view as f32, &self.device))
                .collect(),
            rows: (0..SAMPLES).collect(),
        };
        streams.map(batch).collect()
    }

    /// How far the features of different samples lie apart (see `watch::Health`).
    fn spread(&self, weights: &Weights) -> f64 {
        let pass = Pass::new(weights, Mode::Train, &self.device);
        let net = Net::new(&*self.encoder, &pass);
        let features = net.encode(samples(self.shape, 0.0, &self.device));
        let data = features.into_data_as::<f32>();
        let values = data.as_slice::<f32>().unwrap().to_vec();
        let matrix = hspace::matrix::Matrix::new(SAMPLES, values.len() / SAMPLES, values);
        hspace::train::watch::health(&matrix).unwrap().spread
    }

    /// Loss of the first turn, gradients of the trained weights, and new running statistics.
    fn loss(&self, weights: &Weights) -> (f64, Gradients, BTreeMap<String, Tensor<1>>) {
        let tracked = weights.tracked(|_| true);
        let pass = Pass::new(&tracked, Mode::Train, &self.device);
        let net = Net::new(&*self.encoder, &pass);
        let loss = self.objective.loss(&net, &self.batches(), 0);
        let value = f64::from(loss.total.clone().inner().into_scalar::<f32>());
        let named = net.gradients(&loss.total);
        (value, named, pass.into_statistics())
    }
}

fn dot(a: &Gradients) -> f64 {
    let square = |g: &Tensor<1>| f64::from((g.clone() * g.clone()).sum().into_scalar::<f32>());
    a.values().map(square).sum()
}

#[test]
fn the_loss_is_finite_and_a_function_of_the_seed() {
    for case in Case::all() {
        let [once, again, other] = [1, 1, 2].map(|seed| case.loss(&case.weights(seed)).0);
        assert!(once.is_finite(), "{}: loss {once}", case.name);
        assert_eq!(once, again, "{}: same seed", case.name);
        assert_ne!(once, other, "{}: another seed", case.name);
    }
}

/// Along the gradient g, the loss must change by ε‖g‖ (central difference, single precision).
#[test]
fn gradients_agree_with_finite_differences() {
    for case in Case::all() {
        let weights = case.weights(3);
        let (loss, gradients, _) = case.loss(&weights);
        let norm = dot(&gradients).sqrt();
        assert!(norm > 0.0, "{}: no gradient", case.name);
        let moved = |by: f64| {
            let mut moved = weights.clone();
            for (name, gradient) in &gradients {
                let value = weights.get(name).unwrap().value.clone();
                moved.set(name, value + gradient.clone() * (by / norm));
            }
            case.loss(&moved).0
        };
        // Long enough that the loss changes by far more than it is rounded (3e-4 against 1e-7 of
        // it), and no longer: deep networks with normalisation are strongly curved.
        let step = 3e-4 * loss.abs() / norm;
        let slope = (moved(step) - moved(-step)) / (2.0 * step);
        let error = (slope / norm - 1.0).abs();
        assert!(error < 0.05, "{}: the slope is off by {error}", case.name);
    }
}

#[test]
fn every_trained_weight_gets_a_gradient_and_no_other_does() {
    for case in Case::all() {
        let weights = case.weights(4);
        let (_, gradients, _) = case.loss(&weights);
        for (name, weight) in weights.iter() {
            let has = gradients.contains_key(name);
            assert_eq!(has, weight.trained, "{}: gradient of {name}", case.name);
        }
    }
}

#[test]
fn a_handful_of_samples_is_learned_and_stays_told_apart() {
    for case in Case::all() {
        let mut weights = case.weights(5);
        let optimizer = Optimizer {
            rule: Rule::AdamW,
            weight_decay: 0.0,
            momentum: 0.9,
        };
        let mut state = OptimizerState::default();
        let first = case.loss(&weights).0;
        let mut last = first;
        for step in 0..40 {
            let (loss, gradients, statistics) = case.loss(&weights);
            last = loss;
            optimizer.step(&mut weights, gradients, &mut state, 0.005);
            statistics
                .into_iter()
                .for_each(|(name, value)| weights.set(&name, value.inner()));
            case.objective
                .after_step(&mut weights, f64::from(step) / 40.0);
        }
        assert!(
            last < 0.8 * first,
            "{}: loss {first} only fell to {last}",
            case.name
        );
        let spread = case.spread(&weights);
        assert!(spread > 0.01, "{}: collapsed, spread {spread}", case.name);
    }
}

#[test]
fn evaluation_changes_nothing_and_ignores_the_rest_of_the_batch() {
    for shape in [IMAGE, VECTOR] {
        for (name, encoder) in encoders_for(shape) {
            let device = Device::cpu();
            let (weights, dim) = encoder::init(&*encoder, shape, 7, &device);
            let weights = weights.prefixed("encoder");
            let features = |x: Tensor<4>| {
                let pass = Pass::new(&weights, Mode::Eval, &device);
                let y = encoder.features(&pass.at("encoder"), x);
                assert!(pass.into_statistics().is_empty(), "{name}");
                y
            };
            let x = samples(shape, 0.0, &device);
            let all = features(x.clone());
            assert_eq!(all.dims(), [SAMPLES, dim], "{name}");
            let one = features(x.narrow(0, 2, 1));
            let difference = (all.narrow(0, 2, 1) - one).abs().max().into_scalar::<f32>();
            assert!(difference < 1e-5, "{name}: {difference}");
        }
    }
}

#[test]
fn settings_are_complete_and_bad_ones_are_refused() {
    for entry in ENCODERS {
        let table = (entry.defaults)();
        assert!((entry.make)(table.clone()).is_ok(), "{}", entry.name);
        let mut wrong = table;
        wrong.insert("no_such_key".into(), 1.into());
        assert!((entry.make)(wrong).is_err(), "{}", entry.name);
    }
    for entry in OBJECTIVES {
        let table = (entry.defaults)();
        assert!((entry.make)(table.clone()).is_ok(), "{}", entry.name);
        let mut wrong = table;
        wrong.insert("no_such_key".into(), 1.into());
        assert!((entry.make)(wrong).is_err(), "{}", entry.name);
    }
}
