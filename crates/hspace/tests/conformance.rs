//! What every objective and every encoder in the lists must do, whatever it is.

use std::collections::{BTreeMap, BTreeSet};

use burn_tensor::{Tensor, TensorData};
use hspace::dataset::{Column, Role, Shape, Values};
use hspace::device::Device;
use hspace::embed::to_matrix;
use hspace::encoder::{self, ENCODERS, Encoder, axes};
use hspace::network::weights::Weights;
use hspace::network::{Mode, Pass};
use hspace::objective::{self, Batch, Facts, Look, Net, OBJECTIVES, Objective};
use hspace::train::optimizer::{Gradients, Optimizer, OptimizerState, Rule};
use hspace::train::watch;
use toml::Table;

const IMAGE: Shape = Shape::Image {
    channels: 1,
    height: 12,
    width: 12,
};
const VECTOR: Shape = Shape::Vector { dim: 20 };
const SAMPLES: usize = 8;

/// An encoder of each kind, and data that it takes.
const KINDS: [(Shape, &str); 3] = [(IMAGE, "cnn"), (IMAGE, "vit_tiny"), (VECTOR, "mlp")];

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
    ("autoencoder", "decoder = \"resnet\""),
    ("vae", "free_bits = 0.1"),
    ("vae", "likelihood = \"gaussian\""),
    ("beta_vae", "capacity = 2.0"),
    // Means of eight samples vary in seven directions at most, so sixteen cannot be independent.
    ("dip_vae", "form = \"I\"\nlatents = 4"),
    ("gan", "game = \"hinge\""),
    ("moco", "queue = 0"),
    ("swav", "queue = 16"),
];

/// Those of them that are for images alone.
const OF_IMAGES: &[&str] = &["corruption = \"salt_and_pepper\"", "decoder = \"resnet\""];

/// An objective in one of its forms, with an encoder and data.
#[derive(Clone, Copy, Debug)]
struct Choice {
    objective: &'static str,
    /// Settings beside those of [`few`], as TOML.
    form: &'static str,
    encoder: &'static str,
    shape: Shape,
}

impl Choice {
    fn new(
        objective: &'static str,
        form: &'static str,
        encoder: &'static str,
        shape: Shape,
    ) -> Choice {
        Choice {
            objective,
            form,
            encoder,
            shape,
        }
    }

    /// Every objective with every encoder on images and on vectors, and its other forms with each kind.
    fn all() -> Vec<Choice> {
        let mut all = Vec::new();
        for objective in OBJECTIVES {
            for shape in [IMAGE, VECTOR] {
                let with = |encoder: &'static str| Choice::new(objective.name, "", encoder, shape);
                all.extend(ENCODERS.iter().map(|encoder| with(encoder.name)));
            }
        }
        for &(objective, form) in FORMS {
            all.extend(KINDS.map(|(shape, encoder)| Choice::new(objective, form, encoder, shape)));
        }
        all
    }

    /// Whether the objective is to teach this encoder from these data.
    fn suits(&self) -> bool {
        let perceptron = self.encoder == "mlp";
        match (self.objective, self.shape) {
            (_, Shape::Vector { .. }) if OF_IMAGES.contains(&self.form) => false,
            // Patches are of images.
            ("mae", Shape::Vector { .. }) => false,
            ("mae", Shape::Image { .. }) => self.encoder.starts_with("vit_"),
            (_, Shape::Vector { .. }) => perceptron,
            ("scarf", Shape::Image { .. }) => false,
            // Local views have fewer numbers.
            ("swav" | "dino", Shape::Image { .. }) => !perceptron,
            (_, Shape::Image { .. }) => true,
        }
    }

    /// Objective and encoder, and what is wrong with them, as a job finds it.
    fn made(&self, facts: &Facts) -> (Box<dyn Objective>, Box<dyn Encoder>, Vec<String>) {
        let mut settings = few(self.objective);
        settings.extend(self.form.parse::<Table>().unwrap());
        let mut objective = objective::make(self.objective, settings).unwrap();
        let encoder = small(self.encoder);
        let mut problems = encoder.problems(facts.shape);
        problems.extend(objective.prepare(facts));
        problems.extend(objective::mismatches(&*objective, &*encoder, facts));
        (objective, encoder, problems)
    }

