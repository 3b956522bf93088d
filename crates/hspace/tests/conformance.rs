//! What every objective and every encoder in the lists must do, whatever it is.

use std::collections::BTreeMap;

use burn_tensor::{Tensor, TensorData};
use hspace::dataset::{Column, Role, Shape, Values};
use hspace::device::Device;
use hspace::encoder::{self, ENCODERS, Encoder, axes};
use hspace::network::weights::Weights;
use hspace::network::{Mode, Pass};
use hspace::objective::{self, Batch, Facts, Look, Net, OBJECTIVES, Objective};
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
    if let Some(blocks) = settings.get_mut("blocks") {
        // One stage has a block whose shortcut is its input.
        *blocks = vec![1, 2, 1, 1].into();
    }
    encoder::make(name, settings).unwrap()
}

fn encoders_for(shape: Shape) -> impl Iterator<Item = (&'static str, Box<dyn Encoder>)> {
    let made = ENCODERS.iter().map(|entry| (entry.name, small(entry.name)));
    made.filter(move |(_, encoder)| encoder.problems(shape).is_empty())
}

/// Local views of images are smaller.
fn local(shape: Shape) -> Shape {
    match shape {
        Shape::Image { channels, .. } => Shape::Image {
            channels,
            height: 8,
            width: 8,
        },
        vector => vector,
    }
}