    fn problems(&self, facts: &Facts) -> Vec<String> {
        let (_, _, problems) = self.made(facts);
        problems
    }

    /// Whether the loss is the same for any value of this weight, though it is trained.
    fn has_no_effect(&self, weight: &str) -> bool {
        match (self.objective, weight) {
            // It is added to all samples, and the loss is of what they differ by from their mean or each other.
            ("barlow_twins" | "simsiam" | "moco" | "vicreg", "projector.6.bias") => true,
            // The same, by a normalisation over the batch: in the predictor, in the encoder that sees drawn vectors,
            // in the projector that sees the features of a ViT.
            ("byol", "projector.3.bias") | ("gan", "generator.4.bias") => true,
            (
                "simclr" | "moco" | "byol" | "simsiam" | "barlow_twins" | "vicreg" | "swav"
                | "supcon",
                "encoder.norm.bias",
            ) => true,
            _ => false,
        }
    }

    /// Whether the slopes of drawn and of real samples by this weight cancel: those of the hinges do where
    /// none of the samples is beyond its margin.
    fn may_cancel(&self, weight: &str) -> bool {
        self.form == "game = \"hinge\""
            && matches!(weight, "discriminator.bias" | "encoder.norm.bias")
    }
}

/// One turn of what was chosen.
struct Case {
    name: String,
    choice: Choice,
    encoder: Box<dyn Encoder>,
    objective: Box<dyn Objective>,
    /// Which of a step's turns.
    turn: usize,
    trains: objective::Turn,
    device: Device,
}

impl Case {
    /// A case for each turn, if the objective can teach the encoder from these data.
    fn each(choice: Choice) -> Vec<Case> {
        (0..).map_while(|turn| Case::new(choice, turn)).collect()
    }

    fn new(choice: Choice, turn: usize) -> Option<Case> {
        let (objective, encoder, problems) = choice.made(&facts(choice.shape));
        // At the end of a training nothing waits any more.
        let trains = objective.turns(1.0).into_iter().nth(turn)?;
        let Choice {
            objective: name,
            form,
            encoder: with,
            shape,
        } = choice;
        problems.is_empty().then(|| Case {
            name: format!("{name} {form} ({turn}) on {with} with {shape:?}"),
            choice,
            encoder,
            objective,
            turn,
            trains,
            device: Device::cpu(),
        })
    }

    fn all() -> impl Iterator<Item = Case> {
        Choice::all().into_iter().flat_map(Case::each)
    }

    /// The first turn of an objective, with the first kind of encoder that it can teach.
    fn of(objective: &'static str, form: &'static str) -> Case {
        let mut cases = KINDS
            .into_iter()
            .flat_map(|(shape, encoder)| Case::each(Choice::new(objective, form, encoder, shape)));
        cases.next().expect("an objective that suits something")
    }

    fn weights(&self, seed: u64) -> Weights {
        let facts = facts(self.choice.shape);
        objective::init(&*self.objective, &*self.encoder, &facts, seed, &self.device)
    }

    fn batches(&self) -> Vec<Batch> {
        let streams = self.objective.streams().into_iter();
        let facts = facts(self.choice.shape);
        let view = |(view, &look): (usize, &Look)| {
            samples(facts.shape_of(look), 0.2 * view as f32, &self.device)
        };
        let batch = |stream: objective::Stream| Batch {
            views: stream.looks.iter().enumerate().map(view).collect(),
            rows: (0..SAMPLES).collect(),
        };
        streams.map(batch).collect()
    }

    /// How far the features of different samples lie apart (see `watch::Health`), if that is next to nothing.
    fn collapsed(&self, weights: &Weights) -> Option<f64> {
        let pass = self.pass(weights);
        let net = Net::new(&*self.encoder, &pass);
        let features = net.encode(samples(self.choice.shape, 0.0, &self.device));
        let spread = watch::health(&[to_matrix(features)]).unwrap().spread;
        if spread > 0.01 { None } else { Some(spread) }
    }

    fn pass<'a>(&self, weights: &'a Weights) -> Pass<'a> {
        // At the end of a training all terms weigh what they are to weigh.
        Pass::new(weights, Mode::Train, &self.device).with_progress(1.0)
    }

    /// The turn on these weights.
    fn turn(&self, weights: &Weights) -> Turn {
        let tracked = weights.tracked(|name| self.trains.covers(name));
        let pass = self.pass(&tracked);
        let net = Net::new(&*self.encoder, &pass);
        let loss = self.objective.loss(&net, &self.batches(), self.turn);
        Turn {
            loss: number(loss.total.clone()),
            gradients: net.gradients(&loss.total),
            constants: pass.constants().into_iter().map(|x| x.inner()).collect(),
            statistics: pass.into_statistics(),
        }
    }

    /// Its loss alone, with these constants as far as there are any.
    fn loss(&self, weights: &Weights, constants: &[Tensor<2>]) -> f64 {
        let pass = self.pass(weights).with_constants(constants.to_vec());
        let net = Net::new(&*self.encoder, &pass);
        let loss = self.objective.loss(&net, &self.batches(), self.turn);
        number(loss.total)
    }

    /// The numbers that a step with all its turns is logged with, by name.
    fn parts(&self, weights: &Weights) -> BTreeMap<String, f64> {
        let pass = self.pass(weights);
        let net = Net::new(&*self.encoder, &pass);
        let batches = self.batches();
        let turns = 0..self.objective.turns(1.0).len();
        let parts = turns.flat_map(|turn| self.objective.loss(&net, &batches, turn).parts);
        parts
            .map(|(name, part)| (name.to_owned(), number(part)))
            .collect()
    }

    /// How far the loss's slope along `direction` is off the one that the gradient of `turn` says, as a share of
    /// that (central differences, single precision). Steps change the loss by these shares; the best of them counts,
    /// and none is tried after one that is [`CLOSE`].
    fn slope_error(
        &self,
        weights: &Weights,
        turn: &Turn,
        direction: &Gradients,
        shares: &[f64],
    ) -> f64 {
        let along = |name: &str, way: Tensor<1>| number((way * turn.gradients[name].clone()).sum());
        // The loss after a step, and what the gradient says of that step: of the one that was made, since small
        // steps of many weights are rounded.
        let moved = |by: f64| {
            let (mut moved, mut promised) = (weights.clone(), 0.0);
            for (name, way) in direction {
                let before = weights.get(name).unwrap().value.clone();
                let after = before.clone() + way.clone() * by;
                promised += along(name, after.clone() - before);
                moved.set(name, after);
            }
            (self.loss(&moved, &turn.constants), promised)
        };
        let ratio = |step: f64| {
            let (ahead, behind) = (moved(step), moved(-step));
            (ahead.0 - behind.0) / (ahead.1 - behind.1)
        };
        let ways = direction.iter();
        let slope: f64 = ways.map(|(name, way)| along(name, way.clone())).sum();
        let mut least = f64::INFINITY;
        for share in shares {
            let step = share * turn.loss.abs().max(1.0) / slope;
            // Twice the step takes off most of the curvature.
            let error = ((4.0 * ratio(step) - ratio(2.0 * step)) / 3.0 - 1.0).abs();
            least = least.min(error);
            if least < CLOSE {
                break;
            }
        }
        least
    }

    /// The least that the loss can be, and the share of the way there that learning a handful of samples takes it.
    fn goal(&self) -> (f64, f64) {
        match self.choice.objective {
            // A cosine, negative.
            "simsiam" => (-1.0, 0.8),
            // Nats of a density have no least, but begin far above 0.
            _ => (0.0, 0.2),
        }
    }

    /// Weights that fail in the objective's own way: layers that tell samples apart no longer do, a generator draws
    /// one sample only, a queue has one key only, and of all words only one is near anything.
    fn failed(&self) -> Weights {
        const BLIND: [&str; 5] = [
            "projector.",
            "teacher.projector.",
            "head.",
            "teacher.head.",
            "encoder.latent.",
        ];
        let fresh = self.weights(8);
        let mut weights = fresh.clone();
        for (name, weight) in fresh.iter() {
            let blind = BLIND.iter().any(|place| name.starts_with(*place));
            if blind && weight.shape.len() == 2 || name.starts_with("generator.") {
                weights.set(name, weight.value.zeros_like());
            }
        }
        if let Some(queue) = fresh.get("memory.queue") {
            weights.set("memory.queue", queue.value.ones_like());
        }
        if let Some(words) = fresh.get("memory.words") {
            let count = words.shape[0];
            let first = |i: usize| if i < 4 { 0.0f32 } else { 100.0 };
            let values: Vec<f32> = (0..count).map(first).collect();
            let values = Tensor::from_data(TensorData::new(values, [count]), &self.device);
            weights.set("memory.words", values);
        }
        weights
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

/// A gradient so much shorter than the middle one of all weights' is nothing but rounding: what should be 0 comes out
/// as a millionth, what should not be as a hundredth or more.
const NOTHING: f64 = 3e-5;

impl Turn {
    /// The weights whose gradient is nothing but rounding.
    fn silent(&self) -> BTreeSet<String> {
        let each = self.gradients.iter();
        let lengths: Vec<(&String, f64)> = each.map(|(name, g)| (name, length(g))).collect();
        let mut sorted: Vec<f64> = lengths.iter().map(|(_, length)| *length).collect();
        sorted.sort_by(f64::total_cmp);
        let least = NOTHING * sorted[sorted.len() / 2];
        let silent = lengths.into_iter().filter(|(_, length)| *length <= least);
        silent.map(|(name, _)| name.clone()).collect()
    }

    /// Directions along the gradient of one layer each, or of one block of layers. Weights move the farther the shorter
    /// their gradients are, so that each has its share in the slope: any that is 0 changes it by more than [`CLOSE`],
    /// any of the wrong sign by twice as much. [`Turn::silent`] ones stay.
    fn layers(&self) -> BTreeMap<String, Gradients> {
        let silent = self.silent();
        let mut layers: BTreeMap<String, Gradients> = BTreeMap::new();
        for (name, gradient) in self
            .gradients
            .iter()
            .filter(|(name, _)| !silent.contains(*name))
        {
            let (place, _) = name.rsplit_once('.').expect("a place and a name");
            let layer: Vec<&str> = place.split('.').take(3).collect();
            let way = gradient.clone() / length(gradient).powf(1.5);
            let layer = layers.entry(layer.join(".")).or_default();
            layer.insert(name.clone(), way);
        }
        layers
    }
}

fn number(x: Tensor<1>) -> f64 {
    f64::from(x.inner().into_scalar::<f32>())
}

fn length(x: &Tensor<1>) -> f64 {
    number((x.clone() * x.clone()).sum()).sqrt()
}

#[test]
fn objectives_meet_the_encoders_and_data_that_they_are_for_and_no_others() {
    for choice in Choice::all() {
        let cases = Case::each(choice);
        let turns: Vec<&str> = cases.iter().map(|case| case.trains.name).collect();
        let wanted: &[&str] = match (choice.suits(), choice.objective) {
            (false, _) => &[],
            (true, "factor_vae") => &["model", "discriminator"],
            (true, "gan") => &["discriminator", "generator"],
            (true, _) => &["all"],
        };
        assert_eq!(turns, wanted, "{choice:?}");
    }
}

#[test]
fn what_does_not_fit_is_answered_with_a_way_out() {
    for choice in Choice::all().into_iter().filter(|choice| !choice.suits()) {
        for problem in choice.problems(&facts(choice.shape)) {
            let way_out = ["use ", "set "].iter().any(|word| problem.contains(word));
            assert!(way_out, "{choice:?}: {problem}");
        }
    }
    let square = |side| Shape::Image {
        channels: 1,
        height: side,
        width: side,
    };
    let on = Choice::new;
    // What was asked for, a part of the answer, and what it leads to.
    let mut asked = vec![
        (
            on("scarf", "", "cnn", IMAGE),
            "use `simclr`",
            on("simclr", "", "cnn", IMAGE),
        ),
        (
            on("mae", "", "cnn", IMAGE),
            "use vit_tiny",
            on("mae", "", "vit_tiny", IMAGE),
        ),
        (
            on("mae", "", "vit_tiny", square(4)),
            "raise train.image_size",
            on("mae", "", "vit_tiny", square(8)),
        ),
        (
            on("simclr", "", "vit_tiny", square(6)),
            "train.image_size to a multiple of 4",
            on("simclr", "", "vit_tiny", square(8)),
        ),
        (
            on("autoencoder", OF_IMAGES[0], "mlp", VECTOR),
            "use masking or gaussian",
            on("autoencoder", "corruption = \"masking\"", "mlp", VECTOR),
        ),
    ];
    for entry in OBJECTIVES {
        let defaults = (entry.defaults)();
        // A setting, the value that does not fit, a part of the answer, and the value that it leads to.
        for (key, shape, wrong, answer, right) in [
            (
                "decoder",
                VECTOR,
                "decoder = \"cnn\"",
                "objective.decoder=cnn draws images, and these are vectors; set mlp or auto",
                "decoder = \"auto\"",
            ),
            (
                "likelihood",
                VECTOR,
                "likelihood = \"bernoulli\"",
                "set gaussian or auto",
                "likelihood = \"gaussian\"",
            ),
            (
                "local_views",
                IMAGE,
                "",
                "set objective.local_views=0",
                "local_views = 0",
            ),
        ] {
            if defaults.contains_key(key) {
                let with = |form| on(entry.name, form, "mlp", shape);
                asked.push((with(wrong), answer, with(right)));
            }
        }
    }
    for entry in ENCODERS.iter().filter(|entry| entry.name != "mlp") {
        let with = |encoder, shape| on("simclr", "", encoder, shape);
        asked.push((with(entry.name, VECTOR), "use `mlp`", with("mlp", VECTOR)));
        if !entry.name.starts_with("vit_") {
            let (wrong, right) = (with(entry.name, square(4)), with(entry.name, square(8)));
            asked.push((wrong, "set train.image_size=8", right));
        }
    }
    for (choice, answer, right) in asked {
        let problems = choice.problems(&facts(choice.shape)).join("\n");
        assert!(problems.contains(answer), "{choice:?}: {problems}");
        let none: [&str; 0] = [];
        assert_eq!(right.problems(&facts(right.shape)), none, "{right:?}");
    }
    let unlabelled = Facts {
        task: None,
        ..facts(IMAGE)
    };
    for objective in ["supervised", "supcon"] {
        let problems = on(objective, "", "cnn", IMAGE)
            .problems(&unlabelled)
            .join("\n");
        assert!(problems.contains("use `simclr`"), "{problems}");
    }
    for (side, answer) in [
        (6, "(views.crop.local_size): patches of 4x4"),
        (16, "views.crop.local_size=16 is larger than the images"),
    ] {
        let cropped = Facts {
            local: square(side),
            ..facts(IMAGE)
        };
        for objective in ["swav", "dino"] {
            let choice = on(objective, "", "vit_tiny", IMAGE);
            let problems = choice.problems(&cropped).join("\n");
            assert!(problems.contains(answer), "{objective}: {problems}");
        }
    }
}

#[test]
fn the_loss_is_finite_and_a_function_of_the_seed() {
    for case in Case::all() {
        let [once, again, other] = [1, 1, 2].map(|seed| case.loss(&case.weights(seed), &[]));
        assert!(once.is_finite(), "{}: loss {once}", case.name);
        assert_eq!(once, again, "{}: same seed", case.name);
        assert_ne!(once, other, "{}: another seed", case.name);
    }
}

/// Shares of the loss (of 1, if it is less) that a step changes it by. Short steps drown in the rounding of the loss,
/// long ones in its curvature (deep networks with normalisation are strongly curved). The last two are for single
/// layers: these must be moved farther, and that past the kinks of ReLUs.
const SHARES: [f64; 6] = [3e-4, 1e-3, 1e-4, 3e-5, 1e-5, 3e-6];
/// How far a slope may be off. Nearly all agree to 0.005.
const CLOSE: f64 = 0.02;

/// Along the gradient, the loss must change as it says.
#[test]
fn gradients_agree_with_finite_differences() {
    for case in Case::all() {
        let weights = case.weights(3);
        let turn = case.turn(&weights);
        let squares = turn.gradients.values().map(|g| length(g).powi(2));
        let norm = squares.sum::<f64>().sqrt();
        assert!(norm > 0.0, "{}: no gradient", case.name);
        let unit = |(name, g): (&String, &Tensor<1>)| (name.clone(), g.clone() / norm);
        let direction: Gradients = turn.gradients.iter().map(unit).collect();
        let error = case.slope_error(&weights, &turn, &direction, &SHARES[..4]);
        assert!(error < CLOSE, "{}: the slope is off by {error}", case.name);
    }
}

/// Along the gradient of each layer too: a small one that is 0 or has the wrong sign hardly shows in the whole.
#[test]
fn gradients_of_every_layer_agree_with_finite_differences() {
    for case in Case::all() {
        let mut off: BTreeMap<String, f64> = BTreeMap::new();
        // Kinks, and normalisations of next to nothing, are near to some weights, but not to all.
        for draw in 0..6 {
            let weights = case.weights(30 + draw);
            let turn = case.turn(&weights);
            for (layer, direction) in turn.layers() {
                if draw > 0 && !off.contains_key(&layer) {
                    continue;
                }
                let error = case.slope_error(&weights, &turn, &direction, &SHARES);
                if error < CLOSE {
                    off.remove(&layer);
                } else {
                    off.insert(layer, error);
                }
            }
            if off.is_empty() {
                break;
            }
        }
        assert!(off.is_empty(), "{}: slopes are off by {off:?}", case.name);
    }
}

#[test]
fn every_trained_weight_gets_a_gradient_and_no_other_does() {
    for case in Case::all() {
        let weights = case.weights(4);
        let turn = case.turn(&weights);
        for (name, weight) in weights.iter() {
            let has = turn.gradients.contains_key(name);
            let wanted = weight.trained && case.trains.covers(name);
            assert_eq!(has, wanted, "{}: gradient of {name}", case.name);
        }
        let names = turn.gradients.keys();
        let without: BTreeSet<String> = names
            .filter(|name| case.choice.has_no_effect(name))
            .cloned()
            .collect();
        let silent = |turn: &Turn| {
            let mut silent = turn.silent();
            silent.retain(|name| !case.choice.may_cancel(name));
            silent
        };
        let mut found = silent(&turn);
        // Chance can make slopes cancel at some weights; only a reason can at all.
        for seed in [14, 24] {
            if found != without {
                found = &found & &silent(&case.turn(&case.weights(seed)));
            }
        }
        assert_eq!(found, without, "{}: gradients that are 0", case.name);
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
        let first = case.loss(&weights, &[]);
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
        let learned = match case.objective.turns(1.0).len() {
            1 => {
                let (least, share) = case.goal();
                first > least && first - last > share * (first - least)
            }
            // One of two that play against each other sees both sides normalised over their own batches,
            // which leaves a network of four units little to tell them by: its loss need only fall.
            _ => last < first,
        };
        assert!(learned, "{}: loss {first} only fell to {last}", case.name);
        let collapsed = case.collapsed(&weights);
        assert_eq!(collapsed, None, "{}: collapsed to this spread", case.name);
    }
}

#[test]
fn features_that_are_nearly_all_the_same_count_as_collapsed() {
    for ((shape, encoder), last) in KINDS.into_iter().zip(["bn3", "norm", "7"]) {
        let choice = Choice::new("simsiam", "", encoder, shape);
        let case = Case::new(choice, 0).unwrap();
        let mut weights = case.weights(9);
        assert_eq!(case.collapsed(&weights), None, "{encoder}: fresh");
        // The last normalisation hardly lets anything through, and adds the same to all samples.
        let [gain, bias] = ["weight", "bias"].map(|name| format!("encoder.{last}.{name}"));
        let value = |name: &str| weights.get(name).unwrap().value.clone();
        let (little, same) = (value(&gain) * 1e-3, value(&bias).ones_like());
        weights.set(&gain, little);
        weights.set(&bias, same);
        let collapsed = case.collapsed(&weights);
        assert!(collapsed.is_some(), "{encoder}: not seen to have collapsed");
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

/// Numbers of a step, by name.
type Numbers = &'static [(&'static str, f64)];

/// An objective's own way of failing.
struct Failing {
    objective: &'static str,
    form: &'static str,
    /// A part of what is said of it.
    text: &'static str,
    /// Numbers of a step that does not fail, and those of them that are others where it does.
    well: Numbers,
    failing: Numbers,
}

impl Failing {
    const fn new(
        (objective, form): (&'static str, &'static str),
        text: &'static str,
        well: Numbers,
        failing: Numbers,
    ) -> Failing {
        Failing {
            objective,
            form,
            text,
            well,
            failing,
        }
    }

    /// Of a posterior.
    const fn posterior(objective: &'static str) -> Failing {
        let (well, failing): (Numbers, Numbers) =
            (&[("active_units", 3.0)], &[("active_units", 0.0)]);
        Failing::new((objective, ""), "posterior has collapsed", well, failing)
    }

    /// Of projections.
    const fn projections(objective: &'static str, form: &'static str) -> Failing {
        let (well, failing): (Numbers, Numbers) = (
            &[("projection_spread", 0.9)],
            &[("projection_spread", 0.01)],
        );
        Failing::new((objective, form), "projections are constant", well, failing)
    }

    /// Of a game.
    const fn game(text: &'static str, failing: Numbers) -> Failing {
        const WELL: Numbers = &[
            ("diversity", 0.9),
            ("recall", 0.5),
            ("recall_of_best", 0.9),
            ("discriminator_accuracy", 0.7),
            ("generator_loss", 1.0),
        ];
        Failing::new(("gan", ""), text, WELL, failing)
    }
}

/// All of them; of an objective with several, the one that [`Case::failed`] leads to comes first.
const FAILING: &[Failing] = &[
    Failing::new(
        ("moco", ""),
        "queue is saturated",
        &[("queue_cosine", 0.3)],
        &[("queue_cosine", 0.99)],
    ),
    Failing::projections("moco", "queue = 0"),
    Failing::projections("byol", ""),
    Failing::projections("simsiam", ""),
    Failing::new(
        ("dino", ""),
        "teacher is constant",
        &[("teacher_tells_apart", 1.0)],
        &[("teacher_tells_apart", 0.001)],
    ),
    Failing::new(
        ("swav", ""),
        "prototypes have collapsed",
        &[("prototypes_used", 40.0)],
        &[("prototypes_used", 1.1)],
    ),
    Failing::new(
        ("vq_vae", ""),
        "codebook has collapsed",
        &[("perplexity", 9.0)],
        &[("perplexity", 1.1)],
    ),
    Failing::game("mode collapse", &[("diversity", 0.01)]),
    Failing::game("mode collapse", &[("recall", 0.01)]),
    Failing::game("mode collapse", &[("recall_of_best", 0.1)]),
    Failing::game(
        "discriminator has won",
        &[("discriminator_accuracy", 1.0), ("generator_loss", 9.0)],
    ),
    Failing::posterior("vae"),
    Failing::posterior("beta_vae"),
    Failing::posterior("beta_tcvae"),
    Failing::posterior("factor_vae"),
    Failing::posterior("dip_vae"),
    Failing::posterior("iwae"),
];

#[test]
fn known_ways_of_failing_are_named() {
    for way in FAILING {
        let case = Case::of(way.objective, way.form);
        let mut values = case.parts(&case.weights(8));
        let mut said = |numbers: Numbers| {
            for &(number, value) in numbers {
                let before = values.insert(number.to_owned(), value);
                assert!(before.is_some(), "{}: no part is `{number}`", case.name);
            }
            case.objective.concern(&values, 0.5)
        };
        assert_eq!(said(way.well), None, "{}", case.name);
        let text = said(way.failing).unwrap_or_default();
        assert!(text.contains(way.text), "{}: {text:?}", case.name);
    }
}

#[test]
fn what_has_failed_is_named_and_nothing_else_is() {
    let all = OBJECTIVES.iter().map(|entry| (entry.name, ""));
    for (objective, form) in all.chain([("moco", "queue = 0")]) {
        let case = Case::of(objective, form);
        let said = case.objective.concern(&case.parts(&case.failed()), 0.5);
        let way = FAILING
            .iter()
            .find(|way| (way.objective, way.form) == (objective, form));
        let named = match (&said, way) {
            (Some(said), Some(way)) => said.contains(way.text),
            (None, None) => true,
            _ => false,
        };
        assert!(named, "{}: {said:?}", case.name);
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