/// Channels of images, numbers of vectors.
fn parts(shape: Shape) -> usize {
    match shape {
        Shape::Image { channels, .. } => channels,
        Shape::Vector { dim } => dim,
    }
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
        local: local(shape),
        mean: vec![0.0; parts(shape)],
        std: vec![1.0; parts(shape)],
        samples: SAMPLES,
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

/// Settings for a handful of samples.
fn few(objective: &str) -> Table {
    let one = |key: &str, value: i64| Table::from_iter([(key.to_owned(), value.into())]);
    let weight = |key: &str, value: f64| Table::from_iter([(key.to_owned(), value.into())]);
    match objective {
        // No more keys than samples can be told from.
        "moco" => one("queue", 32),
        // More dimensions than samples are correlated, whatever is learned.
        "barlow_twins" | "vicreg" => one("projection", 6),
        // Codes use all prototypes, so that no sample has less than its share.
        "swav" => one("prototypes", 4),
        // A tenth of the rate is little for forty steps of six layers.
        "factor_vae" => Table::from_iter([
            ("discriminator_units".to_owned(), 64.into()),
            ("discriminator_rate".to_owned(), 1.0.into()),
        ]),
        // The total correlation of eight samples is that of eight points, whatever is learned.
        "beta_tcvae" => weight("beta", 1.0),
        _ => Table::new(),
    }
}

/// Objectives in other forms than their defaults.
const FORMS: &[(&str, &str)] = &[
    ("autoencoder", "corruption = \"masking\""),
    ("autoencoder", "corruption = \"gaussian\""),
    ("autoencoder", "corruption = \"salt_and_pepper\""),
    ("autoencoder", "sparsity = 0.01"),
    ("autoencoder", "contraction = 0.1"),
    ("vae", "free_bits = 0.1"),
    ("vae", "likelihood = \"gaussian\""),
    ("beta_vae", "capacity = 2.0"),
    // Means of eight samples vary in seven directions at most, so sixteen cannot be independent.
    ("dip_vae", "form = \"I\"\nlatents = 4"),
    ("gan", "game = \"hinge\""),
    ("moco", "queue = 0"),
];

struct Case {
    name: String,
    shape: Shape,
    encoder: Box<dyn Encoder>,
    objective: Box<dyn Objective>,
    /// Which of a step's turns.
    turn: usize,
    trains: objective::Turn,
    device: Device,
}

impl Case {
    /// A case for each turn, if the objective suits shape and encoder.
    fn each(objective: &str, settings: &Table, shape: Shape, encoder: &str) -> Vec<Case> {
        let case = |turn| {
            Case::new(
                (objective, settings),
                shape,
                (encoder, small(encoder)),
                turn,
            )
        };
        (0..).map_while(case).collect()
    }

    fn new(
        (objective, settings): (&str, &Table),
        shape: Shape,
        encoder: (&str, Box<dyn Encoder>),
        turn: usize,
    ) -> Option<Case> {
        let name = format!(
            "{objective} {settings:?} ({turn}) on {} with {shape:?}",
            encoder.0
        );
        let mut objective = objective::make(objective, settings.clone()).unwrap();
        let mut problems = objective.prepare(&facts(shape));
        problems.extend(objective::mismatches(
            &*objective,
            &*encoder.1,
            &facts(shape),
        ));
        // At the end of a training nothing waits any more.
        let trains = objective.turns(1.0).into_iter().nth(turn)?;
        problems.is_empty().then(|| Case {
            turn,
            trains,
            name,
            shape,
            encoder: encoder.1,
            objective,
            device: Device::cpu(),
        })
    }

    fn all() -> Vec<Case> {
        let mut cases = Vec::new();
        for entry in OBJECTIVES {
            let before = cases.len();
            for shape in [IMAGE, VECTOR] {
                let each = encoders_for(shape).map(|(name, _)| name);
                let own = few(entry.name);
                cases.extend(each.flat_map(|name| Case::each(entry.name, &own, shape, name)));
            }
            assert!(cases.len() > before, "{} suits nothing", entry.name);
        }
        for (name, settings) in FORMS {
            let mut own = few(name);
            own.extend(settings.parse::<Table>().unwrap());
            let before = cases.len();
            for (shape, encoder) in [(IMAGE, "cnn"), (VECTOR, "mlp"), (IMAGE, "vit_tiny")] {
                cases.extend(Case::each(name, &own, shape, encoder));
            }
            assert!(cases.len() > before, "{name} with {settings} suits nothing");
        }
        cases
    }

    fn weights(&self, seed: u64) -> Weights {
        let facts = facts(self.shape);
        objective::init(&*self.objective, &*self.encoder, &facts, seed, &self.device)
    }

    fn batches(&self) -> Vec<Batch> {
        let streams = self.objective.streams().into_iter();
        let facts = facts(self.shape);
        let view = |(view, &look): (usize, &Look)| {
            samples(facts.shape_of(look), 0.2 * view as f32, &self.device)
        };
        let batch = |stream: objective::Stream| Batch {
            views: stream.looks.iter().enumerate().map(view).collect(),
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
        hspace::train::watch::health(&[matrix]).unwrap().spread
    }

    /// The first turn on these weights.
    fn turn(&self, weights: &Weights) -> Turn {
        self.turn_with(weights, vec![])
    }

    /// The same with these constants instead of its own.
    fn turn_with(&self, weights: &Weights, constants: Vec<Tensor<2>>) -> Turn {
        let tracked = weights.tracked(|name| self.trains.covers(name));
        // At the end of a training all terms weigh what they are to weigh.
        let pass = Pass::new(&tracked, Mode::Train, &self.device)
            .with_constants(constants)
            .with_progress(1.0);
        let net = Net::new(&*self.encoder, &pass);
        let loss = self.objective.loss(&net, &self.batches(), self.turn);
        Turn {
            loss: f64::from(loss.total.clone().inner().into_scalar::<f32>()),
            gradients: net.gradients(&loss.total),
            constants: pass.constants(),
            statistics: pass.into_statistics(),
        }
    }
}

/// A turn of a step.
struct Turn {
    loss: f64,
    /// Of the trained weights.
    gradients: Gradients,
    /// Targets that no gradient flows through.
    constants: Vec<Tensor<2>>,
    /// New running statistics and memories.
    statistics: BTreeMap<String, Tensor<1>>,
}

fn dot(a: &Gradients) -> f64 {
    let square = |g: &Tensor<1>| f64::from((g.clone() * g.clone()).sum().into_scalar::<f32>());
    a.values().map(square).sum()
}

#[test]
fn the_loss_is_finite_and_a_function_of_the_seed() {
    for case in Case::all() {
        let [once, again, other] = [1, 1, 2].map(|seed| case.turn(&case.weights(seed)).loss);
        assert!(once.is_finite(), "{}: loss {once}", case.name);
        assert_eq!(once, again, "{}: same seed", case.name);
        assert_ne!(once, other, "{}: another seed", case.name);
    }
}

/// Along the gradient, the loss must change as it says (central difference, single precision).
#[test]
fn gradients_agree_with_finite_differences() {
    for case in Case::all() {
        let weights = case.weights(3);
        let Turn {
            loss,
            gradients,
            constants,
            ..
        } = case.turn(&weights);
        let norm = dot(&gradients).sqrt();
        assert!(norm > 0.0, "{}: no gradient", case.name);
        let mut least = f64::INFINITY;
        // The loss after a step along the gradient, and what the gradient says of that step: of the
        // one that was made, since small steps of many weights are rounded.
        let moved = |by: f64| {
            let (mut moved, mut promised) = (weights.clone(), 0.0);
            for (name, gradient) in &gradients {
                let before = weights.get(name).unwrap().value.clone();
                let after = before.clone() + gradient.clone() * (by / norm);
                let step = (after.clone() - before) * gradient.clone();
                promised += f64::from(step.sum().into_scalar::<f32>());
                moved.set(name, after);
            }
            let loss = case.turn_with(&moved, constants.clone()).loss;
            (loss, promised)
        };
        let ratio = |step: f64| {
            let (ahead, behind) = (moved(step), moved(-step));
            (ahead.0 - behind.0) / (ahead.1 - behind.1)
        };
        // Short steps drown in the rounding of the loss, long ones in its curvature (deep networks
        // with normalisation are strongly curved), most of which twice the step takes off. One of
        // these must do. Nearly all agree to 0.005.
        let error = [3e-4, 1e-3, 1e-4, 3e-5].into_iter().map(|share: f64| {
            let step = share * loss.abs().max(1.0) / norm;
            ((4.0 * ratio(step) - ratio(2.0 * step)) / 3.0 - 1.0).abs()
        });
        let mut error = error.inspect(|error| least = least.min(*error));
        let found = error.any(|error| error < 0.02);
        assert!(found, "{}: the slope is off by {least}", case.name);
    }
}

#[test]
fn every_trained_weight_gets_a_gradient_and_no_other_does() {
    for case in Case::all() {
        let weights = case.weights(4);
        let gradients = case.turn(&weights).gradients;
        for (name, weight) in weights.iter() {
            let has = gradients.contains_key(name);
            let wanted = weight.trained && case.trains.covers(name);
            assert_eq!(has, wanted, "{}: gradient of {name}", case.name);
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
        let first = case.turn(&weights).loss;
        let mut last = first;
        for step in 0..40 {
            let turn = case.turn(&weights);
            last = turn.loss;
            let rate = 0.005 * case.trains.rate;
            optimizer.step(&mut weights, turn.gradients, &mut state, rate);
            // A memory would soon hold nothing but the samples that are to be told from it.
            let statistics = turn.statistics.into_iter();
            for (name, value) in statistics.filter(|(name, _)| !name.starts_with("memory.")) {
                weights.set(&name, value.inner());
            }
            case.objective
                .after_step(&mut weights, f64::from(step) / 40.0);
        }
        // One of two that play against each other sees both sides normalised over their own batches,
        // which leaves a network of four units little to tell them by: its loss need only fall.
        let alone = case.objective.turns(1.0).len() == 1;
        let most = if alone { 0.8 } else { 1.0 };
        assert!(
            last < most * first,
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
fn known_ways_of_failing_are_named() {
    let healthy = [
        ("diversity", 0.9),
        ("recall", 0.5),
        ("discriminator_accuracy", 0.7),
        ("generator_loss", 1.0),
    ];
    for (name, number, failing, well, text) in [
        ("moco", "queue_cosine", 0.99, 0.3, "queue is saturated"),
        (
            "dino",
            "teacher_tells_apart",
            0.001,
            1.0,
            "teacher is constant",
        ),
        (
            "swav",
            "prototypes_used",
            1.1,
            40.0,
            "prototypes have collapsed",
        ),
        ("vq_vae", "perplexity", 1.1, 9.0, "codebook has collapsed"),
        ("gan", "diversity", 0.01, 0.9, "mode collapse"),
        ("gan", "recall", 0.01, 0.5, "mode collapse"),
    ] {
        let made = objective::make(name, few(name)).unwrap();
        let concern = |value| {
            let mut values = BTreeMap::from(healthy.map(|(name, value)| (name.to_owned(), value)));
            values.insert(number.to_owned(), value);
            made.concern(&values, 0.5)
        };
        assert!(
            concern(failing).is_some_and(|found| found.contains(text)),
            "{name}"
        );
        assert_eq!(concern(well), None, "{name}");
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
